//! Where the listeners are, for programs that wait for it.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

use serde::Serialize;

use super::listen::Listening;
use crate::{client::show::Terminal, clock::Wall, wire::Opened};

/// Environment variables that a program is given begin with this.
const VARIABLE_PREFIX: &str = "CASEWAY_ADDR_";

/// The SOCKS listener's variable; no target's can be called so.
const VARIABLE_SOCKS: &str = "CASEWAY_SOCKS";

/// All listeners of a session.
#[derive(Debug)]
pub(super) struct Announced(Vec<Announcement>);

/// One listener, as it is announced.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Announcement {
    event: &'static str,
    proto: &'static str,
    addr: SocketAddr,
    /// `None` for SOCKS: every TCP target.
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    case: Option<String>,
    asset: String,
    session: String,
    expires: Wall,
}

impl fmt::Display for Announcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { proto, addr, session, expires, asset, .. } = self;
        let target = self.target.as_deref().unwrap_or("*");
        write!(f, "LISTEN proto={proto} addr={addr} target={target} ")?;
        match &self.case {
            Some(case) => write!(f, "case={case}")?,
            None => write!(f, "asset={asset}")?,
        }
        write!(f, " session={session} expires={expires}")
    }
}

impl Announcement {
    /// As TigerVNC and its kin take it: `host::port`.
    pub(super) fn viewer(&self) -> String {
        let addr = reachable(self.addr);
        format!("{}::{}", addr.ip(), addr.port())
    }

    /// What a program finds in its environment.
    fn variable(&self) -> (String, String) {
        let name = match &self.target {
            Some(target) => variable_name(target),
            None => VARIABLE_SOCKS.to_owned(),
        };
        (name, reachable(self.addr).to_string())
    }
}

/// `plc-1` is found under `CASEWAY_ADDR_PLC_1`.
fn variable_name(target: &str) -> String {
    format!("{VARIABLE_PREFIX}{}", target.to_ascii_uppercase().replace('-', "_"))
}

/// An address to connect to, for one that was bound.
fn reachable(addr: SocketAddr) -> SocketAddr {
    match addr {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => {
            SocketAddr::from((Ipv4Addr::LOCALHOST, v4.port()))
        }
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => {
            SocketAddr::from((Ipv6Addr::LOCALHOST, v6.port()))
        }
        SocketAddr::V4(_) | SocketAddr::V6(_) => addr,
    }
}

impl Announced {
    pub(super) fn of(listening: &Listening, opened: &Opened) -> Self {
        let announced = listening.listeners.iter().map(|listener| Announcement {
            event: "listen",
            proto: listener.proto(),
            addr: listener.addr,
            target: listener.target().map(str::to_owned),
            case: opened.case.as_ref().map(ToString::to_string),
            asset: opened.asset.to_string(),
            session: opened.session.to_string(),
            expires: opened.expires,
        });
        Self(announced.collect())
    }

    #[cfg(test)]
    pub(super) fn none() -> Self {
        Self(Vec::new())
    }

    pub(super) fn tell(&self, terminal: &Terminal) {
        for announcement in &self.0 {
            terminal.data(announcement);
            terminal.value(announcement);
        }
    }

    pub(super) fn first(&self) -> Option<&Announcement> {
        self.0.first()
    }

    /// One variable a target; of several listeners to one target, the first counts.
    pub(super) fn variables(&self) -> Vec<(String, String)> {
        let mut variables: Vec<(String, String)> = Vec::new();
        for (name, addr) in self.0.iter().map(Announcement::variable) {
            if variables.iter().all(|(known, _)| *known != name) {
                variables.push((name, addr));
            }
        }
        variables
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announcement(addr: &str, target: Option<&str>) -> Announcement {
        Announcement {
            event: "listen",
            proto: if target.is_some() { "tcp" } else { "socks5" },
            addr: addr.parse().unwrap(),
            target: target.map(str::to_owned),
            case: Some("CASE-7".into()),
            asset: "press-7".into(),
            session: "s-1".into(),
            expires: "2026-05-01T08:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn a_listener_is_one_line_that_programs_can_split_at_spaces() {
        let mut line = announcement("127.0.0.1:40123", Some("plc"));
        assert_eq!(
            line.to_string(),
            "LISTEN proto=tcp addr=127.0.0.1:40123 target=plc case=CASE-7 session=s-1 \
             expires=2026-05-01T08:00:00.000Z"
        );
        line.case = None;
        assert!(line.to_string().contains(" target=plc asset=press-7 session="));
        let socks = announcement("127.0.0.1:1080", None).to_string();
        assert!(socks.starts_with("LISTEN proto=socks5 addr=127.0.0.1:1080 target=* case="));
    }

    #[test]
    fn programs_that_ask_for_json_get_the_same() {
        let value = serde_json::to_value(announcement("127.0.0.1:40123", Some("plc"))).unwrap();
        assert_eq!(value["event"], "listen");
        assert_eq!(value["addr"], "127.0.0.1:40123");
        assert_eq!(value["expires"], "2026-05-01T08:00:00.000Z");
    }

    #[test]
    fn a_program_finds_each_target_once_at_an_address_that_it_can_reach() {
        let announced = Announced(vec![
            announcement("0.0.0.0:502", Some("plc-1")),
            announcement("127.0.0.1:503", Some("plc-1")),
            announcement("[::]:80", Some("hmi")),
            announcement("127.0.0.1:1080", None),
        ]);
        let variables: Vec<_> =
            announced.variables().into_iter().map(|(n, a)| format!("{n}={a}")).collect();
        assert_eq!(
            variables,
            [
                "CASEWAY_ADDR_PLC_1=127.0.0.1:502",
                "CASEWAY_ADDR_HMI=[::1]:80",
                "CASEWAY_SOCKS=127.0.0.1:1080"
            ]
        );
    }

    #[test]
    fn a_viewer_is_told_host_and_port_with_two_colons() {
        assert_eq!(announcement("127.0.0.1:5900", Some("screen")).viewer(), "127.0.0.1::5900");
    }
}
