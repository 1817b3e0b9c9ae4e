//! One message, one request, one outcome.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    pin::pin,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, StatusCode,
    client::conn::http1,
    header::{CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    time::timeout,
};

use super::guard::Guard;
use crate::{
    clock::Now,
    hooks::{HookSecret, HookUrl, Outcome},
    tls::{TlsFault, WebTls, WebTlsError},
};

/// The longest that a name may take to resolve.
const RESOLVE_MAX: Duration = Duration::from_secs(5);
/// The longest that one address may take to be connected to, TLS included.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 3;
/// The longest that a receiver may take to answer, all the above included (Standard Webhooks asks
/// for 15 to 30 seconds).
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// The longest head of an answer.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// How webhooks leave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    pub guard: Guard,
    /// The authorities that vouch for receivers; the system's, if none.
    pub ca: Option<PathBuf>,
}

/// Sends webhooks; may be cloned.
#[derive(Clone, Debug)]
pub struct Sender {
    guard: Guard,
    tls: WebTls,
}

impl Sender {
    /// Reads the authorities once; a restart reads them again.
    ///
    /// # Errors
    ///
    /// [`WebTlsError`].
    pub fn new(options: &Options) -> Result<Self, WebTlsError> {
        let tls = WebTls::new(options.ca.as_deref())?;
        Ok(Self { guard: options.guard.clone(), tls })
    }

    /// Sends `body` under `id`, signed with each of `secrets`.
    pub async fn post(
        &self,
        url: &HookUrl,
        id: &str,
        secrets: &[HookSecret],
        body: String,
    ) -> Outcome {
        match timeout(ANSWER_MAX, self.attempt(url, id, secrets, body)).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(fault)) => Outcome::failed(fault),
            Err(_) => Outcome::failed(format!("no answer within {} s", ANSWER_MAX.as_secs())),
        }
    }

    async fn attempt(
        &self,
        url: &HookUrl,
        id: &str,
        secrets: &[HookSecret],
        body: String,
    ) -> Result<Outcome, String> {
        let stream = self.connect(url).await?;
        let request = request(url, id, secrets, body)?;
        if url.is_encrypted() {
            let handshake = timeout(CONNECT_MAX, self.tls.connect(url.host(), stream)).await;
            let stream =
                handshake.map_err(|_| "TLS took too long".to_owned())?.map_err(tls_fault)?;
            ask(stream, request).await
        } else {
            ask(stream, request).await
        }
    }

    /// A connection to an address of `url` that the guard admits.
    async fn connect(&self, url: &HookUrl) -> Result<TcpStream, String> {
        if !url.is_encrypted() && !self.guard.danger_loopback {
            return Err("http is not allowed here: expected https".to_owned());
        }
        let mut last = String::new();
        for address in self.addresses(url).await? {
            match timeout(CONNECT_MAX, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(fault)) => last = format!("cannot connect to {address}: {}", fault.kind()),
                Err(_) => last = format!("cannot connect to {address}: no answer"),
            }
        }
        Err(last)
    }

    async fn addresses(&self, url: &HookUrl) -> Result<Vec<SocketAddr>, String> {
        let found: Vec<SocketAddr> = match url.host().parse::<IpAddr>() {
            Ok(ip) => vec![SocketAddr::new(ip, url.port())],
            Err(_) => timeout(RESOLVE_MAX, lookup_host((url.host(), url.port())))
                .await
                .map_err(|_| format!("{} does not resolve in time", url.host()))?
                .map_err(|_| format!("{} does not resolve", url.host()))?
                .collect(),
        };
        let admitted: Vec<SocketAddr> = found
            .into_iter()
            .filter(|address| self.guard.admits(address.ip()))
            .take(ADDRESSES_MAX)
            .collect();
        if admitted.is_empty() {
            return Err(format!(
                "{} leads to no address that webhooks may reach; the gateway's owner can allow its \
                 network: webhooks.allow",
                url.host()
            ));
        }
        Ok(admitted)
    }
}

fn tls_fault(fault: io::Error) -> String {
    match TlsFault::of(&fault) {
        Some(TlsFault::ForeignCa) => {
            "its certificate is by an authority that is not trusted here".to_owned()
        }
        Some(TlsFault::Expired { until, .. }) => format!("its certificate ended at {until}"),
        Some(TlsFault::WrongName { expected, .. }) => {
            format!("its certificate is not for {expected}")
        }
        Some(other) => format!("TLS failed: {other}"),
        None => format!("TLS failed: {}", fault.kind()),
    }
}

fn request(
    url: &HookUrl,
    id: &str,
    secrets: &[HookSecret],
    body: String,
) -> Result<Request<Full<Bytes>>, String> {
    let seconds = Now::read().wall.0 / 1_000;
    let signed: Vec<String> =
        secrets.iter().map(|secret| secret.sign(id, seconds, body.as_bytes())).collect();
    let mut request = Request::post(url.target())
        .body(Full::new(Bytes::from(body)))
        .map_err(|fault| fault.to_string())?;
    let text = |text: String| HeaderValue::from_str(&text).map_err(|fault| fault.to_string());
    let headers = request.headers_mut();
    headers.insert(HOST, text(url.authority())?);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!("caseway/", env!("CARGO_PKG_VERSION"))),
    );
    headers.insert("webhook-id", text(id.to_owned())?);
    headers.insert("webhook-timestamp", text(seconds.to_string())?);
    headers.insert("webhook-signature", text(signed.join(" "))?);
    Ok(request)
}

/// Sends `request` and reads the answer's head. The connection ends with it: nobody waits for an
/// answer's body.
async fn ask<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Outcome, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|_| "the connection broke".to_owned())?;
    let mut answer = pin!(sender.send_request(request));
    let early = tokio::select! {
        biased;
        // Not dropped: pinned outside.
        answer = answer.as_mut() => Some(answer),
        // Drives the connection; dropped on purpose once the head is here.
        _ = connection => None,
    };
    // A connection that is over has left its answer behind, if there was one.
    let answer = match early {
        Some(answer) => answer,
        None => answer.await,
    };
    let answer = answer.map_err(|fault| match fault {
        fault if fault.is_parse() || fault.is_parse_too_large() => {
            "what came back is no HTTP answer".to_owned()
        }
        _ => "the connection closed without an answer".to_owned(),
    })?;
    Ok(outcome(answer.status(), answer.headers().get(RETRY_AFTER)))
}

/// What a status means (Standard Webhooks 1.0.0, "Delivery success and failure").
fn outcome(status: StatusCode, retry_after: Option<&HeaderValue>) -> Outcome {
    let code = status.as_u16();
    if status.is_success() {
        return Outcome::Taken { status: code };
    }
    if status == StatusCode::GONE {
        let fault = "the receiver answered 410: it wants nothing more".to_owned();
        return Outcome::Refused { status: Some(code), fault };
    }
    let fault = if status.is_redirection() {
        format!("answered {code}: redirects are not followed; change the webhook's address")
    } else {
        format!("answered {code}")
    };
    let seconds = retry_after.and_then(|value| value.to_str().ok()?.trim().parse().ok());
    Outcome::Failed { status: Some(code), fault, retry_after: seconds.map(Duration::from_secs) }
}
