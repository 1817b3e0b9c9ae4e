//! Rows on disk: returns domain types; row, revision and record in one transaction.
//!
//! SQLite, embedded; the SQL is written so that PostgreSQL runs the same statements. Faces and the
//! broker drive it. One writer at a time, so that writes queue instead of failing; readers beside it.
//!
//! ```text
//!   write:  begin ─ facts ─ decide ─┬─ Deny  ─ record of the refusal ─ commit
//!                                   └─ Grant ─ rows ─ revision + 1 ─ record ─ commit ─ published
//! ```
//!
//! What always holds:
//! * no row changes without a `Grant`, but for credentials, device keys, the first [`Seed`], and what
//!   time alone brings about: a switch whose time is up;
//! * a change, its revision and its record are on disk together or not at all;
//! * each committed change is published in the order of revisions; who misses some asks
//!   [`Store::changes_since`];
//! * when the disk has less than [`FREE_BYTES_MIN`] left, no session is requested or started.

mod act;
mod api_tokens;
mod assets;
mod assignments;
mod cases;
mod changes;
mod courier;
mod credentials;
mod customers;
mod decommission;
mod devices;
mod efforts;
mod error;
mod facilities;
mod facts;
mod groups;
mod hooks;
mod imports;
mod inherit;
mod invitations;
mod links;
mod machines;
mod messages;
mod models;
mod notices;
mod open;
mod organisations;
mod outbox;
mod participants;
mod people;
mod places;
mod records;
mod requests;
mod roles;
mod rows;
mod seed;
mod sessions;
mod tenants;
#[cfg(test)]
mod tests;
mod tunnels;
mod widen;
mod workspaces;

use std::str::FromStr;

pub use act::{By, Switched, Written};
pub use api_tokens::{API_TOKEN_LASTS, API_TOKEN_MAX, API_TOKENS_MAX, ApiToken};
pub use assets::{AssetChange, AssetEntry};
pub use assignments::{ASSIGNMENTS_MAX, Held, SCOPE_OBJECTS_MAX};
pub use cases::{
    About, CaseChange, CaseFilter, CaseNames, CaseSheet, Edit, NewCase, Put, PutCase, SwitchAsk,
    Turn,
};
pub use changes::{Change, Object};
pub use courier::{Due, LOG_LASTS, Parcel, Recipient};
pub use credentials::Login;
pub use customers::{
    CustomerStatus, MachineStatus, NewCustomer, NewMachine, SERVICE_ORGANISATIONS_MAX,
    ServiceOrganisation,
};
pub use decommission::{Decommission, Resetting};
pub use devices::{DeviceEntry, ENROLMENT_LASTS, EnrolError, Enrolment, NewDevice};
pub use efforts::Effort;
pub use error::{Conflict, StoreError, WriteError};
pub use facilities::FacilityEntry;
pub use facts::{Subject, TunnelKey};
pub use groups::{
    GROUP_MEMBERS_MAX, GROUPS_MAX, Group, GroupChange, GroupMember, NewGroup, OnDuty,
};
pub use hooks::{Delivery, HookChange, NewHook};
pub use imports::{Imported, ImportedLine, LineOutcome};
pub use invitations::{Acceptance, INVITATION_LASTS, INVITATIONS_MAX, Invitation, Invited, Offer};
pub use links::PROPOSALS_MAX;
pub use machines::NewAsset;
pub use messages::{MENTIONS_MAX, MESSAGE_BYTES_MAX, MessageSheet};
pub use models::{ModelEntry, ModelText, TEMPLATES_MAX, TemplateEntry};
pub use open::{FREE_BYTES_MIN, Limits, Store};
pub use organisations::{
    NewOrganisation, Organisation, OrganisationChange, OrganisationMember, SettingChange,
};
pub use outbox::WAITING_MAX;
pub use participants::{CopyOnCase, Participant};
pub use people::NewPerson;
pub use places::Placed;
pub use records::{RecordFilter, VerifyError, verify_file};
pub use requests::{
    Answer, Answered, REQUEST_LASTS, REQUESTED_FOR_MAX, REQUESTED_FOR_MIN, RequestFilter,
    RequestSheet,
};
pub use roles::{NewRole, ROLES_MAX};
pub use rows::{Listed, PAGE_ROWS_MAX, Page};
pub use seed::{Seed, SeedPerson};
pub use sessions::{Ended, EndedSession, Requested, SessionAsk, SessionRow, SessionState, Started};
pub use tunnels::{TUNNELS_MAX, TunnelEntry};
pub use workspaces::{CaseRole, Workspace, WorkspaceMember, seats};

use crate::ids::InvalidId;

/// A new id; ids sort by the time at which they were made.
fn fresh_id<T: FromStr<Err = InvalidId>>() -> Result<T, StoreError> {
    uuid::Uuid::now_v7().to_string().parse().map_err(|fault: InvalidId| StoreError::Unreadable {
        table: "ids",
        fault: fault.to_string(),
    })
}
