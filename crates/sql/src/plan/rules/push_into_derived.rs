//! Conditions move into derived tables, and below groups, windows, duplicates and set operations.
//!
//! - through a projection: over what it computes;
//! - below groups and windows: where the condition reads only keys of the groups, or of the partition of every window;
//! - into every operand of UNION, EXCEPT and INTERSECT;
//! - not below a LIMIT, whose rows it would change, nor below ROLLUP;
//! - not if it runs a subquery (its number means another one inside) or reads the row around the block: a derived
//!   table that is the same for all those rows is made once.

use super::lift_projections::substitute;
use crate::expr::{BoundExpr, Node};
use crate::plan::{Plan, SelectPlan};

/// Moves the conditions on a derived table that can go into it; the others are given back.
pub fn push(plan: &mut SelectPlan, conditions: Vec<BoundExpr>) -> Vec<BoundExpr> {
    let (go, mut stay): (Vec<_>, Vec<_>) =
        conditions.into_iter().partition(|c| c.is_movable() && !c.has_outer());
    for condition in go {
        let root = std::mem::replace(&mut plan.root, Plan::Dual);
        match sink(root, condition.clone()) {
            Ok(root) => plan.root = root,
            Err(root) => {
                plan.root = root;
                stay.push(condition);
            }
        }
    }
    stay
}

/// Moves a condition as far down as it goes; the plan as it was if it does not go below its first operator.
pub fn sink(plan: Plan, mut condition: BoundExpr) -> Result<Plan, Plan> {
    match plan {
        Plan::Project { input, exprs } => {
            let mut columns = Vec::new();
            condition.columns(&mut columns);
            let read = |at: &usize| exprs.get(*at).is_some_and(|e| e.is_movable());
            if !columns.iter().all(read) {
                return Err(Plan::Project { input, exprs });
            }
            substitute(&mut condition, &exprs);
            Ok(Plan::Project { input: Box::new(placed(*input, condition)), exprs })
        }
        Plan::Narrow { input, width } => {
            Ok(Plan::Narrow { input: Box::new(placed(*input, condition)), width })
        }
        Plan::Sort { input, keys, limit: None } => {
            Ok(Plan::Sort { input: Box::new(placed(*input, condition)), keys, limit: None })
        }
        Plan::Distinct { input, types, sorted } => {
            Ok(Plan::Distinct { input: Box::new(placed(*input, condition)), types, sorted })
        }
        Plan::Aggregate(mut node) => {
            let mut columns = Vec::new();
            condition.columns(&mut columns);
            let keys = node.keys.len();
            let over_keys = !columns.is_empty()
                && columns.iter().all(|at| *at < keys)
                && node.keys.iter().all(BoundExpr::is_movable);
            if node.scalar || node.rollup || !over_keys {
                return Err(Plan::Aggregate(node));
            }
            substitute(&mut condition, &node.keys);
            node.input = placed(std::mem::replace(&mut node.input, Plan::Dual), condition);
            Ok(Plan::Aggregate(node))
        }
        Plan::Windows(mut node) => {
            let mut columns = Vec::new();
            condition.columns(&mut columns);
            let parts = |at: &usize| {
                node.calls.iter().all(|call| {
                    call.partition
                        .iter()
                        .any(|e| matches!(&e.node, Node::Column(column) if column.index == *at))
                })
            };
            if columns.is_empty() || !columns.iter().all(parts) {
                return Err(Plan::Windows(node));
            }
            node.input = placed(std::mem::replace(&mut node.input, Plan::Dual), condition);
            Ok(Plan::Windows(node))
        }
        Plan::SetOperation(mut operation) => {
            for input in &mut operation.inputs {
                let taken = std::mem::replace(&mut input.plan, Plan::Dual);
                input.plan = placed(taken, condition.clone());
            }
            Ok(Plan::SetOperation(operation))
        }
        Plan::Filter { input, mut predicates } => {
            // It is tested after what stands there, unless it goes further down.
            match sink(*input, condition.clone()) {
                Ok(input) => Ok(Plan::Filter { input: Box::new(input), predicates }),
                Err(input) => {
                    predicates.push(condition);
                    Ok(Plan::Filter { input: Box::new(input), predicates })
                }
            }
        }
        Plan::Derived(mut derived) => {
            let left = push(&mut derived, vec![condition]);
            let plan = Plan::Derived(derived);
            if left.is_empty() { Ok(plan) } else { Err(plan) }
        }
        other => Err(other),
    }
}

/// The condition as far down as it goes, or above the plan.
fn placed(plan: Plan, condition: BoundExpr) -> Plan {
    match sink(plan, condition.clone()) {
        Ok(plan) => plan,
        Err(plan) => Plan::Filter { input: Box::new(plan), predicates: vec![condition] },
    }
}
