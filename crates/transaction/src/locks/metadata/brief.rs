//! Reads that are over at once: they hold their tables without a ticket.
//!
//! The commonest statement reads one row and is a transaction of its own. A ticket for it is two visits to the table's
//! shard, whose memory then moves between processors with every statement. A brief reader only counts itself, in one of
//! several counters that few others use. Who asks for a mode on a table that reads do not go together with closes the
//! way first and waits until all who are inside have left; who finds the way closed asks for a ticket as all others do.
//!
//! Invariants:
//! - While the way is closed and its counters are empty, nobody reads briefly: a reader counts itself and then looks
//!   whether the way is closed, who closes it does so and then looks at the counters, all in one order of all.
//! - The way is closed for as long as a mode is asked for, waited for or held that reads do not go together with, on
//!   whatever table.
//! - A brief reader waits for no lock and no client, only for pages: so no graph needs to know of it, and who waits for
//!   it does so as for a page.

use std::time::Duration;

use rustydb_storage::sync::{AtomicU32, Ordering, yield_now};

use super::{MdlKey, MdlMode, OwnerId};

/// Counters of readers, a power of two.
const COUNTERS: usize = 16;

/// A number alone on its cache lines.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Line(AtomicU32);

#[derive(Debug, Default)]
pub(super) struct BriefReads {
    inside: [Line; COUNTERS],
    /// How many have closed the way.
    closed: Line,
}

/// A brief read, until it is dropped.
#[derive(Debug)]
pub struct BriefRead<'a> {
    counter: &'a AtomicU32,
}

impl Drop for BriefRead<'_> {
    fn drop(&mut self) {
        self.counter.fetch_sub(1, Ordering::Release);
    }
}

/// Whether brief reads do not go together with a mode.
pub(super) fn closes(key: &MdlKey, mode: MdlMode) -> bool {
    matches!(key, MdlKey::Table(..)) && mode.conflicts_with(MdlMode::SharedRead)
}

impl BriefReads {
    /// Begins a brief read. None: the way is closed.
    pub(super) fn enter(&self, owner: OwnerId) -> Option<BriefRead<'_>> {
        let counter = &self.inside[owner.0 as usize & (COUNTERS - 1)].0;
        counter.fetch_add(1, Ordering::SeqCst);
        let read = BriefRead { counter };
        (self.closed.0.load(Ordering::SeqCst) == 0).then_some(read)
    }

    /// Closes the way, and waits for those who are inside.
    pub(super) fn close(&self) {
        self.closed.0.fetch_add(1, Ordering::SeqCst);
        for Line(counter) in &self.inside {
            let mut looks = 0;
            while counter.load(Ordering::SeqCst) != 0 {
                looks += 1;
                // Somebody reads a page from the disk.
                if looks > 100 && cfg!(not(feature = "shuttle")) {
                    std::thread::sleep(Duration::from_micros(50));
                } else {
                    yield_now();
                }
            }
        }
    }

    /// Takes one closing back.
    pub(super) fn open(&self) {
        self.closed.0.fetch_sub(1, Ordering::SeqCst);
    }
}
