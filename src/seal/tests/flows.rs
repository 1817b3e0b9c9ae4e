//! Datagrams, whole and in their bounds.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    net::UdpSocket,
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::channels::{Legs, leg_pair};
use crate::{
    clock::Now,
    ids::ChannelNo,
    relay::{Leg, Meter, Pools, tests::run},
    seal::{
        Algorithm, ChannelKeys, DATAGRAM_BYTES_MAX, DatagramEnd, Flow, PumpEnd, PumpError, pump_udp,
    },
    tasks::Scope,
};

const SOON: Duration = Duration::from_secs(10);
const LONG: Duration = Duration::from_secs(600);

async fn bound() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").await.unwrap()
}

/// Two sockets connected to each other.
async fn connected() -> (UdpSocket, UdpSocket) {
    let (near, far) = (bound().await, bound().await);
    near.connect(far.local_addr().unwrap()).await.unwrap();
    far.connect(near.local_addr().unwrap()).await.unwrap();
    (near, far)
}

fn pump(
    scope: &Scope,
    local: impl DatagramEnd + 'static,
    leg: Leg,
    keys: ChannelKeys,
    idle: Duration,
) -> (oneshot::Receiver<Result<PumpEnd, PumpError>>, Arc<Meter>) {
    let (done, pumped) = oneshot::channel();
    let meter = Arc::new(Meter::new(Now::read()));
    let counted = meter.clone();
    scope.spawn("flow", async move {
        let _ = done.send(pump_udp(local, leg, keys, &counted, &Pools::new(), idle).await);
    });
    (pumped, meter)
}

#[tokio::test]
async fn datagrams_of_every_length_come_back_whole() {
    for legs in [Legs::Tcp, Legs::Boxed] {
        let (near, at_relay_1) = leg_pair(legs).await;
        let (at_relay_2, far) = leg_pair(legs).await;
        let _relay = run(at_relay_1, at_relay_2);
        let ((ana, local), (echo, target)) = (connected().await, connected().await);
        let (one, two) = super::session(Algorithm::Aes256Gcm);
        let scope = Scope::new("flows");
        let _one = pump(&scope, local, near, one.channel(ChannelNo(1)).unwrap(), LONG);
        let _two = pump(&scope, target, far, two.channel(ChannelNo(1)).unwrap(), LONG);
        let mut buffer = vec![0; 65_536];
        for length in (1..=1_400).chain([0, 9_000, DATAGRAM_BYTES_MAX]) {
            let sent = vec![u8::try_from(length % 251).unwrap(); length];
            ana.send(&sent).await.unwrap();
            let came = timeout(SOON, echo.recv(&mut buffer)).await.unwrap().unwrap();
            assert_eq!(buffer[..came], sent, "{length} bytes");
            echo.send(&buffer[..came]).await.unwrap();
            let came = timeout(SOON, ana.recv(&mut buffer)).await.unwrap().unwrap();
            assert_eq!(buffer[..came], sent, "{length} bytes back");
        }
    }
}

#[tokio::test]
async fn one_local_socket_serves_many_flows() {
    let (near, far) = leg_pair(Legs::Tcp).await;
    let socket = Arc::new(bound().await);
    let ana = bound().await;
    let source: SocketAddr = ana.local_addr().unwrap();
    let (give, received) = mpsc::channel(8);
    let (echo, target) = connected().await;
    let (one, two) = super::session(Algorithm::ChaCha20Poly1305);
    let scope = Scope::new("flows");
    let flow = Flow { received, socket: socket.clone(), source };
    let (one, meter) = pump(&scope, flow, near, one.channel(ChannelNo(1)).unwrap(), LONG);
    let (two, _) = pump(&scope, target, far, two.channel(ChannelNo(1)).unwrap(), LONG);

    give.send(Bytes::from_static(b"ping")).await.unwrap();
    let mut buffer = [0; 16];
    let came = timeout(SOON, echo.recv(&mut buffer)).await.unwrap().unwrap();
    echo.send(&buffer[..came]).await.unwrap();
    let (came, from) = timeout(SOON, ana.recv_from(&mut buffer)).await.unwrap().unwrap();
    assert_eq!((&buffer[..came], from), (&b"ping"[..], socket.local_addr().unwrap()));
    assert_eq!((meter.tally().up, meter.tally().down), (4, 4));

    drop(give);
    for pumped in [one, two] {
        let end = timeout(SOON, pumped).await.unwrap().unwrap();
        assert!(matches!(end, Ok(PumpEnd::Closed)), "{end:?}");
    }
}

#[tokio::test]
async fn a_silent_flow_ends_at_both_ends() {
    let (near, far) = leg_pair(Legs::Tcp).await;
    let ((_ana, local), (_echo, target)) = (connected().await, connected().await);
    let (one, two) = super::session(Algorithm::Aes256Gcm);
    let scope = Scope::new("flows");
    let idle = Duration::from_millis(50);
    let (one, _) = pump(&scope, local, near, one.channel(ChannelNo(1)).unwrap(), idle);
    let (two, _) = pump(&scope, target, far, two.channel(ChannelNo(1)).unwrap(), LONG);
    for pumped in [one, two] {
        let end = timeout(SOON, pumped).await.unwrap().unwrap();
        assert!(matches!(end, Ok(PumpEnd::Closed)), "{end:?}");
    }
}

#[tokio::test]
async fn a_slow_leg_drops_datagrams_and_queues_no_more_than_a_buffer() {
    // Nobody reads the far end of the leg.
    let (near, _far) = leg_pair(Legs::Boxed).await;
    let (give, received) = mpsc::channel(8);
    let (keys, _) = super::session(Algorithm::Aes256Gcm);
    let scope = Scope::new("flows");
    let socket = Arc::new(bound().await);
    let source = socket.local_addr().unwrap();
    let flow = Flow { received, socket, source };
    let (_pumped, meter) = pump(&scope, flow, near, keys.channel(ChannelNo(1)).unwrap(), LONG);
    let datagram = Bytes::from(vec![1; 1_000]);
    for _ in 0..2_000 {
        timeout(SOON, give.send(datagram.clone())).await.unwrap().unwrap();
    }
    timeout(SOON, async {
        while meter.dropped() + meter.tally().up / 1_000 < 2_000 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    assert!(meter.tally().up < 512 * 1024 && meter.dropped() > 1_000, "{meter:?}");
}

#[tokio::test]
async fn a_target_that_does_not_listen_does_not_end_the_flow() {
    let (near, far) = leg_pair(Legs::Tcp).await;
    let ((ana, local), (echo, target)) = (connected().await, connected().await);
    let address = echo.local_addr().unwrap();
    let back = target.local_addr().unwrap();
    drop(echo);
    let (one, two) = super::session(Algorithm::Aes256Gcm);
    let scope = Scope::new("flows");
    let _one = pump(&scope, local, near, one.channel(ChannelNo(1)).unwrap(), LONG);
    let (_two, meter) = pump(&scope, target, far, two.channel(ChannelNo(1)).unwrap(), LONG);
    ana.send(b"nobody").await.unwrap();
    timeout(SOON, async {
        while meter.tally().up + meter.dropped() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    let echo = UdpSocket::bind(address).await.unwrap();
    echo.connect(back).await.unwrap();
    let mut buffer = [0; 16];
    // The refusal may swallow one more datagram.
    let heard = timeout(SOON, async {
        loop {
            ana.send(b"again").await.unwrap();
            if let Ok(came) = timeout(Duration::from_millis(100), echo.recv(&mut buffer)).await {
                return came.unwrap();
            }
        }
    });
    assert_eq!(heard.await.unwrap(), 5);
}
