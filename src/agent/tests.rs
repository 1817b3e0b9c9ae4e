//! A whole agent against a real port, whose owner says what a gateway would say.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
};

use super::{
    CeilingShown, EnrolError, Enrolment, Link, Options, StatusError, SwitchShown, ceiling::Ceiling,
    enrol, run, status,
};
use crate::{
    audit::{EndCause, OfferFault},
    clock::{Now, Wall},
    ids::{ChannelNo, DeviceId, PeerId, SessionId},
    machines::{Destination, Hosts, Mode, Ports, Proto, Target},
    relay::{Meter, Pools},
    seal::{self, Pin, SessionKeys},
    secret::{Secret, SecretText},
    tasks::Scope,
    tls::{Ca, CertificateRequest, GatewayTls, Identity, Trust},
    token::JoinToken,
    transport::{Arrivals, Connection, Limits, ListenOptions, Listener, PeerArrival, PendingLeg},
    warrant::{Warrant, WarrantKey},
    wire::{AgentSays, EnrolReply, Enrolled, GatewayTellsAgent, Hello, PROTOCOL, Welcome},
};

/// Everything here is quick; only a hang takes longer.
const PATIENCE: Duration = Duration::from_secs(20);
const LIFE: Duration = Duration::from_secs(30 * 24 * 3_600);
const TOKEN: &str = "one-time";
const SPENT: &str = "this enrolment token was used; ask an administrator for a new one";

async fn within<F: Future>(work: F) -> F::Output {
    tokio::time::timeout(PATIENCE, work).await.expect("in time")
}

/// A gateway's port, its keys, a technician, and an agent's directory.
struct World {
    ca: Ca,
    server: Identity,
    warrants: WarrantKey,
    technician: Identity,
    listening: Scope,
    arrivals: Arrivals,
    address: SocketAddr,
    agent: Scope,
    dir: tempfile::TempDir,
    heartbeat: Duration,
}

/// An agent's connection, as its gateway sees it.
struct Talk {
    connection: Connection,
    hello: Hello,
}

fn device() -> DeviceId {
    "press-7".parse().unwrap()
}

fn session() -> SessionId {
    "s1".parse().unwrap()
}

impl World {
    fn new() -> Self {
        let now = Now::read().wall;
        let ca = Ca::fresh("test", now).unwrap();
        let server = ca.server(&["127.0.0.1".to_owned()], now).unwrap();
        let technician = ca.identity(&PeerId::Person("ana".parse().unwrap()), LIFE, now).unwrap();
        let (listening, arrivals, address) =
            listen(&ca, &server, SocketAddr::from(([127, 0, 0, 1], 0)));
        Self {
            warrants: WarrantKey::from_seed(&Secret::new([1; 32])).unwrap(),
            ca,
            server,
            technician,
            listening,
            arrivals,
            address,
            agent: Scope::new("test agent"),
            dir: tempfile::tempdir().unwrap(),
            heartbeat: Duration::from_secs(5),
        }
    }

    /// With an agent that is enrolled.
    async fn enrolled() -> Self {
        let mut world = Self::new();
        let enrolment = world.enrolment(TOKEN);
        let (enrolled, ()) =
            within(async { tokio::join!(enrol(&enrolment), world.answer()) }).await;
        enrolled.unwrap();
        world
    }

    fn options(&self) -> Options {
        Options::new(self.dir.path().to_owned())
    }

    fn enrolment(&self, token: &str) -> Enrolment {
        Enrolment {
            options: self.options(),
            gateway: format!("https://{}", self.address).parse().unwrap(),
            token: SecretText::new(token.to_owned()),
            ca: Trust::from_pem(self.ca.certificate()).unwrap(),
            replace: false,
        }
    }

    /// Answers one enrolment, as a gateway that knows one token.
    async fn answer(&mut self) {
        let Some(PeerArrival::Enrol(pending)) = self.arrivals.peers.recv().await else {
            panic!("no enrolment came")
        };
        let refused = |code: &str| EnrolReply::Refused { code: code.into(), detail: SPENT.into() };
        let reply = if pending.request.token == TOKEN {
            let request = CertificateRequest::from_pem(&pending.request.csr).unwrap();
            let peer = PeerId::Device(device());
            let issued = self.ca.issue(&request, &peer, LIFE, Now::read().wall).unwrap();
            EnrolReply::Enrolled(Enrolled {
                device: device(),
                gateway: "gw".parse().unwrap(),
                certificate: issued.certificate,
                ca: self.ca.certificate().to_owned(),
                warrant_key: URL_SAFE_NO_PAD.encode(self.warrants.verifier().bytes()),
                wall: Now::read().wall,
            })
        } else {
            refused("token")
        };
        pending.reply(&reply).await.unwrap();
    }

    fn start(&self, options: Options) {
        let scope = self.agent.clone();
        self.agent.spawn("agent", async move { run(options, &scope).await.unwrap() });
    }

    /// Welcomes the agent that comes next.
    async fn welcome(&mut self) -> Talk {
        let mut connection = loop {
            match within(self.arrivals.peers.recv()).await.unwrap() {
                PeerArrival::Control(connection) => break connection,
                PeerArrival::Leg(_) | PeerArrival::Enrol(_) => {}
            }
        };
        let Some(AgentSays::Hello(hello)) = within(connection.reader.next()).await.unwrap() else {
            panic!("no hello")
        };
        let welcome = GatewayTellsAgent::Welcome(Welcome {
            protocol: PROTOCOL,
            build: "test".into(),
            wall: Now::read().wall,
            heartbeat_ms: u32::try_from(self.heartbeat.as_millis()).unwrap(),
        });
        connection.writer.send(&welcome).await.unwrap();
        Talk { connection, hello }
    }

    async fn leg(&mut self) -> PendingLeg {
        match within(self.arrivals.peers.recv()).await {
            Some(PeerArrival::Leg(leg)) => leg,
            other => panic!("no leg, but {other:?}"),
        }
    }

    fn warrant(&self, talk: &Talk) -> Warrant {
        let now = Now::read().wall;
        let any = |name: &str, proto| Target {
            name: name.parse().unwrap(),
            proto,
            hosts: Hosts::Block("127.0.0.0/8".parse().unwrap()),
            ports: Ports { first: 1, last: u16::MAX },
        };
        Warrant {
            session: session(),
            device: device(),
            nonce: talk.hello.nonce.clone(),
            person: "ana".parse().unwrap(),
            person_name: "Ana".into(),
            tenant_name: "Builder".into(),
            case: Some("case-7".parse().unwrap()),
            asset: "press-7".parse().unwrap(),
            tunnel: "cell".parse().unwrap(),
            mode: Mode::Any,
            targets: vec![any("plc", Proto::Tcp), any("echo", Proto::Udp)],
            technician_key: self.technician.digest(),
            issued: now,
            until: now.plus(Duration::from_secs(600)),
        }
    }

    async fn offer(
        &self,
        talk: &mut Talk,
        warrant: &Warrant,
        channel: u32,
        destination: Option<Destination>,
    ) -> JoinToken {
        let token = JoinToken::fresh().unwrap();
        let offer = GatewayTellsAgent::Offer {
            session: warrant.session.clone(),
            channel: ChannelNo(channel),
            warrant: self.warrants.sign(warrant).unwrap(),
            target: destination.as_ref().map(|_| "plc".parse().unwrap()),
            destination,
            token: URL_SAFE_NO_PAD.encode(token.expose()),
        };
        talk.connection.writer.send(&offer).await.unwrap();
        token
    }

    /// Opens the session and does the technician's part of the handshake.
    async fn open(&mut self, talk: &mut Talk) -> SessionKeys {
        let warrant = self.warrant(talk);
        let token = self.offer(talk, &warrant, 0, None).await;
        let pending = self.leg().await;
        assert_eq!(pending.token, token);
        let leg = pending.accept().await.unwrap();
        let pin = Pin { peer: PeerId::Device(device()), key: talk.connection.peer.key };
        within(seal::connect(leg, &self.technician, &pin, &session())).await.unwrap()
    }

    /// Opens a TCP channel; the technician's local end of it.
    async fn channel(
        &mut self,
        talk: &mut Talk,
        keys: &SessionKeys,
        no: u32,
        port: u16,
    ) -> TcpStream {
        let warrant = self.warrant(talk);
        self.offer(talk, &warrant, no, Some(to(Proto::Tcp, "127.0.0.1", port))).await;
        let leg = self.leg().await.accept().await.unwrap();
        let keys = keys.channel(ChannelNo(no)).unwrap();
        let (near, far) = pair().await;
        self.listening.spawn("technician", async move {
            let meter = Arc::new(Meter::new(Now::read()));
            let _ = seal::pump_tcp(far, leg, keys, meter, &Pools::new()).await;
        });
        near
    }
}

impl Talk {
    /// The agent's next word that is no ping.
    async fn next(&mut self) -> Option<AgentSays> {
        loop {
            match within(self.connection.reader.next()).await {
                Ok(Some(AgentSays::Ping { .. } | AgentSays::Pong { .. })) => {}
                Ok(said) => return said,
                Err(_) => return None,
            }
        }
    }

    async fn refused(&mut self) -> (OfferFault, String) {
        loop {
            match self.next().await {
                Some(AgentSays::Refused { fault, detail, .. }) => return (fault, detail),
                Some(AgentSays::LocalSwitch { .. }) => {}
                other => panic!("no refusal, but {other:?}"),
            }
        }
    }

    async fn says_switch(&mut self, allows: bool) {
        assert_eq!(self.next().await, Some(AgentSays::LocalSwitch { allows }));
    }
}

fn listen(ca: &Ca, server: &Identity, at: SocketAddr) -> (Scope, Arrivals, SocketAddr) {
    let tls = GatewayTls::new(server, &Trust::from_pem(ca.certificate()).unwrap()).unwrap();
    let options = ListenOptions { listen: at, limits: Limits::default() };
    let listener = Listener::bind(&options, &tls).unwrap();
    let address = listener.local_addr();
    let scope = Scope::new("test gateway");
    let arrivals = listener.run(&scope);
    (scope, arrivals, address)
}

fn to(proto: Proto, host: &str, port: u16) -> Destination {
    Destination { proto, host: host.to_owned(), port }
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (near, listener.accept().await.unwrap().0)
}

/// A machine that echoes; its port.
async fn echo(scope: &Scope) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let own = scope.clone();
    scope.spawn("echo", async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            own.spawn("echoing", async move {
                let (mut read, mut write) = socket.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
                let _ = write.shutdown().await;
            });
        }
    });
    port
}

/// Waits until `holds` of the agent's status.
async fn until(world: &World, holds: impl Fn(&super::Report) -> bool) -> super::Report {
    within(async {
        loop {
            match status(world.dir.path()).await {
                Ok(report) if holds(&report) => return report,
                Ok(_) | Err(_) => tokio::task::yield_now().await,
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_device_is_enrolled_once_and_its_key_stays_in_a_private_file() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::enrolled().await;
    let file = world.dir.path().join("identity.json");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(std::fs::read_to_string(&file).unwrap().contains("PRIVATE KEY"));
    let again = enrol(&world.enrolment(TOKEN)).await;
    assert!(matches!(again, Err(EnrolError::Already { .. })));
}

#[tokio::test]
async fn a_spent_token_is_refused_in_one_line_that_says_what_to_do() {
    let mut world = World::new();
    let enrolment = world.enrolment("spent");
    let (refused, ()) = within(async { tokio::join!(enrol(&enrolment), world.answer()) }).await;
    let failure = super::Failure::from(refused.unwrap_err());
    assert_eq!(failure.exit, super::Exit::Refused);
    assert!(failure.line.ends_with(SPENT), "{failure}");
    assert!(!world.dir.path().join("identity.json").exists());
}

#[tokio::test]
async fn a_gateway_of_a_foreign_ca_and_an_absent_one_are_told_apart() {
    let world = World::new();
    let stranger = Ca::fresh("stranger", Now::read().wall).unwrap();
    let mut enrolment = world.enrolment(TOKEN);
    enrolment.ca = Trust::from_pem(stranger.certificate()).unwrap();
    let foreign = super::Failure::from(within(enrol(&enrolment)).await.unwrap_err());
    assert!(foreign.line.contains("another CA"), "{foreign}");
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut enrolment = world.enrolment(TOKEN);
    enrolment.gateway = format!("https://{free}").parse().unwrap();
    let away = super::Failure::from(within(enrol(&enrolment)).await.unwrap_err());
    assert_eq!(away.exit, super::Exit::Unreachable);
    assert!(away.line.contains(&free.to_string()), "{away}");
}

#[tokio::test]
async fn bytes_go_both_ways_and_status_says_who_from_which_case_and_to_what() {
    let mut world = World::enrolled().await;
    world.start(world.options());
    let mut talk = world.welcome().await;
    talk.says_switch(true).await;
    let keys = world.open(&mut talk).await;
    let port = echo(&world.listening).await;
    let mut near = world.channel(&mut talk, &keys, 1, port).await;
    near.write_all(b"hello, machine").await.unwrap();
    let mut back = [0; 14];
    within(near.read_exact(&mut back)).await.unwrap();
    assert_eq!(&back, b"hello, machine");

    let report = until(&world, |report| report.sessions.iter().any(|one| one.up == 14)).await;
    let shown = &report.sessions[0];
    assert_eq!((shown.about.person.as_str(), shown.about.tenant.as_str()), ("Ana", "Builder"));
    assert_eq!(shown.about.case.as_deref(), Some("CASE-7"));
    assert_eq!(shown.channels[0].destination, format!("tcp://127.0.0.1:{port}"));
    assert!(matches!(report.link, Link::Connected { .. }));
    assert_eq!(report.local_switch, SwitchShown::NotUsed);
    assert_eq!(report.ceiling, CeilingShown::from(&Ceiling::default()));

    near.shutdown().await.unwrap();
    assert_eq!(within(near.read(&mut back)).await.unwrap(), 0, "a clean end on both sides");
}

#[tokio::test]
async fn an_ended_session_is_cut_and_never_looks_like_a_clean_end() {
    let mut world = World::enrolled().await;
    world.start(world.options());
    let mut talk = world.welcome().await;
    let keys = world.open(&mut talk).await;
    let port = echo(&world.listening).await;
    let mut near = world.channel(&mut talk, &keys, 1, port).await;
    near.write_all(b"x").await.unwrap();
    within(near.read_u8()).await.unwrap();
    let ended = GatewayTellsAgent::Ended { session: session(), cause: EndCause::SwitchOff };
    talk.connection.writer.send(&ended).await.unwrap();
    assert!(within(near.read_u8()).await.is_err());
    until(&world, |report| report.sessions.is_empty()).await;
}

#[tokio::test]
async fn a_lost_control_connection_ends_its_sessions_and_the_agent_is_back_in_5_s() {
    let mut world = World::enrolled().await;
    world.start(world.options());
    let mut talk = world.welcome().await;
    let keys = world.open(&mut talk).await;
    let port = echo(&world.listening).await;
    let mut near = world.channel(&mut talk, &keys, 1, port).await;
    near.write_all(b"x").await.unwrap();
    within(near.read_u8()).await.unwrap();
    // The gateway goes, port and all.
    let old = std::mem::replace(&mut world.listening, Scope::new("none"));
    drop(talk);
    let gone = tokio::join!(old.close(Duration::ZERO), within(near.read_u8()));
    assert!(gone.1.is_err());
    until(&world, |report| matches!(report.link, Link::Away { .. }) && report.sessions.is_empty())
        .await;
    let again = within(async {
        loop {
            let at = world.address;
            let tls =
                GatewayTls::new(&world.server, &Trust::from_pem(world.ca.certificate()).unwrap());
            let options = ListenOptions { listen: at, limits: Limits::default() };
            match Listener::bind(&options, &tls.unwrap()) {
                Ok(listener) => break listener,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    })
    .await;
    let back = Now::read().mono;
    world.listening = Scope::new("test gateway");
    world.arrivals = again.run(&world.listening);
    world.welcome().await;
    let took = Now::read().mono - back;
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn a_silent_gateway_is_left_after_three_beats() {
    let mut world = World::enrolled().await;
    world.heartbeat = Duration::from_millis(200);
    world.start(world.options());
    let _silent = world.welcome().await;
    let welcomed = Now::read().mono;
    let _again = world.welcome().await;
    let took = Now::read().mono - welcomed;
    assert!(took >= Duration::from_millis(500), "{took:?}");
}

#[tokio::test]
async fn an_offer_that_is_not_believed_reaches_nothing() {
    let mut world = World::enrolled().await;
    world.start(world.options());
    let mut talk = world.welcome().await;
    let old = Warrant { nonce: "another".into(), ..world.warrant(&talk) };
    world.offer(&mut talk, &old, 0, None).await;
    assert_eq!(talk.refused().await.0, OfferFault::Warrant);
    let past = Warrant { until: Wall(1), ..world.warrant(&talk) };
    world.offer(&mut talk, &past, 0, None).await;
    assert_eq!(talk.refused().await.0, OfferFault::Warrant);
    // A channel of a session that has no handshake.
    let warrant = world.warrant(&talk);
    world.offer(&mut talk, &warrant, 1, Some(to(Proto::Tcp, "127.0.0.1", 1))).await;
    assert_eq!(talk.refused().await.0, OfferFault::NoSession);
}

#[tokio::test]
async fn ceiling_target_and_grant_refuse_each_with_its_own_fault() {
    let mut world = World::enrolled().await;
    let port = echo(&world.listening).await;
    let rules = vec![crate::agent::ceiling::Rule {
        host: "127.0.0.1".parse().unwrap(),
        ports: Ports { first: 1, last: u16::MAX },
        proto: Some(Proto::Tcp),
    }];
    let ceiling = Ceiling::from_file("ceiling.toml".into(), rules);
    world.start(Options { ceiling, ..world.options() });
    let mut talk = world.welcome().await;
    let _keys = world.open(&mut talk).await;
    let warrant = world.warrant(&talk);
    world.offer(&mut talk, &warrant, 1, Some(to(Proto::Tcp, "127.0.0.2", port))).await;
    assert_eq!(talk.refused().await.0, OfferFault::Ceiling);
    world.offer(&mut talk, &warrant, 2, Some(to(Proto::Udp, "127.0.0.1", port))).await;
    assert_eq!(talk.refused().await.0, OfferFault::Ceiling);
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    world.offer(&mut talk, &warrant, 3, Some(to(Proto::Tcp, "127.0.0.1", free))).await;
    let (fault, detail) = talk.refused().await;
    assert_eq!(fault, OfferFault::Target);
    assert!(detail.contains("refused"), "{detail}");
    world.offer(&mut talk, &warrant, 4, Some(to(Proto::Tcp, "10.9.9.9", port))).await;
    assert_eq!(talk.refused().await.0, OfferFault::Warrant);
}

#[tokio::test]
async fn the_local_switch_cuts_at_once_and_refuses_what_comes() {
    let mut world = World::enrolled().await;
    let allow = world.dir.path().join("allow");
    std::fs::write(&allow, "").unwrap();
    world.start(Options { local_switch: Some(allow.clone()), ..world.options() });
    let mut talk = world.welcome().await;
    talk.says_switch(true).await;
    let keys = world.open(&mut talk).await;
    let port = echo(&world.listening).await;
    let mut near = world.channel(&mut talk, &keys, 1, port).await;
    near.write_all(b"x").await.unwrap();
    within(near.read_u8()).await.unwrap();

    std::fs::remove_file(&allow).unwrap();
    let off = Now::read().mono;
    assert!(within(near.read_u8()).await.is_err());
    let took = Now::read().mono - off;
    assert!(took < Duration::from_secs(1), "{took:?}");
    talk.says_switch(false).await;
    let warrant = world.warrant(&talk);
    world.offer(&mut talk, &warrant, 0, None).await;
    assert_eq!(talk.refused().await.0, OfferFault::LocalSwitch);
    std::fs::write(&allow, "").unwrap();
    talk.says_switch(true).await;
}

#[tokio::test]
async fn datagrams_keep_their_boundaries_to_a_udp_target() {
    let mut world = World::enrolled().await;
    world.start(world.options());
    let mut talk = world.welcome().await;
    let keys = world.open(&mut talk).await;
    let target = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = target.local_addr().unwrap().port();
    let warrant = world.warrant(&talk);
    world.offer(&mut talk, &warrant, 1, Some(to(Proto::Udp, "127.0.0.1", port))).await;
    let leg = world.leg().await.accept().await.unwrap();
    let keys = keys.channel(ChannelNo(1)).unwrap();
    let near = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let far = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    far.connect(near.local_addr().unwrap()).await.unwrap();
    near.connect(far.local_addr().unwrap()).await.unwrap();
    world.listening.spawn("technician", async move {
        let meter = Meter::new(Now::read());
        let _ = seal::pump_udp(far, leg, keys, &meter, &Pools::new(), PATIENCE).await;
    });
    let mut buffer = [0; 2_000];
    for length in [1, 700, 1_400] {
        near.send(&vec![7; length]).await.unwrap();
        let (read, from) = within(target.recv_from(&mut buffer)).await.unwrap();
        assert_eq!(read, length);
        target.send_to(&vec![8; length], from).await.unwrap();
        assert_eq!(within(near.recv(&mut buffer)).await.unwrap(), length);
    }
}

#[tokio::test]
async fn a_replaced_agent_stays_away_and_says_why() {
    let mut world = World::enrolled().await;
    world.start(world.options());
    let mut talk = world.welcome().await;
    talk.connection.writer.send(&GatewayTellsAgent::Replaced).await.unwrap();
    let report = until(&world, |report| matches!(report.link, Link::Away { .. })).await;
    let Link::Away { why, .. } = report.link else { panic!("{:?}", report.link) };
    assert!(why.contains("another box"), "{why}");
}

#[tokio::test]
async fn a_stopped_agent_is_said_not_to_run() {
    let mut world = World::enrolled().await;
    world.start(world.options());
    let _talk = world.welcome().await;
    until(&world, |_| true).await;
    let agent = world.agent.clone();
    agent.close(PATIENCE).await;
    assert!(matches!(status(world.dir.path()).await, Err(StatusError::NotRunning(_))));
}

#[tokio::test]
async fn a_renewed_certificate_is_kept_and_shown_by_the_next_connection() {
    let mut world = World::enrolled().await;
    // The one that it has is past two thirds of its life.
    let papers = super::papers::Papers::load(world.dir.path()).unwrap();
    let request = CertificateRequest::from_pem(&papers.request().unwrap()).unwrap();
    let peer = PeerId::Device(device());
    let begun = Wall(Now::read().wall.0 - 29 * 24 * 3_600 * 1_000);
    let old = world.ca.issue(&request, &peer, LIFE, begun).unwrap();
    papers.renewed(old.certificate).unwrap().save(world.dir.path()).unwrap();

    world.start(world.options());
    let mut talk = world.welcome().await;
    talk.says_switch(true).await;
    world.heartbeat = Duration::from_millis(200);
    let Some(AgentSays::Renew { csr }) = talk.next().await else { panic!("no renewal") };
    let request = CertificateRequest::from_pem(&csr).unwrap();
    assert_eq!(request.key(), talk.connection.peer.key, "the identity is the key, and stays");
    let issued = world.ca.issue(&request, &peer, LIFE, Now::read().wall).unwrap();
    let renewed = GatewayTellsAgent::Renewed { certificate: issued.certificate };
    talk.connection.writer.send(&renewed).await.unwrap();
    let _again = world.welcome().await;
    let kept = super::papers::Papers::load(world.dir.path()).unwrap();
    assert!(kept.identity.validity().1 > Now::read().wall.plus(LIFE / 2));
}
