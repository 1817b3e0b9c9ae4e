//! Roles within single cases.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// What a case role can allow, within the cases that it is given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseRight {
    Read,
    /// Write in the case's conversation.
    Comment,
    /// Read the case's history: who did what, and the sessions held.
    ReadHistory,
}

/// The rights of a case role; whatever it is, it can read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeSet<CaseRight>", into = "BTreeSet<CaseRight>")]
pub struct CaseRights(BTreeSet<CaseRight>);

impl CaseRights {
    /// Whether `right` is among them.
    #[must_use]
    pub fn has(&self, right: CaseRight) -> bool {
        self.0.contains(&right)
    }
}

/// Who takes part in a case may read it: a role that could not would be none (INF).
impl From<BTreeSet<CaseRight>> for CaseRights {
    fn from(mut rights: BTreeSet<CaseRight>) -> Self {
        rights.insert(CaseRight::Read);
        Self(rights)
    }
}

impl From<CaseRights> for BTreeSet<CaseRight> {
    fn from(rights: CaseRights) -> Self {
        rights.0
    }
}

/// Case roles that are always there (G2-4, CON-15).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Predefined {
    /// Works on the case.
    Staff,
    /// Takes part in the conversation, no more.
    Client,
    /// Reads, for automation.
    Bot,
}

impl Predefined {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Staff, Self::Client, Self::Bot];

    /// The role as programs call it, and as it is typed.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Staff => "staff",
            Self::Client => "client",
            Self::Bot => "bot",
        }
    }

    /// The one with this code.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.code() == code)
    }

    /// What it allows.
    #[must_use]
    pub fn rights(self) -> CaseRights {
        let rights: BTreeSet<CaseRight> = match self {
            Self::Staff => [CaseRight::Read, CaseRight::Comment, CaseRight::ReadHistory].into(),
            Self::Client => [CaseRight::Read, CaseRight::Comment].into(),
            Self::Bot => [CaseRight::Read].into(),
        };
        rights.into()
    }
}
