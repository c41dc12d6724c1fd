//! The memory that statements hold to sort, group and join: so much each, and so much all together.
//!
//! A statement has a [`Grant`]. What its operators hold is covered by it in steps, so that most statements never touch
//! what all share; when the statement ends, however it ends, its grant goes back. A step that is not to be had is
//! an error of the statement that wanted it: the others go on.
//!
//! Limits: rows that a change collects before it writes them and what its query's operators hold meanwhile are looked
//! at apart, so the larger of the two counts.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::SqlError;

/// Grants grow by this much at the least.
const STEP: usize = 256 << 10;

/// A statement that holds no more than this counts for nothing.
const FREE: usize = 64 << 10;

/// The limits, and what is granted now.
#[derive(Debug)]
pub struct StatementMemory {
    each: usize,
    all: usize,
    granted: AtomicUsize,
}

/// What one statement may hold.
#[derive(Debug)]
pub struct Grant {
    memory: Arc<StatementMemory>,
    granted: Cell<usize>,
}

/// More was wanted than there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    /// The limit that was met, in bytes.
    pub limit: usize,
    /// Whether it is that of all statements together.
    pub is_of_all: bool,
}

impl StatementMemory {
    /// With these limits in bytes.
    pub fn new(each: usize, all: usize) -> StatementMemory {
        StatementMemory { each, all: all.max(each), granted: AtomicUsize::new(0) }
    }

    /// The grant of a statement that begins.
    pub fn grant(self: &Arc<Self>) -> Grant {
        Grant { memory: Arc::clone(self), granted: Cell::new(0) }
    }

    /// Bytes that are granted now.
    pub fn granted(&self) -> usize {
        self.granted.load(Ordering::Relaxed)
    }
}

impl Grant {
    /// The most that the statement may hold.
    pub fn limit(&self) -> usize {
        self.memory.each
    }

    /// The same as error 3170, which names what the memory was for and what to do.
    pub fn charge(&self, held: usize, purpose: &str, advice: &str) -> Result<(), SqlError> {
        self.cover(held).map_err(|Exceeded { limit, is_of_all }| match is_of_all {
            false => SqlError::memory_capacity(limit, purpose, advice),
            true => {
                let advice = "All statements together hold as much as they may.";
                SqlError::memory_capacity(limit, purpose, advice)
            }
        })
    }

    /// Makes sure that the grant covers what is held now.
    pub fn cover(&self, held: usize) -> Result<(), Exceeded> {
        let granted = self.granted.get();
        if held <= granted.max(FREE) {
            return Ok(());
        }
        let StatementMemory { each, all, granted: of_all } = &*self.memory;
        if held > *each {
            return Err(Exceeded { limit: *each, is_of_all: false });
        }
        let more = held.next_multiple_of(STEP).min(*each) - granted;
        let fits = |now: usize| now.checked_add(more).filter(|then| then <= all);
        match of_all.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits) {
            Ok(_) => {
                self.granted.set(granted + more);
                Ok(())
            }
            Err(_) => Err(Exceeded { limit: *all, is_of_all: true }),
        }
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        self.memory.granted.fetch_sub(self.granted.get(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_limit_and_all_have_theirs() {
        let memory = Arc::new(StatementMemory::new(1 << 20, 2 << 20));
        let (a, b, c) = (memory.grant(), memory.grant(), memory.grant());
        assert_eq!((a.cover(FREE), memory.granted()), (Ok(()), 0));
        assert_eq!((a.cover(FREE + 1), memory.granted()), (Ok(()), STEP));
        assert_eq!((a.cover(STEP), memory.granted()), (Ok(()), STEP));
        assert_eq!((a.cover(1 << 20), memory.granted()), (Ok(()), 1 << 20));
        assert_eq!(a.cover((1 << 20) + 1), Err(Exceeded { limit: 1 << 20, is_of_all: false }));
        assert_eq!(b.cover(1 << 20), Ok(()));
        assert_eq!(c.cover(100_000), Err(Exceeded { limit: 2 << 20, is_of_all: true }));
        assert_eq!(c.cover(FREE), Ok(()));
        drop(a);
        assert_eq!((c.cover(100_000), memory.granted()), (Ok(()), (1 << 20) + STEP));
        drop((b, c));
        assert_eq!(memory.granted(), 0);
    }

    #[test]
    fn threads_never_hold_more_than_all_may() {
        let memory = Arc::new(StatementMemory::new(1 << 20, 3 << 20));
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let memory = &memory;
                scope.spawn(move || {
                    for round in 0..2_000usize {
                        let grant = memory.grant();
                        let mut held = 0;
                        while grant.cover(held).is_ok() && held < (1 << 20) {
                            held += 100_000 + thread * 1_000 + round % 7;
                        }
                        assert!(memory.granted() <= 3 << 20);
                    }
                });
            }
        });
        assert_eq!(memory.granted(), 0);
    }
}
