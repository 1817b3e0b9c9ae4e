//! The part of the command line about tables that come in, and messages that go out.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::ids::HookId;

#[derive(Debug, Subcommand)]
pub enum ImportCommand {
    /// Import people from a CSV file: email, name, roles
    #[command(after_help = USERS_HELP)]
    Users(Import),
    /// Import assets from a CSV file: serial, name, facility, id
    #[command(after_help = ASSETS_HELP)]
    Assets(Import),
}

const USERS_HELP: &str = "\
The first line names the columns. People are known by their e-mail address: who is there already
gets the name and the roles of the table, and keeps all others.

  email;name;roles
  ann@firm.example;Ann;machine_operator@hall-1+hall-2 tenant_admin";

const ASSETS_HELP: &str = "\
The first line names the columns. Assets are known by their serial number: one that is there already
gets the name and the facility of the table. Columns facility and id may be left out.

  serial;name;facility
  SN-0007;Press 7;hall-1";

#[derive(Debug, Args)]
pub struct Import {
    /// The table, in UTF-8; `,` `;` or a tab between cells
    pub file: PathBuf,
    /// Change nothing: list every fault by line, or what would be done
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Subcommand)]
pub enum WebhookCommand {
    /// List webhooks, and why one is disabled
    List,
    /// Add a webhook; its secret goes into a new file that only you can read
    Add(AddWebhook),
    /// Change where it leads, what it hears of, its name
    Change(ChangeWebhook),
    /// Send it messages again, beginning with those that wait
    Enable { webhook: HookId },
    /// Send it nothing until it is enabled again
    Disable { webhook: HookId },
    /// Remove it, with its log and what waits for it
    Remove { webhook: HookId },
    /// Make a new secret; for a day messages are signed with the old one too
    Secret {
        webhook: HookId,
        /// The new file to put it into
        #[arg(long, value_name = "FILE")]
        secret_out: PathBuf,
    },
    /// Send it a test message
    Test { webhook: HookId },
    /// What was sent to it, newest first, and how that went
    Deliveries { webhook: HookId },
}

#[derive(Debug, Args)]
pub struct AddWebhook {
    /// Where messages are posted to: https://HOST/PATH
    pub url: String,
    /// What to call it in commands; default: chosen by the gateway
    #[arg(long)]
    pub id: Option<HookId>,
    /// Default: the host
    #[arg(long)]
    pub name: Option<String>,
    /// Hear of this kind of event, such as case.created; may be repeated; default: all
    #[arg(long = "kind", value_name = "KIND")]
    pub kinds: Vec<String>,
    /// The new file to put its secret into
    #[arg(long, value_name = "FILE")]
    pub secret_out: PathBuf,
}

#[derive(Debug, Args)]
pub struct ChangeWebhook {
    pub webhook: HookId,
    #[arg(long)]
    pub url: Option<String>,
    #[arg(long)]
    pub name: Option<String>,
    /// Hear of these kinds alone; may be repeated
    #[arg(long = "kind", value_name = "KIND", conflicts_with = "all_kinds")]
    pub kinds: Vec<String>,
    /// Hear of everything
    #[arg(long)]
    pub all_kinds: bool,
}

/// What people are told by mail; without a command: what you are told.
#[derive(Debug, Args)]
pub struct Notifications {
    #[command(subcommand)]
    pub command: Option<NotificationsCommand>,
}

#[derive(Debug, Subcommand)]
pub enum NotificationsCommand {
    /// Be told of a topic by mail, or not
    Set {
        /// As `caseway notifications` lists it
        topic: String,
        wanted: Wanted,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Wanted {
    On,
    Off,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::client::Cli;

    #[test]
    fn a_secret_needs_a_file_to_go_to() {
        let args = ["caseway", "webhook", "add", "https://tickets.example/in"];
        let said = Cli::try_parse_from(args).unwrap_err().to_string();
        assert!(said.contains("--secret-out"), "{said}");
    }
}
