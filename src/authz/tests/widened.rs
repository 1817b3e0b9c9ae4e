//! Groups, case roles and visibility widen reading and commenting, and nothing else, in any world.

use proptest::prelude::*;

use super::{
    laws::{actions, worlds},
    world::{World, id},
};
use crate::{
    authz::{Action, Reason, Widened},
    cases::CaseType,
    machines::Link,
    tenancy::{Role, Scope},
};

const ALL: Widened = Widened { read: true, comment: true, history: true };
const READ: Widened = Widened { read: true, comment: false, history: false };

fn any_widened() -> impl Strategy<Value = Widened> {
    any::<(bool, bool, bool)>().prop_map(|(read, comment, history)| Widened {
        read,
        comment,
        history,
    })
}

/// The three that can be widened.
fn reads_or_comments(action: &Action) -> bool {
    matches!(action, Action::ReadCase(_) | Action::Chat(_) | Action::ReadAudit(_))
}

fn widen(world: &World, widened: Widened) -> World {
    world.clone().with(|facts| facts.widened = widened)
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None, cases: 2_000, ..ProptestConfig::default()
    })]

    /// No combination of them opens a tunnel, turns a switch, assigns a case: whatever is not
    /// reading or commenting is decided alike with and without them, for the same reason.
    #[test]
    fn what_is_not_reading_or_commenting_is_decided_alike_with_and_without(
        world in worlds(), action in actions(), widened in any_widened(),
    ) {
        prop_assume!(!reads_or_comments(&action));
        let without = world.ask(action.clone()).map_err(|denial| denial.reason);
        let with = widen(&world, widened).ask(action).map_err(|denial| denial.reason);
        prop_assert_eq!(with, without);
    }

    /// They never take away, and never cross the boundary of the tenants that are party to a case.
    #[test]
    fn they_only_add_and_only_for_people_of_a_party(
        world in worlds(), widened in any_widened(), which in 0..3_usize,
    ) {
        let case = || id("case-1");
        let action = [Action::ReadCase(case()), Action::Chat(case()), Action::ReadAudit(case())];
        let action = action[which].clone();
        let (without, with) =
            (world.ask(action.clone()).is_ok(), widen(&world, widened).ask(action).is_ok());
        prop_assert!(with || !without);
        let tenant = world.facts.tenant.as_ref().unwrap();
        let person = world.facts.person.as_ref().unwrap();
        let party = world.facts.case.as_ref().is_some_and(|row| {
            row.operator() == Some(&tenant.id) || row.provider() == Some(&tenant.id)
        });
        if !party || !person.active || !tenant.active {
            prop_assert_eq!(with, without);
        }
    }
}

#[test]
fn a_member_of_a_cases_group_reads_it_without_any_role() {
    for case in [CaseType::Shared, CaseType::OperatorInternal] {
        let world = widen(&World::of(case).from("op"), ALL);
        for action in [
            Action::ReadCase(id("case-1")),
            Action::Chat(id("case-1")),
            Action::ReadAudit(id("case-1")),
        ] {
            assert_eq!(world.told(action), Ok(()));
        }
        // Who may read it is told why the rest is refused.
        assert_eq!(world.told(Action::ChangeState(id("case-1"))), Err(Reason::Role));
    }
}

#[test]
fn whoever_is_let_read_does_not_comment() {
    let world = widen(&World::shared().from("op"), READ);
    assert_eq!(world.told(Action::ReadCase(id("case-1"))), Ok(()));
    assert_eq!(world.told(Action::Chat(id("case-1"))), Err(Reason::Role));
    assert_eq!(world.told(Action::ReadAudit(id("case-1"))), Err(Reason::Role));
}

#[test]
fn a_provider_whose_link_is_gone_is_let_in_by_none_of_them() {
    let world = widen(&World::shared().from("sp").link(Link::New), ALL);
    assert_eq!(world.told(Action::ReadCase(id("case-1"))), Err(Reason::NotFound));
}

#[test]
fn an_internal_case_stays_within_its_company() {
    for (case, other) in [(CaseType::OperatorInternal, "sp"), (CaseType::ProviderInternal, "op")] {
        let world = widen(&World::of(case).from(other), ALL);
        assert_eq!(world.told(Action::ReadCase(id("case-1"))), Err(Reason::NotFound));
        assert_eq!(world.told(Action::Chat(id("case-1"))), Err(Reason::NotFound));
    }
}

#[test]
fn a_data_analyst_reads_by_a_group_and_writes_nowhere() {
    let world = widen(&World::shared().from("op").and(Role::DataAnalyst, Scope::Whole), ALL);
    assert_eq!(world.told(Action::ReadCase(id("case-1"))), Ok(()));
    assert_eq!(world.told(Action::Chat(id("case-1"))), Err(Reason::Role));
}
