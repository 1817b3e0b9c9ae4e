//! The HTTP face: log in, cases, switches, tunnels, live sessions, and what an administrator needs.
//!
//! `gateway` [opens](open) it once and hands each HTTP stream that the transport let in to its
//! [`Door`]. Everything is JSON under `/api/v1`; errors are problem documents (RFC 9457).
//!
//! ```text
//!   stream --> Door (limits) --> routes::table --> a file a noun --> store, broker
//!                                    |
//!                                Caller: the person behind the bearer token
//! ```
//!
//! What always holds: nobody is answered but on a route of the one table; what the caller may not
//! see is *not found*; every write is decided inside the store's transaction.

mod around;
mod assets;
mod caller;
mod case_history;
mod case_put;
mod case_views;
mod cases;
mod company;
mod configs;
mod customers;
mod decommission;
mod delays;
mod desk;
mod devices;
mod door;
mod facilities;
mod groups;
mod health;
mod history;
mod imports;
mod input;
mod invitations;
mod lists;
mod login;
mod me;
mod messages;
mod models;
mod notifications;
mod organisations;
mod passwords;
mod people;
mod problem;
mod records;
mod requests;
mod routes;
mod sessions;
mod switches;
mod targets;
#[cfg(test)]
mod tests;
mod tokens;
mod tunnels;
mod views;
mod webhooks;
mod workspaces;

use std::sync::Arc;

pub use door::Door;
pub use passwords::{PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN, PasswordError, hash_password};

use crate::{broker::Broker, store::Store, tasks::Scope, tls::Ca};

/// What the console stands on.
#[derive(Clone, Debug)]
pub struct Behind {
    pub store: Store,
    pub broker: Broker,
    /// Certifies the keys of technicians' programs.
    pub ca: Arc<Ca>,
    /// HTTP connections at once.
    pub connections_max: usize,
}

/// Opens the console; its connections are served in tasks of `scope`.
///
/// # Errors
///
/// When the system gives no random bytes.
pub fn open(behind: Behind, scope: Scope) -> Result<Door, PasswordError> {
    let Behind { store, broker, ca, connections_max } = behind;
    let passwords = passwords::Passwords::new()?;
    let desk = desk::Desk { store, broker, ca, passwords, delays: Arc::default() };
    Ok(Door::new(routes::router(desk), connections_max, scope))
}
