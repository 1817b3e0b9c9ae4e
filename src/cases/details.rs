//! What a case tells people beside what decisions read: no decision ever depends on it.

use serde::{Deserialize, Serialize};

use crate::{
    clock::Wall,
    ids::{CaseId, PersonId, RequestId, TenantId},
};

/// How hard production is hit.
///
/// INF: the value list is not stated; three values tell what a provider asks first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The machine produces nothing.
    Stopped,
    /// It produces less, slower or worse.
    Degraded,
    /// It produces as it should.
    Running,
}

/// How soon the provider will look at it.
///
/// INF: the value list is not stated; four values, as ticket systems have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    Low,
    Normal,
    High,
    Urgent,
}

/// Whom to ask about the case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contact {
    pub phone: Option<String>,
    pub email: Option<String>,
}

/// The telling part of a case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// Empty where nobody wrote one.
    pub description: String,
    /// Always there where an operator opened the case (domain.md A, "Severity").
    pub severity: Option<Severity>,
    pub contact: Contact,
    /// The provider's own; a case without a provider has none.
    pub priority: Option<Priority>,
    /// The case's number in the ticket system of the company whose people read or write this: of two
    /// parties each has its own, and knows nothing of the other's.
    pub external_id: Option<String>,
}

/// One thing that was said about a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Counted within the case, from 1.
    pub number: u64,
    pub author: PersonId,
    pub at: Wall,
    pub text: String,
    pub mentions: Vec<PersonId>,
}

/// A provider's wish that the operator turn a case's switch on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessRequest {
    pub id: RequestId,
    pub case: CaseId,
    pub person: PersonId,
    pub tenant: TenantId,
    pub reason: String,
    /// For how long, in seconds; `None`: until somebody turns it off.
    pub seconds: Option<u64>,
    pub asked_at: Wall,
    /// From then on nobody can grant it any more.
    pub expires_at: Wall,
    pub state: RequestState,
    pub answered_by: Option<PersonId>,
    pub answered_at: Option<Wall>,
    /// The answer in words.
    pub answer: Option<String>,
}

/// Where an access request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestState {
    Open,
    /// The switch was turned on.
    Granted,
    Declined,
    /// By the person who had asked.
    Withdrawn,
    /// Nobody answered in time, or the case was closed.
    Lapsed,
}
