//! Who is connected now, from which case, to what: what [`status`](super::status()) shows, and where
//! a session's channels are ended all at once.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::{
    audit::EndCause,
    clock::Wall,
    ids::{ChannelNo, KeyDigest, PersonId, SessionId},
    machines::Destination,
    relay::{Cut, Meter},
    seal::SessionKeys,
    warrant::Warrant,
};

/// Sessions of one device at most; the next offer is refused with `limit`.
pub(super) const SESSIONS_MAX: usize = 1_024;
/// Channels of one session at most, channel 0 aside; the next offer is refused with `limit`.
pub(super) const CHANNELS_MAX: usize = 256;

/// All live sessions; clones share.
#[derive(Clone, Debug, Default)]
pub(super) struct Board(Arc<Mutex<Sessions>>);

type Sessions = BTreeMap<SessionId, Live>;

/// One session, as its first believed warrant opened it.
#[derive(Debug)]
struct Live {
    person: PersonId,
    technician_key: KeyDigest,
    about: About,
    /// `None` until the handshake on channel 0 is done.
    keys: watch::Sender<Option<Arc<SessionKeys>>>,
    cut: Cut,
    channels: BTreeMap<ChannelNo, Channel>,
    /// Of channels that ended: up, down.
    past: (u64, u64),
}

#[derive(Debug)]
struct Channel {
    /// None for channel 0.
    destination: Option<Destination>,
    since: Wall,
    meter: Arc<Meter>,
}

/// What people at the machine see of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    pub person: String,
    pub tenant: String,
    pub case: Option<String>,
    pub asset: String,
    pub tunnel: String,
    pub since: Wall,
    pub until: Wall,
}

/// One session as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    pub session: SessionId,
    #[serde(flatten)]
    pub about: About,
    pub up: u64,
    pub down: u64,
    pub channels: Vec<ShownChannel>,
}

/// One channel as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownChannel {
    pub destination: String,
    pub since: Wall,
    pub up: u64,
    pub down: u64,
}

/// Why there is no place for a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoPlace {
    #[error("more sessions or channels than the device allows")]
    Limit,
    /// The session's first warrant named somebody else.
    #[error("the warrant is for another person than the session")]
    OtherPerson,
    #[error("the session is not there")]
    NoSession,
    #[error("this channel is there already")]
    Taken,
}

/// A channel's place on the board; leaving is dropping it.
#[derive(Debug)]
pub(super) struct Place {
    board: Board,
    session: SessionId,
    channel: ChannelNo,
    /// Given when the session, or all, must end at once.
    pub cut: Cut,
    pub meter: Arc<Meter>,
    keys: watch::Receiver<Option<Arc<SessionKeys>>>,
}

impl Board {
    /// A place for a channel of the session that `warrant` opens or continues.
    ///
    /// # Errors
    ///
    /// [`NoPlace`].
    pub(super) fn enter(
        &self,
        warrant: &Warrant,
        channel: ChannelNo,
        destination: Option<Destination>,
        meter: Meter,
        wall: Wall,
    ) -> Result<Place, NoPlace> {
        let mut sessions = self.lock();
        if !sessions.contains_key(&warrant.session) {
            if channel != ChannelNo::HANDSHAKE {
                return Err(NoPlace::NoSession);
            }
            if sessions.len() >= SESSIONS_MAX {
                return Err(NoPlace::Limit);
            }
        }
        let live =
            sessions.entry(warrant.session.clone()).or_insert_with(|| Live::opened(warrant, wall));
        live.enter(warrant, channel)?;
        let meter = Arc::new(meter);
        let shown = Channel { destination, since: wall, meter: meter.clone() };
        live.channels.insert(channel, shown);
        Ok(Place {
            board: self.clone(),
            session: warrant.session.clone(),
            channel,
            cut: live.cut.child(),
            meter,
            keys: live.keys.subscribe(),
        })
    }

    /// Ends one session's channels at once.
    pub(super) fn end(&self, session: &SessionId, cause: EndCause) {
        if let Some(live) = self.lock().remove(session) {
            live.cut.now();
            tracing::info!(%session, %cause, person = live.about.person, "session ended");
        }
    }

    /// Ends the sessions whose warrant holds no longer at `wall`, whatever the gateway says.
    pub(super) fn end_past(&self, wall: Wall) {
        let mut sessions = self.lock();
        let past: Vec<SessionId> = sessions
            .iter()
            .filter(|(_, live)| live.about.until <= wall)
            .map(|(session, _)| session.clone())
            .collect();
        for session in past {
            if let Some(live) = sessions.remove(&session) {
                live.cut.now();
                tracing::info!(%session, person = live.about.person, "the warrant ended");
            }
        }
    }

    /// Ends all at once and says how many there were.
    pub(super) fn end_all(&self, why: &'static str) -> usize {
        let all = std::mem::take(&mut *self.lock());
        for (session, live) in &all {
            live.cut.now();
            tracing::info!(%session, why, person = live.about.person, "session ended");
        }
        all.len()
    }

    /// How many sessions are live.
    #[must_use]
    pub(super) fn live(&self) -> usize {
        self.lock().len()
    }

    /// Every live session, in the order of their ids, which is that of their beginnings.
    #[must_use]
    pub(super) fn shown(&self) -> Vec<Shown> {
        self.lock().iter().map(|(session, live)| live.shown(session)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Sessions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    fn opened(warrant: &Warrant, wall: Wall) -> Self {
        Self {
            person: warrant.person.clone(),
            technician_key: warrant.technician_key,
            about: About {
                person: warrant.person_name.clone(),
                tenant: warrant.tenant_name.clone(),
                case: warrant.case.as_ref().map(ToString::to_string),
                asset: warrant.asset.to_string(),
                tunnel: warrant.tunnel.to_string(),
                since: wall,
                until: warrant.until,
            },
            keys: watch::Sender::new(None),
            cut: Cut::new(),
            channels: BTreeMap::new(),
            past: (0, 0),
        }
    }

    fn enter(&self, warrant: &Warrant, channel: ChannelNo) -> Result<(), NoPlace> {
        if self.person != warrant.person || self.technician_key != warrant.technician_key {
            return Err(NoPlace::OtherPerson);
        }
        if self.channels.contains_key(&channel) {
            return Err(NoPlace::Taken);
        }
        if channel == ChannelNo::HANDSHAKE {
            // One handshake a session: a second would replace the keys under living channels.
            return if self.has_keys() { Err(NoPlace::Taken) } else { Ok(()) };
        }
        if self.channels.len() >= CHANNELS_MAX { Err(NoPlace::Limit) } else { Ok(()) }
    }

    fn has_keys(&self) -> bool {
        self.keys.borrow().is_some()
    }

    fn shown(&self, session: &SessionId) -> Shown {
        let channels: Vec<ShownChannel> = self
            .channels
            .values()
            .filter_map(|channel| {
                let tally = channel.meter.tally();
                Some(ShownChannel {
                    destination: channel.destination.as_ref()?.to_string(),
                    since: channel.since,
                    up: tally.up,
                    down: tally.down,
                })
            })
            .collect();
        let (up, down) = self.past;
        Shown {
            session: session.clone(),
            about: self.about.clone(),
            up: up + channels.iter().map(|channel| channel.up).sum::<u64>(),
            down: down + channels.iter().map(|channel| channel.down).sum::<u64>(),
            channels,
        }
    }
}

impl Place {
    /// The handshake on channel 0 is done: the session's further channels have keys.
    pub(super) fn has_keys(&self, keys: SessionKeys) {
        if let Some(live) = self.board.lock().get(&self.session) {
            live.keys.send_replace(Some(Arc::new(keys)));
        }
    }

    /// The session's keys, once its handshake is done; never, if it fails. The first offers of a
    /// quick technician come while the handshake's last byte is still on its way.
    pub(super) async fn keys(&mut self) -> Arc<SessionKeys> {
        match self.keys.wait_for(Option::is_some).await.map(|keys| keys.clone()) {
            Ok(Some(keys)) => keys,
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut sessions = self.board.lock();
        let Some(live) = sessions.get_mut(&self.session) else { return };
        // An ended session's name may have been taken by a new one: look whose channel it is.
        match live.channels.get(&self.channel) {
            Some(channel) if Arc::ptr_eq(&channel.meter, &self.meter) => {}
            Some(_) | None => return,
        }
        live.channels.remove(&self.channel);
        let tally = self.meter.tally();
        live.past = (live.past.0 + tally.up, live.past.1 + tally.down);
        if !live.has_keys() && self.channel == ChannelNo::HANDSHAKE {
            // The handshake failed: the gateway ends the session, and nothing here waits for it.
            live.cut.now();
            sessions.remove(&self.session);
        }
    }
}
