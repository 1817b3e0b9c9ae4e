//! What a webhook may hear of.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::audit::Event;

/// Kind, and the record that it comes from. An event that is not here reaches no webhook. Events of
/// cases and machines alone: what people do to accounts stays in the gateway (INF: a ticket system
/// has no use for it, and names and addresses need not leave).
const KINDS: &[(&str, Option<Event>)] = &[
    ("case.created", Some(Event::CaseCreated)),
    ("case.state_changed", Some(Event::CaseStateChanged)),
    ("case.assigned", Some(Event::AssigneeChanged)),
    ("case.closed", Some(Event::CaseClosed)),
    ("case.reopened", Some(Event::CaseReopened)),
    // That something was said, not what: a conversation is read by whoever may take part in it (INF).
    ("case.message", Some(Event::MessagePosted)),
    ("access_request.asked", Some(Event::AccessRequested)),
    ("access_request.granted", Some(Event::AccessGranted)),
    ("access_request.declined", Some(Event::AccessDeclined)),
    ("access_request.withdrawn", Some(Event::AccessWithdrawn)),
    ("access_request.lapsed", Some(Event::AccessLapsed)),
    ("remote_access.on", Some(Event::SwitchOn)),
    ("remote_access.off", Some(Event::SwitchOff)),
    ("session.started", Some(Event::SessionStarted)),
    ("session.ended", Some(Event::SessionEnded)),
    ("asset.created", Some(Event::AssetCreated)),
    ("asset.changed", Some(Event::AssetChanged)),
    ("asset.link_changed", Some(Event::LinkChanged)),
    // Asked for by hand, to see whether messages arrive.
    ("webhook.test", None),
];

/// The kind of a message: words with full stops between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HookKind(&'static str);

/// Text that is no kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is no kind of event; expected one of {}", HookKind::names())]
pub struct InvalidKind {
    found: String,
}

impl HookKind {
    /// Sent on request alone, whatever a webhook hears of.
    pub const TEST: Self = Self("webhook.test");

    /// The kind of message that tells of `event`, if one does.
    #[must_use]
    pub fn of(event: Event) -> Option<Self> {
        KINDS.iter().find(|(_, told)| *told == Some(event)).map(|(name, _)| Self(name))
    }

    /// Every kind that a webhook can be told to hear of.
    #[must_use]
    pub fn all() -> Vec<Self> {
        KINDS.iter().filter(|(_, event)| event.is_some()).map(|(name, _)| Self(name)).collect()
    }

    /// As it travels.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.0
    }

    fn names() -> String {
        Self::all().iter().map(|kind| kind.0).collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for HookKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl FromStr for HookKind {
    type Err = InvalidKind;

    fn from_str(text: &str) -> Result<Self, InvalidKind> {
        let found = Self::all().into_iter().find(|kind| kind.0 == text);
        found.ok_or_else(|| InvalidKind { found: text.chars().take(64).collect() })
    }
}

impl Serialize for HookKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for HookKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_words_of_letters_with_full_stops_between() {
        for kind in HookKind::all() {
            assert!(kind.code().bytes().all(|b| matches!(b, b'a'..=b'z' | b'_' | b'.')), "{kind}");
            assert_eq!(kind.code().parse(), Ok(kind));
        }
        assert!("case.*".parse::<HookKind>().is_err());
        assert!("webhook.test".parse::<HookKind>().is_err(), "nobody subscribes to tests");
    }

    #[test]
    fn what_was_refused_and_who_logged_in_is_nobodys_message() {
        for event in [
            Event::Refused,
            Event::LoggedIn,
            Event::PersonCreated,
            Event::PersonInvited,
            Event::Flow,
        ] {
            assert_eq!(HookKind::of(event), None, "{event}");
        }
    }
}
