//! Workspaces: a company's divisions of its cases, their members, and case roles of their own.
//!
//! A workspace begins with its first case, and who founds it is its Administrator. To be a member
//! opens no case: what a person reads there is what they may read anyway, by roles, groups, or the
//! case role that they have in it (G2-6). INF: a case is about a machine, so that a workspace cannot
//! come with a sample of one (G2-2): it is founded upon a case that its founder names.

use std::collections::BTreeSet;

use sqlx::SqliteConnection;

use super::{
    By, Conflict, Object, Store, StoreError, Subject, WriteError, Written,
    act::{Allowed, Ask},
    cases::case_of,
    groups::is_colleague,
    rows::{Cells, code, json},
};
use crate::{
    audit::Event,
    authz::{Action, Reason},
    cases::Case,
    clock::Now,
    ids::{CaseId, CaseRoleId, PersonId, TenantId, WorkspaceId},
    tenancy::Permission,
    workspaces::{AdminRight, CaseRights, Member, UserType, billed_seats},
};

/// A workspace's, or a case role's, name at most, in bytes.
const NAME_BYTES_MAX: usize = 200;
/// Members of one workspace at most.
const MEMBERS_MAX: usize = 1_000;
/// Case roles of one workspace at most.
const ROLES_MAX: usize = 50;
/// Workspaces of one company at most.
const WORKSPACES_MAX: i64 = 200;
/// Cases of a workspace that one list looks at, newest first.
const CASES_MAX: i64 = 200;

/// A division of a company's cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    pub id: WorkspaceId,
    pub tenant: TenantId,
    pub name: String,
}

/// A person in a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkspaceMember {
    pub member: Member,
    pub name: String,
}

/// A case role beside the predefined ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseRole {
    pub id: CaseRoleId,
    pub workspace: WorkspaceId,
    pub name: String,
    pub rights: CaseRights,
}

impl Store {
    /// The workspaces that a person is a member of, by name.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn workspaces(&self, who: &PersonId) -> Result<Vec<Workspace>, StoreError> {
        let rows = sqlx::query(
            "SELECT w.* FROM workspaces w JOIN workspace_members m ON m.workspace = w.id \
             WHERE m.person = $1 ORDER BY w.name, w.id",
        )
        .bind(who.as_str())
        .fetch_all(self.readers()?)
        .await?;
        rows.iter().map(|row| workspace_in(&Cells::of("workspaces", row))).collect()
    }

    /// A workspace with its members, if `who` is one of them.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn workspace(
        &self,
        who: &PersonId,
        workspace: &WorkspaceId,
    ) -> Result<Option<(Workspace, Vec<WorkspaceMember>)>, StoreError> {
        let mut reading = self.reading().await?;
        let Some(found) = workspace_of(&mut reading, workspace).await? else { return Ok(None) };
        let members = members_of(&mut reading, workspace).await?;
        let member = members.iter().any(|one| one.member.person == *who);
        Ok(member.then_some((found, members)))
    }

    /// A workspace's case roles, by name.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn case_roles(&self, workspace: &WorkspaceId) -> Result<Vec<CaseRole>, StoreError> {
        let mut reading = self.reading().await?;
        roles_of(&mut reading, workspace).await
    }

    /// The cases of a workspace that `who` may read, newest first; whether they are a member was
    /// asked before ([`Self::workspace`]).
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn workspace_cases(
        &self,
        who: &PersonId,
        workspace: &WorkspaceId,
        now: Now,
    ) -> Result<Vec<Case>, StoreError> {
        let mut reading = self.reading().await?;
        let rows = sqlx::query(
            "SELECT w.case_id FROM workspace_cases w JOIN cases c ON c.id = w.case_id \
             WHERE w.workspace = $1 ORDER BY c.number DESC LIMIT $2",
        )
        .bind(workspace.as_str())
        .bind(CASES_MAX)
        .fetch_all(&mut *reading)
        .await?;
        let mut found = Vec::new();
        for row in &rows {
            let id: CaseId = Cells::of("workspace_cases", row).id("case_id")?;
            let subject = Subject::case(who.clone(), id.clone());
            let action = Action::ReadCase(id.clone());
            if self.allows(&mut reading, &subject, action, now.wall).await? {
                found.extend(case_of(&mut reading, &id).await?);
            }
        }
        Ok(found)
    }

    /// Founds a workspace upon its first case; who founds it is its Administrator.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn create_workspace(
        &self,
        by: &By,
        name: &str,
        case: &CaseId,
        now: Now,
    ) -> Result<Written<Workspace>, WriteError> {
        let name = named(name)?;
        let subject = Subject::case(by.person.clone(), case.clone());
        let object = Some(format!("case/{case}"));
        let ask = Ask { by, subject, refused: Event::Refused, object, now };
        let mut allowed = self.judged(ask, |_| Action::ReadCase(case.clone())).await?;
        let Some(tenant) = allowed.tenant().cloned() else { return Err(allowed.not_found().await) };
        let row = sqlx::query(
            "SELECT COUNT(*) AS workspaces, COALESCE(SUM(CASE WHEN name = $2 THEN 1 ELSE 0 END), 0) \
                 AS same FROM workspaces WHERE tenant = $1",
        )
        .bind(tenant.as_str())
        .bind(&name)
        .fetch_one(allowed.rows())
        .await?;
        let cells = Cells::of("workspaces", &row);
        if cells.number("workspaces")? >= WORKSPACES_MAX {
            return Err(Conflict::Invalid("a company has 200 workspaces at most").into());
        }
        if cells.number("same")? > 0 {
            return Err(Conflict::Exists(format!("a workspace named {name}")).into());
        }
        let workspace = Workspace { id: super::fresh_id()?, tenant, name };
        sqlx::query("INSERT INTO workspaces (id, tenant, name) VALUES ($1, $2, $3)")
            .bind(workspace.id.as_str())
            .bind(workspace.tenant.as_str())
            .bind(&workspace.name)
            .execute(allowed.rows())
            .await?;
        let founder = Member::new(by.person.clone(), UserType::Administrator);
        write_member(allowed.rows(), &workspace.id, &founder).await?;
        bring(allowed.rows(), &workspace, case).await?;
        told(&mut allowed, Event::WorkspaceCreated, &workspace, None, workspace.name.clone());
        Ok(allowed.written(workspace).await?)
    }

    /// Makes a colleague a member of a type, changes it, or takes it away with `None`.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; the Administrator stays.
    pub async fn set_workspace_member(
        &self,
        by: &By,
        workspace: &WorkspaceId,
        person: &PersonId,
        to: Option<(UserType, BTreeSet<AdminRight>)>,
        now: Now,
    ) -> Result<Written<()>, WriteError> {
        let right = AdminRight::Members;
        let (mut allowed, row, members) = self.administering(by, workspace, right, now).await?;
        if !is_colleague(allowed.rows(), person, &row.tenant).await? {
            return Err(allowed.not_found().await);
        }
        let old = members.iter().find(|one| one.member.person == *person);
        // Whoever is no member yet is as good as a User who is about to change.
        let from = old
            .map_or_else(|| Member::new(person.clone(), UserType::User), |old| old.member.clone());
        let fault = |_| Conflict::Invalid("the founder is the Administrator, for good, and alone");
        let new = from.become_type(to.as_ref().map(|(user_type, _)| *user_type)).map_err(fault)?;
        let new = match (new, to) {
            (Some(new), Some((_, revoked))) => Some(new.without(revoked).map_err(fault)?),
            (new, _) => new,
        };
        match &new {
            Some(_) if old.is_none() && members.len() >= MEMBERS_MAX => {
                return Err(Conflict::Invalid("a workspace has 1,000 members at most").into());
            }
            Some(new) => write_member(allowed.rows(), workspace, new).await?,
            None => {
                sqlx::query("DELETE FROM workspace_members WHERE workspace = $1 AND person = $2")
                    .bind(workspace.as_str())
                    .bind(person.as_str())
                    .execute(allowed.rows())
                    .await?;
            }
        }
        let of = |member: &Member| {
            format!("{person} {} without {}", code(&member.user_type), json(&member.revoked))
        };
        let old = old.map(|old| of(&old.member));
        let new = new.as_ref().map_or_else(|| format!("{person} none"), of);
        told(&mut allowed, Event::WorkspaceChanged, &row, old, new);
        Ok(allowed.written(()).await?)
    }

    /// Brings a case in, or takes it out.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn set_workspace_case(
        &self,
        by: &By,
        workspace: &WorkspaceId,
        case: &CaseId,
        within: bool,
        now: Now,
    ) -> Result<Written<()>, WriteError> {
        let (mut allowed, row, _) =
            self.administering(by, workspace, AdminRight::Cases, now).await?;
        let subject = Subject::case(by.person.clone(), case.clone());
        let store = self.clone();
        let action = Action::ReadCase(case.clone());
        if !store.allows(allowed.rows(), &subject, action, now.wall).await? {
            return Err(allowed.not_found().await);
        }
        if within {
            bring(allowed.rows(), &row, case).await?;
        } else {
            let gone =
                sqlx::query("DELETE FROM workspace_cases WHERE workspace = $1 AND case_id = $2")
                    .bind(workspace.as_str())
                    .bind(case.as_str())
                    .execute(allowed.rows())
                    .await?;
            if gone.rows_affected() == 0 {
                return Err(allowed.not_found().await);
            }
        }
        let what = if within { "in" } else { "out" };
        allowed.touch(Object::Case(case.clone()));
        told(&mut allowed, Event::WorkspaceChanged, &row, None, format!("{case} {what}"));
        Ok(allowed.written(()).await?)
    }

    /// Makes a case role, or changes what one allows for all who hold it.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn set_case_role(
        &self,
        by: &By,
        workspace: &WorkspaceId,
        role: Option<&CaseRoleId>,
        (name, rights): (&str, &CaseRights),
        now: Now,
    ) -> Result<Written<CaseRole>, WriteError> {
        let name = named(name)?;
        let right = AdminRight::CaseRoles;
        let (mut allowed, row, _) = self.administering(by, workspace, right, now).await?;
        let all = roles_of(allowed.rows(), workspace).await?;
        let old = all.iter().find(|one| Some(&one.id) == role);
        if role.is_some() && old.is_none() {
            return Err(allowed.not_found().await);
        }
        if old.is_none() && all.len() >= ROLES_MAX {
            return Err(Conflict::Invalid("a workspace has 50 case roles at most").into());
        }
        if all.iter().any(|one| one.name == name && Some(&one.id) != role) {
            return Err(Conflict::Exists(format!("a case role named {name}")).into());
        }
        let id = match role {
            Some(role) => role.clone(),
            None => super::fresh_id()?,
        };
        let new = CaseRole { id, workspace: workspace.clone(), name, rights: rights.clone() };
        sqlx::query(
            "INSERT INTO case_roles (id, workspace, name, rights) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, rights = excluded.rights",
        )
        .bind(new.id.as_str())
        .bind(new.workspace.as_str())
        .bind(&new.name)
        .bind(json(&new.rights))
        .execute(allowed.rows())
        .await?;
        let of = |role: &CaseRole| format!("case role {}: {}", role.name, json(&role.rights));
        told(&mut allowed, Event::WorkspaceChanged, &row, old.map(of), of(&new));
        Ok(allowed.written(new).await?)
    }

    /// Lets `by` use one right in a workspace's administration.
    async fn administering(
        &self,
        by: &By,
        workspace: &WorkspaceId,
        right: AdminRight,
        now: Now,
    ) -> Result<(Allowed, Workspace, Vec<WorkspaceMember>), WriteError> {
        let subject = Subject::of(by.person.clone());
        let object = Some(format!("workspace/{workspace}"));
        let ask = Ask { by, subject, refused: Event::Refused, object, now };
        let mut allowed = self.judged(ask, |_| Action::Own(Permission::SignIn)).await?;
        let row = workspace_of(allowed.rows(), workspace).await?;
        let members = members_of(allowed.rows(), workspace).await?;
        let member = members.iter().find(|one| one.member.person == by.person);
        // Of a workspace that one is no member of one knows nothing.
        let (Some(row), Some(member)) = (row, member) else {
            return Err(allowed.not_found().await);
        };
        if member.member.may(right) {
            Ok((allowed, row, members))
        } else {
            Err(allowed.refused(Reason::Role).await)
        }
    }
}

/// Members that count when the bill is made.
#[must_use]
pub fn seats(members: &[WorkspaceMember]) -> usize {
    let members: Vec<Member> = members.iter().map(|one| one.member.clone()).collect();
    billed_seats(&members)
}

fn named(name: &str) -> Result<String, Conflict> {
    let name = name.trim();
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(Conflict::Invalid("a name has 1 to 200 bytes"));
    }
    Ok(name.to_owned())
}

fn told(
    allowed: &mut Allowed,
    event: Event,
    workspace: &Workspace,
    old: Option<String>,
    new: String,
) {
    allowed.touch(Object::Tenant(workspace.tenant.clone()));
    allowed.tell(event, |entry| {
        entry.object = Some(format!("workspace/{}", workspace.id));
        entry.old = old;
        entry.new = Some(new);
    });
}

/// Brings a case in, out of whichever workspace of the company it was in.
async fn bring(
    conn: &mut SqliteConnection,
    workspace: &Workspace,
    case: &CaseId,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO workspace_cases (case_id, tenant, workspace) VALUES ($1, $2, $3) \
         ON CONFLICT (case_id, tenant) DO UPDATE SET workspace = excluded.workspace",
    )
    .bind(case.as_str())
    .bind(workspace.tenant.as_str())
    .bind(workspace.id.as_str())
    .execute(conn)
    .await?;
    Ok(())
}

async fn write_member(
    conn: &mut SqliteConnection,
    workspace: &WorkspaceId,
    member: &Member,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO workspace_members (workspace, person, user_type, revoked) \
         VALUES ($1, $2, $3, $4) ON CONFLICT (workspace, person) \
         DO UPDATE SET user_type = excluded.user_type, revoked = excluded.revoked",
    )
    .bind(workspace.as_str())
    .bind(member.person.as_str())
    .bind(code(&member.user_type))
    .bind(json(&member.revoked))
    .execute(conn)
    .await?;
    Ok(())
}

fn workspace_in(cells: &Cells<'_>) -> Result<Workspace, StoreError> {
    Ok(Workspace { id: cells.id("id")?, tenant: cells.id("tenant")?, name: cells.text("name")? })
}

async fn workspace_of(
    conn: &mut SqliteConnection,
    workspace: &WorkspaceId,
) -> Result<Option<Workspace>, StoreError> {
    let row = sqlx::query("SELECT * FROM workspaces WHERE id = $1")
        .bind(workspace.as_str())
        .fetch_optional(conn)
        .await?;
    row.map(|row| workspace_in(&Cells::of("workspaces", &row))).transpose()
}

async fn members_of(
    conn: &mut SqliteConnection,
    workspace: &WorkspaceId,
) -> Result<Vec<WorkspaceMember>, StoreError> {
    let rows = sqlx::query(
        "SELECT m.person, p.name, m.user_type, m.revoked FROM workspace_members m \
         JOIN people p ON p.id = m.person WHERE m.workspace = $1 ORDER BY p.name, p.id",
    )
    .bind(workspace.as_str())
    .fetch_all(conn)
    .await?;
    let one = |row| {
        let cells = Cells::of("workspace_members", row);
        let (person, user_type) = (cells.id("person")?, cells.code("user_type")?);
        let member = Member { person, user_type, revoked: cells.json("revoked")? };
        Ok(WorkspaceMember { member, name: cells.text("name")? })
    };
    rows.iter().map(one).collect()
}

async fn roles_of(
    conn: &mut SqliteConnection,
    workspace: &WorkspaceId,
) -> Result<Vec<CaseRole>, StoreError> {
    let rows = sqlx::query("SELECT * FROM case_roles WHERE workspace = $1 ORDER BY name, id")
        .bind(workspace.as_str())
        .fetch_all(conn)
        .await?;
    let one = |row| {
        let cells = Cells::of("case_roles", row);
        Ok(CaseRole {
            id: cells.id("id")?,
            workspace: cells.id("workspace")?,
            name: cells.text("name")?,
            rights: cells.json("rights")?,
        })
    };
    rows.iter().map(one).collect()
}
