//! A provider's view of its customers: service organisations, customers in them, their machines.

use sqlx::SqliteConnection;

use super::{
    By, Conflict, Listed, Object, Page, Store, StoreError, Subject, WriteError, Written,
    act::{Allowed, Ask},
    machines::{insert_machine, machine_in, machine_of},
    rows::Cells,
};
use crate::{
    audit::Event,
    authz::Action,
    clock::{Now, Wall},
    ids::{CustomerId, MachineId, PersonId, ServiceOrganisationId, TenantId},
    machines::{CustomerMachine, Link},
    tenancy::{Customer, Permission},
};

/// A name or a serial number at most, in bytes.
const TEXT_BYTES_MAX: usize = 200;
/// Service organisations of one provider at most.
pub const SERVICE_ORGANISATIONS_MAX: usize = 1_000;

/// What groups a provider's customers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceOrganisation {
    pub id: ServiceOrganisationId,
    pub name: String,
}

/// A customer that somebody wants, in the tenant of who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCustomer {
    /// Chosen by the gateway where none is given.
    pub id: Option<CustomerId>,
    pub organisation: ServiceOrganisationId,
    pub name: String,
}

/// How far a customer is on the way to a company of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CustomerStatus {
    /// Not invited.
    New,
    /// An invitation is open.
    Invited,
    /// Accepted: the company is there.
    Onboarded,
}

/// A customer machine that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMachine {
    /// Chosen by the gateway where none is given.
    pub id: Option<MachineId>,
    pub customer: CustomerId,
    pub serial: String,
}

/// How a machine is connected, as its provider sees it (domain.md A).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineStatus {
    /// Not linked with an asset.
    New,
    /// Proposed, and the operator has not answered.
    Proposed,
    /// Linked, without an edge device.
    Unconnected,
    /// Linked, and an edge device is paired.
    Connected,
}

impl Store {
    /// A provider's service organisations, by id.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn service_organisations(
        &self,
        provider: &TenantId,
        page: &Page,
    ) -> Result<Listed<ServiceOrganisation>, StoreError> {
        let mut reading = self.reading().await?;
        let rows = sqlx::query(
            "SELECT id, name FROM service_organisations \
             WHERE provider = $1 AND id > $2 ORDER BY id LIMIT $3",
        )
        .bind(provider.as_str())
        .bind(page.after.as_deref().unwrap_or_default())
        .bind(page.limit())
        .fetch_all(&mut *reading)
        .await?;
        let items = rows.iter().map(|row| {
            let cells = Cells::of("service_organisations", row);
            Ok(ServiceOrganisation { id: cells.id("id")?, name: cells.text("name")? })
        });
        Ok(page.cut(items.collect::<Result<_, StoreError>>()?, |one| one.id.to_string()))
    }

    /// Creates a service organisation; customers need one.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn create_service_organisation(
        &self,
        by: &By,
        id: Option<&ServiceOrganisationId>,
        name: &str,
        now: Now,
    ) -> Result<Written<ServiceOrganisation>, WriteError> {
        let name = named(name)?;
        let mut allowed = self.managing(by, None, Permission::ManageCustomers, now).await?;
        let Some(provider) = allowed.tenant().cloned() else {
            return Err(allowed.not_found().await);
        };
        let id = match id {
            Some(id) => id.clone(),
            None => super::fresh_id()?,
        };
        let row = sqlx::query(
            "SELECT COUNT(*) AS all_of_them, \
                    COALESCE(SUM(CASE WHEN name = $2 THEN 1 ELSE 0 END), 0) AS named, \
                    (SELECT COUNT(*) FROM service_organisations WHERE id = $3) AS taken \
             FROM service_organisations WHERE provider = $1",
        )
        .bind(provider.as_str())
        .bind(&name)
        .bind(id.as_str())
        .fetch_one(allowed.rows())
        .await?;
        let cells = Cells::of("service_organisations", &row);
        if cells.count("named")? + cells.count("taken")? > 0 {
            return Err(Conflict::Exists(format!("a service organisation {name}")).into());
        }
        if cells.count("all_of_them")? >= SERVICE_ORGANISATIONS_MAX as u64 {
            return Err(
                Conflict::Limit("a provider has 1,000 service organisations at most").into()
            );
        }
        sqlx::query("INSERT INTO service_organisations (id, provider, name) VALUES ($1, $2, $3)")
            .bind(id.as_str())
            .bind(provider.as_str())
            .bind(&name)
            .execute(allowed.rows())
            .await?;
        allowed.touch(Object::Tenant(provider));
        allowed.tell(Event::ServiceOrganisationCreated, |entry| {
            entry.object = Some(format!("service_organisation/{id}"));
            entry.new = Some(name.clone());
        });
        Ok(allowed.written(ServiceOrganisation { id, name }).await?)
    }

    /// The customers that `who` may read, by id. A page may hold fewer than was asked for.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn customers(
        &self,
        who: &PersonId,
        page: &Page,
        now: Now,
    ) -> Result<Listed<(Customer, CustomerStatus)>, StoreError> {
        let mut reading = self.reading().await?;
        let rows = sqlx::query(
            "SELECT c.provider, c.id, c.organisation, c.name, c.tenant, \
                    (SELECT COUNT(*) FROM invitations i WHERE i.tenant = c.provider \
                     AND i.customer = c.id AND i.accepted_at IS NULL AND i.expires > $4) AS open \
             FROM customers c JOIN people p ON p.id = $1 AND p.tenant = c.provider \
             WHERE c.id > $2 ORDER BY c.id LIMIT $3",
        )
        .bind(who.as_str())
        .bind(page.after.as_deref().unwrap_or_default())
        .bind(page.limit())
        .bind(now.wall.0)
        .fetch_all(&mut *reading)
        .await?;
        let found = rows.iter().map(|row| {
            let cells = Cells::of("customers", row);
            let customer = customer_in(&cells)?;
            let status = match (&customer.tenant, cells.count("open")?) {
                (Some(_), _) => CustomerStatus::Onboarded,
                (None, 0) => CustomerStatus::New,
                (None, _) => CustomerStatus::Invited,
            };
            Ok((customer, status))
        });
        let found = found.collect::<Result<_, StoreError>>()?;
        let mut listed = page.cut(found, |(customer, _)| customer.id.to_string());
        let mut seen = Vec::new();
        for (customer, status) in listed.items {
            let mut subject = Subject::of(who.clone());
            subject.customer = Some(customer.id.clone());
            let action = Action::ReadCustomer(customer.id.clone());
            if self.allows(&mut reading, &subject, action, now.wall).await? {
                seen.push((customer, status));
            }
        }
        listed.items = seen;
        Ok(listed)
    }

    /// Creates a customer in a service organisation.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn create_customer(
        &self,
        by: &By,
        new: &NewCustomer,
        now: Now,
    ) -> Result<Written<Customer>, WriteError> {
        let name = named(&new.name)?;
        let mut allowed = self.managing(by, None, Permission::ManageCustomers, now).await?;
        let Some(provider) = allowed.tenant().cloned() else {
            return Err(allowed.not_found().await);
        };
        let id = match &new.id {
            Some(id) => id.clone(),
            None => super::fresh_id()?,
        };
        if customer_of(allowed.rows(), &provider, &id).await?.is_some() {
            return Err(Conflict::Exists(format!("a customer {id}")).into());
        }
        of_provider(&mut allowed, &new.organisation).await?;
        let organisation = new.organisation.clone();
        let customer = Customer { id, provider, organisation, name, tenant: None };
        insert_customer(allowed.rows(), &customer).await?;
        allowed.touch(Object::Tenant(customer.provider.clone()));
        told(&mut allowed, Event::CustomerCreated, None, &customer);
        Ok(allowed.written(customer).await?)
    }

    /// Renames a customer, or moves it to another service organisation: scopes follow.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn change_customer(
        &self,
        by: &By,
        customer: &CustomerId,
        name: Option<&str>,
        organisation: Option<&ServiceOrganisationId>,
        now: Now,
    ) -> Result<Written<Customer>, WriteError> {
        let name = name.map(named).transpose()?;
        let mut allowed = self.managing_customer(by, customer, now).await?;
        let Some(old) = allowed.facts.customer.clone() else {
            return Err(allowed.not_found().await);
        };
        if let Some(organisation) = organisation {
            of_provider(&mut allowed, organisation).await?;
        }
        let new = Customer {
            name: name.unwrap_or_else(|| old.name.clone()),
            organisation: organisation.cloned().unwrap_or_else(|| old.organisation.clone()),
            ..old.clone()
        };
        sqlx::query(
            "UPDATE customers SET name = $3, organisation = $4 WHERE provider = $1 AND id = $2",
        )
        .bind(new.provider.as_str())
        .bind(new.id.as_str())
        .bind(&new.name)
        .bind(new.organisation.as_str())
        .execute(allowed.rows())
        .await?;
        for machine in machines_of(allowed.rows(), &new).await? {
            allowed.touch(Object::Machine(machine));
        }
        allowed.touch(Object::Tenant(new.provider.clone()));
        told(&mut allowed, Event::CustomerChanged, Some(&old), &new);
        Ok(allowed.written(new).await?)
    }

    /// The provider's machines that `who` may read, by id. A page may hold fewer than was asked for.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn customer_machines(
        &self,
        who: &PersonId,
        page: &Page,
        now: Now,
    ) -> Result<Listed<(CustomerMachine, MachineStatus)>, StoreError> {
        let mut reading = self.reading().await?;
        let rows = sqlx::query(
            "SELECT m.id, m.provider, m.customer, m.serial, m.link, m.asset, a.device \
             FROM machines m JOIN people p ON p.id = $1 AND p.tenant = m.provider \
                  LEFT JOIN assets a ON a.id = m.asset \
             WHERE m.id > $2 ORDER BY m.id LIMIT $3",
        )
        .bind(who.as_str())
        .bind(page.after.as_deref().unwrap_or_default())
        .bind(page.limit())
        .fetch_all(&mut *reading)
        .await?;
        let found = rows.iter().map(|row| {
            let cells = Cells::of("machines", row);
            let machine = machine_in(&cells)?;
            let status = match (&machine.link, cells.text_or_none("device")?) {
                (Link::New, _) => MachineStatus::New,
                (Link::Proposed { .. }, _) => MachineStatus::Proposed,
                (Link::Linked { .. }, None) => MachineStatus::Unconnected,
                (Link::Linked { .. }, Some(_)) => MachineStatus::Connected,
            };
            Ok((machine, status))
        });
        let found = found.collect::<Result<_, StoreError>>()?;
        let mut listed = page.cut(found, |(machine, _)| machine.id.to_string());
        let mut seen = Vec::new();
        for (machine, status) in listed.items {
            if self.reads_machine(&mut reading, who, &machine.id, now.wall).await? {
                seen.push((machine, status));
            }
        }
        listed.items = seen;
        Ok(listed)
    }

    /// Creates a machine of a customer.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn create_machine(
        &self,
        by: &By,
        new: &NewMachine,
        now: Now,
    ) -> Result<Written<CustomerMachine>, WriteError> {
        let serial = named(&new.serial)?;
        let mut allowed = self.managing_customer(by, &new.customer, now).await?;
        let Some(provider) = allowed.tenant().cloned() else {
            return Err(allowed.not_found().await);
        };
        let id = match &new.id {
            Some(id) => id.clone(),
            None => super::fresh_id()?,
        };
        if machine_of(allowed.rows(), &id).await?.is_some() {
            return Err(Conflict::Exists(format!("a machine {id}")).into());
        }
        let customer = new.customer.clone();
        let machine = CustomerMachine { id, provider, customer, serial, link: Link::New };
        insert_machine(allowed.rows(), &machine).await?;
        allowed.touch(Object::Machine(machine.id.clone()));
        allowed.tell(Event::MachineCreated, |entry| {
            entry.object = Some(format!("machine/{}", machine.id));
            entry.new = Some(machine.serial.clone());
        });
        Ok(allowed.written(machine).await?)
    }
}

impl Store {
    /// Lets `by` at one customer of the own tenant.
    pub(super) async fn managing_customer(
        &self,
        by: &By,
        customer: &CustomerId,
        now: Now,
    ) -> Result<Allowed, WriteError> {
        let mut subject = Subject::of(by.person.clone());
        subject.customer = Some(customer.clone());
        let object = Some(format!("customer/{customer}"));
        let ask = Ask { by, subject, refused: Event::Refused, object, now };
        self.judged(ask, |_| Action::ManageCustomer(customer.clone())).await
    }

    pub(super) async fn reads_machine(
        &self,
        conn: &mut SqliteConnection,
        who: &PersonId,
        machine: &MachineId,
        now: Wall,
    ) -> Result<bool, StoreError> {
        let mut subject = Subject::of(who.clone());
        subject.machine = Some(machine.clone());
        self.allows(conn, &subject, Action::ReadMachine(machine.clone()), now).await
    }
}

fn named(text: &str) -> Result<String, Conflict> {
    let text = text.trim();
    if text.is_empty() || text.len() > TEXT_BYTES_MAX {
        return Err(Conflict::Invalid("a name or a serial number has 1 to 200 bytes"));
    }
    Ok(text.to_owned())
}

/// Refuses a service organisation of another tenant, or none.
async fn of_provider(
    allowed: &mut Allowed,
    organisation: &ServiceOrganisationId,
) -> Result<(), WriteError> {
    let provider = allowed.tenant().map(ToString::to_string).unwrap_or_default();
    let found = sqlx::query("SELECT id FROM service_organisations WHERE provider = $1 AND id = $2")
        .bind(provider)
        .bind(organisation.as_str())
        .fetch_optional(allowed.rows())
        .await?;
    match found {
        Some(_) => Ok(()),
        None => Err(Conflict::Invalid("organisation: the company has none of that id").into()),
    }
}

fn told(allowed: &mut Allowed, event: Event, old: Option<&Customer>, new: &Customer) {
    let said = |one: &Customer| format!("{} in {}", one.name, one.organisation);
    allowed.tell(event, |entry| {
        entry.object = Some(format!("customer/{}", new.id));
        (entry.old, entry.new) = (old.map(said), Some(said(new)));
    });
}

async fn machines_of(
    conn: &mut SqliteConnection,
    customer: &Customer,
) -> Result<Vec<MachineId>, StoreError> {
    let rows = sqlx::query("SELECT id FROM machines WHERE provider = $1 AND customer = $2")
        .bind(customer.provider.as_str())
        .bind(customer.id.as_str())
        .fetch_all(conn)
        .await?;
    rows.iter().map(|row| Cells::of("machines", row).id("id")).collect()
}

pub(super) async fn insert_customer(
    conn: &mut SqliteConnection,
    customer: &Customer,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO customers (provider, id, organisation, name, tenant) \
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(customer.provider.as_str())
    .bind(customer.id.as_str())
    .bind(customer.organisation.as_str())
    .bind(&customer.name)
    .bind(customer.tenant.as_ref().map(TenantId::as_str))
    .execute(conn)
    .await?;
    Ok(())
}

/// Sees to it that a machine's customer is there: the first rows name customers only.
pub(super) async fn ensure_customer(
    conn: &mut SqliteConnection,
    machine: &CustomerMachine,
) -> Result<(), StoreError> {
    let organisation = format!("org-{}", machine.provider);
    let (provider, customer) = (machine.provider.as_str(), machine.customer.as_str());
    sqlx::query(
        "INSERT INTO service_organisations (id, provider, name) VALUES ($1, $2, 'All customers') \
         ON CONFLICT DO NOTHING",
    )
    .bind(&organisation)
    .bind(provider)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "INSERT INTO customers (provider, id, organisation, name, tenant) \
         VALUES ($1, $2, $3, $2, \
                 (SELECT a.operator FROM assets a JOIN machines m ON m.asset = a.id \
                  WHERE m.id = $4)) ON CONFLICT DO NOTHING",
    )
    .bind(provider)
    .bind(customer)
    .bind(&organisation)
    .bind(machine.id.as_str())
    .execute(conn)
    .await?;
    Ok(())
}

fn customer_in(cells: &Cells<'_>) -> Result<Customer, StoreError> {
    Ok(Customer {
        id: cells.id("id")?,
        provider: cells.id("provider")?,
        organisation: cells.id("organisation")?,
        name: cells.text("name")?,
        tenant: cells.id_or_none("tenant")?,
    })
}

pub(super) async fn customer_of(
    conn: &mut SqliteConnection,
    provider: &TenantId,
    customer: &CustomerId,
) -> Result<Option<Customer>, StoreError> {
    let row = sqlx::query(
        "SELECT provider, id, organisation, name, tenant FROM customers \
         WHERE provider = $1 AND id = $2",
    )
    .bind(provider.as_str())
    .bind(customer.as_str())
    .fetch_optional(conn)
    .await?;
    row.map(|row| customer_in(&Cells::of("customers", &row))).transpose()
}
