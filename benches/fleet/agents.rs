//! Simulated agents: each dials, greets, answers pings, and comes back as the real one does; only
//! what lies behind it, targets and channels, is missing.
//!
//! ```text
//!   dial (TLS | QUIC, its own certificate) -> Hello -> Welcome -> LocalSwitch, Ping/Pong ... lost
//!     ^                                                                                       |
//!     \----------------------- back off, as caseway::agent::backoff says ---------------------/
//! ```

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use caseway::{
    agent::{
        self,
        backoff::{self, Failure},
    },
    clock::Now,
    ids::DeviceId,
    secret::Secret,
    tasks::Scope,
    tls::{Identity, PeerTls, Trust},
    transport::{CarrierChoice, DialOptions, Dialer, Dialled},
    wire::{AgentSays, GatewayTellsAgent, Hello, PROTOCOL, ReadError},
};
use tokio::{
    sync::Semaphore,
    time::{MissedTickBehavior, timeout},
};

/// As the agent has them.
const DIAL_TIMEOUT: Duration = Duration::from_secs(15);
const GREETING_TIMEOUT: Duration = Duration::from_secs(10);
const STABLE_AFTER: Duration = Duration::from_secs(10);
const SILENT_BEATS_MAX: u32 = 3;
const RECONNECT_IN_MIN: Duration = Duration::from_millis(250);

/// First dials at a time: a fleet is switched on over a while, and comes back all at once.
const FIRST_DIALS: usize = 32;
/// Agents that dial from one local address, so that its ports suffice.
const AGENTS_PER_ADDRESS: usize = 8_000;
/// How long a fleet is waited for.
pub(crate) const ALL_BACK_MAX: Duration = Duration::from_secs(180);

/// Agents that run.
pub(crate) struct Fleet {
    scope: Scope,
    count: usize,
    board: Arc<Board>,
}

/// What becomes of them.
struct Board {
    began: Instant,
    online: AtomicUsize,
    /// For each agent, when it was welcomed last: microseconds since `began`, 0 for never.
    welcomed: Vec<AtomicU64>,
    /// Why connections were not made or were lost, and how often.
    troubles: Mutex<BTreeMap<String, u32>>,
    first_dials: Semaphore,
}

/// One simulated agent.
struct Agent {
    number: usize,
    identity: Identity,
    trust: Trust,
    dial: DialOptions,
    board: Arc<Board>,
}

/// Why a connection is over.
enum Left {
    For(Failure, String),
    Restarting(Duration),
}

impl Fleet {
    /// Starts an agent for each of `devices`; they dial `gateway` until they are closed.
    pub(crate) fn start(
        devices: &[(DeviceId, Identity)],
        trust: &Trust,
        gateway: SocketAddr,
        carrier: CarrierChoice,
    ) -> Self {
        let scope = Scope::new("fleet");
        let board = Arc::new(Board {
            began: Now::read().mono,
            online: AtomicUsize::new(0),
            welcomed: devices.iter().map(|_| AtomicU64::new(0)).collect(),
            troubles: Mutex::default(),
            first_dials: Semaphore::new(FIRST_DIALS),
        });
        for (number, (_, identity)) in devices.iter().enumerate() {
            let agent = Agent {
                number,
                identity: identity.clone(),
                trust: trust.clone(),
                dial: options(number, gateway, carrier),
                board: Arc::clone(&board),
            };
            scope.spawn("agent", agent.stay());
        }
        Self { scope, count: devices.len(), board }
    }

    pub(crate) fn online(&self) -> usize {
        self.board.online.load(Ordering::Acquire)
    }

    /// Waits until all are connected.
    pub(crate) async fn all_online(&self) -> Result<()> {
        let until = Now::read().mono + ALL_BACK_MAX;
        while self.online() < self.count {
            if Now::read().mono > until {
                bail!("{} of {} online; {}", self.online(), self.count, self.troubles());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Waits until all have been welcomed after `since`, or [`ALL_BACK_MAX`] is over; how long after
    /// each was, sorted, of those that are here then.
    pub(crate) async fn back(&self, since: Instant) -> Vec<Duration> {
        let from = self.board.micros(since);
        let until = since + ALL_BACK_MAX;
        loop {
            let all_here = self.online() == self.count;
            let mut back: Vec<Duration> = self
                .board
                .welcomed
                .iter()
                .filter_map(|at| at.load(Ordering::Acquire).checked_sub(from))
                .map(Duration::from_micros)
                .collect();
            if (all_here && back.len() == self.count) || Now::read().mono > until {
                back.sort_unstable();
                return back;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Why connections were not made or were lost so far, and how often.
    pub(crate) fn troubles(&self) -> String {
        let troubles = self.board.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<String> = troubles.iter().map(|(why, n)| format!("{n} x {why}")).collect();
        if lines.is_empty() { "no trouble".to_owned() } else { lines.join("; ") }
    }

    /// Forgets what trouble there was.
    pub(crate) fn forget_troubles(&self) {
        self.board.troubles.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Ends them all.
    pub(crate) async fn close(self) {
        self.scope.close(Duration::ZERO).await;
    }
}

fn options(number: usize, gateway: SocketAddr, carrier: CarrierChoice) -> DialOptions {
    let block = u8::try_from(number / AGENTS_PER_ADDRESS).unwrap_or(u8::MAX);
    DialOptions {
        host: gateway.ip().to_string(),
        port: gateway.port(),
        carrier,
        proxy: None,
        bind: Some(IpAddr::V4(Ipv4Addr::new(127, 0, block, 1))),
    }
}

impl Board {
    fn micros(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.began).as_micros()).unwrap_or(u64::MAX)
    }

    fn trouble(&self, why: String) {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        *troubles.entry(why).or_default() += 1;
    }
}

/// One agent is online for as long as this lives.
struct Online<'a>(&'a Board);

impl Drop for Online<'_> {
    fn drop(&mut self) {
        self.0.online.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Agent {
    async fn stay(self) {
        let mut failures: u32 = 0;
        loop {
            let began = Now::read().mono;
            let left = self.connection(failures == 0).await;
            if Now::read().mono.saturating_duration_since(began) >= STABLE_AFTER {
                failures = 0;
            }
            failures = failures.saturating_add(1);
            let wait = match left {
                Left::Restarting(wait) => wait,
                Left::For(failure, why) => {
                    self.board.trouble(why);
                    backoff::delay(failure, failures, random())
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    async fn connection(&self, first: bool) -> Left {
        let turn = if first { self.board.first_dials.acquire().await.ok() } else { None };
        let mut dialled = match self.dial().await {
            Ok(dialled) => dialled,
            Err(left) => return left,
        };
        let greeting = timeout(GREETING_TIMEOUT, greet(&mut dialled)).await;
        drop(turn);
        let heartbeat = match greeting {
            Ok(Ok(heartbeat)) => heartbeat,
            Ok(Err(left)) => return left,
            Err(_) => return Left::For(Failure::TurnedAway, "it does not greet".to_owned()),
        };
        let at = self.board.micros(Now::read().mono);
        if let Some(welcomed) = self.board.welcomed.get(self.number) {
            welcomed.store(at, Ordering::Release);
        }
        self.board.online.fetch_add(1, Ordering::AcqRel);
        let _online = Online(&self.board);
        hold(dialled, heartbeat).await
    }

    /// As the agent does, with a new TLS configuration each time.
    async fn dial(&self) -> Result<Dialled, Left> {
        let tls = PeerTls::new(&self.trust, Some(&self.identity))
            .map_err(|error| Left::For(Failure::Refused, error.to_string()))?;
        let dialer = Dialer::new(self.dial.clone(), tls);
        match timeout(DIAL_TIMEOUT, dialer.connect()).await {
            Ok(Ok(dialled)) => Ok(dialled),
            Ok(Err(error)) => Err(Left::For(agent::failure_of(&error), chain(&error))),
            Err(_) => Err(Left::For(Failure::Unreachable, "no answer to the dial".to_owned())),
        }
    }
}

/// Says hello; the heartbeat that the welcome asks for.
async fn greet(dialled: &mut Dialled) -> Result<Duration, Left> {
    let turned_away = |why: String| Left::For(Failure::TurnedAway, why);
    let nonce = Secret::<16>::fresh().map_err(|error| turned_away(error.to_string()))?;
    let hello = AgentSays::Hello(Hello {
        protocol: PROTOCOL,
        build: concat!("caseway-agent ", env!("CARGO_PKG_VERSION")).to_owned(),
        nonce: URL_SAFE_NO_PAD.encode(nonce.expose()),
        wall: Now::read().wall,
    });
    let written = dialled.writer.send(&hello).await;
    match dialled.reader.next().await.map_err(|error| turned_away(chain(&error)))? {
        _ if written.is_err() => Err(turned_away("it does not listen".to_owned())),
        Some(GatewayTellsAgent::Welcome(welcome)) => {
            Ok(Duration::from_millis(welcome.heartbeat_ms.into()))
        }
        Some(GatewayTellsAgent::Goodbye { code, detail }) => {
            Err(Left::For(Failure::of_goodbye(&code), format!("{code}: {detail}")))
        }
        Some(GatewayTellsAgent::Restarting { reconnect_in_ms }) => {
            Err(Left::Restarting(Duration::from_millis(reconnect_in_ms.into())))
        }
        Some(_) => Err(turned_away("it does not greet first".to_owned())),
        None => Err(turned_away("it closes at once".to_owned())),
    }
}

enum Turn {
    Beat,
    Heard(Result<Option<GatewayTellsAgent>, ReadError>),
}

/// Stays until the connection is over. Legs are never needed, so what dials them is let go.
async fn hold(dialled: Dialled, heartbeat: Duration) -> Left {
    let Dialled { mut reader, mut writer, legs, closer: _closer, carrier: _ } = dialled;
    drop(legs);
    let lost = |why: String| Left::For(Failure::Unreachable, why);
    let mut beat = tokio::time::interval(heartbeat);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Now::read().mono;
    let mut back_at: Option<Instant> = None;
    let mut pings = 0;
    let mut say = Some(AgentSays::LocalSwitch { allows: true });
    loop {
        if let Some(said) = say.take()
            && let Err(error) = writer.send(&said).await
        {
            return lost(chain(&error));
        }
        let turn = tokio::select! {
            biased;
            // Cancel-safe: `Interval::tick`, by its documentation.
            _ = beat.tick() => Turn::Beat,
            // Cancel-safe: the reader keeps what it read.
            said = reader.next() => Turn::Heard(said),
        };
        match turn {
            Turn::Beat => {
                let silent = Now::read().mono.saturating_duration_since(heard);
                if silent >= heartbeat * SILENT_BEATS_MAX {
                    return lost("silent for three beats".to_owned());
                }
                pings += 1;
                say = Some(AgentSays::Ping { n: pings });
            }
            Turn::Heard(Ok(Some(message))) => {
                heard = Now::read().mono;
                match message {
                    GatewayTellsAgent::Ping { n } => say = Some(AgentSays::Pong { n }),
                    GatewayTellsAgent::Restarting { reconnect_in_ms } => {
                        back_at = Some(heard + Duration::from_millis(reconnect_in_ms.into()));
                    }
                    GatewayTellsAgent::Replaced => {
                        return Left::For(Failure::Replaced, "replaced".to_owned());
                    }
                    GatewayTellsAgent::Welcome(_)
                    | GatewayTellsAgent::Goodbye { .. }
                    | GatewayTellsAgent::Pong { .. }
                    | GatewayTellsAgent::Offer { .. }
                    | GatewayTellsAgent::Ended { .. }
                    | GatewayTellsAgent::Renewed { .. }
                    | GatewayTellsAgent::RenewRefused { .. } => {}
                }
            }
            Turn::Heard(ended) => {
                if let Some(at) = back_at {
                    let wait = at.saturating_duration_since(Now::read().mono);
                    return Left::Restarting(wait.max(RECONNECT_IN_MIN));
                }
                return lost(match ended {
                    Err(error) => chain(&error),
                    Ok(_) => "the gateway closed the connection".to_owned(),
                });
            }
        }
    }
}

fn random() -> u32 {
    Secret::<4>::fresh().map_or(u32::MAX / 2, |drawn| u32::from_be_bytes(*drawn.expose()))
}

/// An error on one line, without the addresses that would make each one different.
fn chain(error: &dyn std::error::Error) -> String {
    caseway::telemetry::one_line(error)
}
