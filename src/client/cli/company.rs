//! The own company on the command line: its settings, its own roles, invitations, tokens.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{FirstPassword, GivenRoles, OnOff, admin::roles_help};
use crate::{
    ids::{Name, RoleId},
    tenancy::Permission,
    transport::GatewayUrl,
};

#[derive(Debug, Subcommand)]
pub enum CompanyCommand {
    /// Your company: its name, what it is on the platform, its settings
    Show,
    /// Give it another name
    Rename { name: String },
    /// Change its settings
    Set(CompanySettings),
}

/// What a company decides for itself.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct CompanySettings {
    /// Whether the role internal_service_cases turns the switches of cases
    #[arg(long, value_name = "ON|OFF")]
    pub internal_service_switches: Option<OnOff>,
    /// Who reads a provider's cases beside support and technicians
    #[arg(long, value_name = "WHO")]
    pub case_reader: Option<Reader>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Reader {
    CustomerDataManager,
    MasterDataManager,
    Nobody,
}

#[derive(Debug, Subcommand)]
pub enum RoleCommand {
    /// List your company's own roles, and what each gives
    List,
    /// List what such a role may give in your company
    Permissions,
    /// Add a role; give it to somebody with `caseway user role add`
    Add {
        name: String,
        /// What to call it in scripts; default: chosen by the gateway
        #[arg(long)]
        id: Option<RoleId>,
        /// A permission that it gives; may be repeated, or several with commas between
        #[arg(long, required = true, value_name = "PERMISSION", value_parser = permission)]
        #[arg(value_delimiter = ',')]
        give: Vec<Permission>,
    },
    /// Change a role, for everybody who holds it
    Change(ChangeRole),
    /// Remove a role that nobody holds
    Remove {
        /// By name or id
        role: String,
    },
}

/// What is to be different about a role.
#[derive(Debug, Args)]
pub struct ChangeRole {
    /// By name or id
    pub role: String,
    #[command(flatten)]
    pub edit: EditRole,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct EditRole {
    /// Its new name
    #[arg(long)]
    pub name: Option<String>,
    /// A permission that it gives from now on; may be repeated
    #[arg(long, value_name = "PERMISSION", value_parser = permission, value_delimiter = ',')]
    pub give: Vec<Permission>,
    /// A permission that it gives no more; may be repeated
    #[arg(long, value_name = "PERMISSION", value_parser = permission, value_delimiter = ',')]
    pub take: Vec<Permission>,
}

fn permission(text: &str) -> Result<Permission, String> {
    Permission::from_code(text)
        .ok_or_else(|| "no such permission; list them: `caseway role permissions`".to_owned())
}

#[derive(Debug, Subcommand)]
pub enum InviteCommand {
    /// List invitations of colleagues
    List {
        /// Those of customers instead
        #[arg(long)]
        customers: bool,
    },
    /// Invite a colleague; the invitation goes into a new file that only you can read
    #[command(after_help = roles_help())]
    Send {
        email: String,
        #[command(flatten)]
        given: GivenRoles,
        #[command(flatten)]
        out: InvitationOut,
    },
    /// Take back an invitation that was not accepted
    Withdraw {
        /// Its e-mail address or id
        invitation: String,
    },
    /// Accept an invitation: nobody needs to be logged in
    Accept(Accept),
}

/// Where an invitation goes.
#[derive(Debug, Args)]
pub struct InvitationOut {
    /// The new file to put it into; default: EMAIL.invitation
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// An invitation that is accepted.
#[derive(Debug, Args)]
pub struct Accept {
    /// The gateway.
    #[arg(value_name = "URL", help = "The gateway, such as https://gateway.example:8443")]
    pub url: GatewayUrl,
    /// The certificate authority to trust: the gateway's ca.pem
    #[arg(long, value_name = "FILE", env = "CASEWAY_CA", hide_env_values = true)]
    pub ca: Option<PathBuf>,
    /// Holds the invitation
    #[arg(long, value_name = "FILE")]
    pub token_file: PathBuf,
    /// Your name
    #[arg(long)]
    pub name: String,
    /// Your company's name, where a customer was invited; default: as its provider calls it
    #[arg(long)]
    pub company: Option<String>,
    #[command(flatten)]
    pub password: FirstPassword,
}

#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// List tokens, and until when they hold
    List {
        #[command(flatten)]
        of: Whose,
    },
    /// Add a token, into a new file that only you can read; it reads, and changes nothing
    Add {
        name: Name,
        /// How long it holds; default: 90
        #[arg(long)]
        days: Option<u16>,
        /// The new file to put it into; default: NAME.token
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        of: Whose,
    },
    /// Remove a token: it opens nothing any more
    Remove {
        /// By name or id
        token: String,
        #[command(flatten)]
        of: Whose,
    },
}

/// Whose tokens.
#[derive(Debug, Args)]
pub struct Whose {
    /// A colleague's, instead of your own
    #[arg(long, value_name = "EMAIL")]
    pub user: Option<String>,
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
    fn a_wrong_permission_says_where_the_right_ones_are_listed() {
        let said = refused("caseway role add Night --give see_all");
        assert!(said.contains("see_all") && said.contains("role permissions"), "{said}");
    }

    #[test]
    fn a_role_gives_something_and_a_change_changes_something() {
        assert!(refused("caseway role add Night").contains("--give"));
        assert!(refused("caseway role change night").contains("--take"));
        assert!(refused("caseway company set").contains("--case-reader"));
        let line = "caseway role add Night --give chat,read_asset --give use_asset";
        let command = Cli::try_parse_from(line.split(' ')).unwrap().command;
        let Command::Role(RoleCommand::Add { give, .. }) = command else { panic!("{command:?}") };
        assert_eq!(give, [Permission::Chat, Permission::ReadAsset, Permission::UseAsset]);
    }

    #[test]
    fn an_invitation_is_never_an_argument() {
        let said = refused("caseway invite accept https://gate:8443 --name Ann");
        assert!(said.contains("--token-file"), "{said}");
    }
}
