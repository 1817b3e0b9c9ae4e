//! Targets of tunnel configs, as the API spells them: one host and one port, or a block and a range.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use crate::{
    ids::Name,
    machines::{Hosts, Ports, Proto, TARGETS_MAX, Target, TunnelKind},
};

/// A DNS name's length at most, in bytes.
const DNS_BYTES_MAX: usize = 253;

/// `{"name": "plc", "proto": "tcp", "host": "192.168.0.10", "port": 502}`; `port_last` makes it a
/// range, a `host` such as `192.168.0.0/24` a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TargetBody {
    name: Name,
    #[serde(default = "tcp")]
    proto: Proto,
    host: String,
    port: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    port_last: Option<u16>,
}

fn tcp() -> Proto {
    Proto::Tcp
}

impl From<Target> for TargetBody {
    fn from(target: Target) -> Self {
        let Target { name, proto, hosts, ports: Ports { first, last } } = target;
        let host = match hosts {
            Hosts::Ip(ip) => ip.to_string(),
            Hosts::Dns(name) => name,
            Hosts::Block(block) => block.to_string(),
        };
        Self { name, proto, host, port: first, port_last: (first != last).then_some(last) }
    }
}

impl TargetBody {
    fn checked(self) -> Result<Target, Problem> {
        let Self { name, proto, host, port, port_last } = self;
        let last = port_last.unwrap_or(port);
        if port == 0 || last < port {
            let detail = format!("target {name}: expected 1 <= port <= port_last <= 65535");
            return Err(Problem::invalid(detail));
        }
        let hosts = hosts(&host).ok_or_else(|| {
            let detail = "expected an address, a block such as 10.0.0.0/24, or a DNS name";
            Problem::invalid(format!("target {name}: host: {detail}"))
        })?;
        Ok(Target { name, proto, hosts, ports: Ports { first: port, last } })
    }
}

fn hosts(text: &str) -> Option<Hosts> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some(Hosts::Ip(ip));
    }
    if let Ok(block) = text.parse::<IpNet>() {
        return Some(Hosts::Block(block.trunc()));
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    // Digits and dots alone were meant as an address.
    let is_name = text.len() <= DNS_BYTES_MAX
        && text.split('.').all(label)
        && text.bytes().any(|b| b.is_ascii_alphabetic());
    is_name.then(|| Hosts::Dns(text.to_ascii_lowercase()))
}

/// The targets of a tunnel of this kind (domain.md D.1).
pub(super) fn checked(kind: TunnelKind, bodies: Vec<TargetBody>) -> Result<Vec<Target>, Problem> {
    if bodies.is_empty() || bodies.len() > TARGETS_MAX {
        return Err(Problem::invalid(format!("targets: expected 1 to {TARGETS_MAX}")));
    }
    let targets: Vec<Target> =
        bodies.into_iter().map(TargetBody::checked).collect::<Result<_, _>>()?;
    let names: BTreeSet<&Name> = targets.iter().map(|target| &target.name).collect();
    if names.len() != targets.len() {
        return Err(Problem::invalid("targets: two have the same name"));
    }
    let one_tcp = matches!(
        targets.as_slice(),
        [one] if one.proto == Proto::Tcp && one.single().is_some()
    );
    match kind {
        TunnelKind::DataLink => Ok(targets),
        TunnelKind::Ssc | TunnelKind::Vnc if one_tcp => Ok(targets),
        TunnelKind::Ssc | TunnelKind::Vnc => {
            Err(Problem::invalid("targets: this kind takes one tcp host and port; see data_link"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(json: &str) -> Result<Vec<Target>, Problem> {
        checked(TunnelKind::DataLink, vec![serde_json::from_str(json).unwrap()])
    }

    #[test]
    fn a_target_reads_what_it_shows() {
        for json in [
            r#"{"name":"plc","proto":"tcp","host":"192.168.0.10","port":502}"#,
            r#"{"name":"cell","proto":"udp","host":"10.0.0.0/24","port":1000,"port_last":2000}"#,
            r#"{"name":"hmi","proto":"tcp","host":"hmi.local","port":80}"#,
            r#"{"name":"v6","proto":"tcp","host":"fd00::1","port":22}"#,
        ] {
            let targets = target(json).unwrap();
            let shown: Vec<TargetBody> = targets.into_iter().map(TargetBody::from).collect();
            assert_eq!(serde_json::to_string(&shown[0]).unwrap(), json);
        }
    }

    #[test]
    fn hosts_and_ports_that_name_nothing_are_refused() {
        for host in ["", "a b", "1.2.3", "300.1.1.1", "10.0.0.0/33", "-a.b", "a..b", "http://x"] {
            let json = format!(r#"{{"name":"x","host":"{host}","port":1}}"#);
            assert!(target(&json).is_err(), "{host}");
        }
        assert!(target(r#"{"name":"x","host":"a","port":0}"#).is_err());
        assert!(target(r#"{"name":"x","host":"a","port":9,"port_last":8}"#).is_err());
    }

    #[test]
    fn only_a_data_link_has_several_targets_or_datagrams() {
        let body = |json: &str| serde_json::from_str::<TargetBody>(json).unwrap();
        let tcp = body(r#"{"name":"a","host":"10.0.0.1","port":1}"#);
        let udp = body(r#"{"name":"b","proto":"udp","host":"10.0.0.1","port":1}"#);
        let block = body(r#"{"name":"c","host":"10.0.0.0/24","port":1}"#);
        assert!(checked(TunnelKind::Ssc, vec![tcp.clone()]).is_ok());
        assert!(checked(TunnelKind::Vnc, vec![tcp.clone(), block.clone()]).is_err());
        assert!(checked(TunnelKind::Ssc, vec![udp.clone()]).is_err());
        assert!(checked(TunnelKind::Ssc, vec![block.clone()]).is_err());
        assert!(checked(TunnelKind::DataLink, vec![tcp.clone(), udp, block]).is_ok());
        assert!(checked(TunnelKind::DataLink, vec![tcp.clone(), tcp]).is_err());
        assert!(checked(TunnelKind::DataLink, vec![]).is_err());
    }
}
