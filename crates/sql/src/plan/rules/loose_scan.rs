//! Loose index scan: of each group of an index only the entries are read that the query asks of.
//!
//! ```text
//! index (a, b):   SELECT DISTINCT a                     the first entry of each a
//!                 SELECT a, MIN(b), MAX(b) .. GROUP BY a   the first and the last
//!                 SELECT COUNT(DISTINCT a)              the first
//! ```
//! The operator above stays: it gets fewer rows of which it makes the same groups. It applies where the groups are of
//! the first columns of an index that holds all that is read, where conditions look at those columns only, and where
//! groups are so few that a descent for each costs less than reading all entries. The hint GROUP_INDEX names the indexes
//! that may be used, NO_GROUP_INDEX those that may not.

use super::access_path::{allowed, choose_index};
use crate::context::TableRows;
use crate::exec::entry_columns::covers;
use crate::expr::{BoundExpr, Node};
use crate::plan::aggregate::Operation;
use crate::plan::estimate::Estimator;
use crate::plan::{Access, Aggregate, IndexAccess, IndexGroups, Plan, Scan, cost};

/// What is asked of each group, in columns of the table.
#[derive(Debug, Default)]
struct Asked {
    /// The columns that make a group.
    columns: Vec<usize>,
    /// The column of MIN and MAX.
    ends: Option<usize>,
    least: bool,
    greatest: bool,
}

/// Applies to a whole plan.
pub fn read_ends_of_groups(plan: &mut Plan, estimator: &mut Estimator<'_>) {
    let asked = match plan {
        Plan::Aggregate(node) => of_aggregate(node),
        Plan::Distinct { input, .. } => of_distinct(input),
        _ => None,
    };
    if let Some(asked) = asked {
        let below = match plan {
            Plan::Aggregate(node) => &mut node.input,
            Plan::Distinct { input, .. } => input.as_mut(),
            _ => return,
        };
        if let Some(scan) = scan_below(below) {
            apply(scan, &asked, estimator);
        }
    }
    plan.each_input_mut(&mut |input| read_ends_of_groups(input, estimator));
}

fn scan_below(plan: &mut Plan) -> Option<&mut Scan> {
    match plan {
        Plan::Scan(scan) => Some(scan),
        Plan::Project { input, .. } => scan_below(input),
        _ => None,
    }
}

/// The column of the table that an expression over a plan is, where nothing but projections is between.
fn table_column(plan: &Plan, expr: &BoundExpr) -> Option<usize> {
    let Node::Column(column) = &expr.node else { return None };
    match plan {
        Plan::Scan(scan) => scan.columns.get(column.index).copied(),
        Plan::Project { input, exprs } => table_column(input, exprs.get(column.index)?),
        _ => None,
    }
}

fn of_distinct(input: &Plan) -> Option<Asked> {
    let mut asked = Asked::default();
    match input {
        Plan::Scan(scan) => asked.columns.clone_from(&scan.columns),
        Plan::Project { input, exprs } => {
            for expr in exprs {
                asked.columns.push(table_column(input, expr)?);
            }
        }
        _ => return None,
    }
    Some(asked)
}

fn of_aggregate(node: &Aggregate) -> Option<Asked> {
    if node.rollup {
        return None;
    }
    let mut asked = Asked::default();
    for key in &node.keys {
        asked.columns.push(table_column(&node.input, key)?);
    }
    let distinct = !node.calls.is_empty() && node.calls.iter().all(|call| call.distinct);
    for call in &node.calls {
        let counts = matches!(call.operation, Operation::Count | Operation::Sum | Operation::Avg);
        if distinct && counts {
            for arg in &call.args {
                asked.columns.push(table_column(&node.input, arg)?);
            }
            continue;
        }
        let [arg] = call.args.as_slice() else { return None };
        let column = table_column(&node.input, arg)?;
        match call.operation {
            Operation::Min => asked.least = true,
            Operation::Max => asked.greatest = true,
            _ => return None,
        }
        if asked.ends.is_some_and(|known| known != column) {
            return None;
        }
        asked.ends = Some(column);
    }
    // Each of several counts would want groups of its own.
    let counted = node.calls.iter().filter(|call| call.distinct).count();
    if distinct && counted > 1 { None } else { Some(asked) }
}

fn apply(scan: &mut Scan, asked: &Asked, estimator: &mut Estimator<'_>) {
    let mut columns = asked.columns.clone();
    columns.sort_unstable();
    columns.dedup();
    let open = scan.limit.is_none() && scan.lock.is_none() && !scan.reverse && !scan.one_by_one;
    if columns.is_empty() || !open || !matches!(scan.table.rows, TableRows::Stored) {
        return;
    }
    let Access::Index(current) = &scan.access else { return };
    let Some(facts) = scan.table.facts().filter(|_| current.is_plain() && current.others.is_empty()) else {
        return;
    };
    let over_groups = |condition: &BoundExpr| {
        let mut read = Vec::new();
        condition.columns(&mut read);
        read.iter().all(|at| scan.columns.get(*at).is_some_and(|at| columns.contains(at)))
            && !condition.has_side_effects()
    };
    if !scan.filter.iter().all(over_groups) {
        return;
    }
    let mut best: Option<(f64, Scan)> = None;
    for (at, index) in scan.table.def.all_indexes().enumerate() {
        let hints = &scan.hints;
        let hinted = hints.group_only.as_ref().is_none_or(|only| only.contains(&index.id))
            && !hints.group_never.contains(&index.id)
            && !hints.no_range.contains(&index.id);
        let width = columns.len();
        let leads = index.columns.len() >= width
            && index.columns.iter().take(width).all(|p| p.prefix.is_none() && columns.contains(&p.column));
        if !hinted || !leads || !allowed(scan, index) {
            continue;
        }
        if at != 0 && !covers(&scan.table.def, at, &scan.columns) {
            continue;
        }
        // MIN and MAX of a column that makes the groups are any of its entries.
        let ends = asked.ends.filter(|column| !columns.contains(column));
        let next = index.columns.get(width);
        let in_order = |column| {
            next.is_some_and(|part| part.column == column && part.prefix.is_none() && !part.descending)
        };
        if ends.is_some_and(|column| !in_order(column)) {
            continue;
        }
        let mut trial = scan.clone();
        let is_all = current.is_all();
        if is_all {
            trial.access = Access::Index(IndexAccess::all(at));
            choose_index(&mut trial, at, &|e| e.is_row_free());
        }
        let Access::Index(access) = &mut trial.access else { continue };
        let bounded = access.equals.len() + usize::from(access.range.is_some());
        if access.index != at || bounded > width {
            continue;
        }
        let read = estimator.rows_of_access(scan, access, Some(&facts));
        let groups = facts.distinct_of(at, width) * (read / facts.rows.max(1.0)).min(1.0);
        let (least, greatest) = (ends.is_some() && asked.least, ends.is_some() && asked.greatest);
        access.groups = Some(IndexGroups { columns: width, least, greatest });
        access.covering = at != 0;
        let each = 1.0 + f64::from(u8::from(greatest));
        let steps = cost::steps_cost(&facts, at, groups * each, groups * each, trial.filter.len());
        let all = cost::access_cost(Some(&facts), current, read, scan.filter.len()) + read * cost::GROUP;
        if steps < all && best.as_ref().is_none_or(|(known, _)| steps < *known) {
            best = Some((steps, trial));
        }
    }
    if let Some((_, chosen)) = best {
        *scan = chosen;
    }
}
