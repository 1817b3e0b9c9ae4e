//! What is known of one session and its channels.

use std::{collections::BTreeMap, time::Instant};

use super::{EarNo, Lead, Options, Phase, Seat, Side, Snapshot};
use crate::{
    audit::EndCause,
    authz::Grant,
    clock::{Now, Wall},
    ids::{ChannelNo, PersonId, SessionId},
    relay::Tally,
    token::TokenDigest,
};

/// One session.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) grant: Grant,
    pub(super) snapshot: Box<Snapshot>,
    pub(super) ear: EarNo,
    pub(super) granted: Now,
    pub(super) started: Option<Wall>,
    /// When it ends `max_duration`.
    pub(super) last_until: Instant,
    /// When the switch turns itself off, on both clocks.
    pub(super) switch_off_at: Option<Now>,
    /// [`Self::due`] as the sessions' deadlines have it; `None` before its first step is over.
    pub(super) noted: Option<Instant>,
    pub(super) state: State,
    pub(super) channels: BTreeMap<ChannelNo, Channel>,
    /// The smallest channel number that was never offered.
    pub(super) fresh: u32,
    /// Of the channels that are over.
    pub(super) tally: Tally,
}

/// Where a session stands. A state holds what is true in it, and nothing else.
#[derive(Debug)]
pub(super) enum State {
    Granted {
        until: Instant,
    },
    Starting {
        until: Instant,
    },
    /// `quiet_until` is `None` while the broker is asked when the newest byte came.
    Active {
        since: Instant,
        quiet_until: Option<Instant>,
    },
    /// `recording`: what became of the `Started` record is not known yet.
    Ending {
        cause: EndCause,
        by: Option<PersonId>,
        until: Instant,
        recording: bool,
    },
}

/// One channel.
#[derive(Debug)]
pub(super) enum Channel {
    /// Both ends were given a token.
    Offered { lead: Option<Lead>, technician: Place, device: Place, until: Instant },
    /// Its legs are joined.
    Relaying { lead: Option<Lead>, began: Wall },
}

/// One end of an offered channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Nobody has shown the token.
    Token(TokenDigest),
    /// The token is spent, the leg on its way.
    Spent,
    /// The leg is here.
    Here,
}

/// One session as others may see it.
#[derive(Debug)]
pub struct View<'a> {
    pub session: &'a SessionId,
    pub phase: Phase,
    pub snapshot: &'a Snapshot,
    pub grant: &'a Grant,
    pub granted: Wall,
    pub started: Option<Wall>,
    /// When it will end by itself at the latest.
    pub expires: Wall,
    pub channels: usize,
    /// Of the channels that are over.
    pub tally: Tally,
}

impl Live {
    pub(super) fn new(
        grant: Grant,
        snapshot: Box<Snapshot>,
        ear: EarNo,
        now: Now,
        options: &Options,
    ) -> Self {
        let switch_off_at = at_wall(snapshot.switch_until, now);
        Self {
            grant,
            snapshot,
            ear,
            granted: now,
            started: None,
            last_until: now.mono + options.last_at_most,
            switch_off_at,
            noted: None,
            state: State::Granted { until: now.mono + options.start_within },
            channels: BTreeMap::new(),
            fresh: 1,
            tally: Tally::default(),
        }
    }

    pub(super) fn phase(&self) -> Phase {
        match self.state {
            State::Granted { .. } => Phase::Granted,
            State::Starting { .. } => Phase::Starting,
            State::Active { .. } => Phase::Active,
            State::Ending { .. } => Phase::Ending,
        }
    }

    /// The next moment at which time alone changes something.
    pub(super) fn due(&self) -> Instant {
        let (own, is_ending) = match self.state {
            State::Granted { until } | State::Starting { until } => (Some(until), false),
            State::Active { quiet_until, .. } => (quiet_until, false),
            State::Ending { until, .. } => (Some(until), true),
        };
        if is_ending {
            return own.unwrap_or(self.last_until);
        }
        let switch = self.switch_off_at.map(|at| at.mono);
        let offers = self.channels.values().filter_map(Channel::until).min();
        [own, switch, offers].into_iter().flatten().fold(self.last_until, Instant::min)
    }

    pub(super) fn view<'a>(&'a self, session: &'a SessionId, options: &Options) -> View<'a> {
        let last = self.granted.wall.plus(options.last_at_most);
        View {
            session,
            phase: self.phase(),
            snapshot: &self.snapshot,
            grant: &self.grant,
            granted: self.granted.wall,
            started: self.started,
            expires: self.switch_off_at.map_or(last, |at| at.wall.min(last)),
            channels: self.channels.len(),
            tally: self.tally,
        }
    }
}

impl Channel {
    /// When an offer lapses. One whose legs are both here waits for the session, not for time.
    fn until(&self) -> Option<Instant> {
        match self {
            Self::Offered { technician: Place::Here, device: Place::Here, .. }
            | Self::Relaying { .. } => None,
            Self::Offered { until, .. } => Some(*until),
        }
    }

    pub(super) fn is_late(&self, now: Instant) -> bool {
        self.until().is_some_and(|until| until <= now)
    }

    pub(super) fn place(&mut self, side: Side) -> Option<&mut Place> {
        match self {
            Self::Offered { technician, device, .. } => Some(match side {
                Side::Technician => technician,
                Side::Device => device,
            }),
            Self::Relaying { .. } => None,
        }
    }

    /// The tokens that still open something.
    pub(super) fn tokens(&self) -> impl Iterator<Item = TokenDigest> {
        let places = match self {
            Self::Offered { technician, device, .. } => [Some(*technician), Some(*device)],
            Self::Relaying { .. } => [None, None],
        };
        places.into_iter().flatten().filter_map(|place| match place {
            Place::Token(digest) => Some(digest),
            Place::Spent | Place::Here => None,
        })
    }
}

/// Both seats of a channel.
pub(super) fn seats(session: &SessionId, channel: ChannelNo) -> [Seat; 2] {
    [Side::Technician, Side::Device].map(|side| Seat { session: session.clone(), channel, side })
}

/// The moment of `wall`, on both clocks.
pub(super) fn at_wall(wall: Option<Wall>, now: Now) -> Option<Now> {
    wall.map(|wall| Now { mono: now.instant_of(wall), wall })
}
