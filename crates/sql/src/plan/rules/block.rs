//! One query block, improved by the rules that look at one block.

use super::blocks::Statement;
use super::{
    Rule, access_path, factor_or, fold_conditions, fold_constants, index_order, infer_conditions, join_keys,
    join_order, lift_projections, loose_scan, min_max, prune_columns, push_filters, push_top, semi_to_inner,
    sort_distinct, unneeded,
};
use crate::plan::estimate::Estimator;
use crate::plan::{Plan, SelectPlan};

/// Applies the rules to the operators of a block; conditions may go into its derived tables.
pub fn improve(plan: &mut SelectPlan, statement: &mut Statement<'_, '_, '_>) {
    let rules = statement.rules;
    let mut estimator = Estimator::new(statement.planning.session());
    let root = &mut plan.root;
    if rules.has(Rule::LiftProjections) {
        lift_projections::lift(root);
    }
    if rules.has(Rule::FoldConstants) {
        fold_constants::fold(root, &mut estimator);
    }
    if rules.has(Rule::FoldConditions) {
        fold_conditions::fold(root);
    }
    if rules.has(Rule::FactorOr) {
        factor_or::factor(root);
    }
    if rules.has(Rule::InferConditions) {
        infer_conditions::infer(root);
    }
    if rules.has(Rule::PushFilters) {
        *root = push_filters::push_filters(std::mem::replace(root, Plan::Dual), rules);
    }
    if rules.has(Rule::SemiToInner) {
        semi_to_inner::convert(root, &mut estimator);
    }
    if rules.has(Rule::Unneeded) {
        unneeded::remove(root);
    }
    if rules.has(Rule::PushTop) {
        push_top::push(root);
    }
    // Which indexes hold all that is read of a table decides among ways to join.
    if rules.has(Rule::PruneColumns) {
        prune_columns::prune(root);
    }
    if rules.has(Rule::JoinOrder) {
        join_order::order_joins(root, &mut estimator);
    }
    if rules.has(Rule::JoinKeys) {
        join_keys::choose_join_keys(root);
    }
    if rules.has(Rule::AccessPath) {
        access_path::choose_access_paths(root, &mut estimator);
    }
    if rules.has(Rule::PruneColumns) {
        prune_columns::prune(root);
    }
    if rules.has(Rule::IndexOrder) {
        index_order::use_index_order(root);
    }
    if rules.has(Rule::LooseScan) {
        loose_scan::read_ends_of_groups(root, &mut estimator);
    }
    if rules.has(Rule::SortDistinct) {
        sort_distinct::swap(root);
    }
    if rules.has(Rule::MinMax) {
        min_max::read_ends(root);
    }
}
