//! The handle that faces hold.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::{mpsc, oneshot};

use super::{
    AgentAsk, AgentTicket, Counts, Ear, LiveSession, OpenAsk, Opened, Options, Party, Refusal,
    Seat, Settled, TokenRefused,
    beam::{Beam, Ends},
    feed::Feed,
    news::{Ask, News},
    opening::Opening,
    recorder::{JOBS_MAX, Recorder},
};
use crate::{
    audit::OfferFault,
    clock::Now,
    ids::{ChannelNo, GatewayId, Name, PersonId, Revision, SessionId},
    machines::Destination,
    registry::{ConnectionNo, Registry},
    relay::Leg,
    session,
    store::Store,
    tasks::Scope,
    token::JoinToken,
    warrant::WarrantKey,
};

/// Requests that wait for the loop at most; who asks then waits as well.
const ASKS_MAX: usize = 1_024;

/// News that wait for the loop at most; who tells then waits as well.
const NEWS_MAX: usize = 1_024;

/// Sessions of one gateway at once; more are refused as unavailable.
pub(super) const SESSIONS_MAX: usize = 4_096;

/// How long opening may take: two transactions of the store, or its silence.
const OPEN_WITHIN: Duration = Duration::from_secs(10);

/// What is waited for beyond what the caller allows, before the loop counts as dead.
const SLACK: Duration = Duration::from_secs(1);

/// The broker, as faces hold it; clones talk to the same.
#[derive(Clone, Debug)]
pub struct Broker {
    registry: Registry,
    store: Store,
    gateway: GatewayId,
    asks: mpsc::Sender<Ask>,
    news: mpsc::Sender<News>,
    scope: Scope,
    shared: Arc<Shared>,
    sessions: session::Options,
}

/// What every handle sees without asking the loop.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) draining: AtomicBool,
    /// Sessions that live here, as of the loop's last turn.
    pub(super) sessions: AtomicUsize,
}

impl Broker {
    /// Starts the loop and its helpers in `scope`. `registry` is the one that `store` reads.
    ///
    /// They stop when `scope` is asked to: whatever is live then ends `gateway_shutdown`. Ask
    /// [`Self::drain`] first.
    #[must_use]
    pub fn start(
        options: Options,
        store: Store,
        registry: Registry,
        warrant_key: Arc<WarrantKey>,
        gateway: GatewayId,
        scope: &Scope,
    ) -> Self {
        let (asks, asks_heard) = mpsc::channel(ASKS_MAX);
        let (news, news_heard) = mpsc::channel(NEWS_MAX);
        let (jobs, jobs_heard) = mpsc::channel(JOBS_MAX);
        let shared = Arc::new(Shared::default());
        let sessions = options.sessions.clone();
        let feed = Feed {
            store: store.clone(),
            news: news.clone(),
            every: options.renew_every,
            seen: None,
        };
        // Listening begins before anything can be granted.
        scope.spawn("feed", feed.run(store.changes(), scope.stop()));
        let unwritten = std::collections::VecDeque::new();
        let recorder = Recorder { store: store.clone(), jobs: jobs_heard, unwritten };
        scope.spawn("recorder", recorder.run());
        let ends = Ends {
            store: store.clone(),
            registry: registry.clone(),
            warrant_key,
            scope: scope.clone(),
            news: news.clone(),
            jobs,
            shared: shared.clone(),
        };
        let beam = Beam::new(options, ends, Now::read());
        scope.spawn("broker", beam.run(asks_heard, news_heard, scope.stop()));
        Self { registry, store, gateway, asks, news, scope: scope.clone(), shared, sessions }
    }

    /// Asks for a session; the reply is durable.
    ///
    /// It goes on when the caller is dropped; a session that nobody takes up ends by itself.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; nothing was opened then.
    pub async fn open(&self, ask: OpenAsk) -> Result<Opened, Refusal> {
        if self.shared.draining.load(Ordering::Acquire) {
            return Err(Refusal::Draining);
        }
        if self.shared.sessions.load(Ordering::Acquire) >= SESSIONS_MAX {
            return Err(Refusal::Unavailable("the gateway has no room for more sessions".into()));
        }
        let (reply, answer) = oneshot::channel();
        let opening = Opening {
            store: self.store.clone(),
            gateway: self.gateway.clone(),
            asks: self.asks.clone(),
            last_at_most: self.sessions.last_at_most,
        };
        self.scope.spawn("open", opening.run(ask, reply));
        match tokio::time::timeout(OPEN_WITHIN, answer).await {
            Ok(Ok(opened)) => opened,
            Ok(Err(_)) => Err(Refusal::Draining),
            Err(_) => Err(Refusal::Unavailable("the gateway's store does not answer".into())),
        }
    }

    /// Asks for a channel of a session; the answer comes through the ear. Channel 0 has no target.
    pub async fn open_channel(
        &self,
        ear: &Ear,
        session: SessionId,
        channel: ChannelNo,
        target: Option<Name>,
        destination: Option<Destination>,
    ) {
        let ear = ear.clone();
        self.ask(Ask::OpenChannel { ear, session, channel, target, destination }).await;
    }

    /// The technician is done with a session of this ear.
    pub async fn close(&self, ear: &Ear, session: SessionId) {
        self.ask(Ask::Close { ear: ear.no, session }).await;
    }

    /// The technician's connection is gone, and with it all its sessions.
    pub async fn technician_departed(&self, ear: &Ear) {
        ear.gone.store(true, Ordering::Release);
        self.tell(News::TechnicianDeparted(ear.no)).await;
    }

    /// Lets a device's connection in; an older one is told `Replaced`. While the gateway stops
    /// nobody is let in: the ticket says nothing then, and the orders end at once.
    pub async fn agent_arrived(&self, ask: AgentAsk) -> AgentTicket {
        let (reply, answer) = oneshot::channel();
        let nobody =
            AgentTicket { device: ask.device.clone(), connection: ConnectionNo::default() };
        self.tell(News::AgentArrived { ask: Box::new(ask), reply }).await;
        answer.await.unwrap_or(nobody)
    }

    /// The device's connection is gone; nothing happens if it had been replaced.
    pub async fn agent_departed(&self, ticket: &AgentTicket) {
        self.tell(News::AgentDeparted(ticket.clone())).await;
    }

    /// What the device's local switch says now.
    pub async fn local_switch(&self, ticket: &AgentTicket, allows: bool) {
        self.tell(News::LocalSwitch { ticket: ticket.clone(), allows }).await;
    }

    /// No leg will come for this offer.
    pub async fn offer_refused(
        &self,
        ticket: &AgentTicket,
        session: SessionId,
        channel: ChannelNo,
        fault: OfferFault,
        detail: String,
    ) {
        let ticket = ticket.clone();
        self.tell(News::OfferRefused { ticket, session, channel, fault, detail }).await;
    }

    /// Spends a token, shown by the party that it was made for, or on a bare leg by nobody but
    /// itself. On a seat: answer `Joined`, then [`Self::take_leg`].
    ///
    /// # Errors
    ///
    /// [`TokenRefused`], whatever the fault.
    pub async fn redeem(&self, token: &JoinToken, by: Option<Party>) -> Result<Seat, TokenRefused> {
        let (reply, answer) = oneshot::channel();
        let token = token.digest();
        self.ask(Ask::Redeem { token, by, reply }).await;
        answer.await.unwrap_or(Err(TokenRefused))
    }

    /// Hands the leg over for which a seat was given. When both are here, bytes flow.
    pub async fn take_leg(&self, seat: Seat, leg: Leg) {
        self.ask(Ask::TakeLeg { seat, leg }).await;
    }

    /// Every session that lives here, in the order of ids.
    pub async fn sessions(&self) -> Vec<LiveSession> {
        let (reply, answer) = oneshot::channel();
        self.ask(Ask::Sessions(reply)).await;
        answer.await.unwrap_or_default()
    }

    /// Ends a session for a person who may: `user_closed` if it is their own, else
    /// `admin_terminated`. False if it does not live here.
    pub async fn end_session(&self, session: &SessionId, by: &PersonId) -> bool {
        let (reply, answer) = oneshot::channel();
        self.ask(Ask::End { session: session.clone(), by: by.clone(), reply }).await;
        answer.await.unwrap_or(false)
    }

    /// Waits, at most `within`, until all that the change of `revision` denies is cut.
    pub async fn settled(&self, revision: Revision, within: Duration) -> Settled {
        let (reply, answer) = oneshot::channel();
        let until = Now::read().mono + within;
        self.tell(News::Settle { revision, until, reply }).await;
        match tokio::time::timeout(within + SLACK, answer).await {
            Ok(Ok(settled)) => settled,
            Ok(Err(_)) | Err(_) => Settled { confirmed: false, sessions_ended: 0 },
        }
    }

    /// Opens nothing more, lets sessions run at most `within`, ends the rest. Returns when none is
    /// left and their ends are on disk.
    pub async fn drain(&self, within: Duration) {
        self.shared.draining.store(true, Ordering::Release);
        let (reply, answer) = oneshot::channel();
        let until = Now::read().mono + within;
        self.tell(News::Drain { until, reply }).await;
        // Whatever is not over by then is cut with the scope, and ended at the next start.
        let _ = tokio::time::timeout(within + self.sessions.end_within + OPEN_WITHIN, answer).await;
    }

    /// How much lives here now.
    pub async fn counts(&self) -> Counts {
        let (reply, answer) = oneshot::channel();
        self.ask(Ask::Counts(reply)).await;
        answer.await.unwrap_or_default()
    }

    /// The devices that are connected now.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// A loop that is gone answers nobody: the reply's sender is dropped with the question.
    async fn ask(&self, ask: Ask) {
        let _ = self.asks.send(ask).await;
    }

    async fn tell(&self, news: News) {
        let _ = self.news.send(news).await;
    }
}
