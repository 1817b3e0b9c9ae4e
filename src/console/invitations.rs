//! Invitations into the own company, and accepting one, which anybody may who holds its token.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};

use super::{
    caller::Caller,
    desk::Desk,
    input::{Body, Path, Query, text},
    lists::{Items, page},
    people::PersonView,
    problem::Problem,
};
use crate::{
    authz::Action,
    clock::{Now, Wall},
    ids::{CustomerId, InvitationId},
    secret::SecretText,
    store::{Acceptance, Invitation, Invited, Offer},
    tenancy::Permission,
};

#[derive(Debug, Serialize)]
pub(super) struct InvitationView {
    id: InvitationId,
    email: String,
    customer: Option<CustomerId>,
    expires_at: Wall,
    accepted_at: Option<Wall>,
}

impl From<Invitation> for InvitationView {
    fn from(invitation: Invitation) -> Self {
        let Invitation { id, email, customer, expires, accepted } = invitation;
        Self { id, email, customer, expires_at: expires, accepted_at: accepted }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct InvitedView {
    #[serde(flatten)]
    invitation: InvitationView,
    /// Shown this once: whoever holds it accepts.
    token: String,
}

impl From<Invited> for InvitedView {
    fn from(Invited { invitation, token }: Invited) -> Self {
        Self { invitation: invitation.into(), token: token.expose().to_owned() }
    }
}

/// `GET /invitations`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    /// Those of customers instead of those of colleagues.
    #[serde(default)]
    customers: bool,
    cursor: Option<String>,
}

pub(super) async fn list(
    State(desk): State<Desk>,
    caller: Caller,
    Query(Filter { customers, cursor }): Query<Filter>,
) -> Result<Json<Items<InvitationView>>, Problem> {
    let needs = if customers { Permission::ManageCustomers } else { Permission::ManagePeople };
    let _grant = desk.may(&caller.person.id, Action::Own(needs)).await?;
    let found = desk.store.invitations(&caller.person.tenant, customers, &page(cursor)).await?;
    let items = found.items.into_iter().map(InvitationView::from).collect();
    Ok(Json(Items { items, next: found.next }))
}

/// `POST /invitations`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    email: String,
    #[serde(default)]
    roles: Vec<Offer>,
}

pub(super) async fn invite(
    State(desk): State<Desk>,
    caller: Caller,
    Body(Ask { email, roles }): Body<Ask>,
) -> Result<(StatusCode, Json<InvitedView>), Problem> {
    let email = text("email", &email)?;
    let written = desk.store.invite_person(&caller.by, &email, &roles, Now::read()).await?;
    Ok((StatusCode::CREATED, Json(written.value.into())))
}

/// `DELETE /invitations/{invitation}`
pub(super) async fn withdraw(
    State(desk): State<Desk>,
    caller: Caller,
    Path(invitation): Path<InvitationId>,
) -> Result<StatusCode, Problem> {
    desk.store.withdraw_invitation(&caller.by, &invitation, Now::read()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /invitations/accept`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Accept {
    token: String,
    name: String,
    password: String,
    /// The new company's name, where a customer was invited.
    company: Option<String>,
}

pub(super) async fn accept(
    State(desk): State<Desk>,
    Body(Accept { token, name, password, company }): Body<Accept>,
) -> Result<(StatusCode, Json<PersonView>), Problem> {
    let (token, password) = (SecretText::new(token), SecretText::new(password));
    let name = text("name", &name)?;
    let company = company.map(|company| text("company", &company)).transpose()?;
    // Hashing costs: only for who was invited.
    desk.store.is_invited(&token, Now::read()).await?;
    let password_hash = SecretText::new(desk.passwords.hash(password).await?);
    let acceptance = Acceptance { name, password_hash, company };
    let written = desk.store.accept_invitation(&token, &acceptance, Now::read()).await?;
    Ok((StatusCode::CREATED, Json(written.value.into())))
}
