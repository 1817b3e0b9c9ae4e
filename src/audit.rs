//! Records: what happened, typed, chained by hash, so that a changed, missing or reordered one shows.
//!
//! Driven by `store`, which appends one record in the transaction of the change it tells of.
//!
//! ```text
//!   Entry (who, what, to what) --> Row { seq, ..., previous, hash }
//!
//!   row 1            row 2            row 3
//!   previous 000     previous ------> ...             head { seq 3, hash }
//!   hash ----------> hash ----------> hash ---------> kept beside the rows
//! ```
//!
//! What always holds: a row's hash covers every one of its fields, its number and the hash before it,
//! in an encoding in which no two different rows look alike; [`verify()`] names the first row where
//! the chain does not hold. Who can rewrite the whole file can rewrite the whole chain: keep the last
//! hash, which verifying prints, somewhere else to find that too.

mod cause;
mod chain;
mod entry;
mod event;
mod verify;

pub use cause::{EndCause, OfferFault};
pub use chain::{Hash, InvalidHash, Row};
pub use entry::{Actor, Entry, Flow, InvalidActor};
pub use event::Event;
pub use verify::{Fault, Head, Summary, Verifier, verify};
