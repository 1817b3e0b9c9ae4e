//! Every check of one request, in order: the same answer as [`super::decide()`], told at length.

use super::{
    Facts, Reason, Request,
    decide::{Judged, judge},
    policy::{Answer, Book, Objection},
    question,
    standing::Standing,
    words::{self, Words},
};

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
///
/// All have passed if and only if the request is allowed; else the first that failed is the reason
/// that [`super::Denial::told`] gives. Who may not see the object gets that one check and no other.
/// A check that an earlier failure leaves open (a device that is not there cannot be online) is
/// left out.
#[must_use]
pub fn explain(request: &Request, facts: &Facts) -> Vec<Check> {
    let judged = judge(request, facts);
    let (standing, objections) = match &judged {
        Judged::Weighed(standing, Answer::Allow) => (standing, Vec::new()),
        Judged::Weighed(standing, Answer::Deny(objections)) if judged.denial().visible => {
            (standing, objections.clone())
        }
        Judged::Weighed(_, Answer::Deny(_) | Answer::Fault) | Judged::Nothing(_) => {
            return vec![bare(judged.denial().told())];
        }
    };
    let Some(book) = Book::shipped() else { return vec![bare(Reason::PolicyFault)] };
    let action = question::name(&request.action);
    let mut checks = Vec::new();
    for objection in book.checks().iter().filter(|objection| objection.concerns(action)) {
        let failed = objections.iter().any(|raised| raised.id == objection.id);
        checks.extend(check(objection, failed, &checks, request, standing, facts));
    }
    checks
}

fn check(
    objection: &Objection,
    failed: bool,
    before: &[Check],
    request: &Request,
    standing: &Standing<'_>,
    facts: &Facts,
) -> Option<Check> {
    let said = words::of(objection, request, standing, facts);
    let Words { what, remedy } = match said {
        Some(said) => said,
        // Not to be told, unless it would hide the first reason.
        None if failed && before.iter().all(|check| check.passed) => words::bare(objection.reason),
        None => return None,
    };
    let remedy = Some(remedy).filter(|_| failed);
    Some(Check { reason: objection.reason, passed: !failed, what, remedy })
}

/// The one line for who may not be told more.
fn bare(reason: Reason) -> Check {
    let Words { what, remedy } = words::bare(reason);
    Check { reason, passed: false, what, remedy: Some(remedy) }
}
