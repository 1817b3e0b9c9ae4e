//! Facilities of the caller's own tenant.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};

use super::{
    caller::Caller,
    desk::Desk,
    input::{Body, Path, text},
    lists::Items,
    problem::Problem,
};
use crate::{
    authz::Action, clock::Now, ids::FacilityId, store::FacilityEntry, tenancy::Permission,
};

#[derive(Debug, Serialize)]
pub(super) struct FacilityView {
    id: FacilityId,
    name: String,
    /// How many there are.
    assets: u64,
}

impl From<FacilityEntry> for FacilityView {
    fn from(entry: FacilityEntry) -> Self {
        let FacilityEntry { facility, assets } = entry;
        Self { id: facility.id, name: facility.name, assets }
    }
}

/// `GET /facilities`
pub(super) async fn list(
    State(desk): State<Desk>,
    caller: Caller,
) -> Result<Json<Items<FacilityView>>, Problem> {
    let _grant = desk.may(&caller.person.id, Action::Own(Permission::ReadFacilities)).await?;
    Ok(Items::all(desk.store.facilities(&caller.person.tenant).await?))
}

/// `POST /facilities`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    id: Option<FacilityId>,
    name: String,
}

pub(super) async fn create(
    State(desk): State<Desk>,
    caller: Caller,
    Body(Ask { id, name }): Body<Ask>,
) -> Result<(StatusCode, Json<FacilityView>), Problem> {
    let name = text("name", &name)?;
    let written = desk.store.create_facility(&caller.by, id, &name, Now::read()).await?;
    Ok((StatusCode::CREATED, Json(written.value.into())))
}

/// `PATCH /facilities/{facility}`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rename {
    name: String,
}

pub(super) async fn rename(
    State(desk): State<Desk>,
    caller: Caller,
    Path(facility): Path<FacilityId>,
    Body(Rename { name }): Body<Rename>,
) -> Result<Json<FacilityView>, Problem> {
    let name = text("name", &name)?;
    let written = desk.store.rename_facility(&caller.by, &facility, &name, Now::read()).await?;
    Ok(Json(written.value.into()))
}

/// `DELETE /facilities/{facility}`: one that is empty.
pub(super) async fn delete(
    State(desk): State<Desk>,
    caller: Caller,
    Path(facility): Path<FacilityId>,
) -> Result<StatusCode, Problem> {
    desk.store.delete_facility(&caller.by, &facility, Now::read()).await?;
    Ok(StatusCode::NO_CONTENT)
}
