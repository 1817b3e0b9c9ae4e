//! Legs, from the dialling side.
//!
//! On QUIC a leg is a stream. On TCP it is a connection that is bare from its first byte: the token
//! is its entrance, and what flows is sealed end to end. Whoever steals a token on the way, and is
//! faster, gets what he had before: bytes that he cannot read, and a channel that he can break.
//!
//! ```text
//!   bare     TCP -- Join(token) --> Joined | sealed bytes            one round trip and TCP's own
//!   in TLS   TCP -- TLS -- Join(token) --> Joined | sealed bytes     where boxes pass TLS alone
//! ```
//!
//! Bare saves both sides a handshake for each channel. A network that lets it not through is noticed
//! once, and from then on the connection's legs begin inside TLS.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::BytesMut;
use tokio::{net::TcpStream, time::timeout};
use tracing::info;

use super::{Dialer, connection::step_out, dial::DialError, quic::QuicLeg, record};
use crate::{
    relay::Leg,
    tls::Door,
    token::JoinToken,
    wire::{
        FIRST_PAYLOAD_BYTES_MAX, Frame, JoinRefusal, Kind, ReadError, SendError, first_kind,
        send_frame, take,
    },
};

/// Until a join is answered; the gateway waits for the other side's leg no longer.
const JOIN_TIMEOUT: Duration = Duration::from_secs(15);
/// Until a bare join is answered, while none has been: a box in the way may swallow it.
const FIRST_BARE_TIMEOUT: Duration = Duration::from_secs(3);

/// A leg that was not joined.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    #[error("the leg's connection failed")]
    Dial(#[source] DialError),
    #[error("the connection to the gateway is over")]
    Lost(#[source] quinn::ConnectionError),
    #[error("the join cannot be sent")]
    Send(#[source] SendError),
    #[error("no answer to the join")]
    Read(#[source] ReadError),
    #[error("the gateway does not answer the join in time")]
    Timeout,
    #[error("the join was refused")]
    Refused(#[source] JoinRefusal),
    #[error("the gateway ended the leg without an answer")]
    Ended,
    #[error("the gateway answered the join with something else")]
    Unexpected,
}

/// Opens legs beside a connection, as long as that stands. Cheap to clone.
#[derive(Clone)]
pub struct LegDialer(Way);

#[derive(Clone)]
enum Way {
    Tcp(Arc<Sockets>),
    Quic(quinn::Connection),
}

impl fmt::Debug for LegDialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Way::Tcp(_) => "LegDialer::Tcp",
            Way::Quic(_) => "LegDialer::Quic",
        })
    }
}

/// How legs begin on this network.
struct Sockets {
    dialer: Dialer,
    /// A bare join was answered.
    bare_passes: AtomicBool,
    /// A bare join was not answered, or not by a gateway.
    in_tls: AtomicBool,
}

impl LegDialer {
    pub(super) fn tcp(dialer: Dialer) -> Self {
        let (bare_passes, in_tls) = (AtomicBool::new(false), AtomicBool::new(false));
        Self(Way::Tcp(Arc::new(Sockets { dialer, bare_passes, in_tls })))
    }

    pub(super) fn quic(connection: quinn::Connection) -> Self {
        Self(Way::Quic(connection))
    }

    /// Opens a leg with a join token.
    ///
    /// # Errors
    ///
    /// [`JoinError`].
    pub async fn open(&self, token: &JoinToken) -> Result<Leg, JoinError> {
        // Boxed: who opens a leg keeps it for long, and not the room that opening took.
        match &self.0 {
            Way::Quic(connection) => {
                let joined = timeout(JOIN_TIMEOUT, on_quic(connection, token));
                Box::pin(joined).await.unwrap_or(Err(JoinError::Timeout))
            }
            Way::Tcp(sockets) => Box::pin(sockets.open(token)).await,
        }
    }
}

#[cfg(test)]
impl LegDialer {
    pub(super) fn are_in_tls(&self) -> bool {
        matches!(&self.0, Way::Tcp(sockets) if sockets.in_tls.load(Relaxed))
    }
}

impl Sockets {
    async fn open(&self, token: &JoinToken) -> Result<Leg, JoinError> {
        if !self.in_tls.load(Relaxed) {
            let passed = self.bare_passes.load(Relaxed);
            let patience = if passed { JOIN_TIMEOUT } else { FIRST_BARE_TIMEOUT };
            let tcp = self.dialer.tcp().await.map_err(JoinError::Dial)?;
            let joined = timeout(patience, bare(tcp, token)).await;
            match joined.unwrap_or(Err(JoinError::Timeout)) {
                Err(error) if !passed && error.is_of_the_way() => {
                    let why = &error as &dyn std::error::Error;
                    info!(why, "legs begin inside TLS on this network");
                    self.in_tls.store(true, Relaxed);
                }
                answered => {
                    self.bare_passes.store(true, Relaxed);
                    return answered;
                }
            }
        }
        let tls = self.dialer.tls_over_tcp(Door::Peer).await;
        let (mut tls, _) = tls.map_err(JoinError::Dial)?;
        let joined = timeout(JOIN_TIMEOUT, join(&mut tls, token)).await;
        joined.map_err(|_| JoinError::Timeout)??;
        step_out(tls).map(Leg::Tcp).ok_or(JoinError::Unexpected)
    }
}

impl JoinError {
    /// Whether something in the way may have said it, and not the gateway.
    fn is_of_the_way(&self) -> bool {
        match self {
            Self::Send(_) | Self::Read(_) | Self::Timeout | Self::Ended | Self::Unexpected => true,
            Self::Dial(_) | Self::Lost(_) | Self::Refused(_) => false,
        }
    }
}

async fn bare(mut tcp: TcpStream, token: &JoinToken) -> Result<Leg, JoinError> {
    let prepared = record::prepare(&tcp);
    prepared.map_err(|error| JoinError::Read(ReadError::Io(error)))?;
    join(&mut tcp, token).await?;
    Ok(Leg::Tcp(tcp))
}

async fn on_quic(connection: &quinn::Connection, token: &JoinToken) -> Result<Leg, JoinError> {
    let (send, recv) = connection.open_bi().await.map_err(JoinError::Lost)?;
    let mut leg = QuicLeg::new(send, recv);
    join(&mut leg, token).await?;
    Ok(Leg::Stream(Box::new(leg)))
}

/// Shows the token and reads the answer, and not a byte more.
async fn join<S>(stream: &mut S, token: &JoinToken) -> Result<(), JoinError>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    send_frame(stream, &Frame::Join(token.clone())).await.map_err(JoinError::Send)?;
    let mut held = BytesMut::new();
    let kind = first_kind(stream, &mut held, FIRST_PAYLOAD_BYTES_MAX).await;
    match kind.map_err(JoinError::Read)? {
        None => return Err(JoinError::Ended),
        Some(Kind::Control | Kind::Join) => return Err(JoinError::Unexpected),
        Some(Kind::Joined | Kind::JoinRefused) => {}
    }
    let frame = take(&mut held, FIRST_PAYLOAD_BYTES_MAX);
    match frame.map_err(|e| JoinError::Read(ReadError::Frame(e)))? {
        Some(Frame::Joined) => Ok(()),
        Some(Frame::JoinRefused(code)) => Err(JoinError::Refused(code)),
        _ => Err(JoinError::Unexpected),
    }
}
