//! Within an act that is allowed: which fields, and which moves, are whose.
//!
//! A shared case has two parties. What only one of them can know is that one's to write.

use crate::{
    cases::{CaseType, State},
    tenancy::Side,
};

/// A field of a case, or several that go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaseField {
    /// Title and description.
    Words,
    Severity,
    Contact,
    Priority,
    ExternalId,
}

/// Whether `side`, who may edit a case of this type, may write `field`.
///
/// INF: how hard production is hit, and whom to ask, is the operator's to say; the priority is a
/// column of the provider (domain.md A, "Severity"). Words and the outside number are either's.
#[must_use]
pub fn may_write(side: Option<Side>, case: CaseType, field: CaseField) -> bool {
    match (case, field) {
        (_, CaseField::Words | CaseField::ExternalId) => true,
        (_, CaseField::Priority) => side == Some(Side::Provider),
        (CaseType::Shared, CaseField::Severity | CaseField::Contact) => {
            side == Some(Side::Operator)
        }
        (
            CaseType::OperatorInternal | CaseType::ProviderInternal,
            CaseField::Severity | CaseField::Contact,
        ) => true,
    }
}

/// Whether `side`, who may change the state of a case of this type, may make this move.
///
/// CON-8: the provider sets every state of a shared case; its operator closes and reopens.
#[must_use]
pub fn may_move(side: Option<Side>, case: CaseType, from: State, to: State) -> bool {
    let operator_of_shared = case == CaseType::Shared && side == Some(Side::Operator);
    !operator_of_shared || from == State::Closed || to == State::Closed || from == to
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_closes_and_reopens_and_the_provider_moves_as_it_likes() {
        let (operator, provider) = (Some(Side::Operator), Some(Side::Provider));
        for (from, to, may) in [
            (State::New, State::InProgress, false),
            (State::InProgress, State::New, false),
            (State::New, State::Closed, true),
            (State::Closed, State::InProgress, true),
        ] {
            assert_eq!(may_move(operator, CaseType::Shared, from, to), may, "{from:?} {to:?}");
            assert!(may_move(provider, CaseType::Shared, from, to));
            assert!(may_move(operator, CaseType::OperatorInternal, from, to));
        }
    }

    #[test]
    fn what_only_one_party_can_know_is_that_partys_to_write() {
        let (operator, provider) = (Some(Side::Operator), Some(Side::Provider));
        for (field, by_operator, by_provider) in [
            (CaseField::Words, true, true),
            (CaseField::Severity, true, false),
            (CaseField::Contact, true, false),
            (CaseField::Priority, false, true),
            (CaseField::ExternalId, true, true),
        ] {
            assert_eq!(may_write(operator, CaseType::Shared, field), by_operator, "{field:?}");
            assert_eq!(may_write(provider, CaseType::Shared, field), by_provider, "{field:?}");
        }
    }
}
