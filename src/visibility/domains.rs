//! Organisations by e-mail domain.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::ids::OrganisationId;

/// A domain name at most, in bytes (RFC 1035 section 2.3.4).
const DOMAIN_BYTES_MAX: usize = 253;

/// The part of an e-mail address after the `@`, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Domain(String);

/// Text that is no domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a domain is written as in an e-mail address after the @, such as aurora.example")]
pub struct InvalidDomain;

impl Domain {
    /// The domain as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Domain {
    type Err = InvalidDomain;

    fn from_str(text: &str) -> Result<Self, InvalidDomain> {
        let text = text.trim().to_lowercase();
        let label = |part: &str| {
            !part.is_empty()
                && part.len() <= crate::ids::LABEL_BYTES_MAX
                && !part.starts_with('-')
                && !part.ends_with('-')
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        if text.len() > DOMAIN_BYTES_MAX || !text.contains('.') || !text.split('.').all(label) {
            return Err(InvalidDomain);
        }
        Ok(Self(text))
    }
}

impl TryFrom<String> for Domain {
    type Error = InvalidDomain;

    fn try_from(text: String) -> Result<Self, InvalidDomain> {
        text.parse()
    }
}

impl From<Domain> for String {
    fn from(domain: Domain) -> Self {
        domain.0
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a person with this address, created now, belongs to an organisation of `domains`: by the
/// whole domain, neither a part of it nor one that ends in it (G3-1).
#[must_use]
pub fn belongs(email: &str, domains: &BTreeSet<Domain>) -> bool {
    let Some((_, host)) = email.split_once('@') else { return false };
    let host = host.to_lowercase();
    domains.iter().any(|domain| domain.as_str() == host)
}

/// A case that cannot be put under an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MembershipError {
    #[error("whoever belongs to several organisations says for which of them the case is")]
    MustSay,
    #[error("a case is raised for an organisation that the person belongs to")]
    NotAMember,
}

/// The organisation that a new case belongs to, given those of who raises it (G3-7).
///
/// # Errors
///
/// [`MembershipError`]: with several, saying nothing is refused.
pub fn organisation_for<'a>(
    of_person: &'a BTreeSet<OrganisationId>,
    said: Option<&OrganisationId>,
) -> Result<Option<&'a OrganisationId>, MembershipError> {
    match said {
        Some(said) => of_person.get(said).map(Some).ok_or(MembershipError::NotAMember),
        None if of_person.len() > 1 => Err(MembershipError::MustSay),
        None => Ok(of_person.first()),
    }
}
