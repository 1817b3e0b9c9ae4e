//! What the port takes at most, and what happens beyond.

/// The port's limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// New connections a second from one IPv4 address or one IPv6 /56; more are dropped unanswered.
    pub rate_per_address: u32,
    /// Whether addresses of this machine are counted too.
    pub count_loopback: bool,
    /// HTTP connections at once; more are dropped after their ClientHello.
    pub http: usize,
    /// Connections of peers at once, legs included; more are dropped after their ClientHello.
    pub peers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { rate_per_address: 20, count_loopback: false, http: 1_024, peers: 65_536 }
    }
}
