//! The whole product as its users run it: real programs, real sockets, real files.
//!
//! A [`Demo`] is `caseway-gateway demo`, a [`Gateway`] is `init` and `run`; a [`Technician`] is a home directory for the `caseway`
//! program; an [`Edge`] is a separate `caseway-agent`. Everything ends with its value.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use serde::Deserialize;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

pub(crate) const GATEWAY: &str = env!("CARGO_BIN_EXE_caseway-gateway");
pub(crate) const AGENT: &str = env!("CARGO_BIN_EXE_caseway-agent");
pub(crate) const CASEWAY: &str = env!("CARGO_BIN_EXE_caseway");

/// Long enough for two busy cores, short enough to notice a hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for a fact; fails the test when it does not come.
pub(crate) async fn within<F: Future>(what: &str, work: F) -> F::Output {
    timeout(PATIENCE, work).await.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}

/// Asks again until `look` gives something.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut look: impl FnMut() -> F,
) -> T {
    within(what, async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct User {
    pub(crate) email: String,
    pub(crate) password: String,
    pub(crate) roles: Vec<String>,
}

/// The one line that `demo --json` prints.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Facts {
    pub(crate) gateway: String,
    pub(crate) ca: PathBuf,
    pub(crate) users: Vec<User>,
}

/// A running demo.
pub(crate) struct Demo {
    child: Child,
    pub(crate) dir: TempDir,
    pub(crate) facts: Facts,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Demo {
    pub(crate) async fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), &["--port", "0"], &[]).await
    }

    /// In `dir`, with more arguments, behind a prefix such as `ip netns exec NAME`.
    pub(crate) async fn start_in(dir: TempDir, more: &[&str], prefix: &[&str]) -> Self {
        let home = dir.path().join("demo");
        let mut child = command(prefix, GATEWAY)
            .args(["demo", "--json", "--dir"])
            .arg(&home)
            .args(more)
            .stdout(Stdio::piped())
            .stderr(log(dir.path(), "gateway.log"))
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = within("the demo's first line", lines.next_line()).await.unwrap();
        let Some(first) = first else {
            panic!("the demo did not start: {}", read_log(dir.path(), "gateway.log"));
        };
        let facts = serde_json::from_str(&first).unwrap_or_else(|e| panic!("{e}: {first}"));
        Self { child, dir, facts, lines }
    }

    pub(crate) fn user(&self, role: &str) -> &User {
        let found = self.facts.users.iter().find(|user| user.roles.iter().any(|one| one == role));
        found.unwrap_or_else(|| panic!("no demo user is {role}"))
    }

    /// Logs the person who holds `role` in.
    pub(crate) async fn technician(&self, role: &str) -> Technician {
        self.technician_behind(role, Vec::new()).await
    }

    /// As [`Self::technician`], in another network.
    pub(crate) async fn technician_behind(&self, role: &str, prefix: Vec<String>) -> Technician {
        let user = self.user(role).clone();
        let home = tempfile::tempdir().unwrap();
        let password = home.path().join("password");
        std::fs::write(&password, &user.password).unwrap();
        let technician = Technician { home, prefix };
        let Facts { gateway, ca, .. } = &self.facts;
        technician.log_in(gateway, ca, &user.email, &password).await;
        technician
    }

    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.dir.path().join("demo")
    }

    pub(crate) fn log(&self) -> String {
        read_log(self.dir.path(), "gateway.log")
    }

    /// `kill -9`, with the machine it simulates. Its directory stays.
    pub(crate) async fn kill(mut self) -> (TempDir, Facts) {
        self.child.kill().await.unwrap();
        drop(self.lines);
        (self.dir, self.facts)
    }

    /// Asks it to stop and waits.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        signal(&self.child, "-TERM");
        within("the demo's end", self.child.wait()).await.unwrap()
    }

    pub(crate) async fn audit_verifies(&self) {
        audit_verifies(&self.home()).await;
    }
}

/// The chain of records in the data directory `home` is whole.
async fn audit_verifies(home: &Path) {
    let verified = Command::new(GATEWAY)
        .args(["audit", "verify", "--file"])
        .arg(home.join("caseway.db"))
        .output()
        .await
        .unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}

/// A gateway in earnest: nobody is known to it but one administrator.
pub(crate) struct Gateway {
    pub(crate) dir: TempDir,
    pub(crate) url: String,
    /// Ends with this value.
    _child: Child,
}

impl Gateway {
    /// `init` and `run`, on a port of its own.
    pub(crate) async fn start(admin: &str) -> Self {
        Self::start_with(admin, |config| config).await
    }

    /// As [`Self::start`]; its first company is a service provider and nothing else.
    pub(crate) async fn start_provider(admin: &str) -> Self {
        Self::start_as(admin, &["--role", "service_provider"], |config| config).await
    }

    /// As [`Self::start`], with another config than `init` wrote.
    pub(crate) async fn start_with(admin: &str, edit: impl FnOnce(String) -> String) -> Self {
        Self::start_as(admin, &[], edit).await
    }

    async fn start_as(admin: &str, more: &[&str], edit: impl FnOnce(String) -> String) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("gateway");
        let made = program(GATEWAY)
            .arg("init")
            .arg(&home)
            .args(["--name", "localhost", "--listen", "127.0.0.1:0", "--admin", admin])
            .args(more)
            .output();
        let made = within("init", made).await.unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let config = home.join("gateway.toml");
        let edited = edit(std::fs::read_to_string(&config).unwrap());
        std::fs::write(&config, edited).unwrap();
        let mut child = program(GATEWAY)
            .args(["run", "--json", "--config"])
            .arg(home.join("gateway.toml"))
            .stdout(Stdio::piped())
            .stderr(log(dir.path(), "gateway.log"))
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = within("where it listens", lines.next_line()).await.unwrap();
        let Some(first) = first else {
            panic!("the gateway did not start: {}", read_log(dir.path(), "gateway.log"));
        };
        let told: serde_json::Value = serde_json::from_str(&first).unwrap();
        let at: SocketAddr = told["listening"].as_str().unwrap().parse().unwrap();
        let url = format!("https://localhost:{}", at.port());
        Self { dir, url, _child: child }
    }

    fn home(&self) -> PathBuf {
        self.dir.path().join("gateway")
    }

    pub(crate) fn ca(&self) -> PathBuf {
        self.home().join("ca.pem")
    }

    pub(crate) fn admin_password(&self) -> PathBuf {
        self.home().join("admin-password")
    }

    /// Logs somebody in.
    pub(crate) async fn technician(&self, email: &str, password_file: &Path) -> Technician {
        let technician = Technician::stranger();
        technician.log_in(&self.url, &self.ca(), email, password_file).await;
        technician
    }

    pub(crate) async fn audit_verifies(&self) {
        audit_verifies(&self.home()).await;
    }
}

/// One person's `caseway`.
pub(crate) struct Technician {
    pub(crate) home: TempDir,
    pub(crate) prefix: Vec<String>,
}

/// What a finished program left.
pub(crate) struct Done {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Technician {
    /// Somebody who never logged in anywhere.
    pub(crate) fn stranger() -> Self {
        Self { home: tempfile::tempdir().unwrap(), prefix: Vec::new() }
    }

    async fn log_in(&self, url: &str, ca: &Path, email: &str, password_file: &Path) {
        let (ca, file) = (ca.to_str().unwrap(), password_file.to_str().unwrap());
        self.must(&["login", url, "--ca", ca, "--user", email, "--password-file", file]).await;
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let prefix: Vec<&str> = self.prefix.iter().map(String::as_str).collect();
        let mut command = command(&prefix, CASEWAY);
        command.env("CASEWAY_HOME", self.home.path()).args(args);
        command
    }

    /// Runs one command to its end.
    pub(crate) async fn run(&self, args: &[&str]) -> Done {
        let output = within(&args.join(" "), self.command(args).output()).await.unwrap();
        Done {
            status: output.status,
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs one command that must succeed.
    pub(crate) async fn must(&self, args: &[&str]) -> String {
        let done = self.run(args).await;
        assert!(done.status.success(), "{args:?}: {} {}", done.status, done.stderr);
        done.stdout
    }

    pub(crate) async fn switch(&self, case: &str, on: &str) {
        self.must(&["case", "switch", case, on]).await;
    }

    /// Opens a tunnel and waits until `listeners` lines were printed.
    pub(crate) async fn open(&self, args: &[&str], listeners: usize) -> Open {
        let mut child = self
            .command(&[&["open"], args].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut open = Open { child, listeners: Vec::new(), socks: None };
        while open.listeners.len() < listeners {
            let line = within("a LISTEN line", lines.next_line()).await.unwrap();
            let Some(line) = line else {
                let mut said = String::new();
                open.child.stderr.take().unwrap().read_to_string(&mut said).await.unwrap();
                panic!("`open` ended before it listened: {said}");
            };
            if let Some(listener) = Listener::parse(&line) {
                if listener.proto == "socks5" {
                    open.socks = Some(listener.addr);
                }
                open.listeners.push(listener);
            }
        }
        open
    }
}

/// One `LISTEN` line.
#[derive(Clone, Debug)]
pub(crate) struct Listener {
    pub(crate) proto: String,
    pub(crate) addr: SocketAddr,
    pub(crate) target: String,
}

impl Listener {
    fn parse(line: &str) -> Option<Self> {
        let fields = line.strip_prefix("LISTEN ")?;
        let field = |key: &str| {
            let found = fields.split(' ').find_map(|one| one.strip_prefix(key)?.strip_prefix('='));
            found.map(str::to_owned)
        };
        Some(Self {
            proto: field("proto")?,
            addr: field("addr")?.parse().ok()?,
            target: field("target").unwrap_or_default(),
        })
    }
}

/// A tunnel that is open.
pub(crate) struct Open {
    pub(crate) child: Child,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) socks: Option<SocketAddr>,
}

impl Open {
    pub(crate) fn to(&self, target: &str) -> SocketAddr {
        let found = self.listeners.iter().find(|one| one.target == target);
        found.unwrap_or_else(|| panic!("no listener for {target}: {:?}", self.listeners)).addr
    }

    /// Waits for its end; gives the exit code and what it said on stderr.
    pub(crate) async fn ended(&mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        let status = within("the end of `open`", async {
            stderr.read_to_string(&mut said).await.unwrap();
            self.child.wait().await.unwrap()
        })
        .await;
        (status.code(), said)
    }

    pub(crate) fn interrupt(&self) {
        signal(&self.child, "-INT");
    }
}

/// An edge device of its own.
pub(crate) struct Edge {
    pub(crate) child: Child,
    pub(crate) dir: TempDir,
    prefix: Vec<String>,
}

impl Edge {
    /// Enrols with a token that `manager` (a Workshop Manager) gets for a new device, and pairs it
    /// with `asset`.
    pub(crate) async fn enrol(
        demo: &Demo,
        manager: &Technician,
        asset: &str,
        config: &str,
        prefix: &[&str],
    ) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        let token = dir.path().join("token");
        manager.must(&["device", "add", "edge-9"]).await;
        let file = token.to_str().unwrap();
        manager.must(&["device", "enrolment", "edge-9", "--out", file]).await;
        manager.must(&["device", "pair", asset, "edge-9"]).await;
        let enrolled = command(prefix, AGENT)
            .args(["enroll", "--gateway", &demo.facts.gateway, "--token-file", file])
            .arg("--ca")
            .arg(&demo.facts.ca)
            .arg("--dir")
            .arg(dir.path().join("agent"))
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&enrolled.stderr);
        assert!(enrolled.status.success(), "enroll: {said}");
        let text = format!("dir = \"{}\"\n{config}", dir.path().join("agent").display());
        std::fs::write(dir.path().join("agent.toml"), text).unwrap();
        dir
    }

    /// Runs what [`Self::enrol`] made.
    pub(crate) fn run(dir: TempDir, prefix: &[&str]) -> Self {
        let child = command(prefix, AGENT)
            .args(["run", "--config"])
            .arg(dir.path().join("agent.toml"))
            .stderr(log(dir.path(), "agent.log"))
            .spawn()
            .unwrap();
        Self { child, dir, prefix: prefix.iter().map(|one| (*one).to_owned()).collect() }
    }

    pub(crate) async fn start(demo: &Demo, manager: &Technician, asset: &str) -> Self {
        let dir = Self::enrol(demo, manager, asset, "", &[]).await;
        Self::run(dir, &[])
    }

    /// Until it is connected to its gateway.
    pub(crate) async fn connected(&self) {
        until("the agent online", || async {
            (self.status().await["link"]["state"] == "connected").then_some(())
        })
        .await;
    }

    /// `kill -9`, then gives what it needs to run again.
    pub(crate) async fn kill(mut self) -> TempDir {
        self.child.kill().await.unwrap();
        self.dir
    }

    pub(crate) async fn status(&self) -> serde_json::Value {
        let prefix: Vec<&str> = self.prefix.iter().map(String::as_str).collect();
        let output = command(&prefix, AGENT)
            .args(["status", "--json", "--config"])
            .arg(self.dir.path().join("agent.toml"))
            .output()
            .await
            .unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    pub(crate) fn log(&self) -> String {
        read_log(self.dir.path(), "agent.log")
    }
}

/// One of the three programs, without a terminal; it ends with its value.
pub(crate) fn program(name: &str) -> Command {
    command(&[], name)
}

fn command(prefix: &[&str], program: &str) -> Command {
    let mut command = match prefix.split_first() {
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
        None => Command::new(program),
    };
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

pub(crate) fn signal(child: &Child, which: &str) {
    let id = child.id().unwrap().to_string();
    let sent = std::process::Command::new("kill").args([which, &id]).status().unwrap();
    assert!(sent.success());
}

pub(crate) fn log(dir: &Path, name: &str) -> Stdio {
    let file = std::fs::OpenOptions::new().create(true).append(true).open(dir.join(name)).unwrap();
    file.into()
}

pub(crate) fn read_log(dir: &Path, name: &str) -> String {
    std::fs::read_to_string(dir.join(name)).unwrap_or_default()
}

/// Says loudly that a test cannot run here; in CI that is a failure.
pub(crate) fn cannot_run(what: &str, why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{what} cannot run in CI: {why}");
    eprintln!("NOT RUN: {what}: {why}");
}
