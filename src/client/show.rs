//! What people and programs see: data on stdout, everything else on stderr.
//!
//! With `--json`, stdout carries one JSON value a line, as the gateway said it. Text that came from
//! elsewhere is shown without its control characters, so that a case's title cannot drive a terminal.

mod table;
mod time;

use std::{
    fmt,
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use serde::Serialize;

pub(super) use table::Table;
pub(super) use time::Clock;

use super::{cli::Common, exit::Failure};

/// Where a command writes. Clones write to the same place.
#[derive(Clone)]
pub struct Terminal {
    /// Guards whole lines: listeners of one session speak at once.
    out: Arc<Mutex<Sink>>,
    err: Arc<Mutex<Sink>>,
    json: bool,
    quiet: bool,
    verbose: bool,
}

type Sink = Box<dyn Write + Send>;

impl fmt::Debug for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { json, quiet, verbose, .. } = self;
        write!(f, "Terminal {{ json: {json}, quiet: {quiet}, verbose: {verbose} }}")
    }
}

impl Terminal {
    /// A terminal whose data goes to `out` and whose diagnostics go to `err`.
    #[must_use]
    pub fn new(out: impl Write + Send + 'static, err: impl Write + Send + 'static) -> Self {
        let hold = |sink: Sink| Arc::new(Mutex::new(sink));
        let (out, err) = (hold(Box::new(out)), hold(Box::new(err)));
        Self { out, err, json: false, quiet: false, verbose: false }
    }

    /// This process's own.
    #[must_use]
    pub fn of_process() -> Self {
        Self::new(io::stdout(), io::stderr())
    }

    pub(super) fn with(self, common: Common) -> Self {
        Self { json: common.json, quiet: common.quiet, verbose: common.verbose > 0, ..self }
    }

    /// The same, with data sent where diagnostics go: stdout belongs to a program.
    pub(super) fn beside_a_program(&self) -> Self {
        Self { out: Arc::clone(&self.err), ..self.clone() }
    }

    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// Data for people: one or more lines. Nothing with `--json`.
    pub(super) fn data(&self, text: impl fmt::Display) {
        if !self.json {
            put(&self.out, &text);
        }
    }

    /// Data for programs: one value on one line. Nothing without `--json`, and for what has no value.
    pub(super) fn value(&self, value: &impl Serialize) {
        if self.json
            && let Ok(line) = serde_json::to_string(value)
            && line != "null"
        {
            put(&self.out, &line);
        }
    }

    /// One line of progress, on stderr.
    pub(super) fn note(&self, text: impl fmt::Display) {
        if !self.quiet {
            put(&self.err, &text);
        }
    }

    /// One line for the curious, on stderr, with `-v`.
    pub(super) fn detail(&self, text: impl fmt::Display) {
        if self.verbose {
            put(&self.err, &text);
        }
    }

    /// Why the command was not done: one line on stderr, JSON with `--json`.
    pub(super) fn failed(&self, failure: &Failure) {
        if self.json {
            let error = serde_json::json!({"error": {
                "what": failure.what,
                "code": failure.code,
                "hint": failure.hint,
                "exit": failure.exit.code(),
            }});
            put(&self.err, &error);
        } else {
            put(&self.err, &format_args!("caseway: {}", OneLine(failure)));
        }
    }
}

/// Writes a line and sends it off. A reader that has gone away is nothing to complain about: there
/// is nobody left to complain to.
fn put(sink: &Mutex<Sink>, text: &dyn fmt::Display) {
    let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = writeln!(sink, "{text}").and_then(|()| sink.flush());
}

/// Text without control characters, on one line.
pub(super) struct OneLine<T>(pub(super) T);

impl<T: fmt::Display> fmt::Display for OneLine<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.to_string().chars().try_for_each(|c| f.write_fmt(format_args!("{}", tame(c))))
    }
}

/// `c`, or a space where it would break a line, or a mark where it would drive a terminal or turn
/// the text around (Unicode bidirectional controls).
fn tame(c: char) -> char {
    match c {
        '\n' | '\r' | '\t' => ' ',
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

/// Bytes as people count them: `0 B`, `1.5 KiB`, `12 MiB`.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let (mut tenths, mut unit) = (count.saturating_mul(10) / 1024, UNITS[0]);
    for larger in UNITS.into_iter().skip(1) {
        if tenths < 10_240 {
            break;
        }
        (tenths, unit) = (tenths / 1024, larger);
    }
    let (whole, part) = (tenths / 10, tenths % 10);
    if whole >= 10 { format!("{whole} {unit}") } else { format!("{whole}.{part} {unit}") }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A sink whose text can be read afterwards.
    #[derive(Clone, Default)]
    pub(in crate::client) struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Paper {
        pub(in crate::client) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn terminal(json: bool, quiet: bool) -> (Terminal, Paper, Paper) {
        let (out, err) = (Paper::default(), Paper::default());
        let common = Common { json, quiet, verbose: 0 };
        (Terminal::new(out.clone(), err.clone()).with(common), out, err)
    }

    #[test]
    fn people_get_text_and_programs_get_values() {
        for (json, expected) in [(false, "seven\n"), (true, "7\n")] {
            let (terminal, out, _) = terminal(json, false);
            terminal.data("seven");
            terminal.value(&7);
            assert_eq!(out.text(), expected);
        }
    }

    #[test]
    fn quiet_keeps_errors_and_drops_progress() {
        let (terminal, _, err) = terminal(false, true);
        terminal.note("working");
        terminal.failed(&Failure::new(crate::client::Exit::Other, "it broke\nhere"));
        assert_eq!(err.text(), "caseway: it broke here\n");
    }

    #[test]
    fn a_title_cannot_drive_the_terminal() {
        assert_eq!(OneLine("a\u{1b}[2Jb\u{202e}c\n").to_string(), "a\u{fffd}[2Jb\u{fffd}c ");
    }

    #[test]
    fn bytes_are_counted_as_people_do() {
        let said: Vec<_> =
            [0, 1023, 1024, 1536, 10_240, 1 << 20, 1 << 30, u64::MAX].map(bytes).into();
        assert_eq!(
            said,
            ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "10 KiB", "1.0 MiB", "1.0 GiB", "1638 PiB"]
        );
    }
}
