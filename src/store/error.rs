//! What can go wrong, said so that the reader knows what to do.

use std::{io, path::PathBuf};

use crate::{
    authz::Denial, ids::Revision, machines::UnsoundConfig, secret::NoRandomness,
    tenancy::Permission,
};

/// The store could not do it; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{path} cannot be opened: {source}")]
    Open { path: PathBuf, source: io::Error },
    #[error("{path} is not a Caseway database; name another file, or move this one away")]
    NotOurs { path: PathBuf },
    #[error(
        "{path} was written by a newer Caseway (schema {found}, this program knows {known}); \
         install that version, or restore the copy from before the upgrade"
    )]
    Newer { path: PathBuf, found: usize, known: usize },
    #[error("{path} is in use by another gateway; stop that one first, or name another directory")]
    Locked { path: PathBuf },
    #[error(
        "the disk of {path} has {free_mib} MiB left, and {wanted_mib} MiB are kept free for audit: \
         nothing is started until there is room"
    )]
    DiskFull { path: PathBuf, free_mib: u64, wanted_mib: u64 },
    #[error(
        "{path} was removed or replaced while the gateway ran; nothing is started any more: \
         stop the gateway, put the file back, start it again"
    )]
    Gone { path: PathBuf },
    #[error("the database is full: nothing is started until there is room on its disk")]
    Full,
    #[error("the database did not answer in time; nothing was changed")]
    Busy,
    #[error("the database already holds rows; first rows go into an empty one")]
    NotEmpty,
    #[error("a row of {table} cannot be read: {fault}")]
    Unreadable { table: &'static str, fault: String },
    #[error("this key is somebody else's; make a new one")]
    KeyTaken,
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    #[error("the database failed")]
    Sql(#[source] sqlx::Error),
}

/// A write that was not done.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Refused by policy; the refusal is recorded.
    #[error("refused: {}", .0.told())]
    Denied(Denial),
    /// Allowed, but it contradicts what is there.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a write that was allowed runs against.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    #[error("there already is {0}")]
    Exists(String),
    #[error("at least one person must remain Tenant Admin; give the role to somebody else first")]
    LastTenantAdmin,
    #[error("the company does not hold the tenant role that this role needs")]
    TenantRole,
    #[error("somebody still holds this role; take it from them first")]
    Held,
    #[error("permissions: the company's tenant roles do not allow {0}")]
    Beyond(Permission),
    /// A limit with its number.
    #[error("{0}")]
    Limit(&'static str),
    /// What was offered once is over.
    #[error("{0}")]
    Over(&'static str),
    #[error("{0}")]
    Invalid(&'static str),
    #[error("the customer is not on board yet: it accepts its invitation first")]
    NotOnboarded,
    /// Something else stands on it.
    #[error("{0}")]
    InUse(&'static str),
    #[error(transparent)]
    Unsound(#[from] UnsoundConfig),
    /// Somebody else wrote it since it was read.
    #[error("it was changed meanwhile (revision {found}, not {expected}): look at it again")]
    Stale { expected: Revision, found: Revision },
    /// What is said once, or elsewhere, by the name of its field.
    #[error("{field}: {what}")]
    Fixed { field: &'static str, what: &'static str },
    /// A value that cannot be, by the name of its field.
    #[error("{field}: {what}")]
    Field { field: &'static str, what: String },
}

impl Conflict {
    /// `what` is wrong with `field`.
    pub(super) fn field(field: &'static str, what: impl Into<String>) -> Self {
        Self::Field { field, what: what.into() }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(fault: sqlx::Error) -> Self {
        if matches!(fault, sqlx::Error::PoolTimedOut) {
            return Self::Busy;
        }
        match sqlite_code(&fault) {
            Some(5) => Self::Busy,
            Some(13) => Self::Full,
            Some(_) | None => Self::Sql(fault),
        }
    }
}

/// SQLite's primary result code (sqlite.org/rescode.html): the low byte of what it said.
pub(super) fn sqlite_code(fault: &sqlx::Error) -> Option<i64> {
    let said: i64 = fault.as_database_error()?.code()?.parse().ok()?;
    Some(said & 0xff)
}

impl From<sqlx::Error> for WriteError {
    fn from(fault: sqlx::Error) -> Self {
        Self::Store(fault.into())
    }
}
