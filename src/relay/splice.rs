//! The act: two legs become one channel.

use std::{
    io,
    sync::Arc,
    task::{Context, Poll},
};

use super::{
    Cap, Carriage, Carrier, Direction, Leg, Meter, Pools, Terms,
    flow::{Fault, Flow, Rules},
};

/// Whose leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Technician,
    Device,
}

/// Why a splice is over.
#[derive(Debug)]
pub enum How {
    /// Both directions ended by themselves.
    Closed,
    /// The cut was given.
    Cut,
    /// The lease was not renewed in time.
    LeaseLapsed,
    /// A leg failed; its peer's leg was reset.
    Failed(Side, io::Error),
}

/// What a splice came to.
#[derive(Debug)]
pub struct Spliced {
    pub how: How,
    /// Bytes of this splice alone, as they crossed the relay.
    pub up: u64,
    pub down: u64,
}

/// Moves bytes both ways until both directions have ended, a leg fails, or the terms do.
///
/// When it ends in any way but [`How::Closed`], dropped included, both legs were reset.
pub async fn splice(
    technician: Leg,
    device: Leg,
    meter: Arc<Meter>,
    terms: &Terms,
    pools: &Pools,
) -> Spliced {
    let caps = terms.caps.clone();
    let channel = Channel::new(technician, device, meter, caps, pools.clone());
    let carrier = Carrier::new(channel);
    let how = tokio::select! {
        biased;
        // Cancel-safe: only observes.
        () = terms.cut.given() => How::Cut,
        // Cancel-safe: only observes.
        () = terms.lease.lapsed() => How::LeaseLapsed,
        // Dropped on purpose: the legs are reset below.
        how = carrier.run(pools) => how.unwrap_or(How::Cut),
    };
    // There, as nobody else takes it.
    carrier.take().map_or(Spliced { how: How::Cut, up: 0, down: 0 }, |channel| channel.finish(how))
}

/// Two legs that are reset together unless they ended well.
struct Channel {
    legs: Option<(Leg, Leg)>,
    up: Flow,
    down: Flow,
    meter: Arc<Meter>,
    caps: Vec<Cap>,
    pools: Pools,
}

impl Channel {
    fn new(technician: Leg, device: Leg, meter: Arc<Meter>, caps: Vec<Cap>, pools: Pools) -> Self {
        technician.prepare();
        device.prepare();
        Self {
            legs: Some((technician, device)),
            up: Flow::new(Direction::Up),
            down: Flow::new(Direction::Down),
            meter,
            caps,
            pools,
        }
    }

    fn finish(mut self, how: How) -> Spliced {
        if matches!(how, How::Closed) {
            self.legs = None;
        }
        Spliced { how, up: self.up.carried, down: self.down.carried }
    }
}

impl Carriage for Channel {
    type End = How;

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<How> {
        let rules = Rules { meter: &self.meter, caps: &self.caps, pools: &self.pools };
        let Some((technician, device)) = &mut self.legs else { return Poll::Ready(How::Closed) };
        let up = match self.up.poll(cx, (technician, device), &rules) {
            Poll::Ready(Err(Fault::From(error))) => {
                return Poll::Ready(How::Failed(Side::Technician, error));
            }
            Poll::Ready(Err(Fault::To(error))) => {
                return Poll::Ready(How::Failed(Side::Device, error));
            }
            Poll::Ready(Ok(())) => true,
            Poll::Pending => false,
        };
        match self.down.poll(cx, (device, technician), &rules) {
            Poll::Ready(Err(Fault::From(error))) => Poll::Ready(How::Failed(Side::Device, error)),
            Poll::Ready(Err(Fault::To(error))) => Poll::Ready(How::Failed(Side::Technician, error)),
            Poll::Ready(Ok(())) if up => Poll::Ready(How::Closed),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }

    fn is_bulk(&self) -> bool {
        self.up.is_bulk() || self.down.is_bulk()
    }

    fn rehome(&mut self) {
        if let Some((technician, device)) = &mut self.legs {
            technician.rehome();
            device.rehome();
        }
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        if let Some((technician, device)) = self.legs.take() {
            technician.abort();
            device.abort();
        }
    }
}
