//! How much went by, and when last.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use crate::clock::Now;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the technician to the device.
    Up,
    /// From the device to the technician.
    Down,
}

/// Bytes each way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub up: u64,
    pub down: u64,
}

impl Tally {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { up: self.up.saturating_add(other.up), down: self.down.saturating_add(other.down) }
    }
}

/// Counts for one session, or one channel; read by anyone at any time.
#[derive(Debug)]
pub struct Meter {
    up: AtomicU64,
    down: AtomicU64,
    dropped: AtomicU64,
    born: Instant,
    /// Milliseconds after `born`.
    active: AtomicU64,
}

impl Meter {
    /// Nothing counted; active now.
    #[must_use]
    pub fn new(now: Now) -> Self {
        Self {
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            born: now.mono,
            active: AtomicU64::new(0),
        }
    }

    /// `bytes` went by at `now`.
    pub fn count(&self, direction: Direction, bytes: usize, now: Now) {
        let counter = match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        };
        counter.fetch_add(bytes as u64, Relaxed);
        let since = now.mono.saturating_duration_since(self.born).as_millis();
        self.active.fetch_max(u64::try_from(since).unwrap_or(u64::MAX), Relaxed);
    }

    /// A datagram was dropped because the other side was too slow.
    pub fn count_dropped(&self) {
        self.dropped.fetch_add(1, Relaxed);
    }

    /// Bytes so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        Tally { up: self.up.load(Relaxed), down: self.down.load(Relaxed) }
    }

    /// Datagrams dropped so far.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// When a byte last went by, to the millisecond; when the meter was made, if none did.
    #[must_use]
    pub fn last_active(&self) -> Instant {
        let since = Duration::from_millis(self.active.load(Relaxed));
        self.born.checked_add(since).unwrap_or(self.born)
    }
}
