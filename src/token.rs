//! Join tokens: 32 random bytes that open one leg of one channel for one side, once. Bearer tokens:
//! as many, that speak for one person until they expire.
//!
//! The gateway keeps only a token's digest, so that a look at its memory or disk opens nothing.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::secret::{NoRandomness, Secret, SecretText};

/// A token as it travels; prints `[redacted]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinToken(Secret<{ Self::BYTES }>);

/// What the gateway keeps of a token: its SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenDigest([u8; 32]);

impl JoinToken {
    /// A token's length.
    pub const BYTES: usize = 32;

    /// Takes 32 bytes that came off a wire, or out of a generator.
    #[must_use]
    pub fn new(bytes: [u8; Self::BYTES]) -> Self {
        Self(Secret::new(bytes))
    }

    /// A new token.
    ///
    /// # Errors
    ///
    /// When the system gives no random bytes.
    pub fn fresh() -> Result<Self, NoRandomness> {
        Secret::fresh().map(Self)
    }

    /// The bytes, for the wire.
    #[must_use]
    pub fn expose(&self) -> &[u8; Self::BYTES] {
        self.0.expose()
    }

    /// What to keep.
    #[must_use]
    pub fn digest(&self) -> TokenDigest {
        TokenDigest(sha256(self.0.expose()))
    }
}

/// What a person's program shows with each HTTP request (RFC 6750); prints `[redacted]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BearerToken(Secret<{ Self::BYTES }>);

/// Text that is no bearer token.
#[derive(Debug, thiserror::Error)]
#[error("not a bearer token: expected 43 characters of base64url")]
pub struct InvalidBearer;

impl BearerToken {
    /// A token's length.
    pub const BYTES: usize = 32;

    /// A new token.
    ///
    /// # Errors
    ///
    /// When the system gives no random bytes.
    pub fn fresh() -> Result<Self, NoRandomness> {
        Secret::fresh().map(Self)
    }

    /// The token that `text` spells: base64url without padding.
    ///
    /// # Errors
    ///
    /// [`InvalidBearer`].
    pub fn from_text(text: &str) -> Result<Self, InvalidBearer> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidBearer)?;
        bytes.try_into().map(Secret::new).map(Self).map_err(|_| InvalidBearer)
    }

    /// As it travels.
    #[must_use]
    pub fn text(&self) -> SecretText {
        SecretText::new(URL_SAFE_NO_PAD.encode(self.0.expose()))
    }

    /// What to keep: its SHA-256.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        sha256(self.0.expose())
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut kept = [0; 32];
    kept.copy_from_slice(digest(&SHA256, bytes).as_ref());
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_tokens_have_equal_digests_and_others_do_not() {
        let token = JoinToken::new([7; 32]);
        assert_eq!(token.digest(), JoinToken::new([7; 32]).digest());
        assert_ne!(token.digest(), JoinToken::new([8; 32]).digest());
    }

    #[test]
    fn a_bearer_token_reads_what_it_spells_and_nothing_else() {
        let token = BearerToken::fresh().unwrap();
        assert_eq!(BearerToken::from_text(token.text().expose()).unwrap(), token);
        for bad in ["", "abc", &"A".repeat(44), &format!("{}=", token.text().expose())] {
            assert!(BearerToken::from_text(bad).is_err(), "{bad}");
        }
        assert_eq!(format!("{token:?}"), "BearerToken([redacted])");
    }
}
