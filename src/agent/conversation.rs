//! What is said on one connection.
//!
//! ```text
//!   agent                                gateway
//!    | Hello{nonce} ----------------------> |
//!    | <------------------------- Welcome   |
//!    | LocalSwitch{allows} ---------------> |   and on each change
//!    | Ping ----> <---- Pong    (and back)  |   three silent beats: gone
//!    | <--------------------- Offer{...}    |   a task each: join, or Refused
//!    | <--------------------- Ended{session}|   that session's channels are cut
//!    | Renew{csr} ----> <---- Renewed       |   at two thirds of the certificate's life
//! ```
//!
//! Reading never waits for writing: what is said goes through a bounded queue to a task that writes,
//! and a gateway that does not take it is gone.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use tokio::{
    sync::{mpsc, watch},
    time::MissedTickBehavior,
};
use tracing::{debug, info, warn};

use super::{
    link::Agent,
    offer::{Offer, Offers},
    papers::Papers,
    trust::Expected,
};
use crate::{
    clock::{Now, Wall},
    secret::Secret,
    tasks::Scope,
    telemetry::one_line,
    tls::TlsFault,
    transport::{Closer, DialError, Dialled},
    wire::{
        AgentSays, ControlReader, ControlWriter, GatewayTellsAgent, Hello, PROTOCOL, ReadError,
        Welcome,
    },
};

/// How long the gateway may take to welcome us.
pub(super) const GREETING_TIMEOUT: Duration = Duration::from_secs(10);
/// Beats without a word after which the gateway is gone.
pub(super) const SILENT_BEATS_MAX: u32 = 3;
/// The slowest heartbeat that is taken: three of them are 18 s, under the 20 s in which a death is
/// to be noticed.
pub(super) const HEARTBEAT_MAX: Duration = Duration::from_secs(6);
/// The fastest heartbeat that is taken.
pub(super) const HEARTBEAT_MIN: Duration = Duration::from_millis(200);
/// Messages that wait to be written at most; the connection ends at the next.
pub(super) const SAID_MAX: usize = 256;
/// After a refused renewal, how long until the next is asked for.
const RENEW_AGAIN: Duration = Duration::from_secs(60 * 60);
/// Renewals of a fleet that was enrolled in one hour are spread over this share of the lifetime.
const RENEW_SPREAD: i64 = 20;
/// The longest that a restarting gateway may send us away.
const RECONNECT_IN_MAX: Duration = Duration::from_secs(60);
/// The soonest that a gateway which said it would restart is dialled again.
const RECONNECT_IN_MIN: Duration = Duration::from_millis(250);
/// How far the clocks may differ before it is logged, in milliseconds.
const CLOCK_OFF_MS_MAX: i64 = 10_000;

/// Why a connection is over, or never was.
#[derive(Debug, thiserror::Error)]
pub(super) enum Left {
    #[error("the agent stops")]
    Stopped,
    #[error("{0}")]
    Lost(String),
    #[error("{}", one_line(.0))]
    Undialled(#[source] DialError),
    #[error("{0}")]
    TurnedAway(String),
    /// The detail says what to do.
    #[error("the gateway refused this device ({code}): {detail}")]
    Refused { code: String, detail: String },
    #[error("{0}")]
    Setup(String),
    #[error("another box uses this device's identity")]
    Replaced,
    #[error("the gateway restarts")]
    Restarting(Duration),
    #[error("the certificate was renewed")]
    Renewed,
}

/// One connection that was welcomed.
pub(super) struct Conversation {
    agent: Arc<Agent>,
    offers: Offers,
    scope: Scope,
    said: mpsc::Sender<AgentSays>,
    switch: watch::Receiver<bool>,
    heartbeat: Duration,
    heard: Instant,
    pings: u64,
    renew_at: Wall,
    renewed: bool,
    /// When a restarting gateway wants us back.
    back_at: Option<Instant>,
}

enum Event {
    Stop,
    Switch(bool),
    Beat,
    Said(Result<Option<GatewayTellsAgent>, ReadError>),
}

impl Conversation {
    /// Greets the gateway on a connection that was just dialled.
    pub(super) async fn begin(
        agent: &Arc<Agent>,
        papers: Papers,
        dialled: Dialled,
        scope: &Scope,
    ) -> Result<(Self, ControlReader), Left> {
        let Dialled { mut reader, mut writer, closer, legs, carrier } = dialled;
        let nonce = Secret::<16>::fresh().map_err(|e| Left::Setup(e.to_string()))?;
        let nonce = URL_SAFE_NO_PAD.encode(nonce.expose());
        let greeting = greet(&mut reader, &mut writer, &nonce);
        let welcome = tokio::time::timeout(GREETING_TIMEOUT, greeting)
            .await
            .map_err(|_| Left::TurnedAway("the gateway does not greet".to_owned()))??;
        let now = Now::read();
        let offset_ms = welcome.wall.0.saturating_sub(now.wall.0);
        if offset_ms.abs() > CLOCK_OFF_MS_MAX {
            warn!(offset_ms, "this clock is not the gateway's: set it");
        }
        let (said, queue) = mpsc::channel(SAID_MAX);
        scope.spawn("say", say(writer, queue, closer));
        let expected = Expected::new(papers.verifier, papers.device.clone(), nonce);
        agent.is_connected(carrier);
        info!(%carrier, device = %papers.device, gateway = %agent.url(), build = welcome.build, "connected");
        let offers = Offers {
            agent: Arc::clone(agent),
            expected,
            offset_ms,
            identity: papers.identity.clone(),
            legs,
            said: said.clone(),
        };
        let heartbeat = Duration::from_millis(welcome.heartbeat_ms.into());
        let conversation = Self {
            switch: agent.switch.watch(),
            agent: Arc::clone(agent),
            offers,
            scope: scope.clone(),
            said,
            heartbeat: heartbeat.clamp(HEARTBEAT_MIN, HEARTBEAT_MAX),
            heard: now.mono,
            pings: 0,
            renew_at: renew_at(&papers),
            renewed: false,
            back_at: None,
        };
        Ok((conversation, reader))
    }

    /// Stays until the connection is over.
    pub(super) async fn hold(mut self, mut reader: ControlReader) -> Left {
        let stop = self.scope.stop();
        let mut beat = tokio::time::interval(self.heartbeat);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.switch.mark_changed();
        loop {
            let event = tokio::select! {
                biased;
                // Cancel-safe: only observes.
                () = stop.asked() => Event::Stop,
                // Cancel-safe: `watch::Receiver::changed`, by its documentation.
                Ok(()) = self.switch.changed() => Event::Switch(*self.switch.borrow_and_update()),
                // Cancel-safe: `Interval::tick`, by its documentation.
                _ = beat.tick() => Event::Beat,
                // Cancel-safe: the reader keeps what it read.
                said = reader.next() => Event::Said(said),
            };
            if let Err(left) = self.step(event) {
                return self.after_restart(left);
            }
        }
    }

    fn step(&mut self, event: Event) -> Result<(), Left> {
        match event {
            Event::Stop => Err(Left::Stopped),
            Event::Switch(allows) => self.switched(allows),
            Event::Beat => self.beat(),
            Event::Said(Ok(Some(said))) => {
                self.heard = Now::read().mono;
                self.hear(said)
            }
            Event::Said(Ok(None)) => Err(Left::Lost("the gateway closed the connection".into())),
            Event::Said(Err(error)) => Err(Left::Lost(one_line(&error))),
        }
    }

    fn switched(&self, allows: bool) -> Result<(), Left> {
        if !allows {
            let cut = self.agent.board.end_all("the local switch is off");
            info!(cut, "remote access is not allowed here: the local switch is off");
        } else if self.agent.switch.is_used() {
            info!("remote access is allowed here: the local switch is on");
        }
        self.say(AgentSays::LocalSwitch { allows })
    }

    fn beat(&mut self) -> Result<(), Left> {
        let now = Now::read();
        let silent = now.mono.saturating_duration_since(self.heard);
        if silent >= self.heartbeat * SILENT_BEATS_MAX {
            return Err(Left::Lost(format!("the gateway is silent for {} s", silent.as_secs())));
        }
        self.agent.board.end_past(Wall(now.wall.0.saturating_add(self.offers.offset_ms)));
        if self.renewed && self.agent.board.live() == 0 {
            return Err(Left::Renewed);
        }
        if now.wall >= self.renew_at && !self.renewed {
            self.renew_at = now.wall.plus(RENEW_AGAIN);
            match self.agent.papers().request() {
                Ok(csr) => self.say(AgentSays::Renew { csr })?,
                Err(error) => warn!(why = one_line(&error), "no renewal can be asked for"),
            }
        }
        self.pings += 1;
        self.say(AgentSays::Ping { n: self.pings })
    }

    fn hear(&mut self, said: GatewayTellsAgent) -> Result<(), Left> {
        match said {
            GatewayTellsAgent::Ping { n } => self.say(AgentSays::Pong { n }),
            GatewayTellsAgent::Pong { .. } => Ok(()),
            GatewayTellsAgent::Welcome(_) => {
                Err(Left::TurnedAway("the gateway greets twice".to_owned()))
            }
            GatewayTellsAgent::Goodbye { code, detail } => Err(Left::Refused { code, detail }),
            GatewayTellsAgent::Replaced => Err(Left::Replaced),
            GatewayTellsAgent::Restarting { reconnect_in_ms } => {
                let wait = Duration::from_millis(reconnect_in_ms.into()).min(RECONNECT_IN_MAX);
                info!(wait_ms = wait.as_millis(), "the gateway is about to restart");
                self.back_at = Some(Now::read().mono + wait);
                Ok(())
            }
            GatewayTellsAgent::Ended { session, cause } => {
                self.agent.board.end(&session, cause);
                Ok(())
            }
            GatewayTellsAgent::Renewed { certificate } => {
                self.renewed(certificate);
                Ok(())
            }
            GatewayTellsAgent::RenewRefused { detail } => {
                warn!(detail, "the gateway does not renew this device's certificate");
                Ok(())
            }
            GatewayTellsAgent::Offer { session, channel, warrant, target, destination, token } => {
                let offer = Offer { session, channel, warrant, target, destination, token };
                match self.offers.consider(offer, &self.scope) {
                    Some(refusal) => self.say(refusal),
                    None => Ok(()),
                }
            }
        }
    }

    /// The next connection shows the new certificate; this one is left once nobody uses it.
    fn renewed(&mut self, certificate: String) {
        match self.agent.renewed(certificate) {
            Ok(papers) => {
                let (_, until) = papers.identity.validity();
                info!(%until, "certificate renewed");
                self.renewed = true;
            }
            Err(error) => warn!(why = one_line(&error), "the new certificate is not kept"),
        }
    }

    fn say(&self, said: AgentSays) -> Result<(), Left> {
        self.said.try_send(said).map_err(|_| Left::Lost("the gateway takes nothing".to_owned()))
    }

    /// A connection that a restart ends is dialled again when the gateway asked for it.
    fn after_restart(&self, left: Left) -> Left {
        match (left, self.back_at) {
            (Left::Lost(_), Some(at)) => {
                let wait = at.saturating_duration_since(Now::read().mono);
                Left::Restarting(wait.max(RECONNECT_IN_MIN))
            }
            (left, _) => left,
        }
    }
}

async fn greet(
    reader: &mut ControlReader,
    writer: &mut ControlWriter,
    nonce: &str,
) -> Result<Welcome, Left> {
    let hello = Hello {
        protocol: PROTOCOL,
        build: super::BUILD.to_owned(),
        nonce: nonce.to_owned(),
        wall: Now::read().wall,
    };
    // In TLS 1.3 the dialling side learns by its first read that its certificate was refused, and
    // may fail to write before that.
    let written = writer.send(&AgentSays::Hello(hello)).await;
    match reader.next().await.map_err(|error| unread(&error))? {
        _ if written.is_err() => Err(Left::TurnedAway("the gateway does not listen".to_owned())),
        Some(GatewayTellsAgent::Welcome(welcome)) if welcome.protocol == PROTOCOL => Ok(welcome),
        Some(GatewayTellsAgent::Welcome(welcome)) => Err(Left::Refused {
            code: "protocol".to_owned(),
            detail: format!(
                "it speaks protocol {} ({}), this agent {PROTOCOL}; install the agent of its version",
                welcome.protocol, welcome.build
            ),
        }),
        Some(GatewayTellsAgent::Goodbye { code, detail }) => Err(Left::Refused { code, detail }),
        Some(GatewayTellsAgent::Restarting { reconnect_in_ms }) => {
            let wait = Duration::from_millis(reconnect_in_ms.into());
            Err(Left::Restarting(wait.min(RECONNECT_IN_MAX)))
        }
        Some(other) => {
            debug!(?other, "said before the welcome");
            Err(Left::TurnedAway("the gateway does not greet first".to_owned()))
        }
        None => Err(Left::TurnedAway("the gateway closed the connection at once".to_owned())),
    }
}

fn unread(error: &ReadError) -> Left {
    let line = one_line(error);
    let ReadError::Io(source) = error else { return Left::TurnedAway(line) };
    match TlsFault::of(source) {
        Some(
            fault @ (TlsFault::NoCertificate
            | TlsFault::OursExpired { .. }
            | TlsFault::OursForeign
            | TlsFault::OursRefused),
        ) => Left::Refused { code: "certificate".to_owned(), detail: fault.to_string() },
        Some(_) | None => Left::TurnedAway(line),
    }
}

/// Writes what is said, until nobody can say anything any more or the gateway takes nothing.
async fn say(mut writer: ControlWriter, mut queue: mpsc::Receiver<AgentSays>, closer: Closer) {
    while let Some(said) = queue.recv().await {
        if let Err(error) = writer.send(&said).await {
            debug!(why = one_line(&error), "cannot be said");
            closer.close();
            return;
        }
    }
}

/// Two thirds of the certificate's life, and up to a twentieth of it later.
fn renew_at(papers: &Papers) -> Wall {
    let (from, until) = papers.identity.validity();
    let spread = until.0.saturating_sub(from.0) / RENEW_SPREAD;
    let drawn = Secret::<4>::fresh().map_or(0, |drawn| u32::from_be_bytes(*drawn.expose()));
    let later = spread / 1_000 * (i64::from(drawn) % 1_000);
    Wall(papers.identity.renew_at().0.saturating_add(later))
}
