//! Which segments of the log are there to be read again, and what stands at their beginnings.
//!
//! Each segment's head names the segment before it and carries a [`Mark`], so that after a restart it is
//! known without reading the log how far back it reaches without a gap, and from which commits it can be
//! followed. Segments of programs that wrote no marks have none; the log can be followed from the first
//! mark behind them.
//!
//! Invariants:
//! - The list has no gap: a segment that does not name the one before it begins the list anew.
//! - `oldest` is raised before a segment leaves the list and before its file is given another name. So a reader
//!   that finds no segment, or other bytes than it expected, learns from `oldest` that it came too late, and takes
//!   them for nothing else.
//!
//! Lock order: the log's `writer`, then `segments`; `newest` for itself.

use std::collections::BTreeMap;

use super::frame::Origin;
use super::segment::{self, SegmentHead};
use crate::disk::Disk;
use crate::error::Result;
use crate::ids::Lsn;
use crate::sync::{AtomicU64, Mutex, Ordering};

/// A place in the order of commits from which the log can be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Mark {
    /// The last commit before this place.
    pub csn: u64,
    /// That commit's time.
    pub time: u64,
    /// That commit's global transaction number.
    pub number: u64,
    /// No transaction that commits later has a record before this.
    pub low: Lsn,
    /// For how many microseconds the store had been open then, in all its life. Unlike the time it stands
    /// still while the store is closed, and no clock can make it jump.
    pub running: u64,
}

/// The segments that can be read, with their marks.
#[derive(Debug, Default)]
pub(super) struct Retained {
    segments: Mutex<BTreeMap<Lsn, Option<Mark>>>,
    oldest: AtomicU64,
    newest: Mutex<Option<Mark>>,
}

impl Retained {
    /// Reads the heads of all segments up to `last`.
    pub(super) fn read(disk: &dyn Disk, origin: Origin, last: Lsn) -> Result<Retained> {
        let found = Retained::default();
        let mut previous = Lsn::ZERO;
        for first in segment::list(disk)?.into_iter().filter(|&first| first <= last) {
            let head = match segment::open(disk, first).and_then(|file| segment::read_head(&*file, first)) {
                Ok(Some(head)) if head.origin == origin && head.first == first => head,
                // A remnant of a crash amid renames; what recovery needs it has read already.
                _ => continue,
            };
            if head.previous != previous {
                found.segments.lock().clear();
            }
            found.add(&head);
            previous = first;
        }
        Ok(found)
    }

    /// A segment has begun.
    pub(super) fn add(&self, head: &SegmentHead) {
        let mut segments = self.segments.lock();
        segments.insert(head.first, head.mark);
        if let Some((oldest, _)) = segments.first_key_value() {
            self.oldest.store(oldest.0, Ordering::Release);
        }
        if let Some(mark) = head.mark {
            let mut newest = self.newest.lock();
            *newest = Some(newest.map_or(mark, |newest| if newest.csn > mark.csn { newest } else { mark }));
        }
    }

    /// A segment is about to go.
    pub(super) fn remove(&self, first: Lsn, following: Lsn) {
        // In this order: a reader that no longer finds the segment here learns why.
        self.oldest.fetch_max(following.0, Ordering::AcqRel);
        self.segments.lock().remove(&first);
    }

    /// The first position that can be read.
    pub(super) fn oldest(&self) -> Lsn {
        Lsn(self.oldest.load(Ordering::Acquire))
    }

    /// The segment that holds a position.
    pub(super) fn holding(&self, position: Lsn) -> Option<Lsn> {
        self.segments.lock().range(..=position).next_back().map(|(first, _)| *first)
    }

    /// All segments, oldest first.
    pub(super) fn all(&self) -> Vec<(Lsn, Option<Mark>)> {
        self.segments.lock().iter().map(|(first, mark)| (*first, *mark)).collect()
    }

    /// Takes note of a mark whose commit is durable; the next segment's head will carry it.
    pub(super) fn note(&self, mark: Mark) {
        *self.newest.lock() = Some(mark);
    }

    /// The newest mark.
    pub(super) fn newest(&self) -> Option<Mark> {
        *self.newest.lock()
    }

    /// The mark for a segment that begins at `start`. What is logged behind that may be lost and replaced,
    /// so no mark points there.
    pub(super) fn mark_for(&self, start: Lsn) -> Option<Mark> {
        self.newest().map(|mark| Mark { low: mark.low.min(start), ..mark })
    }
}
