//! Where tasks are born, asked to stop, awaited, and cut.
//!
//! ```text
//!   Scope::spawn ---> running ---- Stop::asked ("please") ----> returns by itself
//!                        \------- after the grace: cut -------> dropped at its next await
//! ```
//!
//! Scopes nest: a child is asked and cut with its parent, and may be closed on its own.

use std::{future::Future, time::Duration};

use tokio_util::{future::FutureExt, sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument, info_span};

/// How many tasks a runtime of ours runs before it looks at its sockets again. A channel moves up to
/// a quarter of a MiB in its turn (`relay::TURN_BYTES_MAX`): with tokio's usual 61, other channels'
/// news would wait for 6 ms.
pub const EVENT_INTERVAL: u32 = 4;

/// Tasks that start, stop and end together.
#[derive(Clone, Debug)]
pub struct Scope {
    name: &'static str,
    running: TaskTracker,
    /// Please finish.
    stop: CancellationToken,
    /// Now.
    cut: CancellationToken,
}

/// How a task learns that it should finish.
#[derive(Clone, Debug)]
pub struct Stop(CancellationToken);

impl Stop {
    /// Ready when the task should finish. Cancel-safe: only observes.
    pub async fn asked(&self) {
        self.0.cancelled().await;
    }

    /// Whether it was asked already.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.0.is_cancelled()
    }
}

impl Scope {
    /// A scope of its own, under no other.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            running: TaskTracker::new(),
            stop: CancellationToken::new(),
            cut: CancellationToken::new(),
        }
    }

    /// A scope that is asked and cut with this one. Its tasks are awaited by its own `close`.
    #[must_use]
    pub fn child(&self, name: &'static str) -> Self {
        Self {
            name,
            running: TaskTracker::new(),
            stop: self.stop.child_token(),
            cut: self.cut.child_token(),
        }
    }

    /// What tasks of this scope look at to learn that they should finish.
    #[must_use]
    pub fn stop(&self) -> Stop {
        Stop(self.stop.clone())
    }

    /// Starts `work`. It should return soon after [`Stop::asked`]; past the grace it is dropped.
    pub fn spawn<W>(&self, name: &'static str, work: W)
    where
        W: Future<Output = ()> + Send + 'static,
    {
        let span = info_span!("task", scope = self.name, name);
        // An async block around `work` would hold it twice: thousands of tasks are idle channels.
        let work = work.with_cancellation_token_owned(self.cut.clone()).instrument(span);
        #[expect(clippy::disallowed_methods, reason = "the one place where tasks are born")]
        self.running.spawn(work);
    }

    /// Asks all tasks to finish, without waiting for them.
    pub fn ask(&self) {
        self.stop.cancel();
    }

    /// How many tasks of this scope run now.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Asks all to stop, waits at most `grace`, cuts the rest. Returns how many were cut.
    pub async fn close(self, grace: Duration) -> usize {
        self.running.close();
        self.stop.cancel();
        let _ = tokio::time::timeout(grace, self.running.wait()).await;
        let cut = self.running.len();
        self.cut.cancel();
        self.running.wait().await;
        cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_deaf_task_is_cut_and_a_polite_one_is_not() {
        let scope = Scope::new("test");
        let stop = scope.stop();
        scope.spawn("polite", async move { stop.asked().await });
        scope.spawn("deaf", std::future::pending());
        assert_eq!(scope.close(Duration::from_secs(1)).await, 1);
    }
}
