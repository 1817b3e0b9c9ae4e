//! Sessions: nothing starts without its record, each ends once.

use super::*;
use crate::{
    audit::{EndCause, Event, Flow},
    authz::{Door, Request, Via, Want},
    ids::{ChannelNo, SessionId},
    machines::Destination,
};

fn ask(who: &str, case: &str) -> SessionAsk {
    SessionAsk {
        who: who.parse().unwrap(),
        key: KeyDigest([5; 32]),
        source_ip: Some("192.0.2.7".parse().unwrap()),
        via: Via::Case(case.parse().unwrap()),
        tunnel: "plc".parse().unwrap(),
        door: Door::Native,
        want: Want::Control,
        reason: Some("the valve".into()),
        gateway: gateway(),
    }
}

async fn requested(desk: &Desk) -> Requested {
    desk.store.request_session(&ask("stella", "CASE-1"), Now::read()).await.unwrap()
}

async fn start(desk: &Desk, session: &SessionId, request: &Request) -> Result<Started, WriteError> {
    desk.store.start_session(session, request, Now::read()).await
}

fn ended(session: &SessionId, cause: EndCause) -> Ended {
    let at = Now::read().wall;
    Ended { session: session.clone(), cause, at, up: 10, down: 20, by: None }
}

#[tokio::test]
async fn a_session_is_requested_started_and_ended_with_a_record_each() {
    let desk = Desk::new().await;
    desk.switch("milo", "CASE-1", true).await.unwrap();
    let asked = requested(&desk).await;
    assert_eq!(asked.facts.device.as_ref().unwrap().device.id.as_str(), "edge-1");
    start(&desk, &asked.session, asked.grant.request()).await.unwrap();
    let end = ended(&asked.session, EndCause::SwitchOff);
    assert_eq!(desk.store.end_session(&end).await.unwrap(), EndedSession::Now);

    let row = desk.store.session(&asked.session).await.unwrap().unwrap();
    assert_eq!((row.state, row.up, row.down), (SessionState::Ended, 10, 20));
    assert_eq!(row.cause, Some(EndCause::SwitchOff));
    assert_eq!(row.via, Via::Case("CASE-1".parse().unwrap()));
    let filter = RecordFilter { session: Some(asked.session.clone()), ..RecordFilter::default() };
    let told = desk.store.records(&filter, &Page::default()).await.unwrap().items;
    let events: Vec<_> = told.iter().map(|row| row.event().unwrap()).collect();
    assert_eq!(events, [Event::SessionRequested, Event::SessionStarted, Event::SessionEnded]);
    assert!(told.iter().all(|row| row.case.as_deref() == Some("CASE-1")));
    assert_eq!(told[2].reason.as_deref(), Some("switch_off"));
    assert_eq!(told[2].new.as_deref(), Some("stella plc up=10 down=20"));
}

#[tokio::test]
async fn a_session_ends_once_with_the_first_cause() {
    let desk = Desk::new().await;
    desk.switch("milo", "CASE-1", true).await.unwrap();
    let session = requested(&desk).await.session;
    let first = ended(&session, EndCause::UserClosed);
    assert_eq!(desk.store.end_session(&first).await.unwrap(), EndedSession::Now);
    let second = ended(&session, EndCause::SwitchOff);
    assert_eq!(desk.store.end_session(&second).await.unwrap(), EndedSession::Before);
    let row = desk.store.session(&session).await.unwrap().unwrap();
    assert_eq!(row.cause, Some(EndCause::UserClosed));
    let unknown = ended(&"nosuch".parse().unwrap(), EndCause::SwitchOff);
    assert_eq!(desk.store.end_session(&unknown).await.unwrap(), EndedSession::Before);
}

#[tokio::test]
async fn a_refused_session_has_a_record_and_no_row() {
    let desk = Desk::new().await;
    let now = Now::read();
    let off = desk.store.request_session(&ask("stella", "CASE-1"), now).await;
    assert_eq!(refusal(off.map(|_| ())), "switch_off");
    let record = desk.last_record().await;
    assert_eq!(record.event(), Some(Event::SessionDenied));
    assert_eq!((record.done, record.reason.as_deref()), (0, Some("switch_off")));

    desk.switch("milo", "CASE-1", true).await.unwrap();
    let role = desk.store.request_session(&ask("lara", "CASE-1"), now).await;
    assert_eq!(refusal(role.map(|_| ())), "role");
    let mut nowhere = ask("stella", "CASE-1");
    nowhere.tunnel = "nosuch".parse().unwrap();
    let config = desk.store.request_session(&nowhere, now).await;
    assert_eq!(refusal(config.map(|_| ())), "config");
    desk.away.0.lock().unwrap().insert("edge-1".parse().unwrap());
    let offline = desk.store.request_session(&ask("stella", "CASE-1"), now).await;
    assert_eq!(refusal(offline.map(|_| ())), "edge_offline");
    let all = desk.store.sessions(&"stella".parse().unwrap(), true, &Page::default(), now).await;
    assert_eq!(all.unwrap().items, []);
}

#[tokio::test]
async fn a_switch_turned_off_between_asking_and_starting_keeps_the_session_from_starting() {
    let desk = Desk::new().await;
    desk.switch("milo", "CASE-1", true).await.unwrap();
    let asked = requested(&desk).await;
    desk.switch("milo", "CASE-1", false).await.unwrap();
    let started = start(&desk, &asked.session, asked.grant.request()).await;
    assert_eq!(refusal(started.map(|_| ())), "switch_off");
    let row = desk.store.session(&asked.session).await.unwrap().unwrap();
    assert_eq!(row.state, SessionState::Requested);
    let record = desk.last_record().await;
    assert_eq!(record.session.as_deref(), Some(asked.session.as_str()));
}

#[tokio::test]
async fn a_session_that_has_ended_does_not_start() {
    let desk = Desk::new().await;
    desk.switch("milo", "CASE-1", true).await.unwrap();
    let asked = requested(&desk).await;
    desk.store.end_session(&ended(&asked.session, EndCause::NeverStarted)).await.unwrap();
    let late = start(&desk, &asked.session, asked.grant.request()).await;
    assert!(matches!(late, Err(WriteError::Conflict(_))));
    assert_ne!(desk.last_record().await.event(), Some(Event::SessionStarted));
}

#[tokio::test]
async fn live_sessions_count_against_the_limits_and_ended_ones_do_not() {
    let desk = Desk::with(Limits { sessions_of_device: 2, ..Limits::default() }).await;
    desk.switch("milo", "CASE-1", true).await.unwrap();
    let first = requested(&desk).await;
    let second = requested(&desk).await;
    let third = desk.store.request_session(&ask("stella", "CASE-1"), Now::read()).await;
    assert_eq!(refusal(third.map(|_| ())), "limit");
    // Its own row does not stand in a session's way.
    start(&desk, &second.session, second.grant.request()).await.unwrap();
    desk.store.end_session(&ended(&first.session, EndCause::UserClosed)).await.unwrap();
    requested(&desk).await;
}

#[tokio::test]
async fn with_a_full_disk_nothing_is_asked_for_or_started_and_the_error_says_why() {
    let desk = Desk::new().await;
    desk.switch("milo", "CASE-1", true).await.unwrap();
    let asked = requested(&desk).await;
    let path = desk.path();
    desk.store.close().await;
    let limits = Limits { free_bytes_min: u64::MAX, ..Limits::default() };
    let full = Store::open(&path, Arc::new(Away::default()), limits).await.unwrap();

    let refused = full.request_session(&ask("stella", "CASE-1"), Now::read()).await.unwrap_err();
    assert!(matches!(refused, WriteError::Store(StoreError::DiskFull { .. })), "{refused}");
    assert!(refused.to_string().contains("nothing is started until there is room"), "{refused}");
    let start = full.start_session(&asked.session, asked.grant.request(), Now::read()).await;
    assert!(matches!(start, Err(WriteError::Store(StoreError::DiskFull { .. }))));
    // What is live can still be ended.
    let end = ended(&asked.session, EndCause::SwitchOff);
    assert_eq!(full.end_session(&end).await.unwrap(), EndedSession::Now);
}

#[tokio::test]
async fn what_a_dead_gateway_left_live_is_ended_at_the_next_start() {
    let desk = Desk::new().await;
    desk.switch("milo", "CASE-1", true).await.unwrap();
    let session = requested(&desk).await.session;
    let again = desk.after_a_crash().await;
    let other = again.store.end_orphans(&"gw-2".parse().unwrap(), Now::read()).await.unwrap();
    assert_eq!(other, []);
    let orphans = again.store.end_orphans(&gateway(), Now::read()).await.unwrap();
    assert_eq!(orphans, std::slice::from_ref(&session));
    let row = again.store.session(&session).await.unwrap().unwrap();
    assert_eq!(row.cause, Some(EndCause::GatewayShutdown));
    assert_eq!(again.last_record().await.event(), Some(Event::SessionEnded));
    assert_eq!(again.store.end_orphans(&gateway(), Now::read()).await.unwrap(), []);
}

#[tokio::test]
async fn sessions_are_seen_by_both_parties_of_a_shared_case_and_by_nobody_else() {
    let desk = Desk::new().await;
    desk.switch("milo", "CASE-1", true).await.unwrap();
    let session = requested(&desk).await.session;
    for (who, sees) in [("stella", true), ("lara", true), ("milo", true), ("theo", false)] {
        let (person, page) = (who.parse().unwrap(), Page::default());
        let listed = desk.store.sessions(&person, false, &page, Now::read()).await.unwrap();
        assert_eq!(listed.items.iter().any(|row| row.id == session), sees, "{who}");
    }
    desk.store.end_session(&ended(&session, EndCause::UserClosed)).await.unwrap();
    let milo = "milo".parse().unwrap();
    let live = desk.store.sessions(&milo, false, &Page::default(), Now::read()).await.unwrap();
    assert_eq!(live.items, []);
    let past = desk.store.sessions(&milo, true, &Page::default(), Now::read()).await.unwrap();
    assert_eq!(past.items.len(), 1);
}

#[tokio::test]
async fn channels_are_recorded_with_their_target_and_bytes() {
    let desk = Desk::new().await;
    desk.switch("milo", "CASE-1", true).await.unwrap();
    let session = requested(&desk).await.session;
    let flow = Flow {
        session: session.clone(),
        channel: ChannelNo(1),
        target: "plc".parse().unwrap(),
        destination: Destination { proto: Proto::Tcp, host: "10.0.0.5".into(), port: 502 },
        began: Wall(1),
        ended: Wall(2),
        up: 3,
        down: 4,
    };
    desk.store.record_flows(&[flow.clone(), flow.clone()], Now::read()).await.unwrap();
    let record = desk.last_record().await;
    assert_eq!(record.event(), Some(Event::Flow));
    assert_eq!(record.case.as_deref(), Some("CASE-1"));
    assert_eq!(serde_json::from_str::<Flow>(&record.new.unwrap()).unwrap(), flow);
}

#[tokio::test]
async fn facts_for_a_session_are_those_of_its_own_rows() {
    let desk = Desk::new().await;
    desk.switch("milo", "CASE-1", true).await.unwrap();
    let asked = requested(&desk).await;
    let row = desk.store.session(&asked.session).await.unwrap().unwrap();
    let facts = desk.store.facts(&row.subject()).await.unwrap();
    assert_eq!(facts.limits.sessions_of_person, 0);
    assert_eq!(facts.tunnel, asked.facts.tunnel);
    assert_eq!(facts.machine.unwrap().id.as_str(), "machine-7");
    assert_eq!(facts.provider.unwrap().id.as_str(), "sp");
    assert_eq!(facts.operator.unwrap().id.as_str(), "op");
    assert_eq!(facts.tenant.unwrap().id.as_str(), "sp");
    assert_eq!(facts.revision, desk.store.revision().await.unwrap());
}
