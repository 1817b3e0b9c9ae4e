//! Opening, using, closing; draining; many at once.

use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::world::{Heard, SOON, World, is_reset, ping, soon};
use crate::{
    audit::{EndCause, OfferFault},
    authz::{Reason, Via},
    broker::{AgentOrder, Options, Party, Refusal, TechnicianNotice, TokenRefused},
    ids::{ChannelNo, KeyDigest, PeerId},
    machines::Mode,
    session::{
        self, Phase,
        tests::desk::{OFF, id},
    },
    token::JoinToken,
};

#[tokio::test]
async fn a_technician_opens_a_tunnel_and_bytes_flow() {
    let world = World::start(1, Options::default()).await;
    let mut agent = world.agent(1).await;
    let (mut ana, opened, mut leg) = world.live(1).await;
    assert_eq!((opened.mode, opened.case.clone()), (Mode::Sealed, Some(id("case-1"))));
    assert_eq!(opened.device, id("box-1"));

    let live = world.broker.sessions().await;
    assert_eq!((live.len(), live[0].phase), (1, Phase::Active));
    ping(&mut leg).await;
    leg.shutdown().await.unwrap();
    agent.hears(&Heard::LegEnded { channel: 1, reset: false }).await;

    world.broker.close(&ana.ear, opened.session.clone()).await;
    assert_eq!(ana.ended().await, EndCause::UserClosed);
    agent.hears(&Heard::SessionEnded(EndCause::UserClosed)).await;
    world.broker.drain(Duration::ZERO).await;
    assert_eq!(
        world.ends_on_disk(&opened.session).await,
        ["session_requested", "session_started", "flow", "session_ended user_closed"]
    );
    let row = world.store.session(&opened.session).await.unwrap().unwrap();
    assert!((row.up, row.down) >= (39, 39), "{} {}", row.up, row.down);
}

#[tokio::test]
async fn a_session_is_refused_with_the_reason_of_the_decision() {
    let world = World::start(1, Options::default()).await;
    let ana = world.technician("ana");
    assert!(matches!(ana.open(1).await, Err(Refusal::Denied(denial))
        if denial.told() == Reason::EdgeOffline));
    let agent = world.agent(1).await;
    world.broker.local_switch(&agent.ticket, false).await;
    world.broker.counts().await;
    assert!(matches!(ana.open(1).await, Err(Refusal::Denied(denial))
        if denial.told() == Reason::EdgeRefused));
    world.broker.local_switch(&agent.ticket, true).await;
    world.switch(1, OFF).await;
    assert!(matches!(ana.open(1).await, Err(Refusal::Denied(denial))
        if denial.told() == Reason::SwitchOff));
    let asset = Via::Asset(id("press-1"));
    assert!(matches!(ana.open_via(asset).await, Err(Refusal::Denied(_))));
}

#[tokio::test]
async fn a_token_of_another_opens_nothing() {
    let world = World::start(1, Options::default()).await;
    let _agent = world.agent(1).await;
    let mut ana = world.technician("ana");
    let opened = ana.open(1).await.unwrap();
    let no = ChannelNo::HANDSHAKE;
    world.broker.open_channel(&ana.ear, opened.session.clone(), no, None, None).await;
    let TechnicianNotice::Channel { token, .. } = ana.notice().await else { panic!("no token") };
    let refused = Err(TokenRefused);
    let party = |name: &str, key| Some(Party { peer: PeerId::Person(id(name)), key });
    let ana_end = party("ana", KeyDigest([1; 32]));
    let eve_end = party("eve", KeyDigest([1; 32]));
    assert_eq!(world.broker.redeem(&token, eve_end).await, refused);
    let other_key = party("ana", KeyDigest([9; 32]));
    assert_eq!(world.broker.redeem(&token, other_key).await, refused);
    let made_up = JoinToken::new([5; 32]);
    assert_eq!(world.broker.redeem(&made_up, ana_end.clone()).await, refused);
    assert_eq!(world.broker.redeem(&made_up, None).await, refused);
    assert!(world.broker.redeem(&token, ana_end.clone()).await.is_ok());
    assert_eq!(world.broker.redeem(&token, ana_end).await, refused, "spent");
    assert_eq!(world.broker.redeem(&token, None).await, refused, "spent");
}

#[tokio::test]
async fn a_session_that_its_device_refuses_ends_and_the_technician_hears_why() {
    let world = World::start(1, Options::default()).await;
    let (ticket, mut orders) = world.bare_agent(1).await;
    let mut ana = world.technician("ana");
    let session = ana.open(1).await.unwrap().session;
    let no = ChannelNo::HANDSHAKE;
    world.broker.open_channel(&ana.ear, session.clone(), no, None, None).await;
    let offer = soon("an offer", orders.recv()).await.unwrap();
    assert!(matches!(&*offer, AgentOrder::Offer(offer) if offer.target.is_none()));
    let (fault, detail) = (OfferFault::Warrant, "foreign nonce".to_owned());
    world.broker.offer_refused(&ticket, session, no, fault, detail).await;
    assert!(matches!(ana.notice().await, TechnicianNotice::Channel { .. }));
    assert!(matches!(
        ana.notice().await,
        TechnicianNotice::ChannelRefused { fault: OfferFault::Warrant, .. }
    ));
    assert_eq!(ana.ended().await, EndCause::EdgeRefused);
}

#[tokio::test]
async fn a_device_that_takes_no_orders_is_gone() {
    let world = World::start(1, Options::default()).await;
    let (_ticket, orders) = world.bare_agent(1).await;
    let mut ana = world.technician("ana");
    let session = ana.open(1).await.unwrap().session;
    drop(orders);
    world.broker.open_channel(&ana.ear, session, ChannelNo::HANDSHAKE, None, None).await;
    assert_eq!(ana.ended().await, EndCause::EdgeOffline);
    assert_eq!(world.broker.counts().await.devices, 0);
}

#[tokio::test]
async fn a_device_that_comes_back_loses_what_ran_before() {
    let world = World::start(1, Options::default()).await;
    let _older = world.agent(1).await;
    let (mut ana, _, mut leg) = world.live(1).await;
    let _newer = world.agent(1).await;
    assert_eq!(ana.ended().await, EndCause::EdgeOffline);
    assert!(is_reset(&mut leg).await);
    assert_eq!(world.broker.counts().await.devices, 1);
}

#[tokio::test]
async fn a_connection_that_was_replaced_departs_without_effect() {
    let world = World::start(1, Options::default()).await;
    let mut first = world.agent(1).await;
    let _second = world.agent(1).await;
    assert_eq!(first.heard().await, Heard::Replaced);
    world.broker.agent_departed(&first.ticket).await;
    let (_ana, _opened, mut leg) = world.live(1).await;
    ping(&mut leg).await;
}

#[tokio::test]
async fn a_technician_that_is_gone_leaves_nothing_live() {
    let world = World::start(1, Options::default()).await;
    let mut agent = world.agent(1).await;
    let (ana, _, mut leg) = world.live(1).await;
    world.broker.technician_departed(&ana.ear).await;
    assert!(is_reset(&mut leg).await);
    agent.hears(&Heard::SessionEnded(EndCause::ClientLost)).await;
    assert_eq!(world.broker.counts().await.sessions, 0);
}

#[tokio::test]
async fn a_gateway_that_drains_refuses_what_is_new_and_ends_the_rest_in_time() {
    let world = World::start(1, Options::default()).await;
    let mut agent = world.agent(1).await;
    let (mut ana, opened, mut leg) = world.live(1).await;
    soon("drained", world.broker.drain(Duration::from_millis(50))).await;
    agent.hears(&Heard::Restarting).await;
    assert_eq!(ana.ended().await, EndCause::GatewayShutdown);
    assert!(is_reset(&mut leg).await);
    assert!(matches!(ana.open(1).await, Err(Refusal::Draining)));
    assert_eq!(
        world.ends_on_disk(&opened.session).await.last().unwrap(),
        "session_ended gateway_shutdown"
    );
}

#[tokio::test]
async fn a_scope_that_is_closed_ends_sessions_with_their_records() {
    let world = World::start(1, Options::default()).await;
    let _agent = world.agent(1).await;
    let (_ana, opened, mut leg) = world.live(1).await;
    world.scope.ask();
    assert!(is_reset(&mut leg).await);
    let ended = async {
        while world.ends_on_disk(&opened.session).await.last().unwrap()
            != "session_ended gateway_shutdown"
        {
            tokio::task::yield_now().await;
        }
    };
    soon("the end is on disk", ended).await;
}

#[tokio::test]
async fn a_session_that_nobody_starts_ends() {
    let start_within = Duration::from_millis(200);
    let sessions = session::Options { start_within, ..session::Options::default() };
    let world = World::start(1, Options { sessions, ..Options::default() }).await;
    let _agent = world.agent(1).await;
    let mut ana = world.technician("ana");
    ana.open(1).await.unwrap();
    assert_eq!(ana.ended().await, EndCause::NeverStarted);
}

#[tokio::test]
async fn a_session_without_a_byte_ends() {
    let idle_at_most = Duration::from_millis(300);
    let sessions = session::Options { idle_at_most, ..session::Options::default() };
    let world = World::start(1, Options { sessions, ..Options::default() }).await;
    let _agent = world.agent(1).await;
    let (mut ana, _, mut leg) = world.live(1).await;
    assert_eq!(ana.ended().await, EndCause::IdleTimeout);
    assert!(is_reset(&mut leg).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_sessions_are_cut_by_their_switches() {
    const SESSIONS: usize = 200;
    let world = World::start(4, Options::default()).await;
    let mut agents = Vec::new();
    for number in 1..=4 {
        agents.push(world.agent(number).await);
    }
    let mut live = Vec::new();
    for place in 0..SESSIONS {
        live.push(world.live(place % 4 + 1).await);
    }
    assert_eq!(world.broker.counts().await.sessions, SESSIONS);
    for number in 1..=4 {
        let revision = world.switch(number, OFF).await;
        let settled = world.broker.settled(revision, SOON).await;
        assert!(settled.confirmed);
        assert_eq!(settled.sessions_ended, 50);
    }
    for (mut ana, _, mut leg) in live {
        assert!(is_reset(&mut leg).await);
        assert_eq!(ana.ended().await, EndCause::SwitchOff);
    }
    assert_eq!(world.broker.counts().await.sessions, 0);
}
