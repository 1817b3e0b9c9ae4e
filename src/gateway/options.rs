//! What a gateway is told at start, checked.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use super::{files::DataDir, init::first_gateway};
use crate::{broker::Rates, ids::GatewayId, mail, webhooks};

/// The port of everything over TLS, and of QUIC.
pub const PORT_DEFAULT: u16 = 8443;

/// Checked options; made by `config`, or by hand in tests and the demo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Holds the CA, the warrant key and the database; made by `init`.
    pub dir: PathBuf,
    /// TCP and UDP alike. Port 0 lets the system choose.
    pub listen: SocketAddr,
    /// DNS names and literal addresses that stand in the server certificate.
    pub names: Vec<String>,
    /// This process among its siblings.
    pub gateway: GatewayId,
    /// HTTP connections at once; past it a new one is closed at once.
    pub http_connections_max: usize,
    /// How long live sessions go on while the store cannot confirm them; 0 ends them at once.
    pub decision_grace: Duration,
    /// How long live sessions may go on after a stop was asked.
    pub drain: Duration,
    /// A session without payload for this long ends.
    pub session_idle: Duration,
    /// A session ends after this, whatever it does.
    pub session_max: Duration,
    /// Live sessions of one person at once; one more is refused with `limit`.
    pub sessions_per_person: u32,
    /// Live sessions of one device at once; one more is refused with `limit`.
    pub sessions_per_device: u32,
    /// How fast the bytes of a session, a device and a case may flow.
    pub rates: Rates,
    /// How messages to webhooks leave, and where they may lead.
    pub webhooks: webhooks::Options,
    /// Where mail is handed over; without it none is sent.
    pub mail: Option<mail::Options>,
    /// Disk space kept free for audit; under it nothing starts.
    pub free_bytes_min: u64,
}

impl Options {
    /// The database's file.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        DataDir::new(self.dir.clone()).database()
    }

    /// The safe defaults, for the data directory `dir`.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        let gateway = first_gateway();
        Self {
            dir,
            listen: SocketAddr::from(([0, 0, 0, 0], PORT_DEFAULT)),
            names: vec!["localhost".into(), "127.0.0.1".into()],
            gateway,
            http_connections_max: 1_024,
            decision_grace: Duration::from_secs(60),
            drain: Duration::from_secs(30),
            session_idle: Duration::from_secs(15 * 60),
            session_max: Duration::from_secs(8 * 60 * 60),
            sessions_per_person: 8,
            sessions_per_device: 4,
            rates: Rates::default(),
            webhooks: webhooks::Options::default(),
            mail: None,
            free_bytes_min: 256 * 1024 * 1024,
        }
    }
}
