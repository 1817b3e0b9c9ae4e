//! A gateway's address as people write it.

use std::{fmt, str::FromStr};

use crate::ids::LABEL_BYTES_MAX;

/// The port of a gateway whose address names none.
pub const GATEWAY_PORT_DEFAULT: u16 = 8443;

/// The longest host name (RFC 1035 section 2.3.4), in bytes.
const HOST_BYTES_MAX: usize = 253;

/// Where a gateway is: `https://HOST[:PORT]`, and nothing behind. The scheme may be left out.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GatewayUrl {
    /// Name or literal address, without brackets.
    pub host: String,
    pub port: u16,
}

/// Text that is no gateway address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    #[error("expected https://HOST:PORT")]
    Scheme,
    #[error("the host's name is missing or malformed")]
    Host,
    #[error("the port is a number from 1 to 65535")]
    Port,
    #[error("expected https://HOST:PORT with nothing behind the port")]
    Path,
}

impl GatewayUrl {
    /// `HOST:PORT`, as it stands in a Host header.
    #[must_use]
    pub fn authority(&self) -> String {
        authority(&self.host, self.port)
    }
}

/// `HOST:PORT`, an IPv6 address in brackets.
#[must_use]
pub fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

impl FromStr for GatewayUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        let rest = match text.split_once("://") {
            Some(("https", rest)) => rest,
            Some(_) => return Err(InvalidUrl::Scheme),
            None => text,
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#', '@']) {
            return Err(InvalidUrl::Path);
        }
        let (host, port) = split_host(rest).ok_or(InvalidUrl::Host)?;
        let port = match port {
            Some(port) => port.parse().ok().filter(|&p| p != 0).ok_or(InvalidUrl::Port)?,
            None => GATEWAY_PORT_DEFAULT,
        };
        Ok(Self { host, port })
    }
}

/// Splits `HOST`, `HOST:PORT`, `[V6]` or `[V6]:PORT`; `None` when the host is malformed.
#[must_use]
pub fn split_host(text: &str) -> Option<(String, Option<&str>)> {
    if let Some(inner) = text.strip_prefix('[') {
        let (host, behind) = inner.split_once(']')?;
        let host: std::net::Ipv6Addr = host.parse().ok()?;
        let port = if behind.is_empty() { None } else { Some(behind.strip_prefix(':')?) };
        return Some((host.to_string(), port));
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let well_formed = (1..=HOST_BYTES_MAX).contains(&host.len())
        && host.split('.').all(|label| {
            (1..=LABEL_BYTES_MAX).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        });
    well_formed.then(|| (host.to_ascii_lowercase(), port))
}

impl fmt::Display for GatewayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.authority())
    }
}

impl TryFrom<String> for GatewayUrl {
    type Error = InvalidUrl;

    fn try_from(text: String) -> Result<Self, InvalidUrl> {
        text.parse()
    }
}

impl From<GatewayUrl> for String {
    fn from(url: GatewayUrl) -> Self {
        url.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_named_by_scheme_host_and_port_alone() {
        let url: GatewayUrl = "https://Gate.example:9443/".parse().unwrap();
        assert_eq!((url.host.as_str(), url.port), ("gate.example", 9443));
        assert_eq!(url.to_string(), "https://gate.example:9443");
        let short: GatewayUrl = "https://gate".parse().unwrap();
        assert_eq!(short.port, GATEWAY_PORT_DEFAULT);
        let bare: GatewayUrl = "gate:9000".parse().unwrap();
        assert_eq!(bare.to_string(), "https://gate:9000");
        let six: GatewayUrl = "https://[::1]:8443".parse().unwrap();
        assert_eq!((six.host.as_str(), six.authority().as_str()), ("::1", "[::1]:8443"));
        for (text, fault) in [
            ("http://gate:8443", InvalidUrl::Scheme),
            ("https://", InvalidUrl::Host),
            ("https://ga te:1", InvalidUrl::Host),
            ("https://gate..x:1", InvalidUrl::Host),
            ("https://gate:0", InvalidUrl::Port),
            ("https://gate:99999", InvalidUrl::Port),
            ("https://gate:1/api", InvalidUrl::Path),
            ("https://me@gate:1", InvalidUrl::Path),
        ] {
            assert_eq!(text.parse::<GatewayUrl>(), Err(fault), "{text}");
        }
    }
}
