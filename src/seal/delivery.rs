//! Opened plaintext on its way to the local end.

use std::{
    io::{self, IoSlice},
    ops::Range,
    pin::Pin,
    task::{Context, Poll, ready},
};

use super::{LocalEnd, boxes::Inbox};

/// How many records are delivered with one write.
const DELIVERED_AT_ONCE_MAX: usize = 16;

/// Ranges of opened plaintext, in order, that one vectored write delivers.
#[derive(Default)]
pub(super) struct Waiting {
    ranges: [Range<usize>; DELIVERED_AT_ONCE_MAX],
    first: usize,
    last: usize,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.first == self.last
    }

    pub(super) fn is_full(&self) -> bool {
        self.last == DELIVERED_AT_ONCE_MAX
    }

    pub(super) fn push(&mut self, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        if let Some(slot) = self.ranges.get_mut(self.last) {
            *slot = range;
            self.last += 1;
        }
    }

    /// How many bytes the local end took.
    pub(super) fn poll_write<L: LocalEnd>(
        &mut self,
        cx: &mut Context<'_>,
        inbox: &Inbox,
        local: &mut L,
    ) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); DELIVERED_AT_ONCE_MAX];
        let waiting = self.ranges.get(self.first..self.last).unwrap_or_default();
        for (slice, range) in slices.iter_mut().zip(waiting) {
            *slice = IoSlice::new(inbox.get(range.clone()));
        }
        let slices = slices.get(..waiting.len()).unwrap_or_default();
        let taken = ready!(Pin::new(local).poll_write_vectored(cx, slices))?;
        if taken == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.advance(taken);
        Poll::Ready(Ok(taken))
    }

    fn advance(&mut self, mut taken: usize) {
        while let Some(range) =
            self.ranges.get_mut(self.first..self.last).and_then(|r| r.first_mut())
        {
            let part = taken.min(range.len());
            range.start += part;
            taken -= part;
            if range.start < range.end {
                return;
            }
            self.first += 1;
        }
        (self.first, self.last) = (0, 0);
    }
}
