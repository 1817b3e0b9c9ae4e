//! The gateway's door: arguments in, exit code out.

#[path = "caseway-gateway/args.rs"]
mod args;
#[path = "caseway-gateway/audit.rs"]
mod audit;
#[path = "caseway-gateway/check.rs"]
mod check;
#[path = "caseway-gateway/demo.rs"]
mod demo;
#[path = "caseway-gateway/init.rs"]
mod init;
#[path = "caseway-gateway/mail.rs"]
mod mail;
#[path = "caseway-gateway/out.rs"]
mod out;
#[path = "caseway-gateway/run.rs"]
mod run;
#[path = "caseway-gateway/tenant.rs"]
mod tenant;

use std::process::ExitCode;

use caseway::{
    tasks::EVENT_INTERVAL,
    telemetry::{self, Verbosity},
};
use clap::Parser;
use tokio::runtime::Builder;

use args::{Args, AuditCommand, Command, MailCommand};
use out::{Failure, Out};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let args = Args::parse();
    let stays = matches!(args.command, Command::Run { .. });
    let base = if stays { Verbosity::Events } else { Verbosity::Normal };
    telemetry::start(Verbosity::from_flags(base, args.quiet, args.verbose));
    let out = Out { json: args.json, quiet: args.quiet };
    match Builder::new_multi_thread().event_interval(EVENT_INTERVAL).enable_all().build() {
        Ok(runtime) => match runtime.block_on(act(args.command, &out)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => out.failed(&failure),
        },
        Err(fault) => out.failed(&Failure::other(fault)),
    }
}

async fn act(command: Command, out: &Out) -> Result<(), Failure> {
    match command {
        Command::Run { config, listen } => run::run(&config, listen, out).await,
        Command::Check { config } => check::check(&config, out),
        Command::Init(init) => init::init(init, out).await,
        Command::Demo(demo) => demo::demo(demo, out).await,
        Command::Audit { command: AuditCommand::Verify { config, file } } => {
            audit::verify(config, file, out).await
        }
        Command::Tenant { command } => tenant::tenant(command, out).await,
        Command::Mail { command: MailCommand::Test { config, to } } => {
            mail::test(&config, &to, out).await
        }
    }
}
