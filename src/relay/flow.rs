//! One direction of a splice.
//!
//! ```text
//!            readable: borrow, fill        writable: drain, give back
//!   Empty ----------------------> Pipe | Buffer ----------------------> Empty
//!     |
//!     | end of input: pass it on
//!     v
//!   Ended
//! ```

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use rustix::pipe::{SpliceFlags, splice};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
};

use crate::clock::Now;

use super::{
    Direction, Leg, Meter, Pools,
    pool::{Buffer, CHUNK_BYTES, Pipe},
};

/// Which leg failed, seen along the flow.
#[derive(Debug)]
pub(super) enum Fault {
    From(io::Error),
    To(io::Error),
}

enum State {
    /// Holds nothing; `unflushed` if the carrier may still hold what was written.
    Empty {
        unflushed: bool,
    },
    Pipe(Pipe),
    Buffer {
        buffer: Buffer,
        sent: usize,
        held: usize,
    },
    /// The input has ended; the output must still be told.
    Ending,
    Ended,
}

/// What one direction does, and what it carried.
pub(super) struct Flow {
    direction: Direction,
    state: State,
    /// Bytes that the last buffer held.
    last: usize,
    pub(super) carried: u64,
}

impl Flow {
    pub(super) fn new(direction: Direction) -> Self {
        Self { direction, state: State::Empty { unflushed: false }, last: 0, carried: 0 }
    }

    /// Moves what can be moved now; ready when this direction has ended.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        (from, to): (&mut Leg, &mut Leg),
        meter: &Meter,
        pools: &Pools,
    ) -> Poll<Result<(), Fault>> {
        loop {
            let next = match &mut self.state {
                State::Empty { unflushed: true } => {
                    ready!(Pin::new(&mut *to).poll_flush(cx)).map_err(Fault::To)?;
                    State::Empty { unflushed: false }
                }
                State::Empty { unflushed: false } => {
                    let filled = ready!(poll_fill(cx, from, to, pools, self.last));
                    let filled = filled.map_err(Fault::From)?;
                    if let State::Buffer { held, .. } = &filled {
                        self.last = *held;
                    }
                    filled
                }
                State::Pipe(pipe) => {
                    let moved = ready!(poll_drain(cx, pipe, to)).map_err(Fault::To)?;
                    self.carried += moved as u64;
                    meter.count(self.direction, moved, Now::read());
                    if pipe.held > 0 {
                        continue;
                    }
                    State::Empty { unflushed: false }
                }
                State::Buffer { buffer, sent, held } => {
                    let rest = buffer.get(*sent..*held).unwrap_or_default();
                    let moved =
                        ready!(Pin::new(&mut *to).poll_write(cx, rest)).map_err(Fault::To)?;
                    if moved == 0 {
                        return Poll::Ready(Err(Fault::To(io::ErrorKind::WriteZero.into())));
                    }
                    self.carried += moved as u64;
                    meter.count(self.direction, moved, Now::read());
                    *sent += moved;
                    if *sent < *held {
                        continue;
                    }
                    State::Empty { unflushed: true }
                }
                State::Ending => {
                    ready!(Pin::new(&mut *to).poll_shutdown(cx)).map_err(Fault::To)?;
                    State::Ended
                }
                State::Ended => return Poll::Ready(Ok(())),
            };
            self.state = next;
        }
    }
}

/// Waits for input, then holds some of it: in a pipe between two sockets, else in a buffer.
fn poll_fill(
    cx: &mut Context<'_>,
    from: &mut Leg,
    to: &Leg,
    pools: &Pools,
    last: usize,
) -> Poll<io::Result<State>> {
    if let (Leg::Tcp(from), Leg::Tcp(_)) = (&*from, to) {
        ready!(from.poll_read_ready(cx))?;
        // No descriptor left for a pipe: copying needs none.
        if let Ok(pipe) = pools.pipe() {
            return poll_fill_pipe(cx, pipe, from);
        }
    }
    let mut buffer = pools.buffer(last);
    let mut space = ReadBuf::new(&mut buffer);
    ready!(Pin::new(from).poll_read(cx, &mut space))?;
    let held = space.filled().len();
    Poll::Ready(Ok(if held == 0 { State::Ending } else { State::Buffer { buffer, sent: 0, held } }))
}

fn poll_fill_pipe(
    cx: &mut Context<'_>,
    mut pipe: Pipe,
    from: &TcpStream,
) -> Poll<io::Result<State>> {
    loop {
        ready!(from.poll_read_ready(cx))?;
        let moved = from.try_io(Interest::READABLE, || {
            Ok(splice(from, None, pipe.write()?, None, CHUNK_BYTES, flags())?)
        });
        match moved {
            Ok(0) => return Poll::Ready(Ok(State::Ending)),
            Ok(held) => {
                pipe.held = held;
                return Poll::Ready(Ok(State::Pipe(pipe)));
            }
            // The pipe is empty, so it is the socket that has nothing; `try_io` noted it.
            Err(error) if is_passing(&error) => {}
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
}

/// Moves some of what `pipe` holds into the socket `to`.
fn poll_drain(cx: &mut Context<'_>, pipe: &mut Pipe, to: &Leg) -> Poll<io::Result<usize>> {
    let Leg::Tcp(to) = to else {
        return Poll::Ready(Err(io::ErrorKind::Unsupported.into()));
    };
    loop {
        ready!(to.poll_write_ready(cx))?;
        let moved = to.try_io(Interest::WRITABLE, || {
            Ok(splice(pipe.read()?, None, to, None, pipe.held, flags())?)
        });
        match moved {
            Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Ok(moved) => {
                pipe.held = pipe.held.saturating_sub(moved);
                return Poll::Ready(Ok(moved));
            }
            Err(error) if is_passing(&error) => {}
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
}

fn flags() -> SpliceFlags {
    SpliceFlags::NONBLOCK | SpliceFlags::MOVE
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
