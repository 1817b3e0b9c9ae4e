//! How a command ends: its exit code, and the one line that says what failed and what to do next.

use std::{fmt, process::ExitCode};

/// The exit codes that other programs may rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It was done.
    Done,
    /// What no other code says.
    Other,
    /// The command line, or something it named, is wrong.
    Usage,
    /// Nobody is logged in here, or the log-in has expired.
    NotLoggedIn,
    /// The rules refuse it; the reason's code is on stderr.
    Refused,
    /// The machine's edge device is not connected.
    DeviceOffline,
    /// No answer in time.
    TimedOut,
    /// The gateway cannot be reached, or was lost.
    Unreachable,
    /// The session was ended by the other side; the cause's code is on stderr.
    Ended,
    /// A program that was run for the session ended with this code.
    Program(u8),
}

impl Exit {
    /// The number that the process ends with.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Other => 1,
            Self::Usage => 2,
            Self::NotLoggedIn => 3,
            Self::Refused => 4,
            Self::DeviceOffline => 5,
            Self::TimedOut => 6,
            Self::Unreachable => 7,
            Self::Ended => 8,
            Self::Program(code) => code,
        }
    }

    /// The exit for a refusal with this reason code (domain.md J, or `unavailable`, `draining`).
    #[must_use]
    pub fn of_reason(reason: &str) -> Self {
        match reason {
            "edge_offline" => Self::DeviceOffline,
            "unauthenticated" => Self::NotLoggedIn,
            "unavailable" | "draining" | "internal" => Self::Other,
            _ => Self::Refused,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command was not done, for a person and for a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub exit: Exit,
    /// A reason or cause code, where there is one.
    pub code: Option<String>,
    /// What failed.
    pub what: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl Failure {
    pub(super) fn new(exit: Exit, what: impl fmt::Display) -> Self {
        Self { exit, code: None, what: what.to_string(), hint: None }
    }

    pub(super) fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    pub(super) fn code(mut self, code: impl fmt::Display) -> Self {
        self.code = Some(code.to_string());
        self
    }
}

/// `what [code]; hint`, on one line; the code once.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if let Some(code) = self.code.as_ref().filter(|code| !self.what.ends_with(*code)) {
            write!(f, " [{code}]")?;
        }
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_that_the_manual_promises() {
        let all = [
            (Exit::Done, 0),
            (Exit::Other, 1),
            (Exit::Usage, 2),
            (Exit::NotLoggedIn, 3),
            (Exit::Refused, 4),
            (Exit::DeviceOffline, 5),
            (Exit::TimedOut, 6),
            (Exit::Unreachable, 7),
            (Exit::Ended, 8),
            (Exit::Program(42), 42),
        ];
        for (exit, code) in all {
            assert_eq!(exit.code(), code, "{exit:?}");
        }
    }

    #[test]
    fn an_offline_device_has_an_exit_code_of_its_own_among_refusals() {
        assert_eq!(Exit::of_reason("edge_offline"), Exit::DeviceOffline);
        assert_eq!(Exit::of_reason("switch_off"), Exit::Refused);
        assert_eq!(Exit::of_reason("not_found"), Exit::Refused);
        assert_eq!(Exit::of_reason("unavailable"), Exit::Other);
    }

    #[test]
    fn a_failure_is_one_line_with_its_code_and_what_to_do() {
        let failure = Failure::new(Exit::Refused, "refused").code("switch_off").hint("ask");
        assert_eq!(failure.to_string(), "refused [switch_off]; ask");
    }
}
