//! The audit records of a case.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};

use super::{
    caller::Caller,
    desk::Desk,
    input::Query,
    lists::{Items, page},
    problem::Problem,
};
use crate::{
    audit::Row,
    clock::{Now, Wall},
    ids::CaseId,
};

#[derive(Debug, Serialize)]
pub(super) struct RecordView {
    seq: i64,
    at: Wall,
    actor: String,
    actor_name: String,
    tenant: Option<String>,
    role: Option<String>,
    event: String,
    object: Option<String>,
    case: Option<String>,
    asset: Option<String>,
    /// False: it was refused, or failed.
    done: bool,
    reason: Option<String>,
    old: Option<String>,
    new: Option<String>,
    source_ip: Option<String>,
    session: Option<String>,
    hash: String,
}

impl From<Row> for RecordView {
    fn from(row: Row) -> Self {
        Self {
            seq: row.seq,
            at: Wall(row.at),
            actor: row.actor,
            actor_name: row.actor_name,
            tenant: row.tenant,
            role: row.role,
            event: row.event,
            object: row.object,
            case: row.case,
            asset: row.asset,
            done: row.done != 0,
            reason: row.reason,
            old: row.old,
            new: row.new,
            source_ip: row.source_ip,
            session: row.session,
            hash: row.hash,
        }
    }
}

/// `GET /audit`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    case: CaseId,
    after: Option<String>,
}

pub(super) async fn list(
    State(desk): State<Desk>,
    caller: Caller,
    Query(Filter { case, after }): Query<Filter>,
) -> Result<Json<Items<RecordView>>, Problem> {
    let who = &caller.person.id;
    let found = desk.store.case_records(who, &case, &page(after), Now::read()).await?;
    let found = found.ok_or_else(Problem::not_found)?;
    let items = found.items.into_iter().map(RecordView::from).collect();
    Ok(Json(Items { items, next: found.next }))
}
