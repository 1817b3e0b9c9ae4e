//! The state machine: sessions as wholes. Their channels are in `channels`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Instant,
};

use super::{
    Command, EarNo, Input, Options, Outcome, Seat, Snapshot, View,
    state::{Channel, Live, State, at_wall},
};
use crate::{
    audit::EndCause,
    authz::{Decision, Facts, Grant, LimitFacts, Request, Via, decide},
    clock::Now,
    ids::{ChannelNo, PersonId, SessionId},
    token::{JoinToken, TokenDigest},
};

/// Every session of this gateway, with its channels.
pub struct Sessions {
    pub(super) options: Options,
    /// Makes join tokens; `None` when there is no randomness, and then nothing is offered.
    pub(super) mint: Box<dyn FnMut() -> Option<JoinToken> + Send>,
    pub(super) live: BTreeMap<SessionId, Live>,
    /// The tokens that still open something.
    pub(super) tokens: BTreeMap<TokenDigest, Seat>,
    /// When time alone changes something, session by session: each live one once, as
    /// [`Live::noted`] says. Every turn asks for the first, and there may be many.
    deadlines: BTreeSet<(Instant, SessionId)>,
    draining: bool,
}

/// One step: when it is, and what has come of it so far.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) now: Now,
    pub(super) todo: Vec<Command>,
    /// Sessions whose next deadline may be another one now.
    moved: Vec<SessionId>,
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("live", &self.live.len())
            .field("draining", &self.draining)
            .finish_non_exhaustive()
    }
}

impl Sessions {
    /// No sessions yet. `mint` makes the join tokens.
    #[must_use]
    pub fn new(options: Options, mint: impl FnMut() -> Option<JoinToken> + Send + 'static) -> Self {
        Self {
            options,
            mint: Box::new(mint),
            live: BTreeMap::new(),
            tokens: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            draining: false,
        }
    }

    /// Takes one input and returns what must now be done, in order.
    pub fn step(&mut self, input: Input, now: Now) -> Vec<Command> {
        let mut turn = Turn { now, todo: Vec::new(), moved: Vec::new() };
        turn.moved.extend(input.session().cloned());
        match input {
            Input::Granted { session, grant, snapshot, ear } => {
                self.granted(session, grant, snapshot, ear, &mut turn);
            }
            Input::OpenChannel { ear, session, channel, target, destination } => {
                let asked = (target.as_ref(), destination);
                self.open_channel(ear, &session, channel, asked, &mut turn);
            }
            Input::OfferRefused { device, session, channel, fault, detail } => {
                self.offer_refused(&device, &session, channel, (fault, detail), &mut turn);
            }
            Input::Joined { ask, token, by } => {
                turn.todo.push(match self.redeem(token, by.as_ref(), now) {
                    Some(seat) => Command::Seat { ask, seat },
                    None => Command::RefuseLeg { ask },
                });
            }
            Input::Seated(seat) => self.seated(seat, &mut turn),
            Input::Recorded { session, outcome } => {
                self.recorded(&session, outcome, &mut turn);
            }
            Input::RelayEnded { session, channel, tally, how } => {
                self.relay_ended(&session, channel, tally, how, &mut turn);
            }
            Input::Quiet { session, since } => self.quiet(&session, since, &mut turn),
            Input::Departed(device) => {
                let of_device = |live: &Live| live.snapshot.device == device;
                self.end_those(of_device, EndCause::EdgeOffline, &mut turn);
            }
            Input::TechnicianDeparted(ear) => {
                self.end_those(|live| live.ear == ear, EndCause::ClientLost, &mut turn);
            }
            Input::Facts { session, facts } => self.facts(&session, *facts, &mut turn),
            Input::Close { ear, session } => {
                if self.live.get(&session).is_some_and(|live| live.ear == ear) {
                    self.end(&session, EndCause::UserClosed, &mut turn);
                }
            }
            Input::End { session, by } => self.end_by(&session, by, &mut turn),
            Input::LeaseLost(session) => {
                self.end(&session, EndCause::DecisionLost, &mut turn);
            }
            Input::Drain => self.draining = true,
            Input::DrainOver => {
                self.draining = true;
                self.end_those(|_| true, EndCause::GatewayShutdown, &mut turn);
            }
            Input::Tick => self.tick(&mut turn),
        }
        for session in turn.moved {
            self.note_deadline(session);
        }
        debug_assert_eq!(self.check(), Ok(()));
        turn.todo
    }

    fn note_deadline(&mut self, id: SessionId) {
        let Some(live) = self.live.get_mut(&id) else { return };
        let due = live.due();
        if let Some(noted) = live.noted.replace(due) {
            if noted == due {
                return;
            }
            self.deadlines.remove(&(noted, id.clone()));
        }
        self.deadlines.insert((due, id));
    }

    /// When [`Input::Tick`] is due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(due, _)| *due)
    }

    /// One session, if it lives.
    #[must_use]
    pub fn get<'a>(&'a self, session: &'a SessionId) -> Option<View<'a>> {
        self.live.get(session).map(|live| live.view(session, &self.options))
    }

    /// All that live, in the order of ids.
    pub fn iter(&self) -> impl Iterator<Item = View<'_>> {
        self.live.iter().map(|(session, live)| live.view(session, &self.options))
    }

    /// How many live.
    #[must_use]
    pub fn len(&self) -> usize {
        self.live.len()
    }

    /// Whether none lives.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    fn granted(
        &mut self,
        session: SessionId,
        grant: Grant,
        snapshot: Box<Snapshot>,
        ear: EarNo,
        turn: &mut Turn,
    ) {
        if self.live.contains_key(&session) {
            return;
        }
        let live = Live::new(grant, snapshot, ear, turn.now, &self.options);
        self.live.insert(session.clone(), live);
        if self.draining {
            self.end(&session, EndCause::GatewayShutdown, turn);
        }
    }

    fn recorded(&mut self, id: &SessionId, outcome: Outcome, turn: &mut Turn) {
        let quiet_until = turn.now.mono + self.options.idle_at_most;
        let Some(live) = self.live.get_mut(id) else { return };
        match (&mut live.state, outcome) {
            (State::Starting { .. }, Outcome::Started { grant, facts }) => {
                live.started = Some(turn.now.wall);
                live.state = State::Active { since: turn.now.mono, quiet_until: Some(quiet_until) };
                self.judged(id, Decision::Allow(grant), &facts, turn);
                self.relay_if_complete(id, ChannelNo::HANDSHAKE, turn);
            }
            (State::Starting { until }, Outcome::Denied(denial)) => {
                live.state = State::Granted { until: *until };
                let cause = denial.ends_with(&live.snapshot.via);
                self.end(id, cause, turn);
            }
            (State::Starting { until }, Outcome::Failed) => {
                live.state = State::Granted { until: *until };
                self.end(id, EndCause::DecisionLost, turn);
            }
            (State::Ending { recording, .. }, outcome) => {
                *recording = false;
                if let Outcome::Started { .. } = outcome {
                    live.started = Some(turn.now.wall);
                }
                self.finish_if_over(id, turn);
            }
            (State::Granted { .. } | State::Active { .. }, _) => {}
        }
    }

    /// Judges a live session again. If these facts deny it, it ends in this step.
    fn facts(&mut self, id: &SessionId, mut facts: Facts, turn: &mut Turn) {
        let Some(live) = self.live.get(id) else { return };
        // It was counted when it was granted; here it would be counted against itself.
        facts.limits = LimitFacts::default();
        let request = Request { at: turn.now.wall, ..live.grant.request().clone() };
        self.judged(id, decide(request, &facts), &facts, turn);
    }

    fn judged(&mut self, id: &SessionId, decision: Decision, facts: &Facts, turn: &mut Turn) {
        let Some(live) = self.live.get_mut(id) else { return };
        let cause = match decision {
            Decision::Deny(denial) => denial.ends_with(&live.snapshot.via),
            Decision::Allow(_) if !live.snapshot.same_device(facts) => EndCause::EdgeUnpaired,
            Decision::Allow(grant) => {
                live.renew(grant, facts, turn.now);
                return;
            }
        };
        self.end(id, cause, turn);
    }

    fn quiet(&mut self, id: &SessionId, newest: Option<Instant>, turn: &mut Turn) {
        let Some(live) = self.live.get_mut(id) else { return };
        let State::Active { since, quiet_until } = &mut live.state else { return };
        let ends_at = newest.unwrap_or(*since).max(*since) + self.options.idle_at_most;
        if ends_at <= turn.now.mono {
            self.end(id, EndCause::IdleTimeout, turn);
        } else {
            *quiet_until = Some(ends_at);
        }
    }

    fn tick(&mut self, turn: &mut Turn) {
        let now = turn.now.mono;
        let due = self.deadlines.iter().take_while(|(due, _)| *due <= now);
        let due: Vec<SessionId> = due.map(|(_, id)| id.clone()).collect();
        for id in due {
            self.tick_one(&id, turn);
            turn.moved.push(id);
        }
    }

    fn tick_one(&mut self, id: &SessionId, turn: &mut Turn) {
        let Some(live) = self.live.get_mut(id) else { return };
        if let State::Ending { until, .. } = live.state {
            if until <= turn.now.mono {
                self.finish(id, turn);
            }
            return;
        }
        if let Some(cause) = live.lapsed(turn.now) {
            self.end(id, cause, turn);
            return;
        }
        if let State::Active { quiet_until, .. } = &mut live.state
            && quiet_until.is_some_and(|until| until <= turn.now.mono)
        {
            *quiet_until = None;
            turn.todo.push(Command::AskQuiet(id.clone()));
        }
        self.refuse_late(id, turn);
    }

    fn end_those(&mut self, which: impl Fn(&Live) -> bool, cause: EndCause, turn: &mut Turn) {
        let ids: Vec<SessionId> =
            self.live.iter().filter(|(_, live)| which(live)).map(|(id, _)| id.clone()).collect();
        for id in ids {
            self.end(&id, cause, turn);
        }
    }

    /// Somebody who may ends it: its own technician from elsewhere, or another person.
    fn end_by(&mut self, id: &SessionId, by: PersonId, turn: &mut Turn) {
        let Some(live) = self.live.get(id) else { return };
        let is_own = live.snapshot.person == by;
        let cause = if is_own { EndCause::UserClosed } else { EndCause::AdminTerminated };
        self.end_with(id, cause, Some(by), turn);
    }

    pub(super) fn end(&mut self, id: &SessionId, cause: EndCause, turn: &mut Turn) {
        self.end_with(id, cause, None, turn);
    }

    /// The one way out. The first cause counts, later ones are not heard.
    fn end_with(&mut self, id: &SessionId, cause: EndCause, by: Option<PersonId>, turn: &mut Turn) {
        let until = turn.now.mono + self.options.end_within;
        let Some(live) = self.live.get_mut(id) else { return };
        let recording = match live.state {
            State::Ending { .. } => return,
            State::Starting { .. } => true,
            State::Granted { .. } | State::Active { .. } => false,
        };
        live.state = State::Ending { cause, by, until, recording };
        live.channels.retain(|_, channel| match channel {
            Channel::Offered { .. } => {
                for token in channel.tokens() {
                    self.tokens.remove(&token);
                }
                false
            }
            Channel::Relaying { .. } => true,
        });
        turn.moved.push(id.clone());
        turn.todo.push(Command::Cut { session: id.clone(), cause });
        turn.todo.push(Command::TellEnded {
            session: id.clone(),
            ear: live.ear,
            device: live.snapshot.device.clone(),
            cause,
        });
        self.finish_if_over(id, turn);
    }

    pub(super) fn finish_if_over(&mut self, id: &SessionId, turn: &mut Turn) {
        let is_over = self.live.get(id).is_some_and(|live| {
            live.channels.is_empty() && matches!(live.state, State::Ending { recording: false, .. })
        });
        if is_over {
            self.finish(id, turn);
        }
    }

    fn finish(&mut self, id: &SessionId, turn: &mut Turn) {
        let Some(live) = self.live.remove(id) else { return };
        if let Some(noted) = live.noted {
            self.deadlines.remove(&(noted, id.clone()));
        }
        if let State::Ending { cause, by, .. } = live.state {
            let tally = live.tally;
            turn.todo.push(Command::RecordEnded { session: id.clone(), cause, by, tally });
        }
    }

    /// Whether all that always holds, holds; else what does not.
    ///
    /// # Errors
    ///
    /// The broken rule, in words.
    pub fn check(&self) -> Result<(), &'static str> {
        let mut tokens = 0;
        for (id, live) in &self.live {
            for (number, channel) in &live.channels {
                for token in channel.tokens() {
                    tokens += 1;
                    let leads_here = |seat: &Seat| seat.session == *id && seat.channel == *number;
                    if !self.tokens.get(&token).is_some_and(leads_here) {
                        return Err("an offer's token opens something else, or nothing");
                    }
                }
            }
            if live.noted != Some(live.due()) {
                return Err("a session's next deadline is another than the one noted");
            }
            live.check(&self.options)?;
        }
        if self.deadlines.len() != self.live.len() {
            return Err("a deadline of a session that is over");
        }
        if tokens == self.tokens.len() { Ok(()) } else { Err("a token opens no offered channel") }
    }
}

impl Live {
    /// Takes the newer grant; the switch may now expire at another moment.
    fn renew(&mut self, grant: Grant, facts: &Facts, now: Now) {
        let switch = super::snapshot::switch_of(&self.snapshot.via, facts);
        self.snapshot.switch_until = switch.and_then(|switch| switch.until);
        self.switch_off_at = at_wall(self.snapshot.switch_until, now);
        self.grant = grant;
    }

    /// With what cause time alone ends this session now.
    fn lapsed(&mut self, now: Now) -> Option<EndCause> {
        if self.last_until <= now.mono {
            return Some(EndCause::MaxDuration);
        }
        // The wall clock decides; it may have been set while the monotonic one ran.
        self.switch_off_at = at_wall(self.switch_off_at.map(|at| at.wall), now);
        if self.switch_off_at.is_some_and(|at| at.wall <= now.wall) {
            return Some(match self.snapshot.via {
                Via::Case(_) => EndCause::SwitchOff,
                Via::Asset(_) => EndCause::AssetSwitchOff,
            });
        }
        match self.state {
            State::Granted { until } | State::Starting { until } if until <= now.mono => {
                Some(EndCause::NeverStarted)
            }
            State::Granted { .. }
            | State::Starting { .. }
            | State::Active { .. }
            | State::Ending { .. } => None,
        }
    }

    fn check(&self, options: &Options) -> Result<(), &'static str> {
        let relaying =
            self.channels.values().filter(|one| matches!(one, Channel::Relaying { .. })).count();
        let only_handshake = self.channels.keys().all(|no| *no == ChannelNo::HANDSHAKE);
        if self.channels.len() > options.channels_max {
            return Err("more channels than a session may have");
        }
        match &self.state {
            State::Granted { .. } | State::Starting { .. } if relaying > 0 => {
                Err("bytes flow before the record is durable")
            }
            State::Granted { .. } | State::Starting { .. } if !only_handshake => {
                Err("a channel leads somewhere before the session is active")
            }
            State::Ending { recording, .. }
                if self.channels.len() != relaying || (!recording && relaying == 0) =>
            {
                Err("an ending session waits for nothing, or still offers")
            }
            State::Granted { .. }
            | State::Starting { .. }
            | State::Active { .. }
            | State::Ending { .. } => Ok(()),
        }
    }
}
