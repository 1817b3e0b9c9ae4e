//! Escalation: a case that nobody takes up, or whose request for remote access nobody answers, moves
//! to another group.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Hours;
use crate::{
    cases::{Priority, State},
    clock::Wall,
    ids::GroupId,
};

/// Working hours that a group may take at most; a year of them.
const HOURS_MAX: u32 = 8_760;

/// When cases of a group move on, and to which.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Escalation {
    /// Where the case has no priority, or its priority no hours of its own.
    hours: u32,
    by_priority: BTreeMap<Priority, u32>,
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
        if hours > HOURS_MAX {
            return Err(TooMany);
        }
        Ok(Self { hours, by_priority: BTreeMap::new(), to })
    }

    /// The same, with cases of `priority` after `hours` of their own; 0 is never.
    ///
    /// # Errors
    ///
    /// [`TooMany`].
    pub fn at(mut self, priority: Priority, hours: u32) -> Result<Self, TooMany> {
        if hours > HOURS_MAX {
            return Err(TooMany);
        }
        self.by_priority.insert(priority, hours);
        Ok(self)
    }

    /// The group that cases of `priority` move on to, and after how many working hours.
    #[must_use]
    pub fn way(&self, priority: Option<Priority>) -> Option<(&GroupId, u32)> {
        let own = priority.and_then(|priority| self.by_priority.get(&priority));
        let hours = own.copied().unwrap_or(self.hours);
        self.to.as_ref().filter(|_| hours > 0).map(|to| (to, hours))
    }

    /// The group named, whether or not anything moves there.
    #[must_use]
    pub fn to(&self) -> Option<&GroupId> {
        self.to.as_ref()
    }
}

/// When a case of `priority` moves on that was put into a group of these `hours` at `since`; `None`:
/// never.
///
/// Only a case that nobody has taken up since: in a help desk's numbers status 100 to 199, here the
/// state `new` (INF; `in_progress` is 200 to 299, `closed` from 300 on, and a case in no group is
/// an inquiry, below 100).
#[must_use]
pub fn due(
    escalation: &Escalation,
    hours: &Hours,
    since: Wall,
    (state, priority): (State, Option<Priority>),
) -> Option<Wall> {
    match state {
        State::New => unanswered(escalation, hours, since, priority),
        State::InProgress | State::Closed => None,
    }
}

/// When a case of `priority` moves on because nobody answers what was asked at `since` in a group of
/// these `hours`: whoever works on the case may still leave the asker waiting (INF from G1-8). `None`:
/// never.
#[must_use]
pub fn unanswered(
    escalation: &Escalation,
    hours: &Hours,
    since: Wall,
    priority: Option<Priority>,
) -> Option<Wall> {
    let (_, after) = escalation.way(priority)?;
    hours.after(since, after)
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    hours: u32,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    by_priority: BTreeMap<Priority, u32>,
    #[serde(default)]
    to: Option<GroupId>,
}

impl TryFrom<Written> for Escalation {
    type Error = TooMany;

    fn try_from(Written { hours, by_priority, to }: Written) -> Result<Self, TooMany> {
        let all = Self::new(hours, to)?;
        by_priority.into_iter().try_fold(all, |all, (priority, hours)| all.at(priority, hours))
    }
}

impl From<Escalation> for Written {
    fn from(Escalation { hours, by_priority, to }: Escalation) -> Self {
        Self { hours, by_priority, to }
    }
}
