//! The world that is measured: a data directory with a fleet's devices in it, the gateway as a
//! process of its own, and the real programs of an agent and a technician.
//!
//! ```text
//!   this process: keys -> seed -> found -> certificates             (as enrolment would leave it)
//!   caseway-gateway run  <==== TLS or QUIC ====  fleet (this process), caseway-agent, caseway
//! ```

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use caseway::{
    clock::Now,
    gateway,
    ids::{DeviceId, PeerId},
    registry::Registry,
    store::{By, Limits, Store},
    tls::{Ca, CertificateRequest, Identity, NewKey, Trust},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::seed;

/// How long a certificate of the fleet holds.
const LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long any program may take to come up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A seeded data directory and what belongs to it.
pub(crate) struct World {
    dir: TempDir,
    pub(crate) trust: Trust,
    /// The simulated devices.
    pub(crate) fleet: Vec<(DeviceId, Identity)>,
    /// Stella, without a log-in.
    pub(crate) technician: Identity,
}

impl World {
    /// A world with `devices` simulated devices, and a machine that echoes at `echo`.
    pub(crate) async fn make(devices: usize, echo: SocketAddr) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let keys: Vec<(DeviceId, NewKey)> = (0..devices)
            .map(|number| Ok((format!("fleet-{number}").parse()?, NewKey::generate()?)))
            .collect::<Result<_>>()?;
        let known: Vec<_> = keys.iter().map(|(id, key)| (id.clone(), key.digest())).collect();
        let data = dir.path().join("gateway");
        gateway::found(&data, "bench", &seed::seed(&known, echo)?).await?;
        fs::write(data.join("gateway.toml"), CONFIG)?;
        let ca = Ca::load(&data)?;
        let fleet = keys
            .iter()
            .map(|(id, key)| Ok((id.clone(), certify(&ca, key, &PeerId::Device(id.clone()))?)))
            .collect::<Result<_>>()?;
        let key = NewKey::generate()?;
        let stella = certify(&ca, &key, &PeerId::Person(seed::TECHNICIAN.parse()?))?;
        let world =
            Self { trust: Trust::load(&data.join("ca.pem"))?, fleet, technician: stella, dir };
        world.introduce(key).await?;
        Ok(world)
    }

    /// Makes the technician's key known, and the real devices' enrolment tokens.
    async fn introduce(&self, technician: NewKey) -> Result<()> {
        let options = gateway::Options::new(self.data());
        let registry = Arc::new(Registry::default());
        let store = Store::open(&options.database(), registry, Limits::default()).await?;
        let now = Now::read();
        let until = now.wall.plus(LIFE);
        store.add_person_key(&seed::TECHNICIAN.parse()?, technician.digest(), until).await?;
        let by = By { person: seed::MANAGER.parse()?, source_ip: None };
        for device in seed::REAL_DEVICES {
            let issued = store.new_enrolment(&by, &device.parse()?, now).await?;
            fs::write(self.token(device), issued.value.token.expose())?;
        }
        store.close().await;
        Ok(())
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("gateway")
    }

    fn ca(&self) -> PathBuf {
        self.data().join("ca.pem")
    }

    fn token(&self, device: &str) -> PathBuf {
        self.dir.path().join(format!("{device}.token"))
    }

    /// Starts the gateway on any free port.
    pub(crate) async fn gateway(&self) -> Result<Gateway> {
        self.gateway_at("127.0.0.1:0".parse()?).await
    }

    /// Starts the gateway; ready when it listens.
    pub(crate) async fn gateway_at(&self, listen: SocketAddr) -> Result<Gateway> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_caseway-gateway"));
        command.args(["run", "--json", "--config"]).arg(self.data().join("gateway.toml"));
        command.args(["--listen", &listen.to_string()]);
        let started = Now::read().mono;
        let mut process = self.spawn(&mut command, "gateway")?;
        let line = process.line().await.context("the gateway does not come up")?;
        let line: serde_json::Value = serde_json::from_str(&line)?;
        let address = line.get("listening").and_then(serde_json::Value::as_str);
        let address = address.context("the gateway does not say where it listens")?.parse()?;
        Ok(Gateway { process, address, started })
    }

    /// Runs the agent of a real device over `carrier`, and enrols it before, the first time.
    pub(crate) async fn agent(
        &self,
        gateway: &Gateway,
        device: &str,
        carrier: &str,
    ) -> Result<Process> {
        let program = agent_program();
        let home = self.dir.path().join(device);
        if !home.exists() {
            let mut enrol = Command::new(&program);
            enrol.args(["enroll", "--quiet", "--gateway", &gateway.url(), "--dir"]).arg(&home);
            enrol.arg("--ca").arg(self.ca()).arg("--token-file").arg(self.token(device));
            done(&mut enrol).await?;
        }
        let mut run = Command::new(&program);
        run.args(["run", "--dir"]).arg(&home);
        // Each gateway listens on another port than the one that it was enrolled at.
        run.env("CASEWAY_AGENT_GATEWAY", gateway.url()).env("CASEWAY_AGENT_CARRIER", carrier);
        self.spawn(&mut run, device)
    }

    /// Logs the technician's program in.
    pub(crate) async fn log_in(&self, gateway: &Gateway) -> Result<()> {
        let password = self.dir.path().join("password");
        fs::write(&password, seed::PASSWORD)?;
        let mut login = self.client();
        login.args(["login", &gateway.url(), "--quiet", "--user", seed::TECHNICIAN_EMAIL]);
        login.arg("--ca").arg(self.ca()).arg("--password-file").arg(password);
        done(&mut login).await
    }

    /// `caseway open`, in a process of its own; gives the address of its listener too.
    pub(crate) async fn open(&self, number: usize) -> Result<(Process, SocketAddr)> {
        let mut open = self.client();
        open.args(["open", seed::CASE, seed::TUNNEL, "-L", "0"]);
        let mut process = self.spawn(&mut open, &format!("technician-{number}"))?;
        let line = process.line().await.context("no LISTEN line")?;
        let address = line.split(' ').find_map(|field| field.strip_prefix("addr="));
        Ok((process, address.context("no address in the LISTEN line")?.parse()?))
    }

    fn client(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_caseway"));
        command.env("CASEWAY_HOME", self.dir.path().join("technician"));
        command
    }

    /// Its log goes where a service's log would go: to a file.
    fn spawn(&self, command: &mut Command, name: &str) -> Result<Process> {
        let path = self.dir.path().join(format!("{name}.log"));
        let log = fs::OpenOptions::new().create(true).write(true).truncate(true).open(&path)?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let child = command.spawn().with_context(|| format!("{command:?}"))?;
        Ok(Process { child, log: path })
    }
}

fn certify(ca: &Ca, key: &NewKey, peer: &PeerId) -> Result<Identity> {
    let request = CertificateRequest::from_pem(&key.request_pem()?)?;
    let issued = ca.issue(&request, peer, LIFE, Now::read().wall)?;
    Ok(Identity::from_pem(&issued.certificate, &key.pem())?)
}

async fn done(command: &mut Command) -> Result<()> {
    let output = timeout(PATIENCE, command.stdin(Stdio::null()).output()).await??;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// Room for as many sessions at once as are measured; all else as it is shipped.
const CONFIG: &str = "\
listen = \"127.0.0.1:0\"
names = [\"localhost\", \"127.0.0.1\"]
[sessions]
idle = \"8h\"
[limits]
sessions_per_person = 1024
sessions_per_device = 1024
";

/// A program that runs; killed when dropped.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    pub(crate) fn pid(&self) -> Result<u32> {
        self.child.id().with_context(|| format!("it has ended; its log is {}", self.tail()))
    }

    /// The next line of its standard output.
    async fn line(&mut self) -> Result<String> {
        let out = self.child.stdout.take().context("its output is taken")?;
        let mut lines = BufReader::new(out).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.context("it says nothing")??;
        line.with_context(|| format!("it ended: {}", self.tail()))
    }

    /// Ready when its log says `word`.
    pub(crate) async fn says(&self, word: &str) -> Result<()> {
        let until = Now::read().mono + PATIENCE;
        while !read(&self.log).contains(word) {
            if Now::read().mono > until {
                bail!("`{word}` is never said: {}", self.tail());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// How often its log says `word`.
    pub(crate) fn count(&self, word: &str) -> usize {
        read(&self.log).matches(word).count()
    }

    fn tail(&self) -> String {
        let text = read(&self.log);
        let lines: Vec<&str> = text.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
    }

    /// Kills it (SIGKILL) and waits for it.
    pub(crate) async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The gateway's process.
pub(crate) struct Gateway {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    /// Just before it was started.
    pub(crate) started: Instant,
}

impl Gateway {
    fn url(&self) -> String {
        format!("https://{}", self.address)
    }
}

/// The agent as it is shipped, where `cargo build --profile small --no-default-features --features
/// agent --bin caseway-agent` has made it; else this build's.
pub(crate) fn agent_program() -> PathBuf {
    let built = Path::new(env!("CARGO_BIN_EXE_caseway-agent"));
    let small = built.ancestors().nth(2).map(|target| target.join("small/caseway-agent"));
    small.filter(|small| small.is_file()).unwrap_or_else(|| built.to_owned())
}
