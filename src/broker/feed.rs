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
                Some(Err(broadcast::error::RecvError::Lagged(_))) => self.catch_up().await,
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
            Some(_) | None => self.catch_up().await,
        }
    }

    async fn hand_over(&mut self, change: Change) -> Result<(), LoopGone> {
        self.seen = Some(change.revision);
        self.tell(News::Changed(change)).await
    }

    /// Hands over what was missed. What the store does not tell now is asked for at the next pulse.
    async fn catch_up(&mut self) -> Result<(), LoopGone> {
        let Some(seen) = self.seen else { return Ok(()) };
        let Some(missed) = in_time(self.store.changes_since(seen)).await else { return Ok(()) };
        for change in missed.into_iter().filter(|change| change.revision > seen) {
            self.hand_over(change).await?;
        }
        Ok(())
    }

    async fn pulse(&mut self) -> Result<(), LoopGone> {
        let newest = in_time(self.store.revision()).await;
        if newest > self.seen && self.seen.is_some() {
            self.catch_up().await?;
        }
        let pulse = match (newest, self.seen) {
            // The first answer: whoever was granted on less is judged again by the loop.
            (Some(newest), None) => {
                self.seen = Some(newest);
                Pulse::UpTo(newest)
            }
            (Some(newest), Some(seen)) if newest <= seen => Pulse::UpTo(seen),
            (Some(_) | None, _) => Pulse::Silent,
        };
        self.tell(News::Pulse(pulse)).await
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
