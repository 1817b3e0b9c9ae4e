//! One arrival on QUIC: handshake, control stream, then legs as streams.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use bytes::BytesMut;
use quinn::{Connection as Quic, Incoming, RecvStream, SendStream, VarInt};
use rustls::pki_types::CertificateDer;
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, timeout_at},
};
use tracing::debug;

use super::{
    Carrier, Connection, Peer, PeerArrival, PendingLeg,
    arrive_tcp::{Turned, deadline, hand_over},
    connection::{Carried, control_on_quic},
    listen::{Hall, dismiss},
    quic::{QuicLeg, STREAMS_IDLE, STREAMS_MAX, WINDOW},
};
use crate::{
    tls::{Door, peer_id, spki_digest},
    wire::{self, FIRST_PAYLOAD_BYTES_MAX, Frame, Kind, first_kind},
};

/// Meets one connection and stays with it; logs why, if it is turned away.
pub(super) async fn let_in(hall: Hall, incoming: Incoming, permit: OwnedSemaphorePermit) {
    let remote = incoming.remote_address();
    if let Err(why) = meet(&hall, incoming, permit).await {
        debug!(%remote, error = &why as &dyn std::error::Error, "turned away");
    }
}

async fn meet(hall: &Hall, incoming: Incoming, permit: OwnedSemaphorePermit) -> Result<(), Turned> {
    let deadline = deadline(hall);
    let _place = hall.admission.place(Door::Peer).ok_or(Turned::Full)?;
    let connecting = incoming.accept().map_err(std::io::Error::from)?;
    let shaken = timeout_at(deadline, connecting).await.map_err(|_| Turned::Late)?;
    let quic = shaken.map_err(std::io::Error::from)?;
    let met = Box::pin(introduce(&quic, deadline)).await;
    drop(permit);
    match met {
        Ok((peer, arrival)) => {
            let _known = hall.admission.know(peer.remote.ip());
            Box::pin(hand_over(&hall.peers, PeerArrival::Control(arrival), deadline)).await?;
            legs(hall, &quic, peer).await;
            Ok(())
        }
        Err(why) => {
            dismiss(&quic);
            Err(why)
        }
    }
}

/// Certificate and control stream.
async fn introduce(quic: &Quic, deadline: Instant) -> Result<(Peer, Connection), Turned> {
    let peer = peer(quic)?;
    let opened = timeout_at(deadline, quic.accept_bi()).await.map_err(|_| Turned::Late)?;
    let (send, mut recv) = opened.map_err(std::io::Error::from)?;
    let mut held = BytesMut::new();
    let kind = timeout_at(deadline, first_kind(&mut recv, &mut held, FIRST_PAYLOAD_BYTES_MAX));
    match kind.await.map_err(|_| Turned::Late)?? {
        Some(Kind::Control) => {}
        Some(other) => return Err(Turned::Unexpected(other)),
        None => return Err(Turned::Leaving),
    }
    quic.set_receive_window(VarInt::from_u32(WINDOW));
    let (reader, writer, closer) = control_on_quic(quic, send, recv, held);
    Ok((peer.clone(), Connection { peer, reader, writer, closer }))
}

/// Who the checked certificate speaks for.
fn peer(quic: &Quic) -> Result<Peer, Turned> {
    let identity = quic.peer_identity().ok_or(Turned::NoCertificate)?;
    let chain: Box<Vec<CertificateDer<'static>>> =
        identity.downcast().map_err(|_| Turned::NoCertificate)?;
    let leaf = chain.first().ok_or(Turned::NoCertificate)?;
    Ok(Peer {
        id: peer_id(leaf)?,
        key: spki_digest(leaf)?,
        remote: quic.remote_address(),
        carrier: Carrier::Quic,
    })
}

/// Takes streams until the connection is over. quinn's limit bounds how many there are; it follows
/// their number, so that a quiet peer costs little.
async fn legs(hall: &Hall, quic: &Quic, peer: Peer) {
    let streams = Streams::new(quic);
    while let Ok((send, recv)) = quic.accept_bi().await {
        let counted = streams.one_more();
        let (hall_, peer) = (hall.clone(), peer.clone());
        hall.scope.spawn("quic leg", async move {
            if let Err(why) = leg(&hall_, peer, send, recv, counted).await {
                debug!(error = &why as &dyn std::error::Error, "leg turned away");
            }
        });
    }
}

async fn leg(
    hall: &Hall,
    peer: Peer,
    send: SendStream,
    recv: RecvStream,
    counted: Counted,
) -> Result<(), Turned> {
    let deadline = deadline(hall);
    let mut leg = QuicLeg::new(send, recv);
    let mut held = BytesMut::new();
    let first = first_kind(&mut leg, &mut held, FIRST_PAYLOAD_BYTES_MAX);
    timeout_at(deadline, first).await.map_err(|_| Turned::Late)??;
    let token = match wire::take(&mut held, FIRST_PAYLOAD_BYTES_MAX)? {
        Some(Frame::Join(token)) => token,
        _ => return Err(Turned::Early),
    };
    let carried = Carried::Quic(leg.counted(counted));
    let arrival = PeerArrival::Leg(PendingLeg { peer: Some(peer), token, carried });
    hand_over(&hall.peers, arrival, deadline).await
}

/// The streams of one connection, and the limit that follows them.
#[derive(Clone)]
struct Streams {
    quic: Quic,
    live: Arc<AtomicU32>,
}

/// One live stream.
pub(super) struct Counted(Streams);

impl Streams {
    fn new(quic: &Quic) -> Self {
        Self { quic: quic.clone(), live: Arc::new(AtomicU32::new(0)) }
    }

    fn one_more(&self) -> Counted {
        let live = self.live.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        self.follow(live.saturating_sub(1), live);
        Counted(self.clone())
    }

    /// Sets the limit to twice what lives, in powers of two; only where that changes.
    fn follow(&self, before: u32, now: u32) {
        let limit = limit_for(now);
        if limit != limit_for(before) {
            self.quic.set_max_concurrent_bi_streams(VarInt::from_u32(limit));
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let before = self.0.live.fetch_sub(1, Ordering::Relaxed);
        self.0.follow(before, before.saturating_sub(1));
    }
}

/// The control stream counts as one.
fn limit_for(live: u32) -> u32 {
    let wanted = live.saturating_add(1).saturating_mul(2).min(STREAMS_MAX);
    wanted.next_power_of_two().clamp(STREAMS_IDLE, STREAMS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_limit_follows_the_streams_between_its_bounds() {
        assert_eq!(limit_for(0), STREAMS_IDLE);
        assert_eq!(limit_for(3), 8);
        assert_eq!(limit_for(4), 16);
        assert_eq!(limit_for(100), STREAMS_MAX);
        assert_eq!(limit_for(u32::MAX), STREAMS_MAX);
    }
}
