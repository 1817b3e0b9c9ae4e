//! Why a session ended, and why a channel never began.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why an offer became no channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OfferFault {
    /// The device did not believe the warrant: signature, nonce, device, time or target.
    Warrant,
    /// The device's own ceiling does not allow the destination.
    Ceiling,
    /// The device's local switch is off.
    LocalSwitch,
    /// The target refused, timed out or cannot be resolved.
    Target,
    /// More channels than the session may have.
    Limit,
    /// The session is not there, or not this peer's.
    NoSession,
    /// The destination is not within the session's targets.
    NotGranted,
    /// Anything else.
    Internal,
}

/// Why a session ended (domain.md D.3); exactly one for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndCause {
    UserClosed,
    SwitchOff,
    CaseClosed,
    AssetSwitchOff,
    AssetDeactivated,
    LinkRemoved,
    RoleRevoked,
    ScopeRevoked,
    UserDisabled,
    EdgeOffline,
    EdgeUnpaired,
    EdgeRefused,
    ConfigDeleted,
    IdleTimeout,
    MaxDuration,
    NeverStarted,
    TargetRefused,
    ClientLost,
    GatewayShutdown,
    AdminTerminated,
    /// The decision could not be renewed: store or audit unavailable for longer than the grace.
    DecisionLost,
}

impl EndCause {
    /// The code in records, replies and on screens.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::UserClosed => "user_closed",
            Self::SwitchOff => "switch_off",
            Self::CaseClosed => "case_closed",
            Self::AssetSwitchOff => "asset_switch_off",
            Self::AssetDeactivated => "asset_deactivated",
            Self::LinkRemoved => "link_removed",
            Self::RoleRevoked => "role_revoked",
            Self::ScopeRevoked => "scope_revoked",
            Self::UserDisabled => "user_disabled",
            Self::EdgeOffline => "edge_offline",
            Self::EdgeUnpaired => "edge_unpaired",
            Self::EdgeRefused => "edge_refused",
            Self::ConfigDeleted => "config_deleted",
            Self::IdleTimeout => "idle_timeout",
            Self::MaxDuration => "max_duration",
            Self::NeverStarted => "never_started",
            Self::TargetRefused => "target_refused",
            Self::ClientLost => "client_lost",
            Self::GatewayShutdown => "gateway_shutdown",
            Self::AdminTerminated => "admin_terminated",
            Self::DecisionLost => "decision_lost",
        }
    }
}

impl fmt::Display for EndCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
