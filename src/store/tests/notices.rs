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

#[tokio::test]
async fn who_may_grant_hears_that_somebody_asks_and_the_asker_what_became_of_it() {
    let desk = Desk::new().await;
    let (case, now) = ("CASE-1".parse().unwrap(), Now::read());
    let ask = async || {
        let asked = desk.store.request_access(&by("stella"), &case, "the valve", None, now).await;
        asked.unwrap().value
    };
    let asked = ask().await;
    // Everybody of the operator who may turn the switch on; nobody of the provider.
    assert_eq!(
        fresh(&desk).await,
        [
            "emil@op.example: CASE-1 has a request for remote access: title of CASE-1",
            "milo@op.example: CASE-1 has a request for remote access: title of CASE-1",
            "wanda@op.example: CASE-1 has a request for remote access: title of CASE-1",
        ]
    );
    let no = Answer::Decline { words: "after the shift".into() };
    desk.store.answer_request(&by("milo"), &case, &asked.id, &no, now).await.unwrap();
    let told = bodies(&desk).await;
    assert!(told[0].contains("your request was declined"), "{told:?}");
    assert!(told[0].contains("Words    \"after the shift\""), "{told:?}");
    assert_eq!(told.len(), 1);

    ask().await;
    fresh(&desk).await;
    desk.switch("wanda", "CASE-1", true).await.unwrap();
    let granted = "stella@sp.example: CASE-1 has remote access now, as you asked: title of CASE-1";
    assert_eq!(fresh(&desk).await, [granted]);
    desk.switch("wanda", "CASE-1", false).await.unwrap();

    let asked = ask().await;
    fresh(&desk).await;
    let late = Now { wall: asked.expires_at, ..now };
    desk.store.expire(&gateway(), late).await.unwrap();
    assert!(bodies(&desk).await[0].contains("By       the gateway"));
    // Who took it back knows.
    let asked = ask().await;
    fresh(&desk).await;
    desk.store.withdraw_request(&by("stella"), &case, &asked.id, now).await.unwrap();
    assert_eq!(fresh(&desk).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_message_is_told_to_whom_it_names_and_to_whom_it_concerns_and_to_nobody_else() {
    let desk = Desk::new().await;
    let (case, now) = ("CASE-1".parse().unwrap(), Now::read());
    let say = async |who: &str, text: &str, mentions: &[&str]| {
        let mentions: Vec<_> = mentions.iter().map(|one| one.parse().unwrap()).collect();
        desk.store.post_message(&by(who), &case, text, &mentions, now).await.unwrap();
        fresh(&desk).await
    };
    // milo opened the case; lara is named.
    assert_eq!(
        say("stella", "Heard it?\nBcc: all@firm.example", &["lara"]).await,
        [
            "lara@sp.example: CASE-1 has a message for you: title of CASE-1",
            "milo@op.example: CASE-1 has a new message: title of CASE-1",
        ]
    );
    // Whoever spoke before hears of the answer; who is named twice over hears once.
    let copy = "emil".parse().unwrap();
    desk.store.set_copy(&by("milo"), &case, &copy, true, now).await.unwrap();
    assert_eq!(
        say("milo", "Yes", &["stella"]).await,
        [
            "stella@sp.example: CASE-1 has a message for you: title of CASE-1",
            "emil@op.example: CASE-1 has a new message: title of CASE-1",
        ]
    );
    let off = BTreeMap::from([(Topic::Mentioned, false), (Topic::CaseMessage, false)]);
    desk.store.choose_notifications(&"stella".parse().unwrap(), &off).await.unwrap();
    assert_eq!(
        say("milo", "Still there?", &["stella"]).await,
        ["emil@op.example: CASE-1 has a new message: title of CASE-1"]
    );
    // Whoever is named and lost the case in between hears nothing.
    let named = ["clara".parse().unwrap()];
    desk.store.post_message(&by("milo"), &case, "Bye", &named, now).await.unwrap();
    desk.store.remove_link(&by("wanda"), &"machine-7".parse().unwrap(), now).await.unwrap();
    assert_eq!(fresh(&desk).await, ["emil@op.example: CASE-1 has a new message: title of CASE-1"]);
}

#[tokio::test]
async fn what_is_said_is_quoted_in_one_line_to_those_who_may_read_the_conversation() {
    let desk = Desk::new().await;
    let (case, now) = ("CASE-1".parse().unwrap(), Now::read());
    // A read member of a group sees the case, and not what is said about it.
    let settings = crate::groups::Settings {
        notices: crate::groups::Notices { on: true, attachments: false },
        ..crate::groups::Settings::default()
    };
    let group = NewGroup { name: "Desk".into(), parent: None, settings };
    let group = make(&desk, &group).await;
    place(&desk, &case, &group).await;
    let on = BTreeMap::from([(Topic::GroupCase, true)]);
    for who in ["lara", "marc"] {
        desk.store.choose_notifications(&who.parse().unwrap(), &on).await.unwrap();
    }
    let (marc, read) = ("marc".parse().unwrap(), Some(crate::groups::Access::Read));
    desk.store.set_group_member(&by("theo"), &group, &marc, read, now).await.unwrap();
    let text = "Heard it?\r\nBcc: all@firm.example";
    desk.store.post_message(&by("milo"), &case, text, &[], now).await.unwrap();
    let told = bodies(&desk).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("lara@sp.example\n"), "{told:?}");
    assert!(told[0].contains("Words    \"Heard it?  Bcc: all@firm.example\""), "{told:?}");
}

#[tokio::test]
async fn whoever_is_invited_is_told_where_and_until_when_and_never_the_token() {
    let desk = Desk::new().await;
    let now = Now::read();
    let hook = NewHook {
        id: None,
        name: "tickets".into(),
        url: "https://tickets.example/in".parse().unwrap(),
        kinds: Vec::new(),
    };
    desk.store.create_hook(&by("tessa"), &hook, now).await.unwrap();
    let invite = async |email: &str| {
        desk.store.invite_person(&by("tessa"), email, &[], now).await.unwrap().value
    };
    let invited = invite("Ines@new.example").await;
    let taken_back = invite("ida@new.example").await;
    desk.store.withdraw_invitation(&by("tessa"), &taken_back.invitation.id, now).await.unwrap();
    let told = bodies(&desk).await;
    assert_eq!(told.len(), 1, "one that was taken back is not told of, nor any webhook: {told:?}");
    assert!(told[0].starts_with("ines@new.example\n"), "{told:?}");
    for word in ["tessa of OP", &invited.invitation.expires.to_string(), GATEWAY] {
        assert!(told[0].contains(word), "{word}: {told:?}");
    }
    assert!(!told[0].contains(invited.token.expose()), "{told:?}");
    let kept = std::fs::read(desk.path()).unwrap();
    let kept = [kept, std::fs::read(desk.dir.path().join("caseway.db-wal")).unwrap()].concat();
    let token = invited.token.expose().as_bytes();
    assert!(!kept.windows(token.len()).any(|some| some == token), "the token is on disk");
}

/// What waits to be sent, and is then taken.
async fn parcels(desk: &Desk) -> Vec<Parcel> {
    while desk.store.write_mail(Some(GATEWAY), Now::read()).await.unwrap() {}
    let due = desk.store.due(Now::read().wall).await.unwrap().parcels;
    for parcel in &due {
        let taken = crate::hooks::Outcome::Taken { status: 250 };
        desk.store.settle(parcel, &taken, &gateway(), Now::read()).await.unwrap();
    }
    due
}

/// Who gets mail that did not before, and about what.
async fn fresh(desk: &Desk) -> Vec<String> {
    let told = parcels(desk).await.into_iter().map(|parcel| match parcel.to {
        Recipient::Mail { address, subject } => format!("{address}: {subject}"),
        Recipient::Hook { .. } => panic!("a webhook"),
    });
    told.collect()
}

/// The same, whole.
async fn bodies(desk: &Desk) -> Vec<String> {
    let told = parcels(desk).await.into_iter().map(|parcel| match parcel.to {
        Recipient::Mail { address, .. } => format!("{address}\n{}", parcel.body),
        Recipient::Hook { .. } => panic!("a webhook"),
    });
    told.collect()
}
