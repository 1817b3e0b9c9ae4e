//! Pipes and buffers, lent only while they hold bytes.
//!
//! A flow borrows a small buffer until it fills one, and a large one for as long as it fills more:
//! a thousand talkative channels cost a thousand small ones, and bulk has its large ones back as soon
//! as it is over.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    os::fd::OwnedFd,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use rustix::{
    io,
    pipe::{PipeFlags, fcntl_setpipe_size, pipe_with},
};

use super::lane::Lane;

/// What one pipe or large buffer holds, in bytes; the most that one direction of a channel holds.
pub(super) const CHUNK_BYTES: usize = 256 * 1024;

/// What a small buffer holds, in bytes.
pub(super) const SMALL_BYTES: usize = 16 * 1024;

/// Large buffers kept for the next borrower, 2 MiB in all; more are freed on return.
pub(super) const IDLE_LARGE_MAX: usize = 8;

/// Small buffers kept for the next borrower, 1 MiB in all; more are freed on return.
pub(super) const IDLE_SMALL_MAX: usize = 64;

/// Pipes kept for the next borrower; more are closed on return.
///
/// # Source
///
/// Linux lets an unprivileged user enlarge pipes up to 16,384 pages in all (pipe(7),
/// `pipe-user-pages-soft`): 256 pipes of this size.
pub(super) const IDLE_PIPES_MAX: usize = 64;

/// Whether a flow that held `last` bytes in its last turn nearly filled a small buffer.
pub(super) fn is_bulk(last: usize) -> bool {
    last > SMALL_BYTES / 4 * 3
}

/// What the channels of a process share: pipes and buffers that are lent, and the threads for bulk;
/// clones share them.
#[derive(Clone, Default)]
pub struct Pools(Arc<Inner>);

#[derive(Default)]
struct Inner {
    large: Mutex<Vec<Box<[u8]>>>,
    small: Mutex<Vec<Box<[u8]>>>,
    pipes: Mutex<Vec<Ends>>,
    buffers_lent: AtomicUsize,
    pipes_lent: AtomicUsize,
    lane: Option<Lane>,
}

/// Both ends of an empty pipe.
struct Ends {
    read: OwnedFd,
    write: OwnedFd,
}

impl Pools {
    /// Nothing kept, nothing lent; bulk and talk run where they are called.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, where bulk has threads of its own.
    #[must_use]
    pub fn with_bulk_threads() -> Self {
        Self(Arc::new(Inner { lane: Some(Lane::default()), ..Inner::default() }))
    }

    pub(super) fn lane(&self) -> Option<&Lane> {
        self.0.lane.as_ref()
    }

    /// A buffer with unspecified content for a flow that held `last` bytes in its last turn: small,
    /// or large if that nearly filled a small one.
    #[must_use]
    pub fn buffer(&self, last: usize) -> Buffer {
        let large = is_bulk(last);
        let (kept, bytes) =
            if large { (&self.0.large, CHUNK_BYTES) } else { (&self.0.small, SMALL_BYTES) };
        let bytes = lock(kept).pop().unwrap_or_else(|| vec![0; bytes].into_boxed_slice());
        self.0.buffers_lent.fetch_add(1, Relaxed);
        Buffer { bytes, home: self.0.clone() }
    }

    /// An empty pipe, as large as the system permits up to [`CHUNK_BYTES`].
    pub(super) fn pipe(&self) -> io::Result<Pipe> {
        let kept = lock(&self.0.pipes).pop();
        let ends = match kept {
            Some(ends) => ends,
            None => Ends::make()?,
        };
        self.0.pipes_lent.fetch_add(1, Relaxed);
        Ok(Pipe { ends: Some(ends), held: 0, home: self.0.clone() })
    }

    /// Buffers out now.
    #[must_use]
    pub fn buffers_lent(&self) -> usize {
        self.0.buffers_lent.load(Relaxed)
    }

    /// Pipes out now.
    #[must_use]
    pub fn pipes_lent(&self) -> usize {
        self.0.pipes_lent.load(Relaxed)
    }
}

impl fmt::Debug for Pools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pools")
            .field("buffers_lent", &self.buffers_lent())
            .field("pipes_lent", &self.pipes_lent())
            .finish()
    }
}

impl Ends {
    fn make() -> io::Result<Self> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        // Refused beyond the user's share: a smaller pipe carries the same bytes in more turns.
        let _ = fcntl_setpipe_size(&write, CHUNK_BYTES);
        Ok(Self { read, write })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A lent buffer; goes home on drop. What it held stays in it until the next borrower overwrites it:
/// one process's pools must not serve two that may not see each other's bytes.
pub struct Buffer {
    bytes: Box<[u8]>,
    home: Arc<Inner>,
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.home.buffers_lent.fetch_sub(1, Relaxed);
        let large = self.bytes.len() > SMALL_BYTES;
        let (home, most) = if large {
            (&self.home.large, IDLE_LARGE_MAX)
        } else {
            (&self.home.small, IDLE_SMALL_MAX)
        };
        let mut kept = lock(home);
        if kept.len() < most {
            kept.push(std::mem::take(&mut self.bytes));
        }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Buffer")
    }
}

/// A lent pipe; goes home on drop if it is empty, and is closed with its bytes if it is not.
pub(super) struct Pipe {
    /// There until the drop.
    ends: Option<Ends>,
    /// Bytes in it.
    pub(super) held: usize,
    home: Arc<Inner>,
}

impl Pipe {
    /// The end that gives bytes.
    pub(super) fn read(&self) -> io::Result<&OwnedFd> {
        self.ends.as_ref().map(|ends| &ends.read).ok_or(io::Errno::BADF)
    }

    /// The end that takes bytes.
    pub(super) fn write(&self) -> io::Result<&OwnedFd> {
        self.ends.as_ref().map(|ends| &ends.write).ok_or(io::Errno::BADF)
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.home.pipes_lent.fetch_sub(1, Relaxed);
        if self.held > 0 {
            return;
        }
        let mut kept = lock(&self.home.pipes);
        if kept.len() < IDLE_PIPES_MAX {
            kept.extend(self.ends.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_buffer_is_lent_only_for_much_and_few_are_kept() {
        let pools = Pools::new();
        for (last, bytes) in [(0, SMALL_BYTES), (SMALL_BYTES / 2, SMALL_BYTES)] {
            assert_eq!(pools.buffer(last).len(), bytes);
        }
        let many: Vec<_> = (0..IDLE_LARGE_MAX + 4).map(|_| pools.buffer(SMALL_BYTES)).collect();
        assert!(many.iter().all(|buffer| buffer.len() == CHUNK_BYTES));
        assert_eq!(pools.buffers_lent(), many.len());
        drop(many);
        assert_eq!((lock(&pools.0.large).len(), lock(&pools.0.small).len()), (IDLE_LARGE_MAX, 1));
        assert_eq!(pools.buffers_lent(), 0);
    }
}
