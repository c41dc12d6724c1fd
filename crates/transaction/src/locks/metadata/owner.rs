//! What one owner holds, kept by the owner itself so that letting go needs no search.

use super::super::ids::OwnerId;
use super::mode::MdlMode;
use super::{MODES, ModeCounts};

/// For how long a metadata lock is held, from short to long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MdlDuration {
    /// Until the end of the statement.
    Statement,
    /// Until the end of the transaction.
    Transaction,
    /// Until it is released by name (LOCK TABLES, GET_LOCK, global read lock).
    Explicit,
}

/// A moment in the life of an owner, for a rollback to a savepoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MdlMark(u64);

/// A session's metadata locks. Let go of them (`MetadataLocks::release_all`) before dropping it.
#[derive(Debug)]
pub struct MetadataLockOwner {
    /// The node of the wait-for graph, shared with the session's row locks.
    pub(super) id: OwnerId,
    /// What it would cost to undo the transaction (changed rows), for the choice of a victim.
    pub weight: u64,
    pub(super) tickets: Vec<Ticket>,
    next: u64,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Ticket {
    pub(super) hash: u64,
    pub(super) slot: u32,
    pub(super) holder: u32,
    pub(super) mode: MdlMode,
    pub(super) duration: MdlDuration,
    /// It keeps brief reads out.
    pub(super) closes: bool,
    sequence: u64,
}

impl MetadataLockOwner {
    /// An owner that holds nothing.
    pub fn new(id: OwnerId) -> Self {
        Self { id, weight: 0, tickets: Vec::new(), next: 0 }
    }

    /// Its node in the wait-for graph.
    pub fn id(&self) -> OwnerId {
        self.id
    }

    /// Now; what is locked for the transaction from here on is let go by `release_since`.
    pub fn mark(&self) -> MdlMark {
        MdlMark(self.next)
    }

    /// How many locks it holds.
    pub fn len(&self) -> usize {
        self.tickets.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.tickets.is_empty()
    }

    pub(super) fn add(&mut self, hash: u64, slot: u32, holder: u32, mode: MdlMode, duration: MdlDuration) {
        let sequence = self.next;
        self.next += 1;
        self.tickets.push(Ticket { hash, slot, holder, mode, duration, closes: false, sequence });
    }

    pub(super) fn on(&self, hash: u64, slot: u32) -> impl Iterator<Item = &Ticket> {
        self.tickets.iter().filter(move |ticket| ticket.is_on(hash, slot))
    }

    /// Takes out the tickets that `which` names, in the order of their acquisition.
    pub(super) fn take(&mut self, mut which: impl FnMut(&Ticket) -> bool) -> Vec<Ticket> {
        // All of them is the common case: the list goes as it is.
        if self.tickets.iter().all(&mut which) {
            return std::mem::take(&mut self.tickets);
        }
        self.tickets.extract_if(.., |ticket| which(ticket)).collect()
    }
}

impl Ticket {
    pub(super) fn is_on(&self, hash: u64, slot: u32) -> bool {
        self.slot == slot && self.hash == hash
    }

    pub(super) fn is_since(&self, mark: MdlMark) -> bool {
        self.sequence >= mark.0
    }
}

pub(super) fn count_modes<'a>(tickets: impl Iterator<Item = &'a Ticket>) -> ModeCounts {
    let mut counts = [0; MODES];
    for ticket in tickets {
        counts[ticket.mode as usize] += 1;
    }
    counts
}
