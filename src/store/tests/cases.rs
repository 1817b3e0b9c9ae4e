//! What cases tell, who may write it, their conversation, their requests, and time that is up.

use std::time::Duration;

use super::*;
use crate::{
    audit::Event,
    cases::{CaseType, Contact, Details, Priority, RequestState, Severity},
    ids::{AssetId, CaseId, MachineId, PersonId},
};

fn id<T: FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

fn new(case_type: CaseType, about: About) -> NewCase {
    let details = Details { severity: Some(Severity::Stopped), ..Details::default() };
    NewCase { case_type, about, title: "It squeaks".into(), details, organisation: None }
}

fn press() -> About {
    About::Asset(id::<AssetId>("press-7"))
}

fn machine(name: &str) -> About {
    About::Machine(id::<MachineId>(name))
}

fn conflict<T: std::fmt::Debug>(result: Result<T, WriteError>) -> Conflict {
    match result {
        Err(WriteError::Conflict(conflict)) => conflict,
        other => panic!("no conflict: {other:?}"),
    }
}

impl Desk {
    async fn change(&self, who: &str, case: &str, change: CaseChange) -> Result<Case, WriteError> {
        let now = Now::read();
        let done = self.store.change_case(&by(who), &id(case), &change, None, now).await?;
        Ok(done.value)
    }

    async fn edit(&self, who: &str, case: &str, edit: Edit) -> Result<Case, WriteError> {
        self.change(who, case, CaseChange::Edit(edit)).await
    }

    async fn sheet(&self, case: &str) -> CaseSheet {
        self.store.case_sheet(&id("op"), &id(case)).await.unwrap().unwrap()
    }

    async fn request(&self, who: &str) -> Result<crate::cases::AccessRequest, WriteError> {
        let lasting = Some(Duration::from_secs(4 * 3600));
        let (by, case, now) = (by(who), id("CASE-1"), Now::read());
        let done = self.store.request_access(&by, &case, "look at the valve", lasting, now).await?;
        Ok(done.value)
    }

    async fn requests(&self, who: &str, open: bool) -> Vec<RequestSheet> {
        let filter = RequestFilter { case: None, open };
        let page = Page::default();
        let found = self.store.access_requests(&id(who), &filter, &page, Now::read()).await;
        found.unwrap().unwrap().items
    }

    async fn say(&self, who: &str, case: &str, mentions: &[&str]) -> Result<u64, WriteError> {
        let mentions: Vec<PersonId> = mentions.iter().map(|one| id(one)).collect();
        let now = Now::read();
        let said =
            self.store.post_message(&by(who), &id(case), "Heard it?", &mentions, now).await?;
        Ok(said.value.number)
    }
}

#[tokio::test]
async fn an_operator_says_how_hard_production_is_hit_and_a_provider_need_not() {
    let desk = Desk::new().await;
    let without =
        |case_type, about| NewCase { details: Details::default(), ..new(case_type, about) };
    let asked = without(CaseType::OperatorInternal, press());
    let refused = conflict(desk.store.create_case(&by("emil"), &asked, Now::read()).await);
    assert!(refused.to_string().starts_with("severity: "), "{refused}");
    for asked in [
        without(CaseType::Shared, press()),
        without(CaseType::ProviderInternal, machine("machine-7")),
    ] {
        desk.store.create_case(&by("lara"), &asked, Now::read()).await.unwrap();
    }
}

/// B16 to B20 and B24 of domain.md B.6, against rows.
#[tokio::test]
async fn b16_to_b24_who_opens_which_case_about_what() {
    let desk = Desk::new().await;
    desk.hire("olga", "op", "internal_service_cases").await;
    let sql = "INSERT INTO machines (id, provider, customer, serial, link) \
               VALUES ('machine-9', 'sp', 'op-ag', 'SN-9', 'new')";
    desk.tamper(sql).await.unwrap();
    let mixer = || About::Asset(id::<AssetId>("mixer-2"));
    for (name, who, asked, expected) in [
        ("B16", "milo", new(CaseType::OperatorInternal, press()), Err("role")),
        ("B17", "olga", new(CaseType::OperatorInternal, press()), Ok(())),
        ("B18", "olga", new(CaseType::Shared, press()), Err("role")),
        ("B19", "emil", new(CaseType::Shared, mixer()), Err("no_provider")),
        ("B20", "emil", new(CaseType::OperatorInternal, mixer()), Ok(())),
        ("B24", "stella", new(CaseType::ProviderInternal, machine("machine-9")), Ok(())),
        (
            "customer new: shared refused",
            "stella",
            new(CaseType::Shared, machine("machine-9")),
            Err("no_provider"),
        ),
        (
            "shared by the machine's name",
            "stella",
            new(CaseType::Shared, machine("machine-7")),
            Ok(()),
        ),
    ] {
        match (desk.store.create_case(&by(who), &asked, Now::read()).await, expected) {
            (Ok(_), Ok(())) => {}
            (done, expected) => assert_eq!(Err::<(), _>(refusal(done)), expected, "{name}"),
        }
    }
}

/// B12 to B15, B22, B30 and B31 of domain.md B.6, against rows.
#[tokio::test]
async fn b12_to_b31_who_changes_what() {
    let desk = Desk::new().await;
    let state = |state| CaseChange::State(state);
    let to = |who: &str| CaseChange::Assignee(Some(id(who)));
    assert_eq!(refusal(desk.change("milo", "CASE-2", state(State::InProgress)).await), "role"); // B12
    assert_eq!(refusal(desk.change("emil", "CASE-2", to("wanda")).await), "assignee_role"); // B13
    desk.change("emil", "CASE-2", to("emil")).await.unwrap(); // B14
    assert_eq!(refusal(desk.change("emil", "CASE-2", to("stella")).await), "assignee_role"); // B15
    for who in ["stella", "lara"] {
        assert_eq!(refusal(desk.switch(who, "CASE-3", true).await), "case_type"); // B22
    }
    assert_eq!(refusal(desk.say("tessa", "CASE-1", &[]).await), "role"); // B31
    let none = desk.store.case(&id("tessa"), &id("CASE-1"), Now::read()).await.unwrap();
    assert_eq!(none, None); // B31
    desk.tamper("UPDATE assignments SET role = 'data_analyst' WHERE person = 'milo'")
        .await
        .unwrap();
    assert!(desk.store.case(&id("milo"), &id("CASE-1"), Now::read()).await.unwrap().is_some());
    assert_eq!(refusal(desk.say("milo", "CASE-1", &[]).await), "role"); // B30
    assert_eq!(refusal(desk.switch("milo", "CASE-1", true).await), "role"); // B30
    let page = Page::default();
    let messages = desk.store.messages(&id("milo"), &id("CASE-1"), &page, Now::read()).await;
    assert_eq!(messages.unwrap(), None, "DAC has no chat"); // B30
}

#[tokio::test]
async fn each_party_of_a_shared_case_writes_what_it_alone_can_know() {
    let desk = Desk::new().await;
    let words = Edit { title: Some("Belt slips".into()), ..Edit::default() };
    desk.edit("stella", "CASE-1", words.clone()).await.unwrap();
    desk.edit("milo", "CASE-1", words).await.unwrap();
    let severity = Edit { severity: Some(Severity::Stopped), ..Edit::default() };
    assert_eq!(refusal(desk.edit("stella", "CASE-1", severity.clone()).await), "role");
    desk.edit("milo", "CASE-1", severity).await.unwrap();
    let priority = Edit { priority: Some(Some(Priority::Urgent)), ..Edit::default() };
    assert_eq!(refusal(desk.edit("milo", "CASE-1", priority.clone()).await), "role");
    desk.edit("stella", "CASE-1", priority).await.unwrap();
    let record = desk.last_record().await;
    assert_eq!(record.event(), Some(Event::CaseEdited));
    assert_eq!(record.old.as_deref(), Some("priority=none"));
    assert_eq!(record.new.as_deref(), Some("priority=urgent"));

    let phone = Edit { phone: Some(Some("+49 30 1234".into())), ..Edit::default() };
    desk.edit("wanda", "CASE-1", phone).await.unwrap();
    let sheet = desk.sheet("CASE-1").await;
    let contact = Contact { phone: Some("+49 30 1234".into()), email: None };
    assert_eq!(sheet.case.title, "Belt slips");
    assert_eq!((sheet.details.severity, sheet.details.contact), (Some(Severity::Stopped), contact));
    assert_eq!(sheet.names.asset.as_deref(), Some("press-7"));
    assert_eq!(sheet.names.created_by.as_deref(), Some("milo"));

    // Who reads only, edits nothing.
    let title = Edit { title: Some("Mine".into()), ..Edit::default() };
    assert_eq!(refusal(desk.edit("clara", "CASE-1", title).await), "role");
}

#[tokio::test]
async fn an_operator_closes_and_reopens_a_shared_case_and_sets_no_other_state() {
    let desk = Desk::new().await;
    let to = CaseChange::State;
    assert_eq!(refusal(desk.change("milo", "CASE-1", to(State::InProgress)).await), "role");
    desk.change("stella", "CASE-1", to(State::InProgress)).await.unwrap();
    desk.change("milo", "CASE-1", to(State::Closed)).await.unwrap();
    desk.change("milo", "CASE-1", to(State::InProgress)).await.unwrap();
}

#[tokio::test]
async fn who_has_seen_an_older_revision_is_told_both() {
    let desk = Desk::new().await;
    let expected = desk.sheet("CASE-1").await.revision;
    let seen = Some(expected);
    desk.switch("milo", "CASE-1", true).await.unwrap();
    let stands = desk.sheet("CASE-1").await.revision;
    assert_eq!(stands, desk.store.revision().await.unwrap());

    let state = CaseChange::State(State::InProgress);
    let now = Now::read();
    let late = desk.store.change_case(&by("stella"), &id("CASE-1"), &state, seen, now).await;
    assert_eq!(conflict(late), Conflict::Stale { expected, found: stands });
    let off = SwitchAsk { on: false, until: None, reason: None };
    let late = desk.store.switch_case_if(&by("wanda"), &id("CASE-1"), &off, seen, now).await;
    assert!(matches!(conflict(late), Conflict::Stale { .. }));
    assert!(desk.sheet("CASE-1").await.case.switch().unwrap().on);
    let (by, case) = (by("stella"), id("CASE-1"));
    desk.store.change_case(&by, &case, &state, Some(stands), now).await.unwrap();
}

#[tokio::test]
async fn of_two_writers_who_saw_the_same_one_wins_and_the_other_is_told() {
    let desk = Desk::new().await;
    let seen = Some(desk.sheet("CASE-1").await.revision);
    let write = |who: &'static str, title: &'static str| {
        let store = desk.store.clone();
        async move {
            let change = CaseChange::Edit(Edit { title: Some(title.into()), ..Edit::default() });
            store.change_case(&by(who), &id("CASE-1"), &change, seen, Now::read()).await
        }
    };
    let (one, other) = tokio::join!(write("milo", "one"), write("stella", "other"));
    let (won, lost) = if one.is_ok() { (one, other) } else { (other, one) };
    assert!(matches!(conflict(lost), Conflict::Stale { .. }));
    assert_eq!(desk.sheet("CASE-1").await.case.title, won.unwrap().value.title);
}

#[tokio::test]
async fn no_statement_changes_a_cases_type_or_its_parties_or_switches_a_provider_internal_one() {
    let desk = Desk::new().await;
    for sql in [
        "UPDATE cases SET switch_on = 1 WHERE id = 'CASE-3'",
        "UPDATE cases SET switch_on = 0 WHERE id = 'CASE-3'",
        "UPDATE cases SET type = 'operator_internal', provider = NULL WHERE id = 'CASE-1'",
        "UPDATE cases SET type = 'shared', provider = 'sp' WHERE id = 'CASE-2'",
        "UPDATE cases SET asset = 'mixer-2' WHERE id = 'CASE-1'",
        "UPDATE cases SET priority = 'high' WHERE id = 'CASE-2'",
        "UPDATE cases SET state = 'closed', closed_at = 1, switch_on = 1 WHERE id = 'CASE-1'",
    ] {
        assert!(desk.tamper(sql).await.is_err(), "{sql}");
    }
}

#[tokio::test]
async fn who_turned_a_switch_is_kept_with_when_and_why() {
    let desk = Desk::new().await;
    assert_eq!(desk.sheet("CASE-1").await.turn, None);
    desk.switch("milo", "CASE-1", true).await.unwrap();
    let turn = desk.sheet("CASE-1").await.turn.unwrap();
    assert_eq!((turn.on, turn.person, turn.name), (true, Some(id("milo")), Some("milo".into())));
    assert_eq!(turn.reason.as_deref(), Some("look at the valve"));
    desk.change("stella", "CASE-1", CaseChange::State(State::Closed)).await.unwrap();
    let turn = desk.sheet("CASE-1").await.turn.unwrap();
    assert_eq!(
        (turn.on, turn.person, turn.reason.as_deref()),
        (false, Some(id("stella")), Some("case_closed"))
    );
}

#[tokio::test]
async fn a_switch_whose_time_is_up_is_written_off_with_a_record_of_its_own() {
    let desk = Desk::new().await;
    let now = Now::read();
    let until = now.wall.plus(Duration::from_secs(60));
    let on = SwitchAsk { on: true, until: Some(until), reason: None };
    desk.store.switch_case(&by("milo"), &id("CASE-1"), &on, now).await.unwrap();
    desk.store.switch_asset(&by("wanda"), &id("press-7"), &on, now).await.unwrap();
    assert_eq!(desk.store.next_expiry().await.unwrap(), Some(until));
    assert_eq!(desk.store.expire(&gateway(), now).await.unwrap(), 0);

    let mut changes = desk.store.changes();
    let later = Now { wall: until, ..now };
    assert_eq!(desk.store.expire(&gateway(), later).await.unwrap(), 2);
    let change = changes.recv().await.unwrap();
    assert_eq!(change.objects, [Object::Case(id("CASE-1")), Object::Asset(id("press-7"))]);
    let records = desk.all_records().await;
    let told: Vec<_> = records.iter().rev().take(2).collect();
    assert!(told.iter().all(|row| row.event() == Some(Event::SwitchExpired)));
    assert_eq!(told[1].case.as_deref(), Some("CASE-1"));
    assert_eq!(told[1].actor, "gateway/gw-1");
    assert_eq!(desk.sheet("CASE-1").await.case.switch(), Some(&Switch::default()));
    assert_eq!(desk.sheet("CASE-1").await.turn.unwrap().person, None);
    assert_eq!(desk.store.next_expiry().await.unwrap(), None);
    assert_eq!(desk.store.expire(&gateway(), later).await.unwrap(), 0);
}

#[tokio::test]
async fn a_provider_asks_and_the_operators_grant_turns_the_switch_on() {
    let desk = Desk::new().await;
    let asked = desk.request("stella").await.unwrap();
    assert_eq!(desk.last_record().await.event(), Some(Event::AccessRequested));
    assert!(matches!(conflict(desk.request("stella").await), Conflict::Exists(_)));
    let seen = desk.requests("milo", true).await;
    assert_eq!((seen.len(), &seen[0].request, seen[0].person_name.as_str()), (1, &asked, "stella"));

    let (case, grant, now) = (id("CASE-1"), Answer::Grant { until: None }, Now::read());
    let own = desk.store.answer_request(&by("stella"), &case, &asked.id, &grant, now).await;
    assert_eq!(refusal(own), "role");
    let done = desk.store.answer_request(&by("milo"), &case, &asked.id, &grant, now).await.unwrap();
    let until = now.wall.plus(Duration::from_secs(4 * 3600));
    assert_eq!(done.switched.unwrap().switch, Switch { on: true, until: Some(until) });
    assert_eq!(done.request.state, RequestState::Granted);
    let told: Vec<_> = desk.all_records().await.iter().rev().take(2).map(Row::event).collect();
    assert_eq!(told, [Some(Event::AccessGranted), Some(Event::SwitchOn)]);
    assert!(desk.requests("milo", true).await.is_empty());
    let kept = desk.requests("stella", false).await;
    assert_eq!(kept[0].request.state, RequestState::Granted);
    assert_eq!(kept[0].answered_by_name.as_deref(), Some("milo"));
    assert!(matches!(conflict(desk.request("stella").await), Conflict::Exists(_)), "it is on");
}

#[tokio::test]
async fn a_request_ends_by_a_no_by_the_asker_by_time_by_closing_and_by_the_switch() {
    let desk = Desk::new().await;
    let (case, now): (CaseId, _) = (id("CASE-1"), Now::read());
    let state = async || desk.requests("stella", false).await[0].request.state;

    let asked = desk.request("stella").await.unwrap();
    let no = Answer::Decline { words: "after the shift".into() };
    desk.store.answer_request(&by("wanda"), &case, &asked.id, &no, now).await.unwrap();
    assert_eq!(state().await, RequestState::Declined);
    assert!(!desk.sheet("CASE-1").await.case.switch().unwrap().on);
    assert_eq!(desk.last_record().await.reason.as_deref(), Some("after the shift"));

    let asked = desk.request("stella").await.unwrap();
    let other = desk.store.withdraw_request(&by("milo"), &case, &asked.id, now).await;
    assert_eq!(refusal(other), "not_found");
    desk.store.withdraw_request(&by("stella"), &case, &asked.id, now).await.unwrap();
    assert_eq!(state().await, RequestState::Withdrawn);

    desk.request("stella").await.unwrap();
    let later = Now { wall: now.wall.plus(REQUEST_LASTS + Duration::from_secs(60)), ..now };
    assert_eq!(desk.store.expire(&gateway(), later).await.unwrap(), 1);
    assert_eq!(state().await, RequestState::Lapsed);
    assert_eq!(desk.last_record().await.event(), Some(Event::AccessLapsed));

    desk.request("stella").await.unwrap();
    desk.switch("milo", "CASE-1", true).await.unwrap();
    assert_eq!(state().await, RequestState::Granted);
    desk.switch("milo", "CASE-1", false).await.unwrap();

    desk.request("stella").await.unwrap();
    desk.change("stella", "CASE-1", CaseChange::State(State::Closed)).await.unwrap();
    assert_eq!(state().await, RequestState::Lapsed);
    assert_eq!(refusal(desk.request("stella").await), "case_closed");
}

#[tokio::test]
async fn only_who_could_use_it_on_the_providers_side_asks_and_strangers_find_nothing() {
    let desk = Desk::new().await;
    for (who, reason) in [("milo", "role"), ("lara", "role"), ("clara", "role"), ("theo", "role")] {
        assert_eq!(refusal(desk.request(who).await), reason, "{who}");
    }
    let now = Now::read();
    let ask = |case: &'static str| {
        let store = desk.store.clone();
        async move { store.request_access(&by("stella"), &id(case), "please", None, now).await }
    };
    assert_eq!(refusal(ask("CASE-2").await), "not_found");
    assert_eq!(refusal(ask("CASE-3").await), "case_type");
}

#[tokio::test]
async fn a_conversation_goes_as_far_as_its_case() {
    let desk = Desk::new().await;
    assert_eq!(desk.say("milo", "CASE-1", &["stella"]).await.unwrap(), 1);
    assert_eq!(desk.say("clara", "CASE-1", &["milo", "milo"]).await.unwrap(), 2);
    assert_eq!(desk.say("emil", "CASE-2", &["wanda"]).await.unwrap(), 1);
    assert_eq!(refusal(desk.say("stella", "CASE-2", &[]).await), "not_found");
    for nobody in ["stella", "nobody-known"] {
        let refused = conflict(desk.say("emil", "CASE-2", &[nobody]).await).to_string();
        assert_eq!(refused, format!("mentions: {nobody} cannot read this conversation"));
    }
    let now = Now::read();
    let read = async |who: &str, case: &str, page: &Page| {
        desk.store.messages(&id(who), &id(case), page, now).await.unwrap()
    };
    assert_eq!(read("stella", "CASE-2", &Page::default()).await, None);
    let first = read("stella", "CASE-1", &Page { after: None, rows: 1 }).await.unwrap();
    assert_eq!((first.items[0].author_name.as_str(), first.next.as_deref()), ("milo", Some("1")));
    assert_eq!(first.items[0].mention_names, ["stella"]);
    let rest = read("milo", "CASE-1", &Page { after: first.next, rows: 9 }).await.unwrap();
    assert_eq!((rest.items.len(), rest.next), (1, None));

    desk.change("stella", "CASE-1", CaseChange::State(State::Closed)).await.unwrap();
    assert_eq!(read("milo", "CASE-1", &Page::default()).await.unwrap().items.len(), 2);
    assert_eq!(refusal(desk.say("milo", "CASE-1", &[]).await), "case_closed");
    assert!(desk.tamper("UPDATE messages SET text = 'other'").await.is_err());
    // The link is lost: with the case goes its conversation.
    desk.tamper("UPDATE machines SET link = 'new', asset = NULL").await.unwrap();
    assert_eq!(read("stella", "CASE-1", &Page::default()).await, None);
    assert!(read("milo", "CASE-1", &Page::default()).await.is_some());
}

#[tokio::test]
async fn texts_are_held_to_their_limits_by_the_name_of_the_field() {
    let desk = Desk::new().await;
    let now = Now::read();
    let long = |bytes: usize| "x".repeat(bytes);
    for (edit, field) in [
        (Edit { title: Some(long(201)), ..Edit::default() }, "title"),
        (Edit { description: Some(long(8_193)), ..Edit::default() }, "description"),
        (Edit { phone: Some(Some(long(255))), ..Edit::default() }, "contact.phone"),
        (Edit { email: Some(Some("nobody".into())), ..Edit::default() }, "contact.email"),
        (Edit { external_id: Some(Some(" ".into())), ..Edit::default() }, "external_id"),
    ] {
        let refused = conflict(desk.edit("emil", "CASE-2", edit).await).to_string();
        assert!(refused.starts_with(&format!("{field}: ")), "{refused}");
    }
    let case = id("CASE-1");
    let text = long(MESSAGE_BYTES_MAX + 1);
    let said = desk.store.post_message(&by("milo"), &case, &text, &[], now).await;
    assert!(conflict(said).to_string().starts_with("text: "));
    let crowd: Vec<PersonId> = (0..=MENTIONS_MAX).map(|n| id(&format!("p{n}"))).collect();
    let said = desk.store.post_message(&by("milo"), &case, "all", &crowd, now).await;
    assert!(conflict(said).to_string().starts_with("mentions: "));
    for lasting in [REQUESTED_FOR_MIN - Duration::from_secs(1), REQUESTED_FOR_MAX * 2] {
        let asked =
            desk.store.request_access(&by("stella"), &case, "please", Some(lasting), now).await;
        assert!(conflict(asked).to_string().starts_with("for: "));
    }
}

#[tokio::test]
async fn a_history_is_the_same_for_both_parties_and_tells_nothing_of_strangers() {
    let desk = Desk::new().await;
    let sql = "INSERT INTO tenants (id, name, active) VALUES ('other', 'Other', 1); \
               INSERT INTO people (id, tenant, email, name, active) \
               VALUES ('eve', 'other', 'eve@other.example', 'eve', 1)";
    desk.tamper(sql).await.unwrap();
    desk.switch("milo", "CASE-1", true).await.unwrap();
    assert_eq!(refusal(desk.switch("stella", "CASE-1", true).await), "role");
    assert_eq!(refusal(desk.switch("eve", "CASE-1", true).await), "not_found");
    desk.switch("emil", "CASE-2", true).await.unwrap();
    desk.say("milo", "CASE-1", &[]).await.unwrap();

    let history = async |who: &str, case: &str| {
        let page = Page::default();
        desk.store.case_history(&id(who), &id(case), &page, Now::read()).await.unwrap()
    };
    let seen = history("milo", "CASE-1").await.unwrap().items;
    assert_eq!(Some(&seen), history("stella", "CASE-1").await.map(|one| one.items).as_ref());
    let told: Vec<_> = seen.iter().map(|row| (row.event.as_str(), row.actor.as_str())).collect();
    let expected = [
        ("switch_on", "person/milo"),
        ("switch_refused", "person/stella"),
        ("message_posted", "person/milo"),
    ];
    assert_eq!(told, expected);
    assert_eq!(history("stella", "CASE-2").await, None, "OI: never the provider's");
    assert_eq!(history("milo", "CASE-3").await, None, "PI: never the operator's");
}
