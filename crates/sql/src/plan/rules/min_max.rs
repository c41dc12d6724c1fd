//! `MIN(column)` and `MAX(column)` read one entry of an index that has the column in order.
//!
//! The aggregate stays; its scan is turned to the right end of the index and stops after the first row that
//! is not NULL. It applies to a single aggregate without GROUP BY over one table, when every condition is
//! already expressed by equalities on the columns before it.

use super::access_path::allowed;
use super::index_order::fixed_limit;
use crate::context::TableRows;
use crate::exec::entry_columns::covers;
use crate::expr::Node;
use crate::plan::aggregate::Operation;
use crate::plan::{Access, Aggregate, IndexAccess, KeyBounds, KeyEqual, Plan, Scan};

/// Applies to a whole plan.
pub fn read_ends(plan: &mut Plan) {
    if let Plan::Aggregate(aggregate) = plan {
        read_end(aggregate);
    }
    plan.each_input_mut(&mut read_ends);
}

fn read_end(aggregate: &mut Aggregate) {
    let ([], [call]) = (aggregate.keys.as_slice(), aggregate.calls.as_slice()) else { return };
    let largest = match call.operation {
        Operation::Min => false,
        Operation::Max => true,
        _ => return,
    };
    let [arg] = call.args.as_slice() else { return };
    let (Node::Column(column), Plan::Scan(scan)) = (&arg.node, &mut aggregate.input) else { return };
    let open = scan.filter.is_empty() && scan.limit.is_none() && scan.lock.is_none();
    if !open || !matches!(scan.table.rows, TableRows::Stored) {
        return;
    }
    let Some(column) = scan.columns.get(column.index).copied() else { return };
    let Access::Index(current) = &scan.access else { return };
    if current.range.is_some() || !current.others.is_empty() || !current.is_plain() {
        return;
    }
    // The index that is used for equalities, or any if none are.
    let candidates = if current.equals.is_empty() {
        let count = scan.table.def.all_indexes().count();
        (0..count).map(IndexAccess::all).collect()
    } else {
        vec![current.clone()]
    };
    for access in candidates {
        if let Some((access, descending)) = end_of(scan, access, column) {
            scan.access = Access::Index(access);
            scan.reverse = largest != descending;
            scan.limit = Some(fixed_limit(1));
            return;
        }
    }
}

/// The part of an index in which a column is in order and not NULL, and whether it runs downwards.
fn end_of(scan: &Scan, mut access: IndexAccess, column: usize) -> Option<(IndexAccess, bool)> {
    let def = &scan.table.def;
    let index = def.all_indexes().nth(access.index)?;
    let single = |equal: &KeyEqual| match equal {
        KeyEqual::Values(values) => values.len() == 1,
        KeyEqual::Null => true,
    };
    if !allowed(scan, index)
        || !access.equals.iter().all(single)
        || index.columns.iter().take(access.equals.len()).any(|part| part.prefix.is_some())
    {
        return None;
    }
    access.covering = covers(def, access.index, &scan.columns);
    match index.columns.get(access.equals.len()) {
        Some(part) if part.column == column && part.prefix.is_none() => {
            access.range = Some(KeyBounds::Range { low: None, high: None });
            Some((access, part.descending))
        }
        Some(_) => None,
        // Behind all columns of an index its entries are in the order of the primary key.
        None if access.index != 0 => {
            let part = def.primary.columns.first()?;
            if part.column == column && part.prefix.is_none() {
                Some((access, part.descending))
            } else {
                None
            }
        }
        None => None,
    }
}
