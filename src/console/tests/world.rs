//! Two linked companies, a stranger, and a way to ask as any of them.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::Body,
    http::{Method, Request, StatusCode, header, request::Builder},
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{
    broker::{self, Broker},
    cases::{Case, Kind, State, Switch},
    clock::Now,
    console::{delays::Delays, desk::Desk, door::Remote, hash_password, passwords, routes},
    ids::{KeyDigest, PersonId},
    machines::{
        Asset, CustomerMachine, Device, Facility, Hosts, Link, Mode, Model, Ports, Proto, Target,
        Template, Tunnel, TunnelConfig, TunnelKind,
    },
    registry::Registry,
    secret::{Secret, SecretText},
    store::{Limits, Seed, SeedPerson, Store},
    tasks::Scope,
    tenancy::{Assignment, Person, Role, Scope as Covers, Tenant, TenantRole},
    tls::Ca,
    token::BearerToken,
    warrant::WarrantKey,
};

pub(super) const PASSWORD: &str = "correct horse";

/// Id, tenant, roles.
const PEOPLE: &[(&str, &str, &[Role])] = &[
    ("tina", "op", &[Role::TenantAdmin]),
    ("wanda", "op", &[Role::WorkshopManager]),
    ("emil", "op", &[Role::MaintenanceEngineer]),
    ("milo", "op", &[Role::MachineOperator]),
    ("dora", "op", &[Role::DataAnalyst, Role::MachineOperator]),
    ("nils", "op", &[]),
    ("carla", "sp", &[Role::CustomerDataManager]),
    ("nina", "sp", &[]),
    ("stan", "sp", &[Role::ServiceTechnician]),
    ("marc", "sp", &[Role::MasterDataManager]),
    ("clara", "sp", &[Role::CustomerDataManager]),
    ("stig", "sp", &[Role::ServiceTechnician]),
    (
        "eve",
        "other",
        &[
            Role::TenantAdmin,
            Role::DataAnalyst,
            Role::MachineOperator,
            Role::WorkshopManager,
            Role::MaintenanceEngineer,
            Role::InternalServiceCases,
            Role::FirstLevelSupport,
            Role::ServiceTechnician,
            Role::MasterDataManager,
            Role::CustomerDataManager,
        ],
    ),
];

/// A console with what it stands on, in a directory of its own.
pub(super) struct World {
    pub(super) store: Store,
    pub(super) registry: Registry,
    router: Router,
    _dir: tempfile::TempDir,
    _scope: Scope,
}

/// An answer, read whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) json: Value,
    pub(super) text: String,
    pub(super) headers: axum::http::HeaderMap,
}

impl World {
    pub(super) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::default();
        let limits = Limits { free_bytes_min: 0, ..Limits::default() };
        let path = dir.path().join("caseway.db");
        let store = Store::open(&path, Arc::new(registry.clone()), limits).await.unwrap();
        store.seed(&seed(), &"gateway-1".parse().unwrap(), Now::read()).await.unwrap();
        let scope = Scope::new("world");
        let key = Arc::new(WarrantKey::from_seed(&Secret::new([7; 32])).unwrap());
        let broker = Broker::start(
            broker::Options::default(),
            store.clone(),
            registry.clone(),
            key,
            "gateway-1".parse().unwrap(),
            &scope,
        );
        let desk = Desk {
            store: store.clone(),
            broker,
            ca: Arc::new(Ca::fresh("test", Now::read().wall).unwrap()),
            passwords: passwords::Passwords::new().unwrap(),
            delays: Arc::new(Delays::default()),
        };
        Self { store, registry, router: routes::router(desk), _dir: dir, _scope: scope }
    }

    /// A bearer token of this person.
    pub(super) async fn bearer(&self, person: &str) -> String {
        let bearer = BearerToken::fresh().unwrap();
        let until = Now::read().wall.plus(std::time::Duration::from_secs(3_600));
        let person: PersonId = person.parse().unwrap();
        self.store.add_bearer(&bearer.digest(), &person, until).await.unwrap();
        bearer.text().expose().to_owned()
    }

    /// Asks as `person` (nobody, if none); a null body is none.
    pub(super) async fn ask(
        &self,
        person: Option<&str>,
        method: Method,
        path: &str,
        body: Value,
    ) -> Answer {
        let bearer = match person {
            Some(person) => Some(self.bearer(person).await),
            None => None,
        };
        self.ask_with(bearer.as_deref(), method, path, body).await
    }

    pub(super) async fn ask_with(
        &self,
        bearer: Option<&str>,
        method: Method,
        path: &str,
        body: Value,
    ) -> Answer {
        self.send(bearer, Request::builder().method(method).uri(path), body).await
    }

    /// As [`Self::ask`], with headers.
    pub(super) async fn ask_tagged(
        &self,
        person: &str,
        method: Method,
        path: &str,
        body: Value,
        headers: &[(&str, &str)],
    ) -> Answer {
        let bearer = self.bearer(person).await;
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(Some(&bearer), request, body).await
    }

    async fn send(&self, bearer: Option<&str>, mut request: Builder, body: Value) -> Answer {
        if let Some(bearer) = bearer {
            request = request.header(header::AUTHORIZATION, format!("Bearer {bearer}"));
        }
        let remote: SocketAddr = "192.0.2.7:4711".parse().unwrap();
        let body = match &body {
            Value::Null => Body::empty(),
            Value::String(table) => {
                request = request.header(header::CONTENT_TYPE, "text/csv");
                Body::from(table.clone())
            }
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                Body::from(body.to_string())
            }
        };
        let request = request.extension(Remote(remote)).body(body).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status: head.status, json, text, headers: head.headers }
    }

    /// As [`Self::ask`], and it must be done.
    pub(super) async fn done(
        &self,
        person: &str,
        method: Method,
        path: &str,
        body: Value,
    ) -> Value {
        let shown = format!("{person} {method} {path} {body}");
        let answer = self.ask(Some(person), method, path, body).await;
        assert!(answer.status.is_success(), "{shown}: {} {}", answer.status, answer.text);
        answer.json
    }

    pub(super) async fn switch_on(&self, case: &str) {
        let path = format!("/api/v1/cases/{case}/remote-access");
        self.done("wanda", Method::PUT, &path, json!({ "on": true })).await;
    }
}

fn seed() -> Seed {
    let hash = SecretText::new(hash_password(&SecretText::new(PASSWORD.into())).unwrap());
    let mut seed = Seed { tenants: tenants(), ..Seed::default() };
    for (id, tenant, roles) in PEOPLE {
        let person = Person {
            id: id.parse().unwrap(),
            tenant: tenant.parse().unwrap(),
            email: format!("{id}@{tenant}.example"),
            name: format!("{id} of {tenant}"),
            active: true,
        };
        seed.people.push(SeedPerson { person, password_hash: Some(hash.clone()) });
        for (n, role) in roles.iter().enumerate() {
            seed.assignments.push(Assignment {
                id: format!("{id}-{n}").parse().unwrap(),
                person: id.parse().unwrap(),
                role: *role,
                scope: Covers::Whole,
            });
        }
    }
    seed.devices = vec![Device {
        id: "edge-7".parse().unwrap(),
        owner: "op".parse().unwrap(),
        name: "Edge 7".into(),
        key: Some(KeyDigest([7; 32])),
        active: true,
    }];
    seed.assets = vec![Asset {
        id: "press-7".parse().unwrap(),
        operator: "op".parse().unwrap(),
        name: "Press 7".into(),
        serial: "P-0007".into(),
        facility: None,
        active: true,
        switch: Switch::default(),
        device: Some("edge-7".parse().unwrap()),
    }];
    seed.machines = vec![CustomerMachine {
        id: "machine-7".parse().unwrap(),
        provider: "sp".parse().unwrap(),
        customer: "op".parse().unwrap(),
        serial: "P-0007".into(),
        link: Link::Linked { asset: "press-7".parse().unwrap() },
    }];
    seed.tunnels = vec![Tunnel {
        id: "press-7-plc".parse().unwrap(),
        asset: "press-7".parse().unwrap(),
        name: "plc".parse().unwrap(),
        kind: TunnelKind::Ssc,
        mode: Mode::Any,
        targets: vec![Target {
            name: "plc".parse().unwrap(),
            proto: Proto::Tcp,
            hosts: Hosts::Ip("127.0.0.1".parse().unwrap()),
            ports: Ports { first: 502, last: 502 },
        }],
        enabled: true,
    }];
    seed.facilities = vec![Facility {
        id: "hall-2".parse().unwrap(),
        operator: "op".parse().unwrap(),
        name: "Hall 2".into(),
    }];
    models(&mut seed);
    seed.cases = cases();
    seed
}

/// Two models of the provider's, and a template of the first.
fn models(seed: &mut Seed) {
    seed.models = ["p-700", "p-800"]
        .map(|id| Model {
            id: id.parse().unwrap(),
            provider: "sp".parse().unwrap(),
            name: id.to_uppercase(),
            brand: None,
            technology: None,
        })
        .into();
    let config = TunnelConfig::from(&seed.tunnels[0]);
    seed.templates = vec![Template {
        id: "p-700-cam".parse().unwrap(),
        model: "p-700".parse().unwrap(),
        config: TunnelConfig { name: "cam".parse().unwrap(), ..config },
    }];
}

fn tenants() -> Vec<Tenant> {
    use TenantRole::{Basic, Operator, OperatorInternalService, ServiceProvider};
    let tenant = |id: &str, roles: &[TenantRole]| Tenant {
        id: id.parse().unwrap(),
        name: format!("Company {id}"),
        active: true,
        roles: roles.iter().copied().collect(),
    };
    vec![
        tenant("op", &[Basic, Operator, OperatorInternalService]),
        tenant("sp", &[Basic, ServiceProvider]),
        tenant("other", &[Basic, Operator, OperatorInternalService, ServiceProvider]),
    ]
}

fn cases() -> Vec<Case> {
    let (operator, provider) = ("op".parse().unwrap(), "sp".parse().unwrap());
    let asset = || "press-7".parse().unwrap();
    let kinds = [
        (
            "CASE-1",
            "milo",
            Kind::Shared { operator, provider, asset: asset(), switch: Switch::default() },
        ),
        (
            "CASE-2",
            "emil",
            Kind::OperatorInternal {
                operator: "op".parse().unwrap(),
                asset: asset(),
                switch: Switch::default(),
            },
        ),
        (
            "CASE-3",
            "stan",
            Kind::ProviderInternal {
                provider: "sp".parse().unwrap(),
                machine: "machine-7".parse().unwrap(),
            },
        ),
    ];
    kinds
        .into_iter()
        .map(|(id, by, kind)| Case {
            id: id.parse().unwrap(),
            title: format!("Title of {id}"),
            kind,
            state: State::New,
            created_by: by.parse().unwrap(),
            assignee: None,
            created_at: Now::read().wall,
            closed_at: None,
        })
        .collect()
}
