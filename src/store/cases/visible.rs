//! Which cases a person may read, as SQL: so that a list is one statement.
//!
//! The truth is `decide(read_case)`. This says the same of all rows at once, out of what `authz`
//! says each assignment reaches; `store/tests/visible.rs` holds the two against each other.
//!
//! ```text
//!   person ── assignments ── authz::reach ──> areas (side, types, scope) ──> one branch a side
//!                                                                            c.number IN (… UNION …)
//! ```

use std::collections::BTreeSet;

use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::widened::Widening;
use crate::{
    authz::{Reach, reach},
    cases::CaseType,
    ids::{AssignmentId, PersonId, TenantId},
    store::{Store, StoreError, Subject, facts, rows::code},
    tenancy::{Scope, Side},
};

/// The cases that one person may read.
pub(in crate::store) struct Visible {
    tenant: TenantId,
    sides: Vec<(Side, Area)>,
    widening: Option<Widening>,
}

/// What a person may read on one side.
#[derive(Default)]
struct Area {
    /// Types that some assignment opens for all of the tenant's objects.
    whole: BTreeSet<CaseType>,
    /// Types, each with an assignment that opens it for that assignment's own objects.
    part: BTreeSet<(CaseType, Objects, AssignmentId)>,
}

/// What the objects of a scope are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Objects {
    Facilities,
    Customers,
    ServiceOrganisations,
}

impl Visible {
    /// The person's company.
    pub(super) fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Reads it out of the person's rows; `None` where nothing can be visible.
    pub(in crate::store) async fn to(
        store: &Store,
        conn: &mut SqliteConnection,
        who: &PersonId,
    ) -> Result<Option<Self>, StoreError> {
        let facts = facts::load(store, conn, &Subject::of(who.clone())).await?;
        let (Some(person), Some(tenant)) = (&facts.person, &facts.tenant) else { return Ok(None) };
        if !person.active || !tenant.active {
            return Ok(None);
        }
        let widening = Widening::of(conn, person).await?;
        let reached = reach(&facts);
        let sides: Vec<(Side, Area)> = [Side::Operator, Side::Provider]
            .into_iter()
            .map(|side| (side, Area::of(side, &reached)))
            .filter(|(_, area)| widening.is_some() || !area.is_empty())
            .collect();
        let tenant = tenant.id.clone();
        Ok((!sides.is_empty()).then_some(Self { tenant, sides, widening }))
    }

    /// Begins a statement's `FROM`: the numbers of visible cases as `v (number)`. To each branch,
    /// whose case is `c`, `narrow` adds conditions, each ending with ` AND `, and `end` what follows
    /// all of them. What narrows stands first: SQLite asks in this order, and whether a machine is
    /// linked is a question to other tables.
    pub(in crate::store) fn push(
        &self,
        sql: &mut QueryBuilder<Sqlite>,
        narrow: impl Fn(&mut QueryBuilder<Sqlite>),
        end: impl Fn(&mut QueryBuilder<Sqlite>),
    ) {
        for (n, (side, area)) in self.sides.iter().enumerate() {
            // One case is seen from one side only: no branch repeats another's.
            sql.push(if n == 0 {
                "SELECT number FROM ("
            } else {
                " UNION ALL SELECT number FROM ("
            });
            sql.push("SELECT c.number FROM cases c WHERE ");
            narrow(sql);
            match side {
                Side::Operator => self.as_operator(area, sql),
                Side::Provider => self.as_provider(area, sql),
            }
            end(sql);
            sql.push(")");
        }
    }

    fn as_operator(&self, area: &Area, sql: &mut QueryBuilder<Sqlite>) {
        sql.push("c.operator = ").push_bind(self.tenant.to_string()).push(" AND (");
        area.push_whole(sql, &[CaseType::Shared, CaseType::OperatorInternal]);
        for kind in [CaseType::Shared, CaseType::OperatorInternal] {
            area.push_part(sql, kind, Objects::Facilities, |sql, ids| {
                sql.push(
                    "c.asset IN (SELECT a.id FROM assignment_objects o \
                                 JOIN assets a ON a.facility = o.object \
                                 WHERE a.operator = ",
                );
                sql.push_bind(self.tenant.to_string()).push(" AND o.assignment IN (");
                push_all(sql, ids);
                sql.push("))");
            });
        }
        if let Some(widening) = &self.widening {
            sql.push(" OR ");
            widening.push(sql);
        }
        sql.push(")");
    }

    /// A tenant that is both parties stands on the operator's side. A shared case is a provider's
    /// only while the machine is linked.
    fn as_provider(&self, area: &Area, sql: &mut QueryBuilder<Sqlite>) {
        sql.push("c.provider = ").push_bind(self.tenant.to_string());
        sql.push(" AND (c.operator IS NULL OR c.operator <> c.provider) AND (");
        area.push_whole(sql, &[CaseType::ProviderInternal]);
        let own = "(SELECT m.customer FROM machines m WHERE m.id = c.machine)";
        if area.whole.contains(&CaseType::Shared) {
            sql.push(" OR (c.type = 'shared' AND ").push(LINKED).push(" IS NOT NULL)");
        }
        // An organisation serves customers of its own company alone.
        let served = "(SELECT m.customer FROM machines m \
                       WHERE m.id = c.machine AND m.provider = c.provider)";
        let ways = [(CaseType::ProviderInternal, own, served), (CaseType::Shared, LINKED, LINKED)];
        for (kind, customer, served) in ways {
            area.push_part(sql, kind, Objects::Customers, |sql, ids| {
                self.push_near(sql, kind, |sql| {
                    sql.push("m.customer");
                    push_among(sql, ids);
                });
                sql.push(customer);
                push_among(sql, ids);
            });
            area.push_part(sql, kind, Objects::ServiceOrganisations, |sql, ids| {
                self.push_near(sql, kind, |sql| {
                    sql.push("m.customer IN (SELECT k.id FROM customers k WHERE k.provider = ");
                    sql.push_bind(self.tenant.to_string()).push(" AND k.organisation");
                    push_among(sql, ids);
                    sql.push(")");
                });
                sql.push("(SELECT k.organisation FROM customers k WHERE k.provider = ");
                sql.push_bind(self.tenant.to_string()).push(" AND k.id = ").push(served);
                sql.push(")");
                push_among(sql, ids);
            });
        }
        if let Some(widening) = &self.widening {
            // Nothing brings a shared case back whose machine is no longer linked.
            sql.push(" OR ((c.type <> 'shared' OR ").push(LINKED).push(" IS NOT NULL) AND ");
            widening.push(sql);
            sql.push(")");
        }
        sql.push(")");
    }

    /// Cases about a machine whose customer is `covered`: a list that is made once, before each case
    /// is asked which machine is its own.
    fn push_near(
        &self,
        sql: &mut QueryBuilder<Sqlite>,
        kind: CaseType,
        covered: impl Fn(&mut QueryBuilder<Sqlite>),
    ) {
        sql.push(match kind {
            CaseType::ProviderInternal => "c.machine IN (SELECT m.id FROM machines m WHERE ",
            CaseType::Shared | CaseType::OperatorInternal => {
                "c.asset IN (SELECT m.asset FROM machines m WHERE m.link = 'linked' AND "
            }
        });
        if kind == CaseType::Shared {
            sql.push("m.provider = ").push_bind(self.tenant.to_string()).push(" AND ");
        }
        covered(sql);
        sql.push(") AND ");
    }
}

/// The customer of the machine that is linked with the case's asset, as `facts` picks it.
const LINKED: &str = "(SELECT m.customer FROM machines m JOIN assets a ON a.id = m.asset \
                       WHERE m.asset = c.asset AND m.provider = c.provider AND m.link = 'linked' \
                         AND a.operator = c.operator \
                       ORDER BY m.id LIMIT 1)";

impl Area {
    fn of(side: Side, reached: &[Reach<'_>]) -> Self {
        let mut area = Self::default();
        for one in reached.iter().filter(|one| one.side == side) {
            let types = one.types.iter().copied();
            let objects = match one.scope {
                Scope::Whole => {
                    area.whole.extend(types);
                    continue;
                }
                Scope::Facilities(_) => Objects::Facilities,
                Scope::Customers(_) => Objects::Customers,
                Scope::ServiceOrganisations(_) => Objects::ServiceOrganisations,
            };
            area.part.extend(types.map(|kind| (kind, objects, one.assignment.clone())));
        }
        area
    }

    fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.part.is_empty()
    }

    /// Of `types`, those that are open as a whole; never none, so that `OR` may follow.
    fn push_whole(&self, sql: &mut QueryBuilder<Sqlite>, types: &[CaseType]) {
        sql.push("c.type IN (''");
        for kind in types.iter().filter(|kind| self.whole.contains(kind)) {
            sql.push(", ").push_bind(code(kind));
        }
        sql.push(")");
    }

    /// Cases of one type where it is open only in part, with what `push` says of those assignments
    /// whose scopes are of `objects`.
    fn push_part(
        &self,
        sql: &mut QueryBuilder<Sqlite>,
        kind: CaseType,
        objects: Objects,
        push: impl Fn(&mut QueryBuilder<Sqlite>, &[&AssignmentId]),
    ) {
        if self.whole.contains(&kind) {
            return;
        }
        let those = self.part.iter().filter(|(one, of, _)| (*one, *of) == (kind, objects));
        let ids: Vec<&AssignmentId> = those.map(|(_, _, id)| id).collect();
        if !ids.is_empty() {
            sql.push(" OR (c.type = ").push_bind(code(&kind)).push(" AND ");
            push(sql, &ids);
            sql.push(")");
        }
    }
}

/// ` IN` the objects of these assignments.
fn push_among(sql: &mut QueryBuilder<Sqlite>, ids: &[&AssignmentId]) {
    sql.push(" IN (SELECT o.object FROM assignment_objects o WHERE o.assignment IN (");
    push_all(sql, ids);
    sql.push("))");
}

fn push_all(sql: &mut QueryBuilder<Sqlite>, ids: &[&AssignmentId]) {
    let mut list = sql.separated(", ");
    for id in ids {
        list.push_bind(id.to_string());
    }
}
