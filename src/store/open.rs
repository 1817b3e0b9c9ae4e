//! Opening the file, and refusing one that is not ours.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustix::fs::{FlockOperation, flock, statvfs};
use sqlx::{
    Row, Sqlite, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::sync::{Notify, Semaphore, broadcast};

use super::{Change, StoreError, error::sqlite_code};
use crate::{audit::Head, authz::PresenceOf};

/// Kept free on the database's disk for audit: below it nothing starts.
pub const FREE_BYTES_MIN: u64 = 256 * 1024 * 1024;
/// Connections that read beside the one that writes.
const READERS: u32 = 4;
/// How long a caller waits for the writer's turn, or for a reader; past it, [`StoreError::Busy`].
pub(super) const TURN_WAIT: Duration = Duration::from_secs(5);
/// Changes that a reader may lag behind before it has to ask for those that it missed.
const CHANGES_KEPT: usize = 1024;
/// The steps that bring an empty file to the schema of this program, in order. One that was shipped
/// is never changed: what comes later is a step of its own.
pub(super) const STEPS: &[&str] = &[
    include_str!("schema/01_first.sql"),
    include_str!("schema/02_access.sql"),
    include_str!("schema/03_cases.sql"),
    include_str!("schema/04_machines.sql"),
    include_str!("schema/05_groups.sql"),
    include_str!("schema/06_sync.sql"),
    include_str!("schema/07_lists.sql"),
    include_str!("schema/08_clocks.sql"),
    include_str!("schema/09_external_ids.sql"),
];

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
pub struct Store(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    path: PathBuf,
    /// Device and inode of the file that was opened.
    file: (u64, u64),
    pub(super) limits: Limits,
    pub(super) presence: Arc<dyn PresenceOf>,
    /// One connection: writes queue.
    pub(super) writer: SqlitePool,
    readers: SqlitePool,
    /// Held from the beginning of a write until its change is published, so that changes are
    /// published in the order of their revisions.
    pub(super) turn: Arc<Semaphore>,
    /// Rung when something was written that is to be sent.
    pub(super) ring: Notify,
    pub(super) published: broadcast::Sender<Change>,
    /// Dropped last: then another gateway may open the file.
    _lock: File,
}

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
        let lock = lock(path)?;
        private_file(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(TURN_WAIT);
        let writer = pool(1, options.clone()).await.map_err(|fault| foreign(path, fault))?;
        ready(path, &writer).await?;
        let readers = pool(READERS, options.read_only(true)).await?;
        Ok(Self(Arc::new(Inner {
            path: path.to_owned(),
            file: file_at(path)
                .map_err(|source| StoreError::Open { path: path.to_owned(), source })?,
            limits,
            presence,
            writer,
            readers,
            turn: Arc::new(Semaphore::new(1)),
            ring: Notify::new(),
            published: broadcast::channel(CHANGES_KEPT).0,
            _lock: lock,
        })))
    }

    /// Gives the file back: what is in the write-ahead log is brought into it.
    pub async fn close(self) {
        self.0.readers.close().await;
        self.0.writer.close().await;
    }

    /// A transaction that sees one moment and writes nothing.
    pub(super) async fn reading(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        self.is_there()?;
        Ok(self.0.readers.begin().await?)
    }

    /// For a single statement.
    pub(super) fn readers(&self) -> Result<&SqlitePool, StoreError> {
        self.is_there()?;
        Ok(&self.0.readers)
    }

    /// Refuses when the path no longer leads to the file that is open: what is written would be
    /// lost, records among it, and what is read would be of a world that is gone.
    pub(super) fn is_there(&self) -> Result<(), StoreError> {
        match file_at(&self.0.path) {
            Ok(file) if file == self.0.file => Ok(()),
            Ok(_) | Err(_) => Err(StoreError::Gone { path: self.0.path.clone() }),
        }
    }

    /// Refuses when the disk has less room than is kept for audit.
    pub(super) fn has_room(&self) -> Result<(), StoreError> {
        let path = &self.0.path;
        let disk = statvfs(path)
            .map_err(|fault| StoreError::Open { path: path.clone(), source: fault.into() })?;
        let (free, wanted) =
            (disk.f_bavail.saturating_mul(disk.f_frsize), self.0.limits.free_bytes_min);
        if free >= wanted {
            return Ok(());
        }
        let mib = |bytes: u64| bytes / (1024 * 1024);
        Err(StoreError::DiskFull {
            path: path.clone(),
            free_mib: mib(free),
            wanted_mib: mib(wanted),
        })
    }
}

/// A pool that reads the file at `path`, which another process may have open for writing.
pub(super) async fn read_only(path: &Path) -> Result<SqlitePool, StoreError> {
    File::open(path).map_err(|source| StoreError::Open { path: path.to_owned(), source })?;
    let options =
        SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(TURN_WAIT);
    let readers = pool(1, options).await.map_err(|fault| foreign(path, fault))?;
    known(path, &readers).await?;
    Ok(readers)
}

async fn pool(connections: u32, options: SqliteConnectOptions) -> Result<SqlitePool, StoreError> {
    let pool = SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(TURN_WAIT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(options)
        .await?;
    Ok(pool)
}

/// Keeps a second gateway from the file. A lock of its own, because closing any other descriptor
/// of a database file lets go of SQLite's locks on it.
fn lock(path: &Path) -> Result<File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let lock = PathBuf::from(name);
    let opened =
        OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&lock);
    let file = opened.map_err(|source| StoreError::Open { path: lock, source })?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(StoreError::Locked { path: path.to_owned() }),
        Err(fault) => Err(StoreError::Open { path: path.to_owned(), source: fault.into() }),
    }
}

/// Which file stands at `path`.
fn file_at(path: &Path) -> io::Result<(u64, u64)> {
    let about = std::fs::metadata(path)?;
    Ok((about.dev(), about.ino()))
}

/// Makes the file, for its owner alone, before SQLite would make it for everybody.
fn private_file(path: &Path) -> Result<(), StoreError> {
    match OpenOptions::new().create_new(true).write(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(StoreError::Open { path: path.to_owned(), source }),
    }
}

/// Brings a file to the schema, an empty one from the first step, an older one from where it stands:
/// all steps or none. Refuses one that is not ours.
async fn ready(path: &Path, writer: &SqlitePool) -> Result<(), StoreError> {
    let tables = sqlx::query("SELECT COUNT(*) AS tables FROM sqlite_master")
        .fetch_one(writer)
        .await
        .map_err(|fault| foreign(path, fault.into()))?
        .try_get::<i64, _>("tables")?;
    let found = if tables > 0 { known(path, writer).await? } else { 0 };
    if found == STEPS.len() {
        return Ok(());
    }
    let mut making = writer.begin_with("BEGIN IMMEDIATE").await?;
    for step in STEPS.iter().skip(found) {
        sqlx::raw_sql(*step).execute(&mut *making).await?;
    }
    if found == 0 {
        sqlx::query("INSERT INTO meta (key, value) VALUES ('format', 'caseway'), ('schema', '0')")
            .execute(&mut *making)
            .await?;
        sqlx::query("INSERT INTO audit_head (id, seq, hash) VALUES (1, $1, $2)")
            .bind(Head::START.seq)
            .bind(Head::START.hash.to_string())
            .execute(&mut *making)
            .await?;
    }
    sqlx::query("UPDATE meta SET value = $1 WHERE key = 'schema'")
        .bind(STEPS.len().to_string())
        .execute(&mut *making)
        .await?;
    Ok(making.commit().await?)
}

/// How many [`STEPS`] a file has behind it. Refuses one that is not ours, or that a newer program
/// wrote.
async fn known(path: &Path, pool: &SqlitePool) -> Result<usize, StoreError> {
    let not_ours = || StoreError::NotOurs { path: path.to_owned() };
    let row = sqlx::query(
        "SELECT f.value AS format, s.value AS written FROM meta f, meta s \
         WHERE f.key = 'format' AND s.key = 'schema'",
    )
    .fetch_optional(pool)
    .await
    // Another's database has no such table.
    .map_err(|fault| match sqlite_code(&fault) {
        Some(1) => not_ours(),
        Some(_) | None => foreign(path, fault.into()),
    })?
    .ok_or_else(not_ours)?;
    let found: usize = row.try_get::<String, _>("written")?.parse().map_err(|_| not_ours())?;
    if row.try_get::<String, _>("format")? != "caseway" {
        return Err(not_ours());
    }
    if found > STEPS.len() {
        return Err(StoreError::Newer { path: path.to_owned(), found, known: STEPS.len() });
    }
    Ok(found)
}

/// What SQLite says of a file that is no database (result code 26), in our words.
fn foreign(path: &Path, fault: StoreError) -> StoreError {
    if matches!(&fault, StoreError::Sql(said) if sqlite_code(said) == Some(26)) {
        return StoreError::NotOurs { path: path.to_owned() };
    }
    fault
}
