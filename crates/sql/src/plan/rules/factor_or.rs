//! What all branches of an OR say is said once, and what they say of one table is said of it alone.
//!
//! ```text
//! (a AND b) OR (a AND c)          ->  a AND (b OR c)
//! a OR (a AND c)                  ->  a
//! (x.m = 1 AND y.n = 2) OR (x.m = 3 AND y.n = 4)
//!     ->  the same AND (x.m = 1 OR x.m = 3) AND (y.n = 2 OR y.n = 4)
//! ```
//!
//! The first gives joins their keys; the last are redundant, but the scans of the tables can test them before the join.

use crate::expr::{BoundExpr, ExprType, Node};
use crate::plan::{JoinKind, Plan};

/// Factors the conditions of a block.
pub fn factor(plan: &mut Plan) {
    plan.each_input_mut(&mut factor);
    match plan {
        Plan::Filter { input, predicates } => {
            factor_list(predicates);
            let mut leaves = Vec::new();
            leaves_of(input, 0, &mut leaves);
            if leaves.len() > 1 {
                derive(predicates, &leaves);
            }
        }
        Plan::Join(join) if join.lateral.is_none() => {
            factor_list(&mut join.on);
            if join.kind == JoinKind::Inner {
                let mut leaves = Vec::new();
                leaves_of(&join.left, 0, &mut leaves);
                leaves_of(&join.right, join.left_width, &mut leaves);
                derive(&mut join.on, &leaves);
            }
        }
        _ => {}
    }
}

/// The parts of a condition that AND joins.
fn conjuncts(expr: &BoundExpr) -> Vec<BoundExpr> {
    match &expr.node {
        Node::And(list) => list.iter().flat_map(conjuncts).collect(),
        _ => vec![expr.clone()],
    }
}

/// The branches of an OR, each as what AND joins in it.
fn branches(expr: &BoundExpr) -> Option<Vec<Vec<BoundExpr>>> {
    let Node::Or(list) = &expr.node else { return None };
    let mut out = Vec::with_capacity(list.len());
    for branch in list {
        match branches(branch) {
            Some(inner) => out.extend(inner),
            None => out.push(conjuncts(branch)),
        }
    }
    Some(out)
}

fn joined(mut parts: Vec<BoundExpr>, all: bool) -> Option<BoundExpr> {
    if parts.len() <= 1 {
        return parts.pop();
    }
    let nullable = parts.iter().any(|part| part.ty.nullable);
    let node = if all { Node::And(parts) } else { Node::Or(parts) };
    Some(BoundExpr { node, ty: ExprType::boolean().with_nullable(nullable) })
}

fn factor_list(conditions: &mut Vec<BoundExpr>) {
    let mut out = Vec::with_capacity(conditions.len());
    for condition in std::mem::take(conditions) {
        match factored(&condition) {
            Some(parts) => out.extend(parts),
            None => out.push(condition),
        }
    }
    out.retain(|condition| !is_true(condition));
    *conditions = out;
}

/// Whether a condition is a constant that lets every row through.
fn is_true(condition: &BoundExpr) -> bool {
    let integer = condition.ty.class() == crate::expr::Class::Int;
    matches!(&condition.node, Node::Literal(v) if integer && !v.is_null(0) && v.as_ints().at(0) != 0)
}

/// What an OR is as a list of conditions, if its branches have something in common.
fn factored(condition: &BoundExpr) -> Option<Vec<BoundExpr>> {
    if !condition.is_movable() {
        return None;
    }
    let mut branches = branches(condition)?;
    let first = branches.first()?.clone();
    let everywhere =
        |part: &BoundExpr| branches.iter().all(|branch| branch.iter().any(|other| other.same(part)));
    let common: Vec<BoundExpr> = first.into_iter().filter(everywhere).collect();
    if common.is_empty() {
        return None;
    }
    for branch in &mut branches {
        branch.retain(|part| !common.iter().any(|known| known.same(part)));
    }
    let mut out = common;
    // A branch that says nothing more is true wherever the common part is.
    if branches.iter().all(|branch| !branch.is_empty()) {
        let parts = branches.into_iter().filter_map(|branch| joined(branch, true)).collect();
        out.extend(joined(parts, false));
    }
    Some(out)
}

/// The columns of the tables that are joined: first and last but one.
fn leaves_of(plan: &Plan, base: usize, out: &mut Vec<(usize, usize)>) {
    match plan {
        Plan::Join(join) if join.lateral.is_none() => {
            leaves_of(&join.left, base, out);
            if join.kind.gives_right() {
                leaves_of(&join.right, base + join.left_width, out);
            }
        }
        Plan::Filter { input, .. } => leaves_of(input, base, out),
        other => out.push((base, base + other.width())),
    }
}

/// Adds what the branches of each OR say of one table.
fn derive(conditions: &mut Vec<BoundExpr>, leaves: &[(usize, usize)]) {
    let mut derived: Vec<BoundExpr> = Vec::new();
    for condition in conditions.iter() {
        if !condition.is_movable() {
            continue;
        }
        let Some(branches) = branches(condition) else { continue };
        let mut read = Vec::new();
        condition.columns(&mut read);
        for (from, to) in leaves {
            let inside = |columns: &[usize]| columns.iter().all(|at| (*from..*to).contains(at));
            if inside(&read) {
                continue;
            }
            let of_leaf = |branch: &Vec<BoundExpr>| {
                let parts = branch.iter().filter(|part| {
                    let mut columns = Vec::new();
                    part.columns(&mut columns);
                    !columns.is_empty() && inside(&columns)
                });
                joined(parts.cloned().collect(), true)
            };
            let parts: Option<Vec<BoundExpr>> = branches.iter().map(of_leaf).collect();
            let Some(condition) = parts.and_then(|parts| joined(without_repeats(parts), false)) else {
                continue;
            };
            derived.push(condition);
        }
    }
    derived.retain(|new| !conditions.iter().any(|known| known.same(new)));
    conditions.extend(derived);
}

fn without_repeats(parts: Vec<BoundExpr>) -> Vec<BoundExpr> {
    let mut out: Vec<BoundExpr> = Vec::with_capacity(parts.len());
    for part in parts {
        if !out.iter().any(|known| known.same(&part)) {
            out.push(part);
        }
    }
    out
}
