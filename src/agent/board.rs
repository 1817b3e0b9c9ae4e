//! Who is connected now, from which case, to what: what [`status`](super::status) shows, and where
//! a session's channels are ended all at once.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

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
pub const SESSIONS_MAX: usize = 16;
/// Channels of one session at most, channel 0 aside; the next offer is refused with `limit`.
pub const CHANNELS_MAX: usize = 64;

/// All live sessions; clones share.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<Mutex<Sessions>>);

#[derive(Debug, Default)]
struct Sessions {
    live: BTreeMap<SessionId, Live>,
    /// Sessions that had keys and ended, since the start.
    ended: u64,
}

/// One session, as its first believed warrant opened it.
#[derive(Debug)]
struct Live {
    person: PersonId,
    technician_key: KeyDigest,
    about: About,
    keys: Option<Arc<SessionKeys>>,
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
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub session: SessionId,
    pub about: About,
    pub up: u64,
    pub down: u64,
    pub channels: Vec<ShownChannel>,
}

/// One channel as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownChannel {
    pub destination: String,
    pub since: Wall,
    pub up: u64,
    pub down: u64,
}

/// Why there is no place for a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    #[error("more sessions or channels than the device allows")]
    Limit,
    /// The session's first warrant named somebody else.
    #[error("the warrant is for another person than the session")]
    OtherPerson,
    #[error("the session's handshake is not done")]
    NoKeys,
    #[error("this channel is there already")]
    Taken,
}

/// A channel's place on the board; leaving is dropping it.
#[derive(Debug)]
pub struct Place {
    board: Board,
    session: SessionId,
    channel: ChannelNo,
    /// Given when the session, or all, must end at once.
    pub cut: Cut,
    pub meter: Arc<Meter>,
    /// `None` for channel 0.
    pub keys: Option<Arc<SessionKeys>>,
}

impl Board {
    /// A place for a channel of the session that `warrant` opens or continues.
    ///
    /// # Errors
    ///
    /// [`NoPlace`].
    pub fn enter(
        &self,
        warrant: &Warrant,
        channel: ChannelNo,
        destination: Option<Destination>,
        meter: Meter,
        wall: Wall,
    ) -> Result<Place, NoPlace> {
        let mut sessions = self.lock();
        if !sessions.live.contains_key(&warrant.session) {
            if channel != ChannelNo::HANDSHAKE {
                return Err(NoPlace::NoKeys);
            }
            if sessions.live.len() >= SESSIONS_MAX {
                return Err(NoPlace::Limit);
            }
        }
        let live = sessions
            .live
            .entry(warrant.session.clone())
            .or_insert_with(|| Live::opened(warrant, wall));
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
            keys: live.keys.clone(),
        })
    }

    /// Ends one session's channels at once.
    pub fn end(&self, session: &SessionId, cause: EndCause) {
        if let Some(live) = self.lock().remove(session) {
            live.cut.now();
            tracing::info!(%session, %cause, person = live.about.person, "session ended");
        }
    }

    /// Ends all at once and says how many there were.
    pub fn end_all(&self, why: &'static str) -> usize {
        let mut sessions = self.lock();
        let all = std::mem::take(&mut sessions.live);
        sessions.ended += all.values().filter(|live| live.keys.is_some()).count() as u64;
        drop(sessions);
        for (session, live) in &all {
            live.cut.now();
            tracing::info!(%session, why, person = live.about.person, "session ended");
        }
        all.len()
    }

    /// How many sessions are live.
    #[must_use]
    pub fn live(&self) -> usize {
        self.lock().live.len()
    }

    /// Every live session, in the order of their ids, which is that of their beginnings.
    #[must_use]
    pub fn shown(&self) -> Vec<Shown> {
        self.lock().live.iter().map(|(session, live)| live.shown(session)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Sessions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sessions {
    fn remove(&mut self, session: &SessionId) -> Option<Live> {
        let live = self.live.remove(session)?;
        self.ended += u64::from(live.keys.is_some());
        Some(live)
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
            keys: None,
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
            return if self.keys.is_some() { Err(NoPlace::Taken) } else { Ok(()) };
        }
        if self.keys.is_none() {
            return Err(NoPlace::NoKeys);
        }
        if self.channels.len() >= CHANNELS_MAX { Err(NoPlace::Limit) } else { Ok(()) }
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
    pub fn has_keys(&self, keys: SessionKeys) {
        if let Some(live) = self.board.lock().live.get_mut(&self.session) {
            live.keys = Some(Arc::new(keys));
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut sessions = self.board.lock();
        let Some(live) = sessions.live.get_mut(&self.session) else { return };
        // An ended session's name may have been taken by a new one: look whose channel it is.
        match live.channels.get(&self.channel) {
            Some(channel) if Arc::ptr_eq(&channel.meter, &self.meter) => {}
            Some(_) | None => return,
        }
        live.channels.remove(&self.channel);
        let tally = self.meter.tally();
        live.past = (live.past.0 + tally.up, live.past.1 + tally.down);
        if live.keys.is_none() && live.channels.is_empty() {
            // The handshake failed: the gateway ends the session, and nothing here waits for it.
            sessions.live.remove(&self.session);
        }
    }
}
