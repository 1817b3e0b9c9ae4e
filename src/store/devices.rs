//! Edge devices: made, enrolled, paired, revoked.
//!
//! What always holds: a device that is not `multi` serves one asset at most; the database holds that
//! too.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sqlx::SqliteConnection;

use super::{
    By, Conflict, Object, Store, StoreError, Subject, WriteError, Written,
    act::{Act, Allowed, Ask},
    decommission,
    rows::Cells,
};
use crate::{
    audit::{Actor, Entry, Event},
    authz::Action,
    clock::{Now, Wall},
    ids::{AssetId, DeviceId, KeyDigest, TenantId},
    machines::{Asset, Device, DeviceState},
    secret::{Secret, SecretText},
    tenancy::{Permission, Side},
};

/// How long an enrolment token may be spent.
pub const ENROLMENT_LASTS: Duration = Duration::from_secs(24 * 60 * 60);
/// An enrolment token's length: 256 bits that nobody guesses.
const TOKEN_BYTES: usize = 32;

/// A device that somebody wants, in the tenant of who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDevice {
    /// Chosen by the gateway where none is given.
    pub id: Option<DeviceId>,
    pub name: String,
    /// Whether it may serve several assets.
    pub multi: bool,
}

/// A device with what is kept beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceEntry {
    pub device: Device,
    /// Whether it may serve several assets.
    pub multi: bool,
    pub state: DeviceState,
    /// The assets that it is paired with.
    pub assets: Vec<AssetId>,
}

/// A one-time token, shown once; the store keeps its digest.
#[derive(Clone, Debug)]
pub struct Enrolment {
    pub token: SecretText,
    pub expires: Wall,
}

/// Why a device was not enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    #[error("this enrolment token is unknown; ask an administrator for a new one")]
    Unknown,
    #[error("this enrolment token was already used; ask an administrator for a new one")]
    Used,
    #[error("this enrolment token has expired; ask an administrator for a new one")]
    Expired,
    #[error("the device was revoked; ask an administrator")]
    Revoked,
    #[error("this key is another device's; make a new one")]
    KeyTaken,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Creates a device in the tenant of who asks.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn create_device(
        &self,
        by: &By,
        new: &NewDevice,
        now: Now,
    ) -> Result<Written<Device>, WriteError> {
        if new.name.trim().is_empty() || new.name.len() > 200 {
            return Err(Conflict::Invalid("a device's name has 1 to 200 bytes").into());
        }
        let mut allowed = self.managing_devices(by, None, now).await?;
        let Some(owner) = allowed.tenant().cloned() else { return Err(allowed.not_found().await) };
        let id = match &new.id {
            Some(id) => id.clone(),
            None => super::fresh_id()?,
        };
        if device_of(allowed.rows(), &id).await?.is_some() {
            return Err(Conflict::Exists(format!("a device {id}")).into());
        }
        let device = Device { id, owner, name: new.name.clone(), key: None, active: true };
        insert_device(allowed.rows(), &device, new.multi).await?;
        told(&mut allowed, &device, Event::DeviceCreated);
        Ok(allowed.written(device).await?)
    }

    /// A new one-time token for a device; those given out before are void.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn new_enrolment(
        &self,
        by: &By,
        device: &DeviceId,
        now: Now,
    ) -> Result<Written<Enrolment>, WriteError> {
        let mut allowed = self.managing_devices(by, Some(device), now).await?;
        let Some(device) = own(&mut allowed, device).await? else {
            return Err(allowed.not_found().await);
        };
        if !device.active {
            return Err(Conflict::Invalid("the device was revoked; create a new one").into());
        }
        let token = fresh_token()?;
        let expires = now.wall.plus(ENROLMENT_LASTS);
        sqlx::query("DELETE FROM enrolments WHERE device = $1 AND used_at IS NULL")
            .bind(device.id.as_str())
            .execute(allowed.rows())
            .await?;
        sqlx::query("INSERT INTO enrolments (digest, device, expires) VALUES ($1, $2, $3)")
            .bind(token_digest(&token))
            .bind(device.id.as_str())
            .bind(expires.0)
            .execute(allowed.rows())
            .await?;
        told(&mut allowed, &device, Event::EnrolmentIssued);
        Ok(allowed.written(Enrolment { token, expires }).await?)
    }

    /// Spends a token and registers `key` as the device's, in one transaction.
    ///
    /// # Errors
    ///
    /// [`EnrolError`].
    pub async fn consume_enrolment(
        &self,
        token: &SecretText,
        key: KeyDigest,
        now: Now,
    ) -> Result<Device, EnrolError> {
        let mut act = self.act().await?;
        match spend(&mut act, token, key, now).await {
            Ok(device) => {
                device_told(&mut act, &device, Event::DeviceEnrolled, now);
                act.commit().await?;
                Ok(device)
            }
            // What the token was meant for is known, and somebody holds it who should not.
            Err(fault @ (EnrolError::Used | EnrolError::Expired | EnrolError::Revoked)) => {
                drop(act);
                let mut entry = Entry::new(now.wall, Actor::Nobody, Event::EnrolmentRefused);
                entry.done = false;
                entry.reason = Some(fault.to_string());
                self.record(&entry).await?;
                Err(fault)
            }
            Err(fault) => Err(fault),
        }
    }

    /// No longer lets the device's key in.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn revoke_device(
        &self,
        by: &By,
        device: &DeviceId,
        now: Now,
    ) -> Result<Written<Device>, WriteError> {
        let mut allowed = self.managing_devices(by, Some(device), now).await?;
        let Some(mut device) = own(&mut allowed, device).await? else {
            return Err(allowed.not_found().await);
        };
        device.active = false;
        write_device(allowed.rows(), &device).await?;
        sqlx::query("DELETE FROM enrolments WHERE device = $1 AND used_at IS NULL")
            .bind(device.id.as_str())
            .execute(allowed.rows())
            .await?;
        told(&mut allowed, &device, Event::DeviceRevoked);
        Ok(allowed.written(device).await?)
    }

    /// Pairs a device with an asset, in place of the one before; with none: unpairs.
    ///
    /// INF: a device is its owner's to pair and to take away (domain.md E, the newer rule of
    /// decommissioning); whoever runs the machine has its switches.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn pair_device(
        &self,
        by: &By,
        asset: &AssetId,
        device: Option<&DeviceId>,
        now: Now,
    ) -> Result<Written<Asset>, WriteError> {
        let action = Action::PairDevice(asset.clone());
        let mut allowed = self.on_asset(by, asset, action, now).await?;
        let Some(mut asset) = allowed.facts.asset.clone() else {
            return Err(allowed.not_found().await);
        };
        if let Some(wanted) = device {
            // One's own devices alone: another tenant's is not known to be there.
            let Some(found) = own(&mut allowed, wanted).await? else {
                return Err(allowed.not_found().await);
            };
            fit(allowed.rows(), &found, &asset.id).await?;
            onboarded(&mut allowed).await?;
        }
        let before = std::mem::replace(&mut asset.device, device.cloned());
        put(&mut allowed, &asset.id, before.as_ref(), device).await?;
        Ok(allowed.written(asset).await?)
    }

    /// A device, whoever asks.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn device(&self, device: &DeviceId) -> Result<Option<Device>, StoreError> {
        let mut reading = self.reading().await?;
        device_of(&mut reading, device).await
    }

    /// A tenant's devices, each with the assets that it serves.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn devices(&self, owner: &TenantId) -> Result<Vec<DeviceEntry>, StoreError> {
        let mut reading = self.reading().await?;
        let rows = sqlx::query(
            "SELECT d.id, d.owner, d.name, d.key_digest, d.active, d.multi, a.id AS asset, \
                    (SELECT COUNT(*) FROM decommissions o \
                     WHERE o.device = d.id AND o.ended_at IS NULL) AS resetting \
             FROM devices d LEFT JOIN assets a ON a.device = d.id \
             WHERE d.owner = $1 ORDER BY d.id, a.id",
        )
        .bind(owner.as_str())
        .fetch_all(&mut *reading)
        .await?;
        let mut entries: Vec<DeviceEntry> = Vec::new();
        for row in &rows {
            let cells = Cells::of("devices", row);
            let (device, asset) = (device_in(&cells)?, cells.id_or_none("asset")?);
            match entries.last_mut() {
                Some(last) if last.device.id == device.id => last.assets.extend(asset),
                Some(_) | None => entries.push(DeviceEntry {
                    state: state(cells.flag("resetting")?, asset.is_some()),
                    device,
                    multi: cells.flag("multi")?,
                    assets: asset.into_iter().collect(),
                }),
            }
        }
        Ok(entries)
    }
}

fn state(resetting: bool, paired: bool) -> DeviceState {
    match (resetting, paired) {
        (true, _) => DeviceState::Resetting,
        (false, true) => DeviceState::Paired,
        (false, false) => DeviceState::Unpaired,
    }
}

/// Whether a device may be paired with `asset`: let in, not on its way back to its owner, and of no
/// other asset unless it serves several.
async fn fit(
    conn: &mut SqliteConnection,
    device: &Device,
    asset: &AssetId,
) -> Result<(), WriteError> {
    if !device.active {
        return Err(Conflict::Invalid("the device was revoked").into());
    }
    if decommission::is_open(conn, &device.id).await? {
        return Err(Conflict::InUse("the device is being decommissioned: wait until it is").into());
    }
    let other = sqlx::query("SELECT id FROM assets WHERE device = $1 AND id <> $2 LIMIT 1")
        .bind(device.id.as_str())
        .bind(asset.as_str())
        .fetch_optional(&mut *conn)
        .await?;
    if other.is_some() && !is_multi(conn, &device.id).await? {
        let served = "the device serves another asset: unpair it there, or make one that serves \
                      several";
        return Err(Conflict::InUse(served).into());
    }
    Ok(())
}

/// Refuses a provider's pairing for a customer that is not on board yet (domain.md E).
async fn onboarded(allowed: &mut Allowed) -> Result<(), WriteError> {
    let Some(machine) = allowed.facts.machine.clone() else { return Ok(()) };
    if allowed.grant.side() != Some(Side::Provider) {
        return Ok(());
    }
    let waits =
        sqlx::query("SELECT 1 FROM customers WHERE provider = $1 AND id = $2 AND tenant IS NULL")
            .bind(machine.provider.as_str())
            .bind(machine.customer.as_str())
            .fetch_optional(allowed.rows())
            .await?;
    match waits {
        Some(_) => Err(Conflict::NotOnboarded.into()),
        None => Ok(()),
    }
}

pub(super) async fn is_multi(
    conn: &mut SqliteConnection,
    device: &DeviceId,
) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT multi FROM devices WHERE id = $1")
        .bind(device.as_str())
        .fetch_optional(conn)
        .await?;
    row.map_or(Ok(false), |row| Cells::of("devices", &row).flag("multi"))
}

/// Writes which device an asset is paired with, and has it recorded.
pub(super) async fn put(
    allowed: &mut Allowed,
    asset: &AssetId,
    before: Option<&DeviceId>,
    after: Option<&DeviceId>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE assets SET device = $2 WHERE id = $1")
        .bind(asset.as_str())
        .bind(after.map(DeviceId::as_str))
        .execute(allowed.rows())
        .await?;
    allowed.touch(Object::Asset(asset.clone()));
    for touched in before.into_iter().chain(after) {
        allowed.touch(Object::Device(touched.clone()));
    }
    let event = if after.is_some() { Event::DevicePaired } else { Event::DeviceUnpaired };
    let (asset, old, new) = (asset.clone(), before.cloned(), after.cloned());
    allowed.tell(event, |entry| {
        entry.asset = Some(asset);
        entry.old = old.map(|device| device.to_string());
        entry.new = new.map(|device| device.to_string());
    });
    Ok(())
}

impl Store {
    async fn managing_devices(
        &self,
        by: &By,
        device: Option<&DeviceId>,
        now: Now,
    ) -> Result<Allowed, WriteError> {
        let object = device.map(|device| format!("device/{device}"));
        let subject = Subject::of(by.person.clone());
        let ask = Ask { by, subject, refused: Event::Refused, object, now };
        self.judged(ask, |_| Action::Own(Permission::ManageDevices)).await
    }
}

impl From<sqlx::Error> for EnrolError {
    fn from(fault: sqlx::Error) -> Self {
        Self::Store(fault.into())
    }
}

fn fresh_token() -> Result<SecretText, StoreError> {
    let bytes = Secret::<TOKEN_BYTES>::fresh()?;
    Ok(SecretText::new(URL_SAFE_NO_PAD.encode(bytes.expose())))
}

fn token_digest(token: &SecretText) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, token.expose().trim().as_bytes()))
}

/// Marks the token spent and gives the device its key.
async fn spend(
    act: &mut Act,
    token: &SecretText,
    key: KeyDigest,
    now: Now,
) -> Result<Device, EnrolError> {
    let token = token_digest(token);
    let row = sqlx::query("SELECT device, expires, used_at FROM enrolments WHERE digest = $1")
        .bind(&token)
        .fetch_optional(act.rows())
        .await?
        .ok_or(EnrolError::Unknown)?;
    let cells = Cells::of("enrolments", &row);
    if cells.wall_or_none("used_at")?.is_some() {
        return Err(EnrolError::Used);
    }
    if cells.wall("expires")? <= now.wall {
        return Err(EnrolError::Expired);
    }
    let device: DeviceId = cells.id("device")?;
    let mut device = device_of(act.rows(), &device).await?.ok_or(EnrolError::Unknown)?;
    if !device.active {
        return Err(EnrolError::Revoked);
    }
    key_free(act.rows(), key, &device.id).await?;
    device.key = Some(key);
    write_device(act.rows(), &device).await?;
    sqlx::query("UPDATE enrolments SET used_at = $2 WHERE digest = $1")
        .bind(&token)
        .bind(now.wall.0)
        .execute(act.rows())
        .await?;
    Ok(device)
}

/// Refuses a key that another device has.
async fn key_free(
    conn: &mut SqliteConnection,
    key: KeyDigest,
    device: &DeviceId,
) -> Result<(), EnrolError> {
    let other = sqlx::query("SELECT id FROM devices WHERE key_digest = $1 AND id <> $2")
        .bind(key.to_string())
        .bind(device.as_str())
        .fetch_optional(conn)
        .await?;
    if other.is_some() { Err(EnrolError::KeyTaken) } else { Ok(()) }
}

/// The device, if the tenant of who asks owns it.
async fn own(allowed: &mut Allowed, device: &DeviceId) -> Result<Option<Device>, StoreError> {
    let found = device_of(allowed.rows(), device).await?;
    Ok(found.filter(|one| Some(&one.owner) == allowed.tenant()))
}

fn told(allowed: &mut Allowed, device: &Device, event: Event) {
    allowed.touch(Object::Device(device.id.clone()));
    allowed.tell(event, |entry| {
        entry.object = Some(format!("device/{}", device.id));
        entry.new = Some(device.name.clone());
    });
}

fn device_told(act: &mut Act, device: &Device, event: Event, now: Now) {
    act.touch(Object::Device(device.id.clone()));
    let mut entry = Entry::new(now.wall, Actor::Device(device.id.clone()), event);
    entry.actor_name.clone_from(&device.name);
    entry.tenant = Some(device.owner.clone());
    entry.object = Some(format!("device/{}", device.id));
    entry.new = device.key.map(|key| key.to_string());
    act.tell(entry);
}

pub(super) async fn insert_device(
    conn: &mut SqliteConnection,
    device: &Device,
    multi: bool,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO devices (id, owner, name, key_digest, active, multi) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(device.id.as_str())
    .bind(device.owner.as_str())
    .bind(&device.name)
    .bind(device.key.map(|key| key.to_string()))
    .bind(i64::from(device.active))
    .bind(i64::from(multi))
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes what may change of a device.
pub(super) async fn write_device(
    conn: &mut SqliteConnection,
    device: &Device,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE devices SET name = $2, key_digest = $3, active = $4 WHERE id = $1")
        .bind(device.id.as_str())
        .bind(&device.name)
        .bind(device.key.map(|key| key.to_string()))
        .bind(i64::from(device.active))
        .execute(conn)
        .await?;
    Ok(())
}

pub(super) fn device_in(cells: &Cells<'_>) -> Result<Device, StoreError> {
    Ok(Device {
        id: cells.id("id")?,
        owner: cells.id("owner")?,
        name: cells.text("name")?,
        key: cells.id_or_none("key_digest")?,
        active: cells.flag("active")?,
    })
}

pub(super) async fn device_of(
    conn: &mut SqliteConnection,
    device: &DeviceId,
) -> Result<Option<Device>, StoreError> {
    let row = sqlx::query("SELECT id, owner, name, key_digest, active FROM devices WHERE id = $1")
        .bind(device.as_str())
        .fetch_optional(conn)
        .await?;
    row.map(|row| device_in(&Cells::of("devices", &row))).transpose()
}
