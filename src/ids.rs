//! Names of things: parsed at the door, once, and never raw afterwards.
//!
//! Every id is one DNS label (RFC 1035 section 2.3.1): 1 to 63 of `a-z`, `0-9` and `-`, with no `-`
//! at either end, so that it can stand in a certificate name, a URL and a log line unescaped. Case
//! ids are spoken aloud and written on paper, so they are shown in capitals: `CASE-7`.

mod peer;

use std::{fmt, str::FromStr, sync::Arc};

pub use peer::{InvalidDigest, InvalidPeer, KeyDigest, PeerId};

use serde::{Deserialize, Serialize};

/// The longest label that RFC 1035 allows, in bytes.
pub const LABEL_BYTES_MAX: usize = 63;

/// Text that is not the id it was meant to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a valid {kind} id: {bytes} bytes given; expected 1 to 63 letters, digits and inner hyphens"
)]
pub struct InvalidId {
    kind: &'static str,
    bytes: usize,
}

fn label(kind: &'static str, text: &str) -> Result<(), InvalidId> {
    let well_formed = (1..=LABEL_BYTES_MAX).contains(&text.len())
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if well_formed { Ok(()) } else { Err(InvalidId { kind, bytes: text.len() }) }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident, $kind:literal, $fold:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                label($kind, text)?;
                Ok(Self(text.$fold().into()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

ids! {
    /// A company on the platform.
    TenantId, "tenant", to_ascii_lowercase;
    /// A user of one tenant.
    PersonId, "person", to_ascii_lowercase;
    /// One role given to one person with one scope.
    AssignmentId, "assignment", to_ascii_lowercase;
    /// A role that one tenant made for itself.
    RoleId, "role", to_ascii_lowercase;
    /// An invitation into a company.
    InvitationId, "invitation", to_ascii_lowercase;
    /// A token with which a program reads.
    ApiTokenId, "token", to_ascii_lowercase;
    /// What groups a provider's customers.
    ServiceOrganisationId, "service organisation", to_ascii_lowercase;
    /// A site or hall that groups assets on the operator's side.
    FacilityId, "facility", to_ascii_lowercase;
    /// A provider's record of an operator company.
    CustomerId, "customer", to_ascii_lowercase;
    /// A machine as its operator sees it.
    AssetId, "asset", to_ascii_lowercase;
    /// A machine as its provider sees it; linked to an asset when both sides agreed.
    MachineId, "machine", to_ascii_lowercase;
    /// A type of machine, as its provider describes it.
    ModelId, "machine model", to_ascii_lowercase;
    /// A tunnel config that machines of a model inherit.
    TemplateId, "tunnel template", to_ascii_lowercase;
    /// An edge device, as its certificate spells it.
    DeviceId, "device", to_ascii_lowercase;
    /// A tunnel config of an asset.
    TunnelId, "tunnel", to_ascii_lowercase;
    /// A tunnel config's or target's name, unique beside its siblings; what people type.
    Name, "name", to_ascii_lowercase;
    /// A service case.
    CaseId, "case", to_ascii_uppercase;
    /// A wish that a case's switch be turned on.
    RequestId, "request", to_ascii_lowercase;
    /// One started instance of a tunnel config under one grant.
    SessionId, "session", to_ascii_lowercase;
    /// A resource group of one company.
    GroupId, "group", to_ascii_lowercase;
    /// A division of a company's cases.
    WorkspaceId, "workspace", to_ascii_lowercase;
    /// A role within single cases.
    CaseRoleId, "case role", to_ascii_lowercase;
    /// People of a company who share an e-mail domain.
    OrganisationId, "organisation", to_ascii_lowercase;
    /// A company's address for messages about what happens to its cases and machines.
    HookId, "webhook", to_ascii_lowercase;
    /// One message that leaves the gateway, however often it is tried.
    DeliveryId, "delivery", to_ascii_lowercase;
    /// A gateway process's name among its siblings, as its face certificate spells it.
    GatewayId, "gateway", to_ascii_lowercase;
}

/// A channel's number within its session: 0 carries the seal's handshake, others one target each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChannelNo(pub u32);

impl ChannelNo {
    /// The channel that carries a session's seal handshake and no target.
    pub const HANDSHAKE: Self = Self(0);
}

impl fmt::Display for ChannelNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of the facts' newest change; it only grows.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_1_to_63_letters_digits_and_inner_hyphens() {
        assert_eq!("Press-7".parse::<DeviceId>().unwrap().as_str(), "press-7");
        assert_eq!("case-7".parse::<CaseId>().unwrap().as_str(), "CASE-7");
        for bad in ["", "-a", "a-", "a b", "a.b", "ä", &"a".repeat(LABEL_BYTES_MAX + 1)] {
            assert!(bad.parse::<DeviceId>().is_err(), "{bad}");
        }
        assert!("a".repeat(LABEL_BYTES_MAX).parse::<DeviceId>().is_ok());
    }
}
