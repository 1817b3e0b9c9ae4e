//! What diagnostics look like: logs, set up once by a door, and an error on one line.
//!
//! Diagnostics go to stderr, so that stdout carries data alone. `CASEWAY_LOG` is an
//! [`EnvFilter`] and, where it is set, goes before what the command line says.

use std::{
    error::Error,
    io::{self, IsTerminal},
};

use tracing_subscriber::EnvFilter;

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors alone: `--quiet`.
    Quiet,
    /// Warnings too: the default of a command that ends by itself.
    Normal,
    /// What happens: the default of a process that stays, and `-v` elsewhere.
    Events,
    /// How it happens: `-v` of a process that stays, `-vv` elsewhere.
    Detail,
    /// Each frame.
    Trace,
}

impl Verbosity {
    /// What `--quiet` and so many `-v` mean where `base` is the default.
    #[must_use]
    pub fn from_flags(base: Self, quiet: bool, verbose: u8) -> Self {
        if quiet {
            return Self::Quiet;
        }
        let steps = [Self::Quiet, Self::Normal, Self::Events, Self::Detail, Self::Trace];
        steps.into_iter().filter(|step| *step >= base).nth(verbose.into()).unwrap_or(Self::Trace)
    }

    fn filter(self) -> &'static str {
        match self {
            Self::Quiet => "error",
            Self::Normal => "warn",
            Self::Events => "warn,caseway=info",
            Self::Detail => "info,caseway=debug",
            Self::Trace => "debug,caseway=trace",
        }
    }
}

/// Starts logging to stderr. A second start in one process changes nothing.
pub fn start(verbosity: Verbosity) {
    let filter = EnvFilter::try_from_env("CASEWAY_LOG")
        .unwrap_or_else(|_| EnvFilter::new(verbosity.filter()));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .try_init();
}

/// An error with its sources, without saying the same twice: some put their source into their own
/// text.
pub fn one_line(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let text = inner.to_string();
        if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
        source = inner.source();
    }
    line.replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_v_tells_more_and_quiet_goes_before_them() {
        let meant = |base, quiet, verbose| Verbosity::from_flags(base, quiet, verbose);
        assert_eq!(meant(Verbosity::Normal, false, 0), Verbosity::Normal);
        assert_eq!(meant(Verbosity::Events, false, 1), Verbosity::Detail);
        assert_eq!(meant(Verbosity::Normal, false, 200), Verbosity::Trace);
        assert_eq!(meant(Verbosity::Events, true, 3), Verbosity::Quiet);
    }

    #[test]
    fn an_error_is_told_on_one_line_with_each_source_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("{said}")]
        struct Told {
            said: &'static str,
            source: Option<Box<Told>>,
        }
        let told = |said, source: Option<Told>| Told { said, source: source.map(Box::new) };
        let low = told("the disk\nis gone", None);
        let middle = told("cannot write: the disk\nis gone", Some(low));
        let line = one_line(&told("no record", Some(middle)));
        assert_eq!(line, "no record: cannot write: the disk is gone");
    }
}
