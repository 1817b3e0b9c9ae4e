//! Imports: a CSV table of people or of assets, as a dry run or for good.

use axum::{
    Json,
    body::Bytes,
    extract::{FromRequest, Request, State},
    http::header::CONTENT_TYPE,
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::{
    caller::Caller,
    desk::Desk,
    input::{Query, READ_MAX},
    problem::Problem,
};
use crate::{
    clock::Now,
    imports::{self, FAULTS_MAX, Fault},
    store::{Imported, ImportedLine, LineOutcome},
};

/// The longest table, in bytes.
pub(super) const TABLE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// A table as it was sent.
#[derive(Debug)]
pub(super) struct Csv(Bytes);

impl<S: Sync> FromRequest<S> for Csv {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).map_or("", str::trim);
        if !kind.eq_ignore_ascii_case("text/csv") {
            return Err(Problem::invalid("expected a body of content-type text/csv"));
        }
        let body = Limited::new(request.into_body(), TABLE_BYTES_MAX).collect();
        match timeout(READ_MAX, body).await {
            Err(_) => Err(Problem::timed_out()),
            Ok(Err(fault)) if fault.is::<LengthLimitError>() => {
                let detail = format!("the table has more than {TABLE_BYTES_MAX} bytes");
                Err(Problem::too_large(detail))
            }
            Ok(Err(_)) => Err(Problem::invalid("the body broke off")),
            Ok(Ok(body)) => Ok(Self(body.to_bytes())),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    #[serde(default)]
    dry_run: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct LineView {
    line: u64,
    key: String,
    outcome: LineOutcome,
}

/// What an import did, or would do. A dry run has its faults here; for good, they are a problem.
#[derive(Debug, Serialize)]
pub(super) struct ImportView {
    dry_run: bool,
    created: usize,
    changed: usize,
    unchanged: usize,
    faults: Vec<Fault>,
    lines: Vec<LineView>,
}

impl ImportView {
    fn of(imported: Imported, dry_run: bool) -> Result<Self, Problem> {
        let Imported { done: _, lines, mut faults, revision: _ } = imported;
        let wrong = faults.len();
        faults.truncate(FAULTS_MAX);
        if !dry_run && wrong > 0 {
            let detail = format!("nothing was imported; faults found, and listed: {wrong}");
            return Err(Problem::invalid(detail).listing(faults));
        }
        let count =
            |outcome: LineOutcome| lines.iter().filter(|line| line.outcome == outcome).count();
        Ok(Self {
            dry_run,
            created: count(LineOutcome::Created),
            changed: count(LineOutcome::Changed),
            unchanged: count(LineOutcome::Unchanged),
            faults,
            lines: lines.into_iter().map(LineView::from).collect(),
        })
    }
}

impl From<ImportedLine> for LineView {
    fn from(ImportedLine { line, key, outcome }: ImportedLine) -> Self {
        Self { line, key, outcome }
    }
}

/// `POST /imports/users`
pub(super) async fn users(
    State(desk): State<Desk>,
    caller: Caller,
    Query(Options { dry_run }): Query<Options>,
    Csv(table): Csv,
) -> Result<Json<ImportView>, Problem> {
    let table = imports::users(&table);
    let imported = desk.store.import_people(&caller.by, &table, dry_run, Now::read()).await?;
    settled(&desk, &imported).await;
    ImportView::of(imported, dry_run).map(Json)
}

/// `POST /imports/assets`
pub(super) async fn assets(
    State(desk): State<Desk>,
    caller: Caller,
    Query(Options { dry_run }): Query<Options>,
    Csv(table): Csv,
) -> Result<Json<ImportView>, Problem> {
    let table = imports::assets(&table);
    let imported = desk.store.import_assets(&caller.by, &table, dry_run, Now::read()).await?;
    settled(&desk, &imported).await;
    ImportView::of(imported, dry_run).map(Json)
}

/// An asset that changed its facility may be out of somebody's scope now.
async fn settled(desk: &Desk, imported: &Imported) {
    if imported.done {
        desk.settled(imported.revision).await;
    }
}
