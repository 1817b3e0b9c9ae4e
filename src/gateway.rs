//! The gateway process: wires the rooms together, starts, drains, stops.
//!
//! ```text
//!   init ----> data directory: ca.pem ca.key warrant.key caseway.db gateway.toml
//!                  |
//!   start ---> store -> registry -> broker -> listener -> peers, console
//!                  |                                         ^
//!   Running::stopped: no new sessions, live ones drain, then everything above in reverse
//! ```
//!
//! What always holds: one gateway at a time works on a data directory; sessions that a crashed
//! predecessor left are ended before the first peer is let in; whatever keeps it from starting is
//! one line that says what to do.

mod escalation;
mod expiry;
mod files;
mod init;
mod options;
mod outbox;
mod start;
mod tenants;
#[cfg(test)]
mod tests;

pub use files::FileError;
pub use init::{Init, InitError, Made, found, init, tenant_role};
pub use options::{Options, PORT_DEFAULT};
pub use start::{CLOSE_MAX, Running, StartError, start};
pub use tenants::{set_tenant_roles, tenants};

pub use crate::{
    ids::TenantId,
    tenancy::{Tenant, TenantRole},
};

use std::path::Path;

use crate::{
    audit::Summary,
    clock::Now,
    hooks::Outcome,
    mail::{MailSetupError, Mailer, is_mailbox},
    store::{VerifyError, verify_file},
};

/// Checks the chain of records in the database at `path`; a gateway may be running on it.
///
/// # Errors
///
/// [`VerifyError`] names the first faulty record.
pub async fn verify_audit(path: &Path) -> Result<Summary, VerifyError> {
    verify_file(path).await
}

/// Why a test mail did not leave.
#[derive(Debug, thiserror::Error)]
pub enum MailTestError {
    #[error("no mail server is set up: expected [mail] in gateway.toml")]
    NotSetUp,
    #[error(transparent)]
    Setup(#[from] MailSetupError),
    #[error("`{0}` is no e-mail address")]
    Address(String),
    #[error("not sent: {0}")]
    NotSent(String),
}

/// Sends a test mail to `to` through the server that `options` name; needs no running gateway.
///
/// # Errors
///
/// [`MailTestError`], in the server's own words where it refused.
pub async fn test_mail(options: &Options, to: &str) -> Result<(), MailTestError> {
    let mail = options.mail.as_ref().ok_or(MailTestError::NotSetUp)?;
    if !is_mailbox(to) {
        return Err(MailTestError::Address(to.to_owned()));
    }
    let id = format!("test-{}", Now::read().wall.0);
    let text = format!(
        "This is a test of the Caseway gateway {}.\n\nMail from it arrives here.\n",
        url(&options.names, options.listen.port())
    );
    match Mailer::new(mail)?.send(&id, to, "Caseway: a test", &text).await {
        Outcome::Taken { .. } => Ok(()),
        Outcome::Failed { fault, .. } | Outcome::Refused { fault, .. } => {
            Err(MailTestError::NotSent(fault))
        }
    }
}

/// Where people reach a gateway: by the first of its names.
#[must_use]
pub fn url(names: &[String], port: u16) -> String {
    let name = names.first().map_or("localhost", String::as_str);
    if name.contains(':') {
        format!("https://[{name}]:{port}")
    } else {
        format!("https://{name}:{port}")
    }
}
