//! The state machine: channels within a session.

use super::{
    Command, EarNo, Lead, Party, RelayEnd, Seat, Sessions, Side, Snapshot,
    sessions::Turn,
    state::{Channel, Live, Place, State, seats},
};
use crate::{
    audit::{EndCause, OfferFault},
    clock::Now,
    ids::{ChannelNo, DeviceId, Name, SessionId},
    machines::Destination,
    relay::Tally,
    token::TokenDigest,
};

/// Why not, and in words for the technician.
type Fault = (OfferFault, String);

impl Sessions {
    pub(super) fn open_channel(
        &mut self,
        ear: EarNo,
        id: &SessionId,
        channel: ChannelNo,
        asked: (Option<&Name>, Option<Destination>),
        turn: &mut Turn,
    ) {
        if let Err((fault, detail)) = self.try_open(ear, id, channel, asked, turn) {
            turn.todo.push(Command::TellRefused {
                ear,
                session: id.clone(),
                channel,
                fault,
                detail,
            });
        }
    }

    fn try_open(
        &mut self,
        ear: EarNo,
        id: &SessionId,
        channel: ChannelNo,
        asked: (Option<&Name>, Option<Destination>),
        turn: &mut Turn,
    ) -> Result<(), Fault> {
        let channels_max = self.options.channels_max;
        let live = self.live.get_mut(id).filter(|live| live.ear == ear);
        let live = live.ok_or_else(|| fault(OfferFault::NoSession, "no such session"))?;
        let lead = live.may_open(channel, asked)?;
        if live.channels.len() >= channels_max {
            return Err((
                OfferFault::Limit,
                format!("a session has at most {channels_max} channels"),
            ));
        }
        let (Some(for_technician), Some(for_device)) = ((self.mint)(), (self.mint)()) else {
            return Err(fault(OfferFault::Internal, "no join token can be made"));
        };
        let offered = Channel::Offered {
            lead: lead.clone(),
            technician: Place::Token(for_technician.digest()),
            device: Place::Token(for_device.digest()),
            until: turn.now.mono + self.options.offer_within,
        };
        live.channels.insert(channel, offered);
        live.fresh = live.fresh.max(channel.0.saturating_add(1));
        let [technician, device] = seats(id, channel);
        self.tokens.insert(for_technician.digest(), technician);
        self.tokens.insert(for_device.digest(), device);
        turn.todo.push(Command::Offer { session: id.clone(), channel, lead, token: for_device });
        turn.todo.push(Command::Admit { ear, session: id.clone(), channel, token: for_technician });
        Ok(())
    }

    pub(super) fn offer_refused(
        &mut self,
        device: &DeviceId,
        id: &SessionId,
        channel: ChannelNo,
        fault: Fault,
        turn: &mut Turn,
    ) {
        let Some(live) = self.live.get(id).filter(|live| live.snapshot.device == *device) else {
            return;
        };
        // Too late to refuse once its own leg is here.
        let is_open = matches!(
            live.channels.get(&channel),
            Some(Channel::Offered { device: Place::Token(_) | Place::Spent, .. })
        );
        if is_open {
            self.refuse(id, channel, fault, turn);
            if channel == ChannelNo::HANDSHAKE {
                self.end(id, EndCause::EdgeRefused, turn);
            }
        }
    }

    /// Spends a token for the peer that it was made for; anybody else leaves it as it is.
    pub(super) fn redeem(
        &mut self,
        token: TokenDigest,
        by: Option<&Party>,
        now: Now,
    ) -> Option<Seat> {
        let seat = self.tokens.get(&token)?.clone();
        let live = self.live.get_mut(&seat.session)?;
        let expected: Party = match seat.side {
            Side::Technician => live.snapshot.technician.clone(),
            Side::Device => live.snapshot.device_party(),
        };
        if by.is_some_and(|by| *by != expected) {
            return None;
        }
        let channel = live.channels.get_mut(&seat.channel)?;
        if channel.is_late(now.mono) {
            return None;
        }
        *channel.place(seat.side)? = Place::Spent;
        self.tokens.remove(&token);
        Some(seat)
    }

    pub(super) fn seated(&mut self, seat: Seat, turn: &mut Turn) {
        let place = self
            .live
            .get_mut(&seat.session)
            .and_then(|live| live.channels.get_mut(&seat.channel))
            .and_then(|channel| channel.place(seat.side));
        match place {
            Some(place @ Place::Spent) => {
                *place = Place::Here;
                self.relay_if_complete(&seat.session, seat.channel, turn);
            }
            // Its leg is here already; there is no second one to drop.
            Some(Place::Here) => {}
            Some(Place::Token(_)) | None => turn.todo.push(Command::DropLeg(seat)),
        }
    }

    /// Goes on with a channel whose legs are both here: to the record first, then to the bytes.
    pub(super) fn relay_if_complete(&mut self, id: &SessionId, number: ChannelNo, turn: &mut Turn) {
        let Some(live) = self.live.get_mut(id) else { return };
        let Some(channel) = live.channels.get_mut(&number) else { return };
        let Channel::Offered { technician: Place::Here, device: Place::Here, lead, .. } = channel
        else {
            return;
        };
        match live.state {
            State::Granted { until } => {
                live.state = State::Starting { until };
                turn.todo.push(Command::RecordStarted(id.clone()));
            }
            State::Active { .. } => {
                *channel = Channel::Relaying { lead: lead.take(), began: turn.now.wall };
                turn.todo.push(Command::Relay { session: id.clone(), channel: number });
            }
            State::Starting { .. } | State::Ending { .. } => {}
        }
    }

    pub(super) fn relay_ended(
        &mut self,
        id: &SessionId,
        number: ChannelNo,
        tally: Tally,
        how: RelayEnd,
        turn: &mut Turn,
    ) {
        let Some(live) = self.live.get_mut(id) else { return };
        let Some(Channel::Relaying { lead, began }) = live
            .channels
            .get_mut(&number)
            .filter(|channel| matches!(channel, Channel::Relaying { .. }))
        else {
            return;
        };
        if let Some(lead) = lead.take() {
            turn.todo.push(Command::RecordFlow {
                session: id.clone(),
                channel: number,
                lead,
                tally,
                began: *began,
                ended: turn.now.wall,
            });
        }
        live.channels.remove(&number);
        live.tally = live.tally.plus(tally);
        match how {
            RelayEnd::LeaseLapsed => self.end(id, EndCause::DecisionLost, turn),
            RelayEnd::Closed | RelayEnd::Cut => {}
        }
        self.finish_if_over(id, turn);
    }

    /// Refuses the channels whose offers were not taken up in time.
    pub(super) fn refuse_late(&mut self, id: &SessionId, turn: &mut Turn) {
        let Some(live) = self.live.get(id) else { return };
        let late: Vec<(ChannelNo, Fault)> = live
            .channels
            .iter()
            .filter(|(_, channel)| channel.is_late(turn.now.mono))
            .map(|(number, channel)| (*number, lateness(channel)))
            .collect();
        for (channel, fault) in late {
            self.refuse(id, channel, fault, turn);
        }
    }

    /// Takes an offer back and tells the technician why.
    fn refuse(
        &mut self,
        id: &SessionId,
        channel: ChannelNo,
        (fault, detail): Fault,
        turn: &mut Turn,
    ) {
        let Some(live) = self.live.get_mut(id) else { return };
        let Some(taken_back) = live.channels.remove(&channel) else { return };
        for token in taken_back.tokens() {
            self.tokens.remove(&token);
        }
        turn.todo.extend(seats(id, channel).map(Command::DropLeg));
        let ear = live.ear;
        turn.todo.push(Command::TellRefused { ear, session: id.clone(), channel, fault, detail });
    }
}

impl Live {
    /// Where the channel would lead, if it may be opened at all.
    fn may_open(
        &self,
        channel: ChannelNo,
        (target, destination): (Option<&Name>, Option<Destination>),
    ) -> Result<Option<Lead>, Fault> {
        let is_handshake = channel == ChannelNo::HANDSHAKE;
        match &self.state {
            State::Granted { .. } if is_handshake && self.channels.is_empty() => {
                if target.is_some() || destination.is_some() {
                    return Err(fault(OfferFault::NotGranted, "channel 0 leads nowhere"));
                }
                Ok(None)
            }
            State::Active { .. } if !is_handshake => {
                // A number's keys are used once.
                if channel.0 < self.fresh {
                    return Err(fault(OfferFault::Internal, "channel numbers only grow"));
                }
                self.snapshot.lead(target, destination).map(Some)
            }
            State::Granted { .. } | State::Starting { .. } | State::Active { .. } => {
                let detail = "channel 0 is opened first and once, the others after it";
                Err(fault(OfferFault::NoSession, detail))
            }
            State::Ending { .. } => Err(fault(OfferFault::NoSession, "the session is ending")),
        }
    }
}

impl Snapshot {
    /// The destination asked for, if the session was granted for it.
    fn lead(&self, name: Option<&Name>, asked: Option<Destination>) -> Result<Lead, Fault> {
        let not_granted = |detail: &str| fault(OfferFault::NotGranted, detail);
        let mut named = self.targets.iter().filter(|one| name.is_none_or(|name| one.name == *name));
        match asked {
            Some(destination) => named
                .find(|target| target.covers(&destination))
                .map(|target| Lead { target: target.name.clone(), destination })
                .ok_or_else(|| not_granted("the tunnel has no target that covers it")),
            None => {
                let target = named.next().ok_or_else(|| not_granted("no target of that name"))?;
                if name.is_none() && named.next().is_some() {
                    return Err(not_granted("the tunnel has several targets: name one"));
                }
                let destination = target
                    .single()
                    .ok_or_else(|| not_granted("the target covers several: say host and port"))?;
                Ok(Lead { target: target.name.clone(), destination })
            }
        }
    }
}

/// Whose leg did not come.
fn lateness(channel: &Channel) -> Fault {
    match channel {
        Channel::Offered { device: Place::Here, .. } | Channel::Relaying { .. } => {
            fault(OfferFault::Internal, "the technician did not join in time")
        }
        Channel::Offered { .. } => fault(OfferFault::Target, "the device did not join in time"),
    }
}

fn fault(fault: OfferFault, detail: &str) -> Fault {
    (fault, detail.to_owned())
}
