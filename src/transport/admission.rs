//! Who may come in at all, before anything is known of them but their address.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limits::{
    ENROLMENTS_MAX, HANDSHAKES_BEFORE_RETRY, HANDSHAKES_MAX, Limits, RATE_ADDRESSES_MAX,
    RATE_PER_KNOWN_ADDRESS,
};
use crate::tls::Door;

/// Addresses are counted a second at a time.
const RATE_WINDOW: Duration = Duration::from_secs(1);

/// The counters of one port.
#[derive(Debug)]
pub(super) struct Admission {
    limits: Limits,
    handshakes: Arc<Semaphore>,
    peers: Arc<Semaphore>,
    http: Arc<Semaphore>,
    enrolments: Arc<Semaphore>,
    /// Counts alone, held for lines.
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    since: Option<Instant>,
    /// New connections in this second.
    fresh: BTreeMap<IpAddr, u32>,
    /// Peers' connections that stand.
    known: BTreeMap<IpAddr, u32>,
}

impl Admission {
    pub(super) fn new(limits: Limits) -> Arc<Self> {
        let permits = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        Arc::new(Self {
            handshakes: permits(HANDSHAKES_MAX),
            peers: permits(limits.peers),
            http: permits(limits.http),
            enrolments: permits(ENROLMENTS_MAX),
            counts: Mutex::default(),
            limits,
        })
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// A permit for one handshake; `None` when this address or this port has had enough.
    pub(super) fn handshake(&self, from: IpAddr, now: Instant) -> Option<OwnedSemaphorePermit> {
        if !self.count(from, now) {
            return None;
        }
        Arc::clone(&self.handshakes).try_acquire_owned().ok()
    }

    /// Whether so many handshakes run that an address must be proven first.
    pub(super) fn is_busy(&self) -> bool {
        let running = HANDSHAKES_MAX.saturating_sub(self.handshakes.available_permits());
        running >= HANDSHAKES_BEFORE_RETRY
    }

    /// A place behind a door, for as long as the connection stands; `None` when all are taken.
    pub(super) fn place(&self, door: Door) -> Option<OwnedSemaphorePermit> {
        let places = match door {
            Door::Peer => &self.peers,
            Door::Enrol => &self.enrolments,
            Door::Http => &self.http,
        };
        Arc::clone(places).try_acquire_owned().ok()
    }

    /// Counts one new connection from an address; false beyond its rate.
    fn count(&self, from: IpAddr, now: Instant) -> bool {
        if from.to_canonical().is_loopback() && !self.limits.count_loopback {
            return true;
        }
        let block = block_of(from);
        let mut counts = self.counts();
        let over = counts.since.is_none_or(|since| now.duration_since(since) >= RATE_WINDOW);
        if over {
            counts.fresh.clear();
            counts.since = Some(now);
        }
        let known = counts.known.contains_key(&block);
        let rate = if known { RATE_PER_KNOWN_ADDRESS } else { self.limits.rate_per_address };
        let full = counts.fresh.len() >= RATE_ADDRESSES_MAX;
        if full && !known && !counts.fresh.contains_key(&block) {
            return false;
        }
        let seen = counts.fresh.entry(block).or_default();
        *seen = seen.saturating_add(1);
        *seen <= rate
    }

    /// Notes that a peer's connection stands from an address, until the guard is dropped.
    pub(super) fn know(self: &Arc<Self>, from: IpAddr) -> Known {
        let block = block_of(from);
        raise(&mut self.counts().known, block);
        Known { admission: Arc::clone(self), block }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn raise<K: Ord>(counts: &mut BTreeMap<K, u32>, key: K) {
    let count = counts.entry(key).or_default();
    *count = count.saturating_add(1);
}

fn lower<K: Ord>(counts: &mut BTreeMap<K, u32>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

/// A peer's connection stands from this address.
#[derive(Debug)]
pub(super) struct Known {
    admission: Arc<Admission>,
    block: IpAddr,
}

impl Drop for Known {
    fn drop(&mut self) {
        lower(&mut self.admission.counts().known, &self.block);
    }
}

/// What is counted as one: an IPv4 address, or the /56 that one IPv6 site is given.
fn block_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 72 << 72)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(rate: u32) -> Arc<Admission> {
        Admission::new(Limits { rate_per_address: rate, ..Limits::default() })
    }

    #[test]
    fn an_address_has_its_rate_and_a_new_second_begins_anew() {
        let port = port(2);
        let now = crate::clock::Now::read().mono;
        let a: IpAddr = "192.0.2.1".parse().unwrap();
        let b: IpAddr = "192.0.2.2".parse().unwrap();
        assert!(port.count(a, now) && port.count(a, now) && !port.count(a, now));
        assert!(port.count(b, now), "another address is not touched");
        assert!(port.count(a, now + RATE_WINDOW));
    }

    #[test]
    fn an_unknown_address_opens_20_connections_a_second_by_default() {
        let port = Admission::new(Limits::default());
        let now = crate::clock::Now::read().mono;
        let a: IpAddr = "192.0.2.1".parse().unwrap();
        assert!((0..20).all(|_| port.count(a, now)));
        assert!(!port.count(a, now));
    }

    #[test]
    fn addresses_are_to_be_proven_from_128_handshakes_on_and_256_are_the_most() {
        let port = Admission::new(Limits::default());
        let now = crate::clock::Now::read().mono;
        let here: IpAddr = "127.0.0.1".parse().unwrap();
        let mut running: Vec<_> = (0..127).map(|_| port.handshake(here, now).unwrap()).collect();
        assert!(!port.is_busy());
        running.extend((127..256).map(|_| port.handshake(here, now).unwrap()));
        assert!(port.is_busy());
        assert!(port.handshake(here, now).is_none());
        running.truncate(127);
        assert!(!port.is_busy() && port.handshake(here, now).is_some());
    }

    #[test]
    fn each_door_has_its_places_and_no_more() {
        let port = Admission::new(Limits { http: 3, peers: 2, ..Limits::default() });
        for (door, places) in [(Door::Enrol, 32), (Door::Http, 3), (Door::Peer, 2)] {
            let mut taken: Vec<_> = (0..places).map(|_| port.place(door).unwrap()).collect();
            assert!(port.place(door).is_none(), "{door:?}");
            taken.pop();
            assert!(port.place(door).is_some(), "{door:?}");
        }
    }

    #[test]
    fn an_ipv6_site_is_one_address_and_a_mapped_one_is_its_ipv4() {
        let block = |text: &str| block_of(text.parse().unwrap());
        assert_eq!(block("2001:db8:1:200::1"), block("2001:db8:1:2ff::9"));
        assert_ne!(block("2001:db8:1:200::1"), block("2001:db8:1:300::1"));
        assert_eq!(block("::ffff:192.0.2.1"), block("192.0.2.1"));
    }

    #[test]
    fn an_address_with_a_standing_peer_may_open_channels_in_a_burst() {
        let port = port(1);
        let now = crate::clock::Now::read().mono;
        let site: IpAddr = "192.0.2.1".parse().unwrap();
        let known = port.know(site);
        assert!((0..RATE_PER_KNOWN_ADDRESS).all(|_| port.count(site, now)));
        assert!(!port.count(site, now));
        drop(known);
        assert!(port.counts().known.is_empty());
    }

    #[test]
    fn addresses_beyond_the_table_wait_for_the_next_second() {
        let port = port(1);
        let now = crate::clock::Now::read().mono;
        let address = |n: usize| IpAddr::V4(u32::try_from(n).unwrap().into());
        assert!((0..RATE_ADDRESSES_MAX).all(|n| port.count(address(n), now)));
        assert!(!port.count(address(RATE_ADDRESSES_MAX), now));
    }
}
