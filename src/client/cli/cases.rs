//! The part of the command line that is about service cases.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::{OnOff, SwitchChange, YesNo};
use crate::{
    client::grammar::parse_duration,
    ids::{AssetId, CaseId, MachineId, PersonId, RequestId},
};

/// Which cases to list.
#[derive(Debug, Args)]
pub struct CaseFilter {
    /// Of this type only
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<CaseKind>,
    /// In this state only
    #[arg(long)]
    pub state: Option<CaseState>,
    /// Those that are not closed
    #[arg(long, conflicts_with_all = ["closed", "state"])]
    pub open: bool,
    /// Those that are closed
    #[arg(long, conflicts_with = "state")]
    pub closed: bool,
    /// About this asset only
    #[arg(long)]
    pub asset: Option<AssetId>,
    /// Assigned to this person only, by id
    #[arg(long, value_name = "PERSON", conflicts_with = "mine")]
    pub assignee: Option<PersonId>,
    /// Assigned to you only
    #[arg(long)]
    pub mine: bool,
    /// Of this severity only
    #[arg(long)]
    pub severity: Option<CaseSeverity>,
    /// With remote access on, or off
    #[arg(long)]
    pub switch: Option<OnOff>,
    /// With this number in the company's own ticket system
    #[arg(long, value_name = "ID")]
    pub external_id: Option<String>,
    /// Words in the title
    #[arg(long, short = 's', value_name = "TEXT")]
    pub search: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum CaseKind {
    Shared,
    OperatorInternal,
    ProviderInternal,
}

impl CaseKind {
    pub(in crate::client) fn code(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::OperatorInternal => "operator_internal",
            Self::ProviderInternal => "provider_internal",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum CaseState {
    New,
    InProgress,
    Closed,
}

impl CaseState {
    pub(in crate::client) fn code(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::InProgress => "in_progress",
            Self::Closed => "closed",
        }
    }
}

/// How hard production is hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CaseSeverity {
    /// The machine produces nothing
    Stopped,
    /// It produces less, slower or worse
    Degraded,
    /// It produces as it should
    Running,
}

impl CaseSeverity {
    pub(in crate::client) fn code(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Degraded => "degraded",
            Self::Running => "running",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CasePriority {
    Low,
    Normal,
    High,
    Urgent,
    /// Takes the priority away
    None,
}

impl CasePriority {
    /// `None` takes it away.
    pub(in crate::client) fn code(self) -> Option<&'static str> {
        match self {
            Self::Low => Some("low"),
            Self::Normal => Some("normal"),
            Self::High => Some("high"),
            Self::Urgent => Some("urgent"),
            Self::None => None,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum CaseCommand {
    /// Everything about one case
    Show {
        /// The case, such as CASE-7
        case: CaseId,
    },
    /// Create a case
    Create(CreateCase),
    /// Bring a case to what an outside ticket system says, by its number there; create it if new
    Put(PutCase),
    /// Change what it tells
    Edit(EditCase),
    /// Set its state
    State {
        /// The case, such as CASE-7
        case: CaseId,
        state: CaseState,
    },
    /// Close it: its switch goes off and its sessions end
    Close {
        /// The case, such as CASE-7
        case: CaseId,
    },
    /// Open it again; its switch stays off
    Reopen {
        /// The case, such as CASE-7
        case: CaseId,
    },
    /// Give it to somebody
    Assign {
        /// The case, such as CASE-7
        case: CaseId,
        /// Who is to work on it, by id
        #[arg(required_unless_present = "nobody", conflicts_with = "nobody")]
        person: Option<PersonId>,
        /// Take it from whoever has it
        #[arg(long)]
        nobody: bool,
    },
    /// Turn its remote access on or off
    Switch {
        /// The case, such as CASE-7
        case: CaseId,
        #[command(flatten)]
        change: SwitchChange,
    },
    /// Ask the operator to turn its remote access on
    Request(Asking),
    /// List requests for remote access: those that wait for an answer, or those of one case
    Requests {
        /// The case, such as CASE-7
        case: Option<CaseId>,
        /// Answered ones too
        #[arg(long)]
        all: bool,
    },
    /// Answer a request for remote access
    Answer(Answering),
    /// Say something in its conversation
    Say {
        /// The case, such as CASE-7
        case: CaseId,
        text: String,
        /// Whom it is for, by id; may be repeated
        #[arg(long = "mention", value_name = "PERSON")]
        mentions: Vec<PersonId>,
    },
    /// Its conversation
    Messages {
        /// The case, such as CASE-7
        case: CaseId,
    },
    /// What happened to it: changes, switches, requests, refusals, sessions
    History {
        /// The case, such as CASE-7
        case: CaseId,
    },
}

#[derive(Debug, Args)]
pub struct CreateCase {
    /// Who takes part in it
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: CaseKind,
    /// The asset it is about
    #[arg(long, required_unless_present = "machine", conflicts_with = "machine")]
    pub asset: Option<AssetId>,
    /// The customer machine it is about, as its provider knows it
    #[arg(long)]
    pub machine: Option<MachineId>,
    /// What is wrong, in a few words
    #[arg(long)]
    pub title: String,
    #[command(flatten)]
    pub about: CaseWords,
    /// For which of your organisations, by name or id; who belongs to several must say
    #[arg(long, value_name = "ORGANISATION")]
    pub organisation: Option<String>,
}

/// Of a case that is there, what is left out stays; its type and its machine must be the same.
#[derive(Debug, Args)]
pub struct PutCase {
    /// Its number in the outside ticket system
    #[arg(value_name = "EXTERNAL_ID")]
    pub known_as: String,
    #[command(flatten)]
    pub create: CreateCase,
    /// The state that it should be in
    #[arg(long)]
    pub state: Option<CaseState>,
}

/// New values; what is left out stays, and an empty text takes the value away.
#[derive(Debug, Args)]
pub struct EditCase {
    /// The case, such as CASE-7
    pub case: CaseId,
    /// What is wrong, in a few words
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    #[command(flatten)]
    pub about: CaseWords,
    /// Only if it still stands at this revision, as `case show` says
    #[arg(long, value_name = "NUMBER")]
    pub if_revision: Option<u64>,
}

/// What is said of a case beside its title.
#[derive(Debug, Args)]
pub struct CaseWords {
    /// How hard production is hit; of a new case the machine's operator must say it
    #[arg(long)]
    pub severity: Option<CaseSeverity>,
    /// What is wrong, at length
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// Whom to call
    #[arg(long, value_name = "NUMBER")]
    pub phone: Option<String>,
    /// Whom to write to; of a new case you, where none is given, and nobody where it is empty
    #[arg(long, value_name = "ADDRESS")]
    pub email: Option<String>,
    /// How soon the provider looks at it
    #[arg(long)]
    pub priority: Option<CasePriority>,
    /// Its number in the company's own ticket system
    #[arg(long, value_name = "ID")]
    pub external_id: Option<String>,
}

/// A request for remote access.
#[derive(Debug, Args)]
pub struct Asking {
    /// The case, such as CASE-7
    pub case: CaseId,
    /// What for; the operator reads it
    #[arg(long, required_unless_present = "withdraw", conflicts_with = "withdraw")]
    pub reason: Option<String>,
    /// For how long, such as 4h; else until somebody turns it off
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    #[arg(conflicts_with = "withdraw")]
    pub lasting: Option<Duration>,
    /// Take your open request back
    #[arg(long)]
    pub withdraw: bool,
}

/// An answer to a request.
#[derive(Debug, Args)]
pub struct Answering {
    /// The case, such as CASE-7
    pub case: CaseId,
    /// Yes turns remote access on
    pub answer: YesNo,
    /// Which request, where several wait: `caseway case requests` lists them
    #[arg(long, value_name = "ID")]
    pub request: Option<RequestId>,
    /// With yes: for how long, such as 4h, instead of what was asked for
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    pub lasting: Option<Duration>,
    /// With no: why not; the asker reads it
    #[arg(long)]
    pub reason: Option<String>,
}
