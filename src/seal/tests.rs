//! The seal: its records alone, its handshake, and whole channels over a real relay.

mod channels;
mod flows;
mod handshakes;
mod records;
mod throughput;

use super::{
    SessionKeys,
    keys::{Algorithm, End},
};
use crate::secret::Secret;

/// Both ends' keys of one session, as a handshake would leave them.
fn session(algorithm: Algorithm) -> (SessionKeys, SessionKeys) {
    let secret = Secret::<32>::fresh().unwrap();
    (
        SessionKeys::new(secret.clone(), algorithm, End::Technician),
        SessionKeys::new(secret, algorithm, End::Device),
    )
}
