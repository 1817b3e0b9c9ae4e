//! The secret that a webhook and its receiver share, and what is signed with it.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::secret::{NoRandomness, Secret, SecretText};

/// How a secret begins, so that it is known for one wherever it is found.
const PREFIX: &str = "whsec_";
/// A secret's length; the standard asks for 24 to 64.
const BYTES: usize = 32;
/// How long messages are signed with the old secret beside a new one.
pub const SECRET_OVERLAP: Duration = Duration::from_secs(24 * 60 * 60);

/// A secret; prints `[redacted]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookSecret(Secret<BYTES>);

/// Text that is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a webhook's secret: expected {PREFIX} and {BYTES} bytes in base64")]
pub struct InvalidSecret;

impl HookSecret {
    /// A new secret.
    ///
    /// # Errors
    ///
    /// When the system gives no random bytes.
    pub fn fresh() -> Result<Self, NoRandomness> {
        Secret::fresh().map(Self)
    }

    /// The secret that `text` holds.
    ///
    /// # Errors
    ///
    /// [`InvalidSecret`].
    pub fn from_text(text: &str) -> Result<Self, InvalidSecret> {
        let encoded = text.strip_prefix(PREFIX).ok_or(InvalidSecret)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| InvalidSecret)?;
        bytes.try_into().map(Secret::new).map(Self).map_err(|_| InvalidSecret)
    }

    /// As the receiver gets it.
    #[must_use]
    pub fn text(&self) -> SecretText {
        SecretText::new(format!("{PREFIX}{}", STANDARD.encode(self.0.expose())))
    }

    /// One entry of the `webhook-signature` header: `v1,` and the HMAC-SHA256 of
    /// `id.seconds.payload` in base64.
    #[must_use]
    pub fn sign(&self, id: &str, seconds: i64, payload: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.expose());
        let mut under = hmac::Context::with_key(&key);
        under.update(format!("{id}.{seconds}.").as_bytes());
        under.update(payload);
        format!("v1,{}", STANDARD.encode(under.sign().as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_one_that_an_independent_program_computes() {
        // printf 'msg-1.1674087231.{"a":1}' | openssl dgst -sha256 -mac hmac \
        //   -macopt hexkey:0707...07 -binary | base64
        let secret = HookSecret(Secret::new([7; BYTES]));
        assert_eq!(
            secret.sign("msg-1", 1_674_087_231, br#"{"a":1}"#),
            "v1,p0HahfZXpfT9vT5LRtGRl12Hl9xX8M96sQDRRlE+sEk="
        );
    }

    #[test]
    fn a_secret_reads_what_it_writes_and_nothing_else() {
        let secret = HookSecret::fresh().unwrap();
        assert_eq!(HookSecret::from_text(secret.text().expose()), Ok(secret));
        for bad in ["", "whsec_", "whsec_AAAA", "sec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="]
        {
            assert_eq!(HookSecret::from_text(bad), Err(InvalidSecret), "{bad}");
        }
    }
}
