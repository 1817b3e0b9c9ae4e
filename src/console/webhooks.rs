//! Webhooks of the caller's own company: where they lead, what they hear of, what was sent.

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
    authz::Action,
    clock::{Now, Wall},
    hooks::{Hook, HookKind, HookSecret, HookUrl},
    ids::{DeliveryId, HookId},
    store::{Delivery, HookChange, NewHook},
    tenancy::Permission,
};

#[derive(Debug, Serialize)]
pub(super) struct HookView {
    id: HookId,
    name: String,
    url: HookUrl,
    /// Empty: everything.
    kinds: Vec<HookKind>,
    enabled: bool,
    disabled_reason: Option<String>,
    failing_since: Option<Wall>,
    created_at: Wall,
}

impl From<Hook> for HookView {
    fn from(hook: Hook) -> Self {
        let Hook { id, tenant: _, name, url, kinds, enabled, disabled_reason, .. } = hook;
        let Hook { failing_since, created_at, .. } = hook;
        Self { id, name, url, kinds, enabled, disabled_reason, failing_since, created_at }
    }
}

/// A webhook with a secret that is shown this once.
#[derive(Serialize)]
pub(super) struct SecretView {
    #[serde(flatten)]
    hook: HookView,
    secret: String,
}

impl SecretView {
    fn of((hook, secret): (Hook, HookSecret)) -> Self {
        Self { hook: hook.into(), secret: secret.text().expose().to_owned() }
    }
}

/// `GET /webhooks`
pub(super) async fn list(
    State(desk): State<Desk>,
    caller: Caller,
) -> Result<Json<Items<HookView>>, Problem> {
    let _grant = desk.may(&caller.person.id, Action::Own(Permission::ManageCompany)).await?;
    let hooks = desk.store.hooks(&caller.person.id, Now::read()).await?;
    Ok(Items::all(hooks.ok_or_else(Problem::not_found)?))
}

/// `POST /webhooks`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    id: Option<HookId>,
    url: HookUrl,
    /// Its host, if none is given.
    name: Option<String>,
    #[serde(default)]
    kinds: Vec<HookKind>,
}

pub(super) async fn create(
    State(desk): State<Desk>,
    caller: Caller,
    Body(Ask { id, url, name, kinds }): Body<Ask>,
) -> Result<(StatusCode, Json<SecretView>), Problem> {
    let name = match name {
        Some(name) => text("name", &name)?,
        None => url.host().chars().take(64).collect(),
    };
    let new = NewHook { id, name, url, kinds: distinct(kinds) };
    let written = desk.store.create_hook(&caller.by, &new, Now::read()).await?;
    Ok((StatusCode::CREATED, Json(SecretView::of(written.value))))
}

/// `PATCH /webhooks/{hook}`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    url: Option<HookUrl>,
    name: Option<String>,
    kinds: Option<Vec<HookKind>>,
    enabled: Option<bool>,
}

pub(super) async fn change(
    State(desk): State<Desk>,
    caller: Caller,
    Path(hook): Path<HookId>,
    Body(Change { url, name, kinds, enabled }): Body<Change>,
) -> Result<Json<HookView>, Problem> {
    let name = name.map(|name| text("name", &name)).transpose()?;
    let change = HookChange { name, url, kinds: kinds.map(distinct), enabled };
    if change == HookChange::default() {
        return Err(Problem::invalid("expected at least one of url, name, kinds and enabled"));
    }
    let written = desk.store.change_hook(&caller.by, &hook, &change, Now::read()).await?;
    Ok(Json(written.value.into()))
}

/// `DELETE /webhooks/{hook}`
pub(super) async fn delete(
    State(desk): State<Desk>,
    caller: Caller,
    Path(hook): Path<HookId>,
) -> Result<StatusCode, Problem> {
    desk.store.delete_hook(&caller.by, &hook, Now::read()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /webhooks/{hook}/secret`
pub(super) async fn rotate(
    State(desk): State<Desk>,
    caller: Caller,
    Path(hook): Path<HookId>,
) -> Result<Json<SecretView>, Problem> {
    let written = desk.store.rotate_hook_secret(&caller.by, &hook, Now::read()).await?;
    Ok(Json(SecretView::of(written.value)))
}

/// `POST /webhooks/{hook}/test`
#[derive(Debug, Serialize)]
pub(super) struct Sent {
    /// Look it up under `/webhooks/{hook}/deliveries`.
    delivery: DeliveryId,
}

pub(super) async fn test(
    State(desk): State<Desk>,
    caller: Caller,
    Path(hook): Path<HookId>,
) -> Result<(StatusCode, Json<Sent>), Problem> {
    let written = desk.store.test_hook(&caller.by, &hook, Now::read()).await?;
    Ok((StatusCode::ACCEPTED, Json(Sent { delivery: written.value })))
}

/// `GET /webhooks/{hook}/deliveries`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    cursor: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct DeliveryView {
    id: DeliveryId,
    #[serde(rename = "type")]
    kind: String,
    state: String,
    created_at: Wall,
    attempts: u64,
    next_at: Option<Wall>,
    status: Option<u64>,
    fault: Option<String>,
    ended_at: Option<Wall>,
}

impl From<Delivery> for DeliveryView {
    fn from(one: Delivery) -> Self {
        Self {
            id: one.id,
            kind: one.kind,
            state: one.state,
            created_at: one.created_at,
            attempts: one.attempts,
            next_at: one.next_at,
            status: one.status,
            fault: one.fault,
            ended_at: one.ended_at,
        }
    }
}

pub(super) async fn deliveries(
    State(desk): State<Desk>,
    caller: Caller,
    Path(hook): Path<HookId>,
    Query(Filter { cursor }): Query<Filter>,
) -> Result<Json<Items<DeliveryView>>, Problem> {
    let who = &caller.person.id;
    let _grant = desk.may(who, Action::Own(Permission::ManageCompany)).await?;
    let found = desk.store.deliveries(who, &hook, &page(cursor), Now::read()).await?;
    let found = found.ok_or_else(Problem::not_found)?;
    let items = found.items.into_iter().map(DeliveryView::from).collect();
    Ok(Json(Items { items, next: found.next }))
}

/// Each kind once, in an order that does not depend on how they were given.
fn distinct(mut kinds: Vec<HookKind>) -> Vec<HookKind> {
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}
