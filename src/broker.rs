//! The beam: carries out what `session` decides, and feeds it what happens.
//!
//! One task owns the state machine; faces hold a [`Broker`] and talk to it. Peers are never waited
//! for: what cannot be handed over at once is dropped, and with it the connection that was too slow.
//!
//! ```text
//!  peers, console                        store
//!     | open, join, close                  | changes, facts, "is it still so?"
//!     v                                    v
//!  [ requests ]                        [ facts ]      facts come before requests
//!        \______________  ________________/
//!                       loop: Sessions::step ----> commands: offer, tell, relay, cut, record
//! ```
//!
//! What always holds: no splice without a durable `Started` record and a lease; a lease is renewed
//! only while the store confirms that nothing newer than the last judgement is known.

mod beam;
mod caps;
mod carry;
mod feed;
mod handle;
mod judging;
mod news;
mod opening;
mod presence;
mod recorder;
mod rounds;
mod strand;
#[cfg(test)]
mod tests;
mod words;

pub use caps::Rates;
pub use handle::Broker;
pub use words::{
    AgentAsk, AgentOrder, AgentTicket, Counts, Ear, LiveSession, Offer, OpenAsk, Opened, Options,
    Refusal, Settled, TechnicianNotice, TokenRefused,
};

pub use crate::session::{Party, Seat};
