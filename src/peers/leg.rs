//! A token shown on a leg.

use tracing::debug;

use super::Desk;
use crate::{transport::PendingLeg, wire::JoinRefusal};

/// Spends the token and hands the leg to the broker, or refuses it.
pub(super) async fn join(desk: &Desk, pending: PendingLeg) {
    let peer = pending.peer.clone();
    match desk.broker.redeem(&pending.token, &peer.id, peer.key).await {
        Ok(seat) => match pending.accept().await {
            Ok(leg) => desk.broker.take_leg(seat, leg).await,
            Err(error) => debug!(peer = %peer.id, %error, "the peer left while it joined"),
        },
        Err(refused) => {
            debug!(peer = %peer.id, %refused, "join");
            pending.refuse(JoinRefusal::Token).await;
        }
    }
}
