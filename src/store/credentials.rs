//! What proves who somebody is: password hashes, bearer tokens, certified keys.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{Store, StoreError, devices, people::person_in, rows::Cells};
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
        let mut reading = self.reading().await?;
        let row = sqlx::query(
            "SELECT p.id, p.tenant, p.email, p.name, p.active, p.password_hash \
             FROM people p JOIN tenants t ON t.id = p.tenant \
             WHERE p.email = $1 AND p.active = 1 AND t.active = 1 AND p.password_hash IS NOT NULL",
        )
        .bind(email.trim().to_lowercase())
        .fetch_optional(&mut *reading)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let cells = Cells::of("people", &row);
        let password_hash = SecretText::new(cells.text("password_hash")?);
        Ok(Some(Login { person: person_in(&cells)?, password_hash }))
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
        let mut act = self.act().await?;
        sqlx::query("INSERT INTO tokens (digest, person, expires) VALUES ($1, $2, $3)")
            .bind(URL_SAFE_NO_PAD.encode(digest))
            .bind(person.as_str())
            .bind(expires.0)
            .execute(act.rows())
            .await?;
        act.commit().await?;
        Ok(())
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
        let mut reading = self.reading().await?;
        let row = sqlx::query(
            "SELECT p.id, p.tenant, p.email, p.name, p.active, k.expires \
             FROM tokens k JOIN people p ON p.id = k.person JOIN tenants t ON t.id = p.tenant \
             WHERE k.digest = $1 AND k.expires > $2 AND p.active = 1 AND t.active = 1",
        )
        .bind(URL_SAFE_NO_PAD.encode(digest))
        .bind(now.0)
        .fetch_optional(&mut *reading)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let cells = Cells::of("tokens", &row);
        Ok(Some((person_in(&cells)?, cells.wall("expires")?)))
    }

    /// Forgets tokens and keys that expired before `now`; returns how many.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn forget_expired(&self, now: Wall) -> Result<u64, StoreError> {
        let mut act = self.act().await?;
        let mut gone = 0;
        for sql in [
            "DELETE FROM tokens WHERE expires <= $1",
            "DELETE FROM person_keys WHERE expires <= $1",
        ] {
            gone += sqlx::query(sql).bind(now.0).execute(act.rows()).await?.rows_affected();
        }
        act.commit().await?;
        Ok(gone)
    }

    /// Forgets a bearer token.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn remove_bearer(&self, digest: &[u8; 32]) -> Result<(), StoreError> {
        let mut act = self.act().await?;
        sqlx::query("DELETE FROM tokens WHERE digest = $1")
            .bind(URL_SAFE_NO_PAD.encode(digest))
            .execute(act.rows())
            .await?;
        act.commit().await?;
        Ok(())
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
        let mut act = self.act().await?;
        // Renewing a certificate for the same key moves its end; another person's key stays theirs.
        let kept = sqlx::query(
            "INSERT INTO person_keys (digest, person, expires) VALUES ($1, $2, $3) \
             ON CONFLICT (digest) DO UPDATE SET expires = excluded.expires \
             WHERE person_keys.person = excluded.person",
        )
        .bind(key.to_string())
        .bind(person.as_str())
        .bind(expires.0)
        .execute(act.rows())
        .await?;
        if kept.rows_affected() == 0 {
            return Err(StoreError::KeyTaken);
        }
        act.commit().await?;
        Ok(())
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
        let mut reading = self.reading().await?;
        let row = sqlx::query(
            "SELECT p.id, p.tenant, p.email, p.name, p.active \
             FROM person_keys k JOIN people p ON p.id = k.person JOIN tenants t ON t.id = p.tenant \
             WHERE k.digest = $1 AND k.expires > $2 AND p.active = 1 AND t.active = 1",
        )
        .bind(key.to_string())
        .bind(now.0)
        .fetch_optional(&mut *reading)
        .await?;
        row.map(|row| person_in(&Cells::of("person_keys", &row))).transpose()
    }

    /// Which device's key this is; `None` when unknown or revoked.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn device_of_key(&self, key: KeyDigest) -> Result<Option<Device>, StoreError> {
        // One statement sees one moment; without a transaction it is one turn of the reader, not three.
        let row = sqlx::query(
            "SELECT d.id, d.owner, d.name, d.key_digest, d.active \
             FROM devices d JOIN tenants t ON t.id = d.owner \
             WHERE d.key_digest = $1 AND d.active = 1 AND t.active = 1",
        )
        .bind(key.to_string())
        .fetch_optional(self.readers()?)
        .await?;
        row.map(|row| devices::device_in(&Cells::of("devices", &row))).transpose()
    }
}
