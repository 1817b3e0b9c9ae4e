//! The first rows: an operator with a press and many devices, a provider with a technician, and an
//! open case whose switch is on.

use std::net::SocketAddr;

use anyhow::Result;
use caseway::{
    cases::{Case, Kind, State, Switch},
    clock::Now,
    console::hash_password,
    ids::{AssetId, DeviceId, KeyDigest},
    machines::{
        Asset, CustomerMachine, Device, Hosts, Link, Mode, Ports, Proto, Target, Tunnel, TunnelKind,
    },
    secret::SecretText,
    store::{Seed, SeedPerson},
    tenancy::{Assignment, Person, Role, Scope, Tenant, TenantRole},
};

pub(crate) const PASSWORD: &str = "bench-only";
pub(crate) const TECHNICIAN: &str = "stella";
pub(crate) const TECHNICIAN_EMAIL: &str = "stella@provider.example";
pub(crate) const MANAGER: &str = "wanda";
pub(crate) const CASE: &str = "CASE-1";
pub(crate) const TUNNEL: &str = "echo";
/// Beside the press; and one that stays alone.
pub(crate) const REAL_DEVICES: [&str; 2] = ["edge", "alone"];

const ON: Switch = Switch { on: true, until: None };

/// The rows of a fleet whose devices are known by these keys, and of a press that echoes at `echo`.
pub(crate) fn seed(fleet: &[(DeviceId, KeyDigest)], echo: SocketAddr) -> Result<Seed> {
    let mut seed = Seed::default();
    people(&mut seed)?;
    let device = |id: DeviceId, key| -> Result<Device> {
        let owner = "operator".parse()?;
        Ok(Device { name: id.to_string(), id, owner, key, active: true })
    };
    for id in REAL_DEVICES {
        seed.devices.push(device(id.parse()?, None)?);
    }
    for (id, key) in fleet {
        seed.devices.push(device(id.clone(), Some(*key))?);
    }
    press(&mut seed, echo)?;
    Ok(seed)
}

fn people(seed: &mut Seed) -> Result<()> {
    let hash = SecretText::new(hash_password(&SecretText::new(PASSWORD.to_owned()))?);
    for (id, role) in
        [("operator", TenantRole::Operator), ("provider", TenantRole::ServiceProvider)]
    {
        let roles = [TenantRole::Basic, role].into();
        seed.tenants.push(Tenant { id: id.parse()?, name: id.to_owned(), active: true, roles });
    }
    for (id, tenant, role) in [
        (MANAGER, "operator", Role::WorkshopManager),
        (TECHNICIAN, "provider", Role::ServiceTechnician),
    ] {
        let person = Person {
            id: id.parse()?,
            tenant: tenant.parse()?,
            email: format!("{id}@{tenant}.example"),
            name: id.to_owned(),
            active: true,
        };
        seed.people.push(SeedPerson { person, password_hash: Some(hash.clone()) });
        seed.assignments.push(Assignment {
            id: format!("{id}-role").parse()?,
            person: id.parse()?,
            role,
            scope: Scope::Whole,
        });
    }
    Ok(())
}

fn press(seed: &mut Seed, echo: SocketAddr) -> Result<()> {
    let [edge, _] = REAL_DEVICES;
    let asset: AssetId = "press".parse()?;
    seed.assets.push(Asset {
        id: asset.clone(),
        operator: "operator".parse()?,
        name: "Press".to_owned(),
        serial: "1".to_owned(),
        facility: None,
        active: true,
        switch: Switch::default(),
        device: Some(edge.parse()?),
    });
    seed.machines.push(CustomerMachine {
        id: "machine".parse()?,
        provider: "provider".parse()?,
        customer: "operator".parse()?,
        serial: "1".to_owned(),
        link: Link::Linked { asset: asset.clone() },
    });
    seed.tunnels.push(Tunnel {
        id: "press-echo".parse()?,
        asset: asset.clone(),
        name: TUNNEL.parse()?,
        kind: TunnelKind::Ssc,
        mode: Mode::Sealed,
        targets: vec![Target {
            name: TUNNEL.parse()?,
            proto: Proto::Tcp,
            hosts: Hosts::Ip(echo.ip()),
            ports: Ports { first: echo.port(), last: echo.port() },
        }],
        enabled: true,
    });
    seed.cases.push(Case {
        id: CASE.parse()?,
        title: "bench".to_owned(),
        kind: Kind::Shared {
            operator: "operator".parse()?,
            provider: "provider".parse()?,
            asset,
            switch: ON,
        },
        state: State::InProgress,
        created_by: MANAGER.parse()?,
        assignee: None,
        created_at: Now::read().wall,
        closed_at: None,
    });
    Ok(())
}
