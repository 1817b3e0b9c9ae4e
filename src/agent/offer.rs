//! From an offer to a channel, or to a refusal.
//!
//! ```text
//!   warrant believed? -> a place on the board? -> local switch on? -> target reached?   (no: Refused)
//!        -> joined -> channel 0: the seal's handshake
//!                     others:    bytes between target and leg, until either ends or the session does
//! ```

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use tokio::sync::mpsc;
use tracing::{debug, info, warn};

use super::{
    board::{NoPlace, Place},
    link::Agent,
    reach::{Reached, Unreached, reach},
    trust::{Distrust, Expected},
};
use crate::{
    audit::OfferFault,
    clock::{Now, Wall},
    ids::{ChannelNo, Name, PeerId, SessionId},
    machines::Destination,
    relay::{Leg, Meter},
    seal::{self, ChannelSpent, HandshakeError, Pin},
    tasks::Scope,
    telemetry::one_line,
    tls::Identity,
    token::JoinToken,
    transport::{JoinError, LegDialer},
    warrant::{SignedWarrant, Warrant},
    wire::AgentSays,
};

/// How long a join may take; the gateway's patience with an offer is 10 s in all.
pub(super) const JOIN_TIMEOUT: Duration = Duration::from_secs(10);
/// A UDP flow without a datagram for this long ends.
///
/// # Source
///
/// RFC 4787 section 4.3: at least two minutes.
pub(super) const FLOW_IDLE: Duration = Duration::from_secs(120);
/// The longest detail that a refusal tells, in characters.
const DETAIL_CHARS_MAX: usize = 200;

/// The gateway's offer, as it came.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    pub(super) session: SessionId,
    pub(super) channel: ChannelNo,
    pub(super) warrant: SignedWarrant,
    pub(super) target: Option<Name>,
    pub(super) destination: Option<Destination>,
    pub(super) token: String,
}

/// What offers of one connection are served with. Cheap to clone.
#[derive(Clone)]
pub(super) struct Offers {
    pub(super) agent: Arc<Agent>,
    pub(super) expected: Expected,
    /// The gateway's clock less this one's.
    pub(super) offset_ms: i64,
    pub(super) identity: Identity,
    pub(super) legs: LegDialer,
    pub(super) said: mpsc::Sender<AgentSays>,
}

/// Why no channel comes of an offer.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("the warrant is not believed: {}", one_line(.0))]
    Distrust(#[source] Distrust),
    #[error("{0}")]
    NoPlace(NoPlace),
    #[error("the offer does not say where to")]
    NoDestination,
    #[error("the offer's token is none")]
    Token,
    #[error("remote access is not allowed at the device now: its local switch is off")]
    LocalSwitch,
    #[error("{destination}: {why}")]
    Unreached { destination: Destination, why: Unreached },
    #[error("the session's handshake did not come to an end")]
    NoKeys,
    #[error("{0}")]
    Spent(ChannelSpent),
    #[error("no leg: {}", one_line(.0))]
    Join(#[source] JoinError),
    #[error("the gateway did not answer the join")]
    JoinTimedOut,
    #[error("the technician's end was not believed: {}", one_line(.0))]
    Handshake(#[source] HandshakeError),
}

impl Refusal {
    fn fault(&self) -> OfferFault {
        match self {
            Self::Distrust(_) | Self::NoPlace(NoPlace::OtherPerson) => OfferFault::Warrant,
            Self::NoPlace(NoPlace::Limit) => OfferFault::Limit,
            Self::NoPlace(NoPlace::NoSession) | Self::NoKeys => OfferFault::NoSession,
            Self::NoDestination => OfferFault::NotGranted,
            Self::LocalSwitch => OfferFault::LocalSwitch,
            Self::Unreached { why: Unreached::Barred(_), .. } => OfferFault::Ceiling,
            Self::Unreached {
                why:
                    Unreached::NoAddress
                    | Unreached::Unresolved(_)
                    | Unreached::TimedOut(_)
                    | Unreached::Failed(_),
                ..
            } => OfferFault::Target,
            Self::NoPlace(NoPlace::Taken)
            | Self::Token
            | Self::Spent(_)
            | Self::Join(_)
            | Self::JoinTimedOut
            | Self::Handshake(_) => OfferFault::Internal,
        }
    }

    fn said(&self, session: SessionId, channel: ChannelNo) -> AgentSays {
        let detail = self.to_string().chars().take(DETAIL_CHARS_MAX).collect();
        AgentSays::Refused { session, channel, fault: self.fault(), detail }
    }
}

impl Offers {
    /// Serves `offer` in a task of `scope`; what to answer, if it is refused at once.
    pub(super) fn consider(&self, offer: Offer, scope: &Scope) -> Option<AgentSays> {
        let (session, channel) = (offer.session.clone(), offer.channel);
        match self.admit(offer) {
            Ok((work, place)) => {
                scope.spawn("channel", self.clone().serve(work, place));
                None
            }
            Err(refusal) => {
                warn!(%session, %channel, why = %refusal, "offer refused");
                Some(refusal.said(session, channel))
            }
        }
    }

    fn admit(&self, offer: Offer) -> Result<(Work, Place), Refusal> {
        let Offer { session, channel, warrant, target, destination, token } = offer;
        let now = Now::read();
        let wall = Wall(now.wall.0.saturating_add(self.offset_ms));
        let warrant = self
            .expected
            .believe(&warrant, &session, destination.as_ref(), wall)
            .map_err(Refusal::Distrust)?;
        if (channel == ChannelNo::HANDSHAKE) != destination.is_none() {
            return Err(Refusal::NoDestination);
        }
        let token = URL_SAFE_NO_PAD.decode(token).map_err(|_| Refusal::Token)?;
        let token = JoinToken::new(token.try_into().map_err(|_| Refusal::Token)?);
        let place = self
            .agent
            .board
            .enter(&warrant, channel, destination.clone(), Meter::new(now), now.wall)
            .map_err(Refusal::NoPlace)?;
        debug!(%session, %channel, ?target, "offer taken");
        Ok((Work { warrant, channel, destination, token }, place))
    }

    async fn serve(self, work: Work, mut place: Place) {
        let (session, channel) = (work.warrant.session.clone(), work.channel);
        let cut = place.cut.clone();
        let served = tokio::select! {
            biased;
            // Cancel-safe: only observes.
            () = cut.given() => Ok(()),
            // Dropped on purpose when the session ends: target and leg are reset.
            served = self.carry(work, &mut place) => served,
        };
        if let Err(refusal) = served {
            warn!(%session, %channel, why = %refusal, "offer refused");
            // A full queue ends the connection by itself, at the next beat.
            let _ = self.said.try_send(refusal.said(session, channel));
        }
    }

    async fn carry(&self, work: Work, place: &mut Place) -> Result<(), Refusal> {
        if !self.agent.switch.allows().await {
            return Err(Refusal::LocalSwitch);
        }
        match work.destination {
            None => Box::pin(self.shake(&work.warrant, &work.token, place)).await,
            Some(destination) => self.lead(work.channel, destination, &work.token, place).await,
        }
    }

    async fn join(&self, token: &JoinToken) -> Result<Leg, Refusal> {
        tokio::time::timeout(JOIN_TIMEOUT, self.legs.open(token))
            .await
            .map_err(|_| Refusal::JoinTimedOut)?
            .map_err(Refusal::Join)
    }

    /// Channel 0: both ends prove who they are.
    async fn shake(
        &self,
        warrant: &Warrant,
        token: &JoinToken,
        place: &Place,
    ) -> Result<(), Refusal> {
        let leg = self.join(token).await?;
        let pin = Pin { peer: PeerId::Person(warrant.person.clone()), key: warrant.technician_key };
        let shaken = seal::accept(leg, &self.identity, &pin, &warrant.session);
        place.has_keys(shaken.await.map_err(Refusal::Handshake)?);
        let case = warrant.case.as_ref().map_or("none", |case| case.as_str());
        info!(session = %warrant.session, person = warrant.person_name, case, tunnel = %warrant.tunnel, "session begins");
        Ok(())
    }

    /// Any other channel: the target first, then the leg, then bytes.
    async fn lead(
        &self,
        channel: ChannelNo,
        destination: Destination,
        token: &JoinToken,
        place: &mut Place,
    ) -> Result<(), Refusal> {
        let keys = tokio::time::timeout(seal::HANDSHAKE_TIME_MAX, place.keys())
            .await
            .map_err(|_| Refusal::NoKeys)?
            .channel(channel)
            .map_err(Refusal::Spent)?;
        let reached = Box::pin(reach(&destination, &self.agent.options.ceiling))
            .await
            .map_err(|why| Refusal::Unreached { destination: destination.clone(), why })?;
        let leg = self.join(token).await?;
        let (meter, pools) = (&place.meter, &self.agent.pools);
        let ended = match reached {
            Reached::Tcp(socket) => {
                seal::pump_tcp(socket, leg, keys, Arc::clone(meter), pools).await
            }
            Reached::Udp(flow) => seal::pump_udp(flow, leg, keys, meter, pools, FLOW_IDLE).await,
        };
        match ended {
            Ok(how) => debug!(%destination, ?how, "channel closed"),
            Err(error) => {
                info!(%destination, why = one_line(&error), "channel ended");
            }
        }
        Ok(())
    }
}

/// An offer that was believed.
struct Work {
    warrant: Warrant,
    channel: ChannelNo,
    destination: Option<Destination>,
    token: JoinToken,
}
