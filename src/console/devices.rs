//! Edge devices of the caller's own tenant.

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
    authz::{Action, Presence, PresenceOf},
    clock::{Now, Wall},
    ids::{AssetId, DeviceId, TenantId},
    machines::DeviceState,
    store::{DeviceEntry, Enrolment, NewDevice},
    tenancy::Permission,
};

#[derive(Debug, Serialize)]
pub(super) struct DeviceView {
    id: DeviceId,
    name: String,
    owner: TenantId,
    /// Whether it may serve several assets.
    multi: bool,
    state: DeviceState,
    assets: Vec<AssetId>,
    /// Whether it has a key.
    enrolled: bool,
    /// Whether its key is let in.
    active: bool,
    presence: Presence,
    online: bool,
}

impl DeviceView {
    fn of(desk: &Desk, entry: DeviceEntry) -> Self {
        let DeviceEntry { device, multi, state, assets } = entry;
        let presence = desk.broker.registry().presence(&device.id);
        Self {
            enrolled: device.key.is_some(),
            id: device.id,
            name: device.name,
            owner: device.owner,
            multi,
            state,
            assets,
            active: device.active,
            presence,
            online: presence != Presence::Offline,
        }
    }
}

/// `GET /devices`
pub(super) async fn list(
    State(desk): State<Desk>,
    caller: Caller,
) -> Result<Json<Items<DeviceView>>, Problem> {
    let _grant = desk.may(&caller.person.id, Action::Own(Permission::ReadDevices)).await?;
    let devices = desk.store.devices(&caller.person.tenant).await?;
    let items = devices.into_iter().map(|device| DeviceView::of(&desk, device)).collect();
    Ok(Json(Items { items, next: None }))
}

/// `POST /devices`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    id: Option<DeviceId>,
    name: String,
    /// Whether it may serve several assets.
    #[serde(default)]
    multi: bool,
}

pub(super) async fn create(
    State(desk): State<Desk>,
    caller: Caller,
    Body(Ask { id, name, multi }): Body<Ask>,
) -> Result<(StatusCode, Json<DeviceView>), Problem> {
    let new = NewDevice { id, name: text("name", &name)?, multi };
    let written = desk.store.create_device(&caller.by, &new, Now::read()).await?;
    let (state, assets) = (DeviceState::Unpaired, Vec::new());
    let entry = DeviceEntry { device: written.value, multi, state, assets };
    Ok((StatusCode::CREATED, Json(DeviceView::of(&desk, entry))))
}

/// `POST /devices/{device}/enrolment`
#[derive(Debug, Serialize)]
pub(super) struct EnrolmentView {
    /// Shown this once.
    token: String,
    expires_at: Wall,
}

pub(super) async fn enrolment(
    State(desk): State<Desk>,
    caller: Caller,
    Path(device): Path<DeviceId>,
) -> Result<(StatusCode, Json<EnrolmentView>), Problem> {
    let written = desk.store.new_enrolment(&caller.by, &device, Now::read()).await?;
    let Enrolment { token, expires } = written.value;
    let view = EnrolmentView { token: token.expose().to_owned(), expires_at: expires };
    Ok((StatusCode::CREATED, Json(view)))
}

/// `DELETE /devices/{device}`: its key is no longer let in; its sessions end.
pub(super) async fn revoke(
    State(desk): State<Desk>,
    caller: Caller,
    Path(device): Path<DeviceId>,
) -> Result<StatusCode, Problem> {
    let written = desk.store.revoke_device(&caller.by, &device, Now::read()).await?;
    desk.settled(written.revision).await;
    Ok(StatusCode::NO_CONTENT)
}
