//! Legs, from the dialling side.
//!
//! On QUIC a leg is a stream. On TCP it is a connection that TLS lets in first, which takes two round
//! trips; so, while channels are being opened, a few are kept let in ahead of need. Nobody keeps any
//! while nothing is opened: ten thousand quiet devices cost the gateway no handshakes.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use bytes::BytesMut;
use tokio::time::timeout;

use super::{Dialer, connection::step_out, dial::DialError, quic::QuicLeg, stream::Tls};
use crate::{
    clock::Now,
    relay::Leg,
    tasks::Scope,
    tls::Door,
    token::JoinToken,
    wire::{
        FIRST_PAYLOAD_BYTES_MAX, Frame, JoinRefusal, Kind, ReadError, SendError, first_kind,
        send_frame, take,
    },
};

/// Until a join is answered; the gateway waits for the other side's leg no longer.
const JOIN_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a connection is kept let in; the gateway drops it a little later.
const READY_TIMEOUT: Duration = Duration::from_secs(45);
/// Legs that are kept ahead at most.
const AHEAD_MAX: usize = 8;

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
    Tcp(Arc<Pool>),
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

/// TCP connections that TLS has let in and that have said nothing yet.
struct Pool {
    dialer: Dialer,
    ahead: usize,
    scope: Scope,
    /// The ready ones, oldest first, and whether a task refills; held for lines.
    ready: Mutex<Ready>,
}

#[derive(Default)]
struct Ready {
    connections: VecDeque<(Tls, Instant)>,
    refilling: bool,
}

impl LegDialer {
    pub(super) fn tcp(dialer: Dialer, scope: &Scope, ahead: usize) -> Self {
        let ahead = ahead.min(AHEAD_MAX);
        let scope = scope.clone();
        Self(Way::Tcp(Arc::new(Pool { dialer, ahead, scope, ready: Mutex::default() })))
    }

    pub(super) fn quic(connection: quinn::Connection) -> Self {
        Self(Way::Quic(connection))
    }

    /// Says that a leg will be needed soon, so that one stands ready then.
    pub fn expect(&self) {
        match &self.0 {
            Way::Tcp(pool) => Pool::refill(pool),
            Way::Quic(_) => {}
        }
    }

    /// How many legs stand ready now.
    #[must_use]
    pub fn standing(&self) -> usize {
        match &self.0 {
            Way::Tcp(pool) => pool.ready().connections.len(),
            Way::Quic(_) => 0,
        }
    }

    /// Opens a leg with a join token: one round trip where a connection stands ready.
    ///
    /// # Errors
    ///
    /// [`JoinError`].
    pub async fn open(&self, token: &JoinToken) -> Result<Leg, JoinError> {
        match &self.0 {
            Way::Quic(connection) => timeout(JOIN_TIMEOUT, on_quic(connection, token))
                .await
                .unwrap_or(Err(JoinError::Timeout)),
            Way::Tcp(pool) => {
                let ready = pool.take_ready();
                Pool::refill(pool);
                on_tcp(&pool.dialer, ready, token).await
            }
        }
    }
}

async fn on_quic(connection: &quinn::Connection, token: &JoinToken) -> Result<Leg, JoinError> {
    let (send, recv) = connection.open_bi().await.map_err(JoinError::Lost)?;
    let mut leg = QuicLeg::new(send, recv);
    join(&mut leg, token).await?;
    Ok(Leg::Stream(Box::new(leg)))
}

/// A connection that stood ready may have been dropped meanwhile; then a new one is tried.
async fn on_tcp(dialer: &Dialer, ready: Option<Tls>, token: &JoinToken) -> Result<Leg, JoinError> {
    if let Some(tls) = ready {
        match join_on(tls, token).await {
            Err(JoinError::Send(_) | JoinError::Read(_) | JoinError::Ended) => {}
            answered => return answered,
        }
    }
    let (tls, _) = dialer.tls_over_tcp(Door::Peer).await.map_err(JoinError::Dial)?;
    join_on(tls, token).await
}

async fn join_on(mut tls: Tls, token: &JoinToken) -> Result<Leg, JoinError> {
    let joined = timeout(JOIN_TIMEOUT, join(&mut tls, token)).await;
    joined.map_err(|_| JoinError::Timeout)??;
    step_out(tls).map(Leg::Tcp).ok_or(JoinError::Unexpected)
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

impl Pool {
    fn ready(&self) -> MutexGuard<'_, Ready> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The youngest that is not too old.
    fn take_ready(&self) -> Option<Tls> {
        let now = Now::read().mono;
        let (tls, since) = self.ready().connections.pop_back()?;
        (now.duration_since(since) < READY_TIMEOUT).then_some(tls)
    }

    /// Starts the task that refills, if none runs.
    fn refill(pool: &Arc<Self>) {
        let mut ready = pool.ready();
        if pool.ahead == 0 || ready.refilling {
            return;
        }
        ready.refilling = true;
        drop(ready);
        pool.scope.spawn("legs ahead", keep_ahead(Arc::downgrade(pool), pool.scope.clone()));
    }
}

/// Fills the pool once, and empties it again when what is in it has grown old.
async fn keep_ahead(pool: Weak<Pool>, scope: Scope) {
    let stop = scope.stop();
    loop {
        let Some(strong) = pool.upgrade() else { return };
        let missing = strong.ready().connections.len() < strong.ahead;
        if !missing {
            break;
        }
        let dialled = tokio::select! {
            biased;
            // Cancel-safe: only observes.
            () = stop.asked() => break,
            // Dropped on purpose: nobody needs the connection any more.
            dialled = strong.dialer.tls_over_tcp(Door::Peer) => dialled,
        };
        // Whoever needs a leg meets the fault himself.
        let Ok((tls, _)) = dialled else { break };
        strong.ready().connections.push_back((tls, Now::read().mono));
    }
    if let Some(strong) = pool.upgrade() {
        strong.ready().refilling = false;
    }
    tokio::select! {
        biased;
        // Cancel-safe: only observes.
        () = stop.asked() => {}
        // Cancel-safe: a timer.
        () = tokio::time::sleep(READY_TIMEOUT) => {}
    }
    if let Some(strong) = pool.upgrade() {
        let now = Now::read().mono;
        let old = |(_, since): &(Tls, Instant)| now.duration_since(*since) >= READY_TIMEOUT;
        let stopped = stop.is_asked();
        strong.ready().connections.retain(|ready| !stopped && !old(ready));
    }
}
