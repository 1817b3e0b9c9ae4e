//! A case as it is shown, with the tag by which a later change says what it has seen.

use axum::{
    Json,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{caller::Caller, desk::Desk, problem::Problem, switches::SwitchView, views::Named};
use crate::{
    cases::{CaseType, Priority, Severity, State},
    clock::{Now, Wall},
    ids::{AssetId, CaseId, MachineId, PersonId, Revision, TenantId},
    store::CaseSheet,
};

#[derive(Debug, Serialize)]
pub(super) struct CaseView {
    id: CaseId,
    #[serde(rename = "type")]
    case_type: CaseType,
    title: String,
    description: String,
    state: State,
    severity: Option<Severity>,
    priority: Option<Priority>,
    asset: Option<Named<AssetId>>,
    machine: Option<Named<MachineId>>,
    operator: Option<Named<TenantId>>,
    provider: Option<Named<TenantId>>,
    /// Null where there can be none.
    switch: Option<SwitchView>,
    assignee: Option<Named<PersonId>>,
    contact: ContactView,
    /// The caller's company's own.
    external_id: Option<String>,
    created_by: Named<PersonId>,
    created_at: Wall,
    closed_at: Option<Wall>,
    /// Its newest change; `If-Match` takes it, in quotes.
    revision: Revision,
}

#[derive(Debug, Serialize)]
struct ContactView {
    phone: Option<String>,
    email: Option<String>,
}

impl CaseView {
    pub(super) fn of(sheet: CaseSheet, now: Wall) -> Self {
        let CaseSheet { case, details, revision, turn, names } = sheet;
        Self {
            case_type: case.case_type(),
            asset: case.asset().map(|id| Named::or_id(id, names.asset)),
            machine: case.machine().map(|id| Named::or_id(id, names.machine)),
            operator: case.operator().map(|id| Named::or_id(id, names.operator)),
            provider: case.provider().map(|id| Named::or_id(id, names.provider)),
            switch: case.switch().map(|switch| SwitchView::of(switch, now).turned(turn)),
            assignee: case.assignee.as_ref().map(|id| Named::or_id(id, names.assignee)),
            created_by: Named::or_id(&case.created_by, names.created_by),
            contact: ContactView { phone: details.contact.phone, email: details.contact.email },
            description: details.description,
            severity: details.severity,
            priority: details.priority,
            external_id: details.external_id,
            id: case.id,
            title: case.title,
            state: case.state,
            created_at: case.created_at,
            closed_at: case.closed_at,
            revision,
        }
    }
}

/// One case, and its revision as the entity tag (RFC 9110 section 8.8.3).
#[derive(Debug)]
pub(super) struct Tagged(CaseView);

impl Tagged {
    /// For a caller who may see the case.
    pub(super) async fn show(desk: &Desk, caller: &Caller, case: &CaseId) -> Result<Self, Problem> {
        let found = desk.store.case_sheet(&caller.person.tenant, case).await?;
        let sheet = found.ok_or_else(Problem::not_found)?;
        Ok(Self(CaseView::of(sheet, Now::read().wall)))
    }
}

impl IntoResponse for Tagged {
    fn into_response(self) -> Response {
        let tag = HeaderValue::try_from(format!("\"{}\"", self.0.revision)).ok();
        let mut response = Json(self.0).into_response();
        response.headers_mut().extend(tag.map(|tag| (header::ETAG, tag)));
        response
    }
}
