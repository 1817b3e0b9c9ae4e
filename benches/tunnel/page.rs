//! `RESULTS.md`: the machine, the measure, every number.

use std::{collections::BTreeMap, fmt};

use caseway::clock::Now;

use crate::{
    figure::{Bulk, Figure, Rank, Size},
    fleet::{self, Reading},
    machine, measure, peers, picture,
    rounds::Plan,
    sheet::Sheet,
    table::{Table, digits},
    way::{Label, Part},
};

/// All rounds under one congestion control.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) congestion: String,
    pub(crate) ways: Vec<Label>,
    /// Who is missing, and why.
    pub(crate) left_out: Vec<String>,
    pub(crate) sheet: Sheet,
}

impl Run {
    fn has(&self, figure: Figure) -> bool {
        self.ways.iter().any(|way| self.sheet.spread(way.name, figure).is_some())
    }
}

#[derive(Debug)]
pub(crate) struct Page {
    plan: Plan,
    /// Whether the peers were to take part.
    whole: bool,
    /// When the first round began.
    date: String,
    machine: Vec<String>,
    runs: Vec<Run>,
    readings: BTreeMap<String, Reading>,
}

/// A table with a row for each way: its title, what a row's first cell is headed, and its columns.
struct Section {
    title: String,
    columns: Vec<(String, Figure)>,
}

impl Page {
    pub(crate) fn new(plan: Plan, whole: bool) -> Self {
        let date = Now::read().wall.to_string();
        let date = date.split('T').next().unwrap_or_default().to_owned();
        let (machine, readings) = (machine::facts(), fleet::readings());
        Self { plan, whole, date, machine, runs: Vec::new(), readings }
    }

    pub(crate) fn add(&mut self, run: Run) {
        self.runs.push(run);
    }

    /// The first run as a picture.
    pub(crate) fn picture(&self) -> String {
        self.runs.first().map(picture::draw).unwrap_or_default()
    }

    fn facts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { rounds, bytes, opens, trips, churn, .. } = &self.plan;
        for fact in &self.machine {
            writeln!(f, "* {fact}")?;
        }
        let all: Vec<&str> = self.runs.iter().map(|run| run.congestion.as_str()).collect();
        writeln!(f, "* Congestion control: {}", all.join(", then "))?;
        let mut versions: Vec<String> =
            peers::ALL.iter().filter_map(|peer| machine::version(peer.version)).collect();
        versions.extend(machine::version(&peers::OPENSSL_VERSION));
        versions.dedup();
        writeln!(f, "* Caseway {}; {}", env!("CARGO_PKG_VERSION"), versions.join(", "))?;
        writeln!(
            f,
            "* {rounds} rounds, each: {} MiB a bulk transfer (all its streams together), {opens} channels one \
             after the other, {trips} round trips of each size, {} s of 16 clients that open and close \
             channels; single deeds end after {} s at the latest",
            bytes / (1024 * 1024),
            churn.as_secs(),
            self.plan.patience.as_secs(),
        )
    }

    fn ways(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(run) = self.runs.first() else { return Ok(()) };
        let mut table = Table::new(["Way", "How the bytes go"]);
        for Label { name, about } in &run.ways {
            table.row([*name, *about]);
        }
        writeln!(f, "{table}")?;
        for who in &run.left_out {
            writeln!(f, "**Left out:** {who}\n")?;
        }
        Ok(())
    }

    fn measure(&self, run: &Run, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (table, [met, missed, open]) = measure::table(&run.sheet, &self.readings, self.whole);
        writeln!(f, "## The measure, {}\n", run.congestion)?;
        writeln!(f, "{met} aims met, {missed} missed, {open} not measured in this run.\n")?;
        writeln!(f, "{table}")
    }

    fn others(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## Measured apart: memory, and the long path of 500 Mbit/s and 100 ms\n")?;
        if self.readings.is_empty() {
            return writeln!(
                f,
                "None yet: `cargo bench --bench fleet` measures memory, idle agents and sessions, and \
                 leaves its figures where this benchmark finds them.\n"
            );
        }
        let mut table = Table::new(["What", "Value", "Unit"]);
        for (key, Reading { value, unit }) in &self.readings {
            table.row([key.clone(), digits(*value), unit.clone()]);
        }
        writeln!(f, "{table}")
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Results of {}\n", self.date)?;
        writeln!(
            f,
            "Written by `cargo bench --bench tunnel -- --peers --results`; the peers' configurations are in \
             `benches/peers/`.\n\n![Throughput, CPU time and channel opening of each tunnel](results.svg)\n"
        )?;
        self.facts(f)?;
        writeln!(
            f,
            "\nEverything runs on loopback, each box a process of its own. A number is the median over the \
             rounds, (least..greatest) behind it; a ratio is made within its round, then its median taken.\n"
        )?;
        self.ways(f)?;
        for run in &self.runs {
            self.measure(run, f)?;
        }
        for run in &self.runs {
            numbers(run, f)?;
        }
        self.others(f)
    }
}

fn numbers(run: &Run, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for Section { title, columns } in sections() {
        let columns: Vec<_> = columns.into_iter().filter(|(_, figure)| run.has(*figure)).collect();
        if columns.is_empty() {
            continue;
        }
        writeln!(f, "## {title}, {}\n", run.congestion)?;
        let names = columns.iter().map(|(name, _)| name.clone());
        let mut table = Table::new(["Way".to_owned()].into_iter().chain(names));
        for way in &run.ways {
            let cell = |figure: &Figure| measure::shown(run.sheet.spread(way.name, *figure));
            let cells: Vec<String> = columns.iter().map(|(_, figure)| cell(figure)).collect();
            if cells.iter().any(|cell| cell.contains(char::is_numeric)) {
                table.row([way.name.to_owned()].into_iter().chain(cells));
            }
        }
        writeln!(f, "{table}")?;
    }
    for fault in &run.sheet.faults {
        writeln!(f, "**Failed:** {fault}\n")?;
    }
    Ok(())
}

fn sections() -> Vec<Section> {
    let section = |title: &str, columns| Section { title: title.to_owned(), columns };
    let rates = Bulk::ALL.map(|bulk| (bulk.name().to_owned(), Figure::Rate(bulk)));
    let mut all = vec![section("Bulk, Gbit/s", rates.into())];
    for bulk in Bulk::ALL {
        let parts = [Part::All].into_iter().chain(Part::REAL);
        let columns = parts.map(|part| (part.name().to_owned(), Figure::Cpu(bulk, part)));
        all.push(section(&format!("CPU-seconds per GiB {}", bulk.name()), columns.collect()));
    }
    let opening = |rank: Rank| (format!("p{}, ms", rank.percent()), Figure::Open(rank));
    let mut channels: Vec<_> = Rank::BOTH.map(opening).into();
    channels.push(("opened a second".to_owned(), Figure::Churn));
    channels.push(("failed a round".to_owned(), Figure::Failed));
    all.push(section("Opening a channel", channels));
    let parts = [Part::All].into_iter().chain(Part::REAL);
    let columns = parts.map(|part| (part.name().to_owned(), Figure::ChurnCpu(part)));
    all.push(section("CPU-milliseconds for a channel opened and closed", columns.collect()));
    let trips = [Size::One, Size::SixtyFour].into_iter().flat_map(|size| {
        Rank::BOTH.map(|rank| {
            let (bytes, percent) = (size.bytes(), rank.percent());
            (format!("{bytes} B, p{percent}, µs"), Figure::Trip(size, rank))
        })
    });
    all.push(section("Round trip on an open channel", trips.collect()));
    let beside = |rank: Rank| (format!("64 B, p{}, µs", rank.percent()), Figure::Beside(rank));
    all.push(section(
        "Round trip on an open channel beside a bulk transfer",
        Rank::BOTH.map(beside).into(),
    ));
    let sessions =
        Rank::BOTH.map(|rank| (format!("p{}, ms", rank.percent()), Figure::Session(rank)));
    all.push(section("Opening a session, first byte back", sessions.into()));
    let parts = [Part::Gateway, Part::Technician, Part::Device];
    let idle = parts.map(|part| (format!("{}, KiB", part.name()), Figure::Idle(part)));
    all.push(section(
        "Memory of an idle channel (growth with 200 of them, first round)",
        idle.into(),
    ));
    all
}
