//! Roles given to people, each with its own scope.

use std::collections::BTreeSet;

use sqlx::SqliteConnection;

use super::{
    By, Conflict, Object, Store, StoreError, WriteError, Written,
    act::Allowed,
    people::own,
    roles::{role_in, role_named},
    rows::{Cells, code},
};
use crate::{
    audit::Event,
    clock::Now,
    ids::{AssignmentId, PersonId, RoleId, TenantId},
    tenancy::{Assignment, IndividualRole, Permission, Role, RoleRef, Scope, Side},
};

/// Facilities, organisations or customers of one scope at most.
pub const SCOPE_OBJECTS_MAX: usize = 500;
/// Assignments of one person at most.
pub const ASSIGNMENTS_MAX: usize = 50;

/// All that one person was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    pub predefined: Vec<Assignment>,
    pub individual: Vec<Assignment<IndividualRole>>,
}

/// One of them, when it does not matter which kind it is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Either {
    Predefined(Assignment),
    Individual(Assignment<IndividualRole>),
}

impl Store {
    /// A person's predefined roles and their scopes.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn assignments(&self, person: &PersonId) -> Result<Vec<Assignment>, StoreError> {
        Ok(self.held(person).await?.predefined)
    }

    /// A person's roles of either kind, and their scopes.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn held(&self, person: &PersonId) -> Result<Held, StoreError> {
        let mut reading = self.reading().await?;
        held_by(&mut reading, person).await
    }

    /// Gives a predefined role with its scope.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn add_assignment(
        &self,
        by: &By,
        person: &PersonId,
        role: Role,
        scope: &Scope,
        now: Now,
    ) -> Result<Written<Assignment>, WriteError> {
        let (allowed, id) = self.assigning(by, person, &role.into(), scope, now).await?;
        let given = Assignment { id, person: person.clone(), role, scope: scope.clone() };
        Ok(allowed.written(given).await?)
    }

    /// Gives a role of the tenant's own with its scope.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn add_individual(
        &self,
        by: &By,
        person: &PersonId,
        role: &RoleId,
        scope: &Scope,
        now: Now,
    ) -> Result<Written<Assignment<RoleId>>, WriteError> {
        let named = RoleRef::Individual(role.clone());
        let (allowed, id) = self.assigning(by, person, &named, scope, now).await?;
        let (person, role) = (person.clone(), role.clone());
        let given = Assignment { id, person, role, scope: scope.clone() };
        Ok(allowed.written(given).await?)
    }

    /// Takes a role away.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; the last Tenant Admin stays one, and nobody drops that role themselves.
    pub async fn remove_assignment(
        &self,
        by: &By,
        assignment: &AssignmentId,
        now: Now,
    ) -> Result<Written<()>, WriteError> {
        let mut allowed = self.managing(by, None, Permission::AssignRoles, now).await?;
        let Some((holder, role, scope)) = assignment_of(allowed.rows(), assignment).await? else {
            return Err(allowed.not_found().await);
        };
        let Some(person) = own(&mut allowed, &holder).await? else {
            return Err(allowed.not_found().await);
        };
        delete_assignment(allowed.rows(), assignment).await?;
        if role == Role::TenantAdmin.into() {
            if person.id == by.person {
                return Err(Conflict::Invalid("a Tenant Admin cannot drop their own role").into());
            }
            an_admin_remains(&mut allowed).await?;
        }
        allowed.touch(Object::Person(person.id.clone()));
        allowed.tell(Event::AssignmentRemoved, |entry| {
            entry.object = Some(format!("person/{}", person.id));
            entry.old = Some(said(&role, &scope));
        });
        Ok(allowed.written(()).await?)
    }

    async fn assigning(
        &self,
        by: &By,
        person: &PersonId,
        role: &RoleRef,
        scope: &Scope,
        now: Now,
    ) -> Result<(Allowed, AssignmentId), WriteError> {
        let mut allowed = self.managing(by, Some(person), Permission::AssignRoles, now).await?;
        let Some(person) = own(&mut allowed, person).await? else {
            return Err(allowed.not_found().await);
        };
        let id = give(&mut allowed, &person.id, role, scope).await?;
        Ok((allowed, id))
    }
}

/// Gives a role to a person of the asker's tenant, if it may be given there.
pub(super) async fn give(
    allowed: &mut Allowed,
    person: &PersonId,
    role: &RoleRef,
    scope: &Scope,
) -> Result<AssignmentId, WriteError> {
    assignable(allowed, role, scope).await?;
    let held = held_by(allowed.rows(), person).await?;
    if held.predefined.len() + held.individual.len() >= ASSIGNMENTS_MAX {
        return Err(Conflict::Limit("a person has 50 assignments at most").into());
    }
    let id: AssignmentId = super::fresh_id()?;
    insert(allowed.rows(), &id, person, role, scope).await?;
    allowed.touch(Object::Person(person.clone()));
    allowed.tell(Event::AssignmentAdded, |entry| {
        entry.object = Some(format!("person/{person}"));
        entry.new = Some(said(role, scope));
    });
    Ok(id)
}

/// Whether the role may be given here, with that scope.
pub(super) async fn assignable(
    allowed: &mut Allowed,
    role: &RoleRef,
    scope: &Scope,
) -> Result<(), WriteError> {
    fits(role, scope)?;
    let tenant = allowed.facts.tenant.clone().ok_or(Conflict::TenantRole)?;
    match role {
        RoleRef::Predefined(Role::ServiceManager) => {
            let instead = "Service Manager is deprecated and no longer assigned; give 1st Level \
                           Support, Service Technician, Master or Customer Data Manager instead";
            return Err(Conflict::Invalid(instead).into());
        }
        RoleRef::Predefined(role) if !tenant.roles.contains(&role.needs()) => {
            return Err(Conflict::TenantRole.into());
        }
        RoleRef::Predefined(_) => {}
        RoleRef::Individual(id) => {
            if role_named(allowed.rows(), &tenant.id, id).await?.is_none() {
                return Err(Conflict::Invalid("role: the company has no role of that name").into());
            }
        }
    }
    known(allowed.rows(), &tenant.id, scope).await
}

/// Facilities are the operator's, organisations and customers the provider's; a role of the
/// company's own may have either.
fn fits(role: &RoleRef, scope: &Scope) -> Result<(), Conflict> {
    let side = match scope {
        Scope::Whole => return Ok(()),
        Scope::Facilities(_) => Side::Operator,
        Scope::ServiceOrganisations(_) | Scope::Customers(_) => Side::Provider,
    };
    match role {
        RoleRef::Predefined(role) if role.side() != Some(side) => {
            return Err(Conflict::Invalid("scope: this role has no scope of that kind"));
        }
        RoleRef::Predefined(_) | RoleRef::Individual(_) => {}
    }
    match scope_parts(scope).1.len() {
        0 => Err(Conflict::Invalid("scope: name at least one, or the whole company")),
        1..=SCOPE_OBJECTS_MAX => Ok(()),
        _ => Err(Conflict::Limit("a scope names 500 objects at most")),
    }
}

/// Refuses a scope that names another tenant's objects, or none.
async fn known(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    scope: &Scope,
) -> Result<(), WriteError> {
    let (sql, what) = match scope {
        // Facilities are names so far, of whatever the operator's assets say.
        Scope::Whole | Scope::Facilities(_) => return Ok(()),
        Scope::ServiceOrganisations(_) => (
            "SELECT id FROM service_organisations WHERE provider = $1 AND id = $2",
            "scope: one of these is no service organisation of the company",
        ),
        Scope::Customers(_) => (
            "SELECT id FROM customers WHERE provider = $1 AND id = $2",
            "scope: one of these is no customer of the company",
        ),
    };
    for object in scope_parts(scope).1 {
        let found = sqlx::query(sql).bind(tenant.as_str()).bind(object).fetch_optional(&mut *conn);
        if found.await?.is_none() {
            return Err(Conflict::Invalid(what).into());
        }
    }
    Ok(())
}

/// At least one active Tenant Admin must be left (domain.md C.2), as the transaction sees it.
pub(super) async fn an_admin_remains(allowed: &mut Allowed) -> Result<(), WriteError> {
    let tenant = allowed.tenant().map(ToString::to_string).unwrap_or_default();
    let left = sqlx::query(
        "SELECT COUNT(*) AS admins FROM assignments a JOIN people p ON p.id = a.person \
         WHERE p.tenant = $1 AND p.active = 1 AND a.role = $2",
    )
    .bind(tenant)
    .bind(code(&Role::TenantAdmin))
    .fetch_one(allowed.rows())
    .await?;
    match Cells::of("assignments", &left).number("admins")? {
        0 => Err(Conflict::LastTenantAdmin.into()),
        _ => Ok(()),
    }
}

/// A role and its scope, as a record says them.
fn said(role: &RoleRef, scope: &Scope) -> String {
    let (kind, objects) = scope_parts(scope);
    if objects.is_empty() {
        format!("{role} {kind}")
    } else {
        format!("{role} {}", objects.join(","))
    }
}

fn scope_parts(scope: &Scope) -> (&'static str, Vec<&str>) {
    match scope {
        Scope::Whole => ("whole", Vec::new()),
        Scope::Facilities(some) => ("facilities", some.iter().map(|one| one.as_str()).collect()),
        Scope::ServiceOrganisations(some) => {
            ("service_organisations", some.iter().map(|one| one.as_str()).collect())
        }
        Scope::Customers(some) => ("customers", some.iter().map(|one| one.as_str()).collect()),
    }
}

pub(super) async fn insert_assignment(
    conn: &mut SqliteConnection,
    assignment: &Assignment,
) -> Result<(), StoreError> {
    let Assignment { id, person, role, scope } = assignment;
    insert(conn, id, person, &(*role).into(), scope).await
}

pub(super) async fn insert(
    conn: &mut SqliteConnection,
    id: &AssignmentId,
    person: &PersonId,
    role: &RoleRef,
    scope: &Scope,
) -> Result<(), StoreError> {
    let (kind, objects) = scope_parts(scope);
    let (predefined, individual) = match role {
        RoleRef::Predefined(role) => (Some(role.code()), None),
        RoleRef::Individual(id) => (None, Some(id.as_str())),
    };
    sqlx::query(
        "INSERT INTO assignments (id, person, role, individual, scope) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(id.as_str())
    .bind(person.as_str())
    .bind(predefined)
    .bind(individual)
    .bind(kind)
    .execute(&mut *conn)
    .await?;
    for object in objects {
        sqlx::query("INSERT INTO assignment_objects (assignment, object) VALUES ($1, $2)")
            .bind(id.as_str())
            .bind(object)
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

async fn delete_assignment(
    conn: &mut SqliteConnection,
    assignment: &AssignmentId,
) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM assignment_objects WHERE assignment = $1",
        "DELETE FROM assignments WHERE id = $1",
    ] {
        sqlx::query(sql).bind(assignment.as_str()).execute(&mut *conn).await?;
    }
    Ok(())
}

/// Takes all roles from a person.
pub(super) async fn delete_assignments_of(
    conn: &mut SqliteConnection,
    person: &PersonId,
) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM assignment_objects WHERE assignment IN \
         (SELECT id FROM assignments WHERE person = $1)",
        "DELETE FROM assignments WHERE person = $1",
    ] {
        sqlx::query(sql).bind(person.as_str()).execute(&mut *conn).await?;
    }
    Ok(())
}

/// A person's assignments, each with its own scope.
pub(super) async fn held_by(
    conn: &mut SqliteConnection,
    person: &PersonId,
) -> Result<Held, StoreError> {
    let rows = sqlx::query(
        "SELECT a.id, a.person, a.role, a.scope, o.object, \
                a.individual, r.tenant, r.name, r.permissions \
         FROM assignments a LEFT JOIN assignment_objects o ON o.assignment = a.id \
              LEFT JOIN individual_roles r ON r.id = a.individual \
         WHERE a.person = $1 ORDER BY a.id, o.object",
    )
    .bind(person.as_str())
    .fetch_all(conn)
    .await?;
    let mut held = Held::default();
    for one in assignments_in(&rows)? {
        match one {
            Either::Predefined(one) => held.predefined.push(one),
            Either::Individual(one) => held.individual.push(one),
        }
    }
    Ok(held)
}

/// Whose assignment that is, of which role, with which scope.
async fn assignment_of(
    conn: &mut SqliteConnection,
    assignment: &AssignmentId,
) -> Result<Option<(PersonId, RoleRef, Scope)>, StoreError> {
    let rows = sqlx::query(
        "SELECT a.id, a.person, a.role, a.scope, o.object, \
                a.individual, r.tenant, r.name, r.permissions \
         FROM assignments a LEFT JOIN assignment_objects o ON o.assignment = a.id \
              LEFT JOIN individual_roles r ON r.id = a.individual \
         WHERE a.id = $1 ORDER BY o.object",
    )
    .bind(assignment.as_str())
    .fetch_all(conn)
    .await?;
    Ok(assignments_in(&rows)?.pop().map(|one| match one {
        Either::Predefined(one) => (one.person, one.role.into(), one.scope),
        Either::Individual(one) => (one.person, RoleRef::Individual(one.role.id), one.scope),
    }))
}

impl Either {
    fn scope(&mut self) -> &mut Scope {
        match self {
            Self::Predefined(one) => &mut one.scope,
            Self::Individual(one) => &mut one.scope,
        }
    }
}

/// Assignments out of rows that stand together, one row for each object of a scope.
fn assignments_in(rows: &[sqlx::sqlite::SqliteRow]) -> Result<Vec<Either>, StoreError> {
    let mut assignments: Vec<(AssignmentId, Either)> = Vec::new();
    for row in rows {
        let cells = Cells::of("assignments", row);
        let id: AssignmentId = cells.id("id")?;
        if assignments.last().is_none_or(|(last, _)| *last != id) {
            let one = assignment_in(&cells, id.clone())?;
            assignments.push((id, one));
        }
        match assignments.last_mut().map(|(_, last)| last.scope()) {
            Some(Scope::Facilities(covered)) => covered.extend(cells.id_or_none("object")?),
            Some(Scope::ServiceOrganisations(covered)) => {
                covered.extend(cells.id_or_none("object")?)
            }
            Some(Scope::Customers(covered)) => covered.extend(cells.id_or_none("object")?),
            Some(Scope::Whole) | None => {}
        }
    }
    Ok(assignments.into_iter().map(|(_, one)| one).collect())
}

fn assignment_in(cells: &Cells<'_>, id: AssignmentId) -> Result<Either, StoreError> {
    let scope = match cells.text("scope")?.as_str() {
        "whole" => Scope::Whole,
        "facilities" => Scope::Facilities(BTreeSet::new()),
        "service_organisations" => Scope::ServiceOrganisations(BTreeSet::new()),
        "customers" => Scope::Customers(BTreeSet::new()),
        other => return Err(cells.unreadable("scope", other)),
    };
    let person = cells.id("person")?;
    Ok(match cells.id_or_none("individual")? {
        None => Either::Predefined(Assignment { id, person, role: cells.code("role")?, scope }),
        Some(role) => {
            Either::Individual(Assignment { id, person, role: role_in(cells, role)?, scope })
        }
    })
}
