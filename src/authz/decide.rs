//! The decision itself.

use super::{
    Denial, Facts, Reason, Request,
    policy::{Answer, Book},
    question,
    standing::{Relation, Standing},
};
use crate::{
    ids::Revision,
    tenancy::{RoleRef, Side},
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
    role: Option<RoleRef>,
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
    pub fn role(&self) -> Option<&RoleRef> {
        self.role.as_ref()
    }
}

/// The answer to one request.
#[derive(Debug)]
pub enum Decision {
    Allow(Grant),
    Deny(Denial),
}

/// Answers whether `request` is allowed by `facts`.
///
/// Pure: the same request and facts give the same answer. Called again for a live session whenever
/// one of its facts changes.
#[must_use]
pub fn decide(request: Request, facts: &Facts) -> Decision {
    let judged = judge(&request, facts);
    match judged {
        Judged::Weighed(standing, Answer::Allow) => Decision::Allow(Grant {
            request,
            revision: facts.revision,
            side: standing.relation.and_then(Relation::side),
            role: standing.role,
        }),
        Judged::Weighed(_, Answer::Deny(_) | Answer::Fault) | Judged::Nothing(_) => {
            Decision::Deny(judged.denial())
        }
    }
}

/// An answer, and what it was drawn from.
#[derive(Debug)]
pub(super) enum Judged<'a> {
    /// There is nobody to ask for, or nothing to ask about.
    Nothing(Reason),
    Weighed(Box<Standing<'a>>, Answer<'static>),
}

impl Judged<'_> {
    /// The refusal that this is, unless it allows.
    pub(super) fn denial(&self) -> Denial {
        match self {
            Self::Nothing(reason) => Denial { reason: *reason, visible: false },
            Self::Weighed(standing, answer) => {
                let reason = match answer {
                    Answer::Deny(objections) => objections.first().map(|first| first.reason),
                    Answer::Allow | Answer::Fault => None,
                };
                Denial {
                    reason: reason.unwrap_or(Reason::PolicyFault),
                    visible: standing.visible(),
                }
            }
        }
    }
}

/// Weighs `request` against `facts`. Whatever goes wrong here denies.
pub(super) fn judge<'a>(request: &Request, facts: &'a Facts) -> Judged<'a> {
    let standing = match Standing::of(request, facts) {
        Ok(standing) => Box::new(standing),
        Err(reason) => return Judged::Nothing(reason),
    };
    let answer = match Book::shipped() {
        None => Answer::Fault,
        Some(book) => match question::put(request, &standing, facts, book.schema()) {
            Ok(question) => book.ask(&question.request, &question.entities),
            Err(fault) => {
                tracing::error!(%fault, "no decision");
                Answer::Fault
            }
        },
    };
    Judged::Weighed(standing, answer)
}
