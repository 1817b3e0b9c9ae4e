//! Which role gives which permission: the matrix of domain.md C.2, with the readings that its
//! section I settles on.

use Permission as P;

use crate::{
    cases::CaseType,
    tenancy::{Role, Tenant, TenantRole},
};

/// One thing that roles give. Its name is the word that the policies use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Permission {
    CreateShared,
    CreateOperatorInternal,
    CreateProviderInternal,
    ReadShared,
    ReadOperatorInternal,
    ReadProviderInternal,
    ChangeStateShared,
    ChangeStateOperatorInternal,
    ChangeStateProviderInternal,
    AssignShared,
    AssignOperatorInternal,
    AssignProviderInternal,
    Chat,
    ReadAudit,
    SwitchCase,
    SwitchAsset,
    UseShared,
    UseOperatorInternal,
    /// Nobody holds it: a provider-internal case leads to no machine.
    UseProviderInternal,
    UseAsset,
    TransferFiles,
    ReadTunnels,
    EditTunnels,
    ReadAsset,
    PairDevice,
    ManageDevices,
    ManageAssets,
    EndSession,
    ManagePeople,
}

const Y: bool = true;
const __: bool = false;

/// Permission, its name, and who has it: columns in the order of [`Role::ALL`].
#[rustfmt::skip]
const MATRIX: [(Permission, &str, [bool; Role::ALL.len()]); 29] = [
    //                                                                    either     operator            provider
    //                                                                    TA  DAC   MO  WM  OIS ME    L1  ST  MDM CDM SM
    (P::CreateShared,                "create_shared",                      [ __, __,   Y , Y , __, Y ,   Y , Y , __, __, Y  ]),
    (P::CreateOperatorInternal,      "create_operator_internal",           [ __, __,   __, __, Y , Y ,   __, __, __, __, __ ]),
    (P::CreateProviderInternal,      "create_provider_internal",           [ __, __,   __, __, __, __,   Y , Y , __, __, Y  ]),
    (P::ReadShared,                  "read_shared",                        [ __, Y ,   Y , Y , Y , Y ,   Y , Y , __, Y , Y  ]),
    (P::ReadOperatorInternal,        "read_operator_internal",             [ __, Y ,   Y , Y , Y , Y ,   __, __, __, __, __ ]),
    (P::ReadProviderInternal,        "read_provider_internal",             [ __, Y ,   __, __, __, __,   Y , Y , __, Y , Y  ]),
    (P::ChangeStateShared,           "change_state_shared",                [ __, __,   Y , Y , __, Y ,   Y , Y , __, __, Y  ]),
    (P::ChangeStateOperatorInternal, "change_state_operator_internal",     [ __, __,   __, __, __, Y ,   __, __, __, __, __ ]),
    (P::ChangeStateProviderInternal, "change_state_provider_internal",     [ __, __,   __, __, __, __,   Y , Y , __, __, Y  ]),
    (P::AssignShared,                "assign_shared",                      [ __, __,   __, __, __, __,   Y , Y , __, __, Y  ]),
    (P::AssignOperatorInternal,      "assign_operator_internal",           [ __, __,   __, __, __, Y ,   __, __, __, __, __ ]),
    (P::AssignProviderInternal,      "assign_provider_internal",           [ __, __,   __, __, __, __,   Y , Y , __, __, Y  ]),
    (P::Chat,                        "chat",                               [ __, __,   Y , Y , Y , Y ,   Y , Y , __, Y , Y  ]),
    (P::ReadAudit,                   "read_audit",                         [ __, Y ,   Y , Y , Y , Y ,   Y , Y , __, Y , Y  ]),
    (P::SwitchCase,                  "switch_case",                        [ __, __,   Y , Y , Y , Y ,   __, __, __, __, __ ]),
    (P::SwitchAsset,                 "switch_asset",                       [ __, __,   __, Y , __, __,   __, __, __, __, __ ]),
    (P::UseShared,                   "use_shared",                         [ __, __,   Y , Y , __, Y ,   __, Y , __, __, Y  ]),
    (P::UseOperatorInternal,         "use_operator_internal",              [ __, __,   Y , Y , __, Y ,   __, __, __, __, __ ]),
    (P::UseProviderInternal,         "use_provider_internal",              [ __, __,   __, __, __, __,   __, __, __, __, __ ]),
    (P::UseAsset,                    "use_asset",                          [ __, __,   Y , Y , __, Y ,   __, __, __, __, __ ]),
    (P::TransferFiles,               "transfer_files",                     [ __, __,   __, Y , __, __,   __, Y , __, __, Y  ]),
    (P::ReadTunnels,                 "read_tunnels",                       [ __, Y ,   Y , Y , __, Y ,   Y , Y , Y , Y , Y  ]),
    (P::EditTunnels,                 "edit_tunnels",                       [ __, __,   __, Y , __, __,   __, Y , __, __, Y  ]),
    (P::ReadAsset,                   "read_asset",                         [ __, Y ,   Y , Y , Y , Y ,   Y , Y , __, Y , Y  ]),
    (P::PairDevice,                  "pair_device",                        [ __, __,   __, Y , __, __,   __, Y , __, Y , Y  ]),
    (P::ManageDevices,               "manage_devices",                     [ __, __,   __, Y , __, __,   __, Y , __, Y , Y  ]),
    (P::ManageAssets,                "manage_assets",                      [ __, __,   __, Y , __, __,   __, __, __, __, __ ]),
    (P::EndSession,                  "end_session",                        [ __, __,   __, Y , __, __,   __, __, __, __, __ ]),
    (P::ManagePeople,                "manage_people",                      [ Y , __,   __, __, __, __,   __, __, __, __, __ ]),
];

/// A set of permissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Permissions(u32);

impl Permission {
    /// The word that the policies use.
    pub(super) fn name(self) -> &'static str {
        MATRIX.get(self as usize).map_or("", |(_, name, _)| name)
    }

    /// Picks by the case's type.
    pub(super) fn by_type(
        case: CaseType,
        [shared, operator_internal, provider_internal]: [Self; 3],
    ) -> Self {
        match case {
            CaseType::Shared => shared,
            CaseType::OperatorInternal => operator_internal,
            CaseType::ProviderInternal => provider_internal,
        }
    }

    /// Reading cases of this type.
    pub(super) fn read(case: CaseType) -> Self {
        Self::by_type(case, [P::ReadShared, P::ReadOperatorInternal, P::ReadProviderInternal])
    }

    fn bit(self) -> u32 {
        1 << self as u32
    }
}

impl Permissions {
    /// What `role` gives.
    pub(super) fn of(role: Role) -> Self {
        let given = |row: &&(Permission, &str, [bool; Role::ALL.len()])| {
            row.2.get(role as usize).is_some_and(|cell| *cell)
        };
        Self(MATRIX.iter().filter(given).fold(0, |bits, row| bits | row.0.bit()))
    }

    pub(super) fn contains(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    pub(super) fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    pub(super) fn names(self) -> impl Iterator<Item = &'static str> {
        MATRIX.iter().filter(move |row| self.contains(row.0)).map(|row| row.1)
    }
}

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
    Role::ALL.into_iter().filter(move |role| Permissions::of(*role).contains(permission))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_columns_stand_where_they_are_looked_up() {
        for (row, (permission, name, _)) in MATRIX.iter().enumerate() {
            assert_eq!(*permission as usize, row, "{name}");
            assert_eq!(permission.name(), *name);
        }
        for (column, role) in Role::ALL.into_iter().enumerate() {
            assert_eq!(role as usize, column, "{role:?}");
        }
    }

    #[test]
    fn a_role_of_one_side_gives_nothing_that_only_the_other_may() {
        use crate::tenancy::Side;

        for role in Role::ALL.into_iter().filter(|role| role.side() == Some(Side::Provider)) {
            for consent in [P::SwitchCase, P::SwitchAsset, P::UseAsset, P::EndSession] {
                assert!(!Permissions::of(role).contains(consent), "{role:?} {consent:?}");
            }
        }
        assert_eq!(givers(P::UseProviderInternal).count(), 0);
    }
}
