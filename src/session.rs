//! Sessions: everything between "may I?" and "it is over".
//!
//! A session joins a technician and a device for as long as one [`Grant`] holds. This room decides;
//! it never waits, reads a clock or touches a socket. `broker` feeds it inputs and carries out the
//! commands it returns, in their order.
//!
//! [`Grant`]: crate::authz::Grant

mod words;

pub use words::{EarNo, Options, Phase, Seat, Side};
