//! The command line.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use caseway::gateway::TenantRole;
use clap::{Args as Group, Parser, Subcommand, ValueEnum};

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
}

#[derive(Debug, Group)]
pub(crate) struct Init {
    /// Where; it must not exist, or be empty.
    pub(crate) dir: PathBuf,
    /// A DNS name or address under which the gateway is reached; may be repeated.
    #[arg(long = "name", value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:8443")]
    pub(crate) listen: SocketAddr,
    /// The first company's name.
    #[arg(long, value_name = "NAME", default_value = "My company")]
    pub(crate) tenant: String,
    /// What that company does: operator, operator_internal_service, service_provider.
    #[arg(long = "role", value_name = "ROLE", value_parser = caseway::gateway::tenant_role)]
    pub(crate) roles: Vec<TenantRole>,
    /// The first administrator's log-in.
    #[arg(long, value_name = "EMAIL", default_value = "admin@localhost")]
    pub(crate) admin: String,
    /// Holds that administrator's password; without it one is made and kept in the directory.
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

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
