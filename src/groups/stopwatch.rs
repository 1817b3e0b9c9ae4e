//! The stopwatch: time spent on a case, from the sessions held under it.
//!
//! S2 measures how long a ticket's detail view is open; a gateway's work is done in sessions, so a
//! session's duration stands in its place (INF).

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What is shorter than this is left out by the delayed options (G1-9: "at least 1 minute").
const DELAY: Duration = Duration::from_secs(60);

/// How a group counts the time spent on its cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopwatch {
    #[default]
    Never,
    /// Asks whether to count it, from one minute on (CON-14).
    AskDelayed,
    /// Asks whether to count it, however short it was.
    Ask,
    /// Counts it, from one minute on.
    AlwaysDelayed,
    /// Counts it, however short it was.
    Always,
}

/// What becomes of time spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    Nothing,
    /// The person is asked, and may have it logged.
    Ask,
    /// It is written to the case's history, all of it.
    Log,
}

/// What becomes of `time` that a person spent on a case; whoever is no member of its group counts
/// for nothing (G1-9).
#[must_use]
pub fn spent(stopwatch: Stopwatch, member: bool, time: Duration) -> Spent {
    let long_enough = time >= DELAY;
    match stopwatch {
        Stopwatch::Ask if member => Spent::Ask,
        Stopwatch::AskDelayed if member && long_enough => Spent::Ask,
        Stopwatch::Always if member => Spent::Log,
        Stopwatch::AlwaysDelayed if member && long_enough => Spent::Log,
        Stopwatch::Never
        | Stopwatch::Ask
        | Stopwatch::AskDelayed
        | Stopwatch::Always
        | Stopwatch::AlwaysDelayed => Spent::Nothing,
    }
}
