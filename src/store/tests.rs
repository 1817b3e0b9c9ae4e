//! The store against real files, each in a directory of its own.

mod around;
mod assets;
mod cases;
mod decommission;
mod devices;
mod external;
mod groups;
mod imports;
mod joining;
mod models;
mod notices;
mod opening;
mod outbox;
mod put;
mod records;
mod sessions;
mod unanswered;
mod visible;
mod writes;

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use tempfile::TempDir;

use super::*;
use crate::{
    audit::Row,
    authz::{Action, Decision, Presence, PresenceOf, Request, decide},
    cases::{Case, Kind, State, Switch},
    clock::{Now, Wall},
    ids::{DeviceId, GatewayId, KeyDigest, Revision},
    machines::{
        Asset, CustomerMachine, Device, Hosts, Link, Mode, Ports, Proto, Target, Tunnel,
        TunnelConfig, TunnelKind,
    },
    secret::SecretText,
    tenancy::{Assignment, Person, Role, Scope, Tenant, TenantRole},
};

impl Store {
    /// Rows from outside, for the tests of other rooms.
    pub(crate) async fn plant(&self, sql: String) {
        let mut conn = self.0.writer.acquire().await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut *conn).await.unwrap();
    }
}

/// Devices that are away.
#[derive(Debug, Default)]
struct Away(Mutex<BTreeSet<DeviceId>>);

impl PresenceOf for Away {
    fn presence(&self, device: &DeviceId) -> Presence {
        if self.0.lock().unwrap().contains(device) { Presence::Offline } else { Presence::Online }
    }
}

/// A seeded store: an operator with a press, its provider, one person a role.
struct Desk {
    dir: TempDir,
    store: Store,
    away: Arc<Away>,
}

impl Desk {
    async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    async fn with(limits: Limits) -> Self {
        let dir = TempDir::new().unwrap();
        let away = Arc::new(Away::default());
        let path = dir.path().join("caseway.db");
        let store = Store::open(&path, away.clone(), limits).await.unwrap();
        store.seed(&seed(), &gateway(), Now::read()).await.unwrap();
        Self { dir, store, away }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("caseway.db")
    }

    /// What is on disk at this moment, as after a power cut, opened elsewhere.
    async fn after_a_crash(&self) -> Self {
        let dir = TempDir::new().unwrap();
        for name in ["caseway.db", "caseway.db-wal"] {
            std::fs::copy(self.dir.path().join(name), dir.path().join(name)).unwrap();
        }
        let away = Arc::new(Away::default());
        let path = dir.path().join("caseway.db");
        let store = Store::open(&path, away.clone(), Limits::default()).await.unwrap();
        Self { dir, store, away }
    }

    /// Statements from outside, past every check of ours.
    async fn tamper(&self, sql: &'static str) -> Result<u64, sqlx::Error> {
        let mut conn = self.store.0.writer.acquire().await.unwrap();
        sqlx::query("PRAGMA foreign_keys = OFF").execute(&mut *conn).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut *conn).await.map(|done| done.rows_affected())
    }

    /// Somebody new, with one role that covers everything.
    async fn hire(&self, who: &str, tenant: &str, role: &str) {
        let sql = format!(
            "INSERT INTO people (id, tenant, email, name, active) \
             VALUES ('{who}', '{tenant}', '{who}@{tenant}.example', '{who}', 1); \
             INSERT INTO assignments (id, person, role, scope) \
             VALUES ('{who}-role', '{who}', '{role}', 'whole')"
        );
        self.store.plant(sql).await;
    }

    async fn all_records(&self) -> Vec<Row> {
        let page = Page { after: None, rows: PAGE_ROWS_MAX };
        self.store.records(&RecordFilter::default(), &page).await.unwrap().items
    }

    async fn last_record(&self) -> Row {
        self.all_records().await.pop().unwrap()
    }

    async fn switch(&self, who: &str, case: &str, on: bool) -> Result<Switched, WriteError> {
        let ask = SwitchAsk { on, until: None, reason: Some("look at the valve".into()) };
        self.store.switch_case(&by(who), &case.parse().unwrap(), &ask, Now::read()).await
    }
}

fn gateway() -> GatewayId {
    "gw-1".parse().unwrap()
}

fn by(who: &str) -> By {
    By { person: who.parse().unwrap(), source_ip: Some("192.0.2.7".parse().unwrap()) }
}

fn refusal<T: std::fmt::Debug>(result: Result<T, WriteError>) -> &'static str {
    match result {
        Err(WriteError::Denied(denial)) => denial.reason.code(),
        other => panic!("not refused: {other:?}"),
    }
}

const PEOPLE: [(&str, &str, Role); 9] = [
    ("tessa", "op", Role::TenantAdmin),
    ("milo", "op", Role::MachineOperator),
    ("wanda", "op", Role::WorkshopManager),
    ("emil", "op", Role::MaintenanceEngineer),
    ("theo", "sp", Role::TenantAdmin),
    ("lara", "sp", Role::FirstLevelSupport),
    ("stella", "sp", Role::ServiceTechnician),
    ("clara", "sp", Role::CustomerDataManager),
    ("marc", "sp", Role::MasterDataManager),
];

fn seed() -> Seed {
    let tenant = |id: &str, roles: &[TenantRole]| Tenant {
        id: id.parse().unwrap(),
        name: id.to_uppercase(),
        active: true,
        roles: roles.iter().copied().collect(),
    };
    let mut seed = Seed {
        tenants: vec![
            tenant(
                "op",
                &[TenantRole::Basic, TenantRole::Operator, TenantRole::OperatorInternalService],
            ),
            tenant("sp", &[TenantRole::Basic, TenantRole::ServiceProvider]),
        ],
        ..Seed::default()
    };
    for (id, tenant, role) in PEOPLE {
        let person = Person {
            id: id.parse().unwrap(),
            tenant: tenant.parse().unwrap(),
            email: format!("{id}@{tenant}.example"),
            name: id.to_owned(),
            active: true,
        };
        let password_hash = Some(SecretText::new("$argon2id$...".into()));
        seed.people.push(SeedPerson { person, password_hash });
        seed.assignments.push(Assignment {
            id: format!("{id}-role").parse().unwrap(),
            person: id.parse().unwrap(),
            role,
            scope: Scope::Whole,
        });
    }
    machines(&mut seed);
    seed
}

fn machines(seed: &mut Seed) {
    let device = |id: &str, owner: &str, key: Option<KeyDigest>| Device {
        id: id.parse().unwrap(),
        owner: owner.parse().unwrap(),
        name: id.to_owned(),
        key,
        active: true,
    };
    seed.devices = vec![
        device("edge-1", "op", Some(KeyDigest([1; 32]))),
        device("edge-2", "op", None),
        device("edge-9", "sp", None),
    ];
    seed.assets = ["press-7", "mixer-2"]
        .map(|id| Asset {
            id: id.parse().unwrap(),
            operator: "op".parse().unwrap(),
            name: id.to_owned(),
            serial: format!("SN-{id}"),
            facility: Some("hall-1".parse().unwrap()),
            active: true,
            switch: Switch::default(),
            device: Some("edge-1".parse().unwrap()),
        })
        .into();
    seed.machines = vec![CustomerMachine {
        id: "machine-7".parse().unwrap(),
        provider: "sp".parse().unwrap(),
        customer: "op-ag".parse().unwrap(),
        serial: "SN-press-7".into(),
        link: Link::Linked { asset: "press-7".parse().unwrap() },
    }];
    seed.tunnels = vec![Tunnel {
        id: "press-7-plc".parse().unwrap(),
        asset: "press-7".parse().unwrap(),
        name: "plc".parse().unwrap(),
        kind: TunnelKind::Ssc,
        mode: Mode::Any,
        targets: vec![target("plc", 502)],
        enabled: true,
    }];
    seed.cases = cases();
}

fn target(name: &str, port: u16) -> Target {
    Target {
        name: name.parse().unwrap(),
        proto: Proto::Tcp,
        hosts: Hosts::Ip("10.0.0.5".parse().unwrap()),
        ports: Ports { first: port, last: port },
    }
}

fn cases() -> Vec<Case> {
    let case = |id: &str, who: &str, kind: Kind| Case {
        id: id.parse().unwrap(),
        title: format!("title of {id}"),
        kind,
        state: State::New,
        created_by: who.parse().unwrap(),
        assignee: None,
        created_at: Wall(1_777_622_400_000),
        closed_at: None,
    };
    let (operator, provider) = ("op".parse().unwrap(), "sp".parse().unwrap());
    let shared = Kind::Shared {
        operator,
        provider,
        asset: "press-7".parse().unwrap(),
        switch: Switch::default(),
    };
    let internal = Kind::OperatorInternal {
        operator: "op".parse().unwrap(),
        asset: "mixer-2".parse().unwrap(),
        switch: Switch::default(),
    };
    let provider = Kind::ProviderInternal {
        provider: "sp".parse().unwrap(),
        machine: "machine-7".parse().unwrap(),
    };
    vec![
        case("CASE-1", "milo", shared),
        case("CASE-2", "emil", internal),
        case("CASE-3", "stella", provider),
    ]
}
