//! `init`: a data directory, and what to do next.

use caseway::{
    config,
    gateway::{self, InitError},
};

use crate::{
    args,
    out::{Failure, Out},
};

pub(crate) async fn init(init: args::Init, out: &Out) -> Result<(), Failure> {
    let args::Init { dir, names, listen, tenant, roles, admin, password_file } = init;
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
    out.note("Give every device and technician the CA file; never the key beside it.");
    Ok(())
}
