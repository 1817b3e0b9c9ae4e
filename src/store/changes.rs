//! What has changed, by number.

use tokio::sync::broadcast;

use super::{Store, StoreError};
use crate::ids::{AssetId, CaseId, DeviceId, MachineId, PersonId, Revision, TenantId, TunnelId};

/// A row, or the rows of one noun, that a decision may read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    Tenant(TenantId),
    /// The person, or one of the person's assignments.
    Person(PersonId),
    Case(CaseId),
    /// The asset, its switch, its pairing or its link.
    Asset(AssetId),
    Machine(MachineId),
    Device(DeviceId),
    Tunnel(TunnelId),
}

/// One committed change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub revision: Revision,
    pub objects: Vec<Object>,
}

impl Store {
    /// Every change from now on, in order; who lags learns so and asks [`Self::changes_since`].
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        unimplemented!()
    }

    /// The newest change's number.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn revision(&self) -> Result<Revision, StoreError> {
        unimplemented!()
    }

    /// The changes after `revision`, in order.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn changes_since(&self, revision: Revision) -> Result<Vec<Change>, StoreError> {
        unimplemented!()
    }
}
