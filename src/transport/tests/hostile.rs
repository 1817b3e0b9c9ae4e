//! Strangers and broken peers: each ends alone, and soon.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::world::{Behaviour, World, token, within};
use crate::{
    tls::Door,
    transport::{CarrierChoice, Limits, limits::CLIENT_HELLO_BYTES_MAX, stream::Tls},
    wire::{FIRST_PAYLOAD_BYTES_MAX, Frame, put},
};

/// The deadline of arrivals, short so that the tests are.
const SHORT: Duration = Duration::from_millis(500);

async fn hasty() -> World {
    let limits = Limits { arrival: SHORT, ..Limits::default() };
    World::start_with(Behaviour::Echo, limits).await
}

/// Reads to the end; whether the end was clean does not matter.
async fn ended(stream: &mut (impl AsyncReadExt + Unpin)) {
    let mut rest = Vec::new();
    let _ = within(stream.read_to_end(&mut rest)).await;
}

/// A connection that TLS has let in as a device's.
async fn let_in(world: &World) -> Tls {
    let dialer = world.dialer("press-7", CarrierChoice::Tcp);
    within(dialer.tls_over_tcp(Door::Peer)).await.unwrap().0
}

async fn others_are_served(world: &World) {
    world.greeted("other-1", CarrierChoice::Tcp).await;
    world.greeted("other-1", CarrierChoice::Quic).await;
}

#[tokio::test]
async fn who_sends_garbage_instead_of_tls_ends_alone() {
    let world = hasty().await;
    let mut tcp = TcpStream::connect(world.address).await.unwrap();
    tcp.write_all(&[0xff; 64]).await.unwrap();
    ended(&mut tcp).await;
    others_are_served(&world).await;
}

#[tokio::test]
async fn who_says_nothing_is_dropped_at_the_deadline() {
    let world = hasty().await;
    let mut tcp = TcpStream::connect(world.address).await.unwrap();
    ended(&mut tcp).await;
    others_are_served(&world).await;
}

#[tokio::test]
async fn an_endless_client_hello_is_cut_at_its_limit() {
    let world = World::start(Behaviour::Echo).await;
    let mut tcp = TcpStream::connect(world.address).await.unwrap();
    // A handshake record that begins a ClientHello of 16 MiB, then as much as is taken.
    let mut record = vec![22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff];
    record.resize(5 + 0x4000, 0);
    let mut taken = 0;
    let flood = async {
        while tcp.write_all(&record).await.is_ok() {
            taken += record.len();
            assert!(taken < 64 << 20, "it takes all there is");
        }
    };
    within(flood).await;
    assert!(taken >= CLIENT_HELLO_BYTES_MAX.min(record.len()));
    others_are_served(&world).await;
}

#[tokio::test]
async fn a_bare_connection_says_its_token_and_nothing_else() {
    let world = hasty().await;
    let mut longer = vec![1, 2, 0, 33];
    longer.resize(64, 7);
    // A control message, a token that is too long, half a token, another kind.
    for said in [&b"\x01\x01\x00\x02{}"[..], &longer, &[1, 2, 0, 32, 5], &[1, 3, 0, 0]] {
        let mut tcp = TcpStream::connect(world.address).await.unwrap();
        tcp.write_all(said).await.unwrap();
        let mut got = Vec::new();
        let _ = within(tcp.read_to_end(&mut got)).await;
        assert_eq!(got, b"", "{said:?}");
    }
    others_are_served(&world).await;
    assert_eq!(world.dialled(), 2, "none of them came further than the door");
}

#[tokio::test]
async fn a_first_frame_that_is_none_ends_the_connection() {
    for first in [
        &[9, 1, 0, 0][..],      // a version that is not
        &[1, 9, 0, 0],          // a kind that is not
        &[1, 1, 0xff, 0xff],    // more than a first frame may carry
        &[1, 2, 0, 3, 1, 2, 3], // a join whose token is short
        &[1, 3, 0, 0],          // the gateway's own word
    ] {
        let mut world = World::start(Behaviour::Echo).await;
        let mut tls = let_in(&world).await;
        tls.write_all(first).await.unwrap();
        ended(&mut tls).await;
        assert!(world.met.try_recv().is_err(), "{first:?}");
        others_are_served(&world).await;
    }
}

#[tokio::test]
async fn a_first_frame_that_drips_is_dropped_at_the_deadline() {
    let world = hasty().await;
    let (mut read, mut write) = tokio::io::split(let_in(&world).await);
    let drip = async {
        let length = u16::try_from(FIRST_PAYLOAD_BYTES_MAX).unwrap().to_be_bytes();
        let _ = write.write_all(&[1, 1, length[0], length[1]]).await;
        while write.write_all(b" ").await.is_ok() && write.flush().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(async { tokio::join!(drip, ended(&mut read)) }).await;
    others_are_served(&world).await;
}

#[tokio::test]
async fn who_does_not_wait_for_joined_is_not_joined() {
    let world = World::start(Behaviour::Echo).await;
    let mut tls = let_in(&world).await;
    let mut bytes = bytes::BytesMut::new();
    put(&mut bytes, &Frame::Join(token(1))).unwrap();
    bytes.extend_from_slice(b"early");
    tls.write_all(&bytes).await.unwrap();
    let mut got = Vec::new();
    let _ = within(tls.read_to_end(&mut got)).await;
    assert_eq!(got, b"");
}

#[tokio::test]
async fn an_address_beyond_its_rate_is_turned_away() {
    let limits = Limits { rate_per_address: 3, count_loopback: true, ..Limits::default() };
    let world = World::start_with(Behaviour::Echo, limits).await;
    let dialer = world.dialer("press-7", CarrierChoice::Tcp);
    let mut refused = 0;
    for _ in 0..10 {
        refused += usize::from(within(dialer.http()).await.is_err());
    }
    assert!(refused >= 1);
}
