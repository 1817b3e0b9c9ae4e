//! Who comes in and who leaves: invitations, links, tokens of programs, people who are deleted; two
//! at once, too late, and what is another company's.

use std::time::Duration;

use super::*;
use crate::{
    audit::Event,
    ids::{ApiTokenId, AssignmentId, CustomerId, MachineId, Name, PersonId},
    tenancy::{Permission, RoleRef},
};

fn id<T: FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

fn conflict<T: std::fmt::Debug>(result: Result<T, WriteError>) -> Conflict {
    match result {
        Err(WriteError::Conflict(conflict)) => conflict,
        other => panic!("no conflict: {other:?}"),
    }
}

fn later(now: Now, by: Duration) -> Now {
    Now { mono: now.mono + by, wall: now.wall.plus(by) }
}

fn acceptance(name: &str) -> Acceptance {
    let password_hash = SecretText::new("$argon2id$...".into());
    Acceptance { name: name.into(), password_hash, company: None }
}

fn offer(role: impl Into<RoleRef>) -> Offer {
    Offer { role: role.into(), scope: Scope::Whole }
}

/// A provider's service organisation with a customer that is not here, and its machine.
const CUSTOMER: &str = "
    INSERT INTO service_organisations (id, provider, name) VALUES ('north', 'sp', 'North');
    INSERT INTO customers (provider, id, organisation, name, tenant)
        VALUES ('sp', 'mills', 'north', 'Mills', NULL);
    INSERT INTO machines (id, provider, customer, serial, link, asset)
        VALUES ('machine-9', 'sp', 'op-ag', 'SN-mixer-2', 'new', NULL);
    INSERT INTO tenants (id, name, active) VALUES ('rival', 'Rival', 1);
    INSERT INTO tenant_roles (tenant, role) VALUES ('rival', 'basic'), ('rival', 'service_provider');
    INSERT INTO people (id, tenant, email, name, active)
        VALUES ('rita', 'rival', 'rita@rival.example', 'rita', 1);
    INSERT INTO assignments (id, person, role, scope)
        VALUES ('rita-role', 'rita', 'customer_data_manager', 'whole');
";

impl Desk {
    async fn invite(&self, email: &str, roles: &[Offer], now: Now) -> Result<Invited, WriteError> {
        Ok(self.store.invite_person(&by("tessa"), email, roles, now).await?.value)
    }

    async fn accept(&self, invited: &Invited, name: &str, now: Now) -> Result<Person, WriteError> {
        let accepted = self.store.accept_invitation(&invited.token, &acceptance(name), now).await?;
        Ok(accepted.value)
    }

    async fn held(&self, person: &PersonId) -> usize {
        let held = self.store.assignments(person).await.unwrap();
        held.len()
    }
}

#[tokio::test]
async fn of_two_who_accept_the_same_invitation_one_is_in() {
    let desk = Desk::new().await;
    let now = Now::read();
    let invited =
        desk.invite("ines@op.example", &[offer(Role::MachineOperator)], now).await.unwrap();
    let (one, other) =
        tokio::join!(desk.accept(&invited, "Ines", now), desk.accept(&invited, "Eve", now));
    let (won, lost) = if one.is_ok() { (one, other) } else { (other, one) };
    assert!(matches!(conflict(lost), Conflict::Over(_)));
    let ines = won.unwrap();
    assert_eq!((ines.tenant.as_str(), ines.email.as_str()), ("op", "ines@op.example"));
    assert_eq!(desk.held(&ines.id).await, 1);
    assert!(matches!(conflict(desk.accept(&invited, "Again", now).await), Conflict::Over(_)));
}

#[tokio::test]
async fn an_invitation_is_good_for_thirty_days_to_the_moment() {
    let desk = Desk::new().await;
    let now = Now::read();
    let invited = desk.invite("ines@op.example", &[], now).await.unwrap();
    assert_eq!(invited.invitation.expires, now.wall.plus(INVITATION_LASTS));
    let over = later(now, INVITATION_LASTS);
    assert!(matches!(conflict(desk.accept(&invited, "Ines", over).await), Conflict::Over(_)));
    assert!(matches!(
        conflict(desk.store.is_invited(&invited.token, over).await),
        Conflict::Over(_)
    ));
    let just = later(now, INVITATION_LASTS - Duration::from_millis(1));
    desk.accept(&invited, "Ines", just).await.unwrap();
}

#[tokio::test]
async fn a_token_that_was_taken_back_or_is_of_a_company_that_is_off_opens_nothing() {
    let desk = Desk::new().await;
    let now = Now::read();
    let invited = desk.invite("ines@op.example", &[], now).await.unwrap();
    let theo = desk.store.withdraw_invitation(&by("theo"), &invited.invitation.id, now).await;
    assert_eq!(refusal(theo), "not_found", "another company's");
    desk.tamper("UPDATE tenants SET active = 0 WHERE id = 'op'").await.unwrap();
    assert_eq!(refusal(desk.accept(&invited, "Ines", now).await), "not_found");
    desk.tamper("UPDATE tenants SET active = 1 WHERE id = 'op'").await.unwrap();
    desk.store.withdraw_invitation(&by("tessa"), &invited.invitation.id, now).await.unwrap();
    assert_eq!(refusal(desk.accept(&invited, "Ines", now).await), "not_found");
    let again = desk.store.withdraw_invitation(&by("tessa"), &invited.invitation.id, now).await;
    assert_eq!(refusal(again), "not_found");
}

#[tokio::test]
async fn one_address_is_one_person_however_often_it_was_invited() {
    let desk = Desk::new().await;
    let now = Now::read();
    let first = desk.invite("ines@op.example", &[], now).await.unwrap();
    let second = desk.invite(" INES@op.example ", &[], now).await.unwrap();
    let (one, other) =
        tokio::join!(desk.accept(&first, "Ines", now), desk.accept(&second, "Ines", now));
    let lost = if one.is_ok() { other } else { one };
    assert!(matches!(conflict(lost), Conflict::Exists(_)));
    let taken = desk.invite("ines@op.example", &[], now).await;
    assert!(matches!(conflict(taken), Conflict::Exists(_)));
    for bad in ["", "ines", "@op.example", "i nes@op.example", "ines@", &"x".repeat(300)] {
        assert!(
            matches!(conflict(desk.invite(bad, &[], now).await), Conflict::Invalid(_)),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn a_role_that_is_gone_by_then_is_said_and_the_invitation_is_not_spent() {
    let desk = Desk::new().await;
    let now = Now::read();
    let new =
        NewRole { name: "Night".into(), gives: [Permission::ReadShared].into_iter().collect() };
    let role = desk.store.create_role(&by("tessa"), None, &new, now).await.unwrap().value.id;
    let night = offer(RoleRef::Individual(role.clone()));
    let invited = desk.invite("ines@op.example", &[night], now).await.unwrap();
    desk.store.delete_role(&by("tessa"), &role, now).await.unwrap();
    assert!(matches!(conflict(desk.accept(&invited, "Ines", now).await), Conflict::Over(_)));
    assert_eq!(desk.store.login("ines@op.example").await.unwrap().map(|one| one.person), None);
    let listed = desk.store.invitations(&id("op"), false, &Page::default()).await.unwrap();
    assert_eq!(listed.items[0].accepted, None);
}

#[tokio::test]
async fn a_customer_that_accepts_twice_at_once_has_one_company() {
    let desk = Desk::new().await;
    desk.tamper(CUSTOMER).await.unwrap();
    let (now, mills): (_, CustomerId) = (Now::read(), id("mills"));
    let invite =
        async |email: &str| desk.store.invite_customer(&by("clara"), &mills, email, now).await;
    let void = invite("max@mills.example").await.unwrap().value;
    let invited = invite("mia@mills.example").await.unwrap().value;
    assert_eq!(refusal(desk.accept(&void, "Max", now).await), "not_found", "the newer one counts");
    let (one, other) =
        tokio::join!(desk.accept(&invited, "Mia", now), desk.accept(&invited, "Mia", now));
    assert_eq!([one.is_ok(), other.is_ok()].iter().filter(|done| **done).count(), 1);
    let mia = one.or(other).unwrap();
    let held = desk.store.assignments(&mia.id).await.unwrap();
    assert_eq!(held[0].role, Role::TenantAdmin);
    assert!(matches!(conflict(invite("moe@mills.example").await), Conflict::Exists(_)));
    // Of another provider it is no customer.
    let foreign = desk.store.invite_customer(&by("rita"), &mills, "x@mills.example", now).await;
    assert_eq!(refusal(foreign), "not_found");
}

#[tokio::test]
async fn a_machine_is_proposed_once_and_answered_once() {
    let desk = Desk::new().await;
    desk.tamper(CUSTOMER).await.unwrap();
    let (now, machine): (_, MachineId) = (Now::read(), id("machine-9"));
    let propose = async || desk.store.propose_link(&by("clara"), &machine, now).await;
    // Another provider's people do not find it, nor does the operator before it is proposed.
    let foreign = desk.store.propose_link(&by("rita"), &machine, now).await;
    assert_eq!(refusal(foreign), "not_found");
    let early = desk.store.answer_link(&by("wanda"), &machine, true, now).await;
    assert_eq!(refusal(early), "not_found");

    let (one, other) = tokio::join!(propose(), propose());
    let (won, lost) = if one.is_ok() { (one, other) } else { (other, one) };
    assert!(matches!(conflict(lost), Conflict::Exists(_)));
    let mixer = Link::Proposed { asset: id("mixer-2") };
    assert_eq!(won.unwrap().value.link, mixer, "the asset of that serial number");
    assert!(matches!(conflict(propose().await), Conflict::Exists(_)));

    let answer = async |accept| desk.store.answer_link(&by("wanda"), &machine, accept, now).await;
    assert_eq!(
        refusal(desk.store.answer_link(&by("clara"), &machine, true, now).await),
        "not_found"
    );
    let (yes, no) = tokio::join!(answer(true), answer(false));
    assert_eq!([yes.is_ok(), no.is_ok()].iter().filter(|done| **done).count(), 1);
}

#[tokio::test]
async fn an_asset_that_is_linked_takes_no_second_provider_and_a_removed_link_ends_what_it_gave() {
    let desk = Desk::new().await;
    desk.tamper(CUSTOMER).await.unwrap();
    let sql = "INSERT INTO machines (id, provider, customer, serial, link, asset) \
               VALUES ('machine-x', 'rival', 'op', 'SN-press-7', 'proposed', 'press-7')";
    desk.tamper(sql).await.unwrap();
    let now = Now::read();
    let second = desk.store.answer_link(&by("wanda"), &id("machine-x"), true, now).await;
    assert!(matches!(conflict(second), Conflict::Exists(_)));

    desk.switch("milo", "CASE-1", true).await.unwrap();
    let stella = async || {
        let subject = Subject::case(id("stella"), id("CASE-1"));
        let facts = desk.store.facts(&subject).await.unwrap();
        let action = Action::ReadCase(id("CASE-1"));
        matches!(
            decide(Request { who: id("stella"), action, at: now.wall }, &facts),
            Decision::Allow(_)
        )
    };
    assert!(stella().await);
    let mut changes = desk.store.changes();
    desk.store.remove_link(&by("wanda"), &id("machine-7"), now).await.unwrap();
    assert!(!stella().await);
    let touched = changes.recv().await.unwrap().objects;
    for object in [Object::Machine(id("machine-7")), Object::Asset(id("press-7"))] {
        assert!(
            touched.contains(&object),
            "{touched:?}: whoever has a session by it is judged again"
        );
    }
    let again = desk.store.remove_link(&by("wanda"), &id("machine-7"), now).await;
    assert_eq!(refusal(again), "not_found", "it is no longer the operator's to see");
}

#[tokio::test]
async fn a_programs_token_is_good_while_its_owner_is_and_opens_nothing_after() {
    let desk = Desk::new().await;
    desk.hire("dora", "op", "data_analyst").await;
    let (now, dora, lasts): (_, PersonId, _) = (Now::read(), id("dora"), Duration::from_secs(60));
    let make = async |name: &str| {
        let name: Name = id(name);
        desk.store.create_api_token(&by("tessa"), &dora, &name, lasts, now).await
    };
    let (one, other) = tokio::join!(make("report"), make("report"));
    let (won, lost) = if one.is_ok() { (one, other) } else { (other, one) };
    assert!(matches!(conflict(lost), Conflict::Exists(_)));
    let (token, bearer) = won.unwrap().value;
    let digest = bearer.digest();
    let opens = async |at: Now| desk.store.api_bearer(&digest, at.wall).await.unwrap().is_some();
    assert!(opens(now).await);
    assert!(!opens(later(now, lasts)).await, "over to the moment");

    // Whoever is no analyst has none; another company's people find neither owner nor token.
    let milo = desk.store.create_api_token(&by("tessa"), &id("milo"), &id("x"), lasts, now).await;
    assert!(matches!(conflict(milo), Conflict::Invalid(_)));
    let theo = desk.store.create_api_token(&by("theo"), &dora, &id("x"), lasts, now).await;
    assert_eq!(refusal(theo), "not_found");
    let theo = desk.store.delete_api_token(&by("theo"), &dora, &token.id, now).await;
    assert_eq!(refusal(theo), "not_found");
    let gone: ApiTokenId = id("nowhere");
    let tessa = desk.store.delete_api_token(&by("tessa"), &dora, &gone, now).await;
    assert_eq!(refusal(tessa), "not_found");

    desk.store.set_person_active(&by("tessa"), &dora, false, now).await.unwrap();
    assert!(!opens(now).await, "disabled");
    desk.store.set_person_active(&by("tessa"), &dora, true, now).await.unwrap();
    assert!(opens(now).await);
    let role: AssignmentId = id("dora-role");
    desk.store.remove_assignment(&by("tessa"), &role, now).await.unwrap();
    assert!(!opens(now).await, "no analyst any more");
}

#[tokio::test]
async fn of_a_deleted_person_nothing_opens_nothing_waits_and_the_address_is_free() {
    let desk = Desk::new().await;
    desk.hire("dora", "op", "data_analyst").await;
    let (now, dora): (_, PersonId) = (Now::read(), id("dora"));
    let lasts = Duration::from_secs(60);
    let made = desk.store.create_api_token(&by("tessa"), &dora, &id("report"), lasts, now).await;
    let program = made.unwrap().value.1.digest();
    let until = now.wall.plus(lasts);
    desk.store.add_bearer(&[7; 32], &dora, until).await.unwrap();
    desk.store.add_person_key(&dora, KeyDigest([9; 32]), until).await.unwrap();
    assert!(desk.store.bearer(&[7; 32], now.wall).await.unwrap().is_some());

    let theo = desk.store.delete_person(&by("theo"), &dora, now).await;
    assert_eq!(refusal(theo), "not_found", "another company's");
    desk.store.delete_person(&by("tessa"), &dora, now).await.unwrap();
    assert_eq!(desk.store.bearer(&[7; 32], now.wall).await.unwrap(), None);
    assert_eq!(desk.store.api_bearer(&program, now.wall).await.unwrap(), None);
    assert_eq!(desk.store.person_of_key(KeyDigest([9; 32]), now.wall).await.unwrap(), None);
    assert_eq!(desk.held(&dora).await, 0);
    let again = desk.store.delete_person(&by("tessa"), &dora, now).await;
    assert_eq!(refusal(again), "not_found");
    desk.invite("dora@op.example", &[], now).await.unwrap();
}

#[tokio::test]
async fn a_deleted_persons_request_is_taken_back_and_their_group_is_as_if_they_were_not_in_it() {
    let desk = Desk::new().await;
    let now = Now::read();
    let asked =
        desk.store.request_access(&by("stella"), &id("CASE-1"), "the valve", None, now).await;
    let asked = asked.unwrap().value;
    let group = |name: &str, parent| NewGroup {
        name: name.into(),
        parent,
        settings: crate::groups::Settings::default(),
    };
    let make = async |new: NewGroup| {
        desk.store.create_group(&by("theo"), &new, now).await.unwrap().value.id
    };
    let main = make(group("Main", None)).await;
    let sub = make(group("Sub", Some(main.clone()))).await;
    for (at, who) in [(&main, "lara"), (&sub, "stella")] {
        let access = Some(crate::groups::Access::Write);
        desk.store.set_group_member(&by("theo"), at, &id(who), access, now).await.unwrap();
    }
    desk.store.delete_person(&by("theo"), &id("stella"), now).await.unwrap();
    assert!(desk.store.group_members(&sub).await.unwrap().is_empty(), "it inherits again");
    let yes = Answer::Grant { until: None };
    let late = desk.store.answer_request(&by("milo"), &id("CASE-1"), &asked.id, &yes, now).await;
    assert!(matches!(conflict(late), Conflict::Invalid(_)));
    let told: Vec<_> = desk.all_records().await.iter().rev().take(3).map(Row::event).collect();
    assert!(told.contains(&Some(Event::AccessWithdrawn)), "{told:?}");
}

#[tokio::test]
async fn two_admins_who_delete_each_other_at_once_leave_one() {
    let desk = Desk::new().await;
    desk.hire("tom", "op", "tenant_admin").await;
    let (now, tessa, tom): (_, PersonId, PersonId) = (Now::read(), id("tessa"), id("tom"));
    let own = desk.store.delete_person(&by("tessa"), &tessa, now).await;
    assert!(matches!(conflict(own), Conflict::Invalid(_)));
    let (by_tessa, by_tom) = (by("tessa"), by("tom"));
    let (one, other) = tokio::join!(
        desk.store.delete_person(&by_tessa, &tom, now),
        desk.store.delete_person(&by_tom, &tessa, now)
    );
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    let left = desk.store.people(&id("op")).await.unwrap();
    let admins = left.iter().filter(|one| ["tessa", "tom"].contains(&one.id.as_str())).count();
    assert_eq!(admins, 1);
}
