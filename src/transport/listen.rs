//! The one port, in TCP and UDP.

use std::{io, net::SocketAddr};

use tokio::sync::mpsc;

use super::{Connection, Limits, PendingEnrolment, PendingLeg, TlsStream};
use crate::{tasks::Scope, tls::GatewayTls};

/// Where to listen.
#[derive(Clone, Debug)]
pub struct ListenOptions {
    /// Port 0 takes any port that is free in TCP and UDP.
    pub listen: SocketAddr,
    pub limits: Limits,
}

/// A port that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("{protocol} port {address} is in use: stop the other program or choose another port")]
    InUse { protocol: &'static str, address: SocketAddr },
    #[error("cannot listen on {protocol} {address}")]
    Io { protocol: &'static str, address: SocketAddr, source: io::Error },
    #[error("QUIC cannot be set up: {0}")]
    Quic(String),
}

/// The open port; nobody is let in before [`Listener::run`].
#[derive(Debug)]
pub struct Listener {}

/// Who came. Each queue is bounded; while one is full, its arrivals wait until their deadline and
/// are dropped then.
#[derive(Debug)]
pub struct Arrivals {
    pub peers: mpsc::Receiver<PeerArrival>,
    pub http: mpsc::Receiver<TlsStream>,
}

/// One arrival at the peers' door.
#[derive(Debug)]
pub enum PeerArrival {
    Control(Connection),
    Leg(PendingLeg),
    Enrol(PendingEnrolment),
}

impl Listener {
    /// Opens the TCP and the UDP port.
    ///
    /// # Errors
    ///
    /// [`BindError`], naming the port.
    pub fn bind(options: &ListenOptions, tls: &GatewayTls) -> Result<Self, BindError> {
        let _ = (options, tls);
        unimplemented!()
    }

    /// The port that is open.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        unimplemented!()
    }

    /// Lets peers in, in tasks of `scope`, until the scope is asked to stop.
    #[must_use]
    pub fn run(self, scope: &Scope) -> Arrivals {
        let _ = scope;
        unimplemented!()
    }
}
