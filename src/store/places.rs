//! The group that a case is in, and how it moves on.
//!
//! ```text
//!   (no group) ── a dispatcher ──> A ── a write member ──> B ── where B allows it ──> (no group)
//!                                  └─ nobody takes it up for N working hours: the gateway ──> C
//! ```
//!
//! The operator's group answers for requests for remote access as well: one that nobody answers for N
//! working hours moves the case on, whoever works on it (domain.md G1-8).
//!
//! Each party of a case has groups of its own: what one company does with a case is not the other's
//! to see (INF).

use sqlx::SqliteConnection;

use super::{
    By, Conflict, Object, Store, StoreError, Subject, WriteError, Written,
    act::{Act, Ask, by_gateway},
    cases::case_of,
    groups::{Group, group_in, group_of},
    requests,
    rows::Cells,
    widen::{ByGroups, by_groups},
};
use crate::{
    audit::{Entry, Event},
    authz::{Action, Reason},
    cases::State,
    clock::{Now, Wall},
    groups::{Place, due, place, unanswered},
    ids::{CaseId, GatewayId, GroupId, TenantId},
};

/// Cases that one transaction moves on at most.
const BATCH: i64 = 200;

/// Where a case is, for one of its parties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    pub group: GroupId,
    pub name: String,
    pub since: Wall,
    /// When it moves on, unless somebody takes it up.
    pub due: Option<Wall>,
    /// When it moves on, unless somebody answers the request for remote access that waits.
    pub request_due: Option<Wall>,
}

/// Why the gateway moves a case on that somebody may have taken up: in its record.
pub(super) const UNANSWERED: &str = "request_unanswered";

impl Store {
    /// Where a case is for `tenant`, whoever asks: for those who were shown the case.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn case_place(
        &self,
        tenant: &TenantId,
        case: &CaseId,
    ) -> Result<Option<Placed>, StoreError> {
        let row = sqlx::query(
            "SELECT p.grp, g.name, p.since, p.due, p.request_due \
             FROM case_places p JOIN resource_groups g ON g.id = p.grp \
             WHERE p.case_id = $1 AND p.tenant = $2",
        )
        .bind(case.as_str())
        .bind(tenant.as_str())
        .fetch_optional(self.readers()?)
        .await?;
        row.map(|row| {
            let cells = Cells::of("case_places", &row);
            let (group, name) = (cells.id("grp")?, cells.text("name")?);
            Ok(Placed {
                group,
                name,
                since: cells.wall("since")?,
                due: cells.wall_or_none("due")?,
                request_due: cells.wall_or_none("request_due")?,
            })
        })
        .transpose()
    }

    /// Puts a case into a group of the own company, or takes it out.
    ///
    /// Policy says whether the case can be read at all; who may move it is the groups' own rule
    /// ([`place`]), which opens nothing but reading and commenting.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn place_case(
        &self,
        by: &By,
        case: &CaseId,
        to: Option<&GroupId>,
        now: Now,
    ) -> Result<Written<()>, WriteError> {
        let subject = Subject::case(by.person.clone(), case.clone());
        let object = Some(format!("case/{case}"));
        let ask = Ask { by, subject, refused: Event::Refused, object, now };
        let mut allowed = self.judged(ask, |_| Action::ReadCase(case.clone())).await?;
        let facts = (allowed.facts.person.clone(), allowed.facts.case.clone());
        let (Some(person), Some(row)) = facts else { return Err(allowed.not_found().await) };
        let old = by_groups(allowed.rows(), &person, case).await?;
        let new = match to {
            Some(to) => group_of(allowed.rows(), to).await?,
            None => None,
        };
        if to.is_some() && new.as_ref().is_none_or(|one| one.tenant != person.tenant) {
            return Err(Conflict::Invalid("group names no group of your company").into());
        }
        if old.group.as_ref().map(|one| &one.id) == to {
            return Ok(allowed.written(()).await?);
        }
        if place(&old.duties, way(&old, new.as_ref())).is_err() {
            return Err(allowed.refused(Reason::Role).await);
        }
        write_place(allowed.rows(), case, &person.tenant, new.as_ref(), row.state, now.wall)
            .await?;
        allowed.touch(Object::Case(case.clone()));
        allowed.tell(Event::CasePlaced, |entry| {
            entry.object = Some(format!("case/{case}"));
            entry.old = old.group.map(|one| one.name);
            entry.new = new.map(|one| one.name);
        });
        Ok(allowed.written(()).await?)
    }

    /// Moves on what is due, and says when the next is; `None`: nothing is.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn escalate(
        &self,
        gateway: &GatewayId,
        now: Wall,
    ) -> Result<Option<Wall>, StoreError> {
        let next = self.next_escalation().await?;
        if next.is_none_or(|next| next > now) {
            return Ok(next);
        }
        let mut act = self.act().await?;
        let rows = sqlx::query(
            "SELECT case_id, tenant, grp, due FROM case_places \
             WHERE due <= $1 OR request_due <= $1 ORDER BY case_id, tenant LIMIT $2",
        )
        .bind(now.0)
        .bind(BATCH)
        .fetch_all(act.rows())
        .await?;
        for row in &rows {
            let cells = Cells::of("case_places", row);
            let late = Late {
                case: cells.id("case_id")?,
                tenant: cells.id("tenant")?,
                from: cells.id("grp")?,
                taken_up: cells.wall_or_none("due")?.is_none_or(|due| due > now),
            };
            move_on(&mut act, gateway, &late, now).await?;
        }
        act.commit().await?;
        self.next_escalation().await
    }

    async fn next_escalation(&self) -> Result<Option<Wall>, StoreError> {
        let row = sqlx::query(
            "SELECT MIN(at) AS due FROM \
             (SELECT MIN(due) AS at FROM case_places WHERE due IS NOT NULL \
              UNION ALL \
              SELECT MIN(request_due) FROM case_places WHERE request_due IS NOT NULL) AS clocks",
        )
        .fetch_one(self.readers()?)
        .await?;
        Cells::of("case_places", &row).wall_or_none("due")
    }
}

/// A case whose time in a group is up.
struct Late {
    case: CaseId,
    tenant: TenantId,
    from: GroupId,
    /// Somebody has it: it is a request that nobody answered.
    taken_up: bool,
}

/// One case from the group where nobody acted to the one that this escalates to.
async fn move_on(
    act: &mut Act,
    gateway: &GatewayId,
    Late { case, tenant, from, taken_up }: &Late,
    now: Wall,
) -> Result<(), StoreError> {
    let old = group_of(act.rows(), from).await?;
    let to = match old.as_ref().and_then(|old| old.settings.escalation.to()) {
        Some(to) => group_of(act.rows(), to).await?,
        None => None,
    };
    let row = case_of(act.rows(), case).await?;
    let (Some(old), Some(to), Some(row)) = (old, to, row) else {
        let sql = "UPDATE case_places SET due = NULL, request_due = NULL \
                   WHERE case_id = $1 AND tenant = $2";
        sqlx::query(sql).bind(case.as_str()).bind(tenant.as_str()).execute(act.rows()).await?;
        return Ok(());
    };
    write_place(act.rows(), case, tenant, Some(&to), row.state, now).await?;
    act.touch(Object::Case(case.clone()));
    act.tell(Entry {
        tenant: Some(tenant.clone()),
        case: Some(case.clone()),
        object: Some(format!("case/{case}")),
        old: Some(old.name),
        new: Some(to.name),
        reason: taken_up.then(|| UNANSWERED.to_owned()),
        ..by_gateway(now, gateway, Event::CaseEscalated)
    });
    Ok(())
}

fn way<'a>(old: &'a ByGroups, new: Option<&Group>) -> Place<'a> {
    match (&old.group, new) {
        (None, _) => Place::In,
        (Some(_), Some(_)) => Place::On(old.access),
        // The setting is a permission of the group: it counts for its own members (G1-3).
        (Some(group), None) => Place::Out(old.own_access, &group.settings),
    }
}

async fn write_place(
    conn: &mut SqliteConnection,
    case: &CaseId,
    tenant: &TenantId,
    group: Option<&Group>,
    state: State,
    now: Wall,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM case_places WHERE case_id = $1 AND tenant = $2")
        .bind(case.as_str())
        .bind(tenant.as_str())
        .execute(&mut *conn)
        .await?;
    let Some(group) = group else { return Ok(()) };
    sqlx::query(
        "INSERT INTO case_places (case_id, tenant, grp, since, taken_up) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(case.as_str())
    .bind(tenant.as_str())
    .bind(group.id.as_str())
    .bind(now.0)
    .bind(i64::from(state != State::New))
    .execute(&mut *conn)
    .await?;
    set_clocks_of_case(conn, case).await
}

/// Sets the clocks of a case in each group that it is in: as its priority is now, and as requests wait
/// on it.
pub(super) async fn set_clocks_of_case(
    conn: &mut SqliteConnection,
    case: &CaseId,
) -> Result<(), StoreError> {
    let rows = sqlx::query(
        "SELECT g.*, p.since, p.taken_up, c.priority, c.operator FROM case_places p \
         JOIN resource_groups g ON g.id = p.grp JOIN cases c ON c.id = p.case_id \
         WHERE p.case_id = $1",
    )
    .bind(case.as_str())
    .fetch_all(&mut *conn)
    .await?;
    for row in &rows {
        let cells = Cells::of("case_places", row);
        let group = group_in(&cells)?;
        let since = cells.wall("since")?;
        let state = if cells.flag("taken_up")? { State::InProgress } else { State::New };
        let priority = cells.code_or_none("priority")?;
        let (escalation, hours) = (&group.settings.escalation, &group.settings.hours);
        let due = due(escalation, hours, since, (state, priority));
        let answers = cells.id_or_none("operator")?.as_ref() == Some(&group.tenant);
        let waiting = if answers { requests::open_on(conn, case).await? } else { Vec::new() };
        let late = |asked: Wall| unanswered(escalation, hours, asked.max(since), priority);
        // One that lapses before is over by then.
        let request_due = waiting
            .iter()
            .filter_map(|one| late(one.asked_at).filter(|due| *due < one.expires_at))
            .min();
        sqlx::query(
            "UPDATE case_places SET due = $3, request_due = $4 WHERE case_id = $1 AND grp = $2",
        )
        .bind(case.as_str())
        .bind(group.id.as_str())
        .bind(due.map(|due| due.0))
        .bind(request_due.map(|due| due.0))
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// Sets the clocks of the cases in `group`, by its settings as they are now.
pub(super) async fn set_clocks_in(
    conn: &mut SqliteConnection,
    group: &GroupId,
) -> Result<(), StoreError> {
    let rows = sqlx::query(
        "SELECT case_id FROM case_places WHERE grp = $1 AND (taken_up = 0 OR case_id IN \
             (SELECT case_id FROM access_requests WHERE state = 'open'))",
    )
    .bind(group.as_str())
    .fetch_all(&mut *conn)
    .await?;
    for row in &rows {
        let case = Cells::of("case_places", row).id("case_id")?;
        set_clocks_of_case(conn, &case).await?;
    }
    Ok(())
}
