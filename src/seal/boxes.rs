//! What lies between a pump and its leg: records on their way out, bytes on their way in.
//!
//! Each borrows one pooled buffer while it holds something, and none otherwise: a small one until
//! more comes than that takes. The buffers carry
//! plaintext for as long as a record is being sealed or delivered.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::relay::{Buffer, Leg, Pools};

use super::record::{
    Content, HEADER_BYTES, Kind, OVERHEAD_BYTES, OpenError, Opener, PAYLOAD_BYTES_MAX, Record,
    Sealer, TAG_BYTES, Unsealable,
};

/// Sealed records that the leg has not taken yet.
///
/// Resume will keep them here until they are acknowledged, with the number of the oldest.
pub(super) struct Outbox {
    sealer: Sealer,
    buffer: Option<Buffer>,
    /// The leg took this much of `held`.
    taken: usize,
    held: usize,
    /// What was held when the leg last took it all.
    last: usize,
    /// The least that a buffer must have room for.
    least: usize,
    unflushed: bool,
    /// Below this number, the other end has everything.
    acknowledged: u64,
    pools: Pools,
}

impl Outbox {
    pub(super) fn new(sealer: Sealer, pools: &Pools) -> Self {
        Self {
            sealer,
            buffer: None,
            taken: 0,
            held: 0,
            last: 0,
            least: 0,
            unflushed: false,
            acknowledged: 0,
            pools: pools.clone(),
        }
    }

    /// Whose buffers have room for `bytes` in any case.
    pub(super) fn with_room_for(mut self, bytes: usize) -> Self {
        self.least = bytes;
        self
    }

    /// Where the next record's payload goes, at most `PAYLOAD_BYTES_MAX` long; empty when full.
    pub(super) fn space(&mut self) -> &mut [u8] {
        let wanted = self.last.max(self.least);
        let buffer = self.buffer.get_or_insert_with(|| self.pools.buffer(wanted));
        let first = self.held + HEADER_BYTES;
        let last = buffer.len().saturating_sub(TAG_BYTES).min(first + PAYLOAD_BYTES_MAX);
        buffer.get_mut(first..last).unwrap_or_default()
    }

    /// Makes a record of the first `length` bytes of [`Outbox::space`].
    pub(super) fn push(&mut self, kind: Kind, length: usize) -> Result<(), Unsealable> {
        let after = self.held + length + OVERHEAD_BYTES;
        let frame = self.buffer.as_mut().and_then(|buffer| buffer.get_mut(self.held..after));
        self.sealer.seal(kind, frame.ok_or(Unsealable)?)?;
        self.held = after;
        Ok(())
    }

    /// Makes a record of `payload`, which must fit.
    pub(super) fn put(&mut self, kind: Kind, payload: &[u8]) -> Result<(), Unsealable> {
        let space = self.space().get_mut(..payload.len()).ok_or(Unsealable)?;
        space.copy_from_slice(payload);
        self.push(kind, payload.len())
    }

    /// Gives the buffer back if nothing is in it.
    pub(super) fn release(&mut self) {
        if self.held == 0 {
            self.buffer = None;
        }
    }

    /// Ready when the leg has taken everything.
    pub(super) fn poll_empty(
        &mut self,
        cx: &mut Context<'_>,
        leg: &mut Leg,
    ) -> Poll<io::Result<()>> {
        while self.taken < self.held {
            let buffer = self.buffer.as_deref().unwrap_or_default();
            let rest = buffer.get(self.taken..self.held).unwrap_or_default();
            let taken = ready!(Pin::new(&mut *leg).poll_write(cx, rest))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.taken += taken;
            self.unflushed = true;
        }
        if self.held > 0 {
            self.last = self.held;
        }
        (self.taken, self.held) = (0, 0);
        self.buffer = None;
        if self.unflushed {
            ready!(Pin::new(leg).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// The number of the record that is sealed next.
    pub(super) fn next(&self) -> u64 {
        self.sealer.next()
    }

    /// The other end says that it has every record below `next`; `false` if that cannot be.
    pub(super) fn acknowledge(&mut self, next: u64) -> bool {
        let possible = (self.acknowledged..=self.sealer.next()).contains(&next);
        if possible {
            self.acknowledged = next;
        }
        possible
    }

    /// Whether the other end has the record of this number.
    pub(super) fn is_acknowledged(&self, number: u64) -> bool {
        number < self.acknowledged
    }
}

/// Bytes that the leg gave and that are not records yet, or whose plaintext still waits.
pub(super) struct Inbox {
    opener: Opener,
    buffer: Option<Buffer>,
    /// Records below this were opened.
    opened: usize,
    filled: usize,
    /// What the buffer held when the leg was last read.
    last: usize,
    pools: Pools,
}

impl Inbox {
    pub(super) fn new(opener: Opener, pools: &Pools) -> Self {
        Self { opener, buffer: None, opened: 0, filled: 0, last: 0, pools: pools.clone() }
    }

    /// The number of the record that is expected next.
    pub(super) fn next(&self) -> u64 {
        self.opener.next()
    }

    /// Opens the next record, if all of it is there. Its ranges are for [`Inbox::get`].
    pub(super) fn open(&mut self) -> Result<Option<Content>, OpenError> {
        let waiting = self.buffer.as_mut().and_then(|b| b.get_mut(self.opened..self.filled));
        let Some(waiting) = waiting else { return Ok(None) };
        let Some(Record { content, bytes }) = self.opener.open(waiting)? else { return Ok(None) };
        let at = self.opened;
        self.opened += bytes;
        Ok(Some(match content {
            Content::Data(range) => Content::Data(at + range.start..at + range.end),
            Content::Datagram(range) => Content::Datagram(at + range.start..at + range.end),
            Content::Ack(_) | Content::End | Content::Reset(_) => content,
        }))
    }

    /// Opened plaintext.
    pub(super) fn get(&self, range: std::ops::Range<usize>) -> &[u8] {
        self.buffer.as_deref().and_then(|buffer| buffer.get(range)).unwrap_or_default()
    }

    /// Reads from the leg; how many bytes came, 0 at its end. What was opened before is gone.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        leg: &mut Leg,
    ) -> Poll<io::Result<usize>> {
        let buffer = self.buffer.get_or_insert_with(|| self.pools.buffer(self.last));
        if self.opened > 0 {
            buffer.copy_within(self.opened..self.filled, 0);
            self.filled -= self.opened;
            self.opened = 0;
        }
        if self.filled == buffer.len() {
            // The record is larger than the buffer: at most one of them needs a large one.
            let mut larger = self.pools.buffer(self.filled);
            if let (Some(to), Some(from)) = (larger.get_mut(..self.filled), buffer.get(..)) {
                to.copy_from_slice(from);
            }
            *buffer = larger;
        }
        let mut space = ReadBuf::new(buffer.get_mut(self.filled..).unwrap_or_default());
        let polled = Pin::new(leg).poll_read(cx, &mut space);
        let came = space.filled().len();
        self.filled += came;
        if came > 0 {
            self.last = self.filled;
        }
        if self.filled == 0 {
            self.buffer = None;
        }
        polled.map_ok(|()| came)
    }
}
