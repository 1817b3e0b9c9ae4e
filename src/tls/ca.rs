//! The internal CA: it signs what the gateway decided, and asks nothing itself.

use std::{fmt, net::IpAddr, path::Path, time::Duration};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData,
    SanType, string::Ia5String,
};

use super::{
    files::{self, FileError},
    identity::{Identity, IdentityError, NewKey, sha256, uri_of},
};
use crate::{
    clock::Wall,
    ids::{KeyDigest, PeerId},
};

/// How long the CA's own certificate holds: ten years.
const CA_LIFE: Duration = Duration::from_secs(3_650 * DAY);
/// How long the gateway's server certificate holds: 90 days; the gateway makes the next one itself.
const SERVER_LIFE: Duration = Duration::from_secs(90 * DAY);
/// A certificate begins this much before it is made, for clocks that lag.
const BACKDATE: Duration = Duration::from_secs(3_600);
const DAY: u64 = 86_400;

const CERTIFICATE_FILE: &str = "ca.pem";
const KEY_FILE: &str = "ca.key";

/// A CA that cannot be made, loaded or used.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{0} holds no certificate authority in PEM form")]
    Malformed(String),
    #[error("`{0}` is neither a DNS name nor an address")]
    Name(String),
    #[error("the certificate cannot be signed")]
    Sign(#[source] rcgen::Error),
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// A certificate request that is not taken.
#[derive(Debug, thiserror::Error)]
pub enum InvalidRequest {
    #[error("the certificate request is above {REQUEST_BYTES_MAX} bytes")]
    Oversized,
    #[error("the certificate request cannot be read, or its own signature is wrong")]
    Malformed(#[source] rcgen::Error),
}

/// The longest certificate request that is read, as PEM, in bytes.
const REQUEST_BYTES_MAX: usize = 4_096;

/// A request whose signature by its own key was checked. What it asks for beyond the key is ignored.
pub struct CertificateRequest(rcgen::PublicKey);

impl fmt::Debug for CertificateRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CertificateRequest").field(&self.key()).finish()
    }
}

impl CertificateRequest {
    /// Reads a PKCS #10 request in PEM form and checks that its key signed it.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`].
    pub fn from_pem(pem: &str) -> Result<Self, InvalidRequest> {
        if pem.len() > REQUEST_BYTES_MAX {
            return Err(InvalidRequest::Oversized);
        }
        let parsed =
            CertificateSigningRequestParams::from_pem(pem).map_err(InvalidRequest::Malformed)?;
        Ok(Self(parsed.public_key))
    }

    /// The digest of the key that signed it.
    #[must_use]
    pub fn key(&self) -> KeyDigest {
        sha256(&self.0.subject_public_key_info())
    }
}

/// A certificate that was just signed.
#[derive(Clone, Debug)]
pub struct Issued {
    /// PEM.
    pub certificate: String,
    pub key: KeyDigest,
    pub until: Wall,
}

/// The internal certificate authority with its key.
pub struct Ca {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl fmt::Debug for Ca {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ca([redacted])")
    }
}

impl Ca {
    /// A new CA called `name`, in memory only.
    ///
    /// # Errors
    ///
    /// [`CaError::Sign`] or [`CaError::Identity`] when the provider makes no key or signature.
    pub fn fresh(name: &str, now: Wall) -> Result<Self, CaError> {
        let key = NewKey::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = distinguished(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        last(&mut params, now, CA_LIFE);
        let certificate = params.self_signed(key.pair()).map_err(CaError::Sign)?.pem();
        Self::from_pem(&certificate, &key.pem(), "the new authority")
    }

    /// Makes a CA and writes `ca.pem` and `ca.key` (mode 0600) into `dir`.
    ///
    /// # Errors
    ///
    /// [`CaError`]; existing files are not overwritten.
    pub fn create(dir: &Path, name: &str, now: Wall) -> Result<Self, CaError> {
        let ca = Self::fresh(name, now)?;
        files::write_new(&dir.join(KEY_FILE), &ca.issuer.key().serialize_pem(), 0o600)?;
        files::write_new(&dir.join(CERTIFICATE_FILE), &ca.certificate, 0o644)?;
        Ok(ca)
    }

    /// Loads what [`Self::create`] wrote.
    ///
    /// # Errors
    ///
    /// [`CaError`], naming the file.
    pub fn load(dir: &Path) -> Result<Self, CaError> {
        let certificate = files::read(&dir.join(CERTIFICATE_FILE))?;
        let key = files::read(&dir.join(KEY_FILE))?;
        Self::from_pem(&certificate, &key, &dir.display().to_string())
    }

    fn from_pem(certificate: &str, key: &str, place: &str) -> Result<Self, CaError> {
        let malformed = |_| CaError::Malformed(place.to_owned());
        let key = KeyPair::from_pem(key).map_err(malformed)?;
        let issuer = Issuer::from_ca_cert_pem(certificate, key).map_err(malformed)?;
        Ok(Self { certificate: certificate.to_owned(), issuer })
    }

    /// The CA's certificate as PEM: what others trust.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Signs a leaf for `peer`, as client and as server of a seal, from now for `life`.
    ///
    /// # Errors
    ///
    /// [`CaError::Sign`].
    pub fn issue(
        &self,
        request: &CertificateRequest,
        peer: &PeerId,
        life: Duration,
        now: Wall,
    ) -> Result<Issued, CaError> {
        let mut params = leaf(&peer.to_string(), now, life);
        let uri = Ia5String::try_from(uri_of(peer)).map_err(CaError::Sign)?;
        params.subject_alt_names = vec![SanType::URI(uri)];
        let signed = params.signed_by(&request.0, &self.issuer).map_err(CaError::Sign)?;
        Ok(Issued { certificate: signed.pem(), key: request.key(), until: now.plus(life) })
    }

    /// A key and leaf for `peer` in one step, where both live in this process: a face, the demo.
    ///
    /// # Errors
    ///
    /// [`CaError`].
    pub fn identity(&self, peer: &PeerId, life: Duration, now: Wall) -> Result<Identity, CaError> {
        let key = NewKey::generate()?;
        let request = CertificateRequest::from_pem(&key.request_pem()?)
            .map_err(|_| CaError::Malformed("the new request".to_owned()))?;
        let issued = self.issue(&request, peer, life, now)?;
        Ok(Identity::from_pem(&issued.certificate, &key.pem())?)
    }

    /// A server certificate for 90 days, and its key: `names` are DNS names and addresses.
    ///
    /// # Errors
    ///
    /// [`CaError`].
    pub fn server(&self, names: &[String], now: Wall) -> Result<Identity, CaError> {
        let (certificate, key) = self.server_pem(names, now)?;
        Ok(Identity::from_pem(&certificate, &key.pem())?)
    }

    /// As [`Self::server`], for writing to files: the certificate as PEM, and the key.
    ///
    /// # Errors
    ///
    /// [`CaError`].
    pub fn server_pem(&self, names: &[String], now: Wall) -> Result<(String, NewKey), CaError> {
        let key = NewKey::generate()?;
        let common = names.first().map_or("caseway gateway", String::as_str);
        let mut params = leaf(common, now, SERVER_LIFE);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.subject_alt_names =
            names.iter().map(|n| alternative(n)).collect::<Result<_, _>>()?;
        let signed = params.signed_by(key.pair(), &self.issuer).map_err(CaError::Sign)?;
        Ok((signed.pem(), key))
    }
}

fn alternative(name: &str) -> Result<SanType, CaError> {
    if let Ok(ip) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(ip));
    }
    let dns = Ia5String::try_from(name).map_err(|_| CaError::Name(name.to_owned()))?;
    Ok(SanType::DnsName(dns))
}

fn leaf(common_name: &str, now: Wall, life: Duration) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = distinguished(common_name);
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    last(&mut params, now, life);
    params
}

fn distinguished(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn last(params: &mut CertificateParams, now: Wall, life: Duration) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let at = |wall: Wall| epoch + Duration::from_millis(u64::try_from(wall.0).unwrap_or(0));
    params.not_before = at(now) - BACKDATE;
    params.not_after = at(now.plus(life));
}
