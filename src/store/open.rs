//! Opening the file, and refusing one that is not ours.

use std::{path::Path, sync::Arc};

use super::StoreError;
use crate::authz::PresenceOf;

/// Kept free on the database's disk for audit: below it nothing starts.
pub const FREE_BYTES_MIN: u64 = 256 * 1024 * 1024;

/// What the store lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes kept free for audit.
    pub free_bytes_min: u64,
    /// Live sessions of one person.
    pub sessions_of_person: u32,
    /// Live sessions of one device.
    pub sessions_of_device: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { free_bytes_min: FREE_BYTES_MIN, sessions_of_person: 8, sessions_of_device: 4 }
    }
}

/// The database; a handle that may be cloned.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {}

impl Store {
    /// Opens the database at `path`, and makes it if there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError`], when the file is not ours, newer, in use, or cannot be opened.
    pub async fn open(
        path: &Path,
        presence: Arc<dyn PresenceOf>,
        limits: Limits,
    ) -> Result<Self, StoreError> {
        unimplemented!()
    }

    /// Gives the file back: what is in the write-ahead log is brought into it, the lock is let go.
    pub async fn close(self) {
        unimplemented!()
    }
}
