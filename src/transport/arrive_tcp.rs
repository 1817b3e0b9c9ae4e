//! One arrival on TCP: a bare leg's join, or ClientHello, door, handshake, first frame.
//!
//! The first byte tells them apart.

use std::{io, net::SocketAddr};

use bytes::BytesMut;
use rustls::server::Acceptor;
use tokio::{
    net::TcpStream,
    sync::OwnedSemaphorePermit,
    time::{Instant, timeout_at},
};
use tokio_rustls::LazyConfigAcceptor;
use tracing::debug;

use super::{
    Carrier, Connection, Peer, PeerArrival, PendingEnrolment, PendingLeg, TlsStream,
    connection::{Carried, control_on_tls, holds_more},
    limits::CLIENT_HELLO_BYTES_MAX,
    listen::Hall,
    record::{RecordIo, prepare},
    stream::Tls,
};
use crate::{
    clock::Now,
    tls::{CertificateFault, Door, GatewayTls, peer_id, spki_digest},
    token::JoinToken,
    wire::{
        self, FIRST_PAYLOAD_BYTES_MAX, Frame, FrameError, InvalidMessage, Kind, PREAUTH_BYTES_MAX,
        ReadError, first_kind,
    },
};

/// Why an arrival was turned away. For the log alone.
#[derive(Debug, thiserror::Error)]
pub(super) enum Turned {
    #[error("the connection failed")]
    Io(#[from] io::Error),
    #[error("no protocol of ours")]
    NoDoor,
    #[error("all places behind this door are taken")]
    Full,
    #[error("too slow")]
    Late,
    #[error("no certificate")]
    NoCertificate,
    #[error(transparent)]
    Certificate(#[from] CertificateFault),
    #[error("first frame")]
    Frame(#[from] FrameError),
    #[error("first frame")]
    Read(#[from] ReadError),
    #[error("first message")]
    Message(#[from] InvalidMessage),
    #[error("a {0:?} frame came first")]
    Unexpected(Kind),
    #[error("it sent more than its join")]
    Early,
    #[error("the gateway is leaving")]
    Leaving,
}

/// Meets one connection; logs why, if it is turned away. `permit` counts the handshake.
pub(super) async fn let_in(
    hall: Hall,
    tcp: TcpStream,
    remote: SocketAddr,
    permit: OwnedSemaphorePermit,
) {
    let stop = hall.scope.stop();
    let met = tokio::select! {
        biased;
        // Cancel-safe: only observes.
        () = stop.asked() => return,
        // Dropped on purpose: who is not in yet is not let in any more.
        met = meet(&hall, tcp, remote, permit) => met,
    };
    if let Err(why) = met {
        debug!(%remote, error = &why as &dyn std::error::Error, "turned away");
    }
}

async fn meet(
    hall: &Hall,
    tcp: TcpStream,
    remote: SocketAddr,
    permit: OwnedSemaphorePermit,
) -> Result<(), Turned> {
    let deadline = deadline(hall);
    let first = timeout_at(deadline, first_byte(&tcp)).await.map_err(|_| Turned::Late)??;
    if first == wire::FIRST_BYTE {
        let pending =
            timeout_at(deadline, bare_join(hall, tcp)).await.map_err(|_| Turned::Late)??;
        drop(permit);
        return hand_over(&hall.peers, PeerArrival::Leg(pending), deadline).await;
    }
    let shaken = timeout_at(deadline, shake(hall, tcp)).await.map_err(|_| Turned::Late)?;
    drop(permit);
    let (door, place, tls) = shaken?;
    match door {
        Door::Http => {
            let stream = TlsStream::new(tls, remote, Some(place));
            hand_over(&hall.http, stream, deadline).await
        }
        Door::Enrol => enrolment(hall, TlsStream::new(tls, remote, Some(place)), deadline).await,
        Door::Peer => {
            let peer = peer(&tls, remote)?;
            let (frame, tls, held) = first_frame(tls, deadline).await?;
            let arrival = peer_arrival(hall, peer, frame, tls, held, place)?;
            hand_over(&hall.peers, arrival, deadline).await
        }
    }
}

/// When an arrival that begins now is too late.
pub(super) fn deadline(hall: &Hall) -> Instant {
    Instant::from_std(Now::read().mono) + hall.admission.limits().arrival
}

/// What the connection begins with; it stays to be read.
async fn first_byte(tcp: &TcpStream) -> Result<u8, Turned> {
    let mut first = [0];
    match tcp.peek(&mut first).await? {
        0 => Err(Turned::Read(ReadError::Truncated)),
        _ => Ok(first[0]),
    }
}

/// A leg outside TLS says one frame: its token.
async fn bare_join(hall: &Hall, mut tcp: TcpStream) -> Result<PendingLeg, Turned> {
    let _place = hall.admission.place(Door::Peer).ok_or(Turned::Full)?;
    prepare(&tcp)?;
    let mut held = BytesMut::new();
    let kind = first_kind(&mut tcp, &mut held, JoinToken::BYTES).await?;
    match wire::take(&mut held, JoinToken::BYTES)? {
        Some(Frame::Join(token)) => {
            Ok(PendingLeg { peer: None, token, carried: Carried::Bare(tcp) })
        }
        _ => Err(kind.map_or(Turned::Read(ReadError::Truncated), Turned::Unexpected)),
    }
}

/// ClientHello, door, place, handshake. The caller holds the deadline.
async fn shake(hall: &Hall, tcp: TcpStream) -> Result<(Door, OwnedSemaphorePermit, Tls), Turned> {
    let io = RecordIo::new(tcp, Some(CLIENT_HELLO_BYTES_MAX))?;
    let mut start = LazyConfigAcceptor::new(Acceptor::default(), io).await?;
    // A client that names none of our protocols is answered by the HTTP door's alert.
    let door = GatewayTls::door(&start.client_hello());
    start.io.set_budget(Some(PREAUTH_BYTES_MAX.saturating_sub(CLIENT_HELLO_BYTES_MAX)));
    let config = hall.tls.config(door.unwrap_or(Door::Http));
    let place = match door {
        Some(door) => Some((door, hall.admission.place(door).ok_or(Turned::Full)?)),
        None => None,
    };
    let mut tls = Tls::Server(start.into_stream(config).await?);
    let (door, place) = place.ok_or(Turned::NoDoor)?;
    let io = tls.get_mut().0;
    io.set_budget(None);
    if door != Door::Peer {
        io.stay();
    }
    Ok((door, place, tls))
}

/// Who the checked certificate speaks for.
fn peer(tls: &Tls, remote: SocketAddr) -> Result<Peer, Turned> {
    let chain = tls.get_ref().1.peer_certificates();
    let leaf = chain.and_then(<[_]>::first).ok_or(Turned::NoCertificate)?;
    Ok(Peer { id: peer_id(leaf)?, key: spki_digest(leaf)?, remote, carrier: Carrier::Tcp })
}

/// Waits for the first frame, and reads not a byte further.
async fn first_frame(mut tls: Tls, deadline: Instant) -> Result<(Kind, Tls, BytesMut), Turned> {
    let mut held = BytesMut::new();
    let first = first_kind(&mut tls, &mut held, FIRST_PAYLOAD_BYTES_MAX);
    let kind = timeout_at(deadline, first).await.map_err(|_| Turned::Late)??;
    kind.map(|kind| (kind, tls, held)).ok_or(Turned::Read(ReadError::Truncated))
}

fn peer_arrival(
    hall: &Hall,
    peer: Peer,
    kind: Kind,
    mut tls: Tls,
    mut held: BytesMut,
    place: OwnedSemaphorePermit,
) -> Result<PeerArrival, Turned> {
    match kind {
        Kind::Join => {
            if holds_more(&mut tls) {
                return Err(Turned::Early);
            }
            let token = match wire::take(&mut held, FIRST_PAYLOAD_BYTES_MAX)? {
                Some(Frame::Join(token)) => token,
                _ => return Err(Turned::Unexpected(kind)),
            };
            let carried = Carried::Tls(Box::new(tls));
            Ok(PeerArrival::Leg(PendingLeg { peer: Some(peer), token, carried }))
        }
        Kind::Control => {
            let io = tls.get_ref().0;
            io.expect_acknowledgement()?;
            let closer = io.closer();
            let known = hall.admission.know(peer.remote.ip());
            let stream = TlsStream::new(tls, peer.remote, Some(place)).keeping(known);
            let (reader, writer, closer) = control_on_tls(stream, held, closer);
            Ok(PeerArrival::Control(Connection { peer, reader, writer, closer }))
        }
        Kind::Joined | Kind::JoinRefused => Err(Turned::Unexpected(kind)),
    }
}

async fn enrolment(hall: &Hall, mut stream: TlsStream, deadline: Instant) -> Result<(), Turned> {
    let mut held = BytesMut::new();
    let limit = FIRST_PAYLOAD_BYTES_MAX;
    let kind = timeout_at(deadline, first_kind(&mut stream, &mut held, limit)).await;
    kind.map_err(|_| Turned::Late)??;
    let request = match wire::take(&mut held, limit)? {
        Some(Frame::Control(payload)) => wire::parse(&payload)?,
        _ => return Err(Turned::Early),
    };
    let arrival = PendingEnrolment { remote: stream.remote(), request, stream };
    hand_over(&hall.peers, PeerArrival::Enrol(arrival), deadline).await
}

/// Gives an arrival to whoever takes it; past the deadline it is dropped.
pub(super) async fn hand_over<T>(
    queue: &tokio::sync::mpsc::Sender<T>,
    arrival: T,
    deadline: Instant,
) -> Result<(), Turned> {
    let given = timeout_at(deadline, queue.send(arrival)).await.map_err(|_| Turned::Late)?;
    given.map_err(|_| Turned::Leaving)
}
