//! The technician's and administrator's program: log in, look, switch, open.
//!
//! The door `caseway` drives it through [`main`]; so do tests, in process.
//!
//! ```text
//!   arguments --> cli --> login, cases, fleet --> api --> gate ==== HTTPS ====+
//!                   \                                                         |  gateway
//!                    +--> open: one session ---------------> gate == peer ====+
//!                           LISTEN 127.0.0.1:port <-- programs
//! ```
//!
//! What always holds: data goes to stdout and all else to stderr; a command that fails says so in
//! one line and ends with the [`Exit`] that tells why; a secret is never an argument and never
//! printed; nothing listens beyond this machine unless `--allow-remote-bind` says so.

mod api;
mod cases;
mod cli;
mod company;
mod exit;
mod fleet;
mod gate;
mod grammar;
mod groups;
mod invitations;
mod login;
mod models;
mod open;
mod outbound;
mod people;
mod provider;
mod secrets;
mod setup;
mod show;
mod state;
mod tokens;
mod workspaces;

use std::ffi::OsString;

use clap::Parser;

pub use cli::{
    Accept, AddAsset, AddUser, AddWebhook, Answering, Asking, AssetCommand, CarrierChoice,
    CaseCommand, CaseFilter, CaseKind, CasePriority, CaseSeverity, CaseState, CaseWords,
    ChangeRole, ChangeWebhook, Cli, Command, Common, CompanyCommand, CompanySettings, CopyCommand,
    CreateCase, CustomerCommand, DeviceCommand, EditAsset, EditCase, EditConfig, EditCustomer,
    EditRole, EffortCommand, FacilityCommand, FirstPassword, GivenRoles, GrantCommand, GroupAccess,
    GroupCommand, GroupDuty, GroupSettings, Import, ImportCommand, InvitationOut, InviteCommand,
    LinkCommand, Local, Login, MachineCommand, ManagerRight, MemberSees, MemberType, ModelCommand,
    ModelWords, NewConfig, Notifications, NotificationsCommand, OnOff, Open, OrganisationCommand,
    ParticipantCommand, PutCase, Reader, RoleCommand, RoleRight, ScopeWords, Sees,
    ServiceOrganisationCommand, StopwatchOption, SwitchChange, TemplateCommand, TokenCommand,
    TunnelCommand, UserCommand, Vnc, Wanted, WebhookCommand, Whose, WorkspaceCommand, YesNo,
};
pub use exit::{Exit, Failure};
pub use grammar::{Forward, ForwardTo, InvalidForward, InvalidTarget, NewTarget};
pub use show::Terminal;
pub use state::{Home, StateError};

use api::Api;
use show::Clock;
use state::LoggedIn;

use crate::{clock::Now, tasks::Stop};

/// What a command finds around it.
#[derive(Clone, Debug)]
pub struct Surroundings {
    pub terminal: Terminal,
    pub home: Home,
    /// Asked on Ctrl-C: what is open is closed, and the command ends. A program that the command
    /// runs gets its own Ctrl-C from the terminal, and ends when it wants to.
    pub interrupt: Stop,
    /// Asked when the command must end, with the program that it runs.
    pub stop: Stop,
}

/// Reads `args` (the program's name first), does what they ask, and says how it ended. What failed
/// has been told on stderr.
pub async fn main<A>(args: A, around: Surroundings) -> Exit
where
    A: IntoIterator,
    A::Item: Into<OsString> + Clone,
{
    match parse(args, &around.terminal) {
        Ok(cli) => run(cli, around).await,
        Err(exit) => exit,
    }
}

/// Reads `args`, the program's name first.
///
/// # Errors
///
/// The exit when there is nothing to do: help was asked for and given, or a mistake was told.
pub fn parse<A>(args: A, terminal: &Terminal) -> Result<Cli, Exit>
where
    A: IntoIterator,
    A::Item: Into<OsString> + Clone,
{
    Cli::try_parse_from(args).map_err(|error| usage(&error, terminal))
}

/// Does what a command line asks.
pub async fn run(cli: Cli, around: Surroundings) -> Exit {
    let Surroundings { terminal, home, interrupt, stop } = around;
    let here = Here { terminal: terminal.with(cli.common), home, interrupt, stop };
    match here.obey(cli.command).await {
        Ok(exit) => exit,
        Err(failure) => {
            here.terminal.failed(&failure);
            failure.exit
        }
    }
}

/// Tells why nothing could be done at all.
pub fn failed(terminal: &Terminal, exit: Exit, why: &dyn std::fmt::Display) -> Exit {
    terminal.failed(&Failure::new(exit, why));
    exit
}

/// Help and version are data; the rest is a mistake.
fn usage(error: &clap::Error, terminal: &Terminal) -> Exit {
    let text = error.render();
    let text = text.to_string();
    if error.use_stderr() {
        terminal.note(text.trim_end());
        Exit::Usage
    } else {
        terminal.data(text.trim_end());
        Exit::Done
    }
}

/// One command's surroundings, with its own flags applied.
#[derive(Debug)]
struct Here {
    terminal: Terminal,
    home: Home,
    interrupt: Stop,
    stop: Stop,
}

impl Here {
    async fn obey(&self, command: Command) -> Result<Exit, Failure> {
        match command {
            Command::Open(open) => return self.open(open).await,
            Command::Vnc(vnc) => return self.vnc(vnc).await,
            Command::Login(login) => self.log_in(login).await?,
            Command::Logout => self.log_out().await?,
            Command::Status => self.status().await?,
            Command::Cases(filter) => self.cases(filter).await?,
            Command::Case(command) => self.case(command).await?,
            Command::Assets => self.assets().await?,
            Command::Asset(command) => self.asset(command).await?,
            Command::Facility(command) => self.facility(command).await?,
            Command::Model(command) => self.model(command).await?,
            Command::Template(command) => self.template(command).await?,
            Command::Tunnel(command) => self.tunnel_config(command).await?,
            Command::Company(command) => self.company(command).await?,
            Command::User(command) => self.user(command).await?,
            Command::Role(command) => self.role(command).await?,
            Command::Invite(command) => self.invite(command).await?,
            Command::Token(command) => self.token(command).await?,
            Command::Customer(command) => self.customer(command).await?,
            Command::ServiceOrganisation(command) => self.service_organisation(command).await?,
            Command::Machine(command) => self.machine(command).await?,
            Command::Link(command) => self.link(command).await?,
            Command::Tunnels { case } => self.tunnels(&case).await?,
            Command::Why { case, tunnel } => self.why(&case, &tunnel).await?,
            Command::Sessions { all } => self.sessions(all).await?,
            Command::End { session } => self.end(&session).await?,
            Command::Device(command) => self.device(command).await?,
            Command::Group(command) => self.group(command).await?,
            Command::Participant(command) => self.participant(command).await?,
            Command::Copy(command) => self.copy_list(command).await?,
            Command::Effort(command) => self.effort(command).await?,
            Command::Workspace(command) => self.workspace(command).await?,
            Command::Organisation(command) => self.organisation(command).await?,
            Command::Import(command) => self.import(command).await?,
            Command::Webhook(command) => self.webhook(command).await?,
            Command::Notifications(asked) => self.notifications(asked).await?,
            Command::Audit { case } => self.audit(&case).await?,
        }
        Ok(Exit::Done)
    }

    /// The log-in of this machine, unless it is over.
    fn logged_in(&self) -> Result<LoggedIn, Failure> {
        let login = self.home.login()?;
        if login.token_expires <= Now::read().wall {
            let what = format!("the log-in at {} has expired", login.gateway.url);
            return Err(Failure::new(Exit::NotLoggedIn, what)
                .hint(format!("log in again: `caseway login {}`", login.gateway.url)));
        }
        Ok(login)
    }

    fn api(&self) -> Result<Api, Failure> {
        let login = self.logged_in()?;
        Ok(Api::with_token(&login.gateway, login.token)?)
    }

    #[expect(clippy::unused_self, reason = "reads as what it is: the time here")]
    fn clock(&self) -> Clock {
        Clock::local(Now::read().wall)
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        let what = error.to_string();
        match error {
            StateError::NotLoggedIn => {
                Self::new(Exit::NotLoggedIn, what).hint("log in with `caseway login URL`")
            }
            StateError::NoHome => Self::new(Exit::Usage, what).hint("set CASEWAY_HOME"),
            StateError::Damaged { .. } => {
                Self::new(Exit::Other, what).hint("remove it and log in again")
            }
            StateError::Read { .. } | StateError::Write { .. } => {
                Self::new(Exit::Other, what).hint("see who owns it and what its permissions are")
            }
        }
    }
}
