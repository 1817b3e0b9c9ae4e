//! Bytes between two legs: joined in the kernel where both are sockets, copied where they are not;
//! metered, under a lease, and cut in one step.

mod leg;

pub use leg::{Leg, LegStream};
