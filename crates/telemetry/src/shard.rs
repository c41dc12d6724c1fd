//! Which copy of a hot number this thread writes.
//!
//! Two threads that add to one cache line pass it back and forth at every add. A sharded instrument keeps
//! [`SHARDS`] copies on separate lines; a thread takes the next number at its first record and keeps it.
//! Threads beyond that share shards, which costs time but never a count: every add is atomic.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Copies of each sharded instrument. A power of two.
pub(crate) const SHARDS: usize = 8;

static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static MINE: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// The shard of the calling thread, below [`SHARDS`].
#[inline]
pub(crate) fn current() -> usize {
    // A thread that is being torn down has no cell any more: any shard will do.
    MINE.try_with(|mine| {
        let shard = mine.get();
        if shard != usize::MAX {
            return shard;
        }
        let shard = NEXT.fetch_add(1, Ordering::Relaxed) & (SHARDS - 1);
        mine.set(shard);
        shard
    })
    .unwrap_or(0)
}

/// A value alone on its cache lines (two of them, since processors fetch lines in pairs).
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);
