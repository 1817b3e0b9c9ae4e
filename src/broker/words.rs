//! What the broker and the faces say to each other.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::mpsc;

use super::caps::Rates;
use crate::{
    audit::{EndCause, OfferFault},
    authz::{Denial, Door, Via, Want},
    clock::Wall,
    ids::{AssetId, CaseId, ChannelNo, DeviceId, KeyDigest, Name, PersonId, SessionId, TunnelId},
    machines::{Destination, Mode, Target, TunnelKind},
    registry::ConnectionNo,
    session::{self, EarNo, Phase},
    token::JoinToken,
    warrant::SignedWarrant,
};

/// How the broker behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Deadlines and limits of sessions.
    pub sessions: session::Options,
    /// How long sessions outlive a store that cannot be asked; zero: not at all.
    pub grace: Duration,
    /// How often the store is asked whether the last judgement still stands.
    pub renew_every: Duration,
    /// How fast bytes may flow.
    pub rates: Rates,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sessions: session::Options::default(),
            grace: Duration::from_secs(60),
            renew_every: Duration::from_secs(2),
            rates: Rates::default(),
        }
    }
}

/// Where the notices of one technician's connection go. Full means that the technician is gone.
#[derive(Clone, Debug)]
pub struct Ear {
    pub(super) no: EarNo,
    pub(super) notices: mpsc::Sender<TechnicianNotice>,
    /// Set when the connection is gone, for a session that is still being opened.
    pub(super) gone: Arc<AtomicBool>,
}

impl Ear {
    /// An ear of its own for one connection; clones are the same ear.
    #[must_use]
    pub fn new(notices: mpsc::Sender<TechnicianNotice>) -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let no = EarNo(MADE.fetch_add(1, Ordering::Relaxed));
        Self { no, notices, gone: Arc::default() }
    }
}

/// What a technician is told.
#[derive(Debug)]
pub enum TechnicianNotice {
    /// Join with this token.
    Channel {
        session: SessionId,
        channel: ChannelNo,
        token: JoinToken,
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
        reconnect_in: Duration,
    },
}

/// What an agent is told.
#[derive(Debug)]
pub enum AgentOrder {
    Offer(Offer),
    Ended {
        session: SessionId,
        cause: EndCause,
    },
    /// A newer connection of this device was let in; this one is to be closed.
    Replaced,
    Restarting {
        reconnect_in: Duration,
    },
}

/// Connect the destination, then join with the token. Channel 0 has no destination.
#[derive(Debug)]
pub struct Offer {
    pub session: SessionId,
    pub channel: ChannelNo,
    pub warrant: SignedWarrant,
    pub target: Option<Name>,
    pub destination: Option<Destination>,
    pub token: JoinToken,
}

/// "May I open this tunnel?"
#[derive(Debug)]
pub struct OpenAsk {
    pub person: PersonId,
    /// The key that the technician's end of the seal will show.
    pub key: KeyDigest,
    pub remote: SocketAddr,
    pub via: Via,
    pub tunnel: Name,
    pub door: Door,
    pub want: Want,
    pub reason: Option<String>,
    pub ear: Ear,
}

/// A session that was granted. Its channel 0 is to be opened next.
#[derive(Clone, Debug)]
pub struct Opened {
    pub session: SessionId,
    pub case: Option<CaseId>,
    pub asset: AssetId,
    pub device: DeviceId,
    /// What the device's end of the seal must show.
    pub device_key: KeyDigest,
    pub tunnel: Name,
    pub kind: TunnelKind,
    /// `Sealed` or `Recorded`: what this session is.
    pub mode: Mode,
    pub targets: Vec<Target>,
    pub expires: Wall,
}

/// Why no session was opened.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Show [`Denial::told`] to the asker, never the reason itself.
    #[error("refused: {}", .0.told())]
    Denied(Denial),
    /// Store or broker cannot answer; what is said is for the technician.
    #[error("{0}")]
    Unavailable(String),
    #[error("the gateway is restarting")]
    Draining,
}

/// The token opened nothing: unknown, spent, late or another peer's; the peer is not told which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("join token refused")]
pub struct TokenRefused;

/// A device's control connection that said `Hello`.
#[derive(Debug)]
pub struct AgentAsk {
    pub device: DeviceId,
    pub key: KeyDigest,
    /// From its `Hello`; warrants repeat it.
    pub nonce: String,
    pub remote: SocketAddr,
    /// Full means that the device is gone.
    pub orders: mpsc::Sender<Box<AgentOrder>>,
}

/// Proof of one arrival; says which connection speaks.
#[derive(Clone, Debug)]
pub struct AgentTicket {
    pub(super) device: DeviceId,
    pub(super) connection: ConnectionNo,
}

impl AgentTicket {
    /// The device that arrived.
    #[must_use]
    pub fn device(&self) -> &DeviceId {
        &self.device
    }
}

/// One session as it stands now.
#[derive(Clone, Debug)]
pub struct LiveSession {
    pub session: SessionId,
    pub phase: Phase,
    pub person: PersonId,
    pub via: Via,
    pub asset: AssetId,
    pub device: DeviceId,
    pub tunnel: TunnelId,
    pub tunnel_name: Name,
    pub granted: Wall,
    pub started: Option<Wall>,
    pub expires: Wall,
    /// Channels that are open or being opened.
    pub channels: usize,
    /// Bytes that the technician sent.
    pub up: u64,
    /// Bytes that the device sent.
    pub down: u64,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Every session that the change denies is cut and its splices have returned.
    pub confirmed: bool,
    /// Sessions that ended by it, until now.
    pub sessions_ended: u32,
}

/// How much lives here now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub devices: usize,
    pub sessions: usize,
    pub channels: usize,
}
