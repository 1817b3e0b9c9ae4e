//! The policies as such: accepted by the schema, complete, and refused when they are not.

use std::collections::BTreeMap;

use crate::{
    authz::{
        Reason,
        policy::{Book, POLICIES, SCHEMA},
    },
    tenancy::Permission,
};

#[test]
fn the_shipped_policies_fit_the_schema_strictly() {
    if let Err(fault) = Book::read(POLICIES, SCHEMA) {
        panic!("{fault}");
    }
}

#[test]
fn each_reason_has_one_forbid_and_they_stand_in_the_order_of_evaluation() {
    let book = Book::read(POLICIES, SCHEMA).unwrap();
    let mut whole: BTreeMap<Reason, usize> = BTreeMap::new();
    for check in book.checks().iter().filter(|check| !check.id.contains('/')) {
        *whole.entry(check.reason).or_default() += 1;
    }
    assert!(whole.values().all(|count| *count == 1), "{whole:?}");

    // These two are given where there is nobody to ask for, and where asking fails.
    let outside = [Reason::Unauthenticated, Reason::PolicyFault];
    let wanted: Vec<Reason> =
        Reason::ALL.into_iter().filter(|reason| !outside.contains(reason)).collect();
    let written: Vec<Reason> = book
        .checks()
        .iter()
        .filter(|check| !check.id.contains('/'))
        .map(|check| check.reason)
        .collect();
    assert_eq!(written, wanted);
}

/// The acts within one's own company, as the policies list them.
pub(super) fn own_acts() -> Vec<Permission> {
    let (_, permit) = POLICIES.split_once("@id(\"own_company\")").unwrap();
    let (names, _) = permit.split_once(']').unwrap();
    let names = names.split("Action::\"").skip(1).filter_map(|rest| rest.split_once('"'));
    names.map(|(name, _)| Permission::from_code(name).unwrap()).collect()
}

#[test]
fn each_action_of_the_schema_has_one_permit() {
    let own = own_acts();
    let count = |action: &str| {
        let named = POLICIES.matches(&format!("@id(\"{action}\")\npermit")).count();
        named + own.iter().filter(|one| one.code() == action).count()
    };
    let actions = SCHEMA
        .split("action ")
        .skip(1)
        .filter_map(|rest| rest.split_once("appliesTo"))
        .flat_map(|(names, _)| names.split(','))
        .map(|name| name.trim().trim_matches('"'));
    let actions: Vec<&str> = actions.collect();
    assert_eq!(actions.len(), 54);
    for action in actions {
        assert_eq!(count(action), 1, "{action}");
    }
}

#[test]
fn policies_that_the_schema_does_not_know_are_refused() {
    let misspelt = POLICIES.replace("resource.switch.on", "resource.swich.on");
    assert!(Book::read(&misspelt, SCHEMA).is_err());
    let unnamed = POLICIES.replace("@id(\"switch_off\")", "@id(\"switch\")");
    assert!(Book::read(&unnamed, SCHEMA).is_err());
}
