//! What the broker holds of one session: its legs, its meters, and the terms of its splices.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
    time::Instant,
};

use crate::{
    clock::{Now, Wall},
    ids::ChannelNo,
    relay::{Cap, Cut, Lease, LeaseKeeper, Leg, Meter, Tally, Terms},
    session::Side,
    warrant::SignedWarrant,
};

/// One session's share of the beam.
#[derive(Debug)]
pub(super) struct Strand {
    keeper: LeaseKeeper,
    terms: Terms,
    /// Legs that wait for their channel to begin.
    legs: BTreeMap<(ChannelNo, Side), Leg>,
    /// Of the channels whose splices run.
    meters: BTreeMap<ChannelNo, Arc<Meter>>,
    /// When a channel that is over last moved a byte.
    newest: Option<Instant>,
    /// What the device was shown last; good for as long as nothing in it changes.
    warrant: Option<Shown>,
}

/// A warrant, for one connection of the device and until one moment.
#[derive(Debug)]
struct Shown {
    nonce: String,
    until: Wall,
    signed: SignedWarrant,
}

impl Strand {
    /// No legs yet, the rates that its bytes share, and a lease that begins now.
    pub(super) fn new(caps: Vec<Cap>, now: Now) -> Self {
        let (keeper, lease) = Lease::begin(now);
        let terms = Terms { lease, cut: Cut::new(), caps };
        Self {
            keeper,
            terms,
            legs: BTreeMap::new(),
            meters: BTreeMap::new(),
            newest: None,
            warrant: None,
        }
    }

    pub(super) fn renew(&self, now: Now) {
        self.keeper.renew(now);
    }

    pub(super) fn terms(&self) -> Terms {
        self.terms.clone()
    }

    /// The warrant that was signed for this connection and moment, if it is the last.
    pub(super) fn warrant(&self, nonce: &str, until: Wall) -> Option<SignedWarrant> {
        let shown = self.warrant.as_ref();
        let same = shown.filter(|shown| shown.nonce == nonce && shown.until == until);
        same.map(|shown| shown.signed.clone())
    }

    /// Keeps what was signed: a session's channels are many, and its warrant is one.
    pub(super) fn keep_warrant(&mut self, nonce: &str, until: Wall, signed: SignedWarrant) {
        self.warrant = Some(Shown { nonce: nonce.to_owned(), until, signed });
    }

    /// Keeps a leg until its channel begins; a second one in the same place is dropped.
    pub(super) fn put(&mut self, channel: ChannelNo, side: Side, leg: Leg) {
        match self.legs.entry((channel, side)) {
            Entry::Vacant(place) => {
                place.insert(leg);
            }
            Entry::Occupied(_) => leg.abort(),
        }
    }

    pub(super) fn drop_leg(&mut self, channel: ChannelNo, side: Side) {
        if let Some(leg) = self.legs.remove(&(channel, side)) {
            leg.abort();
        }
    }

    /// Both legs of a channel, the technician's first, and the meter that now counts it.
    pub(super) fn begin(&mut self, channel: ChannelNo, now: Now) -> Option<(Leg, Leg, Arc<Meter>)> {
        let technician = self.legs.remove(&(channel, Side::Technician))?;
        let device = self.legs.remove(&(channel, Side::Device))?;
        let meter = Arc::new(Meter::new(now));
        self.meters.insert(channel, meter.clone());
        Some((technician, device, meter))
    }

    /// The channel's splice has returned.
    pub(super) fn over(&mut self, channel: ChannelNo) {
        if let Some(meter) = self.meters.remove(&channel) {
            self.newest = self.newest.max(Some(meter.last_active()));
        }
    }

    /// Ends every splice and drops every leg, now.
    pub(super) fn cut(&mut self) {
        self.terms.cut.now();
        while let Some((_, leg)) = self.legs.pop_first() {
            leg.abort();
        }
    }

    /// When the newest byte of the session came; `None` if none ever did.
    pub(super) fn newest(&self) -> Option<Instant> {
        let running = self.meters.values().map(|meter| meter.last_active()).max();
        running.max(self.newest)
    }

    /// Bytes of the channels that run.
    pub(super) fn running(&self) -> Tally {
        self.meters.values().fold(Tally::default(), |sum, meter| sum.plus(meter.tally()))
    }
}
