//! Appending records, listing them, and verifying the chain.

use std::path::Path;

use super::{Listed, Page, Store, StoreError};
use crate::{
    audit::{Entry, Fault, Row, Summary},
    clock::Now,
    ids::{CaseId, PersonId, SessionId},
};

/// Why the records were not found whole.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error(transparent)]
    Broken(#[from] Fault),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Which records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordFilter {
    pub case: Option<CaseId>,
    pub session: Option<SessionId>,
}

impl Store {
    /// Records what is no row's change: a log-in, a device online. Durable when it returns.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; what was to be recorded must then not happen.
    pub async fn record(&self, entry: &Entry) -> Result<(), StoreError> {
        unimplemented!()
    }

    /// Every record, whoever asks; oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn records(
        &self,
        filter: &RecordFilter,
        page: &Page,
    ) -> Result<Listed<Row>, StoreError> {
        unimplemented!()
    }

    /// The records of a case, if `who` may read them; `None` where not.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn case_records(
        &self,
        who: &PersonId,
        case: &CaseId,
        page: &Page,
        now: Now,
    ) -> Result<Option<Listed<Row>>, StoreError> {
        unimplemented!()
    }

    /// Walks the whole chain.
    ///
    /// # Errors
    ///
    /// [`VerifyError::Broken`] names the first record that is not as it was written.
    pub async fn verify(&self) -> Result<Summary, VerifyError> {
        unimplemented!()
    }
}

/// Walks the chain in the file at `path`, which a gateway may have open.
///
/// # Errors
///
/// [`VerifyError`].
pub async fn verify_file(path: &Path) -> Result<Summary, VerifyError> {
    unimplemented!()
}
