//! All numbers of a run, by way and figure, one a round; medians, spreads, and ratios within a round.

use std::{collections::BTreeMap, fmt};

use crate::{figure::Figure, table::digits};

/// A median with the least and the greatest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Spread {
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        values.sort_unstable_by(f64::total_cmp);
        let middle = values.len() / 2;
        let upper = *values.get(middle)?;
        let lower =
            *values.get(if values.len().is_multiple_of(2) { middle - 1 } else { middle })?;
        Some(Self {
            median: f64::midpoint(lower, upper),
            low: *values.first()?,
            high: *values.last()?,
        })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { median, low, high } = *self;
        if low.to_bits() == high.to_bits() {
            return f.write_str(&digits(median));
        }
        write!(f, "{} ({}..{})", digits(median), digits(low), digits(high))
    }
}

#[derive(Debug, Default)]
pub(crate) struct Sheet {
    cells: BTreeMap<(&'static str, Figure), BTreeMap<usize, f64>>,
    /// What could not be measured, and why.
    pub(crate) faults: Vec<String>,
}

impl Sheet {
    pub(crate) fn put(&mut self, way: &'static str, figure: Figure, round: usize, value: f64) {
        self.cells.entry((way, figure)).or_default().insert(round, value);
    }

    pub(crate) fn spread(&self, way: &'static str, figure: Figure) -> Option<Spread> {
        Spread::of(self.cells.get(&(way, figure))?.values().copied())
    }

    /// `of` in units of `by`, each within its round.
    pub(crate) fn ratio(
        &self,
        figure: Figure,
        of: &'static str,
        by: &'static str,
    ) -> Option<Spread> {
        self.share((of, figure), (by, figure))
    }

    /// One figure of a way in units of another, each within its round.
    pub(crate) fn share(
        &self,
        of: (&'static str, Figure),
        by: (&'static str, Figure),
    ) -> Option<Spread> {
        let (of, by) = (self.cells.get(&of)?, self.cells.get(&by)?);
        let both = of.iter().filter_map(|(round, of)| Some((of, by.get(round)?)));
        Spread::of(both.map(|(of, by)| of / by))
    }
}
