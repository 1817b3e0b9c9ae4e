//! Whom a record is for, and what more there is to say of it, before anybody is asked what they may
//! see.

use sqlx::SqliteConnection;

use crate::{
    audit::Event,
    authz::Action,
    cases::{Case, CaseType},
    clock::Wall,
    groups::Happening,
    ids::{CaseId, PersonId, RequestId, TenantId},
    notices::Topic,
    store::{StoreError, places::UNANSWERED, rows::Cells},
};

/// A record about a case that people are to hear of.
pub(super) struct Told {
    pub(super) at: Wall,
    pub(super) actor: String,
    /// Who did it, by name.
    pub(super) by: String,
    pub(super) case: CaseId,
    tenant: Option<TenantId>,
    event: Event,
    new: Option<String>,
    reason: Option<String>,
    about: About,
}

/// What a record is about beside its case, as its rows are now.
enum About {
    Nothing,
    /// A request for remote access, by whom.
    Request(PersonId),
    Message {
        text: String,
        mentions: Vec<PersonId>,
        /// Whoever takes part in the case or its conversation.
        around: Vec<PersonId>,
    },
}

/// Whom a record is for under one topic.
pub(super) struct Audience {
    pub(super) topic: Topic,
    /// What happened, as it follows the case's id.
    pub(super) said: &'static str,
    /// Words that came with it.
    pub(super) words: Option<String>,
    pub(super) readers: Readers,
    /// What they must be allowed to do, beside reading the case.
    pub(super) may: Option<Action>,
}

pub(super) enum Readers {
    These(Vec<PersonId>),
    /// Everybody of a company.
    Company(TenantId),
    /// Members of the group that the case is in there, by the group's setting (domain.md G1-10).
    Members(TenantId, Happening),
}

impl Audience {
    fn new(topic: Topic, said: &'static str, readers: Readers) -> Self {
        Self { topic, said, words: None, readers, may: None }
    }

    fn one(topic: Topic, said: &'static str, person: PersonId) -> Self {
        Self::new(topic, said, Readers::These(vec![person]))
    }
}

/// Whether people may hear of `event`.
pub(super) fn is_heard(event: Event) -> bool {
    matches!(
        event,
        Event::CaseCreated
            | Event::AssigneeChanged
            | Event::CaseReopened
            | Event::CasePlaced
            | Event::CaseEscalated
            | Event::AccessRequested
            | Event::AccessGranted
            | Event::AccessDeclined
            | Event::AccessLapsed
            | Event::MessagePosted
            | Event::PersonInvited
    )
}

/// Whom a record is for: of two topics that are somebody's, the first.
pub(super) fn audiences(told: &Told, case: &Case) -> Vec<Audience> {
    let mut found = match &told.about {
        About::Nothing => of_case(told, case),
        About::Request(asker) => of_request(told, case, asker),
        About::Message { mentions, around, .. } => of_message(case, mentions, around),
    };
    let words = match &told.about {
        About::Nothing | About::Request(_) => &told.reason,
        About::Message { text, .. } => &Some(text.clone()),
    };
    // Nobody is quoted their own words; a reason code is in what is said already.
    let quoted = told.event != Event::AccessGranted && words.as_deref() != Some(UNANSWERED);
    for audience in found.iter_mut().filter(|_| quoted) {
        audience.words.clone_from(words);
    }
    found
}

fn of_case(told: &Told, case: &Case) -> Vec<Audience> {
    let mut found = Vec::new();
    if told.event == Event::CaseCreated
        && case.case_type() == CaseType::Shared
        && let Some(provider) = case.provider()
    {
        let readers = Readers::Company(provider.clone());
        let may = Some(Action::ChangeState(case.id.clone()));
        found.push(Audience { may, ..Audience::new(Topic::CaseOpened, "was opened", readers) });
    }
    if told.event == Event::AssigneeChanged {
        let assignee = told.new.as_ref().and_then(|person| person.parse().ok());
        let said = "was assigned to you";
        found.extend(assignee.map(|one| Audience::one(Topic::CaseAssigned, said, one)));
    }
    if told.event == Event::CaseReopened {
        let (said, assignee) = ("was opened again", case.assignee.clone());
        found.extend(assignee.map(|one| Audience::one(Topic::CaseReopened, said, one)));
        found.extend(members(case, said, Happening::Reopened));
    }
    if told.event == Event::CasePlaced || told.event == Event::CaseEscalated {
        let said = match told.reason.as_deref() {
            Some(UNANSWERED) => {
                "came into a group of yours, with a request for remote access that nobody answered"
            }
            Some(_) | None => "came into a group of yours",
        };
        // How a company arranges its own work is told in that company alone.
        let members = told.tenant.clone().map(|own| Readers::Members(own, Happening::Authorised));
        found.extend(members.map(|members| Audience::new(Topic::GroupCase, said, members)));
    }
    found
}

fn of_request(told: &Told, case: &Case, asker: &PersonId) -> Vec<Audience> {
    if told.event == Event::AccessRequested {
        let answers = Action::SwitchCase { case: case.id.clone(), on: true };
        let said = "has a request for remote access";
        return case
            .operator()
            .map(|operator| Readers::Company(operator.clone()))
            .map(|readers| Audience::new(Topic::AccessRequested, said, readers))
            .map(|audience| Audience { may: Some(answers), ..audience })
            .into_iter()
            .collect();
    }
    let said = if told.event == Event::AccessGranted {
        "has remote access now, as you asked"
    } else if told.event == Event::AccessDeclined {
        "gets no remote access: your request was declined"
    } else {
        "gets no remote access: your request lapsed"
    };
    vec![Audience::one(Topic::AccessAnswered, said, asker.clone())]
}

/// A conversation is read by whoever may take part in it.
fn of_message(case: &Case, mentions: &[PersonId], around: &[PersonId]) -> Vec<Audience> {
    let said = "has a new message";
    let mut around = around.to_vec();
    around.extend(case.assignee.clone());
    around.push(case.created_by.clone());
    let mut found = vec![
        Audience::new(Topic::Mentioned, "has a message for you", Readers::These(mentions.to_vec())),
        Audience::new(Topic::CaseMessage, said, Readers::These(around)),
    ];
    found.extend(members(case, said, Happening::Commented));
    for audience in &mut found {
        audience.may = Some(Action::Chat(case.id.clone()));
    }
    found
}

/// Members of the groups that the case is in, for each of its parties.
fn members(
    case: &Case,
    said: &'static str,
    happening: Happening,
) -> impl Iterator<Item = Audience> {
    let parties = [case.operator().cloned(), case.provider().cloned()].into_iter().flatten();
    parties
        .map(move |party| Audience::new(Topic::GroupCase, said, Readers::Members(party, happening)))
}

/// The record `seq`, if it is about a case.
pub(super) async fn told(
    conn: &mut SqliteConnection,
    seq: i64,
) -> Result<Option<Told>, StoreError> {
    let row = sqlx::query(
        "SELECT at, actor, actor_name, tenant, event, object, case_id, new_value, reason \
         FROM records WHERE seq = $1 AND case_id IS NOT NULL",
    )
    .bind(seq)
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let cells = Cells::of("records", &row);
    let (case, object) = (cells.id("case_id")?, cells.text_or_none("object")?);
    let about = about(conn, &case, object.as_deref().unwrap_or_default()).await?;
    Ok(Some(Told {
        at: cells.wall("at")?,
        actor: cells.text("actor")?,
        by: cells.text("actor_name")?,
        tenant: cells.id_or_none("tenant")?,
        event: cells.code("event")?,
        new: cells.text_or_none("new_value")?,
        reason: cells.text_or_none("reason")?,
        case,
        about,
    }))
}

async fn about(
    conn: &mut SqliteConnection,
    case: &CaseId,
    object: &str,
) -> Result<About, StoreError> {
    if let Some(request) = object.strip_prefix("request/").and_then(|id| id.parse().ok()) {
        let request: RequestId = request;
        let row = sqlx::query("SELECT person FROM access_requests WHERE id = $1")
            .bind(request.as_str())
            .fetch_optional(conn)
            .await?;
        return match row {
            Some(row) => Ok(About::Request(Cells::of("access_requests", &row).id("person")?)),
            None => Ok(About::Nothing),
        };
    }
    let number = object.strip_prefix("message/").and_then(|rest| rest.rsplit_once('/'));
    match number.and_then(|(_, number)| number.parse().ok()) {
        Some(number) => message(conn, case, number).await,
        None => Ok(About::Nothing),
    }
}

async fn message(
    conn: &mut SqliteConnection,
    case: &CaseId,
    number: i64,
) -> Result<About, StoreError> {
    let row = sqlx::query("SELECT text FROM messages WHERE case_id = $1 AND number = $2")
        .bind(case.as_str())
        .bind(number)
        .fetch_optional(&mut *conn)
        .await?;
    let Some(row) = row else { return Ok(About::Nothing) };
    let mentions = sqlx::query("SELECT person FROM mentions WHERE case_id = $1 AND number = $2")
        .bind(case.as_str())
        .bind(number)
        .fetch_all(&mut *conn)
        .await?;
    let around = sqlx::query(
        "SELECT person FROM case_participants WHERE case_id = $1 \
         UNION SELECT person FROM case_copies WHERE case_id = $1 \
         UNION SELECT author FROM messages WHERE case_id = $1",
    )
    .bind(case.as_str())
    .fetch_all(conn)
    .await?;
    let people = |rows: &[sqlx::sqlite::SqliteRow]| {
        rows.iter().map(|row| Cells::of("messages", row).id("person")).collect::<Result<_, _>>()
    };
    Ok(About::Message {
        text: Cells::of("messages", &row).text("text")?,
        mentions: people(&mentions)?,
        around: people(&around)?,
    })
}
