//! A token shown on a leg.

use tracing::debug;

use super::Desk;
use crate::{broker::Party, transport::PendingLeg, wire::JoinRefusal};

/// Spends the token and hands the leg to the broker, or refuses it.
pub(super) async fn join(desk: &Desk, pending: PendingLeg) {
    let shown = pending.peer.as_ref().map(|peer| Party { peer: peer.id.clone(), key: peer.key });
    match desk.broker.redeem(&pending.token, shown).await {
        Ok(seat) => match pending.accept().await {
            Ok(leg) => desk.broker.take_leg(seat, leg).await,
            Err(error) => debug!(%error, "the peer left while it joined"),
        },
        Err(refused) => {
            debug!(peer = ?pending.peer, %refused, "join");
            pending.refuse(JoinRefusal::Token).await;
        }
    }
}
