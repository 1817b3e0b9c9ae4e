//! One side of a channel.

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
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

impl Leg {
    /// Sends small writes at once (`TCP_NODELAY`): each is a whole record, or a relay's whole turn.
    pub fn prepare(&self) {
        if let Self::Tcp(socket) = self {
            // Fails only for a socket that is gone, which the next read will say.
            let _ = socket.set_nodelay(true);
        }
    }

    /// Has it watched by the runtime that calls. Other carriers have tasks of their own that do so.
    pub(crate) fn rehome(&mut self) {
        if let Self::Tcp(socket) = self {
            super::rehome(socket);
        }
    }

    /// Ends both directions at once: what the kernel still holds is dropped and the peer sees a
    /// reset, never a clean end.
    ///
    /// # Source
    ///
    /// `SO_LINGER` with zero time makes closing discard and reset (socket(7)); the close itself is
    /// the drop of the socket.
    pub fn abort(self) {
        match self {
            Self::Tcp(socket) => reset(&socket),
            Self::Stream(mut stream) => stream.abort(),
        }
    }
}

/// Makes the drop of `socket` a reset that discards what was not sent.
pub fn reset(socket: &TcpStream) {
    // Fails only for a descriptor that is no socket.
    let _ = socket.set_zero_linger();
}

impl AsyncRead for Leg {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_read(cx, buf),
            Self::Stream(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Leg {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_write(cx, buf),
            Self::Stream(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_flush(cx),
            Self::Stream(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Stream(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

impl fmt::Debug for Leg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp(_) => "Leg::Tcp",
            Self::Stream(_) => "Leg::Stream",
        })
    }
}
