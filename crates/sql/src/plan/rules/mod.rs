//! Rewrites of a plan that do not change what it means, in the order they are applied.
//!
//! 1. [`merge_derived`]: derived tables become part of the block that reads them.
//! 2. [`lift_projections`]: the projections that this leaves move up, out of the way of what follows.
//! 3. [`decorrelate`]: subqueries become joins, by what [`hoist`] takes out of them and [`single_values`] makes of one
//!    value; [`run_or_group`] tells which are better run row by row.
//! 4. [`fold_constants`]: what is computed of constants is computed once. [`fold_conditions`]: conditions that constants
//!    decide go away. [`factor_or`] and [`infer_conditions`]: conditions
//!    that follow from others are said where they help.
//! 5. [`push_filters`] and [`push_into_derived`]: conditions move down to what can decide them.
//! 6. [`semi_to_inner`]: small semi joins become inner joins, so that their values may be read first. [`unneeded`]:
//!    operators that cannot change the result go away. [`push_top`]: the first rows of a left join come from the first
//!    of its left side.
//! 7. [`access_path`]: a scan whose conditions bound an index reads only that part of it, or of several indexes
//!    ([`index_merge`]), or of each value of its first column ([`skip_scan`]).
//! 8. [`join_order`] and [`join_keys`]: what is bounded is read first, and a join finds matches through an index or a
//!    hash table.
//! 9. [`prune_columns`]: scans give only the columns that somebody reads.
//! 10. [`index_order`]: a sort that an index already provides goes away; limits move to where they save work.
//! 11. [`loose_scan`]: of groups of an index only the ends are read. [`sort_distinct`]: DISTINCT happens after a sort by
//!     its columns.
//! 12. [`min_max`]: MIN and MAX of an index column read one entry.
//!
//! The first three are applied to all blocks of a statement before the others ([`blocks`]).
//! Each is idempotent: a plan that is improved again stays as it is. Each can be turned off ([`switch`]).

pub mod access_path;
pub mod block;
pub mod blocks;
pub mod decorrelate;
pub mod factor_or;
pub mod fold_conditions;
pub mod fold_constants;
pub mod hoist;
pub mod index_merge;
pub mod index_order;
pub mod infer_conditions;
pub mod join_graph;
pub mod join_keys;
pub mod join_order;
pub mod join_search;
pub mod lift_projections;
pub mod loose_scan;
pub mod merge_derived;
pub mod min_max;
pub mod prune_columns;
pub mod push_filters;
pub mod push_into_derived;
pub mod push_top;
pub mod run_or_group;
pub mod semi_to_inner;
pub mod single_values;
pub mod skip_scan;
pub mod sort_distinct;
pub mod switch;
pub mod unneeded;

pub use switch::{Rule, RuleSet};

use super::SelectPlan;
use crate::expr::planning::Planning;

/// Applies all rules to a statement's plan, with all blocks inside it.
pub fn improve(plan: &mut SelectPlan, planning: &mut Planning<'_, '_>) {
    let mut statement = blocks::Statement::new(planning);
    blocks::rewrite(plan, false, &mut statement);
    blocks::settle(plan, &mut statement);
}
