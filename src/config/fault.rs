//! What is wrong with a file, all of it.

use std::fmt;

/// How much of a faulty value is repeated, in characters.
pub const SHOWN_CHARS_MAX: usize = 60;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file, or `environment`.
    pub source: String,
    /// The dotted key; empty where the file as a whole is meant.
    pub key: String,
    /// What is wrong and what was expected.
    pub what: String,
}

/// Everything that is wrong; one line each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Fault {
    /// A fault of `key` in `source`.
    #[must_use]
    pub fn new(source: &str, key: &str, what: impl Into<String>) -> Self {
        Self { source: source.to_owned(), key: key.to_owned(), what: what.into() }
    }
}

impl Faults {
    /// The only fault there is.
    #[must_use]
    pub fn one(fault: Fault) -> Self {
        Self(vec![fault])
    }

    /// Adds one.
    pub fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// Adds all of another file's.
    pub fn absorb(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each, in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            write!(f, "{}: {}", self.source, self.what)
        } else {
            write!(f, "{}: {}: {}", self.source, self.key, self.what)
        }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// `text` in backticks, on one line, cut at [`SHOWN_CHARS_MAX`].
pub(super) fn shown(text: &str) -> String {
    let line: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN_CHARS_MAX).collect();
    let more = if text.chars().count() > SHOWN_CHARS_MAX { "..." } else { "" };
    format!("`{line}{more}`")
}
