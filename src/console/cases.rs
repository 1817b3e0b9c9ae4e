//! Service cases: listed, opened, shown, changed, and their switch.

use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;

use super::{
    caller::Caller,
    case_views::{CaseView, Tagged},
    desk::Desk,
    input::{Body, IfMatch, Path, Query, given, prose, text},
    lists::{Items, page},
    problem::Problem,
    switches::{SwitchBody, Turned},
};
use crate::{
    cases::{CaseType, Contact, Details, Priority, Severity, State as CaseState},
    clock::Now,
    ids::{AssetId, CaseId, MachineId, OrganisationId, PersonId},
    store::{About, CaseChange, CaseFilter, Edit, NewCase},
};

/// `GET /cases`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    #[serde(rename = "type")]
    case_type: Option<CaseType>,
    state: Option<CaseState>,
    open: Option<bool>,
    asset: Option<AssetId>,
    assignee: Option<PersonId>,
    severity: Option<Severity>,
    /// Whether remote access is on.
    switch: Option<bool>,
    external_id: Option<String>,
    q: Option<String>,
    cursor: Option<String>,
}

pub(super) async fn list(
    State(desk): State<Desk>,
    caller: Caller,
    Query(asked): Query<Filter>,
) -> Result<Json<Items<CaseView>>, Problem> {
    let filter = CaseFilter {
        case_type: asked.case_type,
        state: asked.state,
        open: asked.open,
        asset: asked.asset,
        assignee: asked.assignee,
        severity: asked.severity,
        switch_on: asked.switch,
        external_id: asked.external_id.filter(|id| !id.is_empty()),
        text: asked.q.filter(|q| !q.is_empty()),
    };
    let now = Now::read();
    let found = desk.store.cases(&caller.person.id, &filter, &page(asked.cursor), now).await?;
    let items = found.items.into_iter().map(|sheet| CaseView::of(sheet, now.wall)).collect();
    Ok(Json(Items { items, next: found.next }))
}

/// `POST /cases`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    #[serde(rename = "type")]
    case_type: CaseType,
    asset: Option<AssetId>,
    machine: Option<MachineId>,
    title: String,
    #[serde(default)]
    description: String,
    severity: Option<Severity>,
    /// The e-mail address is the caller's own where none is given; null leaves it out.
    #[serde(default)]
    contact: ContactBody,
    priority: Option<Priority>,
    external_id: Option<String>,
    /// For which of the caller's organisations; who belongs to several must say.
    organisation: Option<OrganisationId>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ContactBody {
    #[serde(default, deserialize_with = "given")]
    phone: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    email: Option<Option<String>>,
}

pub(super) async fn create(
    State(desk): State<Desk>,
    caller: Caller,
    Body(ask): Body<Ask>,
) -> Result<(StatusCode, Tagged), Problem> {
    let about = about(ask.asset, ask.machine)?;
    let details = Details {
        description: prose("description", &ask.description)?,
        severity: ask.severity,
        contact: Contact {
            phone: line("contact.phone", ask.contact.phone)?.flatten(),
            email: line("contact.email", ask.contact.email)?
                .unwrap_or_else(|| Some(caller.person.email.clone())),
        },
        priority: ask.priority,
        external_id: line("external_id", Some(ask.external_id))?.flatten(),
    };
    let (case_type, title) = (ask.case_type, text("title", &ask.title)?);
    let new = NewCase { case_type, about, title, details, organisation: ask.organisation };
    let written = desk.store.create_case(&caller.by, &new, Now::read()).await?;
    Ok((StatusCode::CREATED, Tagged::show(&desk, &caller, &written.value.id).await?))
}

/// `GET /cases/{case}`
pub(super) async fn show(
    State(desk): State<Desk>,
    caller: Caller,
    Path(case): Path<CaseId>,
) -> Result<Tagged, Problem> {
    let found = desk.store.case(&caller.person.id, &case, Now::read()).await?;
    found.ok_or_else(Problem::not_found)?;
    Tagged::show(&desk, &caller, &case).await
}

/// `PATCH /cases/{case}`: its state, or who has it, or what it tells; each is an act of its own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    state: Option<CaseState>,
    /// Null takes the case from whoever has it.
    #[serde(default, deserialize_with = "given")]
    assignee: Option<Option<PersonId>>,
    title: Option<String>,
    description: Option<String>,
    severity: Option<Severity>,
    #[serde(default)]
    contact: ContactBody,
    #[serde(default, deserialize_with = "given")]
    priority: Option<Option<Priority>>,
    #[serde(default, deserialize_with = "given")]
    external_id: Option<Option<String>>,
}

impl Change {
    fn checked(self) -> Result<CaseChange, Problem> {
        let words = (self.title, self.description);
        let edit = edit(words, self.severity, self.contact, self.priority)?;
        let edit = Edit { external_id: line("external_id", self.external_id)?, ..edit };
        match (self.state, self.assignee, edit.is_empty()) {
            (Some(state), None, true) => Ok(CaseChange::State(state)),
            (None, Some(to), true) => Ok(CaseChange::Assignee(to)),
            (None, None, false) => Ok(CaseChange::Edit(edit)),
            _ => Err(Problem::invalid(
                "expected exactly one of state, assignee, and fields of the case: send them apart",
            )),
        }
    }
}

pub(super) async fn change(
    State(desk): State<Desk>,
    caller: Caller,
    Path(case): Path<CaseId>,
    IfMatch(seen): IfMatch,
    Body(change): Body<Change>,
) -> Result<Tagged, Problem> {
    let change = change.checked()?;
    let written = desk.store.change_case(&caller.by, &case, &change, seen, Now::read()).await?;
    desk.settled(written.revision).await;
    Tagged::show(&desk, &caller, &case).await
}

/// `PUT /cases/{case}/remote-access`
pub(super) async fn switch(
    State(desk): State<Desk>,
    caller: Caller,
    Path(case): Path<CaseId>,
    IfMatch(seen): IfMatch,
    Body(body): Body<SwitchBody>,
) -> Result<Json<Turned>, Problem> {
    let now = Now::read();
    let ask = body.checked(now.wall)?;
    let switched = desk.store.switch_case_if(&caller.by, &case, &ask, seen, now).await?;
    Ok(Json(Turned::settle(&desk, switched).await))
}

/// What a new case is about.
pub(super) fn about(asset: Option<AssetId>, machine: Option<MachineId>) -> Result<About, Problem> {
    match (asset, machine) {
        (Some(asset), None) => Ok(About::Asset(asset)),
        (None, Some(machine)) => Ok(About::Machine(machine)),
        (None, None) | (Some(_), Some(_)) => {
            Err(Problem::invalid("expected exactly one of asset and machine"))
        }
    }
}

/// What is to be told of a case: its title and description, and the rest, each as far as it is given.
pub(super) fn edit(
    (title, description): (Option<String>, Option<String>),
    severity: Option<Severity>,
    contact: ContactBody,
    priority: Option<Option<Priority>>,
) -> Result<Edit, Problem> {
    Ok(Edit {
        title: title.map(|title| text("title", &title)).transpose()?,
        description: description.map(|words| prose("description", &words)).transpose()?,
        severity,
        phone: line("contact.phone", contact.phone)?,
        email: line("contact.email", contact.email)?,
        priority,
        external_id: None,
    })
}

/// One line of text, where one is given; null is none.
fn line(
    field: &'static str,
    given: Option<Option<String>>,
) -> Result<Option<Option<String>>, Problem> {
    given.map(|line| line.map(|line| text(field, &line)).transpose()).transpose()
}
