//! Join tokens: 32 random bytes that open one leg of one channel for one side, once.
//!
//! The gateway keeps only a token's digest, so that a look at its memory or logs opens nothing.

use aws_lc_rs::digest::{SHA256, digest};

use crate::secret::{NoRandomness, Secret};

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
        let mut kept = [0; 32];
        kept.copy_from_slice(digest(&SHA256, self.0.expose()).as_ref());
        TokenDigest(kept)
    }
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
}
