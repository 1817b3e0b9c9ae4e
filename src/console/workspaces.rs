//! Workspaces that the caller is a member of. Of any other there is nothing to be found.

use std::collections::BTreeSet;

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};

use super::{
    caller::Caller,
    desk::Desk,
    input::{Body, Path, text},
    lists::Items,
    problem::Problem,
    views::Named,
};
use crate::{
    cases::{Case, CaseType, State as CaseState},
    clock::Now,
    ids::{CaseId, CaseRoleId, PersonId, WorkspaceId},
    store::{CaseRole, Workspace, WorkspaceMember, seats},
    workspaces::{AdminRight, CaseRight, CaseRights, UserType},
};

#[derive(Debug, Serialize)]
pub(super) struct WorkspaceView {
    id: WorkspaceId,
    name: String,
}

impl From<Workspace> for WorkspaceView {
    fn from(workspace: Workspace) -> Self {
        let Workspace { id, tenant: _, name } = workspace;
        Self { id, name }
    }
}

/// A workspace with its people and its case roles.
#[derive(Debug, Serialize)]
pub(super) struct WorkspacePage {
    #[serde(flatten)]
    workspace: WorkspaceView,
    members: Vec<MemberView>,
    case_roles: Vec<CaseRoleView>,
    /// Members that count when the bill is made.
    billed_seats: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct MemberView {
    person: Named<PersonId>,
    user_type: UserType,
    revoked: BTreeSet<AdminRight>,
}

impl From<WorkspaceMember> for MemberView {
    fn from(one: WorkspaceMember) -> Self {
        let WorkspaceMember { member, name } = one;
        let person = Named { id: member.person, name };
        Self { person, user_type: member.user_type, revoked: member.revoked }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct CaseRoleView {
    id: CaseRoleId,
    name: String,
    rights: CaseRights,
}

impl From<CaseRole> for CaseRoleView {
    fn from(role: CaseRole) -> Self {
        let CaseRole { id, workspace: _, name, rights } = role;
        Self { id, name, rights }
    }
}

/// A case, as far as a list of a workspace tells.
#[derive(Debug, Serialize)]
pub(super) struct CaseLine {
    id: CaseId,
    #[serde(rename = "type")]
    case_type: CaseType,
    title: String,
    state: CaseState,
}

impl From<Case> for CaseLine {
    fn from(case: Case) -> Self {
        Self { case_type: case.case_type(), id: case.id, title: case.title, state: case.state }
    }
}

/// `GET /workspaces`
pub(super) async fn list(
    State(desk): State<Desk>,
    caller: Caller,
) -> Result<Json<Items<WorkspaceView>>, Problem> {
    Ok(Items::all(desk.store.workspaces(&caller.person.id).await?))
}

/// `POST /workspaces`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    name: String,
    /// The case that it begins with.
    case: CaseId,
}

pub(super) async fn create(
    State(desk): State<Desk>,
    caller: Caller,
    Body(Ask { name, case }): Body<Ask>,
) -> Result<(StatusCode, Json<WorkspaceView>), Problem> {
    let name = text("name", &name)?;
    let written = desk.store.create_workspace(&caller.by, &name, &case, Now::read()).await?;
    Ok((StatusCode::CREATED, Json(written.value.into())))
}

/// `GET /workspaces/{workspace}`
pub(super) async fn show(
    State(desk): State<Desk>,
    caller: Caller,
    Path(workspace): Path<WorkspaceId>,
) -> Result<Json<WorkspacePage>, Problem> {
    let found = desk.store.workspace(&caller.person.id, &workspace).await?;
    let (found, members) = found.ok_or_else(Problem::not_found)?;
    let roles = desk.store.case_roles(&workspace).await?;
    Ok(Json(WorkspacePage {
        workspace: found.into(),
        billed_seats: seats(&members),
        members: members.into_iter().map(MemberView::from).collect(),
        case_roles: roles.into_iter().map(CaseRoleView::from).collect(),
    }))
}

/// `PUT /workspaces/{workspace}/members/{user}`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Membership {
    user_type: UserType,
    /// Of a manager: what they may not do.
    #[serde(default)]
    revoked: BTreeSet<AdminRight>,
}

pub(super) async fn join(
    State(desk): State<Desk>,
    caller: Caller,
    Path((workspace, user)): Path<(WorkspaceId, PersonId)>,
    Body(Membership { user_type, revoked }): Body<Membership>,
) -> Result<StatusCode, Problem> {
    let (to, now) = (Some((user_type, revoked)), Now::read());
    desk.store.set_workspace_member(&caller.by, &workspace, &user, to, now).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /workspaces/{workspace}/members/{user}`
pub(super) async fn leave(
    State(desk): State<Desk>,
    caller: Caller,
    Path((workspace, user)): Path<(WorkspaceId, PersonId)>,
) -> Result<StatusCode, Problem> {
    desk.store.set_workspace_member(&caller.by, &workspace, &user, None, Now::read()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /workspaces/{workspace}/cases`
pub(super) async fn cases(
    State(desk): State<Desk>,
    caller: Caller,
    Path(workspace): Path<WorkspaceId>,
) -> Result<Json<Items<CaseLine>>, Problem> {
    Ok(Items::all(cases_in(&desk, &caller, &workspace).await?))
}

/// `GET /workspaces/{workspace}/cases/{case}`: nothing, where the case is in another.
pub(super) async fn case(
    State(desk): State<Desk>,
    caller: Caller,
    Path((workspace, case)): Path<(WorkspaceId, CaseId)>,
) -> Result<Json<CaseLine>, Problem> {
    let found = cases_in(&desk, &caller, &workspace).await?;
    let found = found.into_iter().find(|one| one.id == case);
    found.map(|case| Json(case.into())).ok_or_else(Problem::not_found)
}

async fn cases_in(
    desk: &Desk,
    caller: &Caller,
    workspace: &WorkspaceId,
) -> Result<Vec<Case>, Problem> {
    let who = &caller.person.id;
    desk.store.workspace(who, workspace).await?.ok_or_else(Problem::not_found)?;
    Ok(desk.store.workspace_cases(who, workspace, Now::read()).await?)
}

/// `PUT /workspaces/{workspace}/cases/{case}`
pub(super) async fn bring(
    State(desk): State<Desk>,
    caller: Caller,
    Path((workspace, case)): Path<(WorkspaceId, CaseId)>,
) -> Result<StatusCode, Problem> {
    desk.store.set_workspace_case(&caller.by, &workspace, &case, true, Now::read()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /workspaces/{workspace}/cases/{case}`
pub(super) async fn take(
    State(desk): State<Desk>,
    caller: Caller,
    Path((workspace, case)): Path<(WorkspaceId, CaseId)>,
) -> Result<StatusCode, Problem> {
    desk.store.set_workspace_case(&caller.by, &workspace, &case, false, Now::read()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /workspaces/{workspace}/case-roles`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RoleBody {
    name: String,
    rights: BTreeSet<CaseRight>,
}

pub(super) async fn add_role(
    State(desk): State<Desk>,
    caller: Caller,
    Path(workspace): Path<WorkspaceId>,
    Body(body): Body<RoleBody>,
) -> Result<(StatusCode, Json<CaseRoleView>), Problem> {
    let role = set_role(&desk, &caller, &workspace, None, body).await?;
    Ok((StatusCode::CREATED, Json(role)))
}

/// `PUT /workspaces/{workspace}/case-roles/{role}`
pub(super) async fn change_role(
    State(desk): State<Desk>,
    caller: Caller,
    Path((workspace, role)): Path<(WorkspaceId, CaseRoleId)>,
    Body(body): Body<RoleBody>,
) -> Result<Json<CaseRoleView>, Problem> {
    Ok(Json(set_role(&desk, &caller, &workspace, Some(&role), body).await?))
}

async fn set_role(
    desk: &Desk,
    caller: &Caller,
    workspace: &WorkspaceId,
    role: Option<&CaseRoleId>,
    RoleBody { name, rights }: RoleBody,
) -> Result<CaseRoleView, Problem> {
    let name = text("name", &name)?;
    let (rights, now) = (CaseRights::from(rights), Now::read());
    let what = (name.as_str(), &rights);
    let written = desk.store.set_case_role(&caller.by, workspace, role, what, now).await?;
    Ok(written.value.into())
}
