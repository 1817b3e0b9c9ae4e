//! The act: two legs become one channel.

use std::io;

use super::{Leg, Meter, Pools, Terms};

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
/// One future for both directions. When it ends in any way but [`How::Closed`], dropped included,
/// both legs were reset.
pub async fn splice(
    technician: Leg,
    device: Leg,
    meter: &Meter,
    terms: &Terms,
    pools: &Pools,
) -> Spliced {
    unimplemented!()
}
