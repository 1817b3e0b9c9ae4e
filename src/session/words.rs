//! What goes in and what comes out.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::{Party, Snapshot};
use crate::{
    audit::{EndCause, OfferFault},
    authz::{Denial, Facts, Grant},
    clock::Wall,
    ids::{ChannelNo, DeviceId, Name, PersonId, SessionId},
    machines::Destination,
    relay::Tally,
    token::{JoinToken, TokenDigest},
};

/// What happened. The only way in.
#[derive(Debug)]
pub enum Input {
    /// A request was allowed, and its row is durable.
    Granted { session: SessionId, grant: Grant, snapshot: Box<Snapshot>, ear: EarNo },
    /// A technician asks for a channel.
    OpenChannel {
        ear: EarNo,
        session: SessionId,
        channel: ChannelNo,
        target: Option<Name>,
        destination: Option<Destination>,
    },
    /// No leg will come from this device.
    OfferRefused {
        device: DeviceId,
        session: SessionId,
        channel: ChannelNo,
        fault: OfferFault,
        detail: String,
    },
    /// A token was shown, by whom if that was shown too; he waits for [`Command::Seat`] or
    /// [`Command::RefuseLeg`].
    Joined { ask: AskNo, token: TokenDigest, by: Option<Party> },
    /// The leg for which a seat was given is here.
    Seated(Seat),
    /// What became of the record that this session waits for.
    Recorded { session: SessionId, outcome: Outcome },
    /// The splice is over.
    RelayEnded { session: SessionId, channel: ChannelNo, tally: Tally, how: RelayEnd },
    /// The answer to [`Command::AskQuiet`]: when the newest byte came, if one ever did.
    Quiet { session: SessionId, since: Option<Instant> },
    /// The device's connection is gone.
    Departed(DeviceId),
    /// The technician's connection is gone.
    TechnicianDeparted(EarNo),
    /// Rows that this session's decision reads may have changed; these are the rows now.
    Facts { session: SessionId, facts: Box<Facts> },
    /// The technician is done.
    Close { ear: EarNo, session: SessionId },
    /// Somebody who may ends the session.
    End { session: SessionId, by: PersonId },
    /// The decision could not be renewed for longer than the grace.
    LeaseLost(SessionId),
    /// The process is leaving: start nothing more.
    Drain,
    /// The process leaves now: end what is left.
    DrainOver,
    /// A deadline given by [`super::Sessions::next_deadline`] may have passed.
    Tick,
}

impl Input {
    /// The one session that it is about, where it names one.
    pub(super) fn session(&self) -> Option<&SessionId> {
        match self {
            Self::Granted { session, .. }
            | Self::OpenChannel { session, .. }
            | Self::OfferRefused { session, .. }
            | Self::Seated(Seat { session, .. })
            | Self::Recorded { session, .. }
            | Self::RelayEnded { session, .. }
            | Self::Quiet { session, .. }
            | Self::Facts { session, .. }
            | Self::Close { session, .. }
            | Self::End { session, .. }
            | Self::LeaseLost(session) => Some(session),
            // A token that is spent waits as long as before.
            Self::Joined { .. }
            | Self::Departed(_)
            | Self::TechnicianDeparted(_)
            | Self::Drain
            | Self::DrainOver
            | Self::Tick => None,
        }
    }
}

/// What must now be done, in order.
#[derive(Debug)]
pub enum Command {
    /// Offer the channel to the session's device; no `lead` on channel 0.
    Offer {
        session: SessionId,
        channel: ChannelNo,
        lead: Option<Lead>,
        token: JoinToken,
    },
    /// Give the technician its token.
    Admit {
        ear: EarNo,
        session: SessionId,
        channel: ChannelNo,
        token: JoinToken,
    },
    /// Let the peer that asked join.
    Seat {
        ask: AskNo,
        seat: Seat,
    },
    RefuseLeg {
        ask: AskNo,
    },
    /// This leg, should it be here, joins nothing any more.
    DropLeg(Seat),
    /// Decide again and write the `Started` record; answer with [`Input::Recorded`].
    RecordStarted(SessionId),
    /// Join the channel's two legs; answer with [`Input::RelayEnded`].
    Relay {
        session: SessionId,
        channel: ChannelNo,
    },
    /// Answer with [`Input::Quiet`].
    AskQuiet(SessionId),
    /// Close every leg of the session now and drop what is buffered.
    Cut {
        session: SessionId,
        cause: EndCause,
    },
    /// Tell both ends that the session is over.
    TellEnded {
        session: SessionId,
        ear: EarNo,
        device: DeviceId,
        cause: EndCause,
    },
    /// Tell the technician that no channel will come.
    TellRefused {
        ear: EarNo,
        session: SessionId,
        channel: ChannelNo,
        fault: OfferFault,
        detail: String,
    },
    RecordFlow {
        session: SessionId,
        channel: ChannelNo,
        lead: Lead,
        tally: Tally,
        began: Wall,
        ended: Wall,
    },
    /// Write the end; the session is gone.
    RecordEnded {
        session: SessionId,
        cause: EndCause,
        /// Who ended it, where a person did.
        by: Option<PersonId>,
        tally: Tally,
    },
}

/// One technician's connection among all that this process has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EarNo(pub u64);

/// One question that waits for its answer in the same step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskNo(pub u64);

/// The two ends of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    Technician,
    Device,
}

/// A leg's place in a channel, given for a token; taken with the leg itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seat {
    pub session: SessionId,
    pub channel: ChannelNo,
    pub side: Side,
}

/// Where a channel leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lead {
    pub target: Name,
    pub destination: Destination,
}

/// What became of a `Started` record.
#[derive(Debug)]
pub enum Outcome {
    /// It is durable, and the facts it was written with allowed the session once more.
    Started {
        grant: Grant,
        facts: Box<Facts>,
    },
    Denied(Denial),
    /// It could not be written.
    Failed,
}

/// How a splice ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelayEnd {
    /// A side closed, reset or failed.
    Closed,
    Cut,
    /// Nobody renewed the lease.
    LeaseLapsed,
}

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Granted; its channel 0 is not joined by both ends.
    Granted,
    /// Both ends are here; the `Started` record is on its way to disk.
    Starting,
    /// Bytes may flow.
    Active,
    /// Told to stop; the last byte counts are still to come.
    Ending,
}

/// Deadlines and limits.
#[derive(Clone, Debug)]
pub struct Options {
    /// From the grant to `Active`; then it ends `never_started`.
    pub start_within: Duration,
    /// From the grant on; then it ends `max_duration`.
    pub last_at_most: Duration,
    /// Without a byte; then it ends `idle_timeout`.
    pub idle_at_most: Duration,
    /// From an offer until both legs are here; then the channel is refused.
    pub offer_within: Duration,
    /// From the cut until the splices must have returned; then they are given up.
    pub end_within: Duration,
    /// Channels of one session at once, channel 0 included; more are refused.
    pub channels_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            start_within: Duration::from_secs(60),
            last_at_most: Duration::from_secs(8 * 3_600),
            idle_at_most: Duration::from_secs(15 * 60),
            offer_within: Duration::from_secs(10),
            end_within: Duration::from_secs(5),
            channels_max: 256,
        }
    }
}
