//! A sort goes away when the index that is read already has the order, from either end; limits move down.
//!
//! Columns that are equal to one value do not count in the order of an index. A limit above a scan tells it
//! when to stop; above a sort, how many rows to keep. For ORDER BY ... LIMIT without any other use of an
//! index, one that has the order is taken.

use rustydb_catalog::IndexDef;

use super::access_path::{allowed, choose_index};
use crate::exec::entry_columns::covers;
use crate::expr::{BoundExpr, Node};
use crate::plan::{Access, IndexAccess, KeyEqual, Plan, RowCount, RowLimit, Scan, SortKey};

/// Removes sorts and pushes limits in a whole plan.
pub fn use_index_order(plan: &mut Plan) {
    if let Plan::Limit { input, limit, counts: false } = plan {
        push_limit(input, limit);
    }
    if let Plan::Sort { .. } = plan {
        drop_sort(plan);
        // A limit that was above now reaches the scan: its owner calls again below.
    }
    plan.each_input_mut(&mut use_index_order);
    if let Plan::Limit { input, limit, counts: false } = plan {
        push_limit(input, limit);
    }
}

/// Tells the first operator that can use it how many rows will be read.
fn push_limit(plan: &mut Plan, limit: &RowLimit) {
    match plan {
        Plan::Project { input, exprs } if !exprs.iter().any(BoundExpr::has_side_effects) => {
            push_limit(input, limit)
        }
        Plan::Narrow { input, .. } => push_limit(input, limit),
        Plan::Sort { limit: slot, .. } => *slot = Some(limit.clone()),
        Plan::Scan(scan) => {
            scan.limit.get_or_insert_with(|| limit.clone());
        }
        other => read_one_by_one(other),
    }
}

/// Has locking scans under a limit of which the limit's number is not known lock no row ahead of need.
fn read_one_by_one(plan: &mut Plan) {
    match plan {
        Plan::Scan(scan) => scan.one_by_one = scan.lock.is_some(),
        Plan::Join(_)
        | Plan::Filter { .. }
        | Plan::Project { .. }
        | Plan::Narrow { .. }
        | Plan::Limit { .. }
        | Plan::Distinct { .. } => plan.each_input_mut(&mut read_one_by_one),
        _ => {}
    }
}

/// The scan under projections, with the positions of its columns that the sort keys are.
fn scan_below<'p>(plan: &'p mut Plan, keys: &mut [SortKey]) -> Option<&'p mut Scan> {
    match plan {
        Plan::Scan(scan) => Some(scan),
        Plan::Project { input, exprs } => {
            for key in keys.iter_mut() {
                let Node::Column(column) = &exprs.get(key.column)?.node else { return None };
                key.column = column.index;
            }
            scan_below(input, keys)
        }
        _ => None,
    }
}

fn drop_sort(plan: &mut Plan) {
    let Plan::Sort { input, keys, limit } = plan else { return };
    let mut wanted = keys.clone();
    let limited = limit.is_some();
    let Some(scan) = scan_below(input, &mut wanted) else { return };
    let Access::Index(access) = &scan.access else { return };
    // Positions of the table.
    let mut order = Vec::with_capacity(wanted.len());
    for key in &wanted {
        let Some(column) = scan.columns.get(key.column) else { return };
        order.push((*column, key.descending));
    }
    let current = direction(scan, access, &order);
    let found = match current {
        Some(reverse) => Some((access.clone(), reverse)),
        None if scan.is_full() => other_index(scan, &order, limited),
        None => None,
    };
    let Some((access, reverse)) = found else { return };
    let chosen = access.index;
    scan.access = Access::Index(access);
    scan.reverse = reverse;
    if current.is_none() {
        bound(scan, chosen, &order);
    }
    if let Some(limit) = limit.take() {
        push_limit(input, &limit);
    }
    let inner = std::mem::replace(input.as_mut(), Plan::Dual);
    *plan = inner;
}

/// Reads only the part of an index that conditions leave, if it is in the same order.
fn bound(scan: &mut Scan, index: usize, order: &[(usize, bool)]) {
    let mut bounded = scan.clone();
    if !choose_index(&mut bounded, index, &|e| e.is_row_free()) {
        return;
    }
    let covering = scan.lock.is_none() && covers(&scan.table.def, index, &scan.columns);
    let Access::Index(access) = &mut bounded.access else { return };
    access.covering = covering;
    if direction(scan, access, order) == Some(scan.reverse) {
        *scan = bounded;
    }
}

/// Without a limit only an index that has all columns is worth it: looking every row up costs more than a
/// sort.
fn other_index(scan: &Scan, order: &[(usize, bool)], limited: bool) -> Option<(IndexAccess, bool)> {
    for (at, index) in scan.table.def.all_indexes().enumerate() {
        let covering = scan.lock.is_none() && covers(&scan.table.def, at, &scan.columns);
        let hints = &scan.hints;
        let hinted = hints.order_only.as_ref().is_none_or(|only| only.contains(&index.id))
            && !hints.order_never.contains(&index.id);
        if allowed(scan, index) && hinted && (limited || covering || at == 0) {
            let access = IndexAccess { covering, ..IndexAccess::all(at) };
            if let Some(reverse) = direction(scan, &access, order) {
                return Some((access, reverse));
            }
        }
    }
    None
}

fn index_of(scan: &Scan, at: usize) -> Option<&IndexDef> {
    scan.table.def.all_indexes().nth(at)
}

/// Whether reading part of an index gives an order: from the beginning (false) or from the end (true).
fn direction(scan: &Scan, access: &IndexAccess, order: &[(usize, bool)]) -> Option<bool> {
    let index = index_of(scan, access.index)?;
    // The columns that entries are ordered by, with those of the primary key behind.
    let mut parts: Vec<(usize, bool, bool)> = Vec::new();
    for (position, part) in index.columns.iter().enumerate() {
        if part.prefix.is_some() {
            // Only the beginning is in order.
            parts.push((usize::MAX, false, false));
            break;
        }
        let single = match access.equals.get(position).filter(|_| access.others.is_empty()) {
            Some(KeyEqual::Values(values)) => values.len() == 1,
            Some(KeyEqual::Null) => true,
            None => false,
        };
        parts.push((part.column, part.descending, single));
    }
    if access.index != 0 && !parts.iter().any(|p| p.0 == usize::MAX) {
        for part in &scan.table.def.primary.columns {
            if part.prefix.is_some() {
                break;
            }
            parts.push((part.column, part.descending, false));
        }
    }
    let mut reverse = None;
    let mut parts = parts.into_iter().peekable();
    for (column, descending) in order {
        // A column with one value is in any order.
        let fixed = index.columns.iter().enumerate().any(|(position, part)| {
            part.column == *column
                && access.others.is_empty()
                && matches!(access.equals.get(position), Some(KeyEqual::Values(v)) if v.len() == 1)
        });
        if fixed {
            continue;
        }
        while parts.peek().is_some_and(|(_, _, single)| *single) {
            parts.next();
        }
        let (part, part_descending, _) = parts.next()?;
        if part != *column {
            return None;
        }
        let this = *descending != part_descending;
        match reverse {
            None => reverse = Some(this),
            Some(before) if before == this => {}
            Some(_) => return None,
        }
    }
    Some(reverse.unwrap_or(false))
}

/// A limit of a fixed number of rows.
pub fn fixed_limit(count: u64) -> RowLimit {
    RowLimit { offset: RowCount::Fixed(0), count: RowCount::Fixed(count) }
}
