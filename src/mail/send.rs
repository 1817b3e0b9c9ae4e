//! Setting up, and sending.

use std::{
    fmt, fs,
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header},
    transport::smtp::{
        self,
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
    },
};
use tokio::time::timeout;

use super::{Encryption, Options};
use crate::{hooks::Outcome, secret::SecretText};

/// The longest that handing over one message may take.
const SEND_MAX: Duration = Duration::from_secs(60);
/// The longest that the server may take for one answer.
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// The longest password file that is read, in bytes.
const PASSWORD_BYTES_MAX: u64 = 4_096;

/// Mail cannot be sent at all.
#[derive(Debug, thiserror::Error)]
pub enum MailSetupError {
    #[error("mail.{key}: cannot read {}: {source}", path.display())]
    File { key: &'static str, path: PathBuf, source: io::Error },
    #[error("mail.password_file: {} is empty", .0.display())]
    NoPassword(PathBuf),
    #[error("mail.from: `{0}` is no address")]
    From(String),
    #[error("mail.ca: {} holds no certificate in PEM form", .0.display())]
    Ca(PathBuf),
    #[error("mail: TLS cannot be set up")]
    Tls(#[source] smtp::Error),
}

/// Hands mail over; may be cloned.
#[derive(Clone)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mailer({})", self.from)
    }
}

impl Mailer {
    /// Reads the password and the authority; asks no server yet.
    ///
    /// # Errors
    ///
    /// [`MailSetupError`].
    pub fn new(options: &Options) -> Result<Self, MailSetupError> {
        let from = options.from.parse();
        let from = from.map_err(|_| MailSetupError::From(options.from.clone()))?;
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&options.host)
            .port(options.port)
            .timeout(Some(ANSWER_MAX))
            .tls(tls(options)?);
        if let Some((user, file)) = &options.login {
            let password = password(file)?;
            builder =
                builder.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
        }
        Ok(Self { transport: builder.build(), from })
    }

    /// Sends `text` under `id`, which stays the same however often it is tried.
    pub async fn send(&self, id: &str, to: &str, subject: &str, text: &str) -> Outcome {
        let message = match self.message(id, to, subject, text) {
            Ok(message) => message,
            Err(fault) => return Outcome::Refused { status: None, fault },
        };
        match timeout(SEND_MAX, self.transport.send(message)).await {
            Ok(Ok(answer)) => Outcome::Taken { status: u16::from(answer.code()) },
            Ok(Err(fault)) => outcome(&fault),
            Err(_) => Outcome::failed(format!("not handed over within {} s", SEND_MAX.as_secs())),
        }
    }

    fn message(&self, id: &str, to: &str, subject: &str, text: &str) -> Result<Message, String> {
        let to: Address = to.parse().map_err(|_| format!("`{to}` is no e-mail address"))?;
        // A header ends with its line: one line it is, whatever was put into it.
        let subject: String =
            subject.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(subject)
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            .header(AutoSubmitted)
            .header(header::ContentType::TEXT_PLAIN)
            .body(text.to_owned())
            .map_err(|fault| fault.to_string())
    }
}

fn tls(options: &Options) -> Result<Tls, MailSetupError> {
    let parameters = || -> Result<TlsParameters, MailSetupError> {
        let mut builder = TlsParameters::builder(options.host.clone());
        if let Some(path) = &options.ca {
            let pem = fs::read(path).map_err(|source| MailSetupError::File {
                key: "ca",
                path: path.clone(),
                source,
            })?;
            let certificate =
                Certificate::from_pem(&pem).map_err(|_| MailSetupError::Ca(path.clone()))?;
            builder = builder.add_root_certificate(certificate);
        }
        builder.build().map_err(MailSetupError::Tls)
    };
    Ok(match options.encryption {
        Encryption::Tls => Tls::Wrapper(parameters()?),
        Encryption::StartTls => Tls::Required(parameters()?),
        Encryption::DangerNone => Tls::None,
    })
}

/// The first line of a file.
fn password(path: &Path) -> Result<SecretText, MailSetupError> {
    let fault =
        |source| MailSetupError::File { key: "password_file", path: path.to_owned(), source };
    let mut text = String::new();
    let file = fs::File::open(path).map_err(fault)?;
    file.take(PASSWORD_BYTES_MAX).read_to_string(&mut text).map_err(fault)?;
    match text.lines().next().filter(|line| !line.is_empty()) {
        Some(line) => Ok(SecretText::new(line.to_owned())),
        None => Err(MailSetupError::NoPassword(path.to_owned())),
    }
}

/// A server's "never" ends it; its "not now", and silence, do not (RFC 5321 section 4.2.1). A
/// password that is not believed may be put right: that is tried again.
fn outcome(fault: &smtp::Error) -> Outcome {
    let status = fault.status().map(u16::from);
    let words = std::iter::successors(Some(fault as &dyn std::error::Error), |one| one.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ");
    match status {
        Some(code @ 500..) if !matches!(code, 530..=535) => {
            Outcome::Refused { status, fault: words }
        }
        Some(_) | None => Outcome::Failed { status, fault: words, retry_after: None },
    }
}

/// RFC 3834: no holiday notice answers to this.
#[derive(Clone, Copy, Debug)]
struct AutoSubmitted;

impl header::Header for AutoSubmitted {
    fn name() -> header::HeaderName {
        header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> header::HeaderValue {
        header::HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}
