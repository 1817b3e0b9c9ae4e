//! Messages against receivers on loopback: what arrives, and what is made of each answer.

use std::{future::Future, net::SocketAddr};

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{Guard, Options, Sender};
use crate::{
    clock::Now,
    hooks::{HookSecret, HookUrl, Outcome},
    tls::{Ca, Door, GatewayTls, Trust},
};

fn sender(danger_loopback: bool) -> Sender {
    let guard = Guard { danger_loopback, ..Guard::default() };
    Sender::new(&Options { guard, ca: None }).unwrap()
}

fn url(scheme: &str, address: SocketAddr) -> HookUrl {
    format!("{scheme}://{address}/in?key=1").parse().unwrap()
}

/// Answers one request with `answer`, and gives what was asked.
async fn receive(listener: &TcpListener, answer: &str) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let asked = read(&mut stream).await;
    stream.write_all(answer.as_bytes()).await.unwrap();
    asked
}

/// A request: its head, and as much as its length says.
async fn read(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut text = String::new();
    loop {
        let mut some = [0; 4_096];
        let n = stream.read(&mut some).await.unwrap();
        text.push_str(std::str::from_utf8(&some[..n]).unwrap());
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        if n == 0 || body.len() >= header(head, "content-length").parse().unwrap() {
            return text;
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).unwrap().1
}

/// What becomes of a message whose receiver does `what`.
async fn outcome<F: Future<Output = ()> + Send>(what: impl FnOnce(TcpListener) -> F) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = url("http", listener.local_addr().unwrap());
    let secrets = [HookSecret::fresh().unwrap()];
    let sender = sender(true);
    let sent = sender.post(&url, "id-1", &secrets, "{}".to_owned());
    let (outcome, ()) = tokio::join!(sent, what(listener));
    outcome
}

async fn answered(answer: &str) -> Outcome {
    outcome(async |listener: TcpListener| {
        receive(&listener, answer).await;
    })
    .await
}

#[tokio::test]
async fn a_message_arrives_signed_and_whole() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = url("http", listener.local_addr().unwrap());
    let secrets = [HookSecret::fresh().unwrap(), HookSecret::fresh().unwrap()];
    let body = r#"{"type":"case.closed","data":{"title":"Ölleck"}}"#;
    let (sender, answer) = (sender(true), "HTTP/1.1 204 No Content\r\n\r\n");
    let sent = sender.post(&url, "0196-1", &secrets, body.to_owned());
    let (outcome, asked) = tokio::join!(sent, receive(&listener, answer));

    assert_eq!(outcome, Outcome::Taken { status: 204 });
    let (head, received) = asked.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /in?key=1 HTTP/1.1\r\n"), "{head}");
    assert_eq!(received, body);
    assert_eq!(header(head, "content-type"), "application/json");
    assert_eq!(header(head, "host"), url.authority());
    // As a receiver verifies it: from the text of the secret, by the standard's words.
    let (id, at) = (header(head, "webhook-id"), header(head, "webhook-timestamp"));
    assert_eq!(id, "0196-1");
    assert!((at.parse::<i64>().unwrap() - Now::read().wall.0 / 1_000).abs() < 60);
    let signatures: Vec<&str> = header(head, "webhook-signature").split(' ').collect();
    assert_eq!(signatures.len(), 2, "both secrets sign while one replaces the other");
    for (signature, secret) in signatures.iter().zip(&secrets) {
        let text = secret.text();
        let key = STANDARD.decode(text.expose().strip_prefix("whsec_").unwrap()).unwrap();
        let tag = STANDARD.decode(signature.strip_prefix("v1,").unwrap()).unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        hmac::verify(&key, format!("{id}.{at}.{received}").as_bytes(), &tag).unwrap();
    }
}

#[tokio::test]
async fn each_answer_means_what_the_standard_says() {
    let mut told = Vec::new();
    for head in [
        "200 OK",
        "301 Moved\r\nLocation: http://127.0.0.1/",
        "404 Not Found",
        "410 Gone",
        "429 Slow\r\nRetry-After: 90",
        "500 Broken",
        "503 Busy\r\nRetry-After: Fri, 01 May 2026 08:00:00 GMT",
    ] {
        told.push(format!(
            "{:?}",
            answered(&format!("HTTP/1.1 {head}\r\nContent-Length: 0\r\n\r\n")).await
        ));
    }
    told.push(format!("{:?}", answered("SSH-2.0-OpenSSH_9\r\n").await));
    insta::assert_snapshot!(told.join("\n"));
}

#[tokio::test]
async fn a_receiver_that_closes_or_is_not_there_is_a_failure_in_words() {
    let closed =
        outcome(async |listener: TcpListener| drop(listener.accept().await.unwrap())).await;
    assert_eq!(closed, Outcome::failed("the connection closed without an answer"));
    let Outcome::Failed { fault, .. } = outcome(async |listener| drop(listener)).await else {
        panic!("not a failure");
    };
    assert!(fault.starts_with("cannot connect to 127.0.0.1:"), "{fault}");
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_hangs_is_given_up_in_time() {
    let began = Now::read().mono;
    let hung = outcome(async |listener: TcpListener| {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = Vec::new();
        // Until the other side gives up.
        let _ = stream.read_to_end(&mut asked).await;
    })
    .await;
    assert_eq!(hung, Outcome::failed("no answer within 20 s"));
    assert!((Now::read().mono - began).as_secs() < 30);
}

#[tokio::test]
async fn nothing_inside_is_even_connected_to() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let port = address.port();
    let secrets = [HookSecret::fresh().unwrap()];
    for inside in [
        url("https", address).to_string(),
        format!("https://localhost:{port}/"),
        format!("https://[::ffff:127.0.0.1]:{port}/"),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "https://10.0.0.1/".to_owned(),
    ] {
        let url: HookUrl = inside.parse().unwrap();
        let outcome = sender(false).post(&url, "id", &secrets, String::new()).await;
        let Outcome::Failed { status: None, fault, .. } = outcome else { panic!("{inside}") };
        assert!(fault.contains("leads to no address that webhooks may reach"), "{inside}: {fault}");
    }
    let plain = sender(false).post(&url("http", address), "id", &secrets, String::new()).await;
    assert_eq!(plain, Outcome::failed("http is not allowed here: expected https"));
    let asked = tokio::time::timeout(std::time::Duration::from_millis(50), listener.accept()).await;
    assert!(asked.is_err(), "somebody connected");
}

#[tokio::test]
async fn tls_is_for_the_name_in_the_address_and_by_a_known_authority() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::fresh("receivers", Now::read().wall).unwrap();
    let file = dir.path().join("ca.pem");
    std::fs::write(&file, ca.certificate()).unwrap();
    let guard = Guard { danger_loopback: true, ..Guard::default() };
    let known = Sender::new(&Options { guard: guard.clone(), ca: Some(file) }).unwrap();
    let right = ca.server(&["127.0.0.1".to_owned()], Now::read().wall).unwrap();
    let wrong = ca.server(&["tickets.example".to_owned()], Now::read().wall).unwrap();

    let mut told = Vec::new();
    for (sender, identity) in [(&known, &right), (&known, &wrong), (&sender(true), &right)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = url("https", listener.local_addr().unwrap());
        let tls = GatewayTls::new(identity, &Trust::from_pem(ca.certificate()).unwrap()).unwrap();
        let secrets = [HookSecret::fresh().unwrap()];
        let sent = sender.post(&url, "id", &secrets, "{}".to_owned());
        let (outcome, ()) = tokio::join!(sent, answer_tls(&listener, &tls));
        told.push(format!("{outcome:?}"));
    }
    insta::assert_snapshot!(told.join("\n"));
    let nowhere = Options { guard, ca: Some(dir.path().join("no.pem")) };
    let said = Sender::new(&nowhere).unwrap_err().to_string();
    assert!(said.contains("no.pem"), "{said}");
}

async fn answer_tls(listener: &TcpListener, tls: &GatewayTls) {
    let (stream, _): (TcpStream, _) = listener.accept().await.unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(tls.config(Door::Http));
    // A sender that does not believe us is gone by now.
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    read(&mut stream).await;
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
}
