//! The person behind a request.

use std::net::{IpAddr, Ipv4Addr};

use axum::{
    extract::FromRequestParts,
    http::{Method, header::AUTHORIZATION, request::Parts},
};

use super::{
    desk::{Desk, canonical},
    door::Remote,
    problem::Problem,
};
use crate::{clock::Now, clock::Wall, store::By, tenancy::Person, token::BearerToken};

/// Somebody who is logged in.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) person: Person,
    pub(super) by: By,
    /// The bearer token's digest, and until when it holds.
    pub(super) bearer: [u8; 32],
    pub(super) until: Wall,
}

impl FromRequestParts<Desk> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, desk: &Desk) -> Result<Self, Problem> {
        let token = bearer(parts).ok_or_else(|| Problem::unauthenticated("log in first"))?;
        let bearer = token.digest();
        let now = Now::read().wall;
        let (person, until) = match desk.store.bearer(&bearer, now).await? {
            Some(found) => found,
            None => by_program(desk, &bearer, now, &parts.method).await?,
        };
        let by = By { person: person.id.clone(), source_ip: Some(source(parts)) };
        Ok(Self { person, by, bearer, until })
    }
}

/// Who made the API token. It only reads, on whatever route: none that writes is a GET.
async fn by_program(
    desk: &Desk,
    digest: &[u8; 32],
    now: Wall,
    method: &Method,
) -> Result<(Person, Wall), Problem> {
    match desk.store.api_bearer(digest, now).await? {
        Some(found) if method == Method::GET => Ok(found),
        Some(_) => Err(Problem::role("an API token only reads; log in to change something")),
        None => Err(Problem::unauthenticated("the log-in has ended; log in again")),
    }
}

fn bearer(parts: &Parts) -> Option<BearerToken> {
    let value = parts.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| BearerToken::from_text(token.trim()).ok())?
}

/// Where the request comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source(pub(super) IpAddr);

impl<S: Sync> FromRequestParts<S> for Source {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(source(parts)))
    }
}

fn source(parts: &Parts) -> IpAddr {
    let remote = parts.extensions.get::<Remote>();
    remote.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Remote(remote)| canonical(remote.ip()))
}
