//! Time spent on cases: what becomes of a session's duration when it ends.
//!
//! ```text
//!   session ends ── the group's stopwatch ──┬─ logs ──────────────> effort, in the case's history
//!                                           ├─ asks ── its person ──┬─ yes ──> the same
//!                                           │                       └─ no ───> nothing
//!                                           └─ nothing
//! ```
//!
//! Written in the transaction that ends the session, so that a crash loses neither or both.

use std::time::Duration;

use super::{
    By, Conflict, Object, SessionRow, Store, StoreError, Subject, WriteError, Written,
    act::{Act, Ask},
    people::person_of,
    rows::Cells,
    widen::by_groups,
};
use crate::{
    audit::{Actor, Entry, Event},
    authz::Action,
    clock::{Now, Wall},
    groups::{Spent, spent},
    ids::{CaseId, PersonId, SessionId, TenantId},
};

/// Time that a person spent on a case in one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effort {
    pub session: SessionId,
    pub person: PersonId,
    pub name: String,
    pub from: Wall,
    pub until: Wall,
    /// False: its person has not said yet whether it counts.
    pub logged: bool,
}

impl Store {
    /// The time that people of `tenant` spent on a case, oldest first, for those who were shown it;
    /// what is not logged yet is shown to its own person alone.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn efforts(
        &self,
        who: &PersonId,
        tenant: &TenantId,
        case: &CaseId,
    ) -> Result<Vec<Effort>, StoreError> {
        let rows = sqlx::query(
            "SELECT e.*, p.name FROM efforts e JOIN people p ON p.id = e.person \
             WHERE e.case_id = $1 AND e.tenant = $2 AND (e.logged = 1 OR e.person = $3) \
             ORDER BY e.started_at, e.session",
        )
        .bind(case.as_str())
        .bind(tenant.as_str())
        .bind(who.as_str())
        .fetch_all(self.readers()?)
        .await?;
        rows.iter().map(|row| effort_in(&Cells::of("efforts", row))).collect()
    }

    /// A person's answer to whether a session of theirs counts.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; what is logged stays logged.
    pub async fn answer_effort(
        &self,
        by: &By,
        case: &CaseId,
        session: &SessionId,
        counts: bool,
        now: Now,
    ) -> Result<Written<()>, WriteError> {
        let subject = Subject::case(by.person.clone(), case.clone());
        let object = Some(format!("case/{case}"));
        let ask = Ask { by, subject, refused: Event::Refused, object, now };
        let mut allowed = self.judged(ask, |_| Action::ReadCase(case.clone())).await?;
        let row = sqlx::query(
            "SELECT e.*, p.name FROM efforts e JOIN people p ON p.id = e.person \
             WHERE e.session = $1 AND e.case_id = $2",
        )
        .bind(session.as_str())
        .bind(case.as_str())
        .fetch_optional(allowed.rows())
        .await?;
        let effort = row.map(|row| effort_in(&Cells::of("efforts", &row))).transpose()?;
        let Some(effort) = effort.filter(|one| one.person == by.person) else {
            return Err(allowed.not_found().await);
        };
        if effort.logged {
            return Err(Conflict::Invalid("this time is logged already").into());
        }
        let sql = match counts {
            true => "UPDATE efforts SET logged = 1 WHERE session = $1",
            false => "DELETE FROM efforts WHERE session = $1",
        };
        sqlx::query(sql).bind(session.as_str()).execute(allowed.rows()).await?;
        if counts {
            allowed.tell(Event::TimeLogged, |entry| {
                entry.session = Some(session.clone());
                entry.new = Some(said(effort.from, effort.until));
            });
        }
        allowed.touch(Object::Case(case.clone()));
        Ok(allowed.written(()).await?)
    }
}

/// Lets the stopwatch of the case's group have the time of a session that ends at `until`.
pub(super) async fn session_over(
    act: &mut Act,
    row: &SessionRow,
    until: Wall,
) -> Result<(), StoreError> {
    let (Some(case), Some(from)) = (row.case(), row.started_at) else { return Ok(()) };
    let Some(person) = person_of(act.rows(), &row.person).await? else { return Ok(()) };
    let stands = by_groups(act.rows(), &person, case).await?;
    let Some(group) = stands.group else { return Ok(()) };
    let until = until.max(from);
    let logged = match spent(group.settings.stopwatch, stands.access.is_some(), time(from, until)) {
        Spent::Nothing => return Ok(()),
        Spent::Ask => false,
        Spent::Log => true,
    };
    sqlx::query(
        "INSERT INTO efforts (session, case_id, person, tenant, started_at, ended_at, logged) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(row.id.as_str())
    .bind(case.as_str())
    .bind(row.person.as_str())
    .bind(row.tenant.as_str())
    .bind(from.0)
    .bind(until.0)
    .bind(i64::from(logged))
    .execute(act.rows())
    .await?;
    if logged {
        let mut entry = Entry::new(until, Actor::Person(row.person.clone()), Event::TimeLogged);
        entry.actor_name = person.name;
        entry.tenant = Some(row.tenant.clone());
        entry.object = Some(format!("case/{case}"));
        entry.case = Some(case.clone());
        entry.session = Some(row.id.clone());
        entry.new = Some(said(from, until));
        act.tell(entry);
    }
    Ok(())
}

fn time(from: Wall, until: Wall) -> Duration {
    Duration::from_millis(u64::try_from(until.0.saturating_sub(from.0)).unwrap_or(0))
}

/// "from/to", and how long that is (G1-9).
fn said(from: Wall, until: Wall) -> String {
    format!("{from} to {until}, {} s", time(from, until).as_secs())
}

fn effort_in(cells: &Cells<'_>) -> Result<Effort, StoreError> {
    Ok(Effort {
        session: cells.id("session")?,
        person: cells.id("person")?,
        name: cells.text("name")?,
        from: cells.wall("started_at")?,
        until: cells.wall("ended_at")?,
        logged: cells.flag("logged")?,
    })
}
