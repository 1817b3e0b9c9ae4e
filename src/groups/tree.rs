//! Groups under groups, and whose members count.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::ids::{GroupId, PersonId};

/// Groups under groups at most; a group that would hang deeper is refused.
pub const DEPTH_MAX: usize = 8;

/// What a member may do with the cases of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    Read,
    /// Reads, and comments. To change a case's state or assignee stays with roles (INF: a group
    /// must not give what domain.md B.2 binds to a role).
    Write,
}

/// A group would hang under itself, or too deep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a group cannot hang under itself, nor more than {DEPTH_MAX} deep")]
pub struct Cycle;

/// Groups of one company: what hangs under what, and the members of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    nodes: BTreeMap<GroupId, Node>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Node {
    parent: Option<GroupId>,
    members: BTreeMap<PersonId, Access>,
}

impl Tree {
    /// Adds a group, or hangs a known one elsewhere.
    ///
    /// # Errors
    ///
    /// [`Cycle`]; nothing was changed.
    pub fn hang(&mut self, group: &GroupId, under: Option<&GroupId>) -> Result<(), Cycle> {
        if under.is_some_and(|under| self.path(under).contains(&group)) {
            return Err(Cycle);
        }
        let above = under.map_or(0, |under| self.path(under).len());
        if above + self.height(group) > DEPTH_MAX {
            return Err(Cycle);
        }
        self.nodes.entry(group.clone()).or_default().parent = under.cloned();
        Ok(())
    }

    /// Makes `person` a member of `group`.
    pub fn join(&mut self, group: &GroupId, person: &PersonId, access: Access) {
        self.nodes.entry(group.clone()).or_default().members.insert(person.clone(), access);
    }

    /// Takes a membership away.
    pub fn leave(&mut self, group: &GroupId, person: &PersonId) {
        if let Some(node) = self.nodes.get_mut(group) {
            node.members.remove(person);
        }
    }

    /// What `person` may do with cases of `group`: by the members of the nearest group, upward,
    /// that has any (G1-2, G1-4). Not additive.
    #[must_use]
    pub fn access(&self, group: &GroupId, person: &PersonId) -> Option<Access> {
        self.counting(group)?.get(person).copied()
    }

    /// Groups whose cases `person` has access to.
    #[must_use]
    pub fn open_to(&self, person: &PersonId) -> BTreeMap<GroupId, Access> {
        let groups = self.nodes.keys();
        groups.filter_map(|group| Some((group.clone(), self.access(group, person)?))).collect()
    }

    /// Whether `person` is a member of `group` itself. Permissions ask for this: they are not
    /// inherited (G1-3).
    #[must_use]
    pub fn own_access(&self, group: &GroupId, person: &PersonId) -> Option<Access> {
        self.nodes.get(group)?.members.get(person).copied()
    }

    /// The people who have access to `group`'s cases.
    #[must_use]
    pub fn people(&self, group: &GroupId) -> BTreeSet<PersonId> {
        self.counting(group).into_iter().flat_map(|members| members.keys().cloned()).collect()
    }

    fn counting(&self, group: &GroupId) -> Option<&BTreeMap<PersonId, Access>> {
        let path = self.path(group);
        let nodes = path.into_iter().filter_map(|group| self.nodes.get(group));
        nodes.map(|node| &node.members).find(|members| !members.is_empty())
    }

    /// `group` and what it hangs under, upward.
    fn path<'a>(&'a self, group: &'a GroupId) -> Vec<&'a GroupId> {
        let mut path = vec![group];
        let mut at = group;
        while let Some(parent) = self.nodes.get(at).and_then(|node| node.parent.as_ref()) {
            // Rows that were spoilt from outside lead nowhere, rather than round and round.
            if path.contains(&parent) {
                break;
            }
            path.push(parent);
            at = parent;
        }
        path
    }

    /// Groups on the longest way down from `group`, itself included.
    fn height(&self, group: &GroupId) -> usize {
        let below = self.nodes.keys().filter_map(|one| {
            let path = self.path(one);
            path.iter().position(|above| *above == group).map(|steps| steps + 1)
        });
        below.max().unwrap_or(1)
    }
}
