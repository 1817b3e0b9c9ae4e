//! Service cases and their switch.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};

use super::{
    caller::Caller,
    desk::Desk,
    input::{Body, Path, Query, given, text},
    lists::{Items, page},
    problem::Problem,
    switches::{SwitchBody, SwitchView, Turned},
    views::Named,
};
use crate::{
    cases::{Case, CaseType, State as CaseState},
    clock::{Now, Wall},
    ids::{AssetId, CaseId, MachineId, PersonId, TenantId},
    store::{About, CaseFilter, NewCase},
};

#[derive(Debug, Serialize)]
pub(super) struct CaseView {
    id: CaseId,
    #[serde(rename = "type")]
    case_type: CaseType,
    title: String,
    state: CaseState,
    asset: Option<Named<AssetId>>,
    machine: Option<MachineId>,
    operator: Option<TenantId>,
    provider: Option<TenantId>,
    /// Null where there can be none.
    switch: Option<SwitchView>,
    assignee: Option<Named<PersonId>>,
    created_by: Named<PersonId>,
    created_at: Wall,
    closed_at: Option<Wall>,
}

impl CaseView {
    async fn of(desk: &Desk, case: Case, now: Now) -> Result<Self, Problem> {
        let asset = match case.asset() {
            Some(asset) => Some(desk.asset_name(asset).await?),
            None => None,
        };
        let assignee = match &case.assignee {
            Some(person) => Some(desk.person_name(person).await?),
            None => None,
        };
        Ok(Self {
            case_type: case.case_type(),
            asset,
            machine: case.machine().cloned(),
            operator: case.operator().cloned(),
            provider: case.provider().cloned(),
            switch: case.switch().map(|switch| SwitchView::of(switch, now.wall)),
            assignee,
            created_by: desk.person_name(&case.created_by).await?,
            id: case.id,
            title: case.title,
            state: case.state,
            created_at: case.created_at,
            closed_at: case.closed_at,
        })
    }
}

/// `GET /cases`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    #[serde(rename = "type")]
    case_type: Option<CaseType>,
    state: Option<CaseState>,
    asset: Option<AssetId>,
    q: Option<String>,
    cursor: Option<String>,
}

pub(super) async fn list(
    State(desk): State<Desk>,
    caller: Caller,
    Query(Filter { case_type, state, asset, q, cursor }): Query<Filter>,
) -> Result<Json<Items<CaseView>>, Problem> {
    let filter = CaseFilter { case_type, state, asset, text: q.filter(|q| !q.is_empty()) };
    let now = Now::read();
    let found = desk.store.cases(&caller.person.id, &filter, &page(cursor), now).await?;
    let mut items = Vec::with_capacity(found.items.len());
    for case in found.items {
        items.push(CaseView::of(&desk, case, now).await?);
    }
    Ok(Json(Items { items, next: found.next }))
}

/// `POST /cases`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    #[serde(rename = "type")]
    case_type: CaseType,
    asset: Option<AssetId>,
    machine: Option<MachineId>,
    title: String,
}

pub(super) async fn create(
    State(desk): State<Desk>,
    caller: Caller,
    Body(Ask { case_type, asset, machine, title }): Body<Ask>,
) -> Result<(StatusCode, Json<CaseView>), Problem> {
    let about = match (asset, machine) {
        (Some(asset), None) => About::Asset(asset),
        (None, Some(machine)) => About::Machine(machine),
        (None, None) | (Some(_), Some(_)) => {
            return Err(Problem::invalid("expected exactly one of asset and machine"));
        }
    };
    let about_asset = matches!(about, About::Asset(_));
    if about_asset == (case_type == CaseType::ProviderInternal) {
        let detail = "a provider_internal case is about a machine, the others about an asset";
        return Err(Problem::invalid(detail));
    }
    let new = NewCase { case_type, about, title: text("title", &title)? };
    let now = Now::read();
    let written = desk.store.create_case(&caller.by, &new, now).await?;
    Ok((StatusCode::CREATED, Json(CaseView::of(&desk, written.value, now).await?)))
}

/// `GET /cases/{case}`
pub(super) async fn show(
    State(desk): State<Desk>,
    caller: Caller,
    Path(case): Path<CaseId>,
) -> Result<Json<CaseView>, Problem> {
    let now = Now::read();
    let case = desk.store.case(&caller.person.id, &case, now).await?;
    let case = case.ok_or_else(Problem::not_found)?;
    Ok(Json(CaseView::of(&desk, case, now).await?))
}

/// `PATCH /cases/{case}`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    state: Option<CaseState>,
    /// Null takes the case from whoever has it.
    #[serde(default, deserialize_with = "given")]
    assignee: Option<Option<PersonId>>,
}

pub(super) async fn change(
    State(desk): State<Desk>,
    caller: Caller,
    Path(case): Path<CaseId>,
    Body(change): Body<Change>,
) -> Result<Json<CaseView>, Problem> {
    let now = Now::read();
    let written = match change {
        Change { state: Some(state), assignee: None } => {
            desk.store.change_case_state(&caller.by, &case, state, now).await?
        }
        Change { state: None, assignee: Some(to) } => {
            desk.store.assign_case(&caller.by, &case, to.as_ref(), now).await?
        }
        Change { state: None, assignee: None } | Change { state: Some(_), assignee: Some(_) } => {
            return Err(Problem::invalid("expected exactly one of state and assignee"));
        }
    };
    desk.settled(written.revision).await;
    Ok(Json(CaseView::of(&desk, written.value, now).await?))
}

/// `PUT /cases/{case}/remote-access`
pub(super) async fn switch(
    State(desk): State<Desk>,
    caller: Caller,
    Path(case): Path<CaseId>,
    Body(body): Body<SwitchBody>,
) -> Result<Json<Turned>, Problem> {
    let now = Now::read();
    let ask = body.checked(now.wall)?;
    let switched = desk.store.switch_case(&caller.by, &case, &ask, now).await?;
    Ok(Json(Turned::settle(&desk, switched).await))
}
