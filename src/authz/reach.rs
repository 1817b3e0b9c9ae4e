//! Where a person may read cases, said of all cases at once: for lists.
//!
//! One case is decided by `decide`; this must say the same of it. The store makes SQL of it, and a
//! property test holds the two against each other over random worlds.

use super::{
    Facts,
    matrix::{ceiling, given_by, read, works_in},
    standing::Relation,
};
use crate::{
    cases::CaseType,
    ids::AssignmentId,
    tenancy::{Permissions, Scope, Side},
};

/// What one assignment lets its holder read on one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach<'a> {
    pub side: Side,
    /// Never empty.
    pub types: Vec<CaseType>,
    pub assignment: &'a AssignmentId,
    /// Of which objects.
    pub scope: &'a Scope,
}

const TYPES: [CaseType; 3] =
    [CaseType::Shared, CaseType::OperatorInternal, CaseType::ProviderInternal];

/// What their assignments let the person of these facts read, side by side. Nothing for who is not
/// let in at all.
#[must_use]
pub fn reach(facts: &Facts) -> Vec<Reach<'_>> {
    let mut reached = Vec::new();
    let (Some(person), Some(tenant)) = (&facts.person, &facts.tenant) else { return reached };
    if !person.active || !tenant.active || tenant.id != person.tenant {
        return reached;
    }
    let mut add = |side, gives: Permissions, assignment, scope| {
        let types: Vec<CaseType> =
            TYPES.into_iter().filter(|kind| gives.contains(read(*kind))).collect();
        if !types.is_empty() {
            reached.push(Reach { side, types, assignment, scope });
        }
    };
    for (relation, side) in
        [(Relation::Operator, Side::Operator), (Relation::Provider, Side::Provider)]
    {
        for row in facts.assignments.iter().filter(|row| row.person == person.id) {
            if relation.admits(row.role) && works_in(row.role, tenant) {
                add(side, given_by(row.role, facts.settings), &row.id, &row.scope);
            }
        }
        let cut = ceiling(tenant, |role| relation.admits(role));
        for row in facts.individual.iter().filter(|row| row.person == person.id) {
            if row.role.tenant == tenant.id {
                add(side, row.role.gives.within(cut), &row.id, &row.scope);
            }
        }
    }
    reached
}
