//! The order in which the query blocks of a statement are improved.
//!
//! Nothing is improved while it is planned: the rules see the whole statement. They go through it twice.
//!
//! - [`rewrite`], from the inside out, changes what the blocks are: queries of WITH and derived tables become part of
//!   the block that reads them ([`super::merge_derived`]), subqueries become joins ([`super::decorrelate`]).
//! - [`settle`], from the outside in, improves each block that is left: conditions first, which may go into the blocks
//!   inside ([`super::push_into_derived`]), then the ways to the rows.
//!
//! A block that stays a subquery and reads the row around it runs again and again, and remembers what the subqueries
//! inside it gave; there subqueries are not made joins, and what is the same in each run is shared.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Rule, RuleSet, block, decorrelate, lift_projections, merge_derived};
use crate::expr::planning::Planning;
use crate::plan::{Plan, SelectPlan, SharedTable, share_fixed_parts};

/// What the blocks of a statement have in common.
pub struct Statement<'p, 'a, 'c> {
    /// The session, and numbers for what is shared.
    pub planning: &'p mut Planning<'a, 'c>,
    /// Rules that are on.
    pub rules: RuleSet,
    /// Tables that several places read, improved once.
    shared: HashMap<usize, Arc<SharedTable>>,
}

impl<'p, 'a, 'c> Statement<'p, 'a, 'c> {
    /// Of a session.
    pub fn new(planning: &'p mut Planning<'a, 'c>) -> Statement<'p, 'a, 'c> {
        let rules = planning.session().settings.rules;
        Statement { planning, rules, shared: HashMap::new() }
    }
}

/// Changes a block and those inside it into fewer; `repeated` says that it will run for many rows.
pub fn rewrite(plan: &mut SelectPlan, repeated: bool, statement: &mut Statement<'_, '_, '_>) {
    rewrite_inside(&mut plan.root, repeated, statement);
    let written = plan.subplans.clone();
    for subplan in &mut plan.subplans {
        rewrite(Arc::make_mut(subplan), repeated, statement);
    }
    if statement.rules.has(Rule::MergeDerived) {
        merge_derived::merge(plan);
    }
    if statement.rules.has(Rule::LiftProjections) {
        lift_projections::lift(&mut plan.root);
    }
    if !repeated && statement.rules.has(Rule::Decorrelate) {
        decorrelate::decorrelate(plan, statement);
    }
    // What reads the rows of this block still runs for each of them.
    for (subplan, written) in plan.subplans.iter_mut().zip(written) {
        if !repeated && subplan.has_outer() {
            *subplan = written;
            rewrite(Arc::make_mut(subplan), true, statement);
        }
    }
    plan.drop_unused_subqueries();
}

fn rewrite_inside(plan: &mut Plan, repeated: bool, statement: &mut Statement<'_, '_, '_>) {
    match plan {
        Plan::Derived(derived) => rewrite(derived, repeated, statement),
        Plan::Shared(table) => {
            let table = Arc::clone(table);
            match alone(&table, statement.rules) {
                true => {
                    let mut derived = table.plan.clone();
                    rewrite(&mut derived, repeated, statement);
                    *plan = Plan::Derived(Box::new(derived));
                }
                false => *plan = Plan::Shared(improved(&table, statement)),
            }
        }
        Plan::Join(join) if join.lateral.is_some() => {
            rewrite_inside(&mut join.left, repeated, statement);
            rewrite_inside(&mut join.right, true, statement);
        }
        other => other.each_input_mut(&mut |input| rewrite_inside(input, repeated, statement)),
    }
}

/// Whether a query of WITH may as well stand in each place that mentions it.
fn alone(table: &SharedTable, rules: RuleSet) -> bool {
    table.recursion.is_none()
        && (table.readers.load(Ordering::Relaxed) <= 1
            || rules.has(Rule::MergeDerived) && merge_derived::is_mergeable(&table.plan))
}

/// A table that is made once, improved once.
fn improved(table: &Arc<SharedTable>, statement: &mut Statement<'_, '_, '_>) -> Arc<SharedTable> {
    if let Some(known) = statement.shared.get(&table.number) {
        return Arc::clone(known);
    }
    let mut plan = table.plan.clone();
    rewrite(&mut plan, false, statement);
    settle(&mut plan, statement);
    let mut recursion = table.recursion.clone();
    for member in recursion.iter_mut().flat_map(|recursion| &mut recursion.members) {
        rewrite_inside(&mut member.plan, true, statement);
        settle_inside(&mut member.plan, statement);
    }
    let readers = AtomicUsize::new(table.readers.load(Ordering::Relaxed));
    let (number, name) = (table.number, Arc::clone(&table.name));
    let table = Arc::new(SharedTable { number, name, plan, recursion, readers });
    statement.shared.insert(table.number, Arc::clone(&table));
    table
}

/// Improves a block and then those inside it.
pub fn settle(plan: &mut SelectPlan, statement: &mut Statement<'_, '_, '_>) {
    block::improve(plan, statement);
    settle_inside(&mut plan.root, statement);
    for subplan in &mut plan.subplans {
        let subplan = Arc::make_mut(subplan);
        settle(subplan, statement);
        if subplan.has_outer() {
            share_fixed_parts(subplan, statement.planning);
        }
    }
}

fn settle_inside(plan: &mut Plan, statement: &mut Statement<'_, '_, '_>) {
    match plan {
        Plan::Derived(derived) => settle(derived, statement),
        Plan::Join(join) if join.lateral.is_some() => {
            settle_inside(&mut join.left, statement);
            settle_inside(&mut join.right, statement);
            if let Plan::Derived(derived) = &mut join.right {
                share_fixed_parts(derived, statement.planning);
            }
        }
        other => other.each_input_mut(&mut |input| settle_inside(input, statement)),
    }
}
