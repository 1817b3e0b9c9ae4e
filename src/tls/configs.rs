//! rustls configs: what the one port shows to whom, and what a dialling peer shows.

use std::{
    fmt,
    path::Path,
    sync::{Arc, RwLock},
};

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::{
        CryptoProvider,
        aws_lc_rs::{self, Ticketer},
    },
    pki_types::{CertificateDer, pem::PemObject},
    server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier},
    sign::CertifiedKey,
    version::TLS13,
};

use super::{
    files::{self, FileError},
    identity::{Identity, IdentityError},
};

/// Peers: a client certificate of our CA is required.
pub const ALPN_PEER: &[u8] = b"caseway/1";
/// Enrolment: no client certificate yet.
pub const ALPN_ENROL: &[u8] = b"caseway-enrol/1";
const ALPN_HTTP2: &[u8] = b"h2";
const ALPN_HTTP1: &[u8] = b"http/1.1";

/// The provider of all our cryptography, post-quantum key exchange first.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: std::sync::OnceLock<Arc<CryptoProvider>> = std::sync::OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(aws_lc_rs::default_provider())))
}

/// Certificates that cannot be trusted, or configs that cannot be made of them.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{0} holds no CA certificate in PEM form")]
    NoCertificate(String),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("TLS cannot be set up")]
    Setup(#[source] rustls::Error),
    #[error("client certificates cannot be checked")]
    Verifier(#[source] rustls::server::VerifierBuilderError),
}

/// The CA whose leaves are believed, and no other.
#[derive(Clone)]
pub struct Trust(Arc<RootCertStore>);

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trust({})", self.0.len())
    }
}

impl Trust {
    /// Trusts the CA certificates in the PEM file `path`.
    ///
    /// # Errors
    ///
    /// [`TrustError`], naming the file.
    pub fn load(path: &Path) -> Result<Self, TrustError> {
        Self::parse(&files::read(path)?, &path.display().to_string())
    }

    /// Trusts the CA certificates in `pem`.
    ///
    /// # Errors
    ///
    /// [`TrustError::NoCertificate`].
    pub fn from_pem(pem: &str) -> Result<Self, TrustError> {
        Self::parse(pem, "the CA text")
    }

    fn parse(pem: &str, place: &str) -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let added = certificate.ok().and_then(|der| roots.add(der).ok());
            added.ok_or_else(|| TrustError::NoCertificate(place.to_owned()))?;
        }
        if roots.is_empty() {
            return Err(TrustError::NoCertificate(place.to_owned()));
        }
        Ok(Self(Arc::new(roots)))
    }

    /// The roots, for a verifier.
    #[must_use]
    pub fn roots(&self) -> Arc<RootCertStore> {
        Arc::clone(&self.0)
    }
}

/// Which of the port's doors a ClientHello asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    Peer,
    Enrol,
    /// `h2`, `http/1.1`, or a client that names no protocol.
    Http,
}

/// Everything the gateway's port needs. Clones share one server certificate, which may be replaced
/// while the port is open.
#[derive(Clone, Debug)]
pub struct GatewayTls {
    shown: Arc<Shown>,
    peer: Arc<ServerConfig>,
    enrol: Arc<ServerConfig>,
    http: Arc<ServerConfig>,
}

/// The server certificate as it is now.
struct Shown(RwLock<Arc<CertifiedKey>>);

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner)))
    }
}

impl GatewayTls {
    /// Shows `server`, believes peers whose certificates `trust`'s CA signed.
    ///
    /// # Errors
    ///
    /// [`TrustError`].
    pub fn new(server: &Identity, trust: &Trust) -> Result<Self, TrustError> {
        let shown = Arc::new(Shown(RwLock::new(Arc::new(server.certified()?))));
        let verifier = WebPkiClientVerifier::builder_with_provider(trust.roots(), provider())
            .build()
            .map_err(TrustError::Verifier)?;
        let config = |alpn: &[&[u8]]| -> Result<ServerConfig, TrustError> {
            let mut config = server_builder()?
                .with_no_client_auth()
                .with_cert_resolver(Arc::clone(&shown) as Arc<dyn ResolvesServerCert>);
            config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
            Ok(config)
        };
        let mut peer = server_builder()?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::clone(&shown) as Arc<dyn ResolvesServerCert>);
        peer.alpn_protocols = vec![ALPN_PEER.to_vec()];
        // Sealed into tickets that the peers keep: ten thousand devices come back without a full
        // handshake, and cost nothing here meanwhile. A key that was revoked since comes no further
        // than before: the store is asked about it behind every handshake.
        peer.ticketer = Ticketer::new().map_err(TrustError::Setup)?;
        peer.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Self {
            enrol: Arc::new(config(&[ALPN_ENROL])?),
            http: Arc::new(config(&[ALPN_HTTP2, ALPN_HTTP1])?),
            peer: Arc::new(peer),
            shown,
        })
    }

    /// Shows `server` from now on. Connections that stand are not touched.
    ///
    /// # Errors
    ///
    /// [`TrustError::Identity`] when its key cannot be used; the old one stays then.
    pub fn show(&self, server: &Identity) -> Result<(), TrustError> {
        let certified = Arc::new(server.certified()?);
        *self.shown.0.write().unwrap_or_else(std::sync::PoisonError::into_inner) = certified;
        Ok(())
    }

    /// The door that a ClientHello asks for; `None` when it names only protocols that are not ours.
    #[must_use]
    pub fn door(hello: &ClientHello<'_>) -> Option<Door> {
        let Some(mut names) = hello.alpn() else { return Some(Door::Http) };
        names.find_map(|name| match name {
            ALPN_PEER => Some(Door::Peer),
            ALPN_ENROL => Some(Door::Enrol),
            ALPN_HTTP2 | ALPN_HTTP1 => Some(Door::Http),
            _ => None,
        })
    }

    /// The config of a door.
    #[must_use]
    pub fn config(&self, door: Door) -> Arc<ServerConfig> {
        Arc::clone(match door {
            Door::Peer => &self.peer,
            Door::Enrol => &self.enrol,
            Door::Http => &self.http,
        })
    }
}

fn server_builder() -> Result<rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier>, TrustError>
{
    ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(TrustError::Setup)
}

/// What a dialling peer believes and shows.
#[derive(Clone, Debug)]
pub struct PeerTls {
    peer: Option<Arc<ClientConfig>>,
    enrol: Arc<ClientConfig>,
    http: Arc<ClientConfig>,
}

impl PeerTls {
    /// Believes `trust` and shows `identity`. Without one, only enrolment and HTTP can be dialled.
    ///
    /// # Errors
    ///
    /// [`TrustError`].
    pub fn new(trust: &Trust, identity: Option<&Identity>) -> Result<Self, TrustError> {
        let builder = || {
            ClientConfig::builder_with_provider(provider())
                .with_protocol_versions(&[&TLS13])
                .map(|builder| builder.with_root_certificates(trust.roots()))
                .map_err(TrustError::Setup)
        };
        let nameless = |alpn: &[u8]| -> Result<Arc<ClientConfig>, TrustError> {
            let mut config = builder()?.with_no_client_auth();
            config.alpn_protocols = vec![alpn.to_vec()];
            Ok(Arc::new(config))
        };
        let peer = identity.map(|identity| -> Result<Arc<ClientConfig>, TrustError> {
            let mut config = builder()?
                .with_client_auth_cert(identity.chain().to_vec(), identity.key())
                .map_err(TrustError::Setup)?;
            config.alpn_protocols = vec![ALPN_PEER.to_vec()];
            Ok(Arc::new(config))
        });
        Ok(Self {
            peer: peer.transpose()?,
            enrol: nameless(ALPN_ENROL)?,
            http: nameless(ALPN_HTTP1)?,
        })
    }

    /// The config for a door; `None` for [`Door::Peer`] without an identity.
    #[must_use]
    pub fn config(&self, door: Door) -> Option<Arc<ClientConfig>> {
        match door {
            Door::Peer => self.peer.clone(),
            Door::Enrol => Some(Arc::clone(&self.enrol)),
            Door::Http => Some(Arc::clone(&self.http)),
        }
    }
}
