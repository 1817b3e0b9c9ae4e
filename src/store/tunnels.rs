//! Tunnel configs.

use std::collections::BTreeSet;

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
    ids::{AssetId, Name, TunnelId},
    machines::{Mode, Proto, TARGETS_MAX, Target, Tunnel, TunnelKind},
};

/// A tunnel config that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTunnel {
    pub name: Name,
    pub kind: TunnelKind,
    pub mode: Mode,
    pub targets: Vec<Target>,
    pub enabled: bool,
}

impl Store {
    /// An asset's tunnels, by name; whoever asks.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn tunnels(&self, asset: &AssetId) -> Result<Vec<Tunnel>, StoreError> {
        let mut reading = self.reading().await?;
        let rows = sqlx::query(
            "SELECT id, asset, name, kind, mode, targets, enabled FROM tunnels \
             WHERE asset = $1 ORDER BY name",
        )
        .bind(asset.as_str())
        .fetch_all(&mut *reading)
        .await?;
        rows.iter().map(|row| tunnel_in(&Cells::of("tunnels", row))).collect()
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
        new: &NewTunnel,
        now: Now,
    ) -> Result<Written<Tunnel>, WriteError> {
        sound(new)?;
        let mut allowed = self.editing(by, asset, None, now).await?;
        free(&mut allowed, asset, &new.name, None).await?;
        let tunnel = new.as_tunnel(super::fresh_id()?, asset);
        insert_tunnel(allowed.rows(), &tunnel).await?;
        told(&mut allowed, Event::TunnelCreated, None, Some(&tunnel));
        Ok(allowed.written(tunnel).await?)
    }

    /// Replaces what a tunnel config says.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn update_tunnel(
        &self,
        by: &By,
        asset: &AssetId,
        tunnel: &TunnelId,
        new: &NewTunnel,
        now: Now,
    ) -> Result<Written<Tunnel>, WriteError> {
        sound(new)?;
        let mut allowed = self.editing(by, asset, Some(tunnel), now).await?;
        let Some(old) = own(&allowed, asset) else { return Err(allowed.not_found().await) };
        free(&mut allowed, asset, &new.name, Some(tunnel)).await?;
        let tunnel = new.as_tunnel(tunnel.clone(), asset);
        sqlx::query(
            "UPDATE tunnels SET name = $2, kind = $3, mode = $4, targets = $5, enabled = $6 \
             WHERE id = $1",
        )
        .bind(tunnel.id.as_str())
        .bind(tunnel.name.as_str())
        .bind(code(&tunnel.kind))
        .bind(code(&tunnel.mode))
        .bind(targets(&tunnel)?)
        .bind(i64::from(tunnel.enabled))
        .execute(allowed.rows())
        .await?;
        told(&mut allowed, Event::TunnelChanged, Some(&old), Some(&tunnel));
        Ok(allowed.written(tunnel).await?)
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
        let Some(old) = own(&allowed, asset) else { return Err(allowed.not_found().await) };
        sqlx::query("DELETE FROM tunnels WHERE id = $1")
            .bind(tunnel.as_str())
            .execute(allowed.rows())
            .await?;
        told(&mut allowed, Event::TunnelDeleted, Some(&old), None);
        Ok(allowed.written(()).await?)
    }
}

impl NewTunnel {
    fn as_tunnel(&self, id: TunnelId, asset: &AssetId) -> Tunnel {
        Tunnel {
            id,
            asset: asset.clone(),
            name: self.name.clone(),
            kind: self.kind,
            mode: self.mode,
            targets: self.targets.clone(),
            enabled: self.enabled,
        }
    }
}

impl Store {
    async fn editing(
        &self,
        by: &By,
        asset: &AssetId,
        tunnel: Option<&TunnelId>,
        now: Now,
    ) -> Result<Allowed, WriteError> {
        let mut subject = Subject::asset(by.person.clone(), asset.clone());
        subject.tunnel = tunnel.cloned().map(TunnelKey::Id);
        let object = tunnel.map(|tunnel| format!("tunnel/{tunnel}"));
        let ask = Ask { by, subject, refused: Event::Refused, object, now };
        self.judged(ask, |_| Action::EditTunnels(asset.clone())).await
    }
}

/// The tunnel that is edited, if it is this asset's.
fn own(allowed: &Allowed, asset: &AssetId) -> Option<Tunnel> {
    allowed.facts.tunnel.clone().filter(|tunnel| tunnel.asset == *asset)
}

/// Refuses a name that a sibling has.
async fn free(
    allowed: &mut Allowed,
    asset: &AssetId,
    name: &Name,
    itself: Option<&TunnelId>,
) -> Result<(), WriteError> {
    let taken = tunnel_named(allowed.rows(), asset, name).await?;
    match taken {
        Some(sibling) if Some(&sibling.id) != itself => {
            Err(Conflict::Exists(format!("a tunnel {name} on {asset}")).into())
        }
        Some(_) | None => Ok(()),
    }
}

/// How many targets a kind has, of which sort (domain.md D.1, D.2).
fn sound(new: &NewTunnel) -> Result<(), Conflict> {
    let names: BTreeSet<&Name> = new.targets.iter().map(|target| &target.name).collect();
    if names.len() != new.targets.len() {
        return Err(Conflict::Invalid("two targets have the same name"));
    }
    if new.targets.iter().any(|one| one.ports.first == 0 || one.ports.first > one.ports.last) {
        return Err(Conflict::Invalid("ports are 1 to 65535, the first not above the last"));
    }
    let good = match new.kind {
        TunnelKind::Ssc | TunnelKind::Vnc => {
            let single = |one: &Target| one.proto == Proto::Tcp && one.single().is_some();
            new.targets.len() == 1 && new.targets.iter().all(single)
        }
        TunnelKind::DataLink => (1..=TARGETS_MAX).contains(&new.targets.len()),
    };
    if good {
        return Ok(());
    }
    Err(Conflict::Invalid(
        "ssc and vnc lead to one tcp host and port; data_link to 1 to 64 targets",
    ))
}

fn told(allowed: &mut Allowed, event: Event, old: Option<&Tunnel>, new: Option<&Tunnel>) {
    let Some(tunnel) = new.or(old) else { return };
    allowed.touch(Object::Tunnel(tunnel.id.clone()));
    allowed.tell(event, |entry| {
        entry.object = Some(format!("tunnel/{}", tunnel.id));
        entry.old = old.and_then(|tunnel| serde_json::to_string(tunnel).ok());
        entry.new = new.and_then(|tunnel| serde_json::to_string(tunnel).ok());
    });
}

fn targets(tunnel: &Tunnel) -> Result<String, StoreError> {
    serde_json::to_string(&tunnel.targets)
        .map_err(|fault| StoreError::Unreadable { table: "tunnels", fault: fault.to_string() })
}

pub(super) async fn insert_tunnel(
    conn: &mut SqliteConnection,
    tunnel: &Tunnel,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO tunnels (id, asset, name, kind, mode, targets, enabled) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(tunnel.id.as_str())
    .bind(tunnel.asset.as_str())
    .bind(tunnel.name.as_str())
    .bind(code(&tunnel.kind))
    .bind(code(&tunnel.mode))
    .bind(targets(tunnel)?)
    .bind(i64::from(tunnel.enabled))
    .execute(conn)
    .await?;
    Ok(())
}

fn tunnel_in(cells: &Cells<'_>) -> Result<Tunnel, StoreError> {
    Ok(Tunnel {
        id: cells.id("id")?,
        asset: cells.id("asset")?,
        name: cells.id("name")?,
        kind: cells.code("kind")?,
        mode: cells.code("mode")?,
        targets: cells.json("targets")?,
        enabled: cells.flag("enabled")?,
    })
}

pub(super) async fn tunnel_of(
    conn: &mut SqliteConnection,
    tunnel: &TunnelId,
) -> Result<Option<Tunnel>, StoreError> {
    let row = sqlx::query(
        "SELECT id, asset, name, kind, mode, targets, enabled FROM tunnels WHERE id = $1",
    )
    .bind(tunnel.as_str())
    .fetch_optional(conn)
    .await?;
    row.map(|row| tunnel_in(&Cells::of("tunnels", &row))).transpose()
}

pub(super) async fn tunnel_named(
    conn: &mut SqliteConnection,
    asset: &AssetId,
    name: &Name,
) -> Result<Option<Tunnel>, StoreError> {
    let row = sqlx::query(
        "SELECT id, asset, name, kind, mode, targets, enabled FROM tunnels \
         WHERE asset = $1 AND name = $2",
    )
    .bind(asset.as_str())
    .bind(name.as_str())
    .fetch_optional(conn)
    .await?;
    row.map(|row| tunnel_in(&Cells::of("tunnels", &row))).transpose()
}
