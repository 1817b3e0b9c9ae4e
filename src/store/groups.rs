//! Resource groups, their members, and duties over all of them.
//!
//! A Tenant Admin arranges them; the names of the groups of the own company are known to all its
//! people (INF: a case's group is shown with the case). What a group's people may do with a case is
//! read in `widen`, where it is put is `places`.

use std::collections::BTreeMap;

use sqlx::SqliteConnection;

use super::{
    By, Conflict, Object, Store, StoreError, Subject, WriteError, Written,
    act::{Allowed, Ask},
    places,
    rows::{Cells, code, json},
};
use crate::{
    audit::Event,
    authz::Action,
    clock::Now,
    groups::{Access, Duties, Duty, Settings, Tree},
    ids::{GroupId, PersonId, TenantId},
    tenancy::Permission,
};

/// A group's name at most, in bytes.
const NAME_BYTES_MAX: usize = 200;
/// Groups of one company at most.
pub const GROUPS_MAX: i64 = 500;
/// Members of one group at most.
pub const GROUP_MEMBERS_MAX: i64 = 1_000;

/// A resource group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub id: GroupId,
    pub tenant: TenantId,
    pub name: String,
    pub parent: Option<GroupId>,
    pub settings: Settings,
}

/// A group that somebody wants, in the tenant of who asks.
#[derive(Clone, Debug)]
pub struct NewGroup {
    pub name: String,
    pub parent: Option<GroupId>,
    pub settings: Settings,
}

/// New values of a group; what is `None` stays. An inner `None` makes it a main group.
#[derive(Clone, Debug, Default)]
pub struct GroupChange {
    pub name: Option<String>,
    pub parent: Option<Option<GroupId>>,
    pub settings: Option<Settings>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    pub person: PersonId,
    pub name: String,
    pub access: Access,
}

/// A person who has duties over all groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnDuty {
    pub person: PersonId,
    pub name: String,
    pub duties: Duties,
}

impl Store {
    /// A tenant's groups, by name.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn groups(&self, tenant: &TenantId) -> Result<Vec<Group>, StoreError> {
        let mut reading = self.reading().await?;
        groups_of(&mut reading, tenant).await
    }

    /// A group's own members, by name.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn group_members(&self, group: &GroupId) -> Result<Vec<GroupMember>, StoreError> {
        let rows = sqlx::query(
            "SELECT m.person, p.name, m.access FROM group_members m JOIN people p ON p.id = m.person \
             WHERE m.grp = $1 ORDER BY p.name, p.id",
        )
        .bind(group.as_str())
        .fetch_all(self.readers()?)
        .await?;
        let member = |row| {
            let cells = Cells::of("group_members", row);
            let (person, name) = (cells.id("person")?, cells.text("name")?);
            Ok(GroupMember { person, name, access: cells.code("access")? })
        };
        rows.iter().map(member).collect()
    }

    /// Creates a group in the tenant of who asks.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn create_group(
        &self,
        by: &By,
        new: &NewGroup,
        now: Now,
    ) -> Result<Written<Group>, WriteError> {
        let name = named(&new.name)?;
        let (mut allowed, tenant) = self.arranging(by, "group", now).await?;
        let group = Group {
            id: super::fresh_id()?,
            tenant,
            name,
            parent: new.parent.clone(),
            settings: new.settings.clone(),
        };
        let all = groups_of(allowed.rows(), &group.tenant).await?;
        if i64::try_from(all.len()).unwrap_or(i64::MAX) >= GROUPS_MAX {
            return Err(Conflict::Invalid("a company has 500 groups at most").into());
        }
        fits(&group, &all)?;
        sqlx::query(
            "INSERT INTO resource_groups (id, tenant, name, parent, settings) \
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(group.id.as_str())
        .bind(group.tenant.as_str())
        .bind(&group.name)
        .bind(group.parent.as_ref().map(GroupId::as_str))
        .bind(json(&group.settings))
        .execute(allowed.rows())
        .await?;
        told(&mut allowed, Event::GroupCreated, &group, None, Some(group.name.clone()));
        Ok(allowed.written(group).await?)
    }

    /// Changes a group. Cases in it that nobody has taken up follow its new clock.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn change_group(
        &self,
        by: &By,
        group: &GroupId,
        change: &GroupChange,
        now: Now,
    ) -> Result<Written<Group>, WriteError> {
        let (mut allowed, tenant) = self.arranging(by, group.as_str(), now).await?;
        let all = groups_of(allowed.rows(), &tenant).await?;
        let Some(old) = all.iter().find(|one| one.id == *group).cloned() else {
            return Err(allowed.not_found().await);
        };
        let mut new = old.clone();
        if let Some(name) = &change.name {
            new.name = named(name)?;
        }
        if let Some(parent) = &change.parent {
            new.parent.clone_from(parent);
        }
        if let Some(settings) = &change.settings {
            new.settings = settings.clone();
        }
        fits(&new, &all)?;
        sqlx::query(
            "UPDATE resource_groups SET name = $2, parent = $3, settings = $4 WHERE id = $1",
        )
        .bind(group.as_str())
        .bind(&new.name)
        .bind(new.parent.as_ref().map(GroupId::as_str))
        .bind(json(&new.settings))
        .execute(allowed.rows())
        .await?;
        if old.settings != new.settings {
            places::set_clocks_in(allowed.rows(), &new.id).await?;
        }
        told(&mut allowed, Event::GroupChanged, &new, Some(said(&old)), Some(said(&new)));
        Ok(allowed.written(new).await?)
    }

    /// Removes a group that holds no case, has no group under it, and that no other escalates to.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn remove_group(
        &self,
        by: &By,
        group: &GroupId,
        now: Now,
    ) -> Result<Written<()>, WriteError> {
        let (mut allowed, tenant) = self.arranging(by, group.as_str(), now).await?;
        let all = groups_of(allowed.rows(), &tenant).await?;
        let Some(old) = all.iter().find(|one| one.id == *group).cloned() else {
            return Err(allowed.not_found().await);
        };
        let row = sqlx::query("SELECT COUNT(*) AS cases FROM case_places WHERE grp = $1")
            .bind(group.as_str())
            .fetch_one(allowed.rows())
            .await?;
        let led_to = all.iter().any(|one| {
            one.parent.as_ref() == Some(group) || one.settings.escalation.to() == Some(group)
        });
        if led_to || Cells::of("case_places", &row).number("cases")? > 0 {
            let what =
                "a group goes when no case is in it, no group under it, and none escalates to it";
            return Err(Conflict::Invalid(what).into());
        }
        for sql in [
            "DELETE FROM group_members WHERE grp = $1",
            "DELETE FROM resource_groups WHERE id = $1",
        ] {
            sqlx::query(sql).bind(group.as_str()).execute(allowed.rows()).await?;
        }
        told(&mut allowed, Event::GroupRemoved, &old, Some(old.name.clone()), None);
        Ok(allowed.written(()).await?)
    }

    /// Makes a colleague a member of a group, changes what they are there, or takes it away.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn set_group_member(
        &self,
        by: &By,
        group: &GroupId,
        person: &PersonId,
        access: Option<Access>,
        now: Now,
    ) -> Result<Written<()>, WriteError> {
        let (mut allowed, tenant) = self.arranging(by, group.as_str(), now).await?;
        let all = groups_of(allowed.rows(), &tenant).await?;
        let Some(row) = all.into_iter().find(|one| one.id == *group) else {
            return Err(allowed.not_found().await);
        };
        if !is_colleague(allowed.rows(), person, &tenant).await? {
            return Err(allowed.not_found().await);
        }
        let old = member_access(allowed.rows(), group, person).await?;
        match access {
            Some(access) => {
                if old.is_none() && members_in(allowed.rows(), group).await? >= GROUP_MEMBERS_MAX {
                    return Err(Conflict::Invalid("a group has 1,000 members at most").into());
                }
                sqlx::query(
                    "INSERT INTO group_members (grp, person, access) VALUES ($1, $2, $3) \
                     ON CONFLICT (grp, person) DO UPDATE SET access = excluded.access",
                )
                .bind(group.as_str())
                .bind(person.as_str())
                .bind(code(&access))
                .execute(allowed.rows())
                .await?;
            }
            None => {
                sqlx::query("DELETE FROM group_members WHERE grp = $1 AND person = $2")
                    .bind(group.as_str())
                    .bind(person.as_str())
                    .execute(allowed.rows())
                    .await?;
            }
        }
        let member = |access: Option<Access>| access.map(|one| format!("{person} {}", code(&one)));
        told(&mut allowed, Event::GroupMemberChanged, &row, member(old), member(access));
        allowed.touch(Object::Person(person.clone()));
        Ok(allowed.written(()).await?)
    }

    /// Those of a tenant who have duties over all its groups.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn on_duty(&self, tenant: &TenantId) -> Result<Vec<OnDuty>, StoreError> {
        let rows = sqlx::query(
            "SELECT d.person, p.name, d.duty FROM group_duties d JOIN people p ON p.id = d.person \
             WHERE p.tenant = $1 ORDER BY p.name, p.id, d.duty",
        )
        .bind(tenant.as_str())
        .fetch_all(self.readers()?)
        .await?;
        let mut found: Vec<(PersonId, String, Vec<Duty>)> = Vec::new();
        for row in &rows {
            let cells = Cells::of("group_duties", row);
            let (person, duty) = (cells.id("person")?, cells.code("duty")?);
            match found.last_mut().filter(|last| last.0 == person) {
                Some((_, _, duties)) => duties.push(duty),
                None => found.push((person, cells.text("name")?, vec![duty])),
            }
        }
        let whole = |(person, name, duties)| {
            Ok(OnDuty { person, name, duties: Duties::new(duties).map_err(unreadable)? })
        };
        found.into_iter().map(whole).collect()
    }

    /// Gives a colleague exactly these duties.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn set_duties(
        &self,
        by: &By,
        person: &PersonId,
        duties: &Duties,
        now: Now,
    ) -> Result<Written<()>, WriteError> {
        let (mut allowed, tenant) = self.arranging(by, person.as_str(), now).await?;
        if !is_colleague(allowed.rows(), person, &tenant).await? {
            return Err(allowed.not_found().await);
        }
        let old = duties_of(allowed.rows(), person).await?;
        sqlx::query("DELETE FROM group_duties WHERE person = $1")
            .bind(person.as_str())
            .execute(allowed.rows())
            .await?;
        for duty in duties.iter() {
            sqlx::query("INSERT INTO group_duties (person, duty) VALUES ($1, $2)")
                .bind(person.as_str())
                .bind(code(&duty))
                .execute(allowed.rows())
                .await?;
        }
        let words =
            |duties: &Duties| duties.iter().map(|one| code(&one)).collect::<Vec<_>>().join(", ");
        allowed.touch(Object::Person(person.clone()));
        allowed.tell(Event::DutiesChanged, |entry| {
            entry.object = Some(format!("person/{person}"));
            entry.old = Some(words(&old));
            entry.new = Some(words(duties));
        });
        Ok(allowed.written(()).await?)
    }

    /// Lets `by` arrange what belongs to the own tenant.
    pub(super) async fn arranging(
        &self,
        by: &By,
        object: &str,
        now: Now,
    ) -> Result<(Allowed, TenantId), WriteError> {
        let subject = Subject::of(by.person.clone());
        let object = Some(object.to_owned());
        let ask = Ask { by, subject, refused: Event::Refused, object, now };
        let allowed = self.judged(ask, |_| Action::Own(Permission::ManageCompany)).await?;
        match allowed.tenant().cloned() {
            Some(tenant) => Ok((allowed, tenant)),
            None => Err(allowed.not_found().await),
        }
    }
}

/// That `group` can stand among `all`: its name is its own, it hangs under one of them without a
/// circle, and cases escalate to another of them.
fn fits(group: &Group, all: &[Group]) -> Result<(), Conflict> {
    let others: BTreeMap<&GroupId, &Group> =
        all.iter().filter(|one| one.id != group.id).map(|one| (&one.id, one)).collect();
    if others.values().any(|one| one.name == group.name) {
        return Err(Conflict::Exists(format!("a group named {}", group.name)));
    }
    if group.parent.as_ref().is_some_and(|one| *one != group.id && !others.contains_key(one)) {
        return Err(Conflict::Invalid("parent names no group of this company"));
    }
    if group.settings.escalation.to().is_some_and(|one| !others.contains_key(one)) {
        return Err(Conflict::Invalid("escalation.to names no other group of this company"));
    }
    let mut tree = Tree::default();
    let mut hung = Ok(());
    for one in others.values().copied().chain([group]) {
        hung = hung.and(tree.hang(&one.id, one.parent.as_ref()));
    }
    hung.map_err(|_| Conflict::Invalid("a group hangs under itself, or more than 8 deep"))
}

fn named(name: &str) -> Result<String, Conflict> {
    let name = name.trim();
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(Conflict::Invalid("a name has 1 to 200 bytes"));
    }
    Ok(name.to_owned())
}

fn said(group: &Group) -> String {
    let parent = group.parent.as_ref().map_or("-", GroupId::as_str);
    format!("{} under {parent}: {}", group.name, json(&group.settings))
}

fn told(
    allowed: &mut Allowed,
    event: Event,
    group: &Group,
    old: Option<String>,
    new: Option<String>,
) {
    allowed.touch(Object::Tenant(group.tenant.clone()));
    allowed.tell(event, |entry| {
        entry.object = Some(format!("group/{}", group.id));
        entry.old = old;
        entry.new = new;
    });
}

fn unreadable(fault: impl std::fmt::Display) -> StoreError {
    StoreError::Unreadable { table: "group_duties", fault: fault.to_string() }
}

pub(super) fn group_in(cells: &Cells<'_>) -> Result<Group, StoreError> {
    Ok(Group {
        id: cells.id("id")?,
        tenant: cells.id("tenant")?,
        name: cells.text("name")?,
        parent: cells.id_or_none("parent")?,
        settings: cells.json("settings")?,
    })
}

async fn groups_of(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
) -> Result<Vec<Group>, StoreError> {
    let rows = sqlx::query("SELECT * FROM resource_groups WHERE tenant = $1 ORDER BY name, id")
        .bind(tenant.as_str())
        .fetch_all(conn)
        .await?;
    rows.iter().map(|row| group_in(&Cells::of("resource_groups", row))).collect()
}

pub(super) async fn group_of(
    conn: &mut SqliteConnection,
    group: &GroupId,
) -> Result<Option<Group>, StoreError> {
    let row = sqlx::query("SELECT * FROM resource_groups WHERE id = $1")
        .bind(group.as_str())
        .fetch_optional(conn)
        .await?;
    row.map(|row| group_in(&Cells::of("resource_groups", &row))).transpose()
}

pub(super) async fn duties_of(
    conn: &mut SqliteConnection,
    person: &PersonId,
) -> Result<Duties, StoreError> {
    let rows = sqlx::query("SELECT duty FROM group_duties WHERE person = $1")
        .bind(person.as_str())
        .fetch_all(conn)
        .await?;
    let held = rows.iter().map(|row| Cells::of("group_duties", row).code("duty"));
    Duties::new(held.collect::<Result<Vec<Duty>, _>>()?).map_err(unreadable)
}

/// Whether `person` is of `tenant`.
pub(super) async fn is_colleague(
    conn: &mut SqliteConnection,
    person: &PersonId,
    tenant: &TenantId,
) -> Result<bool, StoreError> {
    let person = super::people::person_of(conn, person).await?;
    Ok(person.is_some_and(|one| one.tenant == *tenant))
}

async fn member_access(
    conn: &mut SqliteConnection,
    group: &GroupId,
    person: &PersonId,
) -> Result<Option<Access>, StoreError> {
    let row = sqlx::query("SELECT access FROM group_members WHERE grp = $1 AND person = $2")
        .bind(group.as_str())
        .bind(person.as_str())
        .fetch_optional(conn)
        .await?;
    row.map(|row| Cells::of("group_members", &row).code("access")).transpose()
}

async fn members_in(conn: &mut SqliteConnection, group: &GroupId) -> Result<i64, StoreError> {
    let row = sqlx::query("SELECT COUNT(*) AS members FROM group_members WHERE grp = $1")
        .bind(group.as_str())
        .fetch_one(conn)
        .await?;
    Cells::of("group_members", &row).number("members")
}
