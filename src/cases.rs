//! Service cases: their type, their state, and the remote-access switch.
//!
//! The switch is a field of the two types whose operator can consent. A provider-internal case has
//! none, so "provider-internal with the switch on" cannot be written down (domain.md B.3).

mod details;

use serde::{Deserialize, Serialize};

pub use details::{AccessRequest, Contact, Details, Message, Priority, RequestState, Severity};

use crate::{
    clock::Wall,
    ids::{AssetId, CaseId, MachineId, PersonId, TenantId},
};

/// A ticket about exactly one machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    pub id: CaseId,
    pub title: String,
    pub kind: Kind,
    pub state: State,
    pub created_by: PersonId,
    pub assignee: Option<PersonId>,
    pub created_at: Wall,
    pub closed_at: Option<Wall>,
}

/// Whose case it is, and about what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Kind {
    /// Between an operator and its linked provider.
    Shared { operator: TenantId, provider: TenantId, asset: AssetId, switch: Switch },
    /// Inside an operator's tenant.
    OperatorInternal { operator: TenantId, asset: AssetId, switch: Switch },
    /// Inside a provider's tenant: nobody there can consent, so there is no switch.
    ProviderInternal { provider: TenantId, machine: MachineId },
}

/// A case's type, alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseType {
    Shared,
    OperatorInternal,
    ProviderInternal,
}

/// Where a case stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    New,
    InProgress,
    Closed,
}

/// A remote-access switch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switch {
    pub on: bool,
    /// When on: the moment from which it counts as off. `None`: until somebody turns it off.
    pub until: Option<Wall>,
}

impl Switch {
    /// Whether it is on and not expired.
    #[must_use]
    pub fn is_on(&self, now: Wall) -> bool {
        self.on && self.until.is_none_or(|until| now < until)
    }
}

impl Case {
    /// The case's type.
    #[must_use]
    pub fn case_type(&self) -> CaseType {
        match self.kind {
            Kind::Shared { .. } => CaseType::Shared,
            Kind::OperatorInternal { .. } => CaseType::OperatorInternal,
            Kind::ProviderInternal { .. } => CaseType::ProviderInternal,
        }
    }

    /// The asset it is about; a provider-internal case is about a customer machine instead.
    #[must_use]
    pub fn asset(&self) -> Option<&AssetId> {
        match &self.kind {
            Kind::Shared { asset, .. } | Kind::OperatorInternal { asset, .. } => Some(asset),
            Kind::ProviderInternal { .. } => None,
        }
    }

    /// The customer machine it is about, where it is provider-internal.
    #[must_use]
    pub fn machine(&self) -> Option<&MachineId> {
        match &self.kind {
            Kind::ProviderInternal { machine, .. } => Some(machine),
            Kind::Shared { .. } | Kind::OperatorInternal { .. } => None,
        }
    }

    /// The operator's tenant, where it is a party.
    #[must_use]
    pub fn operator(&self) -> Option<&TenantId> {
        match &self.kind {
            Kind::Shared { operator, .. } | Kind::OperatorInternal { operator, .. } => {
                Some(operator)
            }
            Kind::ProviderInternal { .. } => None,
        }
    }

    /// The provider's tenant, where it is a party.
    #[must_use]
    pub fn provider(&self) -> Option<&TenantId> {
        match &self.kind {
            Kind::Shared { provider, .. } | Kind::ProviderInternal { provider, .. } => {
                Some(provider)
            }
            Kind::OperatorInternal { .. } => None,
        }
    }

    /// The switch; `None` where there can be none.
    #[must_use]
    pub fn switch(&self) -> Option<&Switch> {
        match &self.kind {
            Kind::Shared { switch, .. } | Kind::OperatorInternal { switch, .. } => Some(switch),
            Kind::ProviderInternal { .. } => None,
        }
    }

    /// Puts the switch in place; a provider-internal case has none, and stays without.
    pub fn set_switch(&mut self, to: Switch) {
        match &mut self.kind {
            Kind::Shared { switch, .. } | Kind::OperatorInternal { switch, .. } => *switch = to,
            Kind::ProviderInternal { .. } => {}
        }
    }
}
