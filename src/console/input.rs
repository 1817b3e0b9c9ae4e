//! What callers send, parsed at the door: the JSON body, the path's ids, the query.
//!
//! A body is read whole, within [`BODY_BYTES_MAX`] and [`READ_MAX`], before a handler runs. Unknown
//! fields and ids of the wrong kind are refused by name.

use std::time::Duration;

use axum::{
    extract::{FromRequest, FromRequestParts, RawQuery, Request, rejection::PathRejection},
    http::{header, request::Parts},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use tokio::time::timeout;

use super::problem::Problem;
use crate::ids::Revision;

/// The longest body.
pub(super) const BODY_BYTES_MAX: usize = 256 * 1024;
/// The longest that a body may take to arrive.
pub(super) const READ_MAX: Duration = Duration::from_secs(10);
/// The longest free text of one field: titles, names, reasons; in bytes.
pub(super) const TEXT_BYTES_MAX: usize = 1_024;
/// The longest text of several lines: descriptions, messages; in bytes.
pub(super) const PROSE_BYTES_MAX: usize = 8_192;

/// A JSON body.
#[derive(Debug)]
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let body = Limited::new(request.into_body(), BODY_BYTES_MAX).collect();
        let bytes = match timeout(READ_MAX, body).await {
            Err(_) => return Err(Problem::timed_out()),
            Ok(Err(fault)) if fault.is::<LengthLimitError>() => {
                let detail = format!("the body has more than {BODY_BYTES_MAX} bytes");
                return Err(Problem::too_large(detail));
            }
            Ok(Err(_)) => return Err(Problem::invalid("the body broke off")),
            Ok(Ok(body)) => body.to_bytes(),
        };
        serde_json::from_slice(&bytes).map(Self).map_err(|fault| {
            Problem::invalid(format!("the body is not what this expects: {fault}"))
        })
    }
}

/// The path's variables. One that is not the id it should be names nothing: not found.
#[derive(Debug)]
pub(super) struct Path<T>(pub(super) T);

impl<T, S> FromRequestParts<S> for Path<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path: Result<axum::extract::Path<T>, PathRejection> =
            axum::extract::Path::from_request_parts(parts, state).await;
        path.map(|axum::extract::Path(one)| Self(one)).map_err(|_| Problem::not_found())
    }
}

/// The query's fields.
#[derive(Debug)]
pub(super) struct Query<T>(pub(super) T);

impl<T, S> FromRequestParts<S> for Query<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let RawQuery(raw) =
            RawQuery::from_request_parts(parts, state).await.unwrap_or_else(|never| match never {});
        if raw.is_some_and(|raw| raw.len() > TEXT_BYTES_MAX * 4) {
            return Err(Problem::too_large("the query is too long"));
        }
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|axum::extract::Query(one)| Self(one))
            .map_err(|fault| Problem::invalid(format!("query: {}", fault.body_text())))
    }
}

/// The revision that the caller read and means to replace: `If-Match: "41"`. Without the header, or
/// with `*`, whatever is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct IfMatch(pub(super) Option<Revision>);

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Some(header) = parts.headers.get(header::IF_MATCH) else { return Ok(Self(None)) };
        let text = header.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(Self(None));
        }
        let number = text.trim_matches('"').parse().map(Revision);
        let number = number.map_err(|_| {
            Problem::invalid("If-Match takes one revision, as `revision` gives it: \"41\"")
        });
        number.map(|number| Self(Some(number)))
    }
}

/// Free text, trimmed: 1 byte to [`TEXT_BYTES_MAX`], no control characters.
pub(super) fn text(field: &'static str, given: &str) -> Result<String, Problem> {
    let given = given.trim();
    let fault = if given.is_empty() {
        "is empty"
    } else if given.len() > TEXT_BYTES_MAX {
        "is longer than 1,024 bytes"
    } else if given.chars().any(char::is_control) {
        "holds control characters"
    } else {
        return Ok(given.to_owned());
    };
    Err(Problem::invalid(format!("{field} {fault}")))
}

/// Text of several lines, trimmed: at most [`PROSE_BYTES_MAX`], no control characters but new lines
/// and tabs. It may be empty.
pub(super) fn prose(field: &'static str, given: &str) -> Result<String, Problem> {
    let given = given.trim();
    let odd = |one: char| one.is_control() && !matches!(one, '\n' | '\r' | '\t');
    let fault = if given.len() > PROSE_BYTES_MAX {
        "is longer than 8,192 bytes"
    } else if given.chars().any(odd) {
        "holds control characters"
    } else {
        return Ok(given.to_owned());
    };
    Err(Problem::invalid(format!("{field} {fault}")))
}

/// For a field that may be null and may be missing, which mean different things: with
/// `#[serde(default)]`, missing is `None`.
pub(super) fn given<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// For a field that may be null but not missing.
pub(super) fn required<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer)
}

#[cfg(test)]
mod tests {
    use axum::body::Body as Bytes;
    use serde::Deserialize;

    use super::*;
    use crate::ids::AssetId;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Ask {
        #[expect(dead_code, reason = "only whether it parses is looked at")]
        asset: AssetId,
    }

    async fn fault(body: impl Into<Bytes>) -> String {
        let request = Request::new(body.into());
        let problem = Body::<Ask>::from_request(request, &()).await.unwrap_err();
        serde_json::to_string(&problem).unwrap()
    }

    #[tokio::test]
    async fn a_wrong_body_is_refused_by_the_name_of_its_fault() {
        let text = [
            fault(r#"{"asset": "press-7", "role": "admin"}"#).await,
            fault(r#"{"asset": "press 7"}"#).await,
            fault(r#"{"asset": 7}"#).await,
            fault("{}").await,
            fault("").await,
            fault(vec![b' '; BODY_BYTES_MAX + 1]).await,
        ];
        insta::assert_snapshot!(text.join("\n"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_given_up() {
        let body = Bytes::new(Silent.boxed_unsync());
        assert!(fault(body).await.contains("timed_out"));
    }

    /// A body that sends nothing and does not end.
    struct Silent;

    impl hyper::body::Body for Silent {
        type Data = bytes::Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _context: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<bytes::Bytes>, Self::Error>>>
        {
            std::task::Poll::Pending
        }
    }

    #[tokio::test]
    async fn a_revision_is_one_number_or_none() {
        let read = async |text: Option<&str>| {
            let request = Request::builder();
            let request = match text {
                Some(text) => request.header("if-match", text),
                None => request,
            };
            let mut parts = request.body(()).unwrap().into_parts().0;
            IfMatch::from_request_parts(&mut parts, &()).await.map(|one| one.0).map_err(|_| ())
        };
        assert_eq!(read(None).await, Ok(None));
        assert_eq!(read(Some("*")).await, Ok(None));
        assert_eq!(read(Some("\"41\"")).await, Ok(Some(Revision(41))));
        assert_eq!(read(Some("41")).await, Ok(Some(Revision(41))));
        for bad in ["", "W/\"41\"", "\"41\", \"42\"", "-1", "soon"] {
            assert_eq!(read(Some(bad)).await, Err(()), "{bad}");
        }
    }

    #[test]
    fn free_text_is_trimmed_and_bounded() {
        assert_eq!(text("title", "  Belt slips ").unwrap(), "Belt slips");
        for bad in ["", "  ", "a\u{7}b", &"x".repeat(TEXT_BYTES_MAX + 1)] {
            assert!(text("title", bad).is_err(), "{bad:?}");
        }
    }
}
