//! A case by the number that an outside ticket system has for it.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::{
    caller::Caller,
    case_views::Tagged,
    cases::{ContactBody, about, edit},
    desk::Desk,
    input::{Body, IfMatch, Path, given, text},
    problem::Problem,
};
use crate::{
    cases::{CaseType, Contact, Details, Priority, Severity, State as CaseState},
    clock::Now,
    ids::{AssetId, MachineId, OrganisationId},
    store::{NewCase, Put, PutCase},
};

/// `PUT /cases/by-external-id/{external_id}`: what creation takes, and the state.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    #[serde(rename = "type")]
    case_type: CaseType,
    asset: Option<AssetId>,
    machine: Option<MachineId>,
    title: String,
    /// Of a case that is there already, what is left out stays as it is.
    description: Option<String>,
    severity: Option<Severity>,
    #[serde(default)]
    contact: ContactBody,
    #[serde(default, deserialize_with = "given")]
    priority: Option<Option<Priority>>,
    organisation: Option<OrganisationId>,
    state: Option<CaseState>,
}

impl Ask {
    fn checked(self, external_id: &str, own_email: &str) -> Result<PutCase, Problem> {
        let words = (Some(self.title), self.description);
        let edit = edit(words, self.severity, self.contact, self.priority)?;
        let first = Details {
            contact: Contact { phone: None, email: Some(own_email.to_owned()) },
            external_id: Some(text("external_id", external_id)?),
            ..Details::default()
        };
        let new = NewCase {
            case_type: self.case_type,
            about: about(self.asset, self.machine)?,
            title: edit.title.clone().unwrap_or_default(),
            details: edit.on(&first),
            organisation: self.organisation,
        };
        Ok(PutCase { new, edit, state: self.state })
    }
}

pub(super) async fn put(
    State(desk): State<Desk>,
    caller: Caller,
    Path(external_id): Path<String>,
    IfMatch(seen): IfMatch,
    Body(ask): Body<Ask>,
) -> Result<Response, Problem> {
    let put = ask.checked(&external_id, &caller.person.email)?;
    let written = desk.store.put_case(&caller.by, &put, seen, Now::read()).await?;
    let status = match &written.value {
        Put::Opened(_) => StatusCode::CREATED,
        Put::Changed(_) => {
            desk.settled(written.revision).await;
            StatusCode::OK
        }
        Put::Same(_) => StatusCode::OK,
    };
    let shown = Tagged::show(&desk, &caller, written.value.case()).await?;
    Ok((status, shown).into_response())
}
