//! The command line.

use std::{net::Ipv4Addr, path::PathBuf, time::Duration};

use clap::Parser;

use crate::{rounds::Plan, yard};

/// Bytes of a GiB.
pub(crate) const GIB: u64 = 1024 * 1024 * 1024;

/// Caseway beside other tunnels: throughput, CPU, channels, round trips.
#[derive(Debug, Parser)]
#[command(
    name = "cargo bench --bench tunnel --",
    after_help = "Everything, in one command (about half an hour for each congestion control):\n  \
                  cargo bench --bench tunnel -- --peers --results\n\n\
                  The peers are installed by benches/peers/install. With --results, memory and the long path\n\
                  are measured first (`cargo bench --bench fleet`, and --far); else what they found last is\n\
                  shown."
)]
pub(crate) struct Args {
    /// Beside us: rathole, OpenSSH, HAProxy, nginx, stunnel, as far as they are installed
    #[arg(long)]
    pub(crate) peers: bool,
    /// Write benches/RESULTS.md and benches/results.svg
    #[arg(long)]
    pub(crate) results: bool,
    /// Rounds [default: 1, and 5 with --peers]
    #[arg(long)]
    rounds: Option<usize>,
    /// GiB of each bulk transfer [default: 0.5, and 2 with --peers]
    #[arg(long)]
    gib: Option<f64>,
    /// Only ways whose name has one of these in it, such as caseway,nginx
    #[arg(long, value_delimiter = ',', value_name = "WORD,...")]
    ways: Vec<String>,
    /// Only work whose line has one of these in it, such as bulk,trip
    #[arg(long, value_delimiter = ',', value_name = "WORD,...")]
    work: Vec<String>,
    /// The system's congestion control, set for the time of the run (as root), one run for each
    /// [default: what is set; with --results as root, cubic and what is set]
    #[arg(long, value_delimiter = ',', value_name = "NAME,...")]
    congestion: Vec<String>,
    /// Instead: 10 GiB with a reader that stops for a minute, then 1,000 channels at once
    #[arg(long)]
    pub(crate) endurance: bool,
    /// What `cargo bench` says to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
    /// Instead: one channel over a path of 500 Mbit/s and 100 ms (as root)
    #[arg(long)]
    pub(crate) far: bool,
    /// Be the server behind the device, at this address.
    #[arg(long, hide = true)]
    pub(crate) serve: Option<Ipv4Addr>,
}

impl Args {
    pub(crate) fn wants(&self, way: &str) -> bool {
        self.ways.is_empty() || self.ways.iter().any(|word| way.contains(word.as_str()))
    }

    pub(crate) fn plan(&self) -> Plan {
        let small = !self.peers;
        let gib = self.gib.unwrap_or(if small { 0.5 } else { 2.0 });
        let mib = Duration::from_secs_f64(gib.max(0.01) * 1024.0).as_secs();
        Plan {
            work: self.work.clone(),
            rounds: self.rounds.unwrap_or(if small { 1 } else { 5 }).max(1),
            bytes: mib * (GIB / 1024),
            opens: if small { 300 } else { 1_000 },
            trips: if small { 3_000 } else { 10_000 },
            sessions: if small { 50 } else { 200 },
            idle: 200,
            churn: Duration::from_secs(if small { 2 } else { 3 }),
            patience: Duration::from_secs(if small { 5 } else { 10 }),
        }
    }

    /// The congestion controls to run under.
    pub(crate) fn congestions(&self) -> Vec<String> {
        let now = yard::congestion();
        if !self.congestion.is_empty() {
            return self.congestion.clone();
        }
        let mut all = Vec::new();
        if self.results && may_write(&yard::CONGESTION.into()) {
            all.push("cubic".to_owned());
        }
        if !all.contains(&now) {
            all.push(now);
        }
        all
    }
}

fn may_write(path: &PathBuf) -> bool {
    std::fs::OpenOptions::new().write(true).open(path).is_ok()
}
