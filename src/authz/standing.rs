//! How the asker stands to the object: on which side, with which permissions, and whether those
//! cover it.
//!
//! The side comes from the relation of the asker's *tenant* to the object (domain.md B.1), so that
//! in a tenant that both runs and builds machines nobody takes a right of one side to the other.
//! A tenant that is both parties of one case stands on the operator's side.

use super::{
    Action, DeviceFacts, Facts, Reason, Request, Via,
    matrix::{BY_ANY_SCOPE, by_type, ceiling, given_by, read, works_in},
};
use crate::{
    cases::{Case, CaseType, Kind},
    ids::{AssetId, CaseId, CustomerId, MachineId, ServiceOrganisationId, TenantId},
    machines::{Asset, CustomerMachine, Link},
    tenancy::{
        Customer, IndividualRole, Permission, Permissions, Person, Role, RoleRef, Scope, Side,
        Tenant,
    },
};

/// The asker, the object, and what lies between them.
#[derive(Debug)]
pub(super) struct Standing<'a> {
    pub(super) person: &'a Person,
    pub(super) tenant: &'a Tenant,
    pub(super) object: Object<'a>,
    pub(super) relation: Option<Relation>,
    /// The machine in question as its operator sees it, if it is still that operator's.
    pub(super) asset: Option<&'a Asset>,
    /// Whether the asset can be used at all: active, and so is its operator.
    pub(super) asset_active: bool,
    /// Whether the operator and the provider in question have agreed about this machine.
    pub(super) linked: bool,
    /// What the action asks for.
    pub(super) needs: Permission,
    /// What the asker's roles give on their side.
    pub(super) held: Permissions,
    /// The part of `held` whose own assignment covers the object.
    pub(super) covered: Permissions,
    /// A role that gives `needs` and covers the object.
    pub(super) role: Option<RoleRef>,
    /// Whether a group, a case role or visibility opens what is asked for, beside roles.
    pub(super) widened: bool,
    /// Whether they let the asker read the object.
    seen: bool,
}

/// What a request is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Object<'a> {
    Case(&'a Case),
    Asset(&'a Asset),
    Machine(&'a CustomerMachine),
    Customer(&'a Customer),
    /// The asker's own tenant.
    Tenant(&'a Tenant),
}

/// What a tenant is to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Operator,
    Provider,
    /// The object is the tenant itself.
    Own,
}

impl Relation {
    /// The side that it puts people on.
    pub(super) fn side(self) -> Option<Side> {
        match self {
            Self::Operator => Some(Side::Operator),
            Self::Provider => Some(Side::Provider),
            Self::Own => None,
        }
    }

    /// Whether `role` counts in this relation. The roles without a side count in each.
    pub(super) fn admits(self, role: Role) -> bool {
        self == Self::Own || role.side().is_none() || role.side() == self.side()
    }
}

impl<'a> Standing<'a> {
    /// Reads it out of the facts. Rows that are not those the request names are as good as none.
    ///
    /// # Errors
    ///
    /// The reason to give where there is nobody to weigh, or nothing.
    pub(super) fn of(request: &Request, facts: &'a Facts) -> Result<Self, Reason> {
        let person = facts.person.as_ref().filter(|row| row.id == request.who);
        let person = person.ok_or(Reason::Unauthenticated)?;
        let tenant = facts.tenant.as_ref().filter(|row| row.id == person.tenant);
        let tenant = tenant.ok_or(Reason::Unauthenticated)?;
        let gone = if person.active && tenant.active { Reason::NotFound } else { Reason::Disabled };
        let (object, relation) = find(&request.action, facts, tenant).ok_or(gone)?;
        let asset = asset_of(object, facts);
        let linked = linked(object, asset, facts);
        let mut standing = Self {
            person,
            tenant,
            object,
            relation,
            asset,
            asset_active: asset.is_some_and(|row| row.active && in_use(&row.operator, facts)),
            linked,
            needs: needs(&request.action, object),
            held: Permissions::default(),
            covered: Permissions::default(),
            role: None,
            widened: relation.is_some() && widens(&request.action, facts, person),
            seen: relation.is_some() && facts.widened.read,
        };
        for row in facts.assignments.iter().filter(|row| row.person == person.id) {
            let given = standing.gives(row.role, facts);
            standing.weigh(given, &row.scope, || row.role.into(), facts);
        }
        for row in facts.individual.iter().filter(|row| row.person == person.id) {
            let given = standing.gives_individually(&row.role);
            standing.weigh(given, &row.scope, || RoleRef::Individual(row.role.id.clone()), facts);
        }
        Ok(standing)
    }

    /// What `role` gives the asker in this relation.
    fn gives(&self, role: Role, facts: &Facts) -> Permissions {
        let admitted = self.relation.is_some_and(|relation| relation.admits(role));
        if admitted && works_in(role, self.tenant) {
            given_by(role, facts.settings)
        } else {
            Permissions::default()
        }
    }

    /// What a role of the tenant's own gives: never more than its predefined roles could, here.
    fn gives_individually(&self, role: &IndividualRole) -> Permissions {
        match self.relation {
            Some(relation) if role.tenant == self.tenant.id => {
                role.gives.within(ceiling(self.tenant, |one| relation.admits(one)))
            }
            Some(_) | None => Permissions::default(),
        }
    }

    /// Adds what one assignment gives. What it gives counts as covered only by its own scope.
    fn weigh(
        &mut self,
        given: Permissions,
        scope: &Scope,
        role: impl Fn() -> RoleRef,
        facts: &Facts,
    ) {
        self.held = self.held.with(given);
        let covered = match self.relation {
            _ if self.covers(scope, facts) => given,
            Some(Relation::Own) => given.within(*BY_ANY_SCOPE),
            Some(Relation::Operator | Relation::Provider) | None => Permissions::default(),
        };
        self.covered = self.covered.with(covered);
        if covered.contains(self.needs) {
            let role = role();
            self.role = Some(self.role.take().map_or(role.clone(), |other| other.min(role)));
        }
    }

    fn covers(&self, scope: &Scope, facts: &Facts) -> bool {
        match self.relation {
            None => false,
            // Nothing smaller than the tenant reaches all of the tenant: people and devices belong
            // to no facility and no customer.
            Some(Relation::Own) => *scope == Scope::Whole,
            Some(Relation::Operator) => {
                scope.covers_facility(self.asset.and_then(|row| row.facility.as_ref()))
            }
            Some(Relation::Provider) => {
                let (customer, organisation) = self.customer(facts);
                scope.covers_customer(customer, organisation)
            }
        }
    }

    /// Whether the asker may read the object, and so may be told why something else is refused.
    pub(super) fn visible(&self) -> bool {
        match self.object {
            Object::Tenant(_) => true,
            Object::Asset(_) => self.covered.contains(Permission::ReadAsset),
            Object::Machine(_) | Object::Customer(_) => {
                self.covered.contains(Permission::ReadMachines)
            }
            Object::Case(case) => {
                let cut_off = case.case_type() == CaseType::Shared
                    && self.relation == Some(Relation::Provider)
                    && !self.linked;
                !cut_off && (self.seen || self.covered.contains(read(case.case_type())))
            }
        }
    }

    /// The customer in question and the service organisation that they belong to, as the provider
    /// keeps them.
    fn customer<'b>(
        &self,
        facts: &'b Facts,
    ) -> (Option<&'b CustomerId>, Option<&'b ServiceOrganisationId>) {
        let row = facts.customer.as_ref().filter(|row| row.provider == self.tenant.id);
        if let Object::Customer(_) = self.object {
            return (row.map(|row| &row.id), row.map(|row| &row.organisation));
        }
        let customer = self.machine(facts).map(|machine| &machine.customer);
        let row = row.filter(|row| Some(&row.id) == customer);
        (customer, row.map(|row| &row.organisation))
    }

    /// The edge device that is paired with the machine in question, and let in.
    pub(super) fn paired<'b>(&self, facts: &'b Facts) -> Option<&'b DeviceFacts> {
        let paired = self.asset?.device.as_ref()?;
        facts.device.as_ref().filter(|row| row.device.id == *paired && row.device.active)
    }

    /// The machine in question as its provider sees it.
    fn machine<'b>(&self, facts: &'b Facts) -> Option<&'b CustomerMachine> {
        facts.machine.as_ref().filter(|row| match self.object {
            Object::Case(case) => match &case.kind {
                Kind::ProviderInternal { machine, .. } => row.id == *machine,
                Kind::Shared { .. } | Kind::OperatorInternal { .. } => self.linked,
            },
            Object::Asset(_) => self.linked,
            Object::Machine(machine) => row.id == machine.id,
            Object::Customer(_) | Object::Tenant(_) => false,
        })
    }
}

/// Whether the facts widen this very action; they can widen three.
fn widens(action: &Action, facts: &Facts, person: &Person) -> bool {
    match action {
        Action::ReadCase(_) => facts.widened.read,
        // A Data Analyst reads by API alone and writes nowhere (CON-23), whatever else they are.
        Action::Chat(_) => facts.widened.comment && !is_analyst_only(facts, person),
        Action::ReadAudit(_) => facts.widened.history,
        Action::CreateCase(_)
        | Action::ChangeState(_)
        | Action::Assign(_)
        | Action::Unassign(_)
        | Action::EditCase(_)
        | Action::RequestAccess(_)
        | Action::SwitchCase { .. }
        | Action::SwitchAsset { .. }
        | Action::UseTunnel { .. }
        | Action::ReadTunnels(_)
        | Action::EndSession(_)
        | Action::EndOwnSession(_)
        | Action::ReadAsset(_)
        | Action::EditTunnels(_)
        | Action::ConfirmTunnel(_)
        | Action::EditAsset(_)
        | Action::PairDevice(_)
        | Action::Decommission(_)
        | Action::AnswerProposal(_)
        | Action::ReadMachine(_)
        | Action::ManageMachine(_)
        | Action::ReadCustomer(_)
        | Action::ManageCustomer(_)
        | Action::ProposeMachine(_)
        | Action::Own(_) => false,
    }
}

/// Whether the only role the person has is that of Data Analyst.
fn is_analyst_only(facts: &Facts, person: &Person) -> bool {
    let mut held = facts.assignments.iter().filter(|row| row.person == person.id).peekable();
    let individual = facts.individual.iter().any(|row| row.person == person.id);
    !individual && held.peek().is_some() && held.all(|row| row.role == Role::DataAnalyst)
}

/// The object that `action` names, and what `tenant` is to it.
fn find<'a>(
    action: &Action,
    facts: &'a Facts,
    tenant: &'a Tenant,
) -> Option<(Object<'a>, Option<Relation>)> {
    match action {
        Action::CreateCase(case) => find_for_new(*case, facts, tenant),
        Action::ReadCase(id)
        | Action::ChangeState(id)
        | Action::Assign(id)
        | Action::Unassign(id)
        | Action::Chat(id)
        | Action::EditCase(id)
        | Action::RequestAccess(id)
        | Action::ReadAudit(id)
        | Action::SwitchCase { case: id, .. } => find_case(id, facts, tenant),
        Action::SwitchAsset { asset: id, .. }
        | Action::ReadTunnels(id)
        | Action::EndSession(id)
        | Action::EndOwnSession(id)
        | Action::ReadAsset(id)
        | Action::EditTunnels(id)
        | Action::ConfirmTunnel(id)
        | Action::EditAsset(id)
        | Action::PairDevice(id)
        | Action::Decommission(id)
        | Action::AnswerProposal(id) => find_asset(id, facts, tenant),
        Action::ReadCustomer(id) | Action::ManageCustomer(id) => {
            let customer = facts.customer.as_ref().filter(|row| row.id == *id)?;
            let own = customer.provider == tenant.id;
            Some((Object::Customer(customer), own.then_some(Relation::Provider)))
        }
        Action::ReadMachine(id) | Action::ManageMachine(id) | Action::ProposeMachine(id) => {
            find_machine(id, facts, tenant)
        }
        Action::UseTunnel { via, .. } => match via {
            Via::Case(id) => find_case(id, facts, tenant),
            Via::Asset(id) => find_asset(id, facts, tenant),
        },
        Action::Own(_) => Some((Object::Tenant(tenant), Some(Relation::Own))),
    }
}

fn find_case<'a>(
    id: &CaseId,
    facts: &'a Facts,
    tenant: &Tenant,
) -> Option<(Object<'a>, Option<Relation>)> {
    let case = facts.case.as_ref().filter(|row| row.id == *id)?;
    let relation = if case.operator() == Some(&tenant.id) {
        Some(Relation::Operator)
    } else if case.provider() == Some(&tenant.id) {
        Some(Relation::Provider)
    } else {
        None
    };
    Some((Object::Case(case), relation))
}

fn find_asset<'a>(
    id: &AssetId,
    facts: &'a Facts,
    tenant: &Tenant,
) -> Option<(Object<'a>, Option<Relation>)> {
    let asset = facts.asset.as_ref().filter(|row| row.id == *id)?;
    let relation = if asset.operator == tenant.id {
        Some(Relation::Operator)
    } else if machine_of(asset, facts).is_some_and(|row| row.provider == tenant.id) {
        Some(Relation::Provider)
    } else {
        None
    };
    Some((Object::Asset(asset), relation))
}

/// A machine as its provider sees it, whether it is linked or not; to others it is not there.
fn find_machine<'a>(
    id: &MachineId,
    facts: &'a Facts,
    tenant: &Tenant,
) -> Option<(Object<'a>, Option<Relation>)> {
    let machine = facts.machine.as_ref().filter(|row| row.id == *id)?;
    let relation = (machine.provider == tenant.id).then_some(Relation::Provider);
    Some((Object::Machine(machine), relation))
}

/// What a new case is to be about: an asset, or for a provider without a link its own machine.
fn find_for_new<'a>(
    case: CaseType,
    facts: &'a Facts,
    tenant: &Tenant,
) -> Option<(Object<'a>, Option<Relation>)> {
    let asset = facts.asset.as_ref().and_then(|row| find_asset(&row.id, facts, tenant));
    let machine = facts.machine.as_ref().filter(|row| row.provider == tenant.id);
    let machine = machine.map(|row| (Object::Machine(row), Some(Relation::Provider)));
    match case {
        CaseType::Shared => asset.filter(|found| found.1.is_some()).or(machine),
        CaseType::OperatorInternal => asset,
        CaseType::ProviderInternal => machine,
    }
}

/// The machine in question as its operator sees it. One that has another operator than its case is
/// no longer that case's machine.
fn asset_of<'a>(object: Object<'a>, facts: &'a Facts) -> Option<&'a Asset> {
    match object {
        Object::Case(case) => facts
            .asset
            .as_ref()
            .filter(|row| Some(&row.id) == case.asset() && Some(&row.operator) == case.operator()),
        Object::Asset(asset) => Some(asset),
        Object::Machine(_) | Object::Customer(_) | Object::Tenant(_) => None,
    }
}

/// The customer machine that is linked with `asset`; a proposal is no link.
fn machine_of<'a>(asset: &Asset, facts: &'a Facts) -> Option<&'a CustomerMachine> {
    facts.machine.as_ref().filter(|row| match &row.link {
        Link::Linked { asset: linked } => *linked == asset.id && in_use(&row.provider, facts),
        Link::Proposed { .. } | Link::New => false,
    })
}

/// Whether the machine in question is linked, and with the provider that the object names.
fn linked(object: Object<'_>, asset: Option<&Asset>, facts: &Facts) -> bool {
    let Some(machine) = asset.and_then(|row| machine_of(row, facts)) else { return false };
    match object {
        Object::Case(case) => case.provider() == Some(&machine.provider),
        Object::Asset(_) => true,
        Object::Machine(_) | Object::Customer(_) | Object::Tenant(_) => false,
    }
}

/// Whether the tenant's row is there and active.
fn in_use(id: &TenantId, facts: &Facts) -> bool {
    let known = [&facts.tenant, &facts.operator, &facts.provider];
    known.into_iter().flatten().any(|tenant| tenant.id == *id && tenant.active)
}

/// The permission that `action` asks for, given the object's type.
fn needs(action: &Action, object: Object<'_>) -> Permission {
    use Permission as P;

    let of_case = |rows: [Permission; 3]| match object {
        Object::Case(case) => by_type(case.case_type(), rows),
        Object::Asset(_) | Object::Machine(_) | Object::Customer(_) | Object::Tenant(_) => rows[0],
    };
    match action {
        Action::CreateCase(case) => {
            by_type(*case, [P::CreateShared, P::CreateOperatorInternal, P::CreateProviderInternal])
        }
        Action::ReadCase(_) => {
            of_case([P::ReadShared, P::ReadOperatorInternal, P::ReadProviderInternal])
        }
        Action::ChangeState(_) => of_case([
            P::ChangeStateShared,
            P::ChangeStateOperatorInternal,
            P::ChangeStateProviderInternal,
        ]),
        Action::EditCase(_) => {
            of_case([P::EditShared, P::EditOperatorInternal, P::EditProviderInternal])
        }
        Action::Assign(_) | Action::Unassign(_) => {
            of_case([P::AssignShared, P::AssignOperatorInternal, P::AssignProviderInternal])
        }
        Action::UseTunnel { .. } => match object {
            Object::Case(_) => {
                of_case([P::UseShared, P::UseOperatorInternal, P::UseProviderInternal])
            }
            Object::Asset(_) | Object::Machine(_) | Object::Customer(_) | Object::Tenant(_) => {
                P::UseAsset
            }
        },
        Action::SwitchCase { .. } => {
            of_case([P::SwitchCase, P::SwitchCase, P::SwitchProviderInternal])
        }
        Action::Chat(_) => P::Chat,
        Action::RequestAccess(_) => P::RequestAccess,
        Action::ReadAudit(_) => P::ReadAudit,
        Action::SwitchAsset { .. } => P::SwitchAsset,
        Action::ReadTunnels(_) => P::ReadTunnels,
        Action::EndSession(_) => P::EndSession,
        Action::EndOwnSession(_) => P::EndOwnSession,
        Action::ReadAsset(_) => P::ReadAsset,
        Action::EditTunnels(_) => P::EditTunnels,
        Action::ConfirmTunnel(_) | Action::EditAsset(_) => P::ManageAssets,
        Action::PairDevice(_) => P::PairDevice,
        Action::Decommission(_) => P::Decommission,
        Action::AnswerProposal(_) => P::AnswerProposal,
        Action::ReadMachine(_) | Action::ReadCustomer(_) => P::ReadMachines,
        Action::ManageMachine(_) | Action::ManageCustomer(_) => P::ManageCustomers,
        Action::ProposeMachine(_) => P::ProposeMachine,
        Action::Own(permission) => *permission,
    }
}
