//! `demo`: a whole small world on this machine.

use std::time::Duration;

use caseway::{demo::CarrierChoice, tasks::Scope};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    args,
    out::{Failure, Out},
};

#[cfg(feature = "demo")]
pub(crate) async fn demo(demo: args::Demo, out: &Out) -> Result<(), Failure> {
    let args::Demo { dir, port, listen, machine, carrier } = demo;
    let carrier = match carrier {
        args::Carrier::Auto => CarrierChoice::Auto,
        args::Carrier::Tcp => CarrierChoice::Tcp,
        args::Carrier::Quic => CarrierChoice::Quic,
    };
    let options = caseway::demo::Options { dir, port, listen, machine, carrier, json: out.json };
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::other)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::other)?;
    let scope = Scope::new("signals");
    let stop = scope.stop();
    let asked = scope.clone();
    scope.spawn("signals", async move {
        tokio::select! {
            biased;
            // Cancel-safe, by its documentation.
            _ = terminate.recv() => {}
            // As above.
            _ = interrupt.recv() => {}
        }
        asked.ask();
    });
    let ran = caseway::demo::run(options, stop, |guide| out.line(guide.trim_end())).await;
    scope.close(Duration::ZERO).await;
    ran.map_err(Failure::other)
}

#[cfg(not(feature = "demo"))]
pub(crate) async fn demo(_demo: args::Demo, _out: &Out) -> Result<(), Failure> {
    std::future::ready(()).await;
    Err(Failure::usage(anyhow::anyhow!("this build has no demo; build with --features demo")))
}
