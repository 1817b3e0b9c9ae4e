//! Who the caller is.

use std::collections::BTreeSet;

use axum::{Json, extract::State};
use serde::Serialize;

use super::{
    caller::Caller,
    desk::Desk,
    people::{AssignmentView, assignment_views},
    problem::Problem,
};
use crate::{
    ids::{PersonId, TenantId},
    tenancy::TenantRole,
};

#[derive(Debug, Serialize)]
pub(super) struct Me {
    person: PersonId,
    name: String,
    email: String,
    tenant: TenantView,
    assignments: Vec<AssignmentView>,
}

#[derive(Debug, Serialize)]
struct TenantView {
    id: TenantId,
    name: String,
    roles: BTreeSet<TenantRole>,
}

/// `GET /me`
pub(super) async fn me(State(desk): State<Desk>, caller: Caller) -> Result<Json<Me>, Problem> {
    let person = caller.person;
    let tenant = desk.store.tenant(&person.tenant).await?.ok_or_else(Problem::not_found)?;
    let held = desk.store.held(&person.id).await?;
    Ok(Json(Me {
        person: person.id,
        name: person.name,
        email: person.email,
        tenant: TenantView { id: tenant.id, name: tenant.name, roles: tenant.roles },
        assignments: assignment_views(held),
    }))
}
