//! Tokens with which programs read: one's own, and, for who manages people, a colleague's.

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};

use super::{
    caller::Caller,
    company::Pages,
    desk::Desk,
    input::{Body, Path, Query},
    lists::{Items, page},
    people::colleague,
    problem::Problem,
};
use crate::{
    clock::{Now, Wall},
    ids::{ApiTokenId, Name, PersonId},
    store::{API_TOKEN_LASTS, ApiToken},
    tenancy::Permission,
};

#[derive(Debug, Serialize)]
pub(super) struct TokenView {
    id: ApiTokenId,
    name: Name,
    created_at: Wall,
    expires_at: Wall,
    /// Shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl TokenView {
    fn of(token: ApiToken, secret: Option<String>) -> Self {
        let ApiToken { id, name, created, expires } = token;
        Self { id, name, created_at: created, expires_at: expires, token: secret }
    }
}

async fn listed(
    desk: &Desk,
    person: &PersonId,
    cursor: Option<String>,
) -> Result<Json<Items<TokenView>>, Problem> {
    let found = desk.store.api_tokens(person, &page(cursor)).await?;
    let items = found.items.into_iter().map(|token| TokenView::of(token, None)).collect();
    Ok(Json(Items { items, next: found.next }))
}

/// `POST /me/tokens`, `POST /users/{user}/tokens`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    name: Name,
    days: Option<u16>,
}

async fn made(
    desk: &Desk,
    caller: &Caller,
    person: &PersonId,
    Ask { name, days }: Ask,
) -> Result<(StatusCode, Json<TokenView>), Problem> {
    let day = Duration::from_secs(24 * 60 * 60);
    let lasts = days.map_or(API_TOKEN_LASTS, |days| day * u32::from(days));
    let written =
        desk.store.create_api_token(&caller.by, person, &name, lasts, Now::read()).await?;
    let (token, bearer) = written.value;
    let secret = bearer.text().expose().to_owned();
    Ok((StatusCode::CREATED, Json(TokenView::of(token, Some(secret)))))
}

async fn gone(
    desk: &Desk,
    caller: &Caller,
    person: &PersonId,
    token: &ApiTokenId,
) -> Result<StatusCode, Problem> {
    desk.store.delete_api_token(&caller.by, person, token, Now::read()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /me/tokens`
pub(super) async fn mine(
    State(desk): State<Desk>,
    caller: Caller,
    Query(Pages { cursor }): Query<Pages>,
) -> Result<Json<Items<TokenView>>, Problem> {
    listed(&desk, &caller.person.id, cursor).await
}

pub(super) async fn create_mine(
    State(desk): State<Desk>,
    caller: Caller,
    Body(ask): Body<Ask>,
) -> Result<(StatusCode, Json<TokenView>), Problem> {
    made(&desk, &caller, &caller.person.id, ask).await
}

/// `DELETE /me/tokens/{token}`
pub(super) async fn delete_mine(
    State(desk): State<Desk>,
    caller: Caller,
    Path(token): Path<ApiTokenId>,
) -> Result<StatusCode, Problem> {
    gone(&desk, &caller, &caller.person.id, &token).await
}

/// `GET /users/{user}/tokens`
pub(super) async fn of_colleague(
    State(desk): State<Desk>,
    caller: Caller,
    Path(user): Path<PersonId>,
    Query(Pages { cursor }): Query<Pages>,
) -> Result<Json<Items<TokenView>>, Problem> {
    colleague(&desk, &caller, &user, Permission::ManagePeople).await?;
    listed(&desk, &user, cursor).await
}

pub(super) async fn create_for_colleague(
    State(desk): State<Desk>,
    caller: Caller,
    Path(user): Path<PersonId>,
    Body(ask): Body<Ask>,
) -> Result<(StatusCode, Json<TokenView>), Problem> {
    made(&desk, &caller, &user, ask).await
}

/// `DELETE /users/{user}/tokens/{token}`
pub(super) async fn delete_of_colleague(
    State(desk): State<Desk>,
    caller: Caller,
    Path((user, token)): Path<(PersonId, ApiTokenId)>,
) -> Result<StatusCode, Problem> {
    gone(&desk, &caller, &user, &token).await
}
