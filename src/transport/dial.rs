//! Dialling out: what agents and technicians' programs do.
//!
//! ```text
//!   auto  TLS over TCP -- fails --> QUIC            behind a proxy: TCP through it alone
//!   tcp   TLS over TCP
//!   quic  QUIC -- fails --> TLS over TCP (through the proxy, if there is one)
//! ```

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use bytes::BytesMut;
use quinn::{EndpointConfig, TokioRuntime};
use rustls::pki_types::ServerName;
use tokio::{
    net::{TcpSocket, TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{
    Carrier, Closer, TlsStream,
    connection::{control_on_quic, control_on_tls},
    legs::LegDialer,
    proxy,
    quic::{client_config, fault, roomy},
    record::RecordIo,
    stream::Tls,
};
use crate::{
    secret::SecretText,
    tls::{Door, PeerTls, TlsFault},
    wire::{ControlReader, ControlWriter, EnrolReply, EnrolRequest, ReadError, SendError},
};

/// Until a name has addresses.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(3);
/// Until TCP, the proxy and TLS are through, all addresses together.
const TCP_TIMEOUT: Duration = Duration::from_secs(4);
/// Until one of several addresses answers; the next is tried then.
const ONE_ADDRESS_TIMEOUT: Duration = Duration::from_millis(1_500);
/// Until QUIC is through; UDP that is blocked is silent.
const QUIC_TIMEOUT: Duration = Duration::from_secs(3);
/// Until an enrolment is answered.
const ENROL_TIMEOUT: Duration = Duration::from_secs(15);
/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;

/// Which carrier a peer takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CarrierChoice {
    /// TLS over TCP; QUIC when TCP fails and no proxy is set.
    #[default]
    Auto,
    /// TLS over TCP only.
    Tcp,
    /// QUIC; TLS over TCP when UDP is blocked.
    Quic,
}

/// An HTTP proxy that opens TCP connections by CONNECT (RFC 9110 section 9.3.6).
#[derive(Clone, Debug)]
pub struct HttpProxy {
    pub host: String,
    pub port: u16,
    /// User and password for Basic authentication.
    pub basic: Option<(String, SecretText)>,
}

impl fmt::Display for HttpProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&authority(&self.host, self.port))
    }
}

/// Where to dial and how.
#[derive(Clone, Debug)]
pub struct DialOptions {
    /// DNS name or address of the gateway; its certificate must name it.
    pub host: String,
    pub port: u16,
    pub carrier: CarrierChoice,
    /// For TCP; QUIC does not go through a proxy.
    pub proxy: Option<HttpProxy>,
    /// The local address to dial from; any, if none.
    pub bind: Option<IpAddr>,
}

/// A gateway that was not reached.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    #[error("the name `{host}` has no address: check the name and the DNS")]
    Resolve { host: String, source: io::Error },
    #[error("cannot reach {address} over {carrier}")]
    Connect { address: String, carrier: Carrier, source: io::Error },
    #[error("{address} does not answer over {carrier} in time")]
    Timeout { address: String, carrier: Carrier },
    #[error("cannot reach the proxy {proxy}")]
    ProxyConnect { proxy: String, source: io::Error },
    #[error("the proxy {proxy} refused: {status} {reason}")]
    ProxyRefused { proxy: String, status: u16, reason: String },
    #[error("the proxy {proxy} answered what is no HTTP")]
    ProxyMalformed { proxy: String },
    #[error("no secure connection to {address}")]
    Tls {
        address: String,
        #[source]
        fault: TlsFault,
    },
    #[error("there is no certificate to show: enrol or log in first")]
    NoIdentity,
    #[error("`{0}` is neither a DNS name nor an address")]
    Name(String),
    #[error("neither carrier reaches the gateway: {tcp}; {quic}")]
    Neither { tcp: Box<DialError>, quic: Box<DialError> },
}

/// An enrolment that got no answer. A refusal is an answer.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("the request cannot be sent")]
    Send(#[source] SendError),
    #[error("no answer to the request")]
    Read(#[source] ReadError),
    #[error("the gateway does not answer the request in time")]
    Timeout,
    #[error("the gateway ended the connection without an answer")]
    Ended,
}

/// Dials one gateway. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Dialer {
    options: Arc<DialOptions>,
    tls: PeerTls,
}

/// A connection to a gateway. `Hello` is the caller's to say.
#[derive(Debug)]
pub struct Dialled {
    pub reader: ControlReader,
    pub writer: ControlWriter,
    pub closer: Closer,
    pub legs: LegDialer,
    pub carrier: Carrier,
}

impl Dialer {
    /// Dials as `options` say.
    #[must_use]
    pub fn new(options: DialOptions, tls: PeerTls) -> Self {
        Self { options: Arc::new(options), tls }
    }

    /// Connects over the first carrier that works.
    ///
    /// # Errors
    ///
    /// [`DialError`]. In TLS 1.3 a certificate of ours that the gateway refuses shows only in the
    /// first read of the control stream, with a [`TlsFault`] inside.
    pub async fn connect(&self) -> Result<Dialled, DialError> {
        match (self.options.carrier, &self.options.proxy) {
            (CarrierChoice::Tcp, _) | (CarrierChoice::Auto, Some(_)) => self.by_tcp().await,
            (CarrierChoice::Auto, None) => match self.by_tcp().await {
                Err(tcp) if tcp.leaves_hope() => {
                    self.by_quic().await.map_err(|quic| DialError::both(tcp, quic))
                }
                done => done,
            },
            (CarrierChoice::Quic, _) => match self.by_quic().await {
                Err(quic) if quic.leaves_hope() => {
                    self.by_tcp().await.map_err(|tcp| DialError::both(tcp, quic))
                }
                done => done,
            },
        }
    }

    async fn by_tcp(&self) -> Result<Dialled, DialError> {
        let (tls, remote) = self.tls_over_tcp(Door::Peer).await?;
        let io = tls.get_ref().0;
        io.expect_acknowledgement().map_err(|source| self.failed(Carrier::Tcp, source))?;
        let closer = io.closer();
        let stream = TlsStream::new(tls, remote, None);
        let (reader, writer, closer) = control_on_tls(stream, BytesMut::new(), closer);
        let legs = LegDialer::tcp(self.clone());
        Ok(Dialled { reader, writer, closer, legs, carrier: Carrier::Tcp })
    }

    async fn by_quic(&self) -> Result<Dialled, DialError> {
        let config = client_config(&self.tls).ok_or(DialError::NoIdentity)?;
        let addresses = self.resolve(&self.options.host, self.options.port).await?;
        let patience = patience(addresses.len(), QUIC_TIMEOUT);
        let mut last = self.silent(Carrier::Quic);
        for address in addresses {
            match timeout(patience, self.quic_to(address, &config)).await {
                Ok(Err(error)) if !error.leaves_hope() => return Err(error),
                Ok(Err(error)) => last = error,
                Ok(Ok(dialled)) => return Ok(dialled),
                Err(_) => last = self.silent(Carrier::Quic),
            }
        }
        Err(last)
    }

    async fn quic_to(
        &self,
        address: SocketAddr,
        config: &quinn::ClientConfig,
    ) -> Result<Dialled, DialError> {
        let any: IpAddr = match address {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let failed = |source| self.failed(Carrier::Quic, source);
        let local = SocketAddr::new(self.options.bind.unwrap_or(any), 0);
        let socket = UdpSocket::bind(local).map(roomy).map_err(failed)?;
        let runtime = Arc::new(TokioRuntime);
        let endpoint = quinn::Endpoint::new(EndpointConfig::default(), None, socket, runtime)
            .map_err(failed)?;
        let connecting = endpoint
            .connect_with(config.clone(), address, &self.options.host)
            .map_err(|error| failed(io::Error::other(error)))?;
        let quic = connecting.await.map_err(|error| match fault(&error) {
            Some(fault) => DialError::Tls { address: self.address(), fault },
            None => failed(error.into()),
        })?;
        let (send, recv) = quic.open_bi().await.map_err(|error| failed(error.into()))?;
        let (reader, writer, closer) = control_on_quic(&quic, send, recv, BytesMut::new());
        let legs = LegDialer::quic(quic);
        Ok(Dialled { reader, writer, closer, legs, carrier: Carrier::Quic })
    }

    /// A stream to the gateway's HTTP door (`http/1.1`); needs no identity. Always TCP.
    ///
    /// # Errors
    ///
    /// [`DialError`].
    pub async fn http(&self) -> Result<TlsStream, DialError> {
        let (tls, remote) = self.tls_over_tcp(Door::Http).await?;
        Ok(TlsStream::new(tls, remote, None))
    }

    /// Asks for the first certificate; needs no identity. Always TCP.
    ///
    /// # Errors
    ///
    /// [`EnrolError`].
    pub async fn enrol(&self, request: &EnrolRequest) -> Result<EnrolReply, EnrolError> {
        let (tls, remote) = self.tls_over_tcp(Door::Enrol).await?;
        let (read, write) = tokio::io::split(TlsStream::new(tls, remote, None));
        ControlWriter::new(write).send(request).await.map_err(EnrolError::Send)?;
        let mut reader = ControlReader::new(read);
        let answer = timeout(ENROL_TIMEOUT, reader.next()).await;
        let answer = answer.map_err(|_| EnrolError::Timeout)?.map_err(EnrolError::Read)?;
        answer.ok_or(EnrolError::Ended)
    }

    /// TCP, the proxy if there is one, and TLS for a door.
    pub(super) async fn tls_over_tcp(&self, door: Door) -> Result<(Tls, SocketAddr), DialError> {
        let done = timeout(TCP_TIMEOUT, self.tls_over_tcp_patiently(door)).await;
        done.map_err(|_| self.silent(Carrier::Tcp))?
    }

    async fn tls_over_tcp_patiently(&self, door: Door) -> Result<(Tls, SocketAddr), DialError> {
        let config = self.tls.config(door).ok_or(DialError::NoIdentity)?;
        let host = self.options.host.clone();
        let name = ServerName::try_from(host)
            .map_err(|e| DialError::Name(format!("{}: {e}", self.options.host)))?;
        let (tcp, remote) = self.tcp_patiently().await?;
        let failed = |source: io::Error| match TlsFault::of(&source) {
            Some(fault) => DialError::Tls { address: self.address(), fault },
            None => self.failed(Carrier::Tcp, source),
        };
        let io = RecordIo::new(tcp, None).map_err(failed)?;
        let mut tls = TlsConnector::from(config).connect(name, io).await.map_err(failed)?;
        if door != Door::Peer {
            tls.get_mut().0.stay();
        }
        Ok((Tls::Client(tls), remote))
    }

    /// TCP and the proxy if there is one.
    pub(super) async fn tcp(&self) -> Result<TcpStream, DialError> {
        let done = timeout(TCP_TIMEOUT, self.tcp_patiently()).await;
        done.map_err(|_| self.silent(Carrier::Tcp))?.map(|(tcp, _)| tcp)
    }

    async fn tcp_patiently(&self) -> Result<(TcpStream, SocketAddr), DialError> {
        let Some(proxy) = &self.options.proxy else {
            let addresses = self.resolve(&self.options.host, self.options.port).await?;
            let reached = self.first_of(addresses).await;
            return reached.map_err(|source| self.failed(Carrier::Tcp, source));
        };
        let addresses = self.resolve(&proxy.host, proxy.port).await?;
        let reached = self.first_of(addresses).await;
        let (mut tcp, remote) = reached
            .map_err(|source| DialError::ProxyConnect { proxy: proxy.to_string(), source })?;
        proxy::connect(&mut tcp, proxy, &self.address()).await?;
        Ok((tcp, remote))
    }

    /// The first address that answers, in the order that the resolver gave.
    async fn first_of(&self, addresses: Vec<SocketAddr>) -> io::Result<(TcpStream, SocketAddr)> {
        let patience = patience(addresses.len(), TCP_TIMEOUT);
        let mut last = io::Error::from(io::ErrorKind::TimedOut);
        for address in addresses {
            match timeout(patience, self.tcp_to(address)).await {
                Ok(Ok(tcp)) => return Ok((tcp, address)),
                Ok(Err(error)) => last = error,
                Err(_) => last = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(last)
    }

    async fn tcp_to(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        if let Some(local) = self.options.bind {
            socket.bind(SocketAddr::new(local, 0))?;
        }
        socket.connect(address).await
    }

    async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, DialError> {
        let failed = |source| DialError::Resolve { host: host.to_owned(), source };
        let found = timeout(RESOLVE_TIMEOUT, lookup_host((host, port))).await;
        let found = found.map_err(|_| failed(io::ErrorKind::TimedOut.into()))?.map_err(failed)?;
        let fits = |a: &SocketAddr| self.options.bind.is_none_or(|b| b.is_ipv4() == a.is_ipv4());
        let addresses: Vec<_> = found.filter(fits).take(ADDRESSES_MAX).collect();
        if addresses.is_empty() {
            return Err(failed(io::ErrorKind::NotFound.into()));
        }
        Ok(addresses)
    }

    fn address(&self) -> String {
        authority(&self.options.host, self.options.port)
    }

    fn failed(&self, carrier: Carrier, source: io::Error) -> DialError {
        DialError::Connect { address: self.address(), carrier, source }
    }

    fn silent(&self, carrier: Carrier) -> DialError {
        DialError::Timeout { address: self.address(), carrier }
    }
}

impl DialError {
    /// Whether another carrier may fare better.
    fn leaves_hope(&self) -> bool {
        match self {
            Self::Connect { .. }
            | Self::Timeout { .. }
            | Self::ProxyConnect { .. }
            | Self::ProxyRefused { .. }
            | Self::ProxyMalformed { .. }
            | Self::Tls { .. } => true,
            Self::Resolve { .. } | Self::NoIdentity | Self::Name(_) | Self::Neither { .. } => false,
        }
    }

    /// What two failures mean together: a gateway that answers and is not believed is named alone.
    fn both(tcp: Self, quic: Self) -> Self {
        match (tcp, quic) {
            (tls @ Self::Tls { .. }, _) | (_, tls @ Self::Tls { .. }) => tls,
            (tcp, quic) => Self::Neither { tcp: Box::new(tcp), quic: Box::new(quic) },
        }
    }
}

/// One address has all the time there is; of several, each has a little.
fn patience(addresses: usize, all: Duration) -> Duration {
    if addresses > 1 { ONE_ADDRESS_TIMEOUT } else { all }
}

fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}
