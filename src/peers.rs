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

use std::{pin::Pin, sync::Arc, time::Duration};

use tokio::sync::mpsc;
use tracing::{Instrument, debug, info_span};

pub use notes::{Notes, write_down};
pub use present::{Present, watch};

use admission::PeerError;

use crate::{
    broker::Broker,
    ids::{GatewayId, PeerId},
    store::Store,
    tasks::{Scope, Stop},
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
                if let Some(attended) = control(desk, connection, scope.stop()) {
                    scope.spawn("peer", attended);
                }
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

/// Attends to one connection until it is over, or until stopped. The work is boxed once and held by
/// nothing around it: ten thousand of them are idle.
fn control(
    desk: Desk,
    connection: Connection,
    stop: Stop,
) -> Option<impl Future<Output = ()> + Send + 'static> {
    let span = info_span!("peer", id = %connection.peer.id, carrier = %connection.peer.carrier);
    let attended: Pin<Box<dyn Future<Output = Result<(), PeerError>> + Send>> =
        match connection.peer.id.clone() {
            PeerId::Device(device) => Box::pin(agent::attend(desk, device, connection)),
            PeerId::Person(person) => Box::pin(technician::attend(desk, person, connection)),
            PeerId::Face(_) => {
                debug!("a gateway's own certificate is no peer");
                return None;
            }
        };
    let watched = async move {
        let ended = tokio::select! {
            biased;
            // Dropped on purpose when stopped: the connection closes with it.
            ended = attended => ended,
            // Cancel-safe: only observes.
            () = stop.asked() => return,
        };
        match ended {
            Ok(()) => debug!("connection over"),
            Err(error) => {
                debug!(error = &error as &dyn std::error::Error, "connection over");
            }
        }
    };
    Some(watched.instrument(span))
}
