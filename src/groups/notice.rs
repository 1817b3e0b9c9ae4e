//! Which happenings on a group's cases its members are told of by mail.

use serde::{Deserialize, Serialize};

/// Something that happens to a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    /// It was put into a group.
    Authorised,
    MailReceived,
    /// It was opened again.
    Reopened,
    Commented,
    /// Mail about it could not be delivered.
    Undeliverable,
    /// Any other change: of its title, its priority, its assignee.
    Changed,
}

/// A group's setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Notices {
    /// Members are told at all.
    pub on: bool,
    /// What is attached to the case goes with the mail.
    pub attachments: bool,
}

/// Whether a member is told: both the group and the member must have it on (G1-10).
#[must_use]
pub fn fires(happening: Happening, group: Notices, member_on: bool) -> bool {
    let listed = match happening {
        Happening::Authorised
        | Happening::MailReceived
        | Happening::Reopened
        | Happening::Commented
        | Happening::Undeliverable => true,
        Happening::Changed => false,
    };
    listed && group.on && member_on
}
