//! A sealed byte stream: a local end on one side, a leg on the other.

use crate::relay::{Leg, Meter, Pools};

use super::{ChannelKeys, LocalEnd, PumpEnd, PumpError};

/// Carries bytes both ways between `local` and the sealed channel on `leg`, in one future.
///
/// Dropped before it is ready, it resets both.
///
/// # Errors
///
/// [`PumpError`]; `local` and `leg` were reset.
pub async fn pump_tcp<L: LocalEnd>(
    local: L,
    leg: Leg,
    keys: ChannelKeys,
    meter: &Meter,
    pools: &Pools,
) -> Result<PumpEnd, PumpError> {
    unimplemented!()
}
