//! How fast a withdrawal reaches the bytes of live sessions.
//!
//! ```text
//!   a source that never stops -> agent ==> gateway ==> client -> local port -> a reader
//!                                             ^
//!         switch off, case closed, role taken, device unpaired: committed at t0
//! ```
//!
//! Gateway, agent and client run in this process over real sockets, each session with a technician's
//! connection of its own and bytes flowing. For each session: the time from the commit to the last
//! byte that its reader got. `cargo bench --bench cut [SESSIONS]` prints the distribution.

use std::{
    io::{Write, stdout},
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use caseway::{
    agent::{self, Enrolment},
    cases::{Case, Kind, State, Switch},
    client::{self, Exit, Home, Surroundings, Terminal},
    clock::{Now, Wall},
    console::hash_password,
    gateway::{self, Running},
    ids::{AssetId, AssignmentId, CaseId, DeviceId},
    machines::{
        Asset, CustomerMachine, Device, Hosts, Link, Mode, Ports, Proto, Target, Tunnel, TunnelKind,
    },
    secret::SecretText,
    store::{By, Seed, SeedPerson, SwitchAsk},
    tasks::Scope,
    tenancy::{self, Assignment, Person, Role, Tenant, TenantRole},
    tls::Trust,
    transport::GatewayUrl,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};

const SESSIONS: usize = 200;
/// What flows through each session: this many bytes, this often.
const DROP_BYTES: usize = 1_024;
const DROP_EVERY: Duration = Duration::from_millis(5);
const PASSWORD: &str = "bench-only";
const PATIENCE: Duration = Duration::from_secs(120);

fn main() -> Result<()> {
    // `cargo bench` adds flags of its own; a number is ours.
    let sessions = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(SESSIONS);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(bench(sessions))
}

async fn bench(sessions: usize) -> Result<()> {
    let scope = Scope::new("bench");
    let dir = tempfile::tempdir()?;
    let world = World::start(dir.path(), sessions, &scope).await?;
    let mut out = stdout();
    writeln!(out, "from commit to last byte, {sessions} live sessions, milliseconds")?;
    writeln!(out, "{:<18}{:>9}{:>9}{:>9}{:>11}", "", "p50", "p99", "max", "confirmed")?;
    for withdrawal in Withdrawal::ALL {
        let mut live = world.open(sessions, &scope).await?;
        let (committed, confirmed) = world.withdraw(withdrawal).await?;
        let mut times = Vec::new();
        while let Some(last) = timeout(PATIENCE, live.join_next()).await? {
            times.push(last??.saturating_duration_since(committed));
        }
        times.sort_unstable();
        let at = |share: usize| times.get(times.len() * share / 100).copied();
        let ms = |time: Option<Duration>| time.unwrap_or_default().as_secs_f64() * 1_000.0;
        writeln!(
            out,
            "{:<18}{:>9.1}{:>9.1}{:>9.1}{:>11.1}",
            withdrawal.name(),
            ms(at(50)),
            ms(at(99)),
            ms(times.last().copied()),
            confirmed.as_secs_f64() * 1_000.0,
        )?;
        world.restore(withdrawal).await?;
    }
    world.running.drain().await;
    scope.close(Duration::from_secs(5)).await;
    Ok(())
}

/// What is taken away.
#[derive(Clone, Copy)]
enum Withdrawal {
    SwitchOff,
    CaseClosed,
    RoleTaken,
    DeviceUnpaired,
}

impl Withdrawal {
    const ALL: [Self; 4] =
        [Self::SwitchOff, Self::CaseClosed, Self::RoleTaken, Self::DeviceUnpaired];

    fn name(self) -> &'static str {
        match self {
            Self::SwitchOff => "switch off",
            Self::CaseClosed => "case closed",
            Self::RoleTaken => "role taken",
            Self::DeviceUnpaired => "device unpaired",
        }
    }
}

struct World {
    running: Running,
    home: Home,
    case: CaseId,
    asset: AssetId,
    device: DeviceId,
    role: Mutex<AssignmentId>,
    manager: By,
    provider_admin: By,
}

impl World {
    async fn start(dir: &Path, sessions: usize, scope: &Scope) -> Result<Self> {
        let source = source(scope).await?;
        let data = dir.join("gateway");
        gateway::found(&data, "bench", &seed(source)?).await?;
        let mut options = gateway::Options::new(data.clone());
        options.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        options.drain = Duration::ZERO;
        options.sessions_per_person = u32::try_from(sessions)?;
        options.sessions_per_device = u32::try_from(sessions)?;
        let running = gateway::start(options, scope).await?;
        let world = Self {
            home: Home::at(dir.join("technician")),
            case: "CASE-1".parse()?,
            asset: "press".parse()?,
            device: "edge".parse()?,
            role: Mutex::new("stella-role".parse()?),
            manager: By { person: "wanda".parse()?, source_ip: None },
            provider_admin: By { person: "theo".parse()?, source_ip: None },
            running,
        };
        world.attach(dir, scope).await?;
        world.log_in(dir, &data.join("ca.pem"), scope).await?;
        world.switch(true).await?;
        Ok(world)
    }

    async fn attach(&self, dir: &Path, scope: &Scope) -> Result<()> {
        let store = &self.running.store;
        let issued = store.new_enrolment(&self.manager, &self.device, Now::read()).await?;
        let url: GatewayUrl = format!("https://{}", self.running.address).parse()?;
        let options = agent::Options::new(dir.join("agent"));
        agent::enrol(&Enrolment {
            options: options.clone(),
            gateway: url,
            token: issued.value.token,
            ca: Trust::load(&dir.join("gateway").join("ca.pem"))?,
            replace: false,
        })
        .await?;
        let inside = scope.child("agent");
        scope.spawn("agent", async move {
            if let Err(error) = agent::run(options, &inside).await {
                let _ = writeln!(stdout(), "agent: {error}");
            }
        });
        Ok(())
    }

    async fn log_in(&self, dir: &Path, ca: &Path, scope: &Scope) -> Result<()> {
        let password = dir.join("password");
        std::fs::write(&password, PASSWORD)?;
        let url = format!("https://{}", self.running.address);
        let args = ["caseway", "login", &url, "--user", "stella@provider.example", "--ca"];
        let args = args.map(std::ffi::OsString::from).into_iter().chain([
            ca.into(),
            "--password-file".into(),
            password.into(),
        ]);
        let said = Lines::default();
        let around = self.around(&said, scope);
        let exit = client::main(args, around).await;
        if exit != Exit::Done {
            bail!("login ended with {exit:?}: {}", said.text());
        }
        Ok(())
    }

    fn around(&self, lines: &Lines, scope: &Scope) -> Surroundings {
        Surroundings {
            terminal: Terminal::new(lines.clone(), lines.clone()),
            home: self.home.clone(),
            interrupt: scope.stop(),
            stop: scope.stop(),
        }
    }

    /// Opens `sessions` sessions with bytes flowing; each task gives the time of its last byte.
    async fn open(&self, sessions: usize, scope: &Scope) -> Result<JoinSet<Result<Instant>>> {
        let mut live = JoinSet::new();
        for _ in 0..sessions {
            let lines = Lines::default();
            let around = self.around(&lines, scope);
            let args = ["caseway", "open", "CASE-1", "source", "-L", "0"];
            scope.spawn("open", async move {
                client::main(args, around).await;
            });
            let address = timeout(PATIENCE, lines.listener())
                .await
                .with_context(|| format!("no LISTEN line: {}", lines.text()))?;
            let mut stream = TcpStream::connect(address?).await?;
            let mut first = [0; DROP_BYTES];
            timeout(PATIENCE, stream.read_exact(&mut first)).await??;
            live.spawn(last_byte(stream));
        }
        Ok(live)
    }

    /// Takes it away; gives when that was committed, and how long the gateway took to confirm.
    async fn withdraw(&self, what: Withdrawal) -> Result<(Instant, Duration)> {
        let store = &self.running.store;
        let now = Now::read();
        let (revision, committed) = match what {
            Withdrawal::SwitchOff => {
                let switched = self.switch(false).await?;
                (switched.revision, switched.committed_at)
            }
            Withdrawal::CaseClosed => {
                let by = &self.manager;
                let closed = store.change_case_state(by, &self.case, State::Closed, now).await?;
                (closed.revision, closed.committed_at)
            }
            Withdrawal::RoleTaken => {
                let role = self.role.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let by = &self.provider_admin;
                let removed = store.remove_assignment(by, &role, now).await?;
                (removed.revision, removed.committed_at)
            }
            Withdrawal::DeviceUnpaired => {
                let unpaired = store.pair_device(&self.manager, &self.asset, None, now).await?;
                (unpaired.revision, unpaired.committed_at)
            }
        };
        let settled = self.running.broker.settled(revision, PATIENCE).await;
        if !settled.confirmed {
            bail!("{}: not confirmed", what.name());
        }
        Ok((committed.mono, Now::read().mono.saturating_duration_since(committed.mono)))
    }

    async fn restore(&self, what: Withdrawal) -> Result<()> {
        let store = &self.running.store;
        let now = Now::read();
        match what {
            Withdrawal::SwitchOff => {}
            Withdrawal::CaseClosed => {
                store.change_case_state(&self.manager, &self.case, State::InProgress, now).await?;
            }
            Withdrawal::RoleTaken => {
                let (person, role) = ("stella".parse()?, Role::ServiceTechnician);
                let by = &self.provider_admin;
                let whole = tenancy::Scope::Whole;
                let added = store.add_assignment(by, &person, role, &whole, now).await?;
                *self.role.lock().unwrap_or_else(PoisonError::into_inner) = added.value.id;
            }
            Withdrawal::DeviceUnpaired => {
                let device = Some(&self.device);
                store.pair_device(&self.manager, &self.asset, device, now).await?;
            }
        }
        if matches!(what, Withdrawal::SwitchOff | Withdrawal::CaseClosed) {
            self.switch(true).await?;
        }
        Ok(())
    }

    async fn switch(&self, on: bool) -> Result<caseway::store::Switched> {
        let ask = SwitchAsk { on, until: None, reason: None };
        let store = &self.running.store;
        Ok(store.switch_case(&self.manager, &self.case, &ask, Now::read()).await?)
    }
}

/// Reads until the stream ends, however it ends.
async fn last_byte(mut stream: TcpStream) -> Result<Instant> {
    let mut last = Now::read().mono;
    let mut buffer = vec![0; 65_536];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        let _ = read;
        last = Now::read().mono;
    }
    Ok(last)
}

/// A service that sends drops for ever to whoever connects.
async fn source(scope: &Scope) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let inside = scope.clone();
    scope.spawn("source", async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            inside.spawn("drops", async move {
                let mut turn = tokio::time::interval(DROP_EVERY);
                while stream.write_all(&[7; DROP_BYTES]).await.is_ok() {
                    turn.tick().await;
                }
            });
        }
    });
    Ok(address)
}

/// What a client printed.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    async fn listener(&self) -> Result<SocketAddr> {
        loop {
            let text = self.text();
            if let Some(address) = text.split(' ').find_map(|field| field.strip_prefix("addr=")) {
                return Ok(address.parse()?);
            }
            if text.contains("caseway:") {
                bail!("{text}");
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn seed(source: SocketAddr) -> Result<Seed> {
    let hash = SecretText::new(hash_password(&SecretText::new(PASSWORD.to_owned()))?);
    let mut seed = Seed::default();
    for (id, roles) in [
        ("operator", vec![TenantRole::Basic, TenantRole::Operator]),
        ("provider", vec![TenantRole::Basic, TenantRole::ServiceProvider]),
    ] {
        let roles = roles.into_iter().collect();
        seed.tenants.push(Tenant { id: id.parse()?, name: id.to_owned(), active: true, roles });
    }
    for (id, tenant, role) in [
        ("tessa", "operator", Role::TenantAdmin),
        ("wanda", "operator", Role::WorkshopManager),
        ("theo", "provider", Role::TenantAdmin),
        ("stella", "provider", Role::ServiceTechnician),
    ] {
        let person = Person {
            id: id.parse()?,
            tenant: tenant.parse()?,
            email: format!("{id}@{tenant}.example"),
            name: id.to_owned(),
            active: true,
        };
        seed.people.push(SeedPerson { person, password_hash: Some(hash.clone()) });
        seed.assignments.push(Assignment {
            id: format!("{id}-role").parse()?,
            person: id.parse()?,
            role,
            scope: tenancy::Scope::Whole,
        });
    }
    machine(&mut seed, source)?;
    Ok(seed)
}

fn machine(seed: &mut Seed, source: SocketAddr) -> Result<()> {
    let asset: AssetId = "press".parse()?;
    seed.devices.push(Device {
        id: "edge".parse()?,
        owner: "operator".parse()?,
        name: "edge".to_owned(),
        key: None,
        active: true,
    });
    seed.assets.push(Asset {
        id: asset.clone(),
        operator: "operator".parse()?,
        name: "Press".to_owned(),
        serial: "1".to_owned(),
        facility: None,
        active: true,
        switch: Switch::default(),
        device: Some("edge".parse()?),
    });
    seed.machines.push(CustomerMachine {
        id: "machine".parse()?,
        provider: "provider".parse()?,
        customer: "operator".parse()?,
        serial: "1".to_owned(),
        link: Link::Linked { asset: asset.clone() },
    });
    seed.tunnels.push(Tunnel {
        id: "press-source".parse()?,
        asset: asset.clone(),
        name: "source".parse()?,
        kind: TunnelKind::Ssc,
        mode: Mode::Sealed,
        targets: vec![Target {
            name: "source".parse()?,
            proto: Proto::Tcp,
            hosts: Hosts::Ip(source.ip()),
            ports: Ports { first: source.port(), last: source.port() },
        }],
        enabled: true,
    });
    seed.cases.push(Case {
        id: "CASE-1".parse()?,
        title: "bench".to_owned(),
        kind: Kind::Shared {
            operator: "operator".parse()?,
            provider: "provider".parse()?,
            asset,
            switch: Switch::default(),
        },
        state: State::New,
        created_by: "wanda".parse()?,
        assignee: None,
        created_at: Wall(0),
        closed_at: None,
    });
    Ok(())
}
