//! Log in, log out, and the certificate for a technician's program.

use std::{net::IpAddr, time::Duration};

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};

use super::{
    caller::{Caller, Source},
    desk::Desk,
    input::{Body, TEXT_BYTES_MAX},
    problem::Problem,
};
use crate::{
    audit::{Actor, Entry, Event},
    authz::{Action, Reason},
    clock::{Now, Wall},
    ids::PeerId,
    secret::SecretText,
    store::Login,
    tenancy::Permission,
    tls::CertificateRequest,
    token::BearerToken,
};

/// How long a log-in holds.
const BEARER_MAX: Duration = Duration::from_secs(12 * 60 * 60);

/// `POST /login`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Credentials {
    email: String,
    password: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Token {
    token: String,
    expires_at: Wall,
}

pub(super) async fn login(
    State(desk): State<Desk>,
    Source(from): Source,
    Body(Credentials { email, password }): Body<Credentials>,
) -> Result<Json<Token>, Problem> {
    let password = SecretText::new(password);
    if email.len() > TEXT_BYTES_MAX {
        return Err(Problem::invalid("email is longer than 1,024 bytes"));
    }
    let wait = desk.delays.wait(&email, from, Now::read().mono);
    if !wait.is_zero() {
        return Err(Problem::wait(wait.as_secs() + 1));
    }
    // Counted before it is known, so that many guesses at once count as many.
    desk.delays.failed(&email, from, Now::read().mono);
    let login = desk.store.login(&email).await?;
    let kept = login.as_ref().map(|login| login.password_hash.expose().to_owned());
    let matches = desk.passwords.matches(password, kept).await?;
    let now = Now::read();
    match login.filter(|_| matches) {
        Some(login) => {
            signs_in(&desk, &login, from, now).await?;
            let token = let_in(&desk, &login, from, now).await?;
            desk.delays.succeeded(&email, from);
            Ok(Json(token))
        }
        None => {
            let mut entry = Entry::new(now.wall, Actor::Nobody, Event::LoginFailed);
            entry.done = false;
            entry.source_ip = Some(from);
            entry.object = Some(shown(&email));
            desk.store.record(&entry).await?;
            Err(Problem::unauthenticated("no account has this e-mail address and this password"))
        }
    }
}

/// Refuses an account without a portal: Data Analyst - Controller alone, or no role at all.
async fn signs_in(desk: &Desk, login: &Login, from: IpAddr, now: Now) -> Result<(), Problem> {
    let sign_in = Action::Own(Permission::SignIn);
    if desk.may(&login.person.id, sign_in).await.is_ok() {
        return Ok(());
    }
    let actor = Actor::Person(login.person.id.clone());
    let mut entry = Entry::new(now.wall, actor, Event::LoginFailed);
    entry.done = false;
    entry.reason = Some(Reason::Role.to_string());
    entry.actor_name.clone_from(&login.person.name);
    entry.tenant = Some(login.person.tenant.clone());
    entry.source_ip = Some(from);
    desk.store.record(&entry).await?;
    Err(Problem::role(
        "this account has no role that signs in: a Data Analyst reads by API token only; \
         for another role ask your company's Tenant Admin",
    ))
}

async fn let_in(desk: &Desk, login: &Login, from: IpAddr, now: Now) -> Result<Token, Problem> {
    let bearer = BearerToken::fresh().map_err(|fault| Problem::internal(&fault))?;
    let person = &login.person;
    let expires_at = now.wall.plus(BEARER_MAX);
    let mut entry = Entry::new(now.wall, Actor::Person(person.id.clone()), Event::LoggedIn);
    entry.actor_name.clone_from(&person.name);
    entry.tenant = Some(person.tenant.clone());
    entry.source_ip = Some(from);
    desk.store.record(&entry).await?;
    desk.store.add_bearer(&bearer.digest(), &person.id, expires_at).await?;
    Ok(Token { token: bearer.text().expose().to_owned(), expires_at })
}

/// What a stranger typed, short and harmless enough for a record.
fn shown(email: &str) -> String {
    email.chars().filter(|c| !c.is_control()).take(128).collect()
}

/// `POST /logout`
pub(super) async fn logout(
    State(desk): State<Desk>,
    caller: Caller,
) -> Result<StatusCode, Problem> {
    desk.store.remove_bearer(&caller.bearer).await?;
    desk.store.record(&entry_of(&caller, Event::LoggedOut)).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn entry_of(caller: &Caller, event: Event) -> Entry {
    let actor = Actor::Person(caller.person.id.clone());
    let mut entry = Entry::new(Now::read().wall, actor, event);
    entry.actor_name.clone_from(&caller.person.name);
    entry.tenant = Some(caller.person.tenant.clone());
    entry.source_ip = caller.by.source_ip;
    entry
}

/// `POST /me/certificate`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Csr {
    /// PKCS #10 (RFC 2986), PEM.
    csr: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Certificate {
    /// The leaf, then its issuer; PEM.
    certificate: String,
    expires_at: Wall,
}

/// A certificate for the caller's own key, that holds no longer than the log-in.
pub(super) async fn certificate(
    State(desk): State<Desk>,
    caller: Caller,
    Body(Csr { csr }): Body<Csr>,
) -> Result<Json<Certificate>, Problem> {
    let request = CertificateRequest::from_pem(&csr)
        .map_err(|fault| Problem::invalid(format!("csr: {fault}")))?;
    let (peer, now) = (PeerId::Person(caller.person.id.clone()), Now::read().wall);
    let left = caller.until.0.saturating_sub(now.0);
    let life = Duration::from_millis(u64::try_from(left).unwrap_or(0));
    let issued =
        desk.ca.issue(&request, &peer, life, now).map_err(|fault| Problem::internal(&fault))?;
    let mut entry = entry_of(&caller, Event::KeyCertified);
    entry.new = Some(issued.key.to_string());
    desk.store.record(&entry).await?;
    desk.store.add_person_key(&caller.person.id, issued.key, issued.until).await?;
    let certificate = format!("{}{}", issued.certificate, desk.ca.certificate());
    Ok(Json(Certificate { certificate, expires_at: issued.until }))
}
