//! Tenants, the roles a tenant holds, people, and roles given to people, each with its own scope.
//!
//! A role says *what*, its scope says *on which*; neither is ever combined with another
//! assignment's (domain.md B.1). A tenant's *relation* to an object decides the side, not the
//! role's name: see `authz`.

mod permission;

use std::{collections::BTreeSet, fmt, str::FromStr};

pub use permission::{Permission, Permissions};
use serde::{Deserialize, Serialize};

use crate::ids::{
    AssignmentId, CustomerId, FacilityId, InvalidId, PersonId, RoleId, ServiceOrganisationId,
    TenantId,
};

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

impl TenantRole {
    /// The role as programs call it, and as it is typed.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Operator => "operator",
            Self::OperatorInternalService => "operator_internal_service",
            Self::ServiceProvider => "service_provider",
        }
    }
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

    /// The role with this code.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.code() == code)
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
pub struct Assignment<R = Role> {
    pub id: AssignmentId,
    pub person: PersonId,
    pub role: R,
    pub scope: Scope,
}

/// A role that one tenant made for itself: any permissions, of which those count that the tenant's
/// roles allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndividualRole {
    pub id: RoleId,
    pub tenant: TenantId,
    pub name: String,
    pub gives: Permissions,
}

/// A role by name: a predefined one's code, or the id of an individual one. Every code has an
/// underscore, and no id has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum RoleRef {
    Predefined(Role),
    Individual(RoleId),
}

impl fmt::Display for RoleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Predefined(role) => f.write_str(role.code()),
            Self::Individual(id) => f.write_str(id.as_str()),
        }
    }
}

impl FromStr for RoleRef {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        match Role::from_code(text) {
            Some(role) => Ok(Self::Predefined(role)),
            None => text.parse().map(Self::Individual),
        }
    }
}

impl TryFrom<String> for RoleRef {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<RoleRef> for String {
    fn from(role: RoleRef) -> Self {
        role.to_string()
    }
}

impl From<Role> for RoleRef {
    fn from(role: Role) -> Self {
        Self::Predefined(role)
    }
}

/// What a tenant decides for itself where the sources leave a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// CON-2: whether [`Role::InternalServiceCases`] turns the switches of cases.
    pub internal_service_switches: bool,
    /// CON-3: the provider's third role that reads cases. None of them gets a tunnel by it.
    pub case_reader: CaseReader,
}

/// Who reads a provider's cases beside support and technicians.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseReader {
    #[default]
    CustomerDataManager,
    MasterDataManager,
    Nobody,
}

impl Default for Settings {
    fn default() -> Self {
        Self { internal_service_switches: true, case_reader: CaseReader::default() }
    }
}

/// A provider's record of an operator company.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    pub id: CustomerId,
    pub provider: TenantId,
    pub organisation: ServiceOrganisationId,
    pub name: String,
    /// The operator's own company, once it is onboarded.
    pub tenant: Option<TenantId>,
}

/// The objects that one assignment covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All of the tenant's objects, those without a facility included.
    Whole,
    /// Operator side: assets of these facilities.
    Facilities(BTreeSet<FacilityId>),
    /// Provider side: machines of all customers of these service organisations.
    ServiceOrganisations(BTreeSet<ServiceOrganisationId>),
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
            Self::ServiceOrganisations(_) | Self::Customers(_) => false,
        }
    }

    /// Whether a machine of `customer`, who belongs to `organisation`, is covered.
    #[must_use]
    pub fn covers_customer(
        &self,
        customer: Option<&CustomerId>,
        organisation: Option<&ServiceOrganisationId>,
    ) -> bool {
        match self {
            Self::Whole => true,
            Self::Facilities(_) => false,
            Self::ServiceOrganisations(covered) => {
                organisation.is_some_and(|one| covered.contains(one))
            }
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

    #[test]
    fn no_id_of_an_individual_role_is_a_predefined_roles_code() {
        for role in Role::ALL {
            assert!(role.code().parse::<RoleId>().is_err(), "{role:?}");
            assert_eq!(role.code().parse(), Ok(RoleRef::Predefined(role)));
        }
        let own: RoleRef = "night-shift".parse().unwrap();
        assert_eq!(own.to_string(), "night-shift");
        assert!("no such role".parse::<RoleRef>().is_err());
    }
}
