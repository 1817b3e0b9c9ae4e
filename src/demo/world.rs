//! The demo's people, machines and cases: one operator, one provider, one of everything.
//!
//! ```text
//!  Aurora Foods (operator, internal service)          Brandt Machines (provider)
//!    hall-1: press-7  -- edge-1 (online) -- linked -----> machine-7
//!            mixer-2  -- edge-1
//!    hall-2: lathe-3  -- edge-2 (offline) - proposed ---> machine-3
//!
//!  CASE-1 shared: press-7   CASE-2 operator-internal: mixer-2   CASE-3 provider-internal: machine-3
//! ```

use std::{collections::BTreeSet, net::SocketAddr};

use super::floor::Floor;
use crate::{
    cases::{Case, Kind, State, Switch},
    clock::Wall,
    ids::{InvalidId, TenantId},
    machines::{
        Asset, CustomerMachine, Device, Hosts, Link, Mode, Ports, Proto, Target, Tunnel, TunnelKind,
    },
    secret::SecretText,
    store::{Seed, SeedPerson},
    tenancy::{Assignment, Person, Role, Scope, Tenant, TenantRole},
};

/// The device that is there, and the one that is not.
pub(super) const ONLINE: &str = "edge-1";
const OFFLINE: &str = "edge-2";

const OPERATOR: &str = "aurora";
const PROVIDER: &str = "brandt";

/// Id (also the local part of the address), name, tenant, role.
const PEOPLE: [(&str, &str, &str, Role); 12] = [
    ("tessa", "Tessa Lind", OPERATOR, Role::TenantAdmin),
    ("dario", "Dario Conti", OPERATOR, Role::DataAnalyst),
    ("milo", "Milo Hansen", OPERATOR, Role::MachineOperator),
    ("wanda", "Wanda Krol", OPERATOR, Role::WorkshopManager),
    ("ines", "Ines Prado", OPERATOR, Role::InternalServiceCases),
    ("emil", "Emil Berg", OPERATOR, Role::MaintenanceEngineer),
    ("theo", "Theo Brandt", PROVIDER, Role::TenantAdmin),
    ("lara", "Lara Vogt", PROVIDER, Role::FirstLevelSupport),
    ("stella", "Stella Novak", PROVIDER, Role::ServiceTechnician),
    ("marc", "Marc Dubois", PROVIDER, Role::MasterDataManager),
    ("clara", "Clara Weiss", PROVIDER, Role::CustomerDataManager),
    ("sven", "Sven Aas", PROVIDER, Role::ServiceManager),
];

/// A log-in of the demo, for the guide that it prints.
#[derive(Clone, Debug)]
pub(super) struct Login {
    pub(super) email: String,
    pub(super) tenant: &'static str,
    pub(super) name: &'static str,
    pub(super) role: Role,
}

/// Everybody who can log in, the technician first.
pub(super) fn logins() -> Vec<Login> {
    PEOPLE
        .iter()
        .map(|(id, name, tenant, role)| Login {
            email: email(id, tenant),
            tenant,
            name,
            role: *role,
        })
        .collect()
}

fn email(id: &str, tenant: &str) -> String {
    format!("{id}@{tenant}.example")
}

/// All rows of the demo. `password_hash` is everybody's.
///
/// # Errors
///
/// None in practice: the ids above are well formed, which a test sees.
pub(super) fn seed(
    floor: &Floor,
    password_hash: &SecretText,
    now: Wall,
) -> Result<Seed, InvalidId> {
    let mut seed = Seed { tenants: tenants()?, ..Seed::default() };
    for (id, name, tenant, role) in PEOPLE {
        let person = Person {
            id: id.parse()?,
            tenant: tenant.parse()?,
            email: email(id, tenant),
            name: name.to_owned(),
            active: true,
        };
        seed.people.push(SeedPerson { person, password_hash: Some(password_hash.clone()) });
        seed.assignments.push(Assignment {
            id: format!("{id}-role").parse()?,
            person: id.parse()?,
            role,
            scope: Scope::Whole,
        });
    }
    seed.devices = vec![device(ONLINE, "Edge box, hall 1")?, device(OFFLINE, "Edge box, hall 2")?];
    seed.assets = vec![
        asset("press-7", "Press 7", "AF-1007", "hall-1", ONLINE)?,
        asset("mixer-2", "Mixer 2", "AF-2002", "hall-1", ONLINE)?,
        asset("lathe-3", "Lathe 3", "AF-3003", "hall-2", OFFLINE)?,
    ];
    seed.machines = vec![
        machine("machine-7", "AF-1007", Link::Linked { asset: "press-7".parse()? })?,
        machine("machine-3", "AF-3003", Link::Proposed { asset: "lathe-3".parse()? })?,
    ];
    seed.tunnels = tunnels(floor)?;
    seed.cases = cases(now)?;
    Ok(seed)
}

fn tenants() -> Result<Vec<Tenant>, InvalidId> {
    let tenant = |id: &str, name: &str, roles: &[TenantRole]| {
        let id: TenantId = id.parse()?;
        let roles: BTreeSet<TenantRole> = roles.iter().copied().collect();
        Ok(Tenant { id, name: name.to_owned(), active: true, roles })
    };
    Ok(vec![
        tenant(
            OPERATOR,
            "Aurora Foods",
            &[TenantRole::Basic, TenantRole::Operator, TenantRole::OperatorInternalService],
        )?,
        tenant(PROVIDER, "Brandt Machines", &[TenantRole::Basic, TenantRole::ServiceProvider])?,
    ])
}

fn device(id: &str, name: &str) -> Result<Device, InvalidId> {
    Ok(Device {
        id: id.parse()?,
        owner: OPERATOR.parse()?,
        name: name.to_owned(),
        key: None,
        active: true,
    })
}

fn asset(
    id: &str,
    name: &str,
    serial: &str,
    facility: &str,
    device: &str,
) -> Result<Asset, InvalidId> {
    Ok(Asset {
        id: id.parse()?,
        operator: OPERATOR.parse()?,
        name: name.to_owned(),
        serial: serial.to_owned(),
        facility: Some(facility.parse()?),
        active: true,
        switch: Switch::default(),
        device: Some(device.parse()?),
    })
}

fn machine(id: &str, serial: &str, link: Link) -> Result<CustomerMachine, InvalidId> {
    Ok(CustomerMachine {
        id: id.parse()?,
        provider: PROVIDER.parse()?,
        customer: OPERATOR.parse()?,
        serial: serial.to_owned(),
        link,
    })
}

fn tunnels(floor: &Floor) -> Result<Vec<Tunnel>, InvalidId> {
    let hmi = target("hmi-web", Proto::Tcp, floor.hmi)?;
    let plc = target("plc", Proto::Tcp, floor.plc)?;
    let screen = target("screen", Proto::Tcp, floor.screen)?;
    let echo = target("udp-echo", Proto::Udp, floor.echo)?;
    let source = target("source", Proto::Tcp, floor.source)?;
    let cell = vec![hmi.clone(), plc.clone(), echo, source];
    let mut all = Vec::new();
    for asset in ["press-7", "mixer-2"] {
        all.push(tunnel(asset, "hmi-web", TunnelKind::Ssc, vec![hmi.clone()])?);
        all.push(tunnel(asset, "plc", TunnelKind::Ssc, vec![plc.clone()])?);
        all.push(tunnel(asset, "cell", TunnelKind::DataLink, cell.clone())?);
        all.push(tunnel(asset, "screen", TunnelKind::Vnc, vec![screen.clone()])?);
    }
    all.push(tunnel("lathe-3", "plc", TunnelKind::Ssc, vec![plc])?);
    Ok(all)
}

fn tunnel(
    asset: &str,
    name: &str,
    kind: TunnelKind,
    targets: Vec<Target>,
) -> Result<Tunnel, InvalidId> {
    Ok(Tunnel {
        id: format!("{asset}-{name}").parse()?,
        asset: asset.parse()?,
        name: name.parse()?,
        kind,
        mode: Mode::Any,
        targets,
        enabled: true,
    })
}

fn target(name: &str, proto: Proto, at: SocketAddr) -> Result<Target, InvalidId> {
    let ports = Ports { first: at.port(), last: at.port() };
    Ok(Target { name: name.parse()?, proto, hosts: Hosts::Ip(at.ip()), ports })
}

fn cases(now: Wall) -> Result<Vec<Case>, InvalidId> {
    let case = |id: &str, title: &str, by: &str, kind: Kind| {
        Ok(Case {
            id: id.parse()?,
            title: title.to_owned(),
            kind,
            state: State::New,
            created_by: by.parse()?,
            assignee: None,
            created_at: now,
            closed_at: None,
        })
    };
    let (operator, provider): (TenantId, TenantId) = (OPERATOR.parse()?, PROVIDER.parse()?);
    Ok(vec![
        case(
            "CASE-1",
            "Press 7 stops at the bottom of its stroke",
            "milo",
            Kind::Shared {
                operator: operator.clone(),
                provider: provider.clone(),
                asset: "press-7".parse()?,
                switch: Switch::default(),
            },
        )?,
        case(
            "CASE-2",
            "Mixer 2 drifts in speed",
            "ines",
            Kind::OperatorInternal {
                operator,
                asset: "mixer-2".parse()?,
                switch: Switch::default(),
            },
        )?,
        case(
            "CASE-3",
            "Prepare the spindle retrofit",
            "stella",
            Kind::ProviderInternal { provider, machine: "machine-3".parse()? },
        )?,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_has_a_person_and_every_id_is_well_formed() {
        let at: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let floor = Floor { hmi: at, plc: at, screen: at, echo: at, source: at };
        let hash = SecretText::new(String::new());
        let seed = seed(&floor, &hash, Wall(0)).unwrap();
        for role in Role::ALL {
            assert!(seed.assignments.iter().any(|one| one.role == role), "{role:?}");
        }
        assert_eq!(seed.assets.len(), 3);
        assert!(seed.cases.iter().all(|case| case.switch().is_none_or(|switch| !switch.on)));
        assert_eq!(logins().len(), seed.people.len());
    }
}
