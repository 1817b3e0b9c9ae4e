//! Tables: columns as wide as their widest cell, two spaces between, nothing drawn.

use std::fmt;

use super::OneLine;

/// A cell longer than this is cut, in characters; the last of a row never is.
const CELL_CHARS_MAX: usize = 60;

/// Rows under one heading.
#[derive(Debug)]
pub(in crate::client) struct Table {
    heading: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    /// Said in place of a table without rows.
    empty: &'static str,
}

impl Table {
    pub(in crate::client) fn new(
        heading: impl Into<Vec<&'static str>>,
        empty: &'static str,
    ) -> Self {
        Self { heading: heading.into(), rows: Vec::new(), empty }
    }

    pub(in crate::client) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let mut row: Vec<String> = cells.into_iter().map(|cell| tamed(&cell)).collect();
        let last = row.len().saturating_sub(1);
        row.iter_mut().take(last).for_each(shorten);
        self.rows.push(row);
    }

    fn widths(&self) -> Vec<usize> {
        let width = |at: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(at));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        self.heading.iter().enumerate().map(|(at, head)| head.len().max(width(at))).collect()
    }
}

fn tamed(cell: &str) -> String {
    if cell.is_empty() { "-".to_owned() } else { OneLine(cell).to_string() }
}

fn shorten(cell: &mut String) {
    if cell.chars().count() > CELL_CHARS_MAX {
        let kept: String = cell.chars().take(CELL_CHARS_MAX - 1).collect();
        *cell = format!("{}…", kept.trim_end());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rows.is_empty() {
            return f.write_str(self.empty);
        }
        let widths = self.widths();
        let mut below = self.heading.iter().any(|head| !head.is_empty());
        if below {
            line(f, &widths, self.heading.iter().copied())?;
        }
        for row in &self.rows {
            if below {
                writeln!(f)?;
            }
            line(f, &widths, row.iter().map(String::as_str))?;
            below = true;
        }
        Ok(())
    }
}

fn line<'a>(
    f: &mut fmt::Formatter<'_>,
    widths: &[usize],
    cells: impl Iterator<Item = &'a str>,
) -> fmt::Result {
    let mut text = String::new();
    for (cell, width) in cells.zip(widths) {
        text.push_str(&format!("{cell:width$}  "));
    }
    f.write_str(text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_their_headings() {
        let mut table = Table::new(["CASE", "TITLE", "SWITCH"], "no cases");
        table.row(["CASE-7".into(), "Spindle överheats".into(), "on".into()]);
        table.row(["CASE-12".into(), String::new(), "off".into()]);
        insta::assert_snapshot!(table, @r"
        CASE     TITLE              SWITCH
        CASE-7   Spindle överheats  on
        CASE-12  -                  off
        ");
    }

    #[test]
    fn columns_that_need_no_heading_have_none() {
        let mut table = Table::new(["", ""], "");
        table.row(["asset".into(), "press-7".into()]);
        table.row(["serial".into(), String::new()]);
        insta::assert_snapshot!(table, @r"
        asset   press-7
        serial  -
        ");
    }

    #[test]
    fn an_empty_table_says_so() {
        assert_eq!(Table::new(["CASE"], "no cases").to_string(), "no cases");
    }

    #[test]
    fn a_long_cell_is_cut_where_it_can_be_seen_unless_it_is_the_last() {
        let mut table = Table::new(["TITLE", "TARGETS"], "");
        table.row(["x".repeat(100), "y".repeat(100)]);
        let text = table.to_string();
        assert!(text.ends_with(&format!("x…  {}", "y".repeat(100))), "{text}");
    }
}
