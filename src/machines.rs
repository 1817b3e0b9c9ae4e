//! Assets, customer machines, edge devices, and the tunnel configs that lead to them.
//!
//! ```text
//!  operator's view            provider's view
//!  Asset <---- linked ------- CustomerMachine
//!    |  paired                 (proposed, then accepted by the operator)
//!  Device ---- dials out ---> gateway
//!    |  Tunnel { targets }
//!  the machine's own network
//! ```
//!
//! A provider describes what its machines have in common once, in a machine model; its templates
//! become tunnel configs of the machines, field by field (`machines/template.rs`).

mod status;
mod template;

pub use status::{AssetStatus, DeviceState};
pub use template::{Field, Fields, Follow, Model, Template, TunnelConfig, UnsoundConfig};

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{
    cases::Switch,
    ids::{
        AssetId, CustomerId, DeviceId, FacilityId, KeyDigest, MachineId, Name, TenantId, TunnelId,
    },
};

/// Targets of one data link at most.
pub const TARGETS_MAX: usize = 64;

/// A machine as its operator sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    pub id: AssetId,
    pub operator: TenantId,
    pub name: String,
    pub serial: String,
    pub facility: Option<FacilityId>,
    /// False: deactivated, nothing new is started and what runs ends.
    pub active: bool,
    /// The operator's own switch, apart from any case's (domain.md B.4).
    pub switch: Switch,
    /// The edge device that is paired with it.
    pub device: Option<DeviceId>,
}

/// A site or hall that groups an operator's assets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facility {
    /// Unique within its operator's tenant.
    pub id: FacilityId,
    pub operator: TenantId,
    pub name: String,
}

/// A machine as its provider sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerMachine {
    pub id: MachineId,
    pub provider: TenantId,
    pub customer: CustomerId,
    pub serial: String,
    pub link: Link,
}

/// How a customer machine stands to an operator's asset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Link {
    /// No asset: never proposed, or removed.
    New,
    /// The operator has not answered.
    Proposed { asset: AssetId },
    /// Both sides agreed.
    Linked { asset: AssetId },
}

/// An edge device. Its identity is its key (SPKI digest, in the store); its certificate only carries
/// that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    pub id: DeviceId,
    pub owner: TenantId,
    pub name: String,
    /// Its identity; `None` until it is enrolled.
    pub key: Option<KeyDigest>,
    /// False: its key is no longer let in.
    pub active: bool,
}

/// A configured way to one asset through one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tunnel {
    pub id: TunnelId,
    pub asset: AssetId,
    pub name: Name,
    pub kind: TunnelKind,
    pub mode: Mode,
    pub targets: Vec<Target>,
    pub enabled: bool,
}

/// What a tunnel carries (domain.md D.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TunnelKind {
    /// One service: one TCP target.
    #[serde(alias = "tcp")]
    Ssc,
    /// Several targets of one device at once.
    DataLink,
    /// The machine's screen: one RFB server (RFC 6143).
    #[serde(alias = "web_vnc")]
    Vnc,
}

/// Who may read what flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Only the two ends.
    Sealed,
    /// The gateway ends the seal and records.
    Recorded,
    /// A native client's is sealed; a browser's or SSH door's is recorded.
    Any,
}

/// How a target is reached on the device's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proto {
    Tcp,
    Udp,
}

impl fmt::Display for Proto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// One entry of a tunnel config: `name`, and what may be reached under it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    pub name: Name,
    pub proto: Proto,
    pub hosts: Hosts,
    pub ports: Ports,
}

/// The hosts of one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hosts {
    /// A literal address.
    Ip(IpAddr),
    /// A DNS name that the device resolves; 1 to 253 ASCII bytes.
    Dns(String),
    /// Every address of a block.
    Block(IpNet),
}

/// Ports from the first to the last, both included; 1 to 65,535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    pub first: u16,
    pub last: u16,
}

/// One host and port that a channel leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Destination {
    pub proto: Proto,
    /// A literal address or a DNS name; 1 to 253 bytes.
    pub host: String,
    pub port: u16,
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { proto, host, port } = self;
        if host.contains(':') {
            write!(f, "{proto}://[{host}]:{port}")
        } else {
            write!(f, "{proto}://{host}:{port}")
        }
    }
}

impl Target {
    /// Whether `destination` lies within this target. A DNS name matches letter for letter
    /// (ASCII case folded): nobody resolves it before the device does.
    #[must_use]
    pub fn covers(&self, destination: &Destination) -> bool {
        let host = match &self.hosts {
            Hosts::Ip(ip) => IpAddr::from_str(&destination.host).is_ok_and(|one| one == *ip),
            Hosts::Dns(name) => name.eq_ignore_ascii_case(&destination.host),
            Hosts::Block(block) => {
                IpAddr::from_str(&destination.host).is_ok_and(|one| block.contains(&one))
            }
        };
        host && self.proto == destination.proto
            && (self.ports.first..=self.ports.last).contains(&destination.port)
    }

    /// The one destination of this target; `None` where it covers several.
    #[must_use]
    pub fn single(&self) -> Option<Destination> {
        if self.ports.first != self.ports.last {
            return None;
        }
        let host = match &self.hosts {
            Hosts::Ip(ip) => ip.to_string(),
            Hosts::Dns(name) => name.clone(),
            Hosts::Block(block) if block.prefix_len() == block.max_prefix_len() => {
                block.addr().to_string()
            }
            Hosts::Block(_) => return None,
        };
        Some(Destination { proto: self.proto, host, port: self.ports.first })
    }
}
