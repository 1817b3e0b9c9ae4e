//! Tables that come in, and messages that go out: imports, webhooks, notifications.

use std::{fs, path::Path};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Exit, Failure, Here,
    api::{ApiError, Query, typed},
    cli::{
        AddWebhook, ChangeWebhook, Import, ImportCommand, Notifications, NotificationsCommand,
        Wanted, WebhookCommand,
    },
    secrets::SecretFile,
    show::{Clock, OneLine, Table},
};
use crate::{clock::Wall, ids::HookId};

/// The longest table that is read, in bytes; the gateway takes no longer one.
const TABLE_BYTES_MAX: u64 = 2 * 1024 * 1024;

#[derive(Debug, Deserialize)]
struct ImportRow {
    created: u64,
    changed: u64,
    unchanged: u64,
    #[serde(default)]
    faults: Vec<FaultRow>,
    lines: Vec<LineRow>,
}

#[derive(Debug, Deserialize)]
struct LineRow {
    line: u64,
    key: String,
    outcome: String,
}

/// What is wrong with a table, and where.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct FaultRow {
    line: u64,
    column: String,
    fault: String,
}

#[derive(Debug, Deserialize)]
struct HookRow {
    id: String,
    name: String,
    url: String,
    kinds: Vec<String>,
    enabled: bool,
    disabled_reason: Option<String>,
    failing_since: Option<Wall>,
}

#[derive(Debug, Deserialize)]
struct DeliveryRow {
    #[serde(rename = "type")]
    kind: String,
    state: String,
    created_at: Wall,
    attempts: u64,
    next_at: Option<Wall>,
    status: Option<u64>,
    fault: Option<String>,
}

#[derive(Debug, Deserialize)]
struct TopicRow {
    topic: String,
    wanted: bool,
    about: String,
}

impl Here {
    pub(super) async fn import(&self, command: ImportCommand) -> Result<(), Failure> {
        let (path, Import { file, dry_run }) = match command {
            ImportCommand::Users(import) => ("/imports/users", import),
            ImportCommand::Assets(import) => ("/imports/assets", import),
        };
        let table = table_in(&file)?;
        let query = Query::default().and("dry_run", if dry_run { "true" } else { "false" });
        let answer: Result<Value, ApiError> = self.api()?.post_csv(&query.on(path), table).await;
        let item = match answer {
            Err(ApiError::Problem(problem)) if !problem.faults.is_empty() => {
                self.terminal.data(faults_table(&problem.faults));
                return Err(ApiError::Problem(problem).into());
            }
            other => other?,
        };
        self.terminal.value(&item);
        let done: ImportRow = typed(item)?;
        if !done.faults.is_empty() {
            self.terminal.data(faults_table(&done.faults));
            let what = format!("{}: faults found: {}", file.display(), done.faults.len());
            return Err(Failure::new(Exit::Usage, what).hint("mend them, then try again"));
        }
        let mut lines = Table::new(["LINE", "KEY", "OUTCOME"], "no lines");
        for line in &done.lines {
            lines.row([line.line.to_string(), line.key.clone(), line.outcome.clone()]);
        }
        self.terminal.data(lines);
        let said = if dry_run { "a dry run: nothing was changed;" } else { "imported:" };
        let ImportRow { created, changed, unchanged, .. } = done;
        self.terminal.note(format_args!(
            "{said} {created} created, {changed} changed, {unchanged} unchanged"
        ));
        Ok(())
    }

    pub(super) async fn webhook(&self, command: WebhookCommand) -> Result<(), Failure> {
        match command {
            WebhookCommand::List => self.webhooks().await,
            WebhookCommand::Add(add) => self.add_webhook(add).await,
            WebhookCommand::Change(change) => self.change_webhook(change).await,
            WebhookCommand::Enable { webhook } => self.enable_webhook(&webhook, true).await,
            WebhookCommand::Disable { webhook } => self.enable_webhook(&webhook, false).await,
            WebhookCommand::Remove { webhook } => {
                self.api()?.delete(&format!("/webhooks/{webhook}")).await?;
                self.terminal.value(&json!({"id": webhook, "removed": true}));
                self.terminal.data(format_args!("{webhook}: removed"));
                Ok(())
            }
            WebhookCommand::Secret { webhook, secret_out } => {
                let file = SecretFile::new(secret_out, "--secret-out")?;
                let path = format!("/webhooks/{webhook}/secret");
                let item: Value = self.api()?.post(&path, &json!({})).await?;
                self.kept(item, &file)
            }
            WebhookCommand::Test { webhook } => self.test_webhook(&webhook).await,
            WebhookCommand::Deliveries { webhook } => self.deliveries(&webhook).await,
        }
    }

    async fn webhooks(&self) -> Result<(), Failure> {
        let items = self.api()?.list("/webhooks", &Query::default()).await?;
        let clock = self.clock();
        let mut table = Table::new(["WEBHOOK", "NAME", "URL", "HEARS OF", "STATE"], "no webhooks");
        for item in items {
            self.terminal.value(&item);
            table.row(hook_cells(typed(item)?, &clock));
        }
        self.terminal.data(table);
        Ok(())
    }

    async fn add_webhook(&self, add: AddWebhook) -> Result<(), Failure> {
        let AddWebhook { url, id, name, kinds, secret_out } = add;
        let file = SecretFile::new(secret_out, "--secret-out")?;
        let body = json!({"url": url, "id": id, "name": name, "kinds": kinds});
        let item: Value = self.api()?.post("/webhooks", &body).await?;
        self.kept(item, &file)
    }

    /// Puts the secret of `item` into its file, and shows the rest.
    fn kept(&self, mut item: Value, file: &SecretFile) -> Result<(), Failure> {
        file.keep(&mut item, "secret", "make a new one with `caseway webhook secret`")?;
        self.terminal.value(&item);
        let hook: HookRow = typed(item)?;
        self.terminal.data(OneLine(&hook.id));
        self.terminal.note(format_args!(
            "the secret is in {}: give it to the receiver; then try it with `caseway webhook test {}`",
            file.path(),
            OneLine(&hook.id)
        ));
        Ok(())
    }

    async fn change_webhook(&self, change: ChangeWebhook) -> Result<(), Failure> {
        let ChangeWebhook { webhook, url, name, kinds, all_kinds } = change;
        let mut body = Map::new();
        if let Some(url) = url {
            body.insert("url".to_owned(), json!(url));
        }
        if let Some(name) = name {
            body.insert("name".to_owned(), json!(name));
        }
        if all_kinds || !kinds.is_empty() {
            body.insert("kinds".to_owned(), json!(kinds));
        }
        self.patch_webhook(&webhook, &Value::Object(body)).await
    }

    async fn enable_webhook(&self, webhook: &HookId, enabled: bool) -> Result<(), Failure> {
        self.patch_webhook(webhook, &json!({"enabled": enabled})).await
    }

    async fn patch_webhook(&self, webhook: &HookId, body: &Value) -> Result<(), Failure> {
        let item: Value = self.api()?.patch(&format!("/webhooks/{webhook}"), body).await?;
        self.terminal.value(&item);
        let [_, name, url, kinds, state] = hook_cells(typed(item)?, &self.clock());
        self.terminal.data(OneLine(format!("{name}: {url}, {kinds}, {state}")));
        Ok(())
    }

    async fn test_webhook(&self, webhook: &HookId) -> Result<(), Failure> {
        let path = format!("/webhooks/{webhook}/test");
        let item: Value = self.api()?.post(&path, &json!({})).await?;
        self.terminal.value(&item);
        self.terminal.data(format_args!("{webhook}: a test message is on its way"));
        self.terminal.note(format_args!("see how it goes: `caseway webhook deliveries {webhook}`"));
        Ok(())
    }

    async fn deliveries(&self, webhook: &HookId) -> Result<(), Failure> {
        let path = format!("/webhooks/{webhook}/deliveries");
        let items = self.api()?.list(&path, &Query::default()).await?;
        let clock = self.clock();
        let heading = ["TIME", "KIND", "STATE", "ATTEMPTS", "ANSWER", "NEXT", "FAULT"];
        let mut table = Table::new(heading, "no messages");
        for item in items {
            self.terminal.value(&item);
            table.row(delivery_cells(typed(item)?, &clock));
        }
        self.terminal.data(table);
        Ok(())
    }

    pub(super) async fn notifications(&self, asked: Notifications) -> Result<(), Failure> {
        let api = self.api()?;
        let item: Value = match asked.command {
            None => api.get("/me/notifications").await?,
            Some(NotificationsCommand::Set { topic, wanted }) => {
                let body = json!({ topic: wanted == Wanted::On });
                api.put("/me/notifications", &body).await?
            }
        };
        let items = item.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut table = Table::new(["TOPIC", "BY MAIL", "ABOUT"], "nothing to be told of");
        for item in items {
            self.terminal.value(&item);
            let row: TopicRow = typed(item)?;
            table.row([row.topic, if row.wanted { "on" } else { "off" }.to_owned(), row.about]);
        }
        self.terminal.data(table);
        Ok(())
    }
}

fn table_in(file: &Path) -> Result<Vec<u8>, Failure> {
    let fault = |what: String| Failure::new(Exit::Usage, format!("{}: {what}", file.display()));
    let about = fs::metadata(file).map_err(|error| fault(error.to_string()))?;
    if about.len() > TABLE_BYTES_MAX {
        return Err(fault(format!("longer than {TABLE_BYTES_MAX} bytes"))
            .hint("split it, and give each part the first line"));
    }
    fs::read(file).map_err(|error| fault(error.to_string()))
}

fn faults_table(faults: &[FaultRow]) -> Table {
    let mut table = Table::new(["LINE", "COLUMN", "FAULT"], "no faults");
    for FaultRow { line, column, fault } in faults {
        table.row([line.to_string(), column.clone(), fault.clone()]);
    }
    table
}

fn hook_cells(hook: HookRow, clock: &Clock) -> [String; 5] {
    let kinds = if hook.kinds.is_empty() { "everything".to_owned() } else { hook.kinds.join(" ") };
    let state = match (hook.enabled, hook.disabled_reason, hook.failing_since) {
        (false, reason, _) => format!("disabled: {}", reason.unwrap_or_default()),
        (true, _, Some(since)) => format!("failing since {}", clock.short(since)),
        (true, _, None) => "enabled".to_owned(),
    };
    [hook.id, hook.name, hook.url, kinds, state]
}

fn delivery_cells(row: DeliveryRow, clock: &Clock) -> [String; 7] {
    [
        clock.short(row.created_at),
        row.kind,
        row.state,
        row.attempts.to_string(),
        row.status.map(|status| status.to_string()).unwrap_or_default(),
        row.next_at.map(|at| clock.short(at)).unwrap_or_default(),
        row.fault.unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> Clock {
        Clock::utc("2026-05-01T12:00:00Z".parse().unwrap())
    }

    #[test]
    fn a_webhook_says_why_it_is_silent() {
        let state = |item: Value| hook_cells(typed(item).unwrap(), &clock())[4].clone();
        let mut item = json!({"id": "h", "name": "n", "url": "https://a/", "kinds": [],
            "enabled": true, "disabled_reason": null, "failing_since": null});
        assert_eq!(state(item.clone()), "enabled");
        item["failing_since"] = json!("2026-05-01T11:00:00Z");
        assert_eq!(state(item.clone()), "failing since 11:00");
        item["enabled"] = json!(false);
        item["disabled_reason"] = json!("answered 410");
        assert_eq!(state(item), "disabled: answered 410");
    }

    #[test]
    fn a_file_that_is_too_long_is_not_even_sent() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("users.csv");
        fs::write(&file, vec![b'a'; usize::try_from(TABLE_BYTES_MAX).unwrap() + 1]).unwrap();
        assert!(table_in(&file).unwrap_err().what.contains("longer than"));
        assert!(table_in(&dir.path().join("nowhere.csv")).is_err());
    }
}
