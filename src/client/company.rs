//! The own company: its name and settings, and the roles that it made for itself.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Failure, Here,
    api::{ApiError, Query, RoleRow, typed},
    cli::{ChangeRole, CompanyCommand, CompanySettings, EditRole, OnOff, RoleCommand, code},
    people::OwnRoles,
    show::{OneLine, Table},
};
use crate::{ids::RoleId, tenancy::Permission};

#[derive(Debug, Deserialize)]
struct CompanyRow {
    id: String,
    name: String,
    roles: Vec<String>,
    offered: Vec<String>,
}

impl Here {
    pub(super) async fn company(&self, command: CompanyCommand) -> Result<(), Failure> {
        match command {
            CompanyCommand::Show => self.show_company().await,
            CompanyCommand::Rename { name } => {
                let item: Value = self.api()?.patch("/tenant", &json!({"name": name})).await?;
                self.terminal.value(&item);
                let CompanyRow { id, name, .. } = typed(item)?;
                self.terminal.data(OneLine(format!("{id}: now {name}")));
                Ok(())
            }
            CompanyCommand::Set(settings) => self.set_company(&settings).await,
        }
    }

    async fn show_company(&self) -> Result<(), Failure> {
        let api = self.api()?;
        let mut item: Value = api.get("/tenant").await?;
        let settings: Value = api.get("/tenant/settings").await?;
        let company: CompanyRow = typed(item.clone())?;
        if let Some(fields) = item.as_object_mut() {
            fields.insert("settings".to_owned(), settings.clone());
        }
        self.terminal.value(&item);
        let mut table = Table::new(["FIELD", "VALUE"], "nothing");
        let rows = [
            ("company", company.name),
            ("id", company.id),
            ("tenant roles", company.roles.join(" ")),
        ];
        for (what, value) in rows.into_iter().chain(settings_cells(&settings)) {
            table.row([what.to_owned(), value]);
        }
        self.terminal.data(table);
        Ok(())
    }

    /// Reads the settings and writes them with what is to be different.
    async fn set_company(&self, change: &CompanySettings) -> Result<(), Failure> {
        let api = self.api()?;
        let old: Map<String, Value> = api.get("/tenant/settings").await?;
        let item: Value = api.put("/tenant/settings", &changed(old, change)).await?;
        self.terminal.value(&item);
        let mut table = Table::new(["FIELD", "VALUE"], "nothing");
        for (what, value) in settings_cells(&item) {
            table.row([what.to_owned(), value]);
        }
        self.terminal.data(table);
        Ok(())
    }

    pub(super) async fn role(&self, command: RoleCommand) -> Result<(), Failure> {
        match command {
            RoleCommand::List => self.roles().await,
            RoleCommand::Permissions => self.permissions().await,
            RoleCommand::Add { name, id, give } => self.add_role(&name, id.as_ref(), &give).await,
            RoleCommand::Change(ChangeRole { role, edit }) => self.change_role(&role, edit).await,
            RoleCommand::Remove { role } => {
                let api = self.api()?;
                let own = OwnRoles::of(&api).await?;
                let RoleRow { id, name, .. } = own.owned(&role)?;
                api.delete(&format!("/roles/{id}")).await?;
                self.terminal.value(&json!({"id": id, "removed": true}));
                self.terminal.data(OneLine(format!("{name}: removed")));
                Ok(())
            }
        }
    }

    async fn roles(&self) -> Result<(), Failure> {
        let items = self.api()?.list("/roles", &Query::default()).await?;
        let mut table = Table::new(["ROLE", "ID", "INERT", "GIVES"], "no roles of its own");
        for item in items {
            self.terminal.value(&item);
            let RoleRow { id, name, permissions, inert } = typed(item)?;
            table.row([name, id, inert.join(" "), permissions.join(" ")]);
        }
        self.terminal.data(table);
        Ok(())
    }

    async fn permissions(&self) -> Result<(), Failure> {
        let company: CompanyRow = self.api()?.get("/tenant").await?;
        let mut table = Table::new(["PERMISSION", "LETS PEOPLE"], "no permissions");
        for code in company.offered {
            // A newer gateway may know more of them.
            let what = Permission::from_code(&code).map(Permission::what).unwrap_or_default();
            self.terminal.value(&json!({"permission": code, "what": what}));
            table.row([code, what.to_owned()]);
        }
        self.terminal.data(table);
        Ok(())
    }

    async fn add_role(
        &self,
        name: &str,
        id: Option<&RoleId>,
        give: &[Permission],
    ) -> Result<(), Failure> {
        let body = json!({"id": id, "name": name, "permissions": give});
        let item: Value = self.api()?.post("/roles", &body).await.map_err(ungiven)?;
        self.terminal.value(&item);
        let role: RoleRow = typed(item)?;
        self.terminal.data(OneLine(role.id));
        let next = format!("next: `caseway user role add EMAIL \"{}\"`", role.name);
        self.terminal.note(OneLine(next));
        Ok(())
    }

    async fn change_role(&self, called: &str, edit: EditRole) -> Result<(), Failure> {
        let api = self.api()?;
        let own = OwnRoles::of(&api).await?;
        let role = own.owned(called)?;
        let EditRole { name, give, take } = edit;
        let name = name.as_ref().unwrap_or(&role.name);
        let body = json!({"name": name, "permissions": given(&role.permissions, &give, &take)});
        let path = format!("/roles/{}", role.id);
        let item: Value = api.put(&path, &body).await.map_err(ungiven)?;
        self.terminal.value(&item);
        let RoleRow { name, permissions, .. } = typed(item)?;
        self.terminal.data(OneLine(format!("{name}: gives {}", permissions.join(" "))));
        Ok(())
    }
}

/// What a role cannot give is not among what is listed.
fn ungiven(error: ApiError) -> Failure {
    let failure = Failure::from(error);
    match failure.code.as_deref() {
        Some("invalid") if failure.what.starts_with("permissions") => {
            failure.hint("see what your company's roles may give: `caseway role permissions`")
        }
        Some(_) | None => failure,
    }
}

/// The settings with what the command line changes of them; what this version does not know stays.
fn changed(mut settings: Map<String, Value>, change: &CompanySettings) -> Map<String, Value> {
    let CompanySettings { internal_service_switches, case_reader } = change;
    if let Some(to) = internal_service_switches {
        settings.insert("internal_service_switches".to_owned(), json!(*to == OnOff::On));
    }
    if let Some(reader) = case_reader {
        settings.insert("case_reader".to_owned(), json!(code(reader)));
    }
    settings
}

fn settings_cells(settings: &Value) -> [(&'static str, String); 2] {
    let on = match settings.get("internal_service_switches").and_then(Value::as_bool) {
        Some(true) => "on",
        Some(false) => "off",
        None => "",
    };
    let reader = settings.get("case_reader").and_then(Value::as_str).unwrap_or_default();
    [("internal service switches", on.to_owned()), ("case reader", reader.to_owned())]
}

/// The permissions of before, with those that are given and without those that are taken.
fn given(old: &[String], give: &[Permission], take: &[Permission]) -> Vec<String> {
    let taken = |code: &str| take.iter().any(|one| one.code() == code);
    let kept = old.iter().filter(|one| !taken(one)).cloned();
    let new = give.iter().map(|one| one.code()).filter(|one| !old.iter().any(|old| old == one));
    kept.chain(new.map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_keeps_what_was_neither_given_nor_taken() {
        let old = ["chat", "read_asset", "of_a_newer_gateway"].map(str::to_owned);
        let (give, take) = ([Permission::Chat, Permission::UseAsset], [Permission::ReadAsset]);
        assert_eq!(given(&old, &give, &take), ["chat", "of_a_newer_gateway", "use_asset"]);
    }

    #[test]
    fn a_setting_that_was_not_typed_stays() {
        let old = json!({"internal_service_switches": true, "case_reader": "nobody", "newer": 1});
        let Value::Object(old) = old else { panic!("{old}") };
        let change =
            CompanySettings { internal_service_switches: Some(OnOff::Off), case_reader: None };
        assert_eq!(
            Value::Object(changed(old, &change)),
            json!({"internal_service_switches": false, "case_reader": "nobody", "newer": 1})
        );
    }
}
