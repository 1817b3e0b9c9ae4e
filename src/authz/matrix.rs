//! Which role gives which permission: the matrix of domain.md C.2, with the readings that its
//! section I settles on, and the mark of each cell.

use std::sync::LazyLock;

use Basis::{Documented, Inferred, Plain, Resolved, Stated};
use Permission as P;

use crate::{
    cases::CaseType,
    tenancy::{CaseReader, Permission, Permissions, Role, Settings, Tenant, TenantRole},
};

/// On what a cell rests (domain.md, its first table and C.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Basis {
    /// S0 or S1 state it.
    Stated,
    /// Another document states it.
    Documented,
    /// An inference.
    Inferred,
    /// Sources contradict each other; domain.md I resolves it.
    Resolved,
    /// Nothing to rest on: the role is of the other side.
    Plain,
}

/// Whether one role gives one permission, and on what that rests.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(test), expect(dead_code, reason = "marks are for the snapshot that people read"))]
pub(super) struct Cell {
    pub(super) given: bool,
    /// Given to programs with an API token; who holds nothing else cannot sign in.
    pub(super) api: bool,
    pub(super) basis: Basis,
}

const fn cell(given: bool, api: bool, basis: Basis) -> Cell {
    Cell { given, api, basis }
}

// Yes, no, or by API only; then the mark.
const YS: Cell = cell(true, false, Stated);
const YD: Cell = cell(true, false, Documented);
const YI: Cell = cell(true, false, Inferred);
const YC: Cell = cell(true, false, Resolved);
const NS: Cell = cell(false, false, Stated);
const ND: Cell = cell(false, false, Documented);
const NI: Cell = cell(false, false, Inferred);
const NC: Cell = cell(false, false, Resolved);
const N_: Cell = cell(false, false, Plain);
const AS: Cell = cell(true, true, Stated);
const AI: Cell = cell(true, true, Inferred);

type Row = (Permission, [Cell; Role::ALL.len()]);

/// Permission, and who has it: rows in the order of [`Permission::ALL`], columns in the order of
/// [`Role::ALL`].
///
/// Where domain.md C.2 says read or manage in one row, here stand two. Rows that it does not have
/// are inferences, all of them: editing follows changing the state (CON-8), asking for access
/// follows using it on the provider's side (CON-28), proposing a machine is part of managing it, and
/// a provider reads the asset that its own machine is linked with.
#[rustfmt::skip]
const MATRIX: [Row; Permission::ALL.len()] = [
    //                                either     operator          provider
    //                                TA  DAC   MO  WM  OIS ME    L1  ST  MDM CDM SM
    (P::SignIn,                       [YI, NS,   YI, YI, YI, YI,   YI, YI, YI, YI, YI]),
    (P::ManagePeople,                 [YS, NS,   NI, NI, NI, NI,   NI, NI, NI, NI, NI]),
    (P::AssignRoles,                  [YS, NS,   NI, NI, NI, NI,   NI, NI, NI, NI, NI]),
    (P::DeleteSelf,                   [NS, NS,   NI, NI, NI, NI,   NI, NI, NI, NI, NI]),
    (P::ManageCompany,                [YS, NS,   NI, NI, NI, NI,   NI, NI, NI, NI, NI]),
    (P::ReadPeople,                   [YI, AS,   NI, NI, NI, NI,   NI, NI, NI, NI, NI]),
    (P::CreateShared,                 [NS, NS,   YS, YS, NS, YS,   YD, YD, NI, NI, YI]),
    (P::ReadShared,                   [NS, AS,   YS, YS, YS, YS,   YS, YS, NC, YC, YI]),
    (P::ChangeStateShared,            [NS, NS,   YC, YC, NS, YC,   YS, YS, NI, NI, YI]),
    (P::EditShared,                   [NS, NS,   YC, YC, NC, YC,   YI, YI, NI, NI, YI]),
    (P::AssignShared,                 [NS, NS,   NI, NI, NS, NI,   YI, YI, NI, NI, YI]),
    (P::BeAssigneeShared,             [NI, NI,   NI, NI, NI, NI,   YI, YI, NI, YI, YI]),
    (P::CreateOperatorInternal,       [NS, NS,   NS, NS, YS, YS,   NS, NS, NS, NS, NS]),
    (P::ReadOperatorInternal,         [NS, AS,   YS, YS, YS, YS,   NS, NS, NS, NS, NS]),
    (P::ChangeStateOperatorInternal,  [NS, NS,   NI, NI, NI, YS,   NS, NS, NS, NS, NS]),
    (P::EditOperatorInternal,         [NS, NS,   NI, NI, NI, YI,   NS, NS, NS, NS, NS]),
    (P::AssignOperatorInternal,       [NS, NS,   NI, NI, NI, YS,   NS, NS, NS, NS, NS]),
    (P::BeAssigneeOperatorInternal,   [NS, NS,   NS, NS, NS, YS,   NS, NS, NS, NS, NS]),
    (P::CreateProviderInternal,       [NS, NS,   ND, ND, ND, ND,   YD, YD, NI, NI, YI]),
    (P::ReadProviderInternal,         [NS, AS,   ND, ND, ND, ND,   YD, YD, NC, YC, YI]),
    (P::ChangeStateProviderInternal,  [NS, NS,   ND, ND, ND, ND,   YI, YI, NI, NI, YI]),
    (P::EditProviderInternal,         [NS, NS,   ND, ND, ND, ND,   YI, YI, NI, NI, YI]),
    (P::AssignProviderInternal,       [NS, NS,   ND, ND, ND, ND,   YI, YI, NI, NI, YI]),
    (P::BeAssigneeProviderInternal,   [NI, NI,   ND, ND, ND, ND,   YI, YI, NI, YI, YI]),
    (P::Chat,                         [NS, NS,   YS, YS, YS, YS,   YS, YS, NC, YC, YI]),
    (P::SwitchCase,                   [NS, NS,   YS, YS, YC, YS,   NC, NC, NC, NC, NC]),
    (P::SwitchProviderInternal,       [ND, ND,   ND, ND, ND, ND,   ND, ND, ND, ND, ND]),
    (P::RequestAccess,                [NI, NI,   NI, NI, NI, NI,   NI, YI, NI, NI, YI]),
    (P::SwitchAsset,                  [NS, NS,   ND, YD, ND, ND,   ND, ND, ND, ND, ND]),
    (P::UseShared,                    [NS, NS,   YS, YS, NC, YS,   NS, YS, NI, NI, YI]),
    (P::UseOperatorInternal,          [NS, NS,   YS, YS, NS, YS,   NS, NS, NS, NS, NS]),
    (P::UseProviderInternal,          [ND, ND,   ND, ND, ND, ND,   ND, ND, ND, ND, ND]),
    (P::UseAsset,                     [NS, NS,   YD, YD, ND, YD,   ND, ND, ND, ND, ND]),
    (P::OwnLocalPort,                 [NI, NS,   YD, YD, NI, YD,   NI, YI, NI, NI, YI]),
    (P::EditTunnels,                  [NS, NS,   NI, YI, NI, NI,   NS, YS, NI, NI, YI]),
    (P::ReadTunnels,                  [NS, AS,   YI, YI, NI, YI,   YI, YS, YI, YI, YI]),
    (P::ReadModels,                   [NS, AS,   NI, NI, NI, NI,   YS, YS, YS, YS, YI]),
    (P::ManageModels,                 [NS, NS,   NI, NI, NI, NI,   NS, NS, YS, NS, YI]),
    (P::TransferFiles,                [NS, NS,   NI, YI, NI, NI,   NS, YS, NI, NI, YI]),
    (P::ReadDevices,                  [NS, AS,   NC, YC, NC, NC,   YS, YS, YS, YS, YI]),
    (P::ManageDevices,                [NS, NS,   NC, YC, NC, NC,   NS, YS, NS, YS, YI]),
    (P::PairDevice,                   [NS, NS,   NI, YI, NI, NI,   NI, YI, NI, YS, YI]),
    (P::Decommission,                 [NS, NS,   NI, YI, NI, NI,   NI, YI, NI, YI, YI]),
    (P::ReadFacilities,               [NS, AS,   YS, YS, YS, YS,   N_, N_, N_, N_, N_]),
    (P::ManageFacilities,             [NS, NS,   NS, YS, NS, NS,   N_, N_, N_, N_, N_]),
    (P::ReadAsset,                    [NS, AS,   YS, YS, YS, YS,   YI, YI, NI, YI, YI]),
    (P::ManageAssets,                 [NS, NS,   NS, YS, NS, NS,   N_, N_, N_, N_, N_]),
    (P::AnswerProposal,               [NS, NS,   ND, YS, ND, ND,   N_, N_, N_, N_, N_]),
    (P::ReadMachines,                 [NS, AS,   N_, N_, N_, N_,   YS, YS, NI, YS, YI]),
    (P::ManageCustomers,              [NS, NS,   N_, N_, N_, N_,   NS, NS, NI, YS, YI]),
    (P::ProposeMachine,               [NI, NI,   NI, NI, NI, NI,   NI, NI, NI, YI, YI]),
    (P::ReadDocuments,                [NS, NI,   YS, YS, YS, YS,   YS, YS, YS, YS, YI]),
    (P::ManageDocuments,              [NS, NI,   NS, YS, NS, NS,   YS, YS, YS, YS, YI]),
    (P::ReadApplications,             [NS, NI,   NC, YC, NC, YC,   NC, YC, YC, NC, YI]),
    (P::AssignApplications,           [NS, NI,   NC, NC, NC, NC,   NC, NC, YC, NC, YI]),
    (P::ManageApplications,           [NS, NI,   NC, YC, NC, NC,   NC, NC, NC, NC, YI]),
    (P::ReadLicences,                 [NS, AS,   N_, N_, N_, N_,   NC, NC, NC, YC, YI]),
    (P::DownloadLicences,             [NS, NS,   N_, N_, N_, N_,   NC, NC, NC, YC, NI]),
    (P::ReadAudit,                    [NI, AI,   YI, YI, YI, YI,   YI, YI, NI, YI, YI]),
    (P::EndOwnSession,                [N_, N_,   YD, YD, N_, YD,   N_, YI, N_, N_, YI]),
    (P::EndSession,                   [NI, NI,   NI, YI, NI, NI,   NI, NI, NI, NI, NI]),
];

/// Picks by the case's type.
pub(super) fn by_type(
    case: CaseType,
    [shared, operator_internal, provider_internal]: [Permission; 3],
) -> Permission {
    match case {
        CaseType::Shared => shared,
        CaseType::OperatorInternal => operator_internal,
        CaseType::ProviderInternal => provider_internal,
    }
}

/// Reading cases of this type.
pub(super) fn read(case: CaseType) -> Permission {
    by_type(case, [P::ReadShared, P::ReadOperatorInternal, P::ReadProviderInternal])
}

/// What `role` gives in a tenant that decided so.
pub(super) fn given_by(role: Role, settings: Settings) -> Permissions {
    let given = GIVEN.get(role as usize).copied().unwrap_or_default();
    let reads = match settings.case_reader {
        CaseReader::CustomerDataManager => Some(Role::CustomerDataManager),
        CaseReader::MasterDataManager => Some(Role::MasterDataManager),
        CaseReader::Nobody => None,
    };
    if role == Role::InternalServiceCases && !settings.internal_service_switches {
        return given.without([P::SwitchCase].into_iter().collect());
    }
    if role == Role::MasterDataManager && reads == Some(role) {
        return given.with(*READING);
    }
    if role == Role::CustomerDataManager && reads != Some(role) {
        // Who does not read cases is no assignee of one either.
        return given.without(*READING).without(*ASSIGNED);
    }
    given
}

/// What the third role that reads a provider's cases has for it (CON-3).
static READING: LazyLock<Permissions> = LazyLock::new(|| {
    [P::ReadShared, P::ReadProviderInternal, P::Chat, P::ReadAudit].into_iter().collect()
});
static ASSIGNED: LazyLock<Permissions> =
    LazyLock::new(|| [P::BeAssigneeShared, P::BeAssigneeProviderInternal].into_iter().collect());

/// What an individual role can give in `tenant`, in a relation that admits `admitted`: all that some
/// predefined role of the tenant gives there. The deprecated role opens nothing by this door (INF).
pub(super) fn ceiling(tenant: &Tenant, admitted: impl Fn(Role) -> bool) -> Permissions {
    let counts =
        |role: &Role| *role != Role::ServiceManager && works_in(*role, tenant) && admitted(*role);
    let given = |role| GIVEN.get(role as usize).copied().unwrap_or_default();
    Role::ALL.into_iter().filter(counts).map(given).fold(Permissions::default(), Permissions::with)
}

/// The matrix by column, worked out once.
static GIVEN: LazyLock<[Permissions; Role::ALL.len()]> = LazyLock::new(|| {
    Role::ALL.map(|role| {
        let given = |row: &&Row| row.1.get(role as usize).is_some_and(|cell| cell.given);
        MATRIX.iter().filter(given).map(|row| row.0).collect()
    })
});

/// All that roles of the tenant's own may give.
#[must_use]
pub fn offered(tenant: &Tenant) -> Permissions {
    ceiling(tenant, |_| true)
}

/// What any scope suffices for. Names of halls, devices and models belong to no customer and no
/// facility, so that no scope could leave some of them out (INF); what is managed takes the whole
/// company.
pub(super) static BY_ANY_SCOPE: LazyLock<Permissions> = LazyLock::new(|| {
    let some = [
        P::SignIn,
        P::OwnLocalPort,
        P::ReadModels,
        P::ReadDevices,
        P::ReadFacilities,
        P::ReadMachines,
        P::ReadDocuments,
        P::ReadApplications,
    ];
    some.into_iter().collect()
});

/// Whether `role` counts in `tenant` at all; without the tenant role behind it, it is inert.
///
/// Every tenant is `Basic`; the two roles for internal cases need `Operator` as well, to which
/// `OperatorInternalService` is only an addition (domain.md A).
pub(super) fn works_in(role: Role, tenant: &Tenant) -> bool {
    match role.needs() {
        TenantRole::Basic => true,
        TenantRole::OperatorInternalService => {
            tenant.roles.contains(&TenantRole::OperatorInternalService)
                && tenant.roles.contains(&TenantRole::Operator)
        }
        needed @ (TenantRole::Operator | TenantRole::ServiceProvider) => {
            tenant.roles.contains(&needed)
        }
    }
}

/// The roles that give `permission`, in the order of [`Role::ALL`].
pub(super) fn givers(permission: Permission) -> impl Iterator<Item = Role> {
    let settings = Settings::default();
    Role::ALL.into_iter().filter(move |role| given_by(*role, settings).contains(permission))
}

/// The cell of one role and one permission.
#[cfg(test)]
pub(super) fn cell_of(permission: Permission, role: Role) -> Cell {
    MATRIX[permission as usize].1[role as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenancy::Side;

    fn given_by(role: Role) -> Permissions {
        super::given_by(role, Settings::default())
    }

    #[test]
    fn rows_and_columns_stand_where_they_are_looked_up() {
        for (row, (permission, _)) in MATRIX.iter().enumerate() {
            assert_eq!(*permission as usize, row, "{permission}");
        }
        for (column, role) in Role::ALL.into_iter().enumerate() {
            assert_eq!(role as usize, column, "{role:?}");
        }
    }

    #[test]
    fn a_role_of_one_side_gives_nothing_that_only_the_other_may() {
        for role in Role::ALL.into_iter().filter(|role| role.side() == Some(Side::Provider)) {
            for consent in [P::SwitchCase, P::SwitchAsset, P::UseAsset, P::EndSession] {
                assert!(!given_by(role).contains(consent), "{role:?} {consent:?}");
            }
        }
    }

    #[test]
    fn nobody_may_what_nobody_could_consent_to_nor_leave_a_company_without_themselves() {
        for nobodys in [P::UseProviderInternal, P::SwitchProviderInternal, P::DeleteSelf] {
            assert_eq!(givers(nobodys).count(), 0, "{nobodys}");
        }
    }

    /// domain.md C.2, notes: a technician can do all that first-level support can.
    #[test]
    fn a_service_technician_holds_all_that_first_level_support_holds() {
        let (support, technician) = (Role::FirstLevelSupport, Role::ServiceTechnician);
        assert!(given_by(support).without(given_by(technician)).is_empty());
    }

    /// domain.md C.2, notes: no frontend, and nothing but reading.
    #[test]
    fn a_data_analyst_reads_by_api_and_does_nothing_else() {
        for permission in given_by(Role::DataAnalyst).iter() {
            assert!(permission.code().starts_with("read_"), "{permission}");
            assert!(cell_of(permission, Role::DataAnalyst).api, "{permission}");
        }
        let others = Role::ALL.into_iter().filter(|role| *role != Role::DataAnalyst);
        for (role, permission) in others.flat_map(|role| P::ALL.iter().map(move |one| (role, one)))
        {
            assert!(!cell_of(*permission, role).api, "{role:?} {permission}");
        }
    }
}
