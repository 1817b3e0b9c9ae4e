//! Channel 0: who is there, and a secret between them.

use std::{io, sync::Arc};

use rustls::sign::CertifiedKey;

use crate::{
    ids::{KeyDigest, PeerId, SessionId},
    relay::Leg,
};

use super::SessionKeys;

/// The certificate and key that one end shows.
pub type Identity = Arc<CertifiedKey>;

/// Whom the other end must prove to be.
#[derive(Clone, Debug)]
pub struct Pin {
    pub peer: PeerId,
    pub key: KeyDigest,
}

/// Why a session has no keys.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    #[error("the handshake took longer than it may")]
    TimedOut,
    #[error("the handshake failed")]
    Tls(#[source] io::Error),
}

/// The technician's end of channel 0.
///
/// # Errors
///
/// [`HandshakeError`]; the leg is gone then.
pub async fn connect(
    leg: Leg,
    identity: &Identity,
    pin: &Pin,
    session: &SessionId,
) -> Result<SessionKeys, HandshakeError> {
    unimplemented!()
}

/// The device's end of channel 0.
///
/// # Errors
///
/// As [`connect`].
pub async fn accept(
    leg: Leg,
    identity: &Identity,
    pin: &Pin,
    session: &SessionId,
) -> Result<SessionKeys, HandshakeError> {
    unimplemented!()
}
