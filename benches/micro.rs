//! Single pieces, each alone: what it takes, and how much of it a second.
//!
//! ```text
//!   records    seal, open in place: 1, 16, 64 KiB
//!   wire       a control message and a join, into a buffer and out of it
//!   authz      decide, with one assignment and with 10,000
//!   session    a channel from its opening to its end, and a judgement, among 10,000 live sessions
//!   audit      a record chained to the one before; the chain walked
//! ```
//!
//! `cargo bench --bench micro` takes about a minute; `-- records` measures these alone.

#[path = "micro/audit.rs"]
mod audit;
#[path = "micro/authz.rs"]
mod authz;
#[path = "micro/facts.rs"]
mod facts;
#[path = "micro/records.rs"]
mod records;
#[path = "micro/session.rs"]
mod session;
#[path = "micro/wire.rs"]
mod wire;

use std::time::Duration;

use anyhow::Result;
use criterion::Criterion;

fn main() -> Result<()> {
    let mut criterion = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    records::measure(&mut criterion)?;
    wire::measure(&mut criterion)?;
    authz::measure(&mut criterion)?;
    session::measure(&mut criterion)?;
    audit::measure(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}
