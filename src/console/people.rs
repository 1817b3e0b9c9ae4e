//! People of the caller's own tenant, and their roles.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};

use super::{
    caller::Caller,
    company::Pages,
    desk::Desk,
    input::{Body, Path, Query, text},
    lists::{Items, page},
    problem::Problem,
};
use crate::{
    authz::Action,
    clock::Now,
    ids::{AssignmentId, PersonId, RoleId},
    secret::SecretText,
    store::{Held, NewPerson},
    tenancy::{Assignment, Permission, Person, RoleRef, Scope},
};

#[derive(Debug, Serialize)]
pub(super) struct PersonView {
    id: PersonId,
    name: String,
    email: String,
    active: bool,
}

/// A colleague with the roles they hold.
#[derive(Debug, Serialize)]
pub(super) struct ColleagueView {
    #[serde(flatten)]
    person: PersonView,
    assignments: Vec<AssignmentView>,
}

impl From<Person> for PersonView {
    fn from(person: Person) -> Self {
        let Person { id, tenant: _, email, name, active } = person;
        Self { id, name, email, active }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct AssignmentView {
    id: AssignmentId,
    role: RoleRef,
    scope: Scope,
}

impl From<Assignment> for AssignmentView {
    fn from(assignment: Assignment) -> Self {
        let Assignment { id, person: _, role, scope } = assignment;
        Self { id, role: role.into(), scope }
    }
}

impl From<Assignment<RoleId>> for AssignmentView {
    fn from(assignment: Assignment<RoleId>) -> Self {
        let Assignment { id, person: _, role, scope } = assignment;
        Self { id, role: RoleRef::Individual(role), scope }
    }
}

/// All that a person was given, of either kind of role.
pub(super) fn assignment_views(held: Held) -> Vec<AssignmentView> {
    let individual = held.individual.into_iter().map(|one| {
        let role = RoleRef::Individual(one.role.id);
        AssignmentView { id: one.id, role, scope: one.scope }
    });
    held.predefined.into_iter().map(AssignmentView::from).chain(individual).collect()
}

/// `GET /users`
pub(super) async fn list(
    State(desk): State<Desk>,
    caller: Caller,
    Query(Pages { cursor }): Query<Pages>,
) -> Result<Json<Items<ColleagueView>>, Problem> {
    let _grant = desk.may(&caller.person.id, Action::Own(Permission::ReadPeople)).await?;
    let mut items = Vec::new();
    let found = desk.store.people_page(&caller.person.tenant, &page(cursor)).await?;
    for person in found.items {
        let assignments = assignment_views(desk.store.held(&person.id).await?);
        items.push(ColleagueView { person: person.into(), assignments });
    }
    Ok(Json(Items { items, next: found.next }))
}

/// `POST /users`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    email: String,
    name: String,
    password: Option<String>,
}

pub(super) async fn create(
    State(desk): State<Desk>,
    caller: Caller,
    Body(Ask { email, name, password }): Body<Ask>,
) -> Result<(StatusCode, Json<PersonView>), Problem> {
    let password = password.map(SecretText::new);
    let (email, name) = (email_address(&email)?, text("name", &name)?);
    // Hashing costs: only for those who may.
    let _grant = desk.may(&caller.person.id, Action::Own(Permission::ManagePeople)).await?;
    let password_hash = match password {
        Some(password) => Some(SecretText::new(desk.passwords.hash(password).await?)),
        None => None,
    };
    let new = NewPerson { email, name, password_hash };
    let written = desk.store.create_person(&caller.by, &new, Now::read()).await?;
    Ok((StatusCode::CREATED, Json(written.value.into())))
}

fn email_address(given: &str) -> Result<String, Problem> {
    let given = text("email", given)?;
    match given.split_once('@') {
        Some((name, host)) if !name.is_empty() && !host.is_empty() && !given.contains(' ') => {
            Ok(given.to_lowercase())
        }
        Some(_) | None => Err(Problem::invalid("email is not an e-mail address")),
    }
}

/// `PUT /users/{user}/active`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Activity {
    active: bool,
}

pub(super) async fn set_active(
    State(desk): State<Desk>,
    caller: Caller,
    Path(user): Path<PersonId>,
    Body(Activity { active }): Body<Activity>,
) -> Result<Json<PersonView>, Problem> {
    colleague(&desk, &caller, &user, Permission::ManagePeople).await?;
    let written = desk.store.set_person_active(&caller.by, &user, active, Now::read()).await?;
    desk.settled(written.revision).await;
    Ok(Json(written.value.into()))
}

/// `DELETE /users/{user}`: the row stays, for what speaks of it.
pub(super) async fn delete(
    State(desk): State<Desk>,
    caller: Caller,
    Path(user): Path<PersonId>,
) -> Result<StatusCode, Problem> {
    colleague(&desk, &caller, &user, Permission::ManagePeople).await?;
    let written = desk.store.delete_person(&caller.by, &user, Now::read()).await?;
    desk.settled(written.revision).await;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /users/{user}/assignments`
pub(super) async fn assignments(
    State(desk): State<Desk>,
    caller: Caller,
    Path(user): Path<PersonId>,
) -> Result<Json<Items<AssignmentView>>, Problem> {
    colleague(&desk, &caller, &user, Permission::ReadPeople).await?;
    let items = assignment_views(desk.store.held(&user).await?);
    Ok(Json(Items { items, next: None }))
}

/// `POST /users/{user}/assignments`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAssignment {
    role: RoleRef,
    #[serde(default = "whole")]
    scope: Scope,
}

fn whole() -> Scope {
    Scope::Whole
}

pub(super) async fn assign(
    State(desk): State<Desk>,
    caller: Caller,
    Path(user): Path<PersonId>,
    Body(NewAssignment { role, scope }): Body<NewAssignment>,
) -> Result<(StatusCode, Json<AssignmentView>), Problem> {
    colleague(&desk, &caller, &user, Permission::AssignRoles).await?;
    let now = Now::read();
    let view = match role {
        RoleRef::Predefined(role) => {
            desk.store.add_assignment(&caller.by, &user, role, &scope, now).await?.value.into()
        }
        RoleRef::Individual(role) => {
            desk.store.add_individual(&caller.by, &user, &role, &scope, now).await?.value.into()
        }
    };
    Ok((StatusCode::CREATED, Json(view)))
}

/// `DELETE /users/{user}/assignments/{assignment}`
pub(super) async fn unassign(
    State(desk): State<Desk>,
    caller: Caller,
    Path((user, assignment)): Path<(PersonId, AssignmentId)>,
) -> Result<StatusCode, Problem> {
    colleague(&desk, &caller, &user, Permission::AssignRoles).await?;
    let held = assignment_views(desk.store.held(&user).await?);
    if !held.iter().any(|one| one.id == assignment) {
        return Err(Problem::not_found());
    }
    let written = desk.store.remove_assignment(&caller.by, &assignment, Now::read()).await?;
    desk.settled(written.revision).await;
    Ok(StatusCode::NO_CONTENT)
}

/// That `user` is of the caller's tenant, and the caller may do there what takes `needs`: else there
/// is nobody.
pub(super) async fn colleague(
    desk: &Desk,
    caller: &Caller,
    user: &PersonId,
    needs: Permission,
) -> Result<(), Problem> {
    let _grant = desk.may(&caller.person.id, Action::Own(needs)).await?;
    match desk.store.person(user).await? {
        Some(person) if person.tenant == caller.person.tenant => Ok(()),
        Some(_) | None => Err(Problem::not_found()),
    }
}
