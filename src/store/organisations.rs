//! Organisations: who belongs to them, what they let their people see, and who changed it.
//!
//! A Tenant Admin makes them and names their approvers; what their people see is changed by an
//! approver alone, with a record that stays (G3-9). Who belongs is said by the database itself when
//! a person is written (`people_belong_by_domain`).

use std::collections::BTreeSet;

use sqlx::SqliteConnection;

use super::{
    By, Conflict, Object, Store, StoreError, Subject, WriteError, Written,
    act::{Allowed, Ask},
    groups::is_colleague,
    rows::{Cells, code},
};
use crate::{
    audit::Event,
    authz::{Action, Reason},
    cases::Case,
    clock::{Now, Wall},
    ids::{CaseId, OrganisationId, PersonId, TenantId},
    tenancy::{Permission, Person},
    visibility::{
        Cc, Domain, OrgSetting, PersonSetting, Standing, Wider, may_change, may_widen,
        organisation_for,
    },
};

/// An organisation's name at most, in bytes.
const NAME_BYTES_MAX: usize = 200;
/// Domains of one organisation at most.
const DOMAINS_MAX: usize = 50;
/// Approvers of one organisation at most.
const APPROVERS_MAX: usize = 50;
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

/// How `person` stands to `case`; `None` where neither its organisation nor its copy list says
/// anything of them.
pub(super) async fn standing(
    conn: &mut SqliteConnection,
    person: &Person,
    case: &Case,
) -> Result<Option<Standing>, StoreError> {
    let row = sqlx::query(
        "SELECT o.setting, o.agreed, o.wide, m.sees, k.by_requester, \
             EXISTS (SELECT 1 FROM organisation_members pm \
                     JOIN organisations po ON po.id = pm.organisation \
                     WHERE pm.person = p.id AND po.partner = 1 \
                       AND po.id <> COALESCE(co.organisation, '')) AS partner, \
             EXISTS (SELECT 1 FROM organisation_members mm \
                     JOIN organisations mo ON mo.id = mm.organisation \
                     WHERE mm.person = p.id AND mo.managed = 1) AS managed \
         FROM people p \
         LEFT JOIN case_organisations co ON co.case_id = $1 AND co.tenant = p.tenant \
         LEFT JOIN organisations o ON o.id = co.organisation \
         LEFT JOIN organisation_members m ON m.organisation = o.id AND m.person = p.id \
         LEFT JOIN case_copies k ON k.case_id = $1 AND k.person = p.id \
         WHERE p.id = $2",
    )
    .bind(case.id.as_str())
    .bind(person.id.as_str())
    .fetch_one(conn)
    .await?;
    let cells = Cells::of("organisations", &row);
    let copied = cells.number_or_none("by_requester")?;
    let sees: Option<PersonSetting> = cells.code_or_none("sees")?;
    if copied.is_none() && sees.is_none() {
        return Ok(None);
    }
    let flag = |column| Ok::<bool, StoreError>(cells.number_or_none(column)? == Some(1));
    let partner = cells.flag("partner")?;
    Ok(Some(Standing {
        own: sees.is_some() && case.created_by == person.id,
        member: sees.is_some(),
        partner,
        agreed: flag("agreed")? && flag("wide")?,
        // Whoever serves such a client as its partner stands by the usual rules (G3-8).
        managed: cells.flag("managed")? && !partner,
        cc: copied.map(|by| if by == 1 { Cc::Requester } else { Cc::Another }),
        organisation: cells.code_or_none("setting")?.unwrap_or_default(),
        person: sees.unwrap_or_default(),
    }))
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
        serde_json::to_value(value).map(|value| match value {
            serde_json::Value::String(code) => code,
            other => other.to_string(),
        })
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

async fn insert(conn: &mut SqliteConnection, new: &Organisation) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO organisations (id, tenant, name, setting, partner, managed, agreed, wide) \
         VALUES ($1, $2, $3, $4, $5, $6, 0, 0)",
    )
    .bind(new.id.as_str())
    .bind(new.tenant.as_str())
    .bind(&new.name)
    .bind(code(&new.setting))
    .bind(i64::from(new.partner))
    .bind(i64::from(new.managed))
    .execute(conn)
    .await?;
    Ok(())
}

async fn write_domains(
    conn: &mut SqliteConnection,
    organisation: &OrganisationId,
    domains: &BTreeSet<Domain>,
) -> Result<(), WriteError> {
    if domains.is_empty() || domains.len() > DOMAINS_MAX {
        return Err(Conflict::Invalid("an organisation has 1 to 50 domains").into());
    }
    sqlx::query("DELETE FROM organisation_domains WHERE organisation = $1")
        .bind(organisation.as_str())
        .execute(&mut *conn)
        .await?;
    for domain in domains {
        sqlx::query("INSERT INTO organisation_domains (organisation, domain) VALUES ($1, $2)")
            .bind(organisation.as_str())
            .bind(domain.as_str())
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

async fn write_approvers(
    conn: &mut SqliteConnection,
    organisation: &Organisation,
    approvers: &BTreeSet<PersonId>,
) -> Result<(), WriteError> {
    if approvers.len() > APPROVERS_MAX {
        return Err(Conflict::Invalid("an organisation has 50 approvers at most").into());
    }
    sqlx::query("DELETE FROM organisation_approvers WHERE organisation = $1")
        .bind(organisation.id.as_str())
        .execute(&mut *conn)
        .await?;
    for approver in approvers {
        if !is_colleague(conn, approver, &organisation.tenant).await? {
            return Err(Conflict::Invalid("approvers: somebody is not of this company").into());
        }
        sqlx::query("INSERT INTO organisation_approvers (organisation, person) VALUES ($1, $2)")
            .bind(organisation.id.as_str())
            .bind(approver.as_str())
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

async fn organisations_of(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
) -> Result<Vec<Organisation>, StoreError> {
    let rows = sqlx::query(
        "SELECT o.*, d.domain, NULL AS approver FROM organisations o \
             LEFT JOIN organisation_domains d ON d.organisation = o.id WHERE o.tenant = $1 \
         UNION ALL \
         SELECT o.*, NULL, a.person FROM organisations o \
             JOIN organisation_approvers a ON a.organisation = o.id WHERE o.tenant = $1 \
         ORDER BY 3, 1",
    )
    .bind(tenant.as_str())
    .fetch_all(conn)
    .await?;
    let mut found: Vec<Organisation> = Vec::new();
    for row in &rows {
        let cells = Cells::of("organisations", row);
        let id: OrganisationId = cells.id("id")?;
        if found.last().is_none_or(|last| last.id != id) {
            found.push(Organisation {
                id,
                tenant: cells.id("tenant")?,
                name: cells.text("name")?,
                setting: cells.code("setting")?,
                partner: cells.flag("partner")?,
                managed: cells.flag("managed")?,
                agreed: cells.flag("agreed")?,
                wide: cells.flag("wide")?,
                domains: BTreeSet::new(),
                approvers: BTreeSet::new(),
            });
        }
        if let Some(last) = found.last_mut() {
            last.domains.extend(cells.id_or_none::<Domain>("domain")?);
            last.approvers.extend(cells.id_or_none::<PersonId>("approver")?);
        }
    }
    Ok(found)
}
