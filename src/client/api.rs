//! The gateway's API, spoken over HTTP/1.1: one connection a request, everything bounded.

mod model;
#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, StatusCode, body::Incoming, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::time::timeout;

pub(super) use model::{
    Answered, AssetRow, CaseRow, Certificate, ChangeRow, ConfigRow, DecommissionRow, DeviceRow,
    Enrolment, Explanation, FacilityRow, Held, HistoryRow, Me, MessageRow, ModelRow, Named,
    PersonRow, RequestRow, RoleRow, SessionRow, SwitchState, Switched, Token, TunnelRow,
};

use model::Items;

use super::{
    exit::{Exit, Failure},
    gate::{self, GateError},
    outbound::FaultRow,
    state::Gateway,
};
use crate::{
    secret::SecretText,
    transport::{Dialer, GatewayUrl},
};

/// A request is answered within this time, connecting included.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);

/// The longest answer that is read, in bytes; a longer one is an error.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// The most pages of one list that are read.
const PAGES_MAX: usize = 1_000;

/// One gateway's API, as one person.
#[derive(Debug)]
pub(super) struct Api {
    url: GatewayUrl,
    dialer: Dialer,
    token: Option<SecretText>,
}

/// What the gateway says in place of an answer (RFC 9457).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Problem {
    pub(super) title: String,
    pub(super) status: u16,
    pub(super) detail: String,
    /// A code of domain.md J, or one of the API's own.
    pub(super) reason: String,
    /// What is wrong with a table, line by line.
    pub(super) faults: Vec<FaultRow>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    #[error(transparent)]
    Gate(#[from] GateError),
    #[error("the gateway did not answer within {} s", ANSWER_TIME_MAX.as_secs())]
    TimedOut,
    #[error("the connection to the gateway broke")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("{}", if .0.detail.is_empty() { &.0.title } else { &.0.detail })]
    Problem(Problem),
    #[error("the gateway's answer is not what this version expects: {0}")]
    Strange(String),
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        let what = error.to_string();
        match error {
            ApiError::Gate(gate) => gate.into(),
            ApiError::TimedOut => Self::new(Exit::TimedOut, what).hint("try again"),
            ApiError::Broken(_) => Self::new(Exit::Unreachable, what).hint("try again"),
            ApiError::Problem(problem) => problem.failure(what),
            ApiError::Strange(_) => {
                Self::new(Exit::Other, what).hint("compare the versions of caseway and the gateway")
            }
        }
    }
}

impl ApiError {
    /// The failure; what is not there is listed by `command`.
    pub(super) fn or_see(self, command: &str) -> Failure {
        let failure = Failure::from(self);
        match failure.code.as_deref() {
            Some("not_found") => failure.hint(format!("see what there is: `{command}`")),
            Some(_) | None => failure,
        }
    }
}

impl Problem {
    fn failure(self, what: String) -> Failure {
        let exit = match self.reason.as_str() {
            "invalid" | "too_large" | "method" => Exit::Usage,
            "conflict" => Exit::Other,
            "timed_out" => Exit::TimedOut,
            "" if self.status == 401 => Exit::NotLoggedIn,
            "" => Exit::Other,
            reason => Exit::of_reason(reason),
        };
        let failure = Failure::new(exit, what);
        let failure = if self.reason.is_empty() { failure } else { failure.code(&self.reason) };
        if exit == Exit::NotLoggedIn {
            return failure.hint("log in with `caseway login URL`");
        }
        match hint(&self.reason) {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

/// What to do about a refusal with this reason code.
pub(super) fn hint(reason: &str) -> Option<&'static str> {
    match reason {
        "disabled" => Some("ask your tenant's administrator"),
        "not_found" => Some("check the name: `caseway cases`, `caseway assets`"),
        "case_type" => Some("no operator takes part in such a case, so nobody can consent"),
        "case_closed" => Some("reopen the case: `caseway case reopen CASE`"),
        "asset_inactive" => Some("ask the machine's operator to activate it"),
        "no_provider" => Some("the machine must be linked with a service provider first"),
        "role" | "scope" => Some("ask your tenant's administrator for a role that covers it"),
        "assignee_role" => Some("choose somebody who holds the role"),
        "switch_off" => {
            Some("ask the machine's operator to turn it on: `caseway case switch CASE on`")
        }
        "config" => Some("list the tunnels with `caseway tunnels CASE`"),
        "not_owner" => Some("the company that owns the edge device decides that: ask it"),
        "stale" => Some("somebody else changed it meanwhile: look at it, then try again"),
        "mode" => Some("the tunnel allows other ways in only"),
        "no_edge" => Some("pair an edge device with it: `caseway device pair ASSET DEVICE`"),
        "edge_offline" => Some("see that the edge device has power and network, then try again"),
        "edge_refused" => Some("somebody at the machine must allow it on the device"),
        "limit" => Some("end a session first: `caseway sessions`"),
        "unavailable" => Some("the gateway's log says why; try again"),
        "draining" => Some("the gateway is about to restart; try again in a moment"),
        _ => None,
    }
}

impl Api {
    /// The API of `gateway`, without a log-in.
    ///
    /// # Errors
    ///
    /// When the CA that is to be trusted cannot be read.
    pub(super) fn anonymous(gateway: &Gateway) -> Result<Self, GateError> {
        Ok(Self { url: gateway.url.clone(), dialer: gate::http(gateway)?, token: None })
    }

    /// The API of `gateway` for the holder of `token`.
    ///
    /// # Errors
    ///
    /// As [`Api::anonymous`].
    pub(super) fn with_token(gateway: &Gateway, token: SecretText) -> Result<Self, GateError> {
        Ok(Self { token: Some(token), ..Self::anonymous(gateway)? })
    }

    pub(super) fn holding(self, token: SecretText) -> Self {
        Self { token: Some(token), ..self }
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        self.ask(Method::GET, path, None).await
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ApiError> {
        self.ask(Method::POST, path, Some(text(body)?)).await
    }

    pub(super) async fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ApiError> {
        self.ask(Method::PUT, path, Some(text(body)?)).await
    }

    /// As [`Self::put`], unless somebody else wrote it since it was read as `revision`.
    pub(super) async fn replace<T: DeserializeOwned>(
        &self,
        path: &str,
        revision: u64,
        body: &impl Serialize,
    ) -> Result<T, ApiError> {
        let mut request = self.request(Method::PUT, path, Some(text(body)?))?;
        request.headers_mut().insert(header::IF_MATCH, header::HeaderValue::from(revision));
        self.answered(request).await
    }

    /// Sends a CSV table.
    pub(super) async fn post_csv<T: DeserializeOwned>(
        &self,
        path: &str,
        table: Vec<u8>,
    ) -> Result<T, ApiError> {
        let body = Content { kind: "text/csv; charset=utf-8", bytes: table.into() };
        self.ask(Method::POST, path, Some(body)).await
    }

    pub(super) async fn patch<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ApiError> {
        self.patch_if(path, None, body).await
    }

    /// As [`Self::patch`]; where a revision is given, only if it still stands at that.
    pub(super) async fn patch_if<T: DeserializeOwned>(
        &self,
        path: &str,
        revision: Option<u64>,
        body: &impl Serialize,
    ) -> Result<T, ApiError> {
        let mut request = self.request(Method::PATCH, path, Some(text(body)?))?;
        let tag = revision.map(header::HeaderValue::from);
        request.headers_mut().extend(tag.map(|tag| (header::IF_MATCH, tag)));
        self.answered(request).await
    }

    pub(super) async fn delete(&self, path: &str) -> Result<Value, ApiError> {
        self.ask(Method::DELETE, path, None).await
    }

    /// All items of a list, page by page.
    pub(super) async fn list(&self, path: &str, query: &Query) -> Result<Vec<Value>, ApiError> {
        self.pages(path, query, "cursor").await
    }

    /// All records, page by page: theirs begin after a number.
    pub(super) async fn records(&self, path: &str, query: &Query) -> Result<Vec<Value>, ApiError> {
        self.pages(path, query, "after").await
    }

    async fn pages(&self, path: &str, query: &Query, behind: &str) -> Result<Vec<Value>, ApiError> {
        let mut items = Vec::new();
        let mut page = query.clone();
        for _ in 0..PAGES_MAX {
            let answer: Items = self.get(&page.on(path)).await?;
            items.extend(answer.items);
            match answer.next {
                Some(cursor) => page = query.clone().and(behind, &cursor),
                None => break,
            }
        }
        Ok(items)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<Content>,
    ) -> Result<T, ApiError> {
        let request = self.request(method, path, body)?;
        self.answered(request).await
    }

    async fn answered<T: DeserializeOwned>(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<T, ApiError> {
        let answered = timeout(ANSWER_TIME_MAX, self.exchange(request)).await;
        let (status, body) = answered.map_err(|_| ApiError::TimedOut)??;
        if !status.is_success() {
            return Err(ApiError::Problem(problem(status, &body)));
        }
        // An answer without a body is as good as `null`.
        let body = if body.is_empty() { Bytes::from_static(b"null") } else { body };
        serde_json::from_slice(&body).map_err(|e| ApiError::Strange(e.to_string()))
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<Content>,
    ) -> Result<Request<Full<Bytes>>, ApiError> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header(header::HOST, self.url.authority())
            .header(header::USER_AGENT, concat!("caseway/", env!("CARGO_PKG_VERSION")))
            .header(header::ACCEPT, "application/json, application/problem+json");
        if let Some(token) = &self.token {
            let value = SecretText::new(format!("Bearer {}", token.expose()));
            let mut value = header::HeaderValue::from_str(value.expose())
                .map_err(|_| ApiError::Strange("the kept token is damaged".to_owned()))?;
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        let bytes = match body {
            Some(Content { kind, bytes }) => {
                request = request.header(header::CONTENT_TYPE, kind);
                bytes
            }
            None => Bytes::new(),
        };
        request.body(Full::new(bytes)).map_err(|e| ApiError::Strange(e.to_string()))
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), ApiError> {
        let stream = self.dialer.http().await.map_err(GateError::Dial)?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let answer = async {
            let response = sender.send_request(request).await.map_err(broken)?;
            read(response).await
        };
        let (mut answer, mut connection) = (std::pin::pin!(answer), std::pin::pin!(connection));
        let ended = tokio::select! {
            biased;
            // Nothing is lost: the answer is the function's own.
            done = &mut answer => return done,
            // The connection has handed everything over, or failed.
            ended = &mut connection => ended,
        };
        ended.map_err(broken)?;
        answer.await
    }
}

fn broken(error: hyper::Error) -> ApiError {
    ApiError::Broken(error.into())
}

async fn read(response: hyper::Response<Incoming>) -> Result<(StatusCode, Bytes), ApiError> {
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    Ok((status, body.map_err(ApiError::Broken)?.to_bytes()))
}

fn problem(status: StatusCode, body: &[u8]) -> Problem {
    let mut problem: Problem = serde_json::from_slice(body).unwrap_or_default();
    problem.status = status.as_u16();
    if problem.title.is_empty() {
        problem.title = format!("the gateway answered {status}");
    }
    problem
}

/// An answer, or an item of one, as the type that is shown of it.
///
/// # Errors
///
/// [`ApiError::Strange`] when it has another shape.
pub(super) fn typed<T: DeserializeOwned>(item: Value) -> Result<T, ApiError> {
    serde_json::from_value(item).map_err(|e| ApiError::Strange(e.to_string()))
}

/// What a request carries.
struct Content {
    kind: &'static str,
    bytes: Bytes,
}

fn text(body: &impl Serialize) -> Result<Content, ApiError> {
    let bytes = serde_json::to_vec(body).map_err(|e| ApiError::Strange(e.to_string()))?;
    Ok(Content { kind: "application/json", bytes: bytes.into() })
}

/// The part of an address behind the question mark.
#[derive(Clone, Debug, Default)]
pub(super) struct Query(String);

impl Query {
    pub(super) fn and(mut self, name: &str, value: &str) -> Self {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(name);
        self.0.push('=');
        self.0.push_str(&escaped(value));
        self
    }

    pub(super) fn and_if(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.and(name, value),
            None => self,
        }
    }

    pub(super) fn on(&self, path: &str) -> String {
        if self.0.is_empty() { path.to_owned() } else { format!("{path}?{}", self.0) }
    }
}

/// Percent-encoded, all but the unreserved characters (RFC 3986 section 2.3).
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
