//! The control messages. Each has a golden file in `wire/golden/`.

use serde::{Deserialize, Serialize};

use crate::{
    audit::{EndCause, OfferFault},
    clock::Wall,
    ids::{AssetId, CaseId, ChannelNo, DeviceId, KeyDigest, Name, SessionId},
    machines::{Destination, Mode, Target, TunnelKind},
    warrant::SignedWarrant,
};

/// The first control message of either peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    pub protocol: u16,
    /// Program and version, for logs: at most 64 bytes.
    pub build: String,
    /// Base64url of 16 random bytes, new for each connection; a warrant repeats it.
    pub nonce: String,
    /// The peer's clock, so that one far off is named.
    pub wall: Wall,
}

/// The gateway's answer to [`Hello`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Welcome {
    pub protocol: u16,
    pub build: String,
    pub wall: Wall,
    /// Each side pings this often; after three in silence the other is gone.
    pub heartbeat_ms: u32,
}

/// What an agent says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "say", deny_unknown_fields)]
pub enum AgentSays {
    Hello(Hello),
    Ping {
        n: u64,
    },
    Pong {
        n: u64,
    },
    /// The device's local switch, as it is now; said after `Welcome` and on each change.
    LocalSwitch {
        allows: bool,
    },
    /// No leg will come for this offer.
    Refused {
        session: SessionId,
        channel: ChannelNo,
        fault: OfferFault,
        detail: String,
    },
    /// A new certificate for the same device before the old one ends: a PKCS #10 request
    /// (RFC 2986) as PEM, signed by the key that the device is known by.
    Renew {
        csr: String,
    },
}

/// What the gateway tells an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "say", deny_unknown_fields)]
pub enum GatewayTellsAgent {
    Welcome(Welcome),
    /// The other version, or what else was wrong with `Hello`; the connection ends.
    Goodbye {
        code: String,
        detail: String,
    },
    Ping {
        n: u64,
    },
    Pong {
        n: u64,
    },
    /// Connect the destination, then join with the token. Channel 0 has no destination: it carries
    /// the seal's handshake.
    Offer {
        session: SessionId,
        channel: ChannelNo,
        warrant: SignedWarrant,
        target: Option<Name>,
        destination: Option<Destination>,
        /// Base64url of 32 bytes.
        token: String,
    },
    Ended {
        session: SessionId,
        cause: EndCause,
    },
    /// A newer connection of this device was let in.
    Replaced,
    /// The device's new certificate as PEM.
    Renewed {
        certificate: String,
    },
    /// There is no new certificate; the old one holds until it ends.
    RenewRefused {
        detail: String,
    },
    Restarting {
        reconnect_in_ms: u32,
    },
}

/// What a technician's program says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "say", deny_unknown_fields)]
pub enum TechnicianSays {
    Hello(Hello),
    Ping {
        n: u64,
    },
    Pong {
        n: u64,
    },
    /// Open a session; exactly one of `case` and `asset` says under whose switch.
    Open {
        request: u32,
        case: Option<CaseId>,
        asset: Option<AssetId>,
        tunnel: Name,
        reason: Option<String>,
    },
    /// Open one channel of a session. `destination` picks one of several that a target covers.
    OpenChannel {
        session: SessionId,
        channel: ChannelNo,
        target: Option<Name>,
        destination: Option<Destination>,
    },
    Close {
        session: SessionId,
    },
}

/// What the gateway tells a technician's program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "say", deny_unknown_fields)]
pub enum GatewayTellsTechnician {
    Welcome(Welcome),
    Goodbye {
        code: String,
        detail: String,
    },
    Ping {
        n: u64,
    },
    Pong {
        n: u64,
    },
    Opened(Box<Opened>),
    /// `reason` is a code of domain.md J, or one of `unavailable`, `draining`.
    Refused {
        request: u32,
        reason: String,
        detail: String,
    },
    /// Join with this token.
    Channel {
        session: SessionId,
        channel: ChannelNo,
        token: String,
    },
    ChannelRefused {
        session: SessionId,
        channel: ChannelNo,
        fault: OfferFault,
        detail: String,
    },
    Ended {
        session: SessionId,
        cause: EndCause,
    },
    Restarting {
        reconnect_in_ms: u32,
    },
}

/// A session that was granted. Its channel 0 is to be opened next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opened {
    pub request: u32,
    pub session: SessionId,
    pub case: Option<CaseId>,
    pub asset: AssetId,
    pub device: DeviceId,
    /// What the device's end of the seal must show.
    pub device_key: KeyDigest,
    pub tunnel: Name,
    pub kind: TunnelKind,
    pub mode: Mode,
    pub targets: Vec<Target>,
    pub expires: Wall,
}
