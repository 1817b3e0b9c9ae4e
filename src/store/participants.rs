//! Who takes part in a case, as what, and who is on its copy list.
//!
//! Each party of a case names people of its own and sees no others (INF: how the other company
//! divides its work is not ours to see).

use super::{
    By, Conflict, Object, Store, StoreError, Subject, WriteError, Written,
    act::{Allowed, Ask},
    groups::is_colleague,
    rows::Cells,
};
use crate::{
    audit::Event,
    authz::Action,
    clock::Now,
    ids::{CaseId, PersonId, TenantId},
    workspaces::Predefined,
};

/// People on one case at most, for each of its parties.
const PEOPLE_MAX: i64 = 200;

/// Somebody who takes part in a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    pub person: PersonId,
    pub name: String,
    /// `staff`, `client`, `bot`, or the id of a case role.
    pub role: String,
    /// What people call it.
    pub role_name: String,
}

/// Somebody on a case's copy list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyOnCase {
    pub person: PersonId,
    pub name: String,
    /// Put there by who raised the case.
    pub by_requester: bool,
}

impl Store {
    /// The people of `tenant` who take part in a case, by name.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn participants(
        &self,
        tenant: &TenantId,
        case: &CaseId,
    ) -> Result<Vec<Participant>, StoreError> {
        let rows = sqlx::query(
            "SELECT c.person, p.name, c.role, COALESCE(r.name, c.role) AS role_name \
             FROM case_participants c JOIN people p ON p.id = c.person \
             LEFT JOIN case_roles r ON r.id = c.role \
             WHERE c.case_id = $1 AND p.tenant = $2 ORDER BY p.name, p.id",
        )
        .bind(case.as_str())
        .bind(tenant.as_str())
        .fetch_all(self.readers()?)
        .await?;
        let one = |row| {
            let cells = Cells::of("case_participants", row);
            Ok(Participant {
                person: cells.id("person")?,
                name: cells.text("name")?,
                role: cells.text("role")?,
                role_name: cells.text("role_name")?,
            })
        };
        rows.iter().map(one).collect()
    }

    /// Lets a colleague take part in a case as `role`, or no longer with `None`. Whoever may edit
    /// the case says who takes part (INF).
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn set_participant(
        &self,
        by: &By,
        case: &CaseId,
        person: &PersonId,
        role: Option<&str>,
        now: Now,
    ) -> Result<Written<()>, WriteError> {
        let action = Action::EditCase(case.clone());
        let (mut allowed, tenant) = self.naming(by, case, person, action, now).await?;
        let old =
            sqlx::query("SELECT role FROM case_participants WHERE case_id = $1 AND person = $2")
                .bind(case.as_str())
                .bind(person.as_str())
                .fetch_optional(allowed.rows())
                .await?;
        let old = old.map(|row| Cells::of("case_participants", &row).text("role")).transpose()?;
        sqlx::query("DELETE FROM case_participants WHERE case_id = $1 AND person = $2")
            .bind(case.as_str())
            .bind(person.as_str())
            .execute(allowed.rows())
            .await?;
        if let Some(role) = role {
            if !is_role(&mut allowed, case, &tenant, role).await? {
                let what = "role is staff, client, bot, or a case role of the case's workspace";
                return Err(Conflict::Invalid(what).into());
            }
            room(
                &mut allowed,
                "SELECT COUNT(*) AS people FROM case_participants c \
                 JOIN people p ON p.id = c.person WHERE c.case_id = $1 AND p.tenant = $2",
                case,
                &tenant,
            )
            .await?;
            sqlx::query(
                "INSERT INTO case_participants (case_id, person, role) VALUES ($1, $2, $3)",
            )
            .bind(case.as_str())
            .bind(person.as_str())
            .bind(role)
            .execute(allowed.rows())
            .await?;
        }
        let of = |role: &str| format!("{person} {role}");
        let (old, new) = (old.as_deref().map(of), role.map(of));
        told(&mut allowed, Event::ParticipantChanged, case, old, new);
        Ok(allowed.written(()).await?)
    }

    /// The people of `tenant` on a case's copy list, by name.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn copies(
        &self,
        tenant: &TenantId,
        case: &CaseId,
    ) -> Result<Vec<CopyOnCase>, StoreError> {
        let rows = sqlx::query(
            "SELECT c.person, p.name, c.by_requester FROM case_copies c \
             JOIN people p ON p.id = c.person \
             WHERE c.case_id = $1 AND p.tenant = $2 ORDER BY p.name, p.id",
        )
        .bind(case.as_str())
        .bind(tenant.as_str())
        .fetch_all(self.readers()?)
        .await?;
        let one = |row| {
            let cells = Cells::of("case_copies", row);
            let (person, name) = (cells.id("person")?, cells.text("name")?);
            Ok(CopyOnCase { person, name, by_requester: cells.flag("by_requester")? })
        };
        rows.iter().map(one).collect()
    }

    /// Puts a colleague on a case's copy list, or takes them off. Whoever may comment may (INF).
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn set_copy(
        &self,
        by: &By,
        case: &CaseId,
        person: &PersonId,
        on: bool,
        now: Now,
    ) -> Result<Written<()>, WriteError> {
        let action = Action::Chat(case.clone());
        let (mut allowed, tenant) = self.naming(by, case, person, action, now).await?;
        if on {
            let requester =
                allowed.facts.case.as_ref().is_some_and(|row| row.created_by == by.person);
            room(
                &mut allowed,
                "SELECT COUNT(*) AS people FROM case_copies c \
                 JOIN people p ON p.id = c.person WHERE c.case_id = $1 AND p.tenant = $2",
                case,
                &tenant,
            )
            .await?;
            sqlx::query(
                "INSERT INTO case_copies (case_id, person, by_requester) VALUES ($1, $2, $3) \
                 ON CONFLICT (case_id, person) DO UPDATE SET by_requester = \
                     CASE WHEN case_copies.by_requester = 1 THEN 1 ELSE excluded.by_requester END",
            )
            .bind(case.as_str())
            .bind(person.as_str())
            .bind(i64::from(requester))
            .execute(allowed.rows())
            .await?;
        } else {
            sqlx::query("DELETE FROM case_copies WHERE case_id = $1 AND person = $2")
                .bind(case.as_str())
                .bind(person.as_str())
                .execute(allowed.rows())
                .await?;
        }
        let name = Some(person.to_string());
        let (old, new) = if on { (None, name) } else { (name, None) };
        told(&mut allowed, Event::CaseCopyChanged, case, old, new);
        Ok(allowed.written(()).await?)
    }

    /// Lets `by` name a colleague on a case.
    async fn naming(
        &self,
        by: &By,
        case: &CaseId,
        person: &PersonId,
        action: Action,
        now: Now,
    ) -> Result<(Allowed, TenantId), WriteError> {
        let subject = Subject::case(by.person.clone(), case.clone());
        let object = Some(format!("case/{case}"));
        let ask = Ask { by, subject, refused: Event::Refused, object, now };
        let mut allowed = self.judged(ask, |_| action).await?;
        let Some(tenant) = allowed.tenant().cloned() else { return Err(allowed.not_found().await) };
        if is_colleague(allowed.rows(), person, &tenant).await? {
            Ok((allowed, tenant))
        } else {
            Err(allowed.not_found().await)
        }
    }
}

/// Whether `role` can be given in a case: a predefined one, or one of the case's workspace.
async fn is_role(
    allowed: &mut Allowed,
    case: &CaseId,
    tenant: &TenantId,
    role: &str,
) -> Result<bool, StoreError> {
    if Predefined::from_code(role).is_some() {
        return Ok(true);
    }
    let row = sqlx::query(
        "SELECT r.id FROM case_roles r JOIN workspace_cases w ON w.workspace = r.workspace \
         WHERE r.id = $1 AND w.case_id = $2 AND w.tenant = $3",
    )
    .bind(role)
    .bind(case.as_str())
    .bind(tenant.as_str())
    .fetch_optional(allowed.rows())
    .await?;
    Ok(row.is_some())
}

/// That one more person has room on the case.
async fn room(
    allowed: &mut Allowed,
    count: &'static str,
    case: &CaseId,
    tenant: &TenantId,
) -> Result<(), WriteError> {
    let row = sqlx::query(count)
        .bind(case.as_str())
        .bind(tenant.as_str())
        .fetch_one(allowed.rows())
        .await?;
    if Cells::of("case_participants", &row).number("people")? >= PEOPLE_MAX {
        return Err(Conflict::Invalid("a case has room for 200 people of one company").into());
    }
    Ok(())
}

fn told(
    allowed: &mut Allowed,
    event: Event,
    case: &CaseId,
    old: Option<String>,
    new: Option<String>,
) {
    allowed.touch(Object::Case(case.clone()));
    allowed.tell(event, |entry| {
        entry.object = Some(format!("case/{case}"));
        entry.old = old;
        entry.new = new;
    });
}
