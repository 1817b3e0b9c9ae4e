//! Whether the gateway is up, for whoever watches it; and a page for whoever looks by chance.

use std::time::Duration;

use axum::extract::State;
use tokio::time::timeout;

use super::{desk::Desk, problem::Problem};

/// How long the database may take to answer and still count as ready.
const READY_MAX: Duration = Duration::from_secs(2);

/// `GET /healthz`: the process answers.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the database answers too.
pub(super) async fn readyz(State(desk): State<Desk>) -> Result<&'static str, Problem> {
    match timeout(READY_MAX, desk.store.revision()).await {
        Ok(Ok(_)) => Ok("ready\n"),
        Ok(Err(_)) | Err(_) => Err(Problem::unavailable("the database does not answer")),
    }
}

/// `GET /`
pub(super) async fn home() -> &'static str {
    "Caseway gateway\n\nThis is the gateway's API, under /api/v1.\n\
     Use the caseway program: caseway login https://THIS-HOST:PORT --ca ca.pem\n"
}
