//! What proves who somebody is: password hashes, bearer tokens, certified keys.

use super::{Store, StoreError};
use crate::{
    clock::Wall,
    ids::{KeyDigest, PersonId},
    machines::Device,
    secret::SecretText,
    tenancy::Person,
};

/// What a log-in is checked against.
#[derive(Clone, Debug)]
pub struct Login {
    pub person: Person,
    /// An argon2 hash (PHC text).
    pub password_hash: SecretText,
}

impl Store {
    /// The active person with this e-mail address (case folded) who has a password.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn login(&self, email: &str) -> Result<Option<Login>, StoreError> {
        unimplemented!()
    }

    /// Keeps the SHA-256 of a bearer token.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn add_bearer(
        &self,
        digest: &[u8; 32],
        person: &PersonId,
        expires: Wall,
    ) -> Result<(), StoreError> {
        unimplemented!()
    }

    /// Whose bearer token this is, and until when; `None` when unknown, expired, or its person or
    /// tenant is disabled.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn bearer(
        &self,
        digest: &[u8; 32],
        now: Wall,
    ) -> Result<Option<(Person, Wall)>, StoreError> {
        unimplemented!()
    }

    /// Forgets a bearer token.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn remove_bearer(&self, digest: &[u8; 32]) -> Result<(), StoreError> {
        unimplemented!()
    }

    /// Keeps the key that a person's certificate carries.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn add_person_key(
        &self,
        person: &PersonId,
        key: KeyDigest,
        expires: Wall,
    ) -> Result<(), StoreError> {
        unimplemented!()
    }

    /// Whose key this is; `None` when unknown, expired, or its person or tenant is disabled.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn person_of_key(
        &self,
        key: KeyDigest,
        now: Wall,
    ) -> Result<Option<Person>, StoreError> {
        unimplemented!()
    }

    /// Which device's key this is; `None` when unknown or revoked.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn device_of_key(&self, key: KeyDigest) -> Result<Option<Device>, StoreError> {
        unimplemented!()
    }
}
