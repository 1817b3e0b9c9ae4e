//! `run`: until it is asked to stop.

use std::path::Path;

use caseway::{config, gateway, tasks::Scope};
use tokio::signal::unix::{SignalKind, signal};

use crate::out::{Failure, Out};

pub(crate) async fn run(path: &Path, listen: Option<String>, out: &Out) -> Result<(), Failure> {
    let flags = config::gateway::Flags { listen };
    let options = config::gateway::load(path, &flags, std::env::vars())
        .map_err(|faults| Failure::config(&faults))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::other)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::other)?;
    let scope = Scope::new("gateway");
    let running = gateway::start(options, &scope).await.map_err(Failure::other)?;
    if out.json {
        out.line(serde_json::json!({ "listening": running.address.to_string() }));
    } else {
        out.note(format_args!("listening on {} (TCP and UDP)", running.address));
    }
    tokio::select! {
        biased;
        // Cancel-safe, by its documentation.
        _ = terminate.recv() => {}
        // As above.
        _ = interrupt.recv() => {}
    }
    out.note("stopping: live sessions may finish; ask again to stop at once");
    tokio::select! {
        biased;
        // Cancel-safe, as above.
        _ = terminate.recv() => {}
        // As above.
        _ = interrupt.recv() => {}
        // Dropped on purpose when asked again.
        () = running.drain() => {}
    }
    scope.close(gateway::CLOSE_MAX).await;
    Ok(())
}
