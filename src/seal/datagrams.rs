//! A sealed flow of datagrams: boundaries are kept, and a slow leg drops rather than queues.
//!
//! A flow ends when no datagram came for its idle time at one end, or when that end's source is
//! gone: it says `end`, the other answers `end`, and both close.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    ops::Range,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{
    io::{AsyncWrite, ReadBuf},
    net::UdpSocket,
    sync::mpsc,
};

use crate::{
    clock::{self, Now},
    relay::{Leg, Meter, Pools},
};

use super::{
    ChannelKeys, PumpEnd, PumpError,
    boxes::{Inbox, Outbox},
    keys::End,
    record::{Content, Kind, Opener, Sealer},
};

/// The longest UDP payload over IPv4 (65,535 less 20 of IP and 8 of UDP), in bytes.
pub const DATAGRAM_BYTES_MAX: usize = 65_507;

/// How long the other end may take to answer `end`; then the leg is reset.
pub const FLOW_END_TIME_MAX: Duration = Duration::from_secs(5);

/// A local source and sink of datagrams.
pub trait DatagramEnd: Send + Unpin {
    /// Puts the next datagram into `buf`, or what fits of it, and says how much that is; `None`
    /// when no more will come.
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<Option<usize>>>;

    /// Sends one datagram.
    fn poll_send(&mut self, cx: &mut Context<'_>, datagram: &[u8]) -> Poll<io::Result<()>>;
}

/// A socket connected to one target.
impl DatagramEnd for UdpSocket {
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<Option<usize>>> {
        let mut buf = ReadBuf::new(buf);
        ready!(self.poll_recv(cx, &mut buf))?;
        Poll::Ready(Ok(Some(buf.filled().len())))
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, datagram: &[u8]) -> Poll<io::Result<()>> {
        UdpSocket::poll_send(self, cx, datagram).map_ok(|_| ())
    }
}

/// One flow of a local UDP socket that many flows share, told apart by where they come from.
#[derive(Debug)]
pub struct Flow {
    /// What came from `source`; the socket's reader drops what does not fit, and drops its sender
    /// to end the flow.
    pub received: mpsc::Receiver<Bytes>,
    /// Where answers leave from.
    pub socket: Arc<UdpSocket>,
    pub source: SocketAddr,
}

impl DatagramEnd for Flow {
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<Option<usize>>> {
        let Some(datagram) = ready!(self.received.poll_recv(cx)) else {
            return Poll::Ready(Ok(None));
        };
        let length = datagram.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..length), datagram.get(..length)) {
            to.copy_from_slice(from);
        }
        Poll::Ready(Ok(Some(length)))
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, datagram: &[u8]) -> Poll<io::Result<()>> {
        self.socket.poll_send_to(cx, datagram, self.source).map_ok(|_| ())
    }
}

/// Carries datagrams both ways between `local` (a connected [`UdpSocket`] or a [`Flow`]) and the
/// sealed channel on `leg`, until none came for `idle`. What the leg cannot take at once is dropped
/// and counted in `meter`, as is what the local end refuses.
///
/// # Errors
///
/// [`PumpError`]; the leg was reset.
pub async fn pump_udp<D: DatagramEnd>(
    local: D,
    leg: Leg,
    keys: ChannelKeys,
    meter: &Meter,
    pools: &Pools,
    idle: Duration,
) -> Result<PumpEnd, PumpError> {
    let mut pump = Pump::new(local, leg, keys, pools);
    loop {
        let deadline = pump.deadline(idle);
        let halt = tokio::select! {
            biased;
            // Keeps its state in `pump`.
            halted = poll_fn(|cx| pump.poll(cx, meter)) => Some(halted),
            // Cancel-safe: made anew each turn.
            () = clock::until(deadline) => None,
        };
        match halt {
            Some(Ok(end)) => {
                pump.leg = None;
                return Ok(end);
            }
            Some(Err(error)) => return Err(error),
            None => pump.deadline_passed(idle)?,
        }
    }
}

/// How far what this end says has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    Open,
    /// `end` comes next.
    Ending,
    Ended {
        at: Instant,
    },
}

struct Pump<D> {
    local: D,
    /// Reset on drop, unless taken out.
    leg: Option<Leg>,
    end: End,
    outbox: Outbox,
    inbox: Inbox,
    said: Said,
    heard_end: bool,
    /// An opened datagram that the local end has not taken yet.
    waiting: Option<Range<usize>>,
    active: Instant,
}

impl<D: DatagramEnd> Pump<D> {
    fn new(local: D, leg: Leg, keys: ChannelKeys, pools: &Pools) -> Self {
        leg.prepare();
        Self {
            local,
            leg: Some(leg),
            end: keys.end,
            outbox: Outbox::new(Sealer::new(keys.send), pools).with_room_for(DATAGRAM_BYTES_MAX),
            inbox: Inbox::new(Opener::new(keys.receive), pools),
            said: Said::Open,
            heard_end: false,
            waiting: None,
            active: Now::read().mono,
        }
    }

    /// When it is time to end the flow, or to stop waiting for the other end to do so.
    fn deadline(&self, idle: Duration) -> Option<Instant> {
        match self.said {
            Said::Open => self.active.checked_add(idle),
            Said::Ending => None,
            Said::Ended { at } => at.checked_add(FLOW_END_TIME_MAX),
        }
    }

    fn deadline_passed(&mut self, idle: Duration) -> Result<(), PumpError> {
        let passed = self.deadline(idle).is_some_and(|at| at <= Now::read().mono);
        match self.said {
            Said::Open if passed => self.said = Said::Ending,
            Said::Ended { .. } if passed => return Err(PumpError::Unacknowledged),
            Said::Open | Said::Ending | Said::Ended { .. } => {}
        }
        Ok(())
    }

    fn poll(&mut self, cx: &mut Context<'_>, meter: &Meter) -> Poll<Result<PumpEnd, PumpError>> {
        let Some(mut leg) = self.leg.take() else { return Poll::Ready(Ok(PumpEnd::Closed)) };
        let polled = self.poll_leg(cx, &mut leg, meter);
        self.leg = Some(leg);
        polled
    }

    fn poll_leg(
        &mut self,
        cx: &mut Context<'_>,
        leg: &mut Leg,
        meter: &Meter,
    ) -> Poll<Result<PumpEnd, PumpError>> {
        match self.poll_hear(cx, leg, meter) {
            Poll::Ready(Err(Halt::Fault(error))) => return Poll::Ready(Err(error)),
            Poll::Ready(Err(Halt::End(end))) => return Poll::Ready(Ok(end)),
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
        ready!(self.poll_say(cx, leg, meter))?;
        if !self.heard_end {
            return Poll::Pending;
        }
        Pin::new(leg).poll_shutdown(cx).map_ok(|()| PumpEnd::Closed).map_err(PumpError::Leg)
    }

    /// From the leg to the local end; ready when nothing more is to be heard.
    fn poll_hear(
        &mut self,
        cx: &mut Context<'_>,
        leg: &mut Leg,
        meter: &Meter,
    ) -> Poll<Result<(), Halt>> {
        loop {
            ready!(self.poll_deliver(cx, meter));
            if self.heard_end {
                return Poll::Ready(Ok(()));
            }
            match self.inbox.open().map_err(PumpError::Broken)? {
                Some(Content::Datagram(range)) => self.waiting = Some(range),
                Some(Content::End) => {
                    self.heard_end = true;
                    if self.said == Said::Open {
                        self.said = Said::Ending;
                    }
                }
                Some(Content::Reset(cause)) => {
                    return Poll::Ready(Err(Halt::End(PumpEnd::PeerReset(cause))));
                }
                Some(Content::Ack(_) | Content::Data(_)) => {
                    return Poll::Ready(Err(PumpError::Misplaced.into()));
                }
                None => {
                    let came = ready!(self.inbox.poll_read(cx, leg)).map_err(PumpError::Leg)?;
                    if came == 0 {
                        return Poll::Ready(Err(PumpError::Truncated.into()));
                    }
                }
            }
        }
    }

    fn poll_deliver(&mut self, cx: &mut Context<'_>, meter: &Meter) -> Poll<()> {
        let Some(range) = self.waiting.clone() else { return Poll::Ready(()) };
        let datagram = self.inbox.get(range);
        let now = Now::read();
        match ready!(self.local.poll_send(cx, datagram)) {
            Ok(()) => meter.count(self.end.receives(), datagram.len(), now),
            Err(_) => meter.count_dropped(),
        }
        self.active = now.mono;
        self.waiting = None;
        Poll::Ready(())
    }

    /// From the local end to the leg; ready when `end` was said and the leg has taken it.
    fn poll_say(
        &mut self,
        cx: &mut Context<'_>,
        leg: &mut Leg,
        meter: &Meter,
    ) -> Poll<Result<(), PumpError>> {
        loop {
            let emptied = self.outbox.poll_empty(cx, leg).map_err(PumpError::Leg)?;
            match self.said {
                Said::Ended { .. } => return emptied.map(Ok),
                Said::Ending if emptied.is_ready() => {
                    self.outbox.put(Kind::End, &[]).map_err(PumpError::Exhausted)?;
                    self.said = Said::Ended { at: Now::read().mono };
                }
                Said::Ending => return Poll::Pending,
                Said::Open => {
                    if !self.take_up(cx, meter)? {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// Seals the datagrams that are there and drops those that find no room; whether there was any,
    /// or the last has come.
    fn take_up(&mut self, cx: &mut Context<'_>, meter: &Meter) -> Result<bool, PumpError> {
        let mut any = false;
        loop {
            let space = self.outbox.space();
            let has_room = space.len() >= DATAGRAM_BYTES_MAX;
            let polled = if has_room {
                self.local.poll_receive(cx, space)
            } else {
                self.local.poll_receive(cx, &mut [0])
            };
            match polled {
                Poll::Ready(Ok(Some(length))) if has_room => {
                    let now = Now::read();
                    self.outbox.push(Kind::Datagram, length).map_err(PumpError::Exhausted)?;
                    meter.count(self.end.sends(), length, now);
                    self.active = now.mono;
                    any = true;
                }
                Poll::Ready(Ok(Some(_))) => meter.count_dropped(),
                // A target that is not listening says so by ICMP; the flow lives on.
                Poll::Ready(Err(error)) if is_passing(&error) => {}
                Poll::Ready(Ok(None) | Err(_)) => {
                    self.outbox.release();
                    self.said = Said::Ending;
                    return Ok(true);
                }
                Poll::Pending => {
                    self.outbox.release();
                    return Ok(any);
                }
            }
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted, NetworkUnreachable,
    };
    let kind = error.kind();
    [ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted, NetworkUnreachable]
        .contains(&kind)
}

impl<D> Drop for Pump<D> {
    fn drop(&mut self) {
        if let Some(leg) = self.leg.take() {
            leg.abort();
        }
    }
}

/// Why a pump stopped before both ends had said `end`.
enum Halt {
    End(PumpEnd),
    Fault(PumpError),
}

impl From<PumpError> for Halt {
    fn from(error: PumpError) -> Self {
        Self::Fault(error)
    }
}
