//! Our own ways: the three programs, set up as the README's first day does it.

use std::{
    ffi::OsStr,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context, Result, bail};

use crate::{
    way::{Desk, Label, Part, Server, Way},
    yard::Yard,
};

const GATEWAY: &str = env!("CARGO_BIN_EXE_caseway-gateway");
const AGENT: &str = env!("CARGO_BIN_EXE_caseway-agent");
const CASEWAY: &str = env!("CARGO_BIN_EXE_caseway");

/// The only case of each world, and the tunnel to the server.
pub(crate) const CASE: &str = "CASE-1";
pub(crate) const TUNNEL: &str = "machine";

/// Where the boxes stand.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// The address that the gateway serves.
    pub(crate) gateway: Ipv4Addr,
    /// The network namespace of the device, where it is another than ours.
    pub(crate) device: Option<String>,
}

impl Site {
    /// Everything on this machine's loopback.
    pub(crate) const HERE: Self = Self { gateway: Ipv4Addr::LOCALHOST, device: None };
}

/// A gateway with one device, and people who may use it.
pub(crate) struct World<'a> {
    yard: &'a Yard,
    site: &'a Site,
    dir: PathBuf,
    name: &'static str,
    carrier: &'static str,
    address: SocketAddr,
    pub(crate) gateway: u32,
    agent: u32,
}

/// One of our ways, with gateway, agent and technician of its own.
pub(crate) fn start(
    yard: &Yard,
    server: Server,
    label: Label,
    carrier: &'static str,
) -> Result<Way> {
    let world = World::start(yard, &Site::HERE, server, label.name, carrier)?;
    let (technician, at) = world.open("technician")?;
    let mut way = Way::new(label, at, server)
        .with(Part::Technician, technician)
        .with(Part::Gateway, world.gateway)
        .with(Part::Device, world.agent);
    way.desk = Some(Desk { home: world.home("mia"), carrier });
    Ok(way)
}

impl<'a> World<'a> {
    pub(crate) fn start(
        yard: &'a Yard,
        site: &'a Site,
        server: Server,
        name: &'static str,
        carrier: &'static str,
    ) -> Result<Self> {
        let dir = yard.room(name)?;
        let address = SocketAddr::from((site.gateway, yard.port()?));
        let mut world = Self { yard, site, dir, name, carrier, address, gateway: 0, agent: 0 };
        world.gateway = world.found()?;
        world.people()?;
        world.machine(server)?;
        world.agent = world.attach()?;
        world.case()?;
        Ok(world)
    }

    /// Makes the gateway and runs it.
    fn found(&self) -> Result<u32> {
        let listen = self.address.to_string();
        let mut init = Command::new(GATEWAY);
        let name = self.site.gateway.to_string();
        init.arg("init").arg(self.path("gw")).args(["--name", &name, "--listen", &listen]);
        must(init.args(["--tenant", "Aurora", "--admin", "ada@aurora.example"]))?;
        // Sessions must outlast the run, and many are wanted at once where endurance is tried.
        let config = format!(
            "data_dir = \".\"\nlisten = \"{listen}\"\nnames = [\"{name}\"]\n\
             [sessions]\nidle = \"7h\"\nmax = \"8h\"\n\
             [limits]\nsessions_per_person = 64\nsessions_per_device = 64\n"
        );
        let file = self.path("gw/gateway.toml");
        fs::write(&file, config)?;
        let name = self.called("gateway");
        let mut run = Command::new(GATEWAY);
        let pid = self.yard.start(&name, run.arg("run").arg("--config").arg(file))?;
        self.yard.listening(&name, self.address)?;
        Ok(pid)
    }

    fn people(&self) -> Result<()> {
        self.log_in("ada", &self.path("gw/admin-password"))?;
        for (name, role) in [("wim", "workshop_manager"), ("mia", "maintenance_engineer")] {
            let email = format!("{name}@aurora.example");
            let password = self.path(&format!("{name}.password"));
            let mut add = self.caseway("ada");
            add.args(["user", "add", &email, "--name", name, "--role", role]);
            must(add.arg("--password-out").arg(&password))?;
            self.log_in(name, &password)?;
        }
        Ok(())
    }

    fn log_in(&self, name: &str, password: &Path) -> Result<()> {
        let mut login = self.caseway(name);
        login.args(["login", &self.url(), "--user", &format!("{name}@aurora.example")]);
        login.arg("--ca").arg(self.path("gw/ca.pem")).arg("--password-file").arg(password);
        must(&mut login).map(drop)
    }

    fn machine(&self, server: Server) -> Result<()> {
        let target = format!("tcp://{}", server.at);
        for line in [
            "asset add press-7 --name Press --serial 4711",
            &format!("tunnel add press-7 {TUNNEL} --kind ssc --target {target}"),
            "device add press-7-edge --asset press-7",
        ] {
            must(self.caseway("wim").args(line.split(' ')))?;
        }
        Ok(())
    }

    /// Enrols the device and runs its agent.
    fn attach(&self) -> Result<u32> {
        let token = self.path("token");
        let mut enrolment = self.caseway("wim");
        must(enrolment.args(["device", "enrolment", "press-7-edge", "--out"]).arg(&token))?;
        let dir = self.path("edge");
        let mut enroll = self.on_device(AGENT);
        enroll.args(["enroll", "--gateway", &self.url()]).arg("--dir").arg(&dir);
        must(enroll.arg("--ca").arg(self.path("gw/ca.pem")).arg("--token-file").arg(&token))?;
        fs::write(dir.join("agent.toml"), format!("carrier = \"{}\"\n", self.carrier))?;
        let name = self.called("agent");
        let pid =
            self.yard.start(&name, self.on_device(AGENT).arg("run").arg("--dir").arg(&dir))?;
        self.yard.until(&name, || {
            let listed = must(self.caseway("wim").args(["device", "list", "--json"])).ok()?;
            listed.contains(r#""online":true"#).then_some(())
        })?;
        Ok(pid)
    }

    fn case(&self) -> Result<()> {
        let line = "case create --type operator_internal --asset press-7 --severity degraded --title bench";
        let case = must(self.caseway("mia").args(line.split(' ')))?;
        if case.trim() != CASE {
            bail!("the first case is {case}");
        }
        must(self.caseway("mia").args(["case", "switch", CASE, "on", "--for", "12h"])).map(drop)
    }

    /// A technician's tunnel that stays: its process, and the local port.
    pub(crate) fn open(&self, name: &str) -> Result<(u32, SocketAddr)> {
        let name = self.called(name);
        let mut open = self.caseway("mia");
        open.args(["open", CASE, TUNNEL, "-L", "0", "--carrier", self.carrier]);
        let pid = self.yard.start(&name, &mut open)?;
        Ok((pid, self.yard.announced(&name)?))
    }

    fn on_device(&self, program: &str) -> Command {
        within(self.site.device.as_deref(), program)
    }

    fn caseway(&self, who: &str) -> Command {
        let mut command = Command::new(CASEWAY);
        command.env("CASEWAY_HOME", self.home(who));
        command
    }

    fn home(&self, who: &str) -> PathBuf {
        self.path(who)
    }

    fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn called(&self, part: &str) -> String {
        format!("{} {part}", self.name)
    }
}

/// A command that will run in a network namespace, where one is named.
pub(crate) fn within(space: Option<&str>, program: impl AsRef<OsStr>) -> Command {
    let Some(space) = space else { return Command::new(program) };
    let mut command = Command::new("ip");
    command.args(["netns", "exec", space]).arg(program);
    command
}

/// Runs a command to its end, which must be a good one; gives what it printed.
pub(crate) fn must(command: &mut Command) -> Result<String> {
    let Output { status, stdout, stderr } =
        command.output().with_context(|| format!("{command:?}"))?;
    if !status.success() {
        bail!("{command:?}: {status}: {}", String::from_utf8_lossy(&stderr).trim());
    }
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}
