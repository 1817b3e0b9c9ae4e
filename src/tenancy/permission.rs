//! The single things that a role may give: the rows of domain.md C.2, where a row that says "read"
//! and "manage" is two.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! permissions {
    ($($name:ident = $code:literal, $what:literal;)*) => {
        /// One thing that roles give.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[repr(u8)]
        pub enum Permission {
            $(#[doc = $what] $name,)*
        }

        impl Permission {
            /// Every permission, in the order of domain.md C.2.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The word for programs and policies.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// What it lets people do.
            #[must_use]
            pub fn what(self) -> &'static str {
                match self {
                    $(Self::$name => $what,)*
                }
            }
        }
    };
}

permissions! {
    SignIn = "sign_in", "sign in to the portal";
    ManagePeople = "manage_people", "invite, disable and delete users";
    AssignRoles = "assign_roles", "assign roles and scopes, and make individual roles";
    DeleteSelf = "delete_self", "delete the own account or drop the own admin role";
    ManageCompany = "manage_company", "change the company's own information and settings";
    ReadPeople = "read_people", "read users and their roles";
    CreateShared = "create_shared", "open shared cases";
    ReadShared = "read_shared", "read shared cases";
    ChangeStateShared = "change_state_shared", "close and otherwise change the state of shared cases";
    EditShared = "edit_shared", "edit title, description and severity of shared cases";
    AssignShared = "assign_shared", "assign shared cases";
    BeAssigneeShared = "be_assignee_shared", "be the assignee of shared cases";
    CreateOperatorInternal = "create_operator_internal", "open operator-internal cases";
    ReadOperatorInternal = "read_operator_internal", "read operator-internal cases";
    ChangeStateOperatorInternal = "change_state_operator_internal", "change the state of operator-internal cases";
    EditOperatorInternal = "edit_operator_internal", "edit operator-internal cases";
    AssignOperatorInternal = "assign_operator_internal", "assign operator-internal cases";
    BeAssigneeOperatorInternal = "be_assignee_operator_internal", "be the assignee of operator-internal cases";
    CreateProviderInternal = "create_provider_internal", "open provider-internal cases";
    ReadProviderInternal = "read_provider_internal", "read provider-internal cases";
    ChangeStateProviderInternal = "change_state_provider_internal", "change the state of provider-internal cases";
    EditProviderInternal = "edit_provider_internal", "edit provider-internal cases";
    AssignProviderInternal = "assign_provider_internal", "assign provider-internal cases";
    BeAssigneeProviderInternal = "be_assignee_provider_internal", "be the assignee of provider-internal cases";
    Chat = "chat", "take part in the conversation of readable cases";
    SwitchCase = "switch_case", "switch a case's remote access, and answer requests for it";
    SwitchProviderInternal = "switch_provider_internal", "switch remote access of a provider-internal case";
    RequestAccess = "request_access", "ask the operator to switch a shared case's remote access on";
    SwitchAsset = "switch_asset", "switch an asset's own remote access";
    UseShared = "use_shared", "use tunnels of shared cases";
    UseOperatorInternal = "use_operator_internal", "use tunnels of operator-internal cases";
    UseProviderInternal = "use_provider_internal", "use tunnels of provider-internal cases";
    UseAsset = "use_asset", "use tunnels of an asset without a case";
    OwnLocalPort = "own_local_port", "choose the local address and port of a tunnel";
    EditTunnels = "edit_tunnels", "create and edit tunnel configs on a machine";
    ReadTunnels = "read_tunnels", "read tunnel configs";
    ReadModels = "read_models", "read machine models and their tunnel templates";
    ManageModels = "manage_models", "manage machine models and their tunnel templates";
    TransferFiles = "transfer_files", "transfer files";
    ReadDevices = "read_devices", "read edge devices";
    ManageDevices = "manage_devices", "manage edge devices";
    PairDevice = "pair_device", "pair a machine with an edge device";
    Decommission = "decommission", "decommission an edge device that the own company owns";
    ReadFacilities = "read_facilities", "read facilities";
    ManageFacilities = "manage_facilities", "manage facilities";
    ReadAsset = "read_asset", "read assets";
    ManageAssets = "manage_assets", "manage assets";
    AnswerProposal = "answer_proposal", "accept, decline or remove a link with a provider's machine";
    ReadMachines = "read_machines", "read customers, machines, service organisations and contracts";
    ManageCustomers = "manage_customers", "manage customers, machines, service organisations and contracts";
    ProposeMachine = "propose_machine", "propose a machine to its operator, or remove the link";
    ReadDocuments = "read_documents", "read documents and media";
    ManageDocuments = "manage_documents", "manage documents and media";
    ReadApplications = "read_applications", "read applications";
    AssignApplications = "assign_applications", "assign applications to machine models";
    ManageApplications = "manage_applications", "manage applications";
    ReadLicences = "read_licences", "read machine licences";
    DownloadLicences = "download_licences", "download machine licences";
    ReadAudit = "read_audit", "read a case's audit log";
    EndOwnSession = "end_own_session", "end one's own session";
    EndSession = "end_session", "end other people's sessions on an asset";
}

impl Permission {
    /// The permission with this code.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|one| one.code() == code)
    }

    fn bit(self) -> u128 {
        1 << self as u32
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A set of permissions.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Permissions(u128);

impl Permissions {
    #[must_use]
    pub fn contains(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// What is in either.
    #[must_use]
    pub fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// What is in both.
    #[must_use]
    pub fn within(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    /// What is here and not there.
    #[must_use]
    pub fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// In the order of [`Permission::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |one| self.contains(*one))
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(some: I) -> Self {
        Self(some.into_iter().fold(0, |bits, one| bits | one.bit()))
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permission_is_typed_as_the_api_spells_it_and_has_a_bit_of_its_own() {
        assert!(Permission::ALL.len() <= 128);
        for (at, one) in Permission::ALL.iter().enumerate() {
            assert_eq!(serde_json::to_value(one).unwrap(), one.code());
            assert_eq!(Permission::from_code(one.code()), Some(*one));
            assert_eq!(*one as usize, at);
        }
    }

    #[test]
    fn sets_join_meet_and_leave_out() {
        let set = |some: &[Permission]| some.iter().copied().collect::<Permissions>();
        let (chat, both) =
            (set(&[Permission::Chat]), set(&[Permission::Chat, Permission::UseAsset]));
        assert_eq!(chat.with(both), both);
        assert_eq!(chat.within(both), chat);
        assert_eq!(both.without(chat), set(&[Permission::UseAsset]));
        assert!(chat.without(both).is_empty());
        assert_eq!(both.iter().collect::<Vec<_>>(), [Permission::Chat, Permission::UseAsset]);
    }
}
