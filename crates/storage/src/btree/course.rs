//! The course of a scan: whether it is a long one, what it reads ahead, and how it stays out of others' way.
//!
//! A scan that has come through [`LONG`] leaves will likely go on. From then on
//!
//! - the leaves that follow, as the parent names them, are asked for ahead of need ([`Pool::read_ahead`]): threads of
//!   the pool read them while the caller works on the leaf before;
//! - its leaves do not count as used, and once it is [`RING`] leaves further (a share of a small pool) they go,
//!   unless somebody else has used them meanwhile. So a scan of any length takes a ring of frames, the hand of the
//!   eviction policy hardly moves for it, and what others use stays where it is. They stay while the pool has free
//!   frames; of a full one's, a few stay each time, so that what is scanned again and again comes in.
//!
//! Under a parent's latch pages are only named; they are asked for once nothing is latched.

use std::collections::VecDeque;

use smallvec::SmallVec;

use crate::buffer::Pool;
use crate::ids::PageNo;
use crate::page::node;

/// Leaves after which a scan is a long one.
const LONG: usize = 4;
/// Leaves that are asked for ahead.
const AHEAD: usize = 16;
/// Leaves that a long scan leaves behind in the pool.
const RING: usize = 32;

/// What a scan keeps from leaf to leaf.
#[derive(Debug, Default)]
pub struct Course {
    leaves: usize,
    /// The leaf that was left last: a scan may come back to it.
    last: Option<PageNo>,
    /// The last leaf that was asked for.
    asked: Option<PageNo>,
    behind: VecDeque<PageNo>,
}

/// Leaves to ask for, as a parent named them.
pub(super) type Wanted = SmallVec<[PageNo; AHEAD]>;

impl Course {
    pub(super) fn is_long(&self) -> bool {
        self.leaves >= LONG
    }

    /// Names the leaves that follow entry `index` of a parent, those that were asked for left out.
    pub(super) fn look(&self, parent: &[u8], index: usize, forward: bool, wanted: &mut Wanted) {
        wanted.clear();
        if !self.is_long() {
            return;
        }
        let count = node::count(parent);
        let name = |step: usize| {
            let entry = if forward { index.checked_add(step) } else { index.checked_sub(step) };
            entry.filter(|&entry| entry < count).map(|entry| node::child(parent, entry))
        };
        wanted.extend((1..=AHEAD).map_while(name));
        if let Some(at) = self.asked.and_then(|asked| wanted.iter().position(|&page| page == asked)) {
            // In pieces: one leaf at a time would wake a thread for each.
            if at + 1 > AHEAD / 2 {
                wanted.clear();
            } else {
                wanted.drain(..=at);
            }
        }
    }

    /// The scan has done with a leaf.
    pub(super) fn passed(&mut self, pool: &Pool, leaf: PageNo, wanted: &Wanted) {
        if self.last == Some(leaf) {
            return;
        }
        self.last = Some(leaf);
        if self.is_long() {
            self.behind.push_back(leaf);
            if self.behind.len() > RING.min(pool.frame_count() / 16)
                && let Some(oldest) = self.behind.pop_front()
            {
                pool.pass(oldest);
            }
        }
        self.leaves += 1;
        if let Some(last) = wanted.last() {
            self.asked = Some(*last);
            pool.read_ahead(wanted);
        }
    }
}
