//! Edge devices: made, enrolled, paired, revoked.

use super::{By, Store, StoreError, WriteError, Written};
use crate::{
    clock::{Now, Wall},
    ids::{AssetId, DeviceId, KeyDigest, TenantId},
    machines::{Asset, Device},
    secret::SecretText,
};

/// A device that somebody wants, in the tenant of who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDevice {
    /// Chosen by the gateway where none is given.
    pub id: Option<DeviceId>,
    pub name: String,
}

/// A one-time token, shown once; the store keeps its digest.
#[derive(Clone, Debug)]
pub struct Enrolment {
    pub token: SecretText,
    pub expires: Wall,
}

/// Why a device was not enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    #[error("unknown enrolment token; ask an administrator for a new one")]
    Unknown,
    #[error("this enrolment token was already used; ask an administrator for a new one")]
    Used,
    #[error("this enrolment token has expired; ask an administrator for a new one")]
    Expired,
    #[error("the device was revoked; ask an administrator")]
    Revoked,
    #[error("this key is another device's; make a new one")]
    KeyTaken,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Creates a device in the tenant of who asks.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn create_device(
        &self,
        by: &By,
        new: &NewDevice,
        now: Now,
    ) -> Result<Written<Device>, WriteError> {
        unimplemented!()
    }

    /// A new one-time token for a device; those given out before are void.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn new_enrolment(
        &self,
        by: &By,
        device: &DeviceId,
        now: Now,
    ) -> Result<Written<Enrolment>, WriteError> {
        unimplemented!()
    }

    /// Spends a token and registers `key` as the device's, in one transaction.
    ///
    /// # Errors
    ///
    /// [`EnrolError`].
    pub async fn consume_enrolment(
        &self,
        token: &SecretText,
        key: KeyDigest,
        now: Now,
    ) -> Result<Device, EnrolError> {
        unimplemented!()
    }

    /// Puts `new` in the place of the device's key `old`.
    ///
    /// # Errors
    ///
    /// [`EnrolError`]: `Unknown` when `old` is not the device's key.
    pub async fn renew_device_key(
        &self,
        device: &DeviceId,
        old: KeyDigest,
        new: KeyDigest,
        now: Now,
    ) -> Result<Device, EnrolError> {
        unimplemented!()
    }

    /// No longer lets the device's key in.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn revoke_device(
        &self,
        by: &By,
        device: &DeviceId,
        now: Now,
    ) -> Result<Written<Device>, WriteError> {
        unimplemented!()
    }

    /// Pairs a device with an asset, in place of the one before; with none: unpairs.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn pair_device(
        &self,
        by: &By,
        asset: &AssetId,
        device: Option<&DeviceId>,
        now: Now,
    ) -> Result<Written<Asset>, WriteError> {
        unimplemented!()
    }

    /// A device, whoever asks.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn device(&self, device: &DeviceId) -> Result<Option<Device>, StoreError> {
        unimplemented!()
    }

    /// A tenant's devices.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn devices(&self, owner: &TenantId) -> Result<Vec<Device>, StoreError> {
        unimplemented!()
    }
}
