//! The writing half of a control stream: what waits for a peer, and the heartbeat.

use serde::Serialize;
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval_at},
};

use super::{HEARTBEAT, admission::PeerError};
use crate::wire::{ControlWriter, SendError};

/// What waits for one peer. Boxed: a queue makes room for 32 messages when it is made, and ten
/// thousand idle devices have one each.
pub(super) type Outbox<M> = mpsc::Sender<Box<M>>;

/// Sends what `inbox` gives, and a ping each heartbeat, until the inbox ends or a `last` message
/// was sent.
///
/// # Errors
///
/// [`PeerError::Send`]; the peer is gone then.
pub(super) async fn tell<M: Serialize>(
    writer: &mut ControlWriter,
    mut inbox: mpsc::Receiver<Box<M>>,
    ping: impl Fn(u64) -> M,
    is_last: impl Fn(&M) -> bool,
) -> Result<(), PeerError> {
    let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut beats = 0;
    loop {
        let message = tokio::select! {
            biased;
            // Cancel-safe: `mpsc::Receiver::recv`, by its documentation.
            message = inbox.recv() => match message {
                Some(message) => message,
                None => return Ok(()),
            },
            // Cancel-safe: `Interval::tick`, by its documentation.
            _ = heartbeat.tick() => {
                beats += 1;
                Box::new(ping(beats))
            }
        };
        writer.send(&message).await.map_err(PeerError::Send)?;
        if is_last(&message) {
            return Ok(());
        }
    }
}

/// Tells a peer why it is turned away. It is gone afterwards in any case.
pub(super) async fn goodbye<M: Serialize>(
    writer: &mut ControlWriter,
    message: &M,
) -> Result<(), SendError> {
    writer.send(message).await?;
    writer.finish().await
}

/// Queues an answer for a peer.
///
/// # Errors
///
/// [`PeerError::Slow`] when it reads too slowly.
pub(super) fn queue<M>(outbox: &Outbox<M>, message: M) -> Result<(), PeerError> {
    outbox.try_send(Box::new(message)).map_err(|_| PeerError::Slow)
}
