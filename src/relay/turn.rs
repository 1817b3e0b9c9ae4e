//! How much one channel moves before the others have their turn, and whether it is bulk.

use std::{
    task::{Context, Poll},
    time::{Duration, Instant},
};

use super::pool::CHUNK_BYTES;
use crate::clock::Now;

/// Bytes that one direction of a channel moves in a turn; then it waits until the tasks that are
/// ready have had theirs.
///
/// # Source
///
/// Measured: a direction that goes on for as long as its sockets let it keeps its thread for 10 ms
/// and more, and a session's keystrokes wait behind its bulk.
pub const TURN_BYTES_MAX: usize = CHUNK_BYTES;

/// A direction that fills a turn faster than this is bulk: 13 MB/s, of which a thread carries
/// hundreds.
pub(super) const BULK_TURN_TIME: Duration = Duration::from_millis(20);

/// One that has not filled its turn after this is bulk no longer: what is typed after a long answer.
pub(super) const TALK_TURN_TIME: Duration = Duration::from_secs(1);

/// What is left of one turn.
#[derive(Debug, Default)]
pub struct Turn {
    moved: usize,
    begun: Option<Instant>,
    bulk: bool,
}

impl Turn {
    /// Counts bytes that were moved.
    pub fn moved(&mut self, bytes: usize, now: Now) {
        let begun = *self.begun.get_or_insert(now.mono);
        let took = now.mono.saturating_duration_since(begun);
        if took >= TALK_TURN_TIME {
            *self = Self { moved: 0, begun: Some(now.mono), bulk: false };
        }
        self.moved = self.moved.saturating_add(bytes);
        self.bulk |= self.moved >= TURN_BYTES_MAX && took < BULK_TURN_TIME;
    }

    /// Ready while the turn lasts. When it is over it is pending once, and the task is woken for the
    /// next one.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.moved < TURN_BYTES_MAX {
            return Poll::Ready(());
        }
        self.moved = 0;
        self.begun = None;
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether its last turns were filled so fast that others should not wait for them.
    #[must_use]
    pub fn is_bulk(&self) -> bool {
        self.bulk
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
        turn.moved(TURN_BYTES_MAX - 1, Now::read());
        assert!(turn.poll(&mut cx).is_ready());
        turn.moved(1, Now::read());
        assert!(turn.poll(&mut cx).is_pending());
        assert!(turn.poll(&mut cx).is_ready());
    }

    #[test]
    fn bulk_is_what_fills_a_turn_fast_until_one_is_not_filled_in_a_second() {
        let mut cx = Context::from_waker(Waker::noop());
        let begun = Now::read();
        let at = |after: Duration| Now { mono: begun.mono + after, ..begun };
        let mut turn = Turn::default();
        turn.moved(TURN_BYTES_MAX - 1, at(Duration::ZERO));
        assert!(!turn.is_bulk(), "its bytes are not all there");
        turn.moved(1, at(BULK_TURN_TIME));
        assert!(!turn.is_bulk(), "they took too long");
        assert!(turn.poll(&mut cx).is_pending());
        turn.moved(TURN_BYTES_MAX, at(BULK_TURN_TIME * 2));
        assert!(turn.is_bulk());
        assert!(turn.poll(&mut cx).is_pending());
        let next = BULK_TURN_TIME * 3;
        turn.moved(1, at(next));
        turn.moved(1, at(next + TALK_TURN_TIME / 2));
        assert!(turn.is_bulk(), "a pause is not the end of it");
        turn.moved(1, at(next + TALK_TURN_TIME));
        assert!(!turn.is_bulk());
    }
}
