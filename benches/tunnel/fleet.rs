//! Figures that are measured apart: `target/bench/*.tsv`, a line each of key, value, unit.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

/// A figure in the unit that it was written in.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) value: f64,
    pub(crate) unit: String,
}

impl Reading {
    /// In bytes or seconds, by its unit.
    pub(crate) fn plain(&self) -> Option<f64> {
        let factor = match self.unit.as_str() {
            "B" | "bytes" | "s" => 1.0,
            "KiB" => 1024.0,
            "MiB" => 1024.0 * 1024.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            _ => return None,
        };
        Some(self.value * factor)
    }
}

/// Has memory measured, by the benchmark that does that, with the agent as it is shipped.
pub(crate) fn measure() -> Result<()> {
    cargo(
        "build --locked --profile small --no-default-features --features agent --bin caseway-agent",
    )?;
    cargo("bench --locked --bench fleet")
}

fn cargo(line: &str) -> Result<()> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let status = cargo.args(line.split(' ')).current_dir(env!("CARGO_MANIFEST_DIR")).status();
    let status = status.context("cargo")?;
    ensure!(status.success(), "cargo {line}: {status}");
    Ok(())
}

fn dir() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench")
}

/// Leaves figures where [`readings`] finds them.
pub(crate) fn keep(name: &str, rows: &[(String, f64, &str)]) -> Result<()> {
    fs::create_dir_all(dir())?;
    let line = |(key, value, unit): &(String, f64, &str)| format!("{key}\t{value:.3}\t{unit}\n");
    Ok(fs::write(dir().join(name), rows.iter().map(line).collect::<String>())?)
}

/// Everything that is there; nothing is an answer too.
pub(crate) fn readings() -> BTreeMap<String, Reading> {
    let files = fs::read_dir(dir()).into_iter().flatten().flatten().map(|entry| entry.path());
    let files = files.filter(|path| path.extension().is_some_and(|end| end == "tsv"));
    let texts: Vec<String> = files.filter_map(|path| fs::read_to_string(path).ok()).collect();
    texts.iter().flat_map(|text| text.lines()).filter_map(reading).collect()
}

fn reading(line: &str) -> Option<(String, Reading)> {
    let mut fields = line.split('\t');
    let (key, value) = (fields.next()?.to_owned(), fields.next()?.parse().ok()?);
    Some((key, Reading { value, unit: fields.next()?.trim().to_owned() }))
}
