//! What goes wrong, as a document (RFC 9457): one shape for every error, and one place that knows
//! HTTP status codes.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tracing::error;

use super::passwords::PasswordError;
use crate::{
    authz::{Denial, Reason},
    imports::Fault,
};

const CONTENT_TYPE: &str = "application/problem+json";

/// An error as the caller sees it. Details of our own faults stay in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Problem {
    /// Always `about:blank`: `reason` tells the kinds apart.
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    /// A code of domain.md J, or one of `invalid`, `conflict`, `stale`, `too_large`, `method`,
    /// `timed_out`, `unavailable`.
    reason: &'static str,
    /// What is wrong with a table, line by line.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<Fault>,
    #[serde(skip)]
    retry_after: Option<u64>,
}

impl Problem {
    fn new(status: StatusCode, reason: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            reason,
            faults: Vec::new(),
            retry_after: None,
        }
    }

    /// The same, with each single fault.
    pub(super) fn listing(self, faults: Vec<Fault>) -> Self {
        Self { faults, ..self }
    }

    /// The request itself cannot be right.
    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", detail)
    }

    /// Not there, or not for this caller to know.
    pub(super) fn not_found() -> Self {
        let detail = "there is nothing here by that name, or it is not yours to see";
        Self::new(StatusCode::NOT_FOUND, Reason::NotFound.code(), detail)
    }

    /// Nobody is logged in.
    pub(super) fn unauthenticated(detail: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, Reason::Unauthenticated.code(), detail)
    }

    /// Logged in, but without the role for this.
    pub(super) fn role(detail: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, Reason::Role.code(), detail)
    }

    /// What is there already stands in the way.
    pub(super) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", detail)
    }

    /// Written by somebody else since the caller read it.
    pub(super) fn stale(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "stale", detail)
    }

    pub(super) fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
    }

    pub(super) fn method() -> Self {
        let detail = "this path does not know that method";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method", detail)
    }

    pub(super) fn timed_out() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "timed_out", "the request took too long to arrive")
    }

    /// Come again in so many seconds.
    pub(super) fn wait(seconds: u64) -> Self {
        let detail = format!("too many failed log-ins; try again in {seconds} s");
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, Reason::Limit.code(), detail);
        Self { retry_after: Some(seconds), ..problem }
    }

    /// The gateway cannot serve this now; the caller learns no more than that and what to do.
    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
    }

    /// Our fault: the cause goes to the log, not to the caller.
    pub(super) fn internal(cause: &dyn std::fmt::Display) -> Self {
        error!(%cause, "request failed");
        let detail = "the gateway failed; its log says why";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "unavailable", detail)
    }

    /// A policy's reason, in words.
    fn refused(reason: Reason) -> Self {
        let (status, detail) = match reason {
            Reason::NotFound => return Self::not_found(),
            Reason::Unauthenticated => (StatusCode::UNAUTHORIZED, "log in first"),
            Reason::Disabled => (StatusCode::FORBIDDEN, "this account or its company is disabled"),
            Reason::CaseType => {
                (StatusCode::CONFLICT, "this type of case never allows remote access")
            }
            Reason::CaseClosed => (StatusCode::CONFLICT, "the case is closed"),
            Reason::AssetInactive => (StatusCode::CONFLICT, "the machine is deactivated"),
            Reason::NoProvider => {
                (StatusCode::CONFLICT, "no service provider is linked with the machine")
            }
            Reason::Role => (StatusCode::FORBIDDEN, "your roles do not allow this"),
            Reason::Scope => (StatusCode::FORBIDDEN, "your roles do not cover this machine"),
            Reason::AssigneeRole => {
                (StatusCode::CONFLICT, "that person does not hold the role the case asks for")
            }
            Reason::SwitchOff => (StatusCode::CONFLICT, "remote access is switched off"),
            Reason::Config => {
                (StatusCode::CONFLICT, "the tunnel is disabled or not this machine's")
            }
            Reason::Mode => (StatusCode::CONFLICT, "the tunnel's mode does not allow this way in"),
            Reason::NoEdge => (StatusCode::CONFLICT, "no edge device is paired with the machine"),
            Reason::NotOwner => {
                (StatusCode::CONFLICT, "the edge device is not yours; its owner decommissions it")
            }
            Reason::EdgeOffline => (StatusCode::CONFLICT, "the machine's edge device is offline"),
            Reason::EdgeRefused => {
                (StatusCode::CONFLICT, "the machine's edge device refuses remote access")
            }
            Reason::Limit => (StatusCode::TOO_MANY_REQUESTS, "too many at once"),
            Reason::PolicyFault => {
                (StatusCode::INTERNAL_SERVER_ERROR, "the decision failed; the log says why")
            }
        };
        Self::new(status, reason.code(), detail)
    }
}

impl From<Denial> for Problem {
    fn from(denial: Denial) -> Self {
        Self::refused(denial.told())
    }
}

impl From<PasswordError> for Problem {
    fn from(fault: PasswordError) -> Self {
        match fault {
            PasswordError::Length => Self::invalid(fault.to_string()),
            PasswordError::Busy => Self::unavailable("too many log-ins at once; try again"),
            PasswordError::Hash(_) => Self::internal(&fault),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let text = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn every_refusal_has_its_status_and_its_words() {
        let mut text = String::new();
        for reason in Reason::ALL {
            let problem = Problem::from(Denial { reason, visible: true });
            writeln!(text, "{}", serde_json::to_string(&problem).unwrap()).unwrap();
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    fn what_may_not_be_seen_is_not_found_whatever_the_reason() {
        for reason in [Reason::Role, Reason::Scope, Reason::SwitchOff, Reason::NotFound] {
            let problem = Problem::from(Denial { reason, visible: false });
            assert_eq!(problem, Problem::not_found(), "{reason}");
        }
    }
}
