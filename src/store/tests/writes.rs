//! Writes: row, revision, record and notice together, or none of them.

use super::*;
use crate::{
    audit::Event,
    authz::Reason,
    cases::{CaseType, Details, Severity},
    ids::{AssetId, CaseId, PersonId},
};

fn id<T: FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_switch_is_turned_with_its_revision_its_record_and_its_notice() {
    let desk = Desk::new().await;
    let mut changes = desk.store.changes();
    let before = desk.store.revision().await.unwrap();

    let done = desk.switch("milo", "CASE-1", true).await.unwrap();

    assert_eq!(done.revision, Revision(before.0 + 1));
    assert_eq!(desk.store.revision().await.unwrap(), done.revision);
    let change = Change { revision: done.revision, objects: vec![Object::Case(id("CASE-1"))] };
    assert_eq!(changes.recv().await.unwrap(), change);
    assert_eq!(desk.store.changes_since(before).await.unwrap(), [change]);
    let record = desk.last_record().await;
    assert_eq!(record.event(), Some(Event::SwitchOn));
    assert_eq!(record.actor, "person/milo");
    assert_eq!(record.tenant.as_deref(), Some("op"));
    assert_eq!(record.role.as_deref(), Some("machine_operator"));
    assert_eq!((record.old.as_deref(), record.new.as_deref()), (Some("off"), Some("on")));
    assert_eq!(record.reason.as_deref(), Some("look at the valve"));
    assert_eq!(record.case.as_deref(), Some("CASE-1"));
    assert_eq!(record.source_ip.as_deref(), Some("192.0.2.7"));
}

#[tokio::test]
async fn a_refused_write_leaves_a_record_and_nothing_else() {
    let desk = Desk::new().await;
    let mut changes = desk.store.changes();
    let before = desk.store.revision().await.unwrap();

    assert_eq!(refusal(desk.switch("stella", "CASE-1", true).await), "role");
    assert_eq!(refusal(desk.switch("stella", "CASE-3", true).await), "case_type");

    assert_eq!(desk.store.revision().await.unwrap(), before);
    assert!(changes.try_recv().is_err());
    let record = desk.last_record().await;
    assert_eq!(record.event(), Some(Event::SwitchRefused));
    assert_eq!((record.done, record.reason.as_deref()), (0, Some("case_type")));
    let who = id("milo");
    let case = desk.store.case(&who, &id("CASE-1"), Now::read()).await.unwrap().unwrap();
    assert!(!case.switch().unwrap().on);
}

#[tokio::test]
async fn a_switch_that_would_end_before_it_is_on_is_refused() {
    let desk = Desk::new().await;
    let ask = SwitchAsk { on: true, until: Some(Wall(1)), reason: None };
    let result = desk.store.switch_case(&by("milo"), &id("CASE-1"), &ask, Now::read()).await;
    assert!(matches!(result, Err(WriteError::Conflict(Conflict::Invalid(_)))));
}

#[tokio::test]
async fn closing_a_case_turns_its_switch_off_and_reopening_leaves_it_off() {
    let desk = Desk::new().await;
    let (case, now): (CaseId, _) = (id("CASE-1"), Now::read());
    desk.switch("milo", "CASE-1", true).await.unwrap();

    let closed =
        desk.store.change_case_state(&by("stella"), &case, State::Closed, now).await.unwrap();
    assert_eq!(closed.value.switch(), Some(&Switch::default()));
    assert_eq!(closed.value.closed_at, Some(now.wall));
    let told: Vec<_> = desk.all_records().await.iter().rev().take(2).map(Row::event).collect();
    assert_eq!(told, [Some(Event::SwitchOff), Some(Event::CaseClosed)]);
    assert_eq!(refusal(desk.switch("milo", "CASE-1", true).await), "case_closed");

    let open = desk.store.change_case_state(&by("stella"), &case, State::InProgress, now).await;
    assert_eq!(open.unwrap().value.switch(), Some(&Switch::default()));
    assert_eq!(desk.last_record().await.event(), Some(Event::CaseReopened));
}

#[tokio::test]
async fn cases_are_numbered_on_and_read_by_those_who_may() {
    let desk = Desk::new().await;
    let new = NewCase {
        case_type: CaseType::OperatorInternal,
        about: About::Asset(id("mixer-2")),
        title: " 100% wear_out ".into(),
        details: Details { severity: Some(Severity::Degraded), ..Details::default() },
        organisation: None,
    };
    let made = desk.store.create_case(&by("emil"), &new, Now::read()).await.unwrap().value;
    assert_eq!((made.id.as_str(), made.title.as_str()), ("CASE-4", "100% wear_out"));
    assert_eq!(desk.last_record().await.case.as_deref(), Some("CASE-4"));
    let wrong = desk.store.create_case(&by("stella"), &new, Now::read()).await;
    assert_eq!(refusal(wrong), "not_found");

    for (who, seen) in [
        ("emil", vec!["CASE-4", "CASE-2", "CASE-1"]),
        ("stella", vec!["CASE-3", "CASE-1"]),
        ("tessa", vec![]),
    ] {
        let filter = CaseFilter::default();
        let listed =
            desk.store.cases(&id(who), &filter, &Page::default(), Now::read()).await.unwrap();
        let ids: Vec<_> = listed.items.iter().map(|one| one.case.id.as_str()).collect();
        assert_eq!(ids, seen, "{who}");
        assert_eq!(listed.next, None);
    }
    let filter = CaseFilter { text: Some("100% WEAR_".into()), ..CaseFilter::default() };
    let found = desk.store.cases(&id("emil"), &filter, &Page::default(), Now::read()).await;
    let found: Vec<Case> = found.unwrap().items.into_iter().map(|one| one.case).collect();
    assert_eq!(found, [made]);
}

#[tokio::test]
async fn a_list_is_read_page_by_page_without_gap_or_repeat() {
    let desk = Desk::new().await;
    let (mut page, mut ids) = (Page { after: None, rows: 1 }, Vec::new());
    loop {
        let filter = CaseFilter::default();
        let listed = desk.store.cases(&id("emil"), &filter, &page, Now::read()).await.unwrap();
        ids.extend(listed.items.into_iter().map(|one| one.case.id.to_string()));
        match listed.next {
            Some(next) => page.after = Some(next),
            None => break,
        }
    }
    assert_eq!(ids, ["CASE-2", "CASE-1"]);
}

#[tokio::test]
async fn an_internal_case_goes_to_a_maintenance_engineer_alone() {
    let desk = Desk::new().await;
    let (case, now) = (id("CASE-2"), Now::read());
    let to: PersonId = id("wanda");
    let refused = desk.store.assign_case(&by("emil"), &case, Some(&to), now).await;
    assert_eq!(refusal(refused), "assignee_role");
    let to: PersonId = id("emil");
    let done = desk.store.assign_case(&by("emil"), &case, Some(&to), now).await.unwrap();
    assert_eq!(done.value.assignee, Some(to));
    assert_eq!(desk.last_record().await.new.as_deref(), Some("emil"));
}

#[tokio::test]
async fn the_last_tenant_admin_stays() {
    let desk = Desk::new().await;
    let now = Now::read();
    let own = desk.store.remove_assignment(&by("tessa"), &id("tessa-role"), now).await;
    assert!(matches!(own, Err(WriteError::Conflict(Conflict::Invalid(_)))));

    let (milo, role) = (id("milo"), Role::TenantAdmin);
    let given =
        desk.store.add_assignment(&by("tessa"), &milo, role, &Scope::Whole, now).await.unwrap();
    desk.store.remove_assignment(&by("milo"), &id("tessa-role"), now).await.unwrap();
    let last = desk.store.remove_assignment(&by("tessa"), &given.value.id, now).await;
    assert_eq!(refusal(last), "role");
    let disabled = desk.store.set_person_active(&by("milo"), &milo, false, now).await;
    assert!(matches!(disabled, Err(WriteError::Conflict(_))));
    assert_eq!(desk.store.assignments(&milo).await.unwrap().len(), 2);
}

#[tokio::test]
async fn of_two_admins_who_take_the_role_from_each_other_at_once_one_stays() {
    for round in 0..20 {
        let desk = Desk::new().await;
        let now = Now::read();
        let (store, milo) = (&desk.store, id("milo"));
        let role = Role::TenantAdmin;
        let given = store.add_assignment(&by("tessa"), &milo, role, &Scope::Whole, now).await;
        let given = given.unwrap().value.id;
        let (tessa, other) = (by("tessa"), by("milo"));
        let first = id("tessa-role");
        let (one, two) = tokio::join!(
            store.remove_assignment(&tessa, &given, now),
            store.remove_assignment(&other, &first, now),
        );
        assert!(one.is_ok() != two.is_ok(), "round {round}: {one:?} {two:?}");
    }
}

#[tokio::test]
async fn what_a_company_loses_its_roles_lose_at_once_and_the_record_says_so() {
    let desk = Desk::new().await;
    let (store, now) = (&desk.store, Now::read());
    let set = async |roles: &[TenantRole]| {
        let roles = roles.iter().copied().collect();
        store.set_tenant_roles(&id("op"), &roles, &gateway(), now).await
    };
    let alone = set(&[TenantRole::OperatorInternalService]).await;
    assert!(matches!(alone, Err(WriteError::Conflict(Conflict::Invalid(_)))));
    let nowhere = store.set_tenant_roles(&id("nowhere"), &BTreeSet::new(), &gateway(), now).await;
    assert!(matches!(nowhere, Err(WriteError::Conflict(Conflict::Invalid(_)))));

    set(&[TenantRole::Operator]).await.unwrap();
    assert_eq!(desk.last_record().await.new.as_deref(), Some("basic operator"));
    let new = NewCase {
        case_type: CaseType::OperatorInternal,
        about: About::Asset(id("press-7")),
        title: "It squeaks".into(),
        details: Details { severity: Some(Severity::Degraded), ..Details::default() },
        organisation: None,
    };
    // B.5: the engineer's role is inert; what there is stays readable to the Machine Operator.
    assert_ne!(refusal(store.create_case(&by("emil"), &new, now).await), "");
    assert!(store.case(&id("milo"), &id("CASE-2"), now).await.unwrap().is_some());
    assert!(store.case(&id("emil"), &id("CASE-2"), now).await.unwrap().is_none());
}

#[tokio::test]
async fn roles_are_given_within_the_own_tenant_and_what_it_holds() {
    let desk = Desk::new().await;
    let now = Now::read();
    let add = async |person: &str, role| {
        desk.store.add_assignment(&by("tessa"), &id(person), role, &Scope::Whole, now).await
    };
    assert_eq!(refusal(add("stella", Role::MachineOperator).await), "not_found");
    let foreign = add("milo", Role::ServiceTechnician).await;
    assert!(matches!(foreign, Err(WriteError::Conflict(Conflict::TenantRole))));
    let old = add("milo", Role::ServiceManager).await;
    assert!(matches!(old, Err(WriteError::Conflict(Conflict::Invalid(_)))));
    add("milo", Role::WorkshopManager).await.unwrap();
    assert_eq!(desk.last_record().await.new.as_deref(), Some("workshop_manager whole"));
}

#[tokio::test]
async fn a_scope_comes_back_as_it_was_given() {
    let desk = Desk::new().await;
    let scope = Scope::Facilities([id("hall-1"), id("hall-2")].into());
    let (who, role) = (id("milo"), Role::WorkshopManager);
    let given = desk.store.add_assignment(&by("tessa"), &who, role, &scope, Now::read()).await;
    let given = given.unwrap().value;
    assert!(desk.store.assignments(&who).await.unwrap().contains(&given));
    let facts = desk.store.facts(&Subject::of(who)).await.unwrap();
    assert!(facts.assignments.contains(&given));
    assert_eq!(facts.assignments.len(), 2);
}

#[tokio::test]
async fn a_disabled_person_is_let_in_by_no_credential() {
    let desk = Desk::new().await;
    let (milo, now): (PersonId, _) = (id("milo"), Now::read());
    let later = Wall(now.wall.0 + 1000);
    desk.store.add_bearer(&[7; 32], &milo, later).await.unwrap();
    desk.store.add_person_key(&milo, KeyDigest([7; 32]), later).await.unwrap();
    let known = async |at| {
        let bearer = desk.store.bearer(&[7; 32], at).await.unwrap().is_some();
        let key = desk.store.person_of_key(KeyDigest([7; 32]), at).await.unwrap().is_some();
        (bearer, key)
    };
    assert_eq!(known(now.wall).await, (true, true));
    assert_eq!(known(later).await, (false, false));
    assert!(desk.store.login(" MILO@op.example ").await.unwrap().is_some());

    desk.store.set_person_active(&by("tessa"), &milo, false, now).await.unwrap();
    assert_eq!(known(now.wall).await, (false, false));
    assert!(desk.store.login("milo@op.example").await.unwrap().is_none());
    assert_eq!(refusal(desk.switch("milo", "CASE-1", true).await), "disabled");

    desk.store.set_person_active(&by("tessa"), &milo, true, now).await.unwrap();
    assert_eq!(desk.store.forget_expired(now.wall).await.unwrap(), 0);
    assert_eq!(desk.store.forget_expired(later).await.unwrap(), 2);
}

#[tokio::test]
async fn nobody_takes_over_a_key_that_is_anothers() {
    let desk = Desk::new().await;
    let (key, until) = (KeyDigest([7; 32]), Wall(i64::MAX));
    desk.store.add_person_key(&id("milo"), key, until).await.unwrap();
    let taken = desk.store.add_person_key(&id("stella"), key, until).await;
    assert!(matches!(taken, Err(StoreError::KeyTaken)));
    let person = desk.store.person_of_key(key, Wall(0)).await.unwrap().unwrap();
    assert_eq!(person.id.as_str(), "milo");
}

#[tokio::test]
async fn tunnels_are_made_changed_and_deleted_with_a_notice_each() {
    let desk = Desk::new().await;
    let (asset, now): (AssetId, _) = (id("press-7"), Now::read());
    let mut new = TunnelConfig {
        name: id("cell"),
        kind: TunnelKind::DataLink,
        mode: Mode::Sealed,
        targets: vec![target("plc", 502), target("hmi", 80)],
        enabled: true,
    };
    let made = desk.store.create_tunnel(&by("stella"), &asset, &new, now).await.unwrap().value;
    let made = made.tunnel;
    assert!(desk.store.tunnels(&asset).await.unwrap().contains(&made));
    let twice = desk.store.create_tunnel(&by("stella"), &asset, &new, now).await;
    assert!(matches!(twice, Err(WriteError::Conflict(Conflict::Exists(_)))));
    assert_eq!(refusal(desk.store.create_tunnel(&by("lara"), &asset, &new, now).await), "role");

    new.kind = TunnelKind::Ssc;
    let many = desk.store.update_tunnel(&by("wanda"), (&asset, &made.id), None, &new, now).await;
    assert!(matches!(many, Err(WriteError::Conflict(Conflict::Unsound(_)))));
    new.targets.truncate(1);
    let one =
        desk.store.update_tunnel(&by("wanda"), (&asset, &made.id), None, &new, now).await.unwrap();
    assert_eq!(one.value.tunnel.targets, [target("plc", 502)]);

    let elsewhere = desk.store.delete_tunnel(&by("wanda"), &id("mixer-2"), &made.id, now).await;
    assert_eq!(refusal(elsewhere), "not_found");
    let gone = desk.store.delete_tunnel(&by("wanda"), &asset, &made.id, now).await.unwrap();
    let last = desk.store.changes_since(Revision(gone.revision.0 - 1)).await.unwrap();
    assert_eq!(last[0].objects, [Object::Tunnel(made.id)]);
    assert_eq!(desk.store.tunnels(&asset).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_asset_has_a_switch_of_its_own() {
    let desk = Desk::new().await;
    let (asset, now): (AssetId, _) = (id("press-7"), Now::read());
    let ask = SwitchAsk { on: true, until: Some(Wall(now.wall.0 + 1000)), reason: None };
    assert_eq!(refusal(desk.store.switch_asset(&by("emil"), &asset, &ask, now).await), "role");
    let done = desk.store.switch_asset(&by("wanda"), &asset, &ask, now).await.unwrap();
    assert!(done.switch.on);
    assert_eq!(desk.store.asset(&asset).await.unwrap().unwrap().switch, done.switch);
    let case = desk.store.case(&id("milo"), &id("CASE-1"), now).await.unwrap().unwrap();
    assert!(!case.switch().unwrap().on);
}

#[tokio::test]
async fn many_writers_at_once_all_succeed_and_are_heard_in_order() {
    let desk = Desk::new().await;
    let mut changes = desk.store.changes();
    let before = desk.store.revision().await.unwrap().0;
    let mut done: Vec<u64> = Vec::new();
    let mut set = tokio::task::JoinSet::new();
    for n in 0..40 {
        let store = desk.store.clone();
        set.spawn(async move {
            let ask = SwitchAsk { on: n % 2 == 0, until: None, reason: None };
            store.switch_case(&by("milo"), &id("CASE-1"), &ask, Now::read()).await
        });
    }
    while let Some(one) = set.join_next().await {
        done.push(one.unwrap().unwrap().revision.0);
    }
    done.sort_unstable();
    let all: Vec<u64> = (before + 1..=before + 40).collect();
    assert_eq!(done, all);
    for revision in all {
        assert_eq!(changes.recv().await.unwrap().revision.0, revision);
    }
    assert_eq!(desk.store.verify().await.unwrap().records, 41);
}

#[tokio::test]
async fn what_another_tenant_has_is_not_found() {
    let desk = Desk::new().await;
    let (stella, now) = (id("stella"), Now::read());
    assert!(desk.store.case(&stella, &id("CASE-2"), now).await.unwrap().is_none());
    match desk.switch("stella", "CASE-2", true).await {
        Err(WriteError::Denied(denial)) => assert_eq!(denial.told(), Reason::NotFound),
        other => panic!("{other:?}"),
    }
    let assets = desk.store.assets(&stella, now).await.unwrap();
    assert_eq!(assets.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["press-7"]);
    let page = Page::default();
    assert!(desk.store.case_records(&stella, &id("CASE-2"), &page, now).await.unwrap().is_none());
}

#[tokio::test]
async fn a_link_that_the_operator_takes_away_leaves_the_provider_nothing() {
    let desk = Desk::new().await;
    let (machine, now) = (id("machine-7"), Now::read());
    let (stella, case) = (id("stella"), id("CASE-1"));
    assert!(desk.store.case(&stella, &case, now).await.unwrap().is_some());
    assert_eq!(refusal(desk.store.remove_link(&by("milo"), &machine, now).await), "role");

    let done = desk.store.remove_link(&by("wanda"), &machine, now).await.unwrap();
    assert_eq!(done.value.link, Link::New);
    let changes = desk.store.changes_since(Revision(done.revision.0 - 1)).await.unwrap();
    assert!(changes[0].objects.contains(&Object::Asset(id("press-7"))));
    assert_eq!(desk.last_record().await.event(), Some(Event::LinkChanged));
    assert!(desk.store.case(&stella, &case, now).await.unwrap().is_none());
    assert!(desk.store.case(&id("milo"), &case, now).await.unwrap().is_some());
}

#[tokio::test]
#[ignore = "prints a measurement"]
async fn facts_and_writes_are_quick() {
    let desk = Desk::new().await;
    let subject = Subject::case(id("stella"), id("CASE-1")).tunnel(TunnelKey::Name(id("plc")));
    for _ in 0..200 {
        desk.store.facts(&subject).await.unwrap();
    }
    let began = Now::read().mono;
    for _ in 0..2000 {
        desk.store.facts(&subject).await.unwrap();
    }
    println!("facts: {:?} each", (Now::read().mono - began) / 2000);
    let began = Now::read().mono;
    for n in 0..200 {
        desk.switch("milo", "CASE-1", n % 2 == 0).await.unwrap();
    }
    println!("switch_case: {:?} each", (Now::read().mono - began) / 200);
}
