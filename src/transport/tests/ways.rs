//! Networks in the way: proxies, barred carriers, addresses that change.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::watch,
};

use super::world::{Behaviour, World, copy_through, greet, pattern, token, within};
use crate::{
    clock::Now,
    relay::Leg,
    secret::SecretText,
    tasks::Scope,
    transport::{
        BindError, Carrier, CarrierChoice, DialError, Dialer, HttpProxy, ListenOptions, Listener,
    },
};

/// A CONNECT proxy that wants `user:password` when told so. Returns its port.
async fn proxy(scope: &Scope, authorization: Option<&'static str>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let inner = scope.clone();
    scope.spawn("proxy", async move {
        while let Ok((client, _)) = listener.accept().await {
            inner.spawn("proxied", proxied(client, authorization));
        }
    });
    port
}

async fn proxied(client: TcpStream, authorization: Option<&'static str>) {
    let mut client = BufReader::new(client);
    let (mut target, mut allowed, mut line) =
        (String::new(), authorization.is_none(), String::new());
    while client.read_line(&mut line).await.unwrap_or(0) > 2 {
        if let Some(rest) = line.strip_prefix("CONNECT ") {
            target = rest.split(' ').next().unwrap().to_owned();
        }
        allowed |= authorization
            .is_some_and(|a| line.trim_end() == format!("Proxy-Authorization: Basic {a}"));
        line.clear();
    }
    if !allowed {
        let _ = client
            .write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            .await;
        return;
    }
    let mut server = TcpStream::connect(target).await.unwrap();
    client.write_all(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n").await.unwrap();
    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
}

fn through(world: &World, port: u16, basic: Option<(&str, &str)>) -> Dialer {
    let mut options = world.options(CarrierChoice::Auto);
    let basic = basic.map(|(u, p)| (u.to_owned(), SecretText::new(p.to_owned())));
    options.proxy = Some(HttpProxy { host: "127.0.0.1".into(), port, basic });
    Dialer::new(options, world.peer_tls(Some(&world.identity("press-7"))))
}

#[tokio::test]
async fn control_and_legs_go_through_a_connect_proxy_with_a_password() {
    let world = World::start(Behaviour::Echo).await;
    let port = proxy(&world.scope, Some("YW5uOnMzY3JldA==")).await;
    let dialer = through(&world, port, Some(("ann", "s3cret")));
    let mut dialled = within(dialer.connect()).await.unwrap();
    greet(&mut dialled).await;
    let leg = within(dialled.legs.open(&token(1))).await.unwrap();
    assert!(matches!(leg, Leg::Tcp(_)));
    let data = pattern(1 << 20);
    assert!(within(copy_through(leg, &data)).await == data);
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_with_its_words() {
    let world = World::start(Behaviour::Echo).await;
    let port = proxy(&world.scope, Some("nobody")).await;
    let refused = within(through(&world, port, None).connect()).await.unwrap_err();
    assert!(matches!(refused, DialError::ProxyRefused { status: 407, .. }), "{refused:?}");
    assert!(refused.to_string().contains("407 Proxy Authentication Required"), "{refused}");
}

#[tokio::test]
async fn a_proxy_that_is_none_is_named() {
    let world = World::start(Behaviour::Echo).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    world.scope.spawn("no proxy", async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let _ = tcp.write_all(&[b'x'; 20_000]).await;
        let _ = tcp.read(&mut [0; 1_000]).await;
    });
    let refused = within(through(&world, port, None).connect()).await.unwrap_err();
    assert!(matches!(refused, DialError::ProxyMalformed { .. }), "{refused:?}");
}

/// A UDP box between peer and gateway, such as a NAT: datagrams pass, and the gateway sees the box's
/// address, which changes whenever `changes` does. No TCP passes. Returns its port.
async fn nat(scope: &Scope, gateway: SocketAddr, mut changes: watch::Receiver<u32>) -> u16 {
    // A port without a TCP listener: TCP is refused there.
    let inside = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let port = inside.local_addr().unwrap().port();
    scope.spawn("nat", async move {
        let mut outside = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (mut client, mut there, mut here) = (None, vec![0; 65_536], vec![0; 65_536]);
        loop {
            tokio::select! {
                biased;
                // Cancel-safe: `changed` only observes.
                changed = changes.changed() => {
                    if changed.is_err() { return }
                    outside = UdpSocket::bind("127.0.0.1:0").await.unwrap();
                }
                // Cancel-safe: a datagram that was not returned stays in the socket.
                Ok((bytes, from)) = inside.recv_from(&mut there) => {
                    client = Some(from);
                    let _ = outside.send_to(&there[..bytes], gateway).await;
                }
                // Cancel-safe: as above.
                Ok((bytes, _)) = outside.recv_from(&mut here) => {
                    if let Some(client) = client {
                        let _ = inside.send_to(&here[..bytes], client).await;
                    }
                }
            }
        }
    });
    port
}

/// A box that passes connections on whose first byte is `passes`, and resets the others. Returns its
/// port.
async fn picky(world: &World, passes: fn(u8) -> bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (gateway, scope) = (world.address, world.scope.clone());
    world.scope.spawn("picky", async move {
        while let Ok((mut peer, _)) = listener.accept().await {
            scope.spawn("looked at", async move {
                let mut first = [0];
                if peer.peek(&mut first).await.is_ok() && !passes(first[0]) {
                    crate::relay::reset(&peer);
                    return;
                }
                let mut server = TcpStream::connect(gateway).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut peer, &mut server).await;
            });
        }
    });
    port
}

#[tokio::test]
async fn legs_are_bare_where_the_network_lets_them_and_begin_in_tls_where_only_that_passes() {
    const TLS: u8 = 22;
    for passes in [|_| true, |first| first == TLS] {
        let world = World::start(Behaviour::Echo).await;
        let port = picky(&world, passes).await;
        let dialer = dialer_to(&world, port, CarrierChoice::Tcp);
        let mut dialled = within(dialer.connect()).await.unwrap();
        greet(&mut dialled).await;
        for n in 1..4 {
            let leg = within(dialled.legs.open(&token(n))).await.unwrap();
            let data = pattern(1 << 18);
            assert!(within(copy_through(leg, &data)).await == data);
        }
        assert_eq!(dialled.legs.are_in_tls(), !passes(crate::wire::FIRST_BYTE));
    }
}

fn dialer_to(world: &World, port: u16, carrier: CarrierChoice) -> Dialer {
    let mut options = world.options(carrier);
    options.port = port;
    Dialer::new(options, world.peer_tls(Some(&world.identity("press-7"))))
}

#[tokio::test]
async fn where_tcp_is_refused_auto_takes_quic() {
    let world = World::start(Behaviour::Echo).await;
    let (_changes, watched) = watch::channel(0);
    let port = nat(&world.scope, world.address, watched).await;
    let dialer = dialer_to(&world, port, CarrierChoice::Auto);
    let mut dialled = within(dialer.connect()).await.unwrap();
    assert_eq!(dialled.carrier, Carrier::Quic);
    greet(&mut dialled).await;
    let leg = within(dialled.legs.open(&token(1))).await.unwrap();
    assert_eq!(within(copy_through(leg, b"over quic")).await, b"over quic");
}

#[tokio::test]
async fn where_udp_is_dropped_quic_falls_back_to_tcp_within_5_s() {
    let world = World::start(Behaviour::Echo).await;
    // TCP passes; the same port in UDP swallows all.
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let _hole = UdpSocket::bind(address).await.unwrap();
    let (gateway, scope) = (world.address, world.scope.clone());
    world.scope.spawn("tcp only", async move {
        while let Ok((mut peer, _)) = tcp.accept().await {
            scope.spawn("passed", async move {
                let mut server = TcpStream::connect(gateway).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut peer, &mut server).await;
            });
        }
    });
    let began = Now::read().mono;
    let dialer = dialer_to(&world, address.port(), CarrierChoice::Quic);
    let mut dialled = within(dialer.connect()).await.unwrap();
    greet(&mut dialled).await;
    assert_eq!(dialled.carrier, Carrier::Tcp);
    let took = Now::read().mono.duration_since(began);
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn where_nothing_answers_both_carriers_are_named() {
    let world = World::start(Behaviour::Echo).await;
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let refused = within(dialer_to(&world, free, CarrierChoice::Auto).connect()).await;
    let refused = refused.unwrap_err();
    assert!(matches!(refused, DialError::Neither { .. }), "{refused:?}");
    assert!(refused.to_string().contains("over tcp") && refused.to_string().contains("over quic"));
}

#[tokio::test]
async fn on_quic_a_transfer_goes_on_when_the_peers_address_changes() {
    let world = World::start(Behaviour::Echo).await;
    let (changes, watched) = watch::channel(0);
    let port = nat(&world.scope, world.address, watched).await;
    let dialer = dialer_to(&world, port, CarrierChoice::Quic);
    let mut dialled = within(dialer.connect()).await.unwrap();
    greet(&mut dialled).await;
    let Leg::Stream(stream) = within(dialled.legs.open(&token(1))).await.unwrap() else {
        panic!("not a stream")
    };
    let (mut read, mut write) = tokio::io::split(stream);
    let piece = pattern(1 << 20);
    let sent = piece.clone();
    let sender = async {
        for n in 0..12_u32 {
            write.write_all(&sent).await.unwrap();
            if n % 4 == 3 {
                changes.send(n).unwrap();
            }
        }
        write.shutdown().await.unwrap();
    };
    let receiver = async {
        let mut got = vec![0; piece.len()];
        for n in 0..12 {
            read.read_exact(&mut got).await.unwrap();
            assert!(got == piece, "piece {n}");
        }
        assert_eq!(read.read(&mut got).await.unwrap(), 0);
    };
    within(async { tokio::join!(sender, receiver) }).await;
    greet(&mut dialled).await;
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let world = World::start(Behaviour::Echo).await;
    let server = world.ca.server(&["127.0.0.1".into()], Now::read().wall).unwrap();
    let trust = crate::tls::Trust::from_pem(world.ca.certificate()).unwrap();
    let tls = crate::tls::GatewayTls::new(&server, &trust).unwrap();
    let options = ListenOptions { listen: world.address, limits: super::super::Limits::default() };
    let refused = Listener::bind(&options, &tls).unwrap_err();
    assert!(matches!(refused, BindError::InUse { protocol: "TCP", .. }), "{refused:?}");
    assert!(refused.to_string().contains(&world.address.to_string()));
}
