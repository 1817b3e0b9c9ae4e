//! The end of a channel that is not the leg, and how a channel ends there.

use std::io;

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

/// A local byte stream that can be told "this did not end well".
pub trait LocalEnd: AsyncRead + AsyncWrite + Send + Unpin {
    /// Makes the coming drop an error for whoever holds the other side.
    fn reset(&mut self);
}

impl LocalEnd for TcpStream {
    fn reset(&mut self) {
        crate::relay::reset(self);
    }
}

/// Why one end gave a channel up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetCause {
    /// Its local end was reset or failed.
    Local,
    /// A cause of a later version.
    Other(u8),
}

/// How a channel ended without fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PumpEnd {
    /// Both directions ended, and both ends know that everything arrived.
    Closed,
    /// A UDP flow that was silent for its idle time, at either end.
    Idle,
    /// The local end was reset; the other end was told.
    LocalReset,
    /// The other end was reset, and so is the local one now.
    PeerReset(ResetCause),
}

/// What went wrong with a channel. The local end was reset.
#[derive(Debug, thiserror::Error)]
pub enum PumpError {
    #[error("the leg ended before the stream did")]
    Truncated,
    #[error("the leg failed")]
    Leg(#[source] io::Error),
    #[error("the other end did not say in time that everything arrived")]
    Unacknowledged,
}
