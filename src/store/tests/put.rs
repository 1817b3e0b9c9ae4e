//! Cases by the number of an outside ticket system: opened once, then brought to what it says.

use super::*;
use crate::{
    audit::Event,
    cases::{CaseType, Contact, Details, Priority, Severity},
    ids::{AssetId, CaseId, MachineId},
};

fn id<T: FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

/// Ticket HD-17: an internal case of the operator's about its press.
fn ticket() -> PutCase {
    let details = Details {
        severity: Some(Severity::Degraded),
        contact: Contact { phone: None, email: Some("milo@op.example".into()) },
        external_id: Some("HD-17".into()),
        ..Details::default()
    };
    let new = NewCase {
        case_type: CaseType::OperatorInternal,
        about: About::Asset(id::<AssetId>("press-7")),
        title: "It squeaks".into(),
        details,
        organisation: None,
    };
    let edit = Edit {
        title: Some("It squeaks".into()),
        severity: Some(Severity::Degraded),
        ..Edit::default()
    };
    PutCase { new, edit, state: None }
}

/// The same of a shared case, which the provider sees too.
fn shared() -> PutCase {
    let mut put = ticket();
    put.new.case_type = CaseType::Shared;
    put
}

impl Desk {
    async fn put(&self, who: &str, put: &PutCase) -> Result<Put, WriteError> {
        let done = self.store.put_case(&by(who), put, None, Now::read()).await?;
        Ok(done.value)
    }

    async fn sheet_of(&self, case: &CaseId) -> CaseSheet {
        self.store.case_sheet(&id("op"), case).await.unwrap().unwrap()
    }

    async fn events(&self, case: &CaseId) -> Vec<Event> {
        let of_case = |row: &Row| row.case.as_deref() == Some(case.as_str());
        self.all_records().await.iter().filter(|row| of_case(row)).filter_map(Row::event).collect()
    }
}

fn conflict(result: Result<Put, WriteError>) -> Conflict {
    match result {
        Err(WriteError::Conflict(conflict)) => conflict,
        other => panic!("no conflict: {other:?}"),
    }
}

#[tokio::test]
async fn a_ticket_opens_a_case_once_and_the_same_again_changes_and_records_nothing() {
    let desk = Desk::new().await;
    let Put::Opened(case) = desk.put("emil", &ticket()).await.unwrap() else { panic!("opened") };
    let (first, records) = (desk.sheet_of(&case).await, desk.all_records().await.len());
    assert_eq!(first.details.external_id.as_deref(), Some("HD-17"));
    let written = desk.store.put_case(&by("emil"), &ticket(), None, Now::read()).await.unwrap();
    assert_eq!((written.value, written.revision), (Put::Same(case.clone()), first.revision));
    assert_eq!(desk.sheet_of(&case).await, first);
    assert_eq!(desk.all_records().await.len(), records);
}

#[tokio::test]
async fn what_the_system_says_is_changed_and_what_it_leaves_out_stays() {
    let desk = Desk::new().await;
    let mut put = ticket();
    let case = desk.put("emil", &put).await.unwrap().case().clone();
    let words = Edit { description: Some("by hand".into()), ..Edit::default() };
    let by_hand = CaseChange::Edit(words);
    desk.store.change_case(&by("emil"), &case, &by_hand, None, Now::read()).await.unwrap();
    put.edit.title = Some(" It squeaks louder ".into());
    put.edit.phone = Some(Some("+49 30 1".into()));
    assert_eq!(desk.put("emil", &put).await.unwrap(), Put::Changed(case.clone()));
    let sheet = desk.sheet_of(&case).await;
    assert_eq!(
        (sheet.case.title.as_str(), sheet.details.description.as_str()),
        ("It squeaks louder", "by hand")
    );
    assert_eq!(sheet.details.contact.phone.as_deref(), Some("+49 30 1"));
    let record = desk.last_record().await;
    assert_eq!(record.event(), Some(Event::CaseEdited));
    assert_eq!(record.old.as_deref(), Some("title=It squeaks, phone=none"));
    assert_eq!(desk.put("emil", &put).await.unwrap(), Put::Same(case));
}

#[tokio::test]
async fn a_state_goes_with_it_through_the_same_acts_and_an_unknown_ticket_may_be_closed_already() {
    let desk = Desk::new().await;
    let mut put = ticket();
    put.state = Some(State::Closed);
    let case = desk.put("emil", &put).await.unwrap().case().clone();
    assert_eq!(desk.events(&case).await, [Event::CaseCreated, Event::CaseClosed]);
    assert_eq!(desk.put("emil", &put).await.unwrap(), Put::Same(case.clone()));

    put.state = Some(State::InProgress);
    put.edit.title = Some("Again".into());
    desk.put("emil", &put).await.unwrap();
    let told = desk.events(&case).await;
    assert_eq!(told[2..], [Event::CaseEdited, Event::CaseReopened]);
    let sheet = desk.sheet_of(&case).await;
    assert_eq!((sheet.case.state, sheet.case.closed_at), (State::InProgress, None));

    // Closing turns the switch off, as it does by hand.
    desk.switch("emil", case.as_str(), true).await.unwrap();
    put.state = Some(State::Closed);
    desk.put("emil", &put).await.unwrap();
    assert!(!desk.sheet_of(&case).await.case.switch().unwrap().on);
    assert_eq!(desk.last_record().await.event(), Some(Event::SwitchOff));
}

#[tokio::test]
async fn what_is_said_once_is_refused_by_its_name() {
    let desk = Desk::new().await;
    let case = desk.put("emil", &ticket()).await.unwrap().case().clone();
    let before = desk.sheet_of(&case).await;
    for (field, change) in [
        ("type", (CaseType::Shared, About::Asset(id("press-7")))),
        ("asset", (CaseType::OperatorInternal, About::Asset(id("mixer-2")))),
        ("asset", (CaseType::OperatorInternal, About::Asset(id("nowhere")))),
        ("machine", (CaseType::OperatorInternal, About::Machine(id::<MachineId>("machine-7")))),
    ] {
        let mut put = ticket();
        (put.new.case_type, put.new.about) = change;
        put.edit.title = Some("Other".into());
        let told = conflict(desk.put("emil", &put).await).to_string();
        assert!(told.starts_with(&format!("{field}: ")), "{told}");
    }
    let mut put = ticket();
    put.new.organisation = Some(id("line"));
    assert!(matches!(
        conflict(desk.put("emil", &put).await),
        Conflict::Fixed { field: "organisation", .. }
    ));
    assert_eq!(desk.sheet_of(&case).await, before);
}

#[tokio::test]
async fn a_shared_case_is_the_same_by_its_asset_and_by_the_machine_that_is_linked_with_it() {
    let desk = Desk::new().await;
    let mut put = shared();
    put.new.about = About::Machine(id("machine-7"));
    let case = desk.put("stella", &put).await.unwrap().case().clone();
    put.new.about = About::Asset(id("press-7"));
    assert_eq!(desk.put("stella", &put).await.unwrap(), Put::Same(case));
}

#[tokio::test]
async fn each_part_is_judged_as_it_would_be_alone_and_a_refusal_undoes_the_others() {
    let desk = Desk::new().await;
    // MO opens no internal case, by whatever name.
    assert_eq!(refusal(desk.put("milo", &ticket()).await), "role");
    // An operator closes and reopens a shared case, but does not set it in progress: nothing is opened.
    let mut put = shared();
    put.state = Some(State::InProgress);
    let count = async || {
        let (who, filter, page) = (id("milo"), CaseFilter::default(), Page::default());
        desk.store.cases(&who, &filter, &page, Now::read()).await.unwrap().items.len()
    };
    let before = count().await;
    assert_eq!(refusal(desk.put("milo", &put).await), "role");
    assert_eq!(count().await, before);
    assert_eq!(desk.last_record().await.event(), Some(Event::Refused));

    put.state = None;
    let case = desk.put("milo", &put).await.unwrap().case().clone();
    let stands = desk.sheet_of(&case).await;
    put.edit.title = Some("Louder".into());
    put.state = Some(State::InProgress);
    assert_eq!(refusal(desk.put("milo", &put).await), "role");
    assert_eq!(desk.sheet_of(&case).await, stands, "the title with it");
    // The provider's mark is the provider's.
    put.state = None;
    put.edit.title = None;
    put.edit.priority = Some(Some(Priority::High));
    assert_eq!(refusal(desk.put("milo", &put).await), "role");
}

#[tokio::test]
async fn who_raised_it_may_send_it_again_though_they_may_not_edit() {
    let desk = Desk::new().await;
    desk.hire("olga", "op", "internal_service_cases").await;
    let case = desk.put("olga", &ticket()).await.unwrap().case().clone();
    assert_eq!(desk.put("olga", &ticket()).await.unwrap(), Put::Same(case));
    let mut put = ticket();
    put.edit.title = Some("Other".into());
    assert_eq!(refusal(desk.put("olga", &put).await), "role");
}

#[tokio::test]
async fn a_case_that_one_may_not_see_is_not_found_and_stays_as_it_is() {
    let desk = Desk::new().await;
    let case = desk.put("emil", &ticket()).await.unwrap().case().clone();
    let stands = desk.sheet_of(&case).await;
    let mut put = ticket();
    put.edit.title = Some("Other".into());
    put.state = Some(State::Closed);
    // Of the same company, without a role over cases, or in another hall.
    let sql = "UPDATE assignments SET scope = 'facilities' WHERE person = 'wanda'; \
               INSERT INTO assignment_objects (assignment, object) VALUES ('wanda-role', 'hall-9')";
    desk.tamper(sql).await.unwrap();
    for who in ["tessa", "wanda"] {
        match desk.put(who, &put).await {
            Err(WriteError::Denied(denial)) => assert!(!denial.visible, "{who}"),
            other => panic!("{who}: {other:?}"),
        }
    }
    assert_eq!(desk.sheet_of(&case).await, stands);
    // Another company has numbers of its own: the same one names nothing there.
    let theirs = PutCase {
        new: NewCase {
            case_type: CaseType::ProviderInternal,
            about: About::Machine(id("machine-7")),
            ..ticket().new
        },
        ..ticket()
    };
    assert!(matches!(desk.put("stella", &theirs).await.unwrap(), Put::Opened(_)));
    assert_eq!(desk.sheet_of(&case).await, stands);
}

#[tokio::test]
async fn of_two_who_put_a_new_ticket_at_once_one_opens_it_and_the_other_finds_it() {
    let desk = Desk::new().await;
    let put = || {
        let store = desk.store.clone();
        async move { store.put_case(&by("emil"), &ticket(), None, Now::read()).await }
    };
    let (a, b, c) = tokio::join!(put(), put(), put());
    let done: Vec<Put> = [a, b, c].into_iter().map(|one| one.unwrap().value).collect();
    let opened = done.iter().filter(|one| matches!(one, Put::Opened(_))).count();
    assert_eq!(opened, 1, "{done:?}");
    assert!(done.iter().all(|one| one.case() == done[0].case()), "{done:?}");
}

#[tokio::test]
async fn who_has_seen_another_revision_is_told() {
    let desk = Desk::new().await;
    let seen = Some(Revision(1));
    let new = desk.store.put_case(&by("emil"), &ticket(), seen, Now::read()).await;
    assert!(matches!(conflict(new.map(|done| done.value)), Conflict::Stale { .. }));
    let case = desk.put("emil", &ticket()).await.unwrap().case().clone();
    let late = desk.store.put_case(&by("emil"), &ticket(), seen, Now::read()).await;
    assert!(matches!(conflict(late.map(|done| done.value)), Conflict::Stale { .. }));
    let stands = Some(desk.sheet_of(&case).await.revision);
    desk.store.put_case(&by("emil"), &ticket(), stands, Now::read()).await.unwrap();
}
