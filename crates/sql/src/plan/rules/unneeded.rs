//! Operators that cannot change the result go away.
//!
//! - DISTINCT over rows that are different by a unique key;
//! - GROUP BY a unique key, where no aggregate is computed;
//! - a left join of which no column is read, if a whole unique key of its right side finds one row at most.
//!
//! A unique key counts only if none of its columns may be NULL: several rows may have NULL in one.

use crate::context::TableRows;
use crate::expr::types::Class;
use crate::expr::{BoundExpr, Comparison, Node};
use crate::plan::aggregate::Operation;
use crate::plan::rules::hoist::columns_of;
use crate::plan::rules::lift_projections::{lift, types};
use crate::plan::{Join, JoinKind, Plan, Scan};

/// Removes them from a block.
pub fn remove(plan: &mut Plan) {
    let all = vec![true; plan.width()];
    if drop_joins(plan, &all) {
        lift(plan);
    }
    drop_duplicates(plan);
}

fn drop_duplicates(plan: &mut Plan) {
    plan.each_input_mut(&mut drop_duplicates);
    match plan {
        Plan::Distinct { input, .. } => {
            let all: Vec<usize> = (0..input.width()).collect();
            if is_unique(input, &all) {
                *plan = std::mem::replace(input.as_mut(), Plan::Dual);
            }
        }
        Plan::Aggregate(node) if !node.scalar && !node.rollup => {
            let keys: Vec<usize> = node.keys.iter().filter_map(column).collect();
            let plain =
                node.calls.iter().all(|call| call.operation == Operation::First && call.args.len() == 1);
            if plain && is_unique(&node.input, &keys) {
                let firsts = node.calls.iter_mut().filter_map(|call| {
                    let ty = call.ty.clone();
                    call.args.pop().map(|arg| BoundExpr { ty, ..arg })
                });
                let exprs = std::mem::take(&mut node.keys).into_iter().chain(firsts).collect();
                let input = Box::new(std::mem::replace(&mut node.input, Plan::Dual));
                *plan = Plan::Project { input, exprs };
            }
        }
        _ => {}
    }
}

fn column(expr: &BoundExpr) -> Option<usize> {
    match &expr.node {
        Node::Column(column) => Some(column.index),
        _ => None,
    }
}

/// Whether no two rows of a plan are equal in these columns.
fn is_unique(plan: &Plan, columns: &[usize]) -> bool {
    match plan {
        Plan::Dual => true,
        Plan::Scan(scan) => {
            let read: Vec<usize> = columns.iter().filter_map(|at| scan.columns.get(*at)).copied().collect();
            has_key(scan, &read, true)
        }
        Plan::Filter { input, .. } | Plan::Sort { input, .. } | Plan::Limit { input, .. } => {
            is_unique(input, columns)
        }
        Plan::Narrow { input, .. } | Plan::Counted { input, .. } => is_unique(input, columns),
        Plan::Windows(node) => is_unique(&node.input, columns),
        Plan::Project { input, exprs } => {
            let below: Vec<usize> = columns.iter().filter_map(|at| exprs.get(*at).and_then(column)).collect();
            is_unique(input, &below)
        }
        Plan::Aggregate(node) => {
            !node.rollup && (node.scalar || (0..node.keys.len()).all(|key| columns.contains(&key)))
        }
        Plan::Distinct { input, .. } => (0..input.width()).all(|at| columns.contains(&at)),
        Plan::Derived(plan) => is_unique(&plan.root, columns),
        Plan::Join(join) => {
            let left: Vec<usize> = columns.iter().copied().filter(|at| *at < join.left_width).collect();
            let right: Vec<usize> = columns.iter().filter_map(|at| at.checked_sub(join.left_width)).collect();
            is_unique(&join.left, &left)
                && (!join.kind.gives_right() || join.lateral.is_none() && is_unique(&join.right, &right))
        }
        Plan::Values(_) | Plan::Shared(_) | Plan::Work { .. } | Plan::SetOperation(_) => false,
    }
}

/// Whether a unique key of a table is among some of its columns; `solid` asks for one without NULLs.
fn has_key(scan: &Scan, columns: &[usize], solid: bool) -> bool {
    let def = &scan.table.def;
    matches!(scan.table.rows, TableRows::Stored)
        && def.all_indexes().enumerate().any(|(at, index)| {
            (at == 0 || index.unique)
                && !index.columns.is_empty()
                && index.columns.iter().all(|part| {
                    let not_null = at == 0 || def.columns.get(part.column).is_some_and(|c| !c.nullable);
                    part.prefix.is_none() && columns.contains(&part.column) && (!solid || not_null)
                })
        })
}

/// Drops left joins of which nothing is read; `needed` says which columns of the plan are. Whether any was.
fn drop_joins(plan: &mut Plan, needed: &[bool]) -> bool {
    match plan {
        Plan::Project { input, exprs } => {
            let mut wanted = vec![false; input.width()];
            exprs.iter().for_each(|e| mark(e, &mut wanted));
            drop_joins(input, &wanted)
        }
        Plan::Filter { input, predicates } => {
            let mut wanted = needed.to_vec();
            predicates.iter().for_each(|e| mark(e, &mut wanted));
            drop_joins(input, &wanted)
        }
        Plan::Aggregate(node) => {
            let mut wanted = vec![false; node.input.width()];
            let args = node.calls.iter().flat_map(|call| &call.args);
            node.keys.iter().chain(args).for_each(|e| mark(e, &mut wanted));
            drop_joins(&mut node.input, &wanted)
        }
        Plan::Limit { input, .. } => drop_joins(input, needed),
        Plan::Sort { input, keys, .. } => {
            let mut wanted = needed.to_vec();
            for key in keys.iter() {
                if let Some(slot) = wanted.get_mut(key.column) {
                    *slot = true;
                }
            }
            drop_joins(input, &wanted)
        }
        Plan::Join(join) if join.lateral.is_none() => {
            let width = join.left_width;
            let right_needed = needed.iter().skip(width).any(|needed| *needed);
            if join.kind == JoinKind::Left && !right_needed && finds_one(join) && !locks(&join.right) {
                return drop_join(plan, needed);
            }
            let mut wanted = needed.to_vec();
            wanted.resize(width + join.right_types.len(), false);
            join.on.iter().for_each(|e| mark(e, &mut wanted));
            for key in &join.not_in {
                mark(&key.left, &mut wanted);
            }
            let mut of_right = wanted.split_off(width);
            for key in &join.not_in {
                mark(&key.right, &mut of_right);
            }
            let left = drop_joins(&mut join.left, &wanted);
            drop_joins(&mut join.right, &of_right) || left
        }
        other => {
            let mut any = false;
            other.each_input_mut(&mut |input| {
                let all = vec![true; input.width()];
                any |= drop_joins(input, &all);
            });
            any
        }
    }
}

fn locks(plan: &Plan) -> bool {
    let mut any = false;
    plan.each_scan(&mut |scan| any |= scan.lock.is_some());
    any
}

fn mark(expr: &BoundExpr, wanted: &mut [bool]) {
    let mut columns = Vec::new();
    expr.columns(&mut columns);
    for at in columns {
        if let Some(slot) = wanted.get_mut(at) {
            *slot = true;
        }
    }
}

/// Puts the left side, with NULLs for the columns of the right, in the place of a join.
fn drop_join(plan: &mut Plan, needed: &[bool]) -> bool {
    let Plan::Join(join) = plan else { return false };
    let Some(left_types) = types(&join.left) else { return false };
    let wanted: Vec<bool> = needed.iter().copied().take(join.left_width).collect();
    drop_joins(&mut join.left, &wanted);
    let mut exprs = columns_of(&left_types, join.left_width);
    exprs.extend(join.right_types.iter().map(|_| BoundExpr::null()));
    let input = Box::new(std::mem::replace(&mut join.left, Plan::Dual));
    *plan = Plan::Project { input, exprs };
    true
}

/// Whether the conditions of a join leave at most one right row for each left row.
fn finds_one(join: &Join) -> bool {
    let mut right = &join.right;
    while let Plan::Filter { input, .. } = right {
        right = input;
    }
    let Plan::Scan(scan) = right else { return false };
    if !join.on.iter().all(BoundExpr::is_movable) {
        return false;
    }
    let of_right = |expr: &BoundExpr| {
        let at = column(expr)?.checked_sub(join.left_width)?;
        scan.columns.get(at).copied()
    };
    let reads_right = |expr: &BoundExpr| super::push_filters::sides(expr, join.left_width).1;
    let mut fixed = Vec::new();
    for condition in &join.on {
        let Node::Compare { op: Comparison::Equal, sides, collation } = &condition.node else { continue };
        let [a, b] = sides.as_ref();
        let at = match (of_right(a), of_right(b)) {
            (Some(at), None) if !reads_right(b) => at,
            (None, Some(at)) if !reads_right(a) => at,
            _ => continue,
        };
        let same = scan.table.def.columns.get(at).is_some_and(|c| c.ty.collation == *collation);
        if a.ty.class() != Class::Text || same {
            fixed.push(at);
        }
    }
    has_key(scan, &fixed, false)
}
