//! Guessing passwords gets slow: from the fifth failure on, each costs twice the wait of the one
//! before, per account and address, so that nobody locks another out from elsewhere.

use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    time::{Duration, Instant},
};

use dashmap::DashMap;

/// Failures that cost nothing.
const FREE_FAILURES: u32 = 4;
/// What the first failure past those costs.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait.
const WAIT_MAX: Duration = Duration::from_secs(15 * 60);
/// After so long without a failure all is forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(60 * 60);
/// (Account, address) pairs remembered; past it the forgettable go, and if none is, a new pair is
/// made to wait [`FIRST_WAIT`] without being remembered.
const PAIRS_MAX: usize = 16_384;

/// Failed log-ins by account and address.
#[derive(Debug, Default)]
pub(super) struct Delays {
    pairs: DashMap<Pair, Failures>,
    keyed: RandomState,
}

/// Hashed under a key that nobody outside knows, so that a long account name takes 8 bytes too.
type Pair = u64;

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Instant,
}

impl Failures {
    fn wait(self) -> Duration {
        let Some(doublings) = self.count.checked_sub(FREE_FAILURES + 1) else {
            return Duration::ZERO;
        };
        2u32.checked_pow(doublings)
            .and_then(|factor| FIRST_WAIT.checked_mul(factor))
            .map_or(WAIT_MAX, |wait| wait.min(WAIT_MAX))
    }
}

impl Delays {
    /// How long this account must still wait at this address; zero when it may try now.
    pub(super) fn wait(&self, email: &str, from: IpAddr, now: Instant) -> Duration {
        match self.pairs.get(&self.pair(email, from)) {
            Some(failures) => (failures.last + failures.wait()).saturating_duration_since(now),
            None if self.is_full() => FIRST_WAIT,
            None => Duration::ZERO,
        }
    }

    /// Counts a failure.
    pub(super) fn failed(&self, email: &str, from: IpAddr, now: Instant) {
        if self.is_full() {
            self.pairs.retain(|_, one| now.saturating_duration_since(one.last) < FORGET_AFTER);
        }
        let pair = self.pair(email, from);
        if self.is_full() && !self.pairs.contains_key(&pair) {
            return;
        }
        let mut failures = self.pairs.entry(pair).or_insert(Failures { count: 0, last: now });
        if now.saturating_duration_since(failures.last) >= FORGET_AFTER {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
    }

    /// Forgets the failures of an account that proved itself.
    pub(super) fn succeeded(&self, email: &str, from: IpAddr) {
        self.pairs.remove(&self.pair(email, from));
    }

    fn is_full(&self) -> bool {
        self.pairs.len() >= PAIRS_MAX
    }

    fn pair(&self, email: &str, from: IpAddr) -> Pair {
        self.keyed.hash_one((email.trim().to_lowercase(), from.to_canonical()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Now;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[tokio::test(start_paused = true)]
    async fn the_wait_doubles_from_the_fifth_failure_and_ends_by_itself() {
        let delays = Delays::default();
        let mut waits = Vec::new();
        for _ in 0..8 {
            delays.failed("ana@op.example", HERE, Now::read().mono);
            waits.push(delays.wait("Ana@op.example ", HERE, Now::read().mono).as_secs());
        }
        assert_eq!(waits, [0, 0, 0, 0, 1, 2, 4, 8]);

        tokio::time::advance(Duration::from_secs(7)).await;
        assert_eq!(delays.wait("ana@op.example", HERE, Now::read().mono).as_secs(), 1);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(delays.wait("ana@op.example", HERE, Now::read().mono).is_zero());
    }

    #[test]
    fn another_address_and_another_account_do_not_wait() {
        let (delays, now) = (Delays::default(), Now::read().mono);
        for _ in 0..9 {
            delays.failed("ana@op.example", HERE, now);
        }
        assert!(delays.wait("ana@op.example", "192.0.2.1".parse().unwrap(), now).is_zero());
        assert!(delays.wait("olaf@op.example", HERE, now).is_zero());
        delays.succeeded("ana@op.example", HERE);
        assert!(delays.wait("ana@op.example", HERE, now).is_zero());
    }

    #[test]
    fn the_wait_has_an_end_and_the_memory_a_limit() {
        let (delays, now) = (Delays::default(), Now::read().mono);
        for _ in 0..100 {
            delays.failed("ana@op.example", HERE, now);
        }
        assert_eq!(delays.wait("ana@op.example", HERE, now), WAIT_MAX);
        for n in 0..PAIRS_MAX {
            delays.failed(&format!("{n}@op.example"), HERE, now);
        }
        assert_eq!(delays.pairs.len(), PAIRS_MAX);
        assert_eq!(delays.wait("new@op.example", HERE, now), FIRST_WAIT);
        delays.failed("new@op.example", HERE, now + FORGET_AFTER);
        assert_eq!(delays.pairs.len(), 1);
    }
}
