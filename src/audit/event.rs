//! What can be recorded.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// What a record tells of (domain.md F).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Event {
            $($(#[$doc])* $name,)*
        }

        impl Event {
            /// Every event.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code in rows, on screens and in exports.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }
        }
    };
}

events! {
    GatewayStarted = "gateway_started",
    GatewayStopped = "gateway_stopped",
    /// The first rows were written, by `init` or `demo`.
    Seeded = "seeded",
    LoggedIn = "logged_in",
    LoginFailed = "login_failed",
    LoggedOut = "logged_out",
    /// A key was certified for a person's program.
    KeyCertified = "key_certified",
    /// An act other than a session or a switch was refused; `new` names the act.
    Refused = "refused",
    CaseCreated = "case_created",
    CaseStateChanged = "case_state_changed",
    /// Its words or its marks were changed; `new` names which.
    CaseEdited = "case_edited",
    /// What one company calls it in its own ticket system.
    CaseExternalIdChanged = "case_external_id_changed",
    AssigneeChanged = "assignee_changed",
    CaseClosed = "case_closed",
    CaseReopened = "case_reopened",
    SwitchOn = "switch_on",
    SwitchOff = "switch_off",
    SwitchRefused = "switch_refused",
    /// Its time was up.
    SwitchExpired = "switch_expired",
    /// Somebody of the provider asked for remote access; `new` says for how long.
    AccessRequested = "access_requested",
    AccessGranted = "access_granted",
    AccessDeclined = "access_declined",
    AccessWithdrawn = "access_withdrawn",
    /// Nobody answered in time, or the case was closed.
    AccessLapsed = "access_lapsed",
    /// Something was said in a case's conversation; `new` says which.
    MessagePosted = "message_posted",
    SessionRequested = "session_requested",
    SessionDenied = "session_denied",
    SessionStarted = "session_started",
    SessionEnded = "session_ended",
    /// One channel of a session: its target, bytes and times stand in `new`.
    Flow = "flow",
    /// A case went into a group, or out of it; groups stand in `old` and `new`.
    CasePlaced = "case_placed",
    /// Nobody took it up in time: the gateway moved it on.
    CaseEscalated = "case_escalated",
    /// Time spent in a session; how long stands in `new`.
    TimeLogged = "time_logged",
    ParticipantChanged = "participant_changed",
    CaseCopyChanged = "case_copy_changed",
    CaseOrganisationChanged = "case_organisation_changed",
    GroupCreated = "group_created",
    GroupChanged = "group_changed",
    GroupRemoved = "group_removed",
    GroupMemberChanged = "group_member_changed",
    DutiesChanged = "duties_changed",
    WorkspaceCreated = "workspace_created",
    WorkspaceChanged = "workspace_changed",
    OrganisationCreated = "organisation_created",
    /// What an organisation's people see, or who they are.
    OrganisationChanged = "organisation_changed",
    TunnelCreated = "tunnel_created",
    TunnelChanged = "tunnel_changed",
    TunnelDeleted = "tunnel_deleted",
    /// The operator said that a tunnel may lead where it leads.
    TunnelConfirmed = "tunnel_confirmed",
    ModelCreated = "model_created",
    ModelChanged = "model_changed",
    ModelDeleted = "model_deleted",
    TemplateCreated = "template_created",
    TemplateChanged = "template_changed",
    TemplateDeleted = "template_deleted",
    PersonCreated = "person_created",
    PersonChanged = "person_changed",
    PersonDisabled = "person_disabled",
    PersonEnabled = "person_enabled",
    AssignmentAdded = "assignment_added",
    AssignmentRemoved = "assignment_removed",
    RoleCreated = "role_created",
    RoleChanged = "role_changed",
    RoleDeleted = "role_deleted",
    /// A company's name or settings.
    TenantChanged = "tenant_changed",
    /// The roles that a company holds, set on the gateway's host.
    TenantRolesSet = "tenant_roles_set",
    PersonInvited = "person_invited",
    InvitationAccepted = "invitation_accepted",
    InvitationWithdrawn = "invitation_withdrawn",
    PersonDeleted = "person_deleted",
    /// A token with which a program reads.
    ApiTokenCreated = "api_token_created",
    ApiTokenDeleted = "api_token_deleted",
    ServiceOrganisationCreated = "service_organisation_created",
    CustomerCreated = "customer_created",
    CustomerChanged = "customer_changed",
    TenantCreated = "tenant_created",
    AssetCreated = "asset_created",
    AssetChanged = "asset_changed",
    AssetActivated = "asset_activated",
    AssetDeactivated = "asset_deactivated",
    FacilityCreated = "facility_created",
    FacilityRenamed = "facility_renamed",
    FacilityDeleted = "facility_deleted",
    MachineCreated = "machine_created",
    MachineModelChanged = "machine_model_changed",
    LinkChanged = "link_changed",
    WebhookCreated = "webhook_created",
    WebhookChanged = "webhook_changed",
    WebhookSecretChanged = "webhook_secret_changed",
    WebhookTested = "webhook_tested",
    /// Its receiver took nothing for days, or says that it wants nothing more.
    WebhookDisabled = "webhook_disabled",
    WebhookDeleted = "webhook_deleted",
    DeviceCreated = "device_created",
    /// A one-time enrolment token was given out.
    EnrolmentIssued = "enrolment_issued",
    EnrolmentRefused = "enrolment_refused",
    DeviceEnrolled = "device_enrolled",
    DeviceRenewed = "device_renewed",
    DeviceRevoked = "device_revoked",
    DevicePaired = "device_paired",
    DeviceUnpaired = "device_unpaired",
    /// Its decommission began: nobody is let through it any more.
    DeviceResetting = "device_resetting",
    /// It is its owner's alone again, and its key is let in no more.
    DeviceDecommissioned = "device_decommissioned",
    DeviceOnline = "device_online",
    DeviceOffline = "device_offline",
    /// A newer connection of the same device was let in.
    DeviceReplaced = "device_replaced",
    /// The device's local switch, as it says.
    DeviceLocalSwitch = "device_local_switch",
}

impl Event {
    /// Whether it tells how one company arranges its own work on a case: of a shared case, the other
    /// party's people are not shown it (INF).
    #[must_use]
    pub fn is_of_one_company(self) -> bool {
        matches!(
            self,
            Self::CaseExternalIdChanged
                | Self::CasePlaced
                | Self::CaseEscalated
                | Self::ParticipantChanged
                | Self::CaseCopyChanged
                | Self::CaseOrganisationChanged
                | Self::TimeLogged
        )
    }

    /// The event with this code.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|event| event.code() == code)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
