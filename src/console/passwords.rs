//! Passwords: hashed with argon2id (RFC 9106), off the async threads, a few at a time.

use std::{sync::Arc, time::Duration};

use argon2::{
    Argon2,
    password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString},
};
use tokio::{sync::Semaphore, time::timeout};

use crate::secret::{Secret, SecretText};

/// The shortest password that is accepted anew, in characters.
pub const PASSWORD_CHARS_MIN: usize = 8;
/// The longest password, in bytes: hashing more would only cost time.
pub const PASSWORD_BYTES_MAX: usize = 1_024;
/// Hashes at once: each takes 19 MiB and a core for some 20 ms.
const AT_ONCE: usize = 4;
/// How long a log-in waits for its turn; past it, it is told to come again.
const TURN_WAIT: Duration = Duration::from_secs(5);

/// Why a password was not hashed or checked.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    #[error(
        "a password has {PASSWORD_CHARS_MIN} characters or more, and at most {PASSWORD_BYTES_MAX} bytes"
    )]
    Length,
    #[error("too many log-ins at once")]
    Busy,
    #[error("hashing failed: {0}")]
    Hash(String),
}

/// Hashes `password` for the store. Takes some 20 ms of CPU: not for async threads.
///
/// # Errors
///
/// When the password is too short or too long, or the system gives no random bytes.
pub fn hash_password(password: &SecretText) -> Result<String, PasswordError> {
    let password = password.expose();
    if password.chars().count() < PASSWORD_CHARS_MIN || password.len() > PASSWORD_BYTES_MAX {
        return Err(PasswordError::Length);
    }
    hash(password)
}

fn hash(password: &str) -> Result<String, PasswordError> {
    let fault = |fault: &dyn std::fmt::Display| PasswordError::Hash(fault.to_string());
    let salt = Secret::<16>::fresh().map_err(|e| fault(&e))?;
    let salt = SaltString::encode_b64(salt.expose()).map_err(|e| fault(&e))?;
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt);
    Ok(hash.map_err(|e| fault(&e))?.to_string())
}

/// Checks passwords in bounded numbers.
#[derive(Clone, Debug)]
pub(super) struct Passwords {
    turns: Arc<Semaphore>,
    /// What an unknown account's password is checked against, so that it takes as long.
    dummy: Arc<str>,
}

impl Passwords {
    /// # Errors
    ///
    /// When the system gives no random bytes.
    pub(super) fn new() -> Result<Self, PasswordError> {
        let dummy = hash("nobody's password")?.into();
        Ok(Self { turns: Arc::new(Semaphore::new(AT_ONCE)), dummy })
    }

    /// Whether `password` is the one behind `kept`; always false, after the same work, where there
    /// is none.
    pub(super) async fn matches(
        &self,
        password: SecretText,
        kept: Option<String>,
    ) -> Result<bool, PasswordError> {
        let (known, kept) = match kept {
            Some(kept) => (true, kept),
            None => (false, self.dummy.to_string()),
        };
        let verified = self.in_turn(move || Ok(verify(&password, &kept))).await?;
        Ok(known && verified)
    }

    /// Hashes a new password in its turn.
    pub(super) async fn hash(&self, password: SecretText) -> Result<String, PasswordError> {
        self.in_turn(move || hash_password(&password)).await
    }

    async fn in_turn<T, W>(&self, work: W) -> Result<T, PasswordError>
    where
        T: Send + 'static,
        W: FnOnce() -> Result<T, PasswordError> + Send + 'static,
    {
        let turn = timeout(TURN_WAIT, Arc::clone(&self.turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(PasswordError::Busy) };
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        done.await.map_err(|fault| PasswordError::Hash(fault.to_string()))?
    }
}

fn verify(password: &SecretText, kept: &str) -> bool {
    let password = password.expose();
    // Too long is never right, and costs what a wrong one costs.
    let given = if password.len() > PASSWORD_BYTES_MAX { "" } else { password };
    PasswordHash::new(kept)
        .is_ok_and(|kept| Argon2::default().verify_password(given.as_bytes(), &kept).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> SecretText {
        SecretText::new(text.into())
    }

    #[tokio::test]
    async fn only_the_right_password_of_a_known_account_matches() {
        let passwords = Passwords::new().unwrap();
        let kept = passwords.hash(text("correct horse")).await.unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert!(passwords.matches(text("correct horse"), Some(kept.clone())).await.unwrap());
        assert!(!passwords.matches(text("correct hors"), Some(kept.clone())).await.unwrap());
        assert!(!passwords.matches(text(&"x".repeat(2_000)), Some(kept)).await.unwrap());
        assert!(!passwords.matches(text("nobody's password"), None).await.unwrap());
        assert!(!passwords.matches(text("correct horse"), Some("garbage".into())).await.unwrap());
    }

    #[test]
    fn short_and_endless_passwords_are_not_taken() {
        assert!(matches!(hash_password(&text("seven77")), Err(PasswordError::Length)));
        assert!(matches!(hash_password(&text(&"x".repeat(1_025))), Err(PasswordError::Length)));
    }
}
