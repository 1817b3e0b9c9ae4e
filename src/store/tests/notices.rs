//! Mail about records: who is written to, and who is not.

use std::collections::BTreeMap;

use super::*;
use crate::{
    cases::{CaseType, Details, Severity},
    notices::Topic,
};

const GATEWAY: &str = "https://gateway.example:8443";

/// Who gets mail, and about what.
async fn written(desk: &Desk) -> Vec<String> {
    while desk.store.write_mail(Some(GATEWAY), Now::read()).await.unwrap() {}
    let due = desk.store.due(Now::read().wall).await.unwrap();
    due.parcels
        .iter()
        .map(|parcel| match &parcel.to {
            Recipient::Mail { address, subject } => format!("{address}: {subject}"),
            Recipient::Hook { .. } => panic!("a webhook"),
        })
        .collect()
}

async fn create(desk: &Desk, who: &str, case_type: CaseType) {
    let about = About::Asset("press-7".parse().unwrap());
    let details = Details { severity: Some(Severity::Stopped), ..Details::default() };
    let new =
        NewCase { case_type, about, title: "Hydraulics leak".into(), details, organisation: None };
    desk.store.create_case(&by(who), &new, Now::read()).await.unwrap();
}

#[tokio::test]
async fn a_provider_is_told_of_a_shared_case_and_never_of_an_internal_one() {
    let desk = Desk::new().await;
    create(&desk, "emil", CaseType::OperatorInternal).await;
    assert_eq!(written(&desk).await, Vec::<String>::new());
    create(&desk, "milo", CaseType::Shared).await;
    // Those who may work on it: 1st Level and technicians; not the data manager, who only reads.
    assert_eq!(
        written(&desk).await,
        [
            "lara@sp.example: CASE-5 was opened: Hydraulics leak",
            "stella@sp.example: CASE-5 was opened: Hydraulics leak",
        ]
    );
}

#[tokio::test]
async fn a_person_is_told_only_of_what_they_want_to_hear() {
    let desk = Desk::new().await;
    let off = BTreeMap::from([(Topic::CaseOpened, false)]);
    desk.store.choose_notifications(&"lara".parse().unwrap(), &off).await.unwrap();
    create(&desk, "milo", CaseType::Shared).await;
    assert_eq!(written(&desk).await, ["stella@sp.example: CASE-4 was opened: Hydraulics leak"]);
}

#[tokio::test]
async fn who_does_it_is_not_told_and_who_lost_access_in_between_is_not_either() {
    let desk = Desk::new().await;
    let (case, now) = ("CASE-1".parse().unwrap(), Now::read());
    let stella = "stella".parse().unwrap();
    desk.store.assign_case(&by("stella"), &case, Some(&stella), now).await.unwrap();
    assert_eq!(written(&desk).await, Vec::<String>::new());
    desk.store.assign_case(&by("lara"), &case, Some(&stella), now).await.unwrap();
    let machine = "machine-7".parse().unwrap();
    desk.store.remove_link(&by("wanda"), &machine, now).await.unwrap();
    assert_eq!(written(&desk).await, Vec::<String>::new(), "the link is gone");
}

#[tokio::test]
async fn an_assignee_is_told_of_the_case_and_when_it_is_opened_again() {
    let desk = Desk::new().await;
    let (case, now) = ("CASE-1".parse().unwrap(), Now::read());
    let stella = "stella".parse().unwrap();
    desk.store.assign_case(&by("lara"), &case, Some(&stella), now).await.unwrap();
    desk.store.change_case_state(&by("milo"), &case, State::Closed, now).await.unwrap();
    desk.store.change_case_state(&by("milo"), &case, State::InProgress, now).await.unwrap();
    assert_eq!(
        written(&desk).await,
        [
            "stella@sp.example: CASE-1 was assigned to you: title of CASE-1",
            "stella@sp.example: CASE-1 was opened again: title of CASE-1",
        ]
    );
}

#[tokio::test]
async fn notices_survive_a_crash_and_are_dropped_where_no_mail_is_sent() {
    let desk = Desk::new().await;
    create(&desk, "milo", CaseType::Shared).await;
    let desk = desk.after_a_crash().await;
    assert_eq!(written(&desk).await.len(), 2);
    create(&desk, "milo", CaseType::Shared).await;
    desk.store.write_mail(None, Now::read()).await.unwrap();
    assert_eq!(written(&desk).await.len(), 2, "those of before");
}

#[tokio::test]
async fn g1_10_members_are_told_where_their_group_and_they_themselves_have_it_on() {
    let desk = Desk::new().await;
    let group = |on: bool| NewGroup {
        name: format!("Desk {on}"),
        parent: None,
        settings: crate::groups::Settings {
            notices: crate::groups::Notices { on, attachments: false },
            ..crate::groups::Settings::default()
        },
    };
    let (case, now) = ("CASE-1".parse().unwrap(), Now::read());
    let lara = "lara".parse().unwrap();
    let (loud, quiet) = (make(&desk, &group(true)).await, make(&desk, &group(false)).await);
    let reopen = async || {
        desk.store.change_case_state(&by("milo"), &case, State::Closed, now).await.unwrap();
        desk.store.change_case_state(&by("milo"), &case, State::InProgress, now).await.unwrap();
        written(&desk).await.len()
    };
    place(&desk, &case, &loud).await;
    // Resource on, member off: no mail.
    assert_eq!(reopen().await, 0);
    // Both on: mail, for reactivation.
    let on = BTreeMap::from([(Topic::GroupCase, true)]);
    desk.store.choose_notifications(&lara, &on).await.unwrap();
    assert_eq!(reopen().await, 1);
    // What is not in the list tells nobody.
    desk.store.assign_case(&by("stella"), &case, None, now).await.unwrap();
    assert_eq!(written(&desk).await.len(), 1);
    // Resource off, member on: no mail.
    place(&desk, &case, &quiet).await;
    assert_eq!(reopen().await, 1);
}

async fn make(desk: &Desk, group: &NewGroup) -> crate::ids::GroupId {
    let made = desk.store.create_group(&by("theo"), group, Now::read()).await.unwrap().value;
    let (lara, access) = ("lara".parse().unwrap(), Some(crate::groups::Access::Write));
    desk.store.set_group_member(&by("theo"), &made.id, &lara, access, Now::read()).await.unwrap();
    made.id
}

/// Past the duties of dispatchers, which this is not about.
async fn place(desk: &Desk, case: &crate::ids::CaseId, group: &crate::ids::GroupId) {
    let mut conn = desk.store.0.writer.acquire().await.unwrap();
    sqlx::query(
        "INSERT INTO case_places (case_id, tenant, grp, since) VALUES ($1, 'sp', $2, 0) \
         ON CONFLICT (case_id, tenant) DO UPDATE SET grp = excluded.grp",
    )
    .bind(case.as_str())
    .bind(group.as_str())
    .execute(&mut *conn)
    .await
    .unwrap();
}
