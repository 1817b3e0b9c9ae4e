//! Things that are shown beside others: an id, and what people call it.

use serde::Serialize;

use super::{desk::Desk, problem::Problem};
use crate::ids::{AssetId, PersonId, TenantId};

/// An id with its name.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Named<I> {
    pub(super) id: I,
    pub(super) name: String,
}

impl<I: Clone + std::fmt::Display> Named<I> {
    /// Where there is no name, the id stands for it.
    pub(super) fn or_id(id: &I, name: Option<String>) -> Self {
        Self { id: id.clone(), name: name.unwrap_or_else(|| id.to_string()) }
    }
}

/// Names are looked up for those who may already see what carries the id.
impl Desk {
    pub(super) async fn asset_name(&self, id: &AssetId) -> Result<Named<AssetId>, Problem> {
        let asset = self.store.asset(id).await?;
        let name = asset.map_or_else(|| id.to_string(), |asset| asset.name);
        Ok(Named { id: id.clone(), name })
    }

    pub(super) async fn person_name(&self, id: &PersonId) -> Result<Named<PersonId>, Problem> {
        let person = self.store.person(id).await?;
        let name = person.map_or_else(|| id.to_string(), |person| person.name);
        Ok(Named { id: id.clone(), name })
    }

    pub(super) async fn tenant_name(&self, id: &TenantId) -> Result<Named<TenantId>, Problem> {
        let tenant = self.store.tenant(id).await?;
        let name = tenant.map_or_else(|| id.to_string(), |tenant| tenant.name);
        Ok(Named { id: id.clone(), name })
    }
}
