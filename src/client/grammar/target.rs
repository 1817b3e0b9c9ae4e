//! Targets of a new tunnel, as typed.

use std::{fmt, str::FromStr};

use serde_json::{Value, json};

use crate::{ids::Name, machines::Proto};

/// A target that was typed: `[NAME=]tcp://HOST:PORT[-LAST]`. Whether HOST is one, the gateway
/// judges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTarget {
    /// `None`: called as its tunnel.
    pub name: Option<Name>,
    pub proto: Proto,
    /// A name, an address without brackets, or a block.
    pub host: String,
    pub port: u16,
    /// At least `port`.
    pub last: u16,
}

/// Text that is no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTarget {
    #[error("expected [NAME=]tcp://HOST:PORT[-LAST], or udp://")]
    Shape,
    #[error("the name before = has 1 to 63 letters, digits and inner hyphens")]
    Name,
    #[error("an IPv6 address or block stands in brackets: tcp://[fd00::1]:80")]
    Brackets,
    #[error("the port is a number from 1 to 65535, or a range such as 5000-5010")]
    Port,
}

impl NewTarget {
    /// The target as the API takes it; `name` is its name where none was typed.
    #[must_use]
    pub fn body(&self, name: &Name) -> Value {
        let Self { name: own, proto, host, port, last } = self;
        let name = own.as_ref().unwrap_or(name);
        json!({"name": name, "proto": proto, "host": host, "port": port, "port_last": last})
    }
}

impl FromStr for NewTarget {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, InvalidTarget> {
        let (before, place) = text.split_once("://").ok_or(InvalidTarget::Shape)?;
        let (name, proto) = match before.split_once('=') {
            Some((name, proto)) => (Some(name.parse().map_err(|_| InvalidTarget::Name)?), proto),
            None => (None, before),
        };
        let proto = match proto {
            "tcp" => Proto::Tcp,
            "udp" => Proto::Udp,
            _ => return Err(InvalidTarget::Shape),
        };
        let (host, ports) = place.rsplit_once(':').ok_or(InvalidTarget::Shape)?;
        let host = match host.strip_prefix('[') {
            Some(inner) => inner.strip_suffix(']').ok_or(InvalidTarget::Brackets)?,
            None if host.contains(':') => return Err(InvalidTarget::Brackets),
            None => host,
        };
        if host.is_empty() {
            return Err(InvalidTarget::Shape);
        }
        let (port, last) = ports.split_once('-').unwrap_or((ports, ports));
        let (port, last) = (port_number(port)?, port_number(last)?);
        if last < port {
            return Err(InvalidTarget::Port);
        }
        Ok(Self { name, proto, host: host.to_owned(), port, last })
    }
}

fn port_number(text: &str) -> Result<u16, InvalidTarget> {
    text.parse().ok().filter(|&port| port != 0).ok_or(InvalidTarget::Port)
}

impl fmt::Display for NewTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, proto, host, port, last } = self;
        if let Some(name) = name {
            write!(f, "{name}=")?;
        }
        match host.contains(':') {
            true => write!(f, "{proto}://[{host}]:{port}")?,
            false => write!(f, "{proto}://{host}:{port}")?,
        }
        if last == port { Ok(()) } else { write!(f, "-{last}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_read_as_it_is_shown() {
        for text in [
            "tcp://127.0.0.1:80",
            "web=tcp://hmi.local:8080",
            "all=udp://10.0.0.0/24:5000-5010",
            "tcp://[fd00::1]:22",
            "v6=tcp://[fd00::/64]:1-65535",
        ] {
            assert_eq!(text.parse::<NewTarget>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_target_says_what_is_wrong() {
        for (text, fault) in [
            ("127.0.0.1:80", InvalidTarget::Shape),
            ("http://a:80", InvalidTarget::Shape),
            ("tcp://a", InvalidTarget::Shape),
            ("tcp://:80", InvalidTarget::Shape),
            ("a b=tcp://a:80", InvalidTarget::Name),
            ("tcp://fd00::1:80", InvalidTarget::Brackets),
            ("tcp://[fd00::1:80", InvalidTarget::Brackets),
            ("tcp://a:0", InvalidTarget::Port),
            ("tcp://a:65536", InvalidTarget::Port),
            ("tcp://a:9-8", InvalidTarget::Port),
            ("tcp://a:80/", InvalidTarget::Port),
        ] {
            assert_eq!(text.parse::<NewTarget>().unwrap_err(), fault, "{text}");
        }
    }

    #[test]
    fn a_target_without_a_name_is_called_as_its_tunnel() {
        let name = "web".parse().unwrap();
        let body = |text: &str| text.parse::<NewTarget>().unwrap().body(&name)["name"].clone();
        assert_eq!(body("tcp://a:80"), "web");
        assert_eq!(body("b=tcp://a:80"), "b");
    }
}
