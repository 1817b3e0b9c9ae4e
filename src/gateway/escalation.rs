//! Cases that nobody takes up in time, moved on.

use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tracing::warn;

use crate::{
    clock::{Now, until},
    ids::GatewayId,
    store::Store,
    tasks::Stop,
};

/// Looks again after this long at the latest: due times are wall time, which people may set.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// After a fault, and between two looks at the least: a busy gateway changes often.
const REST: Duration = Duration::from_secs(1);

/// Moves on what is due, whenever something is; what fell due while no gateway ran, at once.
///
/// What is due stands in the store: this task remembers nothing, so that a restart loses nothing.
pub(super) async fn escalate(store: Store, gateway: GatewayId, stop: Stop) {
    let mut changes = store.changes();
    loop {
        let now = Now::read();
        let next = match store.escalate(&gateway, now.wall).await {
            Ok(next) => next,
            Err(fault) => {
                warn!(%fault, "cases that are due not moved on; trying again");
                None
            }
        };
        let at = next.map_or(now.mono + LOOK_EVERY, |next| {
            now.instant_of(next).clamp(now.mono + REST, now.mono + LOOK_EVERY)
        });
        let changed = tokio::select! {
            biased;
            // Cancel-safe: only observes.
            () = stop.asked() => return,
            // Cancel-safe: made anew each turn.
            () = until(Some(at)) => None,
            // Cancel-safe: receives or has not; that something changed is all that counts.
            change = changes.recv() => Some(change),
        };
        match changed {
            None => continue,
            Some(Err(RecvError::Closed)) => return,
            Some(Ok(_) | Err(RecvError::Lagged(_))) => {}
        }
        // What changed may be due earlier; a rest gathers what changes together.
        tokio::select! {
            biased;
            // Cancel-safe: only observes.
            () = stop.asked() => return,
            // Cancel-safe: made anew each turn.
            () = until(Some(now.mono + REST)) => {}
        }
    }
}
