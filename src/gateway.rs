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
mod files;
mod init;
mod options;
mod start;
#[cfg(test)]
mod tests;

pub use files::FileError;
pub use init::{Init, InitError, Made, found, init, tenant_role};
pub use options::{Options, PORT_DEFAULT};
pub use start::{CLOSE_MAX, Running, StartError, start};

pub use crate::tenancy::TenantRole;

use std::path::Path;

use crate::{
    audit::Summary,
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
