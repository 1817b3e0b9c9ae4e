//! Tunnel configs.

use super::{By, Store, StoreError, WriteError, Written};
use crate::{
    clock::Now,
    ids::{AssetId, Name, TunnelId},
    machines::{Mode, Target, Tunnel, TunnelKind},
};

/// A tunnel config that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTunnel {
    pub name: Name,
    pub kind: TunnelKind,
    pub mode: Mode,
    pub targets: Vec<Target>,
    pub enabled: bool,
}

impl Store {
    /// An asset's tunnels, by name; whoever asks.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn tunnels(&self, asset: &AssetId) -> Result<Vec<Tunnel>, StoreError> {
        unimplemented!()
    }

    /// Creates a tunnel config.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn create_tunnel(
        &self,
        by: &By,
        asset: &AssetId,
        new: &NewTunnel,
        now: Now,
    ) -> Result<Written<Tunnel>, WriteError> {
        unimplemented!()
    }

    /// Replaces what a tunnel config says.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn update_tunnel(
        &self,
        by: &By,
        asset: &AssetId,
        tunnel: &TunnelId,
        new: &NewTunnel,
        now: Now,
    ) -> Result<Written<Tunnel>, WriteError> {
        unimplemented!()
    }

    /// Deletes a tunnel config; its sessions end.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn delete_tunnel(
        &self,
        by: &By,
        asset: &AssetId,
        tunnel: &TunnelId,
        now: Now,
    ) -> Result<Written<()>, WriteError> {
        unimplemented!()
    }
}
