//! Assets, customer machines, and the links between them.

use super::{By, Store, StoreError, SwitchAsk, Switched, WriteError, Written};
use crate::{
    clock::Now,
    ids::{AssetId, CustomerId, FacilityId, MachineId, PersonId, TenantId},
    machines::{Asset, CustomerMachine, Link},
};

/// An asset that somebody wants, in the tenant of who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAsset {
    /// Chosen by the gateway where none is given.
    pub id: Option<AssetId>,
    pub name: String,
    pub serial: String,
    pub facility: Option<FacilityId>,
}

/// A customer machine that somebody wants, in the tenant of who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMachine {
    /// Chosen by the gateway where none is given.
    pub id: Option<MachineId>,
    pub customer: CustomerId,
    pub serial: String,
}

impl Store {
    /// An asset, whoever asks.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn asset(&self, asset: &AssetId) -> Result<Option<Asset>, StoreError> {
        unimplemented!()
    }

    /// The assets that `who` may read: of the own tenant, and those linked to it as provider.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn assets(&self, who: &PersonId, now: Now) -> Result<Vec<Asset>, StoreError> {
        unimplemented!()
    }

    /// A provider's machines.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn machines(&self, provider: &TenantId) -> Result<Vec<CustomerMachine>, StoreError> {
        unimplemented!()
    }

    /// Creates an asset in the tenant of who asks.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn create_asset(
        &self,
        by: &By,
        new: &NewAsset,
        now: Now,
    ) -> Result<Written<Asset>, WriteError> {
        unimplemented!()
    }

    /// Turns an asset's own switch.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn switch_asset(
        &self,
        by: &By,
        asset: &AssetId,
        ask: &SwitchAsk,
        now: Now,
    ) -> Result<Switched, WriteError> {
        unimplemented!()
    }
}
