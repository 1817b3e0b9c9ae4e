//! The rows that one decision reads, in one read transaction.

use super::{Store, StoreError};
use crate::{
    authz::Facts,
    ids::{AssetId, CaseId, MachineId, Name, PersonId, SessionId, TunnelId},
};

/// What a decision is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    pub who: PersonId,
    pub case: Option<CaseId>,
    /// Where no case is given: the asset.
    pub asset: Option<AssetId>,
    /// Where no case is given: the customer machine.
    pub machine: Option<MachineId>,
    pub tunnel: Option<TunnelKey>,
    pub assignee: Option<PersonId>,
    /// The session that is judged: it does not count against its own limits.
    pub session: Option<SessionId>,
}

/// How a tunnel is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TunnelKey {
    Id(TunnelId),
    /// Beside its siblings, on the asset of the subject.
    Name(Name),
}

impl Subject {
    /// About the person alone.
    #[must_use]
    pub fn of(who: PersonId) -> Self {
        Self {
            who,
            case: None,
            asset: None,
            machine: None,
            tunnel: None,
            assignee: None,
            session: None,
        }
    }

    /// About a case.
    #[must_use]
    pub fn case(who: PersonId, case: CaseId) -> Self {
        Self { case: Some(case), ..Self::of(who) }
    }

    /// About an asset.
    #[must_use]
    pub fn asset(who: PersonId, asset: AssetId) -> Self {
        Self { asset: Some(asset), ..Self::of(who) }
    }

    /// The same, with a tunnel.
    #[must_use]
    pub fn tunnel(self, tunnel: TunnelKey) -> Self {
        Self { tunnel: Some(tunnel), ..self }
    }
}

impl Store {
    /// The rows for `subject`, all from one moment, with the device's presence now. What does not
    /// exist is left out.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn facts(&self, subject: &Subject) -> Result<Facts, StoreError> {
        unimplemented!()
    }
}
