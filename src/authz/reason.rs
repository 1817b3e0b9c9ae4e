//! Why not: the codes of domain.md J, in their order.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Via;
use crate::audit::EndCause;

/// Why a request was refused. The order is the order of evaluation: the smallest is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Nobody is logged in, or the person or tenant is unknown.
    Unauthenticated,
    /// The person or the tenant was disabled.
    Disabled,
    /// No relation between the person's tenant and the object.
    NotFound,
    /// This case type does not allow it, ever.
    CaseType,
    CaseClosed,
    AssetInactive,
    /// No provider is linked with the asset.
    NoProvider,
    /// No assignment on the right side gives the permission.
    Role,
    /// An assignment gives the permission, but none that does covers the asset.
    Scope,
    /// The assignee does not hold the role that the case type asks for.
    AssigneeRole,
    /// The remote-access switch is off or has expired.
    SwitchOff,
    /// The tunnel config is not this asset's, or is disabled.
    Config,
    /// The tunnel's mode does not allow this way in.
    Mode,
    /// No edge device is paired with the asset.
    NoEdge,
    /// The device belongs to the other side.
    NotOwner,
    EdgeOffline,
    /// The device refuses: its local switch, or its ceiling.
    EdgeRefused,
    /// Too many sessions at once.
    Limit,
    /// The decision itself failed; see the log. An error in deciding is a denial.
    PolicyFault,
}

/// A refusal: the true reason, and whether the asker may know that the object exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denial {
    /// For records and for people who may see the object.
    pub reason: Reason,
    /// Whether the asker may read the object at all.
    pub visible: bool,
}

impl Denial {
    /// What the asker is told: what they may not see is not found.
    #[must_use]
    pub fn told(self) -> Reason {
        let hidden =
            !self.visible && !matches!(self.reason, Reason::Unauthenticated | Reason::Disabled);
        if hidden { Reason::NotFound } else { self.reason }
    }

    /// With what cause a live session ends that was started under `via` and, judged again, is
    /// refused with this denial (domain.md D.3).
    #[must_use]
    pub fn ends_with(self, via: &Via) -> EndCause {
        match (self.reason, via) {
            (Reason::Unauthenticated | Reason::Disabled, _) => EndCause::UserDisabled,
            (Reason::NotFound | Reason::NoProvider, _) => EndCause::LinkRemoved,
            (Reason::CaseClosed, _) => EndCause::CaseClosed,
            (Reason::AssetInactive, _) => EndCause::AssetDeactivated,
            (Reason::Role, _) => EndCause::RoleRevoked,
            (Reason::Scope, _) => EndCause::ScopeRevoked,
            (Reason::SwitchOff, Via::Case(_)) => EndCause::SwitchOff,
            (Reason::SwitchOff, Via::Asset(_)) => EndCause::AssetSwitchOff,
            (Reason::Config | Reason::Mode, _) => EndCause::ConfigDeleted,
            (Reason::NoEdge, _) => EndCause::EdgeUnpaired,
            (Reason::EdgeOffline, _) => EndCause::EdgeOffline,
            (Reason::EdgeRefused, _) => EndCause::EdgeRefused,
            (Reason::Limit, _) => EndCause::AdminTerminated,
            // A case keeps its type, a session has no assignee and takes no device away: only a fault
            // gives these.
            (
                Reason::CaseType | Reason::AssigneeRole | Reason::NotOwner | Reason::PolicyFault,
                _,
            ) => EndCause::DecisionLost,
        }
    }
}

impl Reason {
    /// Every reason, in the order of evaluation.
    pub const ALL: [Self; 19] = [
        Self::Unauthenticated,
        Self::Disabled,
        Self::NotFound,
        Self::CaseType,
        Self::CaseClosed,
        Self::AssetInactive,
        Self::NoProvider,
        Self::Role,
        Self::Scope,
        Self::AssigneeRole,
        Self::SwitchOff,
        Self::Config,
        Self::Mode,
        Self::NoEdge,
        Self::NotOwner,
        Self::EdgeOffline,
        Self::EdgeRefused,
        Self::Limit,
        Self::PolicyFault,
    ];

    /// The code in replies, records and on screens; the `@id` of the policy that gives it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::Disabled => "disabled",
            Self::NotFound => "not_found",
            Self::CaseType => "case_type",
            Self::CaseClosed => "case_closed",
            Self::AssetInactive => "asset_inactive",
            Self::NoProvider => "no_provider",
            Self::Role => "role",
            Self::Scope => "scope",
            Self::AssigneeRole => "assignee_role",
            Self::SwitchOff => "switch_off",
            Self::Config => "config",
            Self::Mode => "mode",
            Self::NoEdge => "no_edge",
            Self::NotOwner => "not_owner",
            Self::EdgeOffline => "edge_offline",
            Self::EdgeRefused => "edge_refused",
            Self::Limit => "limit",
            Self::PolicyFault => "policy_fault",
        }
    }

    /// The reason with this code.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
