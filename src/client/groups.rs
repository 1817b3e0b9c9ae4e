//! Groups, who takes part in a case, and the time spent on it.

use std::fs;

use serde_json::{Map, Value, json};

use super::{
    Api, Exit, Failure, Here,
    api::Query,
    cli::{
        CopyCommand, EffortCommand, GroupCommand, GroupSettings, OnOff, ParticipantCommand, YesNo,
        code,
    },
    show::{OneLine, Table},
};

impl Here {
    pub(super) async fn group(&self, command: GroupCommand) -> Result<(), Failure> {
        let api = self.api()?;
        match command {
            GroupCommand::List => {
                let columns = [("GROUP", "/name"), ("UNDER", "/parent"), ("ID", "/id")];
                self.rows(&api, "/groups", &columns, "no groups").await
            }
            GroupCommand::Show { group } => {
                let id = resolve(&api, "/groups", &group).await?;
                self.page(&api, &format!("/groups/{id}")).await
            }
            GroupCommand::Add { name, under, settings } => {
                self.add_group(&api, &name, under.as_deref(), &settings).await
            }
            GroupCommand::Set { group, name, settings } => {
                self.set_group(&api, &group, name, &settings).await
            }
            GroupCommand::Remove { group } => {
                let id = resolve(&api, "/groups", &group).await?;
                self.gone(&api, &format!("/groups/{id}"), format!("{group}: removed")).await
            }
            GroupCommand::Join { group, person, access } => {
                let id = resolve(&api, "/groups", &group).await?;
                let (path, access) = (format!("/groups/{id}/members/{person}"), code(&access));
                let said = format!("{person}: in {group}, {access}");
                self.put(&api, &path, &json!({"access": access}), said).await
            }
            GroupCommand::Leave { group, person } => {
                let id = resolve(&api, "/groups", &group).await?;
                let path = format!("/groups/{id}/members/{person}");
                self.gone(&api, &path, format!("{person}: no member of {group} itself")).await
            }
            GroupCommand::Duties => {
                let columns = [("PERSON", "/person/name"), ("DUTIES", "/duties")];
                self.rows(&api, "/group-duties", &columns, "nobody has duties").await
            }
            GroupCommand::Duty { person, duties } => {
                let duties: Vec<String> = duties.iter().map(code).collect();
                let said = if duties.is_empty() { "none".to_owned() } else { duties.join(", ") };
                let path = format!("/group-duties/{person}");
                let said = format!("{person}: {said}");
                self.put(&api, &path, &json!({"duties": duties}), said).await
            }
            GroupCommand::Of { case } => self.place(&api, case.as_str(), None).await,
            GroupCommand::Put { case, group } => {
                let id = resolve(&api, "/groups", &group).await?;
                self.place(&api, case.as_str(), Some(json!({"group": id}))).await
            }
            GroupCommand::Take { case } => {
                self.place(&api, case.as_str(), Some(json!({"group": null}))).await
            }
        }
    }

    async fn add_group(
        &self,
        api: &Api,
        name: &str,
        under: Option<&str>,
        settings: &GroupSettings,
    ) -> Result<(), Failure> {
        let parent = match under {
            Some(under) => Some(resolve(api, "/groups", under).await?),
            None => None,
        };
        let settings = changed(api, json!({}), settings).await?;
        let body = json!({"name": name, "parent": parent, "settings": settings});
        self.made(api, "/groups", &body).await
    }

    async fn set_group(
        &self,
        api: &Api,
        group: &str,
        name: Option<String>,
        settings: &GroupSettings,
    ) -> Result<(), Failure> {
        let path = format!("/groups/{}", resolve(api, "/groups", group).await?);
        let now: Value = api.get(&path).await?;
        let old = now.get("settings").cloned().unwrap_or_default();
        let mut body = json!({"settings": changed(api, old, settings).await?});
        if let (Some(name), Some(fields)) = (name, body.as_object_mut()) {
            fields.insert("name".to_owned(), json!(name));
        }
        let item: Value = api.patch(&path, &body).await?;
        self.said(&item, format!("{group}: changed"));
        Ok(())
    }

    /// Shows where a case is, after it was put there if `to` says so.
    async fn place(&self, api: &Api, case: &str, to: Option<Value>) -> Result<(), Failure> {
        let path = format!("/cases/{case}/group");
        let item: Value = match to {
            Some(to) => api.put(&path, &to).await?,
            None => api.get(&path).await?,
        };
        let group = cell(&item, "/group/name");
        let mut said = match group.as_str() {
            "" => format!("{case}: in no group"),
            group => format!("{case}: in {group}"),
        };
        for (at, unless) in [
            ("/escalates_at", "taken up"),
            ("/request_escalates_at", "its request for remote access is answered"),
        ] {
            let at = cell(&item, at);
            if !at.is_empty() {
                said.push_str(&format!("; moves on at {at} unless {unless}"));
            }
        }
        self.said(&item, said);
        Ok(())
    }

    pub(super) async fn participant(&self, command: ParticipantCommand) -> Result<(), Failure> {
        let api = self.api()?;
        match command {
            ParticipantCommand::List { case } => {
                let columns =
                    [("PERSON", "/person/name"), ("ROLE", "/role/name"), ("ID", "/person/id")];
                let path = format!("/cases/{case}/participants");
                self.rows(&api, &path, &columns, "nobody beside those with roles").await
            }
            ParticipantCommand::Add { case, person, role } => {
                let path = format!("/cases/{case}/participants/{person}");
                let said = format!("{person}: takes part in {case} as {role}");
                self.put(&api, &path, &json!({"role": role}), said).await
            }
            ParticipantCommand::Remove { case, person } => {
                let path = format!("/cases/{case}/participants/{person}");
                self.gone(&api, &path, format!("{person}: no part in {case}")).await
            }
        }
    }

    pub(super) async fn copy_list(&self, command: CopyCommand) -> Result<(), Failure> {
        let api = self.api()?;
        match command {
            CopyCommand::List { case } => {
                let columns = [("PERSON", "/person/name"), ("ID", "/person/id")];
                self.rows(&api, &format!("/cases/{case}/copies"), &columns, "nobody").await
            }
            CopyCommand::Add { case, person } => {
                let path = format!("/cases/{case}/copies/{person}");
                self.put(&api, &path, &json!({}), format!("{person}: gets a copy of {case}")).await
            }
            CopyCommand::Remove { case, person } => {
                let path = format!("/cases/{case}/copies/{person}");
                self.gone(&api, &path, format!("{person}: gets no copy of {case}")).await
            }
        }
    }

    pub(super) async fn effort(&self, command: EffortCommand) -> Result<(), Failure> {
        let api = self.api()?;
        match command {
            EffortCommand::List { case } => {
                let columns = [
                    ("PERSON", "/person/name"),
                    ("FROM", "/from"),
                    ("SECONDS", "/seconds"),
                    ("LOGGED", "/logged"),
                    ("SESSION", "/session"),
                ];
                self.rows(&api, &format!("/cases/{case}/efforts"), &columns, "no time logged").await
            }
            EffortCommand::Answer { case, session, counts } => {
                let path = format!("/cases/{case}/efforts/{session}");
                let counts = counts == YesNo::Yes;
                let said = if counts { "logged" } else { "left out" };
                let body = json!({"counts": counts});
                self.put(&api, &path, &body, format!("{session}: {said}")).await
            }
        }
    }

    /// A list as a table; each column is a heading and where its cell stands in an item.
    pub(super) async fn rows(
        &self,
        api: &Api,
        path: &str,
        columns: &[(&'static str, &str)],
        empty: &'static str,
    ) -> Result<(), Failure> {
        let heading: Vec<&'static str> = columns.iter().map(|(heading, _)| *heading).collect();
        let mut table = Table::new(heading, empty);
        for item in api.list(path, &Query::default()).await? {
            self.terminal.value(&item);
            table.row(columns.iter().map(|(_, at)| cell(&item, at)));
        }
        self.terminal.data(table);
        Ok(())
    }

    /// One thing, field by field.
    pub(super) async fn page(&self, api: &Api, path: &str) -> Result<(), Failure> {
        let item: Value = api.get(path).await?;
        self.terminal.value(&item);
        let mut table = Table::new(["FIELD", "VALUE"], "nothing");
        for (key, value) in item.as_object().into_iter().flatten() {
            table.row([key.clone(), shown(value)]);
        }
        self.terminal.data(table);
        Ok(())
    }

    /// Makes something, and says its id.
    pub(super) async fn made(&self, api: &Api, path: &str, body: &Value) -> Result<(), Failure> {
        let item: Value = api.post(path, body).await?;
        let id = cell(&item, "/id");
        self.said(&item, id);
        Ok(())
    }

    pub(super) async fn put(
        &self,
        api: &Api,
        path: &str,
        body: &Value,
        said: String,
    ) -> Result<(), Failure> {
        let item: Value = api.put(path, body).await?;
        self.said(&item, said);
        Ok(())
    }

    pub(super) async fn gone(&self, api: &Api, path: &str, said: String) -> Result<(), Failure> {
        let item = api.delete(path).await?;
        self.said(&item, said);
        Ok(())
    }

    pub(super) fn said(&self, item: &Value, said: String) {
        self.terminal.value(item);
        self.terminal.data(OneLine(said));
    }
}

/// The id of what is listed at `path` and goes by `name`, or by that id.
pub(super) async fn resolve(api: &Api, path: &str, name: &str) -> Result<String, Failure> {
    let items = api.list(path, &Query::default()).await?;
    let found = items
        .iter()
        .find(|item| cell(item, "/id") == name || cell(item, "/name").eq_ignore_ascii_case(name));
    found.map(|item| cell(item, "/id")).ok_or_else(|| {
        let command = path.trim_matches('/').trim_end_matches('s');
        Failure::new(Exit::Refused, format!("nothing here is called {name}"))
            .code("not_found")
            .hint(format!("see what there is: `caseway {command} list`"))
    })
}

/// `settings` with what the command line changes of them.
async fn changed(api: &Api, mut settings: Value, change: &GroupSettings) -> Result<Value, Failure> {
    let mut put = |key: &str, value: Option<Value>| {
        if let (Some(value), Some(fields)) = (value, settings.as_object_mut()) {
            fields.insert(key.to_owned(), value);
        }
    };
    let on = |to: Option<OnOff>| to.map(|to| json!(to == OnOff::On));
    put("members_remove", on(change.members_remove));
    put("sends_as_itself", on(change.sends_as_itself));
    put("addresses", change.addresses.as_ref().map(|text| json!(text)));
    put("stopwatch", change.stopwatch.as_ref().map(|one| json!(code(one))));
    if let (Some(hours), Some(to)) = (change.escalate_after, &change.escalate_to) {
        let to = resolve(api, "/groups", to).await?;
        let mut escalation = json!({"hours": hours, "to": to});
        let own: Map<String, Value> =
            change.by_priority.iter().map(|(one, hours)| (one.clone(), json!(hours))).collect();
        if let Some(fields) = escalation.as_object_mut().filter(|_| !own.is_empty()) {
            fields.insert("by_priority".to_owned(), Value::Object(own));
        }
        put("escalation", Some(escalation));
    }
    if let Some(file) = &change.hours_file {
        let fault = |fault: &dyn std::fmt::Display| {
            Failure::new(Exit::Usage, format!("cannot read {}: {fault}", file.display()))
        };
        let text = fs::read_to_string(file).map_err(|error| fault(&error))?;
        let hours: Value = serde_json::from_str(&text).map_err(|error| fault(&error))?;
        put("hours", Some(hours));
    }
    if let (Some(to), Some(fields)) = (change.mail, settings.as_object_mut()) {
        let notices = fields.entry("notices").or_insert_with(|| json!(Map::new()));
        if let Some(notices) = notices.as_object_mut() {
            notices.insert("on".to_owned(), json!(to == OnOff::On));
        }
    }
    Ok(settings)
}

fn cell(item: &Value, at: &str) -> String {
    item.pointer(at).map(shown).unwrap_or_default()
}

/// A value as people read it: lists with commas, no quotes.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            let name = fields.get("name").and_then(Value::as_str);
            match name {
                Some(name) => name.to_owned(),
                None => fields
                    .iter()
                    .map(|(key, value)| format!("{key} {}", shown(value)))
                    .collect::<Vec<_>>()
                    .join(" "),
            }
        }
    }
}
