//! Writes what has happened already, in order, off the loop. What must be durable *before* something
//! happens is not written here.

use std::{collections::VecDeque, time::Duration};

use tokio::sync::{mpsc, oneshot};
use tracing::{error, warn};

use super::feed::in_time;
use crate::{
    audit::Flow,
    clock::{self, Now},
    store::{Ended, Store},
};

/// Records that wait at most; more are lost with a line in the log. A session's end that is lost
/// here is written when the gateway starts again.
pub(super) const JOBS_MAX: usize = 8_192;

/// How long until an end that could not be written is tried again.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// How often the ends that are left are tried when nothing more will come.
const LAST_TRIES: u32 = 3;

/// One thing to write.
#[derive(Debug)]
pub(super) enum Job {
    Flows(Vec<Flow>),
    Ended(Box<Ended>),
    /// Answered when all before it is written, or was tried.
    Flush(oneshot::Sender<()>),
}

/// The task that writes.
#[derive(Debug)]
pub(super) struct Recorder {
    pub(super) store: Store,
    pub(super) jobs: mpsc::Receiver<Job>,
    /// Ends that could not be written yet.
    pub(super) unwritten: VecDeque<Ended>,
}

impl Recorder {
    /// Runs until the loop is gone and the last end is written, or was tried [`LAST_TRIES`] times.
    pub(super) async fn run(mut self) {
        loop {
            let retry = (!self.unwritten.is_empty()).then(|| Now::read().mono + RETRY_EVERY);
            let job = tokio::select! {
                biased;
                // Cancel-safe: `mpsc::Receiver::recv`, by its documentation.
                job = self.jobs.recv() => job,
                // Cancel-safe: made anew each turn.
                () = clock::until(retry) => {
                    self.retry().await;
                    continue;
                }
            };
            match job {
                Some(job) => self.write(job).await,
                None => break,
            }
        }
        for _ in 0..LAST_TRIES {
            self.retry().await;
        }
        if !self.unwritten.is_empty() {
            error!(sessions = self.unwritten.len(), "ends of sessions could not be recorded");
        }
    }

    async fn write(&mut self, job: Job) {
        match job {
            Job::Flows(flows) => {
                if in_time(self.store.record_flows(&flows, Now::read())).await.is_none() {
                    warn!(flows = flows.len(), "flows could not be recorded");
                }
            }
            Job::Ended(ended) => {
                self.unwritten.push_back(*ended);
                self.retry().await;
            }
            Job::Flush(done) => {
                self.retry().await;
                let _ = done.send(());
            }
        }
    }

    /// Writes the ends that are left, oldest first, until one fails.
    async fn retry(&mut self) {
        while let Some(ended) = self.unwritten.front() {
            if in_time(self.store.end_session(ended)).await.is_none() {
                return;
            }
            self.unwritten.pop_front();
        }
    }
}
