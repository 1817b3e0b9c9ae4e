//! Machine models and their tunnel templates, of the own tenant.

use sqlx::SqliteConnection;

use super::{
    By, Conflict, Object, Store, StoreError, Subject, WriteError, Written,
    act::{Allowed, Ask},
    inherit,
    machines::machine_of,
    rows::{Cells, code, kept},
    tunnels::{config_in, current, json, next_revision},
};
use crate::{
    audit::Event,
    authz::Action,
    clock::Now,
    ids::{MachineId, ModelId, Revision, TemplateId, TenantId},
    machines::{Link, Model, Template, TunnelConfig},
    tenancy::Permission,
};

/// Templates of one model at most.
pub const TEMPLATES_MAX: usize = 64;

/// A machine model with what is kept beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelEntry {
    pub model: Model,
    /// Machines of this model.
    pub machines: u64,
    pub revision: Revision,
}

/// A template with what is kept beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateEntry {
    pub template: Template,
    /// Tunnel configs that follow it.
    pub followers: u64,
    pub revision: Revision,
}

/// What a machine model is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelText {
    pub name: String,
    pub brand: Option<String>,
    pub technology: Option<String>,
}

impl Store {
    /// A provider's machine models, by name.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn models(&self, provider: &TenantId) -> Result<Vec<ModelEntry>, StoreError> {
        let mut reading = self.reading().await?;
        let rows = sqlx::query(
            "SELECT m.id, m.provider, m.name, m.brand, m.technology, m.revision, \
                    (SELECT COUNT(*) FROM machines c WHERE c.model = m.id) AS machines \
             FROM machine_models m WHERE m.provider = $1 ORDER BY m.name, m.id",
        )
        .bind(provider.as_str())
        .fetch_all(&mut *reading)
        .await?;
        rows.iter().map(|row| model_in(&Cells::of("machine_models", row))).collect()
    }

    /// The templates of a model of `provider`; `None` where it has no such model.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn templates(
        &self,
        provider: &TenantId,
        model: &ModelId,
    ) -> Result<Option<Vec<TemplateEntry>>, StoreError> {
        let mut reading = self.reading().await?;
        match model_of(&mut reading, model).await? {
            Some(entry) if entry.model.provider == *provider => {
                templates_of(&mut reading, model).await.map(Some)
            }
            Some(_) | None => Ok(None),
        }
    }

    /// Creates a machine model.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn create_model(
        &self,
        by: &By,
        id: Option<ModelId>,
        text: &ModelText,
        now: Now,
    ) -> Result<Written<ModelEntry>, WriteError> {
        let mut allowed = self.modelling(by, None, now).await?;
        let Some(provider) = allowed.tenant().cloned() else {
            return Err(allowed.not_found().await);
        };
        let id = match id {
            Some(id) => id,
            None => super::fresh_id()?,
        };
        if model_of(allowed.rows(), &id).await?.is_some() {
            return Err(Conflict::Exists(format!("a machine model {id}")).into());
        }
        named_once(allowed.rows(), &provider, &id, &text.name).await?;
        let revision = next_revision(allowed.rows()).await?;
        let entry = ModelEntry { model: text.model(id, provider), machines: 0, revision };
        insert_model(allowed.rows(), &entry.model, revision).await?;
        model_told(&mut allowed, Event::ModelCreated, None, Some(&entry.model));
        Ok(allowed.written(entry).await?)
    }

    /// Replaces what a machine model says.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; [`Conflict::Stale`] where somebody else wrote it since `expected`.
    pub async fn change_model(
        &self,
        by: &By,
        model: &ModelId,
        expected: Option<Revision>,
        text: &ModelText,
        now: Now,
    ) -> Result<Written<ModelEntry>, WriteError> {
        let mut allowed = self.modelling(by, Some(model), now).await?;
        let Some(old) = own(&mut allowed, model).await? else {
            return Err(allowed.not_found().await);
        };
        current(expected, old.revision)?;
        named_once(allowed.rows(), &old.model.provider, model, &text.name).await?;
        let revision = next_revision(allowed.rows()).await?;
        let new = text.model(model.clone(), old.model.provider.clone());
        sqlx::query(
            "UPDATE machine_models SET name = $2, brand = $3, technology = $4, revision = $5 \
             WHERE id = $1",
        )
        .bind(model.as_str())
        .bind(&new.name)
        .bind(&new.brand)
        .bind(&new.technology)
        .bind(kept(revision.0))
        .execute(allowed.rows())
        .await?;
        model_told(&mut allowed, Event::ModelChanged, Some(&old.model), Some(&new));
        let machines = old.machines;
        Ok(allowed.written(ModelEntry { model: new, machines, revision }).await?)
    }

    /// Deletes a machine model that no machine is of, with its templates.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn delete_model(
        &self,
        by: &By,
        model: &ModelId,
        now: Now,
    ) -> Result<Written<()>, WriteError> {
        let mut allowed = self.modelling(by, Some(model), now).await?;
        let Some(old) = own(&mut allowed, model).await? else {
            return Err(allowed.not_found().await);
        };
        if old.machines > 0 {
            let still = "machines are of this model: give them another first";
            return Err(Conflict::InUse(still).into());
        }
        for entry in templates_of(allowed.rows(), model).await? {
            inherit::template_gone(&mut allowed, &entry).await?;
        }
        for table in [
            "DELETE FROM tunnel_templates WHERE model = $1",
            "DELETE FROM machine_models WHERE id = $1",
        ] {
            sqlx::query(table).bind(model.as_str()).execute(allowed.rows()).await?;
        }
        model_told(&mut allowed, Event::ModelDeleted, Some(&old.model), None);
        Ok(allowed.written(()).await?)
    }

    /// Adds a template to a model; linked machines of the model get the config at once.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn create_template(
        &self,
        by: &By,
        model: &ModelId,
        config: &TunnelConfig,
        now: Now,
    ) -> Result<Written<TemplateEntry>, WriteError> {
        config.check().map_err(Conflict::from)?;
        let mut allowed = self.modelling(by, Some(model), now).await?;
        if own(&mut allowed, model).await?.is_none() {
            return Err(allowed.not_found().await);
        }
        let siblings = templates_of(allowed.rows(), model).await?;
        free(&siblings, None, config)?;
        if siblings.len() >= TEMPLATES_MAX {
            return Err(Conflict::Limit("a machine model has 64 templates at most").into());
        }
        let id = super::fresh_id()?;
        let entry = TemplateEntry {
            template: Template { id, model: model.clone(), config: config.clone() },
            followers: 0,
            revision: next_revision(allowed.rows()).await?,
        };
        insert_template(allowed.rows(), &entry.template, entry.revision).await?;
        template_told(&mut allowed, Event::TemplateCreated, None, Some(&entry.template));
        inherit::template_made(&mut allowed, &entry).await?;
        as_it_is(allowed, &entry.template.id).await
    }

    /// Replaces what a template says; configs change in the fields that they do not override.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; [`Conflict::Stale`] where somebody else wrote it since `expected`.
    pub async fn change_template(
        &self,
        by: &By,
        (model, template): (&ModelId, &TemplateId),
        expected: Option<Revision>,
        config: &TunnelConfig,
        now: Now,
    ) -> Result<Written<TemplateEntry>, WriteError> {
        config.check().map_err(Conflict::from)?;
        let mut allowed = self.modelling(by, Some(model), now).await?;
        let Some(old) = own_template(&mut allowed, model, template).await? else {
            return Err(allowed.not_found().await);
        };
        current(expected, old.revision)?;
        free(&templates_of(allowed.rows(), model).await?, Some(template), config)?;
        let new = TemplateEntry {
            template: Template { config: config.clone(), ..old.template.clone() },
            followers: old.followers,
            revision: next_revision(allowed.rows()).await?,
        };
        write_template(allowed.rows(), &new.template, new.revision).await?;
        template_told(
            &mut allowed,
            Event::TemplateChanged,
            Some(&old.template),
            Some(&new.template),
        );
        inherit::template_changed(&mut allowed, &new).await?;
        as_it_is(allowed, template).await
    }

    /// Deletes a template, and the configs that follow it but are not in use.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn delete_template(
        &self,
        by: &By,
        (model, template): (&ModelId, &TemplateId),
        now: Now,
    ) -> Result<Written<()>, WriteError> {
        let mut allowed = self.modelling(by, Some(model), now).await?;
        let Some(old) = own_template(&mut allowed, model, template).await? else {
            return Err(allowed.not_found().await);
        };
        inherit::template_gone(&mut allowed, &old).await?;
        sqlx::query("DELETE FROM tunnel_templates WHERE id = $1")
            .bind(template.as_str())
            .execute(allowed.rows())
            .await?;
        template_told(&mut allowed, Event::TemplateDeleted, Some(&old.template), None);
        Ok(allowed.written(()).await?)
    }

    /// Says of which model a customer machine is; its asset's configs follow.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn set_model(
        &self,
        by: &By,
        machine: &MachineId,
        model: Option<&ModelId>,
        now: Now,
    ) -> Result<Written<()>, WriteError> {
        let subject = Subject { machine: Some(machine.clone()), ..Subject::of(by.person.clone()) };
        let object = Some(format!("machine/{machine}"));
        let ask = Ask { by, subject, refused: Event::Refused, object, now };
        let mut allowed = self.judged(ask, |_| Action::ManageMachine(machine.clone())).await?;
        let Some(found) = machine_of(allowed.rows(), machine).await? else {
            return Err(allowed.not_found().await);
        };
        if let Some(model) = model
            && own(&mut allowed, model).await?.is_none()
        {
            return Err(Conflict::Invalid("model: your company has no such machine model").into());
        }
        let row = sqlx::query("SELECT model FROM machines WHERE id = $1")
            .bind(machine.as_str())
            .fetch_one(allowed.rows())
            .await?;
        let before: Option<ModelId> = Cells::of("machines", &row).id_or_none("model")?;
        sqlx::query("UPDATE machines SET model = $2 WHERE id = $1")
            .bind(machine.as_str())
            .bind(model.map(ModelId::as_str))
            .execute(allowed.rows())
            .await?;
        allowed.touch(Object::Machine(machine.clone()));
        allowed.tell(Event::MachineModelChanged, |record| {
            record.object = Some(format!("machine/{machine}"));
            record.old = before.as_ref().map(ToString::to_string);
            record.new = model.map(ToString::to_string);
        });
        if let Link::Linked { asset } = &found.link
            && before.as_ref() != model
        {
            if let Some(before) = &before {
                inherit::model_taken(&mut allowed, before, asset).await?;
            }
            inherit::linked(&mut allowed, machine, asset).await?;
        }
        Ok(allowed.written(()).await?)
    }

    async fn modelling(
        &self,
        by: &By,
        model: Option<&ModelId>,
        now: Now,
    ) -> Result<Allowed, WriteError> {
        let object = model.map(|model| format!("model/{model}"));
        let subject = Subject::of(by.person.clone());
        let ask = Ask { by, subject, refused: Event::Refused, object, now };
        self.judged(ask, |_| Action::Own(Permission::ManageModels)).await
    }
}

/// Commits, and answers with the template as it stands then: who follows it has changed.
async fn as_it_is(
    mut allowed: Allowed,
    template: &TemplateId,
) -> Result<Written<TemplateEntry>, WriteError> {
    match template_of(allowed.rows(), template).await? {
        Some(entry) => Ok(allowed.written(entry).await?),
        None => Err(allowed.not_found().await),
    }
}

impl ModelText {
    fn model(&self, id: ModelId, provider: TenantId) -> Model {
        let Self { name, brand, technology } = self.clone();
        Model { id, provider, name, brand, technology }
    }
}

/// The model, if the tenant of who asks has it.
async fn own(allowed: &mut Allowed, model: &ModelId) -> Result<Option<ModelEntry>, StoreError> {
    let found = model_of(allowed.rows(), model).await?;
    Ok(found.filter(|entry| Some(&entry.model.provider) == allowed.tenant()))
}

/// The template, if it is of this model and the tenant of who asks has that.
async fn own_template(
    allowed: &mut Allowed,
    model: &ModelId,
    template: &TemplateId,
) -> Result<Option<TemplateEntry>, StoreError> {
    if own(allowed, model).await?.is_none() {
        return Ok(None);
    }
    let found = template_of(allowed.rows(), template).await?;
    Ok(found.filter(|entry| entry.template.model == *model))
}

/// Refuses a name that a sibling has.
fn free(
    siblings: &[TemplateEntry],
    itself: Option<&TemplateId>,
    config: &TunnelConfig,
) -> Result<(), Conflict> {
    let taken = siblings.iter().any(|entry| {
        entry.template.config.name == config.name && Some(&entry.template.id) != itself
    });
    if taken {
        return Err(Conflict::Exists(format!("a template {} of this model", config.name)));
    }
    Ok(())
}

/// Refuses a model's name that another of the same company has.
async fn named_once(
    conn: &mut SqliteConnection,
    provider: &TenantId,
    itself: &ModelId,
    name: &str,
) -> Result<(), WriteError> {
    let other =
        sqlx::query("SELECT id FROM machine_models WHERE provider = $1 AND name = $2 AND id <> $3")
            .bind(provider.as_str())
            .bind(name)
            .bind(itself.as_str())
            .fetch_optional(conn)
            .await?;
    match other {
        Some(_) => Err(Conflict::Exists(format!("a machine model named {name}")).into()),
        None => Ok(()),
    }
}

fn model_told(allowed: &mut Allowed, event: Event, old: Option<&Model>, new: Option<&Model>) {
    let Some(id) = new.or(old).map(|model| model.id.clone()) else { return };
    allowed.tell(event, |record| {
        record.object = Some(format!("model/{id}"));
        record.old = old.and_then(|model| serde_json::to_string(model).ok());
        record.new = new.and_then(|model| serde_json::to_string(model).ok());
    });
    allowed.touch(Object::Model(id));
}

fn template_told(
    allowed: &mut Allowed,
    event: Event,
    old: Option<&Template>,
    new: Option<&Template>,
) {
    let Some(template) = new.or(old) else { return };
    allowed.touch(Object::Model(template.model.clone()));
    let id = template.id.clone();
    allowed.tell(event, |record| {
        record.object = Some(format!("template/{id}"));
        record.old = old.and_then(|template| serde_json::to_string(template).ok());
        record.new = new.and_then(|template| serde_json::to_string(template).ok());
    });
}

pub(super) async fn insert_model(
    conn: &mut SqliteConnection,
    model: &Model,
    revision: Revision,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO machine_models (id, provider, name, brand, technology, revision) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(model.id.as_str())
    .bind(model.provider.as_str())
    .bind(&model.name)
    .bind(&model.brand)
    .bind(&model.technology)
    .bind(kept(revision.0))
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn insert_template(
    conn: &mut SqliteConnection,
    template: &Template,
    revision: Revision,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO tunnel_templates (id, model, name, kind, mode, targets, enabled, revision) \
         VALUES ($1, $2, $3, '', '', '[]', 0, 0)",
    )
    .bind(template.id.as_str())
    .bind(template.model.as_str())
    .bind(template.config.name.as_str())
    .execute(&mut *conn)
    .await?;
    write_template(conn, template, revision).await
}

async fn write_template(
    conn: &mut SqliteConnection,
    template: &Template,
    revision: Revision,
) -> Result<(), StoreError> {
    let TunnelConfig { name, kind, mode, targets, enabled } = &template.config;
    sqlx::query(
        "UPDATE tunnel_templates SET name = $2, kind = $3, mode = $4, targets = $5, enabled = $6, \
                revision = $7 \
         WHERE id = $1",
    )
    .bind(template.id.as_str())
    .bind(name.as_str())
    .bind(code(kind))
    .bind(code(mode))
    .bind(json("tunnel_templates", targets)?)
    .bind(i64::from(*enabled))
    .bind(kept(revision.0))
    .execute(conn)
    .await?;
    Ok(())
}

fn model_in(cells: &Cells<'_>) -> Result<ModelEntry, StoreError> {
    Ok(ModelEntry {
        model: Model {
            id: cells.id("id")?,
            provider: cells.id("provider")?,
            name: cells.text("name")?,
            brand: cells.text_or_none("brand")?,
            technology: cells.text_or_none("technology")?,
        },
        machines: cells.count("machines")?,
        revision: Revision(cells.count("revision")?),
    })
}

fn template_in(cells: &Cells<'_>) -> Result<TemplateEntry, StoreError> {
    Ok(TemplateEntry {
        template: Template {
            id: cells.id("id")?,
            model: cells.id("model")?,
            config: config_in(cells)?,
        },
        followers: cells.count("followers")?,
        revision: Revision(cells.count("revision")?),
    })
}

async fn model_of(
    conn: &mut SqliteConnection,
    model: &ModelId,
) -> Result<Option<ModelEntry>, StoreError> {
    let row = sqlx::query(
        "SELECT m.id, m.provider, m.name, m.brand, m.technology, m.revision, \
                (SELECT COUNT(*) FROM machines c WHERE c.model = m.id) AS machines \
         FROM machine_models m WHERE m.id = $1",
    )
    .bind(model.as_str())
    .fetch_optional(conn)
    .await?;
    row.map(|row| model_in(&Cells::of("machine_models", &row))).transpose()
}

pub(super) async fn templates_of(
    conn: &mut SqliteConnection,
    model: &ModelId,
) -> Result<Vec<TemplateEntry>, StoreError> {
    let rows = sqlx::query(
        "SELECT t.id, t.model, t.name, t.kind, t.mode, t.targets, t.enabled, t.revision, \
                (SELECT COUNT(*) FROM tunnels c WHERE c.template = t.id) AS followers \
         FROM tunnel_templates t WHERE t.model = $1 ORDER BY t.name",
    )
    .bind(model.as_str())
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| template_in(&Cells::of("tunnel_templates", row))).collect()
}

pub(super) async fn template_of(
    conn: &mut SqliteConnection,
    template: &TemplateId,
) -> Result<Option<TemplateEntry>, StoreError> {
    let row = sqlx::query(
        "SELECT t.id, t.model, t.name, t.kind, t.mode, t.targets, t.enabled, t.revision, \
                (SELECT COUNT(*) FROM tunnels c WHERE c.template = t.id) AS followers \
         FROM tunnel_templates t WHERE t.id = $1",
    )
    .bind(template.as_str())
    .fetch_optional(conn)
    .await?;
    row.map(|row| template_in(&Cells::of("tunnel_templates", &row))).transpose()
}
