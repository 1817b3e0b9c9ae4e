//! Streams inside TLS.

use std::{
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;

use super::{admission::Known, record::RecordIo};
use crate::tls::TlsFault;

/// TLS on a socket, of either side.
pub(super) type Tls = tokio_rustls::TlsStream<RecordIo>;

/// A stream inside TLS: what HTTP is spoken on, on either side.
pub struct TlsStream {
    tls: Box<Tls>,
    remote: SocketAddr,
    /// Its place among all, given back when it ends.
    _place: Option<OwnedSemaphorePermit>,
    /// What is known of its address, forgotten when it ends.
    _known: Option<Known>,
}

impl TlsStream {
    pub(super) fn new(tls: Tls, remote: SocketAddr, place: Option<OwnedSemaphorePermit>) -> Self {
        Self { tls: Box::new(tls), remote, _place: place, _known: None }
    }

    pub(super) fn keeping(mut self, known: Known) -> Self {
        self._known = Some(known);
        self
    }

    /// The other side's address; through a proxy, the proxy's.
    #[must_use]
    pub fn remote(&self) -> SocketAddr {
        self.remote
    }
}

impl fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream").field("remote", &self.remote).finish_non_exhaustive()
    }
}

/// In TLS 1.3 the dialling side learns only by its first read that its certificate was refused; the
/// reason becomes words here.
fn in_words(error: io::Error) -> io::Error {
    match TlsFault::of(&error) {
        Some(fault) => io::Error::new(error.kind(), fault),
        None => error,
    }
}

impl AsyncRead for TlsStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_read(cx, buf).map_err(in_words)
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_shutdown(cx)
    }
}
