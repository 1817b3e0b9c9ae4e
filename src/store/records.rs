//! Appending records, listing them, and verifying the chain.

use std::path::Path;

use sqlx::{Connection, SqliteConnection, sqlite::SqliteRow};

use super::{Listed, Page, Store, StoreError, Subject, open, people::person_of, rows::Cells};
use crate::{
    audit::{Entry, Event, Fault, Head, Row, Summary, Verifier},
    authz::Action,
    clock::Now,
    ids::{AssetId, CaseId, PersonId, SessionId, TenantId},
};

/// Rows that verifying holds at once.
const VERIFY_ROWS: i64 = 1000;

/// Why the records were not found whole.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error(transparent)]
    Broken(#[from] Fault),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Which records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordFilter {
    pub case: Option<CaseId>,
    pub session: Option<SessionId>,
}

impl Store {
    /// Records what is no row's change: a log-in, a device online. Durable when it returns.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; what was to be recorded must then not happen.
    pub async fn record(&self, entry: &Entry) -> Result<(), StoreError> {
        let mut act = self.act().await?;
        act.tell(entry.clone());
        act.commit().await?;
        Ok(())
    }

    /// As [`Self::record`], several at once: all or none, in their order.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn record_all(&self, entries: &[Entry]) -> Result<(), StoreError> {
        let mut act = self.act().await?;
        for entry in entries {
            act.tell(entry.clone());
        }
        act.commit().await?;
        Ok(())
    }

    /// Every record, whoever asks; oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn records(
        &self,
        filter: &RecordFilter,
        page: &Page,
    ) -> Result<Listed<Row>, StoreError> {
        let mut reading = self.reading().await?;
        listed(&mut reading, filter, page, Shown::All).await
    }

    /// The records of a case, if `who` may read them; `None` where not. Of people whose company is no
    /// party to it, nothing is told: that they tried is between them and their own (INF from
    /// domain.md F: the parties see the same entries, and nobody else's).
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn case_records(
        &self,
        who: &PersonId,
        case: &CaseId,
        page: &Page,
        now: Now,
    ) -> Result<Option<Listed<Row>>, StoreError> {
        self.of_case(who, case, page, Shown::ToParties, now).await
    }

    /// What happened to a case, in order: changes, switches, requests, refusals, sessions. Single
    /// flows are left to [`Self::case_records`].
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn case_history(
        &self,
        who: &PersonId,
        case: &CaseId,
        page: &Page,
        now: Now,
    ) -> Result<Option<Listed<Row>>, StoreError> {
        self.of_case(who, case, page, Shown::AsHistory, now).await
    }

    async fn of_case(
        &self,
        who: &PersonId,
        case: &CaseId,
        page: &Page,
        shown: Shown,
        now: Now,
    ) -> Result<Option<Listed<Row>>, StoreError> {
        let mut reading = self.reading().await?;
        let subject = Subject::case(who.clone(), case.clone());
        let action = Action::ReadAudit(case.clone());
        if !self.allows(&mut reading, &subject, action, now.wall).await? {
            return Ok(None);
        }
        let filter = RecordFilter { case: Some(case.clone()), session: None };
        let mut found = listed(&mut reading, &filter, page, shown).await?;
        let person = person_of(&mut reading, who).await?;
        let tenant = person.as_ref().map(|person| person.tenant.as_str());
        found.items.retain(|row| {
            row.tenant.as_deref() == tenant || !row.event().is_some_and(Event::is_of_one_company)
        });
        Ok(Some(found))
    }

    /// Walks the whole chain.
    ///
    /// # Errors
    ///
    /// [`VerifyError::Broken`] names the first record that is not as it was written.
    pub async fn verify(&self) -> Result<Summary, VerifyError> {
        let mut reading = self.reading().await?;
        walk(&mut reading).await
    }
}

/// Walks the chain in the file at `path`, which a gateway may have open.
///
/// # Errors
///
/// [`VerifyError`].
pub async fn verify_file(path: &Path) -> Result<Summary, VerifyError> {
    let pool = open::read_only(path).await?;
    let mut conn = pool.acquire().await.map_err(StoreError::from)?;
    let mut reading = conn.begin().await.map_err(StoreError::from)?;
    walk(&mut reading).await
}

/// Appends `entries` to the chain, and moves its head with them; gives the numbers they got.
pub(super) async fn append(
    conn: &mut SqliteConnection,
    entries: &[Entry],
) -> Result<Vec<i64>, StoreError> {
    let mut numbers = Vec::with_capacity(entries.len());
    if entries.is_empty() {
        return Ok(numbers);
    }
    let mut head = head(conn).await?;
    for entry in entries {
        let row = Row::chain(entry, head.seq.saturating_add(1), head.hash);
        head = Head { seq: row.seq, hash: row.digest() };
        insert_row(conn, &row).await?;
        numbers.push(row.seq);
    }
    sqlx::query("UPDATE audit_head SET seq = $1, hash = $2 WHERE id = 1")
        .bind(head.seq)
        .bind(head.hash.to_string())
        .execute(conn)
        .await?;
    Ok(numbers)
}

async fn head(conn: &mut SqliteConnection) -> Result<Head, StoreError> {
    let row = sqlx::query("SELECT seq, hash FROM audit_head WHERE id = 1").fetch_one(conn).await?;
    let cells = Cells::of("audit_head", &row);
    Ok(Head { seq: cells.number("seq")?, hash: cells.id("hash")? })
}

async fn insert_row(conn: &mut SqliteConnection, row: &Row) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO records (seq, at, actor, actor_name, tenant, role, event, object, case_id, \
                              asset, done, reason, old_value, new_value, source_ip, session, \
                              previous, hash) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
    )
    .bind(row.seq)
    .bind(row.at)
    .bind(&row.actor)
    .bind(&row.actor_name)
    .bind(&row.tenant)
    .bind(&row.role)
    .bind(&row.event)
    .bind(&row.object)
    .bind(&row.case)
    .bind(&row.asset)
    .bind(row.done)
    .bind(&row.reason)
    .bind(&row.old)
    .bind(&row.new)
    .bind(&row.source_ip)
    .bind(&row.session)
    .bind(&row.previous)
    .bind(&row.hash)
    .execute(conn)
    .await?;
    Ok(())
}

fn row_in(cells: &Cells<'_>) -> Result<Row, StoreError> {
    Ok(Row {
        seq: cells.number("seq")?,
        at: cells.number("at")?,
        actor: cells.text("actor")?,
        actor_name: cells.text("actor_name")?,
        tenant: cells.text_or_none("tenant")?,
        role: cells.text_or_none("role")?,
        event: cells.text("event")?,
        object: cells.text_or_none("object")?,
        case: cells.text_or_none("case_id")?,
        asset: cells.text_or_none("asset")?,
        done: cells.number("done")?,
        reason: cells.text_or_none("reason")?,
        old: cells.text_or_none("old_value")?,
        new: cells.text_or_none("new_value")?,
        source_ip: cells.text_or_none("source_ip")?,
        session: cells.text_or_none("session")?,
        previous: cells.text("previous")?,
        hash: cells.text("hash")?,
    })
}

/// Which of the records that a filter leaves are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    All,
    /// Not those of people whose company is no party to the case.
    ToParties,
    /// As `ToParties`, without single flows.
    AsHistory,
}

async fn listed(
    conn: &mut SqliteConnection,
    filter: &RecordFilter,
    page: &Page,
    shown: Shown,
) -> Result<Listed<Row>, StoreError> {
    let after = page.after.as_ref().map_or(0, |after| after.parse().unwrap_or(i64::MAX));
    let rows = sqlx::query(
        "SELECT * FROM records WHERE seq > $1 AND ($2 = '' OR case_id = $2) \
                               AND ($3 = '' OR session = $3) \
                               AND ($5 = 0 OR tenant IS NULL OR EXISTS \
                                    (SELECT 1 FROM cases c WHERE c.id = records.case_id \
                                     AND (c.operator = records.tenant OR c.provider = records.tenant))) \
                               AND ($6 = 0 OR event <> 'flow') \
         ORDER BY seq LIMIT $4",
    )
    .bind(after)
    .bind(filter.case.as_ref().map_or("", |case| case.as_str()))
    .bind(filter.session.as_ref().map_or("", |session| session.as_str()))
    .bind(i64::try_from(page.size()).unwrap_or(1))
    .bind(i64::from(shown != Shown::All))
    .bind(i64::from(shown == Shown::AsHistory))
    .fetch_all(conn)
    .await?;
    listed_in(&rows, page)
}

fn listed_in(rows: &[SqliteRow], page: &Page) -> Result<Listed<Row>, StoreError> {
    let items: Vec<Row> =
        rows.iter().map(|row| row_in(&Cells::of("records", row))).collect::<Result<_, _>>()?;
    let full = items.len() == page.size();
    let next = items.last().filter(|_| full).map(|last| last.seq.to_string());
    Ok(Listed { items, next })
}

/// What was done of `events` on an asset; by people of one company, where one is given.
pub(super) async fn of_asset(
    conn: &mut SqliteConnection,
    asset: &AssetId,
    events: &[Event],
    by: Option<&TenantId>,
    page: &Page,
) -> Result<Listed<Row>, StoreError> {
    let after = page.after.as_ref().map_or(0, |after| after.parse().unwrap_or(i64::MAX));
    let codes = events.iter().fold(",".to_owned(), |codes, event| codes + event.code() + ",");
    let rows = sqlx::query(
        "SELECT * FROM records WHERE asset = $1 AND seq > $2 AND done = 1 \
                               AND ($3 = '' OR tenant = $3) AND $4 LIKE '%,' || event || ',%' \
         ORDER BY seq LIMIT $5",
    )
    .bind(asset.as_str())
    .bind(after)
    .bind(by.map_or("", |tenant| tenant.as_str()))
    .bind(codes)
    .bind(i64::try_from(page.size()).unwrap_or(1))
    .fetch_all(conn)
    .await?;
    listed_in(&rows, page)
}

/// Walks the chain as the transaction sees it, in the order of its numbers.
async fn walk(conn: &mut SqliteConnection) -> Result<Summary, VerifyError> {
    let mut verifier = Verifier::new(head(conn).await?);
    let mut after = i64::MIN;
    loop {
        let rows = sqlx::query("SELECT * FROM records WHERE seq > $1 ORDER BY seq LIMIT $2")
            .bind(after)
            .bind(VERIFY_ROWS)
            .fetch_all(&mut *conn)
            .await
            .map_err(StoreError::from)?;
        for row in &rows {
            let cells = Cells::of("records", row);
            after = cells.number("seq")?;
            // A column that does not even hold text any more was changed, by whoever did that.
            let row = row_in(&cells).map_err(|_| Fault::Changed(after))?;
            verifier.take(&row);
        }
        if rows.is_empty() {
            return Ok(verifier.finish()?);
        }
    }
}
