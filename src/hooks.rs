//! Webhooks as nouns: where one leads, what it hears of, how its messages are signed and tried again.
//!
//! A tenant registers a [`HookUrl`]; each event of [`HookKind`] that the tenant may see becomes a
//! message to it. `store` keeps them, `webhooks` sends them; this room only knows what they mean.
//! Messages follow Standard Webhooks 1.0.0 (standardwebhooks.com), so that a receiver verifies them
//! with any of its libraries.
//!
//! What always holds: a URL is `https`, or `http` to a literal loopback address; a secret prints
//! `[redacted]`; a message id holds no full stop, so that what is signed can be read in one way only.

mod kind;
mod retry;
mod secret;
mod url;

pub use kind::{HookKind, InvalidKind};
pub use retry::{ATTEMPTS_MAX, Outcome, next_attempt, schedule_length};
pub use secret::{HookSecret, InvalidSecret, SECRET_OVERLAP};
pub use url::{HookUrl, InvalidHookUrl, URL_BYTES_MAX};

use serde::Serialize;

use crate::{
    clock::Wall,
    ids::{HookId, TenantId},
};

/// Webhooks of one tenant at most.
pub const HOOKS_MAX: u64 = 20;

/// A webhook, without its secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hook {
    pub id: HookId,
    pub tenant: TenantId,
    pub name: String,
    pub url: HookUrl,
    /// What it hears of; empty: everything.
    pub kinds: Vec<HookKind>,
    pub enabled: bool,
    /// Why it is not enabled: an administrator's act, or the receiver's silence.
    pub disabled_reason: Option<String>,
    /// Since when nothing has been taken; `None` while messages are.
    pub failing_since: Option<Wall>,
    pub created_at: Wall,
}

impl Hook {
    /// Whether it hears of `kind`.
    #[must_use]
    pub fn hears(&self, kind: HookKind) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }
}
