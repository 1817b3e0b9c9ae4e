//! `audit verify`: the chain of records, checked.

use std::path::PathBuf;

use caseway::{config, gateway};

use crate::out::{Failure, Out};

pub(crate) async fn verify(
    config: Option<PathBuf>,
    file: Option<PathBuf>,
    out: &Out,
) -> Result<(), Failure> {
    let file = match (config, file) {
        (Some(config), None) => {
            let flags = config::gateway::Flags::default();
            let options = config::gateway::load(&config, &flags, std::env::vars())
                .map_err(|faults| Failure::config(&faults))?;
            options.database()
        }
        (None, Some(file)) => file,
        (None, None) | (Some(_), Some(_)) => {
            return Err(Failure::usage(anyhow::anyhow!("expected --config or --file")));
        }
    };
    let verified = gateway::verify_audit(&file).await.map_err(Failure::other)?;
    if out.json {
        out.line(serde_json::json!({
            "ok": true, "records": verified.records, "head": verified.head.hash.to_string(),
        }));
    } else {
        out.line(verified);
    }
    Ok(())
}
