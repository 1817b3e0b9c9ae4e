//! A provider's customers and machines on the command line, and links between companies.

use clap::{Args, Subcommand};

use super::InvitationOut;
use crate::ids::{CustomerId, MachineId, ModelId, ServiceOrganisationId};

#[derive(Debug, Subcommand)]
pub enum CustomerCommand {
    /// List customers, and which of them are on board
    List,
    /// Add a customer: a company whose machines yours serves
    Add {
        id: CustomerId,
        /// What people call it; default: ID
        #[arg(long)]
        name: Option<String>,
        /// The service organisation that it belongs to
        #[arg(long, value_name = "ORGANISATION")]
        service_organisation: ServiceOrganisationId,
    },
    /// Change its name or service organisation
    Edit {
        id: CustomerId,
        #[command(flatten)]
        edit: EditCustomer,
    },
    /// Invite it: who accepts becomes the administrator of its own company; earlier ones are void
    Invite {
        id: CustomerId,
        /// Whom
        email: String,
        #[command(flatten)]
        out: InvitationOut,
    },
}

/// What is to be different about a customer.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct EditCustomer {
    #[arg(long)]
    pub name: Option<String>,
    /// Move it there; who does not cover that one sees it no more
    #[arg(long, value_name = "ORGANISATION")]
    pub service_organisation: Option<ServiceOrganisationId>,
}

#[derive(Debug, Subcommand)]
pub enum ServiceOrganisationCommand {
    /// List service organisations
    List,
    /// Add a service organisation: customers belong to one
    Add {
        id: ServiceOrganisationId,
        /// What people call it; default: ID
        #[arg(long)]
        name: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum MachineCommand {
    /// List your customers' machines
    List,
    /// Add a machine of a customer
    Add {
        id: MachineId,
        #[arg(long)]
        customer: CustomerId,
        /// Its serial number, by which its operator's asset is found; default: ID
        #[arg(long)]
        serial: Option<String>,
    },
    /// Say of which model it is; the model's tunnel templates become configs
    Model {
        machine: MachineId,
        /// Of none where this is missing
        model: Option<ModelId>,
    },
}

#[derive(Debug, Subcommand)]
pub enum LinkCommand {
    /// List proposals and links
    List,
    /// Propose a machine to its operator, as its provider
    Propose { machine: MachineId },
    /// Accept a proposal, as the operator: the provider takes part in cases from now on
    Accept { machine: MachineId },
    /// Decline a proposal, as the operator
    Decline { machine: MachineId },
    /// Remove a proposal or a link, from either side: the provider's sessions end
    Remove { machine: MachineId },
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::client::Cli;

    #[test]
    fn a_customer_belongs_to_a_service_organisation() {
        let args = "caseway customer add aurora";
        let said = Cli::try_parse_from(args.split(' ')).unwrap_err().to_string();
        assert!(said.contains("--service-organisation"), "{said}");
    }
}
