//! Sessions: asked for, started, ended, and what flowed through them.

use std::net::IpAddr;

use super::{Listed, Page, Store, StoreError, WriteError};
use crate::{
    audit::{EndCause, Flow},
    authz::{Door, Facts, Grant, Request, Via, Want},
    clock::{Now, Wall},
    ids::{
        AssetId, CaseId, DeviceId, GatewayId, KeyDigest, Name, PersonId, SessionId, TenantId,
        TunnelId,
    },
};

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
    pub via: Via,
    /// The case, where a case's switch governs.
    pub case: Option<CaseId>,
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
        unimplemented!()
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
        unimplemented!()
    }

    /// Ends a session, once.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn end_session(&self, ended: &Ended) -> Result<EndedSession, StoreError> {
        unimplemented!()
    }

    /// Records channels that are over, in one transaction.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn record_flows(&self, flows: &[Flow], now: Now) -> Result<(), StoreError> {
        unimplemented!()
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
        unimplemented!()
    }

    /// A session's row, whoever asks.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn session(&self, session: &SessionId) -> Result<Option<SessionRow>, StoreError> {
        unimplemented!()
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
        unimplemented!()
    }
}
