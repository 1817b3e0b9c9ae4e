//! What a session is about, as it was when it was granted.

use crate::{
    authz::{Action, Door, Facts, Grant, Via},
    cases::Switch,
    clock::Wall,
    ids::{AssetId, CaseId, DeviceId, KeyDigest, Name, PeerId, PersonId, TunnelId},
    machines::{Mode, Target, TunnelKind},
};

/// An end of the seal: who it must be, and the key it must show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    pub peer: PeerId,
    pub key: KeyDigest,
}

/// The rows that a session was granted for. Nobody looks them up again: a tunnel config that is
/// edited later changes nothing here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub person: PersonId,
    pub person_name: String,
    pub tenant_name: String,
    /// Whose leg is the technician's.
    pub technician: Party,
    pub via: Via,
    pub asset: AssetId,
    pub device: DeviceId,
    pub device_key: KeyDigest,
    pub tunnel: TunnelId,
    pub tunnel_name: Name,
    pub kind: TunnelKind,
    /// What this session is: `Sealed` or `Recorded`.
    pub mode: Mode,
    pub targets: Vec<Target>,
    /// When the switch turns itself off.
    pub switch_until: Option<Wall>,
}

impl Snapshot {
    /// What `grant` was given for, out of the facts that it was decided on; `None` if they hold no
    /// such tunnel or no enrolled device, which a grant rules out.
    #[must_use]
    pub fn of(grant: &Grant, facts: &Facts, technician: Party) -> Option<Self> {
        let request = grant.request();
        let Action::UseTunnel { tunnel, via, door, want: _ } = &request.action else {
            return None;
        };
        let row = facts.tunnel.as_ref().filter(|row| row.id == *tunnel)?;
        let device = &facts.device.as_ref()?.device;
        let person = facts.person.as_ref()?;
        Some(Self {
            person: request.who.clone(),
            person_name: person.name.clone(),
            tenant_name: facts.tenant.as_ref()?.name.clone(),
            technician,
            via: via.clone(),
            asset: facts.asset.as_ref()?.id.clone(),
            device: device.id.clone(),
            device_key: device.key?,
            tunnel: row.id.clone(),
            tunnel_name: row.name.clone(),
            kind: row.kind,
            mode: match door {
                Door::Native => Mode::Sealed,
                Door::Browser | Door::Ssh => Mode::Recorded,
            },
            targets: row.targets.clone(),
            switch_until: switch_of(via, facts).and_then(|switch| switch.until),
        })
    }

    /// The case, where a case granted it.
    #[must_use]
    pub fn case(&self) -> Option<&CaseId> {
        match &self.via {
            Via::Case(case) => Some(case),
            Via::Asset(_) => None,
        }
    }

    /// The device's end.
    #[must_use]
    pub fn device_party(&self) -> Party {
        Party { peer: PeerId::Device(self.device.clone()), key: self.device_key }
    }

    /// Whether the asset is still paired with the very device, and key, that this session uses.
    #[must_use]
    pub(super) fn same_device(&self, facts: &Facts) -> bool {
        facts.device.as_ref().is_some_and(|found| {
            found.device.id == self.device && found.device.key == Some(self.device_key)
        })
    }
}

/// The switch that governs a session.
pub(super) fn switch_of<'a>(via: &Via, facts: &'a Facts) -> Option<&'a Switch> {
    match via {
        Via::Case(_) => facts.case.as_ref()?.switch(),
        Via::Asset(_) => facts.asset.as_ref().map(|asset| &asset.switch),
    }
}
