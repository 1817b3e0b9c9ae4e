//! Walking the chain: the first place where it does not hold, by name.

use std::fmt;

use super::{Hash, Row};
use crate::clock::Wall;

/// How many numbers are tried to find out where a misplaced record belongs; past that it is only
/// called changed.
const PLACES_TRIED_MAX: i64 = 1_000_000;

/// The newest record's number and hash, kept apart from the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub seq: i64,
    pub hash: Hash,
}

impl Head {
    /// Before the first record.
    pub const START: Self = Self { seq: 0, hash: Hash::NONE };
}

/// An unbroken chain, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    pub records: u64,
    /// When the first and the last record were written; `None` where there are none.
    pub span: Option<(Wall, Wall)>,
    pub head: Head,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.span {
            None => write!(f, "0 records"),
            Some((first, last)) => write!(
                f,
                "{} records, {first} to {last}, unbroken; the last one's hash is {}",
                self.records, self.head.hash
            ),
        }
    }
}

/// The first place where the records are not what was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("record {0} was changed")]
    Changed(i64),
    #[error("{}", missing(*.first, *.last))]
    Missing { first: i64, last: i64 },
    #[error("record {seq} stands before record {before}")]
    OutOfOrder { seq: i64, before: i64 },
    #[error("record {0} stands there twice")]
    Twice(i64),
    #[error("record {0} was added: it is newer than the newest that was written")]
    Added(i64),
    #[error("record {0} is not the one that was written last: the kept hash is another")]
    Replaced(i64),
}

fn missing(first: i64, last: i64) -> String {
    if first == last {
        format!("record {first} is missing")
    } else {
        format!("records {first} to {last} are missing")
    }
}

/// Walks `rows`, in the order in which they are kept, up to `head`.
///
/// # Errors
///
/// The first [`Fault`].
pub fn verify(rows: impl IntoIterator<Item = Row>, head: Head) -> Result<Summary, Fault> {
    let mut verifier = Verifier::new(head);
    for row in rows {
        verifier.take(&row);
    }
    verifier.finish()
}

/// [`verify`], one row at a time, for rows that are streamed. Holds one hash, not the rows.
#[derive(Debug)]
pub struct Verifier {
    head: Head,
    /// The last row that held.
    last: Head,
    records: u64,
    span: Option<(Wall, Wall)>,
    fault: Option<Fault>,
}

impl Verifier {
    /// A walk that has to end at `head`.
    #[must_use]
    pub fn new(head: Head) -> Self {
        Self { head, last: Head::START, records: 0, span: None, fault: None }
    }

    /// The next row.
    pub fn take(&mut self, row: &Row) {
        match &mut self.fault {
            // A gap may be a row that comes later.
            Some(Fault::Missing { first, last }) if (*first..=*last).contains(&row.seq) => {
                let (seq, before) = (last.saturating_add(1), row.seq);
                self.fault = Some(Fault::OutOfOrder { seq, before });
            }
            Some(_) => {}
            None => match self.fault_of(row) {
                None => self.held(row),
                fault @ Some(_) => self.fault = fault,
            },
        }
    }

    /// What the walk has found.
    ///
    /// # Errors
    ///
    /// The first [`Fault`]; the rows that `head` knows and that never came are missing.
    pub fn finish(self) -> Result<Summary, Fault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if self.last.seq < self.head.seq {
            return Err(Fault::Missing {
                first: self.last.seq.saturating_add(1),
                last: self.head.seq,
            });
        }
        if self.last.hash != self.head.hash {
            return Err(Fault::Replaced(self.last.seq));
        }
        Ok(Summary { records: self.records, span: self.span, head: self.last })
    }

    fn fault_of(&self, row: &Row) -> Option<Fault> {
        let expected = self.last.seq.saturating_add(1);
        if row.seq == self.last.seq {
            return Some(Fault::Twice(row.seq));
        }
        if row.seq < expected {
            return Some(Fault::OutOfOrder { seq: self.last.seq, before: row.seq });
        }
        if row.seq > self.head.seq {
            return Some(self.beyond(row, expected));
        }
        if row.seq > expected {
            return Some(Fault::Missing { first: expected, last: row.seq.saturating_sub(1) });
        }
        if row.digest().to_string() != row.hash {
            return Some(self.misplaced(row));
        }
        if row.previous != self.last.hash.to_string() {
            // The row is whole, so what it followed was another: the one before was rewritten.
            return Some(Fault::Changed(self.last.seq.max(1)));
        }
        None
    }

    /// A number that was never written: a new row, or a written one under a false number.
    fn beyond(&self, row: &Row, expected: i64) -> Fault {
        let own = row.digest().to_string() == row.hash;
        match self.place_of(row) {
            Some(seq) if !own => Fault::Changed(seq),
            _ if expected <= self.head.seq => {
                Fault::Missing { first: expected, last: self.head.seq }
            }
            _ => Fault::Added(row.seq),
        }
    }

    /// A row whose hash is another's than its number says.
    fn misplaced(&self, row: &Row) -> Fault {
        match self.place_of(row) {
            Some(seq) if seq > row.seq => Fault::OutOfOrder { seq, before: row.seq },
            _ => Fault::Changed(row.seq),
        }
    }

    /// The number under which the row's hash would be right.
    fn place_of(&self, row: &Row) -> Option<i64> {
        let last = self.head.seq.min(PLACES_TRIED_MAX);
        (1..=last).find(|seq| row.digest_as(*seq).to_string() == row.hash)
    }

    fn held(&mut self, row: &Row) {
        self.last = Head { seq: row.seq, hash: row.digest() };
        self.records = self.records.saturating_add(1);
        let at = Wall(row.at);
        self.span = Some((self.span.map_or(at, |(first, _)| first), at));
    }
}
