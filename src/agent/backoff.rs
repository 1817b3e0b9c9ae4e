//! How long to wait before the next dial.
//!
//! Full jitter: a delay is drawn evenly from zero to a cap that doubles with each failure. Which cap
//! it ends at depends on what the failure costs the gateway:
//!
//! | Failure | First cap | Last cap | Why |
//! |---|---|---|---|
//! | nobody there | 0.2 s | 4 s | an attempt costs a gateway that is away nothing, and a device must be back 5 s after it returns, however long it was away; 10,000 devices then come evenly over 4 s, 2,500 a second at 0.3 ms of CPU each |
//! | turned away | 0.5 s | 30 s | somebody is there, and too busy: the last cap is reached after 6 failures in a row |
//! | refused | 10 s | 5 min | nothing changes by itself: a revoked key, another version |
//! | replaced | 2 min | 15 min | another box has this identity; the two must not take turns |

use std::time::Duration;

/// Why there is no connection now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No answer, or none that reached us.
    Unreachable,
    /// The gateway was there and did not let us in, or lost us at once.
    TurnedAway,
    /// It said no in a way that asking again does not change.
    Refused,
    /// A newer connection of this identity took our place.
    Replaced,
}

impl Failure {
    /// What a gateway's `Goodbye` with this code means: one whose store is away is there again soon,
    /// all else stays until somebody changes it.
    #[must_use]
    pub fn of_goodbye(code: &str) -> Self {
        if code == "unavailable" { Self::TurnedAway } else { Self::Refused }
    }

    /// First cap, last cap.
    fn caps(self) -> (Duration, Duration) {
        let (first, last) = match self {
            Self::Unreachable => (200, 4_000),
            Self::TurnedAway => (500, 30_000),
            Self::Refused => (10_000, 300_000),
            Self::Replaced => (120_000, 900_000),
        };
        (Duration::from_millis(first), Duration::from_millis(last))
    }
}

/// The delay before the next dial, after `failures` in a row (at least one), the last being `last`.
/// `random` is drawn evenly from all of `u32`.
#[must_use]
pub fn delay(last: Failure, failures: u32, random: u32) -> Duration {
    let (first, most) = last.caps();
    let doublings = failures.saturating_sub(1).min(16);
    let cap = first.saturating_mul(1 << doublings).min(most);
    let share = f64::from(random) / f64::from(u32::MAX);
    match last {
        Failure::Unreachable | Failure::TurnedAway | Failure::Refused => cap.mul_f64(share),
        // At least half: even the luckiest draw leaves the other box in peace.
        Failure::Replaced => cap.mul_f64(0.5 + share / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_back_within_5_s_however_long_the_gateway_was_away() {
        for failures in [1, 5, 200, u32::MAX] {
            assert!(delay(Failure::Unreachable, failures, u32::MAX) <= Duration::from_secs(4));
        }
    }

    #[test]
    fn caps_double_to_their_last_and_stay() {
        let caps: Vec<u128> =
            (1..=8).map(|n| delay(Failure::TurnedAway, n, u32::MAX).as_millis()).collect();
        assert_eq!(caps, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    }

    #[test]
    fn delays_spread_evenly_from_zero() {
        assert_eq!(delay(Failure::Unreachable, 9, 0), Duration::ZERO);
        let mut quarters = [0; 4];
        for step in 0..1_000_u32 {
            let random = step * (u32::MAX / 1_000);
            let delay = delay(Failure::Unreachable, 9, random);
            quarters[usize::try_from(delay.as_millis() / 1_001).unwrap()] += 1;
        }
        assert!(quarters.iter().all(|n| (240..=260).contains(n)), "{quarters:?}");
    }

    #[test]
    fn a_replaced_box_leaves_the_other_in_peace() {
        assert!(delay(Failure::Replaced, 1, 0) >= Duration::from_secs(60));
        assert!(delay(Failure::Replaced, 50, u32::MAX) <= Duration::from_secs(900));
    }
}
