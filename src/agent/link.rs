//! Dial, stay, and dial again: the agent's one connection to its gateway.

use std::{
    fs::{self, File},
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

use super::{
    backoff::{self, Failure},
    board::Board,
    conversation::{Conversation, Left},
    options::Options,
    papers::{Papers, PapersError},
    status,
    switch::LocalSwitch,
};
use crate::{
    clock::{Now, Wall},
    relay::Pools,
    secret::Secret,
    tasks::Scope,
    tls::TlsFault,
    transport::{Carrier, DialError, Dialer, Dialled, GatewayUrl, raise_open_files},
};

/// How long one dial may take over both carriers.
pub(super) const DIAL_TIMEOUT: Duration = Duration::from_secs(15);
/// A connection that stood this long was a good one: failures are counted anew after it.
pub(super) const STABLE_AFTER: Duration = Duration::from_secs(10);
/// Failures in a row that are warnings; a gateway that stays away is news no more.
const FAILURES_WARNED: u32 = 3;
/// How long channels may take to end when the agent stops; they are cut then.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// Why the agent does not run.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    #[error(transparent)]
    Papers(#[from] PapersError),
    #[error("an agent runs already on {}: stop it first", .0.display())]
    Running(PathBuf),
    #[error("cannot use the directory {}", dir.display())]
    Dir { dir: PathBuf, source: io::Error },
    #[error("cannot listen for status on {}", path.display())]
    Status { path: PathBuf, source: io::Error },
}

/// How the agent stands to its gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Link {
    Connected {
        carrier: String,
        since: Wall,
    },
    /// `why`: of the last failure.
    Away {
        since: Wall,
        why: String,
    },
}

/// What every part of a running agent shares.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) options: Options,
    pub(super) board: Board,
    pub(super) pools: Pools,
    pub(super) switch: LocalSwitch,
    pub(super) since: Wall,
    /// Replaced at renewal.
    papers: Mutex<Papers>,
    link: Mutex<Link>,
}

/// Runs an enrolled agent until `scope` is asked to stop.
///
/// # Errors
///
/// [`AgentError`], before anything was dialled. A gateway that cannot be reached is not an error:
/// the agent dials on.
pub async fn run(options: Options, scope: &Scope) -> Result<(), AgentError> {
    raise_open_files();
    let own = scope.child("agent");
    let _held = hold(&options)?;
    let agent = Agent::new(options).await?;
    agent.switch.look_on(&own);
    status::serve(&agent, &own)?;
    stay(&agent, &own).await;
    agent.board.end_all("the agent stops");
    own.close(STOP_GRACE).await;
    Ok(())
}

/// Runs an enrolled agent until the process is asked to end (SIGTERM, SIGINT).
///
/// # Errors
///
/// As [`run`].
pub async fn run_until_signalled(options: Options, scope: Scope) -> Result<(), AgentError> {
    let asked = scope.clone();
    scope.spawn("signals", async move {
        signalled().await;
        asked.ask();
    });
    let ran = run(options, &scope).await;
    scope.close(Duration::ZERO).await;
    ran
}

/// Ready on SIGTERM or SIGINT; never, where the system tells of neither.
async fn signalled() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        biased;
        // Cancel-safe: `Signal::recv`, by its documentation.
        _ = terminate.recv() => {}
        // Cancel-safe: as above.
        _ = interrupt.recv() => {}
    }
}

/// One agent a directory: two would replace each other at the gateway for ever.
fn hold(options: &Options) -> Result<File, AgentError> {
    let dir = &options.dir;
    let fault = |source| AgentError::Dir { dir: dir.clone(), source };
    if !dir.is_dir() {
        return Err(PapersError::NotEnrolled.into());
    }
    let file = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(dir.join("agent.lock"))
        .map_err(fault)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(AgentError::Running(dir.clone())),
        Err(error) => Err(fault(error.into())),
    }
}

impl Agent {
    async fn new(options: Options) -> Result<Arc<Self>, AgentError> {
        let papers = Papers::load(&options.dir)?;
        let since = Now::read().wall;
        Ok(Arc::new(Self {
            board: Board::default(),
            pools: Pools::with_bulk_threads(),
            switch: LocalSwitch::new(options.local_switch.clone()).await,
            since,
            papers: Mutex::new(papers),
            link: Mutex::new(Link::Away { since, why: "dialling".to_owned() }),
            options,
        }))
    }

    pub(super) fn papers(&self) -> Papers {
        lock(&self.papers).clone()
    }

    /// Puts a renewed certificate in use, on disk first.
    pub(super) fn renewed(&self, certificate: String) -> Result<Papers, PapersError> {
        let papers = self.papers().renewed(certificate)?;
        papers.save(&self.options.dir)?;
        *lock(&self.papers) = papers.clone();
        Ok(papers)
    }

    /// Where it dials.
    pub(super) fn url(&self) -> GatewayUrl {
        self.options.gateway.clone().unwrap_or_else(|| self.papers().url)
    }

    pub(super) fn link(&self) -> Link {
        lock(&self.link).clone()
    }

    fn is_away(&self, why: String) {
        let mut link = lock(&self.link);
        let since = match &*link {
            Link::Away { since, .. } => *since,
            Link::Connected { .. } => Now::read().wall,
        };
        *link = Link::Away { since, why };
    }

    pub(super) fn is_connected(&self, carrier: Carrier) {
        let carrier = carrier.to_string();
        *lock(&self.link) = Link::Connected { carrier, since: Now::read().wall };
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn stay(agent: &Arc<Agent>, scope: &Scope) {
    let stop = scope.stop();
    let mut failures: u32 = 0;
    while !stop.is_asked() {
        let began = Now::read();
        let left = connection(agent, scope).await;
        let cut = agent.board.end_all("the connection to the gateway is gone");
        if Now::read().mono.saturating_duration_since(began.mono) >= STABLE_AFTER {
            failures = 0;
        }
        failures = failures.saturating_add(1);
        let Some(wait) = next_dial(&left, failures) else { continue };
        let why = left.to_string();
        let wait_ms = wait.as_millis();
        if matches!(left, Left::Replaced) {
            warn!(wait_ms, "another box uses this device's identity: enrol one of them anew");
        } else if matches!(left, Left::Restarting(_)) {
            info!(cut, wait_ms, "the gateway restarts, as it said");
        } else if failures <= FAILURES_WARNED {
            warn!(why, cut, wait_ms, "no connection to the gateway");
        } else {
            info!(why, failures, wait_ms, "still no connection to the gateway");
        }
        agent.is_away(why);
        // Ready by the timer, the usual case, or when asked to stop.
        let _ = tokio::time::timeout(wait, stop.asked()).await;
    }
}

/// How long to wait before the next dial; `None`: not at all.
fn next_dial(left: &Left, failures: u32) -> Option<Duration> {
    let random =
        Secret::<4>::fresh().map_or(u32::MAX / 2, |drawn| u32::from_be_bytes(*drawn.expose()));
    let failure = match left {
        Left::Stopped | Left::Renewed => return None,
        Left::Restarting(wait) => return Some(*wait),
        Left::Lost(_) => Failure::Unreachable,
        Left::Undialled(error) => failure_of(error),
        Left::TurnedAway(_) => Failure::TurnedAway,
        Left::Refused { code, .. } => Failure::of_goodbye(code),
        Left::Setup(_) => Failure::Refused,
        Left::Replaced => Failure::Replaced,
    };
    Some(backoff::delay(failure, failures, random))
}

/// What a failed dial costs the gateway, and so how soon the next one may come.
#[must_use]
pub fn failure_of(error: &DialError) -> Failure {
    match error {
        DialError::Tls { fault, .. } => match fault {
            // A device without a battery gets its time from the network a little later.
            TlsFault::Expired { .. } | TlsFault::NotYetValid { .. } | TlsFault::Other(_) => {
                Failure::TurnedAway
            }
            TlsFault::ForeignCa
            | TlsFault::WrongName { .. }
            | TlsFault::NoCertificate
            | TlsFault::OursExpired { .. }
            | TlsFault::OursForeign
            | TlsFault::OursRefused
            | TlsFault::Protocol => Failure::Refused,
        },
        DialError::Neither { tcp, .. } => failure_of(tcp),
        DialError::NoIdentity | DialError::Name(_) => Failure::Refused,
        DialError::ProxyRefused { .. } | DialError::ProxyMalformed { .. } => Failure::TurnedAway,
        DialError::Resolve { .. }
        | DialError::Connect { .. }
        | DialError::Timeout { .. }
        | DialError::ProxyConnect { .. } => Failure::Unreachable,
    }
}

/// One connection from dial to end, in a scope of its own that ends with it.
async fn connection(agent: &Arc<Agent>, scope: &Scope) -> Left {
    let own = scope.child("connection");
    let (papers, stop) = (agent.papers(), own.stop());
    let dialled = tokio::select! {
        biased;
        // Cancel-safe: only observes.
        () = stop.asked() => return Left::Stopped,
        // Dropped on purpose: nothing was said yet.
        dialled = dial(agent, &papers) => dialled,
    };
    let left = match dialled {
        Ok(dialled) => match Conversation::begin(agent, papers, dialled, &own).await {
            Ok((conversation, reader)) => conversation.hold(reader).await,
            Err(left) => left,
        },
        Err(left) => left,
    };
    // No grace: what the connection carried is over.
    own.close(Duration::ZERO).await;
    left
}

async fn dial(agent: &Agent, papers: &Papers) -> Result<Dialled, Left> {
    let options = agent.options.dial(&agent.url(), agent.options.carrier);
    let dialer = Dialer::new(options, papers.tls.clone());
    tokio::time::timeout(DIAL_TIMEOUT, dialer.connect())
        .await
        .map_err(|_| Left::Lost(format!("no answer within {} s", DIAL_TIMEOUT.as_secs())))?
        .map_err(Left::Undialled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_asking_again_does_not_change_is_asked_seldom() {
        let tls = |fault| DialError::Tls { address: "gw".into(), fault };
        assert_eq!(failure_of(&tls(TlsFault::OursRefused)), Failure::Refused);
        let here = Wall(0);
        assert_eq!(
            failure_of(&tls(TlsFault::NotYetValid { from: here, here })),
            Failure::TurnedAway
        );
        let away = || DialError::Timeout { address: "gw".into(), carrier: Carrier::Tcp };
        assert_eq!(failure_of(&away()), Failure::Unreachable);
        let neither = DialError::Neither {
            tcp: Box::new(tls(TlsFault::OursForeign)),
            quic: Box::new(away()),
        };
        assert_eq!(failure_of(&neither), Failure::Refused);
    }

    #[test]
    fn a_restart_is_waited_for_as_told_and_a_renewal_not_at_all() {
        let wait = Duration::from_secs(3);
        assert_eq!(next_dial(&Left::Restarting(wait), 9), Some(wait));
        assert_eq!(next_dial(&Left::Renewed, 1), None);
        assert!(next_dial(&Left::Lost("x".into()), 99).unwrap() <= Duration::from_secs(4));
    }

    #[test]
    fn one_directory_holds_one_agent() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options::new(dir.path().to_owned());
        let held = hold(&options).unwrap();
        assert!(matches!(hold(&options), Err(AgentError::Running(_))));
        drop(held);
        assert!(hold(&options).is_ok());
    }
}
