//! What this machine remembers of a gateway and a log-in.
//!
//! ```text
//!   $CASEWAY_HOME (0700)
//!     gateway.json   0600   address, trusted CA: kept after logout
//!     login.json     0600   token, its end, key and certificate: one file, so never half of it
//! ```
//!
//! Files are written whole beside their place and renamed into it: a reader sees the old or the new.

use std::{
    fs, io,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{clock::Wall, secret::SecretText, transport::GatewayUrl};

const DIR_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// The longest state file that is read, in bytes; a longer one is not ours.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Where state is kept.
#[derive(Clone, Debug)]
pub struct Home(PathBuf);

/// A gateway that this machine knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Gateway {
    pub(super) url: GatewayUrl,
    /// The CA to trust, PEM.
    pub(super) ca: String,
}

/// A log-in at that gateway.
#[derive(Debug)]
pub(super) struct LoggedIn {
    pub(super) gateway: Gateway,
    pub(super) email: String,
    pub(super) token: SecretText,
    pub(super) token_expires: Wall,
    /// The private key, PEM; made here, never sent.
    pub(super) key: SecretText,
    /// The certificate and its issuers, PEM.
    pub(super) certificate: String,
    pub(super) certificate_expires: Wall,
}

/// `login.json`.
#[derive(Serialize, Deserialize)]
struct LoginFile {
    gateway: GatewayUrl,
    email: String,
    #[serde(with = "kept")]
    token: SecretText,
    token_expires: Wall,
    #[serde(with = "kept")]
    key: SecretText,
    certificate: String,
    certificate_expires: Wall,
}

/// A secret as it stands in the one file that is made for it.
mod kept {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::secret::SecretText;

    pub(super) fn serialize<S: Serializer>(secret: &SecretText, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(secret.expose())
    }

    pub(super) fn deserialize<'de, D>(from: D) -> Result<SecretText, D::Error>
    where
        D: Deserializer<'de>,
    {
        String::deserialize(from).map(SecretText::new)
    }
}

/// Why state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("neither CASEWAY_HOME nor XDG_CONFIG_HOME nor HOME is set")]
    NoHome,
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {path}: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error("{path} is damaged: {source}")]
    Damaged { path: PathBuf, source: serde_json::Error },
    #[error("not logged in")]
    NotLoggedIn,
}

impl Home {
    /// Keeps state in `dir`, which need not be there yet.
    #[must_use]
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self(dir.into())
    }

    /// `$CASEWAY_HOME`, else `$XDG_CONFIG_HOME/caseway`, else `~/.config/caseway`.
    ///
    /// # Errors
    ///
    /// When the environment names none of them.
    pub fn of(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> Result<Self, StateError> {
        let set = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        set("CASEWAY_HOME")
            .or_else(|| {
                set("XDG_CONFIG_HOME").filter(|p| p.is_absolute()).map(|p| p.join("caseway"))
            })
            .or_else(|| set("HOME").map(|p| p.join(".config/caseway")))
            .map(Self)
            .ok_or(StateError::NoHome)
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    fn gateway_file(&self) -> PathBuf {
        self.0.join("gateway.json")
    }

    fn login_file(&self) -> PathBuf {
        self.0.join("login.json")
    }

    /// The gateway that was logged in to last.
    ///
    /// # Errors
    ///
    /// When the file is there and cannot be read or understood.
    pub(super) fn gateway(&self) -> Result<Option<Gateway>, StateError> {
        read_json(&self.gateway_file())
    }

    /// The log-in.
    ///
    /// # Errors
    ///
    /// [`StateError::NotLoggedIn`] when there is none; else as the file system says.
    pub(super) fn login(&self) -> Result<LoggedIn, StateError> {
        let file: LoginFile = read_json(&self.login_file())?.ok_or(StateError::NotLoggedIn)?;
        let gateway = self.gateway()?.filter(|known| known.url == file.gateway);
        Ok(LoggedIn {
            gateway: gateway.ok_or(StateError::NotLoggedIn)?,
            email: file.email,
            token: file.token,
            token_expires: file.token_expires,
            key: file.key,
            certificate: file.certificate,
            certificate_expires: file.certificate_expires,
        })
    }

    /// Keeps a log-in, in place of what was there.
    ///
    /// # Errors
    ///
    /// As the file system says.
    pub(super) fn keep(&self, login: &LoggedIn) -> Result<(), StateError> {
        let made = fs::DirBuilder::new().recursive(true).mode(DIR_MODE).create(&self.0);
        made.and_then(|()| fs::set_permissions(&self.0, fs::Permissions::from_mode(DIR_MODE)))
            .map_err(|source| StateError::Write { path: self.0.clone(), source })?;
        let file = LoginFile {
            gateway: login.gateway.url.clone(),
            email: login.email.clone(),
            token: login.token.clone(),
            token_expires: login.token_expires,
            key: login.key.clone(),
            certificate: login.certificate.clone(),
            certificate_expires: login.certificate_expires,
        };
        write_json(&self.gateway_file(), &login.gateway)?;
        write_json(&self.login_file(), &file)
    }

    /// Forgets the log-in; the gateway stays known. Says whether there was one.
    ///
    /// # Errors
    ///
    /// As the file system says.
    pub(super) fn forget(&self) -> Result<bool, StateError> {
        match fs::remove_file(self.login_file()) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(StateError::Write { path: self.login_file(), source }),
        }
    }
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StateError> {
    let text = match read_secret(path, FILE_BYTES_MAX) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StateError::Read { path: path.into(), source }),
    };
    let value = serde_json::from_str(text.expose());
    value.map(Some).map_err(|source| StateError::Damaged { path: path.into(), source })
}

/// Reads a text file of at most `bytes_max` that may hold a secret.
pub(super) fn read_secret(path: &Path, bytes_max: u64) -> io::Result<SecretText> {
    use io::Read;
    let mut text = String::new();
    let read = fs::File::open(path)?.take(bytes_max + 1).read_to_string(&mut text)?;
    if u64::try_from(read).is_ok_and(|read| read <= bytes_max) {
        Ok(SecretText::new(text))
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidData, format!("longer than {bytes_max} bytes")))
    }
}

fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), StateError> {
    let text = serde_json::to_string_pretty(value).map(SecretText::new);
    let text = text.map_err(|source| StateError::Damaged { path: path.into(), source })?;
    write_private(path, text.expose().as_bytes())
        .map_err(|source| StateError::Write { path: path.into(), source })
}

/// Puts `bytes` into a file that only its owner can read, whole or not at all.
pub(super) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let beside = path.with_file_name(name);
    let written = write_new(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // The half-written one is of no use to anybody; the first error is the one to tell.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // One that a killed process left behind may have other permissions.
    let _ = fs::remove_file(path);
    write_fresh(path, bytes)
}

/// Puts `bytes` into a new file that only its owner can read; one that is there stays as it is.
pub(super) fn write_fresh(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login() -> LoggedIn {
        LoggedIn {
            gateway: Gateway { url: "https://gate:8443".parse().unwrap(), ca: "CA".into() },
            email: "ana@provider.example".into(),
            token: SecretText::new("token-text".into()),
            token_expires: Wall(1_777_622_400_000),
            key: SecretText::new("key-text".into()),
            certificate: "CERT".into(),
            certificate_expires: Wall(1_777_622_400_000),
        }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn only_the_owner_can_read_what_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().join("a/caseway"));
        home.keep(&login()).unwrap();
        home.keep(&login()).unwrap();
        assert_eq!(mode(home.path()), 0o700);
        let files: Vec<_> = fs::read_dir(home.path()).unwrap().map(|e| e.unwrap().path()).collect();
        assert_eq!(files.len(), 2, "{files:?}");
        for file in files {
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
    }

    #[test]
    fn a_log_in_comes_back_as_it_was_kept_and_logout_leaves_the_gateway() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path());
        assert!(matches!(home.login(), Err(StateError::NotLoggedIn)));
        home.keep(&login()).unwrap();
        let read = home.login().unwrap();
        assert_eq!(read.token.expose(), "token-text");
        assert_eq!(read.key.expose(), "key-text");
        assert_eq!(read.certificate_expires, login().certificate_expires);
        assert!(!format!("{read:?}").contains("-text"), "secrets do not print");
        assert!(home.forget().unwrap());
        assert!(!home.forget().unwrap());
        assert!(matches!(home.login(), Err(StateError::NotLoggedIn)));
        assert_eq!(home.gateway().unwrap(), Some(login().gateway));
    }

    #[test]
    fn a_damaged_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("login.json"), "{").unwrap();
        let error = Home::at(dir.path()).login().unwrap_err().to_string();
        assert!(error.contains("login.json is damaged"), "{error}");
    }

    #[test]
    fn home_is_the_first_that_the_environment_names() {
        let of = |pairs: &[(&str, &str)]| {
            let find = |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| v.into());
            Home::of(find).map(|home| home.path().display().to_string())
        };
        let all = [("CASEWAY_HOME", "/c"), ("XDG_CONFIG_HOME", "/x"), ("HOME", "/h")];
        assert_eq!(of(&all).unwrap(), "/c");
        assert_eq!(of(&all[1..]).unwrap(), "/x/caseway");
        assert_eq!(of(&all[2..]).unwrap(), "/h/.config/caseway");
        assert!(matches!(of(&[("HOME", "")]), Err(StateError::NoHome)));
    }
}
