//! What a group's people have set for it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{Escalation, Hours, Notices, Stopwatch};

/// E-mail addresses of one group at most.
pub const ADDRESSES_MAX: usize = 8;
/// One address at most, in bytes (RFC 5321 section 4.5.3.1.3).
const ADDRESS_BYTES_MAX: usize = 254;

/// Settings of one group; none of them is inherited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Write members may take a case out of the group (G1-7; INF: see [`super::place`]).
    pub members_remove: bool,
    /// Where mail for the group arrives.
    pub addresses: Addresses,
    /// Mail about the group's cases is sent from the first of [`Self::addresses`].
    pub sends_as_itself: bool,
    pub hours: Hours,
    pub escalation: Escalation,
    pub stopwatch: Stopwatch,
    pub notices: Notices,
}

impl Settings {
    /// The sender of mail about a case of this group; `None`: the gateway's own address (G1-7).
    #[must_use]
    pub fn sender(&self) -> Option<&str> {
        self.addresses.0.first().filter(|_| self.sends_as_itself).map(String::as_str)
    }
}

/// E-mail addresses, written with `;` between them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Addresses(Vec<String>);

/// Text that is no list of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("addresses are e-mail addresses with ; between them, {ADDRESSES_MAX} at most")]
pub struct InvalidAddresses;

impl FromStr for Addresses {
    type Err = InvalidAddresses;

    fn from_str(text: &str) -> Result<Self, InvalidAddresses> {
        let parts = text.split(';').map(str::trim).filter(|one| !one.is_empty());
        let found: Vec<String> = parts.map(str::to_lowercase).collect();
        let well_formed = |one: &String| {
            one.len() <= ADDRESS_BYTES_MAX
                && !one.chars().any(|c| c.is_whitespace() || c.is_control())
                && one.split_once('@').is_some_and(|(name, host)| {
                    !name.is_empty() && !host.is_empty() && !host.contains('@')
                })
        };
        if found.len() > ADDRESSES_MAX || !found.iter().all(well_formed) {
            return Err(InvalidAddresses);
        }
        Ok(Self(found))
    }
}

impl TryFrom<String> for Addresses {
    type Error = InvalidAddresses;

    fn try_from(text: String) -> Result<Self, InvalidAddresses> {
        text.parse()
    }
}

impl From<Addresses> for String {
    fn from(addresses: Addresses) -> Self {
        addresses.to_string()
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(";"))
    }
}
