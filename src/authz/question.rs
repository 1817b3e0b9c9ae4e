//! A request and its facts in the words of `schema.cedarschema`.

use std::{
    collections::{HashMap, HashSet},
    str::FromStr,
    sync::LazyLock,
};

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request,
    RestrictedExpression as Value, Schema,
};

use super::{
    Action, Door, Facts, Presence, Want,
    matrix::{ceiling, given_by, works_in},
    standing::{Object, Relation, Standing},
};
use crate::{
    cases::{Case, CaseType, State, Switch},
    ids::TenantId,
    machines::{Asset, Mode, Tunnel},
    tenancy::{Permission, Permissions},
};

/// The question could not be put. The source is Cedar's own; the caller can only deny.
#[derive(Debug, thiserror::Error)]
#[error("putting the question: {0}")]
pub(super) struct Unaskable(String);

impl Unaskable {
    fn new(fault: impl std::fmt::Display) -> Self {
        Self(fault.to_string())
    }
}

/// What Cedar is asked.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) request: Request,
    pub(super) entities: Entities,
}

/// Names of entity types, parsed once.
struct Types {
    action: EntityTypeName,
    person: EntityTypeName,
    tenant: EntityTypeName,
    case: EntityTypeName,
    asset: EntityTypeName,
    machine: EntityTypeName,
    customer: EntityTypeName,
}

static TYPES: LazyLock<Result<Types, Unaskable>> = LazyLock::new(|| {
    let name = |name| EntityTypeName::from_str(name).map_err(Unaskable::new);
    Ok(Types {
        action: name("Action")?,
        person: name("Person")?,
        tenant: name("Tenant")?,
        case: name("Case")?,
        asset: name("Asset")?,
        machine: name("Machine")?,
        customer: name("Customer")?,
    })
});

/// Puts `request` into Cedar's words, held to `schema`.
///
/// # Errors
///
/// [`Unaskable`] where Cedar refuses the words; the policies must then not be asked.
pub(super) fn put(
    asked: &super::Request,
    standing: &Standing<'_>,
    facts: &Facts,
    schema: &Schema,
) -> Result<Question, Unaskable> {
    let types = TYPES.as_ref().map_err(Unaskable::new)?;
    let principal = uid(&types.person, standing.person.id.as_str());
    let resource = match standing.object {
        Object::Case(case) => uid(&types.case, case.id.as_str()),
        Object::Asset(asset) => uid(&types.asset, asset.id.as_str()),
        Object::Customer(customer) => uid(&types.customer, customer.id.as_str()),
        Object::Machine(machine) => uid(&types.machine, machine.id.as_str()),
        Object::Tenant(tenant) => uid(&types.tenant, tenant.id.as_str()),
    };
    let mut entities = vec![entity(&principal, person(standing, types))?];
    if let Object::Case(case) = standing.object {
        entities.push(entity(&resource, self::case(case, types)?)?);
    }
    if let Some(row) = standing.asset {
        let attributes = asset(row, standing, facts, types)?;
        entities.push(entity(&uid(&types.asset, row.id.as_str()), attributes)?);
    }
    let context = context(asked, standing, facts, types)?;
    let context = Context::from_pairs(context).map_err(Unaskable::new)?;
    let action = uid(&types.action, name(&asked.action));
    Ok(Question {
        request: Request::new(principal, action, resource, context, Some(schema))
            .map_err(Unaskable::new)?,
        entities: Entities::from_entities(entities, None).map_err(Unaskable::new)?,
    })
}

/// The action's name in the schema.
pub(super) fn name(action: &Action) -> &'static str {
    match action {
        Action::CreateCase(CaseType::Shared) => "create_shared_case",
        Action::CreateCase(CaseType::OperatorInternal) => "create_operator_internal_case",
        Action::CreateCase(CaseType::ProviderInternal) => "create_provider_internal_case",
        Action::ReadCase(_) => "read_case",
        Action::ChangeState(_) => "change_state",
        Action::Assign(_) => "assign",
        Action::Unassign(_) => "unassign",
        Action::Chat(_) => "chat",
        Action::EditCase(_) => "edit_case",
        Action::RequestAccess(_) => "request_access",
        Action::ReadAudit(_) => "read_audit",
        Action::SwitchCase { on: true, .. } => "switch_case_on",
        Action::SwitchCase { on: false, .. } => "switch_case_off",
        Action::SwitchAsset { on: true, .. } => "switch_asset_on",
        Action::SwitchAsset { on: false, .. } => "switch_asset_off",
        Action::UseTunnel { .. } => "use_tunnel",
        Action::ReadTunnels(_) => "read_tunnels",
        Action::EndSession(_) => "end_session",
        Action::EndOwnSession(_) => "end_own_session",
        Action::ReadAsset(_) => "read_asset",
        Action::EditTunnels(_) => "edit_tunnels",
        Action::ConfirmTunnel(_) => "confirm_tunnel",
        Action::EditAsset(_) => "edit_asset",
        Action::PairDevice(_) => "pair_device",
        Action::Decommission(_) => "decommission",
        Action::AnswerProposal(_) => "answer_proposal",
        Action::ReadMachine(_) => "read_machine",
        Action::ManageMachine(_) => "manage_machine",
        Action::ReadCustomer(_) => "read_customer",
        Action::ManageCustomer(_) => "manage_customer",
        Action::ProposeMachine(_) => "propose_machine",
        Action::Own(permission) => permission.code(),
    }
}

type Pairs = Vec<(String, Value)>;

fn person(standing: &Standing<'_>, types: &Types) -> Pairs {
    let mut pairs = vec![
        pair("active", yes(standing.person.active)),
        pair("tenant_active", yes(standing.tenant.active)),
        pair("linked", yes(standing.linked)),
        pair("tenant", tenant(&standing.tenant.id, types)),
        pair("held", names(standing.held, standing)),
        pair("covered", names(standing.covered, standing)),
    ];
    if let Some(relation) = standing.relation {
        pairs.push(pair(
            "side",
            text(match relation {
                Relation::Operator => "operator",
                Relation::Provider => "provider",
                Relation::Own => "own",
            }),
        ));
    }
    pairs
}

fn case(case: &Case, types: &Types) -> Result<Pairs, Unaskable> {
    let kind = match case.case_type() {
        CaseType::Shared => "shared",
        CaseType::OperatorInternal => "operator_internal",
        CaseType::ProviderInternal => "provider_internal",
    };
    let state = match case.state {
        State::New => "new",
        State::InProgress => "in_progress",
        State::Closed => "closed",
    };
    let mut pairs = vec![pair("type", text(kind)), pair("state", text(state))];
    if let Some(operator) = case.operator() {
        pairs.push(pair("operator", tenant(operator, types)));
    }
    if let Some(provider) = case.provider() {
        pairs.push(pair("provider", tenant(provider, types)));
    }
    if let Some(row) = case.switch() {
        pairs.push(pair("switch", switch(row)?));
    }
    Ok(pairs)
}

fn asset(
    asset: &Asset,
    standing: &Standing<'_>,
    facts: &Facts,
    types: &Types,
) -> Result<Pairs, Unaskable> {
    let mut pairs =
        vec![pair("active", yes(standing.asset_active)), pair("switch", switch(&asset.switch)?)];
    if let Some(device) = standing.paired(facts) {
        let presence = text(match device.presence {
            Presence::Offline => "offline",
            Presence::Online => "online",
            Presence::Refusing => "refusing",
        });
        let owner = tenant(&device.device.owner, types);
        let device = record([pair("presence", presence), pair("owner", owner)])?;
        pairs.push(pair("device", device));
    }
    Ok(pairs)
}

fn context(
    asked: &super::Request,
    standing: &Standing<'_>,
    facts: &Facts,
    types: &Types,
) -> Result<Pairs, Unaskable> {
    let mut pairs =
        vec![pair("at", Value::new_long(asked.at.0)), pair("needs", text(standing.needs.code()))];
    if let Some(asset) = standing.asset {
        pairs.push(pair("asset", Value::new_entity_uid(uid(&types.asset, asset.id.as_str()))));
    }
    if let Action::ReadCase(_) | Action::Chat(_) | Action::ReadAudit(_) = asked.action {
        pairs.push(pair("widened", yes(standing.widened)));
    }
    if let Action::Assign(_) = asked.action {
        pairs.extend(assignee(standing, facts, types)?);
    }
    if let Action::UseTunnel { tunnel: id, door, want, .. } = &asked.action {
        let door = match door {
            Door::Native => "native",
            Door::Browser => "browser",
            Door::Ssh => "ssh",
        };
        let want = match want {
            Want::Control => "control",
            Want::View => "view",
            Want::Files => "files",
        };
        pairs.extend([pair("door", text(door)), pair("want", text(want)), sessions(facts)?]);
        if let Some(row) = facts.tunnel.as_ref().filter(|row| row.id == *id) {
            pairs.push(pair("tunnel", tunnel(row, facts, types)?));
        }
    }
    Ok(pairs)
}

/// The person that a case is to be assigned to, and which cases they may have; roles that are inert
/// in the tenant give nothing.
fn assignee(
    standing: &Standing<'_>,
    facts: &Facts,
    types: &Types,
) -> Result<Option<(String, Value)>, Unaskable> {
    let Some(assignee) = &facts.assignee else { return Ok(None) };
    let roles = assignee.roles.iter().filter(|role| works_in(**role, standing.tenant));
    let held = roles.map(|role| given_by(*role, facts.settings));
    let held = held.fold(Permissions::default(), Permissions::with);
    let own = assignee.individual.iter().filter(|role| role.tenant == standing.tenant.id);
    let own = own.map(|role| role.gives).fold(Permissions::default(), Permissions::with);
    let held = held.with(own.within(ceiling(standing.tenant, |_| true)));
    let being = [
        Permission::BeAssigneeShared,
        Permission::BeAssigneeOperatorInternal,
        Permission::BeAssigneeProviderInternal,
    ];
    let may = being.into_iter().filter(|one| held.contains(*one)).map(|one| text(one.code()));
    let value = record([
        pair("tenant", tenant(&assignee.person.tenant, types)),
        pair("active", yes(assignee.person.active)),
        pair("may", Value::new_set(may)),
    ])?;
    Ok(Some(pair("assignee", value)))
}

fn tunnel(tunnel: &Tunnel, facts: &Facts, types: &Types) -> Result<Value, Unaskable> {
    let mode = match tunnel.mode {
        Mode::Sealed => "sealed",
        Mode::Recorded => "recorded",
        Mode::Any => "any",
    };
    record([
        pair("asset", Value::new_entity_uid(uid(&types.asset, tunnel.asset.as_str()))),
        // A config without targets leads nowhere; one that its operator wants to confirm, not yet.
        pair("enabled", yes(tunnel.enabled && !tunnel.targets.is_empty() && !facts.unconfirmed)),
        pair("mode", text(mode)),
    ])
}

fn sessions(facts: &Facts) -> Result<(String, Value), Unaskable> {
    let limits = facts.limits;
    let value = record([
        pair("of_person", Value::new_long(limits.sessions_of_person.into())),
        pair("of_person_max", Value::new_long(limits.sessions_of_person_max.into())),
        pair("of_device", Value::new_long(limits.sessions_of_device.into())),
        pair("of_device_max", Value::new_long(limits.sessions_of_device_max.into())),
    ])?;
    Ok(pair("sessions", value))
}

fn switch(switch: &Switch) -> Result<Value, Unaskable> {
    let until = switch.until.map(|until| pair("until", Value::new_long(until.0)));
    record([pair("on", yes(switch.on))].into_iter().chain(until))
}

fn tenant(id: &TenantId, types: &Types) -> Value {
    Value::new_entity_uid(uid(&types.tenant, id.as_str()))
}

/// Of `permissions`, those that a policy may name when this is asked: what the action needs, and the
/// one that some ways of using a tunnel need beside it. All others cost time and change nothing.
fn names(permissions: Permissions, standing: &Standing<'_>) -> Value {
    let named = [standing.needs, Permission::TransferFiles];
    let some = named.into_iter().filter(|one| permissions.contains(*one));
    Value::new_set(some.map(|one| text(one.code())))
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

fn entity(id: &EntityUid, attributes: Pairs) -> Result<Entity, Unaskable> {
    let attributes: HashMap<String, Value> = attributes.into_iter().collect();
    Entity::new(id.clone(), attributes, HashSet::new()).map_err(Unaskable::new)
}

fn record(pairs: impl IntoIterator<Item = (String, Value)>) -> Result<Value, Unaskable> {
    Value::new_record(pairs).map_err(Unaskable::new)
}

fn pair(key: &str, value: Value) -> (String, Value) {
    (key.to_owned(), value)
}

fn text(text: &str) -> Value {
    Value::new_string(text.to_owned())
}

fn yes(yes: bool) -> Value {
    Value::new_bool(yes)
}
