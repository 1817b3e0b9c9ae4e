//! TCP listeners: each accepted connection is one channel.

use std::{sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};

use super::{
    plan::Place,
    session::{Channel, Session},
};
use crate::{relay, seal, tasks::Scope, telemetry::one_line};

/// Local connections of one listener at once; more wait in the kernel's own queue.
pub(super) const CONNECTIONS_MAX: usize = 1_024;

/// How long to wait after a failed accept: the machine is short of something.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `socket` until its scope ends.
pub(super) async fn serve(socket: TcpListener, place: Place, session: Arc<Session>, scope: Scope) {
    let place = Arc::new(place);
    accept(&socket, &session, &scope, |local, permit| {
        carry(local, Arc::clone(&place), Arc::clone(&session), permit)
    })
    .await;
}

/// Accepts, and starts `work` for each connection; it gives the permit back when it is over.
pub(super) async fn accept<W>(
    socket: &TcpListener,
    session: &Session,
    scope: &Scope,
    work: impl Fn(TcpStream, OwnedSemaphorePermit) -> W,
) where
    W: Future<Output = ()> + Send + 'static,
{
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let stop = scope.stop();
    loop {
        let accepted = tokio::select! {
            biased;
            // Cancel-safe: only observes.
            () = stop.asked() => return,
            // What is lost is a permit that is given back, or a connection that nobody waits for.
            accepted = with_permit(socket, &room) => accepted,
        };
        match accepted {
            Ok((local, permit)) => scope.spawn("connection", work(local, permit)),
            Err(error) => {
                session.terminal().note(format_args!("cannot accept a connection: {error}"));
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// A connection, and its place among those that may be open.
async fn with_permit(
    socket: &TcpListener,
    room: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.map_err(std::io::Error::other)?;
    let (local, _) = socket.accept().await?;
    Ok((local, permit))
}

async fn carry(
    local: TcpStream,
    place: Arc<Place>,
    session: Arc<Session>,
    _permit: OwnedSemaphorePermit,
) {
    // A connection that is dropped while it waits must not look like a clean end.
    let waiting = ResetOnDrop(Some(local));
    match session.channel(&place).await {
        Ok(channel) => {
            if let Some(local) = waiting.keep() {
                pump(local, channel, &place, &session).await;
            }
        }
        Err(fault) => {
            // Why comes before the reset: whoever meets that may leave at once.
            session.refused(&place, &fault);
            drop(waiting);
        }
    }
}

/// Carries one connection to its end.
pub(super) async fn pump(local: TcpStream, channel: Channel, place: &Place, session: &Session) {
    // Small writes of a program are not held back; failing is harmless.
    let _ = local.set_nodelay(true);
    let Channel { leg, keys, _room } = channel;
    let meter = Arc::clone(session.meter());
    let ended = seal::pump_tcp(local, leg, keys, meter, session.pools()).await;
    match ended {
        Ok(end) => {
            session.terminal().detail(format_args!("{}: connection over: {end:?}", place.target))
        }
        Err(error) => {
            let how = one_line(&error);
            session.terminal().detail(format_args!("{}: connection lost: {how}", place.target));
        }
    }
}

/// A local connection that is reset, not closed, if it is dropped before it is kept.
pub(super) struct ResetOnDrop(pub(super) Option<TcpStream>);

impl ResetOnDrop {
    pub(super) fn keep(mut self) -> Option<TcpStream> {
        self.0.take()
    }
}

impl Drop for ResetOnDrop {
    fn drop(&mut self) {
        if let Some(socket) = &self.0 {
            relay::reset(socket);
        }
    }
}
