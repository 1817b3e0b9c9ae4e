//! domain.md B.1, B.3, B.4 and B.5: what holds beside the vectors.

use super::world::{EXPIRED, NOW, OFF, ON, World, customers, facilities, id, organisations};
use crate::{
    audit::EndCause,
    authz::{Action, Decision, Denial, Door, Presence, Reason, Via, Want, decide},
    cases::{CaseType, State, Switch},
    clock::Wall,
    ids::Revision,
    machines::{Link, Mode},
    tenancy::{Permission, Role, Scope, Side, TenantRole},
};

fn case(action: fn(crate::ids::CaseId) -> Action) -> Action {
    action(id("case-1"))
}

/// SP as a company that also runs machines of its own, with internal service.
fn sp_runs_machines_too(world: World) -> World {
    world.with(|facts| {
        let provider = facts.provider.as_mut().unwrap();
        provider.roles.extend([TenantRole::Operator, TenantRole::OperatorInternalService]);
    })
}

fn without_internal_service(world: World) -> World {
    world.with(|facts| {
        let operator = facts.operator.as_mut().unwrap();
        operator.roles.remove(&TenantRole::OperatorInternalService);
    })
}

#[test]
fn the_role_of_one_assignment_is_not_joined_with_the_scope_of_another() {
    let world = World::shared()
        .from("op")
        .and(Role::WorkshopManager, facilities(&["f2"]))
        .and(Role::InternalServiceCases, facilities(&["f1"]));
    assert_eq!(world.start(), Err(Reason::Scope));
    // The second assignment reads the case, so the true reason may be told.
    assert_eq!(world.told(World::via_case(Door::Native, Want::Control)), Err(Reason::Scope));
    assert_eq!(world.and(Role::MachineOperator, facilities(&["f1"])).start(), Ok(()));
}

#[test]
fn an_asset_without_a_facility_is_covered_by_the_whole_tenant_alone() {
    let mut world = World::shared().from("op").and(Role::MachineOperator, facilities(&["f1"]));
    assert_eq!(world.start(), Ok(()));
    world.asset().facility = None;
    assert_eq!(world.start(), Err(Reason::Scope));
    assert_eq!(world.and(Role::MachineOperator, Scope::Whole).start(), Ok(()));
}

#[test]
fn a_provider_covers_customers_and_not_facilities() {
    let by = |scope| World::shared().from("sp").and(Role::ServiceTechnician, scope).start();
    assert_eq!(by(customers(&["c1"])), Ok(()));
    assert_eq!(by(customers(&["c2"])), Err(Reason::Scope));
    assert_eq!(by(facilities(&["f1"])), Err(Reason::Scope));
    assert_eq!(by(organisations(&["north"])), Ok(()));
    assert_eq!(by(organisations(&["south"])), Err(Reason::Scope));
}

#[test]
fn a_service_organisation_covers_the_customers_that_the_provider_keeps_in_it() {
    let world =
        || World::shared().from("sp").and(Role::ServiceTechnician, organisations(&["north"]));
    let with = |change: fn(&mut crate::tenancy::Customer)| {
        world().with(|facts| change(facts.customer.as_mut().unwrap())).start()
    };
    assert_eq!(with(|_| ()), Ok(()));
    assert_eq!(with(|customer| customer.organisation = id("south")), Err(Reason::Scope));
    assert_eq!(with(|customer| customer.id = id("c2")), Err(Reason::Scope));
    assert_eq!(with(|customer| customer.provider = id("other")), Err(Reason::Scope));
    assert_eq!(world().with(|facts| facts.customer = None).start(), Err(Reason::Scope));
}

#[test]
fn a_customer_is_managed_within_the_scope_and_by_nobody_elses_provider() {
    let manager = |scope| World::asset_level().from("sp").and(Role::CustomerDataManager, scope);
    let manage = || Action::ManageCustomer(id("c1"));
    for scope in [Scope::Whole, organisations(&["north"]), customers(&["c1"])] {
        assert_eq!(manager(scope).reason(manage()), Ok(()));
    }
    for scope in [organisations(&["south"]), customers(&["c2"])] {
        assert_eq!(manager(scope).told(manage()), Err(Reason::NotFound));
    }
    let technician = World::asset_level().by(Role::ServiceTechnician);
    assert_eq!(technician.told(manage()), Err(Reason::Role));
    let operator = World::asset_level().by(Role::WorkshopManager);
    assert_eq!(operator.told(manage()), Err(Reason::NotFound));
}

#[test]
fn an_individual_role_gives_what_it_holds_within_the_companys_tenant_roles_and_its_own_scope() {
    let held = [Permission::ReadShared, Permission::UseShared, Permission::UseAsset];
    let own = |home: &str, scope| World::shared().from(home).individually(home, &held, scope);
    // UseAsset is nothing that a provider could give: the rest counts.
    assert_eq!(own("sp", Scope::Whole).start(), Ok(()));
    assert_eq!(own("sp", Scope::Whole).start_asset(), Err(Reason::Role));
    assert_eq!(own("sp", customers(&["c2"])).start(), Err(Reason::Scope));
    assert_eq!(own("op", facilities(&["f1"])).start(), Ok(()));
    assert_eq!(own("op", facilities(&["f1"])).asset_switch(ON).start_asset(), Ok(()));
    let foreign = World::shared().from("sp").individually("op", &held, Scope::Whole);
    assert_eq!(foreign.start(), Err(Reason::Role));
}

#[test]
fn an_individual_role_sinks_with_the_tenant_role_behind_it() {
    let own = |world: World| {
        let holds = [Permission::CreateOperatorInternal];
        let world = world.from("op").individually("op", &holds, Scope::Whole);
        world.reason(Action::CreateCase(CaseType::OperatorInternal))
    };
    assert_eq!(own(World::asset_level()), Ok(()));
    assert_eq!(own(without_internal_service(World::asset_level())), Err(Reason::Role));
}

#[test]
fn permissions_of_both_kinds_of_role_add_up_and_their_scopes_do_not_mix() {
    let reads = [Permission::ReadShared];
    let world = World::shared().from("op").individually("op", &reads, facilities(&["f1"]));
    assert_eq!(world.start(), Err(Reason::Role));
    assert_eq!(world.clone().and(Role::MachineOperator, facilities(&["f1"])).start(), Ok(()));
    let elsewhere = world.and(Role::MachineOperator, facilities(&["f2"]));
    assert_eq!(elsewhere.told(World::via_case(Door::Native, Want::Control)), Err(Reason::Scope));
}

/// CON-2.
#[test]
fn a_company_may_keep_the_switch_from_the_role_for_internal_cases() {
    let world = |on| {
        let world = World::operator_internal().by(Role::InternalServiceCases);
        world.case_switch(OFF).with(|facts| facts.settings.internal_service_switches = on)
    };
    assert_eq!(world(true).switch_on(), Ok(()));
    assert_eq!(world(false).switch_on(), Err(Reason::Role));
    assert_eq!(world(false).reason(case(Action::ReadCase)), Ok(()));
    assert_eq!(world(false).and(Role::MaintenanceEngineer, Scope::Whole).switch_on(), Ok(()));
}

/// CON-3.
#[test]
fn a_provider_chooses_who_reads_its_cases_beside_support_and_nobody_gets_a_tunnel_by_it() {
    use crate::tenancy::CaseReader as Reader;

    for (reader, customer_data, master_data) in [
        (Reader::CustomerDataManager, true, false),
        (Reader::MasterDataManager, false, true),
        (Reader::Nobody, false, false),
    ] {
        for (role, reads) in
            [(Role::CustomerDataManager, customer_data), (Role::MasterDataManager, master_data)]
        {
            let world = World::shared().by(role).with(|facts| facts.settings.case_reader = reader);
            for action in [Action::ReadCase, Action::Chat, Action::ReadAudit] {
                assert_eq!(world.reason(case(action)).is_ok(), reads, "{reader:?} {role:?}");
            }
            assert_eq!(world.start(), Err(Reason::Role), "{reader:?} {role:?}");
        }
    }
}

#[test]
fn only_the_owner_of_an_edge_device_takes_it_away_and_only_while_it_is_online() {
    let world = |home: &str, role, owner: &str| {
        let world = World::asset_level().from(home).and(role, Scope::Whole);
        world.with(|facts| facts.device.as_mut().unwrap().device.owner = id(owner))
    };
    let take = || Action::Decommission(id("a1"));
    let (workshop, technician) = (Role::WorkshopManager, Role::ServiceTechnician);
    assert_eq!(world("op", workshop, "op").reason(take()), Ok(()));
    assert_eq!(world("op", workshop, "sp").reason(take()), Err(Reason::NotOwner)); // E2
    assert_eq!(world("sp", technician, "sp").reason(take()), Ok(()));
    assert_eq!(world("sp", technician, "op").reason(take()), Err(Reason::NotOwner));
    let offline = world("op", workshop, "op").device(Presence::Offline);
    assert_eq!(offline.reason(take()), Err(Reason::EdgeOffline)); // E1
}

/// CON-28.
#[test]
fn a_provider_asks_for_the_switch_that_it_must_not_turn() {
    let ask = || case(Action::RequestAccess);
    let technician = || World::shared().by(Role::ServiceTechnician).case_switch(OFF);
    assert_eq!(technician().reason(ask()), Ok(()));
    assert_eq!(technician().state(State::Closed).reason(ask()), Err(Reason::CaseClosed));
    assert_eq!(World::shared().by(Role::FirstLevelSupport).reason(ask()), Err(Reason::Role));
    assert_eq!(World::shared().by(Role::WorkshopManager).reason(ask()), Err(Reason::Role));
    let internal = World::provider_internal().by(Role::ServiceTechnician);
    assert_eq!(internal.reason(ask()), Err(Reason::CaseType));
}

#[test]
fn the_side_comes_from_the_tenant_and_not_from_the_role() {
    let engineer = |home| {
        sp_runs_machines_too(World::shared())
            .from(home)
            .and(Role::MaintenanceEngineer, Scope::Whole)
    };
    assert_eq!(engineer("sp").start(), Err(Reason::Role));
    assert_eq!(engineer("sp").switch_on(), Err(Reason::Role));
    assert_eq!(engineer("op").start(), Ok(()));

    let technician = World::shared()
        .with(|facts| {
            let operator = facts.operator.as_mut().unwrap();
            operator.roles.insert(TenantRole::ServiceProvider);
        })
        .from("op")
        .and(Role::ServiceTechnician, Scope::Whole);
    assert_eq!(technician.start(), Err(Reason::Role));
}

#[test]
fn a_provider_never_uses_or_switches_the_asset_itself() {
    for role in Role::ALL {
        let world = World::asset_level().from("sp").and(role, Scope::Whole);
        assert_eq!(world.start_asset(), Err(Reason::Role), "{role:?}");
        for on in [true, false] {
            let switch = Action::SwitchAsset { asset: id("a1"), on };
            assert_eq!(world.reason(switch), Err(Reason::Role), "{role:?}");
        }
    }
}

#[test]
fn the_switch_of_the_asset_and_that_of_the_case_do_not_speak_for_each_other() {
    let operator = |case, asset| {
        let world = World::shared().by(Role::MachineOperator);
        world.case_switch(case).asset_switch(asset)
    };
    assert_eq!(operator(OFF, ON).start(), Err(Reason::SwitchOff));
    assert_eq!(operator(OFF, ON).start_asset(), Ok(()));
    assert_eq!(operator(ON, OFF).start(), Ok(()));
    assert_eq!(operator(ON, OFF).start_asset(), Err(Reason::SwitchOff));
}

#[test]
fn a_switch_is_off_from_the_very_moment_it_expires() {
    let until = |wall| Switch { on: true, until: Some(Wall(wall)) };
    let world = || World::shared().by(Role::ServiceTechnician);
    assert_eq!(world().case_switch(until(NOW.0 + 1)).start(), Ok(()));
    assert_eq!(world().case_switch(until(NOW.0)).start(), Err(Reason::SwitchOff));
    assert_eq!(world().case_switch(EXPIRED).start(), Err(Reason::SwitchOff));
    let asset = World::asset_level().by(Role::MachineOperator);
    assert_eq!(asset.asset_switch(EXPIRED).start_asset(), Err(Reason::SwitchOff));
}

#[test]
fn an_asset_without_any_provider_is_used_by_its_operator() {
    let alone = |facts: &mut crate::authz::Facts| (facts.machine, facts.provider) = (None, None);
    let world = World::asset_level().with(alone).by(Role::MachineOperator);
    assert_eq!(world.start_asset(), Ok(()));
}

#[test]
fn a_closed_case_can_be_read_reopened_and_turned_off_but_not_on() {
    let operator = World::shared().by(Role::MachineOperator).state(State::Closed);
    assert_eq!(operator.start(), Err(Reason::CaseClosed));
    assert_eq!(operator.switch_on(), Err(Reason::CaseClosed));
    assert_eq!(operator.switch_off(), Ok(()));
    assert_eq!(operator.reason(case(Action::ReadCase)), Ok(()));
    assert_eq!(operator.reason(case(Action::ReadAudit)), Ok(()));
    assert_eq!(operator.reason(case(Action::ChangeState)), Ok(()));
}

#[test]
fn a_lost_link_hides_the_shared_case_from_the_provider_and_not_from_the_operator() {
    let asset = || Link::Proposed { asset: id("a1") };
    let elsewhere = || Link::Linked { asset: id("a2") };
    for link in [Link::New, asset(), elsewhere()] {
        let provider = World::shared().by(Role::ServiceTechnician).link(link.clone());
        for action in [
            case(Action::ReadCase),
            case(Action::Chat),
            case(Action::ChangeState),
            World::via_case(Door::Native, Want::Control),
        ] {
            let denial = provider.ask(action).unwrap_err();
            assert_eq!(denial, Denial { reason: Reason::NoProvider, visible: false });
            assert_eq!(denial.told(), Reason::NotFound);
        }
        assert_eq!(World::shared().by(Role::MachineOperator).link(link).start(), Ok(()));
    }
}

#[test]
fn a_case_of_another_provider_than_the_linked_one_is_lost_to_it() {
    let world = World::shared().by(Role::ServiceTechnician);
    let world = world.with(|facts| facts.machine.as_mut().unwrap().provider = id("sp2"));
    assert_eq!(world.start(), Err(Reason::NoProvider));
}

#[test]
fn a_proposal_is_no_link() {
    let proposed = |role| World::shared().by(role).link(Link::Proposed { asset: id("a1") });
    let create = |role, case| proposed(role).reason(Action::CreateCase(case));
    assert_eq!(create(Role::MachineOperator, CaseType::Shared), Err(Reason::NoProvider));
    assert_eq!(create(Role::ServiceTechnician, CaseType::Shared), Err(Reason::NoProvider));
    assert_eq!(create(Role::MaintenanceEngineer, CaseType::OperatorInternal), Ok(()));
    assert_eq!(create(Role::ServiceTechnician, CaseType::ProviderInternal), Ok(()));
    let own = World::asset_level().by(Role::MachineOperator);
    assert_eq!(own.link(Link::Proposed { asset: id("a1") }).start_asset(), Ok(()));
    let read = proposed(Role::ServiceTechnician).reason(Action::ReadAsset(id("a1")));
    assert_eq!(read, Err(Reason::NotFound));
}

#[test]
fn nothing_new_begins_on_a_deactivated_asset_or_one_of_a_disabled_operator() {
    let dead = |world: World| world.with(|facts| facts.asset.as_mut().unwrap().active = false);
    let gone = |world: World| world.with(|facts| facts.operator.as_mut().unwrap().active = false);
    let technician = || World::shared().by(Role::ServiceTechnician);
    assert_eq!(dead(technician()).start(), Err(Reason::AssetInactive));
    assert_eq!(gone(technician()).start(), Err(Reason::AssetInactive));
    let operator = dead(World::shared().by(Role::WorkshopManager));
    assert_eq!(operator.start(), Err(Reason::AssetInactive));
    assert_eq!(operator.start_asset(), Err(Reason::AssetInactive));
    assert_eq!(operator.switch_on(), Err(Reason::AssetInactive));
    assert_eq!(operator.switch_off(), Ok(()));
    let create = |kind| operator.reason(Action::CreateCase(kind));
    assert_eq!(create(CaseType::Shared), Err(Reason::AssetInactive));
    assert_eq!(create(CaseType::OperatorInternal), Err(Reason::AssetInactive));
}

#[test]
fn an_asset_that_was_sold_is_no_longer_reached_through_its_old_case() {
    let world = World::shared().with(|facts| facts.asset.as_mut().unwrap().operator = id("op2"));
    assert_eq!(world.by(Role::MachineOperator).start(), Err(Reason::AssetInactive));
}

#[test]
fn without_internal_service_its_two_roles_give_nothing_and_the_others_still_read() {
    let world = |role| without_internal_service(World::operator_internal()).by(role);
    for role in [Role::MaintenanceEngineer, Role::InternalServiceCases] {
        assert_eq!(world(role).start(), Err(Reason::Role));
        assert_eq!(world(role).switch_on(), Err(Reason::Role));
        assert_eq!(world(role).reason(case(Action::ReadCase)), Err(Reason::Role));
        let create = Action::CreateCase(CaseType::OperatorInternal);
        assert_eq!(world(role).reason(create), Err(Reason::Role));
    }
    for role in [Role::MachineOperator, Role::WorkshopManager] {
        assert_eq!(world(role).reason(case(Action::ReadCase)), Ok(()));
    }
}

#[test]
fn a_disabled_person_or_company_is_told_so_and_an_unknown_one_to_log_in() {
    let world = || World::shared().by(Role::ServiceTechnician);
    let read = || case(Action::ReadCase);
    let person = world().with(|facts| facts.person.as_mut().unwrap().active = false);
    let tenant = world().with(|facts| facts.tenant.as_mut().unwrap().active = false);
    let nobody = world().with(|facts| facts.person = None);
    let other = world().with(|facts| facts.person.as_mut().unwrap().id = id("carl"));
    assert_eq!(person.told(read()), Err(Reason::Disabled));
    assert_eq!(tenant.told(read()), Err(Reason::Disabled));
    assert_eq!(nobody.told(read()), Err(Reason::Unauthenticated));
    assert_eq!(other.told(read()), Err(Reason::Unauthenticated));
}

#[test]
fn another_persons_assignments_give_nothing() {
    let world = World::shared().by(Role::ServiceTechnician);
    let world = world.with(|facts| facts.assignments[0].person = id("carl"));
    assert_eq!(world.start(), Err(Reason::Role));
}

#[test]
fn a_tunnel_must_be_the_machines_own_enabled_and_lead_somewhere() {
    let with = |change: fn(&mut crate::machines::Tunnel)| {
        let world = World::shared().by(Role::ServiceTechnician);
        world.with(|facts| change(facts.tunnel.as_mut().unwrap())).start()
    };
    assert_eq!(with(|tunnel| tunnel.asset = id("a2")), Err(Reason::Config));
    assert_eq!(with(|tunnel| tunnel.enabled = false), Err(Reason::Config));
    assert_eq!(with(|tunnel| tunnel.targets.clear()), Err(Reason::Config));
    assert_eq!(with(|tunnel| tunnel.id = id("t2")), Err(Reason::Config));
    let none = World::shared().by(Role::ServiceTechnician).with(|facts| facts.tunnel = None);
    assert_eq!(none.start(), Err(Reason::Config));
}

#[test]
fn a_mode_lets_in_by_the_doors_that_keep_its_promise() {
    let refused = Err(Reason::Mode);
    for (mode, native, browser) in [
        (Mode::Sealed, Ok(()), refused),
        (Mode::Recorded, refused, Ok(())),
        (Mode::Any, Ok(()), Ok(())),
    ] {
        let world = World::shared().by(Role::ServiceTechnician);
        let world = world.with(|facts| facts.tunnel.as_mut().unwrap().mode = mode);
        let ask = |door| world.reason(World::via_case(door, Want::Control));
        assert_eq!(ask(Door::Native), native, "{mode:?}");
        assert_eq!(ask(Door::Browser), browser, "{mode:?}");
        assert_eq!(ask(Door::Ssh), browser, "{mode:?}");
    }
}

#[test]
fn files_are_a_right_of_their_own() {
    let files = |world: World| world.reason(World::via_case(Door::Native, Want::Files));
    assert_eq!(files(World::shared().by(Role::ServiceTechnician)), Ok(()));
    assert_eq!(files(World::shared().by(Role::WorkshopManager)), Ok(()));
    assert_eq!(files(World::shared().by(Role::MachineOperator)), Err(Reason::Role));
    let operator = World::shared().from("op").and(Role::MachineOperator, Scope::Whole);
    let elsewhere = operator.and(Role::WorkshopManager, facilities(&["f2"]));
    assert_eq!(files(elsewhere), Err(Reason::Scope));
}

#[test]
fn the_edge_device_must_be_paired_let_in_online_and_willing() {
    let world = || World::shared().by(Role::ServiceTechnician);
    let with = |change: fn(&mut crate::authz::Facts)| world().with(change).start();
    assert_eq!(with(|f| f.asset.as_mut().unwrap().device = None), Err(Reason::NoEdge));
    assert_eq!(with(|f| f.device = None), Err(Reason::NoEdge));
    assert_eq!(with(|f| f.device.as_mut().unwrap().device.id = id("d2")), Err(Reason::NoEdge));
    assert_eq!(with(|f| f.device.as_mut().unwrap().device.active = false), Err(Reason::NoEdge));
    assert_eq!(world().device(Presence::Offline).start(), Err(Reason::EdgeOffline));
    assert_eq!(world().device(Presence::Refusing).start(), Err(Reason::EdgeRefused));
}

#[test]
fn sessions_are_limited_for_a_person_and_for_a_device() {
    let world = || World::shared().by(Role::ServiceTechnician);
    let with = |change: fn(&mut crate::authz::LimitFacts)| {
        world().with(|facts| change(&mut facts.limits)).start()
    };
    assert_eq!(with(|limits| limits.sessions_of_person = 7), Ok(()));
    assert_eq!(with(|limits| limits.sessions_of_person = 8), Err(Reason::Limit));
    assert_eq!(with(|limits| limits.sessions_of_device = 4), Err(Reason::Limit));
}

#[test]
fn a_shared_case_is_assigned_by_the_provider_to_its_own_service() {
    let assign = || case(Action::Assign);
    let by = |role| World::shared().by(role);
    let technician = &[Role::ServiceTechnician];
    assert_eq!(by(Role::FirstLevelSupport).assignee("sp", technician).reason(assign()), Ok(()));
    for (home, roles) in [
        ("op", &[Role::MaintenanceEngineer][..]),
        ("sp", &[Role::TenantAdmin][..]),
        ("other", &[Role::ServiceTechnician][..]),
        ("sp", &[][..]),
    ] {
        let world = by(Role::ServiceTechnician).assignee(home, roles);
        assert_eq!(world.reason(assign()), Err(Reason::AssigneeRole), "{home} {roles:?}");
    }
    let gone = by(Role::ServiceTechnician).assignee("sp", technician);
    let gone = gone.with(|facts| facts.assignee.as_mut().unwrap().person.active = false);
    assert_eq!(gone.reason(assign()), Err(Reason::AssigneeRole));
    let operator = by(Role::WorkshopManager).assignee("sp", technician);
    assert_eq!(operator.reason(assign()), Err(Reason::Role));
}

#[test]
fn only_a_tenant_admin_of_the_whole_company_manages_its_people() {
    for role in Role::ALL {
        let answer = World::shared().by(role).reason(Action::Own(Permission::ManagePeople));
        assert_eq!(answer.is_ok(), role == Role::TenantAdmin, "{role:?}");
    }
    let partial = World::shared().from("op").and(Role::TenantAdmin, facilities(&["f1"]));
    assert_eq!(partial.told(Action::Own(Permission::ManagePeople)), Err(Reason::Scope));
}

#[test]
fn a_grant_says_under_which_facts_on_which_side_and_by_which_role_it_was_given() {
    let world = World::shared().from("op");
    let world = world.and(Role::MaintenanceEngineer, Scope::Whole);
    let world = world.and(Role::InternalServiceCases, Scope::Whole);
    let request = World::request(World::via_case(Door::Native, Want::Control));
    let Decision::Allow(grant) = decide(request.clone(), &world.facts) else {
        panic!("refused");
    };
    assert_eq!(grant.request(), &request);
    assert_eq!(grant.revision(), Revision(7));
    assert_eq!(grant.side(), Some(Side::Operator));
    assert_eq!(grant.role(), Some(&Role::MaintenanceEngineer.into()));
}

#[test]
fn a_live_session_that_is_judged_again_ends_with_the_cause_that_fits() {
    let via_case = Via::Case(id("case-1"));
    let cause = |world: World, via: &Via| {
        let action = match via {
            Via::Case(_) => World::via_case(Door::Native, Want::Control),
            Via::Asset(_) => World::via_asset(),
        };
        world.ask(action).unwrap_err().ends_with(via)
    };
    let live = || World::shared().by(Role::ServiceTechnician);
    assert_eq!(cause(live().case_switch(OFF), &via_case), EndCause::SwitchOff);
    assert_eq!(cause(live().state(State::Closed), &via_case), EndCause::CaseClosed);
    assert_eq!(cause(live().link(Link::New), &via_case), EndCause::LinkRemoved);
    assert_eq!(cause(live().from("sp"), &via_case), EndCause::RoleRevoked);
    let narrowed = live().from("sp").and(Role::ServiceTechnician, customers(&["c2"]));
    assert_eq!(cause(narrowed, &via_case), EndCause::ScopeRevoked);
    let unpaired = live().with(|facts| facts.asset.as_mut().unwrap().device = None);
    assert_eq!(cause(unpaired, &via_case), EndCause::EdgeUnpaired);
    let disabled = live().with(|facts| facts.person.as_mut().unwrap().active = false);
    assert_eq!(cause(disabled, &via_case), EndCause::UserDisabled);
    let dead = live().with(|facts| facts.asset.as_mut().unwrap().active = false);
    assert_eq!(cause(dead, &via_case), EndCause::AssetDeactivated);
    let config = live().with(|facts| facts.tunnel = None);
    assert_eq!(cause(config, &via_case), EndCause::ConfigDeleted);
    let asset = World::asset_level().by(Role::WorkshopManager).asset_switch(OFF);
    assert_eq!(cause(asset, &Via::Asset(id("a1"))), EndCause::AssetSwitchOff);
}
