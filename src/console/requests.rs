//! Requests for remote access: the provider asks, the operator's people answer.

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};

use super::{
    caller::Caller,
    desk::Desk,
    input::{Body, Path, Query, text},
    lists::{Cursor, Items, page},
    problem::Problem,
    switches::Turned,
    views::Named,
};
use crate::{
    cases::{AccessRequest, RequestState},
    clock::{Now, Wall},
    ids::{CaseId, PersonId, RequestId, TenantId},
    store::{Answer, RequestFilter, RequestSheet},
};

#[derive(Debug, Serialize)]
pub(super) struct RequestView {
    id: RequestId,
    case: Named<CaseId>,
    person: Named<PersonId>,
    tenant: TenantId,
    reason: String,
    /// For how long, in seconds; null until somebody turns it off.
    #[serde(rename = "for")]
    seconds: Option<u64>,
    state: RequestState,
    asked_at: Wall,
    expires_at: Wall,
    answered_by: Option<Named<PersonId>>,
    answered_at: Option<Wall>,
    answer: Option<String>,
}

impl From<RequestSheet> for RequestView {
    fn from(sheet: RequestSheet) -> Self {
        let RequestSheet { request, title, person_name, answered_by_name } = sheet;
        Self {
            id: request.id,
            case: Named { id: request.case, name: title },
            person: Named { id: request.person, name: person_name },
            tenant: request.tenant,
            reason: request.reason,
            seconds: request.seconds,
            state: request.state,
            asked_at: request.asked_at,
            expires_at: request.expires_at,
            answered_by: request.answered_by.map(|id| Named::or_id(&id, answered_by_name)),
            answered_at: request.answered_at,
            answer: request.answer,
        }
    }
}

impl RequestView {
    async fn show(desk: &Desk, caller: &Caller, request: AccessRequest) -> Result<Self, Problem> {
        let found = desk.store.case_sheet(&caller.person.tenant, &request.case).await?;
        let case = found.ok_or_else(Problem::not_found)?;
        let person_name = desk.person_name(&request.person).await?.name;
        let answered_by_name = match &request.answered_by {
            Some(person) => Some(desk.person_name(person).await?.name),
            None => None,
        };
        let title = case.case.title;
        Ok(Self::from(RequestSheet { request, title, person_name, answered_by_name }))
    }
}

/// `GET /access-requests`: of all cases that the caller may read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    /// Only those that wait for an answer.
    #[serde(default)]
    open: bool,
    cursor: Option<String>,
}

pub(super) async fn list(
    State(desk): State<Desk>,
    caller: Caller,
    Query(Filter { open, cursor }): Query<Filter>,
) -> Result<Json<Items<RequestView>>, Problem> {
    listed(&desk, &caller, &RequestFilter { case: None, open }, cursor).await
}

/// `GET /cases/{case}/access-requests`
pub(super) async fn of_case(
    State(desk): State<Desk>,
    caller: Caller,
    Path(case): Path<CaseId>,
    Query(Cursor { cursor }): Query<Cursor>,
) -> Result<Json<Items<RequestView>>, Problem> {
    listed(&desk, &caller, &RequestFilter { case: Some(case), open: false }, cursor).await
}

async fn listed(
    desk: &Desk,
    caller: &Caller,
    filter: &RequestFilter,
    cursor: Option<String>,
) -> Result<Json<Items<RequestView>>, Problem> {
    let (who, page) = (&caller.person.id, page(cursor));
    let found = desk.store.access_requests(who, filter, &page, Now::read()).await?;
    let found = found.ok_or_else(Problem::not_found)?;
    let items = found.items.into_iter().map(RequestView::from).collect();
    Ok(Json(Items { items, next: found.next }))
}

/// `POST /cases/{case}/access-requests`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    reason: String,
    /// Seconds; left out: until somebody turns it off.
    #[serde(rename = "for")]
    seconds: Option<u64>,
}

pub(super) async fn ask(
    State(desk): State<Desk>,
    caller: Caller,
    Path(case): Path<CaseId>,
    Body(Ask { reason, seconds }): Body<Ask>,
) -> Result<(StatusCode, Json<RequestView>), Problem> {
    let (reason, lasting) = (text("reason", &reason)?, seconds.map(Duration::from_secs));
    let (by, now) = (&caller.by, Now::read());
    let written = desk.store.request_access(by, &case, &reason, lasting, now).await?;
    Ok((StatusCode::CREATED, Json(RequestView::show(&desk, &caller, written.value).await?)))
}

/// `DELETE /cases/{case}/access-requests/{request}`: the asker takes it back.
pub(super) async fn withdraw(
    State(desk): State<Desk>,
    caller: Caller,
    Path((case, request)): Path<(CaseId, RequestId)>,
) -> Result<StatusCode, Problem> {
    desk.store.withdraw_request(&caller.by, &case, &request, Now::read()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `PUT /cases/{case}/access-requests/{request}/answer`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AnswerBody {
    grant: bool,
    /// With a grant: until when, instead of what was asked for.
    until: Option<Wall>,
    /// Without one: why not.
    words: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct AnsweredView {
    request: RequestView,
    /// Where it was granted.
    switch: Option<Turned>,
}

pub(super) async fn answer(
    State(desk): State<Desk>,
    caller: Caller,
    Path((case, request)): Path<(CaseId, RequestId)>,
    Body(body): Body<AnswerBody>,
) -> Result<Json<AnsweredView>, Problem> {
    let now = Now::read();
    let answer = match body {
        AnswerBody { grant: true, words: None, until } => Answer::Grant { until },
        AnswerBody { grant: false, until: None, words: Some(words) } => {
            Answer::Decline { words: text("words", &words)? }
        }
        AnswerBody { grant: true, words: Some(_), .. } => {
            return Err(Problem::invalid("words go with grant = false alone"));
        }
        AnswerBody { grant: false, .. } => {
            return Err(Problem::invalid("to decline takes words, and no until"));
        }
    };
    let done = desk.store.answer_request(&caller.by, &case, &request, &answer, now).await?;
    let switch = match done.switched {
        Some(switched) => Some(Turned::settle(&desk, switched).await),
        None => None,
    };
    let request = RequestView::show(&desk, &caller, done.request).await?;
    Ok(Json(AnsweredView { request, switch }))
}
