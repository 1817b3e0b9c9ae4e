//! How what happens to a template, a machine's model or a machine's link reaches the tunnel configs
//! of assets (domain.md D.2). Each runs within the write that causes it: there is no moment at which
//! a template says one thing and the machines that follow it another.
//!
//! ```text
//!   machine linked, model given ──> its model's templates become configs of the asset
//!   template made ────────────────> the same, on every linked machine of the model
//!   template changed ─────────────> the fields that are not overridden change with it
//!   template deleted, model taken ─> configs that no live session uses go; others become the asset's own
//!   link removed ─────────────────> every config stays, as the asset's own: the provider's say is over
//! ```
//!
//! Sessions that run keep the targets they were granted for.

use sqlx::SqliteConnection;

use super::{
    StoreError,
    act::Allowed,
    models::{TemplateEntry, templates_of},
    rows::Cells,
    tunnels::{
        self, TunnelEntry, delete_entry, entry_in, entry_named, insert_entry, told, write_entry,
    },
};
use crate::{
    audit::Event,
    ids::{AssetId, LABEL_BYTES_MAX, MachineId, ModelId, Name, TenantId, TunnelId},
    machines::{Field, Fields, Follow, TunnelConfig},
};

/// The templates of the machine's model become tunnel configs of the asset that it is linked with.
pub(super) async fn linked(
    allowed: &mut Allowed,
    machine: &MachineId,
    asset: &AssetId,
) -> Result<(), StoreError> {
    let row = sqlx::query("SELECT model FROM machines WHERE id = $1")
        .bind(machine.as_str())
        .fetch_optional(allowed.rows())
        .await?;
    let model: Option<ModelId> = match &row {
        Some(row) => Cells::of("machines", row).id_or_none("model")?,
        None => None,
    };
    let Some(model) = model else { return Ok(()) };
    for entry in templates_of(allowed.rows(), &model).await? {
        give(allowed, &entry, asset).await?;
    }
    Ok(())
}

/// Every config that follows a template of `provider` becomes the asset's own, as it is.
pub(super) async fn unlinked(
    allowed: &mut Allowed,
    provider: &TenantId,
    asset: &AssetId,
) -> Result<(), StoreError> {
    for entry in tunnels::entries_of(allowed.rows(), asset).await? {
        if follows_one_of(allowed.rows(), &entry, provider).await? {
            keep(allowed, &entry).await?;
        }
    }
    Ok(())
}

/// A new template becomes a config of every linked machine of its model.
pub(super) async fn template_made(
    allowed: &mut Allowed,
    entry: &TemplateEntry,
) -> Result<(), StoreError> {
    for asset in assets_of(allowed.rows(), &entry.template.model).await? {
        give(allowed, entry, &asset).await?;
    }
    Ok(())
}

/// Configs that follow the template take over what they do not override.
pub(super) async fn template_changed(
    allowed: &mut Allowed,
    entry: &TemplateEntry,
) -> Result<(), StoreError> {
    for old in followers(allowed.rows(), entry).await? {
        let Some(follow) = old.follows.clone() else { continue };
        let own = TunnelConfig::from(&old.tunnel);
        let mut config = follow.overridden.inherit(&entry.template.config, &own);
        let mut overridden = follow.overridden;
        let asset = &old.tunnel.asset;
        if config.name != own.name
            && entry_named(allowed.rows(), asset, &config.name).await?.is_some()
        {
            // The name is taken there by the asset's own config, which comes first.
            config.name = own.name.clone();
            overridden.0.insert(Field::Name);
        }
        if config == own {
            continue;
        }
        let confirmed = old.confirmed && !config.leads_elsewhere(&own);
        let new = TunnelEntry {
            tunnel: config.as_tunnel(old.tunnel.id.clone(), asset),
            follows: Some(Follow { template: follow.template, overridden }),
            confirmed,
            revision: entry.revision,
        };
        write_entry(allowed.rows(), &new).await?;
        told(allowed, Event::TunnelChanged, Some(&old), Some(&new));
    }
    Ok(())
}

/// Configs that follow the template go, but for those in use: they become their asset's own.
///
/// INF: "in use" is a live session of the config; taking the config away would end it.
pub(super) async fn template_gone(
    allowed: &mut Allowed,
    entry: &TemplateEntry,
) -> Result<(), StoreError> {
    for old in followers(allowed.rows(), entry).await? {
        drop_or_keep(allowed, &old).await?;
    }
    Ok(())
}

/// The machine is no longer of this model: as if the model's templates were deleted, for this asset.
pub(super) async fn model_taken(
    allowed: &mut Allowed,
    model: &ModelId,
    asset: &AssetId,
) -> Result<(), StoreError> {
    let templates = templates_of(allowed.rows(), model).await?;
    for old in tunnels::entries_of(allowed.rows(), asset).await? {
        let of_model = old.follows.as_ref().is_some_and(|follow| {
            templates.iter().any(|entry| entry.template.id == follow.template)
        });
        if of_model {
            drop_or_keep(allowed, &old).await?;
        }
    }
    Ok(())
}

async fn drop_or_keep(allowed: &mut Allowed, old: &TunnelEntry) -> Result<(), StoreError> {
    if in_use(allowed.rows(), &old.tunnel.id).await? {
        return keep(allowed, old).await;
    }
    delete_entry(allowed.rows(), &old.tunnel.id).await?;
    told(allowed, Event::TunnelDeleted, Some(old), None);
    Ok(())
}

/// The config follows nobody any more.
async fn keep(allowed: &mut Allowed, old: &TunnelEntry) -> Result<(), StoreError> {
    let revision = tunnels::next_revision(allowed.rows()).await?;
    let new = TunnelEntry { follows: None, revision, ..old.clone() };
    write_entry(allowed.rows(), &new).await?;
    told(allowed, Event::TunnelChanged, Some(old), Some(&new));
    Ok(())
}

/// Makes a config of the asset out of a template, unless there is one already.
///
/// INF: a provider wrote where it leads, so it is not confirmed.
async fn give(
    allowed: &mut Allowed,
    template: &TemplateEntry,
    asset: &AssetId,
) -> Result<(), StoreError> {
    let there = tunnels::entries_of(allowed.rows(), asset).await?;
    let follows = |entry: &TunnelEntry| {
        entry.follows.as_ref().is_some_and(|follow| follow.template == template.template.id)
    };
    if there.iter().any(follows) {
        return Ok(());
    }
    let mut config = template.template.config.clone();
    config.name = free_name(&config.name, &there);
    let entry = TunnelEntry {
        tunnel: config.as_tunnel(super::fresh_id()?, asset),
        follows: Some(Follow {
            template: template.template.id.clone(),
            overridden: Fields::between(&template.template.config, &config),
        }),
        confirmed: false,
        revision: tunnels::next_revision(allowed.rows()).await?,
    };
    insert_entry(allowed.rows(), &entry).await?;
    told(allowed, Event::TunnelCreated, None, Some(&entry));
    Ok(())
}

/// `plc`, or `plc-2` and so on where the asset has such a config of its own.
///
/// INF: names are unique on an asset (domain.md D.2), and what its own people named comes first.
fn free_name(wanted: &Name, there: &[TunnelEntry]) -> Name {
    let taken = |name: &Name| there.iter().any(|entry| entry.tunnel.name == *name);
    let numbered = (2_usize..=there.len() + 2).filter_map(|n| {
        let ending = format!("-{n}");
        let stem = wanted.as_str().get(..LABEL_BYTES_MAX - ending.len()).unwrap_or(wanted.as_str());
        format!("{}{ending}", stem.trim_end_matches('-')).parse().ok()
    });
    std::iter::once(wanted.clone())
        .chain(numbered)
        .find(|name| !taken(name))
        .unwrap_or_else(|| wanted.clone())
}

async fn in_use(conn: &mut SqliteConnection, tunnel: &TunnelId) -> Result<bool, StoreError> {
    let row =
        sqlx::query("SELECT COUNT(*) AS live FROM sessions WHERE tunnel = $1 AND ended_at IS NULL")
            .bind(tunnel.as_str())
            .fetch_one(conn)
            .await?;
    Ok(Cells::of("sessions", &row).count("live")? > 0)
}

async fn follows_one_of(
    conn: &mut SqliteConnection,
    entry: &TunnelEntry,
    provider: &TenantId,
) -> Result<bool, StoreError> {
    let Some(follow) = &entry.follows else { return Ok(false) };
    let row = sqlx::query(
        "SELECT m.provider FROM tunnel_templates t JOIN machine_models m ON m.id = t.model \
         WHERE t.id = $1 AND m.provider = $2",
    )
    .bind(follow.template.as_str())
    .bind(provider.as_str())
    .fetch_optional(conn)
    .await?;
    Ok(row.is_some())
}

async fn followers(
    conn: &mut SqliteConnection,
    entry: &TemplateEntry,
) -> Result<Vec<TunnelEntry>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, asset, name, kind, mode, targets, enabled, template, overridden, confirmed, \
                revision \
         FROM tunnels WHERE template = $1 ORDER BY asset, name",
    )
    .bind(entry.template.id.as_str())
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| entry_in(&Cells::of("tunnels", row))).collect()
}

/// The assets that machines of the model are linked with.
async fn assets_of(
    conn: &mut SqliteConnection,
    model: &ModelId,
) -> Result<Vec<AssetId>, StoreError> {
    let rows = sqlx::query(
        "SELECT DISTINCT asset FROM machines WHERE model = $1 AND link = 'linked' ORDER BY asset",
    )
    .bind(model.as_str())
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| Cells::of("machines", row).id("asset")).collect()
}
