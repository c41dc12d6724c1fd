//! Whether a correlated aggregate is run for each value that the rows around it ask for, or made for all values at once.
//!
//! ```text
//! x.a < (SELECT AVG(b) FROM t WHERE t.c = x.c)
//!   runs:    for each x.c once, through an index on t.c      few rows x, or t large
//!   groups:  Left(x, groups of t by c)                       many rows x
//! ```
//! Both ways are planned, on copies, and the cheaper one is taken. How many values are asked for is at most what the
//! tables give that hold what is captured, and at most what the whole row source gives.
//!
//! Where nothing is known of a single table, it is taken to be one whose index is worth using.

use super::blocks::Statement;
use super::push_filters::sides;
use super::{access_path, block};
use crate::expr::{BoundExpr, Node};
use crate::plan::estimate::{self, Estimator};
use crate::plan::{Aggregate, JoinKind, Plan, Scan, SelectPlan, cost};

/// Running a subquery once more, in units of [`cost`]: 4.8 microseconds were measured for one over four neighbouring rows.
const RUN: f64 = 30.0;
/// The same for each table of it.
const RUN_TABLE: f64 = 10.0;

/// Whether running `subplan` for the rows of `input` costs less than `grouped`, which gives what it gives for all.
pub fn runs_are_cheaper(
    subplan: &SelectPlan,
    grouped: &Aggregate,
    input: &Plan,
    captures: &[BoundExpr],
    statement: &mut Statement<'_, '_, '_>,
) -> bool {
    if !has_index(grouped) {
        return false;
    }
    let mut scans: Vec<&Scan> = Vec::new();
    collect(&subplan.root, &mut scans);
    if scans.iter().any(|scan| scan.table.facts().is_none()) {
        return is_scan(&grouped.input);
    }
    let once = planned(subplan.root.clone(), subplan, statement);
    let all = planned(Plan::Aggregate(Box::new(grouped.clone())), subplan, statement);
    let asked = asked_values(input, captures, subplan, statement);
    let run = RUN + RUN_TABLE * scans.len() as f64 + once.cost;
    asked * run < all.cost + all.rows * cost::HASH_BUILD + asked * cost::HASH_PROBE
}

/// Whether a plan is one table and conditions on it.
fn is_scan(plan: &Plan) -> bool {
    match plan {
        Plan::Scan(_) => true,
        Plan::Filter { input, .. } => is_scan(input),
        _ => false,
    }
}

fn collect<'p>(plan: &'p Plan, out: &mut Vec<&'p Scan>) {
    match plan {
        Plan::Scan(scan) => out.push(scan),
        Plan::Derived(derived) => collect(&derived.root, out),
        _ => plan.each_input(&mut |input| collect(input, out)),
    }
}

/// Whether an index of the table of some key begins with it, so that it may find the rows of a group.
fn has_index(grouped: &Aggregate) -> bool {
    grouped.keys.iter().any(|key| {
        let Node::Column(column) = &key.node else { return false };
        let Some((scan, column)) = table_column(&grouped.input, column.index) else { return false };
        scan.table.def.all_indexes().any(|index| {
            let first = index.columns.first();
            access_path::allowed(scan, index)
                && first.is_some_and(|part| part.prefix.is_none() && part.column == column)
        })
    })
}

/// The table and the column of it that a column of a plan is.
fn table_column(plan: &Plan, at: usize) -> Option<(&Scan, usize)> {
    match plan {
        Plan::Scan(scan) => Some((scan, *scan.columns.get(at)?)),
        Plan::Filter { input, .. } => table_column(input, at),
        Plan::Join(join) if at < join.left_width => table_column(&join.left, at),
        Plan::Join(join) => table_column(&join.right, at - join.left_width),
        Plan::Project { input, exprs } => match &exprs.get(at)?.node {
            Node::Column(column) => table_column(input, column.index),
            _ => None,
        },
        _ => None,
    }
}

/// What a plan costs once it is improved.
fn planned(root: Plan, of: &SelectPlan, statement: &mut Statement<'_, '_, '_>) -> cost::Estimate {
    let mut plan = SelectPlan { root, dependencies: Vec::new(), ..of.clone() };
    block::improve(&mut plan, statement);
    estimate::annotate(&mut plan, statement.planning.session());
    plan.estimate()
}

/// How many different values the rows of `input` hold of what is captured, at the most.
fn asked_values(
    input: &Plan,
    captures: &[BoundExpr],
    of: &SelectPlan,
    statement: &mut Statement<'_, '_, '_>,
) -> f64 {
    let mut columns = Vec::new();
    captures.iter().for_each(|capture| capture.columns(&mut columns));
    let mut estimator = Estimator::new(statement.planning.session());
    let of_tables = rows_of(input, &columns, &[], &mut estimator);
    let whole = planned(input.clone(), of, statement);
    of_tables.min(whole.rows).max(1.0)
}

/// Rows of the leaves of a tree of joins that hold some columns, after the conditions on each of them alone.
fn rows_of(plan: &Plan, columns: &[usize], above: &[BoundExpr], estimator: &mut Estimator<'_>) -> f64 {
    match plan {
        Plan::Filter { input, predicates } => {
            let all: Vec<BoundExpr> = above.iter().chain(predicates).cloned().collect();
            rows_of(input, columns, &all, estimator)
        }
        Plan::Join(join) => {
            let width = join.left_width;
            let left: Vec<usize> = columns.iter().copied().filter(|at| *at < width).collect();
            let right: Vec<usize> = columns.iter().filter_map(|at| at.checked_sub(width)).collect();
            let inner = if join.kind == JoinKind::Inner { join.on.as_slice() } else { &[] };
            let mut rows = 1.0;
            if !left.is_empty() {
                let of_left = above.iter().chain(inner).filter(|c| sides(c, width) == (true, false));
                let of_left: Vec<BoundExpr> = of_left.cloned().collect();
                rows *= rows_of(&join.left, &left, &of_left, estimator);
            }
            if !right.is_empty() {
                let of_right = above.iter().chain(&join.on).filter(|c| sides(c, width) == (false, true));
                let mut of_right: Vec<BoundExpr> = of_right.cloned().collect();
                of_right.iter_mut().for_each(|c| c.remap(&|at| at.saturating_sub(width)));
                rows *= rows_of(&join.right, &right, &of_right, estimator);
            }
            rows
        }
        Plan::Scan(scan) => {
            let facts = scan.table.facts();
            let rows = facts.as_ref().map_or(cost::UNKNOWN_ROWS, |facts| facts.rows);
            rows * estimator.share(scan, scan.filter.iter().chain(above), facts.as_deref())
        }
        other => {
            let share: f64 = above.iter().map(cost::by_form).product();
            (other.estimate().rows * share).max(1.0)
        }
    }
}
