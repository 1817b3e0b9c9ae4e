//! A gateway that dies and comes back: how long until every agent is back too.

use std::{io::Write, time::Duration};

use anyhow::Result;
use caseway::transport::CarrierChoice;

use crate::{
    agents::{ALL_BACK_MAX, Fleet},
    memory::{Memory, Sockets, cpu},
    report::Report,
    world::World,
};

/// How long the idle gateway's CPU time is watched.
const WATCH: Duration = Duration::from_secs(60);
/// A connection that stood this long was a good one: the agents' back-off begins anew.
const STAND: Duration = Duration::from_secs(12);

pub(crate) async fn measure(world: &World, agents: usize, report: &mut Report) -> Result<()> {
    Report::section(&format!("{agents} agents over tcp, and a gateway that is killed"))?;
    let gateway = world.gateway().await?;
    let address = gateway.address;
    let pid = gateway.process.pid()?;
    let before = Memory::settled(pid).await?;
    let sockets = Sockets::now()?;
    let fleet = Fleet::start(&world.fleet, &world.trust, address, CarrierChoice::Tcp);
    fleet.all_online().await?;
    let last = fleet.back(gateway.started).await.last().copied().unwrap_or_default();
    report.add(
        "fill_last",
        last.as_secs_f64(),
        "s",
        "until all were first let in, 32 at a time",
    )?;
    report.add("fill_cpu", cpu(pid)?.as_secs_f64(), "s", "gateway's CPU time until then")?;
    let full = Memory::settled(pid).await?;
    report.add("full_gateway_pss", mib(full.pss), "MiB", "all connected and quiet")?;
    let each = full.growth(before, agents).pss;
    report.add("full_agent", each, "B", "growth of the gateway's Pss an agent")?;
    let (buffers, objects) = Sockets::now()?.growth(&sockets, agents * 2);
    let kernel = buffers + objects.unwrap_or_default();
    report.add("full_socket_kernel", kernel, "B", "kernel, a socket: buffers and slab objects")?;
    let spent = cpu(pid)?;
    tokio::time::sleep(WATCH).await;
    let share = (cpu(pid)? - spent).as_secs_f64() * 60.0 / WATCH.as_secs_f64();
    report.add("full_idle_cpu", share, "s/min", "gateway's CPU time when nothing happens")?;

    tokio::time::sleep(STAND).await;
    trouble("before the kill", &fleet)?;
    gateway.process.kill().await?;
    let gateway = world.gateway_at(address).await?;
    let up = caseway::clock::Now::read().mono - gateway.started;
    report.add("restart_listening", up.as_secs_f64(), "s", "from the start to the open port")?;
    let back = fleet.back(gateway.started).await;
    let missing = agents - back.len().min(fleet.online());
    let at = |share: usize| back.get((agents * share / 100).min(agents - 1));
    for (key, share, how) in [
        ("restart_p50", 50, "from the gateway's start until half are back"),
        ("restart_p99", 99, "... 99 of 100"),
        ("restart_last", 100, "... all; it is to be under 60 s"),
    ] {
        // Later than it was waited for, where so many are missing.
        let time = at(share).copied().unwrap_or(ALL_BACK_MAX);
        report.add(key, time.as_secs_f64(), "s", how)?;
    }
    let how = format!("not connected {ALL_BACK_MAX:?} after the start, or as soon as all were");
    report.add("restart_missing", missing as f64, "", &how)?;
    let pid = gateway.process.pid()?;
    report.add("restart_cpu", cpu(pid)?.as_secs_f64(), "s", "gateway's CPU time until then")?;
    let after = Memory::settled(pid).await?;
    report.add("restart_gateway_pss", mib(after.pss), "MiB", "once it is quiet again")?;
    let unrecorded = gateway.process.count("not recorded");
    report.add("restart_unrecorded", unrecorded as f64, "", "arrivals that left no record")?;
    trouble("the return", &fleet)?;
    fleet.close().await;
    gateway.process.kill().await
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn trouble(when: &str, fleet: &Fleet) -> Result<()> {
    writeln!(std::io::stdout(), "  {when}: {}", fleet.troubles())?;
    fleet.forget_troubles();
    Ok(())
}
