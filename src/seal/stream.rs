//! A sealed byte stream: a local end on one side, a leg on the other.
//!
//! ```text
//!              hear: open in place                 deliver
//!   leg  ------------------------> Inbox ---------------------> local end
//!        <------------------------ Outbox <---------------------
//!              write                        say: read, seal in place; acks first
//! ```
//!
//! Each end says `end` when its local input ends, acknowledges the other's `end` once everything
//! before it was delivered, and closes when both are done: nobody closes over data on its way.

use std::{
    future::{Future, poll_fn},
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncWrite, ReadBuf},
    time::{Sleep, sleep, timeout},
};

use crate::{
    clock::Now,
    relay::{Carriage, Carrier, Leg, Meter, Pools, Turn},
};

use super::{
    ChannelKeys, LocalEnd, PumpEnd, PumpError, ResetCause, Unsealable,
    boxes::{Inbox, Outbox},
    delivery::Waiting,
    keys::End,
    record::{Content, Kind, Opener, Sealer},
};

/// Records between two acknowledgements; one comes after `end` in any case.
const ACK_EVERY: u64 = 16;

/// Less room than this is not worth another read before writing.
const READ_BYTES_MIN: usize = 4 * 1024;

/// How long the other end may be silent about our `end` when nothing else is left to do; then the
/// channel has failed. Each acknowledgement gives it this long again.
pub const END_ACK_TIME_MAX: Duration = Duration::from_secs(120);

/// How long telling the other end of a local reset may take; then the leg is reset too, which tells
/// it as well.
const RESET_TIME_MAX: Duration = Duration::from_secs(1);

/// Carries bytes both ways between `local` and the sealed channel on `leg`. `meter` counts
/// plaintext.
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
    meter: Arc<Meter>,
    pools: &Pools,
) -> Result<PumpEnd, PumpError> {
    let carrier = Carrier::new(Pump::new(local, leg, keys, meter, pools));
    let ended = carrier.run(pools).await;
    // There, as nobody else takes it.
    let (Some(ended), Some(mut pump)) = (ended, carrier.take()) else {
        return Err(PumpError::Truncated);
    };
    match ended {
        Ok(()) => {
            pump.ends = None;
            Ok(PumpEnd::Closed)
        }
        Err(Halt::Local) => {
            let told = timeout(RESET_TIME_MAX, poll_fn(|cx| pump.poll_tell_reset(cx))).await;
            pump.close_local(matches!(told, Ok(Ok(()))));
            Ok(PumpEnd::LocalReset)
        }
        Err(Halt::Peer(cause)) => Ok(PumpEnd::PeerReset(cause)),
        Err(Halt::Fault(error)) => Err(error),
    }
}

/// Why a pump stopped before both directions had ended.
enum Halt {
    Local,
    Peer(ResetCause),
    Fault(PumpError),
}

impl From<PumpError> for Halt {
    fn from(error: PumpError) -> Self {
        Self::Fault(error)
    }
}

fn leg_failed(error: io::Error) -> Halt {
    Halt::Fault(PumpError::Leg(error))
}

fn exhausted(error: Unsealable) -> Halt {
    Halt::Fault(PumpError::Exhausted(error))
}

/// How far what the local end says has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    Open,
    /// `end` has this number.
    Ended(u64),
    /// `reset`: nothing follows.
    Reset,
}

/// How far what the other end says has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Heard {
    Open,
    /// `end` was opened; what came before it may still wait for delivery.
    Ending,
    /// Everything was delivered, the end included.
    Ended,
}

struct Pump<L: LocalEnd> {
    /// Reset together on drop, unless taken out.
    ends: Option<(L, Leg)>,
    end: End,
    outbox: Outbox,
    inbox: Inbox,
    said: Said,
    heard: Heard,
    /// Opened plaintext that the local end has not taken yet.
    waiting: Waiting,
    acks: Acks,
    /// Runs while the only thing missing is the acknowledgement of our `end`.
    patience: Option<Pin<Box<Sleep>>>,
    /// What each direction has moved since the other channels had theirs.
    hearing: Turn,
    saying: Turn,
    /// Which direction goes first; they take turns, so that neither starves the other.
    hear_first: bool,
    meter: Arc<Meter>,
}

/// What this end owes the other.
#[derive(Default)]
struct Acks {
    /// Every record below this was delivered.
    delivered: u64,
    /// The other end was told so.
    told: u64,
    /// `end` was delivered: tell now.
    urgent: bool,
}

impl Acks {
    fn due(&self) -> bool {
        self.urgent || self.delivered - self.told >= ACK_EVERY
    }
}

impl<L: LocalEnd> Carriage for Pump<L> {
    type End = Result<(), Halt>;

    /// Ready when both directions have ended and both ends know it.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Halt>> {
        let Some((mut local, mut leg)) = self.ends.take() else { return Poll::Ready(Ok(())) };
        let polled = self.poll_ends(cx, &mut local, &mut leg);
        self.ends = Some((local, leg));
        polled
    }

    fn is_bulk(&self) -> bool {
        self.hearing.is_bulk() || self.saying.is_bulk()
    }

    fn rehome(&mut self) {
        if let Some((local, leg)) = &mut self.ends {
            local.rehome();
            leg.rehome();
        }
    }
}

impl<L: LocalEnd> Pump<L> {
    fn new(mut local: L, leg: Leg, keys: ChannelKeys, meter: Arc<Meter>, pools: &Pools) -> Self {
        local.prepare();
        leg.prepare();
        Self {
            ends: Some((local, leg)),
            end: keys.end,
            outbox: Outbox::new(Sealer::new(keys.send), pools),
            inbox: Inbox::new(Opener::new(keys.receive), pools),
            said: Said::Open,
            heard: Heard::Open,
            waiting: Waiting::default(),
            acks: Acks::default(),
            patience: None,
            hearing: Turn::default(),
            saying: Turn::default(),
            hear_first: false,
            meter,
        }
    }

    fn poll_ends(
        &mut self,
        cx: &mut Context<'_>,
        local: &mut L,
        leg: &mut Leg,
    ) -> Poll<Result<(), Halt>> {
        self.hear_first = !self.hear_first;
        if !self.hear_first {
            let _ = self.say(cx, local, leg)?;
        }
        self.hear(cx, local, leg)?;
        // After hearing in any case: what was heard may be due an acknowledgement.
        let said = self.say(cx, local, leg)?;
        if said.is_ready() && self.heard == Heard::Ended && !self.acks.due() {
            if self.is_end_acknowledged() {
                return Pin::new(leg).poll_shutdown(cx).map_err(leg_failed);
            }
            return self.poll_patience(cx);
        }
        Poll::Pending
    }

    fn is_end_acknowledged(&self) -> bool {
        match self.said {
            Said::Open | Said::Reset => false,
            Said::Ended(number) => self.outbox.is_acknowledged(number),
        }
    }

    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Halt>> {
        let patience = self.patience.get_or_insert_with(|| Box::pin(sleep(END_ACK_TIME_MAX)));
        patience.as_mut().poll(cx).map(|()| Err(PumpError::Unacknowledged.into()))
    }

    /// From the leg to the local end, as far as it goes now.
    fn hear(&mut self, cx: &mut Context<'_>, local: &mut L, leg: &mut Leg) -> Result<(), Halt> {
        match self.poll_hear(cx, local, leg) {
            Poll::Ready(Err(halt)) => Err(halt),
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }

    /// Ready when nothing more is to be heard.
    fn poll_hear(
        &mut self,
        cx: &mut Context<'_>,
        local: &mut L,
        leg: &mut Leg,
    ) -> Poll<Result<(), Halt>> {
        loop {
            ready!(self.poll_deliver(cx, local))?;
            if self.heard == Heard::Ended && self.is_end_acknowledged() {
                return Poll::Ready(Ok(()));
            }
            if self.open_some()? {
                continue;
            }
            ready!(self.hearing.poll(cx));
            let came = ready!(self.inbox.poll_read(cx, leg)).map_err(leg_failed)?;
            if came == 0 {
                return Poll::Ready(Err(PumpError::Truncated.into()));
            }
        }
    }

    /// Hands what was opened to the local end; ready when nothing waits.
    fn poll_deliver(&mut self, cx: &mut Context<'_>, local: &mut L) -> Poll<Result<(), Halt>> {
        while !self.waiting.is_empty() {
            let taken = ready!(self.waiting.poll_write(cx, &self.inbox, local));
            let taken = taken.map_err(|_| Halt::Local)?;
            let now = Now::read();
            self.hearing.moved(taken, now);
            self.meter.count(self.end.receives(), taken, now);
        }
        if self.heard == Heard::Ending {
            // An end that is gone already took everything it wanted.
            let _ = ready!(Pin::new(local).poll_shutdown(cx));
            self.heard = Heard::Ended;
            self.acks.urgent = true;
        }
        self.acks.delivered = self.inbox.next();
        Poll::Ready(Ok(()))
    }

    /// Opens what is there, up to one delivery's worth; whether anything was.
    fn open_some(&mut self) -> Result<bool, Halt> {
        let mut any = false;
        while !self.waiting.is_full() && self.heard != Heard::Ending {
            let Some(content) = self.inbox.open().map_err(PumpError::Broken)? else { break };
            any = true;
            match content {
                Content::Data(range) => self.waiting.push(range),
                Content::End => self.heard = Heard::Ending,
                Content::Ack(next) => self.acknowledged(next)?,
                Content::Reset(cause) => return Err(Halt::Peer(cause)),
                Content::Datagram(_) => return Err(PumpError::Misplaced.into()),
            }
        }
        Ok(any)
    }

    fn acknowledged(&mut self, next: u64) -> Result<(), PumpError> {
        self.patience = None;
        if self.outbox.acknowledge(next) { Ok(()) } else { Err(PumpError::Misplaced) }
    }

    /// From the local end to the leg, as far as it goes now; ready when nothing more is to be said
    /// and the leg has taken it all.
    fn say(
        &mut self,
        cx: &mut Context<'_>,
        local: &mut L,
        leg: &mut Leg,
    ) -> Result<Poll<()>, Halt> {
        match self.poll_say(cx, local, leg) {
            Poll::Ready(Ok(())) => Ok(Poll::Ready(())),
            Poll::Ready(Err(halt)) => Err(halt),
            Poll::Pending => Ok(Poll::Pending),
        }
    }

    fn poll_say(
        &mut self,
        cx: &mut Context<'_>,
        local: &mut L,
        leg: &mut Leg,
    ) -> Poll<Result<(), Halt>> {
        loop {
            ready!(self.outbox.poll_empty(cx, leg)).map_err(leg_failed)?;
            if self.acks.due() {
                let next = self.acks.delivered.to_be_bytes();
                self.outbox.put(Kind::Ack, &next).map_err(exhausted)?;
                self.acks.told = self.acks.delivered;
                self.acks.urgent = false;
            } else if self.said == Said::Open {
                ready!(self.saying.poll(cx));
                ready!(self.poll_take_up(cx, local))?;
            } else {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Reads the local end and seals what came, several records if there is so much.
    fn poll_take_up(&mut self, cx: &mut Context<'_>, local: &mut L) -> Poll<Result<(), Halt>> {
        let mut any = false;
        loop {
            let space = self.outbox.space();
            if any && space.len() < READ_BYTES_MIN {
                return Poll::Ready(Ok(()));
            }
            let mut space = ReadBuf::new(space);
            match Pin::new(&mut *local).poll_read(cx, &mut space) {
                Poll::Pending if any => return Poll::Ready(Ok(())),
                Poll::Pending => {
                    self.outbox.release();
                    return Poll::Pending;
                }
                Poll::Ready(Err(_)) => return Poll::Ready(Err(Halt::Local)),
                Poll::Ready(Ok(())) => {}
            }
            let came = space.filled().len();
            if came == 0 {
                self.said = Said::Ended(self.outbox.next());
                return Poll::Ready(self.outbox.put(Kind::End, &[]).map_err(exhausted));
            }
            self.outbox.push(Kind::Data, came).map_err(exhausted)?;
            let now = Now::read();
            self.saying.moved(came, now);
            self.meter.count(self.end.sends(), came, now);
            any = true;
        }
    }

    /// Ready when the leg has taken all that was sealed and `reset` after it.
    fn poll_tell_reset(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some((_, leg)) = &mut self.ends else { return Poll::Ready(Ok(())) };
        ready!(self.outbox.poll_empty(cx, leg))?;
        if self.said != Said::Reset {
            self.said = Said::Reset;
            let code = [ResetCause::Local.code()];
            self.outbox.put(Kind::Reset, &code).map_err(|_| io::ErrorKind::InvalidData)?;
            ready!(self.outbox.poll_empty(cx, leg))?;
        }
        Pin::new(leg).poll_shutdown(cx)
    }

    /// Resets the local end; the leg as well, unless the other end was `told`.
    fn close_local(&mut self, told: bool) {
        let Some((mut local, leg)) = self.ends.take() else { return };
        local.reset();
        if !told {
            leg.abort();
        }
    }
}

impl<L: LocalEnd> Drop for Pump<L> {
    fn drop(&mut self) {
        self.close_local(false);
    }
}
