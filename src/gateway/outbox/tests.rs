//! The sender against receivers on loopback.

use std::sync::Arc;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
use crate::{
    cases::{Case, Kind, State, Switch},
    machines::Asset,
    mail::{Encryption, tests::Server},
    registry::Registry,
    store::{By, Limits, NewHook, Seed, SeedPerson},
    tenancy::{Assignment, Person, Role, Scope as Covers, Tenant, TenantRole},
    webhooks::{Guard, Options},
};

/// An operator with an admin, two who talk about its press in CASE-1.
fn seed() -> Seed {
    let tenant = Tenant {
        id: "op".parse().unwrap(),
        name: "Op".into(),
        active: true,
        roles: [TenantRole::Basic, TenantRole::Operator, TenantRole::OperatorInternalService]
            .into(),
    };
    let mut seed = Seed { tenants: vec![tenant], ..Seed::default() };
    for (name, role) in [
        ("Tina", Role::TenantAdmin),
        ("Emil", Role::MaintenanceEngineer),
        ("Wanda", Role::WorkshopManager),
    ] {
        let id = name.to_lowercase();
        let person = Person {
            id: id.parse().unwrap(),
            tenant: "op".parse().unwrap(),
            email: format!("{id}@op.example"),
            name: name.into(),
            active: true,
        };
        seed.people.push(SeedPerson { person, password_hash: None });
        seed.assignments.push(Assignment {
            id: format!("{id}-0").parse().unwrap(),
            person: id.parse().unwrap(),
            role,
            scope: Covers::Whole,
        });
    }
    seed.assets = vec![Asset {
        id: "press-7".parse().unwrap(),
        operator: "op".parse().unwrap(),
        name: "Press 7".into(),
        serial: "P-0007".into(),
        facility: None,
        active: true,
        switch: Switch::default(),
        device: None,
    }];
    seed.cases = vec![Case {
        id: "CASE-1".parse().unwrap(),
        title: "It squeaks".into(),
        kind: Kind::OperatorInternal {
            operator: "op".parse().unwrap(),
            asset: "press-7".parse().unwrap(),
            switch: Switch::default(),
        },
        state: State::New,
        created_by: "emil".parse().unwrap(),
        assignee: None,
        created_at: Wall(0),
        closed_at: None,
    }];
    seed
}

async fn senders(dir: &std::path::Path) -> Senders {
    let limits = Limits { free_bytes_min: 0, ..Limits::default() };
    let path = dir.join("caseway.db");
    let store = Store::open(&path, Arc::new(Registry::default()), limits).await.unwrap();
    let guard = Guard { danger_loopback: true, ..Guard::default() };
    let webhooks = webhooks::Sender::new(&Options { guard, ca: None }).unwrap();
    let (gateway, url) = ("gateway-1".parse().unwrap(), "https://gateway.example".to_owned());
    Senders { store, gateway, url, webhooks, mail: None }
}

/// A receiver and a webhook that leads to it.
async fn receiver(store: &Store, id: &str) -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/{id}", listener.local_addr().unwrap());
    let new = NewHook {
        id: Some(id.parse().unwrap()),
        name: id.to_owned(),
        url: url.parse().unwrap(),
        kinds: Vec::new(),
    };
    store.create_hook(&tina(), &new, Now::read()).await.unwrap();
    listener
}

fn tina() -> By {
    By { person: "tina".parse().unwrap(), source_ip: None }
}

async fn test(store: &Store, hook: &str) -> String {
    let hook = hook.parse().unwrap();
    store.test_hook(&tina(), &hook, Now::read()).await.unwrap().value.to_string()
}

/// Takes one message, answers `status`, and gives the message's id. Takes it and says nothing
/// where there is no status.
async fn take(listener: &TcpListener, status: Option<u16>) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut text = String::new();
    while !text.contains("\r\n\r\n{") {
        let mut some = [0; 4_096];
        let n = stream.read(&mut some).await.unwrap();
        text.push_str(std::str::from_utf8(&some[..n]).unwrap());
    }
    let id = text.lines().find_map(|line| line.strip_prefix("webhook-id: ")).unwrap().to_owned();
    match status {
        Some(status) => {
            let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        // Held open for as long as the test runs: the sender waits.
        None => std::mem::forget(stream),
    }
    id
}

#[tokio::test]
async fn a_restart_in_mid_delivery_loses_nothing_and_sends_again_under_the_same_id() {
    let dir = tempfile::tempdir().unwrap();
    let first = senders(dir.path()).await;
    first.store.seed(&seed(), &first.gateway, Now::read()).await.unwrap();
    let listener = receiver(&first.store, "tickets").await;
    let scope = Scope::new("first");
    scope.spawn("outbox", run(first.clone(), scope.clone()));
    let sent = [test(&first.store, "tickets").await, test(&first.store, "tickets").await];
    assert_eq!(take(&listener, None).await, sent[0]);
    // The gateway goes while the receiver has not answered.
    scope.close(Duration::ZERO).await;
    first.store.close().await;

    let second = senders(dir.path()).await;
    let scope = Scope::new("second");
    scope.spawn("outbox", run(second.clone(), scope.clone()));
    for id in &sent {
        assert_eq!(take(&listener, Some(200)).await, *id, "in their order");
    }
    let more = test(&second.store, "tickets").await;
    assert_eq!(take(&listener, Some(200)).await, more, "what was taken does not come again");
    scope.close(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_receiver_that_hangs_holds_up_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let senders = senders(dir.path()).await;
    senders.store.seed(&seed(), &senders.gateway, Now::read()).await.unwrap();
    let deaf = receiver(&senders.store, "deaf").await;
    let good = receiver(&senders.store, "good").await;
    let scope = Scope::new("outbox");
    scope.spawn("outbox", run(senders.clone(), scope.clone()));
    let hung = test(&senders.store, "deaf").await;
    assert_eq!(take(&deaf, None).await, hung);
    for _ in 0..3 {
        let sent = test(&senders.store, "good").await;
        assert_eq!(take(&good, Some(204)).await, sent);
    }
    scope.close(Duration::ZERO).await;
}

#[tokio::test]
async fn what_is_not_taken_is_tried_again_and_the_log_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let senders = senders(dir.path()).await;
    senders.store.seed(&seed(), &senders.gateway, Now::read()).await.unwrap();
    let listener = receiver(&senders.store, "tickets").await;
    let scope = Scope::new("outbox");
    scope.spawn("outbox", run(senders.clone(), scope.clone()));
    let sent = test(&senders.store, "tickets").await;
    assert_eq!(take(&listener, Some(500)).await, sent);
    // The first wait of the schedule: five seconds.
    assert_eq!(take(&listener, Some(200)).await, sent);
    scope.close(Duration::from_secs(5)).await;
    let (tina, hook) = (tina().person, "tickets".parse().unwrap());
    let page = crate::store::Page::default();
    let log = senders.store.deliveries(&tina, &hook, &page, Now::read()).await.unwrap().unwrap();
    let entry = &log.items[0];
    assert_eq!((entry.state.as_str(), entry.attempts, entry.status), ("taken", 2, Some(200)));
}

#[tokio::test]
async fn what_was_said_and_who_is_invited_arrives_by_mail() {
    let Some(server) = Server::start("plain", false, None) else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut senders = senders(dir.path()).await;
    senders.mail = Some(Mailer::new(&server.options(Encryption::DangerNone)).unwrap());
    let (store, now) = (senders.store.clone(), Now::read());
    store.seed(&seed(), &senders.gateway, now).await.unwrap();
    let scope = Scope::new("outbox");
    scope.spawn("outbox", run(senders.clone(), scope.clone()));

    let emil = By { person: "emil".parse().unwrap(), source_ip: None };
    let (case, wanda) = ("CASE-1".parse().unwrap(), ["wanda".parse().unwrap()]);
    store.post_message(&emil, &case, "Heard it?", &wanda, now).await.unwrap();
    let (server, message) = next(server).await;
    assert_eq!(message["to"], serde_json::json!(["wanda@op.example"]));
    let content = message["content"].as_str().unwrap();
    for words in ["CASE-1 has a message for you", "Press 7", "Heard it?", "Emil"] {
        assert!(content.contains(words), "{words}: {content}");
    }

    let invited = store.invite_person(&tina(), "ines@new.example", &[], now).await.unwrap().value;
    let (_server, message) = next(server).await;
    assert_eq!(message["to"], serde_json::json!(["ines@new.example"]));
    let content = message["content"].as_str().unwrap();
    assert!(content.contains("Subject: Op invites you to Caseway"), "{content}");
    assert!(!content.contains(invited.token.expose()), "{content}");
    scope.close(Duration::from_secs(5)).await;
}

/// The next mail that the server took, waited for without holding up whoever sends it.
async fn next(mut server: Server) -> (Server, serde_json::Value) {
    let taken = tokio::task::spawn_blocking(move || {
        let message = server.message();
        (server, message)
    });
    tokio::time::timeout(Duration::from_secs(20), taken).await.unwrap().unwrap()
}
