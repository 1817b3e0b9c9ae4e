//! A case's conversation.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};

use super::{
    caller::Caller,
    desk::Desk,
    input::{Body, Path, Query, prose},
    lists::{Cursor, Items, page},
    problem::Problem,
    views::Named,
};
use crate::{
    clock::{Now, Wall},
    ids::{CaseId, PersonId},
    store::MessageSheet,
};

#[derive(Debug, Serialize)]
pub(super) struct MessageView {
    number: u64,
    author: Named<PersonId>,
    at: Wall,
    text: String,
    mentions: Vec<Named<PersonId>>,
}

impl From<MessageSheet> for MessageView {
    fn from(sheet: MessageSheet) -> Self {
        let MessageSheet { message, author_name, mention_names } = sheet;
        let mentions = message.mentions.iter().zip(mention_names);
        Self {
            number: message.number,
            author: Named { id: message.author, name: author_name },
            at: message.at,
            text: message.text,
            mentions: mentions.map(|(id, name)| Named { id: id.clone(), name }).collect(),
        }
    }
}

/// `GET /cases/{case}/messages`
pub(super) async fn list(
    State(desk): State<Desk>,
    caller: Caller,
    Path(case): Path<CaseId>,
    Query(Cursor { cursor }): Query<Cursor>,
) -> Result<Json<Items<MessageView>>, Problem> {
    let found = desk.store.messages(&caller.person.id, &case, &page(cursor), Now::read()).await?;
    let found = found.ok_or_else(Problem::not_found)?;
    let items = found.items.into_iter().map(MessageView::from).collect();
    Ok(Json(Items { items, next: found.next }))
}

/// `POST /cases/{case}/messages`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    text: String,
    /// People who can read this conversation.
    #[serde(default)]
    mentions: Vec<PersonId>,
}

pub(super) async fn post(
    State(desk): State<Desk>,
    caller: Caller,
    Path(case): Path<CaseId>,
    Body(Ask { text, mentions }): Body<Ask>,
) -> Result<(StatusCode, Json<MessageView>), Problem> {
    let (text, now) = (prose("text", &text)?, Now::read());
    let message = desk.store.post_message(&caller.by, &case, &text, &mentions, now).await?.value;
    let mut named = Vec::with_capacity(message.mentions.len());
    for person in &message.mentions {
        named.push(desk.person_name(person).await?);
    }
    let author = Named { id: caller.person.id, name: caller.person.name };
    let (number, at, text) = (message.number, message.at, message.text);
    let view = MessageView { number, author, at, text, mentions: named };
    Ok((StatusCode::CREATED, Json(view)))
}
