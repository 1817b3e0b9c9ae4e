//! Assets: `serial`, `name`, `facility`, `id`.

use std::collections::BTreeMap;

use super::{
    Table,
    table::{self, Column, Fault, Line},
};
use crate::ids::{AssetId, FacilityId, InvalidId};

const COLUMNS: &[Column] = &[
    Column { name: "serial", required: true },
    Column { name: "name", required: true },
    Column { name: "facility", required: false },
    Column { name: "id", required: false },
];
/// A name or a serial number at most, in bytes.
const TEXT_BYTES_MAX: usize = 200;

/// An asset that a table names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetLine {
    pub line: u64,
    pub serial: String,
    pub name: String,
    /// `None` where the table has no such column: it stays as it is.
    pub facility: Option<FacilityId>,
    /// For a new one; chosen by the gateway where none is given.
    pub id: Option<AssetId>,
}

/// The assets in `bytes`.
#[must_use]
pub fn assets(bytes: &[u8]) -> Table<AssetLine> {
    let (lines, mut faults) = table::lines(bytes, COLUMNS);
    let mut seen = BTreeMap::new();
    let mut rows = Vec::new();
    for line in &lines {
        let wrong = faults.len();
        let row = asset(line, &mut faults);
        if let Some(before) = seen.insert(row.serial.clone(), line.number) {
            let fault = format!("{} stands on line {before} already", row.serial);
            faults.push(line.fault("serial", fault));
        }
        if faults.len() == wrong {
            rows.push(row);
        }
    }
    faults.sort_by_key(|fault| fault.line);
    Table { rows, faults }
}

fn asset(line: &Line, faults: &mut Vec<Fault>) -> AssetLine {
    for column in ["serial", "name"] {
        if !(1..=TEXT_BYTES_MAX).contains(&line.cell(column).len()) {
            faults.push(line.fault(column, "expected a text of 1 to 200 bytes"));
        }
    }
    let (facility, id) = (optional(line, "facility", faults), optional(line, "id", faults));
    AssetLine {
        line: line.number,
        serial: line.cell("serial").to_owned(),
        name: line.cell("name").to_owned(),
        facility,
        id,
    }
}

fn optional<T>(line: &Line, column: &'static str, faults: &mut Vec<Fault>) -> Option<T>
where
    T: std::str::FromStr<Err = InvalidId>,
{
    let cell = line.cell(column);
    if cell.is_empty() {
        return None;
    }
    cell.parse().map_err(|fault: InvalidId| faults.push(line.fault(column, fault.to_string()))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assets_are_known_by_their_serial_number() {
        let table = assets(b"Serial;Name;Facility\nSN-1;Press 7;hall-1\nSN-2;Mixer;\n");
        assert_eq!(table.faults, []);
        assert_eq!(table.rows[0].facility, Some("hall-1".parse().unwrap()));
        assert_eq!(table.rows[1].facility, None);
        let table = assets(b"serial,name,id\n,Press,ok\nSN-1,,a b\nSN-1,Twice,\n");
        let shown: Vec<String> = table
            .faults
            .iter()
            .map(|fault| format!("{}:{}: {}", fault.line, fault.column, fault.fault))
            .collect();
        insta::assert_snapshot!(shown.join("\n"));
    }
}
