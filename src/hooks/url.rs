//! Where a webhook leads, as people write it.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use crate::ids::LABEL_BYTES_MAX;

/// The longest URL, in bytes.
pub const URL_BYTES_MAX: usize = 1_024;
/// The longest host name (RFC 1035 section 2.3.4), in bytes.
const HOST_BYTES_MAX: usize = 253;

/// `https://HOST[:PORT][/PATH][?QUERY]`, or the same by `http` to a loopback address: whether that
/// one is followed is the gateway's to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HookUrl {
    encrypted: bool,
    /// Name or literal address, without brackets; in lower case.
    host: String,
    port: u16,
    /// From its `/` on.
    path: String,
}

/// Text that is no address of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHookUrl {
    #[error("expected https://HOST/PATH; http only to a loopback address")]
    Scheme,
    #[error("the host's name is missing or malformed")]
    Host,
    #[error("the port is a number from 1 to 65535")]
    Port,
    #[error("a name and password in the address are not supported: messages are signed instead")]
    UserInfo,
    #[error("what follows a # is never sent: leave it out")]
    Fragment,
    #[error("spaces, control characters and letters beyond ASCII are written as %XX")]
    Characters,
    #[error("longer than {URL_BYTES_MAX} bytes")]
    Length,
}

impl HookUrl {
    /// Whether it is spoken to over TLS.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// Name or literal address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Path and query, as a request names them.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.path
    }

    /// `HOST[:PORT]`, as it stands in a Host header.
    #[must_use]
    pub fn authority(&self) -> String {
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == default_port(self.encrypted) {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }
}

fn default_port(encrypted: bool) -> u16 {
    if encrypted { 443 } else { 80 }
}

impl fmt::Display for HookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.encrypted { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

impl FromStr for HookUrl {
    type Err = InvalidHookUrl;

    fn from_str(text: &str) -> Result<Self, InvalidHookUrl> {
        if text.len() > URL_BYTES_MAX {
            return Err(InvalidHookUrl::Length);
        }
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(InvalidHookUrl::Characters);
        }
        let (scheme, rest) = text.split_once("://").ok_or(InvalidHookUrl::Scheme)?;
        let encrypted = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(InvalidHookUrl::Scheme),
        };
        if rest.contains('#') {
            return Err(InvalidHookUrl::Fragment);
        }
        let (authority, path) = match rest.find(['/', '?']) {
            Some(at) => rest.split_at_checked(at).unwrap_or((rest, "")),
            None => (rest, ""),
        };
        if authority.contains('@') {
            return Err(InvalidHookUrl::UserInfo);
        }
        let (host, port) = split(authority)?;
        let loopback = host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if !encrypted && !loopback {
            return Err(InvalidHookUrl::Scheme);
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let port = port.unwrap_or(default_port(encrypted));
        Ok(Self { encrypted, host, port, path })
    }
}

fn split(authority: &str) -> Result<(String, Option<u16>), InvalidHookUrl> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(inner) => {
            let (host, behind) = inner.split_once(']').ok_or(InvalidHookUrl::Host)?;
            let host: Ipv6Addr = host.parse().map_err(|_| InvalidHookUrl::Host)?;
            let port = behind.strip_prefix(':');
            if port.is_none() && !behind.is_empty() {
                return Err(InvalidHookUrl::Port);
            }
            (host.to_string(), port)
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (name(host)?, Some(port)),
            None => (name(authority)?, None),
        },
    };
    let port = port.map(|port| port.parse().ok().filter(|port| *port != 0));
    match port {
        Some(None) => Err(InvalidHookUrl::Port),
        Some(Some(port)) => Ok((host, Some(port))),
        None => Ok((host, None)),
    }
}

/// A DNS name or an IPv4 address. What ends in a number and is no such address is neither: some
/// resolvers read `127.1` or `0x7f.1` as one.
fn name(host: &str) -> Result<String, InvalidHookUrl> {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let well_formed = host.len() <= HOST_BYTES_MAX
        && host.split('.').all(|label| {
            (1..=LABEL_BYTES_MAX).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        });
    let last = host.rsplit('.').next().unwrap_or_default();
    let numeric = last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x");
    let address = host.parse::<IpAddr>().is_ok();
    if well_formed && (address || !numeric) { Ok(host) } else { Err(InvalidHookUrl::Host) }
}

impl TryFrom<String> for HookUrl {
    type Error = InvalidHookUrl;

    fn try_from(text: String) -> Result<Self, InvalidHookUrl> {
        text.parse()
    }
}

impl From<HookUrl> for String {
    fn from(url: HookUrl) -> Self {
        url.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Result<String, InvalidHookUrl> {
        text.parse::<HookUrl>().map(|url| url.to_string())
    }

    #[test]
    fn an_address_is_https_or_http_to_loopback() {
        for (given, meant) in [
            ("https://tickets.example", "https://tickets.example/"),
            ("HTTPS://Tickets.Example:443/In?x=1", "https://tickets.example/In?x=1"),
            ("https://tickets.example:8443/in", "https://tickets.example:8443/in"),
            ("https://[2001:db8::1]:444?a", "https://[2001:db8::1]:444/?a"),
            ("http://127.0.0.1:9000/hook", "http://127.0.0.1:9000/hook"),
            ("http://[::1]:9000/", "http://[::1]:9000/"),
        ] {
            assert_eq!(url(given).as_deref(), Ok(meant));
        }
        use InvalidHookUrl as Fault;
        for (bad, fault) in [
            ("tickets.example/in", Fault::Scheme),
            ("ftp://tickets.example", Fault::Scheme),
            ("http://tickets.example", Fault::Scheme),
            ("http://localhost:9000", Fault::Scheme),
            ("http://10.0.0.1", Fault::Scheme),
            ("https://ann:pw@tickets.example", Fault::UserInfo),
            ("https://tickets.example#top", Fault::Fragment),
            ("https://", Fault::Host),
            ("https://tickets..example", Fault::Host),
            ("https://127.1/", Fault::Host),
            ("https://2130706433/", Fault::Host),
            ("https://0x7f.0x1/", Fault::Host),
            ("https://[::1", Fault::Host),
            ("https://[::1]x", Fault::Port),
            ("https://a:0", Fault::Port),
            ("https://a:65536", Fault::Port),
            ("https://tickets.example/a b", Fault::Characters),
            ("https://tickets.example/a\r\nX: y", Fault::Characters),
            ("https://tickets.example/ä", Fault::Characters),
        ] {
            assert_eq!(url(bad), Err(fault), "{bad}");
        }
        assert_eq!(url(&format!("https://a/{}", "x".repeat(URL_BYTES_MAX))), Err(Fault::Length));
    }
}
