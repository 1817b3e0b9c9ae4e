//! Mail to people about records: who hears of one, and what each person chose.
//!
//! A record that people may hear of leaves a notice in its own transaction. Later, in one of its
//! own, the notice becomes mail: one for each person whom the policies let see the case *then* and
//! who wants to be told. So nothing is lost, writers do not wait for it, and whoever lost access in
//! between hears nothing.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::SqliteConnection;

use super::{
    Store, StoreError, Subject, act::Act, cases, machines, outbox, people, rows::Cells, widen,
};
use crate::{
    audit::{Actor, Event},
    authz::Action,
    cases::{Case, CaseType},
    clock::{Now, Wall},
    groups::{Happening, fires},
    ids::{AssetId, CaseId, DeliveryId, PersonId, TenantId},
    notices::{self, Letter, Topic},
    tenancy::Person,
};

/// Notices that one turn of the sender makes mail of.
const NOTICES_MAX: i64 = 20;
/// People who hear of one record, at most; a company with more of them has a service desk.
const RECIPIENTS_MAX: usize = 200;

/// A record that people are to hear of.
struct Told {
    at: Wall,
    actor: String,
    by: String,
    tenant: Option<TenantId>,
    event: Event,
    case: CaseId,
    new: Option<String>,
    reason: Option<String>,
}

/// Whom a record is for under one topic, before it is asked what each of them may see.
struct Audience {
    topic: Topic,
    /// What happened, as it follows the case's id.
    said: &'static str,
    readers: Readers,
}

enum Readers {
    One(PersonId),
    /// Everybody of a company who may do this.
    Who(TenantId, Action),
    /// Members of the group that the case is in there, by the group's setting (domain.md G1-10).
    Members(TenantId, Happening),
}

impl Store {
    /// What a person is told of by mail.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn notification_choices(
        &self,
        person: &PersonId,
    ) -> Result<BTreeMap<Topic, bool>, StoreError> {
        let mut reading = self.reading().await?;
        choices(&mut reading, person).await
    }

    /// Has a person be told of topics, or not. Everybody's own to say: it gives nobody anything.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn choose_notifications(
        &self,
        person: &PersonId,
        chosen: &BTreeMap<Topic, bool>,
    ) -> Result<(), StoreError> {
        let mut act = self.act().await?;
        for (topic, wanted) in chosen {
            sqlx::query(
                "INSERT INTO notification_choices (person, topic, wanted) VALUES ($1, $2, $3) \
                 ON CONFLICT (person, topic) DO UPDATE SET wanted = excluded.wanted",
            )
            .bind(person.as_str())
            .bind(topic.code())
            .bind(i64::from(*wanted))
            .execute(act.rows())
            .await?;
        }
        act.commit().await?;
        Ok(())
    }

    /// Makes mail of what waits to be told; says whether more waits. Where no mail is sent,
    /// `gateway` is `None`, and the notices are dropped.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; the notices stay.
    pub async fn write_mail(&self, gateway: Option<&str>, now: Now) -> Result<bool, StoreError> {
        let waiting = self.waiting_notices().await?;
        if waiting.is_empty() {
            return Ok(false);
        }
        let mut act = self.act().await?;
        for record in &waiting {
            if let (Some(gateway), Some(told)) = (gateway, told(act.rows(), *record).await?) {
                self.write_about(&mut act, &told, gateway, now).await?;
            }
            sqlx::query("DELETE FROM notices WHERE record = $1")
                .bind(record)
                .execute(act.rows())
                .await?;
        }
        act.commit().await?;
        Ok(waiting.len() >= usize::try_from(NOTICES_MAX).unwrap_or(usize::MAX))
    }

    async fn waiting_notices(&self) -> Result<Vec<i64>, StoreError> {
        let rows = sqlx::query("SELECT record FROM notices ORDER BY record LIMIT $1")
            .bind(NOTICES_MAX)
            .fetch_all(self.readers()?)
            .await?;
        rows.iter().map(|row| Cells::of("notices", row).number("record")).collect()
    }

    /// One mail a person at most, under the first topic that is theirs.
    async fn write_about(
        &self,
        act: &mut Act,
        told: &Told,
        gateway: &str,
        now: Now,
    ) -> Result<(), StoreError> {
        let Some(case) = cases::case_of(act.rows(), &told.case).await? else { return Ok(()) };
        let machine = match case.asset() {
            Some(asset) => name_of(act.rows(), asset).await?,
            None => None,
        };
        let mut written = BTreeSet::new();
        for Audience { topic, said, readers } in audiences(told, &case) {
            let happened = notices::Happening {
                topic,
                said,
                case: &case.id,
                title: &case.title,
                machine: machine.as_deref(),
                by: &told.by,
                at: told.at,
                words: told.reason.as_deref(),
            };
            let letter = happened.letter(gateway);
            for person in candidates(act, readers, &case, topic).await? {
                let id = person.0.id.clone();
                let fresh = written.len() < RECIPIENTS_MAX && !written.contains(&id);
                if fresh && self.is_told(act, told, &case, &person, now).await? {
                    post(act, &person.0, topic, &letter, now.wall).await?;
                    written.insert(id);
                }
            }
        }
        Ok(())
    }

    /// Whether a person may hear of it: allowed to read the case, and not the one who did it.
    async fn is_told(
        &self,
        act: &mut Act,
        told: &Told,
        case: &Case,
        (person, action): &(Person, Option<Action>),
        now: Now,
    ) -> Result<bool, StoreError> {
        if told.actor == Actor::Person(person.id.clone()).to_string() {
            return Ok(false);
        }
        let subject = Subject::case(person.id.clone(), case.id.clone());
        let reads = Action::ReadCase(case.id.clone());
        if !self.allows(act.rows(), &subject, reads, now.wall).await? {
            return Ok(false);
        }
        match action {
            Some(action) => self.allows(act.rows(), &subject, action.clone(), now.wall).await,
            None => Ok(true),
        }
    }
}

/// Those of the readers who want to be told, each with what they must be allowed to do.
async fn candidates(
    act: &mut Act,
    readers: Readers,
    case: &Case,
    topic: Topic,
) -> Result<Vec<(Person, Option<Action>)>, StoreError> {
    let (people, action, happening) = match readers {
        Readers::One(person) => {
            (people::person_of(act.rows(), &person).await?.into_iter().collect(), None, None)
        }
        Readers::Who(tenant, action) => {
            (people::active_of(act.rows(), &tenant).await?, Some(action), None)
        }
        Readers::Members(tenant, happening) => {
            (people::active_of(act.rows(), &tenant).await?, None, Some(happening))
        }
    };
    let mut found = Vec::new();
    for person in people {
        let wanted = choices(act.rows(), &person.id).await?.get(&topic).copied().unwrap_or(false);
        let told = match happening {
            None => wanted,
            Some(happening) => wanted && fires_for(act, &person, case, happening).await?,
        };
        if told {
            found.push((person, action.clone()));
        }
    }
    Ok(found)
}

/// Whether the group that the case is in, for the person's company, tells its members of it.
async fn fires_for(
    act: &mut Act,
    person: &Person,
    case: &Case,
    happening: Happening,
) -> Result<bool, StoreError> {
    let place = widen::by_groups(act.rows(), person, &case.id).await?;
    let member = place.access.is_some();
    Ok(place.group.is_some_and(|group| fires(happening, group.settings.notices, member)))
}

async fn post(
    act: &mut Act,
    person: &Person,
    topic: Topic,
    letter: &Letter,
    now: Wall,
) -> Result<(), StoreError> {
    let no = outbox::next_number(act.rows()).await?;
    let id: DeliveryId = super::fresh_id()?;
    sqlx::query(
        "INSERT INTO outbox (no, id, person, address, kind, subject, body, created_at, attempts, \
                             next_at, state) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $8, 'waiting')",
    )
    .bind(no)
    .bind(id.as_str())
    .bind(person.id.as_str())
    .bind(&person.email)
    .bind(topic.code())
    .bind(&letter.subject)
    .bind(&letter.text)
    .bind(now.0)
    .execute(act.rows())
    .await?;
    Ok(())
}

/// Leaves a notice about the record `seq`, if people may hear of `event`.
pub(super) async fn leave(
    conn: &mut SqliteConnection,
    seq: i64,
    event: Event,
) -> Result<bool, StoreError> {
    let heard = matches!(
        event,
        Event::CaseCreated
            | Event::AssigneeChanged
            | Event::CaseReopened
            | Event::CasePlaced
            | Event::CaseEscalated
    );
    if heard {
        sqlx::query("INSERT INTO notices (record) VALUES ($1)").bind(seq).execute(conn).await?;
    }
    Ok(heard)
}

/// Whom a record is for.
fn audiences(told: &Told, case: &Case) -> Vec<Audience> {
    let mut found = Vec::new();
    let mut add = |topic, said, readers: Option<Readers>| {
        found.extend(readers.map(|readers| Audience { topic, said, readers }));
    };
    if told.event == Event::CaseCreated && case.case_type() == CaseType::Shared {
        let works = Action::ChangeState(case.id.clone());
        let who = case.provider().map(|provider| Readers::Who(provider.clone(), works));
        add(Topic::CaseOpened, "was opened", who);
    }
    if told.event == Event::AssigneeChanged {
        let assignee = told.new.as_ref().and_then(|person| person.parse().ok());
        add(Topic::CaseAssigned, "was assigned to you", assignee.map(Readers::One));
    }
    if told.event == Event::CaseReopened {
        let said = "was opened again";
        add(Topic::CaseReopened, said, case.assignee.clone().map(Readers::One));
        for party in [case.operator(), case.provider()].into_iter().flatten() {
            let members = Readers::Members(party.clone(), Happening::Reopened);
            add(Topic::GroupCase, said, Some(members));
        }
    }
    if told.event == Event::CasePlaced || told.event == Event::CaseEscalated {
        // How a company arranges its own work is told in that company alone.
        let members = told.tenant.clone().map(|own| Readers::Members(own, Happening::Authorised));
        add(Topic::GroupCase, "came into a group of yours", members);
    }
    found
}

async fn told(conn: &mut SqliteConnection, seq: i64) -> Result<Option<Told>, StoreError> {
    let row = sqlx::query(
        "SELECT at, actor, actor_name, tenant, event, case_id, new_value, reason FROM records \
         WHERE seq = $1 AND case_id IS NOT NULL",
    )
    .bind(seq)
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let cells = Cells::of("records", &row);
    Ok(Some(Told {
        at: cells.wall("at")?,
        actor: cells.text("actor")?,
        by: cells.text("actor_name")?,
        tenant: cells.id_or_none("tenant")?,
        event: cells.code("event")?,
        case: cells.id("case_id")?,
        new: cells.text_or_none("new_value")?,
        reason: cells.text_or_none("reason")?,
    }))
}

async fn name_of(
    conn: &mut SqliteConnection,
    asset: &AssetId,
) -> Result<Option<String>, StoreError> {
    Ok(machines::asset_of(conn, asset).await?.map(|asset| asset.name))
}

async fn choices(
    conn: &mut SqliteConnection,
    person: &PersonId,
) -> Result<BTreeMap<Topic, bool>, StoreError> {
    let mut all: BTreeMap<Topic, bool> =
        Topic::ALL.into_iter().map(|topic| (topic, topic.wanted_at_first())).collect();
    let rows = sqlx::query("SELECT topic, wanted FROM notification_choices WHERE person = $1")
        .bind(person.as_str())
        .fetch_all(conn)
        .await?;
    for row in &rows {
        let cells = Cells::of("notification_choices", row);
        let topic = cells.text("topic")?;
        // A topic of another version is nobody's.
        if let Some(topic) = Topic::ALL.into_iter().find(|one| one.code() == topic) {
            all.insert(topic, cells.flag("wanted")?);
        }
    }
    Ok(all)
}
