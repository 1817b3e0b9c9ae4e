//! What a person sees of one case.

use serde::{Deserialize, Serialize};

/// What a person may do with a case by visibility alone; each includes those before it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Sight {
    #[default]
    Nothing,
    View,
    Comment,
}

/// What an organisation lets its end users see of each other's cases (G3-2).
///
/// An organisation set to anything but the default is what S4 calls *shared*: read-only with
/// [`Self::View`], read-write with [`Self::Comment`] (G3-4).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum OrgSetting {
    #[default]
    OwnOnly,
    View,
    Comment,
}

/// What a person is let see beside their own cases: view at most (G3-2).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum PersonSetting {
    #[default]
    OwnOnly,
    Organisation,
}

/// Who put a person on a case's copy list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cc {
    /// Who raised the case.
    Requester,
    /// Anybody else.
    Another,
}

/// How a person stands to one case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// They raised it.
    pub own: bool,
    /// They belong to the case's organisation.
    pub member: bool,
    /// They see it as a professional partner of the case's organisation: they belong to a partner
    /// organisation as well.
    pub partner: bool,
    /// The case's organisation has agreed that its partners see all of its cases (G3-6).
    pub agreed: bool,
    /// A client of a managed service: no direct relation (G3-8).
    pub managed: bool,
    pub cc: Option<Cc>,
    pub organisation: OrgSetting,
    pub person: PersonSetting,
}

/// What the person sees of the case: the most that anything gives (G3-2 to G3-6, G3-8).
#[must_use]
pub fn sight(standing: &Standing) -> Sight {
    if standing.managed {
        return Sight::Nothing;
    }
    if standing.own {
        return Sight::Comment;
    }
    by_copy(standing).max(by_organisation(standing))
}

/// A partner on the copy list comments only where the requester put them there (G3-6).
fn by_copy(standing: &Standing) -> Sight {
    match (standing.cc, standing.partner) {
        (None, _) => Sight::Nothing,
        (Some(Cc::Another), true) => Sight::View,
        (Some(Cc::Requester), true) | (Some(_), false) => Sight::Comment,
    }
}

fn by_organisation(standing: &Standing) -> Sight {
    if !standing.member {
        return Sight::Nothing;
    }
    let organisation = match standing.organisation {
        OrgSetting::OwnOnly => Sight::Nothing,
        OrgSetting::View => Sight::View,
        // CON-16: a partner comments where it is shared with comments.
        OrgSetting::Comment => Sight::Comment,
    };
    let person = match standing.person {
        PersonSetting::OwnOnly => Sight::Nothing,
        PersonSetting::Organisation => Sight::View,
    };
    let wider = if standing.partner && standing.agreed { Sight::View } else { Sight::Nothing };
    organisation.max(person).max(wider)
}
