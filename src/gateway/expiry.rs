//! Time that is up, written down: switches that have turned themselves off, requests that nobody
//! answered.
//!
//! Nobody waits for this to be cut: a live session knows its switch's end and ends at it (`session`),
//! and no decision counts a switch past its time as on. Here the rows and the record follow.

use std::time::Duration;

use tokio::sync::broadcast::{self, error::RecvError};
use tracing::warn;

use crate::{
    clock::{Now, Wall, until},
    ids::GatewayId,
    store::{Change, Store, StoreError},
    tasks::Stop,
};

/// The longest between two looks, for clocks that were set and requests that were made meanwhile.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// The shortest between two looks: a burst of changes is one look.
const LOOK_AT_MOST_EVERY: Duration = Duration::from_millis(200);

/// Writes down what time has brought about, until asked to stop.
pub(super) async fn expire(store: Store, gateway: GatewayId, stop: Stop) {
    let mut changes = store.changes();
    loop {
        let now = Now::read();
        let next = match look(&store, &gateway, now).await {
            Ok(Some(at)) => now.instant_of(at).min(now.mono + LOOK_EVERY),
            Ok(None) => now.mono + LOOK_EVERY,
            Err(fault) => {
                warn!(%fault, "switches whose time is up not written down; trying again");
                now.mono + LOOK_EVERY
            }
        };
        let soonest = now.mono + LOOK_AT_MOST_EVERY;
        tokio::select! {
            biased;
            // Cancel-safe: only observes.
            () = stop.asked() => return,
            // Cancel-safe: made anew each turn.
            () = until(Some(next.max(soonest))) => {}
            // Cancel-safe: a change that was taken is one more reason to look.
            () = changed(&mut changes) => {}
        }
        tokio::select! {
            biased;
            // Cancel-safe: only observes.
            () = stop.asked() => return,
            // Cancel-safe: made anew each turn.
            () = until(Some(soonest)) => {}
        }
    }
}

/// When the next time is up.
async fn look(store: &Store, gateway: &GatewayId, now: Now) -> Result<Option<Wall>, StoreError> {
    let next = store.next_expiry().await?;
    if next.is_some_and(|at| at <= now.wall) {
        store.expire(gateway, now).await?;
    }
    Ok(next)
}

/// Ready when something has changed, however much; never again once the store is closed.
async fn changed(changes: &mut broadcast::Receiver<Change>) {
    match changes.recv().await {
        Ok(_) | Err(RecvError::Lagged(_)) => {}
        Err(RecvError::Closed) => std::future::pending().await,
    }
}
