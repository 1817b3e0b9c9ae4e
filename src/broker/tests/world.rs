//! A small world around one broker: the hall's presses, the builder's technicians.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use crate::{
    audit::EndCause,
    authz::{Door, Via, Want},
    broker::{
        AgentAsk, AgentOrder, AgentTicket, Broker, Ear, Offer, OpenAsk, Opened, Options, Party,
        Refusal, Settled, TechnicianNotice,
    },
    cases::{Case, Kind, State, Switch},
    clock::Now,
    ids::{ChannelNo, DeviceId, KeyDigest, PeerId, PersonId, Revision, SessionId},
    machines::{
        Asset, CustomerMachine, Device, Hosts, Link, Mode, Ports, Proto, Target, Tunnel, TunnelKind,
    },
    registry::Registry,
    relay::Leg,
    secret::Secret,
    session::tests::desk::{MORNING, OFF, ON, id},
    store::{By, Limits, Seed, SeedPerson, Store, SwitchAsk},
    tasks::Scope,
    tenancy::{Assignment, Person, Role, Tenant, TenantRole},
    token::JoinToken,
    warrant::{WarrantKey, WarrantVerifier},
};

/// Longer than anything here should take on a busy machine.
pub(super) const SOON: Duration = Duration::from_secs(20);

const KEY: KeyDigest = KeyDigest([1; 32]);
const NONCE: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// Waits for a fact under a deadline.
pub(super) async fn soon<T>(what: &str, fact: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, fact).await.unwrap_or_else(|_| panic!("not in time: {what}"))
}

fn device_key(device: &DeviceId) -> KeyDigest {
    let mut key = [2; 32];
    for (place, byte) in key.iter_mut().zip(device.as_str().bytes()) {
        *place = byte;
    }
    KeyDigest(key)
}

/// One press: its asset, device, customer machine, case with the switch on, and tunnel.
fn press(seed: &mut Seed, number: usize) {
    let (asset, device): (crate::ids::AssetId, DeviceId) =
        (id(&format!("press-{number}")), id(&format!("box-{number}")));
    seed.devices.push(Device {
        id: device.clone(),
        owner: id("hall"),
        name: device.to_string(),
        key: Some(device_key(&device)),
        active: true,
    });
    seed.assets.push(Asset {
        id: asset.clone(),
        operator: id("hall"),
        name: asset.to_string(),
        serial: number.to_string(),
        facility: None,
        active: true,
        switch: OFF,
        device: Some(device),
    });
    seed.machines.push(CustomerMachine {
        id: id(&format!("m-{number}")),
        provider: id("builder"),
        customer: id("c-1"),
        serial: number.to_string(),
        link: Link::Linked { asset: asset.clone() },
    });
    seed.cases.push(Case {
        id: id(&format!("case-{number}")),
        title: "Spindle stops".into(),
        kind: Kind::Shared {
            operator: id("hall"),
            provider: id("builder"),
            asset: asset.clone(),
            switch: ON,
        },
        state: State::InProgress,
        created_by: id("olaf"),
        assignee: None,
        created_at: MORNING,
        closed_at: None,
    });
    seed.tunnels.push(Tunnel {
        id: id(&format!("t-{number}")),
        asset,
        name: id("plc"),
        kind: TunnelKind::Ssc,
        mode: Mode::Any,
        targets: vec![Target {
            name: id("plc"),
            proto: Proto::Tcp,
            hosts: Hosts::Ip("10.0.0.5".parse().unwrap()),
            ports: Ports { first: 502, last: 502 },
        }],
        enabled: true,
    });
}

fn people(seed: &mut Seed) {
    let tenant = |name: &str, roles: &[TenantRole]| Tenant {
        id: id(name),
        name: name.to_uppercase(),
        active: true,
        roles: roles.iter().copied().chain([TenantRole::Basic]).collect(),
    };
    seed.tenants = vec![
        tenant("hall", &[TenantRole::Operator]),
        tenant("builder", &[TenantRole::ServiceProvider]),
    ];
    for (name, home, role) in [
        ("ana", "builder", Role::ServiceTechnician),
        ("tina", "builder", Role::TenantAdmin),
        ("olaf", "hall", Role::WorkshopManager),
    ] {
        let person = Person {
            id: id(name),
            tenant: id(home),
            email: format!("{name}@{home}.example"),
            name: name.to_owned(),
            active: true,
        };
        seed.people.push(SeedPerson { person, password_hash: None });
        seed.assignments.push(Assignment {
            id: id(&format!("as-{name}")),
            person: id(name),
            role,
            scope: crate::tenancy::Scope::Whole,
        });
    }
}

#[derive(Debug)]
pub(super) struct World {
    dir: TempDir,
    pub(super) store: Store,
    pub(super) broker: Broker,
    pub(super) scope: Scope,
    verifier: WarrantVerifier,
}

impl World {
    /// `presses` presses whose cases have the switch on; no device is connected.
    pub(super) async fn start(presses: usize, options: Options) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::default();
        let limits =
            Limits { free_bytes_min: 0, sessions_of_person: 1_000, sessions_of_device: 1_000 };
        let path = dir.path().join("caseway.db");
        let store = Store::open(&path, Arc::new(registry.clone()), limits).await.unwrap();
        let mut seed = Seed::default();
        people(&mut seed);
        (1..=presses).for_each(|number| press(&mut seed, number));
        store.seed(&seed, &id("gw-1"), Now::read()).await.unwrap();
        let key = WarrantKey::from_seed(&Secret::new([1; 32])).unwrap();
        let verifier = key.verifier();
        let scope = Scope::new("test");
        let gateway = id("gw-1");
        let broker =
            Broker::start(options, store.clone(), registry, Arc::new(key), gateway, &scope);
        Self { dir, store, broker, scope, verifier }
    }

    /// The device of press `number` connects; every target it is offered echoes.
    pub(super) async fn agent(&self, number: usize) -> Agent {
        let device: DeviceId = id(&format!("box-{number}"));
        let (ticket, received) = self.bare_agent(number).await;
        let (said, heard) = mpsc::channel(1_024);
        let (broker, verifier, scope) = (self.broker.clone(), self.verifier, self.scope.clone());
        self.scope.spawn("agent", play_agent(received, said, broker, verifier, scope, device));
        Agent { ticket, heard }
    }

    /// The same, with its orders in the test's hands.
    pub(super) async fn bare_agent(
        &self,
        number: usize,
    ) -> (AgentTicket, mpsc::Receiver<Box<AgentOrder>>) {
        let device: DeviceId = id(&format!("box-{number}"));
        let (orders, received) = mpsc::channel(256);
        let (key, nonce, remote) = (device_key(&device), NONCE.into(), local());
        let ask = AgentAsk { device, key, nonce, remote, orders };
        (self.broker.agent_arrived(ask).await, received)
    }

    pub(super) fn technician(&self, person: &str) -> Technician {
        let (notices, received) = mpsc::channel(1_024);
        let (ear, broker, person) = (Ear::new(notices), self.broker.clone(), id(person));
        Technician { person, ear, notices: received, broker }
    }

    /// A live session on press `number` with one channel whose bytes have come back.
    pub(super) async fn live(&self, number: usize) -> (Technician, Opened, TcpStream) {
        let mut ana = self.technician("ana");
        let opened = ana.open(number).await.unwrap();
        ana.begin(&opened.session).await;
        let leg = ana.echoing(&opened.session, 1).await;
        (ana, opened, leg)
    }

    pub(super) async fn switch(&self, number: usize, to: Switch) -> Revision {
        let ask = SwitchAsk { on: to.on, until: to.until, reason: None };
        let case = id(&format!("case-{number}"));
        self.store.switch_case(&by("olaf"), &case, &ask, Now::read()).await.unwrap().revision
    }

    pub(super) async fn settled(&self, revision: Revision) -> Settled {
        self.broker.settled(revision, SOON).await
    }

    /// Every record of this kind, as `event reason`.
    pub(super) async fn ends_on_disk(&self, session: &SessionId) -> Vec<String> {
        let filter = crate::store::RecordFilter { case: None, session: Some(session.clone()) };
        let page = crate::store::Page { rows: 200, ..crate::store::Page::default() };
        let rows = self.store.records(&filter, &page).await.unwrap().items;
        rows.iter()
            .map(|row| {
                let reason = row.reason.clone().unwrap_or_default();
                format!("{} {reason}", row.event).trim_end().to_owned()
            })
            .collect()
    }

    pub(super) fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("caseway.db")
    }
}

pub(super) fn by(person: &str) -> By {
    By { person: id(person), source_ip: None }
}

fn local() -> SocketAddr {
    "127.0.0.1:1".parse().unwrap()
}

/// A device's connection, and how its channels ended.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) ticket: AgentTicket,
    heard: mpsc::Receiver<Heard>,
}

/// What an agent has seen.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A channel's leg is over: cleanly, or by reset.
    LegEnded {
        channel: u32,
        reset: bool,
    },
    SessionEnded(EndCause),
    Replaced,
    Restarting,
}

impl Agent {
    pub(super) async fn heard(&mut self) -> Heard {
        soon("the agent hears something", self.heard.recv()).await.unwrap()
    }

    /// Hears on until this comes.
    pub(super) async fn hears(&mut self, wanted: &Heard) {
        while self.heard().await != *wanted {}
    }
}

async fn play_agent(
    mut orders: mpsc::Receiver<Box<AgentOrder>>,
    said: mpsc::Sender<Heard>,
    broker: Broker,
    verifier: WarrantVerifier,
    scope: Scope,
    device: DeviceId,
) {
    while let Some(order) = orders.recv().await {
        let heard = match *order {
            AgentOrder::Offer(offer) => {
                let Offer { session, channel, warrant, destination, token, .. } = offer;
                let warrant = verifier.check(&warrant).expect("the gateway's warrant");
                assert_eq!((warrant.nonce.as_str(), &warrant.session), (NONCE, &session));
                assert_eq!(destination.is_some(), channel != ChannelNo::HANDSHAKE);
                if let Some(destination) = &destination {
                    assert!(warrant.targets.iter().any(|one| one.covers(destination)));
                }
                let peer = PeerId::Device(device.clone());
                if let Some(leg) = join(&broker, &token, &peer, device_key(&device)).await {
                    scope.spawn("echo", echo(leg, channel, said.clone()));
                }
                continue;
            }
            AgentOrder::Ended { cause, .. } => Heard::SessionEnded(cause),
            AgentOrder::Replaced => Heard::Replaced,
            AgentOrder::Restarting { .. } => Heard::Restarting,
        };
        let _ = said.try_send(heard);
    }
}

async fn echo(mut leg: TcpStream, channel: ChannelNo, said: mpsc::Sender<Heard>) {
    let mut bytes = vec![0; 4_096];
    let reset = loop {
        match leg.read(&mut bytes).await {
            Ok(0) => break false,
            Ok(read) => {
                if leg.write_all(&bytes[..read]).await.is_err() {
                    break true;
                }
            }
            Err(_) => break true,
        }
    };
    let _ = said.try_send(Heard::LegEnded { channel: channel.0, reset });
}

/// Shows the token and hands over one end of a real socket; the other is the peer's.
pub(super) async fn join(
    broker: &Broker,
    token: &JoinToken,
    peer: &PeerId,
    key: KeyDigest,
) -> Option<TcpStream> {
    let seat = broker.redeem(token, Some(Party { peer: peer.clone(), key })).await.ok()?;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (dialled, accepted) =
        tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    broker.take_leg(seat, Leg::Tcp(accepted.unwrap().0)).await;
    Some(dialled.unwrap())
}

/// A technician's connection.
#[derive(Debug)]
pub(super) struct Technician {
    person: PersonId,
    pub(super) ear: Ear,
    notices: mpsc::Receiver<TechnicianNotice>,
    broker: Broker,
}

impl Technician {
    pub(super) async fn open(&self, number: usize) -> Result<Opened, Refusal> {
        self.open_via(Via::Case(id(&format!("case-{number}")))).await
    }

    pub(super) async fn open_via(&self, via: Via) -> Result<Opened, Refusal> {
        let ask = OpenAsk {
            person: self.person.clone(),
            key: KEY,
            remote: local(),
            via,
            tunnel: id("plc"),
            door: Door::Native,
            want: Want::Control,
            reason: None,
            ear: self.ear.clone(),
        };
        soon("the session is opened or refused", self.broker.open(ask)).await
    }

    pub(super) async fn notice(&mut self) -> TechnicianNotice {
        soon("the technician is told something", self.notices.recv()).await.unwrap()
    }

    /// With what cause the next of this technician's sessions ends.
    pub(super) async fn ended(&mut self) -> EndCause {
        loop {
            if let TechnicianNotice::Ended { cause, .. } = self.notice().await {
                return cause;
            }
        }
    }

    /// Opens a channel and joins it.
    pub(super) async fn leg(&mut self, session: &SessionId, channel: u32) -> TcpStream {
        let target = (channel > 0).then(|| id("plc"));
        let no = ChannelNo(channel);
        self.broker.open_channel(&self.ear, session.clone(), no, target, None).await;
        let TechnicianNotice::Channel { token, .. } = self.notice().await else {
            panic!("no token");
        };
        let peer = PeerId::Person(self.person.clone());
        join(&self.broker, &token, &peer, KEY).await.expect("a seat")
    }

    /// A channel through which bytes have gone and come back.
    pub(super) async fn echoing(&mut self, session: &SessionId, channel: u32) -> TcpStream {
        let mut leg = self.leg(session, channel).await;
        ping(&mut leg).await;
        leg
    }

    /// The handshake's channel: bytes come back, so the session is active.
    pub(super) async fn begin(&mut self, session: &SessionId) {
        drop(self.echoing(session, 0).await);
    }
}

/// Bytes go and come back.
pub(super) async fn ping(leg: &mut TcpStream) {
    leg.write_all(b"are you there").await.unwrap();
    let mut back = [0; 13];
    soon("the echo", leg.read_exact(&mut back)).await.unwrap();
    assert_eq!(&back, b"are you there");
}

/// How a leg ends: `true` by reset, `false` by a clean end.
pub(super) async fn is_reset(leg: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    soon("the leg ends", leg.read_to_end(&mut rest)).await.is_err()
}
