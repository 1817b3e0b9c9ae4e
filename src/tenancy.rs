//! Tenants, the roles a tenant holds, people, and roles given to people, each with its own scope.
//!
//! A role says *what*, its scope says *on which*; neither is ever combined with another
//! assignment's (domain.md B.1). A tenant's *relation* to an object decides the side, not the
//! role's name: see `authz`.

mod permission;

use std::collections::BTreeSet;

pub use permission::{Permission, Permissions};
use serde::{Deserialize, Serialize};

use crate::ids::{AssignmentId, CustomerId, FacilityId, PersonId, TenantId};

/// A capability of a company; decides which roles its people may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TenantRole {
    /// Every tenant holds it: Tenant Admin and Data Analyst.
    Basic,
    /// Runs machines: Machine Operator and Workshop Manager.
    Operator,
    /// In addition to `Operator`: internal cases, and the two roles that create them.
    OperatorInternalService,
    /// Serves machines: support, technicians, data managers.
    ServiceProvider,
}

/// A role of a person (domain.md C.2, columns).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    TenantAdmin,
    DataAnalyst,
    MachineOperator,
    WorkshopManager,
    /// "Operator - internal Service Cases".
    InternalServiceCases,
    MaintenanceEngineer,
    FirstLevelSupport,
    ServiceTechnician,
    MasterDataManager,
    CustomerDataManager,
    /// Deprecated: works where it is still assigned, is not assigned anew.
    ServiceManager,
}

/// The two parties of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Runs the machine, and alone may consent to remote access.
    Operator,
    /// Serves the machine.
    Provider,
}

impl Role {
    /// Every role, in the order of domain.md C.2.
    pub const ALL: [Self; 11] = [
        Self::TenantAdmin,
        Self::DataAnalyst,
        Self::MachineOperator,
        Self::WorkshopManager,
        Self::InternalServiceCases,
        Self::MaintenanceEngineer,
        Self::FirstLevelSupport,
        Self::ServiceTechnician,
        Self::MasterDataManager,
        Self::CustomerDataManager,
        Self::ServiceManager,
    ];

    /// The role as programs call it, and as it is typed.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::TenantAdmin => "tenant_admin",
            Self::DataAnalyst => "data_analyst",
            Self::MachineOperator => "machine_operator",
            Self::WorkshopManager => "workshop_manager",
            Self::InternalServiceCases => "internal_service_cases",
            Self::MaintenanceEngineer => "maintenance_engineer",
            Self::FirstLevelSupport => "first_level_support",
            Self::ServiceTechnician => "service_technician",
            Self::MasterDataManager => "master_data_manager",
            Self::CustomerDataManager => "customer_data_manager",
            Self::ServiceManager => "service_manager",
        }
    }

    /// The role as people call it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::TenantAdmin => "Tenant Admin",
            Self::DataAnalyst => "Data Analyst",
            Self::MachineOperator => "Machine Operator",
            Self::WorkshopManager => "Workshop Manager",
            Self::InternalServiceCases => "Internal Service Cases",
            Self::MaintenanceEngineer => "Maintenance Engineer",
            Self::FirstLevelSupport => "1st Level Support",
            Self::ServiceTechnician => "Service Technician",
            Self::MasterDataManager => "Master Data Manager",
            Self::CustomerDataManager => "Customer Data Manager",
            Self::ServiceManager => "Service Manager",
        }
    }

    /// The side on which the role counts; `None` for the two that have no operational rights.
    #[must_use]
    pub fn side(self) -> Option<Side> {
        match self {
            Self::TenantAdmin | Self::DataAnalyst => None,
            Self::MachineOperator
            | Self::WorkshopManager
            | Self::InternalServiceCases
            | Self::MaintenanceEngineer => Some(Side::Operator),
            Self::FirstLevelSupport
            | Self::ServiceTechnician
            | Self::MasterDataManager
            | Self::CustomerDataManager
            | Self::ServiceManager => Some(Side::Provider),
        }
    }

    /// The tenant role without which this role is inert.
    #[must_use]
    pub fn needs(self) -> TenantRole {
        match self {
            Self::TenantAdmin | Self::DataAnalyst => TenantRole::Basic,
            Self::MachineOperator | Self::WorkshopManager => TenantRole::Operator,
            Self::InternalServiceCases | Self::MaintenanceEngineer => {
                TenantRole::OperatorInternalService
            }
            Self::FirstLevelSupport
            | Self::ServiceTechnician
            | Self::MasterDataManager
            | Self::CustomerDataManager
            | Self::ServiceManager => TenantRole::ServiceProvider,
        }
    }
}

/// A company.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    pub id: TenantId,
    pub name: String,
    pub active: bool,
    pub roles: BTreeSet<TenantRole>,
}

/// A user of one tenant. Credentials are the store's alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub id: PersonId,
    pub tenant: TenantId,
    pub email: String,
    pub name: String,
    pub active: bool,
}

/// One role of one person, and the objects it covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    pub id: AssignmentId,
    pub person: PersonId,
    pub role: Role,
    pub scope: Scope,
}

/// The objects that one assignment covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All of the tenant's objects, those without a facility included.
    Whole,
    /// Operator side: assets of these facilities.
    Facilities(BTreeSet<FacilityId>),
    /// Provider side: machines of these customers.
    Customers(BTreeSet<CustomerId>),
}

impl Scope {
    /// Whether an asset of `facility` is covered; one without a facility is only by [`Self::Whole`].
    #[must_use]
    pub fn covers_facility(&self, facility: Option<&FacilityId>) -> bool {
        match self {
            Self::Whole => true,
            Self::Facilities(covered) => facility.is_some_and(|one| covered.contains(one)),
            Self::Customers(_) => false,
        }
    }

    /// Whether a machine of `customer` is covered.
    #[must_use]
    pub fn covers_customer(&self, customer: Option<&CustomerId>) -> bool {
        match self {
            Self::Whole => true,
            Self::Facilities(_) => false,
            Self::Customers(covered) => customer.is_some_and(|one| covered.contains(one)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_typed_as_the_api_spells_it() {
        for role in Role::ALL {
            assert_eq!(serde_json::to_value(role).unwrap(), role.code());
        }
    }
}
