//! The line to the gateway: what is asked on it, what is heard, and when it is dead.
//!
//! ```text
//!   open, channel, close --> orders --+
//!                                     v           says          +--------+
//!                          Line task (one turn at a time) ----> | writer | ===> gateway
//!                                     ^                         +--------+
//!   fate <-- watch <------------------+------- reader <========================
//! ```
//!
//! Reading and writing are two tasks: a gateway that takes nothing must not keep us from hearing it.
//! Three heartbeats without a word, and it is gone.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};
use tracing::debug;

use super::{
    Subject,
    fate::{ChannelFault, Fate, OpenFault},
};
use crate::{
    audit::EndCause,
    client::{
        Exit, Failure, gate,
        show::{OneLine, Terminal},
    },
    clock::{self, Now, Wall},
    ids::{ChannelNo, Name, SessionId},
    machines::Destination,
    secret::Secret,
    tasks::{Scope, Stop},
    telemetry::one_line,
    tls::TlsFault,
    token::JoinToken,
    transport::{Closer, Dialer, LegDialer},
    wire::{
        ControlReader, ControlWriter, GatewayTellsTechnician as Heard, Hello, Opened, PROTOCOL,
        ReadError, TechnicianSays as Says, Welcome,
    },
};

/// Orders that wait for their turn; whoever gives more waits.
const ORDERS_MAX: usize = 64;
/// Messages that wait to be written; more, and the gateway is taken for gone.
const SAYS_MAX: usize = 256;
/// The gateway greets within this time.
const WELCOME_TIME_MAX: Duration = Duration::from_secs(10);
/// The gateway decides within this time.
const OPEN_TIME_MAX: Duration = Duration::from_secs(15);
/// The device has connected the target within this time, or said that it cannot.
const CHANNEL_TIME_MAX: Duration = Duration::from_secs(20);
/// Channels that are remembered for a late refusal; of older ones it is not told.
const BEGUN_MAX: usize = 256;
/// The gateway confirms a close within this time; it is closed all the same.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(3);
/// Heartbeats in silence, after which the gateway is gone.
const BEATS_MISSED_MAX: u32 = 3;
/// A gateway's heartbeat is taken as at least and at most this, so that a lost one shows in 18 s.
const BEAT_MIN: Duration = Duration::from_millis(500);
const BEAT_MAX: Duration = Duration::from_secs(6);
/// A clock that is further off than this is worth a warning: certificates and switches go by it.
const CLOCK_OFF_MAX: Duration = Duration::from_secs(60);

/// What to ask for when opening a session.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) subject: Subject,
    pub(super) tunnel: Name,
    pub(super) reason: Option<String>,
}

/// A line to the gateway. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Line {
    orders: mpsc::Sender<Order>,
    fate: watch::Receiver<Option<Fate>>,
    legs: LegDialer,
    closer: Closer,
}

#[derive(Debug)]
enum Order {
    Open { ask: Ask, answer: oneshot::Sender<Result<Opened, OpenFault>> },
    Channel { open: OpenChannel, answer: ChannelAnswer },
    Close { done: oneshot::Sender<()> },
}

/// The target that a channel is asked for by name, and where it is; channel 0 leads nowhere.
type Lead = Option<(Name, Destination)>;

/// A channel's number, and the token that opens its leg.
type ChannelAnswer = oneshot::Sender<Result<(ChannelNo, JoinToken), ChannelFault>>;

/// One channel that is asked for.
#[derive(Clone, Debug)]
pub(super) struct OpenChannel {
    pub(super) session: SessionId,
    pub(super) target: Option<Name>,
    pub(super) destination: Option<Destination>,
}

impl Line {
    /// Connects, greets, and starts the line's tasks in `scope`.
    pub(super) async fn connect(
        dialer: &Dialer,
        terminal: &Terminal,
        scope: &Scope,
    ) -> Result<Self, Failure> {
        let dialled = dialer.connect().await.map_err(gate::GateError::Dial)?;
        terminal.detail(format_args!("connected over {}", dialled.carrier));
        let (mut reader, mut writer) = (dialled.reader, dialled.writer);
        let welcome = greet(&mut reader, &mut writer).await?;
        if let Some(warning) = clock_warning(welcome.wall, Now::read().wall) {
            terminal.note(warning);
        }
        let (orders, taken) = mpsc::channel(ORDERS_MAX);
        let (says, said) = mpsc::channel(SAYS_MAX);
        let (tell, fate) = watch::channel(None);
        let desk = Desk::new(says, Beat::new(welcome.heartbeat_ms, Now::read()));
        scope.spawn("writer", write(writer, said));
        scope.spawn("line", run(desk, reader, taken, tell, scope.stop(), terminal.clone()));
        Ok(Self { orders, fate, legs: dialled.legs, closer: dialled.closer })
    }

    pub(super) fn legs(&self) -> &LegDialer {
        &self.legs
    }

    /// Ready when it is over. Cancel-safe: only observes.
    pub(super) async fn fate(&self) -> Fate {
        let mut fate = self.fate.clone();
        let told = fate.wait_for(Option::is_some).await.ok().and_then(|told| told.clone());
        // The line's task always tells before it goes, unless it was cut.
        told.unwrap_or_else(|| Fate::Lost("the line was cut".to_owned()))
    }

    pub(super) async fn open(&self, ask: Ask) -> Result<Opened, OpenFault> {
        let (answer, answered) = oneshot::channel();
        let ordered = async {
            self.orders.send(Order::Open { ask, answer }).await.map_err(|_| OpenFault::Over)?;
            answered.await.unwrap_or(Err(OpenFault::Over))
        };
        timeout(OPEN_TIME_MAX, ordered).await.unwrap_or(Err(OpenFault::TimedOut))
    }

    /// Asks for the next channel. The first is [`ChannelNo::HANDSHAKE`].
    pub(super) async fn channel(
        &self,
        open: OpenChannel,
    ) -> Result<(ChannelNo, JoinToken), ChannelFault> {
        let (answer, answered) = oneshot::channel();
        let ordered = async {
            let order = Order::Channel { open, answer };
            self.orders.send(order).await.map_err(|_| ChannelFault::Over)?;
            answered.await.unwrap_or(Err(ChannelFault::Over))
        };
        timeout(CHANNEL_TIME_MAX, ordered).await.unwrap_or(Err(ChannelFault::TimedOut))
    }

    /// Closes the session, if one is open, and then the line.
    pub(super) async fn hang_up(&self) {
        let (done, closed) = oneshot::channel();
        let closing = async {
            if self.orders.send(Order::Close { done }).await.is_ok() {
                // An error means that the line ended first: as good as closed.
                let _ = closed.await;
            }
        };
        if timeout(CLOSE_TIME_MAX, closing).await.is_err() {
            debug!("the gateway did not confirm the close");
        }
        self.closer.close();
    }
}

async fn greet(reader: &mut ControlReader, writer: &mut ControlWriter) -> Result<Welcome, Failure> {
    let nonce = Secret::<16>::fresh().map_err(|error| Failure::new(Exit::Other, error))?;
    let hello = Says::Hello(Hello {
        protocol: PROTOCOL,
        build: concat!("caseway ", env!("CARGO_PKG_VERSION")).to_owned(),
        nonce: URL_SAFE_NO_PAD.encode(nonce.expose()),
        wall: Now::read().wall,
    });
    let lost = |how: String| {
        Failure::new(Exit::Unreachable, format!("the gateway did not greet: {how}"))
            .hint("is it a gateway of this program's version?")
    };
    writer.send(&hello).await.map_err(|error| lost(one_line(&error)))?;
    let heard = timeout(WELCOME_TIME_MAX, reader.next::<Heard>()).await;
    let heard = heard.map_err(|_| {
        Failure::new(Exit::TimedOut, "the gateway did not greet in time").hint("try again")
    })?;
    match heard {
        Ok(Some(Heard::Welcome(welcome))) if welcome.protocol == PROTOCOL => Ok(welcome),
        Ok(Some(Heard::Welcome(Welcome { protocol, build, .. }))) => {
            let what = format!(
                "the gateway ({build}) speaks protocol {protocol}, this program {PROTOCOL}"
            );
            Err(Failure::new(Exit::Unreachable, what).hint("update the older one"))
        }
        Ok(Some(Heard::Goodbye { code, detail })) => Err(sent_away(code, &detail)),
        Ok(Some(_)) => Err(lost("it began with another message".to_owned())),
        Ok(None) => Err(lost("it ended the connection; log in again".to_owned())),
        Err(error) => Err(not_let_in(&error).unwrap_or_else(|| lost(one_line(&error)))),
    }
}

/// In TLS 1.3 who dials learns by its first read that its certificate was refused.
fn not_let_in(error: &ReadError) -> Option<Failure> {
    let ReadError::Io(source) = error else { return None };
    match TlsFault::of(source)? {
        fault @ (TlsFault::NoCertificate
        | TlsFault::OursExpired { .. }
        | TlsFault::OursForeign
        | TlsFault::OursRefused) => {
            Some(Failure::new(Exit::NotLoggedIn, fault).hint("log in with `caseway login URL`"))
        }
        TlsFault::Expired { .. }
        | TlsFault::NotYetValid { .. }
        | TlsFault::ForeignCa
        | TlsFault::WrongName { .. }
        | TlsFault::Protocol
        | TlsFault::Other(_) => None,
    }
}

/// The gateway says who may not come in, and why; what to do follows from the code.
fn sent_away(code: String, detail: &str) -> Failure {
    let (exit, next) = match code.as_str() {
        // Their details say it.
        "protocol" => (Exit::Unreachable, None),
        "key" => (Exit::NotLoggedIn, None),
        "unavailable" => (Exit::Other, Some("try again; the gateway's log says why")),
        _ => (Exit::Unreachable, Some("are program and gateway of one version?")),
    };
    let failure = Failure::new(exit, format!("the gateway sent us away: {detail}")).code(code);
    match next {
        Some(next) => failure.hint(next),
        None => failure,
    }
}

fn clock_warning(gateway: Wall, here: Wall) -> Option<String> {
    let off = gateway.0.abs_diff(here.0);
    (u128::from(off) > CLOCK_OFF_MAX.as_millis())
        .then(|| format!("this machine's clock is {} s off the gateway's: set it", off / 1_000))
}

async fn write(mut writer: ControlWriter, mut said: mpsc::Receiver<Says>) {
    while let Some(message) = said.recv().await {
        if let Err(error) = writer.send(&message).await {
            // The reader's side learns it from the connection, or from the silence.
            debug!(error = one_line(&error), "the gateway takes nothing");
            return;
        }
    }
    // The gateway may be gone already; there is nothing left to tell it.
    let _ = writer.finish().await;
}

/// One turn's input.
enum Turn {
    Heard(Result<Option<Heard>, ReadError>),
    Order(Option<Order>),
    Beat,
    Stop,
}

async fn run(
    mut desk: Desk,
    mut reader: ControlReader,
    mut orders: mpsc::Receiver<Order>,
    tell: watch::Sender<Option<Fate>>,
    stop: Stop,
    terminal: Terminal,
) {
    let fate = loop {
        let turn = tokio::select! {
            biased;
            // Cancel-safe: `ControlReader::next`, by its documentation.
            heard = reader.next() => Turn::Heard(heard),
            // Cancel-safe: only observes.
            () = stop.asked() => Turn::Stop,
            // Cancel-safe: `mpsc::Receiver::recv`, by its documentation.
            order = orders.recv() => Turn::Order(order),
            // Cancel-safe: made anew each turn.
            () = clock::until(Some(desk.beat.next())) => Turn::Beat,
        };
        let over = match turn {
            Turn::Heard(Ok(Some(message))) => desk.heard(message, Now::read(), &terminal),
            Turn::Heard(Ok(None)) => Some(Fate::Lost("it ended the connection".to_owned())),
            Turn::Heard(Err(error)) => Some(Fate::Lost(broken(&error))),
            Turn::Order(Some(order)) => desk.ordered(order),
            Turn::Order(None) | Turn::Stop => Some(Fate::Ended(EndCause::UserClosed)),
            Turn::Beat => desk.beaten(Now::read()),
        };
        if let Some(fate) = over {
            break fate;
        }
    };
    debug!(?fate, "the line is over");
    // Nobody may be left who cares.
    let _ = tell.send(Some(fate));
}

fn broken(error: &ReadError) -> String {
    match error {
        ReadError::Io(io) if io.kind() == std::io::ErrorKind::UnexpectedEof => {
            "the connection broke off".to_owned()
        }
        ReadError::Io(_)
        | ReadError::Frame(_)
        | ReadError::Message(_)
        | ReadError::Unexpected(_)
        | ReadError::Truncated => one_line(error),
    }
}

/// When to speak, and since when the gateway is silent.
#[derive(Debug)]
struct Beat {
    every: Duration,
    ping_at: Instant,
    heard: Instant,
    n: u64,
}

impl Beat {
    fn new(heartbeat_ms: u32, now: Now) -> Self {
        let every = Duration::from_millis(heartbeat_ms.into()).clamp(BEAT_MIN, BEAT_MAX);
        Self { every, ping_at: now.mono, heard: now.mono, n: 0 }
    }

    /// The moment from which the gateway is gone, unless it says something.
    fn gone_at(&self) -> Instant {
        let patience = self.every.saturating_mul(BEATS_MISSED_MAX);
        self.heard.checked_add(patience).unwrap_or(self.heard)
    }

    fn next(&self) -> Instant {
        self.ping_at.min(self.gone_at())
    }

    /// The number of the ping that is due, or how long the gateway has been silent if that is too
    /// long.
    fn turn(&mut self, now: Now) -> Result<Option<u64>, Duration> {
        if now.mono >= self.gone_at() {
            return Err(now.mono.saturating_duration_since(self.heard));
        }
        if now.mono < self.ping_at {
            return Ok(None);
        }
        self.ping_at = now.mono.checked_add(self.every).unwrap_or(now.mono);
        self.n = self.n.saturating_add(1);
        Ok(Some(self.n))
    }
}

/// Who waits for which answer. Decides what each message means; never waits.
#[derive(Debug)]
struct Desk {
    says: mpsc::Sender<Says>,
    beat: Beat,
    request: u32,
    open: Option<oneshot::Sender<Result<Opened, OpenFault>>>,
    session: Option<SessionId>,
    /// The number that the next channel gets: given here, because they must be asked for in order.
    next: u32,
    channels: BTreeMap<ChannelNo, (Lead, ChannelAnswer)>,
    /// Where the newest channels lead that were let open: the device may still refuse them.
    begun: BTreeMap<ChannelNo, Lead>,
    closing: Vec<oneshot::Sender<()>>,
}

impl Desk {
    fn new(says: mpsc::Sender<Says>, beat: Beat) -> Self {
        Self {
            says,
            beat,
            request: 0,
            open: None,
            session: None,
            next: ChannelNo::HANDSHAKE.0,
            channels: BTreeMap::new(),
            begun: BTreeMap::new(),
            closing: Vec::new(),
        }
    }

    /// A full queue means that the gateway takes nothing: it is gone.
    fn say(&self, message: Says) -> Option<Fate> {
        let full = self.says.try_send(message).is_err();
        full.then(|| Fate::Lost("it takes nothing any more".to_owned()))
    }

    fn beaten(&mut self, now: Now) -> Option<Fate> {
        match self.beat.turn(now) {
            Ok(Some(n)) => self.say(Says::Ping { n }),
            Ok(None) => None,
            Err(silent) => Some(Fate::Lost(format!("not a word for {} s", silent.as_secs()))),
        }
    }

    fn ordered(&mut self, order: Order) -> Option<Fate> {
        match order {
            Order::Open { ask, answer } => {
                self.request = self.request.saturating_add(1);
                self.open = Some(answer);
                let (case, asset) = match ask.subject {
                    Subject::Case(case) => (Some(case), None),
                    Subject::Asset(asset) => (None, Some(asset)),
                };
                let (request, tunnel, reason) = (self.request, ask.tunnel, ask.reason);
                self.say(Says::Open { request, case, asset, tunnel, reason })
            }
            Order::Channel { open, answer } => {
                // Those whose asker has lost patience.
                self.channels.retain(|_, (_, waiting)| !waiting.is_closed());
                let OpenChannel { session, target, destination } = open;
                let channel = ChannelNo(self.next);
                self.next = self.next.saturating_add(1);
                let lead = target.clone().zip(destination.clone());
                self.channels.insert(channel, (lead, answer));
                self.say(Says::OpenChannel { session, channel, target, destination })
            }
            Order::Close { done } => {
                let Some(session) = self.session.clone() else {
                    return Some(Fate::Ended(EndCause::UserClosed));
                };
                self.closing.push(done);
                self.say(Says::Close { session })
            }
        }
    }

    fn heard(&mut self, message: Heard, now: Now, terminal: &Terminal) -> Option<Fate> {
        self.beat.heard = now.mono;
        match message {
            Heard::Ping { n } => return self.say(Says::Pong { n }),
            Heard::Pong { .. } | Heard::Welcome(_) => {}
            Heard::Opened(opened) => {
                if opened.request == self.request {
                    self.session = Some(opened.session.clone());
                    self.answer_open(Ok(*opened));
                }
            }
            Heard::Refused { request, reason, detail } => {
                if request == self.request {
                    self.answer_open(Err(OpenFault::Refused { reason, detail }));
                }
            }
            Heard::Channel { session, channel, token } => {
                let token = token_of(&token);
                let token = token.ok_or(ChannelFault::Leg("a malformed token".to_owned()));
                self.answer_channel(&session, channel, token);
            }
            Heard::ChannelRefused { session, channel, fault, detail } => {
                let fault = ChannelFault::Refused { fault, detail };
                self.refused_late(&session, channel, &fault, terminal);
                self.answer_channel(&session, channel, Err(fault));
            }
            Heard::Ended { session, cause } => {
                if self.session.as_ref() == Some(&session) {
                    return Some(Fate::Ended(cause));
                }
            }
            Heard::Restarting { .. } => {
                terminal.note("the gateway is about to restart: the session will end");
            }
            Heard::Goodbye { code, detail } => return Some(Fate::Goodbye { code, detail }),
        }
        None
    }

    fn answer_open(&mut self, answer: Result<Opened, OpenFault>) {
        if let Some(waiting) = self.open.take() {
            // One that has lost patience hangs up, and that closes the session.
            let _ = waiting.send(answer);
        }
    }

    fn answer_channel(
        &mut self,
        session: &SessionId,
        channel: ChannelNo,
        answer: Result<JoinToken, ChannelFault>,
    ) {
        if self.session.as_ref() != Some(session) {
            return;
        }
        if let Some((lead, waiting)) = self.channels.remove(&channel) {
            if answer.is_ok() {
                self.begun.insert(channel, lead);
                while self.begun.len() > BEGUN_MAX {
                    self.begun.pop_first();
                }
            }
            // One that has lost patience lets the token lapse.
            let _ = waiting.send(answer.map(|token| (channel, token)));
        }
    }
}

impl Desk {
    /// Tells why a connection is reset that was let open before the device had its say.
    fn refused_late(
        &mut self,
        session: &SessionId,
        channel: ChannelNo,
        fault: &ChannelFault,
        terminal: &Terminal,
    ) {
        if self.session.as_ref() != Some(session) {
            return;
        }
        if let Some(Some((target, destination))) = self.begun.remove(&channel) {
            terminal.note(OneLine(fault.of(&target, &destination)));
        }
    }
}

fn token_of(text: &str) -> Option<JoinToken> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    bytes.try_into().ok().map(JoinToken::new)
}

#[cfg(test)]
mod tests;
