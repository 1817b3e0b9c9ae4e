//! Tokens with which programs read: named, shown once, kept as digests, over by a date.
//!
//! They are for people who hold the role Data Analyst - Controller, which has no portal (domain.md
//! C.2). A token only reads, whatever else its owner may: it lies in files and schedules of programs,
//! where nobody is asked again (INF). It reads what its owner may read. Once its owner no longer holds
//! the role, or is disabled, it opens nothing.

use std::time::Duration;

use sqlx::SqliteConnection;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    By, Conflict, Listed, Page, Store, StoreError, Subject, WriteError, Written,
    act::{Allowed, Ask},
    people::{own, person_in},
    rows::{Cells, code},
};
use crate::{
    audit::Event,
    authz::Action,
    clock::{Now, Wall},
    ids::{ApiTokenId, Name, PersonId},
    tenancy::{Permission, Person, Role},
    token::BearerToken,
};

/// How long a token may hold.
pub const API_TOKEN_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// How long it holds where nobody says otherwise.
pub const API_TOKEN_LASTS: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// Tokens of one person at most.
pub const API_TOKENS_MAX: u64 = 20;

/// A token without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiToken {
    pub id: ApiTokenId,
    pub name: Name,
    pub created: Wall,
    pub expires: Wall,
}

impl Store {
    /// A person's tokens, by id.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn api_tokens(
        &self,
        person: &PersonId,
        page: &Page,
    ) -> Result<Listed<ApiToken>, StoreError> {
        let mut reading = self.reading().await?;
        let rows = sqlx::query(
            "SELECT id, name, created_at, expires FROM api_tokens \
             WHERE person = $1 AND id > $2 ORDER BY id LIMIT $3",
        )
        .bind(person.as_str())
        .bind(page.after.as_deref().unwrap_or_default())
        .bind(page.limit())
        .fetch_all(&mut *reading)
        .await?;
        let items = rows.iter().map(|row| {
            let cells = Cells::of("api_tokens", row);
            Ok(ApiToken {
                id: cells.id("id")?,
                name: cells.id("name")?,
                created: cells.wall("created_at")?,
                expires: cells.wall("expires")?,
            })
        });
        Ok(page.cut(items.collect::<Result<_, StoreError>>()?, |one| one.id.to_string()))
    }

    /// Makes a token for oneself, or, as who manages people, for a colleague: who holds nothing but
    /// Data Analyst cannot sign in to make one.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn create_api_token(
        &self,
        by: &By,
        person: &PersonId,
        name: &Name,
        lasts: Duration,
        now: Now,
    ) -> Result<Written<(ApiToken, BearerToken)>, WriteError> {
        if lasts.is_zero() || lasts > API_TOKEN_MAX {
            return Err(Conflict::Invalid("days: a token holds for 1 to 366 days").into());
        }
        let mut allowed = self.keeping_tokens(by, person, now).await?;
        let Some(person) = own(&mut allowed, person).await? else {
            return Err(allowed.not_found().await);
        };
        if !analyses(allowed.rows(), &person.id).await? {
            let why =
                "an API token is for somebody who holds the role data_analyst; give that first";
            return Err(Conflict::Invalid(why).into());
        }
        room(allowed.rows(), &person.id, name).await?;
        let bearer = BearerToken::fresh().map_err(StoreError::from)?;
        let token = ApiToken {
            id: super::fresh_id()?,
            name: name.clone(),
            created: now.wall,
            expires: now.wall.plus(lasts),
        };
        sqlx::query(
            "INSERT INTO api_tokens (id, person, name, digest, created_at, expires) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(token.id.as_str())
        .bind(person.id.as_str())
        .bind(token.name.as_str())
        .bind(URL_SAFE_NO_PAD.encode(bearer.digest()))
        .bind(token.created.0)
        .bind(token.expires.0)
        .execute(allowed.rows())
        .await?;
        told(&mut allowed, Event::ApiTokenCreated, &person.id, &token.id);
        Ok(allowed.written((token, bearer)).await?)
    }

    /// Forgets a token: it opens nothing any more.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn delete_api_token(
        &self,
        by: &By,
        person: &PersonId,
        token: &ApiTokenId,
        now: Now,
    ) -> Result<Written<()>, WriteError> {
        let mut allowed = self.keeping_tokens(by, person, now).await?;
        let Some(person) = own(&mut allowed, person).await? else {
            return Err(allowed.not_found().await);
        };
        let gone = sqlx::query("DELETE FROM api_tokens WHERE id = $1 AND person = $2")
            .bind(token.as_str())
            .bind(person.id.as_str())
            .execute(allowed.rows())
            .await?;
        if gone.rows_affected() == 0 {
            return Err(allowed.not_found().await);
        }
        told(&mut allowed, Event::ApiTokenDeleted, &person.id, token);
        Ok(allowed.written(()).await?)
    }

    /// Whose token this is; `None` when unknown, expired, or its owner may have none any more.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn api_bearer(
        &self,
        digest: &[u8; 32],
        now: Wall,
    ) -> Result<Option<(Person, Wall)>, StoreError> {
        let mut reading = self.reading().await?;
        let row = sqlx::query(
            "SELECT p.id, p.tenant, p.email, p.name, p.active, k.expires \
             FROM api_tokens k JOIN people p ON p.id = k.person JOIN tenants t ON t.id = p.tenant \
             WHERE k.digest = $1 AND k.expires > $2 AND p.active = 1 AND t.active = 1 \
               AND EXISTS (SELECT 1 FROM assignments a WHERE a.person = p.id AND a.role = $3)",
        )
        .bind(URL_SAFE_NO_PAD.encode(digest))
        .bind(now.0)
        .bind(code(&Role::DataAnalyst))
        .fetch_optional(&mut *reading)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let cells = Cells::of("api_tokens", &row);
        Ok(Some((person_in(&cells)?, cells.wall("expires")?)))
    }

    async fn keeping_tokens(
        &self,
        by: &By,
        person: &PersonId,
        now: Now,
    ) -> Result<Allowed, WriteError> {
        let itself = *person == by.person;
        let needs = if itself { Permission::SignIn } else { Permission::ManagePeople };
        let subject = Subject::of(by.person.clone());
        let object = Some(format!("person/{person}"));
        let ask = Ask { by, subject, refused: Event::Refused, object, now };
        self.judged(ask, |_| Action::Own(needs)).await
    }
}

/// Refuses a name that is taken, and one token too many.
async fn room(
    conn: &mut SqliteConnection,
    person: &PersonId,
    name: &Name,
) -> Result<(), WriteError> {
    let row = sqlx::query(
        "SELECT COUNT(*) AS tokens, \
                COALESCE(SUM(CASE WHEN name = $2 THEN 1 ELSE 0 END), 0) AS named \
         FROM api_tokens WHERE person = $1",
    )
    .bind(person.as_str())
    .bind(name.as_str())
    .fetch_one(conn)
    .await?;
    let cells = Cells::of("api_tokens", &row);
    if cells.count("named")? > 0 {
        return Err(Conflict::Exists(format!("a token called {name}")).into());
    }
    if cells.count("tokens")? >= API_TOKENS_MAX {
        return Err(Conflict::Limit("a person has 20 API tokens at most").into());
    }
    Ok(())
}

async fn analyses(conn: &mut SqliteConnection, person: &PersonId) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT id FROM assignments WHERE person = $1 AND role = $2")
        .bind(person.as_str())
        .bind(code(&Role::DataAnalyst))
        .fetch_optional(conn)
        .await?;
    Ok(row.is_some())
}

fn told(allowed: &mut Allowed, event: Event, person: &PersonId, token: &ApiTokenId) {
    allowed.tell(event, |entry| {
        entry.object = Some(format!("person/{person}"));
        entry.new = Some(token.to_string());
    });
}
