//! Certificates: the internal CA, leaves on disk to rustls configs, a peer's certificate to its name.
//!
//! ```text
//!   Ca --- issues ---> Identity (key + certificate) ---> GatewayTls  what the one port shows
//!    \--- is ---> Trust -------------------------------> PeerTls     what a dialling peer shows
//! ```
//!
//! A leaf's subject alternative name is a URI, `caseway://device/<id>`, `caseway://person/<id>` or
//! `caseway://face/<id>`; the gateway's server certificate names its hosts instead. The identity is
//! the public key: its digest is what is pinned, stored and revoked; the certificate only carries it.
//!
//! What always holds: TLS 1.3 only, no early data, the aws-lc provider, post-quantum key exchange
//! first; private keys are files of mode 0600; one CA is trusted, never the system's. `web` alone is
//! for servers that are not ours, and stands apart.

mod ca;
mod configs;
mod fault;
mod files;
mod identity;
#[cfg(test)]
mod tests;
#[cfg(feature = "gateway")]
mod web;

pub use ca::{Ca, CaError, CertificateRequest, InvalidRequest, Issued};
pub use configs::{ALPN_ENROL, ALPN_PEER, Door, GatewayTls, PeerTls, Trust, TrustError, provider};
pub use fault::TlsFault;
pub use files::FileError;
#[cfg(feature = "gateway")]
pub use web::{WebTls, WebTlsError};

pub use identity::{CertificateFault, Identity, IdentityError, NewKey, peer_id, spki_digest};
