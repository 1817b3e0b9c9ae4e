//! Webhooks on the wire: one HTTPS request a message, to addresses that tenants may make us reach.
//!
//! ```text
//!   HookUrl -- resolve --> addresses -- Guard --> those allowed -- connect to exactly these -->
//!              TLS for the host's name --> POST, signed --> status --> Outcome
//! ```
//!
//! What always holds: a tenant chooses the address, so it is never trusted: what is connected to is
//! an address that was checked, not a name that may resolve to another one by then; redirects are
//! not followed; an answer is read no further than its status and its wish to be left alone.

mod guard;
mod send;
#[cfg(test)]
mod tests;

pub use guard::Guard;
pub use send::{Options, Sender};
