//! Who is believed, and what the one who is not is told.

use std::{sync::Arc, time::Duration};

use rustls::{ClientConfig, HandshakeKind, version::TLS13};
use tokio::io::AsyncWriteExt;

use super::world::{Behaviour, World, greet, within};
use crate::{
    clock::{Now, Wall},
    ids::PeerId,
    tls::{ALPN_PEER, Ca, Door, GatewayTls, Identity, PeerTls, TlsFault, Trust, provider},
    transport::{CarrierChoice, DialError, Dialer, Dialled, Limits},
    wire::{AgentSays, GatewayTellsAgent, ReadError, put_message},
};

const DAY: i64 = 86_400_000;
const LIFE: Duration = Duration::from_secs(3_600);

fn names() -> Vec<String> {
    vec!["127.0.0.1".into()]
}

/// A gateway that shows a server certificate made at `when`.
async fn world_made_at(when: i64) -> World {
    let now = Now::read().wall;
    let ca = Ca::fresh("test CA", Wall(now.0 - 400 * DAY)).unwrap();
    let server = ca.server(&names(), Wall(now.0 + when)).unwrap();
    World::with_server(Behaviour::Echo, Limits::default(), ca, &server).await
}

async fn fault(dialer: Dialer) -> TlsFault {
    match within(dialer.connect()).await {
        Err(DialError::Tls { fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_gateway_whose_certificate_has_ended_is_named_with_both_clocks() {
    let world = world_made_at(-91 * DAY).await;
    let fault = fault(world.dialer("press-7", CarrierChoice::Tcp)).await;
    assert!(matches!(fault, TlsFault::Expired { until, here } if until < here), "{fault:?}");
    assert!(fault.to_string().contains("the clock here reads 20"), "{fault}");
}

#[tokio::test]
async fn a_gateway_whose_certificate_is_still_to_begin_points_at_the_clock() {
    let world = world_made_at(2 * DAY).await;
    let fault = fault(world.dialer("press-7", CarrierChoice::Tcp)).await;
    assert!(matches!(fault, TlsFault::NotYetValid { from, here } if from > here), "{fault:?}");
}

#[tokio::test]
async fn who_comes_back_needs_no_full_handshake_and_is_known_all_the_same() {
    let mut world = World::start(Behaviour::Echo).await;
    let identity = world.identity("press-7");
    let dialer = Dialer::new(world.options(CarrierChoice::Tcp), world.peer_tls(Some(&identity)));
    let mut first = within(dialer.connect()).await.unwrap();
    greet(&mut first).await;
    let met = within(world.met.recv()).await.unwrap();
    let (mut tls, _) = within(dialer.tls_over_tcp(Door::Peer)).await.unwrap();
    assert_eq!(tls.get_ref().1.handshake_kind(), Some(HandshakeKind::Resumed));
    let mut hello = bytes::BytesMut::new();
    put_message(&mut hello, &AgentSays::Ping { n: 1 }).unwrap();
    tls.write_all(&hello).await.unwrap();
    let again = within(world.met.recv()).await.unwrap();
    assert_eq!((again.id, again.key), (met.id, met.key));
}

#[tokio::test]
async fn a_gateway_of_another_ca_is_not_believed_on_either_carrier() {
    let world = World::start(Behaviour::Echo).await;
    let other = Ca::fresh("another CA", Now::read().wall).unwrap();
    let trust = Trust::from_pem(other.certificate()).unwrap();
    for choice in [CarrierChoice::Tcp, CarrierChoice::Auto, CarrierChoice::Quic] {
        let tls = PeerTls::new(&trust, Some(&world.identity("press-7"))).unwrap();
        let fault = fault(Dialer::new(world.options(choice), tls)).await;
        assert_eq!(fault, TlsFault::ForeignCa, "{choice:?}");
    }
}

#[tokio::test]
async fn a_gateway_of_another_name_is_not_believed() {
    let now = Now::read().wall;
    let ca = Ca::fresh("test CA", now).unwrap();
    let server = ca.server(&["gw.example".into()], now).unwrap();
    let world = World::with_server(Behaviour::Echo, Limits::default(), ca, &server).await;
    let fault = fault(world.dialer("press-7", CarrierChoice::Tcp)).await;
    assert!(matches!(fault, TlsFault::WrongName { .. }), "{fault:?}");
    assert!(fault.to_string().contains("gw.example"), "{fault}");
}

/// What a peer reads whose handshake seemed to succeed.
async fn first_read(mut dialled: Dialled) -> TlsFault {
    let _ = dialled.writer.send(&AgentSays::Ping { n: 0 }).await;
    match within(dialled.reader.next::<GatewayTellsAgent>()).await {
        Err(ReadError::Io(error)) => TlsFault::of(&error).unwrap_or_else(|| panic!("{error:?}")),
        other => panic!("{other:?}"),
    }
}

async fn refused(world: &World, identity: &Identity, choice: CarrierChoice) -> TlsFault {
    let dialer = Dialer::new(world.options(choice), world.peer_tls(Some(identity)));
    match within(dialer.connect()).await {
        Ok(dialled) => first_read(dialled).await,
        Err(DialError::Tls { fault, .. }) => fault,
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_peer_whose_certificate_has_ended_is_told_so_on_either_carrier() {
    let world = world_made_at(0).await;
    let peer = PeerId::Device("press-7".parse().unwrap());
    let then = Wall(Now::read().wall.0 - 2 * DAY);
    let old = world.ca.identity(&peer, LIFE, then).unwrap();
    for choice in [CarrierChoice::Tcp, CarrierChoice::Quic] {
        let fault = refused(&world, &old, choice).await;
        assert!(matches!(fault, TlsFault::OursExpired { .. }), "{choice:?}: {fault:?}");
    }
}

#[tokio::test]
async fn a_peer_with_a_certificate_of_another_ca_is_turned_away_on_either_carrier() {
    let mut world = World::start(Behaviour::Echo).await;
    let other = Ca::fresh("test CA", Now::read().wall).unwrap();
    let peer = PeerId::Device("press-7".parse().unwrap());
    let foreign = other.identity(&peer, LIFE, Now::read().wall).unwrap();
    for choice in [CarrierChoice::Tcp, CarrierChoice::Quic] {
        let fault = refused(&world, &foreign, choice).await;
        let told = [TlsFault::OursForeign, TlsFault::OursRefused];
        assert!(told.contains(&fault), "{choice:?}: {fault:?}");
    }
    assert!(world.met.try_recv().is_err(), "nobody came in");
}

#[tokio::test]
async fn a_peer_without_a_certificate_is_turned_away_at_the_peers_door() {
    let mut world = World::start(Behaviour::Echo).await;
    let trust = Trust::from_pem(world.ca.certificate()).unwrap();
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(trust.roots())
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN_PEER.to_vec()];
    let tcp = tokio::net::TcpStream::connect(world.address).await.unwrap();
    let name = "127.0.0.1".try_into().unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let mut tls = connector.connect(name, tcp).await.unwrap();
    let read = within(tokio::io::AsyncReadExt::read(&mut tls, &mut [0])).await;
    assert_eq!(TlsFault::of(&read.unwrap_err()), Some(TlsFault::NoCertificate));
    assert!(world.met.try_recv().is_err());
}

#[tokio::test]
async fn without_an_identity_the_peers_door_is_not_even_dialled() {
    let world = World::start(Behaviour::Echo).await;
    let dialer = Dialer::new(world.options(CarrierChoice::Auto), world.peer_tls(None));
    let refused = within(dialer.connect()).await;
    assert!(matches!(refused, Err(DialError::NoIdentity)), "{refused:?}");
}

#[tokio::test]
async fn the_server_certificate_may_be_renewed_while_the_port_is_open() {
    let now = Now::read().wall;
    let ca = Ca::fresh("test CA", now).unwrap();
    let trust = Trust::from_pem(ca.certificate()).unwrap();
    let first = ca.server(&names(), now).unwrap();
    let second = ca.server(&names(), now).unwrap();
    let tls = GatewayTls::new(&first, &trust).unwrap();
    let other_handle = tls.clone();
    other_handle.show(&second).unwrap();
    assert!(format!("{tls:?}").contains("redacted"));
    let _ = Arc::new(tls);
}
