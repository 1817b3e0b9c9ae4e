//! Sessions: what runs now, what ran, and the end of one.

use std::collections::BTreeMap;

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};

use super::{
    caller::Caller,
    desk::Desk,
    input::{Path, Query},
    lists::{Items, page},
    problem::Problem,
    views::Named,
};
use crate::{
    audit::EndCause,
    authz::Action,
    clock::{Now, Wall},
    ids::{AssetId, CaseId, DeviceId, Name, PersonId, SessionId, TenantId},
    store::{SessionRow, SessionState, Subject},
};

#[derive(Debug, Serialize)]
pub(super) struct SessionView {
    id: SessionId,
    case: Option<CaseId>,
    asset: Named<AssetId>,
    tunnel: Name,
    person: Named<PersonId>,
    tenant: Named<TenantId>,
    device: DeviceId,
    state: &'static str,
    reason: Option<String>,
    requested_at: Wall,
    started_at: Option<Wall>,
    ended_at: Option<Wall>,
    /// Bytes from the technician to the machine, and back.
    up: u64,
    down: u64,
    cause: Option<EndCause>,
}

/// Bytes so far of what runs here, by session.
type Live = BTreeMap<SessionId, (u64, u64)>;

impl SessionView {
    async fn of(desk: &Desk, row: SessionRow, live: &Live) -> Result<Self, Problem> {
        let (up, down) = live.get(&row.id).copied().unwrap_or((row.up, row.down));
        Ok(Self {
            asset: desk.asset_name(&row.asset).await?,
            person: desk.person_name(&row.person).await?,
            tenant: desk.tenant_name(&row.tenant).await?,
            case: row.case().cloned(),
            id: row.id,
            tunnel: row.tunnel_name,
            device: row.device,
            state: match row.state {
                SessionState::Requested => "requested",
                SessionState::Started => "active",
                SessionState::Ended => "ended",
            },
            reason: row.reason,
            requested_at: row.requested_at,
            started_at: row.started_at,
            ended_at: row.ended_at,
            up,
            down,
            cause: row.cause,
        })
    }
}

/// `GET /sessions`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    /// Past ones too.
    #[serde(default)]
    all: bool,
    cursor: Option<String>,
}

pub(super) async fn list(
    State(desk): State<Desk>,
    caller: Caller,
    Query(Filter { all, cursor }): Query<Filter>,
) -> Result<Json<Items<SessionView>>, Problem> {
    let (who, now) = (&caller.person.id, Now::read());
    let found = desk.store.sessions(who, all, &page(cursor), now).await?;
    let live = desk.broker.sessions().await;
    let live: Live = live.into_iter().map(|one| (one.session, (one.up, one.down))).collect();
    let mut items = Vec::with_capacity(found.items.len());
    for row in found.items {
        items.push(SessionView::of(&desk, row, &live).await?);
    }
    Ok(Json(Items { items, next: found.next }))
}

/// `DELETE /sessions/{session}`: one's own always, another's by permission.
pub(super) async fn end(
    State(desk): State<Desk>,
    caller: Caller,
    Path(session): Path<SessionId>,
) -> Result<StatusCode, Problem> {
    let row = desk.store.session(&session).await?.ok_or_else(Problem::not_found)?;
    if row.person != caller.person.id {
        let subject = Subject::asset(caller.person.id.clone(), row.asset.clone());
        let _grant = desk.allowed(&subject, Action::EndSession(row.asset), Now::read()).await?;
    }
    if row.state == SessionState::Ended {
        // What was wanted is so.
        return Ok(StatusCode::NO_CONTENT);
    }
    if desk.broker.end_session(&session, &caller.person.id).await {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::conflict("the session does not run on this gateway, or is ending already"))
    }
}
