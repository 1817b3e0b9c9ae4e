//! Frames: `version (1) = 1   kind (1)   length (2, BE)   payload`.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::Serialize;

use super::PAYLOAD_BYTES_MAX;
use crate::token::JoinToken;

/// A frame's header, in bytes.
pub const HEADER_BYTES: usize = 4;

const VERSION: u8 = 1;

/// What every frame begins with, and no TLS connection: its first byte is 22 (RFC 8446 section 5.1).
pub const FIRST_BYTE: u8 = VERSION;

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Control,
    Join,
    Joined,
    JoinRefused,
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A message as JSON; see [`parse`](super::parse).
    Control(Bytes),
    /// The first and only frame of a leg.
    Join(JoinToken),
    /// The leg is joined; what follows are no frames.
    Joined,
    /// The leg is not joined, and its stream ends.
    JoinRefused(JoinRefusal),
}

/// Why a join was refused. Coarse on purpose: a guesser learns nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum JoinRefusal {
    /// Unknown, used, too late, or another peer's.
    #[error("the join token opens nothing here: unknown, used or expired")]
    Token,
    /// A limit of this gateway is reached.
    #[error("the gateway has no room for another leg")]
    Busy,
    /// This gateway is leaving.
    #[error("the gateway is restarting")]
    Draining,
}

/// Bytes that are no frame. The connection that sent them ends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("frame version {0}; this program speaks version 1")]
    Version(u8),
    #[error("frame kind {0} is not known")]
    Kind(u8),
    #[error("a frame of {bytes} bytes, where at most {limit} are taken")]
    Oversized { bytes: usize, limit: usize },
    #[error("a {kind:?} frame of {bytes} bytes is not well formed")]
    Malformed { kind: Kind, bytes: usize },
}

impl Kind {
    fn code(self) -> u8 {
        match self {
            Self::Control => 1,
            Self::Join => 2,
            Self::Joined => 3,
            Self::JoinRefused => 4,
        }
    }

    fn from_code(code: u8) -> Result<Self, FrameError> {
        match code {
            1 => Ok(Self::Control),
            2 => Ok(Self::Join),
            3 => Ok(Self::Joined),
            4 => Ok(Self::JoinRefused),
            other => Err(FrameError::Kind(other)),
        }
    }
}

impl JoinRefusal {
    fn code(self) -> u8 {
        match self {
            Self::Token => 1,
            Self::Busy => 2,
            Self::Draining => 3,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Token),
            2 => Some(Self::Busy),
            3 => Some(Self::Draining),
            _ => None,
        }
    }
}

/// The header at the start of `buffer`: its kind and payload length; `None` while it is incomplete.
/// Faults show before the payload is there.
fn header(buffer: &[u8], limit: usize) -> Result<Option<(Kind, usize)>, FrameError> {
    match *buffer {
        [version, ..] if version != VERSION => Err(FrameError::Version(version)),
        [_, kind, high, low, ..] => {
            let kind = Kind::from_code(kind)?;
            let bytes = usize::from(u16::from_be_bytes([high, low]));
            if bytes > limit {
                return Err(FrameError::Oversized { bytes, limit });
            }
            Ok(Some((kind, bytes)))
        }
        _ => Ok(None),
    }
}

/// What stands at the start of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// A whole frame of this kind.
    Whole(Kind),
    /// At least so many bytes are missing, and all of them belong to this frame.
    Missing(usize),
}

/// Looks at the frame at the start of `buffer`; takes nothing.
///
/// # Errors
///
/// [`FrameError`], as soon as the header shows it.
pub fn first(buffer: &[u8], limit: usize) -> Result<First, FrameError> {
    let Some((kind, bytes)) = header(buffer, limit)? else {
        return Ok(First::Missing(HEADER_BYTES.saturating_sub(buffer.len())));
    };
    match HEADER_BYTES.saturating_add(bytes).saturating_sub(buffer.len()) {
        0 => Ok(First::Whole(kind)),
        missing => Ok(First::Missing(missing)),
    }
}

/// Takes one frame off the front of `buffer`; `None` while it is not whole yet.
///
/// # Errors
///
/// [`FrameError`]; nothing behind it can be read then.
pub fn take(buffer: &mut BytesMut, limit: usize) -> Result<Option<Frame>, FrameError> {
    let Some((kind, bytes)) = header(buffer, limit)? else { return Ok(None) };
    if buffer.len() < HEADER_BYTES.saturating_add(bytes) {
        return Ok(None);
    }
    buffer.advance(HEADER_BYTES);
    let payload = buffer.split_to(bytes).freeze();
    body(kind, payload).map(Some)
}

fn body(kind: Kind, payload: Bytes) -> Result<Frame, FrameError> {
    let malformed = FrameError::Malformed { kind, bytes: payload.len() };
    match kind {
        Kind::Control => Ok(Frame::Control(payload)),
        Kind::Join => {
            let token = <[u8; JoinToken::BYTES]>::try_from(payload.as_ref());
            token.map(|bytes| Frame::Join(JoinToken::new(bytes))).map_err(|_| malformed)
        }
        Kind::Joined if payload.is_empty() => Ok(Frame::Joined),
        Kind::Joined => Err(malformed),
        Kind::JoinRefused => match *payload {
            [code] => JoinRefusal::from_code(code).map(Frame::JoinRefused).ok_or(malformed),
            _ => Err(malformed),
        },
    }
}

/// Appends `frame` to `buffer`.
///
/// # Errors
///
/// [`FrameError::Oversized`] for a payload above [`PAYLOAD_BYTES_MAX`]; `buffer` is as it was.
pub fn put(buffer: &mut BytesMut, frame: &Frame) -> Result<(), FrameError> {
    match frame {
        Frame::Control(payload) => put_payload(buffer, Kind::Control, payload),
        Frame::Join(token) => put_payload(buffer, Kind::Join, token.expose()),
        Frame::Joined => put_payload(buffer, Kind::Joined, &[]),
        Frame::JoinRefused(code) => put_payload(buffer, Kind::JoinRefused, &[code.code()]),
    }
}

fn put_payload(buffer: &mut BytesMut, kind: Kind, payload: &[u8]) -> Result<(), FrameError> {
    let length = u16::try_from(payload.len())
        .map_err(|_| FrameError::Oversized { bytes: payload.len(), limit: PAYLOAD_BYTES_MAX })?;
    buffer.reserve(HEADER_BYTES.saturating_add(payload.len()));
    buffer.put_u8(VERSION);
    buffer.put_u8(kind.code());
    buffer.put_u16(length);
    buffer.put_slice(payload);
    Ok(())
}

/// A message that cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    #[error("the message cannot be written as JSON")]
    Json(#[source] serde_json::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// Appends `message` as one Control frame.
///
/// # Errors
///
/// When it cannot be written as JSON, or is larger than a frame.
pub fn put_message<M: Serialize>(buffer: &mut BytesMut, message: &M) -> Result<(), PutError> {
    let payload = serde_json::to_vec(message).map_err(PutError::Json)?;
    put_payload(buffer, Kind::Control, &payload).map_err(PutError::Frame)
}
