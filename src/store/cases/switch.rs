//! Remote-access switches: turned by people, and off by themselves when their time is up.

use sqlx::SqliteConnection;

use super::rows::write_case;
use crate::{
    audit::Event,
    authz::Action,
    cases::Switch,
    clock::{Now, Wall},
    ids::{AssetId, CaseId, GatewayId, PersonId, Revision},
    store::{
        By, Conflict, Object, Store, StoreError, Subject, Switched, WriteError,
        act::{Act, Allowed, Ask, by_gateway},
        requests,
        rows::Cells,
    },
};

/// A reason in a person's own words at most, in bytes.
pub(in crate::store) const WORDS_BYTES_MAX: usize = 1024;
/// Switches that one transaction turns off when their time is up; the next takes the next ones.
const EXPIRED_AT_ONCE: i64 = 200;

/// How a switch should stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwitchAsk {
    pub on: bool,
    pub until: Option<Wall>,
    pub reason: Option<String>,
}

impl Store {
    /// Turns a case's switch.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn switch_case(
        &self,
        by: &By,
        case: &CaseId,
        ask: &SwitchAsk,
        now: Now,
    ) -> Result<Switched, WriteError> {
        self.switch_case_if(by, case, ask, None, now).await
    }

    /// [`Self::switch_case`], if the case still stands at the revision `seen`.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; [`Conflict::Stale`] where somebody was faster.
    pub async fn switch_case_if(
        &self,
        by: &By,
        case: &CaseId,
        ask: &SwitchAsk,
        seen: Option<Revision>,
        now: Now,
    ) -> Result<Switched, WriteError> {
        let switch = wanted(ask, now)?;
        let mut allowed = self.switching(by, case, ask.on, now).await?;
        super::still_at(&mut allowed, case, seen).await?;
        turn_case(&mut allowed, by, case, &switch, ask.reason.as_deref(), now).await?;
        if switch.on {
            requests::all_granted(&mut allowed, by, case, now).await?;
        }
        let done = allowed.written(switch).await?;
        Ok(Switched {
            revision: done.revision,
            committed_at: done.committed_at,
            switch: done.value,
        })
    }

    /// Lets `by` turn the switch of a case.
    pub(in crate::store) async fn switching(
        &self,
        by: &By,
        case: &CaseId,
        on: bool,
        now: Now,
    ) -> Result<Allowed, WriteError> {
        let subject = Subject::case(by.person.clone(), case.clone());
        let object = Some(format!("case/{case}"));
        let asked = Ask { by, subject, refused: Event::SwitchRefused, object, now };
        let action = Action::SwitchCase { case: case.clone(), on };
        let allowed = self.judged(asked, |_| action).await?;
        match allowed.facts.case {
            Some(_) => Ok(allowed),
            None => Err(allowed.not_found().await),
        }
    }

    /// When the next switch turns itself off, or the next access request lapses.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn next_expiry(&self) -> Result<Option<Wall>, StoreError> {
        let row = sqlx::query(
            "SELECT MIN(at) AS at FROM \
             (SELECT MIN(switch_until) AS at FROM cases WHERE switch_until IS NOT NULL \
              UNION ALL SELECT MIN(switch_until) FROM assets WHERE switch_until IS NOT NULL \
              UNION ALL SELECT MIN(expires_at) FROM access_requests WHERE state = 'open') AS ends",
        )
        .fetch_one(self.readers()?)
        .await?;
        Cells::of("cases", &row).wall_or_none("at")
    }

    /// Writes down what time alone has brought about: switches whose time is up are off, requests
    /// that nobody answered have lapsed. Decisions know it before this is written; the record and
    /// the rows follow. Returns how many there were.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn expire(&self, gateway: &GatewayId, now: Now) -> Result<usize, StoreError> {
        let mut act = self.act().await?;
        let mut count = 0;
        for (kind, table) in [("case", "cases"), ("asset", "assets")] {
            for id in expired(act.rows(), kind, now.wall).await? {
                count += 1;
                turn_off(&mut act, (kind, table), &id, gateway, now).await?;
            }
        }
        count += requests::lapse_late(&mut act, gateway, now).await?;
        if count > 0 {
            act.commit().await?;
        }
        Ok(count)
    }
}

/// Ids of what is switched on past its time.
async fn expired(
    conn: &mut SqliteConnection,
    kind: &'static str,
    now: Wall,
) -> Result<Vec<String>, StoreError> {
    let sql = match kind {
        "case" => "SELECT id FROM cases WHERE switch_until <= $1 ORDER BY switch_until LIMIT $2",
        _ => "SELECT id FROM assets WHERE switch_until <= $1 ORDER BY switch_until LIMIT $2",
    };
    let rows = sqlx::query(sql).bind(now.0).bind(EXPIRED_AT_ONCE).fetch_all(&mut *conn).await?;
    rows.iter().map(|row| Cells::of("cases", row).text("id")).collect()
}

async fn turn_off(
    act: &mut Act,
    (kind, table): (&'static str, &'static str),
    id: &str,
    gateway: &GatewayId,
    now: Now,
) -> Result<(), StoreError> {
    let mut entry = by_gateway(now.wall, gateway, Event::SwitchExpired);
    let sql = if kind == "case" {
        "UPDATE cases SET switch_on = 0, switch_until = NULL WHERE id = $1 RETURNING asset"
    } else {
        "UPDATE assets SET switch_on = 0, switch_until = NULL WHERE id = $1 RETURNING id AS asset"
    };
    let row = sqlx::query(sql).bind(id).fetch_one(act.rows()).await?;
    let cells = Cells::of(table, &row);
    let asset: Option<AssetId> = cells.id_or_none("asset")?;
    let unreadable = |fault: crate::ids::InvalidId| cells.unreadable("id", fault);
    if kind == "case" {
        let case: CaseId = id.parse().map_err(unreadable)?;
        act.touch(Object::Case(case.clone()));
        entry.case = Some(case);
    } else if let Some(asset) = &asset {
        act.touch(Object::Asset(asset.clone()));
    }
    entry.asset = asset;
    entry.object = Some(format!("{kind}/{id}"));
    entry.old = Some("on".to_owned());
    entry.new = Some("off".to_owned());
    act.tell(entry);
    turned(act.rows(), (kind, id), false, None, None, now.wall).await
}

/// Turns the switch of the case that was judged, with its record and who turned it.
pub(in crate::store) async fn turn_case(
    allowed: &mut Allowed,
    by: &By,
    case: &CaseId,
    switch: &Switch,
    reason: Option<&str>,
    now: Now,
) -> Result<(), StoreError> {
    let Some(mut row) = allowed.facts.case.clone() else { return Ok(()) };
    let old = row.switch().cloned().unwrap_or_default();
    row.set_switch(switch.clone());
    write_case(allowed.rows(), &row).await?;
    let key = ("case", case.as_str());
    turned(allowed.rows(), key, switch.on, Some(&by.person), reason, now.wall).await?;
    allowed.touch(Object::Case(case.clone()));
    switch_told(allowed, &old, switch, reason);
    Ok(())
}

/// Keeps who turned a switch last, and why.
pub(in crate::store) async fn turned(
    conn: &mut SqliteConnection,
    (kind, id): (&str, &str),
    on: bool,
    person: Option<&PersonId>,
    reason: Option<&str>,
    at: Wall,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO switch_turns (kind, id, turned_on, person, at, reason) \
         VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (kind, id) DO UPDATE SET turned_on = excluded.turned_on, \
             person = excluded.person, at = excluded.at, reason = excluded.reason",
    )
    .bind(kind)
    .bind(id)
    .bind(i64::from(on))
    .bind(person.map(PersonId::as_str))
    .bind(at.0)
    .bind(reason)
    .execute(conn)
    .await?;
    Ok(())
}

/// The switch that `ask` asks for, if there can be one.
pub(in crate::store) fn wanted(ask: &SwitchAsk, now: Now) -> Result<Switch, Conflict> {
    if ask.reason.as_ref().is_some_and(|reason| reason.len() > WORDS_BYTES_MAX) {
        return Err(Conflict::Invalid("a reason has 1,024 bytes at most"));
    }
    match (ask.on, ask.until) {
        (false, Some(_)) => Err(Conflict::Invalid("only a switch that is on has an end")),
        (true, Some(until)) if until <= now.wall => {
            Err(Conflict::Invalid("the switch would end before it is on"))
        }
        (on, until) => Ok(Switch { on, until }),
    }
}

/// Has the turning of a switch recorded, the person's own words with it.
pub(in crate::store) fn switch_told(
    allowed: &mut Allowed,
    old: &Switch,
    new: &Switch,
    reason: Option<&str>,
) {
    let event = if new.on { Event::SwitchOn } else { Event::SwitchOff };
    allowed.tell(event, |entry| {
        entry.old = Some(position(old));
        entry.new = Some(position(new));
        entry.reason = reason.map(str::to_owned);
    });
}

fn position(switch: &Switch) -> String {
    match switch {
        Switch { on: false, .. } => "off".to_owned(),
        Switch { on: true, until: None } => "on".to_owned(),
        Switch { on: true, until: Some(until) } => format!("on until {until}"),
    }
}
