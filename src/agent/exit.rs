//! How a command fails: an exit code that programs read, a line that people read.

use std::{error::Error, fmt};

use super::{enrol::EnrolError, link::AgentError, papers::PapersError, status::StatusError};
use crate::{telemetry::one_line, transport};

/// The exit codes of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Other = 1,
    /// A flag, a config file, or a device that is not enrolled.
    Usage = 2,
    /// The gateway said no.
    Refused = 4,
    Unreachable = 7,
}

/// A command that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub exit: Exit,
    /// What failed and what to do, in one line.
    pub line: String,
}

impl Failure {
    /// A failure that no error stands behind.
    #[must_use]
    pub fn new(exit: Exit, line: impl Into<String>) -> Self {
        Self { exit, line: line.into() }
    }

    fn of(exit: Exit, error: &dyn Error) -> Self {
        Self { exit, line: one_line(error) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

impl From<PapersError> for Failure {
    fn from(error: PapersError) -> Self {
        let exit = match error {
            PapersError::NotEnrolled => Exit::Usage,
            PapersError::Read { .. }
            | PapersError::Write { .. }
            | PapersError::Exposed(_)
            | PapersError::Malformed(..)
            | PapersError::Version(_)
            | PapersError::Url(_)
            | PapersError::Identity(_)
            | PapersError::Trust(_)
            | PapersError::OtherDevice(_)
            | PapersError::WarrantKey => Exit::Other,
        };
        Self::of(exit, &error)
    }
}

/// What to do about an enrolment without an answer, where the error does not say it itself.
fn next_step(error: &transport::EnrolError) -> &'static str {
    use transport::{DialError, EnrolError};
    match error {
        EnrolError::Dial(
            DialError::Connect { .. } | DialError::Timeout { .. } | DialError::Neither { .. },
        ) => "; is the address right, and the gateway running?",
        EnrolError::Dial(
            DialError::ProxyConnect { .. }
            | DialError::ProxyRefused { .. }
            | DialError::ProxyMalformed { .. },
        ) => "; see the proxy's settings in agent.toml",
        EnrolError::Dial(
            DialError::Resolve { .. }
            | DialError::Tls { .. }
            | DialError::NoIdentity
            | DialError::Name(_),
        ) => "",
        EnrolError::Read(_) => "; is it a Caseway gateway of this version?",
        EnrolError::Send(_) | EnrolError::Timeout | EnrolError::Ended => "; try again",
    }
}

impl From<EnrolError> for Failure {
    fn from(error: EnrolError) -> Self {
        let exit = match &error {
            EnrolError::Already { .. } | EnrolError::Trust(_) => Exit::Usage,
            EnrolError::Refused { .. } => Exit::Refused,
            EnrolError::Transport(transport) => match transport {
                transport::EnrolError::Dial(_)
                | transport::EnrolError::Send(_)
                | transport::EnrolError::Read(_)
                | transport::EnrolError::Timeout
                | transport::EnrolError::Ended => Exit::Unreachable,
            },
            EnrolError::Papers(_) | EnrolError::Key(_) | EnrolError::Lost(_) => Exit::Other,
        };
        let mut failure = Self::of(exit, &error);
        if let EnrolError::Transport(error) = &error {
            failure.line.push_str(next_step(error));
        }
        failure
    }
}

impl From<AgentError> for Failure {
    fn from(error: AgentError) -> Self {
        match error {
            AgentError::Papers(papers) => papers.into(),
            AgentError::Running(_) | AgentError::Dir { .. } | AgentError::Status { .. } => {
                Self::of(Exit::Other, &error)
            }
        }
    }
}

impl From<StatusError> for Failure {
    fn from(error: StatusError) -> Self {
        Self::of(Exit::Other, &error)
    }
}
