//! Secrets that come from files and go into files: first passwords, tokens that are told once.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{
    Exit, Failure,
    api::ApiError,
    cli::FirstPassword,
    login::{asked, password_in},
    show::OneLine,
    state::write_fresh,
};
use crate::{secret::SecretText, token::BearerToken};

/// A new file for a secret that the gateway tells once.
#[derive(Debug)]
pub(super) struct SecretFile(PathBuf);

impl SecretFile {
    /// The file that `flag` names. Made before the gateway is asked, so that nothing is told in
    /// vain.
    ///
    /// # Errors
    ///
    /// When something is there already.
    pub(super) fn new(path: PathBuf, flag: &str) -> Result<Self, Failure> {
        if path.exists() {
            let what = format!("{} is there already", path.display());
            return Err(Failure::new(Exit::Usage, what)
                .hint(format!("{flag} takes the name of a file that is not there yet")));
        }
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> String {
        self.0.display().to_string()
    }

    /// Puts what `item` says in `field` into the file, and the file's name in its place.
    ///
    /// # Errors
    ///
    /// When the file cannot be made; `lost` says what to do then.
    pub(super) fn keep(&self, item: &mut Value, field: &str, lost: &str) -> Result<(), Failure> {
        let fields = item.as_object_mut();
        let Some((fields, Value::String(secret))) =
            fields.and_then(|fields| fields.remove(field).map(|secret| (fields, secret)))
        else {
            return Err(ApiError::Strange(format!("no {field}")).into());
        };
        let line = SecretText::new(format!("{secret}\n"));
        write_fresh(&self.0, line.expose().as_bytes()).map_err(|error| {
            let what = format!("cannot make {}: {error}", self.path());
            Failure::new(Exit::Usage, what).hint(format!("the {field} is lost: {lost}"))
        })?;
        fields.insert(format!("{field}_file"), json!(self.0));
        Ok(())
    }
}

impl FirstPassword {
    /// The password: read, made, or typed twice after `prompt`.
    pub(super) fn obtained(&self, prompt: &str) -> Result<SecretText, Failure> {
        match (&self.password_file, &self.password_out) {
            (Some(file), _) => password_in(file),
            (None, Some(out)) => made_password(out),
            (None, None) => typed_twice(prompt),
        }
    }

    /// Takes away what was made: a password that is nobody's would only mislead.
    pub(super) fn forgotten(&self) {
        if let Some(out) = &self.password_out {
            let _ = fs::remove_file(out);
        }
    }
}

/// A new password, in a new file that only its owner can read.
fn made_password(out: &Path) -> Result<SecretText, Failure> {
    let password = BearerToken::fresh().map_err(|error| Failure::new(Exit::Other, error))?.text();
    let line = SecretText::new(format!("{}\n", password.expose()));
    write_fresh(out, line.expose().as_bytes()).map_err(|error| {
        Failure::new(Exit::Usage, format!("cannot make {}: {error}", out.display()))
            .hint("--password-out takes the name of a file that is not there yet")
    })?;
    Ok(password)
}

fn typed_twice(prompt: &str) -> Result<SecretText, Failure> {
    let typed = |prompt: String| {
        asked("password", "--password-file FILE or --password-out FILE", || {
            rpassword::prompt_password(prompt).map(SecretText::new)
        })
    };
    let password = typed(OneLine(prompt).to_string())?;
    if typed("the same again: ".to_owned())?.expose() == password.expose() {
        Ok(password)
    } else {
        Err(Failure::new(Exit::Usage, "the two passwords differ")
            .hint("nothing was done; try again"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_password_is_for_its_owner_alone_and_replaces_nothing() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("mia.password");
        let password = made_password(&out).unwrap();
        assert_eq!(password_in(&out).unwrap().expose(), password.expose());
        assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(made_password(&out).unwrap_err().exit, Exit::Usage);
        assert_eq!(password_in(&out).unwrap().expose(), password.expose());
    }

    #[test]
    fn a_secret_goes_into_a_new_file_and_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("night.token");
        let file = SecretFile::new(path.clone(), "--out").unwrap();
        let mut item = json!({"name": "night", "token": "token-text"});
        file.keep(&mut item, "token", "make another").unwrap();
        assert_eq!(item, json!({"name": "night", "token_file": path}));
        assert_eq!(fs::read_to_string(&path).unwrap(), "token-text\n");
        let again = SecretFile::new(path, "--out").unwrap_err();
        assert!(again.to_string().contains("there already; --out"), "{again}");
        let nowhere = SecretFile::new(dir.path().join("no/where"), "--out").unwrap();
        let said = nowhere.keep(&mut json!({"token": "t"}), "token", "make another").unwrap_err();
        assert!(said.to_string().contains("the token is lost: make another"), "{said}");
    }
}
