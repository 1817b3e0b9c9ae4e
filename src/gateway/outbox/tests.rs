//! The sender against receivers on loopback.

use std::sync::Arc;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
use crate::{
    registry::Registry,
    store::{By, Limits, NewHook, Seed, SeedPerson},
    tenancy::{Assignment, Person, Role, Scope as Covers, Tenant, TenantRole},
    webhooks::{Guard, Options},
};

fn seed() -> Seed {
    let tenant = Tenant {
        id: "op".parse().unwrap(),
        name: "Op".into(),
        active: true,
        roles: [TenantRole::Basic, TenantRole::Operator].into(),
    };
    let person = Person {
        id: "tina".parse().unwrap(),
        tenant: tenant.id.clone(),
        email: "tina@op.example".into(),
        name: "Tina".into(),
        active: true,
    };
    let assignment = Assignment {
        id: "tina-0".parse().unwrap(),
        person: person.id.clone(),
        role: Role::TenantAdmin,
        scope: Covers::Whole,
    };
    Seed {
        tenants: vec![tenant],
        people: vec![SeedPerson { person, password_hash: None }],
        assignments: vec![assignment],
        ..Seed::default()
    }
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
