//! Real programs: an agent that has nothing to do, and channels over which nothing flows.
//!
//! ```text
//!   connections (here) -> caseway open (4) == gateway == caseway-agent -> echo (here)
//!        one byte there and back on each, then silence
//! ```

use std::{io::Write, net::SocketAddr, time::Duration};

use anyhow::{Context, Result, ensure};
use caseway::tasks::Scope;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::{
    memory::{Growth, Memory},
    report::Report,
    seed,
    world::{Gateway, Process, World, agent_program},
};

const TECHNICIANS: usize = 4;
/// Of each technician, so that all together have 1,000.
const CHANNELS: usize = 250;
/// What the opening of channels left behind is given back within this time.
const QUIET: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(20);

/// Idle agents, then idle channels, over TCP; and an idle agent over QUIC.
pub(crate) async fn measure(world: &World, report: &mut Report) -> Result<()> {
    let gateway = world.gateway().await?;
    let [edge, alone] = seed::REAL_DEVICES;
    Report::section("caseway-agent, with nothing to do")?;
    let over_quic = world.agent(&gateway, alone, "quic").await?;
    resident(&over_quic, "agent_rss_idle_quic", report).await?;
    let agent = world.agent(&gateway, edge, "tcp").await?;
    resident(&agent, "agent_rss_idle", report).await?;
    program(report)?;
    over_quic.kill().await?;
    idle(world, &gateway, &agent, report).await?;
    agent.kill().await?;
    gateway.process.kill().await
}

async fn resident(agent: &Process, key: &str, report: &mut Report) -> Result<()> {
    agent.says("connected").await?;
    let memory = Memory::settled(agent.pid()?).await?;
    report.add(key, memory.rss as f64, "B", "resident (VmRSS), its program's code included")?;
    let how = "what it wrote to and shares with nobody";
    report.add(&format!("{key}_dirty"), memory.dirty as f64, "B", how)
}

/// The program, stripped.
fn program(report: &mut Report) -> Result<()> {
    let program = agent_program();
    let small = program.parent().is_some_and(|dir| dir.ends_with("small"));
    let how =
        if small { "profile small, agent alone" } else { "this build's; build profile small" };
    report.add("agent_program_bytes", std::fs::metadata(program)?.len() as f64, "B", how)
}

/// Everything whose memory a channel costs something.
struct Watched<'a> {
    gateway: u32,
    agent: u32,
    technicians: &'a [(Process, SocketAddr)],
}

/// What they hold at one moment.
struct Held {
    gateway: Memory,
    agent: Memory,
    technicians: Memory,
}

impl Watched<'_> {
    async fn settled(&self) -> Result<Held> {
        let mut technicians = Memory::default();
        for (process, _) in self.technicians {
            let one = Memory::settled(process.pid()?).await?;
            technicians.pss += one.pss;
            technicians.dirty += one.dirty;
        }
        let gateway = Memory::settled(self.gateway).await?;
        Ok(Held { gateway, agent: Memory::settled(self.agent).await?, technicians })
    }
}

async fn idle(
    world: &World,
    gateway: &Gateway,
    agent: &Process,
    report: &mut Report,
) -> Result<()> {
    let total = TECHNICIANS * CHANNELS;
    Report::section(&format!("{total} idle channels in {TECHNICIANS} sessions over tcp"))?;
    world.log_in(gateway).await?;
    let mut technicians = Vec::new();
    for number in 0..TECHNICIANS {
        technicians.push(world.open(number).await?);
    }
    let (gateway, agent) = (gateway.process.pid()?, agent.pid()?);
    let watched = Watched { gateway, agent, technicians: &technicians };
    let mut connections = Vec::new();
    // One channel of each is not counted: it brings what all the others share.
    for (_, address) in &technicians {
        connections.push(used(*address).await?);
    }
    let before = watched.settled().await?;
    for _ in 1..CHANNELS {
        for (_, address) in &technicians {
            connections.push(used(*address).await?);
        }
    }
    tokio::time::sleep(QUIET).await;
    let after = watched.settled().await?;
    let counted = total - TECHNICIANS;
    let mut add = |who: &str, growth: Growth| -> Result<()> {
        let how = format!(
            "growth of Private_Dirty over {counted} channels, used once, then silent for {QUIET:?}"
        );
        report.add(&format!("idle_channel_{who}"), growth.dirty, "B", &how)?;
        report.add(&format!("idle_channel_{who}_pss"), growth.pss, "B", "the same of Pss")
    };
    add("gateway", after.gateway.growth(before.gateway, counted))?;
    add("technician", after.technicians.growth(before.technicians, counted))?;
    add("agent", after.agent.growth(before.agent, counted))?;
    let alive = still_there(&mut connections).await?;
    ensure!(alive == total, "{alive} of {total} channels still carry a byte");
    writeln!(std::io::stdout(), "  all {alive} channels still carry a byte")?;
    Ok(())
}

/// A connection through the tunnel that has carried a byte each way.
async fn used(address: SocketAddr) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    beat(&mut stream).await?;
    Ok(stream)
}

async fn still_there(connections: &mut [TcpStream]) -> Result<usize> {
    let mut alive = 0;
    for stream in connections {
        beat(stream).await?;
        alive += 1;
    }
    Ok(alive)
}

async fn beat(stream: &mut TcpStream) -> Result<()> {
    let mut byte = [7];
    stream.write_all(&byte).await?;
    timeout(PATIENCE, stream.read_exact(&mut byte)).await.context("no byte comes back")??;
    Ok(())
}

/// A machine that gives back whatever it is sent.
pub(crate) async fn echo(scope: &Scope) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let inside = scope.clone();
    scope.spawn("echo", async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            inside.spawn("echo of one", async move {
                let mut bytes = [0; 64];
                while let Ok(came @ 1..) = stream.read(&mut bytes).await {
                    if stream.write_all(bytes.get(..came).unwrap_or_default()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    Ok(address)
}
