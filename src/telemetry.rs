//! What diagnostics look like: logs, set up once by a door, and an error on one line.
//!
//! Diagnostics go to stderr, so that stdout carries data alone. `CASEWAY_LOG` is a list such as
//! `warn,caseway=debug` ([`Targets`]) and, where it is set, goes before what the command line says.

use std::{
    error::Error,
    io::{self, IsTerminal},
};

use tracing::warn;
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

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

    /// What we say ourselves.
    fn ours(self) -> LevelFilter {
        match self {
            Self::Quiet => LevelFilter::ERROR,
            Self::Normal => LevelFilter::WARN,
            Self::Events => LevelFilter::INFO,
            Self::Detail => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }

    /// What the libraries say.
    fn others(self) -> LevelFilter {
        match self {
            Self::Quiet => LevelFilter::ERROR,
            Self::Normal | Self::Events => LevelFilter::WARN,
            Self::Detail => LevelFilter::INFO,
            Self::Trace => LevelFilter::DEBUG,
        }
    }
}

/// Starts logging to stderr. A second start in one process changes nothing.
pub fn start(verbosity: Verbosity) {
    let told = std::env::var("CASEWAY_LOG").ok().map(|list| list.parse::<Targets>());
    let (told, fault) = match told {
        Some(Ok(told)) => (Some(told), None),
        Some(Err(fault)) => (None, Some(fault)),
        None => (None, None),
    };
    let ours =
        || Targets::new().with_default(verbosity.others()).with_target("caseway", verbosity.ours());
    let lines = fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false);
    let _ = tracing_subscriber::registry().with(lines).with(told.unwrap_or_else(ours)).try_init();
    if let Some(fault) = fault {
        warn!(%fault, "CASEWAY_LOG is not understood; expected a list such as warn,caseway=debug");
    }
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
