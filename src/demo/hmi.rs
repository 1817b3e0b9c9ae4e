//! The demo machine's own web page: what an operator panel shows in a browser.

use std::{convert::Infallible, io, sync::Arc};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode, body::Bytes, body::Incoming, header,
    server::conn::http1, service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tracing::debug;

use super::press::Press;
use crate::{clock::Now, tasks::Scope};

const PAGE: &str = include_str!("hmi.html");

/// Serves the page until `listener` fails.
pub(super) async fn serve(
    listener: TcpListener,
    press: Arc<Press>,
    scope: Scope,
) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let press = press.clone();
        scope.spawn("hmi", async move {
            let answer = service_fn(|request| {
                let response = route(&request, &press);
                async move { Ok::<_, Infallible>(response) }
            });
            let served = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
            if let Err(error) = served {
                debug!(%error, "an HMI connection ended");
            }
        });
    }
}

fn route(request: &Request<Incoming>, press: &Press) -> Response<Full<Bytes>> {
    let now = Now::read().mono;
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => reply(StatusCode::OK, "text/html; charset=utf-8", PAGE.into()),
        (&Method::GET, "/reading") => reading(press),
        (&Method::POST, "/motor/on") => {
            press.run(true, now);
            reading(press)
        }
        (&Method::POST, "/motor/off") => {
            press.run(false, now);
            reading(press)
        }
        _ => reply(StatusCode::NOT_FOUND, "text/plain", "no such page; try /\n".into()),
    }
}

fn reading(press: &Press) -> Response<Full<Bytes>> {
    match serde_json::to_string(&press.read(Now::read().mono)) {
        Ok(json) => reply(StatusCode::OK, "application/json", json),
        Err(_) => reply(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", String::new()),
    }
}

fn reply(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}
