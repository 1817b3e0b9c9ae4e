//! Requests for remote access: a provider asks, the operator's people answer (domain.md CON-28).
//!
//! ```text
//!                     the switch goes on: Granted
//!   asked ── Open ──┬─ the operator says no: Declined
//!                   ├─ the asker thinks better of it: Withdrawn
//!                   └─ nobody answers in time, or the case is closed: Lapsed
//! ```
//!
//! While one is open, the clock of the operator's group runs (`places`).
//!
//! What always holds: one open request for each person and case; granting is turning the switch on,
//! in the same transaction and by the same permission.

use std::time::Duration;

use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::{
    By, Conflict, Listed, Page, Store, StoreError, Subject, SwitchAsk, Switched, WriteError,
    Written,
    act::{Act, Allowed, Ask, by_gateway},
    cases::{Visible, WORDS_BYTES_MAX, turn_case, wanted},
    places,
    rows::{Cells, code, kept},
};
use crate::{
    audit::{Entry, Event},
    authz::Action,
    cases::{AccessRequest, RequestState},
    clock::{Now, Wall},
    ids::{CaseId, GatewayId, PersonId, RequestId},
};

/// How long a request waits for an answer. INF: long enough for a weekend and a holiday.
pub const REQUEST_LASTS: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The longest time that can be asked for. INF: what comparable products allow (domain.md T10).
pub const REQUESTED_FOR_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The shortest time that can be asked for.
pub const REQUESTED_FOR_MIN: Duration = Duration::from_secs(60);

/// An access request, with the names of those it concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestSheet {
    pub request: AccessRequest,
    /// The case's title.
    pub title: String,
    pub person_name: String,
    pub answered_by_name: Option<String>,
}

/// Which requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestFilter {
    pub case: Option<CaseId>,
    /// Only those that wait for an answer.
    pub open: bool,
}

/// What the operator says to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Turns the switch on; for as long as was asked, where `until` is `None`.
    Grant { until: Option<Wall> },
    /// No, in words.
    Decline { words: String },
}

/// A request that was answered.
#[derive(Clone, Debug)]
pub struct Answered {
    pub request: AccessRequest,
    /// The switch, where it was turned on.
    pub switched: Option<Switched>,
}

impl Store {
    /// Asks the operator to turn a case's switch on.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn request_access(
        &self,
        by: &By,
        case: &CaseId,
        reason: &str,
        lasting: Option<Duration>,
        now: Now,
    ) -> Result<Written<AccessRequest>, WriteError> {
        let reason = words("reason", reason)?;
        let sensible = REQUESTED_FOR_MIN..=REQUESTED_FOR_MAX;
        if lasting.is_some_and(|lasting| !sensible.contains(&lasting)) {
            return Err(Conflict::field("for", "it is from 1 minute to 7 days").into());
        }
        let action = Action::RequestAccess(case.clone());
        let mut allowed = self.acting(by, case, action, now).await?;
        let (Some(row), Some(tenant)) = (allowed.facts.case.clone(), allowed.tenant().cloned())
        else {
            return Err(allowed.not_found().await);
        };
        if row.switch().is_some_and(|switch| switch.is_on(now.wall)) {
            return Err(Conflict::Exists("remote access that is on".to_owned()).into());
        }
        let open = open_on(allowed.rows(), case).await?;
        if let Some(own) = open.into_iter().find(|one| one.person == by.person) {
            if own.expires_at > now.wall {
                let what = "an open request of yours for this case";
                return Err(Conflict::Exists(what.to_owned()).into());
            }
            settle(&mut allowed, own, RequestState::Lapsed, None, now).await?;
        }
        let request = AccessRequest {
            id: super::fresh_id()?,
            case: case.clone(),
            person: by.person.clone(),
            tenant,
            reason: reason.to_owned(),
            seconds: lasting.map(|lasting| lasting.as_secs()),
            asked_at: now.wall,
            expires_at: now.wall.plus(REQUEST_LASTS),
            state: RequestState::Open,
            answered_by: None,
            answered_at: None,
            answer: None,
        };
        insert(allowed.rows(), &request).await?;
        places::set_clocks_of_case(allowed.rows(), case).await?;
        allowed.tell(Event::AccessRequested, |entry| of_request(entry, &request));
        Ok(allowed.written(request).await?)
    }

    /// Answers a request. Granting turns the switch on in the same transaction, and so answers all
    /// that were open for the case.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn answer_request(
        &self,
        by: &By,
        case: &CaseId,
        request: &RequestId,
        answer: &Answer,
        now: Now,
    ) -> Result<Answered, WriteError> {
        let granted = matches!(answer, Answer::Grant { .. });
        let mut allowed = self.switching(by, case, granted, now).await?;
        let Some(mut row) = request_of(allowed.rows(), case, request).await? else {
            return Err(allowed.not_found().await);
        };
        if row.state != RequestState::Open || row.expires_at <= now.wall {
            return Err(Conflict::Invalid("the request was answered, withdrawn or lapsed").into());
        }
        match answer {
            Answer::Decline { words: said } => {
                row.answer = Some(words("words", said)?.to_owned());
                let state = RequestState::Declined;
                let request = settle(&mut allowed, row, state, Some(by), now).await?;
                allowed.written(()).await?;
                Ok(Answered { request, switched: None })
            }
            Answer::Grant { until } => {
                let asked = row.seconds.map(|seconds| now.wall.plus(Duration::from_secs(seconds)));
                let until = until.or(asked);
                let ask = SwitchAsk { on: true, until, reason: Some(row.reason.clone()) };
                let switch = wanted(&ask, now)?;
                turn_case(&mut allowed, by, case, &switch, ask.reason.as_deref(), now).await?;
                row.state = RequestState::Granted;
                row.answered_by = Some(by.person.clone());
                row.answered_at = Some(now.wall);
                all_granted(&mut allowed, by, case, now).await?;
                let done = allowed.written(switch).await?;
                let (revision, committed_at) = (done.revision, done.committed_at);
                let switched = Switched { revision, committed_at, switch: done.value };
                Ok(Answered { request: row, switched: Some(switched) })
            }
        }
    }

    /// Takes one's own request back.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn withdraw_request(
        &self,
        by: &By,
        case: &CaseId,
        request: &RequestId,
        now: Now,
    ) -> Result<Written<()>, WriteError> {
        let mut allowed = self.acting(by, case, Action::ReadCase(case.clone()), now).await?;
        let found = request_of(allowed.rows(), case, request).await?;
        let Some(row) = found.filter(|row| row.person == by.person) else {
            return Err(allowed.not_found().await);
        };
        if row.state != RequestState::Open {
            return Err(Conflict::Invalid("the request was answered or has lapsed").into());
        }
        settle(&mut allowed, row, RequestState::Withdrawn, Some(by), now).await?;
        Ok(allowed.written(()).await?)
    }

    /// The requests of cases that `who` may read, newest first; `None` where `who` may not read the
    /// one case that is asked about.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn access_requests(
        &self,
        who: &PersonId,
        filter: &RequestFilter,
        page: &Page,
        now: Now,
    ) -> Result<Option<Listed<RequestSheet>>, StoreError> {
        let mut reading = self.reading().await?;
        if let Some(case) = &filter.case {
            let subject = Subject::case(who.clone(), case.clone());
            let action = Action::ReadCase(case.clone());
            if !self.allows(&mut reading, &subject, action, now.wall).await? {
                return Ok(None);
            }
        }
        let Some(visible) = Visible::to(self, &mut reading, who).await? else {
            return Ok(Some(Listed { items: Vec::new(), next: None }));
        };
        let mut sql = QueryBuilder::new(SHEETS);
        // Sorts after every id.
        let before = page.after.clone().unwrap_or_else(|| "~".to_owned());
        sql.push("WHERE r.id < ").push_bind(before);
        if let Some(case) = &filter.case {
            sql.push(" AND r.case_id = ").push_bind(case.to_string());
        } else {
            sql.push(" AND c.number IN (");
            let asked = "c.id IN (SELECT case_id FROM access_requests) AND ";
            let narrow = |sql: &mut QueryBuilder<Sqlite>| {
                sql.push(asked);
            };
            visible.push(&mut sql, narrow, |_| {});
            sql.push(")");
        }
        if filter.open {
            sql.push(" AND r.state = 'open' AND r.expires_at > ").push_bind(now.wall.0);
        }
        sql.push(" ORDER BY r.id DESC LIMIT ");
        sql.push_bind(i64::try_from(page.size()).unwrap_or(1));
        let rows = sql.build().fetch_all(&mut *reading).await?;
        let items: Vec<RequestSheet> = rows
            .iter()
            .map(|row| sheet_in(&Cells::of("access_requests", row), now.wall))
            .collect::<Result<_, _>>()?;
        let last = items.last().filter(|_| items.len() == page.size());
        let next = last.map(|last| last.request.id.to_string());
        Ok(Some(Listed { items, next }))
    }

    /// Lets `by` do something about a case.
    async fn acting(
        &self,
        by: &By,
        case: &CaseId,
        action: Action,
        now: Now,
    ) -> Result<Allowed, WriteError> {
        let subject = Subject::case(by.person.clone(), case.clone());
        let object = Some(format!("case/{case}"));
        let ask = Ask { by, subject, refused: Event::Refused, object, now };
        self.judged(ask, |_| action).await
    }
}

const SHEETS: &str = "\
    SELECT r.*, c.title, p.name AS person_name, a.name AS answered_by_name \
    FROM access_requests r JOIN cases c ON c.id = r.case_id JOIN people p ON p.id = r.person \
    LEFT JOIN people a ON a.id = r.answered_by ";

/// The switch went on: what was asked for is so.
pub(super) async fn all_granted(
    allowed: &mut Allowed,
    by: &By,
    case: &CaseId,
    now: Now,
) -> Result<(), StoreError> {
    for request in open_on(allowed.rows(), case).await? {
        let (state, who) = if request.expires_at > now.wall {
            (RequestState::Granted, Some(by))
        } else {
            (RequestState::Lapsed, None)
        };
        settle(allowed, request, state, who, now).await?;
    }
    Ok(())
}

/// The case is closed: nobody waits for its switch any more.
pub(super) async fn all_lapsed(
    allowed: &mut Allowed,
    case: &CaseId,
    now: Now,
) -> Result<(), StoreError> {
    for request in open_on(allowed.rows(), case).await? {
        settle(allowed, request, RequestState::Lapsed, None, now).await?;
    }
    Ok(())
}

/// Whoever asked is gone: nobody waits for the answers any more.
pub(super) async fn all_withdrawn(
    allowed: &mut Allowed,
    by: &By,
    person: &PersonId,
    now: Now,
) -> Result<(), StoreError> {
    let rows = sqlx::query("SELECT * FROM access_requests WHERE person = $1 AND state = 'open'")
        .bind(person.as_str())
        .fetch_all(allowed.rows())
        .await?;
    for row in &rows {
        let request = request_in(&Cells::of("access_requests", row))?;
        settle(allowed, request, RequestState::Withdrawn, Some(by), now).await?;
    }
    Ok(())
}

/// Ends an open request, with its record.
async fn settle(
    allowed: &mut Allowed,
    request: AccessRequest,
    state: RequestState,
    by: Option<&By>,
    now: Now,
) -> Result<AccessRequest, StoreError> {
    let event = match state {
        RequestState::Granted => Event::AccessGranted,
        RequestState::Declined => Event::AccessDeclined,
        RequestState::Withdrawn => Event::AccessWithdrawn,
        RequestState::Open | RequestState::Lapsed => Event::AccessLapsed,
    };
    let answered_by = by.map(|by| by.person.clone());
    let request = AccessRequest { state, answered_by, answered_at: Some(now.wall), ..request };
    write_answer(allowed.rows(), &request).await?;
    places::set_clocks_of_case(allowed.rows(), &request.case).await?;
    allowed.tell(event, |entry| of_request(entry, &request));
    Ok(request)
}

/// Writes down which requests were not answered in time; returns how many.
pub(super) async fn lapse_late(
    act: &mut Act,
    gateway: &GatewayId,
    now: Now,
) -> Result<usize, StoreError> {
    let rows = sqlx::query(
        "UPDATE access_requests SET state = 'lapsed', answered_at = $1 \
         WHERE state = 'open' AND expires_at <= $1 RETURNING *",
    )
    .bind(now.wall.0)
    .fetch_all(act.rows())
    .await?;
    for row in &rows {
        let request = request_in(&Cells::of("access_requests", row))?;
        let mut entry = by_gateway(now.wall, gateway, Event::AccessLapsed);
        of_request(&mut entry, &request);
        act.tell(entry);
        places::set_clocks_of_case(act.rows(), &request.case).await?;
    }
    Ok(rows.len())
}

fn of_request(entry: &mut Entry, request: &AccessRequest) {
    entry.object = Some(format!("request/{}", request.id));
    entry.case = Some(request.case.clone());
    let lasting = request.seconds.map_or("until turned off".to_owned(), |s| format!("for {s} s"));
    entry.new = Some(format!("{} {lasting}", request.person));
    entry.reason = Some(request.answer.clone().unwrap_or_else(|| request.reason.clone()));
}

/// Words of a person, trimmed.
fn words<'t>(field: &'static str, text: &'t str) -> Result<&'t str, Conflict> {
    let text = text.trim();
    if text.is_empty() || text.len() > WORDS_BYTES_MAX {
        return Err(Conflict::field(field, "it has 1 to 1,024 bytes"));
    }
    Ok(text)
}

async fn insert(conn: &mut SqliteConnection, request: &AccessRequest) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO access_requests (id, case_id, person, tenant, reason, seconds, asked_at, \
                                      expires_at, state) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(request.id.as_str())
    .bind(request.case.as_str())
    .bind(request.person.as_str())
    .bind(request.tenant.as_str())
    .bind(&request.reason)
    .bind(request.seconds.map(kept))
    .bind(request.asked_at.0)
    .bind(request.expires_at.0)
    .bind(code(&request.state))
    .execute(conn)
    .await?;
    Ok(())
}

async fn write_answer(
    conn: &mut SqliteConnection,
    request: &AccessRequest,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE access_requests SET state = $2, answered_by = $3, answered_at = $4, answer = $5 \
         WHERE id = $1",
    )
    .bind(request.id.as_str())
    .bind(code(&request.state))
    .bind(request.answered_by.as_ref().map(PersonId::as_str))
    .bind(request.answered_at.map(|at| at.0))
    .bind(&request.answer)
    .execute(conn)
    .await?;
    Ok(())
}

/// The requests that wait for an answer on a case, the oldest first.
pub(super) async fn open_on(
    conn: &mut SqliteConnection,
    case: &CaseId,
) -> Result<Vec<AccessRequest>, StoreError> {
    let rows = sqlx::query(
        "SELECT * FROM access_requests WHERE case_id = $1 AND state = 'open' ORDER BY id",
    )
    .bind(case.as_str())
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| request_in(&Cells::of("access_requests", row))).collect()
}

async fn request_of(
    conn: &mut SqliteConnection,
    case: &CaseId,
    request: &RequestId,
) -> Result<Option<AccessRequest>, StoreError> {
    let row = sqlx::query("SELECT * FROM access_requests WHERE id = $1 AND case_id = $2")
        .bind(request.as_str())
        .bind(case.as_str())
        .fetch_optional(conn)
        .await?;
    row.map(|row| request_in(&Cells::of("access_requests", &row))).transpose()
}

/// A request as it counts now: one whose time is up has lapsed.
fn sheet_in(cells: &Cells<'_>, now: Wall) -> Result<RequestSheet, StoreError> {
    let mut request = request_in(cells)?;
    if request.state == RequestState::Open && request.expires_at <= now {
        request.state = RequestState::Lapsed;
    }
    Ok(RequestSheet {
        request,
        title: cells.text("title")?,
        person_name: cells.text("person_name")?,
        answered_by_name: cells.text_or_none("answered_by_name")?,
    })
}

fn request_in(cells: &Cells<'_>) -> Result<AccessRequest, StoreError> {
    let seconds = match cells.wall_or_none("seconds")? {
        Some(_) => Some(cells.count("seconds")?),
        None => None,
    };
    Ok(AccessRequest {
        id: cells.id("id")?,
        case: cells.id("case_id")?,
        person: cells.id("person")?,
        tenant: cells.id("tenant")?,
        reason: cells.text("reason")?,
        seconds,
        asked_at: cells.wall("asked_at")?,
        expires_at: cells.wall("expires_at")?,
        state: cells.code("state")?,
        answered_by: cells.id_or_none("answered_by")?,
        answered_at: cells.wall_or_none("answered_at")?,
        answer: cells.text_or_none("answer")?,
    })
}
