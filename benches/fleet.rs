//! What many devices, sessions and channels cost while nothing happens, and how a fleet comes back.
//!
//! ```text
//!   this process                                 processes of their own
//!     N simulated agents  ==== TLS | QUIC ====>  caseway-gateway run  <== caseway-agent run
//!     a technician        ==== TLS ===========>         ^             <== caseway open (4)
//!     an echo for targets                               |
//!     /proc/PID/smaps_rollup, stat <-------------------/
//! ```
//!
//! `cargo bench --bench fleet` measures memory with 2,000 agents (`-- --agents N` for others);
//! `cargo bench --bench fleet -- --agents 10000 --restart` kills the gateway under its fleet. The
//! figures are printed as they come, and kept in `target/bench/fleet.tsv` (`fleet-restart.tsv`).
//! Memory is what the kernel books for a process, so what a freed peak left behind is in it.

#[path = "fleet/agents.rs"]
mod agents;
#[path = "fleet/channels.rs"]
mod channels;
#[path = "fleet/idle.rs"]
mod idle;
#[path = "fleet/memory.rs"]
mod memory;
#[path = "fleet/report.rs"]
mod report;
#[path = "fleet/restart.rs"]
mod restart;
#[path = "fleet/seed.rs"]
mod seed;
#[path = "fleet/sessions.rs"]
mod sessions;
#[path = "fleet/world.rs"]
mod world;

use std::{
    io::{Write, stdout},
    time::Duration,
};

use anyhow::{Result, ensure};
use caseway::{tasks::Scope, transport::CarrierChoice};
use clap::{Parser, ValueEnum};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use report::Report;
use world::World;

/// Descriptors that a process needs beside its agents' sockets.
const DESCRIPTORS_SPARE: u64 = 512;

#[derive(Debug, Parser)]
struct Args {
    /// How many agents are simulated
    #[arg(long, default_value_t = 2_000)]
    agents: usize,
    /// Kill the gateway under its agents and see them come back, instead of the rest
    #[arg(long)]
    restart: bool,
    /// Measure these alone, and keep no file
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// `cargo bench` says so.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    Tcp,
    Quic,
    Channels,
    Sessions,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let limit = descriptors()?;
    let needed = u64::try_from(args.agents)? + DESCRIPTORS_SPARE;
    ensure!(
        limit >= needed,
        "{} agents need {needed} descriptors, and this process may have {limit}: raise `ulimit -Hn`",
        args.agents
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(bench(&args))
}

/// Raises the limit of descriptors as far as it goes, for this process and the gateway that it
/// starts.
fn descriptors() -> Result<u64> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    Ok(maximum.unwrap_or(u64::MAX))
}

async fn bench(args: &Args) -> Result<()> {
    let scope = Scope::new("bench");
    let echo = channels::echo(&scope).await?;
    let world = World::make(args.agents, echo).await?;
    let mut report = Report::default();
    if args.restart {
        restart::measure(&world, args.agents, &mut report).await?;
    } else {
        parts(args, &world, &mut report).await?;
    }
    if args.only.is_empty() {
        let name = if args.restart { "fleet-restart.tsv" } else { "fleet.tsv" };
        let path = report.write(name)?;
        writeln!(stdout(), "\nkept in {}", path.display())?;
    }
    scope.close(Duration::ZERO).await;
    Ok(())
}

async fn parts(args: &Args, world: &World, report: &mut Report) -> Result<()> {
    let wanted = |part| args.only.is_empty() || args.only.contains(&part);
    if wanted(Part::Tcp) {
        idle::measure(world, args.agents, CarrierChoice::Tcp, report).await?;
    }
    if wanted(Part::Quic) {
        idle::measure(world, args.agents, CarrierChoice::Quic, report).await?;
    }
    if wanted(Part::Channels) {
        channels::measure(world, report).await?;
    }
    if wanted(Part::Sessions) {
        sessions::measure(world, report).await?;
    }
    Ok(())
}
