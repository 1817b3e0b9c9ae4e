//! A key with the certificate that carries it; and what a certificate says.

use std::{fmt, path::Path, sync::Arc, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use rustls::{
    crypto::KeyProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use x509_parser::{extensions::GeneralName, parse_x509_certificate};

use super::{
    configs::provider,
    files::{self, FileError},
};
use crate::{
    clock::Wall,
    ids::{KeyDigest, PeerId},
};

const SCHEME: &str = "caseway://";

/// A certificate that cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    #[error("the certificate cannot be read")]
    Malformed,
    #[error("the certificate names no caseway:// identity, or more than one")]
    NoPeer,
}

/// A key and a certificate that do not make an identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{place} holds no certificate in PEM form")]
    NoCertificate { place: String },
    #[error("{place} holds no private key in PEM form")]
    NoKey { place: String },
    #[error("the certificate in {place} is not for the key beside it")]
    Mismatch { place: String },
    #[error("the private key cannot be used")]
    Key(#[source] rustls::Error),
    #[error(transparent)]
    Certificate(#[from] CertificateFault),
    #[error("a key cannot be made")]
    Make(#[source] rcgen::Error),
}

/// A private key that has no certificate yet; prints `[redacted]`.
pub struct NewKey(rcgen::KeyPair);

impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl NewKey {
    /// A fresh ECDSA P-256 key: what browsers, curl and hardware keys all take.
    ///
    /// # Errors
    ///
    /// When the provider makes no key.
    pub fn generate() -> Result<Self, IdentityError> {
        let made = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256);
        made.map(Self).map_err(IdentityError::Make)
    }

    /// The key that [`Self::pem`] wrote.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Make`] for other text.
    pub fn from_pem(pem: &str) -> Result<Self, IdentityError> {
        rcgen::KeyPair::from_pem(pem).map(Self).map_err(IdentityError::Make)
    }

    /// The key in the file `path`.
    ///
    /// # Errors
    ///
    /// [`IdentityError`], naming the file.
    pub fn load(path: &Path) -> Result<Self, IdentityError> {
        let text = files::read(path)?;
        Self::from_pem(&text)
            .map_err(|_| IdentityError::NoKey { place: path.display().to_string() })
    }

    /// Writes the key to a new file of mode 0600.
    ///
    /// # Errors
    ///
    /// [`FileError`]; an existing file is not overwritten.
    pub fn save(&self, path: &Path) -> Result<(), FileError> {
        files::write_new(path, &self.0.serialize_pem(), 0o600)
    }

    /// The private key as PKCS #8 PEM. Secret.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.serialize_pem()
    }

    /// The identity: the digest of the public key.
    #[must_use]
    pub fn digest(&self) -> KeyDigest {
        use rcgen::PublicKeyData;
        sha256(&self.0.subject_public_key_info())
    }

    /// A request for a certificate (PKCS #10, RFC 2986) as PEM, signed by this key. It names
    /// nothing: the CA decides what the certificate says.
    ///
    /// # Errors
    ///
    /// When the request cannot be signed.
    pub fn request_pem(&self) -> Result<String, IdentityError> {
        let request = rcgen::CertificateParams::default().serialize_request(&self.0);
        request.and_then(|r| r.pem()).map_err(IdentityError::Make)
    }

    pub(super) fn pair(&self) -> &rcgen::KeyPair {
        &self.0
    }
}

/// A private key and its certificate chain. Cheap to clone; the key never prints.
#[derive(Clone)]
pub struct Identity(Arc<Held>);

struct Held {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    digest: KeyDigest,
    from: Wall,
    until: Wall,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("key", &self.0.digest)
            .field("until", &self.0.until)
            .finish_non_exhaustive()
    }
}

impl Identity {
    /// Reads a certificate chain (leaf first) and its key from PEM files.
    ///
    /// # Errors
    ///
    /// [`IdentityError`], naming the file and what to do.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, IdentityError> {
        let chain = files::read(certificate)?;
        let key_pem = files::read(key)?;
        Self::parse(
            &chain,
            &key_pem,
            &certificate.display().to_string(),
            &key.display().to_string(),
        )
    }

    /// The identity of a chain (leaf first) and a key in PEM form.
    ///
    /// # Errors
    ///
    /// [`IdentityError`].
    pub fn from_pem(chain: &str, key: &str) -> Result<Self, IdentityError> {
        Self::parse(chain, key, "the certificate text", "the key text")
    }

    fn parse(
        chain: &str,
        key: &str,
        chain_place: &str,
        key_place: &str,
    ) -> Result<Self, IdentityError> {
        let no_certificate = || IdentityError::NoCertificate { place: chain_place.to_owned() };
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|_| no_certificate())?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
            .map_err(|_| IdentityError::NoKey { place: key_place.to_owned() })?;
        let leaf = chain.first().ok_or_else(no_certificate)?;
        let digest = spki_digest(leaf)?;
        let (from, until) = validity(leaf)?;
        let identity = Self(Arc::new(Held { chain, key, digest, from, until }));
        identity
            .certified()?
            .keys_match()
            .map_err(|_| IdentityError::Mismatch { place: chain_place.to_owned() })?;
        Ok(identity)
    }

    /// The digest of the public key: the identity itself.
    #[must_use]
    pub fn digest(&self) -> KeyDigest {
        self.0.digest
    }

    /// Whom the leaf speaks for; `None` for a server certificate.
    #[must_use]
    pub fn peer(&self) -> Option<PeerId> {
        self.0.chain.first().and_then(|leaf| peer_id(leaf).ok())
    }

    /// The certificate's first and last moment.
    #[must_use]
    pub fn validity(&self) -> (Wall, Wall) {
        (self.0.from, self.0.until)
    }

    /// When to ask for the next certificate: at two thirds of this one's life.
    #[must_use]
    pub fn renew_at(&self) -> Wall {
        let life = u64::try_from(self.0.until.0.saturating_sub(self.0.from.0)).unwrap_or(0);
        self.0.from.plus(Duration::from_millis(life / 3 * 2))
    }

    /// The chain, leaf first.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.0.chain
    }

    /// A copy of the private key, for a rustls config.
    #[must_use]
    pub fn key(&self) -> PrivateKeyDer<'static> {
        self.0.key.clone_key()
    }

    /// Chain and signer, for a rustls config or resolver.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Key`] when the provider cannot use the key.
    pub fn certified(&self) -> Result<CertifiedKey, IdentityError> {
        let loader: &dyn KeyProvider = provider().key_provider;
        let signer = loader.load_private_key(self.key()).map_err(IdentityError::Key)?;
        Ok(CertifiedKey::new(self.0.chain.clone(), signer))
    }
}

/// SHA-256 of the certificate's SubjectPublicKeyInfo.
///
/// # Errors
///
/// [`CertificateFault::Malformed`].
pub fn spki_digest(certificate: &[u8]) -> Result<KeyDigest, CertificateFault> {
    let (_, parsed) =
        parse_x509_certificate(certificate).map_err(|_| CertificateFault::Malformed)?;
    Ok(sha256(parsed.public_key().raw))
}

/// Whom the certificate speaks for: the one `caseway://` URI among its alternative names.
///
/// # Errors
///
/// [`CertificateFault`].
pub fn peer_id(certificate: &[u8]) -> Result<PeerId, CertificateFault> {
    let (_, parsed) =
        parse_x509_certificate(certificate).map_err(|_| CertificateFault::Malformed)?;
    let names = parsed.subject_alternative_name().map_err(|_| CertificateFault::Malformed)?;
    let mut ours = names.iter().flat_map(|names| &names.value.general_names).filter_map(|name| {
        if let GeneralName::URI(uri) = name { uri.strip_prefix(SCHEME) } else { None }
    });
    match (ours.next(), ours.next()) {
        (Some(text), None) => text.parse().map_err(|_| CertificateFault::NoPeer),
        _ => Err(CertificateFault::NoPeer),
    }
}

pub(super) fn validity(certificate: &[u8]) -> Result<(Wall, Wall), CertificateFault> {
    let (_, parsed) =
        parse_x509_certificate(certificate).map_err(|_| CertificateFault::Malformed)?;
    let wall = |seconds: i64| Wall(seconds.saturating_mul(1_000));
    let validity = parsed.validity();
    Ok((wall(validity.not_before.timestamp()), wall(validity.not_after.timestamp())))
}

pub(super) fn uri_of(peer: &PeerId) -> String {
    format!("{SCHEME}{peer}")
}

pub(super) fn sha256(bytes: &[u8]) -> KeyDigest {
    let mut kept = [0; 32];
    kept.copy_from_slice(digest(&SHA256, bytes).as_ref());
    KeyDigest(kept)
}
