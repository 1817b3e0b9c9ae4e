//! Invitations: into one's own company, or, for a customer, into a new company of its own.
//!
//! Whoever holds the token accepts, once, within [`INVITATION_LASTS`]. The store keeps its digest.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use super::{
    By, Conflict, Listed, Object, Page, Store, StoreError, Subject, WriteError, Written,
    act::{Act, Allowed},
    assignments::{assignable, insert},
    customers::customer_of,
    people::{address, insert_person, insert_tenant, person_name, person_with, tenants_of},
    roles::role_named,
    rows::Cells,
    tenants::company_name,
};
use crate::{
    audit::{Actor, Entry, Event},
    authz::{Action, Denial, Reason},
    clock::{Now, Wall},
    ids::{CustomerId, InvitationId, TenantId},
    secret::{Secret, SecretText},
    tenancy::{Permission, Person, Role, RoleRef, Scope, Tenant, TenantRole},
};

/// How long an invitation may be accepted (domain.md A).
pub const INVITATION_LASTS: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Invitations of one company that are open at once at most.
pub const INVITATIONS_MAX: u64 = 500;
/// Roles that an invitation gives at most.
const ROLES_MAX: usize = 10;

/// A role that goes with an invitation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    pub role: RoleRef,
    pub scope: Scope,
}

/// An invitation, shown with its token this once.
#[derive(Clone, Debug)]
pub struct Invited {
    pub invitation: Invitation,
    pub token: SecretText,
}

/// An invitation that is on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    pub id: InvitationId,
    pub email: String,
    /// The customer that is to have a company of its own; `None`: into the own company.
    pub customer: Option<CustomerId>,
    pub expires: Wall,
    pub accepted: Option<Wall>,
}

/// Who accepts, as they say themselves.
#[derive(Clone, Debug)]
pub struct Acceptance {
    pub name: String,
    /// An argon2 hash (PHC text).
    pub password_hash: SecretText,
    /// A new company's name; the provider's name for the customer where none is given.
    pub company: Option<String>,
}

/// The row behind a token.
struct Open {
    id: InvitationId,
    tenant: TenantId,
    customer: Option<CustomerId>,
    email: String,
    roles: Vec<Offer>,
}

impl Store {
    /// Invites somebody into the own company, with roles.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn invite_person(
        &self,
        by: &By,
        email: &str,
        roles: &[Offer],
        now: Now,
    ) -> Result<Written<Invited>, WriteError> {
        let email = address(email)?;
        if roles.len() > ROLES_MAX {
            return Err(Conflict::Limit("an invitation gives 10 roles at most").into());
        }
        let mut allowed = self.managing(by, None, Permission::ManagePeople, now).await?;
        if !roles.is_empty() {
            let subject = Subject::of(by.person.clone());
            let assigns = Action::Own(Permission::AssignRoles);
            if !self.allows(allowed.rows(), &subject, assigns, now.wall).await? {
                return Err(Conflict::Invalid("roles: you may invite, but not give roles").into());
            }
        }
        for offer in roles {
            assignable(&mut allowed, &offer.role, &offer.scope).await?;
        }
        invite(allowed, email, None, roles, now).await
    }

    /// Invites a customer: accepting makes the operator's company, with its first Tenant Admin. The
    /// invitations of before are void.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn invite_customer(
        &self,
        by: &By,
        customer: &CustomerId,
        email: &str,
        now: Now,
    ) -> Result<Written<Invited>, WriteError> {
        let email = address(email)?;
        let mut allowed = self.managing_customer(by, customer, now).await?;
        let Some(found) = allowed.facts.customer.clone() else {
            return Err(allowed.not_found().await);
        };
        if found.tenant.is_some() {
            return Err(Conflict::Exists("a company of this customer".to_owned()).into());
        }
        sqlx::query(
            "DELETE FROM invitations WHERE tenant = $1 AND customer = $2 AND accepted_at IS NULL",
        )
        .bind(found.provider.as_str())
        .bind(found.id.as_str())
        .execute(allowed.rows())
        .await?;
        invite(allowed, email, Some(found.id), &[], now).await
    }

    /// A company's invitations: of people, or of customers; by id.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn invitations(
        &self,
        tenant: &TenantId,
        of_customers: bool,
        page: &Page,
    ) -> Result<Listed<Invitation>, StoreError> {
        let mut reading = self.reading().await?;
        let rows = sqlx::query(
            "SELECT id, email, customer, expires, accepted_at FROM invitations \
             WHERE tenant = $1 AND (customer IS NOT NULL) = $2 AND id > $3 ORDER BY id LIMIT $4",
        )
        .bind(tenant.as_str())
        .bind(of_customers)
        .bind(page.after.as_deref().unwrap_or_default())
        .bind(page.limit())
        .fetch_all(&mut *reading)
        .await?;
        let items = rows.iter().map(|row| {
            let cells = Cells::of("invitations", row);
            Ok(Invitation {
                id: cells.id("id")?,
                email: cells.text("email")?,
                customer: cells.id_or_none("customer")?,
                expires: cells.wall("expires")?,
                accepted: cells.wall_or_none("accepted_at")?,
            })
        });
        Ok(page.cut(items.collect::<Result<_, StoreError>>()?, |one| one.id.to_string()))
    }

    /// Takes back an invitation that was not accepted.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn withdraw_invitation(
        &self,
        by: &By,
        invitation: &InvitationId,
        now: Now,
    ) -> Result<Written<()>, WriteError> {
        let row = sqlx::query("SELECT customer FROM invitations WHERE id = $1")
            .bind(invitation.as_str())
            .fetch_optional(&mut *self.reading().await?)
            .await?;
        let customer: Option<CustomerId> = match row {
            Some(row) => Cells::of("invitations", &row).id_or_none("customer")?,
            None => return Err(unknown()),
        };
        let mut allowed = match customer {
            Some(customer) => self.managing_customer(by, &customer, now).await?,
            None => self.managing(by, None, Permission::ManagePeople, now).await?,
        };
        let tenant = allowed.tenant().map(ToString::to_string).unwrap_or_default();
        let gone = sqlx::query(
            "DELETE FROM invitations WHERE id = $1 AND tenant = $2 AND accepted_at IS NULL",
        )
        .bind(invitation.as_str())
        .bind(tenant)
        .execute(allowed.rows())
        .await?;
        if gone.rows_affected() == 0 {
            return Err(allowed.not_found().await);
        }
        allowed.tell(Event::InvitationWithdrawn, |entry| {
            entry.object = Some(format!("invitation/{invitation}"));
        });
        Ok(allowed.written(()).await?)
    }

    /// Whether the token opens anything now: asked before a password is hashed for it.
    ///
    /// # Errors
    ///
    /// [`WriteError`], which says why not.
    pub async fn is_invited(&self, token: &SecretText, now: Now) -> Result<(), WriteError> {
        open(&mut *self.reading().await?, token, now).await.map(|_| ())
    }

    /// Spends the token: the person, and for a customer the company, are there.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; a token that opens nothing is not found, or says that it is over.
    pub async fn accept_invitation(
        &self,
        token: &SecretText,
        acceptance: &Acceptance,
        now: Now,
    ) -> Result<Written<Person>, WriteError> {
        let name = person_name(&acceptance.name)?;
        let mut act = self.act().await?;
        let found = open(act.rows(), token, now).await?;
        if person_with(act.rows(), &found.email).await?.is_some() {
            return Err(
                Conflict::Exists(format!("a person with the address {}", found.email)).into()
            );
        }
        let tenant = match &found.customer {
            None => found.tenant.clone(),
            Some(customer) => onboard(&mut act, &found, customer, acceptance).await?,
        };
        let (id, email) = (super::fresh_id()?, found.email.clone());
        let person = Person { id, tenant, email, name, active: true };
        insert_person(act.rows(), &person, Some(&acceptance.password_hash)).await?;
        let offers = if found.customer.is_some() {
            // domain.md C.2: the first user of a new company is its Tenant Admin.
            vec![Offer { role: Role::TenantAdmin.into(), scope: Scope::Whole }]
        } else {
            found.roles
        };
        for offer in &offers {
            still_there(act.rows(), &person.tenant, &offer.role).await?;
            let id = super::fresh_id()?;
            insert(act.rows(), &id, &person.id, &offer.role, &offer.scope).await?;
        }
        sqlx::query("UPDATE invitations SET accepted_at = $2 WHERE id = $1")
            .bind(found.id.as_str())
            .bind(now.wall.0)
            .execute(act.rows())
            .await?;
        told(&mut act, &person, &found.id, now);
        Ok(act.written(person).await?)
    }
}

/// Makes the customer's company: an operator.
async fn onboard(
    act: &mut Act,
    found: &Open,
    customer: &CustomerId,
    acceptance: &Acceptance,
) -> Result<TenantId, WriteError> {
    let row = customer_of(act.rows(), &found.tenant, customer).await?.ok_or_else(unknown)?;
    if row.tenant.is_some() {
        return Err(Conflict::Exists("a company of this customer".to_owned()).into());
    }
    let name = company_name(acceptance.company.as_deref().unwrap_or(&row.name))?;
    let roles = [TenantRole::Basic, TenantRole::Operator].into();
    let tenant = Tenant { id: super::fresh_id()?, name, active: true, roles };
    insert_tenant(act.rows(), &tenant).await?;
    sqlx::query("UPDATE customers SET tenant = $3 WHERE provider = $1 AND id = $2")
        .bind(found.tenant.as_str())
        .bind(customer.as_str())
        .bind(tenant.id.as_str())
        .execute(act.rows())
        .await?;
    act.touch(Object::Tenant(tenant.id.clone()));
    Ok(tenant.id)
}

/// That a role of the company's own was not deleted since it was offered.
async fn still_there(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    role: &RoleRef,
) -> Result<(), WriteError> {
    let RoleRef::Individual(id) = role else { return Ok(()) };
    match role_named(conn, tenant, id).await? {
        Some(_) => Ok(()),
        None => {
            let what = "a role that goes with this invitation is gone: ask for a new invitation";
            Err(Conflict::Over(what).into())
        }
    }
}

fn told(act: &mut Act, person: &Person, invitation: &InvitationId, now: Now) {
    act.touch(Object::Person(person.id.clone()));
    let actor = Actor::Person(person.id.clone());
    let mut entry = Entry::new(now.wall, actor, Event::InvitationAccepted);
    entry.actor_name.clone_from(&person.name);
    entry.tenant = Some(person.tenant.clone());
    entry.object = Some(format!("invitation/{invitation}"));
    entry.new = Some(person.email.clone());
    act.tell(entry);
}

async fn invite(
    mut allowed: Allowed,
    email: String,
    customer: Option<CustomerId>,
    roles: &[Offer],
    now: Now,
) -> Result<Written<Invited>, WriteError> {
    let Some(tenant) = allowed.tenant().cloned() else { return Err(allowed.not_found().await) };
    if person_with(allowed.rows(), &email).await?.is_some() {
        return Err(Conflict::Exists(format!("a person with the address {email}")).into());
    }
    if open_invitations(allowed.rows(), &tenant, now.wall).await? >= INVITATIONS_MAX {
        return Err(Conflict::Limit("a company has 500 open invitations at most").into());
    }
    let token = SecretText::new(
        URL_SAFE_NO_PAD.encode(Secret::<32>::fresh().map_err(StoreError::from)?.expose()),
    );
    let invitation = Invitation {
        id: super::fresh_id()?,
        email,
        customer,
        expires: now.wall.plus(INVITATION_LASTS),
        accepted: None,
    };
    sqlx::query(
        "INSERT INTO invitations (id, digest, tenant, customer, email, roles, created_at, expires) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(invitation.id.as_str())
    .bind(kept(&token))
    .bind(tenant.as_str())
    .bind(invitation.customer.as_ref().map(|one| one.as_str()))
    .bind(&invitation.email)
    .bind(serde_json::to_string(roles).unwrap_or_default())
    .bind(now.wall.0)
    .bind(invitation.expires.0)
    .execute(allowed.rows())
    .await?;
    allowed.touch(Object::Tenant(tenant));
    allowed.tell(Event::PersonInvited, |entry| {
        entry.object = Some(format!("invitation/{}", invitation.id));
        entry.new = Some(invitation.email.clone());
    });
    Ok(allowed.written(Invited { invitation, token }).await?)
}

async fn open_invitations(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    now: Wall,
) -> Result<u64, StoreError> {
    let row = sqlx::query(
        "SELECT COUNT(*) AS open FROM invitations \
         WHERE tenant = $1 AND accepted_at IS NULL AND expires > $2",
    )
    .bind(tenant.as_str())
    .bind(now.0)
    .fetch_one(conn)
    .await?;
    Cells::of("invitations", &row).count("open")
}

/// The invitation that the token opens. Who holds a token may know what became of it.
async fn open(
    conn: &mut SqliteConnection,
    token: &SecretText,
    now: Now,
) -> Result<Open, WriteError> {
    let row = sqlx::query(
        "SELECT id, tenant, customer, email, roles, expires, accepted_at FROM invitations \
         WHERE digest = $1",
    )
    .bind(kept(token))
    .fetch_optional(&mut *conn)
    .await?
    .ok_or_else(unknown)?;
    let cells = Cells::of("invitations", &row);
    if cells.wall_or_none("accepted_at")?.is_some() {
        return Err(Conflict::Over("this invitation was accepted already: log in").into());
    }
    if cells.wall("expires")? <= now.wall {
        return Err(Conflict::Over("this invitation has expired: ask for a new one").into());
    }
    let tenant: TenantId = cells.id("tenant")?;
    let found = Open {
        id: cells.id("id")?,
        customer: cells.id_or_none("customer")?,
        email: cells.text("email")?,
        roles: cells.json("roles")?,
        tenant: tenant.clone(),
    };
    let inviting = tenants_of(conn, [Some(&tenant), None, None]).await?.pop();
    match inviting {
        Some(inviting) if inviting.active => Ok(found),
        Some(_) | None => Err(unknown()),
    }
}

fn unknown() -> WriteError {
    WriteError::Denied(Denial { reason: Reason::NotFound, visible: false })
}

/// What the store keeps of a token.
fn kept(token: &SecretText) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, token.expose().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_kept_as_its_digest_alone() {
        let token = SecretText::new("invited".to_owned());
        assert_eq!(kept(&token), kept(&SecretText::new("invited".to_owned())));
        assert!(!kept(&token).contains("invited"));
    }
}
