//! The session machine among 10,000 live sessions.
//!
//! ```text
//!   OpenChannel -> Joined, Seated (both sides) -> relaying -> RelayEnded         six steps
//! ```

use anyhow::{Context, Result, bail, ensure};
use caseway::{
    authz::Facts,
    clock::Now,
    ids::{ChannelNo, KeyDigest, PeerId, SessionId},
    relay::Tally,
    session::{
        AskNo, Command, EarNo, Input, Options, Outcome, Party, Phase, RelayEnd, Sessions, Snapshot,
    },
    token::JoinToken,
};
use criterion::{BatchSize, Criterion, Throughput};

use crate::facts;

const LIVE: usize = 10_000;
const EAR: EarNo = EarNo(1);
/// Steps of one channel, from its opening to its end.
const STEPS: u64 = 6;

pub(crate) fn measure(criterion: &mut Criterion) -> Result<()> {
    let mut desk = Desk::new()?;
    for number in 0..LIVE {
        desk.begin(format!("s-{number}").parse()?)?;
    }
    let active = desk.sessions.iter().filter(|view| view.phase == Phase::Active).count();
    ensure!(active == LIVE, "{active} of {LIVE} sessions are active");
    let mut group = criterion.benchmark_group("session");
    group.throughput(Throughput::Elements(STEPS));
    let mut turn = 0;
    let mut relayed = Ok(());
    group.bench_function("steps_of_a_channel/10000_live", |b| {
        b.iter(|| {
            turn += 1;
            // Another session and a fresh number each time.
            let number = u32::try_from(turn / LIVE + 1).unwrap_or(u32::MAX);
            if let Some(session) = desk.ids.get(turn % LIVE).cloned() {
                relayed = desk.channel(&session, ChannelNo(number));
            }
        });
    });
    relayed?;
    group.throughput(Throughput::Elements(1));
    group.bench_function("judge_again/10000_live", |b| {
        let next = || {
            turn += 1;
            (desk.ids.get(turn % LIVE).cloned(), Box::new(desk.facts.clone()))
        };
        let judge = |(session, facts): (Option<SessionId>, Box<Facts>)| {
            let input = session.map(|session| Input::Facts { session, facts });
            input.map(|input| desk.sessions.step(input, desk.now))
        };
        b.iter_batched(next, judge, BatchSize::SmallInput);
    });
    group.bench_function("next_deadline/10000_live", |b| b.iter(|| desk.sessions.next_deadline()));
    group.finish();
    ensure!(desk.sessions.len() == LIVE, "sessions ended");
    Ok(())
}

/// A desk at which sessions are played, without a socket.
struct Desk {
    sessions: Sessions,
    ids: Vec<SessionId>,
    facts: Facts,
    now: Now,
    technician: PeerId,
    device: PeerId,
}

impl Desk {
    fn new() -> Result<Self> {
        let mut minted = 0_u64;
        let mint = move || {
            minted += 1;
            let mut bytes = [0; 32];
            let (head, _) = bytes.split_first_chunk_mut()?;
            *head = minted.to_be_bytes();
            Some(JoinToken::new(bytes))
        };
        let now = Now { wall: facts::MORNING, ..Now::read() };
        let (technician, device) = (facts::technician()?, facts::device()?);
        let sessions = Sessions::new(Options::default(), mint);
        Ok(Self { sessions, ids: Vec::new(), facts: facts::facts()?, now, technician, device })
    }

    /// A session, granted, started and active, its handshake over.
    fn begin(&mut self, session: SessionId) -> Result<()> {
        let grant = facts::grant(&self.facts)?;
        let party = Party { peer: self.technician.clone(), key: facts::TECHNICIAN_KEY };
        let snapshot = Snapshot::of(&grant, &self.facts, party).context("no snapshot")?;
        let snapshot = Box::new(snapshot);
        self.step(Input::Granted { session: session.clone(), grant, snapshot, ear: EAR });
        self.join(&session, ChannelNo::HANDSHAKE)?;
        let outcome = Outcome::Started {
            grant: facts::grant(&self.facts)?,
            facts: Box::new(self.facts.clone()),
        };
        self.step(Input::Recorded { session: session.clone(), outcome });
        self.end(&session, ChannelNo::HANDSHAKE);
        self.ids.push(session);
        Ok(())
    }

    /// A channel from its opening to its end.
    fn channel(&mut self, session: &SessionId, channel: ChannelNo) -> Result<()> {
        let done = self.join(session, channel)?;
        self.end(session, channel);
        if matches!(done.as_slice(), [Command::Relay { .. }]) { Ok(()) } else { bail!("{done:?}") }
    }

    /// Opens a channel, and both sides take their seats; what the last of them brings about.
    fn join(&mut self, session: &SessionId, channel: ChannelNo) -> Result<Vec<Command>> {
        let opened = self.step(Input::OpenChannel {
            ear: EAR,
            session: session.clone(),
            channel,
            target: None,
            destination: None,
        });
        let [Command::Offer { token: device, .. }, Command::Admit { token: technician, .. }] =
            opened.as_slice()
        else {
            bail!("no channel: {opened:?}");
        };
        let (peer, key) = (self.technician.clone(), facts::TECHNICIAN_KEY);
        self.seat(technician, peer, key)?;
        let (peer, key) = (self.device.clone(), facts::DEVICE_KEY);
        self.seat(device, peer, key)
    }

    fn seat(&mut self, token: &JoinToken, peer: PeerId, key: KeyDigest) -> Result<Vec<Command>> {
        let joined =
            Input::Joined { ask: AskNo(1), token: token.digest(), by: Some(Party { peer, key }) };
        match self.step(joined).pop() {
            Some(Command::Seat { seat, .. }) => Ok(self.step(Input::Seated(seat))),
            other => bail!("no seat: {other:?}"),
        }
    }

    fn end(&mut self, session: &SessionId, channel: ChannelNo) {
        let (tally, how) = (Tally { up: 10, down: 200 }, RelayEnd::Closed);
        self.step(Input::RelayEnded { session: session.clone(), channel, tally, how });
    }

    fn step(&mut self, input: Input) -> Vec<Command> {
        self.sessions.step(input, self.now)
    }
}
