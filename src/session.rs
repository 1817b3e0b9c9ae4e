//! Sessions: everything between "may I?" and "it is over".
//!
//! A session joins a technician and a device for as long as one [`Grant`] holds. This room decides;
//! it never waits, reads a clock or touches a socket. `broker` feeds it [`Input`]s and carries out
//! the [`Command`]s it returns, in their order.
//!
//! ```text
//!        Granted        channel 0: both legs        Started is durable
//! (none) ------> Granted -----------------> Starting -----------------> Active
//!                   |                           |                          |
//!                   +------ an EndCause --------+------- an EndCause ------+--> Ending --> (none)
//!
//!  channel    OpenChannel            both legs, Active
//!  (none) ------------------> Offered ---------------> Relaying -- RelayEnded --> (none)
//!                    refused, late \--> (none)
//! ```
//!
//! Channel 0 carries the seal's handshake and leads nowhere; every other channel leads to one
//! destination within the grant's targets, is authorised on its own, and has a number that was never
//! used before in its session, because its keys are derived from it.
//!
//! What always holds (`Sessions::check`; proved against a model in `session/tests`):
//!
//! * no [`Command::Relay`] before that session's `Started` record is durable;
//! * a token opens one leg of one channel for one peer, once, before its deadline;
//! * a session that was granted ends exactly once, with one cause;
//! * after [`Input::Facts`], no live session has a grant that those facts would deny.
//!
//! [`Grant`]: crate::authz::Grant

mod channels;
mod sessions;
mod snapshot;
mod state;
#[cfg(test)]
pub(crate) mod tests;
mod words;

pub use sessions::Sessions;
pub use snapshot::{Party, Snapshot};
pub use state::View;
pub use words::{
    AskNo, Command, EarNo, Input, Lead, Options, Outcome, Phase, RelayEnd, Seat, Side,
};
