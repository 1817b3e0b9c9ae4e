//! Who is around a case beside its parties' roles: its group, the time spent on it, who takes part,
//! who gets a copy, the organisation it was raised for.
//!
//! All of it is the caller's own company's; whoever may read the case sees it.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};

use super::{
    caller::Caller,
    desk::Desk,
    input::{Body, Path, required},
    lists::Items,
    problem::Problem,
    views::Named,
};
use crate::{
    authz::Action,
    clock::{Now, Wall},
    ids::{CaseId, GroupId, OrganisationId, PersonId, SessionId},
    store::{CopyOnCase, Effort, Participant, Placed, Subject},
};

/// That the caller may read `case`.
async fn readable(desk: &Desk, caller: &Caller, case: &CaseId) -> Result<(), Problem> {
    let subject = Subject::case(caller.person.id.clone(), case.clone());
    let _grant = desk.allowed(&subject, Action::ReadCase(case.clone()), Now::read()).await?;
    Ok(())
}

#[derive(Debug, Serialize)]
pub(super) struct PlaceView {
    /// Null: it is in none.
    group: Option<Named<GroupId>>,
    since: Option<Wall>,
    /// When it moves on, unless somebody takes it up.
    escalates_at: Option<Wall>,
    /// When it moves on, unless somebody answers the request for remote access that waits.
    request_escalates_at: Option<Wall>,
}

impl From<Option<Placed>> for PlaceView {
    fn from(placed: Option<Placed>) -> Self {
        match placed {
            None => {
                Self { group: None, since: None, escalates_at: None, request_escalates_at: None }
            }
            Some(Placed { group, name, since, due, request_due }) => Self {
                group: Some(Named { id: group, name }),
                since: Some(since),
                escalates_at: due,
                request_escalates_at: request_due,
            },
        }
    }
}

/// `GET /cases/{case}/group`
pub(super) async fn group(
    State(desk): State<Desk>,
    caller: Caller,
    Path(case): Path<CaseId>,
) -> Result<Json<PlaceView>, Problem> {
    readable(&desk, &caller, &case).await?;
    Ok(Json(desk.store.case_place(&caller.person.tenant, &case).await?.into()))
}

/// `PUT /cases/{case}/group`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct To {
    /// Null takes it out.
    #[serde(deserialize_with = "required")]
    group: Option<GroupId>,
}

pub(super) async fn place(
    State(desk): State<Desk>,
    caller: Caller,
    Path(case): Path<CaseId>,
    Body(To { group }): Body<To>,
) -> Result<Json<PlaceView>, Problem> {
    desk.store.place_case(&caller.by, &case, group.as_ref(), Now::read()).await?;
    Ok(Json(desk.store.case_place(&caller.person.tenant, &case).await?.into()))
}

#[derive(Debug, Serialize)]
pub(super) struct EffortView {
    session: SessionId,
    person: Named<PersonId>,
    from: Wall,
    until: Wall,
    seconds: i64,
    /// False: the caller has not said yet whether it counts.
    logged: bool,
}

impl From<Effort> for EffortView {
    fn from(effort: Effort) -> Self {
        let Effort { session, person, name, from, until, logged } = effort;
        let seconds = until.0.saturating_sub(from.0) / 1_000;
        Self { session, person: Named { id: person, name }, from, until, seconds, logged }
    }
}

/// `GET /cases/{case}/efforts`
pub(super) async fn efforts(
    State(desk): State<Desk>,
    caller: Caller,
    Path(case): Path<CaseId>,
) -> Result<Json<Items<EffortView>>, Problem> {
    readable(&desk, &caller, &case).await?;
    let who = &caller.person;
    Ok(Items::all(desk.store.efforts(&who.id, &who.tenant, &case).await?))
}

/// `PUT /cases/{case}/efforts/{session}`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    counts: bool,
}

pub(super) async fn answer(
    State(desk): State<Desk>,
    caller: Caller,
    Path((case, session)): Path<(CaseId, SessionId)>,
    Body(Answer { counts }): Body<Answer>,
) -> Result<StatusCode, Problem> {
    desk.store.answer_effort(&caller.by, &case, &session, counts, Now::read()).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Serialize)]
pub(super) struct ParticipantView {
    person: Named<PersonId>,
    role: Named<String>,
}

impl From<Participant> for ParticipantView {
    fn from(one: Participant) -> Self {
        let Participant { person, name, role, role_name } = one;
        let role = Named { id: role, name: role_name };
        Self { person: Named { id: person, name }, role }
    }
}

/// `GET /cases/{case}/participants`
pub(super) async fn participants(
    State(desk): State<Desk>,
    caller: Caller,
    Path(case): Path<CaseId>,
) -> Result<Json<Items<ParticipantView>>, Problem> {
    readable(&desk, &caller, &case).await?;
    Ok(Items::all(desk.store.participants(&caller.person.tenant, &case).await?))
}

/// `PUT /cases/{case}/participants/{user}`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct As {
    /// `staff`, `client`, `bot`, or the id of a case role. Nobody takes part without one.
    role: String,
}

pub(super) async fn take_part(
    State(desk): State<Desk>,
    caller: Caller,
    Path((case, user)): Path<(CaseId, PersonId)>,
    Body(As { role }): Body<As>,
) -> Result<StatusCode, Problem> {
    desk.store.set_participant(&caller.by, &case, &user, Some(&role), Now::read()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /cases/{case}/participants/{user}`
pub(super) async fn part(
    State(desk): State<Desk>,
    caller: Caller,
    Path((case, user)): Path<(CaseId, PersonId)>,
) -> Result<StatusCode, Problem> {
    desk.store.set_participant(&caller.by, &case, &user, None, Now::read()).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Serialize)]
pub(super) struct CopyView {
    person: Named<PersonId>,
    by_requester: bool,
}

impl From<CopyOnCase> for CopyView {
    fn from(one: CopyOnCase) -> Self {
        let CopyOnCase { person, name, by_requester } = one;
        Self { person: Named { id: person, name }, by_requester }
    }
}

/// `GET /cases/{case}/copies`
pub(super) async fn copies(
    State(desk): State<Desk>,
    caller: Caller,
    Path(case): Path<CaseId>,
) -> Result<Json<Items<CopyView>>, Problem> {
    readable(&desk, &caller, &case).await?;
    Ok(Items::all(desk.store.copies(&caller.person.tenant, &case).await?))
}

/// `PUT /cases/{case}/copies/{user}`
pub(super) async fn copy(
    State(desk): State<Desk>,
    caller: Caller,
    Path((case, user)): Path<(CaseId, PersonId)>,
) -> Result<StatusCode, Problem> {
    desk.store.set_copy(&caller.by, &case, &user, true, Now::read()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /cases/{case}/copies/{user}`
pub(super) async fn uncopy(
    State(desk): State<Desk>,
    caller: Caller,
    Path((case, user)): Path<(CaseId, PersonId)>,
) -> Result<StatusCode, Problem> {
    desk.store.set_copy(&caller.by, &case, &user, false, Now::read()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `PUT /cases/{case}/organisation`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct For {
    organisation: OrganisationId,
}

pub(super) async fn raise_for(
    State(desk): State<Desk>,
    caller: Caller,
    Path(case): Path<CaseId>,
    Body(For { organisation }): Body<For>,
) -> Result<StatusCode, Problem> {
    desk.store.set_case_organisation(&caller.by, &case, &organisation, Now::read()).await?;
    Ok(StatusCode::NO_CONTENT)
}
