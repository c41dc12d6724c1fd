//! The memory that statements hold to sort, group and join: so much each, and so much all together.
//!
//! ```text
//!   StatementMemory          what all statements may hold, and what is granted to them
//!     └ Grant                one for each statement: what it may hold
//!         └ Reservation      one for each operator that grows: what it holds
//! ```
//! An operator asks its [`Reservation`] before it grows ([`Reservation::grow`]). When it is refused it writes what it
//! holds to temporary files, gives the memory back and goes on; what it needs at the least it takes by
//! [`Reservation::require`], which is an error of the statement when even that is not to be had. When the statement
//! ends, however it ends, its grant goes back.
//!
//! # Who gets how much
//! The plan says how many operators of it can be at work at the same time (its *width*,
//! [`crate::exec::spill::width`]). Each of them has an even share of the statement's limit. One may take more as long
//! as the shares of the others stay free: the share of each that has not begun, the share (or more, if it has more)
//! of each that still grows, and what each that has [settled](Reservation::settle) really holds. So the build side of
//! a join with a small table leaves nearly all of its share to the next one.
//!
//! A grant covers what is held in steps, so that most statements never touch what all share; it goes back in steps
//! when operators let go.
//!
//! Limits: the batch that an operator has in hand, and the one that it gives, are not counted.
//!
//! Lock order: the operators of a grant, then nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

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
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Taken from what all share.
    granted: usize,
    /// Held without a reservation, as far as it was told.
    outside: usize,
    /// Held by reservations together.
    reserved: usize,
    /// How many operators can be at work at the same time.
    width: usize,
    operators: Vec<Operator>,
    next: u64,
}

#[derive(Debug)]
struct Operator {
    number: u64,
    held: usize,
    settled: bool,
}

/// More was wanted than there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    /// The limit that was met, in bytes.
    pub limit: usize,
    /// Whether it is that of all statements together.
    pub is_of_all: bool,
}

impl Exceeded {
    fn error(self, purpose: &str, advice: &str) -> SqlError {
        match self.is_of_all {
            // As for every sort that the memory is too small for.
            _ if purpose == "sort" => SqlError::out_of_sort_memory(),
            false => SqlError::memory_capacity(self.limit, purpose, advice),
            true => {
                let advice = "All statements together hold as much as they may.";
                SqlError::memory_capacity(self.limit, purpose, advice)
            }
        }
    }
}

impl StatementMemory {
    /// With these limits in bytes.
    pub fn new(each: usize, all: usize) -> StatementMemory {
        StatementMemory { each, all: all.max(each), granted: AtomicUsize::new(0) }
    }

    /// The grant of a statement that begins.
    pub fn grant(self: &Arc<Self>) -> Grant {
        Grant { memory: Arc::clone(self), state: Mutex::default() }
    }

    /// Bytes that are granted now.
    pub fn granted(&self) -> usize {
        self.granted.load(Ordering::Relaxed)
    }

    /// Makes what was granted cover what is needed.
    fn cover(&self, granted: &mut usize, needed: usize) -> Result<(), Exceeded> {
        if needed <= (*granted).max(FREE) {
            return Ok(());
        }
        if needed > self.each {
            return Err(Exceeded { limit: self.each, is_of_all: false });
        }
        let more = needed.next_multiple_of(STEP).min(self.each) - *granted;
        let fits = |now: usize| now.checked_add(more).filter(|then| *then <= self.all);
        match self.granted.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits) {
            Ok(_) => {
                *granted += more;
                Ok(())
            }
            Err(_) => Err(Exceeded { limit: self.all, is_of_all: true }),
        }
    }
}

impl State {
    fn held(&self) -> usize {
        self.outside + self.reserved
    }

    /// How much an operator may hold with regard to the others of its statement.
    fn allowance(&self, number: u64, limit: usize) -> usize {
        let width = self.width.max(self.operators.len()).max(1);
        let share = limit / width;
        let not_begun = width.saturating_sub(self.operators.len());
        let others: usize = self
            .operators
            .iter()
            .filter(|other| other.number != number)
            .map(|other| if other.settled { other.held } else { other.held.max(share) })
            .sum();
        limit.saturating_sub(self.outside).saturating_sub(others).saturating_sub(share * not_begun)
    }

    fn operator(&mut self, number: u64) -> Option<&mut Operator> {
        self.operators.iter_mut().find(|o| o.number == number)
    }
}

impl Grant {
    /// The most that the statement may hold.
    pub fn limit(&self) -> usize {
        self.memory.each
    }

    /// Says how many operators of the statement can be at work at the same time.
    pub fn set_width(&self, width: usize) {
        self.state.lock().width = width;
    }

    /// Makes sure that the grant covers `held` bytes beside the reservations; else error 3170, which names what
    /// the memory was for and what to do.
    pub fn charge(&self, held: usize, purpose: &str, advice: &str) -> Result<(), SqlError> {
        self.cover(held).map_err(|exceeded| exceeded.error(purpose, advice))
    }

    /// Makes sure that the grant covers `held` bytes beside the reservations.
    pub fn cover(&self, held: usize) -> Result<(), Exceeded> {
        let state = &mut *self.state.lock();
        self.memory.cover(&mut state.granted, held + state.reserved)?;
        state.outside = held;
        Ok(())
    }

    /// The reservation of an operator that begins to grow.
    pub fn reserve(self: &Arc<Self>) -> Reservation {
        let mut state = self.state.lock();
        state.next += 1;
        let number = state.next;
        state.operators.push(Operator { number, held: 0, settled: false });
        Reservation { grant: Arc::clone(self), number }
    }

    /// Gives back what nobody holds any more, but for a step.
    fn give_back(&self, state: &mut State) {
        let needed = state.held().next_multiple_of(STEP);
        if state.granted > needed + STEP {
            self.memory.granted.fetch_sub(state.granted - needed, Ordering::Relaxed);
            state.granted = needed;
        }
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        self.memory.granted.fetch_sub(self.state.get_mut().granted, Ordering::Relaxed);
    }
}

/// What one operator holds. Dropping it gives everything back.
#[derive(Debug)]
pub struct Reservation {
    grant: Arc<Grant>,
    number: u64,
}

impl Reservation {
    /// Takes more if it may have it: within its share, the statement's limit and that of all.
    #[must_use]
    pub fn grow(&self, bytes: usize) -> bool {
        let limit = self.grant.limit();
        let state = &mut *self.grant.state.lock();
        let allowance = state.allowance(self.number, limit);
        let held = state.operator(self.number).map_or(0, |o| o.held);
        if held.saturating_add(bytes) > allowance {
            return false;
        }
        let needed = state.held() + bytes;
        if self.grant.memory.cover(&mut state.granted, needed).is_err() {
            return false;
        }
        state.reserved += bytes;
        if let Some(operator) = state.operator(self.number) {
            operator.held += bytes;
        }
        true
    }

    /// Takes what it cannot do without, whatever the shares of others; an error when the limits do not allow it.
    pub fn require(&self, bytes: usize, purpose: &str) -> Result<(), SqlError> {
        let state = &mut *self.grant.state.lock();
        let needed = state.held() + bytes;
        let covered = self.grant.memory.cover(&mut state.granted, needed);
        covered.map_err(|exceeded| exceeded.error(purpose, "The statement was refused."))?;
        state.reserved += bytes;
        if let Some(operator) = state.operator(self.number) {
            operator.held += bytes;
        }
        Ok(())
    }

    /// Gives some of it back.
    pub fn shrink(&self, bytes: usize) {
        let state = &mut *self.grant.state.lock();
        let Some(operator) = state.operator(self.number) else { return };
        let bytes = bytes.min(operator.held);
        operator.held -= bytes;
        state.reserved -= bytes;
        self.grant.give_back(state);
    }

    /// Gives all of it back.
    pub fn clear(&self) {
        self.shrink(usize::MAX);
    }

    /// It will not grow any more: others may have what its share has left.
    pub fn settle(&self) {
        if let Some(operator) = self.grant.state.lock().operator(self.number) {
            operator.settled = true;
        }
    }

    /// Bytes that it holds.
    pub fn held(&self) -> usize {
        self.grant.state.lock().operator(self.number).map_or(0, |o| o.held)
    }

    /// Bytes that it may hold as things stand, as far as its statement is concerned.
    pub fn allowance(&self) -> usize {
        let limit = self.grant.limit();
        self.grant.state.lock().allowance(self.number, limit)
    }

    /// One more of the same statement.
    #[must_use]
    pub fn another(&self) -> Reservation {
        self.grant.reserve()
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.clear();
        self.grant.state.lock().operators.retain(|o| o.number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn grant(each: usize, all: usize) -> Arc<Grant> {
        Arc::new(Arc::new(StatementMemory::new(each, all)).grant())
    }

    #[test]
    fn each_has_its_limit_and_all_have_theirs() {
        let memory = Arc::new(StatementMemory::new(MIB, 2 * MIB));
        let (a, b, c) = (memory.grant(), memory.grant(), memory.grant());
        assert_eq!((a.cover(FREE), memory.granted()), (Ok(()), 0));
        assert_eq!((a.cover(FREE + 1), memory.granted()), (Ok(()), STEP));
        assert_eq!((a.cover(STEP), memory.granted()), (Ok(()), STEP));
        assert_eq!((a.cover(MIB), memory.granted()), (Ok(()), MIB));
        assert_eq!(a.cover(MIB + 1), Err(Exceeded { limit: MIB, is_of_all: false }));
        assert_eq!(b.cover(MIB), Ok(()));
        assert_eq!(c.cover(100_000), Err(Exceeded { limit: 2 * MIB, is_of_all: true }));
        assert_eq!(c.cover(FREE), Ok(()));
        drop(a);
        assert_eq!((c.cover(100_000), memory.granted()), (Ok(()), MIB + STEP));
        drop((b, c));
        assert_eq!(memory.granted(), 0);
    }

    #[test]
    fn threads_never_hold_more_than_all_may() {
        let memory = Arc::new(StatementMemory::new(MIB, 3 * MIB));
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let memory = &memory;
                scope.spawn(move || {
                    for round in 0..2_000usize {
                        let grant = memory.grant();
                        let mut held = 0;
                        while grant.cover(held).is_ok() && held < MIB {
                            held += 100_000 + thread * 1_000 + round % 7;
                        }
                        assert!(memory.granted() <= 3 * MIB);
                    }
                });
            }
        });
        assert_eq!(memory.granted(), 0);
    }

    #[test]
    fn one_operator_alone_may_have_everything_and_gives_it_back() {
        let grant = grant(8 * MIB, 8 * MIB);
        let sort = grant.reserve();
        assert!(sort.grow(8 * MIB) && !sort.grow(1));
        assert_eq!(grant.memory.granted(), 8 * MIB);
        sort.shrink(7 * MIB);
        assert_eq!((sort.held(), grant.memory.granted()), (MIB, MIB));
        drop(sort);
        assert_eq!(grant.state.lock().held(), 0);
    }

    #[test]
    fn operators_share_evenly_and_leave_what_they_do_not_need() {
        let grant = grant(8 * MIB, 8 * MIB);
        grant.set_width(4);
        let first = grant.reserve();
        assert!(first.grow(2 * MIB) && !first.grow(1));
        // A small build side is done: the next ones share what it leaves.
        first.shrink(2 * MIB - 1000);
        first.settle();
        let second = grant.reserve();
        assert_eq!(second.allowance(), 4 * MIB - 1000);
        assert!(second.grow(4 * MIB - 1000) && !second.grow(1));
        let third = grant.reserve();
        assert!(third.grow(2 * MIB) && !third.grow(1));
        // What it cannot do without it gets from the shares of others.
        assert!(third.require(1000, "join").is_ok());
        assert_eq!(third.require(8 * MIB, "join").map_err(|e| e.code), Err(3170));
        assert_eq!(third.require(8 * MIB, "sort").map_err(|e| e.code), Err(1038));
    }

    #[test]
    fn what_all_hold_bounds_each() {
        let memory = Arc::new(StatementMemory::new(2 * MIB, 2 * MIB));
        let (a, b) = (Arc::new(memory.grant()), Arc::new(memory.grant()));
        let (large, small) = (a.reserve(), b.reserve());
        assert!(large.grow(2 * MIB));
        // What is free for everybody is enough to go on with.
        assert!(small.grow(FREE) && !small.grow(1));
        large.clear();
        assert!(small.grow(MIB));
    }
}
