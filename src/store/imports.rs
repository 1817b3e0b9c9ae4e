//! Imports: a whole table's rows in one transaction, under the rules of single writes.
//!
//! What is there already is known by its key, an e-mail address or a serial number: the same table
//! imported twice changes nothing the second time. An import adds and renames; it takes nothing away
//! (INF: a table that forgets somebody must not lock them out).
//!
//! What always holds: with one fault, or as a dry run, nothing is written; every row is recorded as
//! the single write that it stands for.

use super::{
    By, Conflict, Object, Store, StoreError, Subject, WriteError,
    act::{Allowed, Ask},
    assets, assignments, facilities, facts, machines, people,
    rows::Cells,
};
use crate::{
    audit::Event,
    authz::{Action, Decision, Request, decide},
    cases::Switch,
    clock::Now,
    ids::{AssetId, Revision, TenantId},
    imports::{AssetLine, Fault, Table, UserLine},
    machines::Asset,
    tenancy::{Permission, Person},
};

/// What becomes of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LineOutcome {
    Created,
    Changed,
    Unchanged,
}

/// One line of a table that has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedLine {
    pub line: u64,
    /// An e-mail address or a serial number.
    pub key: String,
    pub outcome: LineOutcome,
}

/// What an import did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Whether it is on disk.
    pub done: bool,
    pub lines: Vec<ImportedLine>,
    pub faults: Vec<Fault>,
    pub revision: Revision,
}

impl Store {
    /// Imports people into the tenant of who asks, or says what would become of them.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; what is wrong with the table is no error, but in [`Imported::faults`].
    pub async fn import_people(
        &self,
        by: &By,
        table: &Table<UserLine>,
        dry_run: bool,
        now: Now,
    ) -> Result<Imported, WriteError> {
        let mut allowed = self.importing(by, Permission::ManagePeople, now).await?;
        let mut imported = Imported { faults: table.faults.clone(), ..Imported::default() };
        let (subject, assign) =
            (Subject::of(by.person.clone()), Action::Own(Permission::AssignRoles));
        let may_assign = self.allows(allowed.rows(), &subject, assign, now.wall).await?;
        for row in &table.rows {
            if !may_assign && !row.roles.is_empty() {
                let fault = "you may add people, but not assign roles: expected none";
                imported.faults.push(Fault::new(row.line, "roles", fault));
                continue;
            }
            match import_person(&mut allowed, row).await? {
                Ok(outcome) => imported.take(row.line, &row.email, outcome),
                Err(faults) => imported.faults.extend(faults),
            }
        }
        imported.finish(allowed, dry_run).await
    }

    /// Imports assets into the tenant of who asks, or says what would become of them.
    ///
    /// # Errors
    ///
    /// As [`Self::import_people`].
    pub async fn import_assets(
        &self,
        by: &By,
        table: &Table<AssetLine>,
        dry_run: bool,
        now: Now,
    ) -> Result<Imported, WriteError> {
        let mut allowed = self.importing(by, Permission::ManageAssets, now).await?;
        let mut imported = Imported { faults: table.faults.clone(), ..Imported::default() };
        for row in &table.rows {
            match self.import_asset(&mut allowed, by, row, now).await? {
                Ok(outcome) => imported.take(row.line, &row.serial, outcome),
                Err(fault) => imported.faults.push(fault),
            }
        }
        imported.finish(allowed, dry_run).await
    }

    async fn importing(&self, by: &By, needs: Permission, now: Now) -> Result<Allowed, WriteError> {
        let subject = Subject::of(by.person.clone());
        let object = Some("import".to_owned());
        let ask = Ask { by, subject, refused: Event::Refused, object, now };
        self.judged(ask, |_| Action::Own(needs)).await
    }

    async fn import_asset(
        &self,
        allowed: &mut Allowed,
        by: &By,
        row: &AssetLine,
        now: Now,
    ) -> Result<Result<LineOutcome, Fault>, WriteError> {
        let mut found = with_serial(allowed, &row.serial).await?;
        if found.len() > 1 {
            let fault =
                format!("{} assets have this serial number: which one is meant?", found.len());
            return Ok(Err(Fault::new(row.line, "serial", fault)));
        }
        let Some(operator) = allowed.tenant().cloned() else {
            return Err(Conflict::Invalid("nobody's import").into());
        };
        match facilities::known(allowed.rows(), &operator, row.facility.as_ref()).await {
            Ok(()) => {}
            Err(WriteError::Conflict(conflict)) => {
                return Ok(Err(Fault::new(row.line, "facility", conflict.to_string())));
            }
            Err(fault) => return Err(fault),
        }
        let Some(old) = found.pop() else { return new_asset(allowed, operator, row).await };
        let mut new = Asset { name: row.name.clone(), ..old.clone() };
        new.facility = row.facility.clone().or(new.facility);
        // Before as after, the asker's roles must cover it.
        for asset in [&old, &new] {
            if !self.may_edit(allowed, by, asset, now).await? {
                let fault = "this is an asset that your roles do not cover, or would not then";
                return Ok(Err(Fault::new(row.line, "serial", fault)));
            }
        }
        if row.id.as_ref().is_some_and(|id| *id != old.id) {
            let fault =
                format!("the asset with this serial number is {}; an id never changes", old.id);
            return Ok(Err(Fault::new(row.line, "id", fault)));
        }
        if old == new {
            return Ok(Ok(LineOutcome::Unchanged));
        }
        write_changed(allowed, &old, &new).await?;
        Ok(Ok(LineOutcome::Changed))
    }

    async fn may_edit(
        &self,
        allowed: &mut Allowed,
        by: &By,
        asset: &Asset,
        now: Now,
    ) -> Result<bool, StoreError> {
        let subject = Subject::asset(by.person.clone(), asset.id.clone());
        let mut facts = facts::load(self, allowed.rows(), &subject).await?;
        facts.asset = Some(asset.clone());
        let action = Action::EditAsset(asset.id.clone());
        let request = Request { who: by.person.clone(), action, at: now.wall };
        Ok(matches!(decide(request, &facts), Decision::Allow(_)))
    }
}

async fn write_changed(allowed: &mut Allowed, old: &Asset, new: &Asset) -> Result<(), StoreError> {
    sqlx::query("UPDATE assets SET name = $2, facility = $3 WHERE id = $1")
        .bind(new.id.as_str())
        .bind(&new.name)
        .bind(new.facility.as_ref().map(|one| one.as_str()))
        .execute(allowed.rows())
        .await?;
    assets::stamp(allowed.rows(), &new.id).await?;
    let said = |asset: &Asset| {
        serde_json::json!({ "name": asset.name, "facility": asset.facility }).to_string()
    };
    allowed.touch(Object::Asset(new.id.clone()));
    allowed.tell(Event::AssetChanged, |entry| {
        entry.object = Some(format!("asset/{}", new.id));
        entry.asset = Some(new.id.clone());
        entry.old = Some(said(old));
        entry.new = Some(said(new));
    });
    Ok(())
}

impl Imported {
    fn take(&mut self, line: u64, key: &str, outcome: LineOutcome) {
        self.lines.push(ImportedLine { line, key: key.to_owned(), outcome });
    }

    /// Commits what was written, unless it must not be.
    async fn finish(mut self, allowed: Allowed, dry_run: bool) -> Result<Self, WriteError> {
        self.faults.sort_by_key(|fault| fault.line);
        if dry_run || !self.faults.is_empty() {
            // Dropped: it was never there.
            return Ok(self);
        }
        let written = allowed.written(()).await?;
        Ok(Self { done: true, revision: written.revision, ..self })
    }
}

async fn import_person(
    allowed: &mut Allowed,
    row: &UserLine,
) -> Result<Result<LineOutcome, Vec<Fault>>, WriteError> {
    let Some(tenant) = allowed.tenant().cloned() else { return Ok(Err(Vec::new())) };
    let found = people::person_with(allowed.rows(), &row.email).await?;
    let (person, mut outcome) = match found {
        Some(other) if other.tenant != tenant => {
            let fault = "somebody has this address already; an address is one person's";
            return Ok(Err(vec![Fault::new(row.line, "email", fault)]));
        }
        Some(old) if old.name == row.name => (old, LineOutcome::Unchanged),
        Some(old) => (renamed(allowed, old, &row.name).await?, LineOutcome::Changed),
        None => {
            let (email, name) = (row.email.clone(), row.name.clone());
            let person = Person { id: super::fresh_id()?, tenant, email, name, active: true };
            people::insert_person(allowed.rows(), &person, None).await?;
            allowed.touch(Object::Person(person.id.clone()));
            allowed.tell(Event::PersonCreated, |entry| {
                entry.object = Some(format!("person/{}", person.id));
                entry.new = Some(person.email.clone());
            });
            (person, LineOutcome::Created)
        }
    };
    let held = assignments::held_by(allowed.rows(), &person.id).await?.predefined;
    let mut faults = Vec::new();
    for (role, scope) in &row.roles {
        if held.iter().any(|one| one.role == *role && one.scope == *scope) {
            continue;
        }
        match assignments::give(allowed, &person.id, &(*role).into(), scope).await {
            Ok(_) if outcome == LineOutcome::Unchanged => outcome = LineOutcome::Changed,
            Ok(_) => {}
            Err(WriteError::Conflict(conflict)) => {
                let fault = format!("{}: {conflict}", role.code());
                faults.push(Fault::new(row.line, "roles", fault));
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(if faults.is_empty() { Ok(outcome) } else { Err(faults) })
}

async fn renamed(allowed: &mut Allowed, old: Person, name: &str) -> Result<Person, StoreError> {
    sqlx::query("UPDATE people SET name = $2 WHERE id = $1")
        .bind(old.id.as_str())
        .bind(name)
        .execute(allowed.rows())
        .await?;
    allowed.touch(Object::Person(old.id.clone()));
    allowed.tell(Event::PersonChanged, |entry| {
        entry.object = Some(format!("person/{}", old.id));
        entry.old = Some(old.name.clone());
        entry.new = Some(name.to_owned());
    });
    Ok(Person { name: name.to_owned(), ..old })
}

/// The tenant's own assets with this serial number.
async fn with_serial(allowed: &mut Allowed, serial: &str) -> Result<Vec<Asset>, StoreError> {
    let tenant = allowed.tenant().map(ToString::to_string).unwrap_or_default();
    let rows = sqlx::query("SELECT id FROM assets WHERE operator = $1 AND serial = $2 ORDER BY id")
        .bind(tenant)
        .bind(serial)
        .fetch_all(allowed.rows())
        .await?;
    let mut found = Vec::new();
    for row in &rows {
        let id: AssetId = Cells::of("assets", row).id("id")?;
        found.extend(machines::asset_of(allowed.rows(), &id).await?);
    }
    Ok(found)
}

async fn new_asset(
    allowed: &mut Allowed,
    operator: TenantId,
    row: &AssetLine,
) -> Result<Result<LineOutcome, Fault>, WriteError> {
    let id = match &row.id {
        Some(id) => id.clone(),
        None => super::fresh_id()?,
    };
    if machines::asset_of(allowed.rows(), &id).await?.is_some() {
        return Ok(Err(Fault::new(row.line, "id", format!("there already is an asset {id}"))));
    }
    let asset = Asset {
        id,
        operator,
        name: row.name.clone(),
        serial: row.serial.clone(),
        facility: row.facility.clone(),
        active: true,
        switch: Switch::default(),
        device: None,
    };
    machines::insert_asset(allowed.rows(), &asset).await?;
    assets::stamp(allowed.rows(), &asset.id).await?;
    allowed.touch(Object::Asset(asset.id.clone()));
    allowed.tell(Event::AssetCreated, |entry| {
        entry.object = Some(format!("asset/{}", asset.id));
        entry.asset = Some(asset.id.clone());
        entry.new = Some(asset.name.clone());
    });
    Ok(Ok(LineOutcome::Created))
}
