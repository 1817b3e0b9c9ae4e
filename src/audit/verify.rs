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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::audit::{Actor, Entry, Event};

    fn chain(records: i64) -> (Vec<Row>, Head) {
        let mut head = Head::START;
        let rows = (1..=records).map(|seq| {
            let mut entry = Entry::new(Wall(seq * 1000), Actor::Nobody, Event::LoginFailed);
            // Every third is like the one before it but for its number and time.
            entry.object = Some(format!("person/p{}", seq / 3));
            entry.reason = (seq % 2 == 0).then(|| "unknown".to_owned());
            let row = Row::chain(&entry, seq, head.hash);
            head = Head { seq, hash: row.digest() };
            row
        });
        (rows.collect(), head)
    }

    fn fault(rows: Vec<Row>, head: Head) -> String {
        verify(rows, head).unwrap_err().to_string()
    }

    #[test]
    fn an_untouched_chain_holds_and_is_summed_up() {
        let (rows, head) = chain(24);
        let summary = verify(rows, head).unwrap();
        assert_eq!(summary.records, 24);
        assert_eq!(summary.span, Some((Wall(1000), Wall(24_000))));
        assert_eq!(summary.head, head);
        assert_eq!(verify([], Head::START).unwrap().to_string(), "0 records");
    }

    #[test]
    fn a_changed_record_is_named() {
        let (mut rows, head) = chain(24);
        rows[16].reason = Some("nothing to see".into());
        assert_eq!(fault(rows, head), "record 17 was changed");
    }

    #[test]
    fn a_record_that_was_changed_and_hashed_again_is_named() {
        let (mut rows, head) = chain(24);
        rows[16].reason = Some("nothing to see".into());
        rows[16].hash = rows[16].digest().to_string();
        assert_eq!(fault(rows, head), "record 17 was changed");
    }

    #[test]
    fn the_last_record_hashed_again_is_not_the_one_that_the_head_knows() {
        let (mut rows, head) = chain(24);
        rows[23].reason = None;
        rows[23].hash = rows[23].digest().to_string();
        assert!(fault(rows, head).starts_with("record 24 is not the one that was written last"));
    }

    #[test]
    fn missing_records_are_named_in_the_middle_and_at_the_end() {
        let (mut rows, head) = chain(24);
        rows.drain(17..20);
        assert_eq!(fault(rows.clone(), head), "records 18 to 20 are missing");
        let (mut rows, head) = chain(24);
        rows.truncate(21);
        assert_eq!(fault(rows, head), "records 22 to 24 are missing");
        assert_eq!(fault(Vec::new(), head), "records 1 to 24 are missing");
    }

    #[test]
    fn swapped_records_are_named_whether_their_rows_or_their_numbers_were_swapped() {
        let (mut rows, head) = chain(24);
        rows.swap(19, 20);
        assert_eq!(fault(rows, head), "record 21 stands before record 20");
        let (mut rows, head) = chain(24);
        rows.swap(19, 20);
        (rows[19].seq, rows[20].seq) = (20, 21);
        assert_eq!(fault(rows, head), "record 21 stands before record 20");
    }

    #[test]
    fn a_record_that_was_added_or_doubled_is_named() {
        let (mut rows, head) = chain(24);
        let entry = Entry::new(Wall(1), Actor::Nobody, Event::LoggedIn);
        rows.push(Row::chain(&entry, 25, head.hash));
        assert_eq!(
            fault(rows, head),
            "record 25 was added: it is newer than the newest that was written"
        );
        let (mut rows, head) = chain(24);
        rows.insert(5, rows[4].clone());
        assert_eq!(fault(rows, head), "record 5 stands there twice");
    }

    /// One field of a row, made other.
    fn change(row: &mut Row, field: usize) {
        let more = |text: &mut String| text.push('x');
        let turn = |text: &mut Option<String>| match text {
            None => *text = Some(String::new()),
            Some(_) => *text = None,
        };
        match field {
            0 => row.at += 1,
            1 => row.done ^= 1,
            2 => more(&mut row.actor),
            3 => more(&mut row.actor_name),
            4 => turn(&mut row.tenant),
            5 => turn(&mut row.role),
            6 => more(&mut row.event),
            7 => turn(&mut row.object),
            8 => turn(&mut row.case),
            9 => turn(&mut row.asset),
            10 => turn(&mut row.reason),
            11 => turn(&mut row.old),
            12 => turn(&mut row.new),
            13 => turn(&mut row.source_ip),
            14 => turn(&mut row.session),
            15 => more(&mut row.previous),
            16 => more(&mut row.hash),
            _ => row.seq += 1,
        }
    }

    const FIELDS: usize = 18;

    proptest! {
        #[test]
        fn any_single_change_is_found(records in 1..30_i64, at in any::<prop::sample::Index>(),
                                      field in 0..FIELDS, hashed_again: bool) {
            let (mut rows, head) = chain(records);
            let at = at.index(rows.len());
            change(&mut rows[at], field);
            if hashed_again && field != 16 {
                rows[at].hash = rows[at].digest().to_string();
            }
            prop_assert!(verify(rows, head).is_err());
        }

        #[test]
        fn any_removal_is_found_and_named(records in 1..30_i64, first in 0..29_usize, count in 1..5_usize) {
            let (mut rows, head) = chain(records);
            let first = first.min(rows.len() - 1);
            let last = (first + count).min(rows.len());
            rows.drain(first..last);
            let (first, last) = (i64::try_from(first).unwrap() + 1, i64::try_from(last).unwrap());
            prop_assert_eq!(verify(rows, head), Err(Fault::Missing { first, last }));
        }

        #[test]
        fn any_swap_is_found(records in 2..30_i64, one in any::<prop::sample::Index>(),
                             other in any::<prop::sample::Index>(), numbers_too: bool) {
            let (mut rows, head) = chain(records);
            let (one, other) = (one.index(rows.len()), other.index(rows.len()));
            prop_assume!(one != other);
            rows.swap(one, other);
            if numbers_too {
                let numbers = (rows[one].seq, rows[other].seq);
                (rows[other].seq, rows[one].seq) = numbers;
            }
            let seq = i64::try_from(one.max(other)).unwrap() + 1;
            let first = i64::try_from(one.min(other)).unwrap() + 1;
            let found = verify(rows, head);
            // The last one stands too early, before all that should come before it.
            let named = matches!(found, Err(Fault::OutOfOrder { seq: named, before })
                if named == seq && (first..seq).contains(&before));
            prop_assert!(named, "{:?}", found);
        }

        #[test]
        fn text_moved_from_one_field_to_the_next_is_found(cut in 0..5_usize) {
            let mut entry = Entry::new(Wall(0), Actor::Nobody, Event::LoggedIn);
            entry.old = Some("hello".into());
            entry.new = Some(String::new());
            let mut row = Row::chain(&entry, 1, Hash::NONE);
            let head = Head { seq: 1, hash: row.digest() };
            let (old, new) = "hello".split_at(cut);
            (row.old, row.new) = (Some(old.into()), Some(new.into()));
            prop_assert_eq!(verify([row], head), Err(Fault::Changed(1)));
        }
    }
}
