//! What is asked, and the rows that the answer reads.

use serde::{Deserialize, Serialize};

use crate::{
    cases::{Case, CaseType},
    clock::Wall,
    ids::{AssetId, CaseId, CustomerId, DeviceId, MachineId, PersonId, Revision, TunnelId},
    machines::{Asset, CustomerMachine, Device, Tunnel},
    tenancy::{Assignment, Customer, IndividualRole, Permission, Person, Role, Settings, Tenant},
};

/// "May this person do this now?" The objects are in the [`Facts`] that come with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub who: PersonId,
    pub action: Action,
    /// The wall time against which switches expire.
    pub at: Wall,
}

/// What is asked for. Ids name the objects whose rows the facts must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// About `Facts::asset` (shared, operator-internal) or `Facts::machine` (provider-internal).
    CreateCase(CaseType),
    ReadCase(CaseId),
    ChangeState(CaseId),
    /// To `Facts::assignee`.
    Assign(CaseId),
    /// Take it from whoever has it.
    Unassign(CaseId),
    Chat(CaseId),
    /// Title, description, severity and the like.
    EditCase(CaseId),
    /// A provider asks the operator to turn the switch on; answering is [`Self::SwitchCase`].
    RequestAccess(CaseId),
    /// Turning on asks for more than turning off: off is open to whoever may switch at all.
    SwitchCase {
        case: CaseId,
        on: bool,
    },
    SwitchAsset {
        asset: AssetId,
        on: bool,
    },
    UseTunnel {
        tunnel: TunnelId,
        via: Via,
        door: Door,
        want: Want,
    },
    ReadTunnels(AssetId),
    ReadAudit(CaseId),
    /// End another person's session on this asset.
    EndSession(AssetId),
    EndOwnSession(AssetId),
    ReadAsset(AssetId),
    EditTunnels(AssetId),
    /// Say for the operator that a tunnel may lead where it leads; INF: who manages the asset.
    ConfirmTunnel(AssetId),
    /// Change an asset of one's own, move it, take it out of service or back.
    EditAsset(AssetId),
    /// Pair or unpair an edge device with this asset.
    PairDevice(AssetId),
    /// Take the paired device out of service; its owner alone may.
    Decommission(AssetId),
    /// Accept or decline a provider's proposal, or remove the link.
    AnswerProposal(AssetId),
    /// About `Facts::machine`, as its provider sees it.
    ReadMachine(MachineId),
    ManageMachine(MachineId),
    /// About `Facts::customer`, as its provider sees it.
    ReadCustomer(CustomerId),
    /// The same, and its machines: create and change.
    ManageCustomer(CustomerId),
    /// Propose the machine to its operator, or remove the link.
    ProposeMachine(MachineId),
    /// What concerns the own company alone and is called like the permission that it takes: reading
    /// or managing people, devices, facilities, assets, customers, models and the like.
    Own(Permission),
}

/// The grant under which a tunnel is used: which switch governs it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    Case(CaseId),
    Asset(AssetId),
}

/// The way in; it decides whether the gateway could read what flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// The tunnel client: sealed end to end.
    Native,
    /// Browser VNC or terminal: the gateway is the technician's end.
    Browser,
    /// A stock SSH client: as `Browser`.
    Ssh,
}

/// What the session is for, beyond being connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Want {
    /// Full use.
    Control,
    /// A screen, without input.
    View,
    /// SFTP: a right of its own.
    Files,
}

/// The rows that one decision reads, all from one moment.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The newest change that these rows include.
    pub revision: Revision,
    pub person: Option<Person>,
    /// The person's tenant.
    pub tenant: Option<Tenant>,
    /// What that tenant decided for itself.
    pub settings: Settings,
    pub assignments: Vec<Assignment>,
    /// Assignments of roles that the tenant made.
    pub individual: Vec<Assignment<IndividualRole>>,
    pub case: Option<Case>,
    /// The case's asset, or the one asked for.
    pub asset: Option<Asset>,
    /// The asset's operator.
    pub operator: Option<Tenant>,
    /// The customer machine that is linked to, or proposed for, the asset; or that a
    /// provider-internal case is about.
    pub machine: Option<CustomerMachine>,
    /// The customer of `machine`, or the one asked for.
    pub customer: Option<Customer>,
    /// The provider of `machine`.
    pub provider: Option<Tenant>,
    pub tunnel: Option<Tunnel>,
    /// Whether the operator wants to confirm where `tunnel` leads, and has not (CON-24).
    pub unconfirmed: bool,
    /// The device that is paired with the asset.
    pub device: Option<DeviceFacts>,
    pub assignee: Option<Assignee>,
    /// What opens the case to the person beside roles.
    pub widened: Widened,
    pub limits: LimitFacts,
}

/// What groups, case roles and visibility open of a case, to one person of one of its parties.
///
/// More permissive wins here; nothing here reaches a switch, a state or a tunnel (domain.md G.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Widened {
    pub read: bool,
    /// Take part in its conversation.
    pub comment: bool,
    /// Read what was done to it.
    pub history: bool,
}

/// An edge device and whether it can be reached now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceFacts {
    pub device: Device,
    pub presence: Presence,
}

/// Whether a device can be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    #[default]
    Offline,
    Online,
    /// Connected, and its local switch refuses remote access.
    Refusing,
}

/// Whom a case is to be assigned to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignee {
    pub person: Person,
    pub roles: Vec<Role>,
    pub individual: Vec<IndividualRole>,
}

/// Sessions that are live beside the one asked for, and how many there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitFacts {
    pub sessions_of_person: u32,
    pub sessions_of_device: u32,
    pub sessions_of_person_max: u32,
    pub sessions_of_device_max: u32,
}

impl Default for LimitFacts {
    fn default() -> Self {
        Self {
            sessions_of_person: 0,
            sessions_of_device: 0,
            sessions_of_person_max: 8,
            sessions_of_device_max: 4,
        }
    }
}

/// Whether a device can be reached now: known to the process, not to the store.
pub trait PresenceOf: Send + Sync + std::fmt::Debug {
    /// The device's presence at this moment.
    fn presence(&self, device: &DeviceId) -> Presence;
}
