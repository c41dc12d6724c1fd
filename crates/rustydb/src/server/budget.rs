//! One amount of memory, and what of it goes where.
//!
//! ```text
//!   --memory M     half: buffer pool     an eighth: the most that one statement may hold
//!                  a quarter: old versions of rows and what unfinished transactions have changed
//!                  the rest: cached statements, sessions, locks, and further statements
//! ```
//! Each share that is a limit can be set by a flag of its own, which then wins. Without `--memory` the shares have
//! fixed defaults. What the rest is used for is bounded by counts (connections, cached statements, locks) and shown
//! in metrics, not by bytes: the budget leaves room for it and does not enforce it.

/// The smallest buffer pool, in bytes.
pub(crate) const LEAST_POOL: u64 = 4 << 20;
/// The smallest whole.
pub(crate) const LEAST_MEMORY: u64 = 64 << 20;
/// The least for old versions.
pub(crate) const LEAST_UNDO: u64 = 1 << 20;
/// The least that one statement needs to sort and group at all.
pub(crate) const LEAST_STATEMENT: u64 = 1 << 20;

/// The shares, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    /// The whole, where one was given.
    pub(crate) memory: Option<u64>,
    /// Pages in memory.
    pub(crate) buffer_pool: u64,
    /// What one statement may hold in sorts, groups, joins and the like.
    pub(crate) statement: u64,
    /// Old versions of rows and unfinished changes.
    pub(crate) undo: u64,
}

impl Budget {
    /// The shares of a whole, each as it was given where it was.
    pub(crate) fn new(
        memory: Option<u64>,
        buffer_pool: Option<u64>,
        statement: Option<u64>,
        undo: Option<u64>,
    ) -> Budget {
        let share = |part: u64, default: u64| memory.map_or(default, |whole| whole / part);
        Budget {
            memory,
            buffer_pool: buffer_pool.unwrap_or_else(|| share(2, 256 << 20)),
            statement: statement.unwrap_or_else(|| share(8, 256 << 20)),
            undo: undo.unwrap_or_else(|| share(4, 4 << 30)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_given_is_a_share_of_the_whole() {
        let shares = |budget: Budget| (budget.buffer_pool, budget.statement, budget.undo);
        assert_eq!(shares(Budget::new(Some(8 << 30), None, None, None)), (4 << 30, 1 << 30, 2 << 30));
        let given = Budget::new(Some(8 << 30), Some(6 << 30), Some(1 << 20), Some(3 << 20));
        assert_eq!(shares(given), (6 << 30, 1 << 20, 3 << 20));
        assert_eq!(shares(Budget::new(None, None, None, None)), (256 << 20, 256 << 20, 4 << 30));
    }
}
