//! Channel 0: who is there, and a secret between them.
//!
//! ```text
//!   technician's end                         device's end
//!     ClientHello (caseway-seal/1)  ------->
//!     <---- ServerHello ... Certificate, Finished           the technician's end checks its pin
//!     Certificate, Finished,
//!     preferred algorithm (1)       ------->                the device's end checks its pin
//!     <------------------- agreed algorithm (1)             so the technician's end is accepted
//!     close_notify          <------->    close_notify
//! ```

use std::{future::Future, io, net::Ipv4Addr, sync::Arc, time::Duration};

use rustls::{
    ClientConfig, ServerConfig,
    client::Resumption,
    pki_types::ServerName,
    sign::{CertifiedKey, SingleCertAndKey},
    version::TLS13,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::{
    ids::SessionId,
    relay::Leg,
    secret::Secret,
    tls::{self, Identity},
};

use super::{
    Pin, SessionKeys,
    keys::{Algorithm, End},
    pin::PinVerifier,
};

/// The protocol that both ends must name.
const ALPN: &[u8] = b"caseway-seal/1";

/// How long the whole of channel 0 may take; then it has failed.
pub const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);

/// What the exporter is asked for (RFC 8446 section 7.5); its context is the session's id.
const EXPORTER_LABEL: &[u8] = b"EXPORTER-caseway-seal-1";

/// Why a session has no keys.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    #[error("the handshake took longer than it may")]
    TimedOut,
    /// Not the pinned peer, no TLS 1.3, or the leg failed.
    #[error("the handshake failed")]
    Failed(#[source] io::Error),
    #[error("the other end speaks another protocol")]
    Protocol,
    #[error("this end's own key or certificate cannot be used")]
    Identity(#[source] tls::IdentityError),
    #[error("the TLS provider is not usable")]
    Provider(#[source] rustls::Error),
}

/// The technician's end of channel 0. Ready only when the device's end has accepted this one.
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
    let connector = TlsConnector::from(Arc::new(client(identity, pin)?));
    in_time(async {
        // Not sent and not checked: the pin says who must answer.
        let name = ServerName::from(Ipv4Addr::UNSPECIFIED);
        let mut stream = connector.connect(name, leg).await.map_err(failed)?;
        let secret = export(stream.get_ref().1, session)?;
        let algorithm = propose(&mut stream).await?;
        close(&mut stream).await;
        Ok(SessionKeys::new(secret, algorithm, End::Technician))
    })
    .await
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
    let acceptor = TlsAcceptor::from(Arc::new(server(identity, pin)?));
    in_time(async {
        let mut stream = acceptor.accept(leg).await.map_err(failed)?;
        let secret = export(stream.get_ref().1, session)?;
        let algorithm = agree(&mut stream).await?;
        close(&mut stream).await;
        Ok(SessionKeys::new(secret, algorithm, End::Device))
    })
    .await
}

async fn in_time<T>(
    work: impl Future<Output = Result<T, HandshakeError>>,
) -> Result<T, HandshakeError> {
    timeout(HANDSHAKE_TIME_MAX, work).await.unwrap_or(Err(HandshakeError::TimedOut))
}

fn failed(error: io::Error) -> HandshakeError {
    HandshakeError::Failed(error)
}

fn client(identity: &Identity, pin: &Pin) -> Result<ClientConfig, HandshakeError> {
    let mut config = ClientConfig::builder_with_provider(tls::provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(HandshakeError::Provider)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinVerifier::new(pin)))
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified(identity)?)));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.enable_sni = false;
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn server(identity: &Identity, pin: &Pin) -> Result<ServerConfig, HandshakeError> {
    let mut config = ServerConfig::builder_with_provider(tls::provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(HandshakeError::Provider)?
        .with_client_cert_verifier(Arc::new(PinVerifier::new(pin)))
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified(identity)?)));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn certified(identity: &Identity) -> Result<CertifiedKey, HandshakeError> {
    identity.certified().map_err(HandshakeError::Identity)
}

fn export<S>(
    connection: &rustls::ConnectionCommon<S>,
    session: &SessionId,
) -> Result<Secret<32>, HandshakeError> {
    if connection.alpn_protocol() != Some(ALPN) {
        return Err(HandshakeError::Protocol);
    }
    let context = Some(session.as_str().as_bytes());
    connection
        .export_keying_material([0; 32], EXPORTER_LABEL, context)
        .map(Secret::new)
        .map_err(HandshakeError::Provider)
}

/// Says what this CPU does best and learns what both will use: the proof of being accepted.
async fn propose(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
) -> Result<Algorithm, HandshakeError> {
    stream.write_all(&[Algorithm::preferred() as u8]).await.map_err(failed)?;
    stream.flush().await.map_err(failed)?;
    let agreed = stream.read_u8().await.map_err(failed)?;
    Algorithm::from_code(agreed).ok_or(HandshakeError::Protocol)
}

/// AES only where both do it best.
async fn agree(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
) -> Result<Algorithm, HandshakeError> {
    let theirs = stream.read_u8().await.map_err(failed)?;
    let theirs = Algorithm::from_code(theirs).ok_or(HandshakeError::Protocol)?;
    let agreed = match (theirs, Algorithm::preferred()) {
        (Algorithm::Aes256Gcm, Algorithm::Aes256Gcm) => Algorithm::Aes256Gcm,
        (Algorithm::ChaCha20Poly1305, _) | (_, Algorithm::ChaCha20Poly1305) => {
            Algorithm::ChaCha20Poly1305
        }
    };
    stream.write_all(&[agreed as u8]).await.map_err(failed)?;
    stream.flush().await.map_err(failed)?;
    Ok(agreed)
}

/// Both sides close; what goes wrong now takes nothing away from what both know already.
async fn close(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let _ = stream.shutdown().await;
    let _ = stream.read(&mut [0]).await;
}
