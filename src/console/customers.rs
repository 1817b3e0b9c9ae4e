//! A provider's customers and machines, and the links that both sides agree on.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};

use super::{
    caller::Caller,
    company::Pages,
    desk::Desk,
    input::{Body, Path, Query, text},
    invitations::InvitedView,
    lists::{Items, page},
    problem::Problem,
};
use crate::{
    authz::Action,
    clock::Now,
    ids::{AssetId, CustomerId, MachineId, ServiceOrganisationId, TenantId},
    machines::{CustomerMachine, Link},
    store::{CustomerStatus, MachineStatus, NewCustomer, NewMachine, ServiceOrganisation},
    tenancy::{Customer, Permission},
};

#[derive(Debug, Serialize)]
pub(super) struct OrganisationView {
    id: ServiceOrganisationId,
    name: String,
}

impl From<ServiceOrganisation> for OrganisationView {
    fn from(ServiceOrganisation { id, name }: ServiceOrganisation) -> Self {
        Self { id, name }
    }
}

/// `GET /service-organisations`
pub(super) async fn organisations(
    State(desk): State<Desk>,
    caller: Caller,
    Query(Pages { cursor }): Query<Pages>,
) -> Result<Json<Items<OrganisationView>>, Problem> {
    let _grant = desk.may(&caller.person.id, Action::Own(Permission::ReadMachines)).await?;
    let found = desk.store.service_organisations(&caller.person.tenant, &page(cursor)).await?;
    let items = found.items.into_iter().map(OrganisationView::from).collect();
    Ok(Json(Items { items, next: found.next }))
}

/// `POST /service-organisations`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewOrganisation {
    id: Option<ServiceOrganisationId>,
    name: String,
}

pub(super) async fn create_organisation(
    State(desk): State<Desk>,
    caller: Caller,
    Body(NewOrganisation { id, name }): Body<NewOrganisation>,
) -> Result<(StatusCode, Json<OrganisationView>), Problem> {
    let (name, now) = (text("name", &name)?, Now::read());
    let written =
        desk.store.create_service_organisation(&caller.by, id.as_ref(), &name, now).await?;
    Ok((StatusCode::CREATED, Json(written.value.into())))
}

#[derive(Debug, Serialize)]
pub(super) struct CustomerView {
    id: CustomerId,
    name: String,
    organisation: ServiceOrganisationId,
    tenant: Option<TenantId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
}

impl CustomerView {
    fn of(customer: Customer, status: Option<CustomerStatus>) -> Self {
        let Customer { id, provider: _, organisation, name, tenant } = customer;
        let status = status.map(|status| match status {
            CustomerStatus::New => "new",
            CustomerStatus::Invited => "invited",
            CustomerStatus::Onboarded => "onboarded",
        });
        Self { id, name, organisation, tenant, status }
    }
}

/// `GET /customers`
pub(super) async fn list(
    State(desk): State<Desk>,
    caller: Caller,
    Query(Pages { cursor }): Query<Pages>,
) -> Result<Json<Items<CustomerView>>, Problem> {
    let found = desk.store.customers(&caller.person.id, &page(cursor), Now::read()).await?;
    let view = |(customer, status)| CustomerView::of(customer, Some(status));
    Ok(Json(Items { items: found.items.into_iter().map(view).collect(), next: found.next }))
}

/// `POST /customers`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CustomerAsk {
    id: Option<CustomerId>,
    organisation: ServiceOrganisationId,
    name: String,
}

pub(super) async fn create(
    State(desk): State<Desk>,
    caller: Caller,
    Body(CustomerAsk { id, organisation, name }): Body<CustomerAsk>,
) -> Result<(StatusCode, Json<CustomerView>), Problem> {
    let new = NewCustomer { id, organisation, name: text("name", &name)? };
    let written = desk.store.create_customer(&caller.by, &new, Now::read()).await?;
    let view = CustomerView::of(written.value, Some(CustomerStatus::New));
    Ok((StatusCode::CREATED, Json(view)))
}

/// `PATCH /customers/{customer}`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CustomerChange {
    name: Option<String>,
    organisation: Option<ServiceOrganisationId>,
}

pub(super) async fn change(
    State(desk): State<Desk>,
    caller: Caller,
    Path(customer): Path<CustomerId>,
    Body(CustomerChange { name, organisation }): Body<CustomerChange>,
) -> Result<Json<CustomerView>, Problem> {
    let name = name.map(|name| text("name", &name)).transpose()?;
    let (name, organisation, now) = (name.as_deref(), organisation.as_ref(), Now::read());
    let written =
        desk.store.change_customer(&caller.by, &customer, name, organisation, now).await?;
    desk.settled(written.revision).await;
    Ok(Json(CustomerView::of(written.value, None)))
}

/// `POST /customers/{customer}/invitation`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InviteCustomer {
    email: String,
}

pub(super) async fn invite(
    State(desk): State<Desk>,
    caller: Caller,
    Path(customer): Path<CustomerId>,
    Body(InviteCustomer { email }): Body<InviteCustomer>,
) -> Result<(StatusCode, Json<InvitedView>), Problem> {
    let email = text("email", &email)?;
    let written = desk.store.invite_customer(&caller.by, &customer, &email, Now::read()).await?;
    Ok((StatusCode::CREATED, Json(written.value.into())))
}

#[derive(Debug, Serialize)]
pub(super) struct MachineView {
    id: MachineId,
    customer: CustomerId,
    serial: String,
    status: &'static str,
}

impl MachineView {
    fn of(machine: CustomerMachine, status: MachineStatus) -> Self {
        let CustomerMachine { id, provider: _, customer, serial, link: _ } = machine;
        let status = match status {
            MachineStatus::New => "new",
            MachineStatus::Proposed => "proposed",
            MachineStatus::Unconnected => "unconnected",
            MachineStatus::Connected => "connected",
        };
        Self { id, customer, serial, status }
    }
}

/// `GET /machines`
pub(super) async fn machines(
    State(desk): State<Desk>,
    caller: Caller,
    Query(Pages { cursor }): Query<Pages>,
) -> Result<Json<Items<MachineView>>, Problem> {
    let (who, now) = (&caller.person.id, Now::read());
    let found = desk.store.customer_machines(who, &page(cursor), now).await?;
    let view = |(machine, status)| MachineView::of(machine, status);
    Ok(Json(Items { items: found.items.into_iter().map(view).collect(), next: found.next }))
}

/// `POST /machines`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MachineAsk {
    id: Option<MachineId>,
    customer: CustomerId,
    serial: String,
}

pub(super) async fn create_machine(
    State(desk): State<Desk>,
    caller: Caller,
    Body(MachineAsk { id, customer, serial }): Body<MachineAsk>,
) -> Result<(StatusCode, Json<MachineView>), Problem> {
    let new = NewMachine { id, customer, serial: text("serial", &serial)? };
    let written = desk.store.create_machine(&caller.by, &new, Now::read()).await?;
    Ok((StatusCode::CREATED, Json(MachineView::of(written.value, MachineStatus::New))))
}

/// A proposal or a link, for either side.
#[derive(Debug, Serialize)]
pub(super) struct LinkView {
    machine: MachineId,
    provider: TenantId,
    serial: String,
    state: &'static str,
    /// The operator's own; a provider learns of it when the operator has accepted.
    asset: Option<AssetId>,
}

impl LinkView {
    fn of(machine: CustomerMachine, caller: &Caller) -> Self {
        let CustomerMachine { id, provider, customer: _, serial, link } = machine;
        let (state, asset) = match link {
            Link::New => ("new", None),
            Link::Proposed { asset } => {
                ("proposed", Some(asset).filter(|_| provider != caller.person.tenant))
            }
            Link::Linked { asset } => ("linked", Some(asset)),
        };
        Self { machine: id, provider, serial, state, asset }
    }
}

/// `GET /links`
pub(super) async fn links(
    State(desk): State<Desk>,
    caller: Caller,
    Query(Pages { cursor }): Query<Pages>,
) -> Result<Json<Items<LinkView>>, Problem> {
    let found = desk.store.links(&caller.person.id, &page(cursor), Now::read()).await?;
    let items = found.items.into_iter().map(|one| LinkView::of(one, &caller)).collect();
    Ok(Json(Items { items, next: found.next }))
}

/// `POST /links`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Proposal {
    machine: MachineId,
}

pub(super) async fn propose(
    State(desk): State<Desk>,
    caller: Caller,
    Body(Proposal { machine }): Body<Proposal>,
) -> Result<(StatusCode, Json<LinkView>), Problem> {
    let written = desk.store.propose_link(&caller.by, &machine, Now::read()).await?;
    Ok((StatusCode::CREATED, Json(LinkView::of(written.value, &caller))))
}

/// `PUT /links/{machine}`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkAnswer {
    accept: bool,
}

pub(super) async fn answer(
    State(desk): State<Desk>,
    caller: Caller,
    Path(machine): Path<MachineId>,
    Body(LinkAnswer { accept }): Body<LinkAnswer>,
) -> Result<Json<LinkView>, Problem> {
    let written = desk.store.answer_link(&caller.by, &machine, accept, Now::read()).await?;
    desk.settled(written.revision).await;
    Ok(Json(LinkView::of(written.value, &caller)))
}

/// `DELETE /links/{machine}`: either side; the provider's sessions end.
pub(super) async fn unlink(
    State(desk): State<Desk>,
    caller: Caller,
    Path(machine): Path<MachineId>,
) -> Result<StatusCode, Problem> {
    let written = desk.store.remove_link(&caller.by, &machine, Now::read()).await?;
    desk.settled(written.revision).await;
    Ok(StatusCode::NO_CONTENT)
}
