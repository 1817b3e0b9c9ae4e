//! Log in, log out, and who is logged in.
//!
//! ```text
//!   password --> POST /login --> token
//!   key made here --> request --> POST /me/certificate --> certificate
//!   both kept, or neither
//! ```

use std::{
    io::{BufRead, IsTerminal},
    path::Path,
};

use serde_json::{Value, json};

use super::{
    Exit, Failure, Here,
    api::{Api, ApiError, Certificate, Me, Token, typed},
    cli::Login,
    gate,
    people::OwnRoles,
    show::OneLine,
    state::{Gateway, LoggedIn, StateError, read_secret},
};
use crate::{
    clock::Now, secret::SecretText, telemetry::one_line, tls::NewKey, transport::GatewayUrl,
};

/// The longest file with a password or a token that is read, in bytes.
const SECRET_BYTES_MAX: u64 = 1_024;

/// The longest CA file that is read, in bytes.
const CA_BYTES_MAX: u64 = 256 << 10;

impl Here {
    pub(super) async fn log_in(&self, login: Login) -> Result<(), Failure> {
        let gateway = self.gateway(&login.url, login.ca.as_deref())?;
        let email = match login.user {
            Some(email) => email,
            None => asked("e-mail", "--user E-MAIL", || typed_line("e-mail: "))?,
        };
        let password = match &login.password_file {
            Some(path) => password_in(path)?,
            None => asked("password", "--password-file FILE", || {
                rpassword::prompt_password("password: ").map(SecretText::new)
            })?,
        };
        let api = Api::anonymous(&gateway)?;
        let token = authenticated(&api, &email, &password).await?;
        let secret = SecretText::new(token.token);
        let api = api.holding(secret.clone());
        let (key, certificate) = certified(&api).await?;
        let kept = LoggedIn {
            gateway,
            email,
            token: secret,
            token_expires: token.expires_at,
            key,
            certificate: certificate.certificate,
            certificate_expires: certificate.expires_at,
        };
        self.home.keep(&kept)?;
        self.terminal.value(&login_value(&kept));
        let until = self.clock().until(kept.token_expires);
        let line = format!("logged in to {} as {} until {until}", kept.gateway.url, kept.email);
        self.terminal.data(OneLine(line));
        Ok(())
    }

    /// The gateway at `url` with the CA that was given, or that is known from before.
    pub(super) fn gateway(&self, url: &GatewayUrl, ca: Option<&Path>) -> Result<Gateway, Failure> {
        if let Some(path) = ca {
            let pem = read_secret(path, CA_BYTES_MAX).map_err(|error| {
                Failure::new(Exit::Usage, format!("cannot read {}: {error}", path.display()))
                    .hint("give the gateway's ca.pem with --ca FILE")
            })?;
            gate::trust(pem.expose())?;
            return Ok(Gateway { url: url.clone(), ca: pem.expose().to_owned() });
        }
        let known = self.home.gateway()?.filter(|known| known.url == *url);
        known.ok_or_else(|| {
            Failure::new(Exit::Usage, format!("no certificate authority is known for {url}")).hint(
                "give the gateway's with --ca FILE: its administrator finds ca.pem in the \
                 gateway's data directory",
            )
        })
    }

    pub(super) async fn log_out(&self) -> Result<(), Failure> {
        let login = match self.home.login() {
            Ok(login) => login,
            Err(StateError::NotLoggedIn) => {
                self.terminal.data("nobody was logged in");
                self.terminal.value(&json!({"logged_in": false}));
                return Ok(());
            }
            // What cannot be read can still be removed.
            Err(StateError::Damaged { .. }) => return self.forgotten(),
            Err(error) => return Err(error.into()),
        };
        let url = login.gateway.url.clone();
        let api = Api::with_token(&login.gateway, login.token)?;
        let told: Result<Value, ApiError> = api.post("/logout", &json!({})).await;
        self.forgotten()?;
        match told {
            // A token that is over is logged out already.
            Err(ApiError::Problem(problem)) if problem.status == 401 => {}
            Err(error) => self.terminal.note(format_args!(
                "the gateway {url} was not told: {}; the token there lapses by itself",
                one_line(&error),
            )),
            Ok(_) => {}
        }
        Ok(())
    }

    fn forgotten(&self) -> Result<(), Failure> {
        self.home.forget()?;
        self.terminal.data("logged out");
        self.terminal.value(&json!({"logged_in": false}));
        Ok(())
    }

    pub(super) async fn status(&self) -> Result<(), Failure> {
        let login = self.logged_in()?;
        let api = Api::with_token(&login.gateway, login.token.clone())?;
        let item: Value = api.get("/me").await?;
        let mut value = login_value(&login);
        if let Some(fields) = value.as_object_mut() {
            fields.insert("me".to_owned(), item.clone());
        }
        self.terminal.value(&value);
        let me: Me = typed(item)?;
        let clock = self.clock();
        let roles = OwnRoles::beside(&api, &me.assignments).await.all(&me.assignments);
        let lines = [
            ("gateway", login.gateway.url.to_string()),
            ("person", format!("{} <{}> ({})", me.name, me.email, me.person)),
            ("tenant", me.tenant.name().to_owned()),
            ("roles", if roles.is_empty() { "none".to_owned() } else { roles }),
            ("logged in", format!("until {}", clock.until(login.token_expires))),
            ("certificate", format!("until {}", clock.until(login.certificate_expires))),
        ];
        for (name, text) in lines {
            self.terminal.data(format_args!("{name:11}  {}", OneLine(text)));
        }
        Ok(())
    }
}

/// What programs learn of a log-in: nothing secret.
fn login_value(login: &LoggedIn) -> Value {
    json!({
        "logged_in": true,
        "gateway": login.gateway.url,
        "email": login.email,
        "expires_at": login.token_expires,
        "certificate_expires_at": login.certificate_expires,
    })
}

async fn authenticated(api: &Api, email: &str, password: &SecretText) -> Result<Token, Failure> {
    let body = json!({"email": email, "password": password.expose()});
    let answer: Result<Token, ApiError> = api.post("/login", &body).await;
    answer.map_err(|error| match error {
        ApiError::Problem(problem) if problem.status == 401 => {
            Failure::new(Exit::NotLoggedIn, "the gateway does not take this e-mail and password")
                .code(&problem.reason)
                .hint("check both, or ask your tenant's administrator")
        }
        // "End a session first" would be no help here: too many log-ins failed.
        ApiError::Problem(problem) if problem.status == 429 => {
            Failure::new(Exit::Other, &problem.detail).code(&problem.reason)
        }
        other @ (ApiError::Gate(_)
        | ApiError::TimedOut
        | ApiError::Broken(_)
        | ApiError::Problem(_)
        | ApiError::Strange(_)) => other.into(),
    })
}

/// A new key and its certificate.
async fn certified(api: &Api) -> Result<(SecretText, Certificate), Failure> {
    let unmade = |error| Failure::new(Exit::Other, one_line(&error));
    let key = NewKey::generate().map_err(unmade)?;
    let request = key.request_pem().map_err(unmade)?;
    let certificate: Certificate = api.post("/me/certificate", &json!({"csr": request})).await?;
    if certificate.expires_at <= Now::read().wall {
        return Err(Failure::new(Exit::Other, "the certificate that was issued has ended already")
            .hint("set this machine's clock, or the gateway's"));
    }
    Ok((SecretText::new(key.pem()), certificate))
}

/// The password in the file that `--password-file` names.
pub(super) fn password_in(path: &Path) -> Result<SecretText, Failure> {
    secret_in(path, "password")
}

/// The first line of a file that holds a secret, which `--WHAT-file` names.
pub(super) fn secret_in(path: &Path, what: &str) -> Result<SecretText, Failure> {
    let text = read_secret(path, SECRET_BYTES_MAX).map_err(|error| {
        Failure::new(Exit::Usage, format!("cannot read {}: {error}", path.display()))
            .hint(format!("--{what}-file takes a file with the {what} on its first line"))
    })?;
    let line = text.expose().lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(Failure::new(Exit::Usage, format!("{} holds no {what}", path.display()))
            .hint(format!("put the {what} on its first line")));
    }
    Ok(SecretText::new(line.to_owned()))
}

/// What a person types, when there is one.
pub(super) fn asked<T>(
    what: &str,
    flag: &str,
    ask: impl FnOnce() -> std::io::Result<T>,
) -> Result<T, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new(
            Exit::Usage,
            format!("no {what} was given, and nobody is here to type it"),
        )
        .hint(format!("give {flag}")));
    }
    ask().map_err(|error| {
        Failure::new(Exit::Usage, format!("cannot read the {what}: {error}"))
            .hint(format!("give {flag}"))
    })
}

fn typed_line(prompt: &str) -> std::io::Result<String> {
    use std::io::Write;
    let mut stderr = std::io::stderr();
    write!(stderr, "{prompt}")?;
    stderr.flush()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_the_first_line_of_its_file_and_never_printed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        std::fs::write(&path, "correct horse \nsecond\n").unwrap();
        let password = password_in(&path).unwrap();
        assert_eq!(password.expose(), "correct horse ");
        assert_eq!(format!("{password:?}"), "[redacted]");
        for content in ["", "\nx\n"] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(password_in(&path).unwrap_err().exit, Exit::Usage);
        }
    }
}
