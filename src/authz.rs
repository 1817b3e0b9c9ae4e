//! Who may do what: [`decide()`] turns a request and the facts into a decision.
//!
//! Policies are Cedar, in `authz/policies.cedar` under `authz/schema.cedarschema`: one `permit` an
//! action, and one `forbid` a reason, whose `@id` is the code that people see. The order of reasons
//! is domain.md J; the first that fails is the reason given, [`explain()`] lists them all.
//!
//! What always holds: only [`decide()`] makes a [`Grant`]; an evaluation error denies.

mod decide;
mod explain;
mod facts;
mod fields;
mod matrix;
mod policy;
mod question;
mod reach;
mod reason;
mod standing;
#[cfg(test)]
mod tests;
mod words;

pub use decide::{Decision, Grant, decide};
pub use explain::{Check, explain};
pub use facts::{
    Action, Assignee, DeviceFacts, Door, Facts, LimitFacts, Presence, PresenceOf, Request, Via,
    Want, Widened,
};
pub use fields::{CaseField, may_move, may_write};
pub use matrix::offered;
pub use reach::{Reach, reach};
pub use reason::{Denial, Reason};
