//! Control streams: messages out of, and into, any stream of bytes.

use std::{
    fmt,
    future::poll_fn,
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Poll, ready},
    time::Duration,
};

use bytes::BytesMut;
use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::{
    First, Frame, FrameError, InvalidMessage, Kind, PAYLOAD_BYTES_MAX, PutError, first, json, put,
    put_message, take,
};
/// How long a peer may take to accept one frame; longer, and it is gone.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// How much is asked of the stream at a time, in bytes.
const READ_BYTES: usize = 4_096;

/// Why nothing more can be read from a peer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the connection to the peer failed")]
    Io(#[source] io::Error),
    #[error("the peer sent what is no frame")]
    Frame(#[source] FrameError),
    #[error("the peer sent a message that is not taken")]
    Message(#[source] InvalidMessage),
    #[error("the peer sent a {0:?} frame where it makes no sense")]
    Unexpected(Kind),
    #[error("the connection ended within a frame")]
    Truncated,
}

/// Why a peer cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error("the connection to the peer failed")]
    Io(#[source] io::Error),
    #[error("the peer takes nothing for {} s", SEND_TIMEOUT.as_secs())]
    Timeout,
    #[error("the message cannot be sent")]
    Message(#[source] PutError),
}

/// The reading half of a control stream.
pub struct ControlReader {
    io: Box<dyn AsyncRead + Send + Unpin>,
    /// What was read and not taken yet; at most one frame and [`READ_BYTES`].
    buffer: BytesMut,
}

/// The writing half of a control stream.
pub struct ControlWriter {
    io: Box<dyn AsyncWrite + Send + Unpin>,
    /// Frames, or the rest of one, that are not written yet.
    pending: BytesMut,
}

impl fmt::Debug for ControlReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlReader").field("held", &self.buffer.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for ControlWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlWriter")
            .field("pending", &self.pending.len())
            .finish_non_exhaustive()
    }
}

impl ControlReader {
    /// Reads from `io`.
    pub fn new(io: impl AsyncRead + Send + Unpin + 'static) -> Self {
        Self { io: Box::new(io), buffer: BytesMut::new() }
    }

    /// The next message; `None` when the peer ended the stream between two.
    ///
    /// Cancel-safe: what was read stays in here. Waits as long as the peer is silent; the caller's
    /// heartbeat is the deadline.
    ///
    /// # Errors
    ///
    /// [`ReadError`]; nothing more can be read then.
    pub async fn next<M: DeserializeOwned>(&mut self) -> Result<Option<M>, ReadError> {
        match self.frame(PAYLOAD_BYTES_MAX).await? {
            None => Ok(None),
            Some(Frame::Control(payload)) => {
                json::parse(&payload).map(Some).map_err(ReadError::Message)
            }
            Some(Frame::Join(_)) => Err(ReadError::Unexpected(Kind::Join)),
            Some(Frame::Joined) => Err(ReadError::Unexpected(Kind::Joined)),
            Some(Frame::JoinRefused(_)) => Err(ReadError::Unexpected(Kind::JoinRefused)),
        }
    }

    /// Reads from `io` what follows `held`, which was read off it already.
    pub fn holding(held: BytesMut, io: impl AsyncRead + Send + Unpin + 'static) -> Self {
        Self { io: Box::new(io), buffer: held }
    }

    /// The next frame of any kind, with a payload of at most `limit` bytes. Cancel-safe.
    ///
    /// # Errors
    ///
    /// As [`Self::next`].
    pub async fn frame(&mut self, limit: usize) -> Result<Option<Frame>, ReadError> {
        loop {
            if let Some(frame) = take(&mut self.buffer, limit).map_err(ReadError::Frame)? {
                return Ok(Some(frame));
            }
            if self.buffer.is_empty() {
                // What it has grown to is not kept while the peer is silent.
                self.buffer = BytesMut::new();
            }
            if !fill(&mut self.io, &mut self.buffer).await? {
                return Ok(None);
            }
        }
    }
}

impl ControlWriter {
    /// Writes to `io`.
    pub fn new(io: impl AsyncWrite + Send + Unpin + 'static) -> Self {
        Self { io: Box::new(io), pending: BytesMut::new() }
    }

    /// Sends one message, within [`SEND_TIMEOUT`].
    ///
    /// Cancel-safe in so far as frames stay whole: what was not written yet goes out with the next.
    ///
    /// # Errors
    ///
    /// [`SendError`]; the peer is to be taken for gone, except after [`SendError::Message`].
    pub async fn send<M: Serialize>(&mut self, message: &M) -> Result<(), SendError> {
        put_message(&mut self.pending, message).map_err(SendError::Message)?;
        self.flush().await
    }

    /// Sends one frame of any kind.
    ///
    /// # Errors
    ///
    /// As [`Self::send`].
    pub async fn frame(&mut self, frame: &Frame) -> Result<(), SendError> {
        put(&mut self.pending, frame).map_err(|e| SendError::Message(PutError::Frame(e)))?;
        self.flush().await
    }

    /// Ends the stream in this direction, within [`SEND_TIMEOUT`].
    ///
    /// # Errors
    ///
    /// As [`Self::send`].
    pub async fn finish(&mut self) -> Result<(), SendError> {
        let ended = tokio::time::timeout(SEND_TIMEOUT, self.io.shutdown()).await;
        ended.map_err(|_| SendError::Timeout)?.map_err(SendError::Io)
    }

    async fn flush(&mut self) -> Result<(), SendError> {
        drain(&mut self.io, &mut self.pending).await?;
        self.pending = BytesMut::new();
        Ok(())
    }
}

/// Waits until one whole frame stands at the start of `held`, takes nothing, and says what kind it
/// is; `None` at an end before any byte. Never asks `io` for a byte beyond that frame. Cancel-safe:
/// what was read stays in `held`.
///
/// # Errors
///
/// [`ReadError`], for a payload above `limit` as soon as its header is there.
pub async fn first_kind<R: AsyncRead + Unpin>(
    io: &mut R,
    held: &mut BytesMut,
    limit: usize,
) -> Result<Option<Kind>, ReadError> {
    loop {
        let missing = match first(held, limit).map_err(ReadError::Frame)? {
            First::Whole(kind) => return Ok(Some(kind)),
            First::Missing(bytes) => u64::try_from(bytes).unwrap_or(u64::MAX),
        };
        if !fill(&mut (&mut *io).take(missing), held).await? {
            return Ok(None);
        }
    }
}

/// Sends one frame on a stream that carries no control messages, within [`SEND_TIMEOUT`].
///
/// # Errors
///
/// [`SendError`]; the peer is to be taken for gone.
pub async fn send_frame<W: AsyncWrite + Unpin>(io: &mut W, frame: &Frame) -> Result<(), SendError> {
    let mut bytes = BytesMut::new();
    put(&mut bytes, frame).map_err(|e| SendError::Message(PutError::Frame(e)))?;
    drain(io, &mut bytes).await
}

async fn drain<W: AsyncWrite + Unpin>(io: &mut W, bytes: &mut BytesMut) -> Result<(), SendError> {
    let written = tokio::time::timeout(SEND_TIMEOUT, async {
        io.write_all_buf(bytes).await?;
        io.flush().await
    });
    written.await.map_err(|_| SendError::Timeout)?.map_err(SendError::Io)
}

/// In our words where a library would lecture: a stream that was cut is what happens when a process
/// dies.
fn broken(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return io::Error::new(error.kind(), "it broke off");
    }
    error
}

/// Reads some more; false at an end between two frames. Cancel-safe: what was read is in `held`.
async fn fill<R: AsyncRead + Unpin>(io: &mut R, held: &mut BytesMut) -> Result<bool, ReadError> {
    let read = poll_fn(|cx| {
        // On the stack, for this poll alone: a silent peer holds no buffer.
        let mut space = [const { MaybeUninit::uninit() }; READ_BYTES];
        let mut space = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut *io).poll_read(cx, &mut space))?;
        held.extend_from_slice(space.filled());
        Poll::Ready(Ok(space.filled().len()))
    });
    let read = read.await.map_err(|error| ReadError::Io(broken(error)))?;
    match (read, held.is_empty()) {
        (0, true) => Ok(false),
        (0, false) => Err(ReadError::Truncated),
        _ => Ok(true),
    }
}
