//! A socket read one TLS record at a time, so that TLS can be left behind mid-stream.
//!
//! ```text
//!   | type (1) version (2) length (2) | length bytes | type ... |   bare bytes of the leg
//!   |<--------- one read ------------>|<- more ----->|              ^
//!                                                     `Joined` ends here, and nothing further was read
//! ```

use std::{
    io,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll, ready},
    time::Duration,
};

use rustix::net::{Shutdown, shutdown, sockopt};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// A TLS record's header, in bytes (RFC 8446 section 5.1).
const HEADER_BYTES: usize = 5;

/// A silent peer is asked whether it is there after this long, ...
const KEEPALIVE_IDLE: Duration = Duration::from_secs(5);
/// ... again so often, ...
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(3);
/// ... and is gone after so many questions: 17 s in all.
const KEEPALIVE_COUNT: u32 = 4;
/// A control connection whose bytes are not acknowledged for so long is gone. Legs have no such
/// limit: a slow end may hold a fast one back for as long as it likes.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(15);

/// The socket under a TLS connection.
#[derive(Debug)]
pub(super) struct RecordIo {
    tcp: Arc<TcpStream>,
    /// The header of the record that begins, and how much of it is here.
    header: [u8; HEADER_BYTES],
    have: usize,
    /// What is still to come of the current record.
    body: usize,
    /// What may still be read before somebody vouches for the peer; `None`: no limit.
    budget: Option<usize>,
    /// False where TLS stays to the end: records need not be kept apart.
    bounded: bool,
}

/// Sends small writes at once, and notices a peer that vanished in silence.
pub(super) fn prepare(tcp: &TcpStream) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    sockopt::set_socket_keepalive(tcp, true)?;
    sockopt::set_tcp_keepidle(tcp, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(tcp, KEEPALIVE_INTERVAL)?;
    Ok(sockopt::set_tcp_keepcnt(tcp, KEEPALIVE_COUNT)?)
}

impl RecordIo {
    /// Takes the socket; at most `budget` bytes are read until [`Self::set_budget`] lifts it.
    pub(super) fn new(tcp: TcpStream, budget: Option<usize>) -> io::Result<Self> {
        prepare(&tcp)?;
        Ok(Self {
            tcp: Arc::new(tcp),
            header: [0; HEADER_BYTES],
            have: 0,
            body: 0,
            budget,
            bounded: true,
        })
    }

    /// Sets what may be read from here on.
    pub(super) fn set_budget(&mut self, budget: Option<usize>) {
        self.budget = budget;
    }

    /// From here on records are not kept apart: TLS stays to the end.
    pub(super) fn stay(&mut self) {
        self.bounded = false;
    }

    /// Marks the socket as a control connection: a vanished peer is noticed even mid-send.
    pub(super) fn expect_acknowledgement(&self) -> io::Result<()> {
        let millis = u32::try_from(UNACKNOWLEDGED_MAX.as_millis()).unwrap_or(u32::MAX);
        Ok(sockopt::set_tcp_user_timeout(&*self.tcp, millis)?)
    }

    /// What shuts the socket from outside.
    pub(super) fn closer(&self) -> Weak<TcpStream> {
        Arc::downgrade(&self.tcp)
    }

    /// The bare socket, if it stands exactly between two records.
    pub(super) fn step_out(self) -> Option<TcpStream> {
        let between = self.bounded && self.have == 0 && self.body == 0;
        if between { Arc::into_inner(self.tcp) } else { None }
    }

    /// How much may be read now without leaving the record.
    fn allowed(&self, wanted: usize) -> usize {
        let record = match (self.bounded, self.body) {
            (false, _) => wanted,
            (true, 0) => HEADER_BYTES.saturating_sub(self.have),
            (true, body) => body,
        };
        record.min(wanted).min(self.budget.unwrap_or(usize::MAX))
    }

    /// Notes what was read.
    fn note(&mut self, read: &[u8]) {
        if let Some(budget) = &mut self.budget {
            *budget = budget.saturating_sub(read.len());
        }
        if !self.bounded {
            return;
        }
        if self.body > 0 {
            self.body = self.body.saturating_sub(read.len());
            return;
        }
        let rest = self.header.iter_mut().skip(self.have);
        for (kept, byte) in rest.zip(read) {
            *kept = *byte;
        }
        self.have = self.have.saturating_add(read.len());
        if self.have >= HEADER_BYTES {
            let [_, _, _, high, low] = self.header;
            self.body = usize::from(u16::from_be_bytes([high, low]));
            self.have = 0;
        }
    }
}

/// Shuts both directions of the socket, if it still stands.
pub(super) fn shut(tcp: &Weak<TcpStream>) {
    if let Some(tcp) = tcp.upgrade() {
        // Fails only where the peer was faster.
        let _ = shutdown(&*tcp, Shutdown::Both);
    }
}

impl AsyncRead for RecordIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let allowed = self.allowed(buf.remaining());
        if allowed == 0 && buf.remaining() > 0 {
            return Poll::Ready(Err(io::Error::other("too much before authentication")));
        }
        loop {
            ready!(self.tcp.poll_read_ready(cx))?;
            let slice = buf.initialize_unfilled_to(allowed);
            match self.tcp.try_read(slice) {
                Ok(read) => {
                    self.note(slice.get(..read).unwrap_or_default());
                    buf.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for RecordIo {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.tcp.poll_write_ready(cx))?;
            match self.tcp.try_write(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(shutdown(&*self.tcp, Shutdown::Write).map_err(Into::into))
    }
}
