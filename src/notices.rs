//! What people are told of by mail, and in which words.
//!
//! `store` decides who hears of a record, by the policies; this room knows the topics that a person
//! may turn on or off, and writes the message.
//!
//! What always holds: a message says what happened, to which case and machine, by whom, and what to
//! do next; it holds nothing that its reader could not look up; free text of others is quoted, in
//! one line.

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};

use crate::{clock::Wall, ids::CaseId};

/// The longest text of others that is quoted, in characters.
const QUOTE_CHARS_MAX: usize = 300;

/// What a person may be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// An operator opened a shared case (domain.md A, "provider is notified").
    CaseOpened,
    /// The case is the reader's to work on.
    CaseAssigned,
    /// A case that the reader works on was opened again.
    CaseReopened,
    /// A provider asks for remote access, which the reader may grant (domain.md CON-28).
    AccessRequested,
    /// The reader had asked for it.
    AccessAnswered,
    /// A message names the reader.
    Mentioned,
    /// Something was said about a case that the reader takes part in, works on or opened.
    CaseMessage,
    /// Something happened to a case of a group that the reader is a member of (domain.md G1-10).
    GroupCase,
}

impl Topic {
    /// Every topic, in the order in which they are shown.
    pub const ALL: [Self; 8] = [
        Self::CaseOpened,
        Self::CaseAssigned,
        Self::CaseReopened,
        Self::AccessRequested,
        Self::AccessAnswered,
        Self::Mentioned,
        Self::CaseMessage,
        Self::GroupCase,
    ];

    /// As it is typed and kept.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::CaseOpened => "case_opened",
            Self::CaseAssigned => "case_assigned",
            Self::CaseReopened => "case_reopened",
            Self::AccessRequested => "access_requested",
            Self::AccessAnswered => "access_answered",
            Self::Mentioned => "mentioned",
            Self::CaseMessage => "case_message",
            Self::GroupCase => "group_case",
        }
    }

    /// What it is about, for the list of topics.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Self::CaseOpened => "an operator opened a case that you may work on",
            Self::CaseAssigned => "a case was assigned to you",
            Self::CaseReopened => "a case of yours was opened again",
            Self::AccessRequested => "somebody asks for remote access that you may grant",
            Self::AccessAnswered => "your request for remote access was answered, or lapsed",
            Self::Mentioned => "a message mentions you",
            Self::CaseMessage => {
                "something was said about a case that you opened, have or take part in"
            }
            Self::GroupCase => "something happened to a case of your group, where it tells members",
        }
    }

    /// Whether people who never chose are told: of what waits for them (INF); of their groups' cases
    /// only those who switched that on (G1-10).
    #[must_use]
    pub fn wanted_at_first(self) -> bool {
        match self {
            Self::CaseOpened
            | Self::CaseAssigned
            | Self::CaseReopened
            | Self::AccessRequested
            | Self::AccessAnswered
            | Self::Mentioned
            | Self::CaseMessage => true,
            Self::GroupCase => false,
        }
    }

    /// What the reader does next about a case, as they type it.
    fn next(self, case: &CaseId) -> String {
        match self {
            Self::AccessRequested => format!("To answer: caseway case answer {case} yes|no"),
            Self::Mentioned | Self::CaseMessage => {
                format!("To read on: caseway case messages {case}")
            }
            Self::CaseOpened
            | Self::CaseAssigned
            | Self::CaseReopened
            | Self::AccessAnswered
            | Self::GroupCase => format!("To see it: caseway case show {case}"),
        }
    }
}

/// What happened, as far as a message tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening<'a> {
    pub topic: Topic,
    /// What happened, as it follows the case: "was assigned to you".
    pub said: &'a str,
    pub case: &'a CaseId,
    pub title: &'a str,
    /// The machine's name, where there is one to tell.
    pub machine: Option<&'a str>,
    /// Who did it, by name.
    pub by: &'a str,
    pub at: Wall,
    /// Words that came with it.
    pub words: Option<&'a str>,
}

/// A message, before it has a reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    pub subject: String,
    pub text: String,
}

impl Happening<'_> {
    /// The message about it; `gateway` is where the reader logs in.
    #[must_use]
    pub fn letter(&self, gateway: &str) -> Letter {
        let (case, said) = (self.case, self.said);
        let mut text = format!("{case} {said}.\n\n");
        line(&mut text, "Case", &format_args!("{case}: {}", Quoted(self.title)));
        if let Some(machine) = self.machine {
            line(&mut text, "Machine", &Quoted(machine));
        }
        line(&mut text, "By", &Quoted(self.by));
        line(&mut text, "When", &self.at);
        if let Some(words) = self.words {
            line(&mut text, "Words", &format_args!("\"{}\"", Quoted(words)));
        }
        let _ = write!(
            text,
            "\n{}\n\n-- \nSent by the Caseway gateway at {gateway}. You get this because of your roles \
             there.\nNot wanted? caseway notifications set {} off\n",
            self.topic.next(case),
            self.topic.code()
        );
        Letter { subject: format!("{case} {said}: {}", Quoted(self.title)), text }
    }
}

/// An invitation, as far as a message tells it: never its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invited<'a> {
    /// Who invites, by name, and for which company.
    pub by: &'a str,
    pub company: &'a str,
    /// Accepting makes a company of the reader's own.
    pub customer: bool,
    pub until: Wall,
}

impl Invited<'_> {
    /// The message about it; `gateway` is where it is accepted.
    ///
    /// INF: mail is read by others than its reader, so that what it takes to accept comes by another
    /// way.
    #[must_use]
    pub fn letter(&self, gateway: &str) -> Letter {
        let (by, company) = (Quoted(self.by), Quoted(self.company));
        let what = if self.customer {
            "as a customer: accepting makes your own company there"
        } else {
            "to work with them"
        };
        let mut text = format!("{by} of {company} invites you to Caseway, {what}.\n\n");
        line(&mut text, "Gateway", &gateway);
        line(&mut text, "Until", &self.until);
        let _ = write!(
            text,
            "\nTo accept takes a token. It is not in this mail, which others might read: {by} gives it \
             to you, in a file, and the gateway's ca.pem.\n\n  \
             caseway invite accept {gateway} --ca ca.pem --token-file FILE --name YOU\n\n-- \n\
             You do not know who this is? Then do nothing: without the token nothing happens.\n",
        );
        Letter { subject: format!("{company} invites you to Caseway"), text }
    }
}

fn line(text: &mut String, name: &str, value: &dyn fmt::Display) {
    let _ = writeln!(text, "  {name:<9}{value}");
}

/// Somebody else's text: one line, no control characters, not endless.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chars = self.0.chars();
        for c in chars.by_ref().take(QUOTE_CHARS_MAX) {
            f.write_char(if c.is_control() { ' ' } else { c })?;
        }
        if chars.next().is_some() { f.write_str("...") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(topic: Topic, title: &str) -> Letter {
        Happening {
            topic,
            said: "was assigned to you",
            case: &"CASE-7".parse().unwrap(),
            title,
            machine: Some("Press 7"),
            by: "Milo Operator",
            at: "2026-05-01T08:00:00Z".parse().unwrap(),
            words: None,
        }
        .letter("https://gateway.example:8443")
    }

    #[test]
    fn a_letter_says_what_happened_and_what_to_do() {
        let Letter { subject, text } = letter(Topic::CaseAssigned, "Hydraulics leak");
        insta::assert_snapshot!(format!("{subject}\n\n{text}"));
    }

    #[test]
    fn an_invitation_says_who_and_until_when_and_has_no_token() {
        let told = |company, customer| {
            let until = "2026-05-31T08:00:00Z".parse().unwrap();
            let invited = Invited { by: "Carla", company, customer, until };
            let Letter { subject, text } = invited.letter("https://gateway.example:8443");
            format!("{subject}\n\n{text}")
        };
        insta::assert_snapshot!(told("Brandt", false));
        let customer = told("Brandt\r\nBcc: all@firm.example", true);
        assert!(customer.contains("your own company") && !customer.contains("\nBcc"), "{customer}");
    }

    #[test]
    fn what_others_wrote_stays_in_its_line() {
        let title = format!("Leak\r\nBcc: all@firm.example\n{}", "x".repeat(1_000));
        let Letter { subject, text } = letter(Topic::CaseOpened, &title);
        assert!(!subject.contains(['\r', '\n']) && subject.len() < 400, "{subject}");
        assert!(!text.contains("\nBcc"), "{text}");
    }

    #[test]
    fn a_topic_is_typed_as_the_api_spells_it() {
        for topic in Topic::ALL {
            assert_eq!(serde_json::to_value(topic).unwrap(), topic.code());
        }
    }
}
