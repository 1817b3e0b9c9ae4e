//! The API's client against a real HTTP server behind real TLS.

use std::{convert::Infallible, net::SocketAddr, sync::Mutex};

use hyper::{Response, server, service::service_fn};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::{
    clock::Now,
    tasks::Scope,
    tls::{Ca, Door, GatewayTls, Trust},
};

/// What a request looked like: method, address, token, body.
type Seen = Arc<Mutex<Vec<(String, String, String, String)>>>;
use std::sync::Arc;

struct Server {
    gateway: Gateway,
    seen: Seen,
    scope: Scope,
}

/// A server that answers each address as `answers` says: status and body.
async fn server(answers: &'static [(&'static str, u16, &'static str)]) -> Server {
    let now = Now::read().wall;
    let ca = Ca::fresh("test", now).unwrap();
    let identity = ca.server(&["localhost".to_owned(), "127.0.0.1".to_owned()], now).unwrap();
    let trust = Trust::from_pem(ca.certificate()).unwrap();
    let tls = GatewayTls::new(&identity, &trust).unwrap();
    let acceptor = TlsAcceptor::from(tls.config(Door::Http));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let seen = Seen::default();
    let (scope, noted) = (Scope::new("server"), Arc::clone(&seen));
    let inner = scope.clone();
    scope.spawn("accept", async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (acceptor, noted) = (acceptor.clone(), Arc::clone(&noted));
            inner.spawn("connection", async move {
                let Ok(stream) = acceptor.accept(socket).await else { return };
                let service = service_fn(|request| answer(request, answers, &noted));
                let connection = server::conn::http1::Builder::new();
                let _ = connection.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    let url = format!("https://{address}").parse().unwrap();
    Server { gateway: Gateway { url, ca: ca.certificate().to_owned() }, seen, scope }
}

async fn answer(
    request: Request<Incoming>,
    answers: &[(&str, u16, &'static str)],
    seen: &Seen,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let address = request.uri().to_string();
    let token = request.headers().get(header::AUTHORIZATION);
    let token = token.map(|t| t.to_str().unwrap().to_owned()).unwrap_or_default();
    let method = request.method().to_string();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    seen.lock().unwrap().push((method, address.clone(), token, body));
    let found = answers.iter().find(|(at, _, _)| *at == address);
    let (status, text) = found.map_or((404, "{}"), |(_, status, text)| (*status, text));
    let response = Response::builder().status(status);
    Ok(response.body(Full::new(Bytes::from_static(text.as_bytes()))).unwrap())
}

impl Server {
    fn api(&self) -> Api {
        Api::with_token(&self.gateway, SecretText::new("secret-token".into())).unwrap()
    }

    async fn close(self) {
        self.scope.close(Duration::ZERO).await;
    }
}

#[tokio::test]
async fn a_request_carries_the_token_and_its_body_and_brings_the_answer() {
    let server = server(&[("/api/v1/cases", 201, r#"{"id":"CASE-7"}"#)]).await;
    let item: Value = server.api().post("/cases", &json!({"title": "t"})).await.unwrap();
    assert_eq!(item["id"], "CASE-7");
    let seen = server.seen.lock().unwrap().clone();
    let body = r#"{"title":"t"}"#.to_owned();
    assert_eq!(seen, [("POST".into(), "/api/v1/cases".into(), "Bearer secret-token".into(), body)]);
    server.close().await;
}

#[tokio::test]
async fn a_list_is_read_to_its_last_page_with_the_filter_on_each() {
    let server = server(&[
        ("/api/v1/cases?q=a%20b", 200, r#"{"items":[1,2],"next":"n/1"}"#),
        ("/api/v1/cases?q=a%20b&cursor=n%2F1", 200, r#"{"items":[3],"next":null}"#),
    ])
    .await;
    let items = server.api().list("/cases", &Query::default().and("q", "a b")).await.unwrap();
    assert_eq!(items, [1, 2, 3]);
    server.close().await;
}

#[tokio::test]
async fn a_problem_becomes_one_line_with_its_code_and_its_exit() {
    let server = server(&[
        ("/api/v1/a", 409, r#"{"type":"about:blank","title":"Conflict","status":409,"detail":"remote access is switched off","reason":"switch_off"}"#),
        ("/api/v1/b", 401, r#"{"title":"Unauthorized","detail":"log in first","reason":"unauthenticated"}"#),
        ("/api/v1/c", 400, r#"{"detail":"field x","reason":"invalid"}"#),
        ("/api/v1/d", 502, "<html>"),
        ("/api/v1/e", 200, "no json"),
        ("/api/v1/f", 204, ""),
    ])
    .await;
    let api = server.api();
    let mut told = Vec::new();
    for path in ["/a", "/b", "/c", "/d", "/e"] {
        let failure = Failure::from(api.get::<Value>(path).await.unwrap_err());
        told.push(format!("{} {failure}", failure.exit.code()));
    }
    insta::assert_snapshot!(told.join("\n"));
    assert_eq!(api.get::<Value>("/f").await.unwrap(), Value::Null);
    server.close().await;
}

#[tokio::test]
async fn a_gateway_of_another_ca_is_told_nothing() {
    let server = server(&[]).await;
    let other = Ca::fresh("other", Now::read().wall).unwrap();
    let gateway = Gateway { ca: other.certificate().to_owned(), ..server.gateway.clone() };
    let api = Api::with_token(&gateway, SecretText::new("secret-token".into())).unwrap();
    let failure = Failure::from(api.get::<Value>("/me").await.unwrap_err());
    assert_eq!(failure.exit, Exit::Unreachable);
    assert!(failure.to_string().contains("--ca FILE"), "{failure}");
    assert_eq!(server.seen.lock().unwrap().len(), 0);
    server.close().await;
}

#[tokio::test]
async fn a_gateway_that_is_not_there_is_unreachable() {
    let server = server(&[]).await;
    let gateway = server.gateway.clone();
    server.close().await;
    let api = Api::anonymous(&gateway).unwrap();
    let failure = Failure::from(api.get::<Value>("/me").await.unwrap_err());
    assert_eq!(failure.exit, Exit::Unreachable);
    assert!(!failure.to_string().contains('\n'), "{failure}");
}
