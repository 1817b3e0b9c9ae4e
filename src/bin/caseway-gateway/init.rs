//! `init`: a data directory, and what to do next.

use std::{net::SocketAddr, path::PathBuf};

use caseway::{
    config,
    gateway::{self, InitError, TenantRole},
};
use clap::Args as Group;

use crate::out::{Failure, Out};

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
    #[arg(long = "role", value_name = "ROLE", value_parser = gateway::tenant_role)]
    pub(crate) roles: Vec<TenantRole>,
    /// The first administrator's log-in.
    #[arg(long, value_name = "EMAIL", default_value = "admin@localhost")]
    pub(crate) admin: String,
    /// Holds that administrator's password; without it one is made and kept in the directory.
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

pub(crate) async fn init(init: Init, out: &Out) -> Result<(), Failure> {
    let Init { dir, names, listen, tenant, roles, admin, password_file } = init;
    let mut ask = gateway::Init::new(dir);
    ask.tenant = tenant;
    ask.admin = admin;
    ask.password_file = password_file;
    if !names.is_empty() {
        ask.names = names;
    }
    if !roles.is_empty() {
        ask.roles = roles.into_iter().collect();
    }
    config::gateway::check_names(&ask.names).map_err(|faults| Failure::config(&faults))?;
    ask.config = config::gateway::first(listen, &ask.names);
    let made = gateway::init(ask).await.map_err(|fault| match fault {
        InitError::NotEmpty { .. } | InitError::Ask(_) | InitError::Password { .. } => {
            Failure::usage(fault)
        }
        InitError::File(_) | InitError::Ca(_) | InitError::Store(_) => Failure::other(fault),
    })?;
    if out.json {
        out.line(serde_json::json!({
            "config": made.config, "ca": made.ca, "admin": made.admin,
            "password_file": made.password_file,
        }));
        return Ok(());
    }
    let (config, ca) = (made.config.display(), made.ca.display());
    let url = gateway::url(&made.names, listen.port());
    out.line(format_args!("Made {config}. Next:"));
    out.line(format_args!("  caseway-gateway run --config {config}"));
    out.line(format_args!(
        "  caseway login {url} --ca {ca} --user {} --password-file {}",
        made.admin,
        made.password_file.display()
    ));
    out.line("  caseway user add EMAIL --name NAME --role workshop_manager --password-out FILE");
    out.note("Give every device and technician the CA file; never the key beside it.");
    Ok(())
}
