//! What may change of a case: its state, who has it, and what it tells.

use super::{
    external,
    rows::{details_of, write_case, write_details},
    still_at, told, turned,
};
use crate::{
    audit::Event,
    authz::{Action, CaseField, Reason, may_move, may_write},
    cases::{Case, Details, Priority, Severity, State, Switch},
    clock::Now,
    ids::{CaseId, PersonId, Revision, TenantId},
    store::{
        By, Conflict, Store, StoreError, Subject, WriteError, Written,
        act::{Allowed, Ask},
        places, requests,
        rows::code,
    },
    tenancy::Side,
};

/// A title at most, in bytes.
const TITLE_BYTES_MAX: usize = 200;
/// A description at most, in bytes.
const DESCRIPTION_BYTES_MAX: usize = 8 * 1024;
/// A phone number, an address, an external id at most, in bytes.
const LINE_BYTES_MAX: usize = 254;

/// One change of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaseChange {
    State(State),
    /// To somebody, or to nobody.
    Assignee(Option<PersonId>),
    Edit(Edit),
}

/// New values of what a case tells; what is `None` stays. An inner `None` takes the value away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    pub title: Option<String>,
    pub description: Option<String>,
    pub severity: Option<Severity>,
    pub phone: Option<Option<String>>,
    pub email: Option<Option<String>>,
    pub priority: Option<Option<Priority>>,
    pub external_id: Option<Option<String>>,
}

impl Store {
    /// Changes a case, if it still stands at the revision `seen`.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; [`Conflict::Stale`] where somebody was faster.
    pub async fn change_case(
        &self,
        by: &By,
        case: &CaseId,
        change: &CaseChange,
        seen: Option<Revision>,
        now: Now,
    ) -> Result<Written<Case>, WriteError> {
        match change {
            CaseChange::State(state) => self.move_case(by, case, *state, seen, now).await,
            CaseChange::Assignee(to) => self.give_case(by, case, to.as_ref(), seen, now).await,
            CaseChange::Edit(edit) => self.edit_case(by, case, edit, seen, now).await,
        }
    }

    /// Moves a case to `state`. Closing turns its switch off in the same transaction; reopening
    /// leaves it off.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn change_case_state(
        &self,
        by: &By,
        case: &CaseId,
        state: State,
        now: Now,
    ) -> Result<Written<Case>, WriteError> {
        self.move_case(by, case, state, None, now).await
    }

    /// Gives a case to somebody, or to nobody.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn assign_case(
        &self,
        by: &By,
        case: &CaseId,
        to: Option<&PersonId>,
        now: Now,
    ) -> Result<Written<Case>, WriteError> {
        self.give_case(by, case, to, None, now).await
    }

    async fn move_case(
        &self,
        by: &By,
        case: &CaseId,
        state: State,
        seen: Option<Revision>,
        now: Now,
    ) -> Result<Written<Case>, WriteError> {
        let action = Action::ChangeState(case.clone());
        let (mut allowed, old) = self.on_case(by, case, None, action, now).await?;
        if !may_move(allowed.grant.side(), old.case_type(), old.state, state) {
            return Err(allowed.refused(Reason::Role).await);
        }
        still_at(&mut allowed, case, seen).await?;
        let new = moved(&mut allowed, by, &old, state, now).await?;
        Ok(allowed.written(new).await?)
    }

    async fn give_case(
        &self,
        by: &By,
        case: &CaseId,
        to: Option<&PersonId>,
        seen: Option<Revision>,
        now: Now,
    ) -> Result<Written<Case>, WriteError> {
        let action = match to {
            Some(_) => Action::Assign(case.clone()),
            None => Action::Unassign(case.clone()),
        };
        let (mut allowed, old) = self.on_case(by, case, to, action, now).await?;
        still_at(&mut allowed, case, seen).await?;
        let new = Case { assignee: to.cloned(), ..old.clone() };
        write_case(allowed.rows(), &new).await?;
        let name = |person: &Option<PersonId>| person.as_ref().map(ToString::to_string);
        let (was, is) = (name(&old.assignee), name(&new.assignee));
        told(&mut allowed, &new, Event::AssigneeChanged, was, is);
        Ok(allowed.written(new).await?)
    }

    async fn edit_case(
        &self,
        by: &By,
        case: &CaseId,
        edit: &Edit,
        seen: Option<Revision>,
        now: Now,
    ) -> Result<Written<Case>, WriteError> {
        let action = Action::EditCase(case.clone());
        let (mut allowed, old) = self.on_case(by, case, None, action, now).await?;
        if !edit.is_for(allowed.grant.side(), &old) {
            return Err(allowed.refused(Reason::Role).await);
        }
        still_at(&mut allowed, case, seen).await?;
        let Some(own) = allowed.tenant().cloned() else { return Err(allowed.not_found().await) };
        let new = edited(&mut allowed, &own, &old, edit).await?;
        Ok(allowed.written(new).await?)
    }

    /// Lets `by` act on a case; gives the case as it stands.
    async fn on_case(
        &self,
        by: &By,
        case: &CaseId,
        assignee: Option<&PersonId>,
        action: Action,
        now: Now,
    ) -> Result<(Allowed, Case), WriteError> {
        let mut subject = Subject::case(by.person.clone(), case.clone());
        subject.assignee = assignee.cloned();
        let object = Some(format!("case/{case}"));
        let ask = Ask { by, subject, refused: Event::Refused, object, now };
        let allowed = self.judged(ask, |_| action).await?;
        match allowed.facts.case.clone() {
            Some(found) => Ok((allowed, found)),
            None => Err(allowed.not_found().await),
        }
    }
}

impl Edit {
    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Only what differs from what a case tells now.
    pub(super) fn beside(&self, title: &str, now: &Details) -> Self {
        Self {
            title: self.title.clone().filter(|new| new.trim() != title),
            description: self.description.clone().filter(|new| new.trim() != now.description),
            severity: self.severity.filter(|new| Some(*new) != now.severity),
            phone: self.phone.clone().filter(|new| *new != now.contact.phone),
            email: self.email.clone().filter(|new| *new != now.contact.email),
            priority: self.priority.filter(|new| *new != now.priority),
            external_id: self.external_id.clone().filter(|new| *new != now.external_id),
        }
    }

    /// Whether each of its fields is `side`'s to write.
    pub(super) fn is_for(&self, side: Option<Side>, case: &Case) -> bool {
        self.fields().all(|field| may_write(side, case.case_type(), field))
    }

    /// Whether it is about nothing but what the own company calls the case.
    fn is_of_external_id(&self) -> bool {
        let rest = Self { external_id: None, ..self.clone() };
        self.external_id.is_some() && rest.is_empty()
    }

    /// The fields that it names.
    fn fields(&self) -> impl Iterator<Item = CaseField> {
        [
            (self.title.is_some(), CaseField::Words),
            (self.description.is_some(), CaseField::Words),
            (self.severity.is_some(), CaseField::Severity),
            (self.phone.is_some() || self.email.is_some(), CaseField::Contact),
            (self.priority.is_some(), CaseField::Priority),
            (self.external_id.is_some(), CaseField::ExternalId),
        ]
        .into_iter()
        .filter_map(|(named, field)| named.then_some(field))
    }

    /// What a case tells after it that told `old`; the title is not among that.
    #[must_use]
    pub fn on(&self, old: &Details) -> Details {
        let mut new = old.clone();
        if let Some(description) = &self.description {
            new.description = description.trim().to_owned();
        }
        new.severity = self.severity.or(old.severity);
        if let Some(phone) = &self.phone {
            new.contact.phone.clone_from(phone);
        }
        if let Some(email) = &self.email {
            new.contact.email.clone_from(email);
        }
        new.priority = self.priority.unwrap_or(old.priority);
        if let Some(external_id) = &self.external_id {
            new.external_id.clone_from(external_id);
        }
        new
    }
}

/// Moves the case that was judged to `state`.
pub(super) async fn moved(
    allowed: &mut Allowed,
    by: &By,
    old: &Case,
    state: State,
    now: Now,
) -> Result<Case, StoreError> {
    let mut new = Case { state, ..old.clone() };
    new.closed_at = match state {
        State::Closed => old.closed_at.or(Some(now.wall)),
        State::New | State::InProgress => None,
    };
    let was_on = old.switch().is_some_and(|switch| switch.on);
    if state == State::Closed {
        new.set_switch(Switch::default());
    }
    write_case(allowed.rows(), &new).await?;
    let event = match (old.state, state) {
        (_, State::Closed) => Event::CaseClosed,
        (State::Closed, State::New | State::InProgress) => Event::CaseReopened,
        (State::New | State::InProgress, _) => Event::CaseStateChanged,
    };
    told(allowed, &new, event, Some(code(&old.state)), Some(code(&state)));
    if state == State::Closed {
        close_behind(allowed, by, &new.id, was_on, now).await?;
    }
    Ok(new)
}

/// Writes `edit`, by somebody of the company `own`, of the case that was judged. What that company
/// calls the case is written down by itself: the other party is not told (INF).
pub(super) async fn edited(
    allowed: &mut Allowed,
    own: &TenantId,
    old: &Case,
    edit: &Edit,
) -> Result<Case, WriteError> {
    let case = &old.id;
    let title = title(edit.title.as_deref().unwrap_or(&old.title))?;
    let details = details_of(allowed.rows(), case, own).await?;
    let new = Case { title, ..old.clone() };
    let told_now = edit.on(&details);
    fits(&told_now)?;
    write_case(allowed.rows(), &new).await?;
    write_details(allowed.rows(), case, &told_now).await?;
    if told_now.priority != details.priority {
        places::set_clocks_of_case(allowed.rows(), case).await?;
    }
    if !edit.is_of_external_id() {
        let (was, is) = differences((&old.title, &details), (&new.title, &told_now));
        told(allowed, &new, Event::CaseEdited, Some(was), Some(is));
    }
    if let Some(external_id) = &edit.external_id {
        external::name(allowed.rows(), own, case, external_id.as_deref()).await?;
        let (was, is) = (details.external_id, external_id.clone());
        told(allowed, &new, Event::CaseExternalIdChanged, was, is);
    }
    Ok(new)
}

/// What closing brings with it: the switch is off, and nobody waits for it any more.
async fn close_behind(
    allowed: &mut Allowed,
    by: &By,
    case: &CaseId,
    was_on: bool,
    now: Now,
) -> Result<(), StoreError> {
    requests::all_lapsed(allowed, case, now).await?;
    if !was_on {
        return Ok(());
    }
    allowed.tell(Event::SwitchOff, |entry| {
        entry.object = Some(format!("case/{case}"));
        entry.reason = Some("case_closed".to_owned());
    });
    let key = ("case", case.as_str());
    turned(allowed.rows(), key, false, Some(&by.person), Some("case_closed"), now.wall).await
}

/// Writes the details of a case that somebody of the company `own` has just created.
pub(super) async fn first_details(
    allowed: &mut Allowed,
    own: &TenantId,
    case: &Case,
    details: &Details,
) -> Result<(), WriteError> {
    let side = allowed.grant.side();
    if details.priority.is_some() && !may_write(side, case.case_type(), CaseField::Priority) {
        return Err(Conflict::field("priority", "it is the provider's to set").into());
    }
    let details = Details { description: details.description.trim().to_owned(), ..details.clone() };
    write_details(allowed.rows(), &case.id, &details).await?;
    // Whoever opens a case may name it as their own system does.
    external::name(allowed.rows(), own, &case.id, details.external_id.as_deref()).await
}

/// A title, trimmed.
pub(super) fn title(title: &str) -> Result<String, Conflict> {
    let title = title.trim();
    if title.is_empty() || title.len() > TITLE_BYTES_MAX {
        return Err(Conflict::field("title", "it has 1 to 200 bytes"));
    }
    Ok(title.to_owned())
}

/// Whether the texts are within their limits.
pub(super) fn fits(details: &Details) -> Result<(), Conflict> {
    if details.description.len() > DESCRIPTION_BYTES_MAX {
        return Err(Conflict::field("description", "it has 8,192 bytes at most"));
    }
    for (field, line) in [
        ("contact.phone", &details.contact.phone),
        ("contact.email", &details.contact.email),
        ("external_id", &details.external_id),
    ] {
        let blank = |line: &str| line.trim().is_empty() || line.len() > LINE_BYTES_MAX;
        if line.as_deref().is_some_and(blank) {
            return Err(Conflict::field(field, "it has 1 to 254 bytes"));
        }
    }
    match &details.contact.email {
        Some(email) if !email.contains('@') => {
            Err(Conflict::field("contact.email", "it is not an e-mail address"))
        }
        Some(_) | None => Ok(()),
    }
}

/// The fields that differ, before and after, of those that both parties see. Descriptions are long:
/// that they changed is enough.
fn differences(
    (old_title, old): (&str, &Details),
    (new_title, new): (&str, &Details),
) -> (String, String) {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
    let values = |title: &str, one: &Details| {
        [
            ("title", title.to_owned()),
            ("severity", or_none(one.severity.map(|one| code(&one)))),
            ("phone", or_none(one.contact.phone.clone())),
            ("email", or_none(one.contact.email.clone())),
            ("priority", or_none(one.priority.map(|one| code(&one)))),
        ]
    };
    let (mut was, mut is) = (Vec::new(), Vec::new());
    for ((name, before), (_, after)) in
        values(old_title, old).into_iter().zip(values(new_title, new))
    {
        if before != after {
            was.push(format!("{name}={before}"));
            is.push(format!("{name}={after}"));
        }
    }
    if old.description != new.description {
        was.push(format!("description={} bytes", old.description.len()));
        is.push(format!("description={} bytes", new.description.len()));
    }
    (was.join(", "), is.join(", "))
}
