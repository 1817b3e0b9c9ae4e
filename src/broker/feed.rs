//! What the store says: each change, in order and without gaps, and at intervals whether there is
//! anything newer. A notice that was lost is found by asking.

use std::{future::Future, time::Duration};

use tokio::sync::{broadcast, mpsc};
use tracing::warn;

use super::news::{News, Pulse};
use crate::{
    clock::{self, Now},
    ids::Revision,
    store::{Change, Store, StoreError},
    tasks::Stop,
};

/// How long the store may take to answer; then it counts as silent.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// The task that listens to the store.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) store: Store,
    pub(super) news: mpsc::Sender<News>,
    pub(super) every: Duration,
    /// All changes up to this one were handed over; `None` until the store has answered once.
    pub(super) seen: Option<Revision>,
}

/// The loop is gone; there is nobody to tell.
struct LoopGone;

/// What came of asking for changes.
enum Heard {
    All,
    Nothing,
}

impl Feed {
    /// Runs until asked to stop, or until the loop is gone.
    pub(super) async fn run(mut self, mut changes: broadcast::Receiver<Change>, stop: Stop) {
        let mut next = Now::read().mono;
        let mut listening = true;
        loop {
            let heard = tokio::select! {
                biased;
                // Cancel-safe: only observes.
                () = stop.asked() => return,
                // Cancel-safe: made anew each turn. First, so that many changes cannot starve it.
                () = clock::until(Some(next)) => None,
                // Cancel-safe: `broadcast::Receiver::recv`, by its documentation.
                heard = changes.recv(), if listening => Some(heard),
            };
            let told = match heard {
                None => {
                    let told = self.pulse().await;
                    next = Now::read().mono + self.every;
                    told
                }
                Some(Ok(change)) => self.hear(change).await,
                Some(Err(broadcast::error::RecvError::Lagged(_))) => {
                    self.catch_up().await.map(|_| ())
                }
                Some(Err(broadcast::error::RecvError::Closed)) => {
                    listening = false;
                    Ok(())
                }
            };
            if told.is_err() {
                return;
            }
        }
    }

    async fn hear(&mut self, change: Change) -> Result<(), LoopGone> {
        match self.seen {
            Some(seen) if change.revision <= seen => Ok(()),
            Some(seen) if change.revision.0 == seen.0.saturating_add(1) => {
                self.hand_over(change).await
            }
            Some(_) | None => self.catch_up().await.map(|_| ()),
        }
    }

    async fn hand_over(&mut self, change: Change) -> Result<(), LoopGone> {
        self.seen = Some(change.revision);
        self.tell(News::Changed(change)).await
    }

    /// Hands over what was missed. What the store does not tell now is asked for at the next pulse.
    async fn catch_up(&mut self) -> Result<Heard, LoopGone> {
        let Some(seen) = self.seen else { return Ok(Heard::Nothing) };
        let Some(missed) = in_time(self.store.changes_since(seen)).await else {
            return Ok(Heard::Nothing);
        };
        for change in missed.into_iter().filter(|change| change.revision > seen) {
            self.hand_over(change).await?;
        }
        Ok(Heard::All)
    }

    async fn pulse(&mut self) -> Result<(), LoopGone> {
        let pulse = match (in_time(self.store.revision()).await, self.seen) {
            (None, _) => Pulse::Silent,
            (Some(newest), Some(seen)) if newest > seen => match self.catch_up().await? {
                Heard::All => self.up_to(newest),
                Heard::Nothing => Pulse::Silent,
            },
            // The first answer: whoever was granted on less is judged again by the loop.
            (Some(newest), Some(_) | None) => self.up_to(newest),
        };
        self.tell(News::Pulse(pulse)).await
    }

    fn up_to(&mut self, newest: Revision) -> Pulse {
        let seen = self.seen.map_or(newest, |seen| seen.max(newest));
        self.seen = Some(seen);
        Pulse::UpTo(seen)
    }

    async fn tell(&self, news: News) -> Result<(), LoopGone> {
        self.news.send(news).await.map_err(|_| LoopGone)
    }
}

/// The store's answer, if it comes in time and is one.
pub(super) async fn in_time<T>(asked: impl Future<Output = Result<T, StoreError>>) -> Option<T> {
    match tokio::time::timeout(ANSWER_WITHIN, asked).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            warn!(%error, "the store does not answer");
            None
        }
        Err(_) => {
            warn!("the store does not answer in time");
            None
        }
    }
}
