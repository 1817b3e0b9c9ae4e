//! What is withdrawn ends what it allowed, and nothing else.

use std::time::Duration;

use super::world::{Agent, Heard, World, by, is_reset, ping, soon};
use crate::{
    audit::EndCause,
    authz::Via,
    broker::{Opened, Options, Refusal},
    cases::{State, Switch},
    clock::Now,
    machines::{DeviceState, Ports, TunnelConfig},
    session::tests::desk::{OFF, id},
    store::{AssetChange, SwitchAsk},
};

/// A world with one live session on press 1.
async fn live() -> (World, Agent, super::world::Technician, Opened, tokio::net::TcpStream) {
    let world = World::start(2, Options::default()).await;
    let agent = world.agent(1).await;
    let (ana, opened, leg) = world.live(1).await;
    (world, agent, ana, opened, leg)
}

#[tokio::test]
async fn turning_the_switch_off_resets_both_legs_and_is_confirmed() {
    let (world, mut agent, mut ana, opened, mut leg) = live().await;
    let _other_agent = world.agent(2).await;
    let (_, _, mut other) = world.live(2).await;

    let revision = world.switch(1, OFF).await;
    let settled = world.settled(revision).await;
    assert!(settled.confirmed);
    assert_eq!(settled.sessions_ended, 1);
    assert!(is_reset(&mut leg).await);
    agent.hears(&Heard::LegEnded { channel: 1, reset: true }).await;
    assert_eq!(ana.ended().await, EndCause::SwitchOff);
    ping(&mut other).await;
    world.broker.drain(Duration::ZERO).await;
    assert_eq!(
        world.ends_on_disk(&opened.session).await,
        ["session_requested", "session_started", "flow", "session_ended switch_off"]
    );
}

#[tokio::test]
async fn a_change_that_denies_nobody_is_confirmed_without_an_end() {
    let (world, _agent, _ana, _, mut leg) = live().await;
    let on_longer =
        Switch { on: true, until: Some(Now::read().wall.plus(Duration::from_secs(600))) };
    let revision = world.switch(1, on_longer.clone()).await;
    let settled = world.settled(revision).await;
    assert!(settled.confirmed);
    assert_eq!(settled.sessions_ended, 0);
    ping(&mut leg).await;
    let until = world.broker.sessions().await[0].expires;
    assert_eq!(Some(until), on_longer.until, "and the session now ends with the switch");
}

#[tokio::test]
async fn closing_the_case_ends_its_session() {
    let (world, _agent, mut ana, _, mut leg) = live().await;
    let case = id("case-1");
    // Only the provider moves a shared case.
    let closed = world.store.change_case_state(&by("ana"), &case, State::Closed, Now::read()).await;
    assert!(world.settled(closed.unwrap().revision).await.confirmed);
    assert_eq!(ana.ended().await, EndCause::CaseClosed);
    assert!(is_reset(&mut leg).await);
}

#[tokio::test]
async fn taking_the_role_ends_the_session() {
    let (world, _agent, mut ana, _, mut leg) = live().await;
    let taken = world.store.remove_assignment(&by("tina"), &id("as-ana"), Now::read()).await;
    assert!(world.settled(taken.unwrap().revision).await.confirmed);
    assert_eq!(ana.ended().await, EndCause::RoleRevoked);
    assert!(is_reset(&mut leg).await);
}

#[tokio::test]
async fn disabling_the_person_ends_the_session() {
    let (world, _agent, mut ana, _, mut leg) = live().await;
    let now = Now::read();
    let disabled = world.store.set_person_active(&by("tina"), &id("ana"), false, now).await;
    assert!(world.settled(disabled.unwrap().revision).await.confirmed);
    assert_eq!(ana.ended().await, EndCause::UserDisabled);
    assert!(is_reset(&mut leg).await);
}

#[tokio::test]
async fn unpairing_the_device_ends_the_session() {
    let (world, _agent, mut ana, _, mut leg) = live().await;
    let unpaired = world.store.pair_device(&by("olaf"), &id("press-1"), None, Now::read()).await;
    assert!(world.settled(unpaired.unwrap().revision).await.confirmed);
    assert_eq!(ana.ended().await, EndCause::EdgeUnpaired);
    assert!(is_reset(&mut leg).await);
}

#[tokio::test]
async fn removing_the_link_ends_the_providers_session_and_leaves_other_machines_alone() {
    let (world, mut agent, mut ana, opened, mut leg) = live().await;
    let _other_agent = world.agent(2).await;
    let (_, _, mut other) = world.live(2).await;
    let removed = world.store.remove_link(&by("olaf"), &id("m-1"), Now::read()).await;
    let settled = world.settled(removed.unwrap().revision).await;
    assert_eq!((settled.confirmed, settled.sessions_ended), (true, 1));
    assert_eq!(ana.ended().await, EndCause::LinkRemoved);
    assert!(is_reset(&mut leg).await);
    agent.hears(&Heard::LegEnded { channel: 1, reset: true }).await;
    ping(&mut other).await;
    world.broker.drain(Duration::ZERO).await;
    let ends = world.ends_on_disk(&opened.session).await;
    assert_eq!(ends.last().unwrap(), "session_ended link_removed");
}

#[tokio::test]
async fn deleting_the_person_ends_the_session() {
    let (world, _agent, mut ana, _, mut leg) = live().await;
    let deleted = world.store.delete_person(&by("tina"), &id("ana"), Now::read()).await;
    assert!(world.settled(deleted.unwrap().revision).await.confirmed);
    assert_eq!(ana.ended().await, EndCause::UserDisabled);
    assert!(is_reset(&mut leg).await);
}

/// E3: the sessions end first; only then is the device unpaired and its key void.
#[tokio::test]
async fn decommissioning_the_device_ends_the_session_before_anything_else() {
    let (world, _agent, mut ana, opened, mut leg) = live().await;
    let (olaf, press) = (by("olaf"), id("press-1"));
    let begun = world.store.begin_decommission(&olaf, &press, Now::read()).await.unwrap();
    assert!(world.settled(begun.revision).await.confirmed);
    assert_eq!(ana.ended().await, EndCause::EdgeUnpaired);
    assert!(is_reset(&mut leg).await);
    world.broker.drain(Duration::ZERO).await;
    let done = world.store.finish_decommission(&begun.value, Now::read()).await.unwrap().value;
    assert_eq!((done.state, done.sessions), (DeviceState::Unpaired, 0));
    let ends = world.ends_on_disk(&opened.session).await;
    assert_eq!(ends.last().unwrap(), "session_ended edge_unpaired");
}

#[tokio::test]
async fn taking_the_asset_out_of_service_ends_the_session() {
    let (world, _agent, mut ana, _, mut leg) = live().await;
    let (olaf, press) = (by("olaf"), id("press-1"));
    let off = world.store.set_asset_active(&olaf, &press, false, Now::read()).await;
    assert!(world.settled(off.unwrap().revision).await.confirmed);
    assert_eq!(ana.ended().await, EndCause::AssetDeactivated);
    assert!(is_reset(&mut leg).await);
}

/// domain.md D.2: running sessions keep the parameters they started with.
#[tokio::test]
async fn a_target_that_is_changed_and_not_confirmed_leaves_a_running_session_alone() {
    let (world, _agent, _ana, _, mut leg) = live().await;
    let (press, now) = (id("press-1"), Now::read());
    let asks = AssetChange { confirm_targets: Some(true), ..AssetChange::default() };
    world.store.change_asset(&by("olaf"), &press, None, &asks, now).await.unwrap();
    let mut config = TunnelConfig::from(&world.store.tunnels(&press).await.unwrap()[0]);
    config.targets[0].ports = Ports { first: 503, last: 503 };
    let tunnel = id("t-1");
    let written =
        world.store.update_tunnel(&by("ana"), (&press, &tunnel), None, &config, now).await;
    let settled = world.settled(written.unwrap().revision).await;
    assert_eq!((settled.confirmed, settled.sessions_ended), (true, 0));
    ping(&mut leg).await;
}

#[tokio::test]
async fn deleting_the_tunnel_ends_the_session() {
    let (world, _agent, mut ana, _, mut leg) = live().await;
    let (asset, tunnel) = (id("press-1"), id("t-1"));
    let deleted = world.store.delete_tunnel(&by("olaf"), &asset, &tunnel, Now::read()).await;
    assert!(world.settled(deleted.unwrap().revision).await.confirmed);
    assert_eq!(ana.ended().await, EndCause::ConfigDeleted);
    assert!(is_reset(&mut leg).await);
}

#[tokio::test]
async fn a_device_that_is_gone_or_refuses_ends_the_session() {
    let (world, agent, mut ana, _, mut leg) = live().await;
    world.broker.local_switch(&agent.ticket, false).await;
    assert_eq!(ana.ended().await, EndCause::EdgeRefused);
    assert!(is_reset(&mut leg).await);

    world.broker.local_switch(&agent.ticket, true).await;
    world.broker.counts().await;
    let (mut ana, _, mut leg) = world.live(1).await;
    world.broker.agent_departed(&agent.ticket).await;
    assert_eq!(ana.ended().await, EndCause::EdgeOffline);
    assert!(is_reset(&mut leg).await);
}

#[tokio::test]
async fn a_switch_that_expires_ends_the_session() {
    let world = World::start(1, Options::default()).await;
    let _agent = world.agent(1).await;
    let soon_off = Now::read().wall.plus(Duration::from_secs(3));
    world.switch(1, Switch { on: true, until: Some(soon_off) }).await;
    let (mut ana, opened, mut leg) = world.live(1).await;
    assert_eq!(opened.expires, soon_off);
    assert_eq!(ana.ended().await, EndCause::SwitchOff);
    assert!(Now::read().wall >= soon_off);
    assert!(is_reset(&mut leg).await);
}

#[tokio::test]
async fn the_asset_switch_governs_only_what_it_granted() {
    let world = World::start(1, Options::default()).await;
    let _agent = world.agent(1).await;
    let on = SwitchAsk { on: true, until: None, reason: None };
    world.store.switch_asset(&by("olaf"), &id("press-1"), &on, Now::read()).await.unwrap();
    let (_, _, mut by_case) = world.live(1).await;
    let mut olaf = world.technician("olaf");
    let opened = olaf.open_via(Via::Asset(id("press-1"))).await.unwrap();
    olaf.begin(&opened.session).await;
    let mut by_asset = olaf.echoing(&opened.session, 1).await;

    let off = SwitchAsk { on: false, ..on };
    let asset = id("press-1");
    let switched = world.store.switch_asset(&by("olaf"), &asset, &off, Now::read()).await.unwrap();
    assert_eq!(world.settled(switched.revision).await.sessions_ended, 1);
    assert_eq!(olaf.ended().await, EndCause::AssetSwitchOff);
    assert!(is_reset(&mut by_asset).await);
    ping(&mut by_case).await;
}

#[tokio::test]
async fn a_store_that_is_gone_longer_than_the_grace_ends_every_session() {
    let options = Options {
        grace: Duration::from_millis(300),
        renew_every: Duration::from_millis(100),
        ..Options::default()
    };
    let world = World::start(1, options).await;
    let mut agent = world.agent(1).await;
    let (mut ana, _, mut leg) = world.live(1).await;
    world.store.clone().close().await;
    assert!(matches!(ana.open(1).await, Err(Refusal::Unavailable(_))));
    assert_eq!(ana.ended().await, EndCause::DecisionLost);
    assert!(is_reset(&mut leg).await);
    agent.hears(&Heard::SessionEnded(EndCause::DecisionLost)).await;
}

#[tokio::test]
async fn a_store_that_is_gone_shortly_ends_nobody() {
    let options = Options {
        grace: Duration::from_secs(600),
        renew_every: Duration::from_millis(20),
        ..Options::default()
    };
    let world = World::start(1, options).await;
    let _agent = world.agent(1).await;
    let (_ana, _, mut leg) = world.live(1).await;
    world.store.clone().close().await;
    let unanswered =
        world.broker.settled(crate::ids::Revision(u64::MAX), Duration::from_millis(300));
    assert!(!soon("no answer", unanswered).await.confirmed);
    ping(&mut leg).await;
    assert!(world.path().exists());
}

#[tokio::test]
async fn a_session_whose_start_cannot_be_recorded_moves_no_byte() {
    let world = World::start(1, Options::default()).await;
    let _agent = world.agent(1).await;
    let mut ana = world.technician("ana");
    let opened = ana.open(1).await.unwrap();
    world.store.clone().close().await;
    let mut leg = ana.leg(&opened.session, 0).await;
    assert!(is_reset(&mut leg).await);
    assert_eq!(ana.ended().await, EndCause::DecisionLost);
}

#[tokio::test]
async fn a_switch_turned_off_before_the_start_lets_no_byte_through() {
    let world = World::start(1, Options::default()).await;
    let _agent = world.agent(1).await;
    let mut ana = world.technician("ana");
    let opened = ana.open(1).await.unwrap();
    let revision = world.switch(1, OFF).await;
    assert_eq!(world.settled(revision).await.sessions_ended, 1);
    assert_eq!(ana.ended().await, EndCause::SwitchOff);
    world.broker.drain(Duration::ZERO).await;
    assert_eq!(
        world.ends_on_disk(&opened.session).await,
        ["session_requested", "session_ended switch_off"]
    );
}
