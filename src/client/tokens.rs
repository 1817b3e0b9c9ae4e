//! Tokens with which programs read: one's own, or a colleague's.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Api, Exit, Failure, Here,
    api::{Query, typed},
    cli::{TokenCommand, Whose},
    people::person,
    secrets::SecretFile,
    show::{OneLine, Table},
};
use crate::{clock::Wall, ids::Name};

#[derive(Debug, Deserialize)]
struct TokenRow {
    id: String,
    name: String,
    created_at: Wall,
    expires_at: Wall,
}

impl Here {
    pub(super) async fn token(&self, command: TokenCommand) -> Result<(), Failure> {
        let api = self.api()?;
        match command {
            TokenCommand::List { of } => self.tokens(&api, &path(&api, of).await?).await,
            TokenCommand::Add { name, days, out, of } => {
                let path = path(&api, of).await?;
                self.add_token(&api, &path, &name, days, out).await
            }
            TokenCommand::Remove { token, of } => {
                let path = path(&api, of).await?;
                let TokenRow { id, name, .. } = found(&api, &path, &token).await?;
                api.delete(&format!("{path}/{id}")).await?;
                self.terminal.value(&json!({"id": id, "name": name, "removed": true}));
                self.terminal.data(OneLine(format!("{name}: opens nothing any more")));
                Ok(())
            }
        }
    }

    async fn tokens(&self, api: &Api, path: &str) -> Result<(), Failure> {
        let clock = self.clock();
        let mut table = Table::new(["TOKEN", "ADDED", "HOLDS UNTIL", "ID"], "no tokens");
        for item in api.list(path, &Query::default()).await? {
            self.terminal.value(&item);
            let TokenRow { id, name, created_at, expires_at } = typed(item)?;
            table.row([name, clock.short(created_at), clock.until(expires_at), id]);
        }
        self.terminal.data(table);
        Ok(())
    }

    async fn add_token(
        &self,
        api: &Api,
        path: &str,
        name: &Name,
        days: Option<u16>,
        out: Option<PathBuf>,
    ) -> Result<(), Failure> {
        let file = out.unwrap_or_else(|| format!("{name}.token").into());
        let file = SecretFile::new(file, "--out")?;
        let mut item: Value = api.post(path, &json!({"name": name, "days": days})).await?;
        file.keep(&mut item, "token", "remove it with `caseway token remove`, then add another")?;
        self.terminal.value(&item);
        let row: TokenRow = typed(item)?;
        self.terminal.data(OneLine(file.path()));
        self.terminal.note(OneLine(format!(
            "holds until {}: a program sends it as `Authorization: Bearer TOKEN`",
            self.clock().until(row.expires_at)
        )));
        Ok(())
    }
}

/// Where the tokens of this person are.
async fn path(api: &Api, Whose { user }: Whose) -> Result<String, Failure> {
    match user {
        None => Ok("/me/tokens".to_owned()),
        Some(email) => Ok(format!("/users/{}/tokens", person(api, &email).await?.id)),
    }
}

async fn found(api: &Api, path: &str, called: &str) -> Result<TokenRow, Failure> {
    let items = api.list(path, &Query::default()).await?;
    let rows: Vec<TokenRow> = items.into_iter().map(typed).collect::<Result<_, _>>()?;
    let found = rows.into_iter().find(|row| row.id == called || row.name == called);
    found.ok_or_else(|| {
        Failure::new(Exit::Refused, format!("there is no token {called}"))
            .code("not_found")
            .hint("see what there is: `caseway token list`, for a colleague with --user EMAIL")
    })
}
