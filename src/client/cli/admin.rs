//! The administrator's part of the command line: people and their roles, new assets.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, builder::PossibleValue};

use crate::{
    ids::{AssetId, CustomerId, FacilityId, ServiceOrganisationId},
    machines::{Mode, TunnelKind},
    tenancy::{Role, Scope},
};

#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// List people and their roles
    List,
    /// Add somebody, with roles where they are given
    #[command(after_help = roles_help())]
    Add(AddUser),
    /// Give a role, or take it away
    #[command(subcommand)]
    Role(GrantCommand),
    /// Let somebody in no more: their sessions end
    Disable { email: String },
    /// Let somebody in again
    Enable { email: String },
    /// Remove somebody for good: their sessions end, their roles and tokens are gone
    Remove { email: String },
}

/// A new person.
#[derive(Debug, Args)]
pub struct AddUser {
    pub email: String,
    #[arg(long)]
    pub name: String,
    #[command(flatten)]
    pub given: GivenRoles,
    #[command(flatten)]
    pub password: FirstPassword,
}

/// Roles for somebody new.
#[derive(Debug, Args)]
pub struct GivenRoles {
    /// A role to give: a standard one, or your company's own by name or id; may be repeated
    #[arg(long = "role", value_name = "ROLE")]
    pub roles: Vec<String>,
    #[command(flatten)]
    pub scope: ScopeWords,
}

/// Where a first password comes from.
#[derive(Debug, Args)]
pub struct FirstPassword {
    /// Read the first password from this file's first line; typed without echo when missing
    #[arg(long, value_name = "FILE", conflicts_with = "password_out")]
    pub password_file: Option<PathBuf>,
    /// Make a password, into a new file that only you can read
    #[arg(long, value_name = "FILE")]
    pub password_out: Option<PathBuf>,
}

/// What roles cover; everything, where nothing is named. Whatever takes it has an argument `roles`.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct ScopeWords {
    /// They cover only the assets of this facility; may be repeated
    #[arg(long = "facility", value_name = "FACILITY", requires = "roles")]
    pub facilities: Vec<FacilityId>,
    /// They cover only the machines of this customer; may be repeated
    #[arg(long = "customer", value_name = "CUSTOMER", requires = "roles")]
    pub customers: Vec<CustomerId>,
    /// They cover only the machines of this service organisation's customers; may be repeated
    #[arg(long = "service-organisation", value_name = "ORGANISATION", requires = "roles")]
    pub service_organisations: Vec<ServiceOrganisationId>,
}

impl ScopeWords {
    pub(in crate::client) fn scope(self) -> Scope {
        let Self { facilities, customers, service_organisations } = self;
        if !facilities.is_empty() {
            Scope::Facilities(facilities.into_iter().collect())
        } else if !customers.is_empty() {
            Scope::Customers(customers.into_iter().collect())
        } else if !service_organisations.is_empty() {
            Scope::ServiceOrganisations(service_organisations.into_iter().collect())
        } else {
            Scope::Whole
        }
    }
}

/// The roles that every company knows.
pub(in crate::client) fn standard_roles() -> String {
    Role::ALL.map(Role::code).join(", ")
}

pub(super) fn roles_help() -> String {
    format!("Standard roles: {}.\nYour company's own: `caseway role list`.", standard_roles())
}

#[derive(Debug, Subcommand)]
pub enum GrantCommand {
    /// Give a role
    #[command(after_help = roles_help())]
    Add {
        email: String,
        /// A standard role, or your company's own by name or id
        #[arg(id = "roles", value_name = "ROLE")]
        role: String,
        #[command(flatten)]
        scope: ScopeWords,
    },
    /// Take a role away, whatever it covers; sessions that it allowed end
    Remove {
        email: String,
        /// A standard role, or your company's own by name or id
        role: String,
    },
}

/// A new asset.
#[derive(Debug, Args)]
pub struct AddAsset {
    pub id: AssetId,
    #[arg(long)]
    pub name: String,
    /// Its serial number; default: ID
    #[arg(long)]
    pub serial: Option<String>,
    #[arg(long)]
    pub facility: Option<FacilityId>,
}

impl ValueEnum for TunnelKind {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Ssc, Self::DataLink, Self::Vnc]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            Self::Ssc => "ssc",
            Self::DataLink => "data_link",
            Self::Vnc => "vnc",
        }))
    }
}

impl ValueEnum for Mode {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Sealed, Self::Recorded, Self::Any]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            Self::Sealed => "sealed",
            Self::Recorded => "recorded",
            Self::Any => "any",
        }))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::client::{Cli, Command};

    fn refused(args: &str) -> String {
        Cli::try_parse_from(args.split(' ')).unwrap_err().to_string()
    }

    #[test]
    fn the_standard_roles_are_named_where_one_is_to_be_given() {
        let help = refused("caseway user role add --help");
        for role in Role::ALL {
            assert!(help.contains(role.code()), "{help}");
        }
    }

    #[test]
    fn a_scope_goes_with_a_role_and_is_of_one_kind() {
        let said = refused("caseway user add a@b --name A --facility hall-1");
        assert!(said.contains("--role"), "{said}");
        let line = "caseway user role add a@b machine_operator";
        let said = refused(&format!("{line} --facility hall-1 --customer op"));
        assert!(said.contains("--customer"), "{said}");
        let line = format!("{line} --facility hall-2 --facility hall-1");
        let command = Cli::try_parse_from(line.split(' ')).unwrap().command;
        let Command::User(UserCommand::Role(GrantCommand::Add { scope, .. })) = command else {
            panic!("{command:?}")
        };
        let halls = ["hall-1", "hall-2"].map(|hall| hall.parse().unwrap());
        assert_eq!(scope.scope(), Scope::Facilities(halls.into()));
    }

    #[test]
    fn a_password_comes_from_one_place() {
        let said = refused("caseway user add a@b --name A --password-file f --password-out g");
        assert!(said.contains("--password-out"), "{said}");
    }
}
