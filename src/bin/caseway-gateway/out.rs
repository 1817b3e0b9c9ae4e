//! What is printed: data to stdout, faults to stderr, one line each.

use std::{io::Write, process::ExitCode};

use caseway::config::Faults;

/// How to print.
#[derive(Debug)]
pub(crate) struct Out {
    pub(crate) json: bool,
    pub(crate) quiet: bool,
}

/// Why a command failed, with its exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    what: anyhow::Error,
}

impl Failure {
    pub(crate) fn usage(what: impl Into<anyhow::Error>) -> Self {
        Self { code: 2, what: what.into() }
    }

    pub(crate) fn config(faults: &Faults) -> Self {
        Self::usage(anyhow::anyhow!("{faults}"))
    }

    pub(crate) fn other(what: impl Into<anyhow::Error>) -> Self {
        Self { code: 1, what: what.into() }
    }
}

/// A fault and what lies under it, without saying the same twice.
fn chain(fault: &anyhow::Error) -> String {
    let mut said = fault.to_string();
    for under in fault.chain().skip(1) {
        let under = under.to_string();
        if !said.contains(&under) {
            said = format!("{said}: {under}");
        }
    }
    said
}

impl Out {
    /// One line of data. A reader that went away is no fault.
    pub(crate) fn line(&self, text: impl std::fmt::Display) {
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }

    /// One line for people, to stderr.
    pub(crate) fn note(&self, text: impl std::fmt::Display) {
        if !self.quiet {
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }

    /// Prints why, in one line a fault, and says with what code to exit.
    pub(crate) fn failed(&self, failure: &Failure) -> ExitCode {
        let what = chain(&failure.what);
        for line in what.lines() {
            let _ = if self.json {
                writeln!(std::io::stderr(), "{}", serde_json::json!({ "error": line }))
            } else {
                writeln!(std::io::stderr(), "caseway-gateway: {line}")
            };
        }
        ExitCode::from(failure.code)
    }
}
