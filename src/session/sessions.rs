//! The state machine: sessions as wholes. Their channels are in `channels`.

use std::{collections::BTreeMap, fmt, time::Instant};

use super::{
    Command, EarNo, Input, Options, Outcome, Seat, Snapshot, View,
    state::{Channel, Live, State, at_wall},
};
use crate::{
    audit::EndCause,
    authz::{Decision, Facts, Grant, LimitFacts, Request, Via, decide},
    clock::Now,
    ids::{ChannelNo, DeviceId, SessionId},
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
    draining: bool,
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
            draining: false,
        }
    }

    /// Takes one input and returns what must now be done, in order.
    pub fn step(&mut self, input: Input, now: Now) -> Vec<Command> {
        let mut todo = Vec::new();
        match input {
            Input::Granted { session, grant, snapshot, ear } => {
                self.granted(session, grant, snapshot, ear, now, &mut todo);
            }
            Input::OpenChannel { ear, session, channel, target, destination } => {
                let asked = (target.as_ref(), destination);
                self.open_channel(ear, &session, channel, asked, now, &mut todo);
            }
            Input::OfferRefused { device, session, channel, fault, detail } => {
                self.offer_refused(&device, &session, channel, (fault, detail), now, &mut todo);
            }
            Input::Joined { ask, token, peer, key } => {
                todo.push(match self.redeem(token, &peer, key, now) {
                    Some(seat) => Command::Seat { ask, seat },
                    None => Command::RefuseLeg { ask },
                });
            }
            Input::Seated(seat) => self.seated(seat, now, &mut todo),
            Input::Recorded { session, outcome } => {
                self.recorded(&session, outcome, now, &mut todo);
            }
            Input::RelayEnded { session, channel, tally, how } => {
                self.relay_ended(&session, channel, tally, how, now, &mut todo);
            }
            Input::Quiet { session, since } => self.quiet(&session, since, now, &mut todo),
            Input::Departed(device) => {
                let of_device = |live: &Live| live.snapshot.device == device;
                self.end_those(of_device, EndCause::EdgeOffline, now, &mut todo);
            }
            Input::TechnicianDeparted(ear) => {
                self.end_those(|live| live.ear == ear, EndCause::ClientLost, now, &mut todo);
            }
            Input::Facts { session, facts } => self.facts(&session, *facts, now, &mut todo),
            Input::Close { ear, session } => {
                if self.live.get(&session).is_some_and(|live| live.ear == ear) {
                    self.end(&session, EndCause::UserClosed, now, &mut todo);
                }
            }
            Input::End { session, cause } => self.end(&session, cause, now, &mut todo),
            Input::LeaseLost(session) => {
                self.end(&session, EndCause::DecisionLost, now, &mut todo);
            }
            Input::Drain => self.draining = true,
            Input::DrainOver => {
                self.draining = true;
                self.end_those(|_| true, EndCause::GatewayShutdown, now, &mut todo);
            }
            Input::Tick => self.tick(now, &mut todo),
        }
        debug_assert_eq!(self.check(), Ok(()));
        todo
    }

    /// When [`Input::Tick`] is due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.live.values().map(Live::due).min()
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
        now: Now,
        todo: &mut Vec<Command>,
    ) {
        if self.live.contains_key(&session) {
            return;
        }
        let live = Live::new(grant, snapshot, ear, now, &self.options);
        self.live.insert(session.clone(), live);
        if self.draining {
            self.end(&session, EndCause::GatewayShutdown, now, todo);
        }
    }

    fn recorded(&mut self, id: &SessionId, outcome: Outcome, now: Now, todo: &mut Vec<Command>) {
        let quiet_until = now.mono + self.options.idle_at_most;
        let Some(live) = self.live.get_mut(id) else { return };
        match (&mut live.state, outcome) {
            (State::Starting { .. }, Outcome::Started) => {
                live.started = Some(now.wall);
                live.state = State::Active { since: now.mono, quiet_until: Some(quiet_until) };
                self.relay_if_complete(id, ChannelNo::HANDSHAKE, now, todo);
            }
            (State::Starting { .. }, Outcome::Denied(denial)) => {
                let cause = denial.ends_with(&live.snapshot.via);
                self.end_now(id, cause, false, now, todo);
            }
            (State::Starting { .. }, Outcome::Failed) => {
                self.end_now(id, EndCause::DecisionLost, false, now, todo);
            }
            (State::Ending { recording, .. }, outcome) => {
                *recording = false;
                if outcome == Outcome::Started {
                    live.started = Some(now.wall);
                }
                self.finish_if_over(id, todo);
            }
            (State::Granted { .. } | State::Active { .. }, _) => {}
        }
    }

    /// Judges a live session again. If these facts deny it, it ends in this step.
    fn facts(&mut self, id: &SessionId, mut facts: Facts, now: Now, todo: &mut Vec<Command>) {
        let Some(live) = self.live.get_mut(id) else { return };
        if let State::Ending { .. } = live.state {
            return;
        }
        // It was counted when it was granted; here it would be counted against itself.
        facts.limits = LimitFacts::default();
        let request = Request { at: now.wall, ..live.grant.request().clone() };
        let cause = match decide(request, &facts) {
            Decision::Deny(denial) => denial.ends_with(&live.snapshot.via),
            Decision::Allow(_) if !live.snapshot.same_device(&facts) => EndCause::EdgeUnpaired,
            Decision::Allow(grant) => {
                live.renew(grant, &facts, now);
                return;
            }
        };
        self.end(id, cause, now, todo);
    }

    fn quiet(
        &mut self,
        id: &SessionId,
        newest: Option<Instant>,
        now: Now,
        todo: &mut Vec<Command>,
    ) {
        let Some(live) = self.live.get_mut(id) else { return };
        let State::Active { since, quiet_until } = &mut live.state else { return };
        let ends_at = newest.unwrap_or(*since).max(*since) + self.options.idle_at_most;
        if ends_at <= now.mono {
            self.end(id, EndCause::IdleTimeout, now, todo);
        } else {
            *quiet_until = Some(ends_at);
        }
    }

    fn tick(&mut self, now: Now, todo: &mut Vec<Command>) {
        let due: Vec<SessionId> = self
            .live
            .iter()
            .filter(|(_, live)| live.due() <= now.mono)
            .map(|(id, _)| id.clone())
            .collect();
        for id in due {
            self.tick_one(&id, now, todo);
        }
    }

    fn tick_one(&mut self, id: &SessionId, now: Now, todo: &mut Vec<Command>) {
        let Some(live) = self.live.get_mut(id) else { return };
        if let State::Ending { until, .. } = live.state {
            if until <= now.mono {
                self.finish(id, todo);
            }
            return;
        }
        if let Some(cause) = live.lapsed(now) {
            self.end(id, cause, now, todo);
            return;
        }
        if let State::Active { quiet_until, .. } = &mut live.state
            && quiet_until.is_some_and(|until| until <= now.mono)
        {
            *quiet_until = None;
            todo.push(Command::AskQuiet(id.clone()));
        }
        self.refuse_late(id, now, todo);
    }

    fn end_those(
        &mut self,
        which: impl Fn(&Live) -> bool,
        cause: EndCause,
        now: Now,
        todo: &mut Vec<Command>,
    ) {
        let ids: Vec<SessionId> =
            self.live.iter().filter(|(_, live)| which(live)).map(|(id, _)| id.clone()).collect();
        for id in ids {
            self.end(&id, cause, now, todo);
        }
    }

    /// The one way out. The first cause counts, later ones are not heard.
    pub(super) fn end(
        &mut self,
        id: &SessionId,
        cause: EndCause,
        now: Now,
        todo: &mut Vec<Command>,
    ) {
        let recording = match self.live.get(id).map(|live| &live.state) {
            None | Some(State::Ending { .. }) => return,
            Some(State::Starting { .. }) => true,
            Some(State::Granted { .. } | State::Active { .. }) => false,
        };
        self.end_now(id, cause, recording, now, todo);
    }

    /// `recording`: the answer to `RecordStarted` is still to come.
    fn end_now(
        &mut self,
        id: &SessionId,
        cause: EndCause,
        recording: bool,
        now: Now,
        todo: &mut Vec<Command>,
    ) {
        let until = now.mono + self.options.end_within;
        let Some(live) = self.live.get_mut(id) else { return };
        live.state = State::Ending { cause, until, recording };
        live.channels.retain(|_, channel| match channel {
            Channel::Offered { .. } => {
                for token in channel.tokens() {
                    self.tokens.remove(&token);
                }
                false
            }
            Channel::Relaying { .. } => true,
        });
        todo.push(Command::Cut { session: id.clone(), cause });
        todo.push(Command::TellEnded {
            session: id.clone(),
            ear: live.ear,
            device: live.snapshot.device.clone(),
            cause,
        });
        self.finish_if_over(id, todo);
    }

    pub(super) fn finish_if_over(&mut self, id: &SessionId, todo: &mut Vec<Command>) {
        let is_over = self.live.get(id).is_some_and(|live| {
            live.channels.is_empty() && matches!(live.state, State::Ending { recording: false, .. })
        });
        if is_over {
            self.finish(id, todo);
        }
    }

    fn finish(&mut self, id: &SessionId, todo: &mut Vec<Command>) {
        let Some(live) = self.live.remove(id) else { return };
        if let State::Ending { cause, .. } = live.state {
            todo.push(Command::RecordEnded { session: id.clone(), cause, tally: live.tally });
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
            live.check(&self.options)?;
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

/// The device a view's session leads to.
impl View<'_> {
    /// Whether it leads to `device`.
    #[must_use]
    pub fn leads_to(&self, device: &DeviceId) -> bool {
        self.snapshot.device == *device
    }
}
