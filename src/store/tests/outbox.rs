//! What leaves: written with its record, for the right companies, in order, never lost.

use std::time::Duration;

use super::*;
use crate::{
    audit::Event,
    cases::{CaseType, Details, Severity},
    hooks::{ATTEMPTS_MAX, Hook, HookSecret, HookUrl, Outcome, SECRET_OVERLAP},
    ids::{CaseId, HookId},
};

async fn hook(desk: &Desk, admin: &str, path: &str) -> (Hook, HookSecret) {
    let url: HookUrl = format!("https://{path}").parse().unwrap();
    let new = NewHook { id: None, name: path.to_owned(), url, kinds: Vec::new() };
    desk.store.create_hook(&by(admin), &new, Now::read()).await.unwrap().value
}

async fn create(desk: &Desk, who: &str, case_type: CaseType) -> CaseId {
    let about = match case_type {
        CaseType::Shared | CaseType::OperatorInternal => About::Asset("press-7".parse().unwrap()),
        CaseType::ProviderInternal => About::Machine("machine-7".parse().unwrap()),
    };
    let details = Details { severity: Some(Severity::Stopped), ..Details::default() };
    let new = NewCase {
        case_type,
        about,
        title: format!("{case_type:?} case"),
        details,
        organisation: None,
    };
    desk.store.create_case(&by(who), &new, Now::read()).await.unwrap().value.id
}

fn hook_of(parcel: &Parcel) -> &HookId {
    match &parcel.to {
        Recipient::Hook { hook, .. } => hook,
        Recipient::Mail { .. } => panic!("mail"),
    }
}

/// What `hook` gets, in its order, each taken at once: type and title.
async fn drain(desk: &Desk, hook: &HookId) -> Vec<String> {
    let mut told = Vec::new();
    while let Some(parcel) = head(desk, hook, Now::read()).await {
        let body: serde_json::Value = serde_json::from_str(&parcel.body).unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
        told.push(format!("{} {}", text(&body["type"]), text(&body["data"]["case"]["title"])));
        settle(desk, &parcel, Outcome::Taken { status: 200 }, Now::read()).await;
    }
    told
}

async fn head(desk: &Desk, hook: &HookId, now: Now) -> Option<Parcel> {
    let due = desk.store.due(now.wall).await.unwrap();
    let mut mine = due.parcels.into_iter().filter(|parcel| hook_of(parcel) == hook);
    let first = mine.next();
    assert!(mine.next().is_none(), "one at a time");
    first
}

async fn settle(desk: &Desk, parcel: &Parcel, outcome: Outcome, now: Now) {
    desk.store.settle(parcel, &outcome, &gateway(), now).await.unwrap();
}

async fn state(desk: &Desk, admin: &str, hook: &HookId) -> Hook {
    let all = desk.store.hooks(&admin.parse().unwrap(), Now::read()).await.unwrap().unwrap();
    all.into_iter().find(|one| one.id == *hook).unwrap()
}

fn later(now: Now, by: Duration) -> Now {
    Now { mono: now.mono + by, wall: now.wall.plus(by) }
}

#[tokio::test]
async fn each_company_hears_of_its_own_cases_alone() {
    let desk = Desk::new().await;
    let (operator, _) = hook(&desk, "tessa", "op.example/in").await;
    let (provider, _) = hook(&desk, "theo", "sp.example/in").await;
    create(&desk, "milo", CaseType::Shared).await;
    create(&desk, "emil", CaseType::OperatorInternal).await;
    create(&desk, "stella", CaseType::ProviderInternal).await;
    desk.switch("milo", "CASE-1", true).await.unwrap();
    let ask = SwitchAsk { on: true, until: None, reason: None };
    let press = "press-7".parse().unwrap();
    desk.store.switch_asset(&by("wanda"), &press, &ask, Now::read()).await.unwrap();

    // Of an operator-internal case no provider hears, of a provider-internal one no operator; an
    // asset's own switch is its operator's business.
    assert_eq!(
        drain(&desk, &operator.id).await,
        [
            "case.created Shared case",
            "case.created OperatorInternal case",
            "remote_access.on title of CASE-1",
            "remote_access.on -",
        ]
    );
    assert_eq!(
        drain(&desk, &provider.id).await,
        [
            "case.created Shared case",
            "case.created ProviderInternal case",
            "remote_access.on title of CASE-1",
        ]
    );
}

#[tokio::test]
async fn a_request_is_told_by_its_id_and_a_message_without_what_it_says() {
    let desk = Desk::new().await;
    let (operator, _) = hook(&desk, "tessa", "op.example/in").await;
    let (provider, _) = hook(&desk, "theo", "sp.example/in").await;
    let (case, now): (CaseId, _) = ("CASE-1".parse().unwrap(), Now::read());
    let ask = async || {
        let asked = desk.store.request_access(&by("stella"), &case, "the valve", None, now).await;
        asked.unwrap().value.id
    };
    let (first, no) = (ask().await, Answer::Decline { words: "after the shift".into() });
    desk.store.answer_request(&by("milo"), &case, &first, &no, now).await.unwrap();
    let second = ask().await;
    desk.store.withdraw_request(&by("stella"), &case, &second, now).await.unwrap();
    ask().await;
    desk.switch("milo", "CASE-1", true).await.unwrap();
    desk.store.post_message(&by("milo"), &case, "The code is 1234", &[], now).await.unwrap();
    // An internal conversation is the operator's.
    let internal = "CASE-2".parse().unwrap();
    desk.store.post_message(&by("emil"), &internal, "Ours", &[], now).await.unwrap();
    desk.store.invite_person(&by("tessa"), "ines@new.example", &[], now).await.unwrap();

    let waiting = async |hook: &Hook| {
        let mut told = Vec::new();
        while let Some(parcel) = head(&desk, &hook.id, Now::read()).await {
            assert!(!parcel.body.contains("1234") && !parcel.body.contains("ines@"), "{parcel:?}");
            told.push(serde_json::from_str::<serde_json::Value>(&parcel.body).unwrap());
            settle(&desk, &parcel, Outcome::Taken { status: 200 }, Now::read()).await;
        }
        told
    };
    let told = waiting(&provider).await;
    let kinds: Vec<_> = told.iter().map(|one| one["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "access_request.asked",
            "access_request.declined",
            "access_request.asked",
            "access_request.withdrawn",
            "access_request.asked",
            "remote_access.on",
            "access_request.granted",
            "case.message",
        ]
    );
    assert_eq!(told[0]["data"]["request"], first.as_str());
    assert_eq!(told[1]["data"]["reason"], "after the shift");
    assert_eq!(
        (&told[7]["data"]["new"], &told[7]["data"]["by"]),
        (&"1".into(), &"person/milo".into())
    );
    assert_eq!(waiting(&operator).await.len(), kinds.len() + 1);
}

#[tokio::test]
async fn a_provider_without_its_link_hears_no_more_of_a_shared_case() {
    let desk = Desk::new().await;
    let (provider, _) = hook(&desk, "theo", "sp.example/in").await;
    let machine = "machine-7".parse().unwrap();
    desk.store.remove_link(&by("wanda"), &machine, Now::read()).await.unwrap();
    desk.switch("milo", "CASE-1", true).await.unwrap();
    let told = drain(&desk, &provider.id).await;
    assert!(!told.iter().any(|told| told.starts_with("remote_access")), "{told:?}");
}

#[tokio::test]
async fn a_message_says_what_happened_and_how_the_case_stands() {
    let desk = Desk::new().await;
    let (operator, _) = hook(&desk, "tessa", "op.example/in").await;
    desk.switch("milo", "CASE-1", true).await.unwrap();
    let parcel = head(&desk, &operator.id, Now::read()).await.unwrap();
    let body: serde_json::Value = serde_json::from_str(&parcel.body).unwrap();
    assert!(body["timestamp"].as_str().unwrap().ends_with('Z'));
    let data = serde_json::json!({
        "case": {
            "id": "CASE-1", "type": "shared", "title": "title of CASE-1", "state": "new",
            "assignee": null, "remote_access": { "on": true, "until": null },
        },
        "asset": "press-7", "by": "person/milo", "by_name": "milo",
        "reason": "look at the valve", "old": "off", "new": "on",
    });
    assert_eq!(body["data"], data);
    assert!(!parcel.body.contains("192.0.2.7"), "where people sit is nobody's business");
}

#[tokio::test]
async fn what_was_refused_or_rolled_back_is_told_to_nobody() {
    let desk = Desk::new().await;
    let (provider, _) = hook(&desk, "theo", "sp.example/in").await;
    assert_eq!(refusal(desk.switch("stella", "CASE-1", true).await), "role");
    // A transaction that breaks on its last statement takes the message with it.
    desk.tamper("CREATE TRIGGER full BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'x'); END")
        .await
        .unwrap();
    desk.switch("milo", "CASE-1", true).await.unwrap_err();
    let (milo, case) = ("milo".parse().unwrap(), "CASE-1".parse().unwrap());
    let case = desk.store.case(&milo, &case, Now::read()).await.unwrap().unwrap();
    assert!(!case.switch().unwrap().on, "no record without its message");
    desk.tamper("DROP TRIGGER full").await.unwrap();
    assert_eq!(drain(&desk, &provider.id).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_webhook_hears_of_the_kinds_it_asked_for() {
    let desk = Desk::new().await;
    let (operator, _) = hook(&desk, "tessa", "op.example/in").await;
    let kinds = Some(vec!["remote_access.off".parse().unwrap()]);
    let change = HookChange { kinds, ..HookChange::default() };
    desk.store.change_hook(&by("tessa"), &operator.id, &change, Now::read()).await.unwrap();
    desk.switch("milo", "CASE-1", true).await.unwrap();
    desk.switch("milo", "CASE-1", false).await.unwrap();
    assert_eq!(drain(&desk, &operator.id).await, ["remote_access.off title of CASE-1"]);
}

#[tokio::test]
async fn a_gateway_that_dies_between_sending_and_writing_down_sends_again_under_the_same_id() {
    let desk = Desk::new().await;
    let (operator, _) = hook(&desk, "tessa", "op.example/in").await;
    desk.switch("milo", "CASE-1", true).await.unwrap();
    desk.switch("milo", "CASE-1", false).await.unwrap();
    let first = head(&desk, &operator.id, Now::read()).await.unwrap();

    let desk = desk.after_a_crash().await;
    let again = head(&desk, &operator.id, Now::read()).await.unwrap();
    assert_eq!((&again.id, &again.body), (&first.id, &first.body));
    settle(&desk, &again, Outcome::Taken { status: 200 }, Now::read()).await;

    let desk = desk.after_a_crash().await;
    assert_eq!(drain(&desk, &operator.id).await, ["remote_access.off title of CASE-1"]);
}

#[tokio::test]
async fn a_message_that_is_not_taken_holds_up_those_behind_it_and_nobody_else() {
    let desk = Desk::new().await;
    let (deaf, _) = hook(&desk, "tessa", "op.example/deaf").await;
    let (other, _) = hook(&desk, "tessa", "op.example/other").await;
    desk.switch("milo", "CASE-1", true).await.unwrap();
    desk.switch("milo", "CASE-1", false).await.unwrap();
    let (now, first) = (Now::read(), head(&desk, &deaf.id, Now::read()).await.unwrap());
    settle(&desk, &first, Outcome::failed("answered 500"), now).await;

    assert!(head(&desk, &deaf.id, now).await.is_none(), "not before its time");
    assert_eq!(drain(&desk, &other.id).await.len(), 2);
    let due = desk.store.due(now.wall).await.unwrap();
    assert!(due.next.unwrap() <= now.wall.plus(Duration::from_secs(6)), "{:?}", due.next);
    assert!(state(&desk, "tessa", &deaf.id).await.failing_since.is_some());
    let again = head(&desk, &deaf.id, later(now, Duration::from_secs(6))).await.unwrap();
    assert_eq!((&again.id, again.attempts), (&first.id, 1), "in their order");
    settle(&desk, &again, Outcome::Taken { status: 200 }, now).await;
    assert_eq!(state(&desk, "tessa", &deaf.id).await.failing_since, None);
    assert_eq!(drain(&desk, &deaf.id).await, ["remote_access.off title of CASE-1"]);
}

#[tokio::test]
async fn after_days_of_failure_a_webhook_is_disabled_with_its_reason_and_loses_nothing() {
    let desk = Desk::new().await;
    let (operator, _) = hook(&desk, "tessa", "op.example/in").await;
    desk.switch("milo", "CASE-1", true).await.unwrap();
    let began = Now::read();
    let mut now = began;
    for attempt in 1..=ATTEMPTS_MAX {
        let parcel = head(&desk, &operator.id, now).await.unwrap_or_else(|| panic!("{attempt}"));
        settle(&desk, &parcel, Outcome::failed("answered 503"), now).await;
        let due = desk.store.due(now.wall).await.unwrap();
        now = due.next.map_or(now, |next| Now { wall: next, ..now });
    }
    let three_days = Duration::from_secs(3 * 24 * 60 * 60);
    assert!(now.wall >= began.wall.plus(three_days), "not before three days: {}", now.wall);
    let disabled = state(&desk, "tessa", &operator.id).await;
    assert!(!disabled.enabled);
    let reason = "none of 10 attempts succeeded; the last: answered 503";
    assert_eq!(disabled.disabled_reason.as_deref(), Some(reason));
    let record = desk.last_record().await;
    assert_eq!(record.event(), Some(Event::WebhookDisabled));
    assert_eq!(record.tenant.as_deref(), Some("op"));

    // While it is disabled nothing is added, and nothing that waits is dropped.
    desk.switch("milo", "CASE-1", false).await.unwrap();
    assert!(head(&desk, &operator.id, later(now, three_days)).await.is_none());
    let change = HookChange { enabled: Some(true), ..HookChange::default() };
    desk.store.change_hook(&by("tessa"), &operator.id, &change, now).await.unwrap();
    let parcel = head(&desk, &operator.id, now).await.unwrap();
    assert_eq!(parcel.attempts, 0, "its schedule begins anew");
    assert!(parcel.body.contains("remote_access.on"));
}

#[tokio::test]
async fn a_receiver_that_wants_nothing_more_is_left_alone_at_once() {
    let desk = Desk::new().await;
    let (operator, _) = hook(&desk, "tessa", "op.example/in").await;
    desk.switch("milo", "CASE-1", true).await.unwrap();
    let parcel = head(&desk, &operator.id, Now::read()).await.unwrap();
    let gone = Outcome::Refused { status: Some(410), fault: "answered 410".to_owned() };
    settle(&desk, &parcel, gone, Now::read()).await;
    assert!(!state(&desk, "tessa", &operator.id).await.enabled);
}

#[tokio::test]
async fn a_new_secret_signs_beside_the_old_one_for_a_day() {
    let desk = Desk::new().await;
    let (operator, old) = hook(&desk, "tessa", "op.example/in").await;
    let now = Now::read();
    let rotated = desk.store.rotate_hook_secret(&by("tessa"), &operator.id, now).await.unwrap();
    let (_, new) = rotated.value;
    desk.switch("milo", "CASE-1", true).await.unwrap();
    let secrets = async |now: Now| {
        let parcel = head(&desk, &operator.id, now).await.unwrap();
        match parcel.to {
            Recipient::Hook { secrets, .. } => secrets,
            Recipient::Mail { .. } => panic!("mail"),
        }
    };
    assert_eq!(secrets(later(now, Duration::from_secs(60))).await, [new.clone(), old]);
    assert_eq!(secrets(later(now, SECRET_OVERLAP)).await, std::slice::from_ref(&new));
    for record in desk.all_records().await {
        assert!(!format!("{record:?}").contains(new.text().expose()), "a secret in a record");
    }
}

#[tokio::test]
async fn webhooks_are_their_companys_admins_to_manage() {
    let desk = Desk::new().await;
    let (operator, _) = hook(&desk, "tessa", "op.example/in").await;
    let (id, now) = (&operator.id, Now::read());
    let change = HookChange { name: Some("mine".to_owned()), ..HookChange::default() };
    assert_eq!(refusal(desk.store.change_hook(&by("wanda"), id, &change, now).await), "role");
    assert_eq!(refusal(desk.store.change_hook(&by("theo"), id, &change, now).await), "not_found");
    assert_eq!(refusal(desk.store.delete_hook(&by("theo"), id, now).await), "not_found");
    assert_eq!(refusal(desk.store.rotate_hook_secret(&by("theo"), id, now).await), "not_found");
    assert_eq!(refusal(desk.store.test_hook(&by("theo"), id, now).await), "not_found");
    let page = Page::default();
    for who in ["theo", "wanda"] {
        let who = who.parse().unwrap();
        assert_eq!(desk.store.deliveries(&who, id, &page, now).await.unwrap(), None);
    }
    assert_eq!(desk.store.hooks(&"wanda".parse().unwrap(), now).await.unwrap(), None);
    desk.store.test_hook(&by("tessa"), id, now).await.unwrap();
    let log = desk.store.deliveries(&"tessa".parse().unwrap(), id, &page, now).await.unwrap();
    assert_eq!(log.unwrap().items[0].kind, "webhook.test");
    desk.store.delete_hook(&by("tessa"), id, now).await.unwrap();
    assert!(desk.store.due(now.wall).await.unwrap().parcels.is_empty());
}

#[tokio::test]
async fn the_log_forgets_what_is_over_and_keeps_what_waits() {
    let desk = Desk::new().await;
    let (operator, _) = hook(&desk, "tessa", "op.example/in").await;
    desk.switch("milo", "CASE-1", true).await.unwrap();
    desk.switch("milo", "CASE-1", false).await.unwrap();
    let (now, first) = (Now::read(), head(&desk, &operator.id, Now::read()).await.unwrap());
    settle(&desk, &first, Outcome::Taken { status: 200 }, now).await;
    assert_eq!(desk.store.forget_parcels(now.wall.plus(LOG_LASTS)).await.unwrap(), 0);
    let after = now.wall.plus(LOG_LASTS + Duration::from_secs(1));
    assert_eq!(desk.store.forget_parcels(after).await.unwrap(), 1);
    assert_eq!(drain(&desk, &operator.id).await.len(), 1);
}
