//! What a person is in a workspace, apart from any case.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::ids::PersonId;

/// A person's type in one workspace (G2-5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserType {
    /// Who founded it; nobody else, and for good.
    Administrator,
    /// As the Administrator, but each right can be taken away.
    Manager,
    Staff,
    /// A client.
    User,
    /// A program; reads.
    Bot,
}

/// What can be done in a workspace's administration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdminRight {
    /// Add and remove members, change their type.
    Members,
    /// Make case roles, and change what they allow.
    CaseRoles,
    /// Bring cases in and take them out, and say who takes part in them.
    Cases,
}

impl AdminRight {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Members, Self::CaseRoles, Self::Cases];
}

/// A person in a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub person: PersonId,
    pub user_type: UserType,
    /// Of a Manager: what was taken away.
    pub revoked: BTreeSet<AdminRight>,
}

/// The Administrator was to be changed, made, or taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("who founded a workspace is its Administrator: nobody else becomes one, and they stay it")]
pub struct NotChangeable;

impl Member {
    /// A person who has just been made `user_type`.
    #[must_use]
    pub fn new(person: PersonId, user_type: UserType) -> Self {
        Self { person, user_type, revoked: BTreeSet::new() }
    }

    /// The same person as `to`, or gone with `None`.
    ///
    /// # Errors
    ///
    /// [`NotChangeable`] from or to Administrator.
    pub fn become_type(&self, to: Option<UserType>) -> Result<Option<Self>, NotChangeable> {
        match (self.user_type, to) {
            (UserType::Administrator, _) | (_, Some(UserType::Administrator)) => Err(NotChangeable),
            (_, None) => Ok(None),
            (_, Some(to)) => Ok(Some(Self::new(self.person.clone(), to))),
        }
    }

    /// The same Manager without `revoked`; other types have nothing to take away.
    ///
    /// # Errors
    ///
    /// [`NotChangeable`] for the Administrator.
    pub fn without(&self, revoked: BTreeSet<AdminRight>) -> Result<Self, NotChangeable> {
        match self.user_type {
            UserType::Administrator => Err(NotChangeable),
            UserType::Manager => Ok(Self { revoked, ..self.clone() }),
            UserType::Staff | UserType::User | UserType::Bot => Ok(self.clone()),
        }
    }

    /// Whether they may do `right` in the administration.
    #[must_use]
    pub fn may(&self, right: AdminRight) -> bool {
        match self.user_type {
            UserType::Administrator => true,
            UserType::Manager => !self.revoked.contains(&right),
            UserType::Staff | UserType::User | UserType::Bot => false,
        }
    }

    /// Whether they count when the bill is made.
    #[must_use]
    pub fn billed(&self) -> bool {
        match self.user_type {
            UserType::Administrator | UserType::Manager | UserType::Staff => true,
            UserType::User | UserType::Bot => false,
        }
    }
}

/// Members that count when the bill is made.
#[must_use]
pub fn billed_seats(members: &[Member]) -> usize {
    members.iter().filter(|member| member.billed()).count()
}
