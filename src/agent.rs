//! The edge process: it enrols, dials out, stays, and turns offers into channels.
//!
//! `bin/caseway-agent` drives it, the demo runs it in-process. It opens no port; whoever is let in
//! comes through its one connection, and only under a warrant that the device checked by itself.
//!
//! ```text
//!                     Offer{warrant, destination, token}
//!   gateway ========================================> conversation
//!      ^                                                   |
//!      |  link: dial, back off                             v
//!      |                       trust (warrant) -> board (limits) -> switch -> ceiling -> reach
//!      |                                                                                   |
//!      \======================= leg, sealed end to end =========================== target -/
//! ```
//!
//! What always holds:
//!
//! * no byte reaches a target but under a believed warrant, within the device's own ceiling, with
//!   the local switch on; a name is resolved first and connected at the address that was judged;
//! * when the switch goes off, the session ends, its warrant runs out or the connection to the
//!   gateway is lost, its channels are cut at once, by the device itself;
//! * the device's key never leaves its directory.

pub mod backoff;
mod board;
pub mod ceiling;
mod check;
mod conversation;
mod enrol;
mod exit;
mod link;
mod offer;
mod options;
mod papers;
mod reach;
mod status;
mod switch;
#[cfg(test)]
mod tests;
mod trust;

pub use board::{About, Shown, ShownChannel};
pub use check::{Checked, Tried, check};
pub use enrol::{EnrolError, Enrolled, Enrolment, enrol};
pub use exit::{Exit, Failure};
pub use link::{AgentError, Link, failure_of, run, run_until_signalled};
pub use options::{DIR_DEFAULT, Options};
pub use papers::PapersError;
pub use status::{CeilingShown, Report, StatusError, SwitchShown, status};

/// Program and version, as the gateway logs it.
const BUILD: &str = concat!("caseway-agent ", env!("CARGO_PKG_VERSION"));
