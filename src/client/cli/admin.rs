//! The administrator's part of the command line: people and their roles, new assets.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, builder::PossibleValue};

use crate::{
    ids::{AssetId, FacilityId},
    machines::{Mode, TunnelKind},
    tenancy::Role,
};

#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// List people and their roles
    List,
    /// Add somebody, with roles where they are given
    Add(AddUser),
    /// Give a role, or take it away
    #[command(subcommand)]
    Role(RoleCommand),
    /// Let somebody in no more: their sessions end
    Disable { email: String },
    /// Let somebody in again
    Enable { email: String },
}

/// A new person.
#[derive(Debug, Args)]
pub struct AddUser {
    pub email: String,
    #[arg(long)]
    pub name: String,
    /// A role to give; may be repeated
    #[arg(long = "role", value_name = "ROLE")]
    pub roles: Vec<Role>,
    /// The roles cover only the assets of this facility; may be repeated
    #[arg(long = "facility", value_name = "FACILITY", requires = "roles")]
    pub facilities: Vec<FacilityId>,
    /// Read the first password from this file's first line; typed without echo when missing
    #[arg(long, value_name = "FILE", conflicts_with = "password_out")]
    pub password_file: Option<PathBuf>,
    /// Make a password, into a new file that only you can read
    #[arg(long, value_name = "FILE")]
    pub password_out: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum RoleCommand {
    /// Give a role
    Add {
        email: String,
        role: Role,
        /// It covers only the assets of this facility; may be repeated
        #[arg(long = "facility", value_name = "FACILITY")]
        facilities: Vec<FacilityId>,
    },
    /// Take a role away, whatever it covers; sessions that it allowed end
    Remove { email: String, role: Role },
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

impl ValueEnum for Role {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.code()))
    }
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

    use crate::client::Cli;

    fn refused(args: &str) -> String {
        Cli::try_parse_from(args.split(' ')).unwrap_err().to_string()
    }

    #[test]
    fn a_wrong_role_lists_the_right_ones() {
        let said = refused("caseway user role add ana@x.example boss");
        assert!(said.contains("workshop_manager") && said.contains("service_technician"), "{said}");
    }

    #[test]
    fn facilities_go_with_a_role_and_a_password_comes_from_one_place() {
        let said = refused("caseway user add a@b --name A --facility hall-1");
        assert!(said.contains("--role"), "{said}");
        let said = refused("caseway user add a@b --name A --password-file f --password-out g");
        assert!(said.contains("--password-out"), "{said}");
    }
}
