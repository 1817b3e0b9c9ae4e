//! How fast bytes may flow, where somebody has said so.
//!
//! ```text
//!   credit grows with time, up to one burst        a flow waits while the credit is spent,
//!   |-----------------|.......|                    takes at most one burst at a time,
//!   -debt             0       burst                and leaves the debt to whoever comes next
//! ```

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{Direction, pool::CHUNK_BYTES};
use crate::clock::Now;

/// What may flow at once, in time: short enough not to be felt.
const BURST: Duration = Duration::from_millis(20);

/// A rate that several channels share, each way on its own. Clones share.
#[derive(Clone, Debug)]
pub struct Cap(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bytes_per_second: u64,
    /// Counts alone, held for lines.
    up: Mutex<Level>,
    down: Mutex<Level>,
}

#[derive(Debug)]
struct Level {
    /// Bytes that may flow now; below zero after more has flowed.
    credit: i64,
    at: Instant,
}

impl Cap {
    /// At most `bytes_per_second` each way, and at least 1.
    #[must_use]
    pub fn new(bytes_per_second: u64, now: Now) -> Self {
        let level = || Mutex::new(Level { credit: 0, at: now.mono });
        let bytes_per_second = bytes_per_second.max(1);
        Self(Arc::new(Inner { bytes_per_second, up: level(), down: level() }))
    }

    /// Whether anybody else holds it.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// The most that one flow may take at once, in bytes.
    pub(super) fn burst(&self) -> usize {
        let bytes = bytes_in(self.0.bytes_per_second, BURST);
        usize::try_from(bytes).unwrap_or(CHUNK_BYTES).clamp(1, CHUNK_BYTES)
    }

    /// When the next byte may flow, if not now.
    pub(super) fn wait(&self, direction: Direction, now: Now) -> Option<Instant> {
        let mut level = self.level(direction);
        let grown = now.mono.saturating_duration_since(level.at);
        let grown = i64::try_from(bytes_in(self.0.bytes_per_second, grown)).unwrap_or(i64::MAX);
        let burst = i64::try_from(self.burst()).unwrap_or(i64::MAX);
        if grown > 0 {
            level.credit = level.credit.saturating_add(grown).min(burst);
            level.at = now.mono;
        }
        let missing = 1_i64.saturating_sub(level.credit);
        let missing = u64::try_from(missing).ok().filter(|bytes| *bytes > 0)?;
        let nanos = u128::from(missing) * 1_000_000_000 / u128::from(self.0.bytes_per_second);
        let wait = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        level.at.checked_add(wait.max(Duration::from_millis(1)))
    }

    /// `bytes` flow now.
    pub(super) fn took(&self, direction: Direction, bytes: usize) {
        let mut level = self.level(direction);
        level.credit = level.credit.saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    fn level(&self, direction: Direction) -> std::sync::MutexGuard<'_, Level> {
        let level = match direction {
            Direction::Up => &self.0.up,
            Direction::Down => &self.0.down,
        };
        level.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bytes_in(bytes_per_second: u64, time: Duration) -> u64 {
    let bytes = u128::from(bytes_per_second) * time.as_nanos() / 1_000_000_000;
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_flows_in_a_second_is_the_rate_and_one_burst_however_many_share_it() {
        let began = Now::read();
        let cap = Cap::new(1_000_000, began);
        let (mut now, mut up, mut down) = (began, 0, 0);
        let shared = cap.clone();
        while now.mono < began.mono + Duration::from_secs(1) {
            for (one, direction, sum) in [
                (&cap, Direction::Up, &mut up),
                (&shared, Direction::Up, &mut 0),
                (&cap, Direction::Down, &mut down),
            ] {
                if one.wait(direction, now).is_none() {
                    one.took(direction, one.burst());
                    *sum += one.burst();
                }
            }
            now.mono += Duration::from_millis(1);
        }
        let most = 1_000_000 + 2 * cap.burst();
        assert!((900_000..most).contains(&down), "{down}");
        assert!(up < most, "{up}");
    }

    #[test]
    fn a_quiet_hour_saves_up_no_more_than_a_burst() {
        let began = Now::read();
        let cap = Cap::new(8_000, began);
        let later = Now { mono: began.mono + Duration::from_secs(3_600), ..began };
        assert_eq!(cap.wait(Direction::Up, later), None);
        cap.took(Direction::Up, cap.burst());
        let next = cap.wait(Direction::Up, later).unwrap();
        assert!(next > later.mono && next < later.mono + Duration::from_millis(100));
    }
}
