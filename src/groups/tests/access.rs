//! Membership and inheritance: G1-1 to G1-4.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::groups::{Access, Cycle, DEPTH_MAX, Tree};
use crate::ids::{GroupId, PersonId};

fn group(name: &str) -> GroupId {
    name.parse().unwrap()
}

fn person(name: &str) -> PersonId {
    name.parse().unwrap()
}

/// A with A1, A2 and A3 under it.
fn main_and_subs() -> Tree {
    let mut tree = Tree::default();
    tree.hang(&group("a"), None).unwrap();
    for sub in ["a1", "a2", "a3"] {
        tree.hang(&group(sub), Some(&group("a"))).unwrap();
    }
    tree
}

fn join(tree: &mut Tree, at: &str, who: &str, access: Access) {
    tree.join(&group(at), &person(who), access);
}

/// What u may do in A, A1, A2, A3.
fn of_u(tree: &Tree) -> [Option<Access>; 4] {
    ["a", "a1", "a2", "a3"].map(|one| tree.access(&group(one), &person("u")))
}

const R: Option<Access> = Some(Access::Read);
const W: Option<Access> = Some(Access::Write);

#[test]
fn g1_1_a_write_member_writes_a_read_member_reads_and_nobody_else_sees() {
    let mut tree = main_and_subs();
    join(&mut tree, "a", "u", Access::Write);
    join(&mut tree, "a", "v", Access::Read);
    let may = |who| tree.access(&group("a"), &person(who));
    assert_eq!([may("u"), may("v"), may("w")], [W, R, None]);
}

#[test]
fn g1_2_situation_1_a_member_of_a1_only_has_a1_only() {
    let mut tree = main_and_subs();
    join(&mut tree, "a1", "u", Access::Read);
    assert_eq!(of_u(&tree), [None, R, None, None]);
}

#[test]
fn g1_2_situation_2_a2_inherits_and_a3_with_members_of_its_own_does_not() {
    let mut tree = main_and_subs();
    join(&mut tree, "a", "u", Access::Read);
    join(&mut tree, "a1", "u", Access::Read);
    join(&mut tree, "a3", "v", Access::Read);
    assert_eq!(of_u(&tree), [R, R, R, None]);
}

#[test]
fn g1_2_situation_3_a_member_of_a_has_every_sub_without_members() {
    let mut tree = main_and_subs();
    join(&mut tree, "a", "u", Access::Read);
    assert_eq!(of_u(&tree), [R, R, R, R]);
}

#[test]
fn g1_2_situation_4_the_first_member_of_a2_shuts_those_of_a_out() {
    let mut tree = main_and_subs();
    join(&mut tree, "a", "u", Access::Read);
    join(&mut tree, "a2", "v", Access::Read);
    assert_eq!(of_u(&tree), [R, R, None, R]);
}

#[test]
fn g1_2_situation_5_write_in_a_and_read_in_a1_is_read_in_a1() {
    let mut tree = main_and_subs();
    join(&mut tree, "a", "u", Access::Write);
    join(&mut tree, "a1", "u", Access::Read);
    assert_eq!(of_u(&tree)[..2], [W, R]);
}

#[test]
fn g1_2_situation_6_with_its_last_member_gone_a2_inherits_again() {
    let mut tree = main_and_subs();
    join(&mut tree, "a", "u", Access::Read);
    join(&mut tree, "a2", "v", Access::Read);
    tree.leave(&group("a2"), &person("v"));
    assert_eq!(of_u(&tree), [R, R, R, R]);
}

#[test]
fn g1_3_access_to_cases_is_inherited_and_membership_is_not() {
    let mut tree = main_and_subs();
    join(&mut tree, "a", "u", Access::Write);
    assert_eq!(tree.access(&group("a1"), &person("u")), W);
    assert_eq!(tree.own_access(&group("a1"), &person("u")), None);
}

/// C under B under A.
fn chain() -> Tree {
    let mut tree = Tree::default();
    tree.hang(&group("a"), None).unwrap();
    tree.hang(&group("b"), Some(&group("a"))).unwrap();
    tree.hang(&group("c"), Some(&group("b"))).unwrap();
    tree
}

#[test]
fn g1_4_the_nearest_group_upward_with_members_counts() {
    let mut tree = chain();
    join(&mut tree, "a", "u", Access::Read);
    assert_eq!(tree.access(&group("c"), &person("u")), R);
    join(&mut tree, "b", "v", Access::Read);
    assert_eq!(tree.access(&group("c"), &person("u")), None);
    assert_eq!(tree.access(&group("c"), &person("v")), R);
}

#[test]
fn g1_4_a_circle_is_refused_and_changes_nothing() {
    let mut tree = chain();
    let before = tree.clone();
    for under in ["a", "b", "c"] {
        assert_eq!(tree.hang(&group("a"), Some(&group(under))), Err(Cycle));
    }
    assert_eq!(tree, before);
}

#[test]
fn g1_4_groups_hang_eight_deep_and_no_deeper() {
    let mut tree = Tree::default();
    let name = |depth: usize| group(&format!("g{depth}"));
    tree.hang(&name(1), None).unwrap();
    for depth in 2..=DEPTH_MAX {
        tree.hang(&name(depth), Some(&name(depth - 1))).unwrap();
    }
    let deepest = name(DEPTH_MAX);
    assert_eq!(tree.hang(&name(DEPTH_MAX + 1), Some(&deepest)), Err(Cycle));
    // Neither with a tree that hangs on it.
    let mut two = tree.clone();
    two.hang(&group("x"), None).unwrap();
    two.hang(&group("y"), Some(&group("x"))).unwrap();
    assert_eq!(two.hang(&group("x"), Some(&name(DEPTH_MAX - 1))), Err(Cycle));
    assert_eq!(two.hang(&group("x"), Some(&name(DEPTH_MAX - 2))), Ok(()));
}

/// The rule once more, in as few words as there are.
fn model(
    parents: &BTreeMap<usize, usize>,
    members: &BTreeMap<(usize, usize), Access>,
    at: usize,
    who: usize,
) -> Option<Access> {
    let own = members.keys().any(|(group, _)| *group == at);
    match (own, parents.get(&at)) {
        (true, _) => members.get(&(at, who)).copied(),
        (false, Some(parent)) => model(parents, members, *parent, who),
        (false, None) => None,
    }
}

proptest! {
    #[test]
    fn access_is_that_of_the_nearest_group_with_members(
        hangs in proptest::collection::vec((0..6_usize, 0..6_usize), 0..12),
        joins in proptest::collection::vec((0..6_usize, 0..4_usize, any::<bool>()), 0..12),
        leaves in proptest::collection::vec((0..6_usize, 0..4_usize), 0..6),
    ) {
        let (g, p) = (|n: usize| group(&format!("g{n}")), |n: usize| person(&format!("p{n}")));
        let (mut tree, mut parents, mut members) =
            (Tree::default(), BTreeMap::new(), BTreeMap::new());
        for n in 0..6 {
            tree.hang(&g(n), None).unwrap();
        }
        for (one, under) in hangs {
            if tree.hang(&g(one), Some(&g(under))).is_ok() {
                parents.insert(one, under);
            }
        }
        for (at, who, write) in joins {
            let access = if write { Access::Write } else { Access::Read };
            tree.join(&g(at), &p(who), access);
            members.insert((at, who), access);
        }
        for (at, who) in leaves {
            tree.leave(&g(at), &p(who));
            members.remove(&(at, who));
        }
        for who in 0..4 {
            let open = tree.open_to(&p(who));
            for at in 0..6 {
                let expected = model(&parents, &members, at, who);
                prop_assert_eq!(tree.access(&g(at), &p(who)), expected);
                prop_assert_eq!(open.get(&g(at)).copied(), expected);
                prop_assert_eq!(tree.people(&g(at)).contains(&p(who)), expected.is_some());
            }
        }
    }
}
