//! One record: sealed and opened in place, no I/O.
//!
//! ```text
//!   0        1 .. 4                4 .. 4 + length        4 + length .. 20 + length
//! +--------+---------------------+----------------------+--------------------------+
//! | type   | length, bytes, BE   | ciphertext           | tag                      |
//! +--------+---------------------+----------------------+--------------------------+
//! |<------- authenticated ------>|
//! ```
//!
//! The nonce is the record's number, which is never sent: a record that is missing, repeated or out
//! of its place does not open.

use std::ops::Range;

use aws_lc_rs::aead::{Aad, Nonce};

use super::{ResetCause, keys::Traffic};

/// Type and length.
pub(super) const HEADER_BYTES: usize = 4;

/// The tag of both algorithms.
pub(super) const TAG_BYTES: usize = 16;

/// What a record adds to its payload.
pub(super) const OVERHEAD_BYTES: usize = HEADER_BYTES + TAG_BYTES;

/// The longest payload of a record; a longer one ends the channel.
pub(super) const PAYLOAD_BYTES_MAX: usize = 65_536;

/// Records sealed with one key.
///
/// # Source
///
/// AES-GCM keeps its margin for 2^24.5 records of 16 KiB (RFC 8446 section 5.5); 2^20 of 64 KiB are
/// a quarter of that many blocks.
pub(super) const RECORDS_PER_KEY: u64 = 1 << 20;

/// What a record is; the first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Data = 1,
    Ack = 2,
    End = 3,
    Reset = 4,
    Datagram = 5,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Data, Self::Ack, Self::End, Self::Reset, Self::Datagram]
            .into_iter()
            .find(|known| *known as u8 == byte)
    }
}

/// What an authentic record says; ranges are within what was given to [`Opener::open`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Data(Range<usize>),
    Datagram(Range<usize>),
    /// Every record below this number has arrived.
    Ack(u64),
    End,
    Reset(ResetCause),
}

/// One opened record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) content: Content,
    /// How long it was, header and tag included.
    pub(super) bytes: usize,
}

/// Why a record was not taken. Final: its channel ends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error("record of unknown type {0}")]
    UnknownKind(u8),
    #[error("record of {0} bytes; at most 65,536 are allowed")]
    TooLong(usize),
    #[error("record {0} is not authentic, or not in its place")]
    NotAuthentic(u64),
    #[error("record {0} does not say what its type should")]
    Malformed(u64),
    #[error("record {0} comes after the end")]
    AfterEnd(u64),
}

/// Seals one direction of a channel.
pub(super) struct Sealer {
    traffic: Traffic,
    next: u64,
}

/// A record could not be sealed: it is too long, or its number would repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a record cannot be sealed")]
pub struct Unsealable;

impl Sealer {
    pub(super) fn new(traffic: Traffic) -> Self {
        Self { traffic, next: 0 }
    }

    /// The number of the record that is sealed next.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Makes a record of `frame` in place: room for the header, the payload, room for the tag.
    pub(super) fn seal(&mut self, kind: Kind, frame: &mut [u8]) -> Result<(), Unsealable> {
        let length = frame.len().checked_sub(OVERHEAD_BYTES).ok_or(Unsealable)?;
        let header = header(kind, length).ok_or(Unsealable)?;
        let (head, rest) = frame.split_first_chunk_mut().ok_or(Unsealable)?;
        let (payload, tail) = rest.split_last_chunk_mut::<TAG_BYTES>().ok_or(Unsealable)?;
        *head = header;
        let tag = self
            .traffic
            .key
            .seal_in_place_separate_tag(nonce(self.next), Aad::from(header), payload)
            .map_err(|_| Unsealable)?;
        tail.copy_from_slice(tag.as_ref());
        self.next = self.next.checked_add(1).ok_or(Unsealable)?;
        if self.next.is_multiple_of(RECORDS_PER_KEY) {
            self.traffic.step();
        }
        Ok(())
    }
}

/// Opens one direction of a channel.
pub(super) struct Opener {
    traffic: Traffic,
    next: u64,
    ended: bool,
}

impl Opener {
    pub(super) fn new(traffic: Traffic) -> Self {
        Self { traffic, next: 0, ended: false }
    }

    /// The number of the record that is expected next.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Opens the record at the front of `received` in place, or `None` while it is not all there.
    ///
    /// # Errors
    ///
    /// [`OpenError`]; a length over the limit is refused before anything waits for its bytes.
    pub(super) fn open(&mut self, received: &mut [u8]) -> Result<Option<Record>, OpenError> {
        let Some((header, rest)) = received.split_first_chunk_mut::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let [kind, high, middle, low] = *header;
        let kind = Kind::from_byte(kind).ok_or(OpenError::UnknownKind(kind))?;
        let length = u32::from_be_bytes([0, high, middle, low]) as usize;
        if length > PAYLOAD_BYTES_MAX {
            return Err(OpenError::TooLong(length));
        }
        let Some(sealed) = rest.get_mut(..length + TAG_BYTES) else { return Ok(None) };
        let number = self.next;
        let payload = self
            .traffic
            .key
            .open_in_place(nonce(number), Aad::from(*header), sealed)
            .map_err(|_| OpenError::NotAuthentic(number))?;
        let content = content(kind, payload).ok_or(OpenError::Malformed(number))?;
        self.note(&content)?;
        Ok(Some(Record { content, bytes: length + OVERHEAD_BYTES }))
    }

    fn note(&mut self, content: &Content) -> Result<(), OpenError> {
        let is_late = match content {
            Content::Data(_) | Content::Datagram(_) | Content::End => self.ended,
            Content::Ack(_) | Content::Reset(_) => false,
        };
        if is_late {
            return Err(OpenError::AfterEnd(self.next));
        }
        self.ended |= *content == Content::End;
        self.next = self.next.checked_add(1).ok_or(OpenError::NotAuthentic(self.next))?;
        if self.next.is_multiple_of(RECORDS_PER_KEY) {
            self.traffic.step();
        }
        Ok(())
    }
}

fn header(kind: Kind, length: usize) -> Option<[u8; HEADER_BYTES]> {
    if length > PAYLOAD_BYTES_MAX {
        return None;
    }
    let [_, high, middle, low] = u32::try_from(length).ok()?.to_be_bytes();
    Some([kind as u8, high, middle, low])
}

fn content(kind: Kind, payload: &[u8]) -> Option<Content> {
    let range = HEADER_BYTES..HEADER_BYTES + payload.len();
    match kind {
        Kind::Data => Some(Content::Data(range)),
        Kind::Datagram => Some(Content::Datagram(range)),
        Kind::Ack => Some(Content::Ack(u64::from_be_bytes(payload.try_into().ok()?))),
        Kind::End => payload.is_empty().then_some(Content::End),
        Kind::Reset => match payload {
            [code] => Some(Content::Reset(ResetCause::from_code(*code))),
            _ => None,
        },
    }
}

/// 96 bits: the record's number, big-endian.
fn nonce(number: u64) -> Nonce {
    let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
    Nonce::assume_unique_for_key([0, 0, 0, 0, a, b, c, d, e, f, g, h])
}

#[cfg(test)]
impl Sealer {
    /// Goes on as if every record below `number` had been sealed with the first key.
    pub(super) fn start_at(&mut self, number: u64) {
        self.next = number;
    }
}

#[cfg(test)]
impl Opener {
    /// As [`Sealer::start_at`].
    pub(super) fn start_at(&mut self, number: u64) {
        self.next = number;
    }
}
