//! Escalation: a case that nobody takes up moves to another group.

use serde::{Deserialize, Serialize};

use super::Hours;
use crate::{cases::State, clock::Wall, ids::GroupId};

/// Working hours that a group may take at most; a year of them.
const HOURS_MAX: u32 = 8_760;

/// When cases of a group move on, and to which.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Escalation {
    hours: u32,
    to: Option<GroupId>,
}

/// Hours that are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a group takes {HOURS_MAX} working hours at most before a case moves on")]
pub struct TooMany;

impl Escalation {
    /// After `hours` working hours to the group `to`; never, if either is missing (G1-8).
    ///
    /// # Errors
    ///
    /// [`TooMany`].
    pub fn new(hours: u32, to: Option<GroupId>) -> Result<Self, TooMany> {
        if hours > HOURS_MAX { Err(TooMany) } else { Ok(Self { hours, to }) }
    }

    /// The group that cases move on to, and after how many working hours.
    #[must_use]
    pub fn way(&self) -> Option<(&GroupId, u32)> {
        self.to.as_ref().filter(|_| self.hours > 0).map(|to| (to, self.hours))
    }

    /// The group named, whether or not anything moves there.
    #[must_use]
    pub fn to(&self) -> Option<&GroupId> {
        self.to.as_ref()
    }
}

/// When a case moves on that was put into a group of these `hours` at `since`; `None`: never.
///
/// Only a case that nobody has taken up since: in a help desk's numbers status 100 to 199, here the
/// state `new` (INF; `in_progress` is 200 to 299, `closed` from 300 on, and a case in no group is
/// an inquiry, below 100).
#[must_use]
pub fn due(escalation: &Escalation, hours: &Hours, since: Wall, state: State) -> Option<Wall> {
    let (_, after) = escalation.way()?;
    match state {
        State::New => hours.after(since, after),
        State::InProgress | State::Closed => None,
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    hours: u32,
    #[serde(default)]
    to: Option<GroupId>,
}

impl TryFrom<Written> for Escalation {
    type Error = TooMany;

    fn try_from(Written { hours, to }: Written) -> Result<Self, TooMany> {
        Self::new(hours, to)
    }
}

impl From<Escalation> for Written {
    fn from(Escalation { hours, to }: Escalation) -> Self {
        Self { hours, to }
    }
}
