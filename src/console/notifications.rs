//! What the caller is told of by mail.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use serde::Serialize;

use super::{caller::Caller, desk::Desk, input::Body, lists::Items, problem::Problem};
use crate::notices::Topic;

#[derive(Debug, Serialize)]
pub(super) struct TopicView {
    topic: Topic,
    wanted: bool,
    about: &'static str,
}

async fn shown(desk: &Desk, caller: &Caller) -> Result<Json<Items<TopicView>>, Problem> {
    let choices = desk.store.notification_choices(&caller.person.id).await?;
    let items = choices
        .into_iter()
        .map(|(topic, wanted)| TopicView { topic, wanted, about: topic.about() })
        .collect();
    Ok(Json(Items { items, next: None }))
}

/// `GET /me/notifications`
pub(super) async fn list(
    State(desk): State<Desk>,
    caller: Caller,
) -> Result<Json<Items<TopicView>>, Problem> {
    shown(&desk, &caller).await
}

/// `PUT /me/notifications`: topics that are not named stay as they are.
pub(super) async fn choose(
    State(desk): State<Desk>,
    caller: Caller,
    Body(chosen): Body<BTreeMap<Topic, bool>>,
) -> Result<Json<Items<TopicView>>, Problem> {
    desk.store.choose_notifications(&caller.person.id, &chosen).await?;
    shown(&desk, &caller).await
}
