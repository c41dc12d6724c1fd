//! Who holds locks and what on.

pub use rustydb_storage::TreeId;

/// Who holds locks: one session, or a transaction without a session.
///
/// Row, range and metadata locks of one owner are one node of the wait-for graph, so a session uses one id
/// for its metadata locks and for its transactions. An owner waits for one thing at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnerId(pub u64);
