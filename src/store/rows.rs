//! From rows to domain types, and pages of them.

use std::{fmt, str::FromStr};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use sqlx::{Row, sqlite::SqliteRow};

use super::StoreError;
use crate::{cases::Switch, clock::Wall};

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

impl Page {
    /// Rows to fetch for a page whose items are all seen: one more tells whether another follows.
    pub(super) fn limit(&self) -> i64 {
        i64::from(self.rows.clamp(1, PAGE_ROWS_MAX)) + 1
    }

    /// The page of rows that were fetched by [`Self::limit`]; `key` is what the next page is after.
    pub(super) fn cut<T>(&self, mut items: Vec<T>, key: impl Fn(&T) -> String) -> Listed<T> {
        let more = items.len() > self.size();
        items.truncate(self.size());
        let next = items.last().filter(|_| more).map(key);
        Listed { items, next }
    }

    /// Items on this page: at least one.
    pub(super) fn size(&self) -> usize {
        usize::try_from(self.rows.clamp(1, PAGE_ROWS_MAX)).unwrap_or(1)
    }
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    pub items: Vec<T>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<String>,
}

/// One row of `table`, read by column.
pub(super) struct Cells<'r> {
    table: &'static str,
    row: &'r SqliteRow,
}

impl<'r> Cells<'r> {
    pub(super) fn of(table: &'static str, row: &'r SqliteRow) -> Self {
        Self { table, row }
    }

    pub(super) fn text(&self, column: &str) -> Result<String, StoreError> {
        Ok(self.row.try_get(column)?)
    }

    pub(super) fn text_or_none(&self, column: &str) -> Result<Option<String>, StoreError> {
        Ok(self.row.try_get(column)?)
    }

    pub(super) fn number(&self, column: &str) -> Result<i64, StoreError> {
        Ok(self.row.try_get(column)?)
    }

    pub(super) fn number_or_none(&self, column: &str) -> Result<Option<i64>, StoreError> {
        Ok(self.row.try_get(column)?)
    }

    /// A number that cannot be negative.
    pub(super) fn count(&self, column: &str) -> Result<u64, StoreError> {
        u64::try_from(self.number(column)?).map_err(|fault| self.unreadable(column, fault))
    }

    pub(super) fn count_or_none(&self, column: &str) -> Result<Option<u64>, StoreError> {
        let number: Option<i64> = self.row.try_get(column)?;
        number
            .map(|number| u64::try_from(number).map_err(|fault| self.unreadable(column, fault)))
            .transpose()
    }

    pub(super) fn flag(&self, column: &str) -> Result<bool, StoreError> {
        Ok(self.number(column)? != 0)
    }

    pub(super) fn wall(&self, column: &str) -> Result<Wall, StoreError> {
        self.number(column).map(Wall)
    }

    pub(super) fn wall_or_none(&self, column: &str) -> Result<Option<Wall>, StoreError> {
        Ok(self.row.try_get::<Option<i64>, _>(column)?.map(Wall))
    }

    /// An id, a digest, a name: what parses from its own text.
    pub(super) fn id<T>(&self, column: &str) -> Result<T, StoreError>
    where
        T: FromStr<Err: fmt::Display>,
    {
        self.text(column)?.parse().map_err(|fault| self.unreadable(column, fault))
    }

    pub(super) fn id_or_none<T>(&self, column: &str) -> Result<Option<T>, StoreError>
    where
        T: FromStr<Err: fmt::Display>,
    {
        let text = self.text_or_none(column)?;
        text.map(|text| text.parse().map_err(|fault| self.unreadable(column, fault))).transpose()
    }

    /// A variant, by the code under which serde knows it.
    pub(super) fn code<T: DeserializeOwned>(&self, column: &str) -> Result<T, StoreError> {
        serde_json::from_value(Value::String(self.text(column)?))
            .map_err(|fault| self.unreadable(column, fault))
    }

    pub(super) fn code_or_none<T: DeserializeOwned>(
        &self,
        column: &str,
    ) -> Result<Option<T>, StoreError> {
        let text = self.text_or_none(column)?;
        text.map(|text| serde_json::from_value(Value::String(text)))
            .transpose()
            .map_err(|fault| self.unreadable(column, fault))
    }

    pub(super) fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, StoreError> {
        serde_json::from_str(&self.text(column)?).map_err(|fault| self.unreadable(column, fault))
    }

    pub(super) fn switch(&self) -> Result<Switch, StoreError> {
        Ok(Switch { on: self.flag("switch_on")?, until: self.wall_or_none("switch_until")? })
    }

    pub(super) fn unreadable(&self, column: &str, fault: impl fmt::Display) -> StoreError {
        StoreError::Unreadable { table: self.table, fault: format!("{column}: {fault}") }
    }
}

/// The code under which serde knows a variant.
pub(super) fn code(variant: &impl Serialize) -> String {
    match serde_json::to_value(variant) {
        Ok(Value::String(code)) => code,
        // Only for what is no plain variant; a row with it cannot be read back.
        Ok(_) | Err(_) => String::new(),
    }
}

/// What the program alone reads, as text in a column.
pub(super) fn json(value: &impl Serialize) -> String {
    // Fails only for maps whose keys are no text; a row with it cannot be read back.
    serde_json::to_string(value).unwrap_or_default()
}

/// A byte count, as a column holds it.
pub(super) fn kept(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
