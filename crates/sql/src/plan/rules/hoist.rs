//! Takes the conditions out of a subquery that read the row around it.
//!
//! What is left is a table like any other, and the conditions say which of its rows belong to which outer row. That
//! is what turns a subquery into a join:
//!
//! ```text
//! (SELECT x FROM t WHERE t.a = o.a AND t.b > 1)  ->  rows:        Filter(t.b > 1, t)
//!                                                    conditions:  t.a = o.a
//!                                                    values:      x
//! ```
//!
//! Conditions come up through filters, inner joins, the left side of other joins, and groups (where an equality
//! becomes one more key). Whatever else reads the outer row, a LIMIT, a window, an operand of UNION, keeps the
//! subquery as it is.

use super::lift_projections::{lift, substitute};
use crate::expr::types::Class;
use crate::expr::{BoundExpr, Comparison, Node};
use crate::plan::{Aggregate, JoinKind, Plan, RowCount};
use rustydb_value::Collation;

/// A subquery taken apart.
pub struct Hoisted {
    /// Its rows, which do not depend on the row around.
    pub rows: Plan,
    /// Over `rows` and the captures: true for the rows that belong to the row around.
    pub conditions: Vec<BoundExpr>,
    /// What it gives of such a row, over `rows` and the captures.
    pub values: Vec<BoundExpr>,
}

/// Takes a subquery apart of which it only matters which values it gives, not how often or in which order.
pub fn as_set(root: &Plan, only_existence: bool) -> Option<Hoisted> {
    let mut root = root.clone();
    lift(&mut root);
    let (rows, values) = peeled(root, Peel::Set { only_existence })?;
    let mut conditions = Vec::new();
    let rows = hoist(rows, &mut conditions)?;
    Some(Hoisted { rows, conditions, values })
}

/// What may be taken off the top of a subquery beside projections.
#[derive(Clone, Copy)]
pub enum Peel {
    /// Order and duplicates; if only the existence of a row matters, also a LIMIT that lets one through.
    Set {
        /// EXISTS.
        only_existence: bool,
    },
    /// Order.
    Order,
}

/// The rows under the projections on top, and what the projections make of them.
pub fn peeled(root: Plan, peel: Peel) -> Option<(Plan, Vec<BoundExpr>)> {
    let width = root.width();
    let mut values: Option<Vec<BoundExpr>> = None;
    let mut plan = root;
    loop {
        plan = match plan {
            Plan::Project { input, mut exprs } => {
                if !exprs.iter().all(BoundExpr::is_movable) {
                    return None;
                }
                if let Some(values) = &mut values {
                    values.iter_mut().for_each(|value| substitute(value, &exprs));
                } else {
                    values = Some(std::mem::take(&mut exprs));
                }
                *input
            }
            Plan::Narrow { input, width } => {
                let types = super::lift_projections::types(&input)?;
                let columns = columns_of(&types, width);
                match &mut values {
                    Some(_) => {}
                    None => values = Some(columns),
                }
                *input
            }
            Plan::Sort { input, limit: None, .. } => *input,
            Plan::Distinct { input, .. } if matches!(peel, Peel::Set { .. }) => *input,
            Plan::Limit { input, limit, counts: false }
                if matches!(peel, Peel::Set { only_existence: true })
                    && matches!(limit.offset, RowCount::Fixed(0))
                    && matches!(limit.count, RowCount::Fixed(1..)) =>
            {
                *input
            }
            other => {
                plan = other;
                break;
            }
        };
    }
    let values = match values {
        Some(values) => values,
        None => columns_of(&super::lift_projections::types(&plan)?, width),
    };
    Some((plan, values))
}

/// The first columns as expressions.
pub fn columns_of(types: &[crate::expr::ExprType], width: usize) -> Vec<BoundExpr> {
    types.iter().take(width).enumerate().map(|(at, ty)| BoundExpr::column(at, "", ty.clone())).collect()
}

/// A plan without the conditions that read the row around, which go to `out`. Its columns stay in their places;
/// others may follow them. None if something else reads that row.
pub fn hoist(plan: Plan, out: &mut Vec<BoundExpr>) -> Option<Plan> {
    if !plan.has_outer() {
        return Some(plan);
    }
    match plan {
        Plan::Filter { input, predicates } => {
            let input = hoist(*input, out)?;
            let rest = split(predicates, out)?;
            if rest.is_empty() {
                return Some(input);
            }
            Some(Plan::Filter { input: Box::new(input), predicates: rest })
        }
        Plan::Join(mut join) if join.lateral.is_none() && join.keys.is_empty() && !join.lookup => {
            let inner = join.kind == JoinKind::Inner;
            let right_reads = join.right.has_outer();
            let width = join.left_width;
            join.left = hoist(std::mem::replace(&mut join.left, Plan::Dual), out)?;
            if join.left.width() != width
                || join.not_in.iter().any(|k| k.left.has_outer() || k.right.has_outer())
            {
                return None;
            }
            if inner {
                let mut of_right = Vec::new();
                let right_width = join.right.width();
                join.right = hoist(std::mem::replace(&mut join.right, Plan::Dual), &mut of_right)?;
                if join.right.width() != right_width {
                    return None;
                }
                out.extend(of_right.into_iter().map(|mut condition| {
                    condition.remap(&|at| at + width);
                    condition
                }));
                join.on = split(join.on, out)?;
            } else if right_reads || join.on.iter().any(BoundExpr::has_outer) {
                return None;
            }
            Some(Plan::Join(join))
        }
        Plan::Aggregate(node) if !node.scalar && !node.rollup => {
            let node = *node;
            if node.keys.iter().chain(node.calls.iter().flat_map(|c| &c.args)).any(BoundExpr::has_outer) {
                return None;
            }
            let (keys, calls) = (node.keys.len(), node.calls.len());
            let mut conditions = Vec::new();
            let grouped = by_outer(node, &mut conditions, keys)?;
            let added = grouped.keys.len() - keys;
            let types = grouped.keys.iter().map(|k| &k.ty).chain(grouped.calls.iter().map(|c| &c.ty));
            let types: Vec<_> = types.cloned().collect();
            // The new keys stand between the old ones and the aggregates; they are moved behind both.
            let places = (0..keys).chain(keys + added..keys + added + calls).chain(keys..keys + added);
            let exprs = places
                .filter_map(|at| types.get(at).map(|ty| BoundExpr::column(at, "", ty.clone())))
                .collect();
            for condition in &mut conditions {
                condition.remap(&|at| if at >= keys { at + calls } else { at });
            }
            out.extend(conditions);
            Some(Plan::Project { input: Box::new(Plan::Aggregate(Box::new(grouped))), exprs })
        }
        _ => None,
    }
}

/// Groups by what the row around is compared with too. `out` gets the comparisons, over the columns of the groups.
pub fn by_outer(mut node: Aggregate, out: &mut Vec<BoundExpr>, at: usize) -> Option<Aggregate> {
    let mut conditions = Vec::new();
    node.input = hoist(std::mem::replace(&mut node.input, Plan::Dual), &mut conditions)?;
    for condition in conditions {
        let (inner, outer, op, collation) = equality(&condition)?;
        let key = match node.keys.iter().skip(at).position(|key| key.same(&inner)) {
            Some(known) => at + known,
            None => {
                node.keys.push(inner.clone());
                node.keys.len() - 1
            }
        };
        let column = BoundExpr::column(key, inner.to_string(), inner.ty.clone());
        let node = Node::Compare { op, sides: Box::new([column, outer]), collation };
        out.push(BoundExpr { node, ty: condition.ty.clone() });
    }
    Some(node)
}

/// An equality of an expression over rows with one over the row around.
fn equality(condition: &BoundExpr) -> Option<(BoundExpr, BoundExpr, Comparison, Collation)> {
    let Node::Compare { op: op @ (Comparison::Equal | Comparison::NullSafeEqual), sides, collation } =
        &condition.node
    else {
        return None;
    };
    let reads_row = |e: &BoundExpr| e.any(&mut |e| matches!(e.node, Node::Column(_)));
    let [a, b] = sides.as_ref();
    let (inner, outer) = match (reads_row(a), reads_row(b)) {
        (true, false) if !a.has_outer() => (a, b),
        (false, true) if !b.has_outer() => (b, a),
        _ => return None,
    };
    // Groups are made by the collation of the expression itself.
    if inner.ty.class() == Class::Text && inner.ty.collation != *collation {
        return None;
    }
    Some((inner.clone(), outer.clone(), *op, *collation))
}

/// Those that do not read the row around; the others go to `out`.
fn split(conditions: Vec<BoundExpr>, out: &mut Vec<BoundExpr>) -> Option<Vec<BoundExpr>> {
    let mut rest = Vec::with_capacity(conditions.len());
    for condition in conditions {
        if !condition.has_outer() {
            rest.push(condition);
        } else if condition.is_movable() {
            out.push(condition);
        } else {
            return None;
        }
    }
    Some(rest)
}
