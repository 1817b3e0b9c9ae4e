//! Enrolment: one request, one reply, on a connection of its own ALPN.

use serde::{Deserialize, Serialize};

use crate::{
    clock::Wall,
    ids::{DeviceId, GatewayId},
};

/// What a device that has no certificate yet asks.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolRequest {
    pub protocol: u16,
    /// Base64url of 32 bytes; opens one enrolment, once.
    pub token: String,
    /// A PKCS #10 request (RFC 2986) as PEM, signed by the key that becomes the identity.
    pub csr: String,
    /// Program and version, for logs: at most 64 bytes.
    pub build: String,
    pub wall: Wall,
}

/// The token stays out of logs.
impl std::fmt::Debug for EnrolRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnrolRequest").field("build", &self.build).finish_non_exhaustive()
    }
}

/// What it gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "say", deny_unknown_fields)]
pub enum EnrolReply {
    Enrolled(Enrolled),
    /// `code` is `token` (unknown, used or expired), `request` (not well formed), `protocol`,
    /// `unavailable`.
    Refused {
        code: String,
        detail: String,
    },
}

/// A device's new papers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolled {
    pub device: DeviceId,
    pub gateway: GatewayId,
    /// The device's certificate as PEM.
    pub certificate: String,
    /// The internal CA as PEM.
    pub ca: String,
    /// What to check warrants with: base64url of 32 bytes.
    pub warrant_key: String,
    pub wall: Wall,
}
