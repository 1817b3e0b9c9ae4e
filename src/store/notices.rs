//! Mail to people about records: who hears of one, and what each person chose.
//!
//! A record that people may hear of leaves a notice in its own transaction. Later, in one of its
//! own, the notice becomes mail: one for each person whom the policies let see the case *then* and
//! who wants to be told. So nothing is lost, and whoever lost access in between hears nothing. Who
//! hears of it is found out while others write: of a large company that takes a while. An invitation is told to the address that it is for.

mod audience;

use std::collections::{BTreeMap, BTreeSet};

use sqlx::SqliteConnection;

use self::audience::{Audience, Readers, Told, audiences, is_heard, told};
use super::{Store, StoreError, Subject, cases, machines, outbox, people, rows::Cells, widen};
use crate::{
    audit::{Actor, Event},
    authz::Action,
    cases::Case,
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

/// One message, to somebody or to an address that is nobody's yet.
struct Mail {
    person: Option<PersonId>,
    address: String,
    /// The topic, or what else it is.
    kind: &'static str,
    letter: Letter,
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
        let mut mail = Vec::new();
        if let Some(gateway) = gateway {
            let mut reading = self.reading().await?;
            for record in &waiting {
                mail.extend(self.mail_about(&mut reading, *record, gateway, now).await?);
            }
        }
        let mut act = self.act().await?;
        for one in &mail {
            post(act.rows(), one, now.wall).await?;
        }
        for record in &waiting {
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

    async fn mail_about(
        &self,
        conn: &mut SqliteConnection,
        record: i64,
        gateway: &str,
        now: Now,
    ) -> Result<Vec<Mail>, StoreError> {
        let Some(told) = told(conn, record).await? else {
            return Ok(invitation(conn, record, gateway, now.wall).await?.into_iter().collect());
        };
        match cases::case_of(conn, &told.case).await? {
            Some(case) => self.mail_of(conn, &told, &case, gateway, now).await,
            None => Ok(Vec::new()),
        }
    }

    /// One mail a person at most, under the first topic that is theirs.
    async fn mail_of(
        &self,
        conn: &mut SqliteConnection,
        told: &Told,
        case: &Case,
        gateway: &str,
        now: Now,
    ) -> Result<Vec<Mail>, StoreError> {
        let machine = match case.asset() {
            Some(asset) => name_of(conn, asset).await?,
            None => None,
        };
        let by = match told.actor.strip_prefix("gateway/") {
            Some(_) => "the gateway",
            None => &told.by,
        };
        let (mut mail, mut written) = (Vec::new(), BTreeSet::new());
        for audience in audiences(told, case) {
            let happened = notices::Happening {
                topic: audience.topic,
                said: audience.said,
                case: &case.id,
                title: &case.title,
                machine: machine.as_deref(),
                by,
                at: told.at,
                words: audience.words.as_deref(),
            };
            let letter = happened.letter(gateway);
            for person in candidates(conn, &audience, case).await? {
                let fresh = written.len() < RECIPIENTS_MAX && !written.contains(&person.id);
                if fresh && self.is_told(conn, told, &person, &audience, now).await? {
                    written.insert(person.id.clone());
                    mail.push(Mail {
                        person: Some(person.id),
                        address: person.email,
                        kind: audience.topic.code(),
                        letter: letter.clone(),
                    });
                }
            }
        }
        Ok(mail)
    }

    /// Whether a person may hear of it: allowed to read the case, and not the one who did it.
    async fn is_told(
        &self,
        conn: &mut SqliteConnection,
        told: &Told,
        person: &Person,
        audience: &Audience,
        now: Now,
    ) -> Result<bool, StoreError> {
        if told.actor == Actor::Person(person.id.clone()).to_string() {
            return Ok(false);
        }
        let subject = Subject::case(person.id.clone(), told.case.clone());
        let reads = Action::ReadCase(told.case.clone());
        if !self.allows(conn, &subject, reads, now.wall).await? {
            return Ok(false);
        }
        match &audience.may {
            Some(action) => self.allows(conn, &subject, action.clone(), now.wall).await,
            None => Ok(true),
        }
    }
}

/// Those of an audience who want to be told.
async fn candidates(
    conn: &mut SqliteConnection,
    audience: &Audience,
    case: &Case,
) -> Result<Vec<Person>, StoreError> {
    let mut people = Vec::new();
    match &audience.readers {
        Readers::These(named) => {
            for person in named {
                people.extend(people::person_of(conn, person).await?);
            }
        }
        Readers::Company(tenant) => people = people::active_of(conn, tenant).await?,
        Readers::Members(tenant, _) => people = members_of(conn, tenant, &case.id).await?,
    }
    let mut found = Vec::new();
    for person in people {
        let wants = choices(conn, &person.id).await?.get(&audience.topic) == Some(&true);
        let told = match &audience.readers {
            Readers::These(_) | Readers::Company(_) => wants,
            Readers::Members(_, happening) => {
                wants && fires_for(conn, &person, case, *happening).await?
            }
        };
        if told {
            found.push(person);
        }
    }
    Ok(found)
}

/// A company's people who are in any group, where the case is in one.
async fn members_of(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    case: &CaseId,
) -> Result<Vec<Person>, StoreError> {
    let rows = sqlx::query(
        "SELECT p.id, p.tenant, p.email, p.name, p.active FROM people p \
         WHERE p.tenant = $1 AND p.active = 1 \
           AND EXISTS (SELECT 1 FROM case_places c WHERE c.case_id = $2 AND c.tenant = $1) \
           AND EXISTS (SELECT 1 FROM group_members m WHERE m.person = p.id) ORDER BY p.id",
    )
    .bind(tenant.as_str())
    .bind(case.as_str())
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| people::person_in(&Cells::of("people", row))).collect()
}

/// Whether the group that the case is in, for the person's company, tells its members of it.
async fn fires_for(
    conn: &mut SqliteConnection,
    person: &Person,
    case: &Case,
    happening: Happening,
) -> Result<bool, StoreError> {
    let place = widen::by_groups(conn, person, &case.id).await?;
    let member = place.access.is_some();
    Ok(place.group.is_some_and(|group| fires(happening, group.settings.notices, member)))
}

/// Mail to whoever is invited, unless that is over by now. The token is not in it: the store has only
/// its digest, and whoever invites hands it over.
async fn invitation(
    conn: &mut SqliteConnection,
    record: i64,
    gateway: &str,
    now: Wall,
) -> Result<Option<Mail>, StoreError> {
    let row = sqlx::query(
        "SELECT r.actor_name, i.email, i.customer, i.expires, t.name FROM records r \
         JOIN invitations i ON r.object = 'invitation/' || i.id JOIN tenants t ON t.id = i.tenant \
         WHERE r.seq = $1 AND r.event = $2 AND i.accepted_at IS NULL AND i.expires > $3 \
           AND t.active = 1",
    )
    .bind(record)
    .bind(Event::PersonInvited.code())
    .bind(now.0)
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let cells = Cells::of("invitations", &row);
    let (by, company) = (cells.text("actor_name")?, cells.text("name")?);
    let invited = notices::Invited {
        by: &by,
        company: &company,
        customer: cells.text_or_none("customer")?.is_some(),
        until: cells.wall("expires")?,
    };
    let letter = invited.letter(gateway);
    Ok(Some(Mail { person: None, address: cells.text("email")?, kind: "invitation", letter }))
}

async fn post(conn: &mut SqliteConnection, mail: &Mail, now: Wall) -> Result<(), StoreError> {
    let no = outbox::next_number(conn).await?;
    let id: DeliveryId = super::fresh_id()?;
    sqlx::query(
        "INSERT INTO outbox (no, id, person, address, kind, subject, body, created_at, attempts, \
                             next_at, state) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $8, 'waiting')",
    )
    .bind(no)
    .bind(id.as_str())
    .bind(mail.person.as_ref().map(PersonId::as_str))
    .bind(&mail.address)
    .bind(mail.kind)
    .bind(&mail.letter.subject)
    .bind(&mail.letter.text)
    .bind(now.0)
    .execute(conn)
    .await?;
    Ok(())
}

/// Leaves a notice about the record `seq`, if people may hear of `event`.
pub(super) async fn leave(
    conn: &mut SqliteConnection,
    seq: i64,
    event: Event,
) -> Result<bool, StoreError> {
    let heard = is_heard(event);
    if heard {
        sqlx::query("INSERT INTO notices (record) VALUES ($1)").bind(seq).execute(conn).await?;
    }
    Ok(heard)
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
