//! Admission, and what the gateway and its peers say to each other.
//!
//! ```text
//!   transport                    peers                               broker
//!   Control(connection) --> Hello? key known? --> agent, technician --> arrived, open, ...
//!   Leg(token) -----------> redeem --> Joined --------------------> take_leg
//!   Enrol(token, csr) ----> token spent, key registered --> certificate
//! ```
//!
//! What always holds: a certificate says who somebody claims to be, the store says whether its key
//! is still let in; a connection whose key is no longer let in is closed within one change; a peer
//! that is silent for three heartbeats, takes too long to read, or speaks out of turn is gone, and
//! nobody else notices. Wire messages are translated here and nowhere else.

mod admission;
mod agent;
mod enrolment;
mod leg;
mod notes;
mod outbox;
mod present;
mod technician;

use std::{sync::Arc, time::Duration};

use tokio::sync::mpsc;
use tracing::{Instrument, debug, info_span};

pub use notes::{Notes, write_down};
pub use present::{Present, watch};

use crate::{
    broker::Broker,
    ids::{GatewayId, PeerId},
    store::Store,
    tasks::Scope,
    tls::Ca,
    transport::{Connection, PeerArrival},
    warrant::WarrantVerifier,
};

/// Each side pings this often; three of them in silence end the connection, so that a peer that
/// vanished is known within 15 s.
pub const HEARTBEAT: Duration = Duration::from_secs(5);
const SILENCE_MAX: Duration = HEARTBEAT.saturating_mul(3);

/// Messages that may wait for one peer; a peer that lets more gather is gone.
const OUTBOX_MAX: usize = 256;

/// What this program calls itself in `Welcome`.
const BUILD: &str = concat!("caseway-gateway ", env!("CARGO_PKG_VERSION"));

/// What the faces for peers work with.
#[derive(Clone, Debug)]
pub struct Desk {
    pub broker: Broker,
    pub store: Store,
    pub ca: Arc<Ca>,
    /// Given to devices when they are enrolled.
    pub verifier: WarrantVerifier,
    pub gateway: GatewayId,
    pub present: Present,
    pub notes: Notes,
}

/// Attends to every arrival, each in a task of its own, until the queue ends.
pub async fn serve(desk: Desk, mut arrivals: mpsc::Receiver<PeerArrival>, scope: Scope) {
    while let Some(arrival) = arrivals.recv().await {
        let desk = desk.clone();
        match arrival {
            PeerArrival::Control(connection) => {
                let stop = scope.stop();
                scope.spawn("peer", async move {
                    tokio::select! {
                        biased;
                        // Dropped on purpose when stopped: the connection closes with it.
                        () = control(&desk, connection) => {}
                        // Cancel-safe: only observes.
                        () = stop.asked() => {}
                    }
                });
            }
            PeerArrival::Leg(pending) => scope.spawn("join", async move {
                leg::join(&desk, pending).await;
            }),
            PeerArrival::Enrol(pending) => scope.spawn("enrol", async move {
                enrolment::answer(&desk, pending).await;
            }),
        }
    }
}

async fn control(desk: &Desk, connection: Connection) {
    let span = info_span!("peer", id = %connection.peer.id, carrier = %connection.peer.carrier);
    async {
        let ended = match connection.peer.id.clone() {
            PeerId::Device(device) => Box::pin(agent::attend(desk, device, connection)).await,
            PeerId::Person(person) => Box::pin(technician::attend(desk, person, connection)).await,
            PeerId::Face(_) => {
                debug!("a gateway's own certificate is no peer");
                return;
            }
        };
        match ended {
            Ok(()) => debug!("connection over"),
            Err(error) => {
                debug!(error = &error as &dyn std::error::Error, "connection over");
            }
        }
    }
    .instrument(span)
    .await;
}
