//! The door of the edge agent: flags to options, one command, an exit code.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use caseway::{
    agent::{self, Exit, Failure},
    config::agent::{self as config, Command, CommandLine},
    tasks::{EVENT_INTERVAL, Scope},
    telemetry::{self, Verbosity},
};
use clap::Parser;
use tokio::runtime::Builder;

fn main() -> ExitCode {
    let line = CommandLine::parse();
    let base = match line.command {
        Command::Run => Verbosity::Events,
        Command::Enroll(_) | Command::Status | Command::Check => Verbosity::Normal,
    };
    telemetry::start(Verbosity::from_flags(base, line.output.quiet, line.output.verbose));
    let runtime = Builder::new_current_thread().event_interval(EVENT_INTERVAL).enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(obey(&line)),
        Err(error) => Err(Failure::new(Exit::Other, error.to_string())),
    };
    let Err(failure) = done else { return ExitCode::SUCCESS };
    for fault in failure.line.lines() {
        let _ = writeln!(io::stderr(), "caseway-agent: {fault}");
    }
    ExitCode::from(failure.exit as u8)
}

async fn obey(line: &CommandLine) -> Result<(), Failure> {
    let options = config::load(&line.place, std::env::vars())
        .map_err(|faults| Failure::new(Exit::Usage, faults.to_string()))?;
    let scope = Scope::new("caseway-agent");
    let (json, quiet) = (line.output.json, line.output.quiet);
    match &line.command {
        Command::Enroll(flags) => {
            let enrolled = agent::enrol(&config::enrolment(flags, options)?).await?;
            if !quiet {
                print(&if json { enrolled.json() } else { enrolled.line() });
            }
        }
        Command::Run => agent::run_until_signalled(options, scope).await?,
        Command::Status => {
            let report = agent::status(&options.dir).await?;
            print(&if json { report.json() } else { report.table() });
        }
        Command::Check => {
            let checked = agent::check(&options).await;
            print(&if json { checked.json() } else { checked.table() });
            checked.verdict()?;
        }
    }
    Ok(())
}

fn print(text: &str) {
    let _ = writeln!(io::stdout(), "{}", text.trim_end());
}
