//! Groups, case roles, workspaces and organisations on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{CasePriority, OnOff};
use crate::ids::{CaseId, PersonId, SessionId};

#[derive(Debug, Subcommand)]
pub enum GroupCommand {
    /// List the groups of your company
    List,
    /// A group's settings and members
    Show { group: String },
    /// Add a group
    Add {
        name: String,
        /// The group that it hangs under: it inherits its members while it has none
        #[arg(long, value_name = "GROUP")]
        under: Option<String>,
        #[command(flatten)]
        settings: GroupSettings,
    },
    /// Change a group
    Set {
        group: String,
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        settings: GroupSettings,
    },
    /// Remove a group that holds no case
    Remove { group: String },
    /// Make a colleague a member: they read its cases, or read and comment
    Join {
        group: String,
        /// The colleague, by id
        person: PersonId,
        #[arg(value_enum, default_value_t)]
        access: GroupAccess,
    },
    /// Take a membership away
    Leave { group: String, person: PersonId },
    /// List who has duties over all groups
    Duties,
    /// Give a colleague exactly these duties; none takes them all away
    Duty {
        person: PersonId,
        #[arg(value_enum)]
        duties: Vec<GroupDuty>,
    },
    /// Which group a case is in, and when it moves on
    Of { case: CaseId },
    /// Put a case into a group
    Put { case: CaseId, group: String },
    /// Take a case out of its group
    Take { case: CaseId },
}

/// What a group can be set to.
#[derive(Debug, Default, Args)]
pub struct GroupSettings {
    /// Move a case on after so many working hours that nobody takes it up; 0 is never
    #[arg(long, value_name = "HOURS", requires = "escalate_to")]
    pub escalate_after: Option<u32>,
    /// The group that such cases move on to
    #[arg(long, value_name = "GROUP", requires = "escalate_after")]
    pub escalate_to: Option<String>,
    /// Other hours for cases of one priority; may be repeated
    #[arg(long = "escalate-priority", value_name = "PRIORITY=HOURS", requires = "escalate_to")]
    #[arg(value_parser = hours_of_priority)]
    pub by_priority: Vec<(String, u32)>,
    /// What becomes of the time spent in sessions
    #[arg(long, value_enum)]
    pub stopwatch: Option<StopwatchOption>,
    /// Write members may take cases out of the group
    #[arg(long, value_enum, value_name = "ON")]
    pub members_remove: Option<OnOff>,
    /// Mail its members about its cases
    #[arg(long, value_enum, value_name = "ON")]
    pub mail: Option<OnOff>,
    /// Its e-mail addresses, with ; between them
    #[arg(long)]
    pub addresses: Option<String>,
    /// Send mail from the first of its addresses
    #[arg(long, value_enum, value_name = "ON")]
    pub sends_as_itself: Option<OnOff>,
    /// Its working hours: JSON such as {"zone": "Europe/Berlin", "monday": ["08:00", "17:00"],
    /// "holidays": ["2026-12-25"]}
    #[arg(long, value_name = "FILE")]
    pub hours_file: Option<PathBuf>,
}

/// A priority as the API knows it, and hours.
fn hours_of_priority(text: &str) -> Result<(String, u32), String> {
    let found = text.split_once('=').and_then(|(priority, hours)| {
        let priority = CasePriority::from_str(priority, true).ok()?.code()?;
        Some((priority.to_owned(), hours.parse().ok()?))
    });
    found.ok_or_else(|| "expected low, normal, high or urgent, and hours: urgent=1".to_owned())
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum GroupAccess {
    #[default]
    Read,
    Write,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum GroupDuty {
    /// Puts cases into groups
    Dispatch,
    /// Reads the cases of every group
    ReadAll,
    /// Comments on them and moves them on; needs `read_all`
    EditAll,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum StopwatchOption {
    Never,
    /// Asks from one minute on
    AskDelayed,
    Ask,
    /// Logs from one minute on
    AlwaysDelayed,
    Always,
}

#[derive(Debug, Subcommand)]
pub enum ParticipantCommand {
    /// List who of your company takes part in a case, and as what
    List { case: CaseId },
    /// Let a colleague take part
    Add {
        case: CaseId,
        /// The colleague, by id
        person: PersonId,
        /// staff, client, bot, or the id of a case role of the case's workspace
        role: String,
    },
    /// Let a colleague take part no longer
    Remove { case: CaseId, person: PersonId },
}

#[derive(Debug, Subcommand)]
pub enum CopyCommand {
    /// List who of your company is on a case's copy list
    List { case: CaseId },
    /// Put a colleague on it: they read the case and comment
    Add {
        case: CaseId,
        /// The colleague, by id
        person: PersonId,
    },
    /// Take a colleague off it
    Remove { case: CaseId, person: PersonId },
}

#[derive(Debug, Subcommand)]
pub enum EffortCommand {
    /// List the time that your company spent on a case
    List { case: CaseId },
    /// Say whether a session of yours counts
    Answer {
        case: CaseId,
        session: SessionId,
        #[arg(value_enum)]
        counts: YesNo,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum YesNo {
    Yes,
    No,
}

#[derive(Debug, Subcommand)]
pub enum WorkspaceCommand {
    /// List your workspaces
    List,
    /// A workspace's members and case roles
    Show { workspace: String },
    /// Found a workspace upon its first case
    Create {
        name: String,
        #[arg(long)]
        case: CaseId,
    },
    /// Make a colleague a member, or change what they are
    Join {
        workspace: String,
        /// The colleague, by id
        person: PersonId,
        #[arg(value_enum)]
        user_type: MemberType,
        /// A right that this manager has not; may be repeated
        #[arg(long = "without", value_enum)]
        revoked: Vec<ManagerRight>,
    },
    /// Take a membership away
    Leave { workspace: String, person: PersonId },
    /// List its cases that you may read
    Cases { workspace: String },
    /// Bring a case in
    Bring { workspace: String, case: CaseId },
    /// Take a case out
    Take { workspace: String, case: CaseId },
    /// Make a case role; with --role change one, for everyone who holds it
    Role {
        workspace: String,
        name: String,
        /// What it allows beside reading; may be repeated
        #[arg(long = "right", value_enum)]
        rights: Vec<RoleRight>,
        /// The case role to change, by id
        #[arg(long, value_name = "ID")]
        role: Option<crate::ids::CaseRoleId>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum MemberType {
    Manager,
    Staff,
    User,
    Bot,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum ManagerRight {
    Members,
    CaseRoles,
    Cases,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum RoleRight {
    Comment,
    ReadHistory,
}

#[derive(Debug, Subcommand)]
pub enum OrganisationCommand {
    /// List the organisations of your company
    List,
    /// An organisation's people, and every change of what they see
    Show { organisation: String },
    /// Add an organisation: people created from now on belong by their e-mail domain
    Add {
        name: String,
        /// May be repeated
        #[arg(long = "domain", required = true)]
        domains: Vec<String>,
        /// Who may change what its people see, by id; may be repeated
        #[arg(long = "approver", value_name = "PERSON")]
        approvers: Vec<PersonId>,
        /// It gives first-line support for others
        #[arg(long)]
        partner: bool,
        /// It is a client of a managed service: its people see no cases
        #[arg(long)]
        managed: bool,
    },
    /// Set its domains, for people created from now on
    Domains {
        organisation: String,
        #[arg(required = true)]
        domains: Vec<String>,
    },
    /// Set its approvers
    Approvers { organisation: String, approvers: Vec<PersonId> },
    /// Set what its people see of each other's cases
    Sees {
        organisation: String,
        #[arg(value_enum)]
        setting: Sees,
    },
    /// Agree, or no longer, that its partners may see all of its cases
    Agree {
        organisation: String,
        #[arg(value_enum)]
        to: OnOff,
    },
    /// Let its partners see all of its cases, once it has agreed
    Wide {
        organisation: String,
        #[arg(value_enum)]
        to: OnOff,
    },
    /// Let one of its people see all of its cases, or their own only
    Member {
        organisation: String,
        person: PersonId,
        #[arg(value_enum)]
        sees: MemberSees,
    },
    /// Put a case that you raised under another of your organisations
    Raise { case: CaseId, organisation: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Sees {
    OwnOnly,
    View,
    Comment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum MemberSees {
    OwnOnly,
    Organisation,
}

/// The name by which the API knows a value of the command line: the same.
pub(in crate::client) fn code(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::client::Cli;

    fn refused(args: &str) -> String {
        Cli::try_parse_from(args.split(' ')).unwrap_err().to_string()
    }

    #[test]
    fn escalation_names_its_hours_and_its_group() {
        let said = refused("caseway group add Desk --escalate-after 8");
        assert!(said.contains("--escalate-to"), "{said}");
        let said = refused("caseway group add Desk --escalate-to Second");
        assert!(said.contains("--escalate-after"), "{said}");
    }

    #[test]
    fn hours_of_a_priority_name_a_priority_that_there_is() {
        for wrong in ["urgent", "urgent=soon", "none=1", "asap=1", "urgent=-1"] {
            let said = refused(&format!(
                "caseway group add Desk --escalate-after 8 --escalate-to B --escalate-priority {wrong}"
            ));
            assert!(said.contains("urgent=1"), "{said}");
        }
        let said = refused("caseway group add Desk --escalate-priority urgent=1");
        assert!(said.contains("--escalate-to"), "{said}");
    }

    #[test]
    fn nobody_is_made_administrator() {
        let said = refused("caseway workspace join Presses ana administrator");
        assert!(said.contains("manager") && said.contains("staff"), "{said}");
    }

    #[test]
    fn nobody_takes_part_without_a_role() {
        let said = refused("caseway participant add CASE-1 ana");
        assert!(said.contains("<ROLE>"), "{said}");
    }
}
