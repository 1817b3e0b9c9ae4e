//! Start and stop: what opens in which order, and closes in reverse.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use tokio::sync::mpsc;
use tracing::{info, warn};

use super::{
    Options,
    escalation::escalate,
    expiry::expire,
    files::{DataDir, FileError},
    outbox, url,
};
use crate::{
    audit::{Actor, Entry, Event},
    broker::{self, Broker},
    clock::{Now, Wall, until},
    console::{self, Door, PasswordError},
    ids::GatewayId,
    mail::{MailSetupError, Mailer},
    peers::{self, Present},
    registry::Registry,
    session,
    store::{Limits, Store, StoreError},
    tasks::{Scope, Stop},
    tls::{Ca, CaError, GatewayTls, Identity, IdentityError, Trust, TrustError, WebTlsError},
    transport::{self, BindError, ListenOptions, Listener, TlsStream},
    webhooks,
};

/// How long tasks may take to finish once they were asked to.
pub const CLOSE_MAX: Duration = Duration::from_secs(5);
/// How soon a server certificate that could not be renewed is tried again.
const RENEW_AGAIN: Duration = Duration::from_secs(60 * 60);
/// How often expired credentials are deleted, beginning with the start.
const FORGET_EVERY: Duration = Duration::from_secs(60 * 60);

/// Why the gateway did not start. Each display says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(
        "{} is no gateway's data directory; make one with: caseway-gateway init {}",
        dir.display(), dir.display()
    )]
    NoData { dir: PathBuf },
    #[error(
        "the clock here reads {now}, but the CA in {} only holds from {from} on: set the clock",
        path.display()
    )]
    ClockBehind { path: PathBuf, now: Wall, from: Wall },
    #[error(
        "the CA in {} ended at {until}, and the clock here reads {now}: set the clock if it is \
         wrong, else make a new data directory and enrol the devices again",
        path.display()
    )]
    CaExpired { path: PathBuf, now: Wall, until: Wall },
    #[error(transparent)]
    Ca(#[from] CaError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(transparent)]
    Webhooks(#[from] WebTlsError),
    #[error(transparent)]
    Mail(#[from] MailSetupError),
    #[error("the console cannot be opened")]
    Console(#[source] PasswordError),
}

/// A gateway that is up.
#[derive(Debug)]
pub struct Running {
    /// The address that it really listens on: the port is known even when 0 was asked for.
    pub address: SocketAddr,
    pub store: Store,
    pub broker: Broker,
    gateway: GatewayId,
    drain: Duration,
    /// Lets in and serves: listener, peers, console.
    doors: Scope,
    /// What they stand on: the broker's loop and its helpers.
    beam: Scope,
}

/// What is read from the data directory.
struct Keys {
    ca: Arc<Ca>,
    tls: GatewayTls,
    /// When the server certificate is to be replaced.
    renew_at: Wall,
}

/// Starts a gateway, in scopes under `scope`.
///
/// # Errors
///
/// When the data directory, the certificates or the address cannot be used; nothing runs then.
pub async fn start(options: Options, scope: &Scope) -> Result<Running, StartError> {
    transport::raise_open_files();
    let dir = DataDir::new(options.dir.clone());
    let keys = keys(&dir, &options.names)?;
    let warrant_key = Arc::new(dir.warrant_key()?);
    let webhooks = webhooks::Sender::new(&options.webhooks)?;
    let mail = options.mail.as_ref().map(Mailer::new).transpose()?;
    let registry = Registry::default();
    let store = open_store(&dir, &registry, &options).await?;
    let listener = match bind(&options, &keys.tls) {
        Ok(listener) => listener,
        Err(fault) => {
            store.close().await;
            return Err(fault.into());
        }
    };
    end_orphans(&store, &options.gateway).await?;
    let (beam, doors) = (scope.child("beam"), scope.child("doors"));
    let verifier = warrant_key.verifier();
    let gateway = options.gateway.clone();
    let broker = Broker::start(
        broker_options(&options),
        store.clone(),
        registry,
        warrant_key,
        gateway.clone(),
        &beam,
    );
    let door = console::open(
        console::Behind {
            store: store.clone(),
            broker: broker.clone(),
            ca: Arc::clone(&keys.ca),
            connections_max: options.http_connections_max,
        },
        doors.clone(),
    )
    .map_err(StartError::Console)?;
    let (notes, waiting) = peers::Notes::new();
    doors.spawn("notes", peers::write_down(store.clone(), waiting));
    let desk = peers::Desk {
        broker: broker.clone(),
        store: store.clone(),
        ca: Arc::clone(&keys.ca),
        verifier,
        gateway: gateway.clone(),
        present: Present::default(),
        notes,
    };
    let address = listener.local_addr();
    store.record(&entry(&gateway, Event::GatewayStarted)).await?;
    open_doors(&doors, listener, desk, door);
    let url = url(&options.names, address.port());
    doors.spawn("renew", renew(keys, options.names, doors.stop()));
    let senders =
        outbox::Senders { store: store.clone(), gateway: gateway.clone(), url, webhooks, mail };
    doors.spawn("outbox", outbox::run(senders, doors.clone()));
    doors.spawn("forget", forget(store.clone(), doors.stop()));
    doors.spawn("escalate", escalate(store.clone(), gateway.clone(), doors.stop()));
    doors.spawn("expire", expire(store.clone(), gateway.clone(), doors.stop()));
    info!(%address, %gateway, "gateway started");
    Ok(Running { address, store, broker, gateway, drain: options.drain, doors, beam })
}

fn keys(dir: &DataDir, names: &[String]) -> Result<Keys, StartError> {
    if !dir.ca().exists() {
        return Err(StartError::NoData { dir: dir.path().to_owned() });
    }
    let now = Now::read().wall;
    // Read once as an identity: that tells a key that is not the certificate's, and the dates.
    let (from, until) = Identity::load(&dir.ca(), &dir.ca_key())?.validity();
    if now < from {
        return Err(StartError::ClockBehind { path: dir.ca(), now, from });
    }
    if now >= until {
        return Err(StartError::CaExpired { path: dir.ca(), now, until });
    }
    let ca = Arc::new(Ca::load(dir.path())?);
    // Made anew at each start: its key never touches the disk, and it is never found expired.
    let server = ca.server(names, now)?;
    let tls = GatewayTls::new(&server, &Trust::from_pem(ca.certificate())?)?;
    Ok(Keys { ca, tls, renew_at: server.renew_at() })
}

async fn open_store(
    dir: &DataDir,
    registry: &Registry,
    options: &Options,
) -> Result<Store, StoreError> {
    let limits = Limits {
        free_bytes_min: options.free_bytes_min,
        sessions_of_person: options.sessions_per_person,
        sessions_of_device: options.sessions_per_device,
    };
    Store::open(&dir.database(), Arc::new(registry.clone()), limits).await
}

fn bind(options: &Options, tls: &GatewayTls) -> Result<Listener, BindError> {
    let limits =
        transport::Limits { http: options.http_connections_max, ..transport::Limits::default() };
    Listener::bind(&ListenOptions { listen: options.listen, limits }, tls)
}

fn broker_options(options: &Options) -> broker::Options {
    broker::Options {
        rates: options.rates,
        sessions: session::Options {
            last_at_most: options.session_max,
            idle_at_most: options.session_idle,
            ..session::Options::default()
        },
        grace: options.decision_grace,
        ..broker::Options::default()
    }
}

/// No session of a predecessor that is gone is shown live.
async fn end_orphans(store: &Store, gateway: &GatewayId) -> Result<(), StoreError> {
    let ended = store.end_orphans(gateway, Now::read()).await?;
    if !ended.is_empty() {
        warn!(sessions = ended.len(), "ended what a gateway that is gone left live");
    }
    Ok(())
}

fn open_doors(doors: &Scope, listener: Listener, desk: peers::Desk, door: Door) {
    let arrivals = listener.run(doors);
    doors.spawn("watch", peers::watch(desk.clone(), doors.stop()));
    doors.spawn("peers", peers::serve(desk, arrivals.peers, doors.clone()));
    doors.spawn("http", serve_http(door, arrivals.http));
}

async fn serve_http(door: Door, mut arrivals: mpsc::Receiver<TlsStream>) {
    while let Some(stream) = arrivals.recv().await {
        let remote = stream.remote();
        door.take(stream, remote);
    }
}

/// Shows a new server certificate whenever the old one nears its end.
async fn renew(keys: Keys, names: Vec<String>, stop: Stop) {
    let mut at = keys.renew_at;
    loop {
        tokio::select! {
            biased;
            // Cancel-safe: only observes.
            () = stop.asked() => return,
            // Cancel-safe: made anew each turn.
            () = until(Some(Now::read().instant_of(at))) => {}
        }
        let now = Now::read().wall;
        at = match keys.ca.server(&names, now) {
            Ok(server) if keys.tls.show(&server).is_ok() => {
                info!(until = %server.validity().1, "server certificate renewed");
                server.renew_at()
            }
            Ok(_) => now.plus(RENEW_AGAIN),
            Err(fault) => {
                warn!(%fault, "server certificate not renewed; trying again");
                now.plus(RENEW_AGAIN)
            }
        };
    }
}

/// Deletes tokens and keys that expired, so that the log-ins of the past do not fill the disk.
async fn forget(store: Store, stop: Stop) {
    loop {
        let now = Now::read();
        if let Err(fault) = store.forget_expired(now.wall).await {
            warn!(%fault, "expired tokens and keys not deleted; trying again");
        }
        if let Err(fault) = store.forget_parcels(now.wall).await {
            warn!(%fault, "old messages not deleted; trying again");
        }
        tokio::select! {
            biased;
            // Cancel-safe: only observes.
            () = stop.asked() => return,
            // Cancel-safe: made anew each turn.
            () = until(Some(now.mono + FORGET_EVERY)) => {}
        }
    }
}

fn entry(gateway: &GatewayId, event: Event) -> Entry {
    Entry::new(Now::read().wall, Actor::Gateway(gateway.clone()), event)
}

impl Running {
    /// Takes no new sessions, lets live ones go on within the drain limit, then closes everything.
    pub async fn drain(self) {
        self.broker.drain(self.drain).await;
        self.doors.close(CLOSE_MAX).await;
        self.beam.close(CLOSE_MAX).await;
        if let Err(fault) = self.store.record(&entry(&self.gateway, Event::GatewayStopped)).await {
            warn!(%fault, "the stop could not be recorded");
        }
        self.store.close().await;
        info!("gateway stopped");
    }
}
