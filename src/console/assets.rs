//! Assets: the machines as their operator sees them.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};

use super::{
    caller::Caller,
    desk::Desk,
    input::{Body, IfMatch, Path, given, required, text},
    lists::Items,
    problem::Problem,
    switches::{SwitchBody, SwitchView, Turned},
};
use crate::{
    authz::{Presence, PresenceOf},
    clock::{Now, Wall},
    ids::{AssetId, DeviceId, FacilityId, Revision, TenantId},
    machines::AssetStatus,
    store::{AssetChange, AssetEntry, NewAsset},
};

#[derive(Debug, Serialize)]
pub(super) struct AssetView {
    id: AssetId,
    name: String,
    serial: String,
    operator: TenantId,
    facility: Option<FacilityId>,
    active: bool,
    status: AssetStatus,
    /// Whether its operator confirms where tunnels lead that others set up.
    confirm_targets: bool,
    switch: SwitchView,
    device: Option<PairedView>,
    revision: Revision,
}

#[derive(Debug, Serialize)]
struct PairedView {
    id: DeviceId,
    presence: Presence,
    online: bool,
}

impl AssetView {
    pub(super) fn of(desk: &Desk, entry: AssetEntry, now: Wall) -> Self {
        let AssetEntry { asset, status, confirm_targets, revision } = entry;
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
            status,
            confirm_targets,
            device,
            revision,
        }
    }
}

/// `GET /assets`
pub(super) async fn list(
    State(desk): State<Desk>,
    caller: Caller,
) -> Result<Json<Items<AssetView>>, Problem> {
    let now = Now::read();
    let assets = desk.store.asset_entries(&caller.person.id, now).await?;
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
    let entry = AssetEntry {
        status: AssetStatus::of(written.value.active, []),
        confirm_targets: false,
        revision: written.revision,
        asset: written.value,
    };
    Ok((StatusCode::CREATED, Json(AssetView::of(&desk, entry, now.wall))))
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
    shown(&desk, &caller, &asset).await
}

/// `GET /assets/{asset}`
pub(super) async fn show(
    State(desk): State<Desk>,
    caller: Caller,
    Path(asset): Path<AssetId>,
) -> Result<Json<AssetView>, Problem> {
    shown(&desk, &caller, &asset).await
}

async fn shown(desk: &Desk, caller: &Caller, asset: &AssetId) -> Result<Json<AssetView>, Problem> {
    let now = Now::read();
    let found = desk.store.asset_entry(&caller.person.id, asset, now).await?;
    let found = found.ok_or_else(Problem::not_found)?;
    Ok(Json(AssetView::of(desk, found, now.wall)))
}

/// `PATCH /assets/{asset}`: what is not given stays as it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Edit {
    name: Option<String>,
    serial: Option<String>,
    /// Null: in no facility.
    #[serde(default, deserialize_with = "given")]
    facility: Option<Option<FacilityId>>,
    confirm_targets: Option<bool>,
}

pub(super) async fn change(
    State(desk): State<Desk>,
    caller: Caller,
    Path(asset): Path<AssetId>,
    IfMatch(expected): IfMatch,
    Body(Edit { name, serial, facility, confirm_targets }): Body<Edit>,
) -> Result<Json<AssetView>, Problem> {
    let change = AssetChange {
        name: name.map(|name| text("name", &name)).transpose()?,
        serial: serial.map(|serial| text("serial", &serial)).transpose()?,
        facility,
        confirm_targets,
    };
    if change == AssetChange::default() {
        let fields = "name, serial, facility, confirm_targets";
        return Err(Problem::invalid(format!("nothing to change; the fields are {fields}")));
    }
    let now = Now::read();
    let written = desk.store.change_asset(&caller.by, &asset, expected, &change, now).await?;
    desk.settled(written.revision).await;
    Ok(Json(AssetView::of(&desk, written.value, now.wall)))
}

/// `PUT /assets/{asset}/active`: in service or not; out of service, its sessions end.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Service {
    active: bool,
}

pub(super) async fn set_active(
    State(desk): State<Desk>,
    caller: Caller,
    Path(asset): Path<AssetId>,
    Body(Service { active }): Body<Service>,
) -> Result<Json<AssetView>, Problem> {
    let now = Now::read();
    let written = desk.store.set_asset_active(&caller.by, &asset, active, now).await?;
    desk.settled(written.revision).await;
    Ok(Json(AssetView::of(&desk, written.value, now.wall)))
}
