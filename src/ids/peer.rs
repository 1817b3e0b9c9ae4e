//! Who a certificate speaks for, and the digest of the key that is the identity.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::{DeviceId, GatewayId, InvalidId, PersonId};

/// The name in a leaf certificate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerId {
    Device(DeviceId),
    Person(PersonId),
    /// A gateway that is itself the technician's end of a recorded session.
    Face(GatewayId),
}

/// `device/<id>`, `person/<id>`, `face/<id>`.
impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(id) => write!(f, "device/{id}"),
            Self::Person(id) => write!(f, "person/{id}"),
            Self::Face(id) => write!(f, "face/{id}"),
        }
    }
}

/// Text that names no peer.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPeer {
    #[error("a peer's name is device/ID, person/ID or face/ID")]
    Kind,
    #[error(transparent)]
    Id(#[from] InvalidId),
}

impl FromStr for PeerId {
    type Err = InvalidPeer;

    fn from_str(text: &str) -> Result<Self, InvalidPeer> {
        match text.split_once('/') {
            Some(("device", id)) => Ok(Self::Device(id.parse()?)),
            Some(("person", id)) => Ok(Self::Person(id.parse()?)),
            Some(("face", id)) => Ok(Self::Face(id.parse()?)),
            _ => Err(InvalidPeer::Kind),
        }
    }
}

/// SHA-256 of a public key's SubjectPublicKeyInfo (RFC 7469 section 2.4); base64url on wires and in
/// the store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyDigest(pub [u8; 32]);

impl fmt::Display for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is no key digest.
#[derive(Debug, thiserror::Error)]
#[error("not a key digest: expected 43 characters of base64url")]
pub struct InvalidDigest;

impl FromStr for KeyDigest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidDigest)?;
        bytes.try_into().map(Self).map_err(|_| InvalidDigest)
    }
}

impl TryFrom<String> for KeyDigest {
    type Error = InvalidDigest;

    fn try_from(text: String) -> Result<Self, InvalidDigest> {
        text.parse()
    }
}

impl From<KeyDigest> for String {
    fn from(digest: KeyDigest) -> Self {
        digest.to_string()
    }
}
