//! Facts that allow: Ana of the builder works at the hall's press 7 from CASE-1.

use anyhow::{Result, bail};
use caseway::{
    authz::{
        Action, Decision, DeviceFacts, Door, Facts, Grant, Presence, Request, Via, Want, decide,
    },
    cases::{Case, Kind, State, Switch},
    clock::Wall,
    ids::{KeyDigest, PeerId, Revision},
    machines::{
        Asset, CustomerMachine, Device, Hosts, Link, Mode, Ports, Proto, Target, Tunnel, TunnelKind,
    },
    tenancy::{Assignment, Person, Role, Scope, Tenant, TenantRole},
};

pub(crate) const MORNING: Wall = Wall(1_777_622_400_000);
pub(crate) const TECHNICIAN_KEY: KeyDigest = KeyDigest([1; 32]);
pub(crate) const DEVICE_KEY: KeyDigest = KeyDigest([2; 32]);

const ON: Switch = Switch { on: true, until: None };

/// The rows that one decision reads.
pub(crate) fn facts() -> Result<Facts> {
    let builder = tenant("builder", TenantRole::ServiceProvider)?;
    Ok(Facts {
        revision: Revision(1),
        person: Some(Person {
            id: "ana".parse()?,
            tenant: builder.id.clone(),
            email: "ana@builder.example".to_owned(),
            name: "Ana".to_owned(),
            active: true,
        }),
        tenant: Some(builder.clone()),
        assignments: vec![assignment("as-1", Role::ServiceTechnician, Scope::Whole)?],
        case: Some(case()?),
        asset: Some(press()?),
        operator: Some(tenant("hall", TenantRole::Operator)?),
        machine: Some(CustomerMachine {
            id: "m-7".parse()?,
            provider: builder.id.clone(),
            customer: "c-1".parse()?,
            serial: "7".to_owned(),
            link: Link::Linked { asset: "press-7".parse()? },
        }),
        provider: Some(builder),
        tunnel: Some(tunnel()?),
        device: Some(DeviceFacts {
            device: Device {
                id: "box-7".parse()?,
                owner: "hall".parse()?,
                name: "Box 7".to_owned(),
                key: Some(DEVICE_KEY),
                active: true,
            },
            presence: Presence::Online,
        }),
        ..Facts::default()
    })
}

/// May Ana use the tunnel now?
pub(crate) fn request() -> Result<Request> {
    let via = Via::Case("CASE-1".parse()?);
    let action =
        Action::UseTunnel { tunnel: "t-1".parse()?, via, door: Door::Native, want: Want::Control };
    Ok(Request { who: "ana".parse()?, action, at: MORNING })
}

/// The grant that `facts` give.
pub(crate) fn grant(facts: &Facts) -> Result<Grant> {
    match decide(request()?, facts) {
        Decision::Allow(grant) => Ok(grant),
        Decision::Deny(denial) => bail!("denied: {denial:?}"),
    }
}

pub(crate) fn technician() -> Result<PeerId> {
    Ok("person/ana".parse()?)
}

pub(crate) fn device() -> Result<PeerId> {
    Ok("device/box-7".parse()?)
}

/// One of Ana's roles.
pub(crate) fn assignment(id: &str, role: Role, scope: Scope) -> Result<Assignment> {
    Ok(Assignment { id: id.parse()?, person: "ana".parse()?, role, scope })
}

fn tenant(name: &str, role: TenantRole) -> Result<Tenant> {
    let roles = [TenantRole::Basic, role].into();
    Ok(Tenant { id: name.parse()?, name: name.to_owned(), active: true, roles })
}

fn case() -> Result<Case> {
    Ok(Case {
        id: "CASE-1".parse()?,
        title: "Spindle stops".to_owned(),
        kind: Kind::Shared {
            operator: "hall".parse()?,
            provider: "builder".parse()?,
            asset: "press-7".parse()?,
            switch: ON,
        },
        state: State::InProgress,
        created_by: "olaf".parse()?,
        assignee: None,
        created_at: MORNING,
        closed_at: None,
    })
}

fn press() -> Result<Asset> {
    Ok(Asset {
        id: "press-7".parse()?,
        operator: "hall".parse()?,
        name: "Press 7".to_owned(),
        serial: "7".to_owned(),
        facility: None,
        active: true,
        switch: Switch::default(),
        device: Some("box-7".parse()?),
    })
}

fn tunnel() -> Result<Tunnel> {
    Ok(Tunnel {
        id: "t-1".parse()?,
        asset: "press-7".parse()?,
        name: "plc".parse()?,
        kind: TunnelKind::Ssc,
        mode: Mode::Any,
        targets: vec![Target {
            name: "plc".parse()?,
            proto: Proto::Tcp,
            hosts: Hosts::Ip("10.0.0.5".parse()?),
            ports: Ports { first: 502, last: 502 },
        }],
        enabled: true,
    })
}
