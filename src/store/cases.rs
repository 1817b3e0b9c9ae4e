//! Cases: created, moved, assigned, edited. Their switch, their lists and their rows are below.

mod change;
mod external;
mod list;
mod put;
mod rows;
mod switch;
mod visible;
mod widened;

use sqlx::SqliteConnection;

pub use change::{CaseChange, Edit};
pub use list::CaseFilter;
pub use put::{Put, PutCase};
pub use rows::{CaseNames, CaseSheet, Turn};
pub(super) use rows::{case_of, insert_case};
pub use switch::SwitchAsk;
pub(super) use switch::{WORDS_BYTES_MAX, switch_told, turn_case, turned, wanted};
pub(super) use visible::Visible;

use super::{
    By, Conflict, Object, Store, StoreError, Subject, WriteError, Written,
    act::{Allowed, Ask},
    machines, organisations,
    rows::{Cells, code},
};
use crate::{
    audit::Event,
    authz::{Action, Facts},
    cases::{Case, CaseType, Details, Kind, State, Switch},
    clock::Now,
    ids::{AssetId, CaseId, MachineId, OrganisationId, PersonId, Revision},
    machines::Link,
    tenancy::Side,
};

/// A case that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCase {
    pub case_type: CaseType,
    pub about: About,
    pub title: String,
    pub details: Details,
    /// For which of the author's organisations; who belongs to several must say (domain.md G3-7).
    pub organisation: Option<OrganisationId>,
}

/// What a case is about: an asset, or a provider's customer machine. A provider names a shared case's
/// machine either way: once it is linked they are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    Asset(AssetId),
    Machine(MachineId),
}

impl Store {
    /// Creates a case; its switch is off. An operator says how hard production is hit (domain.md A,
    /// "Severity").
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
        change::title(&new.title)?;
        change::fits(&new.details)?;
        let subject = self.about(new, &by.person).await?;
        let ask = Ask { by, subject, refused: Event::Refused, object: None, now };
        let allowed = self.judged(ask, |_| Action::CreateCase(new.case_type)).await?;
        let (allowed, case) = opened(allowed, by, new, now).await?;
        Ok(allowed.written(case).await?)
    }

    /// What a new case is about, as the decision reads it.
    async fn about(&self, new: &NewCase, who: &PersonId) -> Result<Subject, WriteError> {
        let mut subject = Subject::of(who.clone());
        match (new.case_type, &new.about) {
            (CaseType::Shared | CaseType::OperatorInternal, About::Asset(asset)) => {
                subject.asset = Some(asset.clone());
            }
            (CaseType::ProviderInternal, About::Machine(machine)) => {
                subject.machine = Some(machine.clone());
            }
            (CaseType::Shared, About::Machine(machine)) => {
                let mut reading = self.reading().await?;
                let link = machines::machine_of(&mut reading, machine).await?.map(|one| one.link);
                match link {
                    Some(Link::Linked { asset }) => subject.asset = Some(asset),
                    Some(Link::Proposed { .. } | Link::New) | None => {
                        subject.machine = Some(machine.clone());
                    }
                }
            }
            (CaseType::ProviderInternal, About::Asset(_)) => {
                let what = "a provider-internal case is about a machine";
                return Err(Conflict::field("asset", what).into());
            }
            (CaseType::OperatorInternal, About::Machine(_)) => {
                let what = "an operator-internal case is about an asset";
                return Err(Conflict::field("machine", what).into());
            }
        }
        Ok(subject)
    }
}

/// Writes the case that was judged.
async fn opened(
    mut allowed: Allowed,
    by: &By,
    new: &NewCase,
    now: Now,
) -> Result<(Allowed, Case), WriteError> {
    if allowed.grant.side() == Some(Side::Operator) && new.details.severity.is_none() {
        let what = "say how hard production is hit: stopped, degraded or running";
        return Err(Conflict::field("severity", what).into());
    }
    let found = (kind(new.case_type, &allowed.facts), allowed.tenant().cloned());
    let (Some(kind), Some(tenant)) = found else { return Err(allowed.not_found().await) };
    let number = next_number(allowed.rows()).await?;
    let case = Case {
        id: numbered(number)?,
        title: change::title(&new.title)?,
        kind,
        state: State::New,
        created_by: by.person.clone(),
        assignee: None,
        created_at: now.wall,
        closed_at: None,
    };
    insert_case(allowed.rows(), number, &case).await?;
    change::first_details(&mut allowed, &tenant, &case, &new.details).await?;
    let (rows, said) = (allowed.rows(), new.organisation.as_ref());
    organisations::raise(rows, &by.person, &tenant, &case.id, said).await?;
    told(&mut allowed, &case, Event::CaseCreated, None, Some(code(&new.case_type)));
    Ok((allowed, case))
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

/// Refuses where the caller has seen another revision than the one that stands: somebody was faster.
pub(super) async fn still_at(
    allowed: &mut Allowed,
    case: &CaseId,
    seen: Option<Revision>,
) -> Result<(), WriteError> {
    let Some(seen) = seen else { return Ok(()) };
    let now = rows::revision_of(allowed.rows(), case).await?;
    if now == seen { Ok(()) } else { Err(Conflict::Stale { expected: seen, found: now }.into()) }
}

/// Has a change of the case recorded.
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
