//! Organisations as rows, and how a person stands to a case by them.

use std::collections::BTreeSet;

use sqlx::SqliteConnection;

use super::Organisation;
use crate::{
    cases::Case,
    ids::{OrganisationId, PersonId, TenantId},
    store::{
        Conflict, StoreError, WriteError,
        groups::is_colleague,
        rows::{Cells, code},
    },
    tenancy::Person,
    visibility::{Cc, Domain, PersonSetting, Standing},
};

/// Domains of one organisation at most.
const DOMAINS_MAX: usize = 50;
/// Approvers of one organisation at most.
const APPROVERS_MAX: usize = 50;

/// How `person` stands to `case`; `None` where neither its organisation nor its copy list says
/// anything of them.
pub(in crate::store) async fn standing(
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

pub(super) async fn insert(
    conn: &mut SqliteConnection,
    new: &Organisation,
) -> Result<(), StoreError> {
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

pub(super) async fn write_domains(
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

pub(super) async fn write_approvers(
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

pub(super) async fn organisations_of(
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
