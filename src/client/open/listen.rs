//! Local listeners: bound before the session is sealed, served and announced after.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use tokio::net::{TcpListener, UdpSocket};

use super::{
    plan::{Place, Plan, Port},
    session::Session,
    socks, tcp, udp,
};
use crate::{
    client::{Exit, Failure, show::Terminal},
    machines::Proto,
    tasks::Scope,
};

/// Sockets that are bound and not served yet.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) listeners: Vec<Listener>,
}

/// One bound socket, and where it leads.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) addr: SocketAddr,
    socket: Socket,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener, Place),
    Udp(UdpSocket, Place),
    Socks(TcpListener),
}

impl Listener {
    /// `tcp`, `udp` or `socks5`.
    pub(super) fn proto(&self) -> &'static str {
        match &self.socket {
            Socket::Tcp(..) => "tcp",
            Socket::Udp(..) => "udp",
            Socket::Socks(_) => "socks5",
        }
    }

    /// The one target it leads to; `None` for SOCKS.
    pub(super) fn target(&self) -> Option<&str> {
        match &self.socket {
            Socket::Tcp(_, place) | Socket::Udp(_, place) => Some(place.target.as_str()),
            Socket::Socks(_) => None,
        }
    }
}

impl Listening {
    /// Binds everything, or nothing.
    pub(super) async fn bind(plans: Vec<Plan>, socks: Option<u16>) -> Result<Self, Failure> {
        let mut listeners = Vec::with_capacity(plans.len() + 1);
        for plan in plans {
            listeners.push(bound(plan).await?);
        }
        if let Some(port) = socks {
            let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let socket = TcpListener::bind(wanted).await.map_err(|e| taken(wanted, "tcp", &e))?;
            let addr = socket.local_addr().map_err(|e| taken(wanted, "tcp", &e))?;
            listeners.push(Listener { addr, socket: Socket::Socks(socket) });
        }
        Ok(Self { listeners })
    }

    /// Serves every listener in `scope`, until that is closed.
    pub(super) fn serve(self, session: &Arc<Session>, terminal: &Terminal, scope: &Scope) {
        for Listener { addr, socket } in self.listeners {
            terminal.detail(format_args!("serving {addr}"));
            let (session, inner) = (Arc::clone(session), scope.clone());
            match socket {
                Socket::Tcp(socket, place) => {
                    scope.spawn("tcp listener", tcp::serve(socket, place, session, inner));
                }
                Socket::Udp(socket, place) => {
                    scope.spawn("udp listener", udp::serve(socket, place, session, inner));
                }
                Socket::Socks(socket) => {
                    scope.spawn("socks listener", socks::serve(socket, session, inner));
                }
            }
        }
    }
}

async fn bound(plan: Plan) -> Result<Listener, Failure> {
    let Plan { bind, port, place } = plan;
    let (wanted, else_any) = match port {
        Port::Exactly(port) => (port, false),
        Port::Rather(port) => (port, true),
        Port::Any => (0, false),
    };
    let wanted = SocketAddr::from((bind, wanted));
    match open(wanted, &place).await {
        Ok(listener) => Ok(listener),
        // Taken, or a port that only an administrator may have.
        Err(_) if else_any => {
            let any = SocketAddr::from((bind, 0));
            open(any, &place).await.map_err(|e| taken(any, proto_of(&place), &e))
        }
        Err(error) => Err(taken(wanted, proto_of(&place), &error)),
    }
}

fn proto_of(place: &Place) -> &'static str {
    match place.destination.proto {
        Proto::Tcp => "tcp",
        Proto::Udp => "udp",
    }
}

async fn open(addr: SocketAddr, place: &Place) -> io::Result<Listener> {
    match place.destination.proto {
        Proto::Tcp => {
            let socket = TcpListener::bind(addr).await?;
            let addr = socket.local_addr()?;
            Ok(Listener { addr, socket: Socket::Tcp(socket, place.clone()) })
        }
        Proto::Udp => {
            let socket = UdpSocket::bind(addr).await?;
            let addr = socket.local_addr()?;
            Ok(Listener { addr, socket: Socket::Udp(socket, place.clone()) })
        }
    }
}

/// A local port that cannot be had.
fn taken(addr: SocketAddr, proto: &str, error: &io::Error) -> Failure {
    let port = addr.port();
    let what = format!("cannot listen on {addr} ({proto}): {error}");
    let hint = if error.kind() == io::ErrorKind::AddrInUse {
        let flag = if proto == "udp" { "-u" } else { "-t" };
        let look = format!("ss -lnp {flag} 'sport = :{port}'");
        format!("see who has it with `{look}`, or choose another port with -L")
    } else if error.kind() == io::ErrorKind::PermissionDenied {
        "ports below 1024 are an administrator's: choose a higher one with -L".to_owned()
    } else {
        "choose another address or port with -L".to_owned()
    };
    Failure::new(Exit::Other, what).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machines::Destination;

    fn plan(port: Port, proto: Proto) -> Plan {
        let destination = Destination { proto, host: "10.0.0.5".into(), port: 502 };
        let place = Place { target: "plc".parse().unwrap(), destination };
        Plan { bind: Ipv4Addr::LOCALHOST.into(), port, place }
    }

    #[tokio::test]
    async fn a_taken_port_is_an_error_where_it_was_asked_for_and_replaced_where_not() {
        let first = Listening::bind(vec![plan(Port::Any, Proto::Tcp)], None).await.unwrap();
        let port = first.listeners[0].addr.port();
        let failure =
            Listening::bind(vec![plan(Port::Exactly(port), Proto::Tcp)], None).await.unwrap_err();
        assert_eq!(failure.exit, Exit::Other);
        let line = failure.to_string();
        assert!(line.contains(&format!("sport = :{port}")) && line.contains("-L"), "{line}");
        let second =
            Listening::bind(vec![plan(Port::Rather(port), Proto::Tcp)], None).await.unwrap();
        assert_ne!(second.listeners[0].addr.port(), port);
        let socks = Listening::bind(Vec::new(), Some(port)).await.unwrap_err();
        assert_eq!(socks.exit, Exit::Other);
    }

    #[tokio::test]
    async fn udp_and_tcp_may_share_a_port_number() {
        let tcp = Listening::bind(vec![plan(Port::Any, Proto::Tcp)], Some(0)).await.unwrap();
        assert_eq!(
            tcp.listeners.iter().map(Listener::proto).collect::<Vec<_>>(),
            ["tcp", "socks5"]
        );
        let port = tcp.listeners[0].addr.port();
        let udp = Listening::bind(vec![plan(Port::Rather(port), Proto::Udp)], None).await.unwrap();
        assert_eq!((udp.listeners[0].addr.port(), udp.listeners[0].proto()), (port, "udp"));
    }
}
