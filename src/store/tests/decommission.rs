//! Edge devices back to their owners: domain.md E1 to E4.

use super::*;
use crate::{
    audit::{EndCause, Event},
    authz::{Door, Via, Want},
    ids::{AssetId, SessionId},
    machines::DeviceState,
};

const KEY: KeyDigest = KeyDigest([42; 32]);

fn press() -> AssetId {
    "press-7".parse().unwrap()
}

/// A desk whose press has a device of its own: the operator's, enrolled, serving nothing else.
async fn single() -> Desk {
    let desk = Desk::new().await;
    let (edge, now) = ("edge-2".parse().unwrap(), Now::read());
    let token = desk.store.new_enrolment(&by("wanda"), &edge, now).await.unwrap().value.token;
    desk.store.consume_enrolment(&token, KEY, now).await.unwrap();
    desk.store.pair_device(&by("wanda"), &press(), Some(&edge), now).await.unwrap();
    desk
}

/// A live session of the provider's technician on the press.
async fn session(desk: &Desk) -> Requested {
    desk.switch("milo", "CASE-1", true).await.unwrap();
    let ask = SessionAsk {
        who: "stella".parse().unwrap(),
        key: KeyDigest([5; 32]),
        source_ip: None,
        via: Via::Case("CASE-1".parse().unwrap()),
        tunnel: "plc".parse().unwrap(),
        door: Door::Native,
        want: Want::Control,
        reason: None,
        gateway: gateway(),
    };
    desk.store.request_session(&ask, Now::read()).await.unwrap()
}

async fn over(desk: &Desk, session: &SessionId) {
    let (at, cause) = (Now::read().wall, EndCause::EdgeUnpaired);
    let end = Ended { session: session.clone(), cause, at, up: 0, down: 0, by: None };
    desk.store.end_session(&end).await.unwrap();
}

async fn begin(desk: &Desk, who: &str) -> Result<Written<Resetting>, WriteError> {
    desk.store.begin_decommission(&by(who), &press(), Now::read()).await
}

async fn finish(desk: &Desk, resetting: &Resetting) -> Decommission {
    desk.store.finish_decommission(resetting, Now::read()).await.unwrap().value
}

/// What a technician with everything on their side is told now.
async fn told(desk: &Desk, session: Option<&SessionId>) -> Option<EndCause> {
    let subject = Subject::case("stella".parse().unwrap(), "CASE-1".parse().unwrap());
    let mut subject = subject.tunnel(TunnelKey::Name("plc".parse().unwrap()));
    subject.session = session.cloned();
    let facts = desk.store.facts(&subject).await.unwrap();
    let via = Via::Case("CASE-1".parse().unwrap());
    let tunnel = "press-7-plc".parse().unwrap();
    let action =
        Action::UseTunnel { tunnel, via: via.clone(), door: Door::Native, want: Want::Control };
    let request = Request { who: subject.who, action, at: Now::read().wall };
    match decide(request, &facts) {
        Decision::Allow(_) => None,
        Decision::Deny(denial) => Some(denial.ends_with(&via)),
    }
}

async fn state(desk: &Desk, device: &str) -> DeviceState {
    let owner = if device == "edge-9" { "sp" } else { "op" };
    let devices = desk.store.devices(&owner.parse().unwrap()).await.unwrap();
    devices.into_iter().find(|one| one.device.id.as_str() == device).unwrap().state
}

#[tokio::test]
async fn e1_a_device_that_is_offline_is_not_decommissioned() {
    let desk = single().await;
    desk.away.0.lock().unwrap().insert("edge-2".parse().unwrap());
    assert_eq!(refusal(begin(&desk, "wanda").await), "edge_offline");
    assert_eq!(state(&desk, "edge-2").await, DeviceState::Paired);
    assert!(desk.store.device_of_key(KEY).await.unwrap().is_some());
}

#[tokio::test]
async fn e2_a_providers_device_is_not_the_operators_to_decommission() {
    let desk = Desk::new().await;
    let (theirs, now) = ("edge-9".parse().unwrap(), Now::read());
    desk.store.pair_device(&by("wanda"), &press(), None, now).await.unwrap();
    desk.store.pair_device(&by("stella"), &press(), Some(&theirs), now).await.unwrap();
    assert_eq!(refusal(begin(&desk, "wanda").await), "not_owner");
    let unpaired = desk.store.pair_device(&by("wanda"), &press(), None, now).await;
    assert_eq!(refusal(unpaired), "not_owner");
    let edge = "edge-2".parse().unwrap();
    let replaced = desk.store.pair_device(&by("wanda"), &press(), Some(&edge), now).await;
    assert_eq!(refusal(replaced), "not_owner");

    let begun = begin(&desk, "stella").await.unwrap();
    assert_eq!(finish(&desk, &begun.value).await.state, DeviceState::Unpaired);
    assert_eq!(refusal(begin(&desk, "lara").await), "role");
}

#[tokio::test]
async fn e3_the_operators_own_device_goes_back_when_its_sessions_are_over() {
    let desk = single().await;
    let live = session(&desk).await.session;
    assert_eq!(told(&desk, Some(&live)).await, None);
    for who in ["milo", "emil"] {
        assert_eq!(refusal(begin(&desk, who).await), "role", "{who}");
    }

    // First nobody is let through any more, and what runs ends (T8).
    let begun = begin(&desk, "wanda").await.unwrap();
    assert_eq!(begun.value.begun().sessions, 1);
    assert_eq!(desk.last_record().await.event(), Some(Event::DeviceResetting));
    assert_eq!(state(&desk, "edge-2").await, DeviceState::Resetting);
    assert_eq!(told(&desk, Some(&live)).await, Some(EndCause::EdgeUnpaired));
    assert_eq!(told(&desk, None).await, Some(EndCause::EdgeUnpaired));

    // Not before that is done does anything else happen.
    let waits = finish(&desk, &begun.value).await;
    assert_eq!((waits.state, waits.sessions), (DeviceState::Resetting, 1));
    assert!(desk.store.device_of_key(KEY).await.unwrap().is_some());
    assert!(desk.store.asset(&press()).await.unwrap().unwrap().device.is_some());

    over(&desk, &live).await;
    let done = finish(&desk, &begun.value).await;
    assert_eq!((done.state, done.reset_sent), (DeviceState::Unpaired, false));
    assert_eq!(state(&desk, "edge-2").await, DeviceState::Unpaired);
    assert!(desk.store.device_of_key(KEY).await.unwrap().is_none());
    let told: Vec<_> = desk.all_records().await.iter().filter_map(Row::event).collect();
    let last = [Event::SessionEnded, Event::DeviceUnpaired, Event::DeviceDecommissioned];
    assert_eq!(told[told.len() - 3..], last);

    // It is its owner's again, to enrol and to pair.
    let (edge, now) = ("edge-2".parse().unwrap(), Now::read());
    desk.store.new_enrolment(&by("wanda"), &edge, now).await.unwrap();
    desk.store.pair_device(&by("wanda"), &press(), Some(&edge), now).await.unwrap();
}

#[tokio::test]
async fn e3_what_was_interrupted_goes_on_when_it_is_asked_again() {
    let desk = single().await;
    let first = begin(&desk, "wanda").await.unwrap();
    drop(first);
    let after = desk.after_a_crash().await;
    assert_eq!(state(&after, "edge-2").await, DeviceState::Resetting);
    let again = begin(&after, "wanda").await.unwrap();
    assert_eq!(finish(&after, &again.value).await.state, DeviceState::Unpaired);
    let twice = after.store.finish_decommission(&again.value, Now::read()).await;
    assert_eq!(refusal(twice), "no_edge");
    assert_eq!(state(&after, "edge-2").await, DeviceState::Unpaired);
}

#[tokio::test]
async fn e4_a_device_of_several_assets_is_only_unpaired_from_the_one() {
    let desk = Desk::new().await;
    let live = session(&desk).await.session;
    let begun = begin(&desk, "wanda").await.unwrap();
    assert_eq!(begun.value.begun().state, DeviceState::Unpaired);
    assert!(begun.value.begun().multi);
    assert_eq!(told(&desk, Some(&live)).await, Some(EndCause::EdgeUnpaired));

    let mixer = desk.store.asset(&"mixer-2".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(mixer.device, Some("edge-1".parse().unwrap()));
    assert!(desk.store.device_of_key(KeyDigest([1; 32])).await.unwrap().is_some());
    assert_eq!(state(&desk, "edge-1").await, DeviceState::Paired);
}

#[tokio::test]
async fn a_device_that_is_not_multi_serves_one_asset() {
    let desk = single().await;
    let (mixer, edge) = ("mixer-2".parse().unwrap(), "edge-2".parse().unwrap());
    let second = desk.store.pair_device(&by("wanda"), &mixer, Some(&edge), Now::read()).await;
    assert!(matches!(second, Err(WriteError::Conflict(Conflict::InUse(_)))), "{second:?}");
    let forced = desk.tamper("UPDATE assets SET device = 'edge-2' WHERE id = 'mixer-2'").await;
    assert!(forced.is_err(), "not by a statement from outside either");
}

#[tokio::test]
async fn a_device_on_its_way_back_is_paired_with_nothing() {
    let desk = single().await;
    let live = session(&desk).await;
    let begun = begin(&desk, "wanda").await.unwrap();
    let _ = finish(&desk, &begun.value).await;
    let (mixer, edge) = ("mixer-2".parse().unwrap(), "edge-2".parse().unwrap());
    let second = desk.store.pair_device(&by("wanda"), &mixer, Some(&edge), Now::read()).await;
    assert!(matches!(second, Err(WriteError::Conflict(Conflict::InUse(_)))), "{second:?}");
    over(&desk, &live.session).await;
}

#[tokio::test]
async fn e5_a_provider_pairs_nothing_for_a_customer_that_is_only_invited() {
    let desk = Desk::new().await;
    let (edge, now) = ("edge-9".parse().unwrap(), Now::read());
    desk.store.pair_device(&by("wanda"), &press(), None, now).await.unwrap();
    let invited = "INSERT INTO service_organisations (id, provider, name) VALUES ('o', 'sp', 'O') \
                   ON CONFLICT DO NOTHING; \
                   INSERT INTO customers (provider, id, organisation, name, tenant) \
                   VALUES ('sp', 'op-ag', 'o', 'OP AG', NULL) \
                   ON CONFLICT DO UPDATE SET tenant = NULL";
    desk.tamper(invited).await.unwrap();
    let paired = desk.store.pair_device(&by("stella"), &press(), Some(&edge), now).await;
    assert!(matches!(paired, Err(WriteError::Conflict(Conflict::NotOnboarded))), "{paired:?}");
    desk.tamper("UPDATE customers SET tenant = 'op' WHERE id = 'op-ag'").await.unwrap();
    desk.store.pair_device(&by("stella"), &press(), Some(&edge), now).await.unwrap();
}

/// E5, before that: until the operator has accepted the machine, its asset is not the provider's to
/// know of.
#[tokio::test]
async fn e5_a_provider_pairs_nothing_with_a_machine_that_the_operator_has_not_accepted() {
    let desk = Desk::new().await;
    let (edge, now) = ("edge-9".parse().unwrap(), Now::read());
    desk.store.pair_device(&by("wanda"), &press(), None, now).await.unwrap();
    desk.store.remove_link(&by("wanda"), &"machine-7".parse().unwrap(), now).await.unwrap();
    let paired = desk.store.pair_device(&by("stella"), &press(), Some(&edge), now).await;
    assert_eq!(refusal(paired), "not_found");
}
