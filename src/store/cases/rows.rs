//! Cases as rows: the part that decisions read, and the whole sheet that people read.

use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use crate::{
    cases::{Case, CaseType, Contact, Details, Kind},
    clock::Wall,
    ids::{AssetId, CaseId, PersonId, Revision, TenantId},
    store::{
        StoreError,
        rows::{Cells, code},
    },
};

/// A case as people read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseSheet {
    pub case: Case,
    pub details: Details,
    /// The number of the change that last touched it.
    pub revision: Revision,
    /// The last turn of its switch, if it was ever turned.
    pub turn: Option<Turn>,
    pub names: CaseNames,
}

/// What people call those that a case names by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaseNames {
    pub asset: Option<String>,
    /// The serial number.
    pub machine: Option<String>,
    pub operator: Option<String>,
    pub provider: Option<String>,
    pub created_by: Option<String>,
    pub assignee: Option<String>,
}

/// One turn of a switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    pub on: bool,
    /// Nobody, where its time was up.
    pub person: Option<PersonId>,
    pub name: Option<String>,
    pub at: Wall,
    pub reason: Option<String>,
}

/// Selects sheets as the people of a company read them; what follows may name `c`, the case.
pub(super) fn sheets(tenant: &TenantId) -> QueryBuilder<Sqlite> {
    let mut sql = QueryBuilder::new(SHEETS);
    sql.push_bind(tenant.to_string()).push(" ");
    sql
}

/// Ends where the company is to follow whose external id is read.
const SHEETS: &str = "\
    SELECT c.*, xi.external_id, sa.name AS asset_name, sm.serial AS machine_name, \
           so.name AS operator_name, sp.name AS provider_name, sc.name AS creator_name, \
           sh.name AS assignee_name, st.turned_on, st.person AS turned_by, \
           tp.name AS turned_by_name, st.at AS turned_at, st.reason AS turned_reason \
    FROM cases c \
    LEFT JOIN assets sa ON sa.id = c.asset \
    LEFT JOIN machines sm ON sm.id = c.machine \
    LEFT JOIN tenants so ON so.id = c.operator \
    LEFT JOIN tenants sp ON sp.id = c.provider \
    LEFT JOIN people sc ON sc.id = c.created_by \
    LEFT JOIN people sh ON sh.id = c.assignee \
    LEFT JOIN switch_turns st ON st.kind = 'case' AND st.id = c.id \
    LEFT JOIN people tp ON tp.id = st.person \
    LEFT JOIN external_ids xi ON xi.case_id = c.id AND xi.tenant = ";

pub(in crate::store) async fn insert_case(
    conn: &mut SqliteConnection,
    number: i64,
    case: &Case,
) -> Result<(), StoreError> {
    let machine = match &case.kind {
        Kind::ProviderInternal { machine, .. } => Some(machine.as_str()),
        Kind::Shared { .. } | Kind::OperatorInternal { .. } => None,
    };
    let switch = case.switch();
    sqlx::query(
        "INSERT INTO cases (id, number, title, type, operator, provider, asset, machine, state, \
                            switch_on, switch_until, created_by, assignee, created_at, closed_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    )
    .bind(case.id.as_str())
    .bind(number)
    .bind(&case.title)
    .bind(code(&case.case_type()))
    .bind(case.operator().map(TenantId::as_str))
    .bind(case.provider().map(TenantId::as_str))
    .bind(case.asset().map(AssetId::as_str))
    .bind(machine)
    .bind(code(&case.state))
    .bind(switch.map(|switch| i64::from(switch.on)))
    .bind(switch.and_then(|switch| switch.until).map(|until| until.0))
    .bind(case.created_by.as_str())
    .bind(case.assignee.as_ref().map(|person| person.as_str()))
    .bind(case.created_at.0)
    .bind(case.closed_at.map(|at| at.0))
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes what decisions read and may change; type and parties never do.
pub(super) async fn write_case(conn: &mut SqliteConnection, case: &Case) -> Result<(), StoreError> {
    let switch = case.switch();
    sqlx::query(
        "UPDATE cases SET title = $2, state = $3, switch_on = $4, switch_until = $5, \
                          assignee = $6, closed_at = $7 \
         WHERE id = $1",
    )
    .bind(case.id.as_str())
    .bind(&case.title)
    .bind(code(&case.state))
    .bind(switch.map(|switch| i64::from(switch.on)))
    .bind(switch.and_then(|switch| switch.until).map(|until| until.0))
    .bind(case.assignee.as_ref().map(|person| person.as_str()))
    .bind(case.closed_at.map(|at| at.0))
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes the telling part that is the same for everybody: not the external id.
pub(super) async fn write_details(
    conn: &mut SqliteConnection,
    case: &CaseId,
    details: &Details,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE cases SET description = $2, severity = $3, contact_phone = $4, contact_email = $5, \
                          priority = $6 \
         WHERE id = $1",
    )
    .bind(case.as_str())
    .bind(&details.description)
    .bind(details.severity.map(|one| code(&one)))
    .bind(&details.contact.phone)
    .bind(&details.contact.email)
    .bind(details.priority.map(|one| code(&one)))
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) fn case_in(cells: &Cells<'_>) -> Result<Case, StoreError> {
    let kind = match cells.code("type")? {
        CaseType::Shared => Kind::Shared {
            operator: cells.id("operator")?,
            provider: cells.id("provider")?,
            asset: cells.id("asset")?,
            switch: cells.switch()?,
        },
        CaseType::OperatorInternal => Kind::OperatorInternal {
            operator: cells.id("operator")?,
            asset: cells.id("asset")?,
            switch: cells.switch()?,
        },
        CaseType::ProviderInternal => Kind::ProviderInternal {
            provider: cells.id("provider")?,
            machine: cells.id("machine")?,
        },
    };
    Ok(Case {
        id: cells.id("id")?,
        title: cells.text("title")?,
        kind,
        state: cells.code("state")?,
        created_by: cells.id("created_by")?,
        assignee: cells.id_or_none("assignee")?,
        created_at: cells.wall("created_at")?,
        closed_at: cells.wall_or_none("closed_at")?,
    })
}

pub(super) fn details_in(cells: &Cells<'_>) -> Result<Details, StoreError> {
    Ok(Details {
        description: cells.text("description")?,
        severity: cells.code_or_none("severity")?,
        contact: Contact {
            phone: cells.text_or_none("contact_phone")?,
            email: cells.text_or_none("contact_email")?,
        },
        priority: cells.code_or_none("priority")?,
        external_id: cells.text_or_none("external_id")?,
    })
}

pub(super) fn sheet_in(cells: &Cells<'_>) -> Result<CaseSheet, StoreError> {
    let turn = match cells.wall_or_none("turned_at")? {
        Some(at) => Some(Turn {
            on: cells.flag("turned_on")?,
            person: cells.id_or_none("turned_by")?,
            name: cells.text_or_none("turned_by_name")?,
            at,
            reason: cells.text_or_none("turned_reason")?,
        }),
        None => None,
    };
    Ok(CaseSheet {
        case: case_in(cells)?,
        details: details_in(cells)?,
        revision: Revision(cells.count("revision")?),
        turn,
        names: CaseNames {
            asset: cells.text_or_none("asset_name")?,
            machine: cells.text_or_none("machine_name")?,
            operator: cells.text_or_none("operator_name")?,
            provider: cells.text_or_none("provider_name")?,
            created_by: cells.text_or_none("creator_name")?,
            assignee: cells.text_or_none("assignee_name")?,
        },
    })
}

pub(in crate::store) async fn case_of(
    conn: &mut SqliteConnection,
    case: &CaseId,
) -> Result<Option<Case>, StoreError> {
    let row = sqlx::query("SELECT * FROM cases WHERE id = $1")
        .bind(case.as_str())
        .fetch_optional(conn)
        .await?;
    row.map(|row| case_in(&Cells::of("cases", &row))).transpose()
}

/// The number of the change that last touched the case.
pub(super) async fn revision_of(
    conn: &mut SqliteConnection,
    case: &CaseId,
) -> Result<Revision, StoreError> {
    let row = sqlx::query("SELECT revision FROM cases WHERE id = $1")
        .bind(case.as_str())
        .fetch_one(conn)
        .await?;
    Cells::of("cases", &row).count("revision").map(Revision)
}

/// What a case tells the people of a company.
pub(super) async fn details_of(
    conn: &mut SqliteConnection,
    case: &CaseId,
    tenant: &TenantId,
) -> Result<Details, StoreError> {
    let row = sqlx::query(
        "SELECT c.*, xi.external_id FROM cases c \
         LEFT JOIN external_ids xi ON xi.case_id = c.id AND xi.tenant = $2 WHERE c.id = $1",
    )
    .bind(case.as_str())
    .bind(tenant.as_str())
    .fetch_one(conn)
    .await?;
    details_in(&Cells::of("cases", &row))
}
