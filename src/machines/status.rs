//! How things stand that are not written down anywhere: computed from what is.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Link;

/// How an asset stands to providers (domain.md A, "Asset status").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssetStatus {
    /// Active, and its operator's alone.
    Internal,
    /// Active; a provider has proposed to share it, and the operator has not answered.
    Proposed,
    /// Active, and linked with a provider's machine.
    Shared,
    /// Out of service: nothing new is started on it, whoever it is linked with.
    Deactivated,
}

impl AssetStatus {
    /// Of an asset with these customer machines.
    #[must_use]
    pub fn of<'a>(active: bool, links: impl IntoIterator<Item = &'a Link>) -> Self {
        if !active {
            return Self::Deactivated;
        }
        let one = |link: &Link| match link {
            Link::New => Self::Internal,
            Link::Proposed { .. } => Self::Proposed,
            Link::Linked { .. } => Self::Shared,
        };
        links.into_iter().map(one).max().unwrap_or(Self::Internal)
    }

    /// The code in replies and on screens.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Proposed => "proposed",
            Self::Shared => "shared",
            Self::Deactivated => "deactivated",
        }
    }
}

impl fmt::Display for AssetStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Where an edge device stands between its pairing and its owner (domain.md E).
///
/// ```text
///   Unpaired ── pair ──> Paired ── decommission ──> Resetting ── sessions are over ──> Unpaired
///                          └──────────── unpair, or a device of several assets ───────────┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceState {
    /// In its owner's hands, and of no asset.
    Unpaired,
    Paired,
    /// Being decommissioned: still paired, and nobody is let through it any more.
    Resetting,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assets_status_comes_from_its_links_and_being_in_service() {
        let asset = || "press-7".parse().unwrap();
        let (proposed, linked) =
            (Link::Proposed { asset: asset() }, Link::Linked { asset: asset() });
        assert_eq!(AssetStatus::of(true, []), AssetStatus::Internal);
        assert_eq!(AssetStatus::of(true, [&Link::New]), AssetStatus::Internal);
        assert_eq!(AssetStatus::of(true, [&proposed]), AssetStatus::Proposed);
        assert_eq!(AssetStatus::of(true, [&linked]), AssetStatus::Shared);
        assert_eq!(AssetStatus::of(true, [&linked, &proposed]), AssetStatus::Shared);
        assert_eq!(AssetStatus::of(false, [&linked]), AssetStatus::Deactivated);
        for status in [AssetStatus::Internal, AssetStatus::Deactivated] {
            assert_eq!(serde_json::to_value(status).unwrap(), status.code());
        }
    }
}
