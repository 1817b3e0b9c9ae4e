//! Tenants, people, and their roles.

use sqlx::SqliteConnection;

use super::{
    By, Conflict, Listed, Object, Page, Store, StoreError, Subject, WriteError, Written,
    act::{Allowed, Ask},
    assignments::{an_admin_remains, delete_assignments_of},
    requests,
    rows::{Cells, code},
};
use crate::{
    audit::Event,
    authz::Action,
    clock::Now,
    ids::{PersonId, TenantId},
    secret::SecretText,
    tenancy::{Permission, Person, Tenant},
};

/// An e-mail address at most, in bytes (RFC 5321 section 4.5.3.1.3).
const EMAIL_BYTES_MAX: usize = 254;
/// A person's name at most, in bytes.
const NAME_BYTES_MAX: usize = 200;

/// A person that somebody wants, in the tenant of who asks.
#[derive(Clone, Debug)]
pub struct NewPerson {
    pub email: String,
    pub name: String,
    /// An argon2 hash (PHC text); without it the person cannot log in by password.
    pub password_hash: Option<SecretText>,
}

impl Store {
    /// A tenant.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn tenant(&self, tenant: &TenantId) -> Result<Option<Tenant>, StoreError> {
        let mut reading = self.reading().await?;
        Ok(tenants_of(&mut reading, [Some(tenant), None, None]).await?.pop())
    }

    /// A person, whoever asks.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn person(&self, person: &PersonId) -> Result<Option<Person>, StoreError> {
        let mut reading = self.reading().await?;
        person_of(&mut reading, person).await
    }

    /// A tenant's people, by name.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn people(&self, tenant: &TenantId) -> Result<Vec<Person>, StoreError> {
        let mut reading = self.reading().await?;
        let rows = sqlx::query(
            "SELECT id, tenant, email, name, active FROM people WHERE tenant = $1 AND deleted_at IS NULL \
             ORDER BY name, id",
        )
        .bind(tenant.as_str())
        .fetch_all(&mut *reading)
        .await?;
        rows.iter().map(|row| person_in(&Cells::of("people", row))).collect()
    }

    /// A page of a tenant's people, by name.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn people_page(
        &self,
        tenant: &TenantId,
        page: &Page,
    ) -> Result<Listed<Person>, StoreError> {
        let mut reading = self.reading().await?;
        let rows = sqlx::query(
            "SELECT id, tenant, email, name, active FROM people \
             WHERE tenant = $1 AND deleted_at IS NULL AND ($2 = '' OR (name, id) > \
                   (SELECT name, id FROM people WHERE id = $2 AND tenant = $1)) \
             ORDER BY name, id LIMIT $3",
        )
        .bind(tenant.as_str())
        .bind(page.after.as_deref().unwrap_or_default())
        .bind(page.limit())
        .fetch_all(&mut *reading)
        .await?;
        let people = rows.iter().map(|row| person_in(&Cells::of("people", row)));
        Ok(page.cut(people.collect::<Result<_, _>>()?, |person| person.id.to_string()))
    }

    /// Creates a person in the tenant of who asks.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn create_person(
        &self,
        by: &By,
        new: &NewPerson,
        now: Now,
    ) -> Result<Written<Person>, WriteError> {
        let email = address(&new.email)?;
        let name = person_name(&new.name)?;
        let mut allowed = self.managing(by, None, Permission::ManagePeople, now).await?;
        let Some(tenant) = allowed.tenant().cloned() else { return Err(allowed.not_found().await) };
        if person_with(allowed.rows(), &email).await?.is_some() {
            return Err(Conflict::Exists(format!("a person with the address {email}")).into());
        }
        let id = super::fresh_id()?;
        let person = Person { id, tenant, email, name, active: true };
        insert_person(allowed.rows(), &person, new.password_hash.as_ref()).await?;
        allowed.touch(Object::Person(person.id.clone()));
        allowed.tell(Event::PersonCreated, |entry| {
            entry.object = Some(format!("person/{}", person.id));
            entry.new = Some(person.email.clone());
        });
        Ok(allowed.written(person).await?)
    }

    /// Disables a person, or lets them in again.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; the last Tenant Admin stays active.
    pub async fn set_person_active(
        &self,
        by: &By,
        person: &PersonId,
        active: bool,
        now: Now,
    ) -> Result<Written<Person>, WriteError> {
        let mut allowed = self.managing(by, Some(person), Permission::ManagePeople, now).await?;
        let Some(mut person) = own(&mut allowed, person).await? else {
            return Err(allowed.not_found().await);
        };
        if person.id == by.person && !active {
            return Err(Conflict::Invalid("nobody can disable their own account").into());
        }
        person.active = active;
        sqlx::query("UPDATE people SET active = $2 WHERE id = $1")
            .bind(person.id.as_str())
            .bind(i64::from(active))
            .execute(allowed.rows())
            .await?;
        if !active {
            an_admin_remains(&mut allowed).await?;
        }
        allowed.touch(Object::Person(person.id.clone()));
        let event = if active { Event::PersonEnabled } else { Event::PersonDisabled };
        allowed.tell(event, |entry| entry.object = Some(format!("person/{}", person.id)));
        Ok(allowed.written(person).await?)
    }

    /// Deletes a person: no log-in, no role, no token, no membership is left, what they asked for is
    /// taken back, and the address is free. The row stays with its name, for the cases, sessions and
    /// records that speak of it.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; nobody deletes themselves, nor the last Tenant Admin.
    pub async fn delete_person(
        &self,
        by: &By,
        person: &PersonId,
        now: Now,
    ) -> Result<Written<()>, WriteError> {
        let mut allowed = self.managing(by, Some(person), Permission::ManagePeople, now).await?;
        let Some(person) = own(&mut allowed, person).await? else {
            return Err(allowed.not_found().await);
        };
        if person.id == by.person {
            return Err(Conflict::Invalid("nobody can delete their own account").into());
        }
        delete_assignments_of(allowed.rows(), &person.id).await?;
        for sql in [
            "DELETE FROM tokens WHERE person = $1",
            "DELETE FROM person_keys WHERE person = $1",
            "DELETE FROM api_tokens WHERE person = $1",
            // A group whose last member is gone inherits again (domain.md G1-2).
            "DELETE FROM group_members WHERE person = $1",
            "DELETE FROM group_duties WHERE person = $1",
            "DELETE FROM case_participants WHERE person = $1",
            "DELETE FROM case_copies WHERE person = $1",
        ] {
            sqlx::query(sql).bind(person.id.as_str()).execute(allowed.rows()).await?;
        }
        requests::all_withdrawn(&mut allowed, by, &person.id, now).await?;
        // The address stays unique, and is of a domain that nobody can have (RFC 6761).
        sqlx::query(
            "UPDATE people SET active = 0, password_hash = NULL, email = $2, deleted_at = $3 \
             WHERE id = $1",
        )
        .bind(person.id.as_str())
        .bind(format!("{}@deleted.invalid", person.id))
        .bind(now.wall.0)
        .execute(allowed.rows())
        .await?;
        an_admin_remains(&mut allowed).await?;
        allowed.touch(Object::Person(person.id.clone()));
        allowed.tell(Event::PersonDeleted, |entry| {
            entry.object = Some(format!("person/{}", person.id));
            entry.old = Some(person.email.clone());
        });
        Ok(allowed.written(()).await?)
    }
}

impl Store {
    /// Lets a Tenant Admin at the people of the own tenant.
    pub(super) async fn managing(
        &self,
        by: &By,
        person: Option<&PersonId>,
        needs: Permission,
        now: Now,
    ) -> Result<Allowed, WriteError> {
        let object = person.map(|person| format!("person/{person}"));
        let subject = Subject::of(by.person.clone());
        let ask = Ask { by, subject, refused: Event::Refused, object, now };
        self.judged(ask, |_| Action::Own(needs)).await
    }
}

/// The person, if of the tenant of who asks and not deleted.
pub(super) async fn own(
    allowed: &mut Allowed,
    person: &PersonId,
) -> Result<Option<Person>, StoreError> {
    let Some(tenant) = allowed.tenant().cloned() else { return Ok(None) };
    let row = sqlx::query(
        "SELECT id, tenant, email, name, active FROM people \
         WHERE id = $1 AND tenant = $2 AND deleted_at IS NULL",
    )
    .bind(person.as_str())
    .bind(tenant.as_str())
    .fetch_optional(allowed.rows())
    .await?;
    row.map(|row| person_in(&Cells::of("people", &row))).transpose()
}

pub(super) fn person_name(name: &str) -> Result<String, Conflict> {
    if name.trim().is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(Conflict::Invalid("a name has 1 to 200 bytes"));
    }
    Ok(name.to_owned())
}

/// In lower case, with something on either side of its `@`.
pub(super) fn address(email: &str) -> Result<String, Conflict> {
    let email = email.trim().to_lowercase();
    let good = email.len() <= EMAIL_BYTES_MAX
        && !email.contains(char::is_whitespace)
        && email.split_once('@').is_some_and(|(who, at)| !who.is_empty() && !at.is_empty());
    if good { Ok(email) } else { Err(Conflict::Invalid("not an e-mail address")) }
}

pub(super) async fn insert_tenant(
    conn: &mut SqliteConnection,
    tenant: &Tenant,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO tenants (id, name, active) VALUES ($1, $2, $3)")
        .bind(tenant.id.as_str())
        .bind(&tenant.name)
        .bind(i64::from(tenant.active))
        .execute(&mut *conn)
        .await?;
    for role in &tenant.roles {
        sqlx::query("INSERT INTO tenant_roles (tenant, role) VALUES ($1, $2)")
            .bind(tenant.id.as_str())
            .bind(code(role))
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

pub(super) async fn insert_person(
    conn: &mut SqliteConnection,
    person: &Person,
    password_hash: Option<&SecretText>,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO people (id, tenant, email, name, active, password_hash) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(person.id.as_str())
    .bind(person.tenant.as_str())
    .bind(person.email.to_lowercase())
    .bind(&person.name)
    .bind(i64::from(person.active))
    .bind(password_hash.map(SecretText::expose))
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) fn person_in(cells: &Cells<'_>) -> Result<Person, StoreError> {
    Ok(Person {
        id: cells.id("id")?,
        tenant: cells.id("tenant")?,
        email: cells.text("email")?,
        name: cells.text("name")?,
        active: cells.flag("active")?,
    })
}

pub(super) async fn person_of(
    conn: &mut SqliteConnection,
    person: &PersonId,
) -> Result<Option<Person>, StoreError> {
    let row = sqlx::query("SELECT id, tenant, email, name, active FROM people WHERE id = $1")
        .bind(person.as_str())
        .fetch_optional(conn)
        .await?;
    row.map(|row| person_in(&Cells::of("people", &row))).transpose()
}

/// A tenant's people who are let in.
pub(super) async fn active_of(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
) -> Result<Vec<Person>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, tenant, email, name, active FROM people WHERE tenant = $1 AND active = 1 \
         ORDER BY id",
    )
    .bind(tenant.as_str())
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| person_in(&Cells::of("people", row))).collect()
}

/// The person with this address, of whatever tenant.
pub(super) async fn person_with(
    conn: &mut SqliteConnection,
    email: &str,
) -> Result<Option<Person>, StoreError> {
    let row = sqlx::query("SELECT id, tenant, email, name, active FROM people WHERE email = $1")
        .bind(email)
        .fetch_optional(conn)
        .await?;
    row.map(|row| person_in(&Cells::of("people", &row))).transpose()
}

/// The tenants with these ids, with their roles.
pub(super) async fn tenants_of(
    conn: &mut SqliteConnection,
    wanted: [Option<&TenantId>; 3],
) -> Result<Vec<Tenant>, StoreError> {
    let [one, two, three] = wanted.map(|id| id.map(TenantId::as_str));
    let rows = sqlx::query(
        "SELECT t.id, t.name, t.active, r.role \
         FROM tenants t LEFT JOIN tenant_roles r ON r.tenant = t.id \
         WHERE t.id IN ($1, $2, $3) ORDER BY t.id",
    )
    .bind(one)
    .bind(two)
    .bind(three)
    .fetch_all(conn)
    .await?;
    let mut tenants: Vec<Tenant> = Vec::new();
    for row in &rows {
        let cells = Cells::of("tenants", row);
        let id: TenantId = cells.id("id")?;
        let role = cells.code_or_none("role")?;
        match tenants.last_mut() {
            Some(last) if last.id == id => last.roles.extend(role),
            Some(_) | None => tenants.push(Tenant {
                id,
                name: cells.text("name")?,
                active: cells.flag("active")?,
                roles: role.into_iter().collect(),
            }),
        }
    }
    Ok(tenants)
}
