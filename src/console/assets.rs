//! Assets: the machines as their operator sees them.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};

use super::{
    caller::Caller,
    desk::Desk,
    input::{Body, Path, required, text},
    lists::Items,
    problem::Problem,
    switches::{SwitchBody, SwitchView, Turned},
};
use crate::{
    authz::{Presence, PresenceOf},
    clock::{Now, Wall},
    ids::{AssetId, DeviceId, FacilityId, TenantId},
    machines::Asset,
    store::NewAsset,
};

#[derive(Debug, Serialize)]
pub(super) struct AssetView {
    id: AssetId,
    name: String,
    serial: String,
    operator: TenantId,
    facility: Option<FacilityId>,
    active: bool,
    switch: SwitchView,
    device: Option<PairedView>,
}

#[derive(Debug, Serialize)]
struct PairedView {
    id: DeviceId,
    presence: Presence,
    online: bool,
}

impl AssetView {
    fn of(desk: &Desk, asset: Asset, now: Wall) -> Self {
        let device = asset.device.map(|id| {
            let presence = desk.broker.registry().presence(&id);
            PairedView { id, presence, online: presence != Presence::Offline }
        });
        Self {
            switch: SwitchView::of(&asset.switch, now),
            id: asset.id,
            name: asset.name,
            serial: asset.serial,
            operator: asset.operator,
            facility: asset.facility,
            active: asset.active,
            device,
        }
    }
}

/// `GET /assets`
pub(super) async fn list(
    State(desk): State<Desk>,
    caller: Caller,
) -> Result<Json<Items<AssetView>>, Problem> {
    let now = Now::read();
    let assets = desk.store.assets(&caller.person.id, now).await?;
    let items = assets.into_iter().map(|asset| AssetView::of(&desk, asset, now.wall)).collect();
    Ok(Json(Items { items, next: None }))
}

/// `POST /assets`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    id: Option<AssetId>,
    name: String,
    serial: String,
    facility: Option<FacilityId>,
}

pub(super) async fn create(
    State(desk): State<Desk>,
    caller: Caller,
    Body(Ask { id, name, serial, facility }): Body<Ask>,
) -> Result<(StatusCode, Json<AssetView>), Problem> {
    let (name, serial) = (text("name", &name)?, text("serial", &serial)?);
    let new = NewAsset { id, name, serial, facility };
    let now = Now::read();
    let written = desk.store.create_asset(&caller.by, &new, now).await?;
    Ok((StatusCode::CREATED, Json(AssetView::of(&desk, written.value, now.wall))))
}

/// `PUT /assets/{asset}/remote-access`
pub(super) async fn switch(
    State(desk): State<Desk>,
    caller: Caller,
    Path(asset): Path<AssetId>,
    Body(body): Body<SwitchBody>,
) -> Result<Json<Turned>, Problem> {
    let now = Now::read();
    let ask = body.checked(now.wall)?;
    let switched = desk.store.switch_asset(&caller.by, &asset, &ask, now).await?;
    Ok(Json(Turned::settle(&desk, switched).await))
}

/// `PUT /assets/{asset}/device`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pairing {
    /// Null unpairs.
    #[serde(deserialize_with = "required")]
    device: Option<DeviceId>,
}

pub(super) async fn pair(
    State(desk): State<Desk>,
    caller: Caller,
    Path(asset): Path<AssetId>,
    Body(Pairing { device }): Body<Pairing>,
) -> Result<Json<AssetView>, Problem> {
    let now = Now::read();
    let written = desk.store.pair_device(&caller.by, &asset, device.as_ref(), now).await?;
    desk.settled(written.revision).await;
    Ok(Json(AssetView::of(&desk, written.value, now.wall)))
}
