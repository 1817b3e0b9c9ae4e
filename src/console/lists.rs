//! Lists, and pages of them.

use axum::Json;
use serde::{Deserialize, Serialize};

use crate::store::Page;

/// A list as it is answered.
#[derive(Debug, Serialize)]
pub(super) struct Items<T> {
    pub(super) items: Vec<T>,
    /// What to give as `cursor` (`after` for records) to see more; null on the last page.
    pub(super) next: Option<String>,
}

impl<T> Items<T> {
    /// The whole list.
    pub(super) fn all<F>(items: Vec<F>) -> Json<Self>
    where
        T: From<F>,
    {
        Json(Self { items: items.into_iter().map(T::from).collect(), next: None })
    }
}

/// For lists without a filter.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cursor {
    pub(super) cursor: Option<String>,
}

/// The page that begins at `cursor`.
pub(super) fn page(cursor: Option<String>) -> Page {
    Page { after: cursor.filter(|cursor| !cursor.is_empty()), ..Page::default() }
}
