//! Facilities: the sites and halls that group an operator's assets, of the own tenant.

use sqlx::SqliteConnection;

use super::{
    By, Conflict, Object, Store, StoreError, Subject, WriteError, Written,
    act::{Allowed, Ask},
    rows::Cells,
};
use crate::{
    audit::Event,
    authz::Action,
    clock::Now,
    ids::{FacilityId, TenantId},
    machines::Facility,
    tenancy::Permission,
};

/// A facility with what is kept beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FacilityEntry {
    pub facility: Facility,
    /// Assets there, in service or not.
    pub assets: u64,
}

impl Store {
    /// An operator's facilities, by name.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn facilities(&self, operator: &TenantId) -> Result<Vec<FacilityEntry>, StoreError> {
        let mut reading = self.reading().await?;
        let rows = sqlx::query(
            "SELECT f.operator, f.id, f.name, \
                    (SELECT COUNT(*) FROM assets a \
                     WHERE a.operator = f.operator AND a.facility = f.id) AS assets \
             FROM facilities f WHERE f.operator = $1 ORDER BY f.name, f.id",
        )
        .bind(operator.as_str())
        .fetch_all(&mut *reading)
        .await?;
        rows.iter().map(|row| facility_in(&Cells::of("facilities", row))).collect()
    }

    /// Creates a facility.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn create_facility(
        &self,
        by: &By,
        id: Option<FacilityId>,
        name: &str,
        now: Now,
    ) -> Result<Written<FacilityEntry>, WriteError> {
        let mut allowed = self.housing(by, None, now).await?;
        let Some(operator) = allowed.tenant().cloned() else {
            return Err(allowed.not_found().await);
        };
        let id = match id {
            Some(id) => id,
            None => super::fresh_id()?,
        };
        if facility_of(allowed.rows(), &operator, &id).await?.is_some() {
            return Err(Conflict::Exists(format!("a facility {id}")).into());
        }
        let facility = Facility { id, operator, name: name.to_owned() };
        insert_facility(allowed.rows(), &facility).await?;
        told(&mut allowed, Event::FacilityCreated, None, Some(&facility));
        Ok(allowed.written(FacilityEntry { facility, assets: 0 }).await?)
    }

    /// Gives a facility another name.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn rename_facility(
        &self,
        by: &By,
        facility: &FacilityId,
        name: &str,
        now: Now,
    ) -> Result<Written<FacilityEntry>, WriteError> {
        let mut allowed = self.housing(by, Some(facility), now).await?;
        let Some(old) = own(&mut allowed, facility).await? else {
            return Err(allowed.not_found().await);
        };
        let new = Facility { name: name.to_owned(), ..old.facility.clone() };
        sqlx::query("UPDATE facilities SET name = $3 WHERE operator = $1 AND id = $2")
            .bind(new.operator.as_str())
            .bind(new.id.as_str())
            .bind(&new.name)
            .execute(allowed.rows())
            .await?;
        told(&mut allowed, Event::FacilityRenamed, Some(&old.facility), Some(&new));
        Ok(allowed.written(FacilityEntry { facility: new, assets: old.assets }).await?)
    }

    /// Deletes a facility that is empty.
    ///
    /// INF: one that a role's scope names is not: made again under the same id, it would silently be
    /// covered by a role that was given for another place.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn delete_facility(
        &self,
        by: &By,
        facility: &FacilityId,
        now: Now,
    ) -> Result<Written<()>, WriteError> {
        let mut allowed = self.housing(by, Some(facility), now).await?;
        let Some(old) = own(&mut allowed, facility).await? else {
            return Err(allowed.not_found().await);
        };
        if old.assets > 0 {
            return Err(Conflict::InUse("assets are in this facility: move them first").into());
        }
        if named_by_a_scope(allowed.rows(), &old.facility).await? {
            let still = "somebody's role covers this facility: take that role away first";
            return Err(Conflict::InUse(still).into());
        }
        sqlx::query("DELETE FROM facilities WHERE operator = $1 AND id = $2")
            .bind(old.facility.operator.as_str())
            .bind(facility.as_str())
            .execute(allowed.rows())
            .await?;
        told(&mut allowed, Event::FacilityDeleted, Some(&old.facility), None);
        Ok(allowed.written(()).await?)
    }

    async fn housing(
        &self,
        by: &By,
        facility: Option<&FacilityId>,
        now: Now,
    ) -> Result<Allowed, WriteError> {
        let object = facility.map(|facility| format!("facility/{facility}"));
        let subject = Subject::of(by.person.clone());
        let ask = Ask { by, subject, refused: Event::Refused, object, now };
        self.judged(ask, |_| Action::Own(Permission::ManageFacilities)).await
    }
}

/// Refuses a facility that the operator does not have.
pub(super) async fn known(
    conn: &mut SqliteConnection,
    operator: &TenantId,
    facility: Option<&FacilityId>,
) -> Result<(), WriteError> {
    let Some(facility) = facility else { return Ok(()) };
    match facility_of(conn, operator, facility).await? {
        Some(_) => Ok(()),
        None => Err(Conflict::Invalid(
            "facility: your company has no such facility; see `caseway facility list`",
        )
        .into()),
    }
}

async fn own(
    allowed: &mut Allowed,
    facility: &FacilityId,
) -> Result<Option<FacilityEntry>, StoreError> {
    match allowed.tenant().cloned() {
        Some(operator) => facility_of(allowed.rows(), &operator, facility).await,
        None => Ok(None),
    }
}

fn told(allowed: &mut Allowed, event: Event, old: Option<&Facility>, new: Option<&Facility>) {
    let Some(id) = new.or(old).map(|facility| facility.id.clone()) else { return };
    allowed.tell(event, |record| {
        record.object = Some(format!("facility/{id}"));
        record.old = old.map(|facility| facility.name.clone());
        record.new = new.map(|facility| facility.name.clone());
    });
    allowed.touch(Object::Facility(id));
}

async fn named_by_a_scope(
    conn: &mut SqliteConnection,
    facility: &Facility,
) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT 1 FROM assignment_objects o \
         JOIN assignments a ON a.id = o.assignment JOIN people p ON p.id = a.person \
         WHERE a.scope = 'facilities' AND o.object = $2 AND p.tenant = $1 LIMIT 1",
    )
    .bind(facility.operator.as_str())
    .bind(facility.id.as_str())
    .fetch_optional(conn)
    .await?;
    Ok(row.is_some())
}

pub(super) async fn insert_facility(
    conn: &mut SqliteConnection,
    facility: &Facility,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO facilities (operator, id, name) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    )
    .bind(facility.operator.as_str())
    .bind(facility.id.as_str())
    .bind(&facility.name)
    .execute(conn)
    .await?;
    Ok(())
}

fn facility_in(cells: &Cells<'_>) -> Result<FacilityEntry, StoreError> {
    let (id, operator, name) = (cells.id("id")?, cells.id("operator")?, cells.text("name")?);
    Ok(FacilityEntry { facility: Facility { id, operator, name }, assets: cells.count("assets")? })
}

async fn facility_of(
    conn: &mut SqliteConnection,
    operator: &TenantId,
    facility: &FacilityId,
) -> Result<Option<FacilityEntry>, StoreError> {
    let row = sqlx::query(
        "SELECT f.operator, f.id, f.name, \
                (SELECT COUNT(*) FROM assets a \
                 WHERE a.operator = f.operator AND a.facility = f.id) AS assets \
         FROM facilities f WHERE f.operator = $1 AND f.id = $2",
    )
    .bind(operator.as_str())
    .bind(facility.as_str())
    .fetch_optional(conn)
    .await?;
    row.map(|row| facility_in(&Cells::of("facilities", &row))).transpose()
}
