//! One amount of memory, and what of it goes where.
//!
//! ```text
//!   --memory M     half: buffer pool     an eighth: old versions of rows and unfinished changes
//!                  a quarter: all statements together, half of it the most that one may hold
//!                  at most a half of the rest: row locks
//!                  the rest: cached statements, sessions, the change log's readers
//! ```
//! Each share that is a limit can be set by a flag of its own, which then wins. Without `--memory` the shares have
//! fixed defaults. What the rest is used for is bounded by counts (connections, cached statements, locks) and shown
//! in metrics, not by bytes: the budget leaves room for it and does not enforce it.

/// The smallest buffer pool, in bytes.
pub(crate) const LEAST_POOL: u64 = 4 << 20;
/// The smallest whole.
pub(crate) const LEAST_MEMORY: u64 = 64 << 20;
/// What a row lock takes with a short key.
const ROW_LOCK: u64 = 120;
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
    /// The same of all statements together.
    pub(crate) statements: u64,
    /// Old versions of rows and unfinished changes.
    pub(crate) undo: u64,
    /// How many rows may be locked at a time.
    pub(crate) row_locks: u64,
}

/// What was given of them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Given {
    pub(crate) memory: Option<u64>,
    pub(crate) buffer_pool: Option<u64>,
    pub(crate) statement: Option<u64>,
    pub(crate) statements: Option<u64>,
    pub(crate) undo: Option<u64>,
}

impl Budget {
    /// The shares of a whole, each as it was given where it was.
    pub(crate) fn new(given: Given) -> Budget {
        let share = |part: u64, default: u64| given.memory.map_or(default, |whole| whole / part);
        let statement = given.statement.unwrap_or_else(|| share(8, 256 << 20));
        Budget {
            memory: given.memory,
            buffer_pool: given.buffer_pool.unwrap_or_else(|| share(2, 256 << 20)),
            statement,
            statements: given.statements.unwrap_or_else(|| share(4, 1 << 30).max(statement)),
            undo: given.undo.unwrap_or_else(|| share(8, 4 << 30)),
            row_locks: share(16, 2 << 30) / ROW_LOCK,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_given_is_a_share_of_the_whole() {
        let shares = |given: Given| {
            let budget = Budget::new(given);
            (budget.buffer_pool, budget.statement, budget.statements, budget.undo)
        };
        let whole = Given { memory: Some(8 << 30), ..Given::default() };
        assert_eq!(Budget::new(whole).row_locks, (512 << 20) / 120);
        assert_eq!(shares(whole), (4 << 30, 1 << 30, 2 << 30, 1 << 30));
        let given =
            Given { buffer_pool: Some(6 << 30), statement: Some(3 << 30), undo: Some(3 << 20), ..whole };
        assert_eq!(shares(given), (6 << 30, 3 << 30, 3 << 30, 3 << 20));
        assert_eq!(shares(Given::default()), (256 << 20, 256 << 20, 1 << 30, 4 << 30));
    }
}
