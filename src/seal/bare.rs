//! Records without a pump: for whoever has the bytes already, as a benchmark has.

use std::{fmt, ops::Range};

use super::{
    ChannelKeys, OpenError, Unsealable,
    record::{Content, Kind, OVERHEAD_BYTES, Opener, Sealer},
};

/// One channel, record by record. The keys are spent here, so that no nonce is used twice.
pub struct Records {
    sealer: Sealer,
    opener: Opener,
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Records([redacted])")
    }
}

impl Records {
    /// What a record adds to its payload: 4 bytes before it and 16 behind it.
    pub const OVERHEAD_BYTES: usize = OVERHEAD_BYTES;

    /// This end of the channel that `keys` are for.
    #[must_use]
    pub fn new(keys: ChannelKeys) -> Self {
        Self { sealer: Sealer::new(keys.send), opener: Opener::new(keys.receive) }
    }

    /// Makes the next data record of `frame` in place: 4 bytes of room, the payload, 16 of room.
    ///
    /// # Errors
    ///
    /// [`Unsealable`] for a payload over 65,536 bytes.
    pub fn seal(&mut self, frame: &mut [u8]) -> Result<(), Unsealable> {
        self.sealer.seal(Kind::Data, frame)
    }

    /// Opens the data record at the front of `received` in place and says where its payload is;
    /// `None` while it is not all there, and for a record of another kind.
    ///
    /// # Errors
    ///
    /// [`OpenError`]; the channel is over then.
    pub fn open(&mut self, received: &mut [u8]) -> Result<Option<Range<usize>>, OpenError> {
        let opened = self.opener.open(received)?;
        Ok(opened.and_then(|record| match record.content {
            Content::Data(range) => Some(range),
            Content::Datagram(_) | Content::Ack(_) | Content::End | Content::Reset(_) => None,
        }))
    }
}
