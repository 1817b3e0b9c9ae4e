//! `check`: what the config file means.

use std::path::Path;

use caseway::config;

use crate::out::{Failure, Out};

pub(crate) fn check(path: &Path, out: &Out) -> Result<(), Failure> {
    let flags = config::gateway::Flags::default();
    let options = config::gateway::load(path, &flags, std::env::vars())
        .map_err(|faults| Failure::config(&faults))?;
    let shown = config::gateway::shown(&options);
    if out.json {
        let shown: serde_json::Map<String, serde_json::Value> =
            shown.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
        out.line(serde_json::Value::Object(shown));
        return Ok(());
    }
    for (key, value) in shown {
        out.line(format_args!("{key:<26} {value}"));
    }
    out.note(format_args!("{}: nothing is wrong with it", path.display()));
    Ok(())
}
