//! A record as it is kept: text and numbers, with the hash that chains it to the one before.

use std::{fmt, str::FromStr};

use aws_lc_rs::digest::{Context, SHA256};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;

use super::{Entry, Event};

/// What the first bytes under every hash say, so that no other hash of ours can be taken for one.
const CONTEXT: &[u8] = b"caseway record 1\0";

/// SHA-256 of a row; base64url as text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// What the first row names as the hash before it.
    pub const NONE: Self = Self([0; 32]);
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is no hash.
#[derive(Debug, thiserror::Error)]
#[error("not a record's hash: expected 43 characters of base64url")]
pub struct InvalidHash;

impl FromStr for Hash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidHash)?;
        bytes.try_into().map(Self).map_err(|_| InvalidHash)
    }
}

/// A record as it stands on disk. Fields are the text that was written, so that a row which
/// somebody changed into nonsense can still be read, hashed and named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub seq: i64,
    /// Milliseconds since 1970.
    pub at: i64,
    pub actor: String,
    pub actor_name: String,
    pub tenant: Option<String>,
    pub role: Option<String>,
    pub event: String,
    pub object: Option<String>,
    pub case: Option<String>,
    pub asset: Option<String>,
    pub done: i64,
    pub reason: Option<String>,
    pub old: Option<String>,
    pub new: Option<String>,
    pub source_ip: Option<String>,
    pub session: Option<String>,
    pub previous: String,
    pub hash: String,
}

impl Row {
    /// The row with number `seq` that follows the row whose hash is `previous`.
    #[must_use]
    pub fn chain(entry: &Entry, seq: i64, previous: Hash) -> Self {
        let mut row = Self {
            seq,
            at: entry.at.0,
            actor: entry.actor.to_string(),
            actor_name: entry.actor_name.clone(),
            tenant: text(entry.tenant.as_ref()),
            role: code(entry.role.as_ref()),
            event: entry.event.code().to_owned(),
            object: entry.object.clone(),
            case: text(entry.case.as_ref()),
            asset: text(entry.asset.as_ref()),
            done: i64::from(entry.done),
            reason: entry.reason.clone(),
            old: entry.old.clone(),
            new: entry.new.clone(),
            source_ip: text(entry.source_ip.as_ref()),
            session: text(entry.session.as_ref()),
            previous: previous.to_string(),
            hash: String::new(),
        };
        row.hash = row.digest().to_string();
        row
    }

    /// The hash that this row should carry.
    ///
    /// Under it, in order: the context; the two numbers and `done` as 8 bytes, big-endian; then each
    /// text as its presence (0 or 1), its length in 8 bytes, big-endian, and its bytes. The row's
    /// own `hash` is left out.
    #[must_use]
    pub fn digest(&self) -> Hash {
        self.digest_as(self.seq)
    }

    /// The hash that this row should carry if its number were `seq`.
    #[must_use]
    pub(super) fn digest_as(&self, seq: i64) -> Hash {
        let mut under = Context::new(&SHA256);
        under.update(CONTEXT);
        for number in [seq, self.at, self.done] {
            under.update(&number.to_be_bytes());
        }
        for text in self.texts() {
            under.update(&[u8::from(text.is_some())]);
            let text = text.unwrap_or_default();
            under.update(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            under.update(text.as_bytes());
        }
        let mut bytes = [0; 32];
        bytes.copy_from_slice(under.finish().as_ref());
        Hash(bytes)
    }

    /// What this row tells of, if its code is one of ours.
    #[must_use]
    pub fn event(&self) -> Option<Event> {
        Event::from_code(&self.event)
    }

    fn texts(&self) -> [Option<&str>; 14] {
        [
            Some(&self.actor),
            Some(&self.actor_name),
            self.tenant.as_deref(),
            self.role.as_deref(),
            Some(&self.event),
            self.object.as_deref(),
            self.case.as_deref(),
            self.asset.as_deref(),
            self.reason.as_deref(),
            self.old.as_deref(),
            self.new.as_deref(),
            self.source_ip.as_deref(),
            self.session.as_deref(),
            Some(&self.previous),
        ]
    }
}

/// The code under which serde knows a variant.
fn code(variant: Option<&impl Serialize>) -> Option<String> {
    serde_json::to_value(variant?).ok()?.as_str().map(str::to_owned)
}

fn text(value: Option<&impl fmt::Display>) -> Option<String> {
    value.map(ToString::to_string)
}
