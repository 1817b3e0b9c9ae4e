//! Resource groups: who of a company answers for which cases, when they work, and what happens to a
//! case that nobody takes up (domain.md G.1).
//!
//! ```text
//!   main A (members)          a case in A2: A2 has no members of its own, so those of A count
//!    ├─ A1 (members)          a case in A1: only those of A1
//!    ├─ A2                    upward to the nearest that has any, all or nothing
//!    └─ A3 (members)
//! ```
//!
//! A group gives access to cases: a read member reads, a write member also comments. It opens no
//! tunnel and turns no switch; its settings and duties stay with its own members.
//!
//! What always holds: no circle of groups; what is inherited is access to cases and nothing else.

mod duty;
mod escalation;
mod hours;
mod notice;
mod settings;
mod stopwatch;
#[cfg(test)]
mod tests;
mod tree;

pub use duty::{Duties, Duty, InvalidDuties, Place, Refusal, place};
pub use escalation::{Escalation, TooMany, due, unanswered};
pub use hours::{Day, Holiday, Hours, InvalidHours};
pub use notice::{Happening, Notices, fires};
pub use settings::{ADDRESSES_MAX, Addresses, InvalidAddresses, Settings};
pub use stopwatch::{Spent, Stopwatch, spent};
pub use tree::{Access, Cycle, DEPTH_MAX, Tree};
