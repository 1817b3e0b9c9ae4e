//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::{demo::Demo, init::Init, tenant::TenantCommand};

/// Secure remote access to machines, case by case: the gateway.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Print one JSON value a line.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print data and errors alone.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Log more; twice for most.
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the gateway until it is asked to stop.
    Run {
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Listen here instead of where the file says.
        #[arg(long, value_name = "ADDRESS:PORT")]
        listen: Option<String>,
    },
    /// Check a config file and print what it means.
    Check {
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Make a data directory: CA, keys, config, database, first administrator.
    Init(Init),
    /// Run a whole small world on this machine.
    Demo(Demo),
    /// Look at the audit records.
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// The companies on this gateway, and what each may be; the gateway must not run.
    Tenant {
        #[command(subcommand)]
        command: TenantCommand,
    },
    /// Look at how mail is sent.
    Mail {
        #[command(subcommand)]
        command: MailCommand,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum MailCommand {
    /// Send a test mail through the server that the config names.
    Test {
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Who gets it.
        #[arg(long, value_name = "EMAIL")]
        to: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Check the chain of records; the first faulty one is named.
    Verify {
        /// The gateway's config file, which says where its database is.
        #[arg(long, value_name = "FILE", required_unless_present = "file")]
        config: Option<PathBuf>,
        /// The database file itself.
        #[arg(long, value_name = "FILE", conflicts_with = "config")]
        file: Option<PathBuf>,
    },
}
