//! A gateway's port with a simple owner, and devices that dial it.

use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
};

use crate::{
    clock::Now,
    ids::{KeyDigest, PeerId},
    relay::Leg,
    tasks::Scope,
    tls::{Ca, CertificateRequest, GatewayTls, Identity, NewKey, PeerTls, Trust},
    token::JoinToken,
    transport::{
        Arrivals, CarrierChoice, Closer, Connection, DialOptions, Dialer, Dialled, Limits,
        ListenOptions, Listener, Peer, PeerArrival, PendingEnrolment, PendingLeg, TlsStream,
    },
    wire::{
        AgentSays, EnrolReply, EnrolRequest, Enrolled, GatewayTellsAgent, JoinRefusal, PROTOCOL,
    },
};

/// Everything here is quick; only a hang takes longer.
const PATIENCE: Duration = Duration::from_secs(30);
const LIFE: Duration = Duration::from_secs(3_600);

pub(super) async fn within<F: Future>(work: F) -> F::Output {
    tokio::time::timeout(PATIENCE, work).await.expect("in time")
}

/// What the gateway does with a leg.
#[derive(Clone, Copy, Debug)]
pub(super) enum Behaviour {
    Echo,
    /// Writes so many bytes behind `Joined`, and ends.
    Source(usize),
    Refuse(JoinRefusal),
    /// Writes a little and drops the leg.
    Abandon,
}

pub(super) struct World {
    pub(super) ca: Ca,
    pub(super) address: SocketAddr,
    pub(super) scope: Scope,
    pub(super) met: mpsc::Receiver<Peer>,
    pub(super) closers: mpsc::Receiver<Closer>,
    /// One for each control connection that ended.
    pub(super) gone: mpsc::Receiver<()>,
    pub(super) http: mpsc::Receiver<TlsStream>,
    pub(super) last_key: Option<KeyDigest>,
    pub(super) new_key: NewKey,
    count: Arc<AtomicUsize>,
}

/// The owner of the port: answers pings, treats legs as told.
#[derive(Clone)]
struct Owner {
    behaviour: Behaviour,
    scope: Scope,
    met: mpsc::Sender<Peer>,
    closers: mpsc::Sender<Closer>,
    gone: mpsc::Sender<()>,
    ca: Arc<Ca>,
    count: Arc<AtomicUsize>,
}

impl World {
    pub(super) async fn start(behaviour: Behaviour) -> Self {
        Self::start_with(behaviour, Limits::default()).await
    }

    pub(super) async fn start_with(behaviour: Behaviour, limits: Limits) -> Self {
        let now = Now::read().wall;
        let ca = Ca::fresh("test CA", now).unwrap();
        let server = ca.server(&["127.0.0.1".into(), "localhost".into()], now).unwrap();
        Self::with_server(behaviour, limits, ca, &server).await
    }

    #[expect(clippy::unused_async, reason = "binding needs a runtime, and this shows it")]
    pub(super) async fn with_server(
        behaviour: Behaviour,
        limits: Limits,
        ca: Ca,
        server: &Identity,
    ) -> Self {
        let tls = GatewayTls::new(server, &Trust::from_pem(ca.certificate()).unwrap()).unwrap();
        let options = ListenOptions { listen: "127.0.0.1:0".parse().unwrap(), limits };
        let listener = Listener::bind(&options, &tls).unwrap();
        let address = listener.local_addr();
        let scope = Scope::new("test gateway");
        let Arrivals { peers, http } = listener.run(&scope);
        let (met, met_rx) = mpsc::channel(512);
        let (closers, closers_rx) = mpsc::channel(512);
        let (gone, gone_rx) = mpsc::channel(512);
        let count = Arc::new(AtomicUsize::new(0));
        let new_key = NewKey::generate().unwrap();
        let signer = Arc::new(Ca::fresh("enrolment", Now::read().wall).unwrap());
        let owner = Owner {
            behaviour,
            scope: scope.clone(),
            met,
            closers,
            gone,
            ca: signer,
            count: Arc::clone(&count),
        };
        scope.spawn("owner", owner.own(peers));
        Self {
            ca,
            address,
            scope,
            met: met_rx,
            closers: closers_rx,
            gone: gone_rx,
            http,
            last_key: None,
            new_key,
            count,
        }
    }

    /// How many connections and legs the gateway has met.
    pub(super) fn dialled(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    pub(super) fn identity(&self, id: &str) -> Identity {
        let peer = PeerId::Device(id.parse().unwrap());
        self.ca.identity(&peer, LIFE, Now::read().wall).unwrap()
    }

    pub(super) fn options(&self, carrier: CarrierChoice) -> DialOptions {
        DialOptions {
            host: "127.0.0.1".into(),
            port: self.address.port(),
            carrier,
            proxy: None,
            bind: None,
        }
    }

    pub(super) fn peer_tls(&self, identity: Option<&Identity>) -> PeerTls {
        PeerTls::new(&Trust::from_pem(self.ca.certificate()).unwrap(), identity).unwrap()
    }

    pub(super) fn dialer(&self, id: &str, carrier: CarrierChoice) -> Dialer {
        Dialer::new(self.options(carrier), self.peer_tls(Some(&self.identity(id))))
    }

    pub(super) async fn device(&mut self, id: &str, carrier: CarrierChoice) -> Dialled {
        let identity = self.identity(id);
        self.last_key = Some(identity.digest());
        let dialer = Dialer::new(self.options(carrier), self.peer_tls(Some(&identity)));
        within(dialer.connect()).await.unwrap()
    }

    /// A device whose first message was answered.
    pub(super) async fn greeted(&self, id: &str, carrier: CarrierChoice) -> Dialled {
        let mut dialled = within(self.dialer(id, carrier).connect()).await.unwrap();
        greet(&mut dialled).await;
        dialled
    }
}

pub(super) async fn greet(dialled: &mut Dialled) {
    dialled.writer.send(&AgentSays::Ping { n: 0 }).await.unwrap();
    let pong = within(dialled.reader.next()).await.unwrap();
    assert_eq!(pong, Some(GatewayTellsAgent::Pong { n: 0 }));
}

impl Owner {
    async fn own(self, mut peers: mpsc::Receiver<PeerArrival>) {
        while let Some(arrival) = peers.recv().await {
            self.count.fetch_add(1, Ordering::SeqCst);
            let owner = self.clone();
            match arrival {
                PeerArrival::Control(c) => self.scope.spawn("control", owner.control(c)),
                PeerArrival::Leg(leg) => self.scope.spawn("leg", owner.leg(leg)),
                PeerArrival::Enrol(enrol) => self.scope.spawn("enrol", owner.enrol(enrol)),
            }
        }
    }

    async fn control(self, connection: Connection) {
        let Connection { peer, mut reader, mut writer, closer } = connection;
        let _ = self.met.try_send(peer);
        let _ = self.closers.try_send(closer);
        while let Ok(Some(AgentSays::Ping { n })) = reader.next().await {
            if writer.send(&GatewayTellsAgent::Pong { n }).await.is_err() {
                break;
            }
        }
        let _ = self.gone.try_send(());
    }

    async fn leg(self, pending: PendingLeg) {
        if let Behaviour::Refuse(code) = self.behaviour {
            return pending.refuse(code).await;
        }
        let Ok(leg) = pending.accept().await else { return };
        match leg {
            Leg::Tcp(tcp) => behave(tcp, self.behaviour).await,
            Leg::Stream(stream) => behave(stream, self.behaviour).await,
        }
    }

    async fn enrol(self, enrol: PendingEnrolment) {
        let request = CertificateRequest::from_pem(&enrol.request.csr).unwrap();
        let peer = PeerId::Device("new-1".parse().unwrap());
        let now = Now::read().wall;
        let issued = self.ca.issue(&request, &peer, LIFE, now).unwrap();
        let papers = Enrolled {
            device: "new-1".parse().unwrap(),
            gateway: "gw-1".parse().unwrap(),
            certificate: issued.certificate,
            ca: self.ca.certificate().to_owned(),
            warrant_key: String::new(),
            wall: now,
        };
        enrol.reply(&EnrolReply::Enrolled(papers)).await.unwrap();
    }
}

async fn behave<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(
    mut stream: S,
    behaviour: Behaviour,
) {
    match behaviour {
        Behaviour::Echo => {
            let (mut read, mut write) = tokio::io::split(stream);
            let _ = tokio::io::copy(&mut read, &mut write).await;
            let _ = write.shutdown().await;
            // Until the other side has read it all and left.
            let _ = read.read(&mut [0]).await;
        }
        Behaviour::Source(bytes) => {
            stream.write_all(&pattern(bytes)).await.unwrap();
            stream.shutdown().await.unwrap();
            let _ = stream.read(&mut [0]).await;
        }
        Behaviour::Abandon => {
            let _ = stream.write_all(b"some").await;
            let _ = stream.read(&mut [0]).await;
        }
        Behaviour::Refuse(_) => {}
    }
}

/// Sends `data`, ends, and returns all that came back.
pub(super) async fn copy_through(leg: Leg, data: &[u8]) -> Vec<u8> {
    match leg {
        Leg::Tcp(tcp) => through(tcp, data).await,
        Leg::Stream(stream) => through(stream, data).await,
    }
}

async fn through<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(
    stream: S,
    data: &[u8],
) -> Vec<u8> {
    let (mut read, mut write) = tokio::io::split(stream);
    let mut back = Vec::new();
    let (sent, got) = tokio::join!(
        async {
            write.write_all(data).await?;
            write.shutdown().await
        },
        read.read_to_end(&mut back)
    );
    sent.unwrap();
    got.unwrap();
    back
}

/// Bytes that differ wherever one looks.
pub(super) fn pattern(bytes: usize) -> Vec<u8> {
    let mut state = 1_u32;
    (0..bytes)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        })
        .collect()
}

pub(super) fn token(n: u8) -> JoinToken {
    JoinToken::new([n; 32])
}

pub(super) fn enrol_request(key: &NewKey) -> EnrolRequest {
    EnrolRequest {
        protocol: PROTOCOL,
        token: "AAAA".into(),
        csr: key.request_pem().unwrap(),
        build: "test".into(),
        wall: Now::read().wall,
    }
}
