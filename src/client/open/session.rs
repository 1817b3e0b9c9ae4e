//! An open session: its keys, and how a channel of it is opened.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Notify, time::timeout};

use super::{
    fate::ChannelFault,
    line::{Line, OpenChannel},
    plan::Place,
};
use crate::{
    client::{
        Exit, Failure,
        show::{OneLine, Terminal},
    },
    clock::Now,
    ids::PeerId,
    relay::{Leg, Meter, Pools},
    seal::{self, ChannelKeys, HandshakeError, Pin, SessionKeys},
    telemetry::one_line,
    tls::Identity,
    token::JoinToken,
    transport::JoinError,
    wire::Opened,
};

/// The gateway answers a join within this time.
const JOIN_TIME_MAX: Duration = Duration::from_secs(15);

/// How long a connection waits for another's end when the session has as many channels as it may.
const ROOM_TIME_MAX: Duration = Duration::from_secs(30);

/// How long it waits before it asks again unprompted: the gateway may learn of an end after us.
const ROOM_PAUSE: Duration = Duration::from_millis(250);

/// An open session.
#[derive(Debug)]
pub(super) struct Session {
    line: Line,
    opened: Opened,
    keys: SessionKeys,
    /// Told whenever a channel ends.
    freed: Notify,
    meter: Arc<Meter>,
    pools: Pools,
    terminal: Terminal,
}

/// A channel that is open: its leg and its keys.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) leg: Leg,
    pub(super) keys: ChannelKeys,
    /// Makes room for another when it is dropped.
    pub(super) _room: Room,
}

/// A channel's place among those that the session may have.
#[derive(Debug)]
pub(super) struct Room(Arc<Session>);

impl Drop for Room {
    fn drop(&mut self) {
        self.0.freed.notify_one();
    }
}

impl Session {
    /// Opens channel 0 and does the seal's handshake on it: the device's end must show the key that
    /// the gateway named, in a certificate that says its name.
    pub(super) async fn seal(
        line: &Line,
        opened: Opened,
        identity: &Identity,
        terminal: &Terminal,
    ) -> Result<Self, Failure> {
        let channel =
            OpenChannel { session: opened.session.clone(), target: None, destination: None };
        let (_, token) = line.channel(channel).await.map_err(ChannelFault::failure)?;
        let leg = joined(line, &token).await.map_err(ChannelFault::failure)?;
        let pin = Pin { peer: PeerId::Device(opened.device.clone()), key: opened.device_key };
        let sealed = seal::connect(leg, identity, &pin, &opened.session).await;
        let keys = sealed.map_err(|error| {
            let device = &opened.device;
            let how = one_line(&error);
            let late = matches!(error, HandshakeError::TimedOut);
            let exit = if late { Exit::TimedOut } else { Exit::Other };
            Failure::new(exit, format!("no seal with device {device}: {how}"))
                .hint("nothing was sent; if it stays so, tell the machine's operator")
        })?;
        terminal
            .detail(format_args!("sealed with device {} ({})", opened.device, opened.device_key));
        Ok(Self {
            line: line.clone(),
            opened,
            keys,
            freed: Notify::new(),
            meter: Arc::new(Meter::new(Now::read())),
            pools: Pools::with_bulk_threads(),
            terminal: terminal.clone(),
        })
    }

    pub(super) fn opened(&self) -> &Opened {
        &self.opened
    }

    pub(super) fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    pub(super) fn pools(&self) -> &Pools {
        &self.pools
    }

    pub(super) fn terminal(&self) -> &Terminal {
        &self.terminal
    }

    /// Opens a channel to `place`. Where the session has as many as it may, waits for one to end.
    pub(super) async fn channel(self: &Arc<Self>, place: &Place) -> Result<Channel, ChannelFault> {
        let until = Now::read().mono + ROOM_TIME_MAX;
        loop {
            // Listens before it asks, so that an end in between is not missed.
            let freed = self.freed.notified();
            match self.channel_now(place).await {
                Err(fault) if fault.passes() && Now::read().mono < until => {
                    // Whichever comes first: it asks again.
                    let _ = timeout(ROOM_PAUSE, freed).await;
                }
                done => return done,
            }
        }
    }

    async fn channel_now(self: &Arc<Self>, place: &Place) -> Result<Channel, ChannelFault> {
        let open = OpenChannel {
            session: self.opened.session.clone(),
            target: Some(place.target.clone()),
            destination: Some(place.destination.clone()),
        };
        let (no, token) = self.line.channel(open).await?;
        let leg = joined(&self.line, &token).await?;
        let keys = self.keys.channel(no);
        let keys = keys.map_err(|error| ChannelFault::Leg(error.to_string()))?;
        Ok(Channel { leg, keys, _room: Room(Arc::clone(self)) })
    }

    /// Tells that a local connection came to nothing; once, where the line tells it or the session's
    /// end does.
    pub(super) fn refused(&self, place: &Place, fault: &ChannelFault) {
        if matches!(fault, ChannelFault::Over | ChannelFault::TakenBack(_)) {
            return;
        }
        let Place { target, destination } = place;
        self.terminal.note(OneLine(fault.of(target, destination)));
    }
}

async fn joined(line: &Line, token: &JoinToken) -> Result<Leg, ChannelFault> {
    match timeout(JOIN_TIME_MAX, line.legs().open(token)).await {
        Ok(Ok(leg)) => Ok(leg),
        Ok(Err(error @ JoinError::Refused(_))) => Err(ChannelFault::TakenBack(one_line(&error))),
        Ok(Err(error)) => Err(ChannelFault::Leg(one_line(&error))),
        Err(_) => Err(ChannelFault::TimedOut),
    }
}
