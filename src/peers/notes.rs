//! What devices did, on its way to the records: many at once when a fleet comes back.

use std::time::Duration;

use tokio::sync::mpsc;
use tracing::warn;

use crate::{audit::Entry, store::Store};

/// Entries that wait at most; more are lost with a line in the log.
const WAITING_MAX: usize = 65_536;
/// Entries of one transaction.
const TOGETHER_MAX: usize = 256;
/// Until a write that failed is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// Tries of one transaction.
const TRIES_MAX: u32 = 10;

/// Takes entries; clones share one queue.
#[derive(Clone, Debug)]
pub struct Notes(mpsc::Sender<Box<Entry>>);

impl Notes {
    /// The queue, and what [`write_down`] empties.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<Box<Entry>>) {
        let (notes, waiting) = mpsc::channel(WAITING_MAX);
        (Self(notes), waiting)
    }

    pub(super) fn take(&self, entry: Entry) {
        let event = entry.event;
        if self.0.try_send(Box::new(entry)).is_err() {
            warn!(?event, "not recorded");
        }
    }
}

/// Writes what waits, in order and as much at once as there is, until nobody takes entries.
pub async fn write_down(store: Store, mut waiting: mpsc::Receiver<Box<Entry>>) {
    let mut some = Vec::new();
    while waiting.recv_many(&mut some, TOGETHER_MAX).await > 0 {
        let entries: Vec<Entry> = some.drain(..).map(|entry| *entry).collect();
        for tried in 1.. {
            match store.record_all(&entries).await {
                Ok(()) => break,
                Err(error) if tried == TRIES_MAX => {
                    warn!(%error, entries = entries.len(), "not recorded");
                    break;
                }
                Err(error) => {
                    warn!(%error, "not recorded yet");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }
}
