//! What is told to the outside: written with the record that it tells of, in its transaction, so
//! that neither can be without the other.
//!
//! ```text
//!   Act::commit ── records ── parties of each ──> one row a webhook of theirs ── commit ── ring
//!                                                                                  |
//!                            gateway's sender <── Store::due ─────────────────────-+
//! ```
//!
//! What always holds: a message about a case goes to that case's parties alone: of an
//! operator-internal one to the operator, of a provider-internal one to the provider, of a shared
//! one to the provider only while the link stands. Nobody is told of what was refused.

use serde::Serialize;
use sqlx::SqliteConnection;

use super::{StoreError, cases, hooks, machines, notices, rows::Cells};
use crate::{
    audit::{Entry, Event},
    cases::{Case, CaseType, Kind, State, Switch},
    clock::Wall,
    hooks::HookKind,
    ids::{AssetId, CaseId, DeliveryId, HookId, MachineId, PersonId, SessionId, TenantId},
    machines::Link,
};

/// Messages that may wait for a webhook which takes none; with more it is disabled.
pub const WAITING_MAX: u64 = 10_000;

/// A message as it travels: what happened, to what, by whom, and how the case stands now.
#[derive(Debug, Serialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: HookKind,
    timestamp: Wall,
    data: Data<'a>,
}

#[derive(Debug, Serialize)]
struct Data<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    case: Option<CaseData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asset: Option<&'a AssetId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a SessionId>,
    /// The request for remote access, by its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<&'a str>,
    /// Who did it: `person/ID`, `device/ID`, `gateway/ID`.
    by: String,
    by_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    old: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct CaseData<'a> {
    id: &'a CaseId,
    #[serde(rename = "type")]
    case_type: CaseType,
    title: &'a str,
    state: State,
    assignee: Option<&'a PersonId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    machine: Option<&'a MachineId>,
    /// Not there where it does not apply.
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_access: Option<&'a Switch>,
}

/// Writes what `told`, recorded under `numbers`, gives to tell; says whether that was anything.
pub(super) async fn post(
    conn: &mut SqliteConnection,
    told: &[Entry],
    numbers: &[i64],
) -> Result<bool, StoreError> {
    let mut posted = false;
    for (entry, number) in told.iter().zip(numbers).filter(|(entry, _)| entry.done) {
        posted |= notices::leave(conn, *number, entry.event).await?;
        if let Some(kind) = HookKind::of(entry.event) {
            posted |= post_to_hooks(conn, entry, kind).await?;
        }
    }
    Ok(posted)
}

async fn post_to_hooks(
    conn: &mut SqliteConnection,
    entry: &Entry,
    kind: HookKind,
) -> Result<bool, StoreError> {
    if !hooks::any(conn).await? {
        return Ok(false);
    }
    let case = match &entry.case {
        Some(case) => cases::case_of(conn, case).await?,
        None => None,
    };
    let mut hearing = Vec::new();
    for tenant in parties(conn, entry, case.as_ref()).await? {
        let found = hooks::enabled_of(conn, &tenant).await?;
        hearing.extend(found.into_iter().filter(|hook| hook.hears(kind)));
    }
    if hearing.is_empty() {
        return Ok(false);
    }
    let body = body(entry, kind, case.as_ref())?;
    for hook in hearing {
        let waiting = if hook.failing_since.is_some() { waiting(conn, &hook.id).await? } else { 0 };
        if waiting >= WAITING_MAX {
            let reason = format!("{WAITING_MAX} messages waited, and none was taken");
            hooks::disable(conn, &hook.id, &reason).await?;
            continue;
        }
        put(conn, &hook.id, kind, &body, entry.at).await?;
    }
    Ok(true)
}

/// The companies whose business `entry` is. Everybody else's webhooks stay silent.
async fn parties(
    conn: &mut SqliteConnection,
    entry: &Entry,
    case: Option<&Case>,
) -> Result<Vec<TenantId>, StoreError> {
    match (case.map(|case| &case.kind), &entry.case, &entry.asset) {
        (Some(Kind::Shared { operator, provider, asset, .. }), _, _) => {
            let mut parties = vec![operator.clone()];
            // A provider that lost its link reads the case no more (domain.md B.5).
            if provider != operator && linked(conn, asset, provider).await? {
                parties.push(provider.clone());
            }
            Ok(parties)
        }
        (Some(Kind::OperatorInternal { operator, .. }), _, _) => Ok(vec![operator.clone()]),
        (Some(Kind::ProviderInternal { provider, .. }), _, _) => Ok(vec![provider.clone()]),
        // A case that is not there is nobody's.
        (None, Some(_), _) | (None, None, None) => Ok(Vec::new()),
        (None, None, Some(asset)) => of_asset(conn, entry, asset).await,
    }
}

/// What an operator does with its assets, their own switch and sessions under it, is its own
/// business (domain.md B.4); a link is the linked provider's too.
async fn of_asset(
    conn: &mut SqliteConnection,
    entry: &Entry,
    asset: &AssetId,
) -> Result<Vec<TenantId>, StoreError> {
    let found = machines::asset_of(conn, asset).await?;
    let mut parties: Vec<TenantId> = found.into_iter().map(|asset| asset.operator).collect();
    if entry.event == Event::LinkChanged {
        for machine in machines::machines_on(conn, asset).await? {
            if !parties.contains(&machine.provider) {
                parties.push(machine.provider);
            }
        }
    }
    Ok(parties)
}

async fn linked(
    conn: &mut SqliteConnection,
    asset: &AssetId,
    provider: &TenantId,
) -> Result<bool, StoreError> {
    let machines = machines::machines_on(conn, asset).await?;
    Ok(machines.iter().any(|machine| {
        machine.provider == *provider && matches!(machine.link, Link::Linked { .. })
    }))
}

fn body(entry: &Entry, kind: HookKind, case: Option<&Case>) -> Result<String, StoreError> {
    let case = case.map(|case| CaseData {
        id: &case.id,
        case_type: case.case_type(),
        title: &case.title,
        state: case.state,
        assignee: case.assignee.as_ref(),
        machine: match &case.kind {
            Kind::ProviderInternal { machine, .. } => Some(machine),
            Kind::Shared { .. } | Kind::OperatorInternal { .. } => None,
        },
        remote_access: case.switch(),
    });
    let data = Data {
        case,
        asset: entry.asset.as_ref(),
        session: entry.session.as_ref(),
        request: entry.object.as_deref().and_then(|object| object.strip_prefix("request/")),
        by: entry.actor.to_string(),
        by_name: &entry.actor_name,
        reason: entry.reason.as_deref(),
        old: entry.old.as_deref(),
        new: entry.new.as_deref(),
    };
    serde_json::to_string(&Message { kind, timestamp: entry.at, data })
        .map_err(|fault| StoreError::Unreadable { table: "outbox", fault: fault.to_string() })
}

/// Has one message wait for a webhook.
pub(super) async fn put(
    conn: &mut SqliteConnection,
    hook: &HookId,
    kind: HookKind,
    body: &str,
    at: Wall,
) -> Result<DeliveryId, StoreError> {
    let id: DeliveryId = super::fresh_id()?;
    sqlx::query(
        "INSERT INTO outbox (no, id, hook, kind, body, created_at, attempts, next_at, state) \
         VALUES ($1, $2, $3, $4, $5, $6, 0, $6, 'waiting')",
    )
    .bind(next_number(conn).await?)
    .bind(id.as_str())
    .bind(hook.as_str())
    .bind(kind.code())
    .bind(body)
    .bind(at.0)
    .execute(conn)
    .await?;
    Ok(id)
}

pub(super) async fn next_number(conn: &mut SqliteConnection) -> Result<i64, StoreError> {
    let row =
        sqlx::query("UPDATE counters SET value = value + 1 WHERE name = 'outbox' RETURNING value")
            .fetch_one(conn)
            .await?;
    Cells::of("counters", &row).number("value")
}

async fn waiting(conn: &mut SqliteConnection, hook: &HookId) -> Result<u64, StoreError> {
    let row =
        sqlx::query("SELECT COUNT(*) AS waiting FROM outbox WHERE hook = $1 AND state = 'waiting'")
            .bind(hook.as_str())
            .fetch_one(conn)
            .await?;
    Cells::of("outbox", &row).count("waiting")
}
