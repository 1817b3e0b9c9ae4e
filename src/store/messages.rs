//! A case's conversation. It is as far as the case is: of an internal case, nobody outside the one
//! company reads a word (domain.md CON-19).

use std::collections::BTreeMap;

use sqlx::SqliteConnection;

use super::{
    By, Conflict, Listed, Page, Store, StoreError, Subject, WriteError, Written,
    act::Ask,
    rows::{Cells, kept},
};
use crate::{
    audit::Event,
    authz::{Action, Reason},
    cases::{Message, State},
    clock::Now,
    ids::{CaseId, PersonId},
};

/// A message at most, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024;
/// People that one message mentions at most.
pub const MENTIONS_MAX: usize = 20;

/// A message, with its author's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageSheet {
    pub message: Message,
    pub author_name: String,
    /// In the order of `message.mentions`.
    pub mention_names: Vec<String>,
}

impl Store {
    /// Says something in a case's conversation. Whoever is mentioned must be able to read it.
    ///
    /// INF: a closed case is read on, but nothing more is said in it: reopen it.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn post_message(
        &self,
        by: &By,
        case: &CaseId,
        text: &str,
        mentions: &[PersonId],
        now: Now,
    ) -> Result<Written<Message>, WriteError> {
        let text = text.trim();
        if text.is_empty() || text.len() > MESSAGE_BYTES_MAX {
            return Err(Conflict::field("text", "it has 1 to 4,096 bytes").into());
        }
        if mentions.len() > MENTIONS_MAX {
            return Err(Conflict::field("mentions", "they are 20 people at most").into());
        }
        let subject = Subject::case(by.person.clone(), case.clone());
        let object = Some(format!("case/{case}"));
        let ask = Ask { by, subject, refused: Event::Refused, object, now };
        let mut allowed = self.judged(ask, |_| Action::Chat(case.clone())).await?;
        if allowed.facts.case.as_ref().is_none_or(|row| row.state == State::Closed) {
            return Err(allowed.refused(Reason::CaseClosed).await);
        }
        let mut mentions = mentions.to_vec();
        mentions.sort();
        mentions.dedup();
        for person in &mentions {
            let subject = Subject::case(person.clone(), case.clone());
            let action = Action::Chat(case.clone());
            if !self.allows(allowed.rows(), &subject, action, now.wall).await? {
                let what = format!("{person} cannot read this conversation");
                return Err(Conflict::field("mentions", what).into());
            }
        }
        let number = next_number(allowed.rows(), case).await?;
        let message = Message {
            number,
            author: by.person.clone(),
            at: now.wall,
            text: text.to_owned(),
            mentions,
        };
        insert(allowed.rows(), case, &message).await?;
        allowed.tell(Event::MessagePosted, |entry| {
            entry.object = Some(format!("message/{case}/{number}"));
            entry.new = Some(number.to_string());
        });
        Ok(allowed.written(message).await?)
    }

    /// A case's conversation from its beginning; `None` where `who` may not read it.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn messages(
        &self,
        who: &PersonId,
        case: &CaseId,
        page: &Page,
        now: Now,
    ) -> Result<Option<Listed<MessageSheet>>, StoreError> {
        let mut reading = self.reading().await?;
        let subject = Subject::case(who.clone(), case.clone());
        let action = Action::Chat(case.clone());
        if !self.allows(&mut reading, &subject, action, now.wall).await? {
            return Ok(None);
        }
        let after = page.after.as_ref().map_or(0, |after| after.parse().unwrap_or(i64::MAX));
        let rows = sqlx::query(
            "SELECT m.number, m.author, m.at, m.text, p.name \
             FROM messages m JOIN people p ON p.id = m.author \
             WHERE m.case_id = $1 AND m.number > $2 ORDER BY m.number LIMIT $3",
        )
        .bind(case.as_str())
        .bind(after)
        .bind(i64::try_from(page.size()).unwrap_or(1))
        .fetch_all(&mut *reading)
        .await?;
        let mut mentions = mentions(&mut reading, case, after).await?;
        let mut items = Vec::with_capacity(rows.len());
        for row in &rows {
            let cells = Cells::of("messages", row);
            let number = cells.count("number")?;
            let (people, names) = mentions.remove(&number).unwrap_or_default();
            items.push(MessageSheet {
                message: Message {
                    number,
                    author: cells.id("author")?,
                    at: cells.wall("at")?,
                    text: cells.text("text")?,
                    mentions: people,
                },
                author_name: cells.text("name")?,
                mention_names: names,
            });
        }
        let last = items.last().filter(|_| items.len() == page.size());
        let next = last.map(|last| last.message.number.to_string());
        Ok(Some(Listed { items, next }))
    }
}

/// Who is mentioned from the message after `after` on, with names, by the message's number.
async fn mentions(
    conn: &mut SqliteConnection,
    case: &CaseId,
    after: i64,
) -> Result<BTreeMap<u64, (Vec<PersonId>, Vec<String>)>, StoreError> {
    let rows = sqlx::query(
        "SELECT m.number, m.person, p.name FROM mentions m JOIN people p ON p.id = m.person \
         WHERE m.case_id = $1 AND m.number > $2 ORDER BY m.number, m.person",
    )
    .bind(case.as_str())
    .bind(after)
    .fetch_all(conn)
    .await?;
    let mut by_number: BTreeMap<u64, (Vec<PersonId>, Vec<String>)> = BTreeMap::new();
    for row in &rows {
        let cells = Cells::of("mentions", row);
        let (people, names) = by_number.entry(cells.count("number")?).or_default();
        people.push(cells.id("person")?);
        names.push(cells.text("name")?);
    }
    Ok(by_number)
}

async fn next_number(conn: &mut SqliteConnection, case: &CaseId) -> Result<u64, StoreError> {
    let row = sqlx::query(
        "SELECT COALESCE(MAX(number), 0) + 1 AS number FROM messages WHERE case_id = $1",
    )
    .bind(case.as_str())
    .fetch_one(conn)
    .await?;
    Cells::of("messages", &row).count("number")
}

async fn insert(
    conn: &mut SqliteConnection,
    case: &CaseId,
    message: &Message,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO messages (case_id, number, author, at, text) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(case.as_str())
    .bind(kept(message.number))
    .bind(message.author.as_str())
    .bind(message.at.0)
    .bind(&message.text)
    .execute(&mut *conn)
    .await?;
    for person in &message.mentions {
        sqlx::query("INSERT INTO mentions (case_id, number, person) VALUES ($1, $2, $3)")
            .bind(case.as_str())
            .bind(kept(message.number))
            .bind(person.as_str())
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}
