//! What goes in on the left, what must come out on the right.

use std::time::Duration;

use super::desk::{
    DEVICE_KEY, Desk, EAR, MORNING, OFF, ON, TECHNICIAN_KEY, destination, device, id, seat,
    technician,
};
use crate::{
    audit::OfferFault,
    authz::{Denial, Presence, Reason},
    cases::Switch,
    clock::Wall,
    ids::{ChannelNo, KeyDigest, PeerId},
    machines::{Hosts, Target},
    session::{AskNo, EarNo, Input, Options, Outcome, Party, Phase, RelayEnd, Side},
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn nothing_is_relayed_before_the_record_is_durable() {
    let mut desk = Desk::default().offered();
    desk.leg("s1", 0, Side::Device).expect(&[]);
    desk.leg("s1", 0, Side::Technician).expect(&["record s1 started"]);
    desk.open("s1", 1, Some("plc")).expect(&["tell s1/1 refused NoSession"]);
    desk.recorded("s1").expect(&["relay s1/0"]);
    assert_eq!(desk.phase("s1"), Some(Phase::Active));
}

#[test]
fn a_session_whose_start_cannot_be_recorded_ends() {
    let mut desk = Desk::default().starting();
    desk.input(Input::Recorded { session: id("s1"), outcome: Outcome::Failed }).expect(&[
        "cut s1",
        "tell s1 ended decision_lost",
        "record s1 ended decision_lost up=0 down=0",
    ]);
}

#[test]
fn a_session_that_is_denied_at_its_start_ends_with_what_the_denial_says() {
    let mut desk = Desk::default().starting();
    let denial = Denial { reason: Reason::CaseClosed, visible: true };
    desk.input(Input::Recorded { session: id("s1"), outcome: Outcome::Denied(denial) }).expect(&[
        "cut s1",
        "tell s1 ended case_closed",
        "record s1 ended case_closed up=0 down=0",
    ]);
}

#[test]
fn turning_the_switch_off_ends_a_live_session_in_one_step() {
    let mut desk = Desk::default().relaying();
    desk.judge("s1").expect(&[]);
    desk.switch(OFF);
    desk.judge("s1").expect(&["cut s1", "tell s1 ended switch_off"]);
    assert_eq!(desk.phase("s1"), Some(Phase::Ending));
    desk.relay_ended("s1", 1, RelayEnd::Cut)
        .expect(&["record s1/1 plc up=10 down=200", "record s1 ended switch_off up=20 down=400"]);
    assert_eq!(desk.phase("s1"), None);
}

#[test]
fn a_switch_that_is_off_by_itself_cuts_as_surely_as_a_person() {
    let mut desk = Desk::default();
    desk.switch(Switch { on: true, until: Some(MORNING.plus(100 * SECOND)) });
    let mut desk = desk.relaying();
    desk.pass(99 * SECOND);
    desk.input(Input::Tick).expect(&[]);
    desk.pass(SECOND);
    assert!(desk.sessions.next_deadline().unwrap() <= desk.now.mono);
    desk.input(Input::Tick).expect(&["cut s1", "tell s1 ended switch_off"]);
}

#[test]
fn a_switch_that_was_prolonged_cuts_later() {
    let mut desk = Desk::default();
    desk.switch(Switch { on: true, until: Some(MORNING.plus(100 * SECOND)) });
    let mut desk = desk.relaying();
    desk.switch(Switch { on: true, until: Some(MORNING.plus(200 * SECOND)) });
    desk.judge("s1").expect(&[]);
    desk.pass(150 * SECOND);
    desk.input(Input::Tick).expect(&[]);
    desk.pass(50 * SECOND);
    desk.input(Input::Tick).expect(&["cut s1", "tell s1 ended switch_off"]);
}

#[test]
fn a_wall_clock_that_is_set_back_prolongs_no_session_beyond_its_switch() {
    let mut desk = Desk::default();
    desk.switch(Switch { on: true, until: Some(MORNING.plus(100 * SECOND)) });
    let mut desk = desk.relaying();
    desk.pass(100 * SECOND);
    desk.now.wall = Wall(desk.now.wall.0 - 30_000);
    desk.input(Input::Tick).expect(&[]);
    desk.pass(30 * SECOND);
    desk.input(Input::Tick).expect(&["cut s1", "tell s1 ended switch_off"]);
}

#[test]
fn a_session_that_never_started_ends_after_a_minute() {
    let mut desk = Desk::default();
    let granted = desk.granted("s1");
    desk.input(granted).expect(&[]);
    desk.pass(60 * SECOND);
    desk.input(Input::Tick).expect(&[
        "cut s1",
        "tell s1 ended never_started",
        "record s1 ended never_started up=0 down=0",
    ]);
}

#[test]
fn a_session_without_a_byte_ends_and_one_with_bytes_does_not() {
    let mut desk = Desk::default().relaying();
    let idle = Options::default().idle_at_most;
    desk.pass(idle);
    let last_byte = desk.now.mono - 10 * SECOND;
    desk.input(Input::Tick).expect(&["ask quiet s1"]);
    desk.input(Input::Tick).expect(&[]);
    desk.input(Input::Quiet { session: id("s1"), since: Some(last_byte) }).expect(&[]);
    desk.pass(idle - 10 * SECOND);
    desk.input(Input::Tick).expect(&["ask quiet s1"]);
    desk.input(Input::Quiet { session: id("s1"), since: Some(last_byte) })
        .expect(&["cut s1", "tell s1 ended idle_timeout"]);
}

#[test]
fn no_session_outlasts_the_longest_duration() {
    let options = Options { idle_at_most: 100 * 3_600 * SECOND, ..Options::default() };
    let mut desk = Desk::with(options).relaying();
    desk.pass(8 * 3_600 * SECOND);
    desk.input(Input::Tick).expect(&["cut s1", "tell s1 ended max_duration"]);
}

#[test]
fn a_channel_is_refused_when_a_leg_does_not_come_in_time() {
    let mut desk = Desk::default().active();
    desk.open("s1", 1, Some("plc"));
    desk.leg("s1", 1, Side::Technician).expect(&[]);
    desk.pass(10 * SECOND);
    desk.join("s1", 1, Side::Device).expect(&["refuse leg"]);
    desk.input(Input::Tick).expect(&[
        "drop leg s1/1 technician",
        "drop leg s1/1 device",
        "tell s1/1 refused Target",
    ]);
    assert_eq!(desk.phase("s1"), Some(Phase::Active));
}

#[test]
fn a_channel_that_the_device_refuses_leaves_the_session_alive() {
    let mut desk = Desk::default().active();
    desk.open("s1", 1, Some("plc"));
    desk.refuse("s1", 1, OfferFault::Target).expect(&[
        "drop leg s1/1 technician",
        "drop leg s1/1 device",
        "tell s1/1 refused Target",
    ]);
    desk.refuse("s1", 1, OfferFault::Target).expect(&[]);
    desk.join("s1", 1, Side::Technician).expect(&["refuse leg"]);
    desk.open("s1", 2, Some("plc")).expect(&["offer s1/2 plc tcp://10.0.0.5:502", "admit s1/2"]);
}

#[test]
fn a_device_that_refuses_the_handshake_refuses_the_session() {
    let mut desk = Desk::default().offered();
    desk.refuse("s1", 0, OfferFault::LocalSwitch).expect(&[
        "drop leg s1/0 technician",
        "drop leg s1/0 device",
        "tell s1/0 refused LocalSwitch",
        "cut s1",
        "tell s1 ended edge_refused",
        "record s1 ended edge_refused up=0 down=0",
    ]);
}

#[test]
fn another_device_can_refuse_nothing() {
    let mut desk = Desk::default().offered();
    let (session, channel) = (id("s1"), ChannelNo::HANDSHAKE);
    let (fault, detail) = (OfferFault::Warrant, String::new());
    let refused = Input::OfferRefused { device: id("box-8"), session, channel, fault, detail };
    desk.input(refused).expect(&[]);
}

#[test]
fn a_token_opens_one_leg_of_one_channel_for_one_peer_once() {
    let mut desk = Desk::default().offered();
    let token = desk.tokens[&seat("s1", 0, Side::Technician)].digest();
    let foreign: [(PeerId, KeyDigest); 4] = [
        (device(), DEVICE_KEY),
        (technician(), DEVICE_KEY),
        (PeerId::Person(id("eve")), TECHNICIAN_KEY),
        (device(), TECHNICIAN_KEY),
    ];
    for (peer, key) in foreign {
        desk.input(Input::Joined { ask: AskNo(1), token, by: Some(Party { peer, key }) })
            .expect(&["refuse leg"]);
    }
    desk.join("s1", 0, Side::Technician).expect(&["seat s1/0 technician"]);
    desk.join("s1", 0, Side::Technician).expect(&["refuse leg"]);
}

#[test]
fn a_leg_without_a_seat_is_dropped() {
    let mut desk = Desk::default().offered();
    let never_joined = seat("s1", 0, Side::Device);
    desk.input(Input::Seated(never_joined)).expect(&["drop leg s1/0 device"]);
    desk.join("s1", 0, Side::Device).expect(&["seat s1/0 device"]);
    desk.pass(10 * SECOND);
    desk.input(Input::Tick);
    desk.input(Input::Seated(seat("s1", 0, Side::Device))).expect(&["drop leg s1/0 device"]);
}

#[test]
fn each_channel_leads_only_where_the_grant_does() {
    let mut desk = Desk::default().active();
    desk.open_to("s1", 1, destination("10.0.1.9", 22))
        .expect(&["offer s1/1 cell tcp://10.0.1.9:22", "admit s1/1"]);
    for elsewhere in [("10.0.2.9", 22), ("10.0.1.9", 2_000), ("press.local", 22)] {
        desk.open_to("s1", 2, destination(elsewhere.0, elsewhere.1))
            .expect(&["tell s1/2 refused NotGranted"]);
    }
    desk.open("s1", 2, Some("camera")).expect(&["tell s1/2 refused NotGranted"]);
    desk.open("s1", 2, Some("cell")).expect(&["tell s1/2 refused NotGranted"]);
    desk.open("s1", 2, None).expect(&["tell s1/2 refused NotGranted"]);
    desk.open("s1", 2, Some("plc")).expect(&["offer s1/2 plc tcp://10.0.0.5:502", "admit s1/2"]);
}

#[test]
fn a_tunnel_with_one_target_needs_no_name() {
    let mut desk = Desk::default();
    desk.facts.tunnel.as_mut().unwrap().targets.truncate(1);
    let mut desk = desk.active();
    desk.open("s1", 1, None).expect(&["offer s1/1 plc tcp://10.0.0.5:502", "admit s1/1"]);
}

#[test]
fn a_tunnel_that_is_edited_changes_nothing_for_a_session_that_runs() {
    let mut desk = Desk::default().active();
    let tunnel = desk.facts.tunnel.as_mut().unwrap();
    tunnel.targets =
        vec![Target { hosts: Hosts::Dns("elsewhere".into()), ..tunnel.targets[0].clone() }];
    desk.judge("s1").expect(&[]);
    desk.open("s1", 1, Some("plc")).expect(&["offer s1/1 plc tcp://10.0.0.5:502", "admit s1/1"]);
}

#[test]
fn a_channel_number_is_used_once() {
    let mut desk = Desk::default().relaying();
    desk.open("s1", 1, Some("plc")).expect(&["tell s1/1 refused Internal"]);
    desk.relay_ended("s1", 1, RelayEnd::Closed).expect(&["record s1/1 plc up=10 down=200"]);
    desk.open("s1", 1, Some("plc")).expect(&["tell s1/1 refused Internal"]);
    desk.open("s1", 0, None).expect(&["tell s1/0 refused NoSession"]);
}

#[test]
fn a_session_has_at_most_256_channels() {
    let mut desk = Desk::default().active();
    for channel in 1..=256 {
        assert_eq!(desk.open("s1", channel, Some("plc")).0.len(), 2);
    }
    desk.open("s1", 257, Some("plc")).expect(&["tell s1/257 refused Limit"]);
    desk.refuse("s1", 7, OfferFault::Target);
    assert_eq!(desk.open("s1", 257, Some("plc")).0.len(), 2);
}

#[test]
fn another_technician_can_neither_use_nor_close_a_session() {
    let mut desk = Desk::default().active();
    let (ear, session) = (EarNo(2), id("s1"));
    desk.input(Input::Close { ear, session }).expect(&[]);
    desk.input(Input::OpenChannel {
        ear,
        session: id("s1"),
        channel: ChannelNo(1),
        target: Some(id("plc")),
        destination: None,
    })
    .expect(&["tell s1/1 refused NoSession"]);
    assert_eq!(desk.phase("s1"), Some(Phase::Active));
}

#[test]
fn a_session_ends_once_and_the_first_cause_counts() {
    let mut desk = Desk::default().relaying();
    desk.input(Input::Close { ear: EAR, session: id("s1") })
        .expect(&["cut s1", "tell s1 ended user_closed"]);
    desk.input(Input::Departed(id("box-7"))).expect(&[]);
    desk.input(Input::LeaseLost(id("s1"))).expect(&[]);
    desk.switch(OFF);
    desk.judge("s1").expect(&[]);
    desk.relay_ended("s1", 1, RelayEnd::Cut)
        .expect(&["record s1/1 plc up=10 down=200", "record s1 ended user_closed up=20 down=400"]);
    desk.relay_ended("s1", 1, RelayEnd::Cut).expect(&[]);
}

#[test]
fn a_splice_that_does_not_return_does_not_keep_its_session() {
    let mut desk = Desk::default().relaying();
    desk.input(Input::Departed(id("box-7"))).expect(&["cut s1", "tell s1 ended edge_offline"]);
    desk.pass(5 * SECOND);
    desk.input(Input::Tick).expect(&["record s1 ended edge_offline up=10 down=200"]);
}

#[test]
fn an_end_waits_for_the_start_that_is_on_its_way_to_disk() {
    let mut desk = Desk::default().starting();
    desk.input(Input::TechnicianDeparted(EAR)).expect(&["cut s1", "tell s1 ended client_lost"]);
    desk.recorded("s1").expect(&["record s1 ended client_lost up=0 down=0"]);
}

#[test]
fn the_record_says_who_ended_a_session_for_another() {
    let mut desk = Desk::default().active();
    desk.input(Input::End { session: id("s1"), by: id("olaf") }).expect(&[
        "cut s1",
        "tell s1 ended admin_terminated",
        "record s1 ended admin_terminated by olaf up=10 down=200",
    ]);
    let mut desk = Desk::default().active();
    desk.input(Input::End { session: id("s1"), by: id("ana") }).expect(&[
        "cut s1",
        "tell s1 ended user_closed",
        "record s1 ended user_closed by ana up=10 down=200",
    ]);
}

#[test]
fn a_lease_that_lapsed_ends_the_session() {
    let mut desk = Desk::default().relaying();
    desk.relay_ended("s1", 1, RelayEnd::LeaseLapsed).expect(&[
        "record s1/1 plc up=10 down=200",
        "cut s1",
        "tell s1 ended decision_lost",
        "record s1 ended decision_lost up=20 down=400",
    ]);
}

#[test]
fn each_withdrawal_has_its_own_cause() {
    type Withdraw = fn(&mut Desk);
    let cases: [(&str, Withdraw); 7] = [
        ("role_revoked", |desk| desk.facts.assignments.clear()),
        ("case_closed", |desk| {
            desk.facts.case.as_mut().unwrap().state = crate::cases::State::Closed;
        }),
        ("edge_refused", |desk| {
            desk.facts.device.as_mut().unwrap().presence = Presence::Refusing;
        }),
        ("edge_unpaired", |desk| desk.facts.device = None),
        ("edge_unpaired", |desk| {
            desk.facts.device.as_mut().unwrap().device.key = Some(KeyDigest([7; 32]));
        }),
        ("config_deleted", |desk| desk.facts.tunnel.as_mut().unwrap().enabled = false),
        ("user_disabled", |desk| desk.facts.person.as_mut().unwrap().active = false),
    ];
    for (cause, withdraw) in cases {
        let mut desk = Desk::default().relaying();
        withdraw(&mut desk);
        desk.judge("s1").expect(&["cut s1", &format!("tell s1 ended {cause}")]);
    }
}

#[test]
fn a_session_is_not_counted_against_itself_when_it_is_judged_again() {
    let mut desk = Desk::default().active();
    desk.facts.limits.sessions_of_person = desk.facts.limits.sessions_of_person_max;
    desk.judge("s1").expect(&[]);
}

#[test]
fn a_gateway_that_drains_starts_nothing_and_ends_the_rest_when_time_is_up() {
    let mut desk = Desk::default().active();
    desk.input(Input::Drain).expect(&[]);
    let granted = desk.granted("s2");
    desk.input(granted).expect(&[
        "cut s2",
        "tell s2 ended gateway_shutdown",
        "record s2 ended gateway_shutdown up=0 down=0",
    ]);
    desk.open("s1", 1, Some("plc")).expect(&["offer s1/1 plc tcp://10.0.0.5:502", "admit s1/1"]);
    desk.input(Input::DrainOver).expect(&[
        "cut s1",
        "tell s1 ended gateway_shutdown",
        "record s1 ended gateway_shutdown up=10 down=200",
    ]);
    desk.switch(ON);
}

#[test]
fn nothing_is_offered_without_randomness() {
    let sessions = crate::session::Sessions::new(Options::default(), || None);
    let mut desk = Desk { sessions, ..Desk::default() };
    let granted = desk.granted("s1");
    desk.input(granted).expect(&[]);
    desk.open("s1", 0, None).expect(&["tell s1/0 refused Internal"]);
}
