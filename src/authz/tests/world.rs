//! The setting of domain.md B.6: asset A1 in facility F1 of the operator OP (with internal service),
//! linked with the provider SP as a machine of customer C1, an edge device online, one config.

use crate::{
    authz::{
        Action, Assignee, Decision, Denial, DeviceFacts, Door, Facts, Presence, Reason, Request,
        Via, Want, decide,
    },
    cases::{Case, CaseType, Kind, State, Switch},
    clock::Wall,
    ids::Revision,
    machines::{
        Asset, CustomerMachine, Device, Hosts, Link, Mode, Ports, Proto, Target, Tunnel, TunnelKind,
    },
    tenancy::{
        Assignment, Customer, IndividualRole, Permission, Person, Role, Scope, Side, Tenant,
        TenantRole,
    },
};

/// The moment at which everything is asked.
pub(super) const NOW: Wall = Wall(1_777_622_400_000);

pub(super) const ON: Switch = Switch { on: true, until: None };
pub(super) const OFF: Switch = Switch { on: false, until: None };
pub(super) const EXPIRED: Switch = Switch { on: true, until: Some(NOW) };

/// Facts, changed one sentence at a time, and questions about them.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) facts: Facts,
}

pub(super) fn id<T: std::str::FromStr<Err = crate::ids::InvalidId>>(text: &str) -> T {
    text.parse().unwrap()
}

pub(super) fn tenant(name: &str, roles: &[TenantRole]) -> Tenant {
    let roles = roles.iter().copied().chain([TenantRole::Basic]).collect();
    Tenant { id: id(name), name: name.to_uppercase(), active: true, roles }
}

pub(super) fn person(name: &str, tenant: &str) -> Person {
    Person {
        id: id(name),
        tenant: id(tenant),
        email: format!("{name}@{tenant}.example"),
        name: name.to_owned(),
        active: true,
    }
}

pub(super) fn facilities(names: &[&str]) -> Scope {
    Scope::Facilities(names.iter().map(|name| id(name)).collect())
}

pub(super) fn customers(names: &[&str]) -> Scope {
    Scope::Customers(names.iter().map(|name| id(name)).collect())
}

pub(super) fn organisations(names: &[&str]) -> Scope {
    Scope::ServiceOrganisations(names.iter().map(|name| id(name)).collect())
}

impl World {
    /// A case of this type, in progress, its switch on; nobody asks yet.
    pub(super) fn of(case: CaseType) -> Self {
        let (operator, provider, asset) = (id("op"), id("sp"), id("a1"));
        let kind = match case {
            CaseType::Shared => Kind::Shared { operator, provider, asset, switch: ON },
            CaseType::OperatorInternal => Kind::OperatorInternal { operator, asset, switch: ON },
            CaseType::ProviderInternal => Kind::ProviderInternal { provider, machine: id("m1") },
        };
        let case = Case {
            id: id("case-1"),
            title: "Spindle stops".to_owned(),
            kind,
            state: State::InProgress,
            created_by: id("somebody"),
            assignee: None,
            created_at: NOW,
            closed_at: None,
        };
        Self { facts: Facts { case: Some(case), ..facts() } }
    }

    pub(super) fn shared() -> Self {
        Self::of(CaseType::Shared)
    }

    pub(super) fn operator_internal() -> Self {
        Self::of(CaseType::OperatorInternal)
    }

    pub(super) fn provider_internal() -> Self {
        Self::of(CaseType::ProviderInternal)
    }

    /// Asset A1 with its own switch on, and no case.
    pub(super) fn asset_level() -> Self {
        let mut world = Self { facts: facts() };
        world.asset().switch = ON;
        world
    }

    pub(super) fn with(mut self, change: impl FnOnce(&mut Facts)) -> Self {
        change(&mut self.facts);
        self
    }

    pub(super) fn asset(&mut self) -> &mut Asset {
        self.facts.asset.as_mut().unwrap()
    }

    pub(super) fn case(&mut self) -> &mut Case {
        self.facts.case.as_mut().unwrap()
    }

    /// Sets the case's switch, where there is one.
    pub(super) fn case_switch(mut self, to: Switch) -> Self {
        match &mut self.case().kind {
            Kind::Shared { switch, .. } | Kind::OperatorInternal { switch, .. } => *switch = to,
            Kind::ProviderInternal { .. } => {}
        }
        self
    }

    pub(super) fn asset_switch(mut self, to: Switch) -> Self {
        self.asset().switch = to;
        self
    }

    pub(super) fn state(mut self, to: State) -> Self {
        self.case().state = to;
        self
    }

    pub(super) fn link(mut self, to: Link) -> Self {
        self.facts.machine.as_mut().unwrap().link = to;
        self
    }

    pub(super) fn device(mut self, presence: Presence) -> Self {
        self.facts.device.as_mut().unwrap().presence = presence;
        self
    }

    /// Anna asks: a person of the role's own side's company, with this role for everything.
    pub(super) fn by(self, role: Role) -> Self {
        let home = match role.side() {
            Some(Side::Operator) => "op",
            Some(Side::Provider) => "sp",
            None => self
                .facts
                .case
                .as_ref()
                .map_or("op", |case| if case.operator().is_some() { "op" } else { "sp" }),
        };
        self.from(home).and(role, Scope::Whole)
    }

    /// Anna asks: a person of this company, without any role yet.
    pub(super) fn from(mut self, home: &str) -> Self {
        self.facts.person = Some(person("anna", home));
        self.facts.assignments.clear();
        self.facts.individual.clear();
        self.facts.tenant = Some(match home {
            "op" => self.facts.operator.clone().unwrap(),
            "sp" => self.facts.provider.clone().unwrap(),
            other => tenant(
                other,
                &[
                    TenantRole::Operator,
                    TenantRole::OperatorInternalService,
                    TenantRole::ServiceProvider,
                ],
            ),
        });
        self
    }

    /// Gives Anna one more role.
    pub(super) fn and(mut self, role: Role, scope: Scope) -> Self {
        let number = self.facts.assignments.len();
        let given = Assignment { id: id(&format!("as-{number}")), person: id("anna"), role, scope };
        self.facts.assignments.push(given);
        self
    }

    /// Gives Anna a role that `maker` made for itself.
    pub(super) fn individually(mut self, maker: &str, gives: &[Permission], scope: Scope) -> Self {
        let role = IndividualRole {
            id: id("own"),
            tenant: id(maker),
            name: "Own".to_owned(),
            gives: gives.iter().copied().collect(),
        };
        self.facts.individual.push(Assignment { id: id("own-0"), person: id("anna"), role, scope });
        self
    }

    /// Bert is to be assigned: a person of `home` with these roles.
    pub(super) fn assignee(mut self, home: &str, roles: &[Role]) -> Self {
        self.facts.assignee = Some(Assignee {
            person: person("bert", home),
            roles: roles.to_vec(),
            individual: Vec::new(),
        });
        self
    }

    pub(super) fn request(action: Action) -> Request {
        Request { who: id("anna"), action, at: NOW }
    }

    pub(super) fn ask(&self, action: Action) -> Result<(), Denial> {
        match decide(Self::request(action), &self.facts) {
            Decision::Allow(_) => Ok(()),
            Decision::Deny(denial) => Err(denial),
        }
    }

    pub(super) fn via_case(door: Door, want: Want) -> Action {
        Action::UseTunnel { tunnel: id("t1"), via: Via::Case(id("case-1")), door, want }
    }

    pub(super) fn via_asset() -> Action {
        let via = Via::Asset(id("a1"));
        Action::UseTunnel { tunnel: id("t1"), via, door: Door::Native, want: Want::Control }
    }

    /// Starts the tunnel from the case.
    pub(super) fn start(&self) -> Result<(), Reason> {
        self.reason(Self::via_case(Door::Native, Want::Control))
    }

    /// Starts the tunnel under the asset's own switch.
    pub(super) fn start_asset(&self) -> Result<(), Reason> {
        self.reason(Self::via_asset())
    }

    pub(super) fn switch_on(&self) -> Result<(), Reason> {
        self.reason(Action::SwitchCase { case: id("case-1"), on: true })
    }

    pub(super) fn switch_off(&self) -> Result<(), Reason> {
        self.reason(Action::SwitchCase { case: id("case-1"), on: false })
    }

    /// The true reason of a refusal.
    pub(super) fn reason(&self, action: Action) -> Result<(), Reason> {
        self.ask(action).map_err(|denial| denial.reason)
    }

    /// What the asker is told.
    pub(super) fn told(&self, action: Action) -> Result<(), Reason> {
        self.ask(action).map_err(Denial::told)
    }
}

fn facts() -> Facts {
    let operator = tenant("op", &[TenantRole::Operator, TenantRole::OperatorInternalService]);
    Facts {
        revision: Revision(7),
        asset: Some(Asset {
            id: id("a1"),
            operator: id("op"),
            name: "Press 7".to_owned(),
            serial: "P7-0001".to_owned(),
            facility: Some(id("f1")),
            active: true,
            switch: OFF,
            device: Some(id("d1")),
        }),
        operator: Some(operator),
        machine: Some(CustomerMachine {
            id: id("m1"),
            provider: id("sp"),
            customer: id("c1"),
            serial: "P7-0001".to_owned(),
            link: Link::Linked { asset: id("a1") },
        }),
        customer: Some(Customer {
            id: id("c1"),
            provider: id("sp"),
            organisation: id("north"),
            name: "OP".to_owned(),
            tenant: Some(id("op")),
        }),
        provider: Some(tenant("sp", &[TenantRole::ServiceProvider])),
        tunnel: Some(Tunnel {
            id: id("t1"),
            asset: id("a1"),
            name: id("plc"),
            kind: TunnelKind::Ssc,
            mode: Mode::Any,
            targets: vec![Target {
                name: id("plc"),
                proto: Proto::Tcp,
                hosts: Hosts::Ip([10, 0, 0, 7].into()),
                ports: Ports { first: 502, last: 502 },
            }],
            enabled: true,
        }),
        device: Some(DeviceFacts {
            device: Device {
                id: id("d1"),
                owner: id("op"),
                name: "Edge 1".to_owned(),
                key: None,
                active: true,
            },
            presence: Presence::Online,
        }),
        ..Facts::default()
    }
}
