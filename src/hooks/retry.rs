//! What becomes of an attempt, and when the next one is due.

use std::time::Duration;

use crate::clock::Wall;

const SECOND: u64 = 1;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// How long to wait after the first attempt that failed, the second, and so on.
///
/// # Source
///
/// The schedule that Standard Webhooks 1.0.0 gives as its example: ten attempts over three days.
const WAITS: [u64; 9] = [
    5 * SECOND,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
];
/// Attempts at one message; when the last one fails the endpoint is given up.
pub const ATTEMPTS_MAX: u32 = 10;
/// A receiver that asks to be left alone is left alone for so long at most.
const ASKED_MAX: Duration = Duration::from_secs(24 * HOUR);
/// Waits are stretched by up to this part, so that what failed together does not come back together.
const JITTER_PERCENT: u64 = 10;

/// How one attempt went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Taken.
    Taken { status: u16 },
    /// Not taken; worth another attempt.
    Failed {
        /// What the receiver answered, if it did.
        status: Option<u16>,
        /// In words, for the delivery log.
        fault: String,
        /// How long the receiver asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// The receiver says that nothing is wanted any more, or what was sent can never be taken.
    Refused { status: Option<u16>, fault: String },
}

impl Outcome {
    /// A failure that nobody answered for.
    #[must_use]
    pub fn failed(fault: impl Into<String>) -> Self {
        Self::Failed { status: None, fault: fault.into(), retry_after: None }
    }
}

/// When a message whose attempt number `attempts` just failed is due again; `None` when that was the
/// last attempt. `seed` differs from message to message.
#[must_use]
pub fn next_attempt(attempts: u32, asked: Option<Duration>, seed: u64, now: Wall) -> Option<Wall> {
    let at = usize::try_from(attempts.checked_sub(1)?).ok()?;
    let wait = Duration::from_secs(*WAITS.get(at)?);
    let stretched = wait + wait * u32::try_from(seed % JITTER_PERCENT).unwrap_or(0) / 100;
    Some(now.plus(stretched.max(asked.unwrap_or_default().min(ASKED_MAX))))
}

/// From the first attempt to the last, without what receivers ask for.
#[must_use]
pub fn schedule_length() -> Duration {
    Duration::from_secs(WAITS.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_attempts_span_three_days() {
        let mut at = Wall(0);
        let mut times = Vec::new();
        for attempts in 1..ATTEMPTS_MAX {
            at = next_attempt(attempts, None, 0, at).unwrap();
            times.push(at.0 / 1_000);
        }
        assert_eq!(times, [5, 305, 2_105, 9_305, 27_305, 63_305, 113_705, 185_705, 272_105]);
        assert_eq!(schedule_length(), Duration::from_secs(272_105));
        assert_eq!(next_attempt(ATTEMPTS_MAX, None, 0, at), None);
    }

    #[test]
    fn waits_differ_from_message_to_message_by_less_than_a_tenth() {
        let wait = |seed| next_attempt(2, None, seed, Wall(0)).unwrap().0;
        assert_eq!(wait(0), 300_000);
        assert_eq!(wait(7), 321_000);
        assert!((0..1_000).all(|seed| (300_000..330_000).contains(&wait(seed))));
    }

    #[test]
    fn a_receiver_that_asks_for_time_gets_it_up_to_a_day() {
        let asked = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(next_attempt(1, asked(90), 0, Wall(0)), Some(Wall(90_000)));
        assert_eq!(next_attempt(2, asked(90), 0, Wall(0)), Some(Wall(300_000)));
        assert_eq!(next_attempt(1, asked(u64::MAX), 0, Wall(0)), Some(Wall(86_400_000)));
    }
}
