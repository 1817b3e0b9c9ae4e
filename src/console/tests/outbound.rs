//! Tables that come in and messages that go out, as callers see them.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::world::World;

#[tokio::test]
async fn a_secret_is_shown_once_and_never_again() {
    let world = World::start().await;
    let ask = json!({ "id": "tickets", "url": "https://tickets.example/in?key=1" });
    let made = world.done("tina", Method::POST, "/api/v1/webhooks", ask).await;
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_") && secret.len() == 50, "{secret}");
    assert_eq!(made["name"], "tickets.example");
    let path = "/api/v1/webhooks/tickets";
    let rotated = world.done("tina", Method::POST, &format!("{path}/secret"), Value::Null).await;
    assert_ne!(rotated["secret"], made["secret"]);
    for path in ["/api/v1/webhooks", "/api/v1/webhooks/tickets/deliveries"] {
        let shown = world.done("tina", Method::GET, path, Value::Null).await.to_string();
        assert!(!shown.contains("whsec_"), "{shown}");
    }
}

#[tokio::test]
async fn a_webhook_that_cannot_be_is_refused_by_the_name_of_its_fault() {
    let world = World::start().await;
    let mut told = Vec::new();
    for ask in [
        json!({ "url": "http://tickets.example/in" }),
        json!({ "url": "https://ann:pw@tickets.example/in" }),
        json!({ "url": "https://tickets.example/in", "kinds": ["case.exploded"] }),
        json!({ "url": "https://tickets.example/in", "secret": "whsec_mine" }),
        json!({ "url": "https://tickets.example/in", "name": "a\nb" }),
        json!({}),
    ] {
        let answer = world.ask(Some("tina"), Method::POST, "/api/v1/webhooks", ask).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
        told.push(answer.json["detail"].as_str().unwrap().to_owned());
    }
    insta::assert_snapshot!(told.join("\n"));
    let nothing = json!({});
    world
        .done(
            "tina",
            Method::POST,
            "/api/v1/webhooks",
            json!({ "id": "t", "url": "https://t.example" }),
        )
        .await;
    let answer = world.ask(Some("tina"), Method::PATCH, "/api/v1/webhooks/t", nothing).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_company_has_its_limit_of_webhooks() {
    let world = World::start().await;
    for n in 0..crate::hooks::HOOKS_MAX {
        let ask = json!({ "url": format!("https://tickets.example/{n}") });
        world.done("tina", Method::POST, "/api/v1/webhooks", ask).await;
    }
    let ask = json!({ "url": "https://tickets.example/more" });
    let answer = world.ask(Some("tina"), Method::POST, "/api/v1/webhooks", ask).await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text);
    assert!(answer.text.contains("20 webhooks at most"), "{}", answer.text);
}

#[tokio::test]
async fn a_test_message_waits_in_the_log() {
    let world = World::start().await;
    let ask = json!({ "id": "tickets", "url": "https://tickets.example/in" });
    world.done("tina", Method::POST, "/api/v1/webhooks", ask).await;
    let path = "/api/v1/webhooks/tickets";
    let sent = world.done("tina", Method::POST, &format!("{path}/test"), Value::Null).await;
    let log = world.done("tina", Method::GET, &format!("{path}/deliveries"), Value::Null).await;
    assert_eq!(log["items"][0]["id"], sent["delivery"]);
    assert_eq!(log["items"][0]["type"], "webhook.test");
    assert_eq!(log["items"][0]["state"], "waiting");
}

#[tokio::test]
async fn a_dry_run_lists_every_fault_and_the_run_for_good_is_refused_with_them() {
    let world = World::start().await;
    let table = json!("email;name;roles\nnobody;N;boss\nnew@op.example;New;machine_operator\n");
    let dry = "/api/v1/imports/users?dry_run=true";
    let tried = world.done("tina", Method::POST, dry, table.clone()).await;
    assert_eq!((&tried["dry_run"], &tried["created"]), (&json!(true), &json!(1)));
    let faults = tried["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 2);
    assert_eq!((&faults[0]["line"], &faults[0]["column"]), (&json!(2), &json!("email")));

    let done = world.ask(Some("tina"), Method::POST, "/api/v1/imports/users", table).await;
    assert_eq!(done.status, StatusCode::BAD_REQUEST);
    assert_eq!(done.json["faults"], tried["faults"]);
    let people = world.done("tina", Method::GET, "/api/v1/users", Value::Null).await;
    assert!(!people.to_string().contains("new@op.example"), "all or nothing");
}

#[tokio::test]
async fn a_table_that_is_none_or_too_long_is_refused() {
    let world = World::start().await;
    let path = "/api/v1/imports/assets";
    let answer = world.ask(Some("wanda"), Method::POST, path, json!({ "serial": "X" })).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
    assert!(answer.text.contains("text/csv"), "{}", answer.text);
    let long = "x".repeat(crate::console::imports::TABLE_BYTES_MAX + 1);
    let answer = world.ask(Some("wanda"), Method::POST, path, json!(long)).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{}", answer.text);
    let query = "/api/v1/imports/assets?dry=true";
    let answer = world.ask(Some("wanda"), Method::POST, query, json!("serial,name\n")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
}

#[tokio::test]
async fn each_person_says_what_they_are_told_of() {
    let world = World::start().await;
    let path = "/api/v1/me/notifications";
    let first = world.done("stan", Method::GET, path, Value::Null).await;
    assert!(first["items"].as_array().unwrap().iter().all(|item| item["about"].is_string()));
    let set = world.done("stan", Method::PUT, path, json!({ "case_opened": false })).await;
    let wanted = |list: &Value, topic: &str| {
        let items = list["items"].as_array().unwrap().clone();
        items.into_iter().find(|item| item["topic"] == topic).unwrap()["wanted"].clone()
    };
    assert_eq!(
        (wanted(&first, "case_opened"), wanted(&set, "case_opened")),
        (json!(true), json!(false))
    );
    let others = world.done("milo", Method::GET, path, Value::Null).await;
    assert_eq!(wanted(&others, "case_opened"), json!(true), "nobody else's choice");
    let answer = world.ask(Some("stan"), Method::PUT, path, json!({ "weather": true })).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.text.contains("weather"), "{}", answer.text);
}
