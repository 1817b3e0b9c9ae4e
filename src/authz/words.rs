//! What each check asks, as a technician would say it, and who can help when it fails.

use super::{
    Action, Door, Facts, Presence, Reason, Request, Via, Want,
    matrix::{givers, works_in},
    policy::Objection,
    standing::{Object, Relation, Standing},
};
use crate::{
    cases::{Case, CaseType, Switch},
    clock::Wall,
    machines::{Mode, Tunnel},
    tenancy::{Permission, Role, Tenant},
};

/// One check in words.
#[derive(Debug)]
pub(super) struct Words {
    /// What holds when it passes.
    pub(super) what: String,
    /// What would make it pass.
    pub(super) remedy: String,
}

impl Words {
    fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into() }
    }
}

/// Words that tell nothing about the object.
pub(super) fn bare(reason: Reason) -> Words {
    match reason {
        Reason::Unauthenticated => Words::new("you are logged in", "log in: caseway login"),
        Reason::Disabled => Words::new(
            "your account and your company are active",
            "ask your company's Tenant Admin",
        ),
        Reason::PolicyFault => Words::new(
            "the gateway can decide",
            "tell the gateway's administrator: its log says why no decision was possible",
        ),
        Reason::NotFound
        | Reason::CaseType
        | Reason::CaseClosed
        | Reason::AssetInactive
        | Reason::NoProvider
        | Reason::Role
        | Reason::Scope
        | Reason::AssigneeRole
        | Reason::SwitchOff
        | Reason::Config
        | Reason::Mode
        | Reason::NoEdge
        | Reason::NotOwner
        | Reason::EdgeOffline
        | Reason::EdgeRefused
        | Reason::Limit => Words::new(
            "it exists and you may see it",
            "check the name, or ask your company's Tenant Admin for a role that covers it",
        ),
    }
}

/// What `objection` asks of this request; `None` where it does not arise, or where an earlier
/// failure leaves nothing to ask.
pub(super) fn of(
    objection: &Objection,
    request: &Request,
    standing: &Standing<'_>,
    facts: &Facts,
) -> Option<Words> {
    let files = objection.id.ends_with("/files");
    let wants_files = matches!(request.action, Action::UseTunnel { want: Want::Files, .. });
    if files && !wants_files {
        return None;
    }
    if leads_nowhere(request, standing)
        && !matches!(
            objection.reason,
            Reason::Disabled | Reason::NotFound | Reason::CaseType | Reason::CaseClosed
        )
    {
        return None;
    }
    let permission = if files { Permission::TransferFiles } else { standing.needs };
    match objection.reason {
        Reason::Disabled | Reason::Unauthenticated | Reason::PolicyFault => {
            Some(bare(objection.reason))
        }
        Reason::NotFound => Some(Words {
            what: format!("{} is your company's business", thing(standing)),
            ..bare(Reason::NotFound)
        }),
        Reason::CaseType => case_of(standing).map(case_type),
        Reason::CaseClosed => case_of(standing).map(|case| {
            Words::new(
                format!("{} is open", case.id),
                format!("reopen {}, then have remote access turned on again", case.id),
            )
        }),
        Reason::AssetInactive => asset_inactive(standing, facts),
        Reason::NoProvider => no_provider(request, standing),
        Reason::Role => Some(role(permission, request, standing)),
        Reason::Scope => scope(permission, standing),
        Reason::AssigneeRole => case_of(standing).map(assignee_role),
        Reason::SwitchOff => Some(switch_off(request, standing, facts)),
        Reason::Config => Some(config(request, standing, facts)),
        Reason::Mode => mode(request, facts),
        Reason::NoEdge => Some(Words::new(
            format!("an edge device is paired with {}", machine(standing)),
            format!("ask {} to pair one", roles(Permission::PairDevice, standing)),
        )),
        Reason::NotOwner => standing.paired(facts).map(|_| not_owner(facts)),
        Reason::EdgeOffline => presence(standing, facts).map(|_| edge_offline(facts)),
        Reason::EdgeRefused => presence(standing, facts)
            .filter(|presence| *presence != Presence::Offline)
            .map(|_| edge_refused(facts)),
        Reason::Limit => Some(limit(facts)),
    }
}

/// Whether a tunnel is asked for where there can be none; then no machine is spoken of.
fn leads_nowhere(request: &Request, standing: &Standing<'_>) -> bool {
    matches!(request.action, Action::UseTunnel { .. })
        && case_of(standing).is_some_and(|case| case.case_type() == CaseType::ProviderInternal)
}

fn case_type(case: &Case) -> Words {
    let kind = match case.case_type() {
        CaseType::Shared => "a shared case",
        CaseType::OperatorInternal => "an operator-internal case",
        CaseType::ProviderInternal => "a provider-internal case",
    };
    Words::new(
        format!("{}, {kind}, is of a type that allows remote access", case.id),
        "open a shared case: nobody in a provider-internal case could consent to remote access",
    )
}

fn asset_inactive(standing: &Standing<'_>, facts: &Facts) -> Option<Words> {
    if let Object::Machine(_) = standing.object {
        return None;
    }
    let operator = operator(standing, facts);
    Some(Words::new(
        format!("{} is in service", machine(standing)),
        format!("ask {operator} to put it into service again"),
    ))
}

fn no_provider(request: &Request, standing: &Standing<'_>) -> Option<Words> {
    let of_provider = standing.relation == Some(Relation::Provider)
        && case_of(standing).is_some_and(|case| case.case_type() == CaseType::Shared);
    let arises = of_provider || request.action == Action::CreateCase(CaseType::Shared);
    arises.then(|| {
        Words::new(
            "operator and provider have linked their views of the machine",
            "the provider proposes the machine, and the operator's Workshop Manager accepts",
        )
    })
}

fn role(permission: Permission, request: &Request, standing: &Standing<'_>) -> Words {
    let deed = match request.action {
        Action::UseTunnel { .. } if permission == Permission::TransferFiles => "transfer files",
        Action::UseTunnel { .. } => "use tunnels",
        Action::CreateCase(_) => "open such a case",
        Action::ReadCase(_) | Action::ReadAsset(_) => "see this",
        Action::ChangeState(_) => "change the state of such a case",
        Action::Assign(_) | Action::Unassign(_) => "assign such a case",
        Action::Chat(_) => "take part in the conversation",
        Action::SwitchCase { .. } => "switch a case's remote access",
        Action::SwitchAsset { .. } => "switch a machine's remote access",
        Action::ReadTunnels(_) => "see tunnels",
        Action::ReadAudit(_) => "read the records",
        Action::EndSession(_) => "end other people's sessions",
        Action::EditTunnels(_) => "edit tunnels",
        Action::ConfirmTunnel(_) => "confirm where tunnels lead",
        Action::PairDevice(_) => "pair edge devices",
        Action::EditCase(_)
        | Action::RequestAccess(_)
        | Action::EndOwnSession(_)
        | Action::Decommission(_)
        | Action::EditAsset(_)
        | Action::AnswerProposal(_)
        | Action::ReadMachine(_)
        | Action::ManageMachine(_)
        | Action::ProposeMachine(_)
        | Action::ReadCustomer(_)
        | Action::ManageCustomer(_)
        | Action::Own(_) => permission.what(),
    };
    let within = match (standing.relation, &standing.object) {
        (Some(Relation::Provider), Object::Case(_)) => " as the provider in this case",
        (Some(Relation::Operator), Object::Case(_)) => " as the operator in this case",
        (Some(Relation::Provider), _) => " as the machine's provider",
        (Some(Relation::Operator), _) => " as the machine's operator",
        (Some(Relation::Own) | None, _) => "",
    };
    let helpful = own_roles(permission, standing);
    let via_asset = matches!(request.action, Action::UseTunnel { via: Via::Asset(_), .. });
    let remedy = match helpful.as_slice() {
        [] if via_asset => {
            "a provider reaches a machine through a shared case alone: open one".to_owned()
        }
        [] => "nobody on your side may: ask the machine's operator".to_owned(),
        some => format!("this takes the role {}: ask your company's Tenant Admin", one_of(some)),
    };
    Words::new(format!("your roles let you {deed}{within}"), remedy)
}

fn scope(permission: Permission, standing: &Standing<'_>) -> Option<Words> {
    if !standing.held.contains(permission) {
        return None;
    }
    let remedy = format!(
        "ask your company's Tenant Admin to widen the scope of your role {}",
        one_of(&own_roles(permission, standing)),
    );
    Some(Words::new(format!("the scope of that role covers {}", thing(standing)), remedy))
}

fn assignee_role(case: &Case) -> Words {
    let who = match case.case_type() {
        CaseType::OperatorInternal => "a Maintenance Engineer of the case's company",
        CaseType::Shared | CaseType::ProviderInternal => {
            "someone in the provider's service: support, technician or customer data manager"
        }
    };
    Words::new(format!("the assignee is {who}"), format!("choose {who}"))
}

fn switch_off(request: &Request, standing: &Standing<'_>, facts: &Facts) -> Words {
    let (name, permission, switch) = match standing.object {
        Object::Case(case) => (case.id.to_string(), Permission::SwitchCase, case.switch()),
        Object::Asset(asset) => (asset.name.clone(), Permission::SwitchAsset, Some(&asset.switch)),
        Object::Machine(_) | Object::Customer(_) | Object::Tenant(_) => {
            (String::new(), Permission::SwitchCase, None)
        }
    };
    let remedy = if standing.covered.contains(permission) {
        let command = case_of(standing)
            .map_or_else(String::new, |case| format!(": caseway case switch {} on", case.id));
        format!("you may turn it on yourself{command}")
    } else {
        let operator = facts.operator.as_ref().unwrap_or(standing.tenant);
        let who = one_of(&working(permission, operator));
        let asking = case_of(standing)
            .filter(|_| standing.covered.contains(Permission::RequestAccess))
            .map_or_else(String::new, |case| format!(": caseway case request {}", case.id));
        format!("ask the operator ({who}) to turn remote access on for {name}{asking}")
    };
    Words::new(format!("remote access is on for {name}{}", lapse(switch, request.at)), remedy)
}

/// When a switch that was turned on stops or stopped being on.
fn lapse(switch: Option<&Switch>, now: Wall) -> String {
    match switch.filter(|switch| switch.on).and_then(|switch| switch.until) {
        Some(until) if now < until => format!(" (until {until})"),
        Some(until) => format!(" (it was until {until})"),
        None => String::new(),
    }
}

fn config(request: &Request, standing: &Standing<'_>, facts: &Facts) -> Words {
    let tunnel = tunnel(request, facts);
    let name = tunnel.map_or_else(|| "the tunnel".to_owned(), |row| format!("tunnel {}", row.name));
    let list = case_of(standing).map_or_else(String::new, |case| {
        format!("choose another (caseway tunnels {}), or ", case.id)
    });
    if tunnel.is_some_and(|row| row.enabled) && facts.unconfirmed {
        return unconfirmed(&name, standing, facts);
    }
    let editors = roles(Permission::EditTunnels, standing);
    Words::new(
        format!("{name} leads to {} and is enabled", machine(standing)),
        format!("{list}ask {editors} to set it up"),
    )
}

/// Somebody other than the operator wrote where it leads, and the operator wants to have a say.
fn unconfirmed(name: &str, standing: &Standing<'_>, facts: &Facts) -> Words {
    let who = operator(standing, facts);
    let asset = standing.asset.map_or("ASSET", |row| row.id.as_str());
    Words::new(
        format!("the operator has confirmed where {name} leads"),
        format!("ask {who} to confirm it (caseway tunnel confirm {asset} NAME)"),
    )
}

fn mode(request: &Request, facts: &Facts) -> Option<Words> {
    let Action::UseTunnel { door, .. } = &request.action else { return None };
    let tunnel = tunnel(request, facts)?;
    let way = match door {
        Door::Native => "with the tunnel client",
        Door::Browser => "in the browser",
        Door::Ssh => "through the SSH door",
    };
    let remedy = match tunnel.mode {
        Mode::Sealed => "it is sealed end to end: use the tunnel client (caseway open)",
        Mode::Recorded | Mode::Any => {
            "it is recorded by the gateway: use the browser or the SSH door"
        }
    };
    Some(Words::new(format!("tunnel {} may be used {way}", tunnel.name), remedy))
}

fn not_owner(facts: &Facts) -> Words {
    Words::new(
        format!("{} is your company's own", device(facts)),
        "ask the company that owns it to decommission it",
    )
}

fn edge_offline(facts: &Facts) -> Words {
    Words::new(
        format!("{} is online", device(facts)),
        "have someone at the machine check the device's power and network",
    )
}

fn edge_refused(facts: &Facts) -> Words {
    Words::new(
        format!("{} allows remote access itself", device(facts)),
        "have someone at the machine turn the device's own switch on",
    )
}

fn limit(facts: &Facts) -> Words {
    let limits = facts.limits;
    Words::new(
        format!(
            "sessions are left: you have {} of {}, the device {} of {}",
            limits.sessions_of_person,
            limits.sessions_of_person_max,
            limits.sessions_of_device,
            limits.sessions_of_device_max,
        ),
        "end a session that is no longer needed (caseway sessions)",
    )
}

fn case_of<'a>(standing: &Standing<'a>) -> Option<&'a Case> {
    match standing.object {
        Object::Case(case) => Some(case),
        Object::Asset(_) | Object::Machine(_) | Object::Customer(_) | Object::Tenant(_) => None,
    }
}

fn tunnel<'a>(request: &Request, facts: &'a Facts) -> Option<&'a Tunnel> {
    let Action::UseTunnel { tunnel: id, .. } = &request.action else { return None };
    // A tunnel of another machine is not the asker's to hear of.
    let asset = facts.asset.as_ref()?;
    facts.tunnel.as_ref().filter(|row| row.id == *id && row.asset == asset.id)
}

/// The presence of the device that is paired and let in.
fn presence(standing: &Standing<'_>, facts: &Facts) -> Option<Presence> {
    standing.paired(facts).map(|device| device.presence)
}

fn device(facts: &Facts) -> String {
    facts.device.as_ref().map_or_else(
        || "the edge device".to_owned(),
        |facts| format!("edge device {}", facts.device.name),
    )
}

fn thing(standing: &Standing<'_>) -> String {
    match standing.object {
        Object::Case(case) => case.id.to_string(),
        Object::Asset(asset) => asset.name.clone(),
        Object::Machine(machine) => format!("machine {}", machine.serial),
        Object::Customer(customer) => customer.name.clone(),
        Object::Tenant(tenant) => tenant.name.clone(),
    }
}

fn machine(standing: &Standing<'_>) -> String {
    standing.asset.map_or_else(|| "the machine".to_owned(), |asset| asset.name.clone())
}

fn operator(standing: &Standing<'_>, facts: &Facts) -> String {
    if standing.relation == Some(Relation::Operator) {
        return "your company's Workshop Manager".to_owned();
    }
    let name = facts.operator.as_ref().map_or("the operator", |tenant| &tenant.name);
    format!("{name}'s Workshop Manager")
}

/// Roles of the asker's own company that give `permission` on the asker's side.
fn own_roles(permission: Permission, standing: &Standing<'_>) -> Vec<Role> {
    let admitted = |role: &Role| standing.relation.is_some_and(|relation| relation.admits(*role));
    working(permission, standing.tenant).into_iter().filter(admitted).collect()
}

fn roles(permission: Permission, standing: &Standing<'_>) -> String {
    format!("a {}", one_of(&own_roles(permission, standing)))
}

fn working(permission: Permission, tenant: &Tenant) -> Vec<Role> {
    givers(permission).filter(|role| works_in(*role, tenant)).collect()
}

/// `A, B or C`.
fn one_of(roles: &[Role]) -> String {
    let titles: Vec<&str> = roles.iter().map(|role| role.title()).collect();
    match titles.as_slice() {
        [] => "nobody".to_owned(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}
