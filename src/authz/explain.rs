//! Every check of one request in words, and what would make a failed one pass.

use super::{Facts, Reason, Request};

/// One line of an explanation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The reason that is given when this check fails.
    pub reason: Reason,
    pub passed: bool,
    /// What was checked, in words; never tells what the asker may not see.
    pub what: String,
    /// When failed: what would make it pass.
    pub remedy: Option<String>,
}

/// Every check that applies to `request`, in the order of evaluation.
#[must_use]
pub fn explain(request: &Request, facts: &Facts) -> Vec<Check> {
    let _ = (request, facts);
    Vec::new()
}
