//! Connections and legs over real sockets of this machine.

mod hostile;
mod trust;
mod ways;
mod world;

use rustix::net::sockopt;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use world::{Behaviour, World, copy_through, pattern, token, within};

use super::{Carrier, CarrierChoice, JoinError, LegDialer};
use crate::{
    relay::Leg,
    wire::{AgentSays, GatewayTellsAgent, JoinRefusal},
};

const BULK: usize = 16 << 20;
const BOTH: [(CarrierChoice, Carrier); 2] =
    [(CarrierChoice::Tcp, Carrier::Tcp), (CarrierChoice::Quic, Carrier::Quic)];

#[tokio::test]
async fn a_peer_is_known_by_its_certificate_and_talks_both_ways_on_either_carrier() {
    for (choice, carrier) in BOTH {
        let mut world = World::start(Behaviour::Echo).await;
        let mut dialled = world.device("press-7", choice).await;
        assert_eq!(dialled.carrier, carrier);
        let pong: Option<GatewayTellsAgent> = {
            dialled.writer.send(&AgentSays::Ping { n: 7 }).await.unwrap();
            within(dialled.reader.next()).await.unwrap()
        };
        assert_eq!(pong, Some(GatewayTellsAgent::Pong { n: 7 }));
        let peer = within(world.met.recv()).await.unwrap();
        assert_eq!(peer.id.to_string(), "device/press-7");
        assert_eq!(Some(peer.key), world.last_key);
        assert_eq!(peer.carrier, carrier);
    }
}

#[tokio::test]
async fn a_leg_carries_16_mib_each_way_whole_on_either_carrier() {
    for (choice, carrier) in BOTH {
        let world = World::start(Behaviour::Echo).await;
        let mut dialled = world.greeted("press-7", choice).await;
        let leg = within(dialled.legs.open(&token(1))).await.unwrap();
        assert_eq!(matches!(leg, Leg::Tcp(_)), carrier == Carrier::Tcp);
        let data = pattern(BULK);
        assert!(within(copy_through(leg, &data)).await == data, "{carrier}");
        dialled.writer.send(&AgentSays::Ping { n: 1 }).await.unwrap();
    }
}

#[tokio::test]
async fn bare_bytes_right_behind_joined_are_not_swallowed() {
    // The gateway writes at once; what TLS read too far would be missing here.
    for _ in 0..20 {
        let world = World::start(Behaviour::Source(70_000)).await;
        let dialled = world.greeted("press-7", CarrierChoice::Tcp).await;
        let Leg::Tcp(mut tcp) = within(dialled.legs.open(&token(1))).await.unwrap() else {
            panic!("not bare")
        };
        let mut got = Vec::new();
        within(tcp.read_to_end(&mut got)).await.unwrap();
        assert!(got == pattern(70_000), "{} bytes", got.len());
    }
}

#[tokio::test]
async fn a_refused_join_says_why_on_either_carrier() {
    for (choice, _) in BOTH {
        let world = World::start(Behaviour::Refuse(JoinRefusal::Token)).await;
        let dialled = world.greeted("press-7", choice).await;
        let refused = within(dialled.legs.open(&token(9))).await;
        assert!(matches!(refused, Err(JoinError::Refused(JoinRefusal::Token))), "{refused:?}");
    }
}

#[tokio::test]
async fn two_hundred_legs_at_once_are_all_joined_on_either_carrier() {
    for (choice, carrier) in BOTH {
        let world = World::start(Behaviour::Echo).await;
        let dialled = world.greeted("ana", choice).await;
        let mut opening = tokio::task::JoinSet::new();
        for n in 0..200_u8 {
            let legs: LegDialer = dialled.legs.clone();
            opening.spawn(async move {
                let leg = legs.open(&token(n)).await.unwrap();
                (leg, n)
            });
        }
        let legs = within(opening.join_all()).await;
        for (leg, n) in legs {
            assert_eq!(within(copy_through(leg, &[n; 100])).await, [n; 100], "{carrier}");
        }
    }
}

#[tokio::test]
async fn a_closer_ends_both_halves_on_both_sides_at_once() {
    for (choice, carrier) in BOTH {
        let mut world = World::start(Behaviour::Echo).await;
        let mut dialled = world.greeted("press-7", choice).await;
        within(world.closers.recv()).await.unwrap().close();
        let ended = within(dialled.reader.next::<GatewayTellsAgent>()).await;
        assert!(!matches!(ended, Ok(Some(_))), "{carrier}: {ended:?}");
        within(world.gone.recv()).await.unwrap();
    }
}

#[tokio::test]
async fn dropping_the_control_stream_ends_the_connection_for_the_other_side() {
    for (choice, _) in BOTH {
        let mut world = World::start(Behaviour::Echo).await;
        drop(world.greeted("press-7", choice).await);
        within(world.gone.recv()).await.unwrap();
    }
}

#[tokio::test]
async fn a_leg_that_is_dropped_mid_way_is_never_taken_for_a_clean_end_on_quic() {
    let world = World::start(Behaviour::Abandon).await;
    let dialled = world.greeted("press-7", CarrierChoice::Quic).await;
    let Leg::Stream(mut leg) = within(dialled.legs.open(&token(1))).await.unwrap() else {
        panic!("not a stream")
    };
    leg.write_all(b"drop it").await.unwrap();
    let mut got = Vec::new();
    assert!(within(leg.read_to_end(&mut got)).await.is_err());
}

#[tokio::test]
async fn http_goes_to_the_http_door() {
    let mut world = World::start(Behaviour::Echo).await;
    let mut stream = within(world.dialer("nobody", CarrierChoice::Tcp).http()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut arrived = within(world.http.recv()).await.unwrap();
    let mut head = [0; 18];
    within(arrived.read_exact(&mut head)).await.unwrap();
    assert_eq!(&head, b"GET / HTTP/1.1\r\n\r\n");
    arrived.write_all(b"HTTP/1.1 204 \r\n\r\n").await.unwrap();
    drop(arrived);
    let mut answer = Vec::new();
    let _ = within(stream.read_to_end(&mut answer)).await;
    assert_eq!(answer, b"HTTP/1.1 204 \r\n\r\n");
}

#[tokio::test]
async fn a_device_gets_its_first_certificate_with_a_token_and_no_other_paper() {
    let world = World::start(Behaviour::Echo).await;
    let dialer = world.dialer("nobody", CarrierChoice::Auto);
    let request = world::enrol_request(&world.new_key);
    let reply = within(dialer.enrol(&request)).await.unwrap();
    let crate::wire::EnrolReply::Enrolled(papers) = reply else { panic!("{reply:?}") };
    let identity =
        crate::tls::Identity::from_pem(&papers.certificate, &world.new_key.pem()).unwrap();
    assert_eq!(identity.peer().unwrap().to_string(), "device/new-1");
}

#[test]
fn the_limits_of_quic_are_those_of_the_plan() {
    let now = crate::clock::Now::read().wall;
    let ca = crate::tls::Ca::fresh("test CA", now).unwrap();
    let server = ca.server(&["localhost".into()], now).unwrap();
    let trust = crate::tls::Trust::from_pem(ca.certificate()).unwrap();
    let tls = crate::tls::GatewayTls::new(&server, &trust).unwrap();
    let text = format!("{:?}", super::quic::server_config(&tls).unwrap());
    let says = |field: &str, value: String| {
        assert!(text.contains(&format!("{field}: {value}")), "{field} {value} in {text}");
    };
    says("max_concurrent_bidi_streams", "8".into());
    says("max_concurrent_uni_streams", "2".into());
    says("stream_receive_window", (16 << 20).to_string());
    says("receive_window", 65_536.to_string());
    says("keep_alive_interval", "Some(5s)".into());
    says("max_idle_timeout", "Some(15000)".into());
    says("migration", "true".into());
    says("max_incoming", "1024".into());
    says("incoming_buffer_size", "65536".into());
    says("incoming_buffer_size_total", (16 << 20).to_string());
    says("send_window", (16 << 20).to_string());
    says("datagram_receive_buffer_size", "None".into());
    says("ack_eliciting_threshold", "9".into());
    assert_eq!(super::quic::WINDOW, 32 << 20);
    assert_eq!(super::quic::STREAMS_MAX, 256);
}

#[test]
fn a_udp_socket_has_as_much_room_as_the_system_permits() {
    let usual = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let roomy = super::quic::roomy(std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
    let received = |socket| sockopt::socket_recv_buffer_size(socket).unwrap();
    let sent = |socket| sockopt::socket_send_buffer_size(socket).unwrap();
    for (name, now, before) in
        [("rmem_max", received(&roomy), received(&usual)), ("wmem_max", sent(&roomy), sent(&usual))]
    {
        let permitted = std::fs::read_to_string(format!("/proc/sys/net/core/{name}")).unwrap();
        let permitted: usize = permitted.trim().parse().unwrap();
        // The kernel books twice what is asked for (socket(7)).
        let expected = super::quic::SOCKET_BYTES.min(permitted) * 2;
        assert_eq!(now, expected.max(before), "{name}");
    }
}
