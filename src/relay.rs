//! Bytes between two legs: bulk is joined in the kernel where both are sockets, talk is copied;
//! metered, under a lease, and cut in one step.
//!
//! `broker` gives two legs and the [`Terms`] under which bytes may flow; what flows is sealed end to
//! end and means nothing here.
//!
//! ```text
//!                    up: socket -> pipe -> socket, or through one pooled buffer
//!   technician  ==========================================================>  device
//!      Leg      <==========================================================   Leg
//!                    down                       \
//!                                                Meter: bytes, last activity
//!   Terms: Cut (now, level-triggered)  +  Lease (lapses unless its keeper renews it)
//! ```
//!
//! What always holds:
//!
//! * a direction holds a pipe or a buffer only while it holds bytes, and never more than one;
//! * a direction that has moved [`TURN_BYTES_MAX`] lets the other channels have their turn;
//! * bulk runs on threads of its own, so that no talk stands in line behind it;
//! * the end of one direction is passed on and leaves the other alive;
//! * a cut, a lapse, a failure and a dropped future reset both legs: an end that learns of a clean
//!   close learnt it from the other end.

mod cap;
mod flow;
mod lane;
mod leg;
mod meter;
mod pool;
mod splice;
mod terms;
#[cfg(test)]
pub(crate) mod tests;
mod turn;

pub use cap::Cap;
pub(crate) use lane::{Carriage, Carrier, rehome};
pub use leg::{Leg, LegStream, reset};
pub use meter::{Direction, Meter, Tally};
pub use pool::{Buffer, Pools};
pub use splice::{How, Side, Spliced, splice};
pub use terms::{Cut, LEASE_TTL, Lease, LeaseKeeper, Terms};
pub use turn::{TURN_BYTES_MAX, Turn};
