//! The line, as scripts: what is heard, and what comes of it.

use serde_json::json;

use super::*;
use crate::{audit::OfferFault, client::show::tests::Paper};

struct Wire {
    desk: Desk,
    said: mpsc::Receiver<Says>,
    terminal: Terminal,
    told: Paper,
    now: Now,
}

impl Wire {
    fn new() -> Self {
        let (says, said) = mpsc::channel(8);
        let now = Now::read();
        let desk = Desk::new(says, Beat::new(5_000, now));
        let told = Paper::default();
        let terminal = Terminal::new(Paper::default(), told.clone());
        Self { desk, said, terminal, told, now }
    }

    fn hear(&mut self, message: serde_json::Value) -> Option<Fate> {
        let message = serde_json::from_value(message).unwrap();
        self.desk.heard(message, self.now, &self.terminal)
    }

    fn open(&mut self) -> oneshot::Receiver<Result<Opened, OpenFault>> {
        let (answer, answered) = oneshot::channel();
        let subject = Subject::Case("CASE-7".parse().unwrap());
        let ask = Ask { subject, tunnel: "plc".parse().unwrap(), reason: None };
        assert_eq!(self.desk.ordered(Order::Open { ask, answer }), None);
        answered
    }

    fn channel(&mut self) -> oneshot::Receiver<Result<(ChannelNo, JoinToken), ChannelFault>> {
        let (answer, answered) = oneshot::channel();
        let open = OpenChannel { session: "s-1".parse().unwrap(), target: None, destination: None };
        assert_eq!(self.desk.ordered(Order::Channel { open, answer }), None);
        answered
    }

    fn opened(&mut self) {
        let answered = self.open();
        assert_eq!(self.hear(opened(1)), None);
        assert_eq!(answered.blocking_recv().unwrap().unwrap().session.as_str(), "s-1");
    }
}

fn opened(request: u32) -> serde_json::Value {
    json!({"say": "opened", "request": request, "session": "s-1", "case": "CASE-7",
        "asset": "press-7", "device": "edge-7", "device_key": "A".repeat(43), "tunnel": "plc",
        "kind": "ssc", "mode": "sealed", "targets": [], "expires": "2026-05-01T08:00:00Z"})
}

#[test]
fn an_answer_goes_to_whoever_asked_and_a_stray_one_to_nobody() {
    let mut wire = Wire::new();
    let mut answered = wire.open();
    assert_eq!(
        wire.hear(json!({"say": "refused", "request": 9, "reason": "role", "detail": ""})),
        None
    );
    assert!(answered.try_recv().is_err());
    assert_eq!(
        wire.hear(json!({"say": "refused", "request": 1, "reason": "role", "detail": "d"})),
        None
    );
    let refused = OpenFault::Refused { reason: "role".into(), detail: "d".into() };
    assert_eq!(answered.try_recv().unwrap(), Err(refused));
    assert_eq!(wire.hear(opened(1)), None, "a late second answer changes nothing for the asker");
}

#[test]
fn a_channel_is_answered_by_its_session_and_number() {
    let mut wire = Wire::new();
    wire.opened();
    let (mut zero, mut one) = (wire.channel(), wire.channel());
    let token = URL_SAFE_NO_PAD.encode([7; 32]);
    wire.hear(json!({"say": "channel", "session": "other", "channel": 0, "token": token}));
    assert!(zero.try_recv().is_err(), "another session's");
    wire.hear(json!({"say": "channel", "session": "s-1", "channel": 0, "token": token}));
    assert_eq!(zero.try_recv().unwrap(), Ok((ChannelNo(0), JoinToken::new([7; 32]))));
    wire.hear(json!({"say": "channel_refused", "session": "s-1", "channel": 1, "fault": "target",
        "detail": "refused"}));
    let refused = ChannelFault::Refused { fault: OfferFault::Target, detail: "refused".into() };
    assert_eq!(one.try_recv().unwrap(), Err(refused));
}

#[test]
fn a_refusal_that_comes_after_the_token_is_told_once() {
    let mut wire = Wire::new();
    wire.opened();
    let (answer, mut answered) = oneshot::channel();
    let open = OpenChannel {
        session: "s-1".parse().unwrap(),
        target: Some("plc".parse().unwrap()),
        destination: Some(Destination {
            proto: crate::machines::Proto::Tcp,
            host: "10.0.0.5".into(),
            port: 502,
        }),
    };
    wire.desk.ordered(Order::Channel { open, answer });
    let token = URL_SAFE_NO_PAD.encode([7; 32]);
    wire.hear(json!({"say": "channel", "session": "s-1", "channel": 0, "token": token}));
    assert!(answered.try_recv().unwrap().is_ok());
    let refused = |session: &str, channel: u32, fault: &str| {
        json!({"say": "channel_refused", "session": session, "channel": channel, "fault": fault,
            "detail": "tcp://10.0.0.5:502: Connection refused"})
    };
    wire.hear(refused("other", 0, "target"));
    wire.hear(refused("s-1", 5, "target"));
    assert_eq!(wire.told.text(), "");
    wire.hear(refused("s-1", 0, "target"));
    wire.hear(refused("s-1", 0, "target"));
    insta::assert_snapshot!(wire.told.text(), @r"
    plc (tcp://10.0.0.5:502): connection refused: the machine does not answer there (Connection refused); does its service run?
    ");
}

#[test]
fn a_malformed_token_opens_nothing() {
    let mut wire = Wire::new();
    wire.opened();
    for (no, token) in ["", "short", &"A".repeat(44), "ä"].into_iter().enumerate() {
        let mut answered = wire.channel();
        wire.hear(json!({"say": "channel", "session": "s-1", "channel": no, "token": token}));
        assert!(matches!(answered.try_recv().unwrap(), Err(ChannelFault::Leg(_))), "{token}");
    }
}

#[test]
fn the_line_ends_with_the_cause_of_its_own_session_only() {
    let mut wire = Wire::new();
    wire.opened();
    let ended = |session: &str| json!({"say": "ended", "session": session, "cause": "switch_off"});
    assert_eq!(wire.hear(ended("other")), None);
    assert_eq!(wire.hear(ended("s-1")), Some(Fate::Ended(EndCause::SwitchOff)));
    let goodbye = json!({"say": "goodbye", "code": "protocol", "detail": "d"});
    let fate = Fate::Goodbye { code: "protocol".into(), detail: "d".into() };
    assert_eq!(wire.hear(goodbye), Some(fate));
}

#[test]
fn a_silent_gateway_is_gone_within_twenty_seconds_whatever_heartbeat_it_names() {
    for heartbeat in [0, 5_000, u32::MAX] {
        let start = Now::read();
        let mut beat = Beat::new(heartbeat, start);
        let mut pings = 0;
        let gone = loop {
            let now = Now { mono: beat.next(), wall: start.wall };
            match beat.turn(now) {
                Ok(ping) => pings += u32::from(ping.is_some()),
                Err(silent) => break silent,
            }
            assert!(beat.next() > now.mono, "it waits between two turns");
        };
        assert!(gone < Duration::from_secs(20), "{gone:?}");
        assert_eq!(pings, BEATS_MISSED_MAX);
    }
}

#[test]
fn a_ping_is_answered_and_a_full_queue_is_a_dead_gateway() {
    let mut wire = Wire::new();
    assert_eq!(wire.hear(json!({"say": "ping", "n": 3})), None);
    assert_eq!(wire.said.try_recv().unwrap(), Says::Pong { n: 3 });
    let fates: Vec<_> = (0..9).map(|n| wire.hear(json!({"say": "ping", "n": n}))).collect();
    assert!(matches!(fates.last().unwrap(), Some(Fate::Lost(_))), "{fates:?}");
}

#[test]
fn closing_without_a_session_ends_at_once_and_with_one_waits_for_the_gateway() {
    let mut wire = Wire::new();
    let (done, _) = oneshot::channel();
    let ended = Fate::Ended(EndCause::UserClosed);
    assert_eq!(wire.desk.ordered(Order::Close { done }), Some(ended));
    wire.opened();
    let (done, _) = oneshot::channel();
    assert_eq!(wire.desk.ordered(Order::Close { done }), None);
    let last = std::iter::from_fn(|| wire.said.try_recv().ok()).last().unwrap();
    assert_eq!(last, Says::Close { session: "s-1".parse().unwrap() });
}

#[test]
fn a_clock_far_off_is_told() {
    let at = |seconds: i64| Wall(seconds * 1_000);
    assert_eq!(clock_warning(at(100), at(130)), None);
    assert!(clock_warning(at(0), at(3_600)).unwrap().contains("3600 s off"));
    assert!(clock_warning(at(3_600), at(0)).is_some());
}
