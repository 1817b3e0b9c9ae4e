//! Putting the demo's world together, and taking it down.

use std::{
    fs, io,
    io::Write as _,
    net::{IpAddr, SocketAddr},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tracing::warn;

use super::{
    floor::{Floor, FloorError},
    guide::Guide,
    world,
};
use crate::{
    agent::{self, Enrolment},
    authz::{Presence, PresenceOf},
    clock::Now,
    console::{PasswordError, hash_password},
    gateway::{self, InitError, Running, StartError},
    ids::{DeviceId, InvalidId},
    secret::{NoRandomness, Secret, SecretText},
    store::{By, Seed, StoreError, WriteError},
    tasks::{Scope, Stop},
    telemetry::one_line,
    tls::{Trust, TrustError},
    transport::{BindError, CarrierChoice, GatewayUrl},
};

/// Who gets the enrolment token for the demo's device: its Workshop Manager.
const MANAGER: &str = "wanda";
/// What is remembered of a demo whose directory is kept.
const MEMORY: &str = "demo.json";
/// How long the device may take to be online.
const ONLINE_WITHIN: Duration = Duration::from_secs(10);
const CLOSE_MAX: Duration = Duration::from_secs(5);

/// What the demo is asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// Keeps the world here; without it, it goes with the demo.
    pub dir: Option<PathBuf>,
    /// Without one: the usual port, or any if that is taken.
    pub port: Option<u16>,
    /// Where the gateway listens.
    pub listen: IpAddr,
    /// Where the machine listens, as the device reaches it.
    pub machine: IpAddr,
    /// How the demo's own device dials.
    pub carrier: CarrierChoice,
    /// One line for programs instead of a guide for people.
    pub json: bool,
}

/// Why there is no demo. Each display says what to do.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("{} cannot be used; name another directory with --dir", path.display())]
    Dir { path: PathBuf, source: io::Error },
    #[error("{} is not a demo's; name an empty directory", path.display())]
    Memory { path: PathBuf, source: serde_json::Error },
    #[error(transparent)]
    Found(#[from] InitError),
    #[error(transparent)]
    Floor(#[from] FloorError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("the demo's own rows are wrong")]
    Rows(#[from] InvalidId),
    #[error("the demo's device could not be enrolled")]
    Token(#[source] WriteError),
    #[error("the demo's device could not be enrolled")]
    Enrol(#[source] agent::EnrolError),
    #[error("the demo's CA cannot be read")]
    Trust(#[from] TrustError),
    #[error("the demo's password cannot be hashed")]
    Password(#[from] PasswordError),
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    #[error("the demo's records cannot be read")]
    Store(#[from] StoreError),
    #[error("the demo's device is not online after {} s; see the log with -v", ONLINE_WITHIN.as_secs())]
    Offline,
    #[error("the demo's guide cannot be written")]
    Guide(#[source] serde_json::Error),
}

impl DemoError {
    /// Whether another `--dir` is what it takes.
    #[must_use]
    pub fn is_about_dir(&self) -> bool {
        matches!(
            self,
            Self::Dir { .. } | Self::Memory { .. } | Self::Found(InitError::NotEmpty { .. })
        )
    }
}

/// A demo that can be started again in its directory.
#[derive(Serialize, Deserialize)]
struct Memory {
    password: String,
    floor: Floor,
}

/// Runs the demo until `stop` is asked; `tell` gets the guide when everything is up.
///
/// # Errors
///
/// [`DemoError`]; nothing runs then, and nothing is left but a directory that was named.
pub async fn run(options: Options, stop: Stop, tell: impl FnOnce(String)) -> Result<(), DemoError> {
    let home = Home::open(options.dir.clone())?;
    let scope = Scope::new("demo");
    let ran = match start(&options, &home, &scope).await {
        Ok((running, agent, guide)) => {
            tell(guide);
            stop.asked().await;
            // Sessions end as a gateway's that stops; then its own device leaves, and misses nobody.
            running.broker.drain(Duration::ZERO).await;
            agent.close(CLOSE_MAX).await;
            running.drain().await;
            Ok(())
        }
        Err(error) => Err(error),
    };
    scope.close(CLOSE_MAX).await;
    ran
}

async fn start(
    options: &Options,
    home: &Home,
    scope: &Scope,
) -> Result<(Running, Scope, String), DemoError> {
    let (memory, seed) = match home.recall()? {
        Some(memory) => {
            memory.floor.start(scope).await?;
            let seed =
                world::seed(&memory.floor, &SecretText::new(String::new()), Now::read().wall)?;
            (memory, seed)
        }
        None => home.furnish(options, scope).await?,
    };
    let running = open(options, home, scope).await?;
    let agent = attach(options, home, &running, scope).await?;
    let guide = Guide {
        url: url(options.listen, running.address.port()),
        ca: home.path.join("ca.pem"),
        dir: home.path.clone(),
        kept: !home.passing,
        password: SecretText::new(memory.password),
    };
    let guide =
        if options.json { guide.json(&seed).map_err(DemoError::Guide)? } else { guide.text() };
    Ok((running, agent, guide))
}

/// Starts the gateway on the port that was asked for; on any, if none was and the usual is taken.
async fn open(options: &Options, home: &Home, scope: &Scope) -> Result<Running, DemoError> {
    let mut asked = gateway::Options::new(home.path.clone());
    asked.listen = SocketAddr::new(options.listen, options.port.unwrap_or(gateway::PORT_DEFAULT));
    asked.drain = Duration::ZERO;
    if !options.listen.is_loopback() {
        asked.names.push(options.listen.to_string());
    }
    match gateway::start(asked.clone(), scope).await {
        Err(StartError::Bind(BindError::InUse { .. })) if options.port.is_none() => {
            asked.listen.set_port(0);
            Ok(gateway::start(asked, scope).await?)
        }
        started => Ok(started?),
    }
}

/// Enrols the device, as its people would, and runs its agent in the scope that it gives.
async fn attach(
    options: &Options,
    home: &Home,
    running: &Running,
    scope: &Scope,
) -> Result<Scope, DemoError> {
    let device: DeviceId = world::ONLINE.parse()?;
    let mut own = agent::Options::new(home.path.join("agent"));
    let port = running.address.port();
    let at = GatewayUrl { host: options.listen.to_string(), port };
    own.gateway = Some(at.clone());
    own.carrier = options.carrier;
    if !own.dir.exists() {
        let by = By { person: MANAGER.parse()?, source_ip: None };
        let issued = running.store.new_enrolment(&by, &device, Now::read()).await;
        let enrolment = Enrolment {
            options: own.clone(),
            gateway: at,
            token: issued.map_err(DemoError::Token)?.value.token,
            ca: Trust::load(&home.path.join("ca.pem"))?,
            replace: false,
        };
        agent::enrol(&enrolment).await.map_err(DemoError::Enrol)?;
    }
    let inside = scope.child("device");
    let agents = inside.clone();
    inside.spawn("agent", async move {
        if let Err(error) = agent::run(own, &agents).await {
            warn!(error = one_line(&error), "the demo's agent ended");
        }
    });
    let registry = running.broker.registry();
    let online = async {
        while registry.presence(&device) != Presence::Online {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(ONLINE_WITHIN, online).await.map_err(|_| DemoError::Offline)?;
    Ok(inside)
}

fn url(listen: IpAddr, port: u16) -> String {
    match listen {
        at if at.is_loopback() => format!("https://localhost:{port}"),
        IpAddr::V4(at) => format!("https://{at}:{port}"),
        IpAddr::V6(at) => format!("https://[{at}]:{port}"),
    }
}

/// The demo's directory.
struct Home {
    path: PathBuf,
    /// It goes with the demo.
    passing: bool,
}

impl Home {
    fn open(dir: Option<PathBuf>) -> Result<Self, DemoError> {
        if let Some(path) = dir {
            return Ok(Self { path, passing: false });
        }
        let number = u64::from_be_bytes(*Secret::<8>::fresh()?.expose());
        let path = std::env::temp_dir().join(format!("caseway-demo-{number:016x}"));
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|source| DemoError::Dir { path: path.clone(), source })?;
        Ok(Self { path, passing: true })
    }

    fn recall(&self) -> Result<Option<Memory>, DemoError> {
        let path = self.path.join(MEMORY);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|source| DemoError::Memory { path, source }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(DemoError::Dir { path, source }),
        }
    }

    /// A new world, from the machine to the rows.
    async fn furnish(&self, options: &Options, scope: &Scope) -> Result<(Memory, Seed), DemoError> {
        let floor = Floor::new(options.machine).start(scope).await?;
        let number = u64::from_be_bytes(*Secret::<8>::fresh()?.expose());
        let password = format!("{number:016x}");
        let hash = SecretText::new(hash_password(&SecretText::new(password.clone()))?);
        let seed = world::seed(&floor, &hash, Now::read().wall)?;
        gateway::found(&self.path, "demo", &seed).await?;
        let memory = Memory { password, floor };
        self.keep(&memory)?;
        Ok((memory, seed))
    }

    fn keep(&self, memory: &Memory) -> Result<(), DemoError> {
        let path: &Path = &self.path.join(MEMORY);
        let text = serde_json::to_vec(memory)
            .map_err(|source| DemoError::Memory { path: path.to_owned(), source })?;
        fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .and_then(|mut file| file.write_all(&text))
            .map_err(|source| DemoError::Dir { path: path.to_owned(), source })
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if self.passing
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            warn!(path = %self.path.display(), %error, "the demo's directory is left");
        }
    }
}
