//! The warrant: the grant, signed by the gateway, for the device to check by itself.
//!
//! It says who, from which case, to which targets, until when, and repeats the nonce that the device
//! chose for this connection, so that an old warrant opens nothing. The signature is Ed25519
//! (RFC 8032) over `caseway warrant 1\0` and the very bytes that travel.

mod sign;

use serde::{Deserialize, Serialize};

pub use sign::{InvalidKey, InvalidWarrant, SignedWarrant, WarrantKey, WarrantVerifier};

use crate::{
    clock::Wall,
    ids::{AssetId, CaseId, DeviceId, KeyDigest, Name, PersonId, SessionId},
    machines::{Mode, Target},
};

/// What a warrant says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Warrant {
    pub session: SessionId,
    pub device: DeviceId,
    /// The device's own nonce, from its `Hello`: base64url of 16 bytes.
    pub nonce: String,
    pub person: PersonId,
    /// For the people at the machine.
    pub person_name: String,
    pub tenant_name: String,
    /// The case, where the session was granted by one.
    pub case: Option<CaseId>,
    pub asset: AssetId,
    pub tunnel: Name,
    pub mode: Mode,
    pub targets: Vec<Target>,
    /// What the technician's end of the seal must show.
    pub technician_key: KeyDigest,
    pub issued: Wall,
    pub until: Wall,
}
