//! One channel over a long path: 500 Mbit/s at 100 ms, the device at the far end.
//!
//! The same line carries a plain TCP connection to the server first: what the path gives. Beginning
//! slowly is in the time, as it is for whoever waits for a file.

use anyhow::{Context, Result};

use crate::{
    args::GIB,
    figure::Bulk,
    fleet,
    line::{DELAY, DEVICE_SIDE, GATEWAY_SIDE, Line, RATE_MBIT},
    load,
    product::{Site, World},
    say, server,
    yard::Yard,
};

/// Of each transfer: some 17 s at the line's rate.
const BYTES: u64 = GIB;

pub(crate) fn run(yard: &Yard) -> Result<()> {
    let line = Line::lay().context("no long path here")?;
    let round_trip = DELAY * 2;
    say(format_args!(
        "one channel over {RATE_MBIT} Mbit/s at {round_trip:?}; Mbit/s of payload, and share of the line:"
    ));
    let site = Site { gateway: GATEWAY_SIDE, device: Some(line.device.clone()) };
    let server = server::start_at(yard, DEVICE_SIDE, site.device.as_deref())?;
    let mut ways = vec![("bare", server.at)];
    for (name, carrier) in [("far tcp", "tcp"), ("far quic", "quic")] {
        let world = World::start(yard, &site, server, name, carrier)?;
        ways.push((carrier, world.open("technician")?.1));
    }
    let mut rows = Vec::new();
    for bulk in [Bulk::Down, Bulk::Up] {
        for (name, at) in &ways {
            let took = load::bulk(*at, bulk, BYTES)?;
            #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53 bytes")]
            let mbit = BYTES as f64 * 8.0 / 1e6 / took.as_secs_f64();
            let share = mbit / f64::from(RATE_MBIT);
            say(format_args!("  {:<6} {:<6} {mbit:>6.0}  {share:.2}", name, bulk.name()));
            rows.push((format!("far_{name}_{}", bulk.name()), mbit, "Mbit/s"));
        }
    }
    fleet::keep("far.tsv", &rows)?;
    yard.check()?;
    yard.clear();
    drop(line);
    Ok(())
}
