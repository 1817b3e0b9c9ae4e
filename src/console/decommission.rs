//! Decommission: an edge device goes back to its owner (domain.md E).

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use tokio::time::sleep;

use super::{caller::Caller, desk::Desk, input::Path, problem::Problem};
use crate::{
    clock::Now,
    ids::{AssetId, DeviceId},
    machines::DeviceState,
    store::Decommission,
};

/// How often it is looked whether the last session's end is on disk, and how long in between. Past
/// that the answer says `resetting`, and asking again goes on from there.
const LOOKS_MAX: u32 = 20;
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How far it is.
#[derive(Debug, Serialize)]
pub(super) struct DecommissionView {
    asset: AssetId,
    device: DeviceId,
    state: DeviceState,
    /// Whether the device was told to reset itself; false: whoever stands there resets it.
    reset_sent: bool,
    /// Whether it serves other assets: then it stays as it is.
    multi: bool,
    /// Sessions through it that are not over.
    sessions: u64,
}

impl From<Decommission> for DecommissionView {
    fn from(so_far: Decommission) -> Self {
        let Decommission { asset, device, state, reset_sent, multi, sessions } = so_far;
        Self { asset, device, state, reset_sent, multi, sessions }
    }
}

/// `POST /assets/{asset}/decommission`: sessions end, then the asset is unpaired and the key void.
/// `202` while sessions are not over.
pub(super) async fn decommission(
    State(desk): State<Desk>,
    caller: Caller,
    Path(asset): Path<AssetId>,
) -> Result<(StatusCode, Json<DecommissionView>), Problem> {
    let begun = desk.store.begin_decommission(&caller.by, &asset, Now::read()).await?;
    desk.settled(begun.revision).await;
    let resetting = begun.value;
    let mut so_far = resetting.begun().clone();
    for look in 0..LOOKS_MAX {
        if so_far.state != DeviceState::Resetting {
            break;
        }
        if look > 0 {
            sleep(LOOK_EVERY).await;
        }
        let done = desk.store.finish_decommission(&resetting, Now::read()).await?;
        so_far = done.value;
    }
    let status = match so_far.state {
        DeviceState::Resetting => StatusCode::ACCEPTED,
        DeviceState::Paired | DeviceState::Unpaired => StatusCode::OK,
    };
    Ok((status, Json(so_far.into())))
}
