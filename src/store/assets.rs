//! Assets as people see and change them: status, edits, in and out of service, and the history of
//! what was changed on each.

use sqlx::SqliteConnection;

use super::{
    By, Listed, Object, Page, Store, StoreError, Subject, WriteError, Written,
    act::Allowed,
    facilities,
    machines::{asset_in, machines_on},
    records,
    rows::{Cells, kept},
    tunnels::{current, next_revision},
};
use crate::{
    audit::{Event, Row},
    authz::{Action, Decision, Request, decide},
    cases::Switch,
    clock::Now,
    ids::{AssetId, FacilityId, PersonId, Revision},
    machines::{Asset, AssetStatus, CustomerMachine},
};

/// An asset with what is kept beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetEntry {
    pub asset: Asset,
    pub status: AssetStatus,
    /// Whether its operator confirms where tunnels lead that others set up.
    pub confirm_targets: bool,
    /// The change that last wrote it.
    pub revision: Revision,
}

/// What is to be different about an asset; `None`: as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AssetChange {
    pub name: Option<String>,
    pub serial: Option<String>,
    /// `Some(None)`: in no facility.
    pub facility: Option<Option<FacilityId>>,
    pub confirm_targets: Option<bool>,
}

/// What the history of an asset tells of: what was set up or changed, not what ran.
const CHANGES: &[Event] = &[
    Event::AssetCreated,
    Event::AssetChanged,
    Event::AssetActivated,
    Event::AssetDeactivated,
    Event::LinkChanged,
    Event::TunnelCreated,
    Event::TunnelChanged,
    Event::TunnelConfirmed,
    Event::TunnelDeleted,
    Event::DevicePaired,
    Event::DeviceUnpaired,
    Event::DeviceResetting,
    Event::DeviceDecommissioned,
];

impl Store {
    /// The asset, if `who` may read it.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn asset_entry(
        &self,
        who: &PersonId,
        asset: &AssetId,
        now: Now,
    ) -> Result<Option<AssetEntry>, StoreError> {
        let mut reading = self.reading().await?;
        let subject = Subject::asset(who.clone(), asset.clone());
        let action = Action::ReadAsset(asset.clone());
        if !self.allows(&mut reading, &subject, action, now.wall).await? {
            return Ok(None);
        }
        entry_of(&mut reading, asset).await
    }

    /// The assets that `who` may read, with what is kept beside each.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn asset_entries(
        &self,
        who: &PersonId,
        now: Now,
    ) -> Result<Vec<AssetEntry>, StoreError> {
        let assets = self.assets(who, now).await?;
        let mut reading = self.reading().await?;
        let mut entries = Vec::with_capacity(assets.len());
        for asset in assets {
            entries.extend(entry_of(&mut reading, &asset.id).await?);
        }
        Ok(entries)
    }

    /// Changes an asset.
    ///
    /// A move to another facility takes effect at once: who does not cover the new one sees the asset
    /// no more, and their sessions on it end. INF: who moves it covers both, or they would hand it to
    /// people whom they have no say over.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; [`super::Conflict::Stale`] where somebody else wrote it since `expected`.
    pub async fn change_asset(
        &self,
        by: &By,
        asset: &AssetId,
        expected: Option<Revision>,
        change: &AssetChange,
        now: Now,
    ) -> Result<Written<AssetEntry>, WriteError> {
        let mut allowed = self.on_asset(by, asset, Action::EditAsset(asset.clone()), now).await?;
        let Some(old) = entry_of(allowed.rows(), asset).await? else {
            return Err(allowed.not_found().await);
        };
        current(expected, old.revision)?;
        let new = changed(&old, change, next_revision(allowed.rows()).await?);
        if new.asset.facility != old.asset.facility {
            let facility = new.asset.facility.as_ref();
            facilities::known(allowed.rows(), &new.asset.operator, facility).await?;
            allowed.facts.asset = Some(new.asset.clone());
            let action = Action::EditAsset(asset.clone());
            let request = Request { who: by.person.clone(), action, at: now.wall };
            if let Decision::Deny(denial) = decide(request, &allowed.facts) {
                return Err(allowed.denied(denial).await);
            }
        }
        write_entry(allowed.rows(), &new).await?;
        told(&mut allowed, Event::AssetChanged, &old, &new);
        Ok(allowed.written(new).await?)
    }

    /// Takes an asset out of service, or puts it into service again.
    ///
    /// INF: going out of service turns the asset's own switch off, as closing a case does, so that
    /// coming back lets nobody in by itself.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn set_asset_active(
        &self,
        by: &By,
        asset: &AssetId,
        active: bool,
        now: Now,
    ) -> Result<Written<AssetEntry>, WriteError> {
        let mut allowed = self.on_asset(by, asset, Action::EditAsset(asset.clone()), now).await?;
        let Some(old) = entry_of(allowed.rows(), asset).await? else {
            return Err(allowed.not_found().await);
        };
        let mut new = AssetEntry { revision: next_revision(allowed.rows()).await?, ..old.clone() };
        new.asset.active = active;
        if !active {
            new.asset.switch = Switch::default();
        }
        let machines = machines_on(allowed.rows(), asset).await?;
        new.status = status(&new.asset, &machines);
        write_entry(allowed.rows(), &new).await?;
        let event = if active { Event::AssetActivated } else { Event::AssetDeactivated };
        told(&mut allowed, event, &old, &new);
        Ok(allowed.written(new).await?)
    }

    /// What was set up or changed on an asset, oldest first, if `who` may see its tunnels.
    ///
    /// The operator's people see all of it, whoever did it (CON-24). INF: a provider's see what their
    /// own company did: the rest is the operator's business, or another provider's.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn asset_changes(
        &self,
        who: &PersonId,
        asset: &AssetId,
        page: &Page,
        now: Now,
    ) -> Result<Option<Listed<Row>>, StoreError> {
        let mut reading = self.reading().await?;
        let subject = Subject::asset(who.clone(), asset.clone());
        let action = Action::ReadTunnels(asset.clone());
        let facts = super::facts::load(self, &mut reading, &subject).await?;
        let request = Request { who: who.clone(), action, at: now.wall };
        let Decision::Allow(_) = decide(request, &facts) else { return Ok(None) };
        let operator = facts.asset.as_ref().map(|asset| &asset.operator);
        let own = facts.tenant.as_ref().map(|tenant| &tenant.id);
        let by = own.filter(|own| Some(*own) != operator);
        records::of_asset(&mut reading, asset, CHANGES, by, page).await.map(Some)
    }
}

fn changed(old: &AssetEntry, change: &AssetChange, revision: Revision) -> AssetEntry {
    let AssetChange { name, serial, facility, confirm_targets } = change.clone();
    let mut new = AssetEntry { revision, ..old.clone() };
    new.asset.name = name.unwrap_or(new.asset.name);
    new.asset.serial = serial.unwrap_or(new.asset.serial);
    new.asset.facility = facility.unwrap_or(new.asset.facility);
    new.confirm_targets = confirm_targets.unwrap_or(new.confirm_targets);
    new
}

fn status(asset: &Asset, machines: &[CustomerMachine]) -> AssetStatus {
    AssetStatus::of(asset.active, machines.iter().map(|machine| &machine.link))
}

fn told(allowed: &mut Allowed, event: Event, old: &AssetEntry, new: &AssetEntry) {
    allowed.touch(Object::Asset(new.asset.id.clone()));
    allowed.tell(event, |record| {
        record.old = Some(recorded(old));
        record.new = Some(recorded(new));
    });
}

/// An asset as records keep it: what people may change of it.
fn recorded(entry: &AssetEntry) -> String {
    let AssetEntry { asset, status, confirm_targets, revision: _ } = entry;
    serde_json::json!({
        "name": asset.name, "serial": asset.serial, "facility": asset.facility, "status": status,
        "confirm_targets": confirm_targets,
    })
    .to_string()
}

async fn write_entry(conn: &mut SqliteConnection, entry: &AssetEntry) -> Result<(), StoreError> {
    let AssetEntry { asset, status: _, confirm_targets, revision } = entry;
    sqlx::query(
        "UPDATE assets SET name = $2, serial = $3, facility = $4, active = $5, switch_on = $6, \
                switch_until = $7, confirm_targets = $8, revision = $9 \
         WHERE id = $1",
    )
    .bind(asset.id.as_str())
    .bind(&asset.name)
    .bind(&asset.serial)
    .bind(asset.facility.as_ref().map(FacilityId::as_str))
    .bind(i64::from(asset.active))
    .bind(i64::from(asset.switch.on))
    .bind(asset.switch.until.map(|until| until.0))
    .bind(i64::from(*confirm_targets))
    .bind(kept(revision.0))
    .execute(conn)
    .await?;
    Ok(())
}

/// Numbers a new row by the change that makes it.
pub(super) async fn stamp(conn: &mut SqliteConnection, asset: &AssetId) -> Result<(), StoreError> {
    let revision = next_revision(conn).await?;
    sqlx::query("UPDATE assets SET revision = $2 WHERE id = $1")
        .bind(asset.as_str())
        .bind(kept(revision.0))
        .execute(conn)
        .await?;
    Ok(())
}

/// Whether the asset's operator confirms where tunnels lead that others set up.
pub(super) async fn confirms_targets(
    conn: &mut SqliteConnection,
    asset: &AssetId,
) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT confirm_targets FROM assets WHERE id = $1")
        .bind(asset.as_str())
        .fetch_optional(conn)
        .await?;
    row.map_or(Ok(false), |row| Cells::of("assets", &row).flag("confirm_targets"))
}

pub(super) async fn entry_of(
    conn: &mut SqliteConnection,
    asset: &AssetId,
) -> Result<Option<AssetEntry>, StoreError> {
    let row = sqlx::query(
        "SELECT id, operator, name, serial, facility, active, switch_on, switch_until, device, \
                confirm_targets, revision \
         FROM assets WHERE id = $1",
    )
    .bind(asset.as_str())
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let cells = Cells::of("assets", &row);
    let asset = asset_in(&cells)?;
    let machines = machines_on(conn, &asset.id).await?;
    Ok(Some(AssetEntry {
        status: status(&asset, &machines),
        confirm_targets: cells.flag("confirm_targets")?,
        revision: Revision(cells.count("revision")?),
        asset,
    }))
}
