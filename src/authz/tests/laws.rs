//! What holds for any facts whatever.

use proptest::{prelude::*, strategy::ValueTree};

use super::policies::own_acts;
use super::world::{EXPIRED, OFF, ON, World, customers, facilities, id};
use crate::{
    authz::{
        Action, Decision, Door, Presence, Reason, Via, Want, decide, explain,
        matrix::{given_by, works_in},
        standing::Standing,
    },
    cases::{CaseType, State, Switch},
    machines::{Link, Mode},
    tenancy::{Assignment, Role, RoleRef, Scope, Side, TenantRole},
};

fn roles() -> impl Strategy<Value = Role> {
    let users = [Role::MachineOperator, Role::WorkshopManager, Role::ServiceTechnician];
    prop_oneof![prop::sample::select(Role::ALL.to_vec()), prop::sample::select(users.to_vec())]
}

fn scopes() -> impl Strategy<Value = Scope> {
    prop::sample::select(vec![
        Scope::Whole,
        Scope::Whole,
        Scope::Whole,
        Scope::Whole,
        facilities(&["f1"]),
        facilities(&["f2"]),
        customers(&["c1"]),
        customers(&["c2"]),
    ])
}

fn switches() -> impl Strategy<Value = Switch> {
    prop::sample::select(vec![ON, ON, ON, ON, OFF, EXPIRED])
}

/// Mostly true, so that the whole is often allowed.
fn mostly() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.97)
}

pub(super) fn worlds() -> impl Strategy<Value = World> {
    let who = (
        prop::sample::select(vec!["op", "sp", "op", "sp", "other"]),
        prop::collection::vec((roles(), scopes()), 0..4),
        prop::collection::vec(mostly(), 6),
    );
    let case = (
        prop::sample::select(vec![
            CaseType::Shared,
            CaseType::OperatorInternal,
            CaseType::ProviderInternal,
        ]),
        prop::sample::select(vec![State::New, State::InProgress, State::InProgress, State::Closed]),
        switches(),
        switches(),
    );
    let machine = (
        prop::sample::select(vec![
            Link::Linked { asset: id("a1") },
            Link::Linked { asset: id("a1") },
            Link::Linked { asset: id("a1") },
            Link::Linked { asset: id("a1") },
            Link::Linked { asset: id("a2") },
            Link::Proposed { asset: id("a1") },
            Link::New,
        ]),
        prop::sample::select(vec![Mode::Any, Mode::Any, Mode::Any, Mode::Sealed, Mode::Recorded]),
        prop::sample::select(vec![
            Presence::Online,
            Presence::Online,
            Presence::Online,
            Presence::Online,
            Presence::Refusing,
            Presence::Offline,
        ]),
        prop::collection::vec(mostly(), 7),
        0_u32..9,
    );
    let tenants = prop::collection::vec(any::<bool>(), 4);
    (who, case, machine, tenants).prop_map(build)
}

type Who = (&'static str, Vec<(Role, Scope)>, Vec<bool>);
type OfCase = (CaseType, State, Switch, Switch);
type OfMachine = (Link, Mode, Presence, Vec<bool>, u32);

fn build((who, case, machine, tenants): (Who, OfCase, OfMachine, Vec<bool>)) -> World {
    let (home, assignments, alive) = who;
    let (kind, state, case_switch, asset_switch) = case;
    let (link, mode, presence, there, sessions) = machine;
    let mut world = World::of(kind).state(state).case_switch(case_switch);
    world = world.asset_switch(asset_switch).link(link).device(presence);
    let operator = world.facts.operator.as_mut().unwrap();
    if tenants[0] {
        operator.roles.remove(&TenantRole::OperatorInternalService);
    }
    if tenants[1] {
        operator.roles.insert(TenantRole::ServiceProvider);
    }
    operator.active = alive[0];
    let provider = world.facts.provider.as_mut().unwrap();
    if tenants[2] {
        provider.roles.extend([TenantRole::Operator, TenantRole::OperatorInternalService]);
    }
    provider.active = alive[1];
    world = world.from(home);
    for (role, scope) in assignments {
        world = world.and(role, scope);
    }
    let facts = &mut world.facts;
    facts.person.as_mut().unwrap().active = alive[2];
    let asset = facts.asset.as_mut().unwrap();
    asset.active = there[0];
    asset.facility = asset.facility.take().filter(|_| there[1]);
    asset.device = asset.device.take().filter(|_| there[2]);
    facts.tunnel.as_mut().unwrap().mode = mode;
    facts.tunnel = facts.tunnel.take().filter(|_| there[3]);
    facts.machine = facts.machine.take().filter(|_| there[4]);
    facts.asset = facts.asset.take().filter(|_| there[5]);
    facts.case = facts.case.take().filter(|_| there[6]);
    facts.limits.sessions_of_person = sessions;
    world
}

fn doors() -> impl Strategy<Value = (Door, Want)> {
    (
        prop::sample::select(vec![Door::Native, Door::Native, Door::Browser, Door::Ssh]),
        prop::sample::select(vec![Want::Control, Want::Control, Want::View, Want::Files]),
    )
}

fn starts() -> impl Strategy<Value = Action> {
    (doors(), any::<bool>()).prop_map(|((door, want), case)| {
        let via = if case { Via::Case(id("case-1")) } else { Via::Asset(id("a1")) };
        Action::UseTunnel { tunnel: id("t1"), via, door, want }
    })
}

pub(super) fn actions() -> impl Strategy<Value = Action> {
    let case = || id("case-1");
    let asset = || id("a1");
    let others = prop::sample::select(vec![
        Action::CreateCase(CaseType::Shared),
        Action::CreateCase(CaseType::OperatorInternal),
        Action::CreateCase(CaseType::ProviderInternal),
        Action::ReadCase(case()),
        Action::ChangeState(case()),
        Action::Assign(case()),
        Action::Chat(case()),
        Action::SwitchCase { case: case(), on: true },
        Action::SwitchCase { case: case(), on: false },
        Action::SwitchAsset { asset: asset(), on: true },
        Action::SwitchAsset { asset: asset(), on: false },
        Action::ReadTunnels(asset()),
        Action::ReadAudit(case()),
        Action::EndSession(asset()),
        Action::ReadAsset(asset()),
        Action::EditTunnels(asset()),
        Action::PairDevice(asset()),
        Action::ConfirmTunnel(asset()),
        Action::EditAsset(asset()),
        Action::Unassign(case()),
        Action::EditCase(case()),
        Action::RequestAccess(case()),
        Action::EndOwnSession(asset()),
        Action::Decommission(asset()),
        Action::AnswerProposal(asset()),
        Action::ReadMachine(id("m1")),
        Action::ManageMachine(id("m1")),
        Action::ProposeMachine(id("m1")),
        Action::ReadCustomer(id("c1")),
        Action::ManageCustomer(id("c1")),
    ]);
    let own = prop::sample::select(own_acts());
    prop_oneof![starts(), others, own.prop_map(Action::Own)]
}

fn allowed(world: &World, action: &Action) -> bool {
    world.ask(action.clone()).is_ok()
}

/// The same world in which Anna has but one of her assignments.
fn with_only(world: &World, assignment: &Assignment) -> World {
    world.clone().with(|facts| facts.assignments = vec![assignment.clone()])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_provider_internal_case_never_leads_to_a_machine(world in worlds(), door in doors()) {
        let is_provider_internal = |case: &crate::cases::Case| {
            case.case_type() == CaseType::ProviderInternal
        };
        prop_assume!(world.facts.case.as_ref().is_some_and(is_provider_internal));
        let start = World::via_case(door.0, door.1);
        for action in [
            start,
            Action::SwitchCase { case: id("case-1"), on: true },
            Action::SwitchCase { case: id("case-1"), on: false },
        ] {
            prop_assert!(!allowed(&world, &action), "{action:?}");
        }
    }

    #[test]
    fn a_provider_never_switches(world in worlds(), on in any::<bool>()) {
        let provider = world.clone().from("sp").with(|facts| {
            facts.assignments = Role::ALL.into_iter().enumerate().map(|(at, role)| Assignment {
                id: id(&format!("as-{at}")),
                person: id("anna"),
                role,
                scope: Scope::Whole,
            }).collect();
        });
        let (case, asset) = (id("case-1"), id("a1"));
        for action in [Action::SwitchCase { case, on }, Action::SwitchAsset { asset, on }] {
            prop_assert!(!allowed(&provider, &action), "{action:?}");
        }
    }

    /// Assignments only add up: what all of them allow, but for files, one of them allows alone.
    #[test]
    fn role_and_scope_come_from_one_assignment(world in worlds(), action in actions()) {
        let files = matches!(action, Action::UseTunnel { want: Want::Files, .. });
        prop_assume!(!files);
        let one = world.facts.assignments.iter().any(|one| {
            allowed(&with_only(&world, one), &action)
        });
        prop_assert_eq!(allowed(&world, &action), one);
    }

    #[test]
    fn an_inert_role_or_one_of_the_other_side_changes_nothing(
        world in worlds(), action in actions(), role in roles(),
    ) {
        let tenant = world.facts.tenant.clone().unwrap();
        let request = World::request(action.clone());
        let Ok(standing) = Standing::of(&request, &world.facts) else { return Ok(()) };
        let counts = standing.relation.is_some_and(|relation| relation.admits(role));
        prop_assume!(!counts || !works_in(role, &tenant));
        let more = world.clone().and(role, Scope::Whole);
        prop_assert_eq!(more.ask(action.clone()), world.ask(action));
    }

    #[test]
    fn what_is_explained_is_what_is_decided(world in worlds(), action in actions()) {
        let checks = explain(&World::request(action.clone()), &world.facts);
        let failed = checks.iter().find(|check| !check.passed);
        match world.ask(action) {
            Ok(()) => prop_assert_eq!(failed, None),
            Err(denial) => {
                prop_assert_eq!(failed.map(|check| check.reason), Some(denial.told()));
                prop_assert!(denial.visible || checks.len() == 1);
            }
        }
        prop_assert!(!checks.is_empty());
        prop_assert!(checks.iter().all(|check| check.passed == check.remedy.is_none()));
    }

    #[test]
    fn no_facts_make_the_policies_fail(world in worlds(), action in actions()) {
        prop_assert_ne!(world.reason(action), Err(Reason::PolicyFault));
    }

    /// Said again from domain.md J, without policies: whatever starts, all of this holds.
    #[test]
    fn a_tunnel_that_starts_has_passed_every_check(world in worlds(), start in starts()) {
        let request = World::request(start.clone());
        let Decision::Allow(grant) = decide(request.clone(), &world.facts) else { return Ok(()) };
        let Action::UseTunnel { via, door, .. } = start else { unreachable!() };
        let facts = &world.facts;
        let (asset, tunnel) = (facts.asset.as_ref().unwrap(), facts.tunnel.as_ref().unwrap());
        let switch = match via {
            Via::Case(_) => {
                let case = facts.case.as_ref().unwrap();
                prop_assert!(case.state != State::Closed);
                case.switch().unwrap()
            }
            Via::Asset(_) => {
                prop_assert_eq!(grant.side(), Some(Side::Operator));
                &asset.switch
            }
        };
        prop_assert!(switch.is_on(request.at));
        prop_assert!(asset.active && facts.operator.as_ref().unwrap().active);
        prop_assert!(facts.person.as_ref().unwrap().active);
        prop_assert!(tunnel.asset == asset.id && tunnel.enabled);
        let broken = if door == Door::Native { Mode::Recorded } else { Mode::Sealed };
        prop_assert_ne!(tunnel.mode, broken);
        prop_assert_eq!(facts.device.as_ref().unwrap().presence, Presence::Online);
        prop_assert!(asset.device.is_some());
        if grant.side() == Some(Side::Provider) {
            let linked = Link::Linked { asset: asset.id.clone() };
            prop_assert_eq!(&facts.machine.as_ref().unwrap().link, &linked);
        }
        let standing = Standing::of(&request, facts).unwrap();
        let Some(RoleRef::Predefined(role)) = grant.role() else { unreachable!() };
        prop_assert!(given_by(*role, facts.settings).contains(standing.needs));
    }
}

/// The laws above would hold of a world in which nothing is ever allowed.
#[test]
fn many_of_these_worlds_let_a_tunnel_start() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let started = (0..2_000)
        .filter(|_| {
            let world = worlds().new_tree(&mut runner).unwrap().current();
            let start = starts().new_tree(&mut runner).unwrap().current();
            allowed(&world, &start)
        })
        .count();
    assert!(started > 40, "{started} of 2000");
}
