//! What an agent is told: by its config file, by the demo, or by a test.

use std::{fmt, path::PathBuf, str::FromStr};

use super::ceiling::Ceiling;
use crate::transport::{CarrierChoice, DialOptions, HttpProxy};

/// Where the agent keeps its identity where nothing else is said.
pub const DIR_DEFAULT: &str = "/var/lib/caseway-agent";
/// The gateway's port where its URL names none.
pub const PORT_DEFAULT: u16 = 8_443;
/// TCP legs that are kept let in ahead of need, so that a channel opens in one round trip.
const LEGS_AHEAD: usize = 2;

/// How an agent runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// The agent's own directory, 0700.
    pub dir: PathBuf,
    /// Where to dial instead of where it was enrolled: a new address of the same gateway.
    pub gateway: Option<GatewayUrl>,
    pub carrier: CarrierChoice,
    pub proxy: Option<HttpProxy>,
    /// A file whose presence means "remote access allowed here"; `None`: always allowed.
    pub local_switch: Option<PathBuf>,
    pub ceiling: Ceiling,
}

impl Options {
    /// The defaults, with everything under `dir`.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            gateway: None,
            carrier: CarrierChoice::Auto,
            proxy: None,
            local_switch: None,
            ceiling: Ceiling::default(),
        }
    }

    pub(super) fn dial(&self, url: &GatewayUrl, carrier: CarrierChoice) -> DialOptions {
        DialOptions {
            host: url.host.clone(),
            port: url.port,
            carrier,
            proxy: self.proxy.clone(),
            bind: None,
            legs_ahead: LEGS_AHEAD,
        }
    }
}

/// A gateway's address as people write it: `https://gateway.example:8443`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayUrl {
    pub host: String,
    pub port: u16,
}

/// Text that is no gateway's address.
#[derive(Debug, thiserror::Error)]
#[error("expected https://HOST[:PORT]")]
pub struct InvalidUrl;

impl FromStr for GatewayUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        let rest = match text.split_once("://") {
            Some(("https", rest)) => rest,
            Some(_) => return Err(InvalidUrl),
            None => text,
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.strip_prefix('[') {
            Some(v6) => {
                let (host, after) = v6.split_once(']').ok_or(InvalidUrl)?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| InvalidUrl)?;
                (host, after.strip_prefix(':').or(after.is_empty().then_some("")))
            }
            None => match rest.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, Some("")),
            },
        };
        let port = match port {
            Some("") => PORT_DEFAULT,
            Some(port) => port.parse().map_err(|_| InvalidUrl)?,
            None => return Err(InvalidUrl),
        };
        let odd = |c: char| c.is_whitespace() || c.is_control() || "/@?#".contains(c);
        if host.is_empty() || port == 0 || host.contains(odd) {
            return Err(InvalidUrl);
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for GatewayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(f, "https://[{host}]:{port}")
        } else {
            write!(f, "https://{host}:{port}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateways_address_is_read_as_people_write_it() {
        let read = |text: &str| text.parse::<GatewayUrl>().map(|url| url.to_string()).ok();
        assert_eq!(read("https://gw.example"), Some("https://gw.example:8443".into()));
        assert_eq!(read("gw:9000"), Some("https://gw:9000".into()));
        assert_eq!(read("https://[fd00::1]:9/"), Some("https://[fd00::1]:9".into()));
        for bad in ["http://gw", "https://", "gw:0", "gw:x", "a b", "https://u@h", "https://h/p"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
