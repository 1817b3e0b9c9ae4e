//! The door of the technician's and administrator's program.

use std::process::ExitCode;

use caseway::{
    client::{self, Exit, Home, Surroundings, Terminal},
    tasks::{EVENT_INTERVAL, Scope},
    telemetry::{self, Verbosity},
};
use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};

fn main() -> ExitCode {
    let terminal = Terminal::of_process();
    let cli = match client::parse(std::env::args_os(), &terminal) {
        Ok(cli) => cli,
        Err(exit) => return exit.into(),
    };
    let (quiet, verbose) = (cli.common.quiet, cli.common.verbose);
    telemetry::start(Verbosity::from_flags(Verbosity::Normal, quiet, verbose));
    let runtime =
        match Builder::new_current_thread().event_interval(EVENT_INTERVAL).enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return client::failed(&terminal, Exit::Other, &error).into(),
        };
    let exit = runtime.block_on(run(cli, terminal));
    // A thread that still waits for somebody to type is not waited for.
    runtime.shutdown_background();
    exit.into()
}

async fn run(cli: client::Cli, terminal: Terminal) -> Exit {
    let home = match Home::of(|name| std::env::var_os(name)) {
        Ok(home) => home,
        Err(error) => return client::failed(&terminal, Exit::Usage, &error),
    };
    let (interrupted, ended) = (Scope::new("interrupt"), Scope::new("end"));
    // What ends by itself dies of a signal as any program does.
    if cli.command.stays() {
        watch(&interrupted, SignalKind::interrupt());
        watch(&ended, SignalKind::terminate());
        watch(&ended, SignalKind::hangup());
    }
    let (interrupt, stop) = (interrupted.stop(), ended.stop());
    client::run(cli, Surroundings { terminal, home, interrupt, stop }).await
}

/// Asks `scope` to stop when the signal comes.
fn watch(scope: &Scope, kind: SignalKind) {
    let asked = scope.clone();
    scope.spawn("signal", async move {
        if let Ok(mut signals) = signal(kind) {
            signals.recv().await;
            asked.ask();
        }
    });
}
