//! What a company calls a case in its own ticket system.
//!
//! Two companies take part in a shared case, each with a system of its own, so an external id
//! belongs to a case and a company:
//!
//! ```text
//!   ticket HD-17 ── op ──┐
//!                        ├── CASE-1        HD-17 ── sp ── CASE-9
//!   ticket 4711 ─── sp ──┘
//! ```
//!
//! What always holds: an external id names one case of a company; nothing here reads another
//! company's, or whether there is one.

use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use crate::{
    ids::{CaseId, TenantId},
    store::{Conflict, StoreError, WriteError, rows::Cells},
};

/// The case that a company knows by `external_id`.
pub(super) async fn known_as(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    external_id: &str,
) -> Result<Option<CaseId>, StoreError> {
    let row =
        sqlx::query("SELECT case_id FROM external_ids WHERE tenant = $1 AND external_id = $2")
            .bind(tenant.as_str())
            .bind(external_id)
            .fetch_optional(conn)
            .await?;
    row.map(|row| Cells::of("external_ids", &row).id("case_id")).transpose()
}

/// As [`known_as`], a condition on `c`.
pub(super) fn push_known_as(sql: &mut QueryBuilder<Sqlite>, tenant: &TenantId, external_id: &str) {
    sql.push("c.id = (SELECT x.case_id FROM external_ids x WHERE x.tenant = ");
    sql.push_bind(tenant.to_string()).push(" AND x.external_id = ");
    sql.push_bind(external_id.to_owned()).push(")");
}

/// Has `tenant` call the case so, or nothing any more.
///
/// # Errors
///
/// [`Conflict::Exists`] where it calls another case so. Which, is not said: the caller may not be
/// one who sees it.
pub(super) async fn name(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    case: &CaseId,
    external_id: Option<&str>,
) -> Result<(), WriteError> {
    let Some(external_id) = external_id else { return Ok(forget(conn, tenant, case).await?) };
    let taken = known_as(conn, tenant, external_id).await?;
    if taken.is_some_and(|other| other != *case) {
        return Err(Conflict::Exists(format!("a case with the external id {external_id}")).into());
    }
    sqlx::query(
        "INSERT INTO external_ids (tenant, case_id, external_id) VALUES ($1, $2, $3) \
         ON CONFLICT (tenant, case_id) DO UPDATE SET external_id = excluded.external_id",
    )
    .bind(tenant.as_str())
    .bind(case.as_str())
    .bind(external_id)
    .execute(conn)
    .await?;
    Ok(())
}

async fn forget(
    conn: &mut SqliteConnection,
    tenant: &TenantId,
    case: &CaseId,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM external_ids WHERE tenant = $1 AND case_id = $2")
        .bind(tenant.as_str())
        .bind(case.as_str())
        .execute(conn)
        .await?;
    Ok(())
}
