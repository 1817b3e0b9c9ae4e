//! Which rates a session's bytes share, and with whom.

use std::collections::BTreeMap;

use crate::{
    clock::Now,
    ids::{CaseId, DeviceId},
    relay::Cap,
    session::Snapshot,
};

/// Rates in bytes a second, each way; `None`: as fast as it goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Of one session.
    pub session: Option<u64>,
    /// Of all sessions with one device together.
    pub device: Option<u64>,
    /// Of all sessions from one case together.
    pub case: Option<u64>,
}

/// The caps of live sessions.
#[derive(Debug, Default)]
pub(super) struct Caps {
    rates: Rates,
    devices: BTreeMap<DeviceId, Cap>,
    cases: BTreeMap<CaseId, Cap>,
}

impl Caps {
    pub(super) fn new(rates: Rates) -> Self {
        Self { rates, ..Self::default() }
    }

    /// What a new session goes by.
    pub(super) fn of(&mut self, snapshot: &Snapshot, now: Now) -> Vec<Cap> {
        // Whose sessions are all over is forgotten.
        self.devices.retain(|_, cap| cap.is_shared());
        self.cases.retain(|_, cap| cap.is_shared());
        let mut caps: Vec<Cap> = Vec::new();
        caps.extend(self.rates.session.map(|rate| Cap::new(rate, now)));
        if let Some(rate) = self.rates.device {
            let cap = self.devices.entry(snapshot.device.clone());
            caps.push(cap.or_insert_with(|| Cap::new(rate, now)).clone());
        }
        if let (Some(rate), Some(case)) = (self.rates.case, snapshot.case()) {
            let cap = self.cases.entry(case.clone());
            caps.push(cap.or_insert_with(|| Cap::new(rate, now)).clone());
        }
        caps
    }
}
