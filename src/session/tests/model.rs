//! Any order of inputs, lost and repeated ones included, against a model of a few lines.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use proptest::{
    prelude::{Just, Strategy, prop_assert, prop_assert_eq, prop_oneof},
    test_runner::{Config, TestRunner},
};

use super::desk::{
    DEVICE_KEY, Desk, EAR, OFF, ON, TECHNICIAN_KEY, destination, device, id, technician,
};
use crate::{
    audit::{EndCause, OfferFault},
    ids::{ChannelNo, SessionId},
    relay::Tally,
    session::{AskNo, Command, Input, Lead, Outcome, Party, RelayEnd, Seat, Side},
};

/// One thing that may happen, to one of two sessions and four channels.
#[derive(Clone, Debug, PartialEq)]
enum Event {
    Grant(u8),
    Open(u8, u32, bool),
    Join(u8, u32, Side, bool),
    Seated(u8, u32, Side),
    /// Both of them, for both sides.
    Legs(u8, u32),
    Recorded(u8, bool),
    RelayEnded(u8, u32, bool),
    Refused(u8, u32),
    Switch(bool),
    Judge(u8),
    Close(u8),
    Quiet(u8),
    LeaseLost(u8),
    DeviceDeparts,
    TechnicianDeparts,
    Pass(u64),
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Technician), Just(Side::Device)]
}

fn event() -> impl Strategy<Value = Event> {
    let s = 0_u8..2;
    let c = || prop_oneof![2 => Just(0_u32), 3 => 1_u32..4];
    let mostly = || proptest::bool::weighted(0.9);
    prop_oneof![
        30 => s.clone().prop_map(Event::Grant),
        80 => (s.clone(), c(), mostly()).prop_map(|(s, c, within)| Event::Open(s, c, within)),
        10 => (s.clone(), c(), side(), mostly()).prop_map(|(s, c, b, own)| Event::Join(s, c, b, own)),
        10 => (s.clone(), c(), side()).prop_map(|(s, c, side)| Event::Seated(s, c, side)),
        120 => (s.clone(), c()).prop_map(|(s, c)| Event::Legs(s, c)),
        40 => (s.clone(), mostly()).prop_map(|(s, written)| Event::Recorded(s, written)),
        10 => (s.clone(), c(), mostly()).prop_map(|(s, c, shut)| Event::RelayEnded(s, c, shut)),
        1 => (s.clone(), c()).prop_map(|(s, c)| Event::Refused(s, c)),
        4 => proptest::bool::weighted(0.8).prop_map(Event::Switch),
        6 => s.clone().prop_map(Event::Judge),
        1 => s.clone().prop_map(Event::Close),
        1 => s.clone().prop_map(Event::Quiet),
        1 => s.clone().prop_map(Event::LeaseLost),
        1 => Just(Event::DeviceDeparts),
        1 => Just(Event::TechnicianDeparts),
        8 => (0_u64..8).prop_map(Event::Pass),
    ]
}

/// What a session may do, as the promises say it.
#[derive(Debug, Default)]
struct Model {
    granted: BTreeSet<SessionId>,
    recording: BTreeSet<SessionId>,
    durable: BTreeSet<SessionId>,
    cut: BTreeMap<SessionId, EndCause>,
    ended: BTreeMap<SessionId, EndCause>,
    leads: BTreeMap<(SessionId, ChannelNo), Lead>,
    relays: BTreeSet<(SessionId, ChannelNo)>,
    spent: BTreeSet<(Seat, u64)>,
    offers: BTreeMap<(SessionId, ChannelNo), u64>,
}

impl Model {
    fn watch(&mut self, commands: &[Command], desk: &Desk) {
        for command in commands {
            match command {
                Command::Offer { session, channel, lead, .. } => {
                    assert!(!self.cut.contains_key(session), "an ended session offers nothing");
                    *self.offers.entry((session.clone(), *channel)).or_default() += 1;
                    if let Some(lead) = lead {
                        assert!(self.durable.contains(session), "channels come after the start");
                        let targets = &desk.facts.tunnel.as_ref().unwrap().targets;
                        assert!(targets.iter().any(|one| one.covers(&lead.destination)));
                        self.leads.insert((session.clone(), *channel), lead.clone());
                    }
                }
                Command::Seat { seat, .. } => {
                    let offer = self.offers[&(seat.session.clone(), seat.channel)];
                    assert!(self.spent.insert((seat.clone(), offer)), "a token opens one leg once");
                }
                Command::RecordStarted(session) => {
                    assert!(self.recording.insert(session.clone()), "a start is recorded once");
                }
                Command::Relay { session, channel } => {
                    assert!(self.durable.contains(session), "bytes before the durable record");
                    assert!(!self.cut.contains_key(session), "bytes after the cut");
                    let key = (session.clone(), *channel);
                    assert!(self.relays.insert(key.clone()), "a channel's bytes flow once");
                    let leads = self.leads.contains_key(&key);
                    assert_eq!(leads, *channel != ChannelNo::HANDSHAKE);
                }
                Command::Cut { session, cause } => {
                    assert_eq!(self.cut.insert(session.clone(), *cause), None, "cut once");
                }
                Command::RecordEnded { session, cause, .. } => {
                    assert!(self.granted.contains(session));
                    assert_eq!(self.cut.get(session), Some(cause), "one cause");
                    assert_eq!(self.ended.insert(session.clone(), *cause), None, "ended once");
                }
                Command::Admit { .. }
                | Command::RefuseLeg { .. }
                | Command::DropLeg(_)
                | Command::AskQuiet(_)
                | Command::TellEnded { .. }
                | Command::TellRefused { .. }
                | Command::RecordFlow { .. } => {}
            }
        }
    }
}

/// A generation of names, so that one that has ended is granted anew under another.
#[derive(Debug, Default)]
struct Play {
    desk: Desk,
    model: Model,
    generation: [u32; 2],
}

impl Play {
    fn name(&self, which: u8) -> SessionId {
        id(&format!("s{which}-{}", self.generation[usize::from(which)]))
    }

    fn give(&mut self, input: Input) {
        let commands = self.desk.step(input);
        self.model.watch(&commands, &self.desk);
    }

    fn play(&mut self, event: Event) {
        match event {
            Event::Grant(which) => self.grant(which),
            Event::Open(which, channel, covered) => {
                let host = if covered { "10.0.1.9" } else { "10.0.9.9" };
                let destination = (channel > 0).then(|| destination(host, 22));
                let (session, channel) = (self.name(which), ChannelNo(channel));
                let target = None;
                self.give(Input::OpenChannel { ear: EAR, session, channel, target, destination });
            }
            Event::Join(which, channel, side, own) => self.join(which, channel, side, own),
            Event::Seated(which, channel, side) => {
                let (session, channel) = (self.name(which), ChannelNo(channel));
                self.give(Input::Seated(Seat { session, channel, side }));
            }
            Event::Legs(which, channel) => {
                for side in [Side::Technician, Side::Device] {
                    self.join(which, channel, side, true);
                    self.play(Event::Seated(which, channel, side));
                }
            }
            Event::Recorded(which, written) => self.record(which, written),
            Event::RelayEnded(which, channel, closed) => {
                let (session, channel) = (self.name(which), ChannelNo(channel));
                let how = if closed { RelayEnd::Closed } else { RelayEnd::LeaseLapsed };
                let tally = Tally { up: 1, down: 1 };
                self.give(Input::RelayEnded { session, channel, tally, how });
            }
            Event::Refused(which, channel) => {
                let (session, channel) = (self.name(which), ChannelNo(channel));
                let (device, fault, detail) = (id("box-7"), OfferFault::Target, String::new());
                self.give(Input::OfferRefused { device, session, channel, fault, detail });
            }
            Event::Switch(on) => self.desk.switch(if on { ON } else { OFF }),
            Event::Judge(which) => self.judge(which),
            Event::Close(which) => {
                let session = self.name(which);
                self.give(Input::Close { ear: EAR, session });
            }
            Event::Quiet(which) => {
                let session = self.name(which);
                self.give(Input::Quiet { session, since: None });
            }
            Event::LeaseLost(which) => {
                let session = self.name(which);
                self.give(Input::LeaseLost(session));
            }
            Event::DeviceDeparts => self.give(Input::Departed(id("box-7"))),
            Event::TechnicianDeparts => self.give(Input::TechnicianDeparted(EAR)),
            Event::Pass(seconds) => {
                self.desk.pass(Duration::from_secs(seconds));
                self.give(Input::Tick);
            }
        }
    }

    fn grant(&mut self, which: u8) {
        if self.model.ended.contains_key(&self.name(which)) {
            self.generation[usize::from(which)] += 1;
        }
        if self.desk.grant().is_some() {
            let session = self.name(which);
            let granted = self.desk.granted(session.as_str());
            self.model.granted.insert(session);
            self.give(granted);
        }
    }

    fn join(&mut self, which: u8, channel: u32, side: Side, own: bool) {
        let seat = Seat { session: self.name(which), channel: ChannelNo(channel), side };
        let Some(token) = self.desk.tokens.get(&seat).map(crate::token::JoinToken::digest) else {
            return;
        };
        let (peer, key) = match (side, own) {
            (Side::Technician, true) | (Side::Device, false) => (technician(), TECHNICIAN_KEY),
            (Side::Device, true) | (Side::Technician, false) => (device(), DEVICE_KEY),
        };
        let commands =
            self.desk.step(Input::Joined { ask: AskNo(0), token, by: Some(Party { peer, key }) });
        let seated = matches!(commands.first(), Some(Command::Seat { .. }));
        assert!(own || !seated, "another peer's token opens nothing");
        self.model.watch(&commands, &self.desk);
    }

    /// The answer to a record comes at most once, and only when it was asked for.
    fn record(&mut self, which: u8, written: bool) {
        let session = self.name(which);
        if !self.model.recording.contains(&session) || self.model.durable.contains(&session) {
            return;
        }
        let outcome = match self.desk.grant() {
            Some(_) if written => self.desk.started(),
            Some(_) | None => Outcome::Failed,
        };
        if let Outcome::Started { .. } = outcome {
            self.model.durable.insert(session.clone());
        }
        self.give(Input::Recorded { session, outcome });
    }

    fn judge(&mut self, which: u8) {
        let session = self.name(which);
        let lives = self.desk.sessions.get(&session).is_some();
        let facts = Box::new(self.desk.facts.clone());
        let allowed = self.desk.grant().is_some();
        self.give(Input::Facts { session: session.clone(), facts });
        if lives && !allowed {
            assert!(self.model.cut.contains_key(&session), "facts that deny, end");
        }
    }
}

/// Cases of the run; each plays a morning.
const CASES: u32 = 48;

#[test]
fn every_granted_session_ends_once_and_only_recorded_ones_move_bytes() {
    let (relays, sealed) = (Cell::new(0), Cell::new(0));
    let mornings = proptest::collection::vec(event(), 50..250);
    let mut runner =
        TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let ran = runner.run(&mornings, |events| {
        let mut play = Play::default();
        for event in events {
            play.play(event);
        }
        play.give(Input::DrainOver);
        // Splices and records that never answer do not keep a session.
        play.desk.pass(Duration::from_secs(60));
        play.give(Input::Tick);
        prop_assert!(play.desk.sessions.is_empty());
        let ended: BTreeSet<SessionId> = play.model.ended.keys().cloned().collect();
        prop_assert_eq!(play.model.granted, ended);
        let handshakes = play.model.relays.iter().filter(|(_, channel)| channel.0 == 0).count();
        sealed.set(sealed.get() + handshakes);
        relays.set(relays.get() + play.model.relays.len() - handshakes);
        Ok(())
    });
    assert_eq!(ran, Ok(()));
    // Else the mornings were too dull to prove anything.
    assert!(sealed.get() > 10 && relays.get() > 10, "{} {}", sealed.get(), relays.get());
}
