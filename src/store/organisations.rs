//! Organisations: who belongs to them, what they let their people see, and who changed it.
//!
//! A Tenant Admin makes them and names their approvers; what their people see is changed by an
//! approver alone, with a record that stays (G3-9). Who belongs is said by the database itself when
//! a person is written (`people_belong_by_domain`).

mod rows;

use std::collections::BTreeSet;

pub(super) use rows::standing;
use rows::{insert, organisations_of, write_approvers, write_domains};
use sqlx::SqliteConnection;

use super::{
    By, Conflict, Object, Store, StoreError, Subject, WriteError, Written,
    act::{Allowed, Ask},
    rows::{Cells, code},
};
use crate::{
    audit::Event,
    authz::{Action, Reason},
    clock::{Now, Wall},
    ids::{CaseId, OrganisationId, PersonId, TenantId},
    tenancy::Permission,
    visibility::{
        Domain, OrgSetting, PersonSetting, Wider, may_change, may_widen, organisation_for,
    },
};

/// An organisation's name at most, in bytes.
const NAME_BYTES_MAX: usize = 200;
/// Organisations of one company at most.
const ORGANISATIONS_MAX: usize = 500;

/// People of a company who share an e-mail domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    pub id: OrganisationId,
    pub tenant: TenantId,
    pub name: String,
    pub setting: OrgSetting,
    /// Gives first-line support for others.
    pub partner: bool,
    /// A client of a managed service.
    pub managed: bool,
    /// Has agreed that its partners may be shown all of its cases.
    pub agreed: bool,
    /// Its partners are shown all of its cases.
    pub wide: bool,
    pub domains: BTreeSet<Domain>,
    pub approvers: BTreeSet<PersonId>,
}

/// An organisation that somebody wants.
#[derive(Clone, Debug, Default)]
pub struct NewOrganisation {
    pub name: String,
    pub domains: BTreeSet<Domain>,
    pub approvers: BTreeSet<PersonId>,
    pub partner: bool,
    pub managed: bool,
}

/// New values of what a Tenant Admin arranges, and of what an approver decides; what is `None` stays.
#[derive(Clone, Debug)]
pub enum OrganisationChange {
    /// Counts for people who are created from now on.
    Domains(BTreeSet<Domain>),
    Approvers(BTreeSet<PersonId>),
    Setting(OrgSetting),
    Agreed(bool),
    Wide(bool),
}

/// A person in an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganisationMember {
    pub person: PersonId,
    pub name: String,
    pub sees: PersonSetting,
}

/// One change of what an organisation's people see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingChange {
    pub person: PersonId,
    pub at: Wall,
    pub what: String,
    pub old: String,
    pub new: String,
}

impl Store {
    /// A tenant's organisations, by name.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn organisations(&self, tenant: &TenantId) -> Result<Vec<Organisation>, StoreError> {
        let mut reading = self.reading().await?;
        organisations_of(&mut reading, tenant).await
    }

    /// An organisation's people, by name.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn organisation_members(
        &self,
        organisation: &OrganisationId,
    ) -> Result<Vec<OrganisationMember>, StoreError> {
        let rows = sqlx::query(
            "SELECT m.person, p.name, m.sees FROM organisation_members m \
             JOIN people p ON p.id = m.person WHERE m.organisation = $1 ORDER BY p.name, p.id",
        )
        .bind(organisation.as_str())
        .fetch_all(self.readers()?)
        .await?;
        let member = |row| {
            let cells = Cells::of("organisation_members", row);
            let (person, name) = (cells.id("person")?, cells.text("name")?);
            Ok(OrganisationMember { person, name, sees: cells.code("sees")? })
        };
        rows.iter().map(member).collect()
    }

    /// Every change of what an organisation's people see, oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn setting_changes(
        &self,
        organisation: &OrganisationId,
    ) -> Result<Vec<SettingChange>, StoreError> {
        let rows =
            sqlx::query("SELECT * FROM organisation_changes WHERE organisation = $1 ORDER BY id")
                .bind(organisation.as_str())
                .fetch_all(self.readers()?)
                .await?;
        let change = |row| {
            let cells = Cells::of("organisation_changes", row);
            Ok(SettingChange {
                person: cells.id("person")?,
                at: cells.wall("at")?,
                what: cells.text("what")?,
                old: cells.text("old_value")?,
                new: cells.text("new_value")?,
            })
        };
        rows.iter().map(change).collect()
    }

    /// Creates an organisation in the tenant of who asks; its people see their own cases.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn create_organisation(
        &self,
        by: &By,
        new: &NewOrganisation,
        now: Now,
    ) -> Result<Written<Organisation>, WriteError> {
        let name = new.name.trim().to_owned();
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Err(Conflict::Invalid("a name has 1 to 200 bytes").into());
        }
        let (mut allowed, tenant) = self.arranging(by, "organisation", now).await?;
        let all = organisations_of(allowed.rows(), &tenant).await?;
        if all.len() >= ORGANISATIONS_MAX {
            return Err(Conflict::Invalid("a company has 500 organisations at most").into());
        }
        if all.iter().any(|one| one.name == name) {
            return Err(Conflict::Exists(format!("an organisation named {name}")).into());
        }
        let organisation = Organisation {
            id: super::fresh_id()?,
            tenant,
            name,
            setting: OrgSetting::default(),
            partner: new.partner,
            managed: new.managed,
            agreed: false,
            wide: false,
            domains: new.domains.clone(),
            approvers: new.approvers.clone(),
        };
        insert(allowed.rows(), &organisation).await?;
        write_domains(allowed.rows(), &organisation.id, &new.domains).await?;
        write_approvers(allowed.rows(), &organisation, &new.approvers).await?;
        told(&mut allowed, Event::OrganisationCreated, &organisation, None, &organisation.name);
        Ok(allowed.written(organisation).await?)
    }

    /// Changes an organisation.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn change_organisation(
        &self,
        by: &By,
        organisation: &OrganisationId,
        change: &OrganisationChange,
        now: Now,
    ) -> Result<Written<()>, WriteError> {
        let arranged =
            matches!(change, OrganisationChange::Domains(_) | OrganisationChange::Approvers(_));
        let permission = if arranged { Permission::ManageCompany } else { Permission::SignIn };
        let (mut allowed, row) = self.on_organisation(by, organisation, permission, now).await?;
        match change {
            OrganisationChange::Domains(domains) => {
                write_domains(allowed.rows(), organisation, domains).await?;
                let (old, new) = (listed(&row.domains), listed(domains));
                told(&mut allowed, Event::OrganisationChanged, &row, Some(old), &new);
            }
            OrganisationChange::Approvers(approvers) => {
                write_approvers(allowed.rows(), &row, approvers).await?;
                let (old, new) = (listed(&row.approvers), listed(approvers));
                told(&mut allowed, Event::OrganisationChanged, &row, Some(old), &new);
            }
            OrganisationChange::Setting(setting) => {
                approved(&mut allowed, by, &row, ("setting", &row.setting, setting), now).await?;
            }
            OrganisationChange::Agreed(agreed) => {
                // What nobody agrees to any more is not shown any more.
                if !agreed && row.wide {
                    approved(&mut allowed, by, &row, ("wide", &true, &false), now).await?;
                }
                approved(&mut allowed, by, &row, ("agreed", &row.agreed, agreed), now).await?;
            }
            OrganisationChange::Wide(wide) => {
                may_widen(Wider { on: *wide, agreed: row.agreed }).map_err(|_| {
                    Conflict::Invalid("the organisation has not agreed that its partners see more")
                })?;
                approved(&mut allowed, by, &row, ("wide", &row.wide, wide), now).await?;
            }
        }
        Ok(allowed.written(()).await?)
    }

    /// Sets what one of an organisation's people sees beside their own cases; an approver alone may.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn set_member_sees(
        &self,
        by: &By,
        organisation: &OrganisationId,
        person: &PersonId,
        sees: PersonSetting,
        now: Now,
    ) -> Result<Written<()>, WriteError> {
        let permission = Permission::SignIn;
        let (mut allowed, row) = self.on_organisation(by, organisation, permission, now).await?;
        let member =
            "SELECT sees FROM organisation_members WHERE organisation = $1 AND person = $2";
        let old = sqlx::query(member)
            .bind(organisation.as_str())
            .bind(person.as_str())
            .fetch_optional(allowed.rows())
            .await?;
        let Some(old) = old else { return Err(allowed.not_found().await) };
        let old: PersonSetting = Cells::of("organisation_members", &old).code("sees")?;
        recorded(&mut allowed, by, &row, (person.as_str(), &code(&old), &code(&sees)), now).await?;
        sqlx::query(
            "UPDATE organisation_members SET sees = $3 WHERE organisation = $1 AND person = $2",
        )
        .bind(organisation.as_str())
        .bind(person.as_str())
        .bind(code(&sees))
        .execute(allowed.rows())
        .await?;
        Ok(allowed.written(()).await?)
    }

    /// Puts a case under another organisation of who raised it; they alone may (G3-7).
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn set_case_organisation(
        &self,
        by: &By,
        case: &CaseId,
        organisation: &OrganisationId,
        now: Now,
    ) -> Result<Written<()>, WriteError> {
        let subject = Subject::case(by.person.clone(), case.clone());
        let object = Some(format!("case/{case}"));
        let ask = Ask { by, subject, refused: Event::Refused, object, now };
        let mut allowed = self.judged(ask, |_| Action::ReadCase(case.clone())).await?;
        if allowed.facts.case.as_ref().is_none_or(|row| row.created_by != by.person) {
            return Err(allowed.refused(Reason::Role).await);
        }
        let Some(tenant) = allowed.tenant().cloned() else { return Err(allowed.not_found().await) };
        raise(allowed.rows(), &by.person, &tenant, case, Some(organisation)).await?;
        allowed.touch(Object::Case(case.clone()));
        allowed.tell(Event::CaseOrganisationChanged, |entry| {
            entry.object = Some(format!("case/{case}"));
            entry.new = Some(organisation.to_string());
        });
        Ok(allowed.written(()).await?)
    }

    async fn on_organisation(
        &self,
        by: &By,
        organisation: &OrganisationId,
        permission: Permission,
        now: Now,
    ) -> Result<(Allowed, Organisation), WriteError> {
        let subject = Subject::of(by.person.clone());
        let object = Some(format!("organisation/{organisation}"));
        let ask = Ask { by, subject, refused: Event::Refused, object, now };
        let mut allowed = self.judged(ask, |_| Action::Own(permission)).await?;
        let Some(tenant) = allowed.tenant().cloned() else { return Err(allowed.not_found().await) };
        let all = organisations_of(allowed.rows(), &tenant).await?;
        let row = all.into_iter().find(|one| one.id == *organisation);
        let Some(row) = row else { return Err(allowed.not_found().await) };
        // Whoever may arrange it may say who approves; what people see is the approvers' alone.
        let approver = row.approvers.contains(&by.person);
        if permission == Permission::SignIn && may_change(approver).is_err() {
            return Err(allowed.refused(Reason::Role).await);
        }
        Ok((allowed, row))
    }
}

/// Puts a case under an organisation of who raises it, as they say, or as goes without saying.
pub(super) async fn raise(
    conn: &mut SqliteConnection,
    person: &PersonId,
    tenant: &TenantId,
    case: &CaseId,
    said: Option<&OrganisationId>,
) -> Result<(), WriteError> {
    let rows = sqlx::query("SELECT organisation FROM organisation_members WHERE person = $1")
        .bind(person.as_str())
        .fetch_all(&mut *conn)
        .await?;
    let own = rows.iter().map(|row| Cells::of("organisation_members", row).id("organisation"));
    let own = own.collect::<Result<BTreeSet<OrganisationId>, StoreError>>()?;
    let organisation = organisation_for(&own, said).map_err(|fault| match fault {
        crate::visibility::MembershipError::MustSay => Conflict::Invalid(
            "organisation: you belong to several; say for which of them the case is",
        ),
        crate::visibility::MembershipError::NotAMember => {
            Conflict::Invalid("organisation: you do not belong to it")
        }
    })?;
    let Some(organisation) = organisation else { return Ok(()) };
    sqlx::query(
        "INSERT INTO case_organisations (case_id, tenant, organisation) VALUES ($1, $2, $3) \
         ON CONFLICT (case_id, tenant) DO UPDATE SET organisation = excluded.organisation",
    )
    .bind(case.as_str())
    .bind(tenant.as_str())
    .bind(organisation.as_str())
    .execute(conn)
    .await?;
    Ok(())
}

/// A column of an organisation, and its values before and after.
type Of<'a, T> = (&'a str, &'a T, &'a T);

/// Changes one column, with the record without which the database refuses it.
async fn approved<T: serde::Serialize>(
    allowed: &mut Allowed,
    by: &By,
    row: &Organisation,
    (what, old, new): Of<'_, T>,
    now: Now,
) -> Result<(), WriteError> {
    let words = |value: &T| {
        serde_json::to_value(value)
            .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    };
    let unreadable = |fault: serde_json::Error| StoreError::Unreadable {
        table: "organisations",
        fault: fault.to_string(),
    };
    let (old, new) = (words(old).map_err(unreadable)?, words(new).map_err(unreadable)?);
    let change = recorded(allowed, by, row, (what, &old, &new), now).await?;
    let sql = match what {
        "setting" => "UPDATE organisations SET setting = $2, change = $3 WHERE id = $1",
        "agreed" => {
            "UPDATE organisations SET agreed = CASE $2 WHEN 'true' THEN 1 ELSE 0 END, change = $3 WHERE id = $1"
        }
        _ => {
            "UPDATE organisations SET wide = CASE $2 WHEN 'true' THEN 1 ELSE 0 END, change = $3 WHERE id = $1"
        }
    };
    sqlx::query(sql).bind(row.id.as_str()).bind(new).bind(change).execute(allowed.rows()).await?;
    Ok(())
}

/// Writes the permanent record of a change, and the audit record beside it; gives its number.
async fn recorded(
    allowed: &mut Allowed,
    by: &By,
    row: &Organisation,
    (what, old, new): (&str, &str, &str),
    now: Now,
) -> Result<i64, StoreError> {
    let next = sqlx::query(
        "INSERT INTO organisation_changes (id, organisation, person, at, what, old_value, new_value) \
         SELECT COALESCE(MAX(id), 0) + 1, $1, $2, $3, $4, $5, $6 FROM organisation_changes \
         RETURNING id",
    )
    .bind(row.id.as_str())
    .bind(by.person.as_str())
    .bind(now.wall.0)
    .bind(what)
    .bind(old)
    .bind(new)
    .fetch_one(allowed.rows())
    .await?;
    let old = Some(format!("{what} {old}"));
    told(allowed, Event::OrganisationChanged, row, old, &format!("{what} {new}"));
    Cells::of("organisation_changes", &next).number("id")
}

fn listed<T: std::fmt::Display>(items: &BTreeSet<T>) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn told(
    allowed: &mut Allowed,
    event: Event,
    organisation: &Organisation,
    old: Option<String>,
    new: &str,
) {
    allowed.touch(Object::Tenant(organisation.tenant.clone()));
    allowed.tell(event, |entry| {
        entry.object = Some(format!("organisation/{}", organisation.id));
        entry.old = old;
        entry.new = Some(new.to_owned());
    });
}
