//! TLS towards servers of the outside: receivers of webhooks, mail servers.
//!
//! The one exception to "one CA is trusted, never the system's": these servers are other people's,
//! and are known by the authorities that the whole web trusts. Which those are is the system's to
//! say, or a file's.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::configs::provider;

/// The largest bundle of authorities that is read, in bytes.
const BUNDLE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Servers of the outside cannot be told from others.
#[derive(Debug, thiserror::Error)]
pub enum WebTlsError {
    #[error("cannot read {}; check that it exists and is readable by this user", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} holds no CA certificate in PEM form", path.display())]
    Empty { path: PathBuf },
    #[error("TLS cannot be set up")]
    Setup(#[source] rustls::Error),
}

/// Dials servers of the outside. HTTP/1.1 is the only protocol that it names.
#[derive(Clone)]
pub struct WebTls(Arc<ClientConfig>);

impl fmt::Debug for WebTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebTls")
    }
}

impl WebTls {
    /// Believes servers that an authority in the PEM file `ca` vouches for; without one, an
    /// authority of the system. A system that has none has no server believed.
    ///
    /// # Errors
    ///
    /// [`WebTlsError`].
    pub fn new(ca: Option<&Path>) -> Result<Self, WebTlsError> {
        let roots = match ca {
            Some(path) => of_file(path)?,
            None => of_system(),
        };
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(WebTlsError::Setup)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }

    /// Speaks TLS with `host` over `stream`.
    ///
    /// # Errors
    ///
    /// When the host is not who it should be, or the stream breaks.
    pub async fn connect(&self, host: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        TlsConnector::from(Arc::clone(&self.0)).connect(name, stream).await
    }
}

/// What the system trusts; it may hold some that this program cannot use.
fn of_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn of_file(path: &Path) -> Result<RootCertStore, WebTlsError> {
    let pem = read(path).map_err(|source| WebTlsError::Read { path: path.to_owned(), source })?;
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_slice_iter(pem.as_bytes());
    roots.add_parsable_certificates(certificates.filter_map(Result::ok));
    if roots.is_empty() {
        return Err(WebTlsError::Empty { path: path.to_owned() });
    }
    Ok(roots)
}

fn read(path: &Path) -> io::Result<String> {
    if std::fs::metadata(path)?.len() > BUNDLE_BYTES_MAX {
        return Err(io::Error::other("longer than 8 MiB"));
    }
    std::fs::read_to_string(path)
}
