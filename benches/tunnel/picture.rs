//! `results.svg`: the figures that matter most, as bars. Readable on light and on dark paper.

use std::fmt::Write;

use crate::{
    figure::{Bulk, Figure, Rank},
    page::Run,
    table::digits,
    way::{BARE, Label, Part, QUIC, TCP},
};

const WIDTH: f64 = 1_000.0;
const MARGIN: f64 = 24.0;
/// Where names end and bars begin.
const NAMES: f64 = 170.0;
/// From one bar to the next, and a bar's own height.
const PITCH: f64 = 25.0;
const BAR: f64 = 16.0;
/// Above a panel's first bar: title and remark.
const HEAD: f64 = 62.0;
/// Room for the number behind the longest bar.
const NUMBER: f64 = 64.0;
/// Below the last panel.
const FOOT: &str =
    "rathole leaves the technician's hop in plain; in chains the gateway sees all bytes.";
/// A bar is broken off when it is longer than so many times the next.
const BREAK: f64 = 2.5;

const STYLE: &str = "\
text{font:13px system-ui,'Segoe UI',Helvetica,Arial,sans-serif;fill:#24292f}\
.paper{fill:#fff;stroke:#d0d7de}.title{font-size:16px;font-weight:600}.remark{fill:#57606a;font-size:12px}\
.ours{fill:#0a7f5a}.theirs{fill:#9aa5b1}.second{opacity:.45}.name-ours{font-weight:600}.gap{fill:#fff}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.paper{fill:#0d1117;stroke:#30363d}.remark{fill:#9198a1}\
.ours{fill:#3fb98c}.theirs{fill:#6e7681}.gap{fill:#0d1117}}";

/// One bar: all of it, and how much of that is drawn in full colour.
struct Bar {
    label: Label,
    length: f64,
    full: f64,
}

struct Panel {
    title: &'static str,
    remark: &'static str,
    bars: Vec<Bar>,
}

/// Draws a run.
pub(crate) fn draw(run: &Run) -> String {
    let panels = panels(run);
    let height = panels.iter().map(Panel::height).sum::<f64>() + 2.0 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"Caseway beside other tunnels\">\n<style>{STYLE}</style>\n\
         <rect class=\"paper\" x=\".5\" y=\".5\" width=\"{}\" height=\"{}\" rx=\"8\"/>\n",
        WIDTH - 1.0,
        height - 1.0
    );
    let mut top = 0.0;
    for panel in &panels {
        panel.draw(top, &mut svg);
        top += panel.height();
    }
    text(&mut svg, MARGIN, height - 14.0, "remark", FOOT);
    svg.push_str("</svg>\n");
    svg
}

fn panels(run: &Run) -> Vec<Panel> {
    let bars = |whole: Figure, full: Figure| -> Vec<Bar> {
        // The bare connection is no tunnel, and would make all others short.
        let tunnels = run.ways.iter().filter(|way| **way != BARE);
        tunnels.filter_map(|way| bar(run, *way, whole, full)).collect()
    };
    let rate = Figure::Rate(Bulk::Down);
    let open = Figure::Open(Rank::P50);
    let all = Figure::Cpu(Bulk::Down, Part::All);
    vec![
        Panel {
            title: "Throughput of one stream, Gbit/s",
            remark: "from the machine to the technician; longer is better",
            bars: bars(rate, rate),
        },
        Panel {
            title: "CPU time for a GiB, seconds",
            remark: "in full colour: of the gateway; behind it: of all other processes; shorter is better",
            bars: bars(all, Figure::Cpu(Bulk::Down, Part::Gateway)),
        },
        Panel {
            title: "Opening a channel, ms",
            remark: "from connecting to the first byte back, median; shorter is better",
            bars: bars(open, open),
        },
    ]
}

fn bar(run: &Run, label: Label, whole: Figure, full: Figure) -> Option<Bar> {
    let length = run.sheet.spread(label.name, whole)?.median;
    let full = run.sheet.spread(label.name, full)?.median;
    Some(Bar { label, length, full })
}

impl Panel {
    fn height(&self) -> f64 {
        HEAD + PITCH * self.bars.iter().map(|_| 1.0).sum::<f64>()
    }

    /// The value that the longest bar stands for: a single giant is broken off instead.
    fn reach(&self) -> f64 {
        let mut lengths: Vec<f64> = self.bars.iter().map(|bar| bar.length).collect();
        lengths.sort_unstable_by(|a, b| b.total_cmp(a));
        match *lengths.as_slice() {
            [first, second, ..] if first > BREAK * second => second * 1.3,
            [first, ..] => first,
            [] => 1.0,
        }
    }

    fn draw(&self, top: f64, svg: &mut String) {
        let Self { title, remark, bars } = self;
        text(svg, MARGIN, top + 32.0, "title", title);
        text(svg, MARGIN, top + 50.0, "remark", remark);
        let scale = (WIDTH - NAMES - MARGIN - NUMBER) / self.reach().max(f64::MIN_POSITIVE);
        let mut at = top + HEAD;
        for bar in bars {
            bar.draw(at, scale, self.reach(), svg);
            at += PITCH;
        }
    }
}

impl Bar {
    fn draw(&self, top: f64, scale: f64, reach: f64, svg: &mut String) {
        let Self { label, length, full } = self;
        let ours = *label == TCP || *label == QUIC;
        let (colour, weight) = if ours { ("ours", "name-ours") } else { ("theirs", "name") };
        let base = top + BAR - 3.0;
        text(svg, MARGIN, base, weight, label.name);
        let drawn = length.min(reach) * scale;
        rect(svg, NAMES, top, drawn, &format!("{colour} second"));
        rect(svg, NAMES, top, full.min(reach) * scale, colour);
        if *length > reach {
            // Two gaps: it goes on.
            rect(svg, NAMES + drawn - 24.0, top, 4.0, "gap");
            rect(svg, NAMES + drawn - 14.0, top, 4.0, "gap");
        }
        text(svg, NAMES + drawn + 8.0, base, weight, &digits(*length));
    }
}

fn text(svg: &mut String, x: f64, y: f64, class: &str, words: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(svg, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{words}</text>");
}

fn rect(svg: &mut String, x: f64, y: f64, width: f64, class: &str) {
    let _ = writeln!(
        svg,
        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR}\" rx=\"2\"/>"
    );
}
