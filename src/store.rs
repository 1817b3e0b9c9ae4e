//! Rows on disk: returns domain types; row, revision and record in one transaction.
