//! One side of a channel.

use std::fmt;

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

/// A byte stream of one peer that has joined a channel.
pub enum Leg {
    /// A socket that has stepped out of its outer TLS: what flows is sealed end to end anyway.
    Tcp(TcpStream),
    /// Any other carrier's stream.
    Stream(Box<dyn LegStream>),
}

/// A carrier's stream that can also be torn down at once.
pub trait LegStream: AsyncRead + AsyncWrite + Send + Unpin {
    /// Ends both directions now; what was not yet sent is dropped and the peer sees an error.
    fn abort(&mut self);
}

impl fmt::Debug for Leg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp(_) => "Leg::Tcp",
            Self::Stream(_) => "Leg::Stream",
        })
    }
}
