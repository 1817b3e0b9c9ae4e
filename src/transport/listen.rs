//! The one port, in TCP and UDP.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use quinn::{Endpoint, EndpointConfig, TokioRuntime};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::mpsc,
};
use tracing::debug;

use super::{
    Connection, Limits, PendingEnrolment, PendingLeg, TlsStream,
    admission::Admission,
    arrive_quic, arrive_tcp,
    limits::ARRIVALS_QUEUED,
    quic::{OVER, roomy, server_config},
};
use crate::{clock::Now, tasks::Scope, tls::GatewayTls};

/// Connections that the kernel holds for the accept loop; more are not answered.
const BACKLOG: u32 = 1_024;
/// Ports that are tried when any will do, until one is free in TCP and UDP.
const ANY_PORT_TRIES: usize = 16;
/// How long the accept loop rests when the system has no more file descriptors.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// Where to listen.
#[derive(Clone, Debug)]
pub struct ListenOptions {
    /// Port 0 takes any port that is free in TCP and UDP.
    pub listen: SocketAddr,
    pub limits: Limits,
}

/// A port that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("{protocol} port {address} is in use: stop the other program or choose another port")]
    InUse { protocol: &'static str, address: SocketAddr },
    #[error("cannot listen on {protocol} {address}")]
    Io { protocol: &'static str, address: SocketAddr, source: io::Error },
    #[error("QUIC cannot be set up: {0}")]
    Quic(String),
}

/// The open port; nobody is let in before [`Listener::run`].
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    quic: Endpoint,
    address: SocketAddr,
    tls: GatewayTls,
    admission: Arc<Admission>,
}

/// Who came. Each queue is bounded; while one is full, its arrivals wait until their deadline and
/// are dropped then.
#[derive(Debug)]
pub struct Arrivals {
    pub peers: mpsc::Receiver<PeerArrival>,
    pub http: mpsc::Receiver<TlsStream>,
}

/// One arrival at the peers' door.
#[derive(Debug)]
pub enum PeerArrival {
    Control(Connection),
    Leg(PendingLeg),
    Enrol(PendingEnrolment),
}

/// What every arrival needs.
#[derive(Clone, Debug)]
pub(super) struct Hall {
    pub(super) tls: GatewayTls,
    pub(super) admission: Arc<Admission>,
    pub(super) peers: mpsc::Sender<PeerArrival>,
    pub(super) http: mpsc::Sender<TlsStream>,
    pub(super) scope: Scope,
}

impl Listener {
    /// Opens the TCP and the UDP port. To be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`BindError`], naming the port.
    pub fn bind(options: &ListenOptions, tls: &GatewayTls) -> Result<Self, BindError> {
        let config = server_config(tls).map_err(|e| BindError::Quic(e.to_string()))?;
        let (tcp, udp, address) = sockets(options.listen)?;
        let quic = Endpoint::new(
            EndpointConfig::default(),
            Some(config),
            roomy(udp),
            Arc::new(TokioRuntime),
        )
        .map_err(|source| BindError::Io { protocol: "UDP", address, source })?;
        let admission = Admission::new(options.limits.clone());
        Ok(Self { tcp, quic, address, tls: tls.clone(), admission })
    }

    /// The port that is open, the same in TCP and UDP.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Lets peers in, in tasks of `scope`, until the scope is asked to stop.
    #[must_use]
    pub fn run(self, scope: &Scope) -> Arrivals {
        let (peers, peer_arrivals) = mpsc::channel(ARRIVALS_QUEUED);
        let (http, http_arrivals) = mpsc::channel(ARRIVALS_QUEUED);
        let Self { tcp, quic, tls, admission, .. } = self;
        let hall = Hall { tls, admission, peers, http, scope: scope.clone() };
        scope.spawn("accept tcp", accept_tcp(hall.clone(), tcp));
        scope.spawn("accept quic", accept_quic(hall, quic));
        Arrivals { peers: peer_arrivals, http: http_arrivals }
    }
}

/// Both sockets on one port number.
fn sockets(listen: SocketAddr) -> Result<(TcpListener, UdpSocket, SocketAddr), BindError> {
    let mut tries = if listen.port() == 0 { ANY_PORT_TRIES } else { 1 };
    loop {
        let (tcp, address) = tcp_socket(listen).map_err(|e| bind_error("TCP", listen, e))?;
        tries = tries.saturating_sub(1);
        match UdpSocket::bind(address) {
            Ok(udp) => return Ok((tcp, udp, address)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries > 0 => {}
            Err(error) => return Err(bind_error("UDP", address, error)),
        }
    }
}

fn tcp_socket(listen: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = if listen.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(listen)?;
    let listener = socket.listen(BACKLOG)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

fn bind_error(protocol: &'static str, address: SocketAddr, source: io::Error) -> BindError {
    if source.kind() == io::ErrorKind::AddrInUse {
        BindError::InUse { protocol, address }
    } else {
        BindError::Io { protocol, address, source }
    }
}

async fn accept_tcp(hall: Hall, listener: TcpListener) {
    let stop = hall.scope.stop();
    loop {
        let accepted = tokio::select! {
            biased;
            // Cancel-safe: only observes.
            () = stop.asked() => return,
            // Cancel-safe: a connection that was not returned stays in the kernel's queue.
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((tcp, remote)) => meet_tcp(&hall, tcp, remote),
            Err(error) => {
                debug!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
}

/// A permit, then a task; the handshake is the task's.
fn meet_tcp(hall: &Hall, tcp: TcpStream, remote: SocketAddr) {
    let Some(permit) = hall.admission.handshake(remote.ip(), Now::read().mono) else {
        debug!(%remote, "turned away: too many connections");
        return;
    };
    let task = arrive_tcp::let_in(hall.clone(), tcp, remote, permit);
    hall.scope.spawn("tcp arrival", task);
}

async fn accept_quic(hall: Hall, endpoint: Endpoint) {
    let stop = hall.scope.stop();
    loop {
        let incoming = tokio::select! {
            biased;
            // Cancel-safe: only observes.
            () = stop.asked() => None,
            // Cancel-safe: what was not returned stays in the endpoint.
            incoming = endpoint.accept() => incoming,
        };
        let Some(incoming) = incoming else { break };
        meet_quic(&hall, incoming);
    }
    // New peers are refused; those that stand are closed by their owners.
    endpoint.set_server_config(None);
}

fn meet_quic(hall: &Hall, incoming: quinn::Incoming) {
    let remote = incoming.remote_address();
    if hall.admission.is_busy() && !incoming.remote_address_validated() {
        // Fails only where it was retried before.
        let _ = incoming.retry();
        return;
    }
    let Some(permit) = hall.admission.handshake(remote.ip(), Now::read().mono) else {
        debug!(%remote, "turned away: too many connections");
        incoming.refuse();
        return;
    };
    let task = arrive_quic::let_in(hall.clone(), incoming, permit);
    hall.scope.spawn("quic arrival", task);
}

/// Ends a connection that did not behave.
pub(super) fn dismiss(connection: &quinn::Connection) {
    connection.close(OVER, b"");
}
