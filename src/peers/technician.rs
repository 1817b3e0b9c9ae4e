//! A technician's control connection, on the gateway's side.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use tokio::{
    sync::mpsc,
    time::{interval, timeout},
};
use tracing::{debug, error, info};

use super::{
    Desk, OUTBOX_MAX, SILENCE_MAX,
    admission::{self, PeerError, Turned},
    outbox::{Outbox, goodbye, queue, tell},
    present::is_let_in,
};
use crate::{
    authz::{Door, Via, Want},
    broker::{Ear, OpenAsk, Opened, Refusal, TechnicianNotice},
    clock::Now,
    ids::{AssetId, CaseId, Name, PersonId},
    transport::{Connection, Peer},
    wire::{self, ControlReader, GatewayTellsTechnician, TechnicianSays},
};

/// How often it is asked whether the key is still let in: it ends with its login, and no change
/// tells of that.
const KEY_CHECK: Duration = Duration::from_secs(30);
/// The longest reason that a person may give, in bytes.
const REASON_BYTES_MAX: usize = 512;

/// Lets a technician's program in and attends to it until its connection is over.
///
/// # Errors
///
/// [`PeerError`]: why it is over, where the peer did not simply leave.
pub(super) async fn attend(
    desk: Desk,
    person: PersonId,
    mut connection: Connection,
) -> Result<(), PeerError> {
    if let Err(turned) = Box::pin(admit(&desk, &mut connection)).await? {
        info!(reason = %turned, "technician turned away");
        let message = GatewayTellsTechnician::Goodbye {
            code: turned.code().to_owned(),
            detail: turned.to_string(),
        };
        goodbye(&mut connection.writer, &message).await.map_err(PeerError::Send)?;
        return Err(PeerError::TurnedAway(turned));
    }
    let Connection { peer, mut reader, mut writer, closer } = connection;
    let _place = desk.present.enter(&peer.id, peer.key, closer);
    let welcome = GatewayTellsTechnician::Welcome(admission::welcome(Now::read()));
    writer.send(&welcome).await.map_err(PeerError::Send)?;

    let (outbox, inbox) = mpsc::channel(OUTBOX_MAX);
    let (notices, received) = mpsc::channel(OUTBOX_MAX);
    let ear = Ear::new(notices);
    let caller = Caller { desk: &desk, person, peer: &peer, ear: &ear };
    let ended = tokio::select! {
        biased;
        // Dropped on purpose: whichever part ends, the connection is over.
        ended = caller.listen(&mut reader, &outbox) => ended,
        ended = tell(&mut writer, inbox, |n| GatewayTellsTechnician::Ping { n }, |_| false) => ended,
        ended = carry(received, &outbox) => ended,
        ended = caller.key_let_in() => ended,
    };
    desk.broker.technician_departed(&ear).await;
    ended
}

async fn admit(desk: &Desk, connection: &mut Connection) -> Result<Result<(), Turned>, PeerError> {
    let first = timeout(SILENCE_MAX, connection.reader.next::<TechnicianSays>()).await;
    let hello = match first.map_err(|_| PeerError::Silent)?.map_err(PeerError::Read)? {
        Some(TechnicianSays::Hello(hello)) => hello,
        Some(_) | None => return Ok(Err(Turned::Greeting)),
    };
    if let Err(turned) = admission::check(&hello, Now::read()) {
        return Ok(Err(turned));
    }
    let Peer { id, key, .. } = &connection.peer;
    Ok(match is_let_in(&desk.store, id, *key).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Turned::Key("the login has ended; run `caseway login` again")),
        Err(error) => {
            error!(%error, "nobody can be let in");
            Err(Turned::Store(error))
        }
    })
}

/// One technician's program.
struct Caller<'a> {
    desk: &'a Desk,
    person: PersonId,
    peer: &'a Peer,
    ear: &'a Ear,
}

impl Caller<'_> {
    async fn listen(
        &self,
        reader: &mut ControlReader,
        outbox: &Outbox<GatewayTellsTechnician>,
    ) -> Result<(), PeerError> {
        loop {
            let heard = timeout(SILENCE_MAX, reader.next::<TechnicianSays>()).await;
            let Some(said) = heard.map_err(|_| PeerError::Silent)?.map_err(PeerError::Read)? else {
                return Ok(());
            };
            match said {
                TechnicianSays::Hello(_) => return Err(PeerError::OutOfTurn("hello")),
                TechnicianSays::Ping { n } => queue(outbox, GatewayTellsTechnician::Pong { n })?,
                TechnicianSays::Pong { .. } => {}
                TechnicianSays::Open { request, case, asset, tunnel, reason } => {
                    let opened = Box::pin(self.open(request, (case, asset), tunnel, reason)).await;
                    queue(outbox, opened)?;
                }
                TechnicianSays::OpenChannel { session, channel, target, destination } => {
                    let broker = &self.desk.broker;
                    broker.open_channel(self.ear, session, channel, target, destination).await;
                }
                TechnicianSays::Close { session } => {
                    self.desk.broker.close(self.ear, session).await;
                }
            }
        }
    }

    async fn open(
        &self,
        request: u32,
        under: (Option<CaseId>, Option<AssetId>),
        tunnel: Name,
        reason: Option<String>,
    ) -> GatewayTellsTechnician {
        let refused = |reason: &str, detail: String| GatewayTellsTechnician::Refused {
            request,
            reason: reason.to_owned(),
            detail,
        };
        let via = match under {
            (Some(case), None) => Via::Case(case),
            (None, Some(asset)) => Via::Asset(asset),
            (Some(_), Some(_)) | (None, None) => {
                return refused("request", "name a case or an asset, and not both".to_owned());
            }
        };
        if reason.as_ref().is_some_and(|words| words.len() > REASON_BYTES_MAX) {
            return refused("request", format!("a reason has at most {REASON_BYTES_MAX} bytes"));
        }
        let ask = OpenAsk {
            person: self.person.clone(),
            key: self.peer.key,
            remote: self.peer.remote,
            via,
            tunnel,
            door: Door::Native,
            want: Want::Control,
            reason,
            ear: self.ear.clone(),
        };
        match self.desk.broker.open(ask).await {
            Ok(opened) => GatewayTellsTechnician::Opened(Box::new(on_the_wire(request, opened))),
            Err(Refusal::Denied(denial)) => {
                debug!(reason = %denial.reason, "session denied");
                refused(denial.told().code(), String::new())
            }
            Err(Refusal::Unavailable(detail)) => refused("unavailable", detail),
            Err(error @ Refusal::Draining) => refused("draining", error.to_string()),
        }
    }

    /// Ready when the key is no longer let in.
    async fn key_let_in(&self) -> Result<(), PeerError> {
        let mut turn = interval(KEY_CHECK);
        loop {
            turn.tick().await;
            if let Ok(false) = is_let_in(&self.desk.store, &self.peer.id, self.peer.key).await {
                return Err(PeerError::TurnedAway(Turned::Key("the login has ended")));
            }
        }
    }
}

fn on_the_wire(request: u32, opened: Opened) -> wire::Opened {
    wire::Opened {
        request,
        session: opened.session,
        case: opened.case,
        asset: opened.asset,
        device: opened.device,
        device_key: opened.device_key,
        tunnel: opened.tunnel,
        kind: opened.kind,
        mode: opened.mode,
        targets: opened.targets,
        expires: opened.expires,
    }
}

/// Translates the broker's notices; ends when the broker has dropped this connection.
async fn carry(
    mut notices: mpsc::Receiver<TechnicianNotice>,
    outbox: &Outbox<GatewayTellsTechnician>,
) -> Result<(), PeerError> {
    while let Some(notice) = notices.recv().await {
        let message = match notice {
            TechnicianNotice::Channel { session, channel, token } => {
                let token = URL_SAFE_NO_PAD.encode(token.expose());
                GatewayTellsTechnician::Channel { session, channel, token }
            }
            TechnicianNotice::ChannelRefused { session, channel, fault, detail } => {
                GatewayTellsTechnician::ChannelRefused { session, channel, fault, detail }
            }
            TechnicianNotice::Ended { session, cause } => {
                GatewayTellsTechnician::Ended { session, cause }
            }
            TechnicianNotice::Restarting { reconnect_in } => GatewayTellsTechnician::Restarting {
                reconnect_in_ms: u32::try_from(reconnect_in.as_millis()).unwrap_or(u32::MAX),
            },
        };
        outbox.send(Box::new(message)).await.map_err(|_| PeerError::Slow)?;
    }
    Err(PeerError::Slow)
}
