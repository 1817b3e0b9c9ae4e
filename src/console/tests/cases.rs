//! Cases over HTTP: their fields, their tags, their filters, their conversation and requests.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::world::World;

const CASE: &str = "/api/v1/cases/CASE-1";

fn ids(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_case_is_opened_with_its_severity_and_the_callers_address() {
    let world = World::start().await;
    let open = async |person: &'static str, body: Value| {
        world.ask(Some(person), Method::POST, "/api/v1/cases", body).await
    };
    let bare = json!({ "type": "shared", "asset": "press-7", "title": "It squeaks" });
    let refused = open("milo", bare.clone()).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
    assert!(refused.json["detail"].as_str().unwrap().starts_with("severity: "), "{}", refused.text);

    let mut full = bare.clone();
    full["severity"] = json!("stopped");
    full["description"] = json!("Since this morning:\n- noise\n- smoke");
    let made = open("milo", full.clone()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    assert_eq!(made.json["contact"], json!({ "phone": null, "email": "milo@op.example" }));
    assert_eq!(made.json["severity"], "stopped");
    assert_eq!(made.json["operator"]["name"], "Company op");
    let tag = format!("\"{}\"", made.json["revision"]);
    assert_eq!(made.headers["etag"], tag.as_str());

    full["contact"] = json!({ "email": null, "phone": "+49 30 1" });
    let made = open("milo", full.clone()).await;
    assert_eq!(made.json["contact"], json!({ "phone": "+49 30 1", "email": null }));
    full["severity"] = json!("catastrophic");
    let unknown = open("milo", full).await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST, "{}", unknown.text);
    // A provider may open it before anybody knows how bad it is.
    assert_eq!(open("stan", bare).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_stale_tag_is_refused_with_both_revisions() {
    let world = World::start().await;
    world.switch_on("CASE-1").await;
    let change = async |tag: &str, body: Value| {
        let tags = [("if-match", tag)];
        world.ask_tagged("stan", Method::PATCH, CASE, body, &tags).await
    };
    let body = || json!({ "state": "in_progress" });
    let stale = change("\"0\"", body()).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED, "{}", stale.text);
    assert_eq!(stale.json["reason"], "stale");
    let now = world.done("stan", Method::GET, CASE, Value::Null).await["revision"].clone();
    let detail = format!("it was changed meanwhile (revision {now}, not 0): look at it again");
    assert_eq!(stale.json["detail"], detail);
    assert_eq!(change("seven", body()).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(change("*", body()).await.status, StatusCode::OK);
    let now = world.done("stan", Method::GET, CASE, Value::Null).await["revision"].clone();
    let done = change(&format!("\"{now}\""), json!({ "priority": "high" })).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text);
    assert_eq!(done.json["priority"], "high");

    let path = format!("{CASE}/remote-access");
    let tags = [("if-match", "\"0\"")];
    let off = json!({ "on": false });
    let stale = world.ask_tagged("wanda", Method::PUT, &path, off, &tags).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED, "{}", stale.text);
}

#[tokio::test]
async fn one_change_is_one_act() {
    let world = World::start().await;
    for body in [
        json!({}),
        json!({ "state": "closed", "assignee": "stan" }),
        json!({ "state": "closed", "title": "done" }),
        json!({ "type": "shared" }),
    ] {
        let answer = world.ask(Some("stan"), Method::PATCH, CASE, body.clone()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
    }
    // What the other party alone can know is refused as an act, not as a typing mistake.
    let severity = json!({ "severity": "running" });
    let answer = world.ask(Some("stan"), Method::PATCH, CASE, severity).await;
    assert_eq!((answer.status, &answer.json["reason"]), (StatusCode::FORBIDDEN, &json!("role")));
}

#[tokio::test]
async fn a_list_is_narrowed_by_each_of_its_filters() {
    let world = World::start().await;
    world.switch_on("CASE-1").await;
    world
        .done("emil", Method::PATCH, "/api/v1/cases/CASE-2", json!({ "severity": "stopped" }))
        .await;
    world
        .done("emil", Method::PATCH, "/api/v1/cases/CASE-2", json!({ "external_id": "HD-1" }))
        .await;
    world.done("emil", Method::PATCH, "/api/v1/cases/CASE-2", json!({ "assignee": "emil" })).await;
    world.done("stan", Method::PATCH, CASE, json!({ "state": "in_progress" })).await;
    for (query, expected) in [
        ("", vec!["CASE-2", "CASE-1"]),
        ("?type=shared", vec!["CASE-1"]),
        ("?state=new", vec!["CASE-2"]),
        ("?open=true", vec!["CASE-2", "CASE-1"]),
        ("?open=false", vec![]),
        ("?asset=press-7", vec!["CASE-2", "CASE-1"]),
        ("?asset=press-8", vec![]),
        ("?assignee=emil", vec!["CASE-2"]),
        ("?severity=stopped", vec!["CASE-2"]),
        ("?switch=true", vec!["CASE-1"]),
        ("?switch=false", vec!["CASE-2"]),
        ("?external_id=HD-1", vec!["CASE-2"]),
        ("?q=title+of+case-2", vec!["CASE-2"]),
        ("?q=%25", vec![]),
        ("?cursor=2", vec!["CASE-1"]),
    ] {
        let list =
            world.done("emil", Method::GET, &format!("/api/v1/cases{query}"), Value::Null).await;
        assert_eq!(ids(&list), expected, "{query}");
    }
    let wrong = world.ask(Some("emil"), Method::GET, "/api/v1/cases?colour=red", Value::Null).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_provider_asks_the_operator_sees_it_and_answers() {
    let world = World::start().await;
    let path = format!("{CASE}/access-requests");
    let ask = json!({ "reason": "look at the valve", "for": 14_400 });
    let asked = world.done("stan", Method::POST, &path, ask.clone()).await;
    assert_eq!((&asked["state"], &asked["for"]), (&json!("open"), &json!(14_400)));
    let again = world.ask(Some("stan"), Method::POST, &path, ask).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.text);

    let seen =
        world.done("milo", Method::GET, "/api/v1/access-requests?open=true", Value::Null).await;
    assert_eq!(seen["items"][0]["case"], json!({ "id": "CASE-1", "name": "Title of CASE-1" }));
    let answer = format!("{path}/{}/answer", asked["id"].as_str().unwrap());
    for wrong in [
        json!({ "grant": false }),
        json!({ "grant": true, "words": "yes" }),
        json!({ "grant": false, "words": "no", "until": "2099-01-01T00:00:00Z" }),
    ] {
        let refused = world.ask(Some("milo"), Method::PUT, &answer, wrong).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
    }
    let granted = world.done("milo", Method::PUT, &answer, json!({ "grant": true })).await;
    assert_eq!(granted["switch"]["on"], true);
    assert!(granted["switch"]["until"].is_string());
    assert_eq!(granted["request"]["answered_by"]["id"], "milo");
    let case = world.done("stan", Method::GET, CASE, Value::Null).await;
    assert_eq!(case["switch"]["on"], true);
    assert_eq!(case["switch"]["turned"]["by"]["name"], "milo of op");
    assert_eq!(case["switch"]["turned"]["reason"], "look at the valve");
    let late = world.ask(Some("milo"), Method::PUT, &answer, json!({ "grant": true })).await;
    assert_eq!(late.status, StatusCode::BAD_REQUEST, "{}", late.text);

    let history = world.done("milo", Method::GET, &format!("{CASE}/history"), Value::Null).await;
    let told: Vec<(&str, &str)> = history["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["kind"].as_str().unwrap(), one["event"].as_str().unwrap()))
        .collect();
    let expected =
        [("request", "access_requested"), ("switch", "switch_on"), ("request", "access_granted")];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_message_names_whom_it_cannot_reach() {
    let world = World::start().await;
    let path = "/api/v1/cases/CASE-2/messages";
    let say = |mention: &str| json!({ "text": "first\nsecond", "mentions": [mention] });
    let said = world.done("emil", Method::POST, path, say("wanda")).await;
    assert_eq!(said["mentions"], json!([{ "id": "wanda", "name": "wanda of op" }]));
    let refused = world.ask(Some("emil"), Method::POST, path, say("stan")).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
    assert_eq!(refused.json["detail"], "mentions: stan cannot read this conversation");
    let read = world.done("wanda", Method::GET, path, Value::Null).await;
    assert_eq!(read["items"].as_array().unwrap().len(), 1);
    assert_eq!(read["items"][0]["text"], "first\nsecond");
}

#[tokio::test]
async fn an_outside_system_puts_its_tickets_by_their_own_numbers() {
    let world = World::start().await;
    let path = "/api/v1/cases/by-external-id/HD%2F17%20b";
    let put = async |person: &str, body: &Value| {
        world.ask(Some(person), Method::PUT, path, body.clone()).await
    };
    let mut body = json!({
        "type": "operator_internal", "asset": "press-7", "title": "It squeaks",
        "severity": "degraded", "contact": { "phone": "+49 30 1" },
    });
    let opened = put("emil", &body).await;
    assert_eq!(opened.status, StatusCode::CREATED, "{}", opened.text);
    assert_eq!(opened.json["external_id"], "HD/17 b");
    assert_eq!(opened.json["contact"]["email"], "emil@op.example");
    let again = put("emil", &body).await;
    assert_eq!((again.status, &again.json), (StatusCode::OK, &opened.json));
    assert_eq!(again.headers["etag"], opened.headers["etag"]);

    body["state"] = json!("closed");
    body["contact"] = json!({ "phone": null });
    let closed = put("emil", &body).await;
    assert_eq!((closed.status, &closed.json["state"]), (StatusCode::OK, &json!("closed")));
    assert_eq!(closed.json["contact"], json!({ "phone": null, "email": "emil@op.example" }));

    let mut other = body.clone();
    other["type"] = json!("shared");
    let fixed = put("emil", &other).await;
    assert_eq!((fixed.status, &fixed.json["reason"]), (StatusCode::CONFLICT, &json!("conflict")));
    assert!(fixed.json["detail"].as_str().unwrap().starts_with("type: "), "{}", fixed.text);
    body["external_id"] = json!("HD-18");
    assert_eq!(put("emil", &body).await.status, StatusCode::BAD_REQUEST);
    // A person of the company who may not see the case learns what a stranger learns.
    body.as_object_mut().unwrap().remove("external_id");
    let hidden = put("tina", &body).await;
    let nowhere = world.ask(Some("tina"), Method::GET, "/api/v1/cases/CASE-99", Value::Null).await;
    assert_eq!((hidden.status, hidden.text), (StatusCode::NOT_FOUND, nowhere.text));
    let long = format!("/api/v1/cases/by-external-id/{}", "x".repeat(255));
    let refused = world.ask(Some("emil"), Method::PUT, &long, body).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.text.contains("external_id: "), "{}", refused.text);
}

#[tokio::test]
async fn each_partys_system_has_a_number_of_its_own_for_a_shared_case() {
    let world = World::start().await;
    let name = async |person: &str, id: Value| {
        world.done(person, Method::PATCH, CASE, json!({ "external_id": id })).await
    };
    let (ours, theirs) = (json!("HD-17"), json!("T-4711"));
    assert_eq!(name("milo", ours.clone()).await["external_id"], ours);
    assert_eq!(name("stan", theirs.clone()).await["external_id"], theirs);
    let put = json!({ "type": "shared", "asset": "press-7", "title": "Title of CASE-1" });
    for (person, own, other) in [("milo", "HD-17", "T-4711"), ("stan", "T-4711", "HD-17")] {
        let shown = world.done(person, Method::GET, CASE, Value::Null).await;
        assert_eq!(shown["external_id"], own, "{person}");
        let by = async |id: &str| {
            let path = format!("/api/v1/cases?external_id={id}");
            world.done(person, Method::GET, &path, Value::Null).await
        };
        let found = by(own).await;
        assert_eq!(ids(&found), ["CASE-1"], "{person}");
        assert_eq!(found["items"][0]["external_id"], own, "{person}");
        assert!(ids(&by(other).await).is_empty(), "{person}");
        let path = format!("/api/v1/cases/by-external-id/{own}");
        let same = world.ask(Some(person), Method::PUT, &path, put.clone()).await;
        assert_eq!((same.status, &same.json), (StatusCode::OK, &shown), "{person}");
        for path in [format!("{CASE}/history"), "/api/v1/audit?case=CASE-1".to_owned()] {
            let told = world.ask(Some(person), Method::GET, &path, Value::Null).await;
            assert!(told.text.contains(own) && !told.text.contains(other), "{}", told.text);
        }
    }
    assert_eq!(name("stan", Value::Null).await["external_id"], Value::Null);
    let left = world.done("milo", Method::GET, CASE, Value::Null).await;
    assert_eq!(left["external_id"], ours);
}

#[tokio::test]
async fn a_group_says_when_a_case_moves_on_and_when_its_request_moves_it() {
    let world = World::start().await;
    let group =
        async |body: Value| world.ask(Some("tina"), Method::POST, "/api/v1/groups", body).await;
    let second = group(json!({ "name": "Second" })).await.json["id"].clone();
    let escalation = json!({ "hours": 8, "by_priority": { "urgent": 1 }, "to": second });
    let first = json!({ "name": "First", "settings": { "escalation": escalation } });
    let first = group(first).await.json;
    assert_eq!(first["settings"]["escalation"], escalation);
    for wrong in [json!({ "soon": 1 }), json!({ "urgent": 8_761 }), json!({ "urgent": "1" })] {
        let escalation = json!({ "hours": 8, "by_priority": wrong, "to": second });
        let refused = group(json!({ "name": "X", "settings": { "escalation": escalation } })).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
    }
    let duties = json!({ "duties": ["dispatch"] });
    world.done("tina", Method::PUT, "/api/v1/group-duties/milo", duties).await;
    let path = format!("{CASE}/group");
    let placed = world.done("milo", Method::PUT, &path, json!({ "group": first["id"] })).await;
    assert!(placed["escalates_at"].is_string(), "{placed}");
    assert_eq!(placed["request_escalates_at"], Value::Null);
    let ask = json!({ "reason": "look at the valve" });
    world.done("stan", Method::POST, &format!("{CASE}/access-requests"), ask).await;
    world.done("stan", Method::PATCH, CASE, json!({ "state": "in_progress" })).await;
    let placed = world.done("milo", Method::GET, &path, Value::Null).await;
    assert_eq!(placed["escalates_at"], Value::Null);
    let plainly = placed["request_escalates_at"].as_str().unwrap().to_owned();
    world.done("stan", Method::PATCH, CASE, json!({ "priority": "urgent" })).await;
    let placed = world.done("milo", Method::GET, &path, Value::Null).await;
    assert!(placed["request_escalates_at"].as_str().unwrap() < plainly.as_str(), "{placed}");
}
