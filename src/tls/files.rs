//! Reading and writing key material: small files, keys of mode 0600, errors that name the file.

use std::{
    fs,
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// The largest certificate or key file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 65_536;

/// A file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("cannot read {}; check that it exists and is readable by this user", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {}; check the directory and its permissions", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{} exists already and is not overwritten", path.display())]
    Exists { path: PathBuf },
}

pub(super) fn read(path: &Path) -> Result<String, FileError> {
    let fault = |source| FileError::Read { path: path.to_owned(), source };
    let mut text = String::new();
    let file = fs::File::open(path).map_err(fault)?;
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(fault)?;
    Ok(text)
}

/// Writes a new file that only this user can read, through to the disk.
pub(super) fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), FileError> {
    let fault = |source: io::Error| {
        let path = path.to_owned();
        if source.kind() == io::ErrorKind::AlreadyExists {
            FileError::Exists { path }
        } else {
            FileError::Write { path, source }
        }
    };
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(fault)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(fault)
}
