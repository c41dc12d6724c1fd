//! The three numbers that everything on this floor is named by.

use std::fmt;

/// A page's place in the page file, counted in pages from its start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PageNo(pub u64);

/// A tree's number; never used again after the tree is dropped.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TreeId(pub u32);

/// Log sequence number: the byte position of a record in the log since the store was created.
///
/// Positions of frame heads and padding are counted too, so an LSN finds its segment and offset
/// without an index. Zero is before everything.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lsn(pub u64);

impl Lsn {
    /// Before every record.
    pub const ZERO: Lsn = Lsn(0);
    /// After every record.
    pub const MAX: Lsn = Lsn(u64::MAX);
}

impl TreeId {
    /// The tree that maps tree numbers to root pages.
    pub const DIRECTORY: TreeId = TreeId(0);
    /// The tree that holds counters (auto-increment high-water marks).
    pub const COUNTERS: TreeId = TreeId(1);
    /// The first number that [`crate::Store::create_tree`] hands out.
    pub const FIRST: TreeId = TreeId(16);
}

macro_rules! plain_debug {
    ($($name:ident)*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    )*};
}
plain_debug!(PageNo TreeId Lsn);
