//! The handle that faces hold.

use std::{sync::Arc, time::Duration};

use super::{
    AgentAsk, AgentTicket, Counts, Ear, LiveSession, OpenAsk, Opened, Options, Refusal, Seat,
    Settled, TokenRefused,
};
use crate::{
    audit::OfferFault,
    ids::{ChannelNo, GatewayId, KeyDigest, Name, PeerId, PersonId, Revision, SessionId},
    machines::Destination,
    registry::Registry,
    relay::Leg,
    store::Store,
    tasks::Scope,
    token::JoinToken,
    warrant::WarrantKey,
};

/// The broker, as faces hold it; clones talk to the same.
#[derive(Clone, Debug)]
pub struct Broker {
    registry: Registry,
}

impl Broker {
    /// Starts the loop and its helpers in `scope`. `registry` is the one that `store` reads.
    #[must_use]
    pub fn start(
        options: Options,
        store: Store,
        registry: Registry,
        warrant_key: Arc<WarrantKey>,
        gateway: GatewayId,
        scope: &Scope,
    ) -> Self {
        unimplemented!()
    }

    /// Asks for a session; the reply is durable.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; nothing was opened then.
    pub async fn open(&self, ask: OpenAsk) -> Result<Opened, Refusal> {
        unimplemented!()
    }

    /// Asks for a channel of a session; the answer comes through the ear. Channel 0 has no target.
    pub async fn open_channel(
        &self,
        ear: &Ear,
        session: SessionId,
        channel: ChannelNo,
        target: Option<Name>,
        destination: Option<Destination>,
    ) {
        unimplemented!()
    }

    /// The technician is done with a session of this ear.
    pub async fn close(&self, ear: &Ear, session: SessionId) {
        unimplemented!()
    }

    /// The technician's connection is gone, and with it all its sessions.
    pub async fn technician_departed(&self, ear: &Ear) {
        unimplemented!()
    }

    /// Lets a device's connection in; an older one is told `Replaced`.
    pub async fn agent_arrived(&self, ask: AgentAsk) -> AgentTicket {
        unimplemented!()
    }

    /// The device's connection is gone; nothing happens if it had been replaced.
    pub async fn agent_departed(&self, ticket: &AgentTicket) {
        unimplemented!()
    }

    /// What the device's local switch says now.
    pub async fn local_switch(&self, ticket: &AgentTicket, allows: bool) {
        unimplemented!()
    }

    /// No leg will come for this offer.
    pub async fn offer_refused(
        &self,
        ticket: &AgentTicket,
        session: SessionId,
        channel: ChannelNo,
        fault: OfferFault,
        detail: String,
    ) {
        unimplemented!()
    }

    /// Spends a token. On a seat: answer `Joined`, then [`Self::take_leg`].
    ///
    /// # Errors
    ///
    /// [`TokenRefused`], whatever the fault.
    pub async fn redeem(
        &self,
        token: &JoinToken,
        peer: &PeerId,
        key: KeyDigest,
    ) -> Result<Seat, TokenRefused> {
        unimplemented!()
    }

    /// Hands the leg over for which a seat was given. When both are here, bytes flow.
    pub async fn take_leg(&self, seat: Seat, leg: Leg) {
        unimplemented!()
    }

    /// Every session that lives here, in the order of ids.
    pub async fn sessions(&self) -> Vec<LiveSession> {
        unimplemented!()
    }

    /// Ends a session for a person who may: `user_closed` if it is their own, else
    /// `admin_terminated`. False if it does not live here.
    pub async fn end_session(&self, session: &SessionId, by: &PersonId) -> bool {
        unimplemented!()
    }

    /// Waits, at most `within`, until all that the change of `revision` denies is cut.
    pub async fn settled(&self, revision: Revision, within: Duration) -> Settled {
        unimplemented!()
    }

    /// Opens nothing more, lets sessions run at most `within`, ends the rest. Returns when none is
    /// left.
    pub async fn drain(&self, within: Duration) {
        unimplemented!()
    }

    /// How much lives here now.
    pub async fn counts(&self) -> Counts {
        unimplemented!()
    }

    /// The devices that are connected now.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }
}
