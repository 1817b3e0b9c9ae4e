//! A case as an outside ticket system has it: opened where the company knows none by that external
//! id, else brought to what the system says.
//!
//! ```text
//!   no case by that id ── Create ── opened ──┬─ state differs ── ChangeState ── moved ──┐
//!   a case by that id ── Read ── fields differ ── Edit ── edited ─┘                     commit
//!                          └─ nothing differs: nothing is written
//! ```
//!
//! What always holds: one transaction, so that of two who put a new id at once one opens and the
//! other changes; each part is judged as it would be alone, and a refusal of one undoes the others;
//! the same again changes nothing and is not recorded.

use super::{
    About, NewCase, change,
    change::Edit,
    external, opened,
    rows::{details_of, revision_of},
};
use crate::{
    audit::Event,
    authz::{Action, Reason, may_move},
    cases::{Case, State},
    clock::Now,
    ids::{CaseId, OrganisationId, Revision, TenantId},
    store::{
        By, Conflict, Store, Subject, WriteError, Written,
        act::{Act, Allowed, Ask},
        people,
        rows::Cells,
    },
};

/// What an outside system says of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutCase {
    /// How it is opened where it is not there. Its type and what it is about are said once: of a
    /// case that is there they must be the same.
    pub new: NewCase,
    /// What changes where it is there; what is left out stays as people set it.
    pub edit: Edit,
    pub state: Option<State>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    Opened(CaseId),
    Changed(CaseId),
    /// It stood so already.
    Same(CaseId),
}

impl Put {
    /// The case that goes by the external id.
    #[must_use]
    pub fn case(&self) -> &CaseId {
        match self {
            Self::Opened(case) | Self::Changed(case) | Self::Same(case) => case,
        }
    }
}

/// Who puts what, and the revision that they have seen.
struct Putting<'a> {
    by: &'a By,
    put: &'a PutCase,
    seen: Option<Revision>,
    now: Now,
}

impl Store {
    /// Brings the case that the caller's company knows as `put.new.details.external_id` to what `put`
    /// says; opens it where there is none.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; [`Conflict::Fixed`] where a field differs that never changes. A case that is
    /// not the caller's to see is not found.
    pub async fn put_case(
        &self,
        by: &By,
        put: &PutCase,
        seen: Option<Revision>,
        now: Now,
    ) -> Result<Written<Put>, WriteError> {
        change::title(&put.new.title)?;
        change::fits(&put.new.details)?;
        let subject = self.about(&put.new, &by.person).await?;
        let mut act = self.act().await?;
        let person = people::person_of(act.rows(), &by.person).await?;
        let found = match (person, &put.new.details.external_id) {
            (Some(one), Some(id)) => external::known_as(act.rows(), &one.tenant, id).await?,
            (Some(_), None) | (None, _) => None,
        };
        let putting = Putting { by, put, seen, now };
        match found {
            None => self.put_new(act, &putting, subject).await,
            Some(case) => self.put_on(act, &putting, &case, &subject).await,
        }
    }

    async fn put_new(
        &self,
        act: Act,
        putting: &Putting<'_>,
        subject: Subject,
    ) -> Result<Written<Put>, WriteError> {
        let Putting { by, put, seen, now } = *putting;
        let ask = Ask { by, subject, refused: Event::Refused, object: None, now };
        let action = Action::CreateCase(put.new.case_type);
        let allowed = self.judged_in(act, ask, |_| action).await?;
        if let Some(expected) = seen {
            return Err(Conflict::Stale { expected, found: Revision::default() }.into());
        }
        let (mut allowed, case) = opened(allowed, by, &put.new, now).await?;
        if let Some(state) = put.state.filter(|state| *state != case.state) {
            allowed.facts.case = Some(case.clone());
            allowed = moved(allowed, putting, &case, state).await?;
        }
        Ok(allowed.written(Put::Opened(case.id)).await?)
    }

    async fn put_on(
        &self,
        act: Act,
        putting: &Putting<'_>,
        case: &CaseId,
        about: &Subject,
    ) -> Result<Written<Put>, WriteError> {
        let Putting { by, put, seen, now } = *putting;
        let subject = Subject::case(by.person.clone(), case.clone());
        let object = Some(format!("case/{case}"));
        let ask = Ask { by, subject, refused: Event::Refused, object, now };
        let mut allowed = self.judged_in(act, ask, |_| Action::ReadCase(case.clone())).await?;
        let found = (allowed.facts.case.clone(), allowed.tenant().cloned());
        let (Some(old), Some(own)) = found else { return Err(allowed.not_found().await) };
        super::still_at(&mut allowed, case, seen).await?;
        same(&old, &put.new, about)?;
        raised_for(&mut allowed, case, put.new.organisation.as_ref()).await?;
        let details = details_of(allowed.rows(), case, &own).await?;
        let edit = put.edit.beside(&old.title, &details);
        let state = put.state.filter(|state| *state != old.state);
        if edit.is_empty() && state.is_none() {
            let revision = revision_of(allowed.rows(), case).await?;
            let same = allowed.written(Put::Same(case.clone())).await?;
            return Ok(Written { revision, ..same });
        }
        let mut row = old;
        if !edit.is_empty() {
            allowed = allowed.also(Action::EditCase(case.clone())).await?;
            if !edit.is_for(allowed.grant.side(), &row) {
                return Err(allowed.refused(Reason::Role).await);
            }
            row = change::edited(&mut allowed, &own, &row, &edit).await?;
        }
        if let Some(state) = state {
            allowed = moved(allowed, putting, &row, state).await?;
        }
        Ok(allowed.written(Put::Changed(case.clone())).await?)
    }
}

/// Moves a case of this write, if the caller may.
async fn moved(
    allowed: Allowed,
    putting: &Putting<'_>,
    case: &Case,
    state: State,
) -> Result<Allowed, WriteError> {
    let mut allowed = allowed.also(Action::ChangeState(case.id.clone())).await?;
    if !may_move(allowed.grant.side(), case.case_type(), case.state, state) {
        return Err(allowed.refused(Reason::Role).await);
    }
    change::moved(&mut allowed, putting.by, case, state, putting.now).await?;
    Ok(allowed)
}

/// That type, and what it is about, are those of the case that is there.
fn same(case: &Case, new: &NewCase, about: &Subject) -> Result<(), Conflict> {
    let what = "it is said once, and the case with this external id has another";
    if case.case_type() != new.case_type {
        return Err(Conflict::Fixed { field: "type", what });
    }
    let same = match case.machine() {
        Some(machine) => about.machine.as_ref() == Some(machine),
        None => about.asset.as_ref() == case.asset(),
    };
    let field = match new.about {
        About::Asset(_) => "asset",
        About::Machine(_) => "machine",
    };
    if same { Ok(()) } else { Err(Conflict::Fixed { field, what }) }
}

/// That the organisation, where one is named, is the one that the case was raised for: only who
/// raised it may change that, by an act of its own.
async fn raised_for(
    allowed: &mut Allowed,
    case: &CaseId,
    said: Option<&OrganisationId>,
) -> Result<(), WriteError> {
    let Some(said) = said else { return Ok(()) };
    let tenant = allowed.tenant().map(TenantId::to_string);
    let row = sqlx::query(
        "SELECT organisation FROM case_organisations WHERE case_id = $1 AND tenant = $2",
    )
    .bind(case.as_str())
    .bind(tenant)
    .fetch_optional(allowed.rows())
    .await?;
    let now: Option<OrganisationId> =
        row.map(|row| Cells::of("case_organisations", &row).id("organisation")).transpose()?;
    if now.as_ref() == Some(said) {
        return Ok(());
    }
    let what = "the case was raised for another; change it by PUT /cases/{case}/organisation";
    Err(Conflict::Fixed { field: "organisation", what }.into())
}
