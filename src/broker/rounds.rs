//! Which sessions a change must be held against, and whether that is done.
//!
//! ```text
//!   change 41 touches asset press-7 --> round 41 { s3, s8 }
//!   s3 judged by facts of 41 or newer, allowed -------> leaves the round
//!   s8 denied: counted, and leaves when its splices have returned
//!   round 41 empty, 41 handed over -------------------> settled
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use crate::{
    authz::Facts,
    ids::{Revision, SessionId},
    store::Object,
};

/// Rounds that are kept after they closed, for those who ask late; older ones count as settled with
/// nobody ended.
const CLOSED_ROUNDS_MAX: usize = 1_024;

/// The rows that each session's decision read.
#[derive(Debug, Default)]
pub(super) struct Index {
    readers: BTreeMap<Object, BTreeSet<SessionId>>,
    reads: BTreeMap<SessionId, BTreeSet<Object>>,
}

impl Index {
    /// Notes what `session` reads now, in place of what it read before.
    pub(super) fn set(&mut self, session: &SessionId, objects: BTreeSet<Object>) {
        self.remove(session);
        for object in &objects {
            self.readers.entry(object.clone()).or_default().insert(session.clone());
        }
        self.reads.insert(session.clone(), objects);
    }

    pub(super) fn remove(&mut self, session: &SessionId) {
        for object in self.reads.remove(session).unwrap_or_default() {
            if let Some(readers) = self.readers.get_mut(&object) {
                readers.remove(session);
                if readers.is_empty() {
                    self.readers.remove(&object);
                }
            }
        }
    }

    /// The sessions that read any of `objects`.
    pub(super) fn touched(&self, objects: &[Object]) -> BTreeSet<SessionId> {
        objects.iter().filter_map(|object| self.readers.get(object)).flatten().cloned().collect()
    }
}

/// The rows among `facts`.
pub(super) fn objects_of(facts: &Facts) -> BTreeSet<Object> {
    let tenants = [&facts.tenant, &facts.operator, &facts.provider];
    let tenants = tenants.into_iter().flatten().map(|tenant| Object::Tenant(tenant.id.clone()));
    let person = facts.person.iter().map(|person| Object::Person(person.id.clone()));
    let case = facts.case.iter().map(|case| Object::Case(case.id.clone()));
    let asset = facts.asset.iter().map(|asset| Object::Asset(asset.id.clone()));
    let machine = facts.machine.iter().map(|machine| Object::Machine(machine.id.clone()));
    let tunnel = facts.tunnel.iter().map(|tunnel| Object::Tunnel(tunnel.id.clone()));
    let device = facts.device.iter().map(|found| Object::Device(found.device.id.clone()));
    tenants
        .chain(person)
        .chain(case)
        .chain(asset)
        .chain(machine)
        .chain(tunnel)
        .chain(device)
        .collect()
}

/// Every change that some live session had to be held against.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    by_revision: BTreeMap<Revision, Round>,
    /// Since when a session waits to be judged.
    waiting: BTreeMap<SessionId, Instant>,
}

#[derive(Debug, Default)]
struct Round {
    open: BTreeSet<SessionId>,
    ended: u32,
}

impl Rounds {
    /// `session` must be held against the change of `revision`.
    pub(super) fn add(&mut self, revision: Revision, session: &SessionId, now: Instant) {
        self.by_revision.entry(revision).or_default().open.insert(session.clone());
        self.waiting.entry(session.clone()).or_insert(now);
    }

    /// `session` was allowed by facts that include the changes up to `revision`.
    pub(super) fn allowed(&mut self, session: &SessionId, revision: Revision) {
        for round in self.by_revision.range_mut(..=revision).map(|(_, round)| round) {
            round.open.remove(session);
        }
        if !self.by_revision.values().any(|round| round.open.contains(session)) {
            self.waiting.remove(session);
        }
        self.forget_old();
    }

    /// `session` is being cut.
    pub(super) fn cut(&mut self, session: &SessionId) {
        for round in self.by_revision.values_mut().filter(|round| round.open.contains(session)) {
            round.ended = round.ended.saturating_add(1);
        }
        self.waiting.remove(session);
    }

    /// `session` is over, its splices have returned.
    pub(super) fn gone(&mut self, session: &SessionId) {
        for round in self.by_revision.values_mut() {
            round.open.remove(session);
        }
        self.waiting.remove(session);
        self.forget_old();
    }

    /// Since when `session` waits to be judged; `None` if it does not.
    pub(super) fn waits_since(&self, session: &SessionId) -> Option<Instant> {
        self.waiting.get(session).copied()
    }

    /// Those that wait since `before` or longer.
    pub(super) fn waiting_since(&self, before: Instant) -> Vec<SessionId> {
        let waiting = self.waiting.iter().filter(|(_, since)| **since <= before);
        waiting.map(|(session, _)| session.clone()).collect()
    }

    /// Whether every session that the changes up to `revision` touch was dealt with.
    pub(super) fn is_settled(&self, revision: Revision) -> bool {
        self.by_revision.range(..=revision).all(|(_, round)| round.open.is_empty())
    }

    /// How many sessions the change of `revision` has ended until now.
    pub(super) fn ended(&self, revision: Revision) -> u32 {
        self.by_revision.get(&revision).map_or(0, |round| round.ended)
    }

    fn forget_old(&mut self) {
        while self.by_revision.len() > CLOSED_ROUNDS_MAX {
            match self.by_revision.first_entry() {
                Some(oldest) if oldest.get().open.is_empty() => oldest.remove(),
                Some(_) | None => return,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Now;

    fn id(text: &str) -> SessionId {
        text.parse().unwrap()
    }

    fn case(text: &str) -> Object {
        Object::Case(text.parse().unwrap())
    }

    #[test]
    fn a_change_touches_those_who_read_it_now_and_not_those_who_did_before() {
        let mut index = Index::default();
        index.set(&id("s1"), [case("CASE-1")].into());
        index.set(&id("s2"), [case("CASE-1"), case("CASE-2")].into());
        assert_eq!(index.touched(&[case("CASE-1")]), [id("s1"), id("s2")].into());
        index.set(&id("s1"), [case("CASE-3")].into());
        assert_eq!(index.touched(&[case("CASE-1"), case("CASE-2")]), [id("s2")].into());
        index.remove(&id("s2"));
        assert_eq!(index.touched(&[case("CASE-1"), case("CASE-2")]), BTreeSet::new());
        assert_eq!(index.readers.len(), 1, "nothing is kept for who is gone");
    }

    #[test]
    fn a_change_is_settled_when_each_session_was_allowed_by_newer_facts_or_is_gone() {
        let (mut rounds, now) = (Rounds::default(), Now::read().mono);
        rounds.add(Revision(4), &id("s1"), now);
        rounds.add(Revision(4), &id("s2"), now);
        rounds.allowed(&id("s1"), Revision(3));
        assert!(!rounds.is_settled(Revision(4)), "older facts prove nothing");
        assert!(rounds.is_settled(Revision(3)));
        rounds.allowed(&id("s1"), Revision(5));
        rounds.cut(&id("s2"));
        assert_eq!((rounds.is_settled(Revision(4)), rounds.ended(Revision(4))), (false, 1));
        rounds.gone(&id("s2"));
        assert_eq!((rounds.is_settled(Revision(4)), rounds.ended(Revision(4))), (true, 1));
        assert_eq!(rounds.waiting_since(now), Vec::<SessionId>::new());
    }
}
