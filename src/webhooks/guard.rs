//! Which addresses a tenant's webhook may lead to: the open internet, and what the gateway's owner
//! allows by name of the network.
//!
//! Without this, a tenant could have the gateway knock at services that trust whoever is inside:
//! a database, a router, a cloud's metadata service.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// What is reachable beside the open internet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// Networks of the owner's that webhooks may lead to, such as the one of a ticket system.
    pub allow: Vec<IpNet>,
    /// Loopback too, and `http` there: for tests and for a receiver on the gateway's own machine.
    pub danger_loopback: bool,
}

impl Guard {
    /// Whether a webhook may lead to `ip`.
    #[must_use]
    pub fn admits(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        if ip.is_loopback() {
            return self.danger_loopback;
        }
        is_open(ip) || self.allow.iter().any(|net| net.contains(&ip))
    }
}

/// Whether `ip` is an address of the open internet, by IANA's registries of special-purpose
/// addresses (RFC 6890).
fn is_open(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_open_v4(ip),
        IpAddr::V6(ip) => is_open_v6(ip),
    }
}

fn is_open_v4(ip: Ipv4Addr) -> bool {
    let special = match ip.octets() {
        [0 | 10 | 127, ..]
        // RFC 6598: shared by carriers; some clouds keep services there.
        | [100, 64..=127, ..]
        | [169, 254, ..]
        | [172, 16..=31, ..]
        // RFC 6890: protocol assignments, documentation, 6to4 relays, benchmarks.
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [192, 168, ..]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        // Multicast, reserved, broadcast.
        | [224..=255, ..] => true,
        _ => false,
    };
    !special
}

/// Only global unicast (RFC 4291), without documentation and without the ways in which an IPv4
/// address is carried inside one: those would lead past the rule above.
fn is_open_v6(ip: Ipv6Addr) -> bool {
    match ip.segments() {
        // Documentation (RFC 3849, 9637), Teredo and protocol assignments, 6to4.
        [0x2001, 0xdb8 | 0..=0x1ff, ..] | [0x3fff, 0..=0xfff, ..] | [0x2002, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(guard: &Guard, ip: &str) -> bool {
        guard.admits(ip.parse().unwrap())
    }

    #[test]
    fn a_webhook_reaches_the_open_internet_and_nothing_inside() {
        let guard = Guard::default();
        for open in ["1.1.1.1", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111"] {
            assert!(admits(&guard, open), "{open}");
        }
        for inside in [
            "0.0.0.0",
            "10.0.0.5",
            "100.64.0.1",
            "127.0.0.1",
            "127.8.8.8",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.5",
            "::ffff:127.0.0.1",
            "64:ff9b::a00:5",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:a00:5::1",
            "3fff::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!admits(&guard, inside), "{inside}");
        }
    }

    #[test]
    fn an_owner_may_allow_a_network_but_never_loopback_with_it() {
        let guard = Guard { allow: vec!["10.1.0.0/16".parse().unwrap()], ..Guard::default() };
        assert!(admits(&guard, "10.1.2.3") && admits(&guard, "::ffff:10.1.2.3"));
        assert!(!admits(&guard, "10.2.0.1") && !admits(&guard, "127.0.0.1"));
        let everything = Guard { allow: vec!["0.0.0.0/0".parse().unwrap()], ..Guard::default() };
        assert!(!admits(&everything, "127.0.0.1"), "that takes the option that says so");
        let dangerous = Guard { danger_loopback: true, ..Guard::default() };
        assert!(admits(&dangerous, "127.0.0.1") && admits(&dangerous, "::1"));
        assert!(!admits(&dangerous, "10.0.0.1"));
    }
}
