//! What a ticket system's owner does: import a table, register a webhook, verify what arrives.

use std::process::Stdio;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    process::Command,
};

use crate::world::{Gateway, within};

const ADMIN: &str = "ada@aurora.example";

async fn gateway() -> Gateway {
    let edit = |config: String| {
        assert!(config.contains("#danger_loopback = false"), "{config}");
        config.replace("#danger_loopback = false", "danger_loopback = true")
    };
    Gateway::start_with(ADMIN, edit).await
}

/// Takes one message: its head and its body.
async fn take(listener: &TcpListener) -> (String, String) {
    within("a message", async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut text = String::new();
        loop {
            let mut some = [0; 4_096];
            let n = stream.read(&mut some).await.unwrap();
            text.push_str(std::str::from_utf8(&some[..n]).unwrap());
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            if body.len() >= header(head, "content-length").parse().unwrap() {
                stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
                return (head.to_owned(), body.to_owned());
            }
        }
    })
    .await
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).unwrap().1
}

/// HMAC-SHA256 in base64, by a program that is not ours.
async fn signed_by_openssl(key: &[u8], text: &str) -> String {
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut openssl = Command::new("openssl")
        .args(["dgst", "-sha256", "-binary", "-mac", "HMAC", "-macopt", &format!("hexkey:{hex}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    openssl.stdin.take().unwrap().write_all(text.as_bytes()).await.unwrap();
    STANDARD.encode(openssl.wait_with_output().await.unwrap().stdout)
}

#[tokio::test]
async fn a_ticket_system_hears_of_a_machine_and_believes_what_is_signed() {
    let gateway = gateway().await;
    let ada = gateway.technician(ADMIN, &gateway.admin_password()).await;
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/caseway", listener.local_addr().unwrap());
    let secret = file("secret");
    let add =
        ["webhook", "add", &url, "--id", "tickets", "--kind", "asset.created", "--secret-out"];
    assert_eq!(ada.must(&[&add[..], &[secret.as_str()]].concat()).await, "tickets\n");

    let password = file("wim.password");
    let person =
        ["user", "add", "wim@aurora.example", "--name", "Wim", "--role", "workshop_manager"];
    ada.must(&[&person[..], &["--password-out", password.as_str()]].concat()).await;
    let wim = gateway.technician("wim@aurora.example", password.as_ref()).await;
    let table = file("assets.csv");
    std::fs::write(&table, "\u{feff}serial;name\r\nSN-7;\"Press; 7\"\r\n").unwrap();
    let said = wim.must(&["import", "assets", &table, "--dry-run"]).await;
    assert!(said.contains("SN-7") && said.contains("created"), "{said}");
    assert!(!wim.must(&["assets"]).await.contains("SN-7"), "a dry run imports nothing");
    wim.must(&["import", "assets", &table]).await;

    let (head, body) = take(&listener).await;
    let message: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(message["type"], "asset.created");
    assert_eq!(message["data"]["new"], "Press; 7");
    let secret = std::fs::read_to_string(&secret).unwrap();
    let key = STANDARD.decode(secret.trim().strip_prefix("whsec_").unwrap()).unwrap();
    let (id, at) = (header(&head, "webhook-id"), header(&head, "webhook-timestamp"));
    let tag = header(&head, "webhook-signature").strip_prefix("v1,").unwrap();
    assert_eq!(tag, signed_by_openssl(&key, &format!("{id}.{at}.{body}")).await);

    ada.must(&["webhook", "test", "tickets"]).await;
    let (_, body) = take(&listener).await;
    let message: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(message["data"], json!({ "name": "127.0.0.1", "webhook": "tickets" }));
    let log = ada.must(&["webhook", "deliveries", "tickets"]).await;
    assert!(log.contains("asset.created") && log.contains("webhook.test"), "{log}");
    let topics = wim.must(&["notifications", "set", "case_assigned", "off"]).await;
    let mut rows = topics.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
    assert!(rows.any(|row| row.starts_with(&["case_assigned", "off"])), "{topics}");
    gateway.audit_verifies().await;
}

#[tokio::test]
async fn a_ticket_system_opens_changes_and_closes_a_case_by_its_own_number() {
    let gateway = gateway().await;
    let ada = gateway.technician(ADMIN, &gateway.admin_password()).await;
    let dir = tempfile::tempdir().unwrap();
    let add = async |name: &str, role: &str| {
        let (email, file) = (format!("{name}@aurora.example"), dir.path().join(name));
        let out = file.to_str().unwrap();
        let person = ["user", "add", &email, "--name", name, "--role", role, "--password-out", out];
        ada.must(&person).await;
        gateway.technician(&email, file.as_ref()).await
    };
    let wim = add("wim", "workshop_manager").await;
    wim.must(&["asset", "add", "press-7", "--name", "Press 7", "--serial", "SN-7"]).await;
    let mia = add("mia", "maintenance_engineer").await;
    let ticket = ["case", "put", "HD/17", "--type", "operator_internal", "--asset", "press-7"];
    let put = async |more: &[&str]| {
        let words = ["--severity", "degraded", "--title", "It squeaks"];
        mia.must(&[&ticket[..], &words, more].concat()).await
    };
    assert_eq!(put(&[]).await, "CASE-1\n");
    assert_eq!(put(&["--state", "closed"]).await, "CASE-1\n");
    assert_eq!(put(&["--state", "closed"]).await, "CASE-1\n");
    let history = mia.must(&["case", "history", "CASE-1"]).await;
    assert_eq!(history.matches("case closed").count(), 1, "{history}");
    let found = mia.must(&["cases", "--external-id", "HD/17"]).await;
    assert!(found.contains("CASE-1") && found.contains("closed"), "{found}");
    gateway.audit_verifies().await;
}
