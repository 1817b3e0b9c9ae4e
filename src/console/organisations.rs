//! Organisations of the caller's company: who belongs, what they see of each other's cases, and
//! every change of it.

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
    clock::{Now, Wall},
    ids::{OrganisationId, PersonId},
    store::{NewOrganisation, Organisation, OrganisationChange, OrganisationMember, SettingChange},
    visibility::{Domain, OrgSetting, PersonSetting},
};

#[derive(Debug, Serialize)]
pub(super) struct OrganisationView {
    id: OrganisationId,
    name: String,
    domains: BTreeSet<Domain>,
    approvers: BTreeSet<PersonId>,
    setting: OrgSetting,
    partner: bool,
    managed: bool,
    agreed: bool,
    wide: bool,
}

impl From<Organisation> for OrganisationView {
    fn from(one: Organisation) -> Self {
        let Organisation { id, tenant: _, name, setting, .. } = one;
        let Organisation { partner, managed, agreed, wide, domains, approvers, .. } = one;
        Self { id, name, domains, approvers, setting, partner, managed, agreed, wide }
    }
}

/// An organisation with its people and its changes.
#[derive(Debug, Serialize)]
pub(super) struct OrganisationPage {
    #[serde(flatten)]
    organisation: OrganisationView,
    members: Vec<MemberView>,
    changes: Vec<ChangeView>,
}

#[derive(Debug, Serialize)]
pub(super) struct MemberView {
    person: Named<PersonId>,
    sees: PersonSetting,
}

impl From<OrganisationMember> for MemberView {
    fn from(one: OrganisationMember) -> Self {
        let OrganisationMember { person, name, sees } = one;
        Self { person: Named { id: person, name }, sees }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct ChangeView {
    by: PersonId,
    at: Wall,
    what: String,
    old: String,
    new: String,
}

impl From<SettingChange> for ChangeView {
    fn from(change: SettingChange) -> Self {
        let SettingChange { person, at, what, old, new } = change;
        Self { by: person, at, what, old, new }
    }
}

/// `GET /organisations`
pub(super) async fn list(
    State(desk): State<Desk>,
    caller: Caller,
) -> Result<Json<Items<OrganisationView>>, Problem> {
    Ok(Items::all(desk.store.organisations(&caller.person.tenant).await?))
}

/// `POST /organisations`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    name: String,
    domains: BTreeSet<Domain>,
    #[serde(default)]
    approvers: BTreeSet<PersonId>,
    #[serde(default)]
    partner: bool,
    #[serde(default)]
    managed: bool,
}

pub(super) async fn create(
    State(desk): State<Desk>,
    caller: Caller,
    Body(Ask { name, domains, approvers, partner, managed }): Body<Ask>,
) -> Result<(StatusCode, Json<OrganisationView>), Problem> {
    let name = text("name", &name)?;
    let new = NewOrganisation { name, domains, approvers, partner, managed };
    let written = desk.store.create_organisation(&caller.by, &new, Now::read()).await?;
    Ok((StatusCode::CREATED, Json(written.value.into())))
}

/// `GET /organisations/{organisation}`
pub(super) async fn show(
    State(desk): State<Desk>,
    caller: Caller,
    Path(organisation): Path<OrganisationId>,
) -> Result<Json<OrganisationPage>, Problem> {
    Ok(Json(page_of(&desk, &caller, &organisation).await?))
}

async fn page_of(
    desk: &Desk,
    caller: &Caller,
    organisation: &OrganisationId,
) -> Result<OrganisationPage, Problem> {
    let all = desk.store.organisations(&caller.person.tenant).await?;
    let found = all.into_iter().find(|one| one.id == *organisation);
    let found = found.ok_or_else(Problem::not_found)?;
    let members = desk.store.organisation_members(organisation).await?;
    let changes = desk.store.setting_changes(organisation).await?;
    Ok(OrganisationPage {
        organisation: found.into(),
        members: members.into_iter().map(MemberView::from).collect(),
        changes: changes.into_iter().map(ChangeView::from).collect(),
    })
}

/// `PATCH /organisations/{organisation}`: exactly one of these.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(super) enum Change {
    Domains(BTreeSet<Domain>),
    Approvers(BTreeSet<PersonId>),
    Setting(OrgSetting),
    Agreed(bool),
    Wide(bool),
}

pub(super) async fn change(
    State(desk): State<Desk>,
    caller: Caller,
    Path(organisation): Path<OrganisationId>,
    Body(change): Body<Change>,
) -> Result<Json<OrganisationPage>, Problem> {
    let change = match change {
        Change::Domains(domains) => OrganisationChange::Domains(domains),
        Change::Approvers(approvers) => OrganisationChange::Approvers(approvers),
        Change::Setting(setting) => OrganisationChange::Setting(setting),
        Change::Agreed(agreed) => OrganisationChange::Agreed(agreed),
        Change::Wide(wide) => OrganisationChange::Wide(wide),
    };
    desk.store.change_organisation(&caller.by, &organisation, &change, Now::read()).await?;
    Ok(Json(page_of(&desk, &caller, &organisation).await?))
}

/// `PUT /organisations/{organisation}/members/{user}`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sees {
    sees: PersonSetting,
}

pub(super) async fn set_sees(
    State(desk): State<Desk>,
    caller: Caller,
    Path((organisation, user)): Path<(OrganisationId, PersonId)>,
    Body(Sees { sees }): Body<Sees>,
) -> Result<StatusCode, Problem> {
    let now = Now::read();
    desk.store.set_member_sees(&caller.by, &organisation, &user, sees, now).await?;
    Ok(StatusCode::NO_CONTENT)
}
