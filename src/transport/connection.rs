//! What arrived, on the gateway's side.

use std::{fmt, io::BufRead, net::SocketAddr, sync::Weak};

use tokio::net::TcpStream;

use super::{
    TlsStream,
    quic::{OVER, QuicLeg},
    record::shut,
    stream::Tls,
};
use crate::{
    ids::{KeyDigest, PeerId},
    relay::Leg,
    token::JoinToken,
    wire::{
        ControlReader, ControlWriter, EnrolReply, EnrolRequest, Frame, JoinRefusal, SendError,
        send_frame,
    },
};

/// What carries a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Carrier {
    Tcp,
    Quic,
}

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Quic => "quic",
        })
    }
}

/// Who is at the other end: its certificate was checked, its key was not yet looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    pub id: PeerId,
    /// The identity; whether it is still let in is the store's to say.
    pub key: KeyDigest,
    /// The address it came from; on QUIC it may change later.
    pub remote: SocketAddr,
    pub carrier: Carrier,
}

/// A peer's connection. Its first message, a `Hello` if the peer is honest, waits in `reader`.
///
/// When `reader` and `writer` are both dropped, the connection ends (on QUIC with its legs).
#[derive(Debug)]
pub struct Connection {
    pub peer: Peer,
    pub reader: ControlReader,
    pub writer: ControlWriter,
    pub closer: Closer,
}

/// Ends a connection from outside: both halves fail at once, and on QUIC its legs too.
#[derive(Clone, Debug)]
pub struct Closer(pub(super) Closes);

#[derive(Clone, Debug)]
pub(super) enum Closes {
    Tcp(Weak<TcpStream>),
    Quic(quinn::Connection),
}

impl Closer {
    /// Ends the connection now. Does nothing if it is over.
    pub fn close(&self) {
        match &self.0 {
            Closes::Tcp(tcp) => shut(tcp),
            Closes::Quic(connection) => connection.close(OVER, b""),
        }
    }
}

/// A join token that was shown; who did waits for the answer, at most for its own patience.
#[derive(Debug)]
pub struct PendingLeg {
    /// Who shows it; `None` on a bare leg, where the token alone speaks: only the peer that it was
    /// made for was told it, on a connection of its own.
    pub peer: Option<Peer>,
    pub token: JoinToken,
    pub(super) carried: Carried,
}

/// What a leg that is not joined yet stands on.
pub(super) enum Carried {
    Bare(TcpStream),
    Tls(Box<Tls>),
    Quic(QuicLeg),
}

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bare(_) => "Carried::Bare",
            Self::Tls(_) => "Carried::Tls",
            Self::Quic(_) => "Carried::Quic",
        })
    }
}

/// Why a joined leg is none.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    #[error("the peer cannot be told that it is joined")]
    Send(#[from] SendError),
    #[error("the peer sent more than its join before it was joined")]
    Early,
}

impl PendingLeg {
    /// Answers `Joined`. On TCP the leg is the bare socket from that byte on.
    ///
    /// # Errors
    ///
    /// [`AcceptError`] when the peer is gone, or did not wait.
    pub async fn accept(self) -> Result<Leg, AcceptError> {
        match self.carried {
            Carried::Quic(mut leg) => {
                send_frame(&mut leg, &Frame::Joined).await?;
                Ok(Leg::Stream(Box::new(leg)))
            }
            Carried::Bare(mut tcp) => {
                send_frame(&mut tcp, &Frame::Joined).await?;
                Ok(Leg::Tcp(tcp))
            }
            Carried::Tls(mut tls) => {
                send_frame(&mut tls, &Frame::Joined).await?;
                step_out(*tls).map(Leg::Tcp).ok_or(AcceptError::Early)
            }
        }
    }

    /// Answers why not, and ends the stream.
    pub async fn refuse(self, code: JoinRefusal) {
        // A peer that is gone need not be told.
        match self.carried {
            Carried::Quic(mut leg) => {
                let _ = send_frame(&mut leg, &Frame::JoinRefused(code)).await;
                let _ = tokio::io::AsyncWriteExt::shutdown(&mut leg).await;
            }
            Carried::Bare(mut tcp) => {
                let _ = send_frame(&mut tcp, &Frame::JoinRefused(code)).await;
            }
            Carried::Tls(mut tls) => {
                let _ = send_frame(&mut tls, &Frame::JoinRefused(code)).await;
            }
        }
    }
}

/// Whether TLS holds something of the peer that nobody has read yet.
pub(super) fn holds_more(tls: &mut Tls) -> bool {
    match tls {
        Tls::Server(tls) => tls.get_mut().1.reader().fill_buf().is_ok_and(|b| !b.is_empty()),
        Tls::Client(tls) => tls.get_mut().1.reader().fill_buf().is_ok_and(|b| !b.is_empty()),
    }
}

/// Leaves TLS behind. Nothing of it is sent from here on, not even its end; `None` if a byte of
/// the peer's was read beyond its last word inside TLS.
pub(super) fn step_out(mut tls: Tls) -> Option<TcpStream> {
    if holds_more(&mut tls) {
        return None;
    }
    let io = match tls {
        Tls::Server(tls) => tls.into_inner().0,
        Tls::Client(tls) => tls.into_inner().0,
    };
    io.step_out()
}

/// A device that wants its first certificate and waits for the answer.
#[derive(Debug)]
pub struct PendingEnrolment {
    pub remote: SocketAddr,
    pub request: EnrolRequest,
    pub(super) stream: TlsStream,
}

impl PendingEnrolment {
    /// Answers, and ends the connection.
    ///
    /// # Errors
    ///
    /// [`SendError`] when the device is gone; it does not have its certificate then.
    pub async fn reply(self, reply: &EnrolReply) -> Result<(), SendError> {
        let mut writer = ControlWriter::new(self.stream);
        writer.send(reply).await?;
        // The answer is out; a device that does not wait for the end loses nothing.
        let _ = writer.finish().await;
        Ok(())
    }
}

/// Both halves of a control stream on TLS, and what closes them.
pub(super) fn control_on_tls(
    tls: TlsStream,
    held: bytes::BytesMut,
    closer: Weak<TcpStream>,
) -> (ControlReader, ControlWriter, Closer) {
    let (read, write) = tokio::io::split(tls);
    let reader = ControlReader::holding(held, read);
    (reader, ControlWriter::new(write), Closer(Closes::Tcp(closer)))
}

/// Both halves of a control stream on QUIC, and what closes them.
pub(super) fn control_on_quic(
    connection: &quinn::Connection,
    send: quinn::SendStream,
    recv: quinn::RecvStream,
    held: bytes::BytesMut,
) -> (ControlReader, ControlWriter, Closer) {
    let (recv, send) = super::quic::control(connection, send, recv);
    let reader = ControlReader::holding(held, recv);
    (reader, ControlWriter::new(send), Closer(Closes::Quic(connection.clone())))
}
