//! From one handshake to the keys of every channel.

use crate::ids::ChannelNo;

/// What both ends of a session share and nobody else knows. Wiped on drop, never printed.
#[derive(Debug)]
pub struct SessionKeys;

/// The two keys of one channel. Wiped on drop, never printed.
#[derive(Debug)]
pub struct ChannelKeys;

/// This channel's keys were given out before, or it is far behind the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("channel {0} was used before")]
pub struct ChannelSpent(pub ChannelNo);

impl SessionKeys {
    /// The keys of channel `no`, once.
    ///
    /// # Errors
    ///
    /// [`ChannelSpent`] for a number that was asked for before, for channel 0, and for one that is
    /// more than 1,024 behind the highest: a number used twice would use its nonces twice.
    pub fn channel(&self, no: ChannelNo) -> Result<ChannelKeys, ChannelSpent> {
        unimplemented!()
    }
}
