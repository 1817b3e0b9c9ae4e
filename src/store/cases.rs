//! Cases and their switch.

use sqlx::SqliteConnection;

use super::{
    By, Conflict, Listed, Object, Page, Store, StoreError, Subject, Switched, WriteError, Written,
    act::{Allowed, Ask},
    rows::{Cells, code},
};
use crate::{
    audit::Event,
    authz::{Action, Facts},
    cases::{Case, CaseType, Kind, State, Switch},
    clock::{Now, Wall},
    ids::{AssetId, CaseId, MachineId, PersonId, TenantId},
};

/// A title at most, in bytes.
const TITLE_BYTES_MAX: usize = 200;
/// A reason in a person's own words at most, in bytes.
const WORDS_BYTES_MAX: usize = 1024;
/// Batches that one page reads at most; a page may be short, and still name where the next begins.
const BATCHES_MAX: usize = 8;

/// A case that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCase {
    pub case_type: CaseType,
    pub about: About,
    pub title: String,
}

/// What a case is about: an asset, or for a provider-internal one a customer machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    Asset(AssetId),
    Machine(MachineId),
}

/// How a switch should stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwitchAsk {
    pub on: bool,
    pub until: Option<Wall>,
    pub reason: Option<String>,
}

/// Which cases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaseFilter {
    pub case_type: Option<CaseType>,
    pub state: Option<State>,
    pub asset: Option<AssetId>,
    /// Text in the title or the id, case folded.
    pub text: Option<String>,
}

impl Store {
    /// Creates a case; its switch is off.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn create_case(
        &self,
        by: &By,
        new: &NewCase,
        now: Now,
    ) -> Result<Written<Case>, WriteError> {
        let title = new.title.trim();
        if title.is_empty() || title.len() > TITLE_BYTES_MAX {
            return Err(Conflict::Invalid("a title has 1 to 200 bytes").into());
        }
        let subject = new.subject(&by.person)?;
        let ask = Ask { by, subject, refused: Event::Refused, object: None, now };
        let mut allowed = self.judged(ask, |_| Action::CreateCase(new.case_type)).await?;
        let Some(kind) = kind(new.case_type, &allowed.facts) else {
            return Err(allowed.not_found().await);
        };
        let number = next_number(allowed.rows()).await?;
        let case = Case {
            id: numbered(number)?,
            title: title.to_owned(),
            kind,
            state: State::New,
            created_by: by.person.clone(),
            assignee: None,
            created_at: now.wall,
            closed_at: None,
        };
        insert_case(allowed.rows(), number, &case).await?;
        told(&mut allowed, &case, Event::CaseCreated, None, Some(code(&new.case_type)));
        Ok(allowed.written(case).await?)
    }

    /// Moves a case to `state`. Closing turns its switch off in the same transaction; reopening
    /// leaves it off.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn change_case_state(
        &self,
        by: &By,
        case: &CaseId,
        state: State,
        now: Now,
    ) -> Result<Written<Case>, WriteError> {
        let action = Action::ChangeState(case.clone());
        let (mut allowed, old) = self.on_case(by, case, None, action, now).await?;
        let mut new = Case { state, ..old.clone() };
        new.closed_at = match state {
            State::Closed => old.closed_at.or(Some(now.wall)),
            State::New | State::InProgress => None,
        };
        let was_on = old.switch().is_some_and(|switch| switch.on);
        if state == State::Closed {
            new.set_switch(Switch::default());
        }
        write_case(allowed.rows(), &new).await?;
        let event = match (old.state, state) {
            (_, State::Closed) => Event::CaseClosed,
            (State::Closed, State::New | State::InProgress) => Event::CaseReopened,
            (State::New | State::InProgress, _) => Event::CaseStateChanged,
        };
        told(&mut allowed, &new, event, Some(code(&old.state)), Some(code(&state)));
        if was_on && state == State::Closed {
            allowed.tell(Event::SwitchOff, |entry| {
                entry.object = Some(format!("case/{case}"));
                entry.reason = Some("case_closed".to_owned());
            });
        }
        Ok(allowed.written(new).await?)
    }

    /// Gives a case to somebody, or to nobody.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn assign_case(
        &self,
        by: &By,
        case: &CaseId,
        to: Option<&PersonId>,
        now: Now,
    ) -> Result<Written<Case>, WriteError> {
        let action = match to {
            Some(_) => Action::Assign(case.clone()),
            None => Action::Unassign(case.clone()),
        };
        let (mut allowed, old) = self.on_case(by, case, to, action, now).await?;
        let new = Case { assignee: to.cloned(), ..old.clone() };
        write_case(allowed.rows(), &new).await?;
        let name = |person: &Option<PersonId>| person.as_ref().map(ToString::to_string);
        let (was, is) = (name(&old.assignee), name(&new.assignee));
        told(&mut allowed, &new, Event::AssigneeChanged, was, is);
        Ok(allowed.written(new).await?)
    }

    /// Turns a case's switch.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn switch_case(
        &self,
        by: &By,
        case: &CaseId,
        ask: &SwitchAsk,
        now: Now,
    ) -> Result<Switched, WriteError> {
        let switch = wanted(ask, now)?;
        let subject = Subject::case(by.person.clone(), case.clone());
        let object = Some(format!("case/{case}"));
        let asked = Ask { by, subject, refused: Event::SwitchRefused, object, now };
        let action = Action::SwitchCase { case: case.clone(), on: ask.on };
        let mut allowed = self.judged(asked, |_| action).await?;
        let Some(mut row) = allowed.facts.case.clone() else {
            return Err(allowed.not_found().await);
        };
        let old = row.switch().cloned().unwrap_or_default();
        row.set_switch(switch.clone());
        write_case(allowed.rows(), &row).await?;
        allowed.touch(Object::Case(case.clone()));
        switch_told(&mut allowed, &old, &switch, ask.reason.as_deref());
        let done = allowed.written(switch).await?;
        Ok(Switched {
            revision: done.revision,
            committed_at: done.committed_at,
            switch: done.value,
        })
    }

    /// The case, if `who` may read it.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn case(
        &self,
        who: &PersonId,
        case: &CaseId,
        now: Now,
    ) -> Result<Option<Case>, StoreError> {
        let mut reading = self.reading().await?;
        let subject = Subject::case(who.clone(), case.clone());
        let action = Action::ReadCase(case.clone());
        if self.allows(&mut reading, &subject, action, now.wall).await? {
            case_of(&mut reading, case).await
        } else {
            Ok(None)
        }
    }

    /// The cases that `who` may read, newest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn cases(
        &self,
        who: &PersonId,
        filter: &CaseFilter,
        page: &Page,
        now: Now,
    ) -> Result<Listed<Case>, StoreError> {
        let mut reading = self.reading().await?;
        let mut before = match &page.after {
            Some(after) => after.parse().unwrap_or(0),
            None => i64::MAX,
        };
        let mut items = Vec::new();
        for _ in 0..BATCHES_MAX {
            let batch = batch(&mut reading, who, filter, before, page.size()).await?;
            let full = batch.len() == page.size();
            for (number, case) in batch {
                if items.len() == page.size() {
                    return Ok(Listed { items, next: Some(before.to_string()) });
                }
                let subject = Subject::case(who.clone(), case.id.clone());
                let action = Action::ReadCase(case.id.clone());
                if self.allows(&mut reading, &subject, action, now.wall).await? {
                    items.push(case);
                }
                before = number;
            }
            if !full {
                return Ok(Listed { items, next: None });
            }
        }
        Ok(Listed { items, next: Some(before.to_string()) })
    }
}

impl Store {
    /// Lets `by` act on a case; gives the case as it stands.
    async fn on_case(
        &self,
        by: &By,
        case: &CaseId,
        assignee: Option<&PersonId>,
        action: Action,
        now: Now,
    ) -> Result<(Allowed, Case), WriteError> {
        let mut subject = Subject::case(by.person.clone(), case.clone());
        subject.assignee = assignee.cloned();
        let object = Some(format!("case/{case}"));
        let ask = Ask { by, subject, refused: Event::Refused, object, now };
        let allowed = self.judged(ask, |_| action).await?;
        match allowed.facts.case.clone() {
            Some(found) => Ok((allowed, found)),
            None => Err(allowed.not_found().await),
        }
    }
}

impl NewCase {
    fn subject(&self, who: &PersonId) -> Result<Subject, Conflict> {
        let mut subject = Subject::of(who.clone());
        match (self.case_type, &self.about) {
            (CaseType::Shared | CaseType::OperatorInternal, About::Asset(asset)) => {
                subject.asset = Some(asset.clone());
            }
            (CaseType::ProviderInternal, About::Machine(machine)) => {
                subject.machine = Some(machine.clone());
            }
            (CaseType::ProviderInternal, About::Asset(_)) => {
                return Err(Conflict::Invalid("a provider-internal case is about a machine"));
            }
            (CaseType::Shared | CaseType::OperatorInternal, About::Machine(_)) => {
                return Err(Conflict::Invalid("a case of this type is about an asset"));
            }
        }
        Ok(subject)
    }
}

/// The parties, out of the very rows that the decision read.
fn kind(case_type: CaseType, facts: &Facts) -> Option<Kind> {
    let switch = Switch::default();
    Some(match case_type {
        CaseType::Shared => {
            let (asset, machine) = (facts.asset.as_ref()?, facts.machine.as_ref()?);
            let (operator, provider) = (asset.operator.clone(), machine.provider.clone());
            Kind::Shared { operator, provider, asset: asset.id.clone(), switch }
        }
        CaseType::OperatorInternal => {
            let asset = facts.asset.as_ref()?;
            let operator = asset.operator.clone();
            Kind::OperatorInternal { operator, asset: asset.id.clone(), switch }
        }
        CaseType::ProviderInternal => {
            let machine = facts.machine.as_ref()?;
            let provider = machine.provider.clone();
            Kind::ProviderInternal { provider, machine: machine.id.clone() }
        }
    })
}

/// The switch that `ask` asks for, if there can be one.
pub(super) fn wanted(ask: &SwitchAsk, now: Now) -> Result<Switch, Conflict> {
    if ask.reason.as_ref().is_some_and(|reason| reason.len() > WORDS_BYTES_MAX) {
        return Err(Conflict::Invalid("a reason has 1,024 bytes at most"));
    }
    match (ask.on, ask.until) {
        (false, Some(_)) => Err(Conflict::Invalid("only a switch that is on has an end")),
        (true, Some(until)) if until <= now.wall => {
            Err(Conflict::Invalid("the switch would end before it is on"))
        }
        (on, until) => Ok(Switch { on, until }),
    }
}

/// Has the turning of a switch recorded, the person's own words with it.
pub(super) fn switch_told(allowed: &mut Allowed, old: &Switch, new: &Switch, reason: Option<&str>) {
    let event = if new.on { Event::SwitchOn } else { Event::SwitchOff };
    allowed.tell(event, |entry| {
        entry.old = Some(position(old));
        entry.new = Some(position(new));
        entry.reason = reason.map(str::to_owned);
    });
}

fn position(switch: &Switch) -> String {
    match switch {
        Switch { on: false, .. } => "off".to_owned(),
        Switch { on: true, until: None } => "on".to_owned(),
        Switch { on: true, until: Some(until) } => format!("on until {until}"),
    }
}

fn told(
    allowed: &mut Allowed,
    case: &Case,
    event: Event,
    old: Option<String>,
    new: Option<String>,
) {
    allowed.touch(Object::Case(case.id.clone()));
    allowed.tell(event, |entry| {
        entry.object = Some(format!("case/{}", case.id));
        entry.case = Some(case.id.clone());
        entry.old = old;
        entry.new = new;
    });
}

async fn next_number(conn: &mut SqliteConnection) -> Result<i64, StoreError> {
    let row =
        sqlx::query("UPDATE counters SET value = value + 1 WHERE name = 'case' RETURNING value")
            .fetch_one(conn)
            .await?;
    Cells::of("counters", &row).number("value")
}

fn numbered(number: i64) -> Result<CaseId, StoreError> {
    format!("CASE-{number}").parse().map_err(|fault: crate::ids::InvalidId| {
        StoreError::Unreadable { table: "counters", fault: fault.to_string() }
    })
}

/// The number that a case id ends in, where it is one of ours.
pub(super) fn number_in(case: &CaseId) -> Option<i64> {
    case.as_str().strip_prefix("CASE-")?.parse().ok().filter(|number| *number > 0)
}

/// Numbers the next case after `number`.
pub(super) async fn number_from(
    conn: &mut SqliteConnection,
    number: i64,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE counters SET value = $1 WHERE name = 'case' AND value < $1")
        .bind(number)
        .execute(conn)
        .await?;
    Ok(())
}

pub(super) async fn insert_case(
    conn: &mut SqliteConnection,
    number: i64,
    case: &Case,
) -> Result<(), StoreError> {
    let machine = match &case.kind {
        Kind::ProviderInternal { machine, .. } => Some(machine.as_str()),
        Kind::Shared { .. } | Kind::OperatorInternal { .. } => None,
    };
    let switch = case.switch();
    sqlx::query(
        "INSERT INTO cases (id, number, title, type, operator, provider, asset, machine, state, \
                            switch_on, switch_until, created_by, assignee, created_at, closed_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    )
    .bind(case.id.as_str())
    .bind(number)
    .bind(&case.title)
    .bind(code(&case.case_type()))
    .bind(case.operator().map(TenantId::as_str))
    .bind(case.provider().map(TenantId::as_str))
    .bind(case.asset().map(AssetId::as_str))
    .bind(machine)
    .bind(code(&case.state))
    .bind(switch.map(|switch| i64::from(switch.on)))
    .bind(switch.and_then(|switch| switch.until).map(|until| until.0))
    .bind(case.created_by.as_str())
    .bind(case.assignee.as_ref().map(|person| person.as_str()))
    .bind(case.created_at.0)
    .bind(case.closed_at.map(|at| at.0))
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes what may change of a case; its type and its parties never do.
async fn write_case(conn: &mut SqliteConnection, case: &Case) -> Result<(), StoreError> {
    let switch = case.switch();
    sqlx::query(
        "UPDATE cases SET title = $2, state = $3, switch_on = $4, switch_until = $5, \
                          assignee = $6, closed_at = $7 \
         WHERE id = $1",
    )
    .bind(case.id.as_str())
    .bind(&case.title)
    .bind(code(&case.state))
    .bind(switch.map(|switch| i64::from(switch.on)))
    .bind(switch.and_then(|switch| switch.until).map(|until| until.0))
    .bind(case.assignee.as_ref().map(|person| person.as_str()))
    .bind(case.closed_at.map(|at| at.0))
    .execute(conn)
    .await?;
    Ok(())
}

fn case_in(cells: &Cells<'_>) -> Result<Case, StoreError> {
    let kind = match cells.code("type")? {
        CaseType::Shared => Kind::Shared {
            operator: cells.id("operator")?,
            provider: cells.id("provider")?,
            asset: cells.id("asset")?,
            switch: cells.switch()?,
        },
        CaseType::OperatorInternal => Kind::OperatorInternal {
            operator: cells.id("operator")?,
            asset: cells.id("asset")?,
            switch: cells.switch()?,
        },
        CaseType::ProviderInternal => Kind::ProviderInternal {
            provider: cells.id("provider")?,
            machine: cells.id("machine")?,
        },
    };
    Ok(Case {
        id: cells.id("id")?,
        title: cells.text("title")?,
        kind,
        state: cells.code("state")?,
        created_by: cells.id("created_by")?,
        assignee: cells.id_or_none("assignee")?,
        created_at: cells.wall("created_at")?,
        closed_at: cells.wall_or_none("closed_at")?,
    })
}

pub(super) async fn case_of(
    conn: &mut SqliteConnection,
    case: &CaseId,
) -> Result<Option<Case>, StoreError> {
    let row = sqlx::query("SELECT * FROM cases WHERE id = $1")
        .bind(case.as_str())
        .fetch_optional(conn)
        .await?;
    row.map(|row| case_in(&Cells::of("cases", &row))).transpose()
}

/// Cases below a number to which the tenant of `who` is a party, newest first. Narrow enough to be
/// quick; what `who` may read of them is decided one by one.
async fn batch(
    conn: &mut SqliteConnection,
    who: &PersonId,
    filter: &CaseFilter,
    before: i64,
    size: usize,
) -> Result<Vec<(i64, Case)>, StoreError> {
    let text = filter.text.as_ref().map(|text| text.to_lowercase());
    let rows = sqlx::query(
        "SELECT c.* FROM cases c JOIN people p ON p.id = $1 \
         WHERE (c.operator = p.tenant OR c.provider = p.tenant) AND c.number < $2 \
           AND c.type = COALESCE($3, c.type) AND c.state = COALESCE($4, c.state) \
           AND ($5 = '' OR c.asset = $5) \
           AND ($6 = '' OR LOWER(c.title) LIKE $6 ESCAPE '!' OR LOWER(c.id) LIKE $6 ESCAPE '!') \
         ORDER BY c.number DESC LIMIT $7",
    )
    .bind(who.as_str())
    .bind(before)
    .bind(filter.case_type.map(|one| code(&one)))
    .bind(filter.state.map(|one| code(&one)))
    .bind(filter.asset.as_ref().map_or("", |one| one.as_str()))
    .bind(text.map_or_else(String::new, |text| contains(&text)))
    .bind(i64::try_from(size).unwrap_or(1))
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let cells = Cells::of("cases", row);
            Ok((cells.number("number")?, case_in(&cells)?))
        })
        .collect()
}

/// A pattern for text that is anywhere, whatever is in it.
fn contains(text: &str) -> String {
    format!("%{}%", text.replace('!', "!!").replace('%', "!%").replace('_', "!_"))
}
