//! The clock of a request for remote access that nobody answers (domain.md G1-8).

use super::*;
use crate::{
    audit::Event,
    cases::AccessRequest,
    groups::{Duties, Duty, Escalation, Hours, Settings},
    ids::{CaseId, GroupId},
};

fn id<T: FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

fn case() -> CaseId {
    id("CASE-1")
}

/// Cases move on to `to` after `hours` working hours.
fn escalating(hours: u32, to: &GroupId) -> Settings {
    Settings {
        escalation: Escalation::new(hours, Some(to.clone())).unwrap(),
        ..Settings::default()
    }
}

impl Desk {
    /// A group of the operator's or of the provider's.
    async fn made(&self, admin: &str, name: &str, settings: Settings) -> GroupId {
        let new = NewGroup { name: name.into(), parent: None, settings };
        self.store.create_group(&by(admin), &new, Now::read()).await.unwrap().value.id
    }

    /// CASE-1, which wanda of the operator or lara of the provider puts into `group`.
    async fn put_into(&self, group: &GroupId, (admin, dispatcher): (&str, &str)) {
        let (duties, now) = (Duties::new([Duty::Dispatch]).unwrap(), Now::read());
        self.store.set_duties(&by(admin), &id(dispatcher), &duties, now).await.unwrap();
        self.store.place_case(&by(dispatcher), &case(), Some(group), now).await.unwrap();
    }

    async fn ask(&self) -> AccessRequest {
        let (by, reason) = (by("stella"), "look at the valve");
        let asked = self.store.request_access(&by, &case(), reason, None, Now::read()).await;
        asked.unwrap().value
    }

    async fn placed(&self, tenant: &str) -> Placed {
        self.store.case_place(&id(tenant), &case()).await.unwrap().unwrap()
    }

    async fn state(&self, state: State) {
        let now = Now::read();
        self.store.change_case_state(&by("stella"), &case(), state, now).await.unwrap();
    }
}

const OPERATOR: (&str, &str) = ("tessa", "wanda");

/// CASE-1 in the operator's group First, whose cases move on to Second after `hours`.
async fn desk_in_first(hours: u32) -> (Desk, GroupId) {
    let desk = Desk::new().await;
    let second = desk.made("tessa", "Second", Settings::default()).await;
    let first = desk.made("tessa", "First", escalating(hours, &second)).await;
    desk.put_into(&first, OPERATOR).await;
    (desk, first)
}

#[tokio::test]
async fn a_request_that_nobody_answers_moves_even_a_case_that_somebody_works_on() {
    let (desk, _) = desk_in_first(2).await;
    desk.state(State::InProgress).await;
    assert_eq!(desk.store.escalate(&gateway(), Now::read().wall).await.unwrap(), None);
    let asked = desk.ask().await;
    let due = Hours::default().after(asked.asked_at, 2);
    let placed = desk.placed("op").await;
    assert_eq!((placed.due, placed.request_due), (None, due));

    let before = Wall(due.unwrap().0 - 1);
    assert_eq!(desk.store.escalate(&gateway(), before).await.unwrap(), due);
    assert_eq!(desk.placed("op").await.name, "First");
    // Whatever ran meanwhile: what is due stands on disk.
    let desk = desk.after_a_crash().await;
    assert_eq!(desk.store.escalate(&gateway(), due.unwrap()).await.unwrap(), None);
    let placed = desk.placed("op").await;
    assert_eq!((placed.name.as_str(), placed.request_due), ("Second", None));
    let record = desk.last_record().await;
    assert_eq!(record.event(), Some(Event::CaseEscalated));
    assert_eq!((record.old.as_deref(), record.new.as_deref()), (Some("First"), Some("Second")));
    assert_eq!(record.reason.as_deref(), Some("request_unanswered"));
    assert_eq!(record.tenant.as_deref(), Some("op"));
}

#[tokio::test]
async fn an_answer_a_withdrawal_a_lapse_the_switch_and_closing_stop_the_clock() {
    let (desk, _) = desk_in_first(2).await;
    desk.state(State::InProgress).await;
    let now = Now::read();
    let waits = async || desk.placed("op").await.request_due.is_some();

    let asked = desk.ask().await;
    assert!(waits().await);
    let no = Answer::Decline { words: "after the shift".into() };
    desk.store.answer_request(&by("wanda"), &case(), &asked.id, &no, now).await.unwrap();
    assert!(!waits().await, "declined");

    let asked = desk.ask().await;
    assert!(waits().await);
    desk.store.withdraw_request(&by("stella"), &case(), &asked.id, now).await.unwrap();
    assert!(!waits().await, "withdrawn");

    let asked = desk.ask().await;
    let later = Now { wall: asked.expires_at, ..now };
    desk.store.expire(&gateway(), later).await.unwrap();
    assert!(!waits().await, "lapsed");

    desk.ask().await;
    desk.switch("milo", "CASE-1", true).await.unwrap();
    assert!(!waits().await, "granted");
    desk.switch("milo", "CASE-1", false).await.unwrap();

    desk.ask().await;
    desk.state(State::Closed).await;
    assert!(!waits().await, "closed");
}

#[tokio::test]
async fn only_the_operators_group_answers_and_no_clock_outlasts_its_request() {
    let (desk, first) = desk_in_first(2).await;
    let other = desk.made("theo", "Other", Settings::default()).await;
    let theirs = desk.made("theo", "Theirs", escalating(1, &other)).await;
    desk.put_into(&theirs, ("theo", "lara")).await;
    desk.state(State::InProgress).await;
    desk.ask().await;
    assert_eq!(desk.placed("sp").await.request_due, None);
    assert!(desk.placed("op").await.request_due.is_some());
    // Seven days hold far fewer working hours.
    let settings = escalating(1_000, &desk.made("tessa", "Third", Settings::default()).await);
    let change = GroupChange { settings: Some(settings), ..GroupChange::default() };
    desk.store.change_group(&by("tessa"), &first, &change, Now::read()).await.unwrap();
    assert_eq!(desk.placed("op").await.request_due, None);
}

#[tokio::test]
async fn in_its_next_group_a_request_waits_anew_and_the_earliest_counts() {
    let desk = Desk::new().await;
    let third = desk.made("tessa", "Third", Settings::default()).await;
    let second = desk.made("tessa", "Second", escalating(1, &third)).await;
    let first = desk.made("tessa", "First", escalating(2, &second)).await;
    let asked = desk.ask().await;
    // Asked before it was put anywhere: the group's hours count from there.
    desk.put_into(&first, OPERATOR).await;
    desk.state(State::InProgress).await;
    let placed = desk.placed("op").await;
    assert!(placed.since >= asked.asked_at);
    assert_eq!(placed.request_due, Hours::default().after(placed.since, 2));
    let due = placed.request_due.unwrap();
    let next = desk.store.escalate(&gateway(), due).await.unwrap();
    assert_eq!(
        (desk.placed("op").await.name.as_str(), next),
        ("Second", Hours::default().after(due, 1))
    );
    let due = next.unwrap();
    assert_eq!(desk.store.escalate(&gateway(), due).await.unwrap(), None);
    assert_eq!(desk.placed("op").await.name, "Third");
}

#[tokio::test]
async fn a_case_that_nobody_took_up_moves_once_when_both_clocks_are_over() {
    let (desk, _) = desk_in_first(1).await;
    desk.ask().await;
    let much_later = Wall(Now::read().wall.0 + 6 * 86_400_000);
    assert_eq!(desk.store.escalate(&gateway(), much_later).await.unwrap(), None);
    let moved = desk.all_records().await;
    let moved: Vec<_> =
        moved.iter().filter(|row| row.event() == Some(Event::CaseEscalated)).collect();
    assert_eq!(moved.len(), 1);
    assert_eq!(moved[0].reason, None, "it was the case itself");
    assert!(desk.store.next_expiry().await.unwrap().is_some(), "the request still waits");
}
