//! What people type: local listeners, targets, durations.

mod target;

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    str::FromStr,
    time::Duration,
};

pub use target::{InvalidTarget, NewTarget};

use crate::{
    ids::Name,
    machines::{Destination, Proto},
    transport::{authority, split_host},
};

/// A switch may be on for this long at most when a duration is typed.
const DURATION_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

/// A local listener that was asked for: `[BIND:]PORT[:TARGET]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    pub bind: IpAddr,
    /// 0: any free one.
    pub port: u16,
    /// `None`: the tunnel's only target.
    pub to: Option<ForwardTo>,
}

/// Where a local listener leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForwardTo {
    /// A target, by name.
    Target(Name),
    /// One destination of a target that covers several.
    Place { host: String, port: u16 },
}

impl ForwardTo {
    /// The place as a destination over `proto`; `None` for a name.
    #[must_use]
    pub fn destination(&self, proto: Proto) -> Option<Destination> {
        match self {
            Self::Target(_) => None,
            Self::Place { host, port } => {
                Some(Destination { proto, host: host.clone(), port: *port })
            }
        }
    }
}

impl fmt::Display for ForwardTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target(name) => name.fmt(f),
            Self::Place { host, port } => f.write_str(&authority(host, *port)),
        }
    }
}

/// Text that is no local listener.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidForward {
    #[error("the local port is a number from 0 to 65535 (0: any free one)")]
    Port,
    #[error("the local address is an IP address, in brackets if it is IPv6, or localhost")]
    Bind,
    #[error("the target is a name, or HOST:PORT")]
    Target,
}

impl FromStr for Forward {
    type Err = InvalidForward;

    fn from_str(text: &str) -> Result<Self, InvalidForward> {
        let (bind, rest) = split_bind(text)?;
        let (port, to) = match rest.split_once(':') {
            Some((port, to)) => (port, Some(forward_to(to)?)),
            None => (rest, None),
        };
        let port = port.parse().map_err(|_| InvalidForward::Port)?;
        Ok(Self { bind, port, to })
    }
}

/// Takes the local address off the front; what starts with digits alone is a port already.
fn split_bind(text: &str) -> Result<(IpAddr, &str), InvalidForward> {
    if let Some(inner) = text.strip_prefix('[') {
        let (host, rest) = inner.split_once("]:").ok_or(InvalidForward::Bind)?;
        return Ok((host.parse().map_err(|_| InvalidForward::Bind)?, rest));
    }
    match text.split_once(':') {
        Some((bind, rest)) if !bind.bytes().all(|b| b.is_ascii_digit()) => {
            let bind = if bind.eq_ignore_ascii_case("localhost") {
                Ipv4Addr::LOCALHOST.into()
            } else {
                bind.parse().map_err(|_| InvalidForward::Bind)?
            };
            Ok((bind, rest))
        }
        _ => Ok((Ipv4Addr::LOCALHOST.into(), text)),
    }
}

fn forward_to(text: &str) -> Result<ForwardTo, InvalidForward> {
    if let Ok(name) = text.parse() {
        return Ok(ForwardTo::Target(name));
    }
    let (host, port) = split_host(text).ok_or(InvalidForward::Target)?;
    let port = port.and_then(|p| p.parse().ok()).filter(|&p| p != 0);
    Ok(ForwardTo::Place { host, port: port.ok_or(InvalidForward::Target)? })
}

/// Text that is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a duration such as 4h, 90m or 2d, up to a year")]
pub(super) struct InvalidDuration;

/// Reads a duration with its unit: `4h`, `90m`, `1h 30m`, `2d` (days of 24 hours).
///
/// # Errors
///
/// When the text is none, or is nothing, or is over a year.
pub(super) fn parse_duration(text: &str) -> Result<Duration, InvalidDuration> {
    let span: jiff::Span = text.parse().map_err(|_| InvalidDuration)?;
    let days = jiff::SpanRelativeTo::days_are_24_hours();
    let signed = span.to_duration(days).map_err(|_| InvalidDuration)?;
    let length = Duration::try_from(signed).map_err(|_| InvalidDuration)?;
    let sensible = !length.is_zero() && length <= DURATION_MAX;
    if sensible { Ok(length) } else { Err(InvalidDuration) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_a_port_with_an_address_before_and_a_target_behind() {
        let read = |text: &str| text.parse::<Forward>().map(|f| (f.bind.to_string(), f.port, f.to));
        let plc = || Some(ForwardTo::Target("plc".parse().unwrap()));
        let place = |host: &str, port| Some(ForwardTo::Place { host: host.into(), port });
        for (text, expected) in [
            ("8080", ("127.0.0.1", 8080, None)),
            ("0", ("127.0.0.1", 0, None)),
            ("8080:plc", ("127.0.0.1", 8080, plc())),
            ("127.0.0.2:8080", ("127.0.0.2", 8080, None)),
            ("0.0.0.0:8080:PLC", ("0.0.0.0", 8080, plc())),
            ("localhost:8080:plc", ("127.0.0.1", 8080, plc())),
            ("[::1]:8080:plc", ("::1", 8080, plc())),
            ("8080:10.0.0.5:502", ("127.0.0.1", 8080, place("10.0.0.5", 502))),
            ("8080:[fd00::5]:502", ("127.0.0.1", 8080, place("fd00::5", 502))),
        ] {
            let (bind, port, to) = expected;
            assert_eq!(read(text), Ok((bind.to_owned(), port, to)), "{text}");
        }
        for (text, fault) in [
            ("", InvalidForward::Port),
            ("65536", InvalidForward::Port),
            ("plc", InvalidForward::Port),
            ("example.com:80", InvalidForward::Bind),
            ("[::1]", InvalidForward::Bind),
            ("80:", InvalidForward::Target),
            ("80:a b", InvalidForward::Target),
            ("80:10.0.0.5:0", InvalidForward::Target),
        ] {
            assert_eq!(text.parse::<Forward>(), Err(fault), "{text}");
        }
    }

    #[test]
    fn a_duration_has_a_unit_and_an_end() {
        assert_eq!(parse_duration("4h"), Ok(Duration::from_secs(4 * 3600)));
        assert_eq!(parse_duration("1h 30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse_duration("2d"), Ok(Duration::from_secs(172_800)));
        for text in ["", "4", "0s", "-1h", "3 years", "400d", "soon"] {
            assert_eq!(parse_duration(text), Err(InvalidDuration), "{text}");
        }
    }
}
