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
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use rustix::pipe::{SpliceFlags, splice};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep_until},
};

use crate::clock::Now;

use super::{
    Cap, Direction, Leg, Meter, Pools, Turn,
    pool::{Buffer, CHUNK_BYTES, Pipe, is_bulk},
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

/// What a flow goes by.
pub(super) struct Rules<'a> {
    pub(super) meter: &'a Meter,
    pub(super) caps: &'a [Cap],
    pub(super) pools: &'a Pools,
}

/// What one direction does, and what it carried.
pub(super) struct Flow {
    direction: Direction,
    state: State,
    /// Runs while a cap is spent.
    pause: Option<Pin<Box<Sleep>>>,
    /// Bytes that were held last.
    last: usize,
    turn: Turn,
    pub(super) carried: u64,
}

impl Flow {
    pub(super) fn new(direction: Direction) -> Self {
        Self {
            direction,
            state: State::Empty { unflushed: false },
            pause: None,
            last: 0,
            turn: Turn::default(),
            carried: 0,
        }
    }

    /// Moves what can be moved now; ready when this direction has ended.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        (from, to): (&mut Leg, &mut Leg),
        rules: &Rules<'_>,
    ) -> Poll<Result<(), Fault>> {
        let Rules { meter, .. } = rules;
        loop {
            let next = match &mut self.state {
                State::Empty { unflushed: true } => {
                    ready!(Pin::new(&mut *to).poll_flush(cx)).map_err(Fault::To)?;
                    State::Empty { unflushed: false }
                }
                State::Empty { unflushed: false } => {
                    ready!(self.turn.poll(cx));
                    ready!(self.poll_pause(cx, rules.caps));
                    let filled = ready!(poll_fill(cx, from, to, rules, self.last));
                    let filled = filled.map_err(Fault::From)?;
                    self.filled(&filled, rules.caps);
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

impl Flow {
    /// Ready when no cap is spent.
    fn poll_pause(&mut self, cx: &mut Context<'_>, caps: &[Cap]) -> Poll<()> {
        if caps.is_empty() {
            return Poll::Ready(());
        }
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            let now = Now::read();
            let until = caps.iter().filter_map(|cap| cap.wait(self.direction, now)).max();
            let Some(until) = until else { return Poll::Ready(()) };
            self.pause = Some(Box::pin(sleep_until(until.into())));
        }
    }

    pub(super) fn is_bulk(&self) -> bool {
        self.turn.is_bulk()
    }

    /// Notes what is held now.
    fn filled(&mut self, state: &State, caps: &[Cap]) {
        let held = match state {
            State::Pipe(pipe) => pipe.held,
            State::Buffer { held, .. } => *held,
            State::Empty { .. } | State::Ending | State::Ended => return,
        };
        self.last = held;
        self.turn.moved(held, Now::read());
        for cap in caps {
            cap.took(self.direction, held);
        }
    }
}

/// Waits for input, then holds some of it: much of it in a pipe between two sockets, else in a
/// buffer.
///
/// Talk is copied even between sockets: a read that is not filled says that the socket is empty,
/// where only another splice(2) in vain can say it, and moving pages pays for bulk alone.
fn poll_fill(
    cx: &mut Context<'_>,
    from: &mut Leg,
    to: &Leg,
    rules: &Rules<'_>,
    last: usize,
) -> Poll<io::Result<State>> {
    let most = rules.caps.iter().map(Cap::burst).min().unwrap_or(CHUNK_BYTES);
    if is_bulk(last)
        && let (Leg::Tcp(from), Leg::Tcp(_)) = (&*from, to)
    {
        ready!(from.poll_read_ready(cx))?;
        // No descriptor left for a pipe: copying needs none.
        if let Ok(pipe) = rules.pools.pipe() {
            return poll_fill_pipe(cx, pipe, from, most);
        }
    }
    let mut buffer = rules.pools.buffer(last);
    let most = most.min(buffer.len());
    let mut space = ReadBuf::new(buffer.get_mut(..most).unwrap_or_default());
    ready!(Pin::new(from).poll_read(cx, &mut space))?;
    let held = space.filled().len();
    Poll::Ready(Ok(if held == 0 { State::Ending } else { State::Buffer { buffer, sent: 0, held } }))
}

fn poll_fill_pipe(
    cx: &mut Context<'_>,
    mut pipe: Pipe,
    from: &TcpStream,
    most: usize,
) -> Poll<io::Result<State>> {
    loop {
        ready!(from.poll_read_ready(cx))?;
        let moved = from.try_io(Interest::READABLE, || {
            Ok(splice(from, None, pipe.write()?, None, most, flags())?)
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
