//! What a writer says; its number and hashes come with the row.

use std::{fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Serialize};

use super::Event;
use crate::{
    clock::Wall,
    ids::{AssetId, CaseId, ChannelNo, DeviceId, GatewayId, Name, PersonId, SessionId, TenantId},
    machines::Destination,
    tenancy::RoleRef,
};

/// Who acted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Actor {
    Person(PersonId),
    Device(DeviceId),
    Gateway(GatewayId),
    /// Somebody who is not known: a failed log-in.
    Nobody,
}

/// `person/<id>`, `device/<id>`, `gateway/<id>`, `nobody`.
impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(id) => write!(f, "person/{id}"),
            Self::Device(id) => write!(f, "device/{id}"),
            Self::Gateway(id) => write!(f, "gateway/{id}"),
            Self::Nobody => f.write_str("nobody"),
        }
    }
}

/// Text that names no actor.
#[derive(Debug, thiserror::Error)]
#[error("an actor is person/ID, device/ID, gateway/ID or nobody")]
pub struct InvalidActor;

impl FromStr for Actor {
    type Err = InvalidActor;

    fn from_str(text: &str) -> Result<Self, InvalidActor> {
        match text.split_once('/') {
            Some(("person", id)) => id.parse().map(Self::Person).map_err(|_| InvalidActor),
            Some(("device", id)) => id.parse().map(Self::Device).map_err(|_| InvalidActor),
            Some(("gateway", id)) => id.parse().map(Self::Gateway).map_err(|_| InvalidActor),
            None if text == "nobody" => Ok(Self::Nobody),
            _ => Err(InvalidActor),
        }
    }
}

impl TryFrom<String> for Actor {
    type Error = InvalidActor;

    fn try_from(text: String) -> Result<Self, InvalidActor> {
        text.parse()
    }
}

impl From<Actor> for String {
    fn from(actor: Actor) -> Self {
        actor.to_string()
    }
}

/// What happened, in full, before it has a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    pub at: Wall,
    pub actor: Actor,
    /// The actor's name as it was then, for people.
    pub actor_name: String,
    /// The actor's tenant.
    pub tenant: Option<TenantId>,
    /// The role that gave the permission.
    pub role: Option<RoleRef>,
    pub event: Event,
    /// What was acted on: `case/CASE-1`, `tunnel/...`.
    pub object: Option<String>,
    pub case: Option<CaseId>,
    pub asset: Option<AssetId>,
    /// False: it was refused, or failed.
    pub done: bool,
    /// A reason code or an end cause, or the words that a person gave.
    pub reason: Option<String>,
    pub old: Option<String>,
    pub new: Option<String>,
    pub source_ip: Option<IpAddr>,
    pub session: Option<SessionId>,
}

impl Entry {
    /// An entry that says no more than this; set the other fields on it.
    #[must_use]
    pub fn new(at: Wall, actor: Actor, event: Event) -> Self {
        Self {
            at,
            actor_name: actor.to_string(),
            actor,
            tenant: None,
            role: None,
            event,
            object: None,
            case: None,
            asset: None,
            done: true,
            reason: None,
            old: None,
            new: None,
            source_ip: None,
            session: None,
        }
    }
}

/// One channel of a session, when it is over: what went where, and how much.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    pub session: SessionId,
    pub channel: ChannelNo,
    pub target: Name,
    pub destination: Destination,
    pub began: Wall,
    pub ended: Wall,
    /// Bytes from the technician to the machine.
    pub up: u64,
    /// Bytes from the machine to the technician.
    pub down: u64,
}
