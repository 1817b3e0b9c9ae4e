//! Tunnel configs of assets, and machine models with the templates that such configs follow.

use serde_json::{Value, json};

use super::{
    Api, Exit, Failure, Here,
    api::{ConfigRow, ModelRow, Query, escaped, typed},
    cli::{EditConfig, ModelCommand, ModelWords, NewConfig, OnOff, TemplateCommand, TunnelCommand},
    grammar::NewTarget,
    show::{OneLine, Table},
};
use crate::ids::{AssetId, MachineId, ModelId, Name};

impl Here {
    pub(super) async fn tunnel_config(&self, command: TunnelCommand) -> Result<(), Failure> {
        match command {
            TunnelCommand::List { asset } => self.list_tunnels(&asset).await,
            TunnelCommand::Add { asset, config } => {
                let name = config.name.clone();
                self.add_config(&of_asset(&asset), config).await?;
                let next = format!("from a case of {asset}: `caseway open CASE {name}`");
                self.terminal.note(next);
                Ok(())
            }
            TunnelCommand::Edit { asset, name, edit } => {
                self.edit_config(&of_asset(&asset), &name, &edit).await
            }
            TunnelCommand::Remove { asset, name } => {
                self.remove_config(&of_asset(&asset), &name).await
            }
            TunnelCommand::Confirm { asset, name } => self.confirm(&asset, &name).await,
        }
    }

    pub(super) async fn template(&self, command: TemplateCommand) -> Result<(), Failure> {
        match command {
            TemplateCommand::List { model } => self.list_templates(&model).await,
            TemplateCommand::Add { model, config } => {
                self.add_config(&of_model(&model), config).await
            }
            TemplateCommand::Edit { model, name, edit } => {
                self.edit_config(&of_model(&model), &name, &edit).await
            }
            TemplateCommand::Remove { model, name } => {
                self.remove_config(&of_model(&model), &name).await
            }
        }
    }

    async fn list_tunnels(&self, asset: &AssetId) -> Result<(), Failure> {
        let heading = ["TUNNEL", "KIND", "MODE", "TARGETS", "ENABLED", "TEMPLATE", "CONFIRMED"];
        let mut table = Table::new(heading, "no tunnels");
        for item in self.api()?.list(&of_asset(asset), &Query::default()).await? {
            self.terminal.value(&item);
            let config: ConfigRow = typed(item)?;
            let follows = follows(&config);
            let ConfigRow { name, kind, mode, enabled, confirmed, .. } = &config;
            let (name, kind, mode) = (name.clone(), kind.clone(), mode.clone());
            table.row([
                name,
                kind,
                mode,
                targets(&config),
                cell(*enabled),
                follows,
                cell(*confirmed),
            ]);
        }
        self.terminal.data(table);
        Ok(())
    }

    async fn list_templates(&self, model: &ModelId) -> Result<(), Failure> {
        let heading = ["TEMPLATE", "KIND", "MODE", "TARGETS", "ENABLED", "FOLLOWERS"];
        let mut table = Table::new(heading, "no templates");
        for item in self.api()?.list(&of_model(model), &Query::default()).await? {
            self.terminal.value(&item);
            let config: ConfigRow = typed(item)?;
            let ConfigRow { name, kind, mode, enabled, followers, .. } = &config;
            let (name, kind, mode) = (name.clone(), kind.clone(), mode.clone());
            let followers = followers.unwrap_or_default().to_string();
            table.row([name, kind, mode, targets(&config), cell(*enabled), followers]);
        }
        self.terminal.data(table);
        Ok(())
    }

    async fn add_config(&self, path: &str, config: NewConfig) -> Result<(), Failure> {
        let NewConfig { name, kind, mode, targets } = config;
        let targets = bodies(&targets, &name)?;
        let mut body = json!({"name": name, "kind": kind, "targets": targets});
        if let (Some(mode), Some(fields)) = (mode, body.as_object_mut()) {
            fields.insert("mode".to_owned(), json!(mode));
        }
        let item: Value = self.api()?.post(path, &body).await?;
        self.terminal.value(&item);
        self.terminal.data(&name);
        Ok(())
    }

    /// Reads the config, writes it with what is to be different, unless somebody else wrote it in
    /// between.
    async fn edit_config(&self, path: &str, name: &Name, edit: &EditConfig) -> Result<(), Failure> {
        let api = self.api()?;
        let (item, row) = found(&api, path, name).await?;
        let body = edited(&item, name, edit)?;
        let item: Value =
            api.replace(&format!("{path}/{}", escaped(&row.id)), row.revision, &body).await?;
        self.terminal.value(&item);
        self.terminal.data(format_args!("{name}: changed"));
        Ok(())
    }

    async fn remove_config(&self, path: &str, name: &Name) -> Result<(), Failure> {
        let api = self.api()?;
        let (_, row) = found(&api, path, name).await?;
        api.delete(&format!("{path}/{}", escaped(&row.id))).await?;
        self.terminal.value(&json!({"name": name, "removed": true}));
        self.terminal.data(format_args!("{name}: removed"));
        Ok(())
    }

    async fn confirm(&self, asset: &AssetId, name: &Name) -> Result<(), Failure> {
        let api = self.api()?;
        let path = of_asset(asset);
        let (_, row) = found(&api, &path, name).await?;
        let path = format!("{path}/{}/confirm", escaped(&row.id));
        let item: Value = api.post(&path, &json!({"revision": row.revision})).await?;
        self.terminal.value(&item);
        self.terminal.data(OneLine(format!("{name}: may lead to {}", targets(&row))));
        Ok(())
    }

    pub(super) async fn model(&self, command: ModelCommand) -> Result<(), Failure> {
        match command {
            ModelCommand::List => self.models().await,
            ModelCommand::Add { id, text } => self.add_model(&id, text).await,
            ModelCommand::Edit { id, text } => self.edit_model(&id, text).await,
            ModelCommand::Remove { id } => {
                self.api()?.delete(&format!("/machine-models/{id}")).await?;
                self.terminal.value(&json!({"model": id, "removed": true}));
                self.terminal.data(format_args!("{id}: removed"));
                Ok(())
            }
            ModelCommand::Assign { machine, model } => self.set_model(&machine, model).await,
        }
    }

    pub(super) async fn set_model(
        &self,
        machine: &MachineId,
        model: Option<ModelId>,
    ) -> Result<(), Failure> {
        let path = format!("/machines/{machine}/model");
        let _: Value = self.api()?.put(&path, &json!({"model": model})).await?;
        self.terminal.value(&json!({"machine": machine, "model": model}));
        let said = model.map_or_else(|| "of no model".to_owned(), |id| format!("a {id}"));
        self.terminal.data(format_args!("{machine}: now {said}"));
        Ok(())
    }

    async fn models(&self) -> Result<(), Failure> {
        let items = self.api()?.list("/machine-models", &Query::default()).await?;
        let heading = ["MODEL", "NAME", "BRAND", "TECHNOLOGY", "MACHINES"];
        let mut table = Table::new(heading, "no machine models");
        for item in items {
            self.terminal.value(&item);
            let ModelRow { id, name, brand, technology, machines, revision: _ } = typed(item)?;
            let (brand, technology) = (brand.unwrap_or_default(), technology.unwrap_or_default());
            table.row([id, name, brand, technology, machines.to_string()]);
        }
        self.terminal.data(table);
        Ok(())
    }

    async fn add_model(&self, id: &ModelId, text: ModelWords) -> Result<(), Failure> {
        let ModelWords { name, brand, technology } = text;
        let name = name.unwrap_or_else(|| id.to_string());
        let body = json!({"id": id, "name": name, "brand": brand, "technology": technology});
        let item: Value = self.api()?.post("/machine-models", &body).await?;
        self.terminal.value(&item);
        self.terminal.data(id);
        self.terminal.note(format_args!("next: `caseway template add {id} NAME --kind ssc ...`"));
        Ok(())
    }

    async fn edit_model(&self, id: &ModelId, text: ModelWords) -> Result<(), Failure> {
        let api = self.api()?;
        let items = api.list("/machine-models", &Query::default()).await?;
        let rows: Vec<ModelRow> = items.into_iter().map(typed).collect::<Result<_, _>>()?;
        let row = rows.into_iter().find(|row| row.id == id.as_str()).ok_or_else(|| {
            Failure::new(Exit::Refused, format!("there is no machine model {id}"))
                .code("not_found")
                .hint("list them: `caseway model list`")
        })?;
        let body = json!({
            "name": text.name.unwrap_or(row.name),
            "brand": text.brand.or(row.brand),
            "technology": text.technology.or(row.technology),
        });
        let path = format!("/machine-models/{id}");
        let item: Value = api.replace(&path, row.revision, &body).await?;
        self.terminal.value(&item);
        self.terminal.data(format_args!("{id}: changed"));
        Ok(())
    }
}

fn of_asset(asset: &AssetId) -> String {
    format!("/assets/{asset}/tunnels")
}

fn of_model(model: &ModelId) -> String {
    format!("/machine-models/{model}/tunnel-templates")
}

/// The config of this name in the list at `path`.
async fn found(api: &Api, path: &str, name: &Name) -> Result<(Value, ConfigRow), Failure> {
    let items = api.list(path, &Query::default()).await?;
    let item = items
        .into_iter()
        .find(|item| item.get("name").and_then(Value::as_str) == Some(name.as_str()));
    let item = item.ok_or_else(|| {
        Failure::new(Exit::Refused, format!("there is nothing named {name} there"))
            .code("not_found")
            .hint("list them: `caseway tunnel list ASSET`, `caseway template list MODEL`")
    })?;
    Ok((item.clone(), typed(item)?))
}

/// What the API takes for the config that `item` shows, with what is to be different.
fn edited(item: &Value, name: &Name, edit: &EditConfig) -> Result<Value, Failure> {
    let EditConfig { rename, kind, mode, targets, enabled } = edit;
    let kept = |field: &str| item.get(field).cloned().unwrap_or_default();
    let targets = match targets.as_slice() {
        [] => kept("targets"),
        given => json!(bodies(given, name)?),
    };
    Ok(json!({
        "name": rename.as_ref().unwrap_or(name),
        "kind": kind.map_or_else(|| kept("kind"), |kind| json!(kind)),
        "mode": mode.map_or_else(|| kept("mode"), |mode| json!(mode)),
        "enabled": enabled.map_or_else(|| kept("enabled"), |on| json!(on == OnOff::On)),
        "targets": targets,
    }))
}

fn bodies(targets: &[NewTarget], name: &Name) -> Result<Vec<Value>, Failure> {
    if targets.len() > 1 && targets.iter().any(|target| target.name.is_none()) {
        return Err(Failure::new(Exit::Usage, "each of several targets needs a name")
            .hint("write NAME=tcp://HOST:PORT"));
    }
    Ok(targets.iter().map(|target| target.body(name)).collect())
}

fn targets(config: &ConfigRow) -> String {
    config.targets.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// The template, and what is not inherited from it.
fn follows(config: &ConfigRow) -> String {
    match (&config.template, config.overridden.as_slice()) {
        (None, _) => String::new(),
        (Some(_), []) => "inherited".to_owned(),
        (Some(_), fields) => format!("but {}", fields.join(" ")),
    }
}

fn cell(told: Option<bool>) -> String {
    told.map(|yes| if yes { "yes" } else { "no" }.to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::client::cli::{Cli, Command};

    #[test]
    fn an_edit_keeps_what_was_not_typed() {
        let item = json!({
            "id": "t-1", "name": "hmi", "kind": "ssc", "mode": "any", "enabled": true,
            "targets": [{"name": "hmi", "proto": "tcp", "host": "10.0.0.2", "port": 80}],
            "template": null, "overridden": [], "confirmed": true, "revision": 7,
        });
        let body = |args: &str| {
            let line = format!("caseway tunnel edit press-7 hmi {args}");
            let command = Cli::try_parse_from(line.split(' ')).unwrap().command;
            let Command::Tunnel(TunnelCommand::Edit { name, edit, .. }) = command else {
                panic!("{command:?}")
            };
            edited(&item, &name, &edit).unwrap()
        };
        let off = body("--enabled off");
        assert_eq!(off["enabled"], false);
        assert_eq!(off["targets"], item["targets"]);
        assert_eq!(off.as_object().unwrap().len(), 5, "no field that the API does not take");
        let moved = body("--rename web --target tcp://10.0.0.3:81");
        assert_eq!(
            (moved["name"].as_str(), moved["targets"][0]["port"].as_u64()),
            (Some("web"), Some(81))
        );
    }

    #[test]
    fn a_config_says_what_it_does_not_inherit() {
        let config = |json: Value| follows(&typed(json).unwrap());
        let row = json!({"id": "t", "name": "a", "kind": "ssc", "mode": "any"});
        assert_eq!(config(row.clone()), "");
        let mut inherits = row;
        inherits["template"] = json!("p-700-cam");
        assert_eq!(config(inherits.clone()), "inherited");
        inherits["overridden"] = json!(["name", "mode"]);
        assert_eq!(config(inherits), "but name mode");
    }
}
