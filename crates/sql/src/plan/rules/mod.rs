//! Rewrites of a plan that do not change what it means, in the order they are applied.
//!
//! 0. [`lift_projections`]: the projections of merged views move up, out of the way of what follows.
//! 1. [`push_filters`]: conditions move down to the scans and joins that can decide them.
//! 2. [`access_path`]: a scan whose conditions bound an index reads only that part of it.
//! 3. [`join_order`] and [`join_keys`]: what is bounded is read first, and a join finds matches through an index or a
//!    hash table.
//! 4. [`prune_columns`]: scans give only the columns that somebody reads.
//! 5. [`index_order`]: a sort that an index already provides goes away; limits move to where they save work.
//!
//! 6. [`min_max`]: MIN and MAX of an index column read one entry.
//!
//! Each is idempotent: a plan that is improved again stays as it is. Each can be turned off ([`switch`]).

pub mod access_path;
pub mod index_order;
pub mod join_keys;
pub mod join_order;
pub mod lift_projections;
pub mod min_max;
pub mod prune_columns;
pub mod push_filters;
pub mod switch;

pub use switch::{Rule, RuleSet};

use super::{Plan, SelectPlan};
use crate::expr::planning::Planning;

/// Applies all rules. Subqueries and derived tables were improved when they were planned.
pub fn improve(plan: &mut SelectPlan, planning: &mut Planning<'_, '_>) {
    let rules = planning.session().settings.rules;
    let root = &mut plan.root;
    if rules.has(Rule::LiftProjections) {
        lift_projections::lift(root);
    }
    if rules.has(Rule::PushFilters) {
        *root = push_filters::push_filters(std::mem::replace(root, Plan::Dual));
    }
    if rules.has(Rule::JoinOrder) {
        join_order::order_joins(root);
    }
    if rules.has(Rule::JoinKeys) {
        join_keys::choose_join_keys(root);
    }
    if rules.has(Rule::AccessPath) {
        access_path::choose_access_paths(root);
    }
    if rules.has(Rule::PruneColumns) {
        prune_columns::prune(root);
    }
    if rules.has(Rule::IndexOrder) {
        index_order::use_index_order(root);
    }
    if rules.has(Rule::MinMax) {
        min_max::read_ends(root);
    }
}
