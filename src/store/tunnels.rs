//! Tunnel configs of assets: written by hand, or inherited from a template.
//!
//! What always holds: a config whose targets somebody other than the machine's operator wrote is not
//! confirmed until the operator says so (domain.md, CON-24). The mark is kept whether or not the
//! operator asks for it, so that asking reaches what was set up before.

use sqlx::SqliteConnection;

use super::{
    By, Conflict, Object, Store, StoreError, Subject, TunnelKey, WriteError, Written,
    act::{Allowed, Ask},
    rows::{Cells, code},
};
use crate::{
    audit::Event,
    authz::Action,
    clock::Now,
    ids::{AssetId, Name, Revision, TunnelId},
    machines::{Fields, Follow, Tunnel, TunnelConfig},
};

/// Tunnel configs of one asset at most; past it, no more are made.
pub const TUNNELS_MAX: usize = 256;

/// A tunnel config with what is kept beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunnelEntry {
    pub tunnel: Tunnel,
    /// The template that it inherits from; `None`: it is the asset's own.
    pub follows: Option<Follow>,
    /// Whether the operator wrote, or confirmed, where it leads.
    pub confirmed: bool,
    /// The change that last wrote it.
    pub revision: Revision,
}

impl Store {
    /// An asset's tunnels, by name; whoever asks.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn tunnels(&self, asset: &AssetId) -> Result<Vec<Tunnel>, StoreError> {
        Ok(self.tunnel_entries(asset).await?.into_iter().map(|entry| entry.tunnel).collect())
    }

    /// As [`Self::tunnels`], with what is kept beside each.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn tunnel_entries(&self, asset: &AssetId) -> Result<Vec<TunnelEntry>, StoreError> {
        let mut reading = self.reading().await?;
        entries_of(&mut reading, asset).await
    }

    /// Creates a tunnel config.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn create_tunnel(
        &self,
        by: &By,
        asset: &AssetId,
        new: &TunnelConfig,
        now: Now,
    ) -> Result<Written<TunnelEntry>, WriteError> {
        new.check().map_err(Conflict::from)?;
        let mut allowed = self.editing(by, asset, None, now).await?;
        free(&mut allowed, asset, &new.name, None).await?;
        room(allowed.rows(), asset).await?;
        let entry = TunnelEntry {
            tunnel: new.as_tunnel(super::fresh_id()?, asset),
            follows: None,
            confirmed: by_operator(&allowed),
            revision: next_revision(allowed.rows()).await?,
        };
        insert_entry(allowed.rows(), &entry).await?;
        told(&mut allowed, Event::TunnelCreated, None, Some(&entry));
        Ok(allowed.written(entry).await?)
    }

    /// Replaces what a tunnel config says. Where it follows a template, the fields that now differ
    /// from it are overridden, and those that say the same follow again.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; [`Conflict::Stale`] where somebody else wrote it since `expected`.
    pub async fn update_tunnel(
        &self,
        by: &By,
        (asset, tunnel): (&AssetId, &TunnelId),
        expected: Option<Revision>,
        new: &TunnelConfig,
        now: Now,
    ) -> Result<Written<TunnelEntry>, WriteError> {
        new.check().map_err(Conflict::from)?;
        let mut allowed = self.editing(by, asset, Some(tunnel), now).await?;
        let Some(old) = entry_of(allowed.rows(), asset, tunnel).await? else {
            return Err(allowed.not_found().await);
        };
        current(expected, old.revision)?;
        free(&mut allowed, asset, &new.name, Some(tunnel)).await?;
        let moved = new.leads_elsewhere(&TunnelConfig::from(&old.tunnel));
        let entry = TunnelEntry {
            tunnel: new.as_tunnel(tunnel.clone(), asset),
            follows: following(allowed.rows(), &old, new).await?,
            confirmed: by_operator(&allowed) || old.confirmed && !moved,
            revision: next_revision(allowed.rows()).await?,
        };
        write_entry(allowed.rows(), &entry).await?;
        told(&mut allowed, Event::TunnelChanged, Some(&old), Some(&entry));
        Ok(allowed.written(entry).await?)
    }

    /// Says, on the operator's behalf, that a tunnel may lead where it leads as of `seen`.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; [`Conflict::Stale`] where it was written since: what was seen is not what
    /// would be confirmed.
    pub async fn confirm_tunnel(
        &self,
        by: &By,
        asset: &AssetId,
        tunnel: &TunnelId,
        seen: Revision,
        now: Now,
    ) -> Result<Written<TunnelEntry>, WriteError> {
        let ask = about(by, asset, Some(tunnel), now);
        let mut allowed = self.judged(ask, |_| Action::ConfirmTunnel(asset.clone())).await?;
        let Some(old) = entry_of(allowed.rows(), asset, tunnel).await? else {
            return Err(allowed.not_found().await);
        };
        current(Some(seen), old.revision)?;
        let revision = next_revision(allowed.rows()).await?;
        let entry = TunnelEntry { confirmed: true, revision, ..old.clone() };
        write_entry(allowed.rows(), &entry).await?;
        told(&mut allowed, Event::TunnelConfirmed, Some(&old), Some(&entry));
        Ok(allowed.written(entry).await?)
    }

    /// Deletes a tunnel config; its sessions end.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn delete_tunnel(
        &self,
        by: &By,
        asset: &AssetId,
        tunnel: &TunnelId,
        now: Now,
    ) -> Result<Written<()>, WriteError> {
        let mut allowed = self.editing(by, asset, Some(tunnel), now).await?;
        let Some(old) = entry_of(allowed.rows(), asset, tunnel).await? else {
            return Err(allowed.not_found().await);
        };
        delete_entry(allowed.rows(), tunnel).await?;
        told(&mut allowed, Event::TunnelDeleted, Some(&old), None);
        Ok(allowed.written(()).await?)
    }

    async fn editing(
        &self,
        by: &By,
        asset: &AssetId,
        tunnel: Option<&TunnelId>,
        now: Now,
    ) -> Result<Allowed, WriteError> {
        self.judged(about(by, asset, tunnel, now), |_| Action::EditTunnels(asset.clone())).await
    }
}

fn about<'a>(by: &'a By, asset: &AssetId, tunnel: Option<&TunnelId>, now: Now) -> Ask<'a> {
    let mut subject = Subject::asset(by.person.clone(), asset.clone());
    subject.tunnel = tunnel.cloned().map(TunnelKey::Id);
    let object = tunnel.map(|tunnel| format!("tunnel/{tunnel}"));
    Ask { by, subject, refused: Event::Refused, object, now }
}

/// Whether who asked belongs to the machine's operator.
fn by_operator(allowed: &Allowed) -> bool {
    allowed.facts.asset.as_ref().map(|asset| &asset.operator) == allowed.tenant()
}

/// How a config that now says `new` follows the template it followed before.
async fn following(
    conn: &mut SqliteConnection,
    old: &TunnelEntry,
    new: &TunnelConfig,
) -> Result<Option<Follow>, StoreError> {
    let Some(Follow { template, .. }) = &old.follows else { return Ok(None) };
    let Some(found) = super::models::template_of(conn, template).await? else { return Ok(None) };
    let overridden = Fields::between(&found.template.config, new);
    Ok(Some(Follow { template: template.clone(), overridden }))
}

/// Refuses a write by who saw an older row than is there.
pub(super) fn current(expected: Option<Revision>, found: Revision) -> Result<(), Conflict> {
    match expected {
        Some(expected) if expected != found => Err(Conflict::Stale { expected, found }),
        Some(_) | None => Ok(()),
    }
}

/// The number that the change under way will have: it holds the writer's turn.
pub(super) async fn next_revision(conn: &mut SqliteConnection) -> Result<Revision, StoreError> {
    let row = sqlx::query("SELECT value + 1 AS next FROM counters WHERE name = 'revision'")
        .fetch_one(conn)
        .await?;
    Cells::of("counters", &row).count("next").map(Revision)
}

/// Refuses a name that a sibling has.
async fn free(
    allowed: &mut Allowed,
    asset: &AssetId,
    name: &Name,
    itself: Option<&TunnelId>,
) -> Result<(), WriteError> {
    let taken = entry_named(allowed.rows(), asset, name).await?;
    match taken {
        Some(sibling) if Some(&sibling.tunnel.id) != itself => {
            Err(Conflict::Exists(format!("a tunnel {name} on {asset}")).into())
        }
        Some(_) | None => Ok(()),
    }
}

async fn room(conn: &mut SqliteConnection, asset: &AssetId) -> Result<(), WriteError> {
    let row = sqlx::query("SELECT COUNT(*) AS tunnels FROM tunnels WHERE asset = $1")
        .bind(asset.as_str())
        .fetch_one(conn)
        .await?;
    let there = Cells::of("tunnels", &row).count("tunnels")?;
    if usize::try_from(there).is_ok_and(|there| there < TUNNELS_MAX) {
        return Ok(());
    }
    Err(Conflict::Limit("an asset has 256 tunnels at most").into())
}

/// Has a config's change recorded where the asset's operator finds it.
pub(super) fn told(
    allowed: &mut Allowed,
    event: Event,
    old: Option<&TunnelEntry>,
    new: Option<&TunnelEntry>,
) {
    let Some(entry) = new.or(old) else { return };
    allowed.touch(Object::Tunnel(entry.tunnel.id.clone()));
    let (id, asset) = (entry.tunnel.id.clone(), entry.tunnel.asset.clone());
    allowed.tell(event, |record| {
        record.object = Some(format!("tunnel/{id}"));
        record.asset = Some(asset);
        record.old = old.map(recorded);
        record.new = new.map(recorded);
    });
}

/// A config as records keep it.
fn recorded(entry: &TunnelEntry) -> String {
    #[derive(serde::Serialize)]
    struct Recorded<'a> {
        #[serde(flatten)]
        tunnel: &'a Tunnel,
        #[serde(skip_serializing_if = "Option::is_none")]
        follows: Option<&'a Follow>,
        confirmed: bool,
    }
    let TunnelEntry { tunnel, follows, confirmed, revision: _ } = entry;
    let recorded = Recorded { tunnel, follows: follows.as_ref(), confirmed: *confirmed };
    serde_json::to_string(&recorded).unwrap_or_default()
}

pub(super) fn json<T: serde::Serialize>(
    table: &'static str,
    value: &T,
) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|fault| StoreError::Unreadable { table, fault: fault.to_string() })
}

/// A first row: the operator's own, of no template.
pub(super) async fn insert_tunnel(
    conn: &mut SqliteConnection,
    tunnel: &Tunnel,
) -> Result<(), StoreError> {
    let entry = TunnelEntry {
        tunnel: tunnel.clone(),
        follows: None,
        confirmed: true,
        revision: Revision::default(),
    };
    insert_entry(conn, &entry).await
}

pub(super) async fn insert_entry(
    conn: &mut SqliteConnection,
    entry: &TunnelEntry,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO tunnels (id, asset, name, kind, mode, targets, enabled) \
                 VALUES ($1, $2, $3, '', '', '[]', 0)",
    )
    .bind(entry.tunnel.id.as_str())
    .bind(entry.tunnel.asset.as_str())
    .bind(entry.tunnel.name.as_str())
    .execute(&mut *conn)
    .await?;
    write_entry(conn, entry).await
}

/// Writes all that may change of a config.
pub(super) async fn write_entry(
    conn: &mut SqliteConnection,
    entry: &TunnelEntry,
) -> Result<(), StoreError> {
    let TunnelEntry { tunnel, follows, confirmed, revision } = entry;
    let overridden = follows.as_ref().map(|follow| &follow.overridden);
    sqlx::query(
        "UPDATE tunnels SET name = $2, kind = $3, mode = $4, targets = $5, enabled = $6, \
                template = $7, overridden = $8, confirmed = $9, revision = $10 \
         WHERE id = $1",
    )
    .bind(tunnel.id.as_str())
    .bind(tunnel.name.as_str())
    .bind(code(&tunnel.kind))
    .bind(code(&tunnel.mode))
    .bind(json("tunnels", &tunnel.targets)?)
    .bind(i64::from(tunnel.enabled))
    .bind(follows.as_ref().map(|follow| follow.template.as_str()))
    .bind(json("tunnels", overridden.unwrap_or(&Fields::default()))?)
    .bind(i64::from(*confirmed))
    .bind(super::rows::kept(revision.0))
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn delete_entry(
    conn: &mut SqliteConnection,
    tunnel: &TunnelId,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM tunnels WHERE id = $1").bind(tunnel.as_str()).execute(conn).await?;
    Ok(())
}

pub(super) fn config_in(cells: &Cells<'_>) -> Result<TunnelConfig, StoreError> {
    Ok(TunnelConfig {
        name: cells.id("name")?,
        kind: cells.code("kind")?,
        mode: cells.code("mode")?,
        targets: cells.json("targets")?,
        enabled: cells.flag("enabled")?,
    })
}

pub(super) fn entry_in(cells: &Cells<'_>) -> Result<TunnelEntry, StoreError> {
    let asset: AssetId = cells.id("asset")?;
    let template = cells.id_or_none("template")?;
    let overridden: Fields = cells.json("overridden")?;
    Ok(TunnelEntry {
        tunnel: config_in(cells)?.as_tunnel(cells.id("id")?, &asset),
        follows: template.map(|template| Follow { template, overridden }),
        confirmed: cells.flag("confirmed")?,
        revision: Revision(cells.count("revision")?),
    })
}

pub(super) async fn entries_of(
    conn: &mut SqliteConnection,
    asset: &AssetId,
) -> Result<Vec<TunnelEntry>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, asset, name, kind, mode, targets, enabled, template, overridden, confirmed, \
                revision \
         FROM tunnels WHERE asset = $1 ORDER BY name",
    )
    .bind(asset.as_str())
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| entry_in(&Cells::of("tunnels", row))).collect()
}

/// The config, if it is this asset's.
async fn entry_of(
    conn: &mut SqliteConnection,
    asset: &AssetId,
    tunnel: &TunnelId,
) -> Result<Option<TunnelEntry>, StoreError> {
    let found = tunnel_of(conn, tunnel).await?;
    Ok(found.filter(|entry| entry.tunnel.asset == *asset))
}

pub(super) async fn tunnel_of(
    conn: &mut SqliteConnection,
    tunnel: &TunnelId,
) -> Result<Option<TunnelEntry>, StoreError> {
    let row = sqlx::query(
        "SELECT id, asset, name, kind, mode, targets, enabled, template, overridden, confirmed, \
                revision \
         FROM tunnels WHERE id = $1",
    )
    .bind(tunnel.as_str())
    .fetch_optional(conn)
    .await?;
    row.map(|row| entry_in(&Cells::of("tunnels", &row))).transpose()
}

/// The asset's tunnel of this name.
pub(super) async fn entry_named(
    conn: &mut SqliteConnection,
    asset: &AssetId,
    name: &Name,
) -> Result<Option<TunnelEntry>, StoreError> {
    let row = sqlx::query(
        "SELECT id, asset, name, kind, mode, targets, enabled, template, overridden, confirmed, \
                revision \
         FROM tunnels WHERE asset = $1 AND name = $2",
    )
    .bind(asset.as_str())
    .bind(name.as_str())
    .fetch_optional(conn)
    .await?;
    row.map(|row| entry_in(&Cells::of("tunnels", &row))).transpose()
}
