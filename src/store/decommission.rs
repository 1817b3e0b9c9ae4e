//! Decommission: an edge device goes back to its owner (domain.md E, the newer rule).
//!
//! ```text
//!   paired ── begin ──> resetting ── no session left ── finish ──> unpaired
//!             nobody is let through it:                  asset unpaired, then the key
//!             its sessions end (T8)                      and open tokens are void
//! ```
//!
//! What always holds: its owner alone begins it, and only while the device is online; no key is void
//! before the last session through the device is over, and no asset is unpaired before that.
//! A device of several assets is only unpaired from the one: its key and the others stay.
//!
//! The device is not told to reset itself: the wire has no such message, and so `reset_sent` stays
//! false. Until there is one, whoever stands at the device removes its directory.
//!
//! INF: the link between asset and provider stays. It is about the machine, not the device: the
//! machine becomes *unconnected* (domain.md A), and without a device nobody can reach it.

use sqlx::SqliteConnection;

use super::{
    By, Object, Store, StoreError, WriteError, Written,
    act::Allowed,
    devices::{device_of, is_multi, put, write_device},
    rows::Cells,
};
use crate::{
    audit::Event,
    authz::Action,
    clock::Now,
    ids::{AssetId, DeviceId},
    machines::DeviceState,
};

/// How far a decommission is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decommission {
    pub asset: AssetId,
    pub device: DeviceId,
    pub state: DeviceState,
    /// Whether the device was told to reset itself.
    pub reset_sent: bool,
    /// Whether the device serves others: then it keeps its key.
    pub multi: bool,
    /// Sessions through it that are not over.
    pub sessions: u64,
}

/// A decommission that was allowed and has begun: the way to its end.
#[derive(Debug)]
#[must_use = "a device that is never let go stays unusable"]
pub struct Resetting {
    by: By,
    begun: Decommission,
}

impl Resetting {
    /// How far it was when it began.
    #[must_use]
    pub fn begun(&self) -> &Decommission {
        &self.begun
    }
}

impl Store {
    /// Begins to decommission the device of an asset. Asked again, it goes on from where it stands.
    ///
    /// # Errors
    ///
    /// [`WriteError`]: `not_owner`, `edge_offline`, `no_edge` among the reasons.
    pub async fn begin_decommission(
        &self,
        by: &By,
        asset: &AssetId,
        now: Now,
    ) -> Result<Written<Resetting>, WriteError> {
        let mut allowed =
            self.on_asset(by, asset, Action::Decommission(asset.clone()), now).await?;
        let paired = allowed.facts.asset.as_ref().and_then(|asset| asset.device.clone());
        let Some(device) = paired else { return Err(allowed.not_found().await) };
        let begun = is_open(allowed.rows(), &device).await?;
        let multi = is_multi(allowed.rows(), &device).await?;
        if multi {
            put(&mut allowed, asset, Some(&device), None).await?;
        } else if !begun {
            open(&mut allowed, asset, &device, now).await?;
        }
        let sessions = live(allowed.rows(), &device).await?;
        let state = if multi { DeviceState::Unpaired } else { DeviceState::Resetting };
        let begun = Decommission {
            asset: asset.clone(),
            device,
            state,
            reset_sent: false,
            multi,
            sessions,
        };
        Ok(allowed.written(Resetting { by: by.clone(), begun }).await?)
    }

    /// Ends a decommission, if every session through the device is over; else it stays where it is,
    /// and is asked for again.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn finish_decommission(
        &self,
        resetting: &Resetting,
        now: Now,
    ) -> Result<Written<Decommission>, WriteError> {
        let Resetting { by, begun } = resetting;
        let mut allowed =
            self.on_asset(by, &begun.asset, Action::Decommission(begun.asset.clone()), now).await?;
        let sessions = live(allowed.rows(), &begun.device).await?;
        let so_far = Decommission { sessions, ..begun.clone() };
        let there = is_open(allowed.rows(), &begun.device).await?;
        if begun.state != DeviceState::Resetting || sessions > 0 || !there {
            return Ok(allowed.written(so_far).await?);
        }
        // In this order: who else could reach it, then what it could come back with.
        put(&mut allowed, &begun.asset, Some(&begun.device), None).await?;
        void(&mut allowed, &begun.device).await?;
        sqlx::query(
            "UPDATE decommissions SET ended_at = $2 WHERE device = $1 AND ended_at IS NULL",
        )
        .bind(begun.device.as_str())
        .bind(now.wall.0)
        .execute(allowed.rows())
        .await?;
        told(&mut allowed, &begun.asset, &begun.device, Event::DeviceDecommissioned);
        Ok(allowed.written(Decommission { state: DeviceState::Unpaired, ..so_far }).await?)
    }
}

/// Whether the device is on its way back to its owner.
pub(super) async fn is_open(
    conn: &mut SqliteConnection,
    device: &DeviceId,
) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT 1 FROM decommissions WHERE device = $1 AND ended_at IS NULL")
        .bind(device.as_str())
        .fetch_optional(conn)
        .await?;
    Ok(row.is_some())
}

async fn open(
    allowed: &mut Allowed,
    asset: &AssetId,
    device: &DeviceId,
    now: Now,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO decommissions (device, asset, began_at) VALUES ($1, $2, $3)")
        .bind(device.as_str())
        .bind(asset.as_str())
        .bind(now.wall.0)
        .execute(allowed.rows())
        .await?;
    told(allowed, asset, device, Event::DeviceResetting);
    Ok(())
}

/// Its key, and tokens that would give it another, are let in no more. It stays its owner's, who may
/// enrol it anew.
async fn void(allowed: &mut Allowed, device: &DeviceId) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM enrolments WHERE device = $1 AND used_at IS NULL")
        .bind(device.as_str())
        .execute(allowed.rows())
        .await?;
    if let Some(mut row) = device_of(allowed.rows(), device).await? {
        row.key = None;
        write_device(allowed.rows(), &row).await?;
    }
    Ok(())
}

fn told(allowed: &mut Allowed, asset: &AssetId, device: &DeviceId, event: Event) {
    allowed.touch(Object::Asset(asset.clone()));
    allowed.touch(Object::Device(device.clone()));
    let (asset, device) = (asset.clone(), device.clone());
    allowed.tell(event, |record| {
        record.object = Some(format!("device/{device}"));
        record.asset = Some(asset);
        record.new = Some("reset_sent: no".to_owned());
    });
}

/// Sessions through the device that are not over.
async fn live(conn: &mut SqliteConnection, device: &DeviceId) -> Result<u64, StoreError> {
    let row =
        sqlx::query("SELECT COUNT(*) AS live FROM sessions WHERE device = $1 AND ended_at IS NULL")
            .bind(device.as_str())
            .fetch_one(conn)
            .await?;
    Cells::of("sessions", &row).count("live")
}
