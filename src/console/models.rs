//! Machine models of the caller's own tenant, and their tunnel templates.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};

use super::{
    caller::Caller,
    configs::{ConfigBody, ConfigView},
    desk::Desk,
    input::{Body, IfMatch, Path, required, text},
    lists::Items,
    problem::Problem,
};
use crate::{
    authz::Action,
    clock::Now,
    ids::{MachineId, ModelId, Revision, TemplateId},
    machines::Model,
    store::{ModelEntry, ModelText, TemplateEntry},
    tenancy::Permission,
};

#[derive(Debug, Serialize)]
pub(super) struct ModelView {
    id: ModelId,
    name: String,
    brand: Option<String>,
    technology: Option<String>,
    /// Machines of this model.
    machines: u64,
    revision: Revision,
}

impl From<ModelEntry> for ModelView {
    fn from(entry: ModelEntry) -> Self {
        let ModelEntry { model, machines, revision } = entry;
        let Model { id, provider: _, name, brand, technology } = model;
        Self { id, name, brand, technology, machines, revision }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct TemplateView {
    id: TemplateId,
    #[serde(flatten)]
    config: ConfigView,
    /// Tunnel configs that follow it.
    followers: u64,
    revision: Revision,
}

impl From<TemplateEntry> for TemplateView {
    fn from(entry: TemplateEntry) -> Self {
        let TemplateEntry { template, followers, revision } = entry;
        let config = ConfigView::from(&template.config);
        Self { id: template.id, config, followers, revision }
    }
}

/// `GET /machine-models`
pub(super) async fn list(
    State(desk): State<Desk>,
    caller: Caller,
) -> Result<Json<Items<ModelView>>, Problem> {
    let _grant = desk.may(&caller.person.id, Action::Own(Permission::ReadModels)).await?;
    Ok(Items::all(desk.store.models(&caller.person.tenant).await?))
}

/// What a model says: `POST /machine-models`, `PUT /machine-models/{model}`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    /// On creating alone.
    id: Option<ModelId>,
    name: String,
    brand: Option<String>,
    technology: Option<String>,
}

impl Ask {
    fn checked(self) -> Result<(Option<ModelId>, ModelText), Problem> {
        let Self { id, name, brand, technology } = self;
        let name = text("name", &name)?;
        let brand = brand.map(|brand| text("brand", &brand)).transpose()?;
        let technology = technology.map(|one| text("technology", &one)).transpose()?;
        Ok((id, ModelText { name, brand, technology }))
    }
}

pub(super) async fn create(
    State(desk): State<Desk>,
    caller: Caller,
    Body(ask): Body<Ask>,
) -> Result<(StatusCode, Json<ModelView>), Problem> {
    let (id, model) = ask.checked()?;
    let written = desk.store.create_model(&caller.by, id, &model, Now::read()).await?;
    Ok((StatusCode::CREATED, Json(written.value.into())))
}

pub(super) async fn change(
    State(desk): State<Desk>,
    caller: Caller,
    Path(model): Path<ModelId>,
    IfMatch(expected): IfMatch,
    Body(ask): Body<Ask>,
) -> Result<Json<ModelView>, Problem> {
    let (id, words) = ask.checked()?;
    if id.is_some_and(|id| id != model) {
        return Err(Problem::invalid("id: a machine model keeps its id"));
    }
    let now = Now::read();
    let written = desk.store.change_model(&caller.by, &model, expected, &words, now).await?;
    Ok(Json(written.value.into()))
}

/// `DELETE /machine-models/{model}`: one that no machine is of.
pub(super) async fn delete(
    State(desk): State<Desk>,
    caller: Caller,
    Path(model): Path<ModelId>,
) -> Result<StatusCode, Problem> {
    desk.store.delete_model(&caller.by, &model, Now::read()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /machine-models/{model}/tunnel-templates`
pub(super) async fn templates(
    State(desk): State<Desk>,
    caller: Caller,
    Path(model): Path<ModelId>,
) -> Result<Json<Items<TemplateView>>, Problem> {
    let found = desk.store.templates(&caller.person.tenant, &model).await?;
    let found = found.ok_or_else(Problem::not_found)?;
    let _grant = desk.may(&caller.person.id, Action::Own(Permission::ReadModels)).await?;
    Ok(Items::all(found))
}

/// `POST /machine-models/{model}/tunnel-templates`
pub(super) async fn add_template(
    State(desk): State<Desk>,
    caller: Caller,
    Path(model): Path<ModelId>,
    Body(body): Body<ConfigBody>,
) -> Result<(StatusCode, Json<TemplateView>), Problem> {
    let config = body.checked()?;
    let written = desk.store.create_template(&caller.by, &model, &config, Now::read()).await?;
    Ok((StatusCode::CREATED, Json(written.value.into())))
}

/// `PUT /machine-models/{model}/tunnel-templates/{template}`: machines change with it, but for the
/// fields that they override.
pub(super) async fn change_template(
    State(desk): State<Desk>,
    caller: Caller,
    Path((model, template)): Path<(ModelId, TemplateId)>,
    IfMatch(expected): IfMatch,
    Body(body): Body<ConfigBody>,
) -> Result<Json<TemplateView>, Problem> {
    let (config, now) = (body.checked()?, Now::read());
    let which = (&model, &template);
    let written = desk.store.change_template(&caller.by, which, expected, &config, now).await?;
    desk.settled(written.revision).await;
    Ok(Json(written.value.into()))
}

/// `DELETE /machine-models/{model}/tunnel-templates/{template}`: what machines inherited of it goes
/// too, where nobody uses it.
pub(super) async fn delete_template(
    State(desk): State<Desk>,
    caller: Caller,
    Path((model, template)): Path<(ModelId, TemplateId)>,
) -> Result<StatusCode, Problem> {
    desk.store.delete_template(&caller.by, (&model, &template), Now::read()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `PUT /machines/{machine}/model`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Of {
    /// Null: of none.
    #[serde(deserialize_with = "required")]
    model: Option<ModelId>,
}

pub(super) async fn of_machine(
    State(desk): State<Desk>,
    caller: Caller,
    Path(machine): Path<MachineId>,
    Body(Of { model }): Body<Of>,
) -> Result<StatusCode, Problem> {
    desk.store.set_model(&caller.by, &machine, model.as_ref(), Now::read()).await?;
    Ok(StatusCode::NO_CONTENT)
}
