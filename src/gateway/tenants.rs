//! Companies and what they are on the platform: for its administrator, on the gateway's host.
//!
//! Nobody inside a company decides what it may be (INF: no source says who does). The gateway must
//! not run meanwhile, so that what a company loses is lost for whoever is let in afterwards.

use std::{collections::BTreeSet, sync::Arc};

use super::Options;
use crate::{
    clock::Now,
    ids::TenantId,
    registry::Registry,
    store::{Limits, Store, StoreError, WriteError},
    tenancy::{Tenant, TenantRole},
};

/// Every company, by id.
///
/// # Errors
///
/// [`StoreError`]; [`StoreError::Locked`] while a gateway runs.
pub async fn tenants(options: &Options) -> Result<Vec<Tenant>, StoreError> {
    let store = open(options).await?;
    let all = store.tenants().await;
    store.close().await;
    all
}

/// Sets what a company is beside `Basic`; recorded as the gateway's act.
///
/// # Errors
///
/// [`WriteError`], where there is no such company or the roles do not go together.
pub async fn set_tenant_roles(
    options: &Options,
    tenant: &TenantId,
    roles: &BTreeSet<TenantRole>,
) -> Result<Tenant, WriteError> {
    let store = open(options).await?;
    let set = store.set_tenant_roles(tenant, roles, &options.gateway, Now::read()).await;
    store.close().await;
    Ok(set?.value)
}

async fn open(options: &Options) -> Result<Store, StoreError> {
    Store::open(&options.database(), Arc::new(Registry::default()), Limits::default()).await
}
