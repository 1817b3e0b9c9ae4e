//! The caller's own company: its name, its settings, the roles that it made for itself.

use std::collections::BTreeSet;

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};

use super::{
    caller::Caller,
    desk::Desk,
    input::{Body, Path, Query, text},
    lists::{Items, page},
    problem::Problem,
};
use crate::{
    authz::{Action, offered},
    clock::Now,
    ids::{RoleId, TenantId},
    store::NewRole,
    tenancy::{IndividualRole, Permission, Permissions, Settings, Tenant, TenantRole},
};

#[derive(Debug, Serialize)]
pub(super) struct CompanyView {
    id: TenantId,
    name: String,
    roles: BTreeSet<TenantRole>,
    /// What roles of the company's own may give.
    offered: Vec<Permission>,
}

impl From<Tenant> for CompanyView {
    fn from(tenant: Tenant) -> Self {
        let offered = offered(&tenant).iter().collect();
        let Tenant { id, name, active: _, roles } = tenant;
        Self { id, name, roles, offered }
    }
}

/// `GET /tenant`
pub(super) async fn show(
    State(desk): State<Desk>,
    caller: Caller,
) -> Result<Json<CompanyView>, Problem> {
    let tenant = desk.store.tenant(&caller.person.tenant).await?;
    Ok(Json(tenant.ok_or_else(Problem::not_found)?.into()))
}

/// `PATCH /tenant`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rename {
    name: String,
}

pub(super) async fn rename(
    State(desk): State<Desk>,
    caller: Caller,
    Body(Rename { name }): Body<Rename>,
) -> Result<Json<CompanyView>, Problem> {
    let name = text("name", &name)?;
    let written = desk.store.rename_tenant(&caller.by, &name, Now::read()).await?;
    Ok(Json(written.value.into()))
}

/// `GET /tenant/settings`
pub(super) async fn settings(
    State(desk): State<Desk>,
    caller: Caller,
) -> Result<Json<Settings>, Problem> {
    Ok(Json(desk.store.settings(&caller.person.tenant).await?))
}

/// `PUT /tenant/settings`
pub(super) async fn set_settings(
    State(desk): State<Desk>,
    caller: Caller,
    Body(settings): Body<Settings>,
) -> Result<Json<Settings>, Problem> {
    let written = desk.store.set_settings(&caller.by, settings, Now::read()).await?;
    desk.settled(written.revision).await;
    Ok(Json(written.value))
}

#[derive(Debug, Serialize)]
pub(super) struct RoleView {
    id: RoleId,
    name: String,
    permissions: Vec<Permission>,
    /// Of those, the ones that the company's tenant roles do not allow (any more): they give nothing.
    inert: Vec<Permission>,
}

impl RoleView {
    fn of(role: IndividualRole, tenant: &Tenant) -> Self {
        let IndividualRole { id, tenant: _, name, gives } = role;
        let inert = gives.without(offered(tenant)).iter().collect();
        Self { id, name, permissions: gives.iter().collect(), inert }
    }
}

async fn tenant_of(desk: &Desk, caller: &Caller) -> Result<Tenant, Problem> {
    let tenant = desk.store.tenant(&caller.person.tenant).await?;
    tenant.ok_or_else(Problem::not_found)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pages {
    pub(super) cursor: Option<String>,
}

/// `GET /roles`
pub(super) async fn roles(
    State(desk): State<Desk>,
    caller: Caller,
    Query(Pages { cursor }): Query<Pages>,
) -> Result<Json<Items<RoleView>>, Problem> {
    let _grant = desk.may(&caller.person.id, Action::Own(Permission::ReadPeople)).await?;
    let tenant = tenant_of(&desk, &caller).await?;
    let found = desk.store.roles(&tenant.id, &page(cursor)).await?;
    let items = found.items.into_iter().map(|role| RoleView::of(role, &tenant)).collect();
    Ok(Json(Items { items, next: found.next }))
}

/// `POST /roles`, `PUT /roles/{role}`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RoleAsk {
    id: Option<RoleId>,
    name: String,
    permissions: Vec<Permission>,
}

impl RoleAsk {
    fn checked(&self) -> Result<NewRole, Problem> {
        let gives: Permissions = self.permissions.iter().copied().collect();
        Ok(NewRole { name: text("name", &self.name)?, gives })
    }
}

pub(super) async fn create_role(
    State(desk): State<Desk>,
    caller: Caller,
    Body(ask): Body<RoleAsk>,
) -> Result<(StatusCode, Json<RoleView>), Problem> {
    let new = ask.checked()?;
    let written = desk.store.create_role(&caller.by, ask.id.as_ref(), &new, Now::read()).await?;
    let tenant = tenant_of(&desk, &caller).await?;
    Ok((StatusCode::CREATED, Json(RoleView::of(written.value, &tenant))))
}

pub(super) async fn change_role(
    State(desk): State<Desk>,
    caller: Caller,
    Path(role): Path<RoleId>,
    Body(ask): Body<RoleAsk>,
) -> Result<Json<RoleView>, Problem> {
    if ask.id.as_ref().is_some_and(|id| *id != role) {
        return Err(Problem::invalid("id: a role keeps the one it has"));
    }
    let new = ask.checked()?;
    let written = desk.store.change_role(&caller.by, &role, &new, Now::read()).await?;
    desk.settled(written.revision).await;
    let tenant = tenant_of(&desk, &caller).await?;
    Ok(Json(RoleView::of(written.value, &tenant)))
}

/// `DELETE /roles/{role}`
pub(super) async fn delete_role(
    State(desk): State<Desk>,
    caller: Caller,
    Path(role): Path<RoleId>,
) -> Result<StatusCode, Problem> {
    desk.store.delete_role(&caller.by, &role, Now::read()).await?;
    Ok(StatusCode::NO_CONTENT)
}
