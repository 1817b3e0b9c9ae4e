//! The figures: a table for people as they come, and one file for programs at the end.

use std::{
    fs,
    io::{Write, stdout},
    path::PathBuf,
};

use anyhow::{Context, Result};

/// What was measured so far.
#[derive(Debug, Default)]
pub(crate) struct Report(Vec<Figure>);

#[derive(Debug)]
struct Figure {
    key: String,
    value: f64,
    unit: &'static str,
}

impl Report {
    /// A line of its own, about what follows.
    pub(crate) fn section(title: &str) -> Result<()> {
        Ok(writeln!(stdout(), "\n{title}")?)
    }

    /// Prints one figure and keeps it; `how` says how it was taken.
    pub(crate) fn add(
        &mut self,
        key: &str,
        value: f64,
        unit: &'static str,
        how: &str,
    ) -> Result<()> {
        let shown = if value.abs() < 100.0 { format!("{value:.2}") } else { format!("{value:.0}") };
        writeln!(stdout(), "  {key:<34}{shown:>12} {unit:<6}  {how}")?;
        self.0.push(Figure { key: key.to_owned(), value, unit });
        Ok(())
    }

    /// Writes `target/bench/NAME`: a key, a value and its unit a line.
    pub(crate) fn write(&self, name: &str) -> Result<PathBuf> {
        let program = PathBuf::from(env!("CARGO_BIN_EXE_caseway-gateway"));
        let target = program.ancestors().nth(2).context("no target directory")?;
        let dir = target.join("bench");
        fs::create_dir_all(&dir)?;
        let path = dir.join(name);
        let line = |figure: &Figure| {
            let Figure { key, value, unit } = figure;
            format!("{key}\t{value:.3}\t{unit}\n")
        };
        fs::write(&path, self.0.iter().map(line).collect::<String>())?;
        Ok(path)
    }
}
