//! How a session ends, what was refused, and what a person can do about either.

use std::fmt;

use super::Subject;
use crate::{
    audit::{EndCause, OfferFault},
    client::{Exit, Failure, api::hint},
    ids::Name,
    machines::Destination,
};

/// How a line to the gateway ended, or the session on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Ended(EndCause),
    /// The gateway sent us away.
    Goodbye {
        code: String,
        detail: String,
    },
    /// The gateway is gone.
    Lost(String),
}

/// A session that was not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OpenFault {
    Refused {
        reason: String,
        detail: String,
    },
    /// No answer in time.
    TimedOut,
    /// The line ended first.
    Over,
}

/// A channel that was not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ChannelFault {
    Refused {
        fault: OfferFault,
        detail: String,
    },
    /// No answer in time.
    TimedOut,
    /// The session is.
    Over,
    /// The gateway let the channel open, and the leg was not joined or not sealed.
    Leg(String),
    /// It was let open and taken back before the leg came; the gateway says why on the line.
    TakenBack(String),
}

impl fmt::Display for ChannelFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { fault, detail } if says_all(*fault) || detail.is_empty() => {
                f.write_str(words(*fault))
            }
            Self::Refused { fault, detail } => write!(f, "{} ({detail})", words(*fault)),
            Self::TimedOut => f.write_str("no answer in time"),
            Self::Over => f.write_str("the session is over"),
            Self::Leg(how) | Self::TakenBack(how) => f.write_str(how),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Case(case) => case.fmt(f),
            Self::Asset(asset) => asset.fmt(f),
        }
    }
}

impl Fate {
    pub(super) fn failure(self, subject: &Subject) -> Failure {
        match self {
            Self::Ended(cause) => {
                Failure::new(Exit::Ended, format!("session ended: {}", cause.code()))
                    .code(cause.code())
                    .hint(remedy(cause, subject))
            }
            Self::Goodbye { code, detail } => {
                let what = format!("the gateway ended the connection: {detail}");
                Failure::new(Exit::Unreachable, what)
                    .code(code)
                    .hint("are program and gateway of one version, and the clocks right?")
            }
            Self::Lost(how) => {
                Failure::new(Exit::Unreachable, format!("the gateway is gone: {how}"))
                    .hint("see the network, then open the tunnel again")
            }
        }
    }
}

impl OpenFault {
    pub(super) fn failure(self, subject: &Subject, tunnel: &Name) -> Failure {
        match self {
            Self::Refused { reason, detail } => {
                let mut what = format!("tunnel {tunnel} of {subject} was refused");
                if !detail.is_empty() {
                    what = format!("{what}: {detail}");
                }
                let failure = Failure::new(Exit::of_reason(&reason), what).code(&reason);
                failure.hint(next_step(&reason, subject, tunnel))
            }
            Self::TimedOut => {
                let what = "the gateway did not say in time whether the tunnel may open";
                Failure::new(Exit::TimedOut, what).hint("try again")
            }
            Self::Over => Failure::new(Exit::Unreachable, "the gateway is gone").hint("try again"),
        }
    }
}

impl ChannelFault {
    /// What became of a connection to `target`, and what to do about it.
    pub(super) fn of(&self, target: &Name, destination: &Destination) -> String {
        let at = destination.to_string();
        // The device's words begin with the address, which is said once here.
        let why = self.to_string().replacen(&format!("({at}: "), "(", 1);
        let next = match self {
            Self::Refused { fault: OfferFault::Target, .. } => "; does its service run?",
            Self::Refused { fault: OfferFault::Ceiling, .. } => {
                "; whoever looks after the device can add it to its ceiling.toml"
            }
            Self::Refused { .. }
            | Self::TimedOut
            | Self::Over
            | Self::Leg(_)
            | Self::TakenBack(_) => "",
        };
        format!("{target} ({at}): connection refused: {why}{next}")
    }

    /// Whether another channel's end makes room for this one.
    pub(super) fn passes(&self) -> bool {
        matches!(self, Self::Refused { fault: OfferFault::Limit, .. })
    }

    /// Channel 0 is the session's own: without it there is none.
    pub(super) fn failure(self) -> Failure {
        let what = format!("the device did not take the session: {self}");
        match self {
            Self::Refused { fault: OfferFault::LocalSwitch, .. } => {
                Failure::new(Exit::Refused, what)
                    .code("edge_refused")
                    .hint("somebody at the machine must allow it on the device")
            }
            Self::Refused { fault: OfferFault::Warrant | OfferFault::Ceiling, .. } => {
                Failure::new(Exit::Refused, what)
                    .code("edge_refused")
                    .hint("the device's own log says why; are the clocks right?")
            }
            Self::TimedOut => Failure::new(Exit::TimedOut, what).hint("try again"),
            Self::Refused { .. } | Self::Leg(_) | Self::TakenBack(_) | Self::Over => {
                Failure::new(Exit::Other, what).hint("try again")
            }
        }
    }
}

/// Whether there is nothing to add to [`words`].
fn says_all(fault: OfferFault) -> bool {
    matches!(fault, OfferFault::Ceiling | OfferFault::LocalSwitch | OfferFault::Limit)
}

fn words(fault: OfferFault) -> &'static str {
    match fault {
        OfferFault::Warrant => "the device does not believe the gateway's warrant",
        OfferFault::Ceiling => "the device's own ceiling does not allow it",
        OfferFault::LocalSwitch => "remote access is off at the device",
        OfferFault::Target => "the machine does not answer there",
        OfferFault::Limit => "the session has as many channels as it may",
        OfferFault::NoSession => "the session is not there",
        OfferFault::NotGranted => "not within the tunnel's targets",
        OfferFault::Internal => "something failed at the gateway or the device",
    }
}

/// What a person can do about a refusal; the checks explain only what the rules refused.
fn next_step(reason: &str, subject: &Subject, tunnel: &Name) -> String {
    let told = hint(reason).unwrap_or_default();
    let more = match subject {
        _ if matches!(reason, "unavailable" | "draining" | "internal") => String::new(),
        Subject::Case(case) => format!("see `caseway why {case} {tunnel}`"),
        Subject::Asset(_) => "see `caseway assets`".to_owned(),
    };
    let told = match subject {
        Subject::Case(case) => told.replace("CASE", case.as_str()),
        Subject::Asset(asset) => told.replace("case switch CASE", &format!("asset switch {asset}")),
    };
    [told, more].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

/// What a person can do about the end of a session.
fn remedy(cause: EndCause, subject: &Subject) -> String {
    match cause {
        EndCause::SwitchOff => format!(
            "it was turned off, or its time was up; ask for `caseway case switch {subject} on`"
        ),
        EndCause::AssetSwitchOff => format!(
            "it was turned off, or its time was up; ask for `caseway asset switch {subject} on`"
        ),
        EndCause::CaseClosed => format!("reopen it with `caseway case reopen {subject}`"),
        EndCause::UserClosed => "it was ended from elsewhere".to_owned(),
        EndCause::AssetDeactivated => "the machine was taken out of use".to_owned(),
        EndCause::LinkRemoved => "the machine is no longer linked with its provider".to_owned(),
        EndCause::RoleRevoked | EndCause::ScopeRevoked | EndCause::UserDisabled => {
            "ask your tenant's administrator".to_owned()
        }
        EndCause::EdgeOffline => {
            "the edge device went offline; try again when it is back".to_owned()
        }
        EndCause::EdgeUnpaired => "the edge device was taken from the machine".to_owned(),
        EndCause::EdgeRefused => {
            "the device lets nobody in: turned off at the machine, or its log says why".to_owned()
        }
        EndCause::ConfigDeleted => {
            format!("the tunnel was changed; see `caseway tunnels {subject}`")
        }
        EndCause::IdleTimeout => "nothing was sent for too long; open it again".to_owned(),
        EndCause::MaxDuration => "a session may last only so long; open it again".to_owned(),
        EndCause::NeverStarted => "the two ends did not meet in time; try again".to_owned(),
        EndCause::TargetRefused => "the machine refused; does its service run?".to_owned(),
        EndCause::ClientLost => "the gateway lost this program; see the network".to_owned(),
        EndCause::GatewayShutdown => "the gateway restarts; try again in a moment".to_owned(),
        EndCause::AdminTerminated => "somebody who may ended it; ask before the next".to_owned(),
        EndCause::DecisionLost => "the gateway could not check the rules any more".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case() -> Subject {
        Subject::Case("CASE-7".parse().unwrap())
    }

    #[test]
    fn an_ended_session_says_why_once_and_what_to_do() {
        let failure = Fate::Ended(EndCause::SwitchOff).failure(&case());
        assert_eq!(failure.exit, Exit::Ended);
        insta::assert_snapshot!(failure, @r"
        session ended: switch_off; it was turned off, or its time was up; ask for `caseway case switch CASE-7 on`
        ");
    }

    #[test]
    fn a_refusal_names_its_reason_and_the_command_that_explains_it() {
        let refused = |reason: &str, detail: &str| {
            let fault = OpenFault::Refused { reason: reason.into(), detail: detail.into() };
            fault.failure(&case(), &"plc".parse().unwrap())
        };
        let failure = refused("switch_off", "remote access is switched off");
        assert_eq!(failure.exit, Exit::Refused);
        insta::assert_snapshot!(failure, @r"
        tunnel plc of CASE-7 was refused: remote access is switched off [switch_off]; ask the machine's operator to turn it on: `caseway case switch CASE-7 on`; see `caseway why CASE-7 plc`
        ");
        assert_eq!(refused("edge_offline", "").exit, Exit::DeviceOffline);
        assert_eq!(refused("unavailable", "").exit, Exit::Other);
    }

    #[test]
    fn only_a_limit_passes_by_itself() {
        let refused = |fault| ChannelFault::Refused { fault, detail: String::new() };
        assert!(refused(OfferFault::Limit).passes());
        assert!(!refused(OfferFault::Target).passes());
        assert!(!ChannelFault::Over.passes());
    }
}
