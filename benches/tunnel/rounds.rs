//! A round: every piece of work, through every way in turn.
//!
//! The ways alternate within each piece of work, so that the numbers of one ratio are seconds apart; each
//! round begins with another way.

use std::{net::TcpStream, thread::sleep, time::Duration};

use anyhow::{Context, Result};

use crate::{
    args::GIB,
    cpu::{Moment, resident},
    figure::{Bulk, Figure, Rank, Size},
    load::{self, Times},
    openings, say,
    sheet::Sheet,
    table::digits,
    way::{Part, Way},
};

/// Clients that open channels at once.
const CLIENTS: usize = 16;
/// For what happens after a connection's end, and for buffers that are let go when idle.
const SETTLE: Duration = Duration::from_secs(2);
const KIB: f64 = 1024.0;

/// How much is done in a round.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Words of which one stands in the title of all work that is done; none: everything is.
    pub(crate) work: Vec<String>,
    pub(crate) rounds: usize,
    /// Of each bulk transfer, all streams together.
    pub(crate) bytes: u64,
    pub(crate) opens: usize,
    pub(crate) trips: usize,
    pub(crate) sessions: usize,
    /// Channels open at once when memory is looked at.
    pub(crate) idle: usize,
    pub(crate) churn: Duration,
    /// Single deeds end after this, however many there were.
    pub(crate) patience: Duration,
}

impl Plan {
    fn wants(&self, title: &str) -> bool {
        self.work.is_empty() || self.work.iter().any(|word| title.contains(word.as_str()))
    }
}

#[derive(Clone, Copy, Debug)]
enum Work {
    Idle,
    Bulk(Bulk),
    Openings,
    Trips(Size),
    Beside,
    Churn,
    Sessions,
}

impl Work {
    const ALL: [Self; 11] = [
        Self::Idle,
        Self::Bulk(Bulk::Down),
        Self::Bulk(Bulk::Up),
        Self::Bulk(Bulk::Down4),
        Self::Bulk(Bulk::Up4),
        Self::Openings,
        Self::Trips(Size::One),
        Self::Trips(Size::SixtyFour),
        Self::Beside,
        Self::Churn,
        Self::Sessions,
    ];

    /// What is printed while it runs.
    fn title(self) -> String {
        match self {
            Self::Idle => "idle channel in the gateway, KiB".into(),
            Self::Bulk(bulk) => format!("bulk {}, Gbit/s", bulk.name()),
            Self::Openings => "opening a channel, ms, p50".into(),
            Self::Trips(size) => format!("round trip of {}, µs, p50", size.bytes()),
            Self::Beside => "round trip beside bulk, µs, p50".into(),
            Self::Churn => "new channels a second".into(),
            Self::Sessions => "opening a session, ms, p50".into(),
        }
    }

    /// Memory tells something only of processes that have done nothing else yet; sessions are ours alone.
    fn is_for(self, way: &Way, round: usize) -> bool {
        match self {
            Self::Idle => round == 0 && way.root(Part::Gateway).is_some(),
            Self::Sessions => way.desk.is_some(),
            Self::Bulk(_) | Self::Openings | Self::Trips(_) | Self::Beside | Self::Churn => true,
        }
    }

    /// Does it; the first number is the one that is printed while it runs.
    fn done(self, way: &Way, plan: &Plan) -> Result<Vec<(Figure, f64)>> {
        match self {
            Self::Idle => idle(way, plan.idle),
            Self::Bulk(bulk) => transfer(way, bulk, plan.bytes),
            Self::Openings => {
                let times = load::openings(way.at, plan.opens, plan.patience)?;
                Ok(ranks(&times, 1.0, Figure::Open))
            }
            Self::Trips(size) => {
                let times = load::trips(way.at, size.bytes(), plan.trips, plan.patience)?;
                Ok(ranks(&times, 1_000.0, |rank| Figure::Trip(size, rank)))
            }
            Self::Beside => {
                let size = Size::SixtyFour.bytes();
                let times = load::trips_beside(way.at, size, plan.trips, plan.patience)?;
                Ok(ranks(&times, 1_000.0, Figure::Beside))
            }
            Self::Churn => churn(way, plan.churn),
            Self::Sessions => {
                let desk = way.desk.as_ref().context("no log-in")?;
                let times = openings::sessions(desk, plan.sessions, plan.patience)?;
                Ok(ranks(&times, 1.0, Figure::Session))
            }
        }
    }
}

/// One round; what fails is said, kept, and left empty.
pub(crate) fn round(ways: &[Way], plan: &Plan, round: usize, sheet: &mut Sheet) {
    for work in Work::ALL {
        let title = work.title();
        if !plan.wants(&title) {
            continue;
        }
        let mut line = format!("  {title:34}");
        let turned = ways.iter().cycle().skip(round % ways.len().max(1)).take(ways.len());
        for way in turned.filter(|way| work.is_for(way, round)) {
            let name = way.label.name;
            match work.done(way, plan) {
                Ok(numbers) => {
                    let first = numbers.first().map_or(f64::NAN, |(_, value)| *value);
                    line.push_str(&format!(" {name} {};", digits(first)));
                    for (figure, value) in numbers {
                        sheet.put(name, figure, round, value);
                    }
                }
                Err(error) => {
                    let fault = format!("round {}: {name}: {title}: {error:#}", round + 1);
                    say(format_args!("FAILED: {fault}"));
                    sheet.faults.push(fault);
                }
            }
        }
        say(line);
    }
}

fn ranks(times: &Times, unit: f64, figure: impl Fn(Rank) -> Figure) -> Vec<(Figure, f64)> {
    let at = |rank: Rank| Some((figure(rank), times.at(rank.percent())? * unit));
    Rank::BOTH.into_iter().filter_map(at).collect()
}

fn transfer(way: &Way, bulk: Bulk, bytes: u64) -> Result<Vec<(Figure, f64)>> {
    let before = Moment::now()?;
    let took = load::bulk(way.at, bulk, bytes)?;
    let used = used(way, &before, &Moment::now()?);
    let rate = amount(bytes) * 8.0 / 1e9 / took.as_secs_f64();
    let gib = amount(bytes) / amount(GIB);
    let cpu = used.into_iter().map(|(part, seconds)| (Figure::Cpu(bulk, part), seconds / gib));
    Ok([(Figure::Rate(bulk), rate)].into_iter().chain(cpu).collect())
}

fn churn(way: &Way, time: Duration) -> Result<Vec<(Figure, f64)>> {
    let before = Moment::now()?;
    let churned = load::churn(way.at, CLIENTS, time)?;
    let used = used(way, &before, &Moment::now()?);
    let (opened, failed) = (whole(churned.opened), whole(churned.failed));
    let rates = [(Figure::Churn, opened / churned.took.as_secs_f64()), (Figure::Failed, failed)];
    let cpu = used
        .into_iter()
        .map(|(part, seconds)| (Figure::ChurnCpu(part), seconds * 1_000.0 / opened));
    Ok(rates.into_iter().chain(cpu).collect())
}

/// CPU seconds of each part, and of all together.
fn used(way: &Way, before: &Moment, after: &Moment) -> Vec<(Part, f64)> {
    let each = way.cast.iter().map(|(part, root)| {
        (*part, after.cpu(*root).saturating_sub(before.cpu(*root)).as_secs_f64())
    });
    let mut used: Vec<(Part, f64)> = each.collect();
    used.push((Part::All, used.iter().map(|(_, seconds)| seconds).sum()));
    used
}

/// What each process grows by for an open channel through which one byte went each way.
fn idle(way: &Way, count: usize) -> Result<Vec<(Figure, f64)>> {
    // The first channel's costs are not those of each.
    let _first = load::open(way.at)?;
    sleep(SETTLE);
    let parts = [Part::Gateway, Part::Technician, Part::Device];
    let roots = parts.into_iter().filter_map(|part| Some((part, way.root(part)?)));
    let roots: Vec<_> = roots.collect();
    let look = || roots.iter().map(|(_, root)| resident(*root)).collect::<Result<Vec<u64>>>();
    let before = look()?;
    let open: Vec<TcpStream> =
        (0..count).map(|_| load::open(way.at)).collect::<Result<_, _>>().context("opening")?;
    sleep(SETTLE);
    let after = look()?;
    drop(open);
    sleep(SETTLE);
    let grown = before.iter().zip(&after).map(|(before, after)| after.saturating_sub(*before));
    let each = grown.map(|bytes| amount(bytes) / KIB / whole(count));
    Ok(roots.iter().zip(each).map(|((part, _), kib)| (Figure::Idle(*part), kib)).collect())
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53 bytes")]
fn amount(bytes: u64) -> f64 {
    bytes as f64
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53 deeds")]
fn whole(count: usize) -> f64 {
    count as f64
}
