//! For how long bytes may flow.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::Cap;
use crate::clock::{self, Now};

/// How long a lease holds after it was last renewed.
///
/// # Source
///
/// architecture.md section 3: renewed every 2 s, so that four lost renewals end a splice.
pub const LEASE_TTL: Duration = Duration::from_secs(10);

/// The conditions under which a splice runs.
#[derive(Clone, Debug)]
pub struct Terms {
    pub lease: Lease,
    pub cut: Cut,
    /// Rates that it shares with others; none, and it is as fast as its legs.
    pub caps: Vec<Cap>,
}

/// Says "now" to everyone who looks, whenever they look.
#[derive(Clone, Debug, Default)]
pub struct Cut(CancellationToken);

impl Cut {
    /// A signal not given yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A signal that is given with this one, and may be given on its own: one channel of a session.
    #[must_use]
    pub fn child(&self) -> Self {
        Self(self.0.child_token())
    }

    /// Gives the signal; it cannot be taken back.
    pub fn now(&self) {
        self.0.cancel();
    }

    /// Ready once it was given. Cancel-safe: only observes.
    pub async fn given(&self) {
        self.0.cancelled().await;
    }
}

/// A deadline that its keeper moves on; shared by all channels of a session.
#[derive(Clone, Debug)]
pub struct Lease(Arc<Mutex<Instant>>);

/// The only one who can renew a lease.
#[derive(Debug)]
pub struct LeaseKeeper(Lease);

impl LeaseKeeper {
    /// Lets bytes flow until [`LEASE_TTL`] after `now`. A lease that has lapsed stays lapsed.
    pub fn renew(&self, now: Now) {
        let mut until = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *until > now.mono {
            *until = now.mono + LEASE_TTL;
        }
    }
}

impl Lease {
    /// A lease that holds for [`LEASE_TTL`] after `now`.
    #[must_use]
    pub fn begin(now: Now) -> (LeaseKeeper, Self) {
        let lease = Self(Arc::new(Mutex::new(now.mono + LEASE_TTL)));
        (LeaseKeeper(lease.clone()), lease)
    }

    /// The moment at which it lapses unless it is renewed.
    #[must_use]
    pub fn until(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it has lapsed at `now`.
    #[must_use]
    pub fn has_lapsed(&self, now: Now) -> bool {
        self.until() <= now.mono
    }

    /// Ready once it has lapsed. Cancel-safe: only observes.
    pub async fn lapsed(&self) {
        while !self.has_lapsed(Now::read()) {
            clock::until(Some(self.until())).await;
        }
    }
}
