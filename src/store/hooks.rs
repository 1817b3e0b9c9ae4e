//! Webhooks: who manages them, their secrets, and the log of what was sent.

use sqlx::SqliteConnection;

use super::{
    By, Conflict, Listed, Object, Page, Store, StoreError, Subject, WriteError, Written,
    act::{Allowed, Ask},
    outbox,
    rows::Cells,
};
use crate::{
    audit::Event,
    authz::Action,
    clock::{Now, Wall},
    hooks::{HOOKS_MAX, Hook, HookKind, HookSecret, HookUrl, SECRET_OVERLAP},
    ids::{DeliveryId, HookId, PersonId, TenantId},
    tenancy::Permission,
};

/// A webhook's name at most, in bytes.
const NAME_BYTES_MAX: usize = 200;

/// A webhook that somebody wants, in the tenant of who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewHook {
    /// Chosen by the gateway where none is given.
    pub id: Option<HookId>,
    pub name: String,
    pub url: HookUrl,
    pub kinds: Vec<HookKind>,
}

/// What is to be different; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HookChange {
    pub name: Option<String>,
    pub url: Option<HookUrl>,
    pub kinds: Option<Vec<HookKind>>,
    pub enabled: Option<bool>,
}

/// A message to a webhook, as the log shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub id: DeliveryId,
    pub kind: String,
    /// `waiting`, `taken` or `failed`.
    pub state: String,
    pub created_at: Wall,
    pub attempts: u64,
    /// When the next attempt is due; `None` when it is over.
    pub next_at: Option<Wall>,
    /// What the receiver answered last.
    pub status: Option<u64>,
    pub fault: Option<String>,
    pub ended_at: Option<Wall>,
}

impl Store {
    /// The webhooks of the asker's tenant, by name; `None` where they are not the asker's to see.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn hooks(&self, who: &PersonId, now: Now) -> Result<Option<Vec<Hook>>, StoreError> {
        let mut reading = self.reading().await?;
        let action = Action::Own(Permission::ManageCompany);
        if !self.allows(&mut reading, &Subject::of(who.clone()), action, now.wall).await? {
            return Ok(None);
        }
        let rows = sqlx::query(
            "SELECT h.* FROM hooks h JOIN people p ON p.id = $1 WHERE h.tenant = p.tenant \
             ORDER BY h.name, h.id",
        )
        .bind(who.as_str())
        .fetch_all(&mut *reading)
        .await?;
        rows.iter().map(|row| hook_in(&Cells::of("hooks", row))).collect::<Result<_, _>>().map(Some)
    }

    /// The log of a webhook, newest first; `None` where it is not the asker's to see.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn deliveries(
        &self,
        who: &PersonId,
        hook: &HookId,
        page: &Page,
        now: Now,
    ) -> Result<Option<Listed<Delivery>>, StoreError> {
        let mut reading = self.reading().await?;
        let action = Action::Own(Permission::ManageCompany);
        let allowed =
            self.allows(&mut reading, &Subject::of(who.clone()), action, now.wall).await?;
        let tenant = super::people::person_of(&mut reading, who).await?.map(|one| one.tenant);
        if !allowed || tenant.is_none() || tenant_of(&mut reading, hook).await? != tenant {
            return Ok(None);
        }
        log(&mut reading, hook, page).await.map(Some)
    }

    /// Creates a webhook; its secret is given this once.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn create_hook(
        &self,
        by: &By,
        new: &NewHook,
        now: Now,
    ) -> Result<Written<(Hook, HookSecret)>, WriteError> {
        named(&new.name)?;
        let secret = HookSecret::fresh().map_err(StoreError::from)?;
        let mut allowed = self.on_company(by, None, now).await?;
        let Some(tenant) = allowed.tenant().cloned() else { return Err(allowed.not_found().await) };
        if count(allowed.rows(), &tenant).await? >= HOOKS_MAX {
            return Err(Conflict::Limit("a company has 20 webhooks at most").into());
        }
        let id = match &new.id {
            Some(id) => id.clone(),
            None => super::fresh_id()?,
        };
        if hook_of(allowed.rows(), &id).await?.is_some() {
            return Err(Conflict::Exists(format!("a webhook {id}")).into());
        }
        let hook = Hook {
            id,
            tenant,
            name: new.name.trim().to_owned(),
            url: new.url.clone(),
            kinds: new.kinds.clone(),
            enabled: true,
            disabled_reason: None,
            failing_since: None,
            created_at: now.wall,
        };
        insert(allowed.rows(), &hook, &secret).await?;
        told(&mut allowed, &hook, Event::WebhookCreated, None, Some(said(&hook)));
        Ok(allowed.written((hook, secret)).await?)
    }

    /// Changes a webhook. One that is enabled again gets at once what waits for it.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn change_hook(
        &self,
        by: &By,
        hook: &HookId,
        change: &HookChange,
        now: Now,
    ) -> Result<Written<Hook>, WriteError> {
        if let Some(name) = &change.name {
            named(name)?;
        }
        let (mut allowed, old) = self.on_hook(by, hook, now).await?;
        let mut new = old.clone();
        if let Some(name) = &change.name {
            new.name = name.trim().to_owned();
        }
        new.url = change.url.clone().unwrap_or(new.url);
        new.kinds = change.kinds.clone().unwrap_or(new.kinds);
        match change.enabled {
            Some(true) => {
                (new.enabled, new.disabled_reason, new.failing_since) = (true, None, None);
                hurry(allowed.rows(), hook, now.wall).await?;
            }
            Some(false) if old.enabled => {
                new.enabled = false;
                new.disabled_reason = Some("disabled by hand".to_owned());
            }
            Some(false) | None => {}
        }
        update(allowed.rows(), &new).await?;
        told(&mut allowed, &new, Event::WebhookChanged, Some(said(&old)), Some(said(&new)));
        let written = allowed.written(new).await?;
        self.0.ring.notify_one();
        Ok(written)
    }

    /// Deletes a webhook with its log; what waits for it is not sent any more.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn delete_hook(
        &self,
        by: &By,
        hook: &HookId,
        now: Now,
    ) -> Result<Written<()>, WriteError> {
        let (mut allowed, old) = self.on_hook(by, hook, now).await?;
        for sql in ["DELETE FROM outbox WHERE hook = $1", "DELETE FROM hooks WHERE id = $1"] {
            sqlx::query(sql).bind(hook.as_str()).execute(allowed.rows()).await?;
        }
        told(&mut allowed, &old, Event::WebhookDeleted, Some(said(&old)), None);
        Ok(allowed.written(()).await?)
    }

    /// Gives a webhook a new secret; messages carry signatures by both for [`SECRET_OVERLAP`], so
    /// that its receiver can change over without missing one.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn rotate_hook_secret(
        &self,
        by: &By,
        hook: &HookId,
        now: Now,
    ) -> Result<Written<(Hook, HookSecret)>, WriteError> {
        let secret = HookSecret::fresh().map_err(StoreError::from)?;
        let (mut allowed, old) = self.on_hook(by, hook, now).await?;
        sqlx::query(
            "UPDATE hooks SET old_secret = secret, old_secret_until = $3, secret = $2 \
             WHERE id = $1",
        )
        .bind(hook.as_str())
        .bind(secret.text().expose())
        .bind(now.wall.plus(SECRET_OVERLAP).0)
        .execute(allowed.rows())
        .await?;
        told(&mut allowed, &old, Event::WebhookSecretChanged, None, None);
        Ok(allowed.written((old, secret)).await?)
    }

    /// Has a test message sent to a webhook, behind what waits for it.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn test_hook(
        &self,
        by: &By,
        hook: &HookId,
        now: Now,
    ) -> Result<Written<DeliveryId>, WriteError> {
        let (mut allowed, found) = self.on_hook(by, hook, now).await?;
        if !found.enabled {
            return Err(Conflict::Invalid("the webhook is disabled; enable it first").into());
        }
        let kind = HookKind::TEST;
        let body = serde_json::json!({
            "type": kind, "timestamp": now.wall, "data": { "webhook": hook, "name": found.name },
        });
        let id = outbox::put(allowed.rows(), hook, kind, &body.to_string(), now.wall).await?;
        told(&mut allowed, &found, Event::WebhookTested, None, None);
        let written = allowed.written(id).await?;
        self.0.ring.notify_one();
        Ok(written)
    }
}

impl Store {
    /// Lets who manages the company at its webhooks.
    async fn on_company(
        &self,
        by: &By,
        hook: Option<&HookId>,
        now: Now,
    ) -> Result<Allowed, WriteError> {
        let subject = Subject::of(by.person.clone());
        let object = hook.map(|hook| format!("webhook/{hook}"));
        let ask = Ask { by, subject, refused: Event::Refused, object, now };
        self.judged(ask, |_| Action::Own(Permission::ManageCompany)).await
    }

    async fn on_hook(
        &self,
        by: &By,
        hook: &HookId,
        now: Now,
    ) -> Result<(Allowed, Hook), WriteError> {
        let mut allowed = self.on_company(by, Some(hook), now).await?;
        let found = hook_of(allowed.rows(), hook).await?;
        match found.filter(|found| Some(&found.tenant) == allowed.tenant()) {
            Some(found) => Ok((allowed, found)),
            None => Err(allowed.not_found().await),
        }
    }
}

fn named(name: &str) -> Result<(), Conflict> {
    let name = name.trim();
    let good = (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.contains(char::is_control);
    if good { Ok(()) } else { Err(Conflict::Invalid("a name has 1 to 200 bytes")) }
}

fn told(
    allowed: &mut Allowed,
    hook: &Hook,
    event: Event,
    old: Option<String>,
    new: Option<String>,
) {
    allowed.touch(Object::Tenant(hook.tenant.clone()));
    allowed.tell(event, |entry| {
        entry.object = Some(format!("webhook/{}", hook.id));
        entry.old = old;
        entry.new = new;
    });
}

/// A webhook as a record says it. A URL's query may hold a key: it stays out.
fn said(hook: &Hook) -> String {
    let url = hook.url.to_string();
    let url = url.split_once('?').map_or(url.as_str(), |(before, _)| before);
    let kinds: Vec<&str> = hook.kinds.iter().map(|kind| kind.code()).collect();
    let kinds = if kinds.is_empty() { "all kinds".to_owned() } else { kinds.join(" ") };
    let state = if hook.enabled { "enabled" } else { "disabled" };
    format!("{}: {url}, {kinds}, {state}", hook.name)
}

/// Whether there is any webhook to tell.
pub(super) async fn any(conn: &mut SqliteConnection) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT id FROM hooks WHERE enabled = 1 LIMIT 1").fetch_optional(conn);
    Ok(row.await?.is_some())
}

pub(super) async fn enabled_of(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
) -> Result<Vec<Hook>, StoreError> {
    let rows = sqlx::query("SELECT * FROM hooks WHERE tenant = $1 AND enabled = 1 ORDER BY id")
        .bind(tenant.as_str())
        .fetch_all(conn)
        .await?;
    rows.iter().map(|row| hook_in(&Cells::of("hooks", row))).collect()
}

pub(super) async fn tenant_of(
    conn: &mut SqliteConnection,
    hook: &HookId,
) -> Result<Option<TenantId>, StoreError> {
    Ok(hook_of(conn, hook).await?.map(|hook| hook.tenant))
}

/// Sends nothing more until somebody enables it; what waits stays.
pub(super) async fn disable(
    conn: &mut SqliteConnection,
    hook: &HookId,
    reason: &str,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE hooks SET enabled = 0, disabled_reason = $2 WHERE id = $1 AND enabled = 1")
        .bind(hook.as_str())
        .bind(reason)
        .execute(conn)
        .await?;
    Ok(())
}

/// Has what waits start anew, its schedule with it.
async fn hurry(conn: &mut SqliteConnection, hook: &HookId, now: Wall) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE outbox SET attempts = 0, next_at = $2 WHERE hook = $1 AND state = 'waiting'",
    )
    .bind(hook.as_str())
    .bind(now.0)
    .execute(conn)
    .await?;
    Ok(())
}

async fn hook_of(conn: &mut SqliteConnection, hook: &HookId) -> Result<Option<Hook>, StoreError> {
    let row = sqlx::query("SELECT * FROM hooks WHERE id = $1")
        .bind(hook.as_str())
        .fetch_optional(conn)
        .await?;
    row.map(|row| hook_in(&Cells::of("hooks", &row))).transpose()
}

async fn count(conn: &mut SqliteConnection, tenant: &TenantId) -> Result<u64, StoreError> {
    let row = sqlx::query("SELECT COUNT(*) AS hooks FROM hooks WHERE tenant = $1")
        .bind(tenant.as_str())
        .fetch_one(conn)
        .await?;
    Cells::of("hooks", &row).count("hooks")
}

async fn insert(
    conn: &mut SqliteConnection,
    hook: &Hook,
    secret: &HookSecret,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO hooks (id, tenant, name, url, kinds, secret, enabled, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, 1, $7)",
    )
    .bind(hook.id.as_str())
    .bind(hook.tenant.as_str())
    .bind(&hook.name)
    .bind(hook.url.to_string())
    .bind(kinds_text(hook))
    .bind(secret.text().expose())
    .bind(hook.created_at.0)
    .execute(conn)
    .await?;
    Ok(())
}

async fn update(conn: &mut SqliteConnection, hook: &Hook) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE hooks SET name = $2, url = $3, kinds = $4, enabled = $5, disabled_reason = $6, \
                          failing_since = $7 \
         WHERE id = $1",
    )
    .bind(hook.id.as_str())
    .bind(&hook.name)
    .bind(hook.url.to_string())
    .bind(kinds_text(hook))
    .bind(i64::from(hook.enabled))
    .bind(&hook.disabled_reason)
    .bind(hook.failing_since.map(|at| at.0))
    .execute(conn)
    .await?;
    Ok(())
}

fn kinds_text(hook: &Hook) -> String {
    serde_json::to_string(&hook.kinds).unwrap_or_default()
}

fn hook_in(cells: &Cells<'_>) -> Result<Hook, StoreError> {
    Ok(Hook {
        id: cells.id("id")?,
        tenant: cells.id("tenant")?,
        name: cells.text("name")?,
        url: cells.id("url")?,
        kinds: cells.json("kinds")?,
        enabled: cells.flag("enabled")?,
        disabled_reason: cells.text_or_none("disabled_reason")?,
        failing_since: cells.wall_or_none("failing_since")?,
        created_at: cells.wall("created_at")?,
    })
}

async fn log(
    conn: &mut SqliteConnection,
    hook: &HookId,
    page: &Page,
) -> Result<Listed<Delivery>, StoreError> {
    let before = page.after.as_ref().map_or(i64::MAX, |after| after.parse().unwrap_or(0));
    let rows = sqlx::query(
        "SELECT no, id, kind, state, created_at, attempts, next_at, status, fault, ended_at \
         FROM outbox WHERE hook = $1 AND no < $2 ORDER BY no DESC LIMIT $3",
    )
    .bind(hook.as_str())
    .bind(before)
    .bind(i64::try_from(page.size()).unwrap_or(1))
    .fetch_all(conn)
    .await?;
    let mut listed = Listed { items: Vec::new(), next: None };
    for row in &rows {
        let cells = Cells::of("outbox", row);
        listed.items.push(delivery_in(&cells)?);
        listed.next = Some(cells.number("no")?.to_string());
    }
    listed.next = listed.next.filter(|_| rows.len() == page.size());
    Ok(listed)
}

fn delivery_in(cells: &Cells<'_>) -> Result<Delivery, StoreError> {
    let ended_at = cells.wall_or_none("ended_at")?;
    Ok(Delivery {
        id: cells.id("id")?,
        kind: cells.text("kind")?,
        state: cells.text("state")?,
        created_at: cells.wall("created_at")?,
        attempts: cells.count("attempts")?,
        next_at: match ended_at {
            Some(_) => None,
            None => Some(cells.wall("next_at")?),
        },
        status: cells.count_or_none("status")?,
        fault: cells.text_or_none("fault")?,
        ended_at,
    })
}
