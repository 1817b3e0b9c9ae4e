//! Signing and checking.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::Warrant;
use crate::secret::Secret;

const CONTEXT: &[u8] = b"caseway warrant 1\0";

/// A warrant as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedWarrant {
    /// The warrant as JSON: the bytes that were signed.
    text: String,
    /// Base64url of 64 bytes.
    signature: String,
}

/// Why a warrant was not believed.
#[derive(Debug, thiserror::Error)]
pub enum InvalidWarrant {
    #[error("the warrant's signature is not this gateway's")]
    Signature,
    #[error("the signed warrant cannot be read")]
    Malformed(#[source] serde_json::Error),
}

/// The key that signs; made once, kept in the gateway's data directory.
pub struct WarrantKey(Ed25519KeyPair);

impl fmt::Debug for WarrantKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The key that a device checks with; it gets it when it is enrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WarrantVerifier([u8; 32]);

/// A seed that makes no key, or bytes that are no public key.
#[derive(Debug, thiserror::Error)]
#[error("not an Ed25519 key")]
pub struct InvalidKey;

impl WarrantKey {
    /// The key with this seed.
    ///
    /// # Errors
    ///
    /// When the provider refuses the seed.
    pub fn from_seed(seed: &Secret<32>) -> Result<Self, InvalidKey> {
        Ed25519KeyPair::from_seed_unchecked(seed.expose()).map(Self).map_err(|_| InvalidKey)
    }

    /// What devices check with.
    #[must_use]
    pub fn verifier(&self) -> WarrantVerifier {
        let mut key = [0; 32];
        key.copy_from_slice(self.0.public_key().as_ref());
        WarrantVerifier(key)
    }

    /// Signs what `warrant` says.
    ///
    /// # Errors
    ///
    /// When it cannot be written as JSON.
    pub fn sign(&self, warrant: &Warrant) -> Result<SignedWarrant, serde_json::Error> {
        let text = serde_json::to_string(warrant)?;
        let signature = URL_SAFE_NO_PAD.encode(self.0.sign(&signed_bytes(&text)));
        Ok(SignedWarrant { text, signature })
    }
}

impl WarrantVerifier {
    /// The verifier with these public key bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The public key, 32 bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What the warrant says, if this key signed it. Nonce, device, time and targets are for the
    /// caller to compare.
    ///
    /// # Errors
    ///
    /// [`InvalidWarrant`]; nothing in it may be used then.
    pub fn check(&self, signed: &SignedWarrant) -> Result<Warrant, InvalidWarrant> {
        let signature =
            URL_SAFE_NO_PAD.decode(&signed.signature).map_err(|_| InvalidWarrant::Signature)?;
        UnparsedPublicKey::new(&ED25519, &self.0)
            .verify(&signed_bytes(&signed.text), &signature)
            .map_err(|_| InvalidWarrant::Signature)?;
        serde_json::from_str(&signed.text).map_err(InvalidWarrant::Malformed)
    }
}

fn signed_bytes(text: &str) -> Vec<u8> {
    [CONTEXT, text.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Wall, machines::Mode};

    fn warrant() -> Warrant {
        Warrant {
            session: "s1".parse().unwrap(),
            device: "press-7".parse().unwrap(),
            nonce: "AAAA".into(),
            person: "ana".parse().unwrap(),
            person_name: "Ana".into(),
            tenant_name: "Builder".into(),
            case: Some("case-7".parse().unwrap()),
            asset: "press-7".parse().unwrap(),
            tunnel: "plc".parse().unwrap(),
            mode: Mode::Any,
            targets: Vec::new(),
            technician_key: crate::ids::KeyDigest([3; 32]),
            issued: Wall(0),
            until: Wall(1_000),
        }
    }

    #[test]
    fn a_warrant_is_believed_as_signed_and_not_otherwise() {
        let key = WarrantKey::from_seed(&Secret::new([1; 32])).unwrap();
        let other = WarrantKey::from_seed(&Secret::new([2; 32])).unwrap();
        let signed = key.sign(&warrant()).unwrap();
        assert_eq!(key.verifier().check(&signed).unwrap(), warrant());
        assert!(matches!(other.verifier().check(&signed), Err(InvalidWarrant::Signature)));

        let mut altered = signed.clone();
        altered.text = altered.text.replace("press-7", "press-8");
        assert!(matches!(key.verifier().check(&altered), Err(InvalidWarrant::Signature)));
    }
}
