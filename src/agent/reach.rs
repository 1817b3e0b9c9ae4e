//! From a destination to a connected socket: resolved first, judged, and then connected at the very
//! address that was judged.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use tokio::net::{TcpStream, UdpSocket, lookup_host};
use tracing::debug;

use super::ceiling::{Barred, Ceiling};
use crate::machines::{Destination, Proto};

/// How long a name may take to resolve.
pub(super) const RESOLVE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a target may take to accept, all its addresses together; under the gateway's 10 s for
/// an offer.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Addresses of one name that are tried at most.
pub(super) const ADDRESSES_MAX: usize = 4;

/// A target that was reached.
#[derive(Debug)]
pub(super) enum Reached {
    Tcp(TcpStream),
    /// Connected: it takes datagrams from the target alone.
    Udp(UdpSocket),
}

/// Why a target was not reached.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreached {
    #[error(transparent)]
    Barred(Barred),
    #[error("the name resolves to nothing")]
    NoAddress,
    #[error("the name cannot be resolved: {0}")]
    Unresolved(io::Error),
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    #[error("{0}")]
    Failed(io::Error),
}

/// Connects `destination`, where `ceiling` allows it.
///
/// # Errors
///
/// [`Unreached`]; nothing was sent to a barred address.
pub(super) async fn reach(
    destination: &Destination,
    ceiling: &Ceiling,
) -> Result<Reached, Unreached> {
    let addresses = allowed(destination, ceiling, resolve(destination).await?)?;
    match destination.proto {
        Proto::Tcp => {
            let connected = tokio::time::timeout(CONNECT_TIMEOUT, connect_first(&addresses)).await;
            connected.map_err(|_| Unreached::TimedOut(CONNECT_TIMEOUT))?.map(Reached::Tcp)
        }
        Proto::Udp => flow(&addresses).await.map(Reached::Udp),
    }
}

async fn resolve(destination: &Destination) -> Result<Vec<SocketAddr>, Unreached> {
    if let Ok(address) = destination.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, destination.port)]);
    }
    let lookup = lookup_host((destination.host.as_str(), destination.port));
    let found = tokio::time::timeout(RESOLVE_TIMEOUT, lookup)
        .await
        .map_err(|_| Unreached::TimedOut(RESOLVE_TIMEOUT))?
        .map_err(Unreached::Unresolved)?;
    Ok(found.take(ADDRESSES_MAX).collect())
}

/// Those of `addresses` that may be connected; why none may, otherwise.
fn allowed(
    destination: &Destination,
    ceiling: &Ceiling,
    addresses: Vec<SocketAddr>,
) -> Result<Vec<SocketAddr>, Unreached> {
    let mut barred = None;
    let mut allowed = Vec::with_capacity(addresses.len());
    for address in addresses {
        match ceiling.judge(destination, address.ip()) {
            // What was judged is what is connected: no scope, no mapped spelling.
            Ok(()) => allowed.push(SocketAddr::new(address.ip().to_canonical(), address.port())),
            Err(why) => {
                debug!(%address, %why, "barred");
                barred = Some(why);
            }
        }
    }
    match barred {
        _ if !allowed.is_empty() => Ok(allowed),
        Some(why) => Err(Unreached::Barred(why)),
        None => Err(Unreached::NoAddress),
    }
}

async fn connect_first(addresses: &[SocketAddr]) -> Result<TcpStream, Unreached> {
    let mut last = Unreached::NoAddress;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(socket) => {
                // Fails only for a socket that is gone already, which the first read will say.
                let _ = socket.set_nodelay(true);
                return Ok(socket);
            }
            Err(error) => last = Unreached::Failed(error),
        }
    }
    Err(last)
}

async fn flow(addresses: &[SocketAddr]) -> Result<UdpSocket, Unreached> {
    let Some(address) = addresses.first() else { return Err(Unreached::NoAddress) };
    let any = match address {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind((any, 0)).await.map_err(Unreached::Failed)?;
    socket.connect(address).await.map_err(Unreached::Failed)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::ceiling::Special;
    use tokio::net::TcpListener;

    fn to(proto: Proto, host: &str, port: u16) -> Destination {
        Destination { proto, host: host.to_owned(), port }
    }

    #[tokio::test]
    async fn a_listening_target_is_connected_by_address_and_by_name() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["127.0.0.1", "localhost"] {
            let reached = reach(&to(Proto::Tcp, host, port), &Ceiling::default()).await.unwrap();
            assert!(matches!(reached, Reached::Tcp(_)));
            listener.accept().await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_closed_port_and_an_unknown_name_are_told_apart() {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let refused = reach(&to(Proto::Tcp, "127.0.0.1", free), &Ceiling::default()).await;
        assert!(matches!(refused, Err(Unreached::Failed(_))), "{refused:?}");
        let unknown = reach(&to(Proto::Tcp, "nowhere.invalid", 80), &Ceiling::default()).await;
        assert!(matches!(unknown, Err(Unreached::Unresolved(_) | Unreached::TimedOut(_))));
    }

    #[tokio::test]
    async fn nothing_is_sent_to_a_barred_address() {
        let ceiling = Ceiling::from_file("c".into(), Vec::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let barred = reach(&to(Proto::Tcp, "localhost", port), &ceiling).await;
        assert!(matches!(barred, Err(Unreached::Barred(Barred::NotAllowed))));
        let none = tokio::time::timeout(Duration::from_millis(100), listener.accept()).await;
        assert!(none.is_err(), "a barred target was connected");
    }

    #[test]
    fn of_a_names_addresses_only_the_allowed_are_tried() {
        let name = to(Proto::Tcp, "plc.local", 80);
        let both = ["169.254.169.254:80", "10.0.0.5:80"].map(|text| text.parse().unwrap());
        let tried = allowed(&name, &Ceiling::default(), both.to_vec()).unwrap();
        assert_eq!(tried, ["10.0.0.5:80".parse().unwrap()]);
        let none = allowed(&name, &Ceiling::default(), both[..1].to_vec());
        assert!(matches!(none, Err(Unreached::Barred(Barred::Special(Special::Metadata)))));
    }

    #[tokio::test]
    async fn a_flow_takes_datagrams_from_its_target_alone() {
        let target = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = target.local_addr().unwrap().port();
        let reached = reach(&to(Proto::Udp, "127.0.0.1", port), &Ceiling::default()).await;
        let Ok(Reached::Udp(flow)) = reached else { panic!("{reached:?}") };
        flow.send(b"hi").await.unwrap();
        let mut buffer = [0; 8];
        let (_, from) = target.recv_from(&mut buffer).await.unwrap();
        let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        stranger.send_to(b"forged", from).await.unwrap();
        target.send_to(b"real", from).await.unwrap();
        let read = flow.recv(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..read], b"real");
    }
}
