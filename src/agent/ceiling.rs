//! The device's own ceiling: what no gateway can open here, whatever a warrant says.
//!
//! It comes from a file of the device (`ceiling.toml`) and is judged after names were resolved, on
//! the very address that is then connected, so that no answer of a name server can lead elsewhere.
//!
//! ```text
//!   destination --> resolved --> each address: special? -- yes --> named by a rule?  no: barred
//!                                     | no                             | yes
//!                                     v                                v
//!                               allowed by a rule? -- yes -->  may be connected
//! ```
//!
//! Without a file the ceiling is the private networks and loopback (RFC 1918, RFC 4193): machines
//! stand there, and a stolen warrant must not turn the device into a way to the internet. A file
//! replaces that: what it does not list is barred.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;
use serde::Serialize;

use crate::machines::{Destination, Ports, Proto};

/// Rules of one ceiling at most; a longer file is a fault.
pub const RULES_MAX: usize = 256;

/// What the device's owner lets be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ceiling {
    rules: Vec<Rule>,
    from: Origin,
}

/// Where a ceiling came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// There is no file.
    Default,
    File(std::path::PathBuf),
}

/// One thing that may be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub host: Host,
    pub ports: Ports,
    /// `None`: either.
    pub proto: Option<Proto>,
}

/// The hosts of one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    Block(IpNet),
    /// A destination that bears this name, wherever the device's resolver leads it, except to a
    /// special address.
    Dns(String),
}

/// Addresses that no broad rule opens: a rule must lie within the class itself to name one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    /// A cloud's metadata service: it gives out credentials.
    Metadata,
    LinkLocal,
    /// `0.0.0.0/8` and `::` lead to this host itself.
    Unspecified,
    Multicast,
    Broadcast,
    /// An IPv4 address behind a translator (RFC 6052): the rules for it would not be asked.
    Translated,
}

/// Why an address may not be connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Barred {
    #[error("{0} addresses are refused unless the ceiling names them")]
    Special(Special),
    #[error("the device's ceiling does not allow it")]
    NotAllowed,
}

/// Class and block; the first that contains an address is its class.
const SPECIAL: &[(Special, &str)] = &[
    (Special::Metadata, "169.254.169.254/32"),
    (Special::Metadata, "169.254.170.2/32"),
    (Special::Metadata, "100.100.100.200/32"),
    (Special::Metadata, "fd00:ec2::/112"),
    (Special::Metadata, "fd20:ce::254/128"),
    (Special::LinkLocal, "169.254.0.0/16"),
    (Special::LinkLocal, "fe80::/10"),
    (Special::Unspecified, "0.0.0.0/8"),
    (Special::Unspecified, "::/128"),
    (Special::Multicast, "224.0.0.0/4"),
    (Special::Multicast, "ff00::/8"),
    (Special::Broadcast, "255.255.255.255/32"),
    (Special::Translated, "64:ff9b::/96"),
    (Special::Translated, "::/96"),
];

const LOOPBACK_V6: &str = "::1/128";

/// RFC 1918, RFC 4193 and loopback.
const DEFAULT: &[&str] =
    &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "fc00::/7", LOOPBACK_V6];

const ALL_PORTS: Ports = Ports { first: 1, last: u16::MAX };

impl Default for Ceiling {
    fn default() -> Self {
        let rule = |block| Rule { host: Host::Block(block), ports: ALL_PORTS, proto: None };
        Self {
            rules: DEFAULT.iter().filter_map(|text| text.parse().ok()).map(rule).collect(),
            from: Origin::Default,
        }
    }
}

impl Ceiling {
    /// The ceiling that the file at `path` spells out; an empty list lets nothing be reached.
    #[must_use]
    pub fn from_file(path: std::path::PathBuf, rules: Vec<Rule>) -> Self {
        Self { rules, from: Origin::File(path) }
    }

    /// Where it came from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.from
    }

    /// The rules, in the file's order.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether `address`, to which `destination` resolved, may be connected.
    ///
    /// # Errors
    ///
    /// [`Barred`], with the class of a special address.
    pub fn judge(&self, destination: &Destination, address: IpAddr) -> Result<(), Barred> {
        // `::ffff:10.0.0.1` is 10.0.0.1: the kernel connects it so.
        let address = address.to_canonical();
        let special = special(address);
        let allows = |rule: &Rule| {
            rule.fits(destination)
                && match &rule.host {
                    Host::Block(block) => {
                        block.contains(&address)
                            && special.is_none_or(|(_, class)| class.contains(block))
                    }
                    Host::Dns(name) => {
                        special.is_none() && name.eq_ignore_ascii_case(&destination.host)
                    }
                }
        };
        if self.rules.iter().any(allows) {
            return Ok(());
        }
        Err(special.map_or(Barred::NotAllowed, |(class, _)| Barred::Special(class)))
    }
}

impl Rule {
    fn fits(&self, destination: &Destination) -> bool {
        self.proto.is_none_or(|proto| proto == destination.proto)
            && (self.ports.first..=self.ports.last).contains(&destination.port)
    }
}

fn special(address: IpAddr) -> Option<(Special, IpNet)> {
    // Loopback lies within `::/96` and is no translated address.
    if address.is_loopback() {
        return None;
    }
    SPECIAL
        .iter()
        .filter_map(|(class, block)| Some((*class, block.parse::<IpNet>().ok()?)))
        .find(|(_, block)| block.contains(&address))
}

/// Text that names no host: neither an address, nor a block, nor a DNS name.
#[derive(Debug, thiserror::Error)]
#[error("expected an address, a block such as 192.168.1.0/24, or a DNS name")]
pub struct InvalidHost;

impl FromStr for Host {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        if let Ok(block) = text.parse::<IpNet>() {
            return Ok(Self::Block(block.trunc()));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Block(address.into()));
        }
        let labels = text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        });
        // A name of digits alone is a mistyped address.
        let named = text.bytes().any(|b| b.is_ascii_alphabetic());
        if labels && named && text.len() <= 253 {
            Ok(Self::Dns(text.to_ascii_lowercase()))
        } else {
            Err(InvalidHost)
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Block(block) if block.prefix_len() == block.max_prefix_len() => {
                block.addr().fmt(f)
            }
            Self::Block(block) => block.fmt(f),
            Self::Dns(name) => f.write_str(name),
        }
    }
}

/// `192.168.1.0/24 tcp 502-503`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let proto = self.proto.map_or_else(|| "any".to_owned(), |proto| proto.to_string());
        write!(f, "{} {proto} ", self.host)?;
        match self.ports {
            ALL_PORTS => f.write_str("all ports"),
            Ports { first, last } if first == last => write!(f, "{first}"),
            Ports { first, last } => write!(f, "{first}-{last}"),
        }
    }
}

impl fmt::Display for Special {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Metadata => "metadata",
            Self::LinkLocal => "link-local",
            Self::Unspecified => "unspecified",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Translated => "translated",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(text: &str, port: u16, proto: Proto) -> Destination {
        Destination { proto, host: text.to_owned(), port }
    }

    fn tcp(address: &str) -> (Destination, IpAddr) {
        (to(address, 80, Proto::Tcp), address.parse().unwrap())
    }

    fn ceiling(rules: &[(&str, u16, u16, Option<Proto>)]) -> Ceiling {
        let rule = |(host, first, last, proto): &(&str, u16, u16, Option<Proto>)| Rule {
            host: host.parse().unwrap(),
            ports: Ports { first: *first, last: *last },
            proto: *proto,
        };
        Ceiling::from_file("c".into(), rules.iter().map(rule).collect())
    }

    fn judged(ceiling: &Ceiling, address: &str) -> Result<(), Barred> {
        let (destination, address) = tcp(address);
        ceiling.judge(&destination, address)
    }

    #[test]
    fn every_constant_block_parses() {
        assert!(SPECIAL.iter().all(|(_, block)| block.parse::<IpNet>().is_ok()));
        assert_eq!(Ceiling::default().rules().len(), DEFAULT.len());
    }

    #[test]
    fn without_a_file_private_networks_and_loopback_are_reached_and_nothing_else() {
        let ceiling = Ceiling::default();
        for good in ["10.1.2.3", "172.31.0.1", "192.168.0.7", "127.0.0.1", "::1", "fd12::7"] {
            assert_eq!(judged(&ceiling, good), Ok(()), "{good}");
        }
        for public in ["8.8.8.8", "172.32.0.1", "100.64.0.1", "2606:4700::1111"] {
            assert_eq!(judged(&ceiling, public), Err(Barred::NotAllowed), "{public}");
        }
    }

    #[test]
    fn special_addresses_are_barred_even_where_everything_is_allowed() {
        let wide = ceiling(&[("0.0.0.0/0", 1, 65_535, None), ("::/0", 1, 65_535, None)]);
        for (address, class) in [
            ("169.254.169.254", Special::Metadata),
            ("fd00:ec2::254", Special::Metadata),
            ("100.100.100.200", Special::Metadata),
            ("169.254.9.9", Special::LinkLocal),
            ("fe80::1", Special::LinkLocal),
            ("0.0.0.0", Special::Unspecified),
            ("::", Special::Unspecified),
            ("224.0.0.251", Special::Multicast),
            ("ff02::fb", Special::Multicast),
            ("255.255.255.255", Special::Broadcast),
            ("64:ff9b::a9fe:a9fe", Special::Translated),
        ] {
            assert_eq!(judged(&wide, address), Err(Barred::Special(class)), "{address}");
        }
        assert_eq!(judged(&wide, "8.8.8.8"), Ok(()));
        assert_eq!(judged(&wide, "::1"), Ok(()));
    }

    #[test]
    fn an_ipv4_address_in_ipv6_clothes_is_judged_as_ipv4() {
        let wide = ceiling(&[("::/0", 1, 65_535, None)]);
        assert_eq!(
            judged(&wide, "::ffff:169.254.169.254"),
            Err(Barred::Special(Special::Metadata))
        );
        assert_eq!(judged(&Ceiling::default(), "::ffff:10.0.0.1"), Ok(()));
    }

    #[test]
    fn a_special_address_is_reached_where_a_rule_names_it() {
        let named = ceiling(&[("169.254.0.0/16", 1, 65_535, None)]);
        assert_eq!(judged(&named, "169.254.3.4"), Ok(()));
        // The class within the class still wants to be named by itself.
        assert_eq!(judged(&named, "169.254.169.254"), Err(Barred::Special(Special::Metadata)));
        let exact = ceiling(&[("169.254.169.254", 80, 80, None)]);
        assert_eq!(judged(&exact, "169.254.169.254"), Ok(()));
    }

    #[test]
    fn ports_and_protocol_bound_a_rule() {
        let modbus = ceiling(&[("10.0.0.5", 502, 503, Some(Proto::Tcp))]);
        let address: IpAddr = "10.0.0.5".parse().unwrap();
        let judge = |port, proto| modbus.judge(&to("10.0.0.5", port, proto), address).is_ok();
        assert!(judge(502, Proto::Tcp) && judge(503, Proto::Tcp));
        assert!(!judge(501, Proto::Tcp) && !judge(504, Proto::Tcp) && !judge(502, Proto::Udp));
    }

    #[test]
    fn a_name_is_judged_by_where_it_leads() {
        let blocks = ceiling(&[("10.0.0.0/8", 1, 65_535, None)]);
        let name = to("plc.local", 80, Proto::Tcp);
        assert_eq!(blocks.judge(&name, "10.0.0.1".parse().unwrap()), Ok(()));
        assert_eq!(blocks.judge(&name, "8.8.8.8".parse().unwrap()), Err(Barred::NotAllowed));
        let named = ceiling(&[("PLC.local", 80, 80, None)]);
        assert_eq!(named.judge(&name, "8.8.8.8".parse().unwrap()), Ok(()));
        assert_eq!(
            named.judge(&name, "169.254.169.254".parse().unwrap()),
            Err(Barred::Special(Special::Metadata))
        );
        let other = to("evil.local", 80, Proto::Tcp);
        assert_eq!(named.judge(&other, "10.0.0.1".parse().unwrap()), Err(Barred::NotAllowed));
    }

    #[test]
    fn an_empty_file_lets_nothing_be_reached() {
        assert_eq!(judged(&ceiling(&[]), "127.0.0.1"), Err(Barred::NotAllowed));
    }

    #[test]
    fn a_mistyped_address_is_no_name() {
        for bad in ["10.0.0.300", "10.0.0.0/33", "", "a..b", "a b", "1.2.3"] {
            assert!(bad.parse::<Host>().is_err(), "{bad}");
        }
        assert_eq!("10.1.2.3/8".parse::<Host>().unwrap().to_string(), "10.0.0.0/8");
    }
}
