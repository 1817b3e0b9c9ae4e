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

/// One in so many is connected before anything is measured, so that what the gateway makes once, on
/// the first of them, is not counted as theirs.
const ONE_BEFORE: usize = 20;
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
    let (few, half) = (agents / ONE_BEFORE, agents / 2);
    let start = |from: usize, to: usize| {
        let devices = world.fleet.get(from..to).unwrap_or_default();
        Fleet::start(devices, &world.trust, gateway.address, carrier)
    };
    let first = start(0, few);
    first.all_online().await?;
    let before = Memory::settled(pid).await?;
    let sockets = Sockets::now()?;
    let second = start(few, half);
    second.all_online().await?;
    let between = Memory::settled(pid).await?;
    let third = start(half, agents);
    third.all_online().await?;
    let after = Memory::settled(pid).await?;

    let each = after.growth(before, agents - few);
    let late = after.growth(between, agents - half);
    let how = format!("growth of the gateway's Pss from {few} agents to {agents}");
    report.add(&format!("idle_agent_{name}"), each.pss, "B", &how)?;
    report.add(
        &format!("idle_agent_{name}_dirty"),
        each.dirty,
        "B",
        "the same of Private_Dirty",
    )?;
    let how = format!("from {half} agents to {agents}, Pss");
    report.add(&format!("idle_agent_{name}_late"), late.pss, "B", &how)?;
    // Each connection has a socket here; of QUIC's the gateway has one for all of them.
    let ends = if name == "tcp" { 2 } else { 1 } * (agents - few);
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
    for fleet in [first, second, third] {
        fleet.close().await;
    }
    gateway.process.kill().await
}
