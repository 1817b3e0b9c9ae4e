//! Idle agents: what each costs the gateway, and what all of them cost it while nothing happens.

use std::time::Duration;

use anyhow::Result;
use caseway::transport::CarrierChoice;

use crate::{
    agents::Fleet,
    memory::{Memory, Sockets, cpu},
    report::Report,
    world::World,
};

/// Agents that come and go before anything is measured, so that what the gateway makes once, on the
/// first of them, is not counted as theirs.
const WARM_AGENTS: usize = 100;
/// How long the idle gateway's CPU time is watched.
const WATCH: Duration = Duration::from_secs(30);

/// Measures `agents` idle agents over one carrier, at a gateway of their own.
pub(crate) async fn measure(
    world: &World,
    agents: usize,
    carrier: CarrierChoice,
    report: &mut Report,
) -> Result<()> {
    let name = if carrier == CarrierChoice::Quic { "quic" } else { "tcp" };
    Report::section(&format!("{agents} idle agents over {name}"))?;
    let gateway = world.gateway().await?;
    let pid = gateway.process.pid()?;
    let (warm, half) = (WARM_AGENTS.min(agents), agents / 2);
    let few = world.fleet.get(..warm).unwrap_or_default();
    let some = world.fleet.get(..half).unwrap_or_default();
    let others = world.fleet.get(half..agents).unwrap_or_default();
    let start = |devices| Fleet::start(devices, &world.trust, gateway.address, carrier);

    let fleet = start(few);
    fleet.all_online().await?;
    fleet.close().await;
    let before = Memory::settled(pid).await?;
    let sockets = Sockets::now()?;

    let first = start(some);
    first.all_online().await?;
    let between = Memory::settled(pid).await?;
    let second = start(others);
    second.all_online().await?;
    let after = Memory::settled(pid).await?;

    let each = after.growth(before, agents);
    let late = after.growth(between, agents - half);
    let how = format!("growth of the gateway's Pss from {warm} warm-up agents gone to all here");
    report.add(&format!("idle_agent_{name}"), each.pss, "B", &how)?;
    report.add(
        &format!("idle_agent_{name}_dirty"),
        each.dirty,
        "B",
        "the same of Private_Dirty",
    )?;
    let how = "the second half of them alone, Pss: less of what all share";
    report.add(&format!("idle_agent_{name}_late"), late.pss, "B", how)?;
    // Each connection has a socket here; of QUIC's the gateway has one for all of them.
    let ends = if name == "tcp" { agents * 2 } else { agents };
    let (buffers, objects) = Sockets::now()?.growth(&sockets, ends);
    let how = "kernel, a socket: growth of sockstat's mem";
    report.add(&format!("socket_{name}_buffers"), buffers, "B", how)?;
    if let Some(objects) = objects {
        let how = "kernel, a socket: growth of its slab objects";
        report.add(&format!("socket_{name}_objects"), objects, "B", how)?;
    }
    let spent = cpu(pid)?;
    tokio::time::sleep(WATCH).await;
    let share = (cpu(pid)? - spent).as_secs_f64() * 60.0 / WATCH.as_secs_f64();
    let how = format!("gateway's CPU time for {agents} agents' heartbeats, over {WATCH:?}");
    report.add(&format!("idle_cpu_{name}"), share, "s/min", &how)?;
    first.close().await;
    second.close().await;
    gateway.process.kill().await
}
