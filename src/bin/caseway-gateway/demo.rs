//! `demo`: a whole small world on this machine.

use std::{net::IpAddr, path::PathBuf};

use clap::{Args as Group, ValueEnum};

use crate::out::{Failure, Out};

#[derive(Debug, Group)]
pub(crate) struct Demo {
    /// Keep the world here; without it, it is gone when the demo ends.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Listen on this port; without it, on 8443, or any that is free if that is taken.
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Option<u16>,
    /// Where the gateway listens.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(crate) listen: IpAddr,
    /// Where the demo's machine listens, and its device reaches it.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(crate) machine: IpAddr,
    /// How the demo's device dials.
    #[arg(long, value_name = "CARRIER", default_value = "auto")]
    pub(crate) carrier: Carrier,
}

/// How a device dials.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Carrier {
    Auto,
    Tcp,
    Quic,
}

#[cfg(feature = "demo")]
pub(crate) async fn demo(demo: Demo, out: &Out) -> Result<(), Failure> {
    use caseway::{demo::CarrierChoice, tasks::Scope};
    use tokio::signal::unix::{SignalKind, signal};

    let Demo { dir, port, listen, machine, carrier } = demo;
    let carrier = match carrier {
        Carrier::Auto => CarrierChoice::Auto,
        Carrier::Tcp => CarrierChoice::Tcp,
        Carrier::Quic => CarrierChoice::Quic,
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
    scope.close(std::time::Duration::ZERO).await;
    ran.map_err(
        |fault| {
            if fault.is_about_dir() { Failure::usage(fault) } else { Failure::other(fault) }
        },
    )
}

#[cfg(not(feature = "demo"))]
pub(crate) async fn demo(_demo: Demo, _out: &Out) -> Result<(), Failure> {
    std::future::ready(()).await;
    Err(Failure::usage(anyhow::anyhow!("this build has no demo; build with --features demo")))
}
