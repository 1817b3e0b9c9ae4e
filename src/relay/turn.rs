//! How much one channel moves before the others have their turn.

use std::task::{Context, Poll};

use super::pool::CHUNK_BYTES;

/// Bytes that one direction of a channel moves in a turn; then it waits until the tasks that are
/// ready have had theirs.
///
/// # Source
///
/// Measured: a direction that goes on for as long as its sockets let it keeps its thread for 10 ms
/// and more, and a session's keystrokes wait behind its bulk.
pub const TURN_BYTES_MAX: usize = CHUNK_BYTES;

/// What is left of one turn.
#[derive(Debug, Default)]
pub struct Turn {
    moved: usize,
}

impl Turn {
    /// Counts bytes that were moved.
    pub fn moved(&mut self, bytes: usize) {
        self.moved = self.moved.saturating_add(bytes);
    }

    /// Ready while the turn lasts. When it is over it is pending once, and the task is woken for the
    /// next one.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.moved < TURN_BYTES_MAX {
            return Poll::Ready(());
        }
        self.moved = 0;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn a_turn_is_over_after_its_bytes_and_the_next_begins_at_once() {
        let mut cx = Context::from_waker(Waker::noop());
        let mut turn = Turn::default();
        turn.moved(TURN_BYTES_MAX - 1);
        assert!(turn.poll(&mut cx).is_ready());
        turn.moved(1);
        assert!(turn.poll(&mut cx).is_pending());
        assert!(turn.poll(&mut cx).is_ready());
    }
}
