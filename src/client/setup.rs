//! What an operator sets up: assets, and the tunnel configs that lead to them.

use serde_json::{Value, json};

use super::{
    Api, Exit, Failure, Here,
    api::{ApiError, AssetRow, ConfigRow, Query, typed},
    cli::{AddAsset, AddTunnel, TunnelCommand},
    show::{OneLine, Table},
};
use crate::ids::{AssetId, Name};

impl Here {
    pub(super) async fn add_asset(&self, add: AddAsset) -> Result<(), Failure> {
        let AddAsset { id, name, serial, facility } = add;
        let serial = serial.unwrap_or_else(|| id.as_str().to_owned());
        let body = json!({"id": id, "name": name, "serial": serial, "facility": facility});
        let item: Value = self.api()?.post("/assets", &body).await?;
        self.terminal.value(&item);
        let asset: AssetRow = typed(item)?;
        let id = OneLine(asset.id);
        self.terminal.data(&id);
        self.terminal.note(format_args!("next: `caseway device add NAME --asset {id}`"));
        Ok(())
    }

    pub(super) async fn tunnel_config(&self, command: TunnelCommand) -> Result<(), Failure> {
        match command {
            TunnelCommand::List { asset } => self.list_tunnels(&asset).await,
            TunnelCommand::Add(add) => self.add_tunnel(add).await,
            TunnelCommand::Remove { asset, name } => self.remove_tunnel(&asset, &name).await,
        }
    }

    async fn list_tunnels(&self, asset: &AssetId) -> Result<(), Failure> {
        let mut table = Table::new(["TUNNEL", "KIND", "MODE", "TARGETS"], "no tunnels");
        for item in configs(&self.api()?, asset).await? {
            self.terminal.value(&item);
            let ConfigRow { id: _, name, kind, mode, targets } = typed(item)?;
            let targets: Vec<String> = targets.iter().map(ToString::to_string).collect();
            table.row([name, kind, mode, targets.join(" ")]);
        }
        self.terminal.data(table);
        Ok(())
    }

    async fn add_tunnel(&self, add: AddTunnel) -> Result<(), Failure> {
        let AddTunnel { asset, name, kind, mode, targets } = add;
        if targets.len() > 1 && targets.iter().any(|target| target.name.is_none()) {
            return Err(Failure::new(Exit::Usage, "each of several targets needs a name")
                .hint("write NAME=tcp://HOST:PORT"));
        }
        let targets: Vec<Value> = targets.iter().map(|target| target.body(&name)).collect();
        let mut body = json!({"name": name, "kind": kind, "targets": targets});
        if let (Some(mode), Some(fields)) = (mode, body.as_object_mut()) {
            fields.insert("mode".to_owned(), json!(mode));
        }
        let item: Value = self.api()?.post(&format!("/assets/{asset}/tunnels"), &body).await?;
        self.terminal.value(&item);
        self.terminal.data(&name);
        self.terminal.note(format_args!("from a case of {asset}: `caseway open CASE {name}`"));
        Ok(())
    }

    async fn remove_tunnel(&self, asset: &AssetId, name: &Name) -> Result<(), Failure> {
        let api = self.api()?;
        let configs = configs(&api, asset).await?;
        let configs: Vec<ConfigRow> = configs.into_iter().map(typed).collect::<Result<_, _>>()?;
        let found = configs.iter().find(|config| config.name == name.as_str());
        let found = found.ok_or_else(|| {
            Failure::new(Exit::Refused, format!("{asset} has no tunnel {name}"))
                .code("not_found")
                .hint(format!("list them: `caseway tunnel list {asset}`"))
        })?;
        api.delete(&format!("/assets/{asset}/tunnels/{}", super::api::escaped(&found.id))).await?;
        self.terminal.value(&json!({"asset": asset, "tunnel": name, "removed": true}));
        self.terminal.data(format_args!("{name}: removed from {asset}"));
        Ok(())
    }
}

async fn configs(api: &Api, asset: &AssetId) -> Result<Vec<Value>, ApiError> {
    api.list(&format!("/assets/{asset}/tunnels"), &Query::default()).await
}
