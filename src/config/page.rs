//! One TOML file under the environment, whose keys are asked for one by one.

use std::{collections::BTreeMap, io, path::Path};

use toml::{Table, Value};

use super::fault::{Fault, Faults, shown};

/// The longest config file that is read, in bytes; a longer one is a fault.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// How many letters may differ for a key to be taken for a misspelt one.
const NEAR_EDITS_MAX: usize = 2;

/// A file being read. Keys are dotted: `tls.ca` is `ca` under `[tls]`.
#[derive(Debug)]
pub struct Page {
    /// As it stands in faults.
    name: String,
    /// Before each key in faults: `allow[2].` in a list of tables.
    prefix: String,
    table: Table,
    /// Such as `CASEWAY_AGENT_`; with the variables that begin with it.
    environment: Option<(String, BTreeMap<String, String>)>,
    asked: Vec<String>,
    faults: Faults,
}

impl Page {
    /// Reads `text`, which stands in the file called `name`.
    ///
    /// # Errors
    ///
    /// When it is not TOML; the fault says where.
    pub fn read(name: &str, text: &str) -> Result<Self, Faults> {
        let table = text.parse::<Table>().map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            let what = format!("line {line}: not TOML: {}", error.message());
            Faults::one(Fault::new(name, "", what))
        })?;
        Ok(Self::of(name.to_owned(), String::new(), table))
    }

    /// Reads the file at `path`; where `may_lack`, a missing one is an empty page.
    ///
    /// # Errors
    ///
    /// As [`Page::read`], and when it cannot be read or is over a mebibyte.
    pub fn load(path: &Path, may_lack: bool) -> Result<Self, Faults> {
        let name = path.display().to_string();
        let whole = |what: String| Faults::one(Fault::new(&name, "", what));
        match std::fs::metadata(path) {
            Ok(about) if about.len() > FILE_BYTES_MAX => {
                return Err(whole(format!("longer than {FILE_BYTES_MAX} bytes")));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && may_lack => {
                return Ok(Self::of(name, String::new(), Table::new()));
            }
            Ok(_) | Err(_) => {}
        }
        let text = std::fs::read_to_string(path)
            .map_err(|error| whole(format!("cannot be read: {error}")))?;
        Self::read(&name, &text)
    }

    fn of(name: String, prefix: String, table: Table) -> Self {
        Self {
            name,
            prefix,
            table,
            environment: None,
            asked: Vec::new(),
            faults: Faults::default(),
        }
    }

    /// Lays the file over `variables`: where it lacks `tls.ca`, `<prefix>TLS_CA` is asked.
    #[must_use]
    pub fn over(
        mut self,
        prefix: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let ours = variables.into_iter().filter(|(name, _)| name.starts_with(prefix)).collect();
        self.environment = Some((prefix.to_owned(), ours));
        self
    }

    /// Lays `value` over the file: what a flag of the command line says.
    pub fn put(&mut self, key: &str, value: impl Into<String>) {
        let mut table = &mut self.table;
        let mut parts: Vec<&str> = key.split('.').collect();
        let Some(last) = parts.pop() else { return };
        for part in parts {
            let inner = table.entry(part).or_insert_with(|| Value::Table(Table::new()));
            let Value::Table(inner) = inner else { return };
            table = inner;
        }
        table.insert(last.to_owned(), Value::String(value.into()));
    }

    /// The value of `key`, if it is there and right. A wrong one is a fault.
    pub fn optional<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Option<T> {
        self.asked.push(key.to_owned());
        let (source, spelled, value) = self.find(key)?;
        match parse(&value) {
            Ok(parsed) => Some(parsed),
            Err(expected) => {
                let what = format!("{}: {expected}", shown(&written(&value)));
                self.faults.add(Fault::new(&source, &spelled, what));
                None
            }
        }
    }

    /// The value of `key`, or `default`. A wrong one is a fault, and [`Page::finish`] fails.
    pub fn or<T>(
        &mut self,
        key: &str,
        default: T,
        parse: impl FnOnce(&Value) -> Result<T, String>,
    ) -> T {
        self.optional(key, parse).unwrap_or(default)
    }

    /// The value of `key`; that it is not there is a fault: `what` says what it should be.
    pub fn required<T>(
        &mut self,
        key: &str,
        what: &str,
        parse: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Option<T> {
        if self.find(key).is_none() {
            self.asked.push(key.to_owned());
            self.fault(key, format!("missing; expected {what}"));
            return None;
        }
        self.optional(key, parse)
    }

    /// Each table of the list `key` (`[[key]]`), read by `each`; its unknown keys are faults here.
    pub fn tables<T>(&mut self, key: &str, mut each: impl FnMut(&mut Page) -> Option<T>) -> Vec<T> {
        self.asked.push(key.to_owned());
        let Some((_, _, value)) = self.find(key) else { return Vec::new() };
        let Value::Array(items) = value else {
            self.fault(key, format!("expected a list of tables, each under [[{key}]]"));
            return Vec::new();
        };
        let mut found = Vec::new();
        for (at, item) in items.into_iter().enumerate() {
            let Value::Table(table) = item else {
                self.fault(&format!("{key}[{}]", at + 1), "expected a table");
                continue;
            };
            let prefix = format!("{}{key}[{}].", self.prefix, at + 1);
            let mut page = Self::of(self.name.clone(), prefix, table);
            found.extend(each(&mut page));
            page.find_unknown();
            self.faults.absorb(page.faults);
        }
        found
    }

    /// Whether `key`, or anything under it, is there at all, right or wrong.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.find(key).is_some()
    }

    /// Adds a fault of `key` that no parser can see, such as two keys that exclude each other.
    pub fn fault(&mut self, key: &str, what: impl Into<String>) {
        self.faults.add(Fault::new(&self.name, &format!("{}{key}", self.prefix), what));
    }

    /// What `make` makes of the values, when nothing was wrong and no key is left over.
    ///
    /// # Errors
    ///
    /// Every fault of the page.
    pub fn finish<T>(mut self, make: impl FnOnce() -> Option<T>) -> Result<T, Faults> {
        self.find_unknown();
        if !self.faults.is_empty() {
            return Err(self.faults);
        }
        make().ok_or_else(|| Faults::one(Fault::new(&self.name, "", "incomplete")))
    }

    /// Source, key as spelled there, and value.
    fn find(&self, key: &str) -> Option<(String, String, Value)> {
        let mut parts = key.split('.');
        let mut value = self.table.get(parts.next()?);
        for part in parts {
            value = value.and_then(Value::as_table).and_then(|table| table.get(part));
        }
        if let Some(value) = value {
            return Some((self.name.clone(), format!("{}{key}", self.prefix), value.clone()));
        }
        let (prefix, variables) = self.environment.as_ref()?;
        let variable = format!("{prefix}{}", key.replace(['.', '-'], "_").to_ascii_uppercase());
        let text = variables.get(&variable)?;
        Some(("environment".to_owned(), variable, from_environment(text)))
    }

    fn find_unknown(&mut self) {
        let mut leaves = Vec::new();
        leaves_of(&self.table, "", &self.asked, &mut leaves);
        for key in leaves {
            let what = match nearest(&key, &self.asked) {
                Some(near) => format!("unknown key; did you mean {near}?"),
                None => format!("unknown key; expected one of {}", self.asked.join(", ")),
            };
            self.fault(&key, what);
        }
    }
}

/// A variable that looks like a number or a truth value is one.
fn from_environment(text: &str) -> Value {
    if let Ok(number) = text.parse() {
        return Value::Integer(number);
    }
    match text {
        "true" => Value::Boolean(true),
        "false" => Value::Boolean(false),
        _ => Value::String(text.to_owned()),
    }
}

/// The value as a reader of the file would know it again.
fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Datetime(time) => time.to_string(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(written).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Table(_) => "{...}".to_owned(),
    }
}

/// The keys of `table` that were not asked for, dotted. A table that was asked for as a whole is
/// not entered.
fn leaves_of(table: &Table, above: &str, asked: &[String], into: &mut Vec<String>) {
    for (key, value) in table {
        let path = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
        if asked.contains(&path) {
            continue;
        }
        let is_section = asked.iter().any(|one| one.starts_with(&format!("{path}.")));
        match value {
            Value::Table(inner) if is_section => leaves_of(inner, &path, asked, into),
            Value::Table(_)
            | Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => into.push(path),
        }
    }
}

fn nearest<'a>(key: &str, known: &'a [String]) -> Option<&'a str> {
    known
        .iter()
        .map(|one| (edits(key, one), one.as_str()))
        .filter(|(edits, _)| *edits <= NEAR_EDITS_MAX)
        .min()
        .map(|(_, one)| one)
}

/// How many letters must be put in, taken out or changed to make `a` into `b`.
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((to, above_left), above) in b.chars().zip(&row).zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or_default();
            let changed = above_left + usize::from(from != to);
            next.push(changed.min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

fn line_of(text: &str, byte: usize) -> usize {
    1 + text.bytes().take(byte).filter(|b| *b == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;
    use std::time::Duration;

    #[derive(Debug, PartialEq)]
    struct Options {
        name: String,
        idle: Duration,
        ca: Option<String>,
        ports: Vec<u16>,
    }

    fn read(text: &str, variables: &[(&str, &str)]) -> Result<Options, Faults> {
        let variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let mut page = Page::read("t.toml", text)?.over("CASEWAY_T_", variables);
        let name = page.required("name", "a name", parse::text);
        let range = Duration::from_secs(1)..=Duration::from_secs(60);
        let idle = page.or("idle", Duration::from_secs(5), parse::duration(range));
        let ca = page.optional("tls.ca", parse::text);
        let ports = page.tables("rule", |rule| rule.required("port", "a port", parse::port));
        page.finish(|| Some(Options { name: name?, idle, ca, ports }))
    }

    #[test]
    fn every_fault_is_told_at_once_with_file_key_and_expectation() {
        let faults = read(
            "idel = 3\nidle = \"2h\"\n[tls]\nca = 7\nkye = \"x\"\n[[rule]]\nport = 0\nq = 1\n[zzz]\na = 1",
            &[],
        )
        .unwrap_err();
        insta::assert_snapshot!(faults, @r"
        t.toml: name: missing; expected a name
        t.toml: idle: `2h`: expected a duration from 1s to 1m, such as 5s
        t.toml: tls.ca: `7`: expected text
        t.toml: rule[1].port: `0`: expected a port from 1 to 65535
        t.toml: rule[1].q: unknown key; expected one of port
        t.toml: idel: unknown key; did you mean idle?
        t.toml: tls.kye: unknown key; expected one of name, idle, tls.ca, rule
        t.toml: zzz: unknown key; expected one of name, idle, tls.ca, rule
        ");
    }

    #[test]
    fn the_file_goes_before_the_environment_and_that_before_the_default() {
        let variables = [("CASEWAY_T_NAME", "env"), ("CASEWAY_T_TLS_CA", "ca.pem")];
        let options = read("name = \"file\"", &variables).unwrap();
        assert_eq!((options.name.as_str(), options.ca.as_deref()), ("file", Some("ca.pem")));
        assert_eq!(options.idle, Duration::from_secs(5));
        let faults = read("name = \"x\"", &[("CASEWAY_T_IDLE", "long")]).unwrap_err();
        assert!(faults.to_string().starts_with("environment: CASEWAY_T_IDLE: `long`: expected"));
    }

    #[test]
    fn text_that_is_not_toml_names_its_line() {
        let faults = read("name = \"a\"\n\nidle = = 3", &[]).unwrap_err();
        assert!(faults.to_string().starts_with("t.toml: line 3: not TOML:"), "{faults}");
    }

    #[test]
    fn a_flag_goes_before_the_file() {
        let mut page = Page::read("t.toml", "[tls]\nca = \"a\"").unwrap();
        page.put("tls.ca", "b");
        assert_eq!(page.optional("tls.ca", parse::text).as_deref(), Some("b"));
    }
}
