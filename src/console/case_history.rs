//! A case's history: what happened to it, in order, each entry by its kind.

use axum::{Json, extract::State};
use serde::Serialize;

use super::{
    caller::Caller,
    desk::Desk,
    input::{Path, Query},
    lists::{Cursor, Items, page},
    problem::Problem,
};
use crate::{
    audit::{Event, Row},
    clock::{Now, Wall},
    ids::CaseId,
};

/// One entry.
#[derive(Debug, Serialize)]
pub(super) struct EntryView {
    /// The number of its record.
    seq: i64,
    at: Wall,
    kind: Kind,
    event: String,
    actor: String,
    actor_name: String,
    tenant: Option<String>,
    role: Option<String>,
    /// False: it was refused.
    done: bool,
    reason: Option<String>,
    old: Option<String>,
    new: Option<String>,
    session: Option<String>,
}

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Change,
    Switch,
    Request,
    Refusal,
    Session,
    Message,
    Other,
}

impl Kind {
    fn of(row: &Row) -> Self {
        if row.done == 0 {
            return Self::Refusal;
        }
        match row.event() {
            Some(
                Event::CaseCreated
                | Event::CaseStateChanged
                | Event::CaseEdited
                | Event::CaseExternalIdChanged
                | Event::AssigneeChanged
                | Event::CaseClosed
                | Event::CaseReopened,
            ) => Self::Change,
            Some(Event::SwitchOn | Event::SwitchOff | Event::SwitchExpired) => Self::Switch,
            Some(
                Event::AccessRequested
                | Event::AccessGranted
                | Event::AccessDeclined
                | Event::AccessWithdrawn
                | Event::AccessLapsed,
            ) => Self::Request,
            Some(Event::SessionRequested | Event::SessionStarted | Event::SessionEnded) => {
                Self::Session
            }
            Some(Event::MessagePosted) => Self::Message,
            Some(_) | None => Self::Other,
        }
    }
}

impl From<Row> for EntryView {
    fn from(row: Row) -> Self {
        Self {
            kind: Kind::of(&row),
            seq: row.seq,
            at: Wall(row.at),
            event: row.event,
            actor: row.actor,
            actor_name: row.actor_name,
            tenant: row.tenant,
            role: row.role,
            done: row.done != 0,
            reason: row.reason,
            old: row.old,
            new: row.new,
            session: row.session,
        }
    }
}

/// `GET /cases/{case}/history`
pub(super) async fn list(
    State(desk): State<Desk>,
    caller: Caller,
    Path(case): Path<CaseId>,
    Query(Cursor { cursor }): Query<Cursor>,
) -> Result<Json<Items<EntryView>>, Problem> {
    let (who, page) = (&caller.person.id, page(cursor));
    let found = desk.store.case_history(who, &case, &page, Now::read()).await?;
    let found = found.ok_or_else(Problem::not_found)?;
    let items = found.items.into_iter().map(EntryView::from).collect();
    Ok(Json(Items { items, next: found.next }))
}
