//! People: `email`, `name`, `roles`.
//!
//! `roles` holds any number, with spaces or `|` between: a role as the API spells it, and behind an
//! `@` what it covers where that is not everything: `workshop_manager@hall-1+hall-2`.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Table,
    table::{self, Column, Fault, Line},
};
use crate::tenancy::{Role, Scope, Side};

const COLUMNS: &[Column] = &[
    Column { name: "email", required: true },
    Column { name: "name", required: true },
    Column { name: "roles", required: false },
];

/// A person that a table names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserLine {
    pub line: u64,
    /// In lower case.
    pub email: String,
    pub name: String,
    pub roles: Vec<(Role, Scope)>,
}

/// The people in `bytes`.
#[must_use]
pub fn users(bytes: &[u8]) -> Table<UserLine> {
    let (lines, mut faults) = table::lines(bytes, COLUMNS);
    let mut seen = BTreeMap::new();
    let mut rows = Vec::new();
    for line in &lines {
        let wrong = faults.len();
        let row = user(line, &mut faults);
        if let Some(before) = seen.get(&row.email) {
            let fault = format!("{} stands on line {before} already", row.email);
            faults.push(line.fault("email", fault));
        } else if !row.email.is_empty() {
            seen.insert(row.email.clone(), line.number);
        }
        if faults.len() == wrong {
            rows.push(row);
        }
    }
    faults.sort_by_key(|fault| fault.line);
    Table { rows, faults }
}

fn user(line: &Line, faults: &mut Vec<Fault>) -> UserLine {
    let email = line.cell("email").to_lowercase();
    if !is_address(&email) {
        let fault =
            format!("`{email}` is no e-mail address; expected one such as ann@firm.example");
        faults.push(line.fault("email", fault));
    }
    let name = line.cell("name").to_owned();
    if name.is_empty() || name.len() > 200 {
        faults.push(line.fault("name", "expected a name of 1 to 200 bytes"));
    }
    let mut roles = Vec::new();
    let words = line.cell("roles").split(|c: char| c.is_whitespace() || c == '|');
    for word in words.filter(|word| !word.is_empty()) {
        match role(word) {
            Ok(given) if roles.contains(&given) => {}
            Ok(given) => roles.push(given),
            Err(fault) => faults.push(line.fault("roles", fault)),
        }
    }
    UserLine { line: line.number, email, name, roles }
}

fn is_address(text: &str) -> bool {
    let good = |c: char| !c.is_whitespace() && !c.is_control() && c != ',' && c != ';';
    text.len() <= 254
        && text.chars().all(good)
        && text
            .split_once('@')
            .is_some_and(|(who, host)| !who.is_empty() && !host.is_empty() && !host.contains('@'))
}

fn role(word: &str) -> Result<(Role, Scope), String> {
    let (name, scope) = match word.split_once('@') {
        Some((name, scope)) => (name, Some(scope)),
        None => (word, None),
    };
    let Some(role) = Role::ALL.into_iter().find(|role| role.code() == name) else {
        let known: Vec<&str> = Role::ALL.iter().map(|role| role.code()).collect();
        return Err(format!("`{name}` is no role; expected {}", known.join(", ")));
    };
    let Some(scope) = scope else { return Ok((role, Scope::Whole)) };
    let ids = scope.split('+');
    let scope = match role.side() {
        Some(Side::Operator) => Scope::Facilities(parsed(ids)?),
        Some(Side::Provider) => Scope::Customers(parsed(ids)?),
        None => return Err(format!("{name} covers everything: expected no @")),
    };
    Ok((role, scope))
}

fn parsed<'a, T>(ids: impl Iterator<Item = &'a str>) -> Result<BTreeSet<T>, String>
where
    T: std::str::FromStr<Err = crate::ids::InvalidId> + Ord,
{
    ids.map(|id| id.parse().map_err(|fault: crate::ids::InvalidId| fault.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_come_with_their_roles_and_what_these_cover() {
        let table = users(
            b"email;name;roles\nAnn@Firm.example;Ann;machine_operator@hall-1+hall-2 tenant_admin\n\
              bob@firm.example;Bob;\nstan@firm.example;Stan;service_technician@op-ag|first_level_support\n",
        );
        assert_eq!(table.faults, []);
        let shown: Vec<String> = table
            .rows
            .iter()
            .map(|row| format!("{} {} {} {:?}", row.line, row.email, row.name, row.roles))
            .collect();
        insta::assert_snapshot!(shown.join("\n"));
    }

    #[test]
    fn every_fault_is_told_with_line_column_and_what_is_expected() {
        let table = users(
            b"email,name,roles\nann,Ann,boss\nbob@x,,\nbob@x,Bob,tenant_admin@hall-1 machine_operator@a_b\n\
              c@x,C,\n",
        );
        let shown: Vec<String> = table
            .faults
            .iter()
            .map(|fault| format!("{}:{}: {}", fault.line, fault.column, fault.fault))
            .collect();
        insta::assert_snapshot!(shown.join("\n"));
        assert_eq!(table.rows.len(), 1, "only the last line is whole");
    }
}
