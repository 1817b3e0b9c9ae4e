//! What arrived, on the gateway's side.

use std::{fmt, net::SocketAddr};

use crate::{
    ids::{KeyDigest, PeerId},
    relay::Leg,
    token::JoinToken,
    wire::{ControlReader, ControlWriter, EnrolReply, EnrolRequest, JoinRefusal, SendError},
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

/// Ends a connection from outside: both halves fail at once, and on QUIC its legs too. Holding one
/// keeps nothing alive.
#[derive(Clone, Debug)]
pub struct Closer {}

impl Closer {
    /// Ends the connection now. Does nothing if it is over.
    pub fn close(&self) {
        unimplemented!()
    }
}

/// A peer that shows a join token and waits for the answer, at most for its own patience.
#[derive(Debug)]
pub struct PendingLeg {
    pub peer: Peer,
    pub token: JoinToken,
}

impl PendingLeg {
    /// Answers `Joined`. On TCP the leg is the bare socket from that byte on.
    ///
    /// # Errors
    ///
    /// [`SendError`] when the peer is gone.
    #[expect(clippy::unused_async, reason = "being built")]
    pub async fn accept(self) -> Result<Leg, SendError> {
        unimplemented!()
    }

    /// Answers why not, and ends the stream.
    #[expect(clippy::unused_async, reason = "being built")]
    pub async fn refuse(self, code: JoinRefusal) {
        let _ = code;
        unimplemented!()
    }
}

/// A device that wants its first certificate and waits for the answer.
#[derive(Debug)]
pub struct PendingEnrolment {
    pub remote: SocketAddr,
    pub request: EnrolRequest,
}

impl PendingEnrolment {
    /// Answers, and ends the connection.
    ///
    /// # Errors
    ///
    /// [`SendError`] when the device is gone; it does not have its certificate then.
    #[expect(clippy::unused_async, reason = "being built")]
    pub async fn reply(self, reply: &EnrolReply) -> Result<(), SendError> {
        let _ = reply;
        unimplemented!()
    }
}
