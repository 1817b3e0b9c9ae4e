//! The whole product beside what a user could pick instead, on one machine, in the same rounds.
//!
//! ```text
//!   load generator -> technician's end ==> gateway ==> device's end -> server
//!   (this program)    \________ one way: our programs, or a peer's ________/   (this program again)
//! ```
//!
//! Every box is a process of its own, so that each one's CPU time is counted apart. A way is an address
//! that leads to the server; all ways are given the same work by the same code. Rounds alternate
//! (A B C, A B C, ...), and a ratio is made within its round: what else the machine does at the time
//! meets both sides. No figure here is a limit; the aims are ratios, and `RESULTS.md` says which are met.
//!
//! `cargo bench --bench tunnel` is a look at our own ways, in less than two minutes. Everything:
//! `benches/peers/install && cargo bench --bench tunnel -- --peers --results`.

mod args;
mod cpu;
mod endurance;
mod far;
mod figure;
mod fleet;
mod line;
mod load;
mod machine;
mod measure;
mod openings;
mod page;
mod peers;
mod picture;
mod product;
mod rounds;
mod server;
mod sheet;
mod table;
mod way;
mod yard;

use std::{
    fmt::Display,
    io::{Write, stdout},
    path::Path,
    thread,
};

use anyhow::{Context, Result, anyhow};
use clap::Parser;

use self::{
    args::Args,
    page::{Page, Run},
    rounds::Plan,
    sheet::Sheet,
    way::Way,
    yard::Yard,
};

fn main() -> Result<()> {
    let args = Args::parse();
    if let Some(at) = args.serve {
        return server::serve(at);
    }
    let keeper = Yard::lay_out()?;
    let outcome = bench(&args, &keeper.0);
    if outcome.is_err() {
        keeper.0.tell();
    }
    outcome
}

fn bench(args: &Args, yard: &Yard) -> Result<()> {
    if args.endurance {
        return endurance::run(yard);
    }
    if args.far {
        return far_apart(yard);
    }
    if args.results {
        fleet::measure()?;
        if let Err(error) = far_apart(yard) {
            say(format_args!("LEFT OUT: the long path: {error:#}"));
        }
    }
    let plan = args.plan();
    let mut page = Page::new(plan.clone(), args.peers);
    for congestion in args.congestions() {
        yard.set_congestion(&congestion)?;
        say(format_args!("congestion control: {congestion}"));
        page.add(run(args, &plan, yard, congestion)?);
        yard.clear();
    }
    let text = page.to_string();
    say(&text);
    if args.results {
        let benches = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches");
        std::fs::write(benches.join("RESULTS.md"), text)?;
        std::fs::write(benches.join("results.svg"), page.picture())?;
        say("wrote benches/RESULTS.md and benches/results.svg");
    }
    Ok(())
}

/// In a thread of its own, which moves to another network and ends there.
fn far_apart(yard: &Yard) -> Result<()> {
    thread::scope(|scope| {
        let far = scope.spawn(|| far::run(yard)).join();
        far.map_err(|_| anyhow!("the thread is gone"))?
    })
}

/// All rounds under one congestion control. Sockets take it when they are made, so everything is
/// started anew.
fn run(args: &Args, plan: &Plan, yard: &Yard, congestion: String) -> Result<Run> {
    let mut sheet = Sheet::default();
    let mut left_out = Vec::new();
    let server = server::start(yard)?;
    let ways = start(args, yard, server, &mut left_out)?;
    for round in 0..plan.rounds {
        say(format_args!("round {} of {}", round + 1, plan.rounds));
        rounds::round(&ways, plan, round, &mut sheet);
        // Of the others there is still something to be learned.
        if let Err(error) = yard.check() {
            say(format_args!("FAILED: {error:#}"));
            sheet.faults.push(format!("{error:#}"));
        }
    }
    let ways = ways.into_iter().map(|way| way.label).collect();
    Ok(Run { congestion, ways, left_out, sheet })
}

/// Every way that was asked for and can be had.
fn start(
    args: &Args,
    yard: &Yard,
    server: way::Server,
    left_out: &mut Vec<String>,
) -> Result<Vec<Way>> {
    let mut ways = Vec::new();
    if args.wants(way::BARE.name) {
        ways.push(Way::bare(server));
    }
    for (label, carrier) in [(way::TCP, "tcp"), (way::QUIC, "quic")] {
        if args.wants(label.name) {
            let way = product::start(yard, server, label, carrier);
            ways.push(way.with_context(|| label.name)?);
        }
    }
    if !args.peers {
        return Ok(ways);
    }
    for peer in peers::ALL.iter().filter(|peer| args.wants(peer.label.name)) {
        match peers::start(peer, yard, server) {
            Ok(way) => ways.push(way),
            Err(error) => {
                let name = peer.label.name;
                say(format_args!("LEFT OUT: {name}: {error:#}"));
                left_out.push(format!("{name}: {error:#}"));
            }
        }
    }
    Ok(ways)
}

/// A line for whoever watches.
fn say(line: impl Display) {
    // Nobody watches when stdout is gone.
    let _ = writeln!(stdout(), "{line}");
}
