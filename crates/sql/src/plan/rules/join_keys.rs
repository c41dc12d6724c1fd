//! How a join finds the matches of a left row: through an index of the right table, or a hash table.
//!
//! An index serves when conditions make its leading columns equal to expressions over the left row: the
//! right side then becomes a lookup that is opened anew for every left row. Otherwise the equalities
//! between the sides become hash keys, and what is left of ON is tested on each pair. NOT IN is always hashed: an
//! index does not tell where NULLs are.

use super::access_path;
use super::push_filters::sides;
use crate::context::TableRows;
use crate::expr::types::Class;
use crate::expr::{BoundExpr, Comparison, Node};
use crate::plan::{Access, Join, JoinKey, JoinKind, Plan};

/// Chooses for every join of a plan.
pub fn choose_join_keys(plan: &mut Plan) {
    plan.each_input_mut(&mut choose_join_keys);
    if let Plan::Join(join) = plan
        && !join.lookup
        && join.lateral.is_none()
        && join.keys.is_empty()
        && (join.kind == JoinKind::NullAwareAnti || !use_index(join, None))
    {
        hash_keys(join);
    }
}

/// Tries an index of the right side: this one, or the best.
pub(super) fn use_index(join: &mut Join, index: Option<usize>) -> bool {
    let width = join.left_width;
    let Plan::Scan(scan) = &mut join.right else { return false };
    if !matches!(scan.table.rows, TableRows::Stored) {
        return false;
    }
    let Access::Index(access) = &scan.access else { return false };
    if !access.is_all() {
        return false;
    }
    // The right scan's own columns are moved behind all of the left ones for a while, so that an
    // expression over the left row can be told from one over the right.
    let mut trial = scan.clone();
    let far = usize::MAX / 2;
    let mut moved = Vec::new();
    for condition in &join.on {
        let mut condition = condition.clone();
        condition.remap(&|at| if at < width { at + far } else { at - width });
        moved.push(condition);
    }
    let own = trial.filter.len();
    trial.filter.extend(moved);
    let known = |e: &BoundExpr| {
        let mut columns = Vec::new();
        e.columns(&mut columns);
        !columns.iter().any(|c| *c < far) && !e.has_side_effects() && !e.has_aggregate()
    };
    let found = match index {
        Some(index) => access_path::choose_index(&mut trial, index, &known),
        None => access_path::choose(&mut trial, &known),
    };
    if !found {
        return false;
    }
    // Only if the left row takes part: else it is a plain scan and a hash join serves better.
    let mut uses_left = false;
    Plan::Scan(trial.clone()).each_expr(&mut |e| {
        let mut columns = Vec::new();
        e.columns(&mut columns);
        uses_left |= columns.iter().any(|c| *c >= far);
    });
    let in_access = match &trial.access {
        Access::Index(access) => access.equals.iter().any(|equal| match equal {
            crate::plan::KeyEqual::Values(values) => values.iter().any(|v| {
                let mut columns = Vec::new();
                v.columns(&mut columns);
                columns.iter().any(|c| *c >= far)
            }),
            crate::plan::KeyEqual::Null => false,
        }),
        Access::Virtual(_) => false,
    };
    if !uses_left || !in_access {
        return false;
    }
    // Conditions that stayed: those over the right alone are the scan's, the others the join's.
    let _ = own;
    let mut filter = Vec::new();
    let mut on = Vec::new();
    for mut condition in std::mem::take(&mut trial.filter) {
        let mut columns = Vec::new();
        condition.columns(&mut columns);
        if columns.iter().any(|c| *c >= far) {
            condition.remap(&|at| if at >= far { at - far } else { at + width });
            on.push(condition);
        } else {
            filter.push(condition);
        }
    }
    trial.filter = filter;
    if let Access::Index(access) = &mut trial.access {
        let back = |e: &mut BoundExpr| e.remap(&|at| at.saturating_sub(far));
        for equal in &mut access.equals {
            if let crate::plan::KeyEqual::Values(values) = equal {
                values.iter_mut().for_each(back);
            }
        }
        match &mut access.range {
            Some(crate::plan::KeyBounds::Range { low, high }) => {
                low.iter_mut().chain(high).for_each(|(e, _)| back(e));
            }
            Some(crate::plan::KeyBounds::Prefix(pattern)) => back(pattern),
            None => {}
        }
    }
    *scan = trial;
    join.on = on;
    join.lookup = true;
    true
}

/// Takes the equalities between the sides as keys.
pub(super) fn hash_keys(join: &mut Join) {
    let width = join.left_width;
    let on = std::mem::take(&mut join.on);
    for condition in on {
        match key_of(&condition, width) {
            Some(key) => join.keys.push(key),
            None => join.on.push(condition),
        }
    }
}

fn key_of(condition: &BoundExpr, width: usize) -> Option<JoinKey> {
    let Node::Compare { op: Comparison::Equal, sides: pair, collation } = &condition.node else {
        return None;
    };
    let [a, b] = pair.as_ref();
    if a.is_long_string() || b.is_long_string() {
        return None;
    }
    let (left, right) = match (sides(a, width), sides(b, width)) {
        ((true, false), (false, true)) => (a.clone(), b.clone()),
        ((false, true), (true, false)) => (b.clone(), a.clone()),
        _ => return None,
    };
    let (left, mut right) = one_class(left, right)?;
    right.remap(&|at| at.saturating_sub(width));
    Some(JoinKey { left, right, collation: *collation })
}

/// Both sides of an equality as keys, which are compared as bytes: both must be signed, or both unsigned.
pub fn one_class(mut left: BoundExpr, mut right: BoundExpr) -> Option<(BoundExpr, BoundExpr)> {
    if left.ty.class() != right.ty.class() {
        if !(left.ty.class().is_integer() && right.ty.class().is_integer()) {
            return None;
        }
        let wide = crate::expr::ExprType::decimal(20, 0, false);
        left = crate::expr::coerce::coerce(left, wide.clone());
        right = crate::expr::coerce::coerce(right, wide);
    }
    if left.ty.class() == Class::Null {
        return None;
    }
    Some((left, right))
}
