//! What an operator sets up: assets, facilities, and the tunnel configs that lead to assets.

use serde_json::{Map, Value, json};

use super::{
    Exit, Failure, Here,
    api::{AssetRow, ChangeRow, DecommissionRow, FacilityRow, Query, typed},
    cli::{AddAsset, AssetCommand, EditAsset, FacilityCommand, OnOff},
    show::{OneLine, Table},
};
use crate::ids::AssetId;

impl Here {
    pub(super) async fn asset(&self, command: AssetCommand) -> Result<(), Failure> {
        match command {
            AssetCommand::List => self.assets().await,
            AssetCommand::Show { asset } => self.show_asset(&asset).await,
            AssetCommand::Add(add) => self.add_asset(add).await,
            AssetCommand::Edit { asset, edit } => self.edit_asset(&asset, edit).await,
            AssetCommand::Deactivate { asset } => self.set_service(&asset, false).await,
            AssetCommand::Activate { asset } => self.set_service(&asset, true).await,
            AssetCommand::Pair { asset, device } => self.pair(&asset, Some(&device)).await,
            AssetCommand::Decommission { asset } => self.decommission(&asset).await,
            AssetCommand::Changes { asset } => self.changes(&asset).await,
            AssetCommand::Switch { asset, change } => {
                self.switch(&format!("/assets/{asset}"), asset.as_str(), change).await
            }
        }
    }

    async fn add_asset(&self, add: AddAsset) -> Result<(), Failure> {
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

    async fn show_asset(&self, asset: &AssetId) -> Result<(), Failure> {
        let item: Value = self.api()?.get(&format!("/assets/{asset}")).await?;
        self.terminal.value(&item);
        let asset: AssetRow = typed(item)?;
        let switch = asset.switch.map(|switch| if switch.on { "on" } else { "off" });
        let confirms = asset.confirm_targets.unwrap_or_default();
        let device = asset.device.map(|device| device.id().to_owned());
        let rows = [
            ("asset", Some(asset.id)),
            ("name", Some(asset.name)),
            ("serial", Some(asset.serial)),
            ("status", asset.status),
            ("facility", asset.facility),
            ("device", device),
            ("remote access", switch.map(str::to_owned)),
            ("confirms targets", Some(if confirms { "yes" } else { "no" }.to_owned())),
        ];
        let mut table = Table::new(["", ""], "");
        for (what, value) in rows {
            table.row([what.to_owned(), value.unwrap_or_default()]);
        }
        self.terminal.data(table);
        Ok(())
    }

    async fn edit_asset(&self, asset: &AssetId, edit: EditAsset) -> Result<(), Failure> {
        let item: Value = self.api()?.patch(&format!("/assets/{asset}"), &edited(edit)).await?;
        self.terminal.value(&item);
        self.terminal.data(format_args!("{asset}: changed"));
        Ok(())
    }

    async fn set_service(&self, asset: &AssetId, active: bool) -> Result<(), Failure> {
        let path = format!("/assets/{asset}/active");
        let item: Value = self.api()?.put(&path, &json!({"active": active})).await?;
        self.terminal.value(&item);
        let said = if active { "in service" } else { "out of service" };
        self.terminal.data(format_args!("{asset}: {said}"));
        Ok(())
    }

    async fn decommission(&self, asset: &AssetId) -> Result<(), Failure> {
        let path = format!("/assets/{asset}/decommission");
        let item: Value = self.api()?.post(&path, &json!({})).await?;
        self.terminal.value(&item);
        let so_far: DecommissionRow = typed(item)?;
        let device = OneLine(&so_far.device);
        if so_far.state == "resetting" {
            let what = format!("{device}: {} sessions are still ending", so_far.sessions);
            return Err(Failure::new(Exit::TimedOut, what).hint(format!(
                "nobody new gets in; go on with `caseway asset decommission {asset}`"
            )));
        }
        self.terminal.data(format_args!("{device}: {asset} has no edge device any more"));
        if !so_far.multi && !so_far.reset_sent {
            self.terminal.note(format_args!(
                "its key is void; at the device, remove the agent's directory before it is used again"
            ));
        }
        Ok(())
    }

    async fn changes(&self, asset: &AssetId) -> Result<(), Failure> {
        let items =
            self.api()?.records(&format!("/assets/{asset}/changes"), &Query::default()).await?;
        let clock = self.clock();
        let heading = ["TIME", "WHAT", "BY", "COMPANY", "OBJECT", "BEFORE", "AFTER"];
        let mut table = Table::new(heading, "no changes");
        for item in items {
            self.terminal.value(&item);
            let ChangeRow { at, event, by, tenant, object, old, new } = typed(item)?;
            let cell = Option::unwrap_or_default;
            table.row([
                clock.short(at),
                event,
                by,
                cell(tenant),
                cell(object),
                cell(old),
                cell(new),
            ]);
        }
        self.terminal.data(table);
        Ok(())
    }

    pub(super) async fn facility(&self, command: FacilityCommand) -> Result<(), Failure> {
        let api = self.api()?;
        match command {
            FacilityCommand::List => return self.facilities().await,
            FacilityCommand::Add { id, name } => {
                let name = name.unwrap_or_else(|| id.to_string());
                let body = json!({"id": id, "name": name});
                self.terminal.value(&api.post::<Value>("/facilities", &body).await?);
                self.terminal.data(&id);
            }
            FacilityCommand::Rename { id, name } => {
                let path = format!("/facilities/{id}");
                self.terminal.value(&api.patch::<Value>(&path, &json!({"name": name})).await?);
                self.terminal.data(OneLine(format_args!("{id}: now called {name}")));
            }
            FacilityCommand::Remove { id } => {
                api.delete(&format!("/facilities/{id}")).await?;
                self.terminal.value(&json!({"facility": id, "removed": true}));
                self.terminal.data(format_args!("{id}: removed"));
            }
        }
        Ok(())
    }

    async fn facilities(&self) -> Result<(), Failure> {
        let items = self.api()?.list("/facilities", &Query::default()).await?;
        let mut table = Table::new(["FACILITY", "NAME", "ASSETS"], "no facilities");
        for item in items {
            self.terminal.value(&item);
            let FacilityRow { id, name, assets } = typed(item)?;
            table.row([id, name, assets.to_string()]);
        }
        self.terminal.data(table);
        Ok(())
    }
}

/// What the API takes: only the fields that are to change.
fn edited(edit: EditAsset) -> Value {
    let EditAsset { name, serial, facility, no_facility, confirm_targets } = edit;
    let mut fields = Map::new();
    let mut put = |field: &str, value: Option<Value>| {
        fields.extend(value.map(|value| (field.to_owned(), value)));
    };
    put("name", name.map(|name| json!(name)));
    put("serial", serial.map(|serial| json!(serial)));
    put("facility", facility.map(|facility| json!(facility)));
    put("facility", no_facility.then_some(Value::Null));
    put("confirm_targets", confirm_targets.map(|on| json!(on == OnOff::On)));
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::client::cli::{Cli, Command};

    fn body(args: &str) -> String {
        let line = format!("caseway asset edit press-7 {args}");
        let command = Cli::try_parse_from(line.split(' ')).unwrap().command;
        let Command::Asset(AssetCommand::Edit { edit, .. }) = command else {
            panic!("{command:?}")
        };
        edited(edit).to_string()
    }

    #[test]
    fn an_edit_sends_what_was_typed_and_nothing_else() {
        assert_eq!(body("--serial 47"), r#"{"serial":"47"}"#);
        assert_eq!(body("--facility hall-1"), r#"{"facility":"hall-1"}"#);
        assert_eq!(body("--no-facility"), r#"{"facility":null}"#);
        assert_eq!(body("--confirm-targets off"), r#"{"confirm_targets":false}"#);
    }
}
