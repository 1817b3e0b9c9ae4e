//! What the port takes at most, and what happens beyond.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// From a connection's first byte to the end of its first frame; then it is dropped.
pub(super) const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(10);
/// Handshakes at once, both carriers together; a further connection is dropped.
///
/// # Source
///
/// Measured: two cores do some 700 handshakes a second. With 2,000 at once each takes longer than
/// the 4 s that a peer waits, and of a fleet that comes back nobody ever gets in.
pub(super) const HANDSHAKES_MAX: usize = 256;
/// Handshakes at once above which a QUIC client must first show that its address is its own.
pub(super) const HANDSHAKES_BEFORE_RETRY: usize = 128;
/// New connections a second from one address; more are dropped unanswered.
pub(super) const RATE_PER_ADDRESS: u32 = 20;
/// The same for an address from which a peer's connection stands: channels open in bursts.
pub(super) const RATE_PER_KNOWN_ADDRESS: u32 = 1_000;
/// Addresses that are counted in one second; beyond, unknown ones are dropped.
pub(super) const RATE_ADDRESSES_MAX: usize = 16_384;
/// Enrolments at once; more are dropped after their ClientHello.
pub(super) const ENROLMENTS_MAX: usize = 32;
/// HTTP connections at once; more are dropped after their ClientHello.
pub(super) const HTTP_MAX: usize = 1_024;
/// Connections of peers at once; more are dropped after their ClientHello.
pub(super) const PEERS_MAX: usize = 65_536;
/// Arrivals that wait to be taken; beyond, they wait until their deadline.
pub(super) const ARRIVALS_QUEUED: usize = 256;
/// What is read of a TCP connection until its ClientHello is whole, in bytes.
pub(super) const CLIENT_HELLO_BYTES_MAX: usize = 16_384;

/// Lets this process open as many files as the system permits it: each leg is one, and the usual
/// soft limit of 1,024 is for programs that use `select(2)`.
pub fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    // Fails only where somebody forbade it; then channels beyond the limit are refused.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// The limits of one port that may be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// New connections a second from one IPv4 address or one IPv6 /56.
    pub rate_per_address: u32,
    /// Whether addresses of this machine are counted too.
    pub count_loopback: bool,
    /// HTTP connections at once.
    pub http: usize,
    /// Connections of peers at once; a TCP leg counts until it has stepped out of TLS.
    pub peers: usize,
    /// From a connection's first byte to the end of its first frame.
    pub arrival: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rate_per_address: RATE_PER_ADDRESS,
            count_loopback: false,
            http: HTTP_MAX,
            peers: PEERS_MAX,
            arrival: ARRIVAL_TIMEOUT,
        }
    }
}
