//! What the loop is told, and by whom.

use std::time::Instant;

use tokio::sync::oneshot;

use super::{AgentAsk, AgentTicket, Counts, Ear, LiveSession, Settled, TokenRefused};
use crate::{
    audit::OfferFault,
    authz::{Facts, Grant},
    ids::{ChannelNo, Name, PersonId, Revision, SessionId},
    machines::Destination,
    relay::{Leg, Tally},
    session::{EarNo, Outcome, Party, RelayEnd, Seat, Snapshot},
    store::Change,
    token::TokenDigest,
};

/// What faces ask for. Comes after [`News`], so that nothing is judged by what is known to be old.
#[derive(Debug)]
pub(super) enum Ask {
    Granted {
        session: SessionId,
        grant: Grant,
        facts: Box<Facts>,
        snapshot: Box<Snapshot>,
        ear: Ear,
    },
    OpenChannel {
        ear: Ear,
        session: SessionId,
        channel: ChannelNo,
        target: Option<Name>,
        destination: Option<Destination>,
    },
    Close {
        ear: EarNo,
        session: SessionId,
    },
    Redeem {
        token: TokenDigest,
        by: Option<Party>,
        reply: oneshot::Sender<Result<Seat, TokenRefused>>,
    },
    TakeLeg {
        seat: Seat,
        leg: Leg,
    },
    End {
        session: SessionId,
        by: PersonId,
        reply: oneshot::Sender<bool>,
    },
    Sessions(oneshot::Sender<Vec<LiveSession>>),
    Counts(oneshot::Sender<Counts>),
}

/// What has happened.
#[derive(Debug)]
pub(super) enum News {
    AgentArrived {
        ask: Box<AgentAsk>,
        reply: oneshot::Sender<AgentTicket>,
    },
    AgentDeparted(AgentTicket),
    LocalSwitch {
        ticket: AgentTicket,
        allows: bool,
    },
    OfferRefused {
        ticket: AgentTicket,
        session: SessionId,
        channel: ChannelNo,
        fault: OfferFault,
        detail: String,
    },
    TechnicianDeparted(EarNo),
    /// The store has changed; these come in order and without gaps.
    Changed(Change),
    /// What the store said when asked whether there is anything newer.
    Pulse(Pulse),
    /// The facts of one session as they are now; `None` if the store did not give them.
    Judged {
        session: SessionId,
        facts: Option<Box<Facts>>,
    },
    Recorded {
        session: SessionId,
        outcome: Outcome,
    },
    RelayEnded {
        session: SessionId,
        channel: ChannelNo,
        tally: Tally,
        how: RelayEnd,
    },
    Settle {
        revision: Revision,
        until: Instant,
        reply: oneshot::Sender<Settled>,
    },
    Drain {
        until: Instant,
        reply: oneshot::Sender<()>,
    },
}

/// One answer of the store, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pulse {
    /// This is the newest change, and all up to it were handed over before.
    UpTo(Revision),
    Silent,
}
