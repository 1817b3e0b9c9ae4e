//! The decision itself.

use super::{Action, Denial, Facts, Reason, Request};
use crate::{
    ids::Revision,
    tenancy::{Role, Side},
};

/// Proof that one request was allowed under one revision of the facts.
///
/// Made by [`decide`] alone. Not `Clone`: each act that needs a grant asks for its own.
#[derive(Debug)]
#[must_use = "a grant that nobody uses lets nobody in"]
pub struct Grant {
    request: Request,
    revision: Revision,
    side: Option<Side>,
    role: Option<Role>,
}

impl Grant {
    /// What was allowed.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The facts under which it was allowed.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The side on which the person acts; `None` for acts within one's own tenant.
    #[must_use]
    pub fn side(&self) -> Option<Side> {
        self.side
    }

    /// A role that gave the permission, for the record.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        self.role
    }
}

/// The answer to one request.
#[derive(Debug)]
pub enum Decision {
    Allow(Grant),
    Deny(Denial),
}

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

/// Answers whether `request` is allowed by `facts`.
#[must_use]
pub fn decide(request: Request, facts: &Facts) -> Decision {
    let _ = (facts, &request.action, Action::ManagePeople);
    Decision::Deny(Denial { reason: Reason::PolicyFault, visible: false })
}

/// Every check that applies to `request`, in the order of evaluation.
#[must_use]
pub fn explain(request: &Request, facts: &Facts) -> Vec<Check> {
    let _ = (request, facts);
    Vec::new()
}
