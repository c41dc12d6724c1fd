//! Reading a range at a transaction's snapshot, leaf by leaf.
//!
//! A scan keeps only its place between two calls, so it may be left at any time. A leaf's entries are
//! resolved under its latch: what was settled before the snapshot is taken as it lies, the rest as the
//! versions say. Transactions that are checked for serialisability note each stretch that they read, the
//! place included where it ended.

use std::cell::RefCell;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use rustydb_storage::btree::Entry;
use rustydb_storage::{Course, EntryBatch, KeyRange, Lsn, ScanPosition, Settled, Tree};

use super::{Direction, Transaction};
use crate::error::Result;
use crate::serial::Unseen;
use crate::snapshot::Snapshot;

/// A range being read at a transaction's snapshot.
#[derive(Debug)]
pub struct Scan {
    tree: Arc<Tree>,
    range: KeyRange,
    direction: Direction,
    position: Option<ScanPosition>,
    course: Course,
}

impl Scan {
    pub(super) fn new(tree: Arc<Tree>, range: KeyRange, direction: Direction) -> Scan {
        let position = match direction {
            Direction::Forward => range.low.clone(),
            Direction::Backward => range.high.clone(),
        };
        Scan { tree, range, direction, position: Some(position), course: Course::default() }
    }

    /// Adds up to `most` entries to `batch`; false when there are no more behind them.
    ///
    /// # Errors
    /// When a page cannot be read or is damaged.
    pub fn next_batch(
        &mut self,
        transaction: &mut Transaction,
        batch: &mut EntryBatch,
        most: usize,
    ) -> Result<bool> {
        transaction.check_serial()?;
        let snapshot = transaction.snapshot();
        let goal = batch.len() + most;
        while batch.len() < goal {
            let Some(from) = self.position.take() else { return Ok(false) };
            let mut unseen = Unseen::new();
            let more = self.read_leaf(transaction, batch, goal, snapshot, &from, &mut unseen)?;
            transaction.check_refused()?;
            transaction.note_unseen(&unseen);
            if more {
                return Ok(true);
            }
        }
        Ok(self.position.is_some())
    }

    /// Shows `each` the values of the next leaf, in the order of the range, and says whether there may be more behind
    /// it. Where everything in the leaf is visible to all they are shown where they lie, under its latch: `each` must
    /// be short and take no other page. Else they are first copied to `spare`, which is emptied.
    ///
    /// # Errors
    /// When a page cannot be read or is damaged.
    pub fn next_leaf(
        &mut self,
        transaction: &mut Transaction,
        spare: &mut EntryBatch,
        each: impl FnOnce(&[&[u8]]),
    ) -> Result<bool> {
        transaction.check_serial()?;
        let snapshot = transaction.snapshot();
        let Some(from) = self.position.take() else { return Ok(false) };
        let mut each = Some(each);
        if self.direction == Direction::Forward && transaction.member.is_none() {
            let show = |values: &[&[u8]]| {
                if let Some(each) = each.take() {
                    each(values);
                }
            };
            let high = &self.range.high;
            let settled = snapshot.settled_before;
            match self.tree.scan_settled(&mut self.course, &from, high, settled, show)? {
                Settled::Passed(next) => {
                    self.position = next.filter(|next| is_ahead(&self.range, self.direction, next));
                    return Ok(self.position.is_some());
                }
                Settled::Declined => {}
            }
        }
        spare.clear();
        let mut unseen = Unseen::new();
        self.read_leaf(transaction, spare, usize::MAX, snapshot, &from, &mut unseen)?;
        transaction.check_refused()?;
        transaction.note_unseen(&unseen);
        let values: Vec<&[u8]> = (0..spare.len()).map(|at| spare.value(at)).collect();
        if let Some(each) = each {
            each(&values);
        }
        Ok(self.position.is_some())
    }

    /// Reads on in one leaf; true when the batch is full before the leaf's end.
    fn read_leaf(
        &mut self,
        transaction: &mut Transaction,
        batch: &mut EntryBatch,
        goal: usize,
        snapshot: Snapshot,
        from: &ScanPosition,
        unseen: &mut Unseen,
    ) -> Result<bool> {
        let engine = &transaction.engine;
        let (versions, reader) = (&engine.versions, transaction.id.0);
        let (tree, range, direction) = (&self.tree, &self.range, self.direction);
        let member = RefCell::new(transaction.member.as_mut());
        // From where this leaf was entered to here, in the direction of the scan.
        let note_read_to = |to: Bound<&[u8]>| {
            if let Some(member) = member.borrow_mut().as_mut() {
                let (low, high) = match direction {
                    Direction::Forward => (as_slice(from), to),
                    Direction::Backward => (to, as_slice(from)),
                };
                engine.serial.reads_range(member, tree.id(), low, high);
            }
        };
        let mut stopped_at = None;
        let each = |key: &[u8], entry: Entry<'_>, changed: Lsn| -> Result<ControlFlow<()>> {
            let is_inside = match direction {
                Direction::Forward => range.is_below_high(key),
                Direction::Backward => is_above_low(range, key),
            };
            if !is_inside {
                note_read_to(as_slice(match direction {
                    Direction::Forward => &range.high,
                    Direction::Backward => &range.low,
                }));
                return Ok(ControlFlow::Break(()));
            }
            if changed < snapshot.settled_before {
                if !entry.is_tombstone {
                    batch.push(key, entry.value);
                }
            } else {
                let note = |writer| {
                    if unseen.last() != Some(&writer) {
                        unseen.push(writer);
                    }
                };
                versions.resolve(tree.id(), key, Some(entry), snapshot.csn, reader, note, |value| {
                    batch.push(key, value)
                })?;
            }
            if batch.len() >= goal || !batch.has_room(64 << 20) {
                note_read_to(Bound::Included(key));
                stopped_at = Some(key.to_vec());
                return Ok(ControlFlow::Break(()));
            }
            Ok(ControlFlow::Continue(()))
        };
        let passed = |next: Option<&ScanPosition>| {
            note_read_to(match next {
                Some(position) if is_ahead(range, direction, position) => behind(position),
                // What the leaf has further on is not asked for.
                _ => as_slice(match direction {
                    Direction::Forward => &range.high,
                    Direction::Backward => &range.low,
                }),
            });
        };
        let next = match direction {
            Direction::Forward => tree.scan_forward(&mut self.course, from, each, passed)?,
            Direction::Backward => tree.scan_backward(&mut self.course, from, each, passed)?,
        };
        if let Some(key) = stopped_at {
            self.position = Some(Bound::Excluded(key));
            return Ok(true);
        }
        self.position = next.filter(|position| is_ahead(range, direction, position));
        Ok(false)
    }
}

/// The bound of a range that was read up to where its scan will go on.
pub(crate) fn behind(next: &ScanPosition) -> Bound<&[u8]> {
    match next {
        Bound::Included(key) => Bound::Excluded(key.as_slice()),
        Bound::Excluded(key) => Bound::Included(key.as_slice()),
        Bound::Unbounded => Bound::Unbounded,
    }
}

pub(crate) fn as_slice(bound: &ScanPosition) -> Bound<&[u8]> {
    match bound {
        Bound::Included(key) => Bound::Included(key.as_slice()),
        Bound::Excluded(key) => Bound::Excluded(key.as_slice()),
        Bound::Unbounded => Bound::Unbounded,
    }
}

pub(crate) fn is_above_low(range: &KeyRange, key: &[u8]) -> bool {
    match &range.low {
        Bound::Included(low) => key >= low.as_slice(),
        Bound::Excluded(low) => key > low.as_slice(),
        Bound::Unbounded => true,
    }
}

/// Whether keys from a fence on can still be inside the range.
pub(crate) fn is_ahead(range: &KeyRange, direction: Direction, position: &ScanPosition) -> bool {
    match (direction, position) {
        (Direction::Forward, Bound::Included(fence) | Bound::Excluded(fence)) => range.is_below_high(fence),
        (Direction::Backward, Bound::Included(fence) | Bound::Excluded(fence)) => match &range.low {
            Bound::Included(low) | Bound::Excluded(low) => fence > low,
            Bound::Unbounded => true,
        },
        _ => true,
    }
}
