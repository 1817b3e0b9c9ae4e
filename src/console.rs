//! The HTTP face: log in, cases, switches, tunnels, live sessions, and what an administrator needs.
//!
//! `gateway` makes one [`Console`]; whoever accepts connections hands HTTP streams to its
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

mod delays;
mod door;
mod input;
mod passwords;
mod problem;

pub use door::Door;
pub use passwords::{PASSWORD_CHARS_MIN, PasswordError, hash_password};
