//! The loop: inputs in, commands out.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use tokio::sync::{Semaphore, mpsc, oneshot};
use tracing::{info, warn};

use super::{
    AgentOrder, AgentTicket, Counts, Ear, LiveSession, Options, Settled, TechnicianNotice,
    TokenRefused,
    caps::Caps,
    handle::Shared,
    news::{Ask, News},
    recorder::Job,
    rounds::{Index, Rounds, objects_of},
    strand::Strand,
};
use crate::{
    audit::Flow,
    authz::{Facts, Grant},
    clock::{self, Now},
    ids::{DeviceId, Revision, SessionId},
    registry::{ConnectionNo, Registry},
    relay::Pools,
    session::{AskNo, EarNo, Input, Seat, Sessions, Snapshot},
    store::Store,
    tasks::{Scope, Stop},
    token::JoinToken,
    warrant::WarrantKey,
};

/// Sessions that are judged at the same time.
const JUDGES_MAX: usize = 8;

/// How far the reconnects of agents are spread when the gateway restarts.
const RESTART_SPREAD: Duration = Duration::from_secs(5);

/// What the loop holds of the world.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) store: Store,
    pub(super) registry: Registry,
    pub(super) warrant_key: Arc<WarrantKey>,
    pub(super) scope: Scope,
    pub(super) news: mpsc::Sender<News>,
    pub(super) jobs: mpsc::Sender<Job>,
    pub(super) shared: Arc<Shared>,
}

/// A device's connection.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) connection: ConnectionNo,
    pub(super) nonce: String,
    pub(super) orders: mpsc::Sender<Box<AgentOrder>>,
}

/// The loop's state; one task owns it.
#[derive(Debug)]
pub(super) struct Beam {
    pub(super) options: Options,
    pub(super) ends: Ends,
    pub(super) sessions: Sessions,
    pub(super) strands: BTreeMap<SessionId, Strand>,
    pub(super) agents: BTreeMap<DeviceId, Agent>,
    pub(super) ears: BTreeMap<EarNo, mpsc::Sender<TechnicianNotice>>,
    /// Who waits for a seat, within one turn.
    pub(super) seat_asks: BTreeMap<AskNo, oneshot::Sender<Result<Seat, TokenRefused>>>,
    /// What carrying out a command has brought about.
    pub(super) follow_ups: VecDeque<Input>,
    pub(super) index: Index,
    pub(super) rounds: Rounds,
    /// Channels that are over and not yet handed to the recorder, and when they are.
    pub(super) flows: Vec<Flow>,
    pub(super) flows_due: Option<Instant>,
    pub(super) pools: Pools,
    caps: Caps,
    pub(super) judges: Arc<Semaphore>,
    asked: u64,
    /// All changes up to this one were handed over.
    pub(super) processed: Revision,
    /// When the store last said that there is nothing newer.
    pub(super) confirmed: Instant,
    pub(super) settlers: Vec<Settler>,
    leaving: Option<Leaving>,
}

/// Somebody waits until a change is carried through.
#[derive(Debug)]
pub(super) struct Settler {
    pub(super) revision: Revision,
    pub(super) until: Instant,
    pub(super) reply: oneshot::Sender<Settled>,
}

/// The gateway leaves.
#[derive(Debug)]
struct Leaving {
    /// When the rest is ended; `None` once it was.
    until: Option<Instant>,
    replies: Vec<oneshot::Sender<()>>,
}

/// What woke the loop.
enum Woken {
    Stop,
    News(News),
    Ask(Ask),
    Time,
}

impl Beam {
    pub(super) fn new(options: Options, ends: Ends, now: Now) -> Self {
        let caps = Caps::new(options.rates);
        let sessions = Sessions::new(options.sessions.clone(), || {
            JoinToken::fresh().inspect_err(|error| warn!(%error, "no join token")).ok()
        });
        Self {
            options,
            ends,
            sessions,
            strands: BTreeMap::new(),
            agents: BTreeMap::new(),
            ears: BTreeMap::new(),
            seat_asks: BTreeMap::new(),
            follow_ups: VecDeque::new(),
            index: Index::default(),
            rounds: Rounds::default(),
            flows: Vec::new(),
            flows_due: None,
            pools: Pools::with_bulk_threads(),
            caps,
            judges: Arc::new(Semaphore::new(JUDGES_MAX)),
            asked: 0,
            processed: Revision::default(),
            confirmed: now.mono,
            settlers: Vec::new(),
            leaving: None,
        }
    }

    /// Runs until asked to stop and nothing is left. Never waits for a peer or the store.
    pub(super) async fn run(
        mut self,
        mut asks: mpsc::Receiver<Ask>,
        mut news: mpsc::Receiver<News>,
        stop: Stop,
    ) {
        let mut stopping = false;
        while !(stopping && self.sessions.is_empty()) {
            let deadline = self.next_deadline();
            let woken = tokio::select! {
                biased;
                // Cancel-safe: only observes.
                () = stop.asked(), if !stopping => Woken::Stop,
                // Cancel-safe: `mpsc::Receiver::recv`, by its documentation; never closed, since
                // the loop holds a sender.
                Some(heard) = news.recv() => Woken::News(heard),
                // Cancel-safe: as news.
                Some(asked) = asks.recv() => Woken::Ask(asked),
                // Cancel-safe: made anew each turn.
                () = clock::until(deadline) => Woken::Time,
            };
            let now = Now::read();
            match woken {
                Woken::Stop => {
                    stopping = true;
                    self.leave_now(now);
                }
                Woken::News(heard) => self.hear(heard, now),
                Woken::Ask(asked) => self.answer(asked, now),
                Woken::Time => {}
            }
            self.end_turn(now);
        }
    }

    /// What is due at the end of every turn, whatever woke the loop.
    fn end_turn(&mut self, now: Now) {
        if self.sessions.next_deadline().is_some_and(|due| due <= now.mono) {
            self.take(Input::Tick, now);
        }
        if self.flows_due.is_some_and(|due| due <= now.mono) {
            self.flush_flows();
        }
        if self.leaving.as_ref().is_some_and(|it| it.until.is_some_and(|at| at <= now.mono)) {
            self.leave_now(now);
        }
        self.settle(now);
        self.let_go();
        self.ends.shared.sessions.store(self.sessions.len(), Ordering::Release);
    }

    fn next_deadline(&self) -> Option<Instant> {
        let settlers = self.settlers.iter().map(|one| one.until).min();
        let leaving = self.leaving.as_ref().and_then(|it| it.until);
        [self.sessions.next_deadline(), self.flows_due, settlers, leaving]
            .into_iter()
            .flatten()
            .min()
    }

    /// One input and all that follows from it.
    pub(super) fn take(&mut self, input: Input, now: Now) {
        self.follow_ups.push_back(input);
        while let Some(input) = self.follow_ups.pop_front() {
            for command in self.sessions.step(input, now) {
                self.carry_out(command, now);
            }
        }
    }

    fn answer(&mut self, asked: Ask, now: Now) {
        match asked {
            Ask::Granted { session, grant, facts, snapshot, ear } => {
                self.granted(session, grant, (&facts, snapshot), &ear, now);
            }
            Ask::OpenChannel { ear, session, channel, target, destination } => {
                self.ears.entry(ear.no).or_insert(ear.notices);
                let ear = ear.no;
                self.take(Input::OpenChannel { ear, session, channel, target, destination }, now);
            }
            Ask::Close { ear, session } => self.take(Input::Close { ear, session }, now),
            Ask::Redeem { token, by, reply } => {
                self.asked = self.asked.wrapping_add(1);
                let ask = AskNo(self.asked);
                self.seat_asks.insert(ask, reply);
                self.take(Input::Joined { ask, token, by }, now);
            }
            Ask::TakeLeg { seat, leg } => match self.strands.get_mut(&seat.session) {
                Some(strand) => {
                    strand.put(seat.channel, seat.side, leg);
                    self.take(Input::Seated(seat), now);
                }
                None => leg.abort(),
            },
            Ask::End { session, by, reply } => {
                let lives = self.sessions.get(&session).is_some();
                self.take(Input::End { session, by }, now);
                let _ = reply.send(lives);
            }
            Ask::Sessions(reply) => {
                let _ = reply.send(self.live_sessions());
            }
            Ask::Counts(reply) => {
                let channels = self.sessions.iter().map(|view| view.channels).sum();
                let (devices, sessions) = (self.agents.len(), self.sessions.len());
                let _ = reply.send(Counts { devices, sessions, channels });
            }
        }
    }

    fn granted(
        &mut self,
        session: SessionId,
        grant: Grant,
        (facts, snapshot): (&Facts, Box<Snapshot>),
        ear: &Ear,
        now: Now,
    ) {
        let decided_on = grant.revision();
        self.ears.insert(ear.no, ear.notices.clone());
        self.strands.insert(session.clone(), Strand::new(self.caps.of(&snapshot, now), now));
        self.index.set(&session, objects_of(facts));
        info!(%session, person = %snapshot.person, tunnel = %snapshot.tunnel_name, "granted");
        self.take(Input::Granted { session: session.clone(), grant, snapshot, ear: ear.no }, now);
        // What changed between that decision and this moment found no session here to judge.
        if decided_on < self.processed {
            self.judge(self.processed, &session, now);
        }
        if ear.gone.load(Ordering::Acquire) {
            self.technician_gone(ear.no, now);
        }
    }

    fn hear(&mut self, heard: News, now: Now) {
        match heard {
            News::AgentArrived { ask, reply } => {
                let arrival = self.ends.registry.arrive(&ask.device);
                let connection = arrival.connection;
                let agent = Agent { connection, nonce: ask.nonce, orders: ask.orders };
                if let Some(older) = self.agents.insert(ask.device.clone(), agent) {
                    let _ = older.orders.try_send(Box::new(AgentOrder::Replaced));
                    // Whatever ran over the older connection ran on a box that has lost us.
                    self.take(Input::Departed(ask.device.clone()), now);
                }
                let _ = reply.send(AgentTicket { device: ask.device, connection });
            }
            News::AgentDeparted(ticket) => self.agent_gone(&ticket.device, ticket.connection, now),
            News::LocalSwitch { ticket, allows } => {
                let AgentTicket { device, connection } = ticket;
                if self.ends.registry.local_switch(&device, connection, allows) {
                    self.judge_all(now, |snapshot| snapshot.device == device);
                }
            }
            News::OfferRefused { ticket, session, channel, fault, detail } => {
                let AgentTicket { device, connection } = ticket;
                if self.ends.registry.is_newest(&device, connection) {
                    let input = Input::OfferRefused { device, session, channel, fault, detail };
                    self.take(input, now);
                }
            }
            News::TechnicianDeparted(ear) => self.technician_gone(ear, now),
            News::Changed(change) => self.changed(&change, now),
            News::Pulse(pulse) => self.pulse(pulse, now),
            News::Judged { session, facts } => self.judged(session, facts, now),
            News::Recorded { session, outcome } => {
                self.take(Input::Recorded { session, outcome }, now);
            }
            News::RelayEnded { session, channel, tally, how } => {
                if let Some(strand) = self.strands.get_mut(&session) {
                    strand.over(channel);
                }
                self.take(Input::RelayEnded { session, channel, tally, how }, now);
            }
            News::Settle { revision, until, reply } => {
                self.settlers.push(Settler { revision, until, reply });
            }
            News::Drain { until, reply } => self.drain(until, reply, now),
        }
    }

    pub(super) fn agent_gone(&mut self, device: &DeviceId, connection: ConnectionNo, now: Now) {
        if self.ends.registry.depart(device, connection) {
            self.agents.remove(device);
            self.take(Input::Departed(device.clone()), now);
        }
    }

    pub(super) fn technician_gone(&mut self, ear: EarNo, now: Now) {
        self.take(Input::TechnicianDeparted(ear), now);
        self.ears.remove(&ear);
    }

    fn drain(&mut self, until: Instant, reply: oneshot::Sender<()>, now: Now) {
        match &mut self.leaving {
            Some(leaving) => {
                leaving.until = leaving.until.map(|at| at.min(until));
                leaving.replies.push(reply);
            }
            None => {
                self.leaving = Some(Leaving { until: Some(until), replies: vec![reply] });
                self.take(Input::Drain, now);
                self.announce_restart();
            }
        }
    }

    /// Agents come back one after the other, not all at once.
    fn announce_restart(&self) {
        let agents = u32::try_from(self.agents.len()).unwrap_or(u32::MAX).max(1);
        for (place, agent) in (0_u32..).zip(self.agents.values()) {
            let reconnect_in = RESTART_SPREAD.saturating_mul(place) / agents;
            let _ = agent.orders.try_send(Box::new(AgentOrder::Restarting { reconnect_in }));
        }
        for notices in self.ears.values() {
            let reconnect_in = Duration::ZERO;
            let _ = notices.try_send(TechnicianNotice::Restarting { reconnect_in });
        }
    }

    fn leave_now(&mut self, now: Now) {
        self.ends.shared.draining.store(true, Ordering::Release);
        if let Some(leaving) = &mut self.leaving {
            leaving.until = None;
        }
        self.take(Input::DrainOver, now);
    }

    /// When nothing is left, those who drain are answered as soon as all of it is on disk.
    fn let_go(&mut self) {
        if !self.sessions.is_empty() {
            return;
        }
        let replies = self.leaving.as_mut().map(|it| std::mem::take(&mut it.replies));
        for reply in replies.into_iter().flatten() {
            self.flush_flows();
            let _ = self.ends.jobs.try_send(Job::Flush(reply));
        }
    }

    fn live_sessions(&self) -> Vec<LiveSession> {
        let live = |view: crate::session::View<'_>| {
            let running = self.strands.get(view.session).map(Strand::running).unwrap_or_default();
            let tally = view.tally.plus(running);
            LiveSession {
                session: view.session.clone(),
                phase: view.phase,
                person: view.snapshot.person.clone(),
                via: view.snapshot.via.clone(),
                asset: view.snapshot.asset.clone(),
                device: view.snapshot.device.clone(),
                tunnel: view.snapshot.tunnel.clone(),
                tunnel_name: view.snapshot.tunnel_name.clone(),
                granted: view.granted,
                started: view.started,
                expires: view.expires,
                channels: view.channels,
                up: tally.up,
                down: tally.down,
            }
        };
        self.sessions.iter().map(live).collect()
    }
}
