//! What people do with it, from end to end.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::world::{PASSWORD, World};
use crate::{
    clock::Now,
    ids::PeerId,
    tls::{Identity, NewKey},
};

async fn login(world: &World, email: &str, password: &str) -> super::world::Answer {
    let body = json!({ "email": email, "password": password });
    world.ask(None, Method::POST, "/api/v1/login", body).await
}

#[tokio::test]
async fn a_log_in_gives_a_token_that_log_out_ends() {
    let world = World::start().await;
    let answer = login(&world, "Wanda@OP.example", PASSWORD).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let token = answer.json["token"].as_str().unwrap().to_owned();
    let me = || world.ask_with(Some(&token), Method::GET, "/api/v1/me", Value::Null);
    let shown = me().await.json;
    assert_eq!(shown["person"], "wanda");
    assert_eq!(shown["tenant"]["id"], "op");
    assert_eq!(shown["assignments"][0]["role"], "workshop_manager");
    assert_eq!(shown["assignments"][0]["scope"], "whole");
    let out = world.ask_with(Some(&token), Method::POST, "/api/v1/logout", Value::Null).await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    assert_eq!(me().await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_account_look_alike_and_get_slow() {
    let world = World::start().await;
    let wrong = login(&world, "wanda@op.example", "wrong horse").await;
    let unknown = login(&world, "nobody@op.example", "wrong horse").await;
    assert_eq!((wrong.status, &wrong.text), (StatusCode::UNAUTHORIZED, &unknown.text));
    for _ in 0..4 {
        login(&world, "wanda@op.example", "wrong horse").await;
    }
    let slowed = login(&world, "wanda@op.example", PASSWORD).await;
    assert_eq!(slowed.status, StatusCode::TOO_MANY_REQUESTS, "{}", slowed.text);
    assert!(slowed.headers.contains_key("retry-after"));
    assert_eq!(login(&world, "emil@op.example", PASSWORD).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_certificate_is_for_the_callers_own_key_and_name() {
    let world = World::start().await;
    let key = NewKey::generate().unwrap();
    let body = json!({ "csr": key.request_pem().unwrap() });
    let given = world.done("stan", Method::POST, "/api/v1/me/certificate", body).await;
    let chain = given["certificate"].as_str().unwrap();
    let identity = Identity::from_pem(chain, &key.pem()).unwrap();
    assert_eq!(identity.peer(), Some(PeerId::Person("stan".parse().unwrap())));
    assert_eq!(identity.chain().len(), 2);
    let found = world.store.person_of_key(key.digest(), Now::read().wall).await.unwrap();
    assert_eq!(found.unwrap().id.as_str(), "stan");

    let body = json!({ "csr": "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n" });
    let bad = world.ask(Some("stan"), Method::POST, "/api/v1/me/certificate", body).await;
    assert_eq!(bad.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_administrator_sets_up_all_that_a_case_needs() {
    let world = World::start().await;
    let body = json!({ "email": "wim@op.example", "name": "Wim", "password": "long enough" });
    let wim = world.done("tina", Method::POST, "/api/v1/users", body).await;
    let user = format!("/api/v1/users/{}", wim["id"].as_str().unwrap());
    for role in ["workshop_manager", "maintenance_engineer"] {
        let path = format!("{user}/assignments");
        world.done("tina", Method::POST, &path, json!({ "role": role })).await;
    }
    let token = login(&world, "wim@op.example", "long enough").await.json["token"].clone();
    let token = token.as_str().unwrap();
    let act = async |method: Method, path: &str, body: Value| {
        let answer = world.ask_with(Some(token), method, &format!("/api/v1{path}"), body).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text);
        answer.json
    };
    let asset = json!({ "id": "mixer-2", "name": "Mixer 2", "serial": "M-2" });
    act(Method::POST, "/assets", asset).await;
    let device = act(Method::POST, "/devices", json!({ "name": "Edge 2" })).await;
    let device = device["id"].as_str().unwrap();
    let enrolment = act(Method::POST, &format!("/devices/{device}/enrolment"), Value::Null).await;
    assert!(enrolment["token"].as_str().unwrap().len() >= 43);
    act(Method::PUT, "/assets/mixer-2/device", json!({ "device": device })).await;
    let tunnel = json!({
        "name": "cell", "kind": "data_link",
        "targets": [
            { "name": "plc", "host": "10.0.0.2", "port": 502 },
            { "name": "all", "proto": "udp", "host": "10.0.0.0/24", "port": 1, "port_last": 99 },
        ],
    });
    act(Method::POST, "/assets/mixer-2/tunnels", tunnel).await;
    let case = json!({ "type": "operator_internal", "asset": "mixer-2", "title": "Noise",
        "severity": "running" });
    let case = act(Method::POST, "/cases", case).await;
    assert_eq!(case["asset"]["name"], "Mixer 2");
    assert_eq!(case["switch"]["on"], false);

    let path = format!("/cases/{}", case["id"].as_str().unwrap());
    let offered = act(Method::GET, &format!("{path}/tunnels"), Value::Null).await;
    assert_eq!(offered["items"][0]["targets"][1]["port_last"], 99);
    assert_eq!(offered["items"][0]["reason"], "switch_off");
    act(Method::PUT, &format!("{path}/remote-access"), json!({ "on": true })).await;
    let why = act(Method::POST, &format!("{path}/explain"), json!({ "tunnel": "cell" })).await;
    assert_eq!((&why["decision"], &why["reason"]), (&json!("deny"), &json!("edge_offline")));
    let failed: Vec<&Value> =
        why["checks"].as_array().unwrap().iter().filter(|c| c["passed"] == false).collect();
    assert_eq!(failed[0]["reason"], "edge_offline");
}

#[tokio::test]
async fn a_switch_tells_what_became_of_the_sessions() {
    let world = World::start().await;
    world.switch_on("CASE-1").await;
    let path = "/api/v1/cases/CASE-1/remote-access";
    let off = world.done("milo", Method::PUT, path, json!({ "on": false })).await;
    assert_eq!(off["on"], false);
    assert_eq!(off["cut"], "confirmed");
    assert_eq!(off["sessions_ended"], 0);
    let past = json!({ "on": true, "until": "2020-01-01T00:00:00Z" });
    let past = world.ask(Some("milo"), Method::PUT, path, past).await;
    assert_eq!(past.status, StatusCode::BAD_REQUEST, "{}", past.text);
}

#[tokio::test]
async fn refusals_carry_the_reason_of_the_decision() {
    let world = World::start().await;
    let on = json!({ "on": true });
    let switch = |person, case: &'static str, body: Value| {
        let path = format!("/api/v1/cases/{case}/remote-access");
        let world = &world;
        async move {
            let answer = world.ask(Some(person), Method::PUT, &path, body).await;
            (answer.status.as_u16(), answer.json["reason"].as_str().unwrap().to_owned())
        }
    };
    assert_eq!(switch("stan", "CASE-1", on.clone()).await, (403, "role".into()));
    assert_eq!(switch("stan", "CASE-2", on.clone()).await, (404, "not_found".into()));
    assert_eq!(switch("stan", "CASE-3", on.clone()).await, (409, "case_type".into()));
    let unknown = json!({ "on": true, "forever": true });
    assert_eq!(switch("wanda", "CASE-1", unknown).await, (400, "invalid".into()));

    let close = json!({ "state": "closed" });
    world.done("milo", Method::PATCH, "/api/v1/cases/CASE-1", close).await;
    assert_eq!(switch("wanda", "CASE-1", on).await, (409, "case_closed".into()));
    let both = json!({ "state": "new", "assignee": null });
    let both = world.ask(Some("stan"), Method::PATCH, "/api/v1/cases/CASE-1", both).await;
    assert_eq!(both.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn closing_a_case_turns_its_switch_off_and_reopening_leaves_it_off() {
    let world = World::start().await;
    world.switch_on("CASE-1").await;
    for state in ["closed", "in_progress"] {
        let path = "/api/v1/cases/CASE-1";
        let case = world.done("stan", Method::PATCH, path, json!({ "state": state })).await;
        assert_eq!((&case["state"], &case["switch"]["on"]), (&json!(state), &json!(false)));
    }
    let records = world.done("milo", Method::GET, "/api/v1/audit?case=CASE-1", Value::Null).await;
    let events: Vec<&str> =
        records["items"].as_array().unwrap().iter().map(|r| r["event"].as_str().unwrap()).collect();
    for event in ["switch_on", "case_closed", "case_reopened"] {
        assert!(events.contains(&event), "{event} is not in {events:?}");
    }
}

#[tokio::test]
async fn the_last_tenant_admin_cannot_be_lost() {
    let world = World::start().await;
    let role = "/api/v1/users/tina/assignments/tina-0";
    let dropped = world.ask(Some("tina"), Method::DELETE, role, Value::Null).await;
    assert!(dropped.text.contains("Tenant Admin"), "{}", dropped.text);
    let body = json!({ "active": false });
    let disabled = world.ask(Some("tina"), Method::PUT, "/api/v1/users/tina/active", body).await;
    for answer in [dropped, disabled] {
        assert!(answer.status.is_client_error(), "{} {}", answer.status, answer.text);
    }
    let me = world.done("tina", Method::GET, "/api/v1/me", Value::Null).await;
    assert_eq!(me["assignments"][0]["role"], "tenant_admin");
}

#[tokio::test]
async fn a_disabled_person_is_logged_out_at_once() {
    let world = World::start().await;
    let bearer = world.bearer("milo").await;
    let body = json!({ "active": false });
    world.done("tina", Method::PUT, "/api/v1/users/milo/active", body).await;
    let me = world.ask_with(Some(&bearer), Method::GET, "/api/v1/me", Value::Null).await;
    assert_eq!(me.status, StatusCode::UNAUTHORIZED);
    let again = login(&world, "milo@op.example", PASSWORD).await;
    assert_eq!(again.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_provider_internal_case_offers_no_tunnel() {
    let world = World::start().await;
    let path = "/api/v1/cases/CASE-3";
    let case = world.done("stan", Method::GET, path, Value::Null).await;
    assert_eq!(case["switch"], Value::Null);
    assert_eq!(case["machine"]["id"], "machine-7");
    let offered = world.done("stan", Method::GET, &format!("{path}/tunnels"), Value::Null).await;
    assert_eq!(offered["items"], json!([]));
    let why = json!({ "tunnel": "plc" });
    let why = world.done("stan", Method::POST, &format!("{path}/explain"), why).await;
    assert_eq!(why["reason"], "case_type");
}

#[tokio::test]
async fn cases_are_found_by_type_state_asset_and_text() {
    let world = World::start().await;
    let found = async |query: &str| -> Vec<String> {
        let path = format!("/api/v1/cases{query}");
        let list = world.done("emil", Method::GET, &path, Value::Null).await;
        let items = list["items"].as_array().unwrap();
        items.iter().map(|case| case["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(found("").await, ["CASE-2", "CASE-1"]);
    assert_eq!(found("?type=shared").await, ["CASE-1"]);
    assert_eq!(found("?state=closed").await, [""; 0]);
    assert_eq!(found("?asset=press-7&q=case-2").await, ["CASE-2"]);
    let wrong = world.ask(Some("emil"), Method::GET, "/api/v1/cases?typ=x", Value::Null).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert!(wrong.text.contains("typ"), "{}", wrong.text);
}
