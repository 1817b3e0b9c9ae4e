//! The full transition table: every state, every input, what comes out and where it leads.

use std::{fmt::Write as _, time::Duration};

use super::desk::{Desk, EAR, OFF, id, seat};
use crate::{
    audit::OfferFault,
    authz::{Denial, Reason},
    ids::ChannelNo,
    relay::Tally,
    session::{EarNo, Input, Options, Outcome, RelayEnd, Side},
};

fn ending() -> Desk {
    let mut desk = Desk::default().relaying();
    desk.input(Input::Close { ear: EAR, session: id("s1") });
    desk
}

fn ending_while_recording() -> Desk {
    let mut desk = Desk::default().starting();
    desk.input(Input::Close { ear: EAR, session: id("s1") });
    desk
}

fn half_joined() -> Desk {
    let mut desk = Desk::default().offered();
    desk.leg("s1", 0, Side::Technician);
    desk
}

fn granted() -> Desk {
    let mut desk = Desk::default();
    let granted = desk.granted("s1");
    desk.input(granted);
    desk
}

fn offering() -> Desk {
    let mut desk = Desk::default().active();
    desk.open("s1", 1, Some("plc"));
    desk
}

/// A way to a state.
type Reach = fn() -> Desk;

/// An input, and the commands that came of it.
type Apply = fn(&mut Desk) -> Vec<String>;

const STATES: [(&str, Reach); 10] = [
    ("none", Desk::default),
    ("granted", granted),
    ("granted, channel 0 offered", || Desk::default().offered()),
    ("granted, the technician's leg is here", half_joined),
    ("starting", || Desk::default().starting()),
    ("active", || Desk::default().active()),
    ("active, channel 1 offered", offering),
    ("active, channel 1 relaying", || Desk::default().relaying()),
    ("ending, channel 1 relaying", ending),
    ("ending, start being recorded", ending_while_recording),
];

const INPUTS: [(&str, Apply); 27] = [
    ("granted once more", |desk| {
        let granted = desk.granted("s1");
        desk.input(granted).0
    }),
    ("open channel 0", |desk| desk.open("s1", 0, None).0),
    ("open channel 2 to plc", |desk| desk.open("s1", 2, Some("plc")).0),
    ("open channel 2 elsewhere", |desk| desk.open("s1", 2, Some("camera")).0),
    ("device refuses channel 0", |desk| desk.refuse("s1", 0, OfferFault::Warrant).0),
    ("device refuses channel 1", |desk| desk.refuse("s1", 1, OfferFault::Target).0),
    ("technician joins channel 0", |desk| desk.join("s1", 0, Side::Technician).0),
    ("device joins channel 0", |desk| desk.join("s1", 0, Side::Device).0),
    ("device joins channel 1", |desk| desk.join("s1", 1, Side::Device).0),
    ("device's leg of channel 0, unjoined", |desk| {
        desk.input(Input::Seated(seat("s1", 0, Side::Device))).0
    }),
    ("device joins channel 0, leg comes", |desk| {
        let mut lines = desk.join("s1", 0, Side::Device).0;
        lines.extend(desk.input(Input::Seated(seat("s1", 0, Side::Device))).0);
        lines
    }),
    ("recorded: started", |desk| desk.recorded("s1").0),
    ("recorded: denied", |desk| {
        let outcome = Outcome::Denied(Denial { reason: Reason::Role, visible: true });
        desk.input(Input::Recorded { session: id("s1"), outcome }).0
    }),
    ("recorded: failed", |desk| {
        desk.input(Input::Recorded { session: id("s1"), outcome: Outcome::Failed }).0
    }),
    ("relay of channel 1 closed", |desk| desk.relay_ended("s1", 1, RelayEnd::Closed).0),
    ("relay of channel 1 cut", |desk| desk.relay_ended("s1", 1, RelayEnd::Cut).0),
    ("relay of channel 1 lapsed", |desk| desk.relay_ended("s1", 1, RelayEnd::LeaseLapsed).0),
    ("relay of channel 9 closed", |desk| {
        let (session, channel, how) = (id("s1"), ChannelNo(9), RelayEnd::Closed);
        desk.input(Input::RelayEnded { session, channel, tally: Tally::default(), how }).0
    }),
    ("quiet since ever", |desk| {
        desk.pass(Options::default().idle_at_most);
        desk.input(Input::Quiet { session: id("s1"), since: None }).0
    }),
    ("the device departs", |desk| desk.input(Input::Departed(id("box-7"))).0),
    ("another device departs", |desk| desk.input(Input::Departed(id("box-8"))).0),
    ("the technician departs", |desk| desk.input(Input::TechnicianDeparted(EAR)).0),
    ("facts that still allow", |desk| desk.judge("s1").0),
    ("facts that deny: switch off", |desk| {
        desk.switch(OFF);
        desk.judge("s1").0
    }),
    ("closed by its technician", |desk| desk.input(Input::Close { ear: EAR, session: id("s1") }).0),
    ("closed by another technician", |desk| {
        desk.input(Input::Close { ear: EarNo(9), session: id("s1") }).0
    }),
    ("a minute passes", |desk| {
        desk.pass(Duration::from_secs(60));
        desk.input(Input::Tick).0
    }),
];

#[test]
fn the_table_of_transitions_is_as_reviewed() {
    let mut table = String::new();
    for (state, reach) in STATES {
        writeln!(table, "{state}").unwrap();
        for (input, apply) in INPUTS {
            let mut desk = reach();
            let lines = apply(&mut desk);
            let phase =
                desk.phase("s1").map_or("none".into(), |it| format!("{it:?}").to_lowercase());
            writeln!(table, "    {input:<38} -> {phase:<9} {}", lines.join(" | ")).unwrap();
        }
        writeln!(table).unwrap();
    }
    let table: Vec<&str> = table.lines().map(str::trim_end).collect();
    insta::assert_snapshot!(table.join("\n"));
}
