//! Tables that people import: CSV text to rows, with every fault by line and column.
//!
//! ```text
//!   bytes -- encoding --> text -- quotes --> -- header --> separator, columns -- each line --> Row
//!               |                    |           |                               |
//!               +--------------------+-----------+---- Fault { line, column, expected }
//! ```
//!
//! What a spreadsheet writes is understood as it is: a byte order mark, CRLF, semicolons or tabs
//! between cells, quoted cells with line breaks in them. What it writes in another encoding than
//! UTF-8 is refused, not guessed at: a wrong letter in a name is found too late.
//!
//! What always holds: a table is read whole before anything of it counts; lines are numbered as an
//! editor shows them; nothing here knows a database.

mod assets;
mod table;
mod users;

pub use assets::{AssetLine, assets};
pub use table::{COLUMN_WHOLE, FAULTS_MAX, Fault, LINES_MAX};
pub use users::{UserLine, users};

/// What a table holds, and what is wrong with it. The rows are those without a fault.
#[derive(Debug, PartialEq, Eq)]
pub struct Table<T> {
    pub rows: Vec<T>,
    pub faults: Vec<Fault>,
}
