//! An agent's control connection, on the gateway's side.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use tokio::{sync::mpsc, time::timeout};
use tracing::{debug, error, info, warn};

use super::{
    Desk, OUTBOX_MAX, SILENCE_MAX,
    admission::{self, PeerError, Turned},
    enrolment,
    outbox::{Outbox, goodbye, queue, tell},
    present::is_let_in,
};
use crate::{
    audit::{Actor, Entry, Event},
    broker::{AgentAsk, AgentOrder, AgentTicket, Offer},
    clock::Now,
    ids::DeviceId,
    transport::{Connection, Peer},
    wire::{AgentSays, ControlReader, GatewayTellsAgent, Hello},
};

/// Lets a device in and attends to it until its connection is over.
///
/// # Errors
///
/// [`PeerError`]: why it is over, where the peer did not simply leave.
pub(super) async fn attend(
    desk: Desk,
    device: DeviceId,
    mut connection: Connection,
) -> Result<(), PeerError> {
    // Boxed, here and below: a connection is idle for days, and keeps no room for what is rare.
    let hello = match Box::pin(admit(&desk, &mut connection)).await? {
        Ok(hello) => hello,
        Err(turned) => {
            info!(reason = %turned, "agent turned away");
            let message = GatewayTellsAgent::Goodbye {
                code: turned.code().to_owned(),
                detail: turned.to_string(),
            };
            Box::pin(goodbye(&mut connection.writer, &message)).await.map_err(PeerError::Send)?;
            return Err(PeerError::TurnedAway(turned));
        }
    };
    let Connection { peer, mut reader, mut writer, closer } = connection;
    let _place = desk.present.enter(&peer.id, peer.key, closer);
    let welcome = GatewayTellsAgent::Welcome(admission::welcome(Now::read()));
    writer.send(&welcome).await.map_err(PeerError::Send)?;

    let (outbox, inbox) = mpsc::channel(OUTBOX_MAX);
    let (orders, received) = mpsc::channel(OUTBOX_MAX);
    let ask = AgentAsk {
        device: device.clone(),
        key: peer.key,
        nonce: hello.nonce,
        remote: peer.remote,
        orders,
    };
    let ticket = Box::pin(desk.broker.agent_arrived(ask)).await;
    info!(remote = %peer.remote, build = hello.build, "device online");
    note(&desk, &device, &peer, Event::DeviceOnline);
    let is_last = |message: &GatewayTellsAgent| matches!(message, GatewayTellsAgent::Replaced);
    let ended = tokio::select! {
        biased;
        // Dropped on purpose: whichever half ends, the connection is over.
        ended = listen(&desk, &ticket, &peer, &mut reader, &outbox) => ended,
        ended = tell(&mut writer, inbox, |n| GatewayTellsAgent::Ping { n }, is_last) => ended,
        ended = carry(received, &outbox) => ended,
    };
    Box::pin(desk.broker.agent_departed(&ticket)).await;
    info!("device offline");
    note(&desk, &device, &peer, Event::DeviceOffline);
    ended
}

async fn admit(
    desk: &Desk,
    connection: &mut Connection,
) -> Result<Result<Hello, Turned>, PeerError> {
    let first = timeout(SILENCE_MAX, connection.reader.next::<AgentSays>()).await;
    let hello = match first.map_err(|_| PeerError::Silent)?.map_err(PeerError::Read)? {
        Some(AgentSays::Hello(hello)) => hello,
        Some(_) | None => return Ok(Err(Turned::Greeting)),
    };
    if let Err(turned) = admission::check(&hello, Now::read()) {
        return Ok(Err(turned));
    }
    let Peer { id, key, .. } = &connection.peer;
    Ok(match is_let_in(&desk.store, id, *key).await {
        Ok(true) => Ok(hello),
        Ok(false) => Err(Turned::Key("the device was revoked or enrolled anew; enrol it again")),
        Err(error) => {
            error!(%error, "nobody can be let in");
            Err(Turned::Store(error))
        }
    })
}

async fn listen(
    desk: &Desk,
    ticket: &AgentTicket,
    peer: &Peer,
    reader: &mut ControlReader,
    outbox: &Outbox<GatewayTellsAgent>,
) -> Result<(), PeerError> {
    loop {
        let heard = timeout(SILENCE_MAX, reader.next::<AgentSays>()).await;
        let Some(said) = heard.map_err(|_| PeerError::Silent)?.map_err(PeerError::Read)? else {
            return Ok(());
        };
        match said {
            AgentSays::Hello(_) => return Err(PeerError::OutOfTurn("hello")),
            AgentSays::Ping { n } => queue(outbox, GatewayTellsAgent::Pong { n })?,
            AgentSays::Pong { .. } => {}
            AgentSays::LocalSwitch { allows } => {
                info!(allows, "local switch");
                Box::pin(desk.broker.local_switch(ticket, allows)).await;
            }
            AgentSays::Refused { session, channel, fault, detail } => {
                debug!(%session, %channel, ?fault, detail, "offer refused");
                let refused = desk.broker.offer_refused(ticket, session, channel, fault, detail);
                Box::pin(refused).await;
            }
            AgentSays::Renew { csr } => {
                let renewed = enrolment::renew(desk, ticket.device(), peer.key, &csr);
                let answer = match renewed {
                    Ok(certificate) => {
                        note(desk, ticket.device(), peer, Event::DeviceRenewed);
                        GatewayTellsAgent::Renewed { certificate }
                    }
                    Err(detail) => {
                        warn!(detail, "renewal refused");
                        GatewayTellsAgent::RenewRefused { detail }
                    }
                };
                queue(outbox, answer)?;
            }
        }
    }
}

/// Translates the broker's orders; ends when the broker has dropped this connection.
async fn carry(
    mut orders: mpsc::Receiver<Box<AgentOrder>>,
    outbox: &Outbox<GatewayTellsAgent>,
) -> Result<(), PeerError> {
    let mut replaced = false;
    while let Some(order) = orders.recv().await {
        replaced = matches!(*order, AgentOrder::Replaced);
        outbox.send(Box::new(on_the_wire(*order))).await.map_err(|_| PeerError::Slow)?;
    }
    if replaced {
        // The connection ends when the device has been told.
        std::future::pending::<()>().await;
    }
    Err(PeerError::Slow)
}

fn on_the_wire(order: AgentOrder) -> GatewayTellsAgent {
    match order {
        AgentOrder::Offer(offer) => {
            let Offer { session, channel, warrant, target, destination, token } = offer;
            GatewayTellsAgent::Offer {
                session,
                channel,
                warrant,
                target,
                destination,
                token: URL_SAFE_NO_PAD.encode(token.expose()),
            }
        }
        AgentOrder::Ended { session, cause } => GatewayTellsAgent::Ended { session, cause },
        AgentOrder::Replaced => GatewayTellsAgent::Replaced,
        AgentOrder::Restarting { reconnect_in } => GatewayTellsAgent::Restarting {
            reconnect_in_ms: u32::try_from(reconnect_in.as_millis()).unwrap_or(u32::MAX),
        },
    }
}

/// Has it recorded what a device did; if that cannot be written, sessions do not start either.
fn note(desk: &Desk, device: &DeviceId, peer: &Peer, event: Event) {
    let mut entry = Entry::new(Now::read().wall, Actor::Device(device.clone()), event);
    entry.object = Some(peer.id.to_string());
    entry.source_ip = Some(peer.remote.ip());
    entry.new = Some(peer.carrier.to_string());
    desk.notes.take(entry);
}
