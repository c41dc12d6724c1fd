//! Execution within memory: what operators do when they may not hold more.
//!
//! ```text
//!   sort, window, ORDER BY of a change      ->  Sorter   sorted runs, merged
//!   CTE, collected rows, set operation      ->  Rows     a list that goes on in a file
//!   DISTINCT, GROUP BY, hash join           ->  Parts    rows by the hash of their key, each part for itself
//!   keys that are known           ->  KeySet   runs by hash, each behind a filter
//!                                                 |
//!                                 records ([`record`]) in a temporary file ([`crate::database::temporary`])
//! ```
//! - [`rows::Rows`] holds rows in the order they came, in memory as long as its reservation grows and in a file from
//!   then on. They are read as often as wanted, from any place.
//! - [`sort::Sorter`] sorts by keys of bytes: pieces in memory, runs in files, one merge over all.
//! - [`key_set::KeySet`] knows which keys there were, one by one: rows of a recursive query, rows that have changed.
//! - [`parts::Parts`] deals rows out by hash, so that equal keys meet and each part fits, or is dealt out again.
//!
//! The rule for order: what a sort gives is the same with any memory. DISTINCT, GROUP BY, set operations and hash joins
//! give the same rows with any memory, but in another order once they have spilled: no rule of the planner may drop a
//! sort above one of these because of the order below it.
//!
//! Cancellation: whoever reads or writes a file here is called between records, a quarter of a megabyte at the most;
//! sorting in memory goes by pieces of [`sort::PIECE_ROWS`] rows.

pub(crate) mod held_keys;
pub mod key_set;
pub(crate) mod merge;
pub mod parts;
pub(crate) mod record;
pub mod rows;
pub mod sort;
#[cfg(test)]
mod tests;

use crate::plan::{Plan, SelectPlan};

/// The size that records grow to, where memory is not short.
pub const RECORD_BYTES: usize = 256 << 10;
/// Records are not made smaller than this, but for single batches.
pub const LEAST_RECORD_BYTES: usize = 8 << 10;

/// The size of records for an operator that may hold so much.
pub fn record_bytes(allowance: usize) -> usize {
    (allowance / 32).clamp(LEAST_RECORD_BYTES, RECORD_BYTES)
}

/// How many operators that grow can be at work at the same time when this runs.
pub fn width(plan: &SelectPlan) -> usize {
    let inside = plan.subplans.iter().map(|subplan| width(subplan)).max().unwrap_or(0);
    width_of(&plan.root) + inside
}

fn width_of(plan: &Plan) -> usize {
    let grows = match plan {
        Plan::Derived(plan) => return width(plan),
        Plan::Shared(table) => {
            let members = table.members().map(width_of).max().unwrap_or(0);
            return 1 + width(&table.plan).max(members);
        }
        Plan::Join(join) => !join.lookup,
        Plan::Sort { .. }
        | Plan::Aggregate(_)
        | Plan::Distinct { .. }
        | Plan::Windows(_)
        | Plan::SetOperation(_) => true,
        _ => false,
    };
    let mut below = 0;
    plan.each_input(&mut |input| below = below.max(width_of(input)));
    below + usize::from(grows)
}
