//! Two lanes: a channel's talk stays on the thread where it began, its bulk has threads of its own.
//!
//! ```text
//!            a whole turn in BULK_TURN_TIME
//!   talk  -----------------------------------> bulk
//!   (the caller's runtime)                     (the lane's runtime)
//!         <-----------------------------------
//!            no whole turn in TALK_TURN_TIME
//! ```
//!
//! A thread in bulk never sleeps, so the system lets it stand in line with all that never do, and
//! whatever else it carries stands there too. One that sleeps runs as soon as it is woken.

use std::{
    future::{Future, poll_fn},
    os::fd::AsFd,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    task::{Context, Poll},
};

use rustix::process::setpriority_process;
use tokio::{
    net::TcpStream,
    runtime::{Builder, Runtime},
};
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

use super::Pools;
use crate::tasks::EVENT_INTERVAL;

/// How much bulk stands back behind everything else on the machine (nice(1)).
const BULK_NICE: i32 = 5;

/// The threads that bulk has to itself, as many as there are processors; there from the first bulk
/// on.
#[derive(Debug, Default)]
pub(super) struct Lane(OnceLock<Option<Runtime>>);

/// One channel's bytes on their way.
pub(crate) trait Carriage: Send + 'static {
    type End: Send;

    /// Moves what can be moved now; ready when there is nothing more to come.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Self::End>;

    /// Whether it moves so much that others should not wait for it.
    fn is_bulk(&self) -> bool;

    /// Has its sockets watched by the runtime that calls.
    fn rehome(&mut self);
}

/// Carries a channel in the lane that it belongs to. Dropped, it drops the channel, wherever that is.
pub(crate) struct Carrier<C>(Seat<C>);

/// Where a channel is found from either lane; empty once it was taken.
struct Seat<C>(Arc<Mutex<Option<C>>>);

/// It belongs in the other lane.
struct Elsewhere;

impl Lane {
    /// Runs `work` on a thread of the lane; `None` if there is none. Dropped, it stops `work`.
    async fn run<W>(&self, work: W) -> Option<W::Output>
    where
        W: Future + Send + 'static,
        W::Output: Send,
    {
        let runtime = self.0.get_or_init(begin).as_ref()?;
        match AbortOnDropHandle::new(runtime.spawn(work)).await {
            Ok(done) => Some(done),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => None,
            },
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        // The last handle may go in a task, where nothing may wait for threads to end.
        if let Some(Some(runtime)) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

fn begin() -> Option<Runtime> {
    let runtime = Builder::new_multi_thread()
        .thread_name("bulk")
        .on_thread_start(stand_back)
        .event_interval(EVENT_INTERVAL)
        .enable_all()
        .build();
    runtime
        .inspect_err(|error| warn!(%error, "no threads for bulk: it is carried beside talk"))
        .ok()
}

/// Lets threads that wake up go first. On Linux this is said of the thread that says it
/// (setpriority(2)).
fn stand_back() {
    // Refused by some sandboxes: then it stands in line with all others.
    let _ = setpriority_process(None, BULK_NICE);
}

impl<C: Carriage> Carrier<C> {
    pub(crate) fn new(carriage: C) -> Self {
        Self(Seat(Arc::new(Mutex::new(Some(carriage)))))
    }

    /// Carries it to its end, its bulk in the lane of `pools` if they have one; `None` if it was
    /// taken. Cancel-safe: what runs in the lane stops, and [`Self::take`] has the channel as it is.
    pub(crate) async fn run(&self, pools: &Pools) -> Option<C::End> {
        let Self(here) = self;
        let Some(lane) = pools.lane() else { return here.carry_all().await };
        loop {
            if let Ok(end) = here.carry_while(|bulk| !bulk).await {
                return end;
            }
            let there = Seat(Arc::clone(&here.0));
            let carried = lane.run(async move {
                there.rehome();
                there.carry_while(|bulk| bulk).await
            });
            match carried.await {
                Some(Ok(end)) => return end,
                Some(Err(Elsewhere)) => here.rehome(),
                None => {
                    here.rehome();
                    return here.carry_all().await;
                }
            }
        }
    }

    /// Takes it off the road, at once or after the turn that it is having.
    pub(crate) fn take(&self) -> Option<C> {
        self.0.lock().take()
    }
}

impl<C> Drop for Carrier<C> {
    fn drop(&mut self) {
        let Self(seat) = self;
        drop(seat.lock().take());
    }
}

impl<C: Carriage> Seat<C> {
    async fn carry_all(&self) -> Option<C::End> {
        self.carry_while(|_| true).await.ok().flatten()
    }

    /// Carries it here for as long as it belongs here, being bulk or not.
    async fn carry_while(
        &self,
        belongs: impl Fn(bool) -> bool,
    ) -> Result<Option<C::End>, Elsewhere> {
        poll_fn(|cx| {
            let mut seat = self.lock();
            let Some(carriage) = seat.as_mut() else { return Poll::Ready(Ok(None)) };
            match carriage.poll(cx) {
                Poll::Ready(end) => Poll::Ready(Ok(Some(end))),
                Poll::Pending if belongs(carriage.is_bulk()) => Poll::Pending,
                Poll::Pending => Poll::Ready(Err(Elsewhere)),
            }
        })
        .await
    }

    fn rehome(&self) {
        if let Some(carriage) = self.lock().as_mut() {
            carriage.rehome();
        }
    }
}

impl<C> Seat<C> {
    fn lock(&self) -> MutexGuard<'_, Option<C>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has `socket` watched by the runtime that calls, instead of the one that has done so.
pub(crate) fn rehome(socket: &mut TcpStream) {
    let copy = socket.as_fd().try_clone_to_owned().map(std::net::TcpStream::from);
    // Without a descriptor to spare it stays with the other, which is slower and as right.
    if let Ok(copy) = copy.and_then(TcpStream::from_std) {
        *socket = copy;
    }
}

#[cfg(test)]
mod tests {
    use std::{
        task::Waker,
        thread::{self, ThreadId},
        time::Duration,
    };

    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    /// A channel that moves nothing and says where it was polled.
    #[derive(Clone, Default)]
    struct Probe(Arc<Mutex<Seen>>);

    #[derive(Default)]
    struct Seen {
        bulk: bool,
        over: bool,
        thread: Option<ThreadId>,
        waker: Option<Waker>,
    }

    impl Probe {
        fn seen(&self) -> MutexGuard<'_, Seen> {
            self.0.lock().unwrap()
        }

        /// Changes it, and waits until it was polled `here` or elsewhere.
        async fn changed(&self, change: impl Fn(&mut Seen), here: bool) {
            let waker = {
                let mut seen = self.seen();
                change(&mut seen);
                seen.thread = None;
                seen.waker.take()
            };
            waker.unwrap().wake();
            timeout(SOON, async {
                let home = thread::current().id();
                while self.seen().thread.is_none_or(|thread| (thread == home) != here) {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            })
            .await
            .unwrap();
        }
    }

    impl Carriage for Probe {
        type End = &'static str;

        fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Self::End> {
            let mut seen = self.seen();
            seen.thread = Some(thread::current().id());
            seen.waker = Some(cx.waker().clone());
            if seen.over { Poll::Ready("over") } else { Poll::Pending }
        }

        fn is_bulk(&self) -> bool {
            self.seen().bulk
        }

        fn rehome(&mut self) {}
    }

    #[tokio::test]
    async fn bulk_goes_to_another_thread_and_talk_comes_home() {
        let (probe, pools) = (Probe::default(), Pools::with_bulk_threads());
        let carrier = Carrier::new(probe.clone());
        let watched = async {
            tokio::task::yield_now().await;
            probe.changed(|_| {}, true).await;
            probe.changed(|seen| seen.bulk = true, false).await;
            probe.changed(|seen| seen.bulk = false, true).await;
            probe.changed(|seen| seen.bulk = true, false).await;
            probe.changed(|seen| seen.over = true, false).await;
        };
        let (end, ()) =
            timeout(SOON, async { tokio::join!(carrier.run(&pools), watched) }).await.unwrap();
        assert_eq!(end, Some("over"));
        assert!(carrier.take().is_some());
    }

    #[tokio::test]
    async fn without_threads_for_it_bulk_stays() {
        let (probe, pools) = (Probe::default(), Pools::new());
        let carrier = Carrier::new(probe.clone());
        let watched = async {
            tokio::task::yield_now().await;
            probe.changed(|seen| seen.bulk = true, true).await;
            probe.changed(|seen| seen.over = true, true).await;
        };
        let (end, ()) = tokio::join!(carrier.run(&pools), watched);
        assert_eq!(end, Some("over"));
    }

    #[tokio::test]
    async fn who_drops_a_channel_has_dropped_it_in_either_lane() {
        for bulk in [false, true] {
            let (probe, pools) = (Probe::default(), Pools::with_bulk_threads());
            let carrier = Carrier::new(probe.clone());
            let watched = async {
                tokio::task::yield_now().await;
                probe.changed(|seen| seen.bulk = bulk, !bulk).await;
            };
            tokio::select! {
                _ = carrier.run(&pools) => panic!("it has no end"),
                () = watched => {}
            }
            assert_eq!(Arc::strong_count(&probe.0), 2);
            drop(carrier);
            assert_eq!(Arc::strong_count(&probe.0), 1, "bulk: {bulk}");
        }
    }
}
