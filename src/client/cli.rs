//! The command line, as typed.

mod admin;
mod cases;
mod company;
mod groups;
mod machines;
mod outbound;
mod provider;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(super) use admin::standard_roles;
pub use admin::{
    AddAsset, AddUser, FirstPassword, GivenRoles, GrantCommand, ScopeWords, UserCommand,
};
pub use cases::{
    Answering, Asking, CaseCommand, CaseFilter, CaseKind, CasePriority, CaseSeverity, CaseState,
    CaseWords, CreateCase, EditCase, PutCase,
};
pub use company::{
    Accept, ChangeRole, CompanyCommand, CompanySettings, EditRole, InvitationOut, InviteCommand,
    Reader, RoleCommand, TokenCommand, Whose,
};
pub(super) use groups::code;
pub use groups::{
    CopyCommand, EffortCommand, GroupAccess, GroupCommand, GroupDuty, GroupSettings, ManagerRight,
    MemberSees, MemberType, OrganisationCommand, ParticipantCommand, RoleRight, Sees,
    StopwatchOption, WorkspaceCommand, YesNo,
};
pub use machines::{
    AssetCommand, EditAsset, EditConfig, FacilityCommand, ModelCommand, ModelWords, NewConfig,
    TemplateCommand, TunnelCommand,
};
pub use outbound::{
    AddWebhook, ChangeWebhook, Import, ImportCommand, Notifications, NotificationsCommand, Wanted,
    WebhookCommand,
};
pub use provider::{
    CustomerCommand, EditCustomer, LinkCommand, MachineCommand, ServiceOrganisationCommand,
};

use super::grammar::{Forward, parse_duration};
use crate::{
    ids::{AssetId, CaseId, DeviceId, Name, SessionId},
    transport::GatewayUrl,
};

const EXIT_CODES: &str = "\
Exit codes:
  0 done               3 not logged in       6 timed out
  1 anything else      4 refused by policy   7 gateway unreachable
  2 usage              5 device offline      8 session ended by the other side";

/// Reach a machine through its service case.
#[derive(Debug, Parser)]
#[command(name = "caseway", version, about, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Clone, Copy, Debug, Args)]
pub struct Common {
    /// Print JSON, one value a line
    #[arg(long, global = true)]
    pub json: bool,
    /// Print errors only on stderr
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Say more on stderr; twice for more still
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Log in to a gateway and get this machine's certificate
    Login(Login),
    /// Forget the log-in, here and at the gateway
    Logout,
    /// Who is logged in, where, until when
    Status,
    /// List service cases
    Cases(CaseFilter),
    /// Show and change one service case
    #[command(subcommand)]
    Case(CaseCommand),
    /// List assets
    Assets,
    /// Assets: add, edit, pair, take out of service, switch, see what was changed
    #[command(subcommand)]
    Asset(AssetCommand),
    /// Facilities: the places that your assets stand in
    #[command(subcommand)]
    Facility(FacilityCommand),
    /// Machine models: what your machines have in common
    #[command(subcommand)]
    Model(ModelCommand),
    /// Tunnel templates of a machine model
    #[command(subcommand)]
    Template(TemplateCommand),
    /// List a case's tunnels, and which of them you may open now
    Tunnels {
        /// The case, such as CASE-7
        case: CaseId,
    },
    /// An asset's tunnels: list, add, edit, remove, confirm
    #[command(subcommand)]
    Tunnel(TunnelCommand),
    /// Open a tunnel: local ports that lead to the machine
    Open(Open),
    /// Open a case's screen tunnel for a native VNC viewer
    Vnc(Vnc),
    /// Say why a tunnel opens, or what would make it open
    Why {
        /// The case, such as CASE-7
        case: CaseId,
        /// The tunnel: `caseway tunnels` lists them
        tunnel: Name,
    },
    /// List sessions
    Sessions {
        /// Ended ones too
        #[arg(long)]
        all: bool,
    },
    /// End a session
    End {
        /// The session: `caseway sessions` lists them
        session: SessionId,
    },
    /// Edge devices: add, enrol, pair
    #[command(subcommand)]
    Device(DeviceCommand),
    /// Your company: its name and settings
    #[command(subcommand)]
    Company(CompanyCommand),
    /// People of your company: add, give roles, disable, remove
    #[command(subcommand)]
    User(UserCommand),
    /// Roles of your company's own: any permissions, under a name
    #[command(subcommand)]
    Role(RoleCommand),
    /// Invitations: send, withdraw, accept
    #[command(subcommand)]
    Invite(InviteCommand),
    /// Tokens with which programs read: your own, or a colleague's
    #[command(subcommand)]
    Token(TokenCommand),
    /// Customers: the companies whose machines yours serves
    #[command(subcommand)]
    Customer(CustomerCommand),
    /// Service organisations: what your customers are grouped by
    #[command(subcommand)]
    ServiceOrganisation(ServiceOrganisationCommand),
    /// Your customers' machines: add, say of which model
    #[command(subcommand)]
    Machine(MachineCommand),
    /// Links between a provider's machines and an operator's assets: propose, accept, remove
    #[command(subcommand)]
    Link(LinkCommand),
    /// Groups that answer for cases: members, duties, working hours; which case is in which
    #[command(subcommand)]
    Group(GroupCommand),
    /// Who takes part in a case, beside those with roles
    #[command(subcommand)]
    Participant(ParticipantCommand),
    /// A case's copy list
    #[command(subcommand)]
    Copy(CopyCommand),
    /// Time spent on a case
    #[command(subcommand)]
    Effort(EffortCommand),
    /// Workspaces: divisions of your company's cases
    #[command(subcommand)]
    Workspace(WorkspaceCommand),
    /// Organisations: people of an e-mail domain, and what they see of each other's cases
    #[command(subcommand)]
    Organisation(OrganisationCommand),
    /// Import people or assets from a CSV file
    #[command(subcommand)]
    Import(ImportCommand),
    /// Webhooks of your company: add, test, see what was sent
    #[command(subcommand)]
    Webhook(WebhookCommand),
    /// What you are told by mail
    Notifications(Notifications),
    /// A case's audit log
    Audit {
        #[arg(long)]
        case: CaseId,
    },
}

impl Command {
    /// Whether it stays until somebody ends it; the others end by themselves.
    #[must_use]
    pub fn stays(&self) -> bool {
        matches!(self, Self::Open(_) | Self::Vnc(_))
    }
}

/// Whom to log in, and where.
#[derive(Debug, Args)]
pub struct Login {
    /// The gateway.
    #[arg(value_name = "URL", help = "The gateway, such as https://gateway.example:8443")]
    pub url: GatewayUrl,
    /// The certificate authority to trust: the gateway's ca.pem
    #[arg(long, value_name = "FILE", env = "CASEWAY_CA", hide_env_values = true)]
    pub ca: Option<PathBuf>,
    /// E-mail address; asked for when missing
    #[arg(long, env = "CASEWAY_USER")]
    pub user: Option<String>,
    /// Holds the password; asked for when missing
    #[arg(long, value_name = "FILE", env = "CASEWAY_PASSWORD_FILE")]
    pub password_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnOff {
    On,
    Off,
}

/// A turn of a remote-access switch.
#[derive(Debug, Args)]
pub struct SwitchChange {
    /// Which way
    pub to: OnOff,
    /// Turns itself off after this long, such as 4h or 90m
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    pub lasting: Option<std::time::Duration>,
    /// Kept in the audit log
    #[arg(long)]
    pub reason: Option<String>,
}

/// Which carrier the legs take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CarrierChoice {
    #[default]
    Auto,
    Tcp,
    Quic,
}

#[derive(Debug, Args)]
pub struct Open {
    /// The case; with --asset, the asset
    #[arg(value_name = "CASE")]
    pub subject: String,
    /// The tunnel: `caseway tunnels` lists them
    pub tunnel: Name,
    /// Take CASE as an asset: remote access under the asset's own switch
    #[arg(long)]
    pub asset: bool,
    #[command(flatten)]
    pub local: Local,
    /// Run this program with `CASEWAY_ADDR_<TARGET>` set, and end with its exit code
    #[arg(last = true, value_name = "PROGRAM")]
    pub program: Vec<std::ffi::OsString>,
}

/// The local side of an open tunnel.
#[derive(Debug, Default, Args)]
pub struct Local {
    /// A local listener; TARGET is a name or HOST:PORT, and port 0 any free one
    #[arg(short = 'L', value_name = "[BIND:]PORT[:TARGET]")]
    pub forward: Vec<Forward>,
    /// A local SOCKS5 port that reaches every TCP target of the tunnel
    #[arg(long, value_name = "PORT")]
    pub socks: Option<u16>,
    /// How to reach the gateway: auto is TCP, and QUIC where TCP fails
    #[arg(long, value_enum, default_value_t)]
    pub carrier: CarrierChoice,
    /// Let listeners be reached from other machines
    #[arg(long)]
    pub allow_remote_bind: bool,
    /// Kept in the audit log
    #[arg(long)]
    pub reason: Option<String>,
}

#[derive(Debug, Args)]
pub struct Vnc {
    /// The case, such as CASE-7
    pub case: CaseId,
    /// The tunnel, where the case has several of kind vnc
    pub tunnel: Option<Name>,
    /// Run this viewer with HOST::PORT, and end with its exit code
    #[arg(long, value_name = "PROGRAM")]
    pub viewer: Option<std::ffi::OsString>,
    #[command(flatten)]
    pub local: Local,
}

#[derive(Debug, Subcommand)]
pub enum DeviceCommand {
    /// List edge devices
    List,
    /// Create an edge device, and pair it where an asset is given
    Add {
        name: String,
        #[arg(long)]
        asset: Option<AssetId>,
        /// It serves several assets
        #[arg(long)]
        multi: bool,
    },
    /// Make a one-time enrolment token, into a file that only you can read
    Enrolment {
        device: DeviceId,
        /// Where to put it; default: DEVICE.enrolment
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Pair an edge device with an asset
    Pair { asset: AssetId, device: DeviceId },
    /// Take an asset's edge device away; its sessions end
    Unpair {
        asset: AssetId,
        /// The one that is paired; only for the eye
        device: Option<DeviceId>,
    },
    /// Let an edge device in no more, for good: its sessions end
    Revoke { device: DeviceId },
}
