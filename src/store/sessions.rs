//! Sessions: asked for, started, ended, and what flowed through them.

use std::net::IpAddr;

use sqlx::SqliteConnection;

use super::{
    By, Conflict, Listed, Page, Store, StoreError, Subject, TunnelKey, WriteError,
    act::{Act, Ask, by_gateway},
    efforts,
    people::person_of,
    rows::{Cells, code, kept},
};
use crate::{
    audit::{Actor, EndCause, Entry, Event, Flow},
    authz::{Action, Door, Facts, Grant, Request, Via, Want},
    clock::{Now, Wall},
    ids::{
        AssetId, CaseId, DeviceId, GatewayId, KeyDigest, Name, PersonId, SessionId, TenantId,
        TunnelId,
    },
};

/// A reason in a person's own words at most, in bytes.
const REASON_BYTES_MAX: usize = 1024;
/// Batches that one page reads at most; a page may be short, and still name where the next begins.
const BATCHES_MAX: usize = 8;
/// Sorts after every session id.
const AFTER_ALL: &str = "~";

/// A session that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionAsk {
    pub who: PersonId,
    /// The technician's end of the seal must show it.
    pub key: KeyDigest,
    pub source_ip: Option<IpAddr>,
    pub via: Via,
    pub tunnel: Name,
    pub door: Door,
    pub want: Want,
    /// The person's own words.
    pub reason: Option<String>,
    pub gateway: GatewayId,
}

/// A session that was granted: its row is on disk.
#[derive(Debug)]
pub struct Requested {
    pub session: SessionId,
    pub grant: Grant,
    /// The rows that the grant was given for.
    pub facts: Facts,
    pub requested_at: Now,
}

/// A session whose `session_started` record is on disk.
#[derive(Debug)]
pub struct Started {
    /// Given anew, under the facts of the very transaction that wrote the record.
    pub grant: Grant,
    pub facts: Facts,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub session: SessionId,
    pub cause: EndCause,
    pub at: Wall,
    /// Bytes from the technician to the machine.
    pub up: u64,
    /// Bytes from the machine to the technician.
    pub down: u64,
    /// Who ended it, where a person did.
    pub by: Option<PersonId>,
}

/// Whether ending a session was news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedSession {
    Now,
    /// It had ended before, and stays as it was; or there never was one.
    Before,
}

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionState {
    Requested,
    Started,
    Ended,
}

/// A session's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    pub id: SessionId,
    pub gateway: GatewayId,
    pub person: PersonId,
    pub tenant: TenantId,
    pub key: KeyDigest,
    pub source_ip: Option<IpAddr>,
    /// Whose switch governs it.
    pub via: Via,
    pub asset: AssetId,
    pub device: DeviceId,
    pub tunnel: TunnelId,
    pub tunnel_name: Name,
    pub door: Door,
    pub want: Want,
    pub reason: Option<String>,
    pub state: SessionState,
    pub requested_at: Wall,
    pub started_at: Option<Wall>,
    pub ended_at: Option<Wall>,
    pub cause: Option<EndCause>,
    pub up: u64,
    pub down: u64,
}

impl SessionRow {
    /// What it is judged by again.
    #[must_use]
    pub fn subject(&self) -> Subject {
        let subject = about(self.person.clone(), &self.via, TunnelKey::Id(self.tunnel.clone()));
        Subject { session: Some(self.id.clone()), ..subject }
    }

    /// The case, where a case's switch governs.
    #[must_use]
    pub fn case(&self) -> Option<&CaseId> {
        match &self.via {
            Via::Case(case) => Some(case),
            Via::Asset(_) => None,
        }
    }
}

/// What a session under `via` is judged by.
fn about(who: PersonId, via: &Via, tunnel: TunnelKey) -> Subject {
    match via {
        Via::Case(case) => Subject::case(who, case.clone()),
        Via::Asset(asset) => Subject::asset(who, asset.clone()),
    }
    .tunnel(tunnel)
}

impl Store {
    /// Judges `ask` and writes the session's row and record in one transaction.
    ///
    /// # Errors
    ///
    /// [`WriteError::Denied`], recorded as `session_denied`; [`StoreError::DiskFull`].
    pub async fn request_session(
        &self,
        ask: &SessionAsk,
        now: Now,
    ) -> Result<Requested, WriteError> {
        self.has_room()?;
        if ask.reason.as_ref().is_some_and(|reason| reason.len() > REASON_BYTES_MAX) {
            return Err(Conflict::Invalid("a reason has 1,024 bytes at most").into());
        }
        let by = By { person: ask.who.clone(), source_ip: ask.source_ip };
        let subject = about(ask.who.clone(), &ask.via, TunnelKey::Name(ask.tunnel.clone()));
        let object = Some(format!("tunnel/{}", ask.tunnel));
        let asked = Ask { by: &by, subject, refused: Event::SessionDenied, object, now };
        let unknown = unknown(&ask.tunnel)?;
        let mut allowed = self
            .judged(asked, |facts| Action::UseTunnel {
                tunnel: facts.tunnel.as_ref().map_or(unknown, |tunnel| tunnel.id.clone()),
                via: ask.via.clone(),
                door: ask.door,
                want: ask.want,
            })
            .await?;
        let session: SessionId = super::fresh_id()?;
        let Some(row) = row(session.clone(), ask, &allowed.facts, now) else {
            return Err(allowed.not_found().await);
        };
        let (side, role) = (allowed.grant.side(), allowed.grant.role().map(ToString::to_string));
        let side = side.map(|one| code(&one));
        insert_session(allowed.rows(), &row, side, role).await?;
        allowed.tell(Event::SessionRequested, |entry| {
            entry.session = Some(session.clone());
            entry.new = Some(format!("{} {}", code(&ask.door), code(&ask.want)));
            entry.reason.clone_from(&ask.reason);
        });
        let (act, grant, facts) = allowed.into_parts();
        let (_, requested_at) = act.commit().await?;
        Ok(Requested { session, grant, facts, requested_at })
    }

    /// Judges again and records `session_started`; bytes may flow when this returns.
    ///
    /// # Errors
    ///
    /// [`WriteError::Denied`]: end the session with what the denial says.
    pub async fn start_session(
        &self,
        session: &SessionId,
        request: &Request,
        now: Now,
    ) -> Result<Started, WriteError> {
        self.has_room()?;
        let gone = || Conflict::Invalid("the session has ended, or runs already");
        let row = self.session(session).await?.ok_or_else(gone)?;
        if row.person != request.who {
            return Err(gone().into());
        }
        let by = By { person: row.person.clone(), source_ip: row.source_ip };
        let object = Some(format!("tunnel/{}", row.tunnel_name));
        let subject = row.subject();
        let asked = Ask { by: &by, subject, refused: Event::SessionDenied, object, now };
        let mut allowed = self.judged(asked, |_| request.action.clone()).await?;
        let started = sqlx::query(
            "UPDATE sessions SET started_at = $2 \
             WHERE id = $1 AND started_at IS NULL AND ended_at IS NULL",
        )
        .bind(session.as_str())
        .bind(now.wall.0)
        .execute(allowed.rows())
        .await?;
        if started.rows_affected() == 0 {
            return Err(gone().into());
        }
        allowed.tell(Event::SessionStarted, |_| {});
        let (act, grant, facts) = allowed.into_parts();
        act.commit().await?;
        Ok(Started { grant, facts })
    }

    /// Ends a session, once.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn end_session(&self, ended: &Ended) -> Result<EndedSession, StoreError> {
        let mut act = self.act().await?;
        let Some(row) = session_of(act.rows(), &ended.session).await? else {
            return Ok(EndedSession::Before);
        };
        if row.state == SessionState::Ended {
            return Ok(EndedSession::Before);
        }
        end(&mut act, &row, ended).await?;
        act.commit().await?;
        Ok(EndedSession::Now)
    }

    /// Records channels that are over, in one transaction.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn record_flows(&self, flows: &[Flow], now: Now) -> Result<(), StoreError> {
        let mut act = self.act().await?;
        let mut known: Option<SessionRow> = None;
        for flow in flows {
            if known.as_ref().is_none_or(|row| row.id != flow.session) {
                known = session_of(act.rows(), &flow.session).await?;
            }
            let entry = flow_entry(flow, known.as_ref(), now);
            act.tell(entry);
        }
        act.commit().await?;
        Ok(())
    }

    /// Ends what a gateway that is gone left live, with `gateway_shutdown`; returns those sessions.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn end_orphans(
        &self,
        gateway: &GatewayId,
        now: Now,
    ) -> Result<Vec<SessionId>, StoreError> {
        let mut act = self.act().await?;
        let rows = sqlx::query("SELECT * FROM sessions WHERE gateway = $1 AND ended_at IS NULL")
            .bind(gateway.as_str())
            .fetch_all(act.rows())
            .await?;
        let mut orphans = Vec::with_capacity(rows.len());
        for row in &rows {
            let row = session_in(&Cells::of("sessions", row))?;
            let ended = Ended {
                session: row.id.clone(),
                cause: EndCause::GatewayShutdown,
                at: now.wall,
                up: row.up,
                down: row.down,
                by: None,
            };
            end(&mut act, &row, &ended).await?;
            orphans.push(row.id);
        }
        act.commit().await?;
        Ok(orphans)
    }

    /// A session's row, whoever asks.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn session(&self, session: &SessionId) -> Result<Option<SessionRow>, StoreError> {
        let mut reading = self.reading().await?;
        session_of(&mut reading, session).await
    }

    /// The sessions that `who` may see, newest first: the own ones, those of cases that `who` may
    /// read, and those on assets of the own tenant that `who` may read. Live ones alone, unless
    /// `past`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn sessions(
        &self,
        who: &PersonId,
        past: bool,
        page: &Page,
        now: Now,
    ) -> Result<Listed<SessionRow>, StoreError> {
        let mut reading = self.reading().await?;
        let mut before = page.after.clone().unwrap_or_else(|| AFTER_ALL.to_owned());
        let mut items = Vec::new();
        for _ in 0..BATCHES_MAX {
            let batch = batch(&mut reading, who, past, &before, page.size()).await?;
            let full = batch.len() == page.size();
            for row in batch {
                if items.len() == page.size() {
                    return Ok(Listed { items, next: Some(before) });
                }
                before = row.id.to_string();
                if self.sees(&mut reading, who, &row, now.wall).await? {
                    items.push(row);
                }
            }
            if !full {
                return Ok(Listed { items, next: None });
            }
        }
        Ok(Listed { items, next: Some(before) })
    }
}

impl Store {
    /// One's own; those of a case that one may read; those of an asset that one may read, where
    /// the asset's own switch governs.
    async fn sees(
        &self,
        conn: &mut SqliteConnection,
        who: &PersonId,
        row: &SessionRow,
        now: Wall,
    ) -> Result<bool, StoreError> {
        if row.person == *who {
            return Ok(true);
        }
        let (subject, action) = match &row.via {
            Via::Case(case) => {
                (Subject::case(who.clone(), case.clone()), Action::ReadCase(case.clone()))
            }
            Via::Asset(asset) => {
                (Subject::asset(who.clone(), asset.clone()), Action::ReadAsset(asset.clone()))
            }
        };
        self.allows(conn, &subject, action, now).await
    }
}

/// What stands for a tunnel that is not there, so that its absence is judged in its turn.
fn unknown(tunnel: &Name) -> Result<TunnelId, StoreError> {
    tunnel.as_str().parse().map_err(|fault: crate::ids::InvalidId| StoreError::Unreadable {
        table: "tunnels",
        fault: fault.to_string(),
    })
}

/// The session that was granted, out of the very rows that the decision read.
fn row(id: SessionId, ask: &SessionAsk, facts: &Facts, now: Now) -> Option<SessionRow> {
    let tunnel = facts.tunnel.as_ref()?;
    Some(SessionRow {
        id,
        gateway: ask.gateway.clone(),
        person: ask.who.clone(),
        tenant: facts.tenant.as_ref()?.id.clone(),
        key: ask.key,
        source_ip: ask.source_ip,
        via: ask.via.clone(),
        asset: facts.asset.as_ref()?.id.clone(),
        device: facts.device.as_ref()?.device.id.clone(),
        tunnel: tunnel.id.clone(),
        tunnel_name: tunnel.name.clone(),
        door: ask.door,
        want: ask.want,
        reason: ask.reason.clone(),
        state: SessionState::Requested,
        requested_at: now.wall,
        started_at: None,
        ended_at: None,
        cause: None,
        up: 0,
        down: 0,
    })
}

async fn insert_session(
    conn: &mut SqliteConnection,
    row: &SessionRow,
    side: Option<String>,
    role: Option<String>,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO sessions (id, gateway, person, tenant, key_digest, source_ip, case_id, asset, \
                               device, tunnel, tunnel_name, door, want, reason, side, role, \
                               requested_at, bytes_up, bytes_down) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, 0, 0)",
    )
    .bind(row.id.as_str())
    .bind(row.gateway.as_str())
    .bind(row.person.as_str())
    .bind(row.tenant.as_str())
    .bind(row.key.to_string())
    .bind(row.source_ip.map(|ip| ip.to_string()))
    .bind(row.case().map(|case| case.as_str()))
    .bind(row.asset.as_str())
    .bind(row.device.as_str())
    .bind(row.tunnel.as_str())
    .bind(row.tunnel_name.as_str())
    .bind(code(&row.door))
    .bind(code(&row.want))
    .bind(&row.reason)
    .bind(side)
    .bind(role)
    .bind(row.requested_at.0)
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends a session that is live, with its record.
async fn end(act: &mut Act, row: &SessionRow, ended: &Ended) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE sessions SET ended_at = $2, cause = $3, bytes_up = $4, bytes_down = $5 \
         WHERE id = $1 AND ended_at IS NULL",
    )
    .bind(row.id.as_str())
    .bind(ended.at.0)
    .bind(ended.cause.code())
    .bind(kept(ended.up))
    .bind(kept(ended.down))
    .execute(act.rows())
    .await?;
    let mut entry = by_gateway(ended.at, &row.gateway, Event::SessionEnded);
    if let Some(by) = &ended.by {
        let person = person_of(act.rows(), by).await?;
        entry.actor = Actor::Person(by.clone());
        entry.actor_name = person.map_or_else(|| by.to_string(), |person| person.name);
    }
    entry.reason = Some(ended.cause.to_string());
    entry.new =
        Some(format!("{} {} up={} down={}", row.person, row.tunnel_name, ended.up, ended.down));
    act.tell(of_session(entry, row));
    efforts::session_over(act, row, ended.at).await
}

/// A channel that is over, as its session's person made it.
fn flow_entry(flow: &Flow, row: Option<&SessionRow>, now: Now) -> Entry {
    let actor = row.map_or(Actor::Nobody, |row| Actor::Person(row.person.clone()));
    let mut entry = Entry::new(now.wall, actor, Event::Flow);
    entry.session = Some(flow.session.clone());
    entry.new = serde_json::to_string(flow).ok();
    match row {
        Some(row) => of_session(entry, row),
        None => entry,
    }
}

fn of_session(entry: Entry, row: &SessionRow) -> Entry {
    Entry {
        tenant: Some(row.tenant.clone()),
        object: Some(format!("tunnel/{}", row.tunnel_name)),
        case: row.case().cloned(),
        asset: Some(row.asset.clone()),
        source_ip: row.source_ip,
        session: Some(row.id.clone()),
        ..entry
    }
}

fn session_in(cells: &Cells<'_>) -> Result<SessionRow, StoreError> {
    let asset: AssetId = cells.id("asset")?;
    let (started_at, ended_at) =
        (cells.wall_or_none("started_at")?, cells.wall_or_none("ended_at")?);
    Ok(SessionRow {
        id: cells.id("id")?,
        gateway: cells.id("gateway")?,
        person: cells.id("person")?,
        tenant: cells.id("tenant")?,
        key: cells.id("key_digest")?,
        source_ip: cells.id_or_none("source_ip")?,
        via: cells.id_or_none("case_id")?.map_or_else(|| Via::Asset(asset.clone()), Via::Case),
        asset,
        device: cells.id("device")?,
        tunnel: cells.id("tunnel")?,
        tunnel_name: cells.id("tunnel_name")?,
        door: cells.code("door")?,
        want: cells.code("want")?,
        reason: cells.text_or_none("reason")?,
        state: match (started_at, ended_at) {
            (_, Some(_)) => SessionState::Ended,
            (Some(_), None) => SessionState::Started,
            (None, None) => SessionState::Requested,
        },
        requested_at: cells.wall("requested_at")?,
        started_at,
        ended_at,
        cause: cells.code_or_none("cause")?,
        up: cells.count("bytes_up")?,
        down: cells.count("bytes_down")?,
    })
}

async fn session_of(
    conn: &mut SqliteConnection,
    session: &SessionId,
) -> Result<Option<SessionRow>, StoreError> {
    let row = sqlx::query("SELECT * FROM sessions WHERE id = $1")
        .bind(session.as_str())
        .fetch_optional(conn)
        .await?;
    row.map(|row| session_in(&Cells::of("sessions", &row))).transpose()
}

/// Sessions older than `before` that the tenant of `who` has to do with, newest first. Narrow
/// enough to be quick; what `who` may see of them is decided one by one.
async fn batch(
    conn: &mut SqliteConnection,
    who: &PersonId,
    past: bool,
    before: &str,
    size: usize,
) -> Result<Vec<SessionRow>, StoreError> {
    let rows = sqlx::query(
        "SELECT s.* FROM sessions s JOIN people p ON p.id = $1 JOIN assets a ON a.id = s.asset \
                                    LEFT JOIN cases c ON c.id = s.case_id \
         WHERE s.id < $2 AND ($3 = 1 OR s.ended_at IS NULL) \
           AND (s.person = p.id OR c.operator = p.tenant OR c.provider = p.tenant \
                OR (s.case_id IS NULL AND a.operator = p.tenant)) \
         ORDER BY s.id DESC LIMIT $4",
    )
    .bind(who.as_str())
    .bind(before)
    .bind(i64::from(past))
    .bind(i64::try_from(size).unwrap_or(1))
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| session_in(&Cells::of("sessions", row))).collect()
}
