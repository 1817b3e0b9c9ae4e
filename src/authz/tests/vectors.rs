//! The vectors of domain.md B.6, each under its number.

use super::world::{EXPIRED, OFF, ON, World, facilities, id};
use crate::{
    authz::{Action, Presence, Reason},
    cases::{CaseType, State},
    machines::Link,
    tenancy::{Role, Scope},
};

use Reason::{
    AssigneeRole, CaseClosed, CaseType as WrongType, EdgeOffline, NoProvider, NotFound,
    Role as WrongRole, Scope as WrongScope, SwitchOff,
};
use Role::{
    CustomerDataManager as CDM, DataAnalyst as DAC, FirstLevelSupport as L1,
    InternalServiceCases as OIS, MachineOperator as MO, MaintenanceEngineer as ME,
    MasterDataManager as MDM, ServiceTechnician as ST, TenantAdmin as TA, WorkshopManager as WM,
};

fn read() -> Action {
    Action::ReadCase(id("case-1"))
}

fn assign() -> Action {
    Action::Assign(id("case-1"))
}

fn asset_on() -> Action {
    Action::SwitchAsset { asset: id("a1"), on: true }
}

fn unlinked() -> World {
    World::shared().link(Link::New)
}

/// Number, what was answered, what the domain wants.
type Vector = (&'static str, Result<(), Reason>, Result<(), Reason>);

fn hold(vectors: Vec<Vector>) {
    let faults: Vec<String> = vectors
        .into_iter()
        .filter(|(_, got, want)| got != want)
        .map(|(number, got, want)| format!("{number}: {got:?}, not {want:?}"))
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn starting_a_tunnel_is_decided_as_the_domain_says() {
    let shared = |role| World::shared().by(role);
    let internal = |role| World::operator_internal().by(role);
    hold(vec![
        ("B1", shared(ST).start(), Ok(())),
        ("B2", shared(ST).case_switch(OFF).start(), Err(SwitchOff)),
        ("B2 expired", shared(ST).case_switch(EXPIRED).start(), Err(SwitchOff)),
        ("B3", shared(L1).start(), Err(WrongRole)),
        ("B4 MO", shared(MO).start(), Ok(())),
        ("B4 WM", shared(WM).start(), Ok(())),
        ("B4 ME", shared(ME).start(), Ok(())),
        ("B5", shared(OIS).start(), Err(WrongRole)),
        ("B8 ME", internal(ME).start(), Ok(())),
        ("B8 MO", internal(MO).start(), Ok(())),
        ("B8 WM", internal(WM).start(), Ok(())),
        (
            "B9",
            internal(OIS).with(|f| f.case.as_mut().unwrap().created_by = id("anna")).start(),
            Err(WrongRole),
        ),
        ("B11", internal(ST).start(), Err(NotFound)),
        ("B23", World::provider_internal().by(ST).start(), Err(WrongType)),
        ("B28", shared(MO).asset_switch(OFF).start(), Ok(())),
        ("B30", shared(DAC).start(), Err(WrongRole)),
        ("B30 provider", World::shared().from("sp").and(DAC, Scope::Whole).start(), Err(WrongRole)),
        ("B31", shared(TA).start(), Err(WrongRole)),
        ("B32", World::shared().from("op").and(WM, facilities(&["f2"])).start(), Err(WrongScope)),
        ("B34", shared(ST).state(State::Closed).start(), Err(CaseClosed)),
        ("B35", shared(ST).device(Presence::Offline).start(), Err(EdgeOffline)),
        ("B36", shared(ST).and(TA, Scope::Whole).start(), Ok(())),
        ("B38 MDM", shared(MDM).start(), Err(WrongRole)),
        ("B38 CDM", shared(CDM).start(), Err(WrongRole)),
    ]);
}

#[test]
fn switches_are_decided_as_the_domain_says() {
    let shared = |role| World::shared().by(role).case_switch(OFF);
    let asset = |role| World::asset_level().by(role);
    let mut vectors = vec![
        ("B6", shared(ST).switch_on(), Err(WrongRole)),
        ("B7", shared(MO).switch_on(), Ok(())),
        ("B25 WM", asset(WM).start_asset(), Ok(())),
        ("B25 ME", asset(ME).start_asset(), Ok(())),
        ("B25 MO", asset(MO).start_asset(), Ok(())),
        ("B26", asset(OIS).start_asset(), Err(WrongRole)),
        ("B29", asset(ME).reason(asset_on()), Err(WrongRole)),
        ("B30", shared(DAC).switch_on(), Err(WrongRole)),
        (
            "B4.1 asset on, case off",
            World::shared().by(ST).case_switch(OFF).asset_switch(ON).start(),
            Err(SwitchOff),
        ),
    ];
    for role in [L1, ST, MDM, CDM, DAC, TA, Role::ServiceManager] {
        let world = World::provider_internal().from("sp").and(role, Scope::Whole);
        vectors.push(("B22", world.switch_on(), Err(WrongType)));
    }
    hold(vectors);
}

#[test]
fn cases_are_decided_as_the_domain_says() {
    let internal = |role| World::operator_internal().by(role);
    let create = |world: World, case| world.reason(Action::CreateCase(case));
    hold(vec![
        ("B10", internal(ST).reason(read()), Err(NotFound)),
        ("B12", internal(MO).reason(Action::ChangeState(id("case-1"))), Err(WrongRole)),
        ("B13", internal(ME).assignee("op", &[WM]).reason(assign()), Err(AssigneeRole)),
        ("B14", internal(ME).assignee("op", &[ME]).reason(assign()), Ok(())),
        ("B15", internal(ME).assignee("other", &[ME]).reason(assign()), Err(AssigneeRole)),
        ("B16", create(World::shared().by(MO), CaseType::OperatorInternal), Err(WrongRole)),
        ("B17", create(World::shared().by(OIS), CaseType::OperatorInternal), Ok(())),
        ("B18", create(World::shared().by(OIS), CaseType::Shared), Err(WrongRole)),
        ("B19", create(unlinked().by(ME), CaseType::Shared), Err(NoProvider)),
        ("B20", create(unlinked().by(ME), CaseType::OperatorInternal), Ok(())),
        (
            "B24",
            create(
                unlinked().with(|f| (f.asset, f.operator) = (None, None)).by(ST),
                CaseType::ProviderInternal,
            ),
            Ok(()),
        ),
        ("B30 chat", World::shared().by(DAC).reason(Action::Chat(id("case-1"))), Err(WrongRole)),
        ("B31 read", World::shared().by(TA).reason(read()), Err(WrongRole)),
    ]);
}

#[test]
fn an_internal_case_is_not_found_by_a_provider_just_as_one_that_does_not_exist() {
    let there = World::operator_internal().by(ST);
    let nowhere = World::operator_internal().by(ST).with(|facts| facts.case = None);
    assert_eq!(there.told(read()), Err(NotFound));
    assert_eq!(there.ask(read()), nowhere.ask(read()));
}

#[test]
fn who_covers_nothing_of_an_asset_is_told_that_it_is_not_there() {
    let scoped = World::shared().from("op").and(WM, facilities(&["f2"]));
    let denial = scoped.ask(World::via_asset()).unwrap_err();
    assert_eq!((denial.reason, denial.visible), (WrongScope, false));
    assert_eq!(denial.told(), NotFound);
}
