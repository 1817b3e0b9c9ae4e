//! The whole process, in this one: made, started, asked over TLS, stopped.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::{
    clock::Now,
    registry::Registry,
    store::{Limits, Store},
    tasks::Scope,
    tls::{Ca, PeerTls, Trust},
    transport::{CarrierChoice, DialOptions, Dialer},
};

async fn data(dir: &Path) -> Options {
    let password = dir.join("password");
    std::fs::write(&password, "correct horse\n").unwrap();
    let mut ask = Init::new(dir.join("data"));
    ask.password_file = Some(password);
    ask.admin = "admin@op.example".into();
    ask.config = "gateway = \"gateway-1\"\n".into();
    let made = init(ask).await.unwrap();
    assert!(made.config.exists() && made.ca.exists());
    options(&dir.join("data"))
}

fn options(dir: &Path) -> Options {
    let mut options = Options::new(dir.to_owned());
    options.listen = "127.0.0.1:0".parse().unwrap();
    options.free_bytes_min = 0;
    options.drain = Duration::ZERO;
    options
}

async fn refused(options: Options) -> String {
    let scope = Scope::new("refused");
    let fault = start(options, &scope).await.unwrap_err();
    scope.close(CLOSE_MAX).await;
    format!("{:#}", anyhow::Error::from(fault))
}

/// One HTTP request over TLS under the CA in `dir`.
async fn http(dir: &Path, address: SocketAddr, request: &str) -> String {
    let trust = Trust::load(&dir.join("ca.pem")).unwrap();
    let options = DialOptions {
        host: address.ip().to_string(),
        port: address.port(),
        carrier: CarrierChoice::Tcp,
        proxy: None,
        bind: None,
    };
    let dialer = Dialer::new(options, PeerTls::new(&trust, None).unwrap());
    let mut stream = dialer.http().await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn a_gateway_that_was_made_starts_answers_and_stops() {
    let home = tempfile::tempdir().unwrap();
    let options = data(home.path()).await;
    let dir = options.dir.clone();
    let scope = Scope::new("gateway");
    let running = start(options.clone(), &scope).await.unwrap();
    let ready = "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let text = http(&dir, running.address, ready).await;
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    let body = r#"{"email":"admin@op.example","password":"correct horse"}"#;
    let login = format!(
        "POST /api/v1/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let text = http(&dir, running.address, &login).await;
    assert!(text.starts_with("HTTP/1.1 200") && text.contains("\"token\""), "{text}");

    let locked = refused(options.clone()).await;
    assert!(locked.contains("in use by another gateway"), "{locked}");

    running.drain().await;
    scope.close(CLOSE_MAX).await;
    let summary = verify_audit(&options.database()).await.unwrap();
    // Seeded, started, logged in, stopped.
    assert_eq!(summary.records, 4);

    let scope = Scope::new("again");
    let again = start(options, &scope).await.unwrap();
    again.drain().await;
}

#[tokio::test]
async fn what_has_expired_is_deleted_from_the_store() {
    let home = tempfile::tempdir().unwrap();
    let options = data(home.path()).await;
    let store = opened(&options).await;
    let admin = store.login("admin@op.example").await.unwrap().unwrap().person;
    let now = Now::read().wall;
    store.add_bearer(&[1; 32], &admin.id, now).await.unwrap();
    store.add_bearer(&[2; 32], &admin.id, now.plus(Duration::from_secs(3600))).await.unwrap();
    store.close().await;

    let scope = Scope::new("gateway");
    start(options.clone(), &scope).await.unwrap().drain().await;
    let store = opened(&options).await;
    assert_eq!(store.forget_expired(Now::read().wall).await.unwrap(), 0);
    assert!(store.bearer(&[2; 32], now).await.unwrap().is_some());
}

async fn opened(options: &Options) -> Store {
    let limits = Limits { free_bytes_min: 0, sessions_of_person: 1, sessions_of_device: 1 };
    Store::open(&options.database(), Arc::new(Registry::default()), limits).await.unwrap()
}

#[tokio::test]
async fn a_port_in_use_is_named_with_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let mut options = data(home.path()).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    options.listen = taken.local_addr().unwrap();
    let fault = refused(options.clone()).await;
    let port = options.listen.port();
    assert!(fault.contains(&format!("127.0.0.1:{port}")) && fault.contains("in use"), "{fault}");
    assert_eq!(fault.lines().count(), 1);

    // Nothing of it stays: the database is free again.
    options.listen = "127.0.0.1:0".parse().unwrap();
    let scope = Scope::new("after");
    start(options, &scope).await.unwrap().drain().await;
}

#[tokio::test]
async fn a_directory_that_is_no_gateways_is_told_in_one_line() {
    let home = tempfile::tempdir().unwrap();
    for dir in [home.path().to_owned(), home.path().join("nowhere")] {
        let fault = refused(options(&dir)).await;
        assert!(fault.contains("is no gateway's data directory"), "{fault}");
        assert!(fault.contains("caseway-gateway init"), "{fault}");
    }
    let options = data(home.path()).await;
    std::fs::remove_file(options.dir.join("warrant.key")).unwrap();
    let fault = refused(options).await;
    assert!(fault.contains("warrant.key cannot be read"), "{fault}");
    assert_eq!(fault.lines().count(), 1);
}

#[tokio::test]
async fn a_ca_of_another_time_or_with_a_foreign_key_is_told() {
    let home = tempfile::tempdir().unwrap();
    let options = data(home.path()).await;
    let replace = |now| {
        for file in ["ca.pem", "ca.key"] {
            std::fs::remove_file(options.dir.join(file)).unwrap();
        }
        Ca::create(&options.dir, "test", now).unwrap();
    };
    let year = Duration::from_secs(365 * 24 * 60 * 60);
    replace(Now::read().wall.plus(year));
    let fault = refused(options.clone()).await;
    assert!(fault.contains("the clock here reads") && fault.contains("set the clock"), "{fault}");

    replace(crate::clock::Wall(0));
    let fault = refused(options.clone()).await;
    assert!(fault.contains("ended at 1979-12-30"), "{fault}");

    replace(Now::read().wall);
    let other = home.path().join("other");
    std::fs::create_dir(&other).unwrap();
    Ca::create(&other, "other", Now::read().wall).unwrap();
    std::fs::copy(other.join("ca.key"), options.dir.join("ca.key")).unwrap();
    let fault = refused(options).await;
    assert!(fault.contains("is not for the key beside it"), "{fault}");
}
