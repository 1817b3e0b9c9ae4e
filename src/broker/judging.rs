//! The level: whatever may have changed, a session is judged again by what is true now, and its lease
//! is renewed only while nothing newer is known.

use std::time::Duration;

use super::{
    Settled,
    beam::{Beam, Settler},
    news::{News, Pulse},
    rounds::objects_of,
};
use crate::{
    authz::Facts,
    clock::Now,
    ids::{DeviceId, Revision, SessionId},
    registry::ConnectionNo,
    relay::LEASE_TTL,
    session::{EarNo, Input, Phase, Snapshot},
    store::Change,
};

impl Beam {
    pub(super) fn changed(&mut self, change: &Change, now: Now) {
        for session in self.index.touched(&change.objects) {
            self.judge(change.revision, &session, now);
        }
        self.processed = self.processed.max(change.revision);
    }

    /// Judges a session by facts of `revision` or newer.
    pub(super) fn judge(&mut self, revision: Revision, session: &SessionId, now: Now) {
        let Some(view) = self.sessions.get(session) else { return };
        if view.phase == Phase::Ending {
            return;
        }
        let subject = super::opening::subject_of(session, view.snapshot);
        self.rounds.add(revision, session, now.mono);
        let (store, news) = (self.ends.store.clone(), self.ends.news.clone());
        let (judges, session) = (self.judges.clone(), session.clone());
        self.ends.scope.spawn("judge", async move {
            let Ok(_turn) = judges.acquire().await else { return };
            let facts = super::feed::in_time(store.facts(&subject)).await.map(Box::new);
            let _ = news.send(News::Judged { session, facts }).await;
        });
    }

    /// Judges by what is known now: something outside the store has changed.
    pub(super) fn judge_all(&mut self, now: Now, which: impl Fn(&Snapshot) -> bool) {
        let those = self.sessions.iter().filter(|view| which(view.snapshot));
        let those: Vec<SessionId> = those.map(|view| view.session.clone()).collect();
        for session in those {
            self.judge(self.processed, &session, now);
        }
    }

    pub(super) fn judged(&mut self, session: SessionId, facts: Option<Box<Facts>>, now: Now) {
        // The next pulse asks again.
        let Some(facts) = facts else { return };
        let (revision, objects) = (facts.revision, objects_of(&facts));
        self.take(Input::Facts { session: session.clone(), facts }, now);
        let phase = self.sessions.get(&session).map(|view| view.phase);
        match phase {
            Some(Phase::Granted | Phase::Starting | Phase::Active) => {
                self.index.set(&session, objects);
                self.rounds.allowed(&session, revision);
            }
            Some(Phase::Ending) | None => {}
        }
    }

    /// The store has, or has not, confirmed that nothing is newer: leases are renewed, or end.
    pub(super) fn pulse(&mut self, pulse: Pulse, now: Now) {
        match pulse {
            Pulse::UpTo(revision) => {
                self.confirmed = now.mono;
                if revision > self.processed {
                    self.jump(revision, now);
                }
            }
            Pulse::Silent => {}
        }
        let silent = now.mono.saturating_duration_since(self.confirmed);
        let lost = silent > Duration::ZERO && silent > self.options.grace;
        let unjudged_at_most = self.options.grace.max(LEASE_TTL);
        let ids: Vec<SessionId> = self.strands.keys().cloned().collect();
        for session in ids {
            let waits = self.rounds.waits_since(&session);
            let waited = waits.map(|since| now.mono.saturating_duration_since(since));
            if lost || waited.is_some_and(|waited| waited > unjudged_at_most) {
                self.take(Input::LeaseLost(session), now);
            } else if let Some(strand) = self.strands.get(&session)
                && waited.is_none_or(|waited| waited <= self.options.grace)
            {
                strand.renew(now);
            }
        }
        self.judge_the_waiting(now);
        self.forget_the_silent(now);
    }

    /// The feed begins here: sessions that were granted on less are judged by what is now.
    fn jump(&mut self, revision: Revision, now: Now) {
        self.processed = revision;
        let older = self.sessions.iter().filter(|view| view.grant.revision() < revision);
        let older: Vec<SessionId> = older.map(|view| view.session.clone()).collect();
        for session in older {
            self.judge(revision, &session, now);
        }
    }

    /// Asks again for those whose facts did not come.
    fn judge_the_waiting(&mut self, now: Now) {
        let before = now.mono.checked_sub(self.options.renew_every).unwrap_or(now.mono);
        for session in self.rounds.waiting_since(before) {
            self.judge(self.processed, &session, now);
        }
    }

    /// A peer whose queue is closed is gone, even if nobody said so.
    fn forget_the_silent(&mut self, now: Now) {
        let ears = self.ears.iter().filter(|(_, notices)| notices.is_closed());
        let ears: Vec<EarNo> = ears.map(|(ear, _)| *ear).collect();
        for ear in ears {
            self.technician_gone(ear, now);
        }
        let agents = self.agents.iter().filter(|(_, agent)| agent.orders.is_closed());
        let agents: Vec<(DeviceId, ConnectionNo)> =
            agents.map(|(device, agent)| (device.clone(), agent.connection)).collect();
        for (device, connection) in agents {
            self.agent_gone(&device, connection, now);
        }
    }

    /// Answers those whose change is carried through, or whose time is up.
    pub(super) fn settle(&mut self, now: Now) {
        let (processed, rounds) = (self.processed, &self.rounds);
        let confirmed =
            |one: &Settler| processed >= one.revision && rounds.is_settled(one.revision);
        let is_over = |one: &mut Settler| confirmed(one) || one.until <= now.mono;
        let over: Vec<Settler> = self.settlers.extract_if(.., is_over).collect();
        for one in over {
            let sessions_ended = rounds.ended(one.revision);
            let settled = Settled { confirmed: confirmed(&one), sessions_ended };
            let _ = one.reply.send(settled);
        }
    }
}
