//! From "may I?" to a granted session that the loop knows.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tracing::{error, warn};

use super::{OpenAsk, Opened, Refusal, news::Ask};
use crate::{
    audit::EndCause,
    authz::{Door, Via},
    clock::{Now, Wall},
    ids::{GatewayId, PeerId, SessionId},
    session::{Party, Snapshot},
    store::{Ended, Requested, SessionAsk, Store, StoreError, WriteError},
};

/// One request on its way; a task of its own, so that a row which was written is never forgotten
/// because its asker left.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) store: Store,
    pub(super) gateway: GatewayId,
    pub(super) asks: mpsc::Sender<Ask>,
    pub(super) last_at_most: Duration,
}

impl Opening {
    pub(super) async fn run(self, ask: OpenAsk, reply: oneshot::Sender<Result<Opened, Refusal>>) {
        let ear = ask.ear.no;
        let result = self.open(ask).await;
        if let Err(Ok(unheard)) = reply.send(result) {
            let _ = self.asks.send(Ask::Close { ear, session: unheard.session }).await;
        }
    }

    async fn open(&self, ask: OpenAsk) -> Result<Opened, Refusal> {
        let technician = Party { peer: self.technician(&ask), key: ask.key };
        let wanted = SessionAsk {
            who: ask.person,
            key: ask.key,
            source_ip: Some(ask.remote.ip()),
            via: ask.via,
            tunnel: ask.tunnel,
            door: ask.door,
            want: ask.want,
            reason: ask.reason,
            gateway: self.gateway.clone(),
        };
        let requested = self.store.request_session(&wanted, Now::read()).await.map_err(refusal)?;
        let Requested { session, grant, facts, requested_at } = requested;
        let Some(snapshot) = Snapshot::of(&grant, &facts, technician) else {
            error!(%session, "granted without a tunnel or an enrolled device");
            self.undo(session, EndCause::DecisionLost).await;
            return Err(Refusal::Unavailable("the gateway contradicts itself".into()));
        };
        let expires = self.expires(&snapshot, requested_at);
        let opened = opened(&session, &snapshot, expires);
        let facts = Box::new(facts);
        let granted =
            Ask::Granted { session, grant, facts, snapshot: Box::new(snapshot), ear: ask.ear };
        if self.asks.send(granted).await.is_err() {
            self.undo(opened.session, EndCause::GatewayShutdown).await;
            return Err(Refusal::Draining);
        }
        Ok(opened)
    }

    /// Who must come as the technician's end.
    fn technician(&self, ask: &OpenAsk) -> PeerId {
        match ask.door {
            Door::Native => PeerId::Person(ask.person.clone()),
            Door::Browser | Door::Ssh => PeerId::Face(self.gateway.clone()),
        }
    }

    fn expires(&self, snapshot: &Snapshot, now: Now) -> Wall {
        let last = now.wall.plus(self.last_at_most);
        snapshot.switch_until.map_or(last, |until| until.min(last))
    }

    /// Ends a row that no loop will.
    async fn undo(&self, session: SessionId, cause: EndCause) {
        let ended = Ended { session, cause, at: Now::read().wall, up: 0, down: 0, by: None };
        if let Err(error) = self.store.end_session(&ended).await {
            warn!(session = %ended.session, %error, "left open until the next start");
        }
    }
}

fn opened(session: &SessionId, snapshot: &Snapshot, expires: Wall) -> Opened {
    Opened {
        session: session.clone(),
        case: snapshot.case().cloned(),
        asset: snapshot.asset.clone(),
        device: snapshot.device.clone(),
        device_key: snapshot.device_key,
        tunnel: snapshot.tunnel_name.clone(),
        kind: snapshot.kind,
        mode: snapshot.mode,
        targets: snapshot.targets.clone(),
        expires,
    }
}

fn refusal(error: WriteError) -> Refusal {
    match error {
        WriteError::Denied(denial) => Refusal::Denied(denial),
        WriteError::Conflict(conflict) => Refusal::Unavailable(conflict.to_string()),
        WriteError::Store(fault) => {
            error!(error = %fault, "no session can be opened");
            Refusal::Unavailable(in_words(&fault).into())
        }
    }
}

/// What a technician may know of it; the log has the rest.
fn in_words(fault: &StoreError) -> &'static str {
    match fault {
        StoreError::DiskFull { .. } | StoreError::Full => {
            "the gateway's disk is full: nothing is started until there is room for records"
        }
        StoreError::Busy => "the gateway's store did not answer in time; try again",
        StoreError::Open { .. }
        | StoreError::Gone { .. }
        | StoreError::NotOurs { .. }
        | StoreError::Newer { .. }
        | StoreError::Locked { .. }
        | StoreError::NotEmpty
        | StoreError::KeyTaken
        | StoreError::Unreadable { .. }
        | StoreError::NoRandomness(_)
        | StoreError::Sql(_) => {
            "the gateway's store is not available: nothing is started until it is"
        }
    }
}

/// The subject of a session's decision, for judging it again.
pub(super) fn subject_of(session: &SessionId, snapshot: &Snapshot) -> crate::store::Subject {
    use crate::store::{Subject, TunnelKey};
    let who = snapshot.person.clone();
    let about = match &snapshot.via {
        Via::Case(case) => Subject::case(who, case.clone()),
        Via::Asset(asset) => Subject::asset(who, asset.clone()),
    };
    let about = about.tunnel(TunnelKey::Id(snapshot.tunnel.clone()));
    Subject { session: Some(session.clone()), ..about }
}
