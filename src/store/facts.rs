//! The rows that one decision reads, in one read transaction.

use sqlx::SqliteConnection;

use super::{
    Store, StoreError, TunnelEntry, assets, assignments, cases, customers, decommission, devices,
    machines, people, rows::Cells, tenants, tunnels, widen,
};
use crate::{
    authz::{Action, Assignee, Decision, DeviceFacts, Facts, LimitFacts, Request, decide},
    cases::{Case, Kind},
    clock::Wall,
    ids::{
        AssetId, CaseId, CustomerId, MachineId, Name, PersonId, Revision, SessionId, TenantId,
        TunnelId,
    },
    machines::{Asset, CustomerMachine, Link},
    tenancy::{Customer, Person, Scope, Settings},
};

/// What a decision is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    pub who: PersonId,
    pub case: Option<CaseId>,
    /// Where no case is given: the asset.
    pub asset: Option<AssetId>,
    /// Where no case is given: the customer machine.
    pub machine: Option<MachineId>,
    /// A customer of the asker's tenant.
    pub customer: Option<CustomerId>,
    pub tunnel: Option<TunnelKey>,
    pub assignee: Option<PersonId>,
    /// The session that is judged: it does not count against its own limits.
    pub session: Option<SessionId>,
}

/// How a tunnel is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TunnelKey {
    Id(TunnelId),
    /// Beside its siblings, on the asset of the subject.
    Name(Name),
}

impl Subject {
    /// About the person alone.
    #[must_use]
    pub fn of(who: PersonId) -> Self {
        Self {
            who,
            case: None,
            asset: None,
            machine: None,
            customer: None,
            tunnel: None,
            assignee: None,
            session: None,
        }
    }

    /// About a case.
    #[must_use]
    pub fn case(who: PersonId, case: CaseId) -> Self {
        Self { case: Some(case), ..Self::of(who) }
    }

    /// About an asset.
    #[must_use]
    pub fn asset(who: PersonId, asset: AssetId) -> Self {
        Self { asset: Some(asset), ..Self::of(who) }
    }

    /// The same, with a tunnel.
    #[must_use]
    pub fn tunnel(self, tunnel: TunnelKey) -> Self {
        Self { tunnel: Some(tunnel), ..self }
    }
}

impl Store {
    /// The rows for `subject`, all from one moment, with the device's presence now. What does not
    /// exist is left out.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn facts(&self, subject: &Subject) -> Result<Facts, StoreError> {
        let mut reading = self.reading().await?;
        load(self, &mut reading, subject).await
    }

    /// Whether `subject.who` may do `action` now, as the rows under `conn` stand.
    pub(super) async fn allows(
        &self,
        conn: &mut SqliteConnection,
        subject: &Subject,
        action: Action,
        now: Wall,
    ) -> Result<bool, StoreError> {
        let facts = load(self, conn, subject).await?;
        let request = Request { who: subject.who.clone(), action, at: now };
        Ok(matches!(decide(request, &facts), Decision::Allow(_)))
    }
}

/// [`Store::facts`], within a transaction.
pub(super) async fn load(
    store: &Store,
    conn: &mut SqliteConnection,
    subject: &Subject,
) -> Result<Facts, StoreError> {
    let (revision, person, settings) = revision_and_person(conn, &subject.who).await?;
    let mut facts = Facts { revision, person, settings, ..Facts::default() };
    let held = assignments::held_by(conn, &subject.who).await?;
    (facts.assignments, facts.individual) = (held.predefined, held.individual);
    if let Some(case) = &subject.case {
        facts.case = cases::case_of(conn, case).await?;
    }
    let asset = match &facts.case {
        Some(case) => case.asset(),
        None => subject.asset.as_ref(),
    };
    if let Some(asset) = asset.cloned() {
        facts.asset = machines::asset_of(conn, &asset).await?;
    }
    facts.machine = machine(conn, subject, &facts).await?;
    facts.customer = customer(conn, subject, &facts).await?;
    tenants(conn, &mut facts).await?;
    if let Some(key) = &subject.tunnel {
        let found = tunnel(conn, key, facts.asset.as_ref()).await?;
        facts.unconfirmed = unconfirmed(conn, subject, found.as_ref()).await?;
        facts.tunnel = found.map(|entry| entry.tunnel);
    }
    let paired = facts.asset.as_ref().and_then(|asset| asset.device.clone());
    if let Some(paired) = paired
        && !(subject.tunnel.is_some() && decommission::is_open(conn, &paired).await?)
    {
        let device = devices::device_of(conn, &paired).await?;
        facts.device = device.map(|device| {
            let presence = store.0.presence.presence(&device.id);
            DeviceFacts { device, presence }
        });
    }
    if let (Some(person), Some(case)) = (&facts.person, &facts.case) {
        facts.widened = widen::widened(conn, person, case).await?;
    }
    if let Some(assignee) = &subject.assignee {
        facts.assignee = whom(conn, assignee).await?;
    }
    facts.limits = limits(store, conn, subject, facts.device.as_ref()).await?;
    Ok(facts)
}

async fn revision_and_person(
    conn: &mut SqliteConnection,
    who: &PersonId,
) -> Result<(Revision, Option<Person>, Settings), StoreError> {
    let row = sqlx::query(
        "SELECT c.value, p.id, p.tenant, p.email, p.name, p.active, \
                t.internal_service_switches, t.case_reader \
         FROM counters c LEFT JOIN people p ON p.id = $1 LEFT JOIN tenants t ON t.id = p.tenant \
         WHERE c.name = 'revision'",
    )
    .bind(who.as_str())
    .fetch_one(conn)
    .await?;
    let cells = Cells::of("people", &row);
    let (person, settings) = match cells.text_or_none("id")? {
        Some(_) => (Some(people::person_in(&cells)?), tenants::settings_in(&cells)?),
        None => (None, Settings::default()),
    };
    Ok((Revision(cells.count("value")?), person, settings))
}

/// The customer machine behind the subject. A shared case is its own provider's or nobody's; else
/// the asker's own comes first, and one that is linked before one that is proposed.
async fn machine(
    conn: &mut SqliteConnection,
    subject: &Subject,
    facts: &Facts,
) -> Result<Option<CustomerMachine>, StoreError> {
    let named = match facts.case.as_ref().map(|case| &case.kind) {
        Some(Kind::ProviderInternal { machine, .. }) => Some(machine),
        Some(Kind::Shared { .. } | Kind::OperatorInternal { .. }) => None,
        None => subject.machine.as_ref(),
    };
    if let Some(machine) = named {
        return machines::machine_of(conn, machine).await;
    }
    let Some(asset) = &facts.asset else { return Ok(None) };
    let found = machines::machines_on(conn, &asset.id).await?;
    let own = facts.person.as_ref().map(|person| &person.tenant);
    let provider = facts.case.as_ref().and_then(Case::provider);
    Ok(found
        .into_iter()
        .filter(|one| provider.is_none_or(|provider| one.provider == *provider))
        .min_by_key(|one| (Some(&one.provider) != own, !matches!(one.link, Link::Linked { .. }))))
}

/// The customer that is asked for; else that of the machine, where a scope by service organisation
/// makes a difference.
async fn customer(
    conn: &mut SqliteConnection,
    subject: &Subject,
    facts: &Facts,
) -> Result<Option<Customer>, StoreError> {
    let Some(person) = &facts.person else { return Ok(None) };
    if let Some(customer) = &subject.customer {
        return customers::customer_of(conn, &person.tenant, customer).await;
    }
    let scopes = facts.assignments.iter().map(|one| &one.scope);
    let mut scopes = scopes.chain(facts.individual.iter().map(|one| &one.scope));
    let matters = scopes.any(|scope| matches!(scope, Scope::ServiceOrganisations(_)));
    match facts.machine.as_ref().filter(|machine| matters && machine.provider == person.tenant) {
        Some(machine) => customers::customer_of(conn, &machine.provider, &machine.customer).await,
        None => Ok(None),
    }
}

/// The tenants of the person, the asset and the machine, in one query.
async fn tenants(conn: &mut SqliteConnection, facts: &mut Facts) -> Result<(), StoreError> {
    let person = facts.person.as_ref().map(|person| person.tenant.clone());
    let operator = facts.asset.as_ref().map(|asset| asset.operator.clone());
    let provider = facts.machine.as_ref().map(|machine| machine.provider.clone());
    let wanted = [&person, &operator, &provider].map(Option::as_ref);
    let found = people::tenants_of(conn, wanted).await?;
    let pick =
        |id: Option<TenantId>| found.iter().find(|one| Some(&one.id) == id.as_ref()).cloned();
    facts.tenant = pick(person);
    facts.operator = pick(operator);
    facts.provider = pick(provider);
    Ok(())
}

async fn tunnel(
    conn: &mut SqliteConnection,
    key: &TunnelKey,
    asset: Option<&Asset>,
) -> Result<Option<TunnelEntry>, StoreError> {
    match (key, asset) {
        (TunnelKey::Id(id), _) => tunnels::tunnel_of(conn, id).await,
        (TunnelKey::Name(name), Some(asset)) => tunnels::entry_named(conn, &asset.id, name).await,
        (TunnelKey::Name(_), None) => Ok(None),
    }
}

/// Whether the operator wants to confirm where the tunnel leads, and has not. A session that runs
/// keeps the targets it was granted for, whatever was written since (domain.md D.2).
async fn unconfirmed(
    conn: &mut SqliteConnection,
    subject: &Subject,
    tunnel: Option<&TunnelEntry>,
) -> Result<bool, StoreError> {
    match tunnel.filter(|entry| !entry.confirmed && subject.session.is_none()) {
        Some(entry) => assets::confirms_targets(conn, &entry.tunnel.asset).await,
        None => Ok(false),
    }
}

async fn whom(
    conn: &mut SqliteConnection,
    assignee: &PersonId,
) -> Result<Option<Assignee>, StoreError> {
    let Some(person) = people::person_of(conn, assignee).await? else { return Ok(None) };
    let held = assignments::held_by(conn, assignee).await?;
    let roles = held.predefined.into_iter().map(|one| one.role).collect();
    let individual = held.individual.into_iter().map(|one| one.role).collect();
    Ok(Some(Assignee { person, roles, individual }))
}

/// Live sessions beside the subject's own, counted as the transaction sees them: exact.
async fn limits(
    store: &Store,
    conn: &mut SqliteConnection,
    subject: &Subject,
    device: Option<&DeviceFacts>,
) -> Result<LimitFacts, StoreError> {
    let row = sqlx::query(
        "SELECT (SELECT COUNT(*) FROM sessions \
                 WHERE ended_at IS NULL AND person = $1 AND id <> $3) AS of_person, \
                (SELECT COUNT(*) FROM sessions \
                 WHERE ended_at IS NULL AND device = $2 AND id <> $3) AS of_device",
    )
    .bind(subject.who.as_str())
    .bind(device.map_or("", |facts| facts.device.id.as_str()))
    .bind(subject.session.as_ref().map_or("", |session| session.as_str()))
    .fetch_one(conn)
    .await?;
    let cells = Cells::of("sessions", &row);
    let count = |column| cells.count(column).map(|n| u32::try_from(n).unwrap_or(u32::MAX));
    Ok(LimitFacts {
        sessions_of_person: count("of_person")?,
        sessions_of_device: count("of_device")?,
        sessions_of_person_max: store.0.limits.sessions_of_person,
        sessions_of_device_max: store.0.limits.sessions_of_device,
    })
}
