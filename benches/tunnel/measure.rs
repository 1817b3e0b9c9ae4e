//! The measure: what we aim at, against whom, and what came out.

use std::collections::BTreeMap;

use crate::{
    figure::{Bulk, Figure, Rank, Size},
    fleet::Reading,
    peers::{HAPROXY_CHAIN, NGINX_BLIND, NGINX_CHAIN, OPENSSH, RATHOLE_PLAIN, RATHOLE_TLS},
    sheet::{Sheet, Spread},
    table::{Table, digits},
    way::{BARE, Label, Part, TCP},
};

/// How a row without a figure says so.
const ABSENT: &str = "not measured in this run";

#[derive(Clone, Copy, Debug)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }

    fn said(self) -> String {
        match self {
            Self::AtLeast(least) => format!("≥ {least}"),
            Self::AtMost(most) => format!("≤ {most}"),
        }
    }
}

/// Our figure in units of another's, in the same round.
struct Against {
    what: &'static str,
    figure: Figure,
    aims: &'static [(Label, Bound)],
}

const RATE: &[(Label, Bound)] = &[
    (NGINX_CHAIN, Bound::AtLeast(2.4)),
    (NGINX_BLIND, Bound::AtLeast(1.7)),
    (RATHOLE_TLS, Bound::AtLeast(2.0)),
    (OPENSSH, Bound::AtLeast(2.6)),
    (RATHOLE_PLAIN, Bound::AtLeast(1.5)),
];
const CPU: &[(Label, Bound)] = &[
    (NGINX_CHAIN, Bound::AtMost(0.4)),
    (NGINX_BLIND, Bound::AtMost(0.5)),
    (RATHOLE_TLS, Bound::AtMost(0.5)),
];
const CPU_GATEWAY: &[(Label, Bound)] =
    &[(NGINX_CHAIN, Bound::AtMost(0.2)), (NGINX_BLIND, Bound::AtMost(0.5))];
const TRIP: &[(Label, Bound)] = &[(BARE, Bound::AtMost(4.0))];

const RATIOS: &[Against] = &[
    Against { what: "bulk down, one stream, Gbit/s", figure: Figure::Rate(Bulk::Down), aims: RATE },
    Against { what: "bulk up, one stream, Gbit/s", figure: Figure::Rate(Bulk::Up), aims: RATE },
    Against {
        what: "CPU-s/GiB down, all processes",
        figure: Figure::Cpu(Bulk::Down, Part::All),
        aims: CPU,
    },
    Against {
        what: "CPU-s/GiB up, all processes",
        figure: Figure::Cpu(Bulk::Up, Part::All),
        aims: CPU,
    },
    Against {
        what: "CPU-s/GiB down, gateway",
        figure: Figure::Cpu(Bulk::Down, Part::Gateway),
        aims: CPU_GATEWAY,
    },
    Against {
        what: "CPU-s/GiB up, gateway",
        figure: Figure::Cpu(Bulk::Up, Part::Gateway),
        aims: CPU_GATEWAY,
    },
    Against {
        what: "opening a channel, first byte back, ms, p50",
        figure: Figure::Open(Rank::P50),
        aims: &[(RATHOLE_TLS, Bound::AtMost(0.7)), (HAPROXY_CHAIN, Bound::AtMost(0.25))],
    },
    Against {
        what: "new channels a second",
        figure: Figure::Churn,
        aims: &[(RATHOLE_TLS, Bound::AtLeast(2.5)), (HAPROXY_CHAIN, Bound::AtLeast(6.0))],
    },
    Against {
        what: "round trip of 1 byte, µs, p50",
        figure: Figure::Trip(Size::One, Rank::P50),
        aims: TRIP,
    },
    Against {
        what: "round trip of 64 bytes, µs, p50",
        figure: Figure::Trip(Size::SixtyFour, Rank::P50),
        aims: TRIP,
    },
];

/// What `cargo bench --bench fleet` finds: what, its key, at most this, in this unit.
const FLEET: &[(&str, &str, f64, &str)] = &[
    ("idle agent in the gateway, over TLS", "idle_agent_tcp", 16.0, "KiB"),
    ("idle agent in the gateway, over QUIC", "idle_agent_quic", 36.0, "KiB"),
    ("idle channel in the gateway", "idle_channel_gateway", 4.0, "KiB"),
    ("idle channel at the technician's end", "idle_channel_technician", 8.0, "KiB"),
    ("idle channel at the device's end", "idle_channel_agent", 8.0, "KiB"),
    ("agent program, stripped", "agent_program_bytes", 6.0, "MiB"),
    ("agent resident when idle", "agent_rss_idle", 8.0, "MiB"),
];
/// A session's talk beside its bulk: its p99 in units of the quiet one.
const BESIDE: Bound = Bound::AtMost(3.0);
/// Opening a session: at most so many milliseconds.
const SESSION: Bound = Bound::AtMost(10.0);

/// The table, and how many of its aims were met, missed, and left open.
///
/// Rows that have no figure stand in it only when it is to be `whole`.
pub(crate) fn table(
    sheet: &Sheet,
    readings: &BTreeMap<String, Reading>,
    whole: bool,
) -> (Table, [usize; 3]) {
    let head = ["What", "Ours", "Beside", "Theirs", "Ours / theirs", "Aim", ""];
    let mut table = Table::new(head);
    let mut count = [0; 3];
    let mut row = |cells: [String; 6], met: Option<bool>| {
        let [met_, missed, open] = &mut count;
        let (counter, word) = match met {
            Some(true) => (met_, "met"),
            Some(false) => (missed, "**missed**"),
            None if !whole => return,
            None => (open, ABSENT),
        };
        *counter += 1;
        table.row(cells.into_iter().chain([word.to_owned()]));
    };
    for Against { what, figure, aims } in RATIOS {
        for (label, bound) in *aims {
            let ratio = sheet.ratio(*figure, TCP.name, label.name);
            let of = |name| shown(sheet.spread(name, *figure));
            let (ours, theirs) = (of(TCP.name), of(label.name));
            let name = label.name.to_owned();
            let cells = [(*what).to_owned(), ours, name, theirs, shown(ratio), bound.said()];
            row(cells, ratio.map(|ratio| bound.holds(ratio.median)));
        }
    }
    let (busy, quiet) = (Figure::Beside(Rank::P99), Figure::Trip(Size::SixtyFour, Rank::P99));
    let ratio = sheet.share((TCP.name, busy), (TCP.name, quiet));
    let [ours, theirs] = [busy, quiet].map(|figure| shown(sheet.spread(TCP.name, figure)));
    let what = "round trip of 64 bytes beside bulk of the session, µs, p99".to_owned();
    let cells = [what, ours, "the same, quiet".to_owned(), theirs, shown(ratio), BESIDE.said()];
    row(cells, ratio.map(|ratio| BESIDE.holds(ratio.median)));
    let session = sheet.spread(TCP.name, Figure::Session(Rank::P50));
    let what = "opening a session, first byte back, ms, p50".to_owned();
    let met = session.map(|session| SESSION.holds(session.median));
    row(alone(what, shown(session), SESSION.said()), met);
    for (what, key, most, unit) in FLEET {
        let limit = Reading { value: *most, unit: (*unit).to_owned() };
        let reading = readings.get(*key);
        let ours = reading.and_then(|reading| Some(reading.plain()? / limit.plain()? * most));
        let aim = format!("{} {unit}", Bound::AtMost(*most).said());
        let cells = alone(format!("{what}, {unit}"), ours.map_or_else(dash, digits), aim);
        row(cells, ours.map(|ours| ours <= *most));
    }
    (table, count)
}

/// A row with nobody beside us.
fn alone(what: String, ours: String, aim: String) -> [String; 6] {
    [what, ours, dash(), dash(), dash(), aim]
}

/// A spread, or that there is none.
pub(crate) fn shown(spread: Option<Spread>) -> String {
    spread.map_or_else(dash, |spread| spread.to_string())
}

fn dash() -> String {
    "–".to_owned()
}
