//! Duties over all groups of a company, and who may put a case into a group.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Access, Settings};

/// What a person does for all groups of the own company.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Duty {
    /// Puts cases that are in no group into one (an inquiry is authorised).
    Dispatch,
    /// Reads the cases of every group.
    ReadAll,
    /// Comments on the cases of every group, and moves them on; never without [`Self::ReadAll`].
    EditAll,
}

/// Duties that cannot go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("edit_all is not given without read_all")]
pub struct InvalidDuties;

/// A person's duties: those from everywhere, added up (G1-6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Duties(BTreeSet<Duty>);

impl Duties {
    /// Checks that they can go together.
    ///
    /// # Errors
    ///
    /// [`InvalidDuties`] for edit-all without read-all (G1-6).
    pub fn new(duties: impl IntoIterator<Item = Duty>) -> Result<Self, InvalidDuties> {
        let duties: BTreeSet<Duty> = duties.into_iter().collect();
        if duties.contains(&Duty::EditAll) && !duties.contains(&Duty::ReadAll) {
            return Err(InvalidDuties);
        }
        Ok(Self(duties))
    }

    /// Whether `duty` is among them.
    #[must_use]
    pub fn has(&self, duty: Duty) -> bool {
        self.0.contains(&duty)
    }

    /// Each of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = Duty> {
        self.0.iter().copied()
    }

    /// What they give on a case of the own company that is in a group (`placed`) or in none.
    ///
    /// A dispatcher reads what is in no group yet, else there would be nothing to dispatch (INF);
    /// on what is in a group, dispatching alone gives nothing (G1-6).
    #[must_use]
    pub fn access(&self, placed: bool) -> Option<Access> {
        match placed {
            true if self.has(Duty::EditAll) => Some(Access::Write),
            true => self.has(Duty::ReadAll).then_some(Access::Read),
            false => self.has(Duty::Dispatch).then_some(Access::Read),
        }
    }
}

/// A case's way into a group, or out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// From no group into one.
    In,
    /// From a group, where the person has this access, into another.
    On(Option<Access>),
    /// Out of a group with these settings, where the person has this access.
    Out(Option<Access>, &'a Settings),
}

/// Why a case stays where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("only a dispatcher puts a case into a group")]
    NoDispatcher,
    #[error("only a write member of its group moves a case on")]
    NoWriteMember,
    #[error("the group's settings do not let its members take cases out")]
    SettingOff,
}

/// Whether a person with `duties` may move a case so (G1-5, G1-7).
///
/// INF: a gateway deletes no case, so the group's setting "delete ticket" governs what is nearest to
/// it: taking the case out of the group.
///
/// # Errors
///
/// [`Refusal`].
pub fn place(duties: &Duties, way: Place<'_>) -> Result<(), Refusal> {
    match way {
        Place::In if duties.has(Duty::Dispatch) => Ok(()),
        Place::In => Err(Refusal::NoDispatcher),
        Place::On(access) | Place::Out(access, _)
            if access != Some(Access::Write) && !duties.has(Duty::EditAll) =>
        {
            Err(Refusal::NoWriteMember)
        }
        Place::Out(_, settings) if !settings.members_remove => Err(Refusal::SettingOff),
        Place::On(_) | Place::Out(..) => Ok(()),
    }
}
