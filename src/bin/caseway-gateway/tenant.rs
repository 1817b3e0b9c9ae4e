//! `tenant`: the companies on this gateway, and what each may be.

use std::path::{Path, PathBuf};

use caseway::{
    config,
    gateway::{self, Options, Tenant, TenantId, TenantRole},
};
use clap::Subcommand;

use crate::out::{Failure, Out};

#[derive(Debug, Subcommand)]
pub(crate) enum TenantCommand {
    /// List the companies: id, name, roles.
    List {
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Set exactly these roles of a company; none leaves it its own people alone.
    Roles {
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// The company's id, as `tenant list` says it.
        tenant: TenantId,
        /// operator, operator_internal_service, service_provider.
        #[arg(value_parser = gateway::tenant_role)]
        roles: Vec<TenantRole>,
    },
}

pub(crate) async fn tenant(command: TenantCommand, out: &Out) -> Result<(), Failure> {
    match command {
        TenantCommand::List { config } => {
            let all = gateway::tenants(&options(&config)?).await.map_err(Failure::other)?;
            for tenant in &all {
                print(tenant, out);
            }
        }
        TenantCommand::Roles { config, tenant, roles } => {
            print(&set(&options(&config)?, &tenant, roles).await?, out);
        }
    }
    Ok(())
}

async fn set(
    options: &Options,
    tenant: &TenantId,
    roles: Vec<TenantRole>,
) -> Result<Tenant, Failure> {
    let roles = roles.into_iter().collect();
    gateway::set_tenant_roles(options, tenant, &roles).await.map_err(Failure::other)
}

fn options(path: &Path) -> Result<Options, Failure> {
    let flags = config::gateway::Flags::default();
    config::gateway::load(path, &flags, std::env::vars()).map_err(|faults| Failure::config(&faults))
}

fn print(tenant: &Tenant, out: &Out) {
    if out.json {
        out.line(serde_json::json!(tenant));
        return;
    }
    let roles: Vec<&str> = tenant.roles.iter().map(|role| role.code()).collect();
    out.line(format_args!("{}  {}  {}", tenant.id, tenant.name, roles.join(" ")));
}
