//! What has changed, by number.

use sqlx::SqliteConnection;
use tokio::sync::broadcast;

use super::{Store, StoreError, rows::Cells};
use crate::ids::{
    AssetId, CaseId, DeviceId, FacilityId, MachineId, ModelId, PersonId, Revision, TenantId,
    TunnelId,
};

/// A row, or the rows of one noun, that a decision may read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    Tenant(TenantId),
    /// The person, or one of the person's assignments.
    Person(PersonId),
    Case(CaseId),
    /// The asset, its switch, its pairing or its link.
    Asset(AssetId),
    Machine(MachineId),
    Device(DeviceId),
    Tunnel(TunnelId),
    Facility(FacilityId),
    /// The machine model, or one of its templates.
    Model(ModelId),
}

impl Object {
    fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Tenant(id) => ("tenant", id.as_str()),
            Self::Person(id) => ("person", id.as_str()),
            Self::Case(id) => ("case", id.as_str()),
            Self::Asset(id) => ("asset", id.as_str()),
            Self::Machine(id) => ("machine", id.as_str()),
            Self::Device(id) => ("device", id.as_str()),
            Self::Tunnel(id) => ("tunnel", id.as_str()),
            Self::Facility(id) => ("facility", id.as_str()),
            Self::Model(id) => ("model", id.as_str()),
        }
    }

    fn of(cells: &Cells<'_>) -> Result<Self, StoreError> {
        Ok(match cells.text("kind")?.as_str() {
            "tenant" => Self::Tenant(cells.id("id")?),
            "person" => Self::Person(cells.id("id")?),
            "case" => Self::Case(cells.id("id")?),
            "asset" => Self::Asset(cells.id("id")?),
            "machine" => Self::Machine(cells.id("id")?),
            "device" => Self::Device(cells.id("id")?),
            "tunnel" => Self::Tunnel(cells.id("id")?),
            "facility" => Self::Facility(cells.id("id")?),
            "model" => Self::Model(cells.id("id")?),
            other => return Err(cells.unreadable("kind", other)),
        })
    }
}

/// One committed change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub revision: Revision,
    pub objects: Vec<Object>,
}

impl Store {
    /// Every change from now on, in order; who lags learns so and asks [`Self::changes_since`].
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.0.published.subscribe()
    }

    /// The newest change's number.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn revision(&self) -> Result<Revision, StoreError> {
        let mut reading = self.reading().await?;
        let row = sqlx::query("SELECT value FROM counters WHERE name = 'revision'")
            .fetch_one(&mut *reading)
            .await?;
        Cells::of("counters", &row).count("value").map(Revision)
    }

    /// The changes after `revision`, in order.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn changes_since(&self, revision: Revision) -> Result<Vec<Change>, StoreError> {
        let mut reading = self.reading().await?;
        let rows = sqlx::query(
            "SELECT revision, kind, id FROM changes WHERE revision > $1 ORDER BY revision, kind, id",
        )
        .bind(super::rows::kept(revision.0))
        .fetch_all(&mut *reading)
        .await?;
        let mut changes: Vec<Change> = Vec::new();
        for row in &rows {
            let cells = Cells::of("changes", row);
            let revision = Revision(cells.count("revision")?);
            let object = Object::of(&cells)?;
            match changes.last_mut() {
                Some(last) if last.revision == revision => last.objects.push(object),
                Some(_) | None => changes.push(Change { revision, objects: vec![object] }),
            }
        }
        Ok(changes)
    }
}

/// Numbers a change and keeps what it touched.
pub(super) async fn number(
    conn: &mut SqliteConnection,
    objects: &[Object],
) -> Result<Revision, StoreError> {
    let row = sqlx::query(
        "UPDATE counters SET value = value + 1 WHERE name = 'revision' RETURNING value",
    )
    .fetch_one(&mut *conn)
    .await?;
    let revision = Cells::of("counters", &row).number("value")?;
    for object in objects {
        let (kind, id) = object.parts();
        sqlx::query(
            "INSERT INTO changes (revision, kind, id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        )
        .bind(revision)
        .bind(kind)
        .bind(id)
        .execute(&mut *conn)
        .await?;
    }
    Ok(Revision(u64::try_from(revision).unwrap_or_default()))
}
