//! The outbox as its sender sees it: what is due, what became of it, what may be forgotten.
//!
//! A webhook gets its messages in their order: only its oldest one is ever due, and while that one
//! waits for another attempt the others wait behind it. Mail has no order. What was sent when the
//! gateway died, before its answer was written down, is sent again under the same id.

use std::time::Duration;

use sqlx::{SqliteConnection, sqlite::SqliteRow};

use super::{
    Store, StoreError, act,
    act::Act,
    hooks,
    rows::{Cells, kept},
};
use crate::{
    audit::Event,
    clock::{Now, Wall},
    hooks::{ATTEMPTS_MAX, HookSecret, HookUrl, Outcome, next_attempt},
    ids::{DeliveryId, GatewayId, HookId},
};

/// Messages that are due at once, at most; the rest is due when these are done.
const DUE_MAX: i64 = 64;
/// How long the log keeps what is over.
pub const LOG_LASTS: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// What is kept of a fault's words, in bytes.
const FAULT_BYTES_MAX: usize = 500;

/// A message that is due, and for whom.
#[derive(Clone, Debug)]
pub struct Parcel {
    pub id: DeliveryId,
    pub to: Recipient,
    pub body: String,
    /// Attempts that failed.
    pub attempts: u32,
}

/// Who gets a message.
#[derive(Clone, Debug)]
pub enum Recipient {
    Hook {
        hook: HookId,
        url: HookUrl,
        /// What to sign with: the secret, and for a while the one before it.
        secrets: Vec<HookSecret>,
    },
    Mail {
        address: String,
        subject: String,
    },
}

impl Parcel {
    /// Parcels of one lane are sent one after another.
    #[must_use]
    pub fn lane(&self) -> &str {
        match &self.to {
            Recipient::Hook { hook, .. } => hook.as_str(),
            Recipient::Mail { .. } => self.id.as_str(),
        }
    }
}

/// What is to be sent now, and when to look again.
#[derive(Clone, Debug, Default)]
pub struct Due {
    pub parcels: Vec<Parcel>,
    /// When the next one is due that is not yet; `None`: when something is written.
    pub next: Option<Wall>,
}

impl Store {
    /// Ready when something was written that may be due. Cancel-safe: what rang while nobody waited
    /// is not lost.
    pub async fn outbox_rang(&self) {
        self.0.ring.notified().await;
    }

    /// What is due at `now`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn due(&self, now: Wall) -> Result<Due, StoreError> {
        let mut reading = self.reading().await?;
        let mut due = Due::default();
        let hooks = heads_of_hooks(&mut reading).await?;
        let mail = heads_of_mail(&mut reading).await?;
        for row in hooks.iter().chain(&mail) {
            let cells = Cells::of("outbox", row);
            let at = cells.wall("next_at")?;
            if at > now {
                due.next = Some(due.next.map_or(at, |next| next.min(at)));
            } else {
                due.parcels.push(parcel_in(&cells, now)?);
            }
        }
        Ok(due)
    }

    /// Writes down how an attempt went. A webhook whose message was tried for the last time is
    /// disabled; the message waits until somebody enables it.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; the message is then sent again.
    pub async fn settle(
        &self,
        parcel: &Parcel,
        outcome: &Outcome,
        gateway: &GatewayId,
        now: Now,
    ) -> Result<(), StoreError> {
        let mut act = self.act().await?;
        match outcome {
            Outcome::Taken { status } => taken(act.rows(), parcel, *status, now.wall).await?,
            Outcome::Failed { status, fault, retry_after } => {
                let seed =
                    parcel.id.as_str().bytes().fold(0, |sum, b| sum * 31 % 997 + u64::from(b));
                let attempts = parcel.attempts.saturating_add(1);
                let again = next_attempt(attempts, *retry_after, seed, now.wall);
                tried(act.rows(), parcel, *status, fault, again.unwrap_or(now.wall)).await?;
                if again.is_none() {
                    let reason =
                        format!("none of {ATTEMPTS_MAX} attempts succeeded; the last: {fault}");
                    give_up(&mut act, parcel, &reason, gateway, now.wall).await?;
                }
            }
            Outcome::Refused { status, fault } => {
                tried(act.rows(), parcel, *status, fault, now.wall).await?;
                give_up(&mut act, parcel, fault, gateway, now.wall).await?;
            }
        }
        act.commit().await?;
        Ok(())
    }

    /// Deletes from the log what has been over for [`LOG_LASTS`]; says how much that was.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn forget_parcels(&self, now: Wall) -> Result<u64, StoreError> {
        let lasts = i64::try_from(LOG_LASTS.as_millis()).unwrap_or(i64::MAX);
        let mut act = self.act().await?;
        let gone = sqlx::query("DELETE FROM outbox WHERE ended_at < $1")
            .bind(now.0.saturating_sub(lasts))
            .execute(act.rows())
            .await?
            .rows_affected();
        act.commit().await?;
        Ok(gone)
    }
}

/// The oldest waiting message of each webhook that is enabled, of companies that are active.
async fn heads_of_hooks(conn: &mut SqliteConnection) -> Result<Vec<SqliteRow>, StoreError> {
    let rows = sqlx::query(
        "SELECT o.*, h.url, h.secret, h.old_secret, h.old_secret_until \
         FROM hooks h JOIN tenants t ON t.id = h.tenant JOIN outbox o ON o.no = \
              (SELECT MIN(w.no) FROM outbox w WHERE w.hook = h.id AND w.state = 'waiting') \
         WHERE h.enabled = 1 AND t.active = 1 ORDER BY o.next_at LIMIT $1",
    )
    .bind(DUE_MAX)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

async fn heads_of_mail(conn: &mut SqliteConnection) -> Result<Vec<SqliteRow>, StoreError> {
    let rows = sqlx::query(
        "SELECT * FROM outbox WHERE hook IS NULL AND state = 'waiting' \
         ORDER BY next_at, no LIMIT $1",
    )
    .bind(DUE_MAX)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

fn parcel_in(cells: &Cells<'_>, now: Wall) -> Result<Parcel, StoreError> {
    let to = match cells.id_or_none::<HookId>("hook")? {
        Some(hook) => {
            let url = cells.id("url")?;
            Recipient::Hook { hook, url, secrets: secrets_in(cells, now)? }
        }
        None => {
            Recipient::Mail { address: cells.text("address")?, subject: cells.text("subject")? }
        }
    };
    Ok(Parcel {
        id: cells.id("id")?,
        to,
        body: cells.text("body")?,
        attempts: u32::try_from(cells.count("attempts")?).unwrap_or(u32::MAX),
    })
}

fn secrets_in(cells: &Cells<'_>, now: Wall) -> Result<Vec<HookSecret>, StoreError> {
    let secret = |column: &str, text: &str| {
        HookSecret::from_text(text).map_err(|fault| cells.unreadable(column, fault))
    };
    let mut secrets = vec![secret("secret", &cells.text("secret")?)?];
    if let (Some(old), Some(until)) =
        (cells.text_or_none("old_secret")?, cells.wall_or_none("old_secret_until")?)
        && now < until
    {
        secrets.push(secret("old_secret", &old)?);
    }
    Ok(secrets)
}

async fn taken(
    conn: &mut SqliteConnection,
    parcel: &Parcel,
    status: u16,
    now: Wall,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE outbox SET state = 'taken', attempts = $2, status = $3, fault = NULL, \
                           ended_at = $4 \
         WHERE id = $1 AND state = 'waiting'",
    )
    .bind(parcel.id.as_str())
    .bind(kept(u64::from(parcel.attempts) + 1))
    .bind(i64::from(status))
    .bind(now.0)
    .execute(&mut *conn)
    .await?;
    if let Recipient::Hook { hook, .. } = &parcel.to {
        sqlx::query("UPDATE hooks SET failing_since = NULL WHERE id = $1")
            .bind(hook.as_str())
            .execute(conn)
            .await?;
    }
    Ok(())
}

async fn tried(
    conn: &mut SqliteConnection,
    parcel: &Parcel,
    status: Option<u16>,
    fault: &str,
    next_at: Wall,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE outbox SET attempts = $2, status = $3, fault = $4, next_at = $5 \
         WHERE id = $1 AND state = 'waiting'",
    )
    .bind(parcel.id.as_str())
    .bind(kept(u64::from(parcel.attempts) + 1))
    .bind(status.map(i64::from))
    .bind(shortened(fault))
    .bind(next_at.0)
    .execute(&mut *conn)
    .await?;
    if let Recipient::Hook { hook, .. } = &parcel.to {
        sqlx::query("UPDATE hooks SET failing_since = COALESCE(failing_since, $2) WHERE id = $1")
            .bind(hook.as_str())
            .bind(Now::read().wall.0)
            .execute(conn)
            .await?;
    }
    Ok(())
}

/// Tries no more: a webhook is disabled, and its messages wait; a mail is over.
async fn give_up(
    act: &mut Act,
    parcel: &Parcel,
    reason: &str,
    gateway: &GatewayId,
    now: Wall,
) -> Result<(), StoreError> {
    match &parcel.to {
        Recipient::Hook { hook, .. } => {
            let reason = shortened(reason);
            hooks::disable(act.rows(), hook, &reason).await?;
            let mut entry = act::by_gateway(now, gateway, Event::WebhookDisabled);
            entry.tenant = hooks::tenant_of(act.rows(), hook).await?;
            entry.object = Some(format!("webhook/{hook}"));
            entry.reason = Some(reason);
            act.tell(entry);
        }
        Recipient::Mail { .. } => {
            sqlx::query(
                "UPDATE outbox SET state = 'failed', ended_at = $2 \
                 WHERE id = $1 AND state = 'waiting'",
            )
            .bind(parcel.id.as_str())
            .bind(now.0)
            .execute(act.rows())
            .await?;
        }
    }
    Ok(())
}

fn shortened(text: &str) -> String {
    let mut end = text.len().min(FAULT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}
