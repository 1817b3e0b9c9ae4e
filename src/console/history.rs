//! What was set up or changed on an asset, by whom.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};

use super::{
    caller::Caller,
    desk::Desk,
    input::{Path, Query},
    lists::{Items, page},
    problem::Problem,
};
use crate::{
    audit::Row,
    clock::{Now, Wall},
    ids::AssetId,
};

/// One change. It has no address of who did it: that is their company's own.
#[derive(Debug, Serialize)]
pub(super) struct ChangeView {
    seq: i64,
    at: Wall,
    event: String,
    by: String,
    /// The company of who did it.
    tenant: Option<String>,
    role: Option<String>,
    object: Option<String>,
    old: Option<String>,
    new: Option<String>,
}

impl From<Row> for ChangeView {
    fn from(row: Row) -> Self {
        Self {
            seq: row.seq,
            at: Wall(row.at),
            event: row.event,
            by: row.actor_name,
            tenant: row.tenant,
            role: row.role,
            object: row.object,
            old: row.old,
            new: row.new,
        }
    }
}

/// `GET /assets/{asset}/changes`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    after: Option<String>,
}

pub(super) async fn of_asset(
    State(desk): State<Desk>,
    caller: Caller,
    Path(asset): Path<AssetId>,
    Query(Filter { after }): Query<Filter>,
) -> Result<Json<Items<ChangeView>>, Problem> {
    let who = &caller.person.id;
    let found = desk.store.asset_changes(who, &asset, &page(after), Now::read()).await?;
    let found = found.ok_or_else(Problem::not_found)?;
    let items = found.items.into_iter().map(ChangeView::from).collect();
    Ok(Json(Items { items, next: found.next }))
}
