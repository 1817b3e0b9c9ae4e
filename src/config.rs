//! Raw files and environment to checked options, every fault reported at once with its key.
//!
//! The doors drive it. A [`Page`] is one TOML file under the environment: its keys are asked for
//! one by one, each with a [parser](parse) that turns the raw value into a checked one or says what
//! was expected. When all have been asked, [`Page::finish`] also finds the keys that nobody asked
//! for, so that one restart shows every fault:
//!
//! ```text
//!   agent.toml: carrier: `foo`: expected auto, tcp or quic
//!   agent.toml: gatway: unknown key; did you mean gateway?
//! ```
//!
//! What always holds: a secret is never in a file by value, only a path to it; no fault prints more
//! than [`SHOWN_CHARS_MAX`] characters of what was written.

mod fault;
#[cfg(feature = "gateway")]
mod outbound;
mod page;
pub mod parse;

#[cfg(feature = "agent")]
pub mod agent;
#[cfg(feature = "gateway")]
pub mod gateway;

pub use fault::{Fault, Faults, SHOWN_CHARS_MAX};
pub use page::Page;
