//! Mail by SMTP: one message, one submission, one outcome.
//!
//! ```text
//!   address, subject, text -- checked --> RFC 5322 message --> SMTP server of the owner --> Outcome
//! ```
//!
//! What always holds: plain text alone; an address that is none is refused before a server is asked;
//! whatever stands in a subject stays in it, so that nobody adds a header; the password is sent over
//! TLS only, unless the options say `danger_none`.

mod send;
#[cfg(test)]
pub(crate) mod tests;

use std::path::PathBuf;

pub use send::{MailSetupError, Mailer};

/// How the connection to the server is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// TLS from the first byte (RFC 8314), usually on port 465.
    #[default]
    Tls,
    /// Plain at first, then TLS or nothing (RFC 3207), usually on port 587.
    StartTls,
    /// Not at all: whoever is on the way reads and changes everything.
    DangerNone,
}

impl Encryption {
    /// The port where servers offer it.
    #[must_use]
    pub fn port(self) -> u16 {
        match self {
            Self::Tls => 465,
            Self::StartTls => 587,
            Self::DangerNone => 25,
        }
    }
}

/// Where mail is handed over, and as whose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    pub host: String,
    pub port: u16,
    pub encryption: Encryption,
    /// User, and the file that holds the password.
    pub login: Option<(String, PathBuf)>,
    /// `caseway@firm.example`, or `Caseway <caseway@firm.example>`.
    pub from: String,
    /// An authority that vouches for the server; the system's, if none.
    pub ca: Option<PathBuf>,
}

/// Whether `text` is an address that mail can be sent to or from, a name before it or not.
#[must_use]
pub fn is_mailbox(text: &str) -> bool {
    !text.contains(char::is_control) && text.parse::<lettre::message::Mailbox>().is_ok()
}
