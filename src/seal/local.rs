//! The end of a channel that is not the leg, and how a channel ends there.

use std::io;

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use super::record::{OpenError, Unsealable};

/// A local byte stream that can be told "this did not end well".
pub trait LocalEnd: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// Called once, before the first byte.
    fn prepare(&mut self) {}

    /// Has it watched by the runtime that calls, if one watches it.
    fn rehome(&mut self) {}

    /// Makes the coming drop an error for whoever holds the other side.
    fn reset(&mut self);
}

impl LocalEnd for TcpStream {
    /// What came together goes on at once.
    fn prepare(&mut self) {
        // Fails only for a socket that is gone, which the next read will say.
        let _ = self.set_nodelay(true);
    }

    fn rehome(&mut self) {
        crate::relay::rehome(self);
    }

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

impl ResetCause {
    pub(super) fn from_code(code: u8) -> Self {
        if code == 1 { Self::Local } else { Self::Other(code) }
    }

    pub(super) fn code(self) -> u8 {
        match self {
            Self::Local => 1,
            Self::Other(code) => code,
        }
    }
}

/// How a channel ended without fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PumpEnd {
    /// Both directions ended, and both ends know that everything arrived. For a UDP flow: no
    /// datagram came for its idle time, or its local end is gone, at either end.
    Closed,
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
    #[error("the other end broke the seal")]
    Broken(#[source] OpenError),
    #[error("a record of this type has no place in this channel, or says what cannot be")]
    Misplaced,
    #[error("the other end did not say in time that everything arrived")]
    Unacknowledged,
    #[error("nothing more can be sealed")]
    Exhausted(#[source] Unsealable),
}
