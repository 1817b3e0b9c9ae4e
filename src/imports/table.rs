//! The table under every import: encoding, separator, header, cells.

use std::collections::BTreeMap;

use csv::{ReaderBuilder, StringRecord};
use serde::Serialize;

/// Lines of a table at most, its header not counted.
pub const LINES_MAX: usize = 5_000;
/// Faults that are told; who has more has one cause for most of them.
pub const FAULTS_MAX: usize = 500;
/// The longest cell, in bytes.
const CELL_BYTES_MAX: usize = 1_024;
/// The column of a fault that is the whole line's.
pub const COLUMN_WHOLE: &str = "";
/// What separates cells, in the order in which it wins where a header holds equally many.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// As an editor numbers them, from 1.
    pub line: u64,
    /// The column's name; empty: the whole line.
    pub column: String,
    /// What is there instead, and what was expected.
    pub fault: String,
}

impl Fault {
    pub fn new(line: u64, column: &str, fault: impl Into<String>) -> Self {
        Self { line, column: column.to_owned(), fault: fault.into() }
    }
}

/// A column of a table: its name, and whether each table must have it.
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) required: bool,
}

/// One line of a table, its cells trimmed. A column that the table lacks is empty.
pub(super) struct Line {
    pub(super) number: u64,
    cells: BTreeMap<&'static str, String>,
}

impl Line {
    pub(super) fn cell(&self, column: &'static str) -> &str {
        self.cells.get(column).map_or("", String::as_str)
    }

    pub(super) fn fault(&self, column: &str, fault: impl Into<String>) -> Fault {
        Fault::new(self.number, column, fault)
    }
}

/// The lines of the table in `bytes`, and what is wrong with it as a table.
pub(super) fn lines(bytes: &[u8], columns: &[Column]) -> (Vec<Line>, Vec<Fault>) {
    let text = match text(bytes) {
        Ok(text) => text,
        Err(fault) => return (Vec::new(), vec![fault]),
    };
    if let Some(line) = open_quote(text) {
        let fault = "a quotation mark opens a cell here, and none closes it";
        return (Vec::new(), vec![Fault::new(line, COLUMN_WHOLE, fault)]);
    }
    let Some(first) = text.lines().next().filter(|line| !line.trim().is_empty()) else {
        let fault = format!("expected a first line that names the columns: {}", names(columns));
        return (Vec::new(), vec![Fault::new(1, COLUMN_WHOLE, fault)]);
    };
    let mut reader = ReaderBuilder::new()
        .delimiter(separator(first))
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut records = reader.records();
    let header = match records.next() {
        Some(Ok(header)) => header,
        Some(Err(_)) | None => StringRecord::new(),
    };
    let places = match places(&header, columns) {
        Ok(places) => places,
        Err(faults) => return (Vec::new(), faults),
    };
    let (mut lines, mut faults) = (Vec::new(), Vec::new());
    let mut numbers = Numbers { text, at: 0, line: 1 };
    for record in records.filter_map(Result::ok) {
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        let number = numbers.of(&record);
        if lines.len() >= LINES_MAX {
            let fault = format!("a table has {LINES_MAX} lines at most; import it in parts");
            faults.push(Fault::new(number, COLUMN_WHOLE, fault));
            break;
        }
        match line(number, &record, header.len(), &places) {
            Ok(line) => lines.push(line),
            Err(fault) => faults.push(fault),
        }
    }
    (lines, faults)
}

/// Counts lines as an editor does; the reader counts a record to the line on which it began to look
/// for one.
struct Numbers<'a> {
    text: &'a str,
    /// What has been counted.
    at: usize,
    line: u64,
}

impl Numbers<'_> {
    /// The line of a record that comes after those asked for before.
    fn of(&mut self, record: &StringRecord) -> u64 {
        let begun = record.position().and_then(|at| usize::try_from(at.byte()).ok()).unwrap_or(0);
        let rest = self.text.as_bytes().get(begun..).unwrap_or_default();
        let first = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let passed = self.text.as_bytes().get(self.at..begun + first).unwrap_or_default();
        let breaks = passed.iter().filter(|byte| **byte == b'\n').count();
        self.line += u64::try_from(breaks).unwrap_or(0);
        self.at = begun + first;
        self.line
    }
}

fn line(
    number: u64,
    record: &StringRecord,
    width: usize,
    places: &[(usize, &'static str)],
) -> Result<Line, Fault> {
    if record.len() != width {
        let fault = format!("{} cells; expected {width}, as in the first line", record.len());
        return Err(Fault::new(number, COLUMN_WHOLE, fault));
    }
    let mut cells = BTreeMap::new();
    for (at, name) in places {
        let cell = record.get(*at).unwrap_or_default().trim();
        if cell.len() > CELL_BYTES_MAX {
            return Err(Fault::new(number, name, format!("longer than {CELL_BYTES_MAX} bytes")));
        }
        if let Some(odd) = cell.chars().find(|c| c.is_control()) {
            let fault = format!("holds a control character (U+{:04X})", u32::from(odd));
            return Err(Fault::new(number, name, fault));
        }
        cells.insert(*name, cell.to_owned());
    }
    Ok(Line { number, cells })
}

/// The text in `bytes`, without a byte order mark.
fn text(bytes: &[u8]) -> Result<&str, Fault> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        let fault = "this is UTF-16; expected UTF-8: save it as \"CSV UTF-8\"";
        return Err(Fault::new(1, COLUMN_WHOLE, fault));
    }
    if bytes.starts_with(b"PK\x03\x04") {
        let fault = "this is a spreadsheet's own file; expected CSV: export it as \"CSV UTF-8\"";
        return Err(Fault::new(1, COLUMN_WHOLE, fault));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|fault| {
        let at = fault.valid_up_to();
        let before = bytes.get(..at).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let byte = bytes.get(at).copied().unwrap_or_default();
        let fault = format!("the byte 0x{byte:02X} is no UTF-8; save the table as \"CSV UTF-8\"");
        Fault::new(u64::try_from(line).unwrap_or(0), COLUMN_WHOLE, fault)
    })
}

/// The line on which a quoted cell opens that nothing closes. The reader itself would take the rest
/// of the table for one cell.
fn open_quote(text: &str) -> Option<u64> {
    let (mut line, mut opened, mut at_start) = (1, None, true);
    for byte in text.bytes() {
        match (byte, opened) {
            (b'"', Some(_)) => opened = None,
            // A doubled one opens again what it seemed to close.
            (b'"', None) if at_start => opened = Some(line),
            (_, _) => {}
        }
        at_start = byte == b'"' || byte == b'\n' || SEPARATORS.contains(&byte);
        line += u64::from(byte == b'\n');
    }
    opened
}

fn separator(first: &str) -> u8 {
    let count = |separator: u8| first.bytes().filter(|byte| *byte == separator).count();
    SEPARATORS.into_iter().rev().max_by_key(|separator| count(*separator)).unwrap_or(b',')
}

/// Where each known column stands in the header.
fn places(
    header: &StringRecord,
    columns: &[Column],
) -> Result<Vec<(usize, &'static str)>, Vec<Fault>> {
    let (mut places, mut faults): (Vec<(usize, &'static str)>, Vec<Fault>) = Default::default();
    for (at, found) in header.iter().enumerate() {
        let found = found.trim().to_lowercase();
        match columns.iter().find(|column| column.name == found) {
            Some(column) if places.iter().any(|(_, name)| *name == column.name) => {
                faults.push(Fault::new(1, column.name, "named twice"));
            }
            Some(column) => places.push((at, column.name)),
            None => {
                let shown: String = found.chars().take(40).collect();
                let fault = format!("no such column; expected {}", names(columns));
                faults.push(Fault::new(1, &shown, fault));
            }
        }
    }
    for column in columns.iter().filter(|column| column.required) {
        if !places.iter().any(|(_, name)| *name == column.name) {
            faults.push(Fault::new(1, column.name, "missing"));
        }
    }
    if faults.is_empty() { Ok(places) } else { Err(faults) }
}

fn names(columns: &[Column]) -> String {
    columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] =
        &[Column { name: "key", required: true }, Column { name: "name", required: false }];

    fn read(bytes: impl AsRef<[u8]>) -> String {
        let (lines, faults) = lines(bytes.as_ref(), COLUMNS);
        let lines = lines
            .iter()
            .map(|line| format!("{}: {}|{}", line.number, line.cell("key"), line.cell("name")));
        let faults =
            faults.iter().map(|fault| format!("{}:{}: {}", fault.line, fault.column, fault.fault));
        lines.chain(faults).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_spreadsheets_write_is_understood() {
        let plain = "2: a|Ann\n3: b|Bob";
        assert_eq!(read("key,name\na,Ann\nb,Bob\n"), plain);
        assert_eq!(read("key;name\r\na;Ann\r\nb;Bob\r\n"), plain);
        assert_eq!(read("\u{feff}key\tname\na\tAnn\nb\tBob"), plain);
        assert_eq!(read("Name, KEY\n Ann ,a\nBob,b\n"), plain);
        assert_eq!(
            read("key;name\na;\"Ann; Anna\"\n\n;\nb;Bob, Bobby"),
            "2: a|Ann; Anna\n5: b|Bob, Bobby"
        );
        assert_eq!(read("key,name\na,\"say \"\"hi\"\"\"\n"), "2: a|say \"hi\"");
        assert_eq!(read("key\na"), "2: a|");
    }

    #[test]
    fn what_is_no_table_is_told_with_its_line() {
        insta::assert_snapshot!(
            [
                read(""),
                read("key,name\na,J\u{f6}rg\n".chars().map(|c| c as u8).collect::<Vec<u8>>()),
                read([0xff, 0xfe, b'k', 0]),
                read("PK\x03\x04rest"),
                read("key,name\na,\"Ann\nb,Bob\n"),
                read("key,name\na\nb,Bob,x\n"),
                read("name,colour,name\n"),
                read("key,name\na,A\u{7}nn\n"),
                read(format!("key,name\na,{}\n", "x".repeat(CELL_BYTES_MAX + 1))),
            ]
            .join("\n")
        );
    }

    #[test]
    fn a_table_has_its_limit_of_lines() {
        let table = |lines| format!("key\n{}", "a\n".repeat(lines));
        assert_eq!(lines(table(LINES_MAX).as_bytes(), COLUMNS).1, []);
        let faults = lines(table(LINES_MAX + 1).as_bytes(), COLUMNS).1;
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].line, 5_002);
    }
}
