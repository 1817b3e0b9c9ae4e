//! A desk to play a session at: facts that can be changed, a clock that can be moved, and commands
//! as text.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    audit::OfferFault,
    authz::{
        Action, Decision, DeviceFacts, Door, Facts, Grant, Presence, Request, Via, Want, decide,
    },
    cases::{Case, Kind, State, Switch},
    clock::{Now, Wall},
    ids::{ChannelNo, InvalidId, KeyDigest, PeerId, Revision, SessionId},
    machines::{
        Asset, CustomerMachine, Destination, Device, Hosts, Link, Mode, Ports, Proto, Target,
        Tunnel, TunnelKind,
    },
    relay::Tally,
    session::{
        AskNo, Command, EarNo, Input, Lead, Options, Outcome, Party, Phase, RelayEnd, Seat,
        Sessions, Side, Snapshot,
    },
    tenancy::{Assignment, Person, Role, Scope, Tenant, TenantRole},
    token::JoinToken,
};

pub(crate) const ON: Switch = Switch { on: true, until: None };
pub(crate) const OFF: Switch = Switch { on: false, until: None };
pub(crate) const MORNING: Wall = Wall(1_777_622_400_000);
pub(super) const EAR: EarNo = EarNo(1);
pub(super) const TECHNICIAN_KEY: KeyDigest = KeyDigest([1; 32]);
pub(super) const DEVICE_KEY: KeyDigest = KeyDigest([2; 32]);

pub(crate) fn id<T: std::str::FromStr<Err = InvalidId>>(text: &str) -> T {
    text.parse().unwrap()
}

/// Ana, a technician of the builder, works at the hall's press 7 from CASE-1: `plc` is one address,
/// `cell` a block.
pub(super) fn facts() -> Facts {
    let tenant = |name: &str, role: TenantRole| Tenant {
        id: id(name),
        name: name.to_uppercase(),
        active: true,
        roles: [TenantRole::Basic, role].into(),
    };
    let builder = tenant("builder", TenantRole::ServiceProvider);
    Facts {
        revision: Revision(1),
        person: Some(Person {
            id: id("ana"),
            tenant: id("builder"),
            email: "ana@builder.example".into(),
            name: "Ana".into(),
            active: true,
        }),
        tenant: Some(builder.clone()),
        assignments: vec![Assignment {
            id: id("as-1"),
            person: id("ana"),
            role: Role::ServiceTechnician,
            scope: Scope::Whole,
        }],
        case: Some(case()),
        asset: Some(Asset {
            id: id("press-7"),
            operator: id("hall"),
            name: "Press 7".into(),
            serial: "7".into(),
            facility: None,
            active: true,
            switch: OFF,
            device: Some(id("box-7")),
        }),
        operator: Some(tenant("hall", TenantRole::Operator)),
        machine: Some(CustomerMachine {
            id: id("m-7"),
            provider: id("builder"),
            customer: id("c-1"),
            serial: "7".into(),
            link: Link::Linked { asset: id("press-7") },
        }),
        provider: Some(builder),
        tunnel: Some(tunnel()),
        device: Some(DeviceFacts {
            device: Device {
                id: id("box-7"),
                owner: id("hall"),
                name: "Box 7".into(),
                key: Some(DEVICE_KEY),
                active: true,
            },
            presence: Presence::Online,
        }),
        ..Facts::default()
    }
}

fn case() -> Case {
    Case {
        id: id("case-1"),
        title: "Spindle stops".into(),
        kind: Kind::Shared {
            operator: id("hall"),
            provider: id("builder"),
            asset: id("press-7"),
            switch: ON,
        },
        state: State::InProgress,
        created_by: id("olaf"),
        assignee: None,
        created_at: MORNING,
        closed_at: None,
    }
}

fn tunnel() -> Tunnel {
    let target = |name: &str, hosts: Hosts, first, last| Target {
        name: id(name),
        proto: Proto::Tcp,
        hosts,
        ports: Ports { first, last },
    };
    Tunnel {
        id: id("t-1"),
        asset: id("press-7"),
        name: id("cell"),
        kind: TunnelKind::DataLink,
        mode: Mode::Any,
        targets: vec![
            target("plc", Hosts::Ip("10.0.0.5".parse().unwrap()), 502, 502),
            target("cell", Hosts::Block("10.0.1.0/24".parse().unwrap()), 1, 1_024),
        ],
        enabled: true,
    }
}

pub(super) fn request(at: Wall) -> Request {
    let via = Via::Case(id("case-1"));
    let action =
        Action::UseTunnel { tunnel: id("t-1"), via, door: Door::Native, want: Want::Control };
    Request { who: id("ana"), action, at }
}

pub(super) fn destination(host: &str, port: u16) -> Destination {
    Destination { proto: Proto::Tcp, host: host.into(), port }
}

pub(super) fn technician() -> PeerId {
    PeerId::Person(id("ana"))
}

pub(super) fn device() -> PeerId {
    PeerId::Device(id("box-7"))
}

#[derive(Debug)]
pub(super) struct Desk {
    pub(super) sessions: Sessions,
    pub(super) facts: Facts,
    pub(super) now: Now,
    /// The newest token for each seat.
    pub(super) tokens: BTreeMap<Seat, JoinToken>,
}

/// What came out of one input.
#[derive(Debug)]
pub(super) struct Out(pub(super) Vec<String>);

impl Out {
    /// The commands must be these, in this order.
    #[track_caller]
    pub(super) fn expect(&self, lines: &[&str]) {
        assert_eq!(self.0, lines);
    }
}

impl Default for Desk {
    fn default() -> Self {
        Self::with(Options::default())
    }
}

impl Desk {
    pub(super) fn with(options: Options) -> Self {
        let mut minted = 0_u64;
        let mint = move || {
            minted += 1;
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&minted.to_be_bytes());
            Some(JoinToken::new(bytes))
        };
        let now = Now { mono: Now::read().mono, wall: MORNING };
        let tokens = BTreeMap::new();
        Self { sessions: Sessions::new(options, mint), facts: facts(), now, tokens }
    }

    pub(super) fn switch(&mut self, to: Switch) {
        match &mut self.facts.case.as_mut().unwrap().kind {
            Kind::Shared { switch, .. } | Kind::OperatorInternal { switch, .. } => *switch = to,
            Kind::ProviderInternal { .. } => {}
        }
        self.facts.revision.0 += 1;
    }

    /// Moves both clocks on.
    pub(super) fn pass(&mut self, time: Duration) {
        self.now.mono += time;
        self.now.wall = self.now.wall.plus(time);
    }

    pub(super) fn grant(&self) -> Option<Grant> {
        match decide(request(self.now.wall), &self.facts) {
            Decision::Allow(grant) => Some(grant),
            Decision::Deny(_) => None,
        }
    }

    /// The input of a session granted by the facts as they are.
    pub(super) fn granted(&self, session: &str) -> Input {
        let grant = self.grant().expect("the facts allow it");
        let technician = Party { peer: technician(), key: TECHNICIAN_KEY };
        let snapshot = Box::new(Snapshot::of(&grant, &self.facts, technician).unwrap());
        Input::Granted { session: id(session), grant, snapshot, ear: EAR }
    }

    pub(super) fn step(&mut self, input: Input) -> Vec<Command> {
        let commands = self.sessions.step(input, self.now);
        assert_eq!(self.sessions.check(), Ok(()));
        for command in &commands {
            let offered = match command {
                Command::Offer { session, channel, token, .. } => {
                    Some((session, channel, token, Side::Device))
                }
                Command::Admit { session, channel, token, .. } => {
                    Some((session, channel, token, Side::Technician))
                }
                Command::Seat { .. }
                | Command::RefuseLeg { .. }
                | Command::DropLeg(_)
                | Command::RecordStarted(_)
                | Command::Relay { .. }
                | Command::AskQuiet(_)
                | Command::Cut { .. }
                | Command::TellEnded { .. }
                | Command::TellRefused { .. }
                | Command::RecordFlow { .. }
                | Command::RecordEnded { .. } => None,
            };
            if let Some((session, channel, token, side)) = offered {
                let seat = Seat { session: session.clone(), channel: *channel, side };
                self.tokens.insert(seat, token.clone());
            }
        }
        commands
    }

    pub(super) fn input(&mut self, input: Input) -> Out {
        Out(self.step(input).iter().map(line).collect())
    }

    pub(super) fn judge(&mut self, session: &str) -> Out {
        let facts = Box::new(self.facts.clone());
        self.input(Input::Facts { session: id(session), facts })
    }

    pub(super) fn open(&mut self, session: &str, channel: u32, target: Option<&str>) -> Out {
        self.input(Input::OpenChannel {
            ear: EAR,
            session: id(session),
            channel: ChannelNo(channel),
            target: target.map(id),
            destination: None,
        })
    }

    pub(super) fn open_to(&mut self, session: &str, channel: u32, to: Destination) -> Out {
        self.input(Input::OpenChannel {
            ear: EAR,
            session: id(session),
            channel: ChannelNo(channel),
            target: None,
            destination: Some(to),
        })
    }

    pub(super) fn refuse(&mut self, session: &str, channel: u32, fault: OfferFault) -> Out {
        self.input(Input::OfferRefused {
            device: id("box-7"),
            session: id(session),
            channel: ChannelNo(channel),
            fault,
            detail: "no".into(),
        })
    }

    /// The side shows its newest token for the channel.
    pub(super) fn join(&mut self, session: &str, channel: u32, side: Side) -> Out {
        let seat = seat(session, channel, side);
        let token = self.tokens.get(&seat).map_or(JoinToken::new([9; 32]), Clone::clone);
        let (peer, key) = match side {
            Side::Technician => (technician(), TECHNICIAN_KEY),
            Side::Device => (device(), DEVICE_KEY),
        };
        self.input(Input::Joined {
            ask: AskNo(1),
            token: token.digest(),
            by: Some(Party { peer, key }),
        })
    }

    /// The side joins and its leg arrives.
    pub(super) fn leg(&mut self, session: &str, channel: u32, side: Side) -> Out {
        self.join(session, channel, side)
            .expect(&[&format!("seat {}", spoken(&seat(session, channel, side,)))]);
        self.input(Input::Seated(seat(session, channel, side)))
    }

    pub(super) fn recorded(&mut self, session: &str) -> Out {
        let outcome = self.started();
        self.input(Input::Recorded { session: id(session), outcome })
    }

    pub(super) fn started(&self) -> Outcome {
        let grant = self.grant().expect("the facts allow it");
        Outcome::Started { grant, facts: Box::new(self.facts.clone()) }
    }

    pub(super) fn relay_ended(&mut self, session: &str, channel: u32, how: RelayEnd) -> Out {
        let (session, channel) = (id(session), ChannelNo(channel));
        let tally = Tally { up: 10, down: 200 };
        self.input(Input::RelayEnded { session, channel, tally, how })
    }

    /// A session in `Granted` with its channel 0 offered.
    pub(super) fn offered(mut self) -> Self {
        let granted = self.granted("s1");
        self.input(granted).expect(&[]);
        self.open("s1", 0, None).expect(&["offer s1/0", "admit s1/0"]);
        self
    }

    /// In `Starting`: both legs of channel 0 are here.
    pub(super) fn starting(self) -> Self {
        let mut desk = self.offered();
        desk.leg("s1", 0, Side::Technician).expect(&[]);
        desk.leg("s1", 0, Side::Device).expect(&["record s1 started"]);
        desk
    }

    /// In `Active`, its handshake over.
    pub(super) fn active(self) -> Self {
        let mut desk = self.starting();
        desk.recorded("s1").expect(&["relay s1/0"]);
        desk.relay_ended("s1", 0, RelayEnd::Closed).expect(&[]);
        desk
    }

    /// In `Active`, with channel 1 to the plc relaying.
    pub(super) fn relaying(self) -> Self {
        let mut desk = self.active();
        desk.open("s1", 1, Some("plc"));
        desk.leg("s1", 1, Side::Device).expect(&[]);
        desk.leg("s1", 1, Side::Technician).expect(&["relay s1/1"]);
        desk
    }

    pub(super) fn phase(&self, session: &str) -> Option<Phase> {
        self.sessions.get(&id::<SessionId>(session)).map(|view| view.phase)
    }
}

pub(super) fn seat(session: &str, channel: u32, side: Side) -> Seat {
    Seat { session: id(session), channel: ChannelNo(channel), side }
}

fn spoken(seat: &Seat) -> String {
    let side = match seat.side {
        Side::Technician => "technician",
        Side::Device => "device",
    };
    format!("{}/{} {side}", seat.session, seat.channel)
}

/// A command as one line; tokens are left out.
pub(super) fn line(command: &Command) -> String {
    match command {
        Command::Offer { session, channel, lead: None, .. } => format!("offer {session}/{channel}"),
        Command::Offer { session, channel, lead: Some(Lead { target, destination }), .. } => {
            format!("offer {session}/{channel} {target} {destination}")
        }
        Command::Admit { session, channel, .. } => format!("admit {session}/{channel}"),
        Command::Seat { seat, .. } => format!("seat {}", spoken(seat)),
        Command::RefuseLeg { .. } => "refuse leg".into(),
        Command::DropLeg(seat) => format!("drop leg {}", spoken(seat)),
        Command::RecordStarted(session) => format!("record {session} started"),
        Command::Relay { session, channel } => format!("relay {session}/{channel}"),
        Command::AskQuiet(session) => format!("ask quiet {session}"),
        Command::Cut { session, .. } => format!("cut {session}"),
        Command::TellEnded { session, cause, .. } => format!("tell {session} ended {cause}"),
        Command::TellRefused { session, channel, fault, .. } => {
            format!("tell {session}/{channel} refused {fault:?}")
        }
        Command::RecordFlow { session, channel, lead, tally, .. } => {
            format!(
                "record {session}/{channel} {} up={} down={}",
                lead.target, tally.up, tally.down
            )
        }
        Command::RecordEnded { session, cause, tally, by } => {
            let by = by.as_ref().map_or(String::new(), |by| format!(" by {by}"));
            format!("record {session} ended {cause}{by} up={} down={}", tally.up, tally.down)
        }
    }
}
