//! Explanations as a technician reads them.

use super::world::{EXPIRED, OFF, World, customers, id};
use crate::{
    authz::{Action, Door, Presence, Want, explain},
    cases::State,
    machines::{Link, Mode},
    tenancy::{Role, Scope, TenantRole},
};

fn start() -> Action {
    World::via_case(Door::Native, Want::Control)
}

/// One line a check, and its remedy below it.
fn told(world: &World, action: Action) -> String {
    let line = |check: crate::authz::Check| {
        let mark = if check.passed { "ok  " } else { "FAIL" };
        let remedy = check.remedy.map_or_else(String::new, |remedy| format!("\n       > {remedy}"));
        format!("{mark} {:14} {}{remedy}", check.reason.code(), check.what)
    };
    let lines = explain(&World::request(action), &world.facts).into_iter().map(line);
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_allowed_is_told_check_by_check() {
    let world = World::shared().by(Role::ServiceTechnician);
    insta::assert_snapshot!(told(&world, start()), @r"
    ok   disabled       your account and your company are active
    ok   not_found      CASE-1 is your company's business
    ok   case_type      CASE-1, a shared case, is of a type that allows remote access
    ok   case_closed    CASE-1 is open
    ok   asset_inactive Press 7 is in service
    ok   no_provider    operator and provider have linked their views of the machine
    ok   role           your roles let you use tunnels as the provider in this case
    ok   scope          the scope of that role covers CASE-1
    ok   switch_off     remote access is on for CASE-1
    ok   config         tunnel plc leads to Press 7 and is enabled
    ok   mode           tunnel plc may be used with the tunnel client
    ok   no_edge        an edge device is paired with Press 7
    ok   edge_offline   edge device Edge 1 is online
    ok   edge_refused   edge device Edge 1 allows remote access itself
    ok   limit          sessions are left: you have 0 of 8, the device 0 of 4
    ");
}

#[test]
fn what_fails_is_told_with_who_can_help() {
    let world = World::shared().by(Role::ServiceTechnician).case_switch(OFF);
    insta::assert_snapshot!(told(&world.device(Presence::Offline), start()), @r"
    ok   disabled       your account and your company are active
    ok   not_found      CASE-1 is your company's business
    ok   case_type      CASE-1, a shared case, is of a type that allows remote access
    ok   case_closed    CASE-1 is open
    ok   asset_inactive Press 7 is in service
    ok   no_provider    operator and provider have linked their views of the machine
    ok   role           your roles let you use tunnels as the provider in this case
    ok   scope          the scope of that role covers CASE-1
    FAIL switch_off     remote access is on for CASE-1
           > ask the operator (Machine Operator, Workshop Manager, Internal Service Cases or Maintenance Engineer) to turn remote access on for CASE-1: caseway case request CASE-1
    ok   config         tunnel plc leads to Press 7 and is enabled
    ok   mode           tunnel plc may be used with the tunnel client
    ok   no_edge        an edge device is paired with Press 7
    FAIL edge_offline   edge device Edge 1 is online
           > have someone at the machine check the device's power and network
    ok   limit          sessions are left: you have 0 of 8, the device 0 of 4
    ");
}

#[test]
fn everything_that_fails_at_once_is_told_at_once() {
    let world = World::shared().from("op").and(Role::InternalServiceCases, Scope::Whole);
    let mut world = world.case_switch(EXPIRED).state(State::Closed);
    world.asset().active = false;
    world.asset().device = None;
    world.facts.tunnel.as_mut().unwrap().mode = Mode::Recorded;
    world.facts.limits.sessions_of_person = 8;
    let files = World::via_case(Door::Native, Want::Files);
    insta::assert_snapshot!(told(&world, files), @r"
    ok   disabled       your account and your company are active
    ok   not_found      CASE-1 is your company's business
    ok   case_type      CASE-1, a shared case, is of a type that allows remote access
    FAIL case_closed    CASE-1 is open
           > reopen CASE-1, then have remote access turned on again
    FAIL asset_inactive Press 7 is in service
           > ask your company's Workshop Manager to put it into service again
    FAIL role           your roles let you use tunnels as the operator in this case
           > this takes the role Machine Operator, Workshop Manager or Maintenance Engineer: ask your company's Tenant Admin
    FAIL switch_off     remote access is on for CASE-1 (it was until 2026-05-01T08:00:00.000Z)
           > you may turn it on yourself: caseway case switch CASE-1 on
    ok   config         tunnel plc leads to Press 7 and is enabled
    FAIL mode           tunnel plc may be used with the tunnel client
           > it is recorded by the gateway: use the browser or the SSH door
    FAIL role           your roles let you transfer files as the operator in this case
           > this takes the role Workshop Manager: ask your company's Tenant Admin
    FAIL no_edge        an edge device is paired with Press 7
           > ask a Workshop Manager to pair one
    FAIL limit          sessions are left: you have 8 of 8, the device 0 of 4
           > end a session that is no longer needed (caseway sessions)
    ");
}

#[test]
fn a_provider_internal_case_is_told_to_be_of_the_wrong_type() {
    let world = World::provider_internal().by(Role::ServiceTechnician);
    insta::assert_snapshot!(told(&world, start()), @r"
    ok   disabled       your account and your company are active
    ok   not_found      CASE-1 is your company's business
    FAIL case_type      CASE-1, a provider-internal case, is of a type that allows remote access
           > open a shared case: nobody in a provider-internal case could consent to remote access
    ok   case_closed    CASE-1 is open
    ");
}

#[test]
fn who_may_not_see_the_case_is_told_nothing_of_it() {
    let strangers = [
        World::operator_internal().by(Role::ServiceTechnician),
        World::shared().by(Role::ServiceTechnician).link(Link::New),
        World::shared().from("sp").and(Role::ServiceTechnician, customers(&["c2"])),
        World::shared().by(Role::TenantAdmin),
        World::shared().from("other").and(Role::WorkshopManager, Scope::Whole),
        World::shared().by(Role::ServiceTechnician).with(|facts| facts.case = None),
    ];
    for world in strangers {
        let text = told(&world, start());
        assert_eq!(text.matches("FAIL").count(), 1, "{text}");
        assert!(text.starts_with("FAIL not_found"), "{text}");
        for secret in ["CASE", "Press", "OP", "plc", "Edge"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
}

#[test]
fn only_roles_that_work_in_the_operators_company_are_named() {
    let world = World::shared().with(|facts| {
        let operator = facts.operator.as_mut().unwrap();
        operator.roles.remove(&TenantRole::OperatorInternalService);
    });
    let text = told(&world.by(Role::ServiceTechnician).case_switch(OFF), start());
    let remedy = "ask the operator (Machine Operator or Workshop Manager) to turn remote access on \
                  for CASE-1";
    assert!(text.contains(remedy), "{text}");
}

#[test]
fn a_provider_at_the_asset_is_sent_to_a_case() {
    let world = World::asset_level().by(Role::ServiceTechnician);
    insta::assert_snapshot!(told(&world, World::via_asset()), @r"
    ok   disabled       your account and your company are active
    ok   not_found      Press 7 is your company's business
    ok   asset_inactive Press 7 is in service
    FAIL role           your roles let you use tunnels as the machine's provider
           > a provider reaches a machine through a shared case alone: open one
    ok   switch_off     remote access is on for Press 7
    ok   config         tunnel plc leads to Press 7 and is enabled
    ok   mode           tunnel plc may be used with the tunnel client
    ok   no_edge        an edge device is paired with Press 7
    ok   edge_offline   edge device Edge 1 is online
    ok   edge_refused   edge device Edge 1 allows remote access itself
    ok   limit          sessions are left: you have 0 of 8, the device 0 of 4
    ");
}

#[test]
fn a_tunnel_of_another_machine_is_not_named() {
    let world = World::shared().by(Role::ServiceTechnician);
    let world = world.with(|facts| facts.tunnel.as_mut().unwrap().asset = id("a2"));
    let text = told(&world, start());
    assert!(text.contains("FAIL config"), "{text}");
    assert!(!text.contains("plc"), "{text}");
}
