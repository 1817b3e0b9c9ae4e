//! From rows to domain types, and pages of them.

/// Items on one page at most.
pub const PAGE_ROWS_MAX: u32 = 200;

/// Which part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// [`Listed::next`] of the page before.
    pub after: Option<String>,
    /// Items wanted; at most [`PAGE_ROWS_MAX`].
    pub rows: u32,
}

impl Default for Page {
    fn default() -> Self {
        Self { after: None, rows: 50 }
    }
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    pub items: Vec<T>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<String>,
}
