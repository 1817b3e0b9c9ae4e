//! The data directory: which file is what.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    secret::{NoRandomness, Secret},
    warrant::WarrantKey,
};

const DATABASE: &str = "caseway.db";
const CA: &str = "ca.pem";
const CA_KEY: &str = "ca.key";
const WARRANT_KEY: &str = "warrant.key";
const CONFIG: &str = "gateway.toml";
const ADMIN_PASSWORD: &str = "admin-password";

/// The longest password or key file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 4_096;

/// A data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DataDir(PathBuf);

/// A file of ours that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("{} cannot be read; check that it exists and is readable by this user", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} cannot be written; check the directory, its permissions and its disk", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{} holds no warrant key; restore it from a copy, or make a new data directory", path.display())]
    NoKey { path: PathBuf },
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

impl DataDir {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn database(&self) -> PathBuf {
        self.0.join(DATABASE)
    }

    pub(super) fn ca(&self) -> PathBuf {
        self.0.join(CA)
    }

    pub(super) fn ca_key(&self) -> PathBuf {
        self.0.join(CA_KEY)
    }

    pub(super) fn config(&self) -> PathBuf {
        self.0.join(CONFIG)
    }

    pub(super) fn admin_password(&self) -> PathBuf {
        self.0.join(ADMIN_PASSWORD)
    }

    /// Makes the directory for this user alone. False: there is something in it.
    pub(super) fn make(&self) -> Result<bool, FileError> {
        let fault = |source| FileError::Write { path: self.0.clone(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0).map_err(fault)?;
        let mut entries = fs::read_dir(&self.0).map_err(fault)?;
        Ok(entries.next().is_none())
    }

    /// Makes and keeps a new warrant key.
    pub(super) fn make_warrant_key(&self) -> Result<(), FileError> {
        let seed = Secret::<32>::fresh()?;
        write_new(&self.0.join(WARRANT_KEY), &URL_SAFE_NO_PAD.encode(seed.expose()), 0o600)
    }

    /// The key that warrants are signed with.
    pub(super) fn warrant_key(&self) -> Result<WarrantKey, FileError> {
        let path = self.0.join(WARRANT_KEY);
        let text = read(&path)?;
        let seed: Option<[u8; 32]> =
            URL_SAFE_NO_PAD.decode(text.trim()).ok().and_then(|bytes| bytes.try_into().ok());
        seed.and_then(|seed| WarrantKey::from_seed(&Secret::new(seed)).ok())
            .ok_or(FileError::NoKey { path })
    }
}

/// A small file's text.
pub(super) fn read(path: &Path) -> Result<String, FileError> {
    let fault = |source| FileError::Read { path: path.to_owned(), source };
    let mut text = String::new();
    let file = fs::File::open(path).map_err(fault)?;
    io::Read::read_to_string(&mut io::Read::take(file, FILE_BYTES_MAX), &mut text)
        .map_err(fault)?;
    Ok(text)
}

/// A new file, through to the disk.
pub(super) fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), FileError> {
    let fault = |source| FileError::Write { path: path.to_owned(), source };
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(fault)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(fault)
}
