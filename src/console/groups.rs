//! Resource groups of the caller's company, their members, and duties over all of them.
//!
//! Whose group is whose, and who is in it, is known to all people of the company.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};

use super::{
    caller::Caller,
    desk::Desk,
    input::{Body, Path, given, text},
    lists::Items,
    problem::Problem,
    views::Named,
};
use crate::{
    clock::Now,
    groups::{Access, Duties, Duty, Settings},
    ids::{GroupId, PersonId},
    store::{Group, GroupChange, GroupMember, NewGroup, OnDuty},
};

#[derive(Debug, Serialize)]
pub(super) struct GroupView {
    id: GroupId,
    name: String,
    parent: Option<GroupId>,
    settings: Settings,
}

impl From<Group> for GroupView {
    fn from(group: Group) -> Self {
        let Group { id, tenant: _, name, parent, settings } = group;
        Self { id, name, parent, settings }
    }
}

/// A group with its own members.
#[derive(Debug, Serialize)]
pub(super) struct GroupPage {
    #[serde(flatten)]
    group: GroupView,
    members: Vec<MemberView>,
}

#[derive(Debug, Serialize)]
pub(super) struct MemberView {
    person: Named<PersonId>,
    access: Access,
}

impl From<GroupMember> for MemberView {
    fn from(member: GroupMember) -> Self {
        let GroupMember { person, name, access } = member;
        Self { person: Named { id: person, name }, access }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct DutyView {
    person: Named<PersonId>,
    duties: Vec<Duty>,
}

impl From<OnDuty> for DutyView {
    fn from(one: OnDuty) -> Self {
        let OnDuty { person, name, duties } = one;
        Self { person: Named { id: person, name }, duties: duties.iter().collect() }
    }
}

/// `GET /groups`
pub(super) async fn list(
    State(desk): State<Desk>,
    caller: Caller,
) -> Result<Json<Items<GroupView>>, Problem> {
    Ok(Items::all(desk.store.groups(&caller.person.tenant).await?))
}

/// `POST /groups`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    name: String,
    parent: Option<GroupId>,
    #[serde(default)]
    settings: Settings,
}

pub(super) async fn create(
    State(desk): State<Desk>,
    caller: Caller,
    Body(Ask { name, parent, settings }): Body<Ask>,
) -> Result<(StatusCode, Json<GroupView>), Problem> {
    let new = NewGroup { name: text("name", &name)?, parent, settings };
    let written = desk.store.create_group(&caller.by, &new, Now::read()).await?;
    Ok((StatusCode::CREATED, Json(written.value.into())))
}

/// `GET /groups/{group}`
pub(super) async fn show(
    State(desk): State<Desk>,
    caller: Caller,
    Path(group): Path<GroupId>,
) -> Result<Json<GroupPage>, Problem> {
    let all = desk.store.groups(&caller.person.tenant).await?;
    let found = all.into_iter().find(|one| one.id == group).ok_or_else(Problem::not_found)?;
    let members = desk.store.group_members(&group).await?;
    let members = members.into_iter().map(MemberView::from).collect();
    Ok(Json(GroupPage { group: found.into(), members }))
}

/// `PATCH /groups/{group}`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    name: Option<String>,
    /// Null makes it a main group.
    #[serde(default, deserialize_with = "given")]
    parent: Option<Option<GroupId>>,
    settings: Option<Settings>,
}

pub(super) async fn change(
    State(desk): State<Desk>,
    caller: Caller,
    Path(group): Path<GroupId>,
    Body(Change { name, parent, settings }): Body<Change>,
) -> Result<Json<GroupView>, Problem> {
    let name = name.map(|name| text("name", &name)).transpose()?;
    let change = GroupChange { name, parent, settings };
    let written = desk.store.change_group(&caller.by, &group, &change, Now::read()).await?;
    Ok(Json(written.value.into()))
}

/// `DELETE /groups/{group}`
pub(super) async fn remove(
    State(desk): State<Desk>,
    caller: Caller,
    Path(group): Path<GroupId>,
) -> Result<StatusCode, Problem> {
    desk.store.remove_group(&caller.by, &group, Now::read()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `PUT /groups/{group}/members/{user}`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Membership {
    access: Access,
}

pub(super) async fn join(
    State(desk): State<Desk>,
    caller: Caller,
    Path((group, user)): Path<(GroupId, PersonId)>,
    Body(Membership { access }): Body<Membership>,
) -> Result<StatusCode, Problem> {
    let now = Now::read();
    desk.store.set_group_member(&caller.by, &group, &user, Some(access), now).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /groups/{group}/members/{user}`
pub(super) async fn leave(
    State(desk): State<Desk>,
    caller: Caller,
    Path((group, user)): Path<(GroupId, PersonId)>,
) -> Result<StatusCode, Problem> {
    desk.store.set_group_member(&caller.by, &group, &user, None, Now::read()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /group-duties`
pub(super) async fn duties(
    State(desk): State<Desk>,
    caller: Caller,
) -> Result<Json<Items<DutyView>>, Problem> {
    Ok(Items::all(desk.store.on_duty(&caller.person.tenant).await?))
}

/// `PUT /group-duties/{user}`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GivenDuties {
    duties: Vec<Duty>,
}

pub(super) async fn give_duties(
    State(desk): State<Desk>,
    caller: Caller,
    Path(user): Path<PersonId>,
    Body(GivenDuties { duties }): Body<GivenDuties>,
) -> Result<StatusCode, Problem> {
    let duties =
        Duties::new(duties).map_err(|fault| Problem::invalid(format!("duties: {fault}")))?;
    desk.store.set_duties(&caller.by, &user, &duties, Now::read()).await?;
    Ok(StatusCode::NO_CONTENT)
}
