//! What enrolment gave the device, in one file: its key, its certificate, the CA, the warrant key.
//!
//! One file, replaced in one step, so that no crash leaves a key beside another key's certificate.

use std::{
    fmt, fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::{
    clock::Wall,
    ids::{DeviceId, GatewayId, PeerId},
    secret::SecretText,
    tls::{Identity, IdentityError, NewKey, PeerTls, Trust, TrustError},
    transport::{GatewayUrl, InvalidUrl},
    warrant::WarrantVerifier,
};

/// The file, in the agent's directory.
pub(super) const FILE: &str = "identity.json";
/// The file's version.
const VERSION: u16 = 1;
/// The longest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// An enrolled device's papers, checked.
#[derive(Clone)]
pub(super) struct Papers {
    pub url: GatewayUrl,
    pub gateway: GatewayId,
    pub device: DeviceId,
    pub enrolled: Wall,
    pub identity: Identity,
    /// Believes the gateway's CA, shows the identity, and remembers the gateway: to be kept from one
    /// connection to the next, so that only the first costs a full handshake.
    pub tls: PeerTls,
    pub verifier: WarrantVerifier,
    certificate: String,
    key: SecretText,
    ca: String,
}

/// As it stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u16,
    url: String,
    gateway: GatewayId,
    device: DeviceId,
    enrolled: Wall,
    certificate: String,
    key: String,
    ca: String,
    warrant_key: String,
}

/// What enrolment makes papers of.
#[derive(Debug)]
pub(super) struct Parts {
    pub url: GatewayUrl,
    pub gateway: GatewayId,
    pub device: DeviceId,
    pub enrolled: Wall,
    pub certificate: String,
    /// PEM.
    pub key: SecretText,
    pub ca: String,
    /// Base64url of 32 bytes.
    pub warrant_key: String,
}

/// Why there are no usable papers.
#[derive(Debug, thiserror::Error)]
pub enum PapersError {
    #[error("this device is not enrolled: run caseway-agent enroll --gateway URL --token-file F")]
    NotEnrolled,
    #[error("cannot read {}: run as the agent's user", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write in {}: run as the agent's user, or choose --dir", dir.display())]
    Write { dir: PathBuf, source: io::Error },
    #[error("{} can be read by others: chmod 600 it, and enrol again if it was seen", .0.display())]
    Exposed(PathBuf),
    #[error("{} is damaged: enrol again", .0.display())]
    Malformed(PathBuf, #[source] serde_json::Error),
    #[error("{} is of another version of this program: enrol again", .0.display())]
    Version(PathBuf),
    #[error("the gateway's address in the papers")]
    Url(#[from] InvalidUrl),
    #[error("the certificate and key")]
    Identity(#[from] IdentityError),
    #[error("the CA")]
    Trust(#[from] TrustError),
    #[error("the certificate is not for device {0}")]
    OtherDevice(DeviceId),
    #[error("the warrant key is not 32 bytes of base64url")]
    WarrantKey,
}

impl fmt::Debug for Papers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Papers")
            .field("url", &self.url)
            .field("device", &self.device)
            .finish_non_exhaustive()
    }
}

impl Papers {
    /// Checks that `parts` fit together.
    ///
    /// # Errors
    ///
    /// [`PapersError`], naming the part.
    pub(super) fn new(parts: Parts) -> Result<Self, PapersError> {
        let identity = Identity::from_pem(&parts.certificate, parts.key.expose())?;
        if identity.peer() != Some(PeerId::Device(parts.device.clone())) {
            return Err(PapersError::OtherDevice(parts.device));
        }
        let key = URL_SAFE_NO_PAD.decode(&parts.warrant_key).ok();
        let key: [u8; 32] =
            key.and_then(|key| key.try_into().ok()).ok_or(PapersError::WarrantKey)?;
        let tls = PeerTls::new(&Trust::from_pem(&parts.ca)?, Some(&identity))?;
        Ok(Self {
            url: parts.url,
            gateway: parts.gateway,
            device: parts.device,
            enrolled: parts.enrolled,
            identity,
            tls,
            verifier: WarrantVerifier::new(key),
            certificate: parts.certificate,
            key: parts.key,
            ca: parts.ca,
        })
    }

    /// The papers in `dir`.
    ///
    /// # Errors
    ///
    /// [`PapersError`]; each says what to do.
    pub(super) fn load(dir: &Path) -> Result<Self, PapersError> {
        let path = dir.join(FILE);
        let about = fs::metadata(&path).map_err(|source| {
            if source.kind() == io::ErrorKind::NotFound {
                PapersError::NotEnrolled
            } else {
                PapersError::Read { path: path.clone(), source }
            }
        })?;
        if about.permissions().mode() & 0o077 != 0 {
            return Err(PapersError::Exposed(path));
        }
        if about.len() > FILE_BYTES_MAX {
            return Err(PapersError::Version(path));
        }
        let text = fs::read_to_string(&path)
            .map_err(|source| PapersError::Read { path: path.clone(), source })?;
        let written: Written = serde_json::from_str(&text)
            .map_err(|source| PapersError::Malformed(path.clone(), source))?;
        if written.version != VERSION {
            return Err(PapersError::Version(path));
        }
        Self::new(Parts {
            url: written.url.parse()?,
            gateway: written.gateway,
            device: written.device,
            enrolled: written.enrolled,
            certificate: written.certificate,
            key: SecretText::new(written.key),
            ca: written.ca,
            warrant_key: written.warrant_key,
        })
    }

    /// Writes the papers into `dir` in one step, over older ones.
    ///
    /// # Errors
    ///
    /// [`PapersError::Write`]; older papers are untouched then.
    pub(super) fn save(&self, dir: &Path) -> Result<(), PapersError> {
        let written = Written {
            version: VERSION,
            url: self.url.to_string(),
            gateway: self.gateway.clone(),
            device: self.device.clone(),
            enrolled: self.enrolled,
            certificate: self.certificate.clone(),
            key: self.key.expose().to_owned(),
            ca: self.ca.clone(),
            warrant_key: URL_SAFE_NO_PAD.encode(self.verifier.bytes()),
        };
        let fault = |source| PapersError::Write { dir: dir.to_owned(), source };
        let text = serde_json::to_string_pretty(&written).map_err(|e| fault(e.into()))?;
        replace(dir, FILE, &text).map_err(fault)
    }

    /// The same papers with a newer certificate of the same key.
    ///
    /// # Errors
    ///
    /// [`PapersError`] when it is another key's or another device's.
    pub(super) fn renewed(&self, certificate: String) -> Result<Self, PapersError> {
        Self::new(Parts {
            url: self.url.clone(),
            gateway: self.gateway.clone(),
            device: self.device.clone(),
            enrolled: self.enrolled,
            certificate,
            key: self.key.clone(),
            ca: self.ca.clone(),
            warrant_key: URL_SAFE_NO_PAD.encode(self.verifier.bytes()),
        })
    }

    /// A request for the next certificate, as PEM, signed by the device's key.
    ///
    /// # Errors
    ///
    /// When the key cannot sign.
    pub(super) fn request(&self) -> Result<String, IdentityError> {
        NewKey::from_pem(self.key.expose())?.request_pem()
    }
}

/// Makes `dir`, 0700, and finds out that it can be written, before a one-time token is spent.
///
/// # Errors
///
/// [`PapersError::Write`].
pub(super) fn prepare(dir: &Path) -> Result<(), PapersError> {
    let fault = |source| PapersError::Write { dir: dir.to_owned(), source };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(fault)?;
    replace(dir, ".probe", "").map_err(fault)?;
    fs::remove_file(dir.join(".probe")).map_err(fault)
}

/// Puts `text` into `dir/name`, 0600, in one step and through to the disk.
fn replace(dir: &Path, name: &str, text: &str) -> io::Result<()> {
    let beside = dir.join(format!("{name}.new"));
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, dir.join(name))?;
    fs::File::open(dir)?.sync_all()
}
