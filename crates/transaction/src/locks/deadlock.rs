//! What a wait is for, and what a circle of waits was made of.
//!
//! A deadlock is put together when it is found, out of what each member waits for: nothing is written down for it
//! before. Whoever watches ([`super::LockTable::on_deadlock`]) is told on the thread that closed the circle, without
//! any lock of this module, before the victim and others are woken: all members but that thread are still asleep and
//! hold what they held. (One whose wait is cancelled or over in that very moment may be gone.)

use std::time::Instant;

use smallvec::SmallVec;

use super::LockMode;
use super::ids::{OwnerId, TreeId};
use super::metadata::{MdlKey, MdlMode};

/// What somebody waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wanted {
    /// A row.
    Row {
        /// Its tree.
        tree: TreeId,
        /// Its key.
        key: SmallVec<[u8; 16]>,
        /// How it is to be locked.
        mode: LockMode,
    },
    /// That others let a key in.
    Insert {
        /// The tree.
        tree: TreeId,
        /// The key.
        key: SmallVec<[u8; 16]>,
    },
    /// A named object.
    Definition {
        /// Which.
        key: MdlKey,
        /// How it is to be locked.
        mode: MdlMode,
    },
}

/// One of those who waited for each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadlockMember {
    /// Who.
    pub owner: OwnerId,
    /// What it waited for, which the next member had.
    pub wanted: Wanted,
    /// Since when.
    pub since: Instant,
}

/// A circle of waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deadlock {
    /// Each waited for the next, the last for the first. The last is the one that closed the circle.
    pub members: Vec<DeadlockMember>,
    /// The position of the one whose wait was ended.
    pub victim: usize,
}
