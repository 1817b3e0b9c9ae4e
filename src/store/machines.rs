//! Assets, customer machines, and the links between them.

use sqlx::SqliteConnection;

use super::{
    By, Conflict, Object, Store, StoreError, Subject, SwitchAsk, Switched, WriteError, Written,
    act::{Allowed, Ask},
    assets,
    cases::{switch_told, turned, wanted},
    facilities,
    rows::Cells,
};
use crate::{
    audit::Event,
    authz::Action,
    cases::Switch,
    clock::Now,
    ids::{AssetId, FacilityId, MachineId, PersonId, TenantId},
    machines::{Asset, CustomerMachine, Link},
    tenancy::Permission,
};

/// A name or a serial number at most, in bytes.
const TEXT_BYTES_MAX: usize = 200;

/// An asset that somebody wants, in the tenant of who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAsset {
    /// Chosen by the gateway where none is given.
    pub id: Option<AssetId>,
    pub name: String,
    pub serial: String,
    pub facility: Option<FacilityId>,
}

impl Store {
    /// An asset, whoever asks.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn asset(&self, asset: &AssetId) -> Result<Option<Asset>, StoreError> {
        let mut reading = self.reading().await?;
        asset_of(&mut reading, asset).await
    }

    /// The assets that `who` may read: of the own tenant, and those linked to it as provider.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn assets(&self, who: &PersonId, now: Now) -> Result<Vec<Asset>, StoreError> {
        let mut reading = self.reading().await?;
        let rows = sqlx::query(
            "SELECT a.id, a.operator, a.name, a.serial, a.facility, a.active, a.switch_on, \
                    a.switch_until, a.device \
             FROM assets a JOIN people p ON p.id = $1 \
             WHERE a.operator = p.tenant OR EXISTS \
                   (SELECT 1 FROM machines m WHERE m.asset = a.id AND m.provider = p.tenant) \
             ORDER BY a.name, a.id",
        )
        .bind(who.as_str())
        .fetch_all(&mut *reading)
        .await?;
        let mut seen = Vec::new();
        for row in &rows {
            let asset = asset_in(&Cells::of("assets", row))?;
            let subject = Subject::asset(who.clone(), asset.id.clone());
            let action = Action::ReadAsset(asset.id.clone());
            if self.allows(&mut reading, &subject, action, now.wall).await? {
                seen.push(asset);
            }
        }
        Ok(seen)
    }

    /// A provider's machines.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn machines(&self, provider: &TenantId) -> Result<Vec<CustomerMachine>, StoreError> {
        let mut reading = self.reading().await?;
        let rows = sqlx::query(
            "SELECT id, provider, customer, serial, link, asset FROM machines \
             WHERE provider = $1 ORDER BY id",
        )
        .bind(provider.as_str())
        .fetch_all(&mut *reading)
        .await?;
        rows.iter().map(|row| machine_in(&Cells::of("machines", row))).collect()
    }

    /// Creates an asset in the tenant of who asks.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn create_asset(
        &self,
        by: &By,
        new: &NewAsset,
        now: Now,
    ) -> Result<Written<Asset>, WriteError> {
        let blank = |text: &str| text.trim().is_empty() || text.len() > TEXT_BYTES_MAX;
        if blank(&new.name) || blank(&new.serial) {
            return Err(Conflict::Invalid("a name and a serial number have 1 to 200 bytes").into());
        }
        let subject = Subject::of(by.person.clone());
        let ask = Ask { by, subject, refused: Event::Refused, object: None, now };
        let mut allowed = self.judged(ask, |_| Action::Own(Permission::ManageAssets)).await?;
        let Some(operator) = allowed.tenant().cloned() else {
            return Err(allowed.not_found().await);
        };
        facilities::known(allowed.rows(), &operator, new.facility.as_ref()).await?;
        let id = match &new.id {
            Some(id) => id.clone(),
            None => super::fresh_id()?,
        };
        if asset_of(allowed.rows(), &id).await?.is_some() {
            return Err(Conflict::Exists(format!("an asset {id}")).into());
        }
        let asset = Asset {
            id,
            operator,
            name: new.name.trim().to_owned(),
            serial: new.serial.trim().to_owned(),
            facility: new.facility.clone(),
            active: true,
            switch: Switch::default(),
            device: None,
        };
        insert_asset(allowed.rows(), &asset).await?;
        assets::stamp(allowed.rows(), &asset.id).await?;
        allowed.touch(Object::Asset(asset.id.clone()));
        allowed.tell(Event::AssetCreated, |entry| {
            entry.object = Some(format!("asset/{}", asset.id));
            entry.asset = Some(asset.id.clone());
            entry.new = Some(asset.name.clone());
        });
        Ok(allowed.written(asset).await?)
    }

    /// Turns an asset's own switch.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn switch_asset(
        &self,
        by: &By,
        asset: &AssetId,
        ask: &SwitchAsk,
        now: Now,
    ) -> Result<Switched, WriteError> {
        let switch = wanted(ask, now)?;
        let subject = Subject::asset(by.person.clone(), asset.clone());
        let object = Some(format!("asset/{asset}"));
        let asked = Ask { by, subject, refused: Event::SwitchRefused, object, now };
        let action = Action::SwitchAsset { asset: asset.clone(), on: ask.on };
        let mut allowed = self.judged(asked, |_| action).await?;
        let Some(old) = allowed.facts.asset.as_ref().map(|asset| asset.switch.clone()) else {
            return Err(allowed.not_found().await);
        };
        write_switch(allowed.rows(), asset, &switch).await?;
        allowed.touch(Object::Asset(asset.clone()));
        let (key, reason) = (("asset", asset.as_str()), ask.reason.as_deref());
        turned(allowed.rows(), key, switch.on, Some(&by.person), reason, now.wall).await?;
        switch_told(&mut allowed, &old, &switch, reason);
        let done = allowed.written(switch).await?;
        Ok(Switched {
            revision: done.revision,
            committed_at: done.committed_at,
            switch: done.value,
        })
    }
}

impl Store {
    /// Lets `by` act on an asset.
    pub(super) async fn on_asset(
        &self,
        by: &By,
        asset: &AssetId,
        action: Action,
        now: Now,
    ) -> Result<Allowed, WriteError> {
        let subject = Subject::asset(by.person.clone(), asset.clone());
        let object = Some(format!("asset/{asset}"));
        let ask = Ask { by, subject, refused: Event::Refused, object, now };
        self.judged(ask, |_| action).await
    }
}

pub(super) async fn write_link(
    conn: &mut SqliteConnection,
    machine: &CustomerMachine,
) -> Result<(), StoreError> {
    let (link, asset) = link_parts(&machine.link);
    sqlx::query("UPDATE machines SET link = $2, asset = $3 WHERE id = $1")
        .bind(machine.id.as_str())
        .bind(link)
        .bind(asset.map(AssetId::as_str))
        .execute(conn)
        .await?;
    Ok(())
}

async fn write_switch(
    conn: &mut SqliteConnection,
    asset: &AssetId,
    switch: &Switch,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE assets SET switch_on = $2, switch_until = $3 WHERE id = $1")
        .bind(asset.as_str())
        .bind(i64::from(switch.on))
        .bind(switch.until.map(|until| until.0))
        .execute(conn)
        .await?;
    Ok(())
}

pub(super) async fn insert_asset(
    conn: &mut SqliteConnection,
    asset: &Asset,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO assets (id, operator, name, serial, facility, active, switch_on, \
                             switch_until, device) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(asset.id.as_str())
    .bind(asset.operator.as_str())
    .bind(&asset.name)
    .bind(&asset.serial)
    .bind(asset.facility.as_ref().map(|one| one.as_str()))
    .bind(i64::from(asset.active))
    .bind(i64::from(asset.switch.on))
    .bind(asset.switch.until.map(|until| until.0))
    .bind(asset.device.as_ref().map(|one| one.as_str()))
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn insert_machine(
    conn: &mut SqliteConnection,
    machine: &CustomerMachine,
) -> Result<(), StoreError> {
    let (link, asset) = link_parts(&machine.link);
    sqlx::query(
        "INSERT INTO machines (id, provider, customer, serial, link, asset) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(machine.id.as_str())
    .bind(machine.provider.as_str())
    .bind(machine.customer.as_str())
    .bind(&machine.serial)
    .bind(link)
    .bind(asset.map(AssetId::as_str))
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) fn link_parts(link: &Link) -> (&'static str, Option<&AssetId>) {
    match link {
        Link::New => ("new", None),
        Link::Proposed { asset } => ("proposed", Some(asset)),
        Link::Linked { asset } => ("linked", Some(asset)),
    }
}

pub(super) fn asset_in(cells: &Cells<'_>) -> Result<Asset, StoreError> {
    Ok(Asset {
        id: cells.id("id")?,
        operator: cells.id("operator")?,
        name: cells.text("name")?,
        serial: cells.text("serial")?,
        facility: cells.id_or_none("facility")?,
        active: cells.flag("active")?,
        switch: cells.switch()?,
        device: cells.id_or_none("device")?,
    })
}

pub(super) fn machine_in(cells: &Cells<'_>) -> Result<CustomerMachine, StoreError> {
    let asset = cells.id_or_none("asset")?;
    let link = match (cells.text("link")?.as_str(), asset) {
        ("proposed", Some(asset)) => Link::Proposed { asset },
        ("linked", Some(asset)) => Link::Linked { asset },
        ("new", None) => Link::New,
        (other, _) => return Err(cells.unreadable("link", other)),
    };
    Ok(CustomerMachine {
        id: cells.id("id")?,
        provider: cells.id("provider")?,
        customer: cells.id("customer")?,
        serial: cells.text("serial")?,
        link,
    })
}

pub(super) async fn asset_of(
    conn: &mut SqliteConnection,
    asset: &AssetId,
) -> Result<Option<Asset>, StoreError> {
    let row = sqlx::query(
        "SELECT id, operator, name, serial, facility, active, switch_on, switch_until, device \
         FROM assets WHERE id = $1",
    )
    .bind(asset.as_str())
    .fetch_optional(conn)
    .await?;
    row.map(|row| asset_in(&Cells::of("assets", &row))).transpose()
}

pub(super) async fn machine_of(
    conn: &mut SqliteConnection,
    machine: &MachineId,
) -> Result<Option<CustomerMachine>, StoreError> {
    let row = sqlx::query(
        "SELECT id, provider, customer, serial, link, asset FROM machines WHERE id = $1",
    )
    .bind(machine.as_str())
    .fetch_optional(conn)
    .await?;
    row.map(|row| machine_in(&Cells::of("machines", &row))).transpose()
}

/// The customer machines that are linked to, or proposed for, an asset.
pub(super) async fn machines_on(
    conn: &mut SqliteConnection,
    asset: &AssetId,
) -> Result<Vec<CustomerMachine>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, provider, customer, serial, link, asset FROM machines \
         WHERE asset = $1 ORDER BY id",
    )
    .bind(asset.as_str())
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| machine_in(&Cells::of("machines", row))).collect()
}
