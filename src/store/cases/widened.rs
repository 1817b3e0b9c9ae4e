//! What groups, case roles and visibility add to the cases that a person may read, as SQL: the same
//! as `store/widen.rs` says of one case.

use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use crate::{
    groups::{Duties, Tree},
    ids::{GroupId, PersonId, TenantId},
    store::{StoreError, groups::duties_of, rows::Cells},
    tenancy::Person,
};

/// How far one person's reading is widened, within the cases of the own company.
pub(super) struct Widening {
    person: PersonId,
    tenant: TenantId,
    /// Whose cases are open to the person, inherited or own.
    groups: Vec<GroupId>,
    duties: Duties,
    /// Whether single cases, or organisations, name the person.
    named: bool,
}

impl Widening {
    /// Reads it out of the person's rows; `None` where nothing widens.
    pub(super) async fn of(
        conn: &mut SqliteConnection,
        person: &Person,
    ) -> Result<Option<Self>, StoreError> {
        let row = sqlx::query(
            "SELECT EXISTS (SELECT 1 FROM group_members WHERE person = $1) AS member, \
                    (EXISTS (SELECT 1 FROM case_participants WHERE person = $1) \
                     OR EXISTS (SELECT 1 FROM case_copies WHERE person = $1) \
                     OR EXISTS (SELECT 1 FROM organisation_members WHERE person = $1)) AS named",
        )
        .bind(person.id.as_str())
        .fetch_one(&mut *conn)
        .await?;
        let cells = Cells::of("group_members", &row);
        let (member, named) = (cells.flag("member")?, cells.flag("named")?);
        let groups = if member { open_groups(conn, person).await? } else { Vec::new() };
        let duties = duties_of(conn, &person.id).await?;
        let (person, tenant) = (person.id.clone(), person.tenant.clone());
        let widening = Self { person, tenant, groups, duties, named };
        Ok(widening.widens().then_some(widening))
    }

    fn widens(&self) -> bool {
        self.named || !self.groups.is_empty() || self.duties.iter().next().is_some()
    }

    /// A condition on `c`, a case to which the person's company is a party.
    pub(super) fn push(&self, sql: &mut QueryBuilder<Sqlite>) {
        sql.push("(1 = 0");
        if !self.groups.is_empty() {
            sql.push(" OR c.id IN (SELECT p.case_id FROM case_places p WHERE p.tenant = ");
            sql.push_bind(self.tenant.to_string()).push(" AND p.grp IN (");
            let mut list = sql.separated(", ");
            for group in &self.groups {
                list.push_bind(group.to_string());
            }
            sql.push("))");
        }
        for (placed, exists) in [(true, " OR EXISTS "), (false, " OR NOT EXISTS ")] {
            if self.duties.access(placed).is_some() {
                sql.push(exists).push("(SELECT 1 FROM case_places p WHERE p.case_id = c.id");
                sql.push(" AND p.tenant = ").push_bind(self.tenant.to_string()).push(")");
            }
        }
        if self.named {
            self.push_named(sql);
        }
        sql.push(")");
    }

    fn push_named(&self, sql: &mut QueryBuilder<Sqlite>) {
        sql.push(
            " OR c.id IN (SELECT t.case_id FROM case_participants t \
                          LEFT JOIN case_roles r ON r.id = t.role \
                          WHERE (t.role IN ('staff', 'client', 'bot') OR r.id IS NOT NULL) \
                            AND t.person = ",
        );
        sql.push_bind(self.person.to_string()).push(")");
        sql.push(
            " OR c.id IN (SELECT s.case_id FROM \
              (SELECT k.case_id, k.person, 'copy' AS why FROM case_copies k \
               UNION ALL \
               SELECT o.case_id, m.person, \
                      CASE WHEN g.setting <> 'own_only' OR m.sees = 'organisation' THEN 'all' \
                           WHEN g.agreed = 1 AND g.wide = 1 THEN 'partner' ELSE 'own' END \
               FROM organisation_members m \
               JOIN case_organisations o ON o.organisation = m.organisation \
               JOIN organisations g ON g.id = o.organisation WHERE o.tenant = ",
        );
        sql.push_bind(self.tenant.to_string()).push(") s WHERE s.case_id = c.id AND s.person = ");
        sql.push_bind(self.person.to_string());
        sql.push(" AND (s.why IN ('copy', 'all') OR c.created_by = ");
        sql.push_bind(self.person.to_string());
        sql.push(" OR (s.why = 'partner' AND ");
        self.push_partner(sql);
        sql.push(")) AND (");
        self.push_partner(sql);
        sql.push(
            " OR NOT EXISTS (SELECT 1 FROM organisation_members mm \
              JOIN organisations mo ON mo.id = mm.organisation WHERE mo.managed = 1 \
              AND mm.person = ",
        );
        sql.push_bind(self.person.to_string()).push(")))");
    }

    /// Whether the person belongs to a partner organisation other than the case's own.
    fn push_partner(&self, sql: &mut QueryBuilder<Sqlite>) {
        sql.push(
            "EXISTS (SELECT 1 FROM organisation_members pm \
             JOIN organisations po ON po.id = pm.organisation \
             WHERE po.partner = 1 AND po.id <> COALESCE( \
                 (SELECT co.organisation FROM case_organisations co \
                  WHERE co.case_id = c.id AND co.tenant = ",
        );
        sql.push_bind(self.tenant.to_string()).push("), '') AND pm.person = ");
        sql.push_bind(self.person.to_string()).push(")");
    }
}

/// The groups of the person's company whose cases are open to the person.
async fn open_groups(
    conn: &mut SqliteConnection,
    person: &Person,
) -> Result<Vec<GroupId>, StoreError> {
    let rows = sqlx::query(
        "WITH RECURSIVE down (grp, depth) AS ( \
             SELECT id, 0 FROM resource_groups WHERE tenant = $1 AND parent IS NULL \
             UNION ALL \
             SELECT g.id, down.depth + 1 FROM down JOIN resource_groups g ON g.parent = down.grp \
             WHERE down.depth < 8) \
         SELECT g.id, g.parent, m.person, m.access \
         FROM down JOIN resource_groups g ON g.id = down.grp \
         LEFT JOIN group_members m ON m.grp = g.id ORDER BY down.depth",
    )
    .bind(person.tenant.as_str())
    .fetch_all(conn)
    .await?;
    let mut tree = Tree::default();
    for row in &rows {
        let cells = Cells::of("resource_groups", row);
        let id: GroupId = cells.id("id")?;
        let parent: Option<GroupId> = cells.id_or_none("parent")?;
        // What hangs in a circle inherits nothing.
        let _ = tree.hang(&id, parent.as_ref());
        if let Some(member) = cells.id_or_none::<PersonId>("person")? {
            tree.join(&id, &member, cells.code("access")?);
        }
    }
    Ok(tree.open_to(&person.id).into_keys().collect())
}
