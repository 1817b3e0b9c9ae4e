//! First passwords: for somebody who is added, and of somebody who was invited.

use std::{fs, path::Path};

use super::{
    Exit, Failure,
    cli::FirstPassword,
    login::{asked, password_in},
    show::OneLine,
    state::write_fresh,
};
use crate::{secret::SecretText, token::BearerToken};

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
}
