//! One write: judged, written, numbered, recorded, committed, published.

use std::net::IpAddr;

use sqlx::{Sqlite, SqliteConnection, Transaction};
use tokio::{sync::OwnedSemaphorePermit, time::timeout};

use super::{
    Change, Object, Store, StoreError, Subject, WriteError, changes, facts, open::TURN_WAIT,
    outbox, records, rows::kept,
};
use crate::{
    audit::{Actor, Entry, Event},
    authz::{Action, Decision, Denial, Facts, Grant, Reason, Request, decide},
    cases::Switch,
    clock::{Now, Wall},
    ids::{PersonId, Revision, TenantId},
};

/// On whose behalf a write is asked for, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    pub person: PersonId,
    pub source_ip: Option<IpAddr>,
}

/// A write that is on disk.
#[derive(Clone, Debug)]
pub struct Written<T> {
    pub value: T,
    pub revision: Revision,
    pub committed_at: Now,
}

/// A switch that was turned.
#[derive(Clone, Debug)]
pub struct Switched {
    pub revision: Revision,
    pub committed_at: Now,
    pub switch: Switch,
}

/// A write under way. Dropped before [`Self::commit`], it was never there.
pub(super) struct Act {
    store: Store,
    tx: Transaction<'static, Sqlite>,
    touched: Vec<Object>,
    told: Vec<Entry>,
    _turn: OwnedSemaphorePermit,
}

impl Act {
    /// The rows. For what people do, get here through [`Allowed::rows`].
    pub(super) fn rows(&mut self) -> &mut SqliteConnection {
        &mut self.tx
    }

    /// Says that decisions which read `object` must be made again.
    pub(super) fn touch(&mut self, object: Object) {
        self.touched.push(object);
    }

    /// Has `entry` recorded with the rows.
    pub(super) fn tell(&mut self, entry: Entry) {
        self.told.push(entry);
    }

    /// Makes it durable, and then known. The revision is `None` where nothing was touched.
    pub(super) async fn commit(mut self) -> Result<(Option<Revision>, Now), StoreError> {
        let mut revision = None;
        if !self.touched.is_empty() {
            let number = changes::number(&mut self.tx, &self.touched).await?;
            mark_cases(&mut self.tx, &self.touched, number).await?;
            revision = Some(number);
        }
        let numbers = records::append(&mut self.tx, &self.told).await?;
        let posted = outbox::post(&mut self.tx, &self.told, &numbers).await?;
        self.tx.commit().await?;
        if posted {
            self.store.0.ring.notify_one();
        }
        if let Some(revision) = revision {
            // Fails when nobody listens, which is no fault.
            let _ = self.store.0.published.send(Change { revision, objects: self.touched });
        }
        Ok((revision, Now::read()))
    }

    /// The same turn from its beginning: what was written in it never was.
    async fn afresh(self) -> Result<Self, StoreError> {
        let Self { store, tx, _turn, .. } = self;
        tx.rollback().await?;
        let tx = store.0.writer.begin_with("BEGIN IMMEDIATE").await?;
        Ok(Self { store, tx, touched: Vec::new(), told: Vec::new(), _turn })
    }

    /// [`Self::commit`] of a change that gives `value`.
    pub(super) async fn written<T>(self, value: T) -> Result<Written<T>, StoreError> {
        let (revision, committed_at) = self.commit().await?;
        Ok(Written { value, revision: revision.unwrap_or_default(), committed_at })
    }
}

/// What is asked for, before it is judged.
pub(super) struct Ask<'a> {
    pub(super) by: &'a By,
    pub(super) subject: Subject,
    /// What a refusal is recorded as.
    pub(super) refused: Event,
    /// The object of a refusal's record.
    pub(super) object: Option<String>,
    pub(super) now: Now,
}

/// A write that was allowed: the way to the rows leads through the grant.
pub(super) struct Allowed {
    act: Act,
    pub(super) grant: Grant,
    pub(super) facts: Facts,
    /// What is known of the record before the deed: who, from where, about what.
    entry: Entry,
    refused: Event,
}

impl Allowed {
    pub(super) fn rows(&mut self) -> &mut SqliteConnection {
        self.act.rows()
    }

    pub(super) fn touch(&mut self, object: Object) {
        self.act.touch(object);
    }

    /// The tenant of who asked.
    pub(super) fn tenant(&self) -> Option<&TenantId> {
        self.facts.tenant.as_ref().map(|tenant| &tenant.id)
    }

    /// Has `event` recorded, with what `more` adds.
    pub(super) fn tell(&mut self, event: Event, more: impl FnOnce(&mut Entry)) {
        let mut entry = Entry { event, ..self.entry.clone() };
        more(&mut entry);
        self.act.tell(entry);
    }

    pub(super) async fn written<T>(self, value: T) -> Result<Written<T>, StoreError> {
        self.act.written(value).await
    }

    /// Another deed on the same objects, in the same write: judged by itself, and refused with all
    /// that was written before.
    pub(super) async fn also(mut self, action: Action) -> Result<Self, WriteError> {
        let Request { who, at, .. } = self.grant.request().clone();
        match decide(Request { who, action, at }, &self.facts) {
            Decision::Allow(grant) => {
                self.entry.role = grant.role().cloned();
                self.grant = grant;
                Ok(self)
            }
            Decision::Deny(denial) => Err(self.denied(denial).await),
        }
    }

    /// Allowed by policy, but the object is another tenant's: refused like one that is not there.
    pub(super) async fn not_found(self) -> WriteError {
        self.denied(Denial { reason: Reason::NotFound, visible: false }).await
    }

    /// Allowed by itself, but not with what it would lead to.
    pub(super) async fn denied(self, denial: Denial) -> WriteError {
        refuse(self.act, self.entry, self.refused, denial).await
    }

    /// Allowed in general, but not this: refused and recorded like any refusal.
    pub(super) async fn refused(self, reason: Reason) -> WriteError {
        refuse(self.act, self.entry, self.refused, Denial { reason, visible: true }).await
    }

    /// Takes it apart for who keeps the grant.
    pub(super) fn into_parts(self) -> (Act, Grant, Facts) {
        (self.act, self.grant, self.facts)
    }
}

impl Store {
    /// Waits for the writer's turn.
    pub(super) async fn act(&self) -> Result<Act, StoreError> {
        let turn = timeout(TURN_WAIT, self.0.turn.clone().acquire_owned())
            .await
            .map_err(|_| StoreError::Busy)?
            .map_err(|_| StoreError::Sql(sqlx::Error::PoolClosed))?;
        self.is_there()?;
        let tx = self.0.writer.begin_with("BEGIN IMMEDIATE").await?;
        Ok(Act { store: self.clone(), tx, touched: Vec::new(), told: Vec::new(), _turn: turn })
    }

    /// Judges within the transaction that will write. A refusal is recorded and committed.
    pub(super) async fn judged(
        &self,
        ask: Ask<'_>,
        action: impl FnOnce(&Facts) -> Action,
    ) -> Result<Allowed, WriteError> {
        let act = self.act().await?;
        self.judged_in(act, ask, action).await
    }

    /// [`Self::judged`], in a write that has begun.
    pub(super) async fn judged_in(
        &self,
        mut act: Act,
        ask: Ask<'_>,
        action: impl FnOnce(&Facts) -> Action,
    ) -> Result<Allowed, WriteError> {
        let facts = facts::load(self, act.rows(), &ask.subject).await?;
        let action = action(&facts);
        let entry = entry(&ask, &facts);
        let request =
            Request { who: ask.by.person.clone(), action: action.clone(), at: ask.now.wall };
        match decide(request, &facts) {
            Decision::Allow(grant) => {
                let entry = Entry { role: grant.role().cloned(), ..entry };
                Ok(Allowed { act, grant, facts, entry, refused: ask.refused })
            }
            Decision::Deny(denial) => Err(refuse(act, entry, ask.refused, denial).await),
        }
    }
}

/// A case stands at the revision of the change that last touched it.
async fn mark_cases(
    conn: &mut SqliteConnection,
    touched: &[Object],
    revision: Revision,
) -> Result<(), StoreError> {
    for object in touched {
        if let Object::Case(case) = object {
            sqlx::query("UPDATE cases SET revision = $2 WHERE id = $1")
                .bind(case.as_str())
                .bind(kept(revision.0))
                .execute(&mut *conn)
                .await?;
        }
    }
    Ok(())
}

/// Records a refusal, and nothing else; that failing is what the caller is told.
async fn refuse(act: Act, entry: Entry, event: Event, denial: Denial) -> WriteError {
    let mut act = match act.afresh().await {
        Ok(act) => act,
        Err(fault) => return WriteError::Store(fault),
    };
    act.tell(Entry { event, done: false, reason: Some(denial.reason.to_string()), ..entry });
    match act.commit().await {
        Ok(_) => WriteError::Denied(denial),
        Err(fault) => WriteError::Store(fault),
    }
}

/// Who acts, from where, about what; `event` is set when it is known.
fn entry(ask: &Ask<'_>, facts: &Facts) -> Entry {
    let mut entry = Entry::new(ask.now.wall, Actor::Person(ask.by.person.clone()), Event::Refused);
    if let Some(person) = &facts.person {
        entry.actor_name.clone_from(&person.name);
        entry.tenant = Some(person.tenant.clone());
    }
    let subject = &ask.subject;
    entry.case.clone_from(&subject.case);
    let asset = facts.asset.as_ref().map(|asset| asset.id.clone());
    entry.asset = asset.or_else(|| subject.asset.clone());
    entry.object.clone_from(&ask.object);
    entry.source_ip = ask.by.source_ip;
    entry.session.clone_from(&subject.session);
    entry
}

/// A deed of the gateway itself.
pub(super) fn by_gateway(at: Wall, gateway: &crate::ids::GatewayId, event: Event) -> Entry {
    Entry::new(at, Actor::Gateway(gateway.clone()), event)
}
