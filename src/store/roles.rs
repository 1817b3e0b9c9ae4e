//! Roles that a tenant made for itself.
//!
//! What always holds: a role never gives more than the tenant's roles allow, whatever its row says
//! (`authz` cuts it); a role that changed has every holder judged again.

use sqlx::SqliteConnection;

use super::{
    By, Conflict, Listed, Object, Page, Store, StoreError, WriteError, Written, act::Allowed,
    rows::Cells,
};
use crate::{
    audit::Event,
    authz::offered,
    clock::Now,
    ids::{PersonId, RoleId, TenantId},
    tenancy::{IndividualRole, Permission, Permissions},
};

/// Individual roles of one tenant at most.
pub const ROLES_MAX: usize = 100;
/// A role's name at most, in bytes.
const NAME_BYTES_MAX: usize = 100;

/// What a role of the tenant's own is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRole {
    pub name: String,
    pub gives: Permissions,
}

impl Store {
    /// The roles that a tenant made, by id.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn roles(
        &self,
        tenant: &TenantId,
        page: &Page,
    ) -> Result<Listed<IndividualRole>, StoreError> {
        let mut reading = self.reading().await?;
        let rows = sqlx::query(
            "SELECT id AS individual, tenant, name, permissions FROM individual_roles \
             WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3",
        )
        .bind(tenant.as_str())
        .bind(page.after.as_deref().unwrap_or_default())
        .bind(page.limit())
        .fetch_all(&mut *reading)
        .await?;
        let roles = rows.iter().map(|row| {
            let cells = Cells::of("individual_roles", row);
            role_in(&cells, cells.id("individual")?)
        });
        Ok(page.cut(roles.collect::<Result<_, _>>()?, |role| role.id.to_string()))
    }

    /// Makes a role. Its id is what it is assigned by.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn create_role(
        &self,
        by: &By,
        id: Option<&RoleId>,
        new: &NewRole,
        now: Now,
    ) -> Result<Written<IndividualRole>, WriteError> {
        let mut allowed = self.managing(by, None, Permission::AssignRoles, now).await?;
        let tenant = sound(&mut allowed, new, None).await?;
        if count(allowed.rows(), &tenant).await? >= ROLES_MAX {
            return Err(Conflict::Limit("a company has 100 roles of its own at most").into());
        }
        let id = match id {
            Some(id) => id.clone(),
            None => super::fresh_id()?,
        };
        let taken = sqlx::query("SELECT id FROM individual_roles WHERE id = $1").bind(id.as_str());
        if taken.fetch_optional(allowed.rows()).await?.is_some() {
            return Err(Conflict::Exists(format!("a role {id}")).into());
        }
        let role = IndividualRole { id, tenant, name: new.name.clone(), gives: new.gives };
        sqlx::query(
            "INSERT INTO individual_roles (id, tenant, name, permissions) VALUES ($1, $2, $3, $4)",
        )
        .bind(role.id.as_str())
        .bind(role.tenant.as_str())
        .bind(&role.name)
        .bind(codes(role.gives))
        .execute(allowed.rows())
        .await?;
        told(&mut allowed, Event::RoleCreated, &role.id, None, Some(role.gives));
        allowed.touch(Object::Tenant(role.tenant.clone()));
        Ok(allowed.written(role).await?)
    }

    /// Changes a role, for everybody who holds it.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn change_role(
        &self,
        by: &By,
        id: &RoleId,
        new: &NewRole,
        now: Now,
    ) -> Result<Written<IndividualRole>, WriteError> {
        let mut allowed = self.managing(by, None, Permission::AssignRoles, now).await?;
        let Some(old) = own(&mut allowed, id).await? else { return Err(allowed.not_found().await) };
        let tenant = sound(&mut allowed, new, Some(id)).await?;
        let role = IndividualRole { id: old.id, tenant, name: new.name.clone(), gives: new.gives };
        sqlx::query("UPDATE individual_roles SET name = $2, permissions = $3 WHERE id = $1")
            .bind(role.id.as_str())
            .bind(&role.name)
            .bind(codes(role.gives))
            .execute(allowed.rows())
            .await?;
        for holder in holders(allowed.rows(), id).await? {
            allowed.touch(Object::Person(holder));
        }
        allowed.touch(Object::Tenant(role.tenant.clone()));
        told(&mut allowed, Event::RoleChanged, id, Some(old.gives), Some(role.gives));
        Ok(allowed.written(role).await?)
    }

    /// Deletes a role that nobody holds.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn delete_role(
        &self,
        by: &By,
        id: &RoleId,
        now: Now,
    ) -> Result<Written<()>, WriteError> {
        let mut allowed = self.managing(by, None, Permission::AssignRoles, now).await?;
        let Some(old) = own(&mut allowed, id).await? else { return Err(allowed.not_found().await) };
        if !holders(allowed.rows(), id).await?.is_empty() {
            return Err(Conflict::Held.into());
        }
        sqlx::query("DELETE FROM individual_roles WHERE id = $1")
            .bind(id.as_str())
            .execute(allowed.rows())
            .await?;
        allowed.touch(Object::Tenant(old.tenant));
        told(&mut allowed, Event::RoleDeleted, id, Some(old.gives), None);
        Ok(allowed.written(()).await?)
    }
}

/// Refuses a role without a name of its own, or with more than the tenant's roles allow.
async fn sound(
    allowed: &mut Allowed,
    new: &NewRole,
    itself: Option<&RoleId>,
) -> Result<TenantId, WriteError> {
    if new.name.trim().is_empty() || new.name.len() > NAME_BYTES_MAX {
        return Err(Conflict::Invalid("name: a role's name has 1 to 100 bytes").into());
    }
    if new.gives.is_empty() {
        return Err(Conflict::Invalid("permissions: a role gives at least one").into());
    }
    let tenant = allowed.facts.tenant.clone().ok_or(Conflict::TenantRole)?;
    if let Some(beyond) = new.gives.without(offered(&tenant)).iter().next() {
        return Err(Conflict::Beyond(beyond).into());
    }
    let named = sqlx::query("SELECT id FROM individual_roles WHERE tenant = $1 AND name = $2")
        .bind(tenant.id.as_str())
        .bind(&new.name)
        .fetch_optional(allowed.rows())
        .await?;
    let other = match named {
        Some(row) => Some(Cells::of("individual_roles", &row).id::<RoleId>("id")?),
        None => None,
    };
    if other.is_some() && other.as_ref() != itself {
        return Err(Conflict::Exists(format!("a role called {}", new.name)).into());
    }
    Ok(tenant.id)
}

fn told(
    allowed: &mut Allowed,
    event: Event,
    id: &RoleId,
    old: Option<Permissions>,
    new: Option<Permissions>,
) {
    allowed.tell(event, |entry| {
        entry.object = Some(format!("role/{id}"));
        entry.old = old.map(codes);
        entry.new = new.map(codes);
    });
}

/// Permissions as a row and a record hold them.
fn codes(permissions: Permissions) -> String {
    serde_json::to_string(&permissions.iter().collect::<Vec<_>>()).unwrap_or_default()
}

/// The role that stands in the columns `tenant`, `name` and `permissions`.
pub(super) fn role_in(cells: &Cells<'_>, id: RoleId) -> Result<IndividualRole, StoreError> {
    let gives: Vec<Permission> = cells.json("permissions")?;
    Ok(IndividualRole {
        id,
        tenant: cells.id("tenant")?,
        name: cells.text("name")?,
        gives: gives.into_iter().collect(),
    })
}

async fn own(allowed: &mut Allowed, id: &RoleId) -> Result<Option<IndividualRole>, StoreError> {
    let Some(tenant) = allowed.tenant().cloned() else { return Ok(None) };
    role_named(allowed.rows(), &tenant, id).await
}

/// The tenant's role with this id.
pub(super) async fn role_named(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    id: &RoleId,
) -> Result<Option<IndividualRole>, StoreError> {
    let row = sqlx::query(
        "SELECT tenant, name, permissions FROM individual_roles WHERE id = $1 AND tenant = $2",
    )
    .bind(id.as_str())
    .bind(tenant.as_str())
    .fetch_optional(conn)
    .await?;
    row.map(|row| role_in(&Cells::of("individual_roles", &row), id.clone())).transpose()
}

async fn holders(conn: &mut SqliteConnection, id: &RoleId) -> Result<Vec<PersonId>, StoreError> {
    let rows = sqlx::query("SELECT DISTINCT person FROM assignments WHERE individual = $1")
        .bind(id.as_str())
        .fetch_all(conn)
        .await?;
    rows.iter().map(|row| Cells::of("assignments", row).id("person")).collect()
}

async fn count(conn: &mut SqliteConnection, tenant: &TenantId) -> Result<usize, StoreError> {
    let row = sqlx::query("SELECT COUNT(*) AS roles FROM individual_roles WHERE tenant = $1")
        .bind(tenant.as_str())
        .fetch_one(conn)
        .await?;
    let roles = Cells::of("individual_roles", &row).count("roles")?;
    Ok(usize::try_from(roles).unwrap_or(usize::MAX))
}
