//! Parts of several indexes read together: for an OR over columns of different indexes, and for equalities on several.
//!
//! ```text
//! a = 1 OR b < 2     union:         the rows of a's part and of b's part, each once
//! a = 1 AND b = 2    intersection:  the rows that are in both parts
//! ```
//! All conditions stay with the scan. An intersection is of whole keys of secondary indexes only, whose entries come
//! in the order of the rows, as in MySQL; a union of any parts. Locking reads do not merge: what they read is locked.
//!
//! The flags `index_merge`, `index_merge_union`, `index_merge_sort_union` and `index_merge_intersection` forbid it, the
//! hint INDEX_MERGE asks for it whatever it costs, NO_INDEX_MERGE forbids it.

use super::Rule;
use super::access_path::{Candidate, MOST_OPERANDS, allowed, candidate};
use crate::expr::{BoundExpr, Node};
use crate::plan::estimate::Estimator;
use crate::plan::statistics::Facts;
use crate::plan::{IndexAccess, IndexMerge, KeyEqual, Scan, cost};
use crate::variables::OptimizerSwitch;

/// The most parts of an intersection.
const MOST_PARTS: usize = 4;

/// A way to read rows.
pub struct Merged {
    /// The access.
    pub access: IndexAccess,
    /// Rows that it leads to.
    pub rows: f64,
    /// What reading them costs.
    pub cost: f64,
}

/// The cheapest merge for the conditions of a scan.
pub fn best(
    scan: &Scan,
    is_known: &dyn Fn(&BoundExpr) -> bool,
    facts: &Facts,
    estimator: &mut Estimator<'_>,
) -> Option<Merged> {
    let switch = estimator.switch();
    let hinted = scan.hints.merge == Some(true);
    let wanted =
        |flag: OptimizerSwitch| hinted || switch.has(OptimizerSwitch::INDEX_MERGE) && switch.has(flag);
    if scan.lock.is_some() || scan.hints.merge == Some(false) || !estimator.rules().has(Rule::IndexMerge) {
        return None;
    }
    let mut found = Vec::new();
    for position in 0..scan.filter.len() {
        let Some(parts) = union_parts(scan, position, is_known, facts, estimator) else { continue };
        let in_order = parts.iter().all(|part| is_whole(scan, part));
        let flag = if in_order {
            OptimizerSwitch::INDEX_MERGE_UNION
        } else {
            OptimizerSwitch::INDEX_MERGE_SORT_UNION
        };
        if wanted(flag) {
            found.push(IndexMerge { intersects: false, parts });
        }
    }
    if wanted(OptimizerSwitch::INDEX_MERGE_INTERSECTION) {
        found.extend(intersections(scan, is_known, facts, estimator));
    }
    let priced = found.into_iter().map(|merge| priced(scan, merge, facts, estimator));
    priced.reduce(|best, next| if next.cost < best.cost { next } else { best })
}

fn priced(scan: &Scan, merge: IndexMerge, facts: &Facts, estimator: &mut Estimator<'_>) -> Merged {
    let mut parts = Vec::with_capacity(merge.parts.len());
    for part in &merge.parts {
        let rows = estimator.rows_of_access(scan, part, Some(facts));
        parts.push(cost::MergedPart { index: part.index, rows, in_order: is_whole(scan, part) });
    }
    let rows = cost::merged_rows(merge.intersects, parts.iter().map(|part| part.rows), Some(facts));
    let cost = cost::merge_cost(facts, &parts, rows, scan.filter.len());
    let access = IndexAccess { merge: Some(Box::new(merge)), ..IndexAccess::all(0) };
    Merged { access, rows, cost }
}

/// For each operand of the OR at a position the part of an index that it bounds; None if it is no such OR, or one
/// index would do.
fn union_parts(
    scan: &Scan,
    position: usize,
    is_known: &dyn Fn(&BoundExpr) -> bool,
    facts: &Facts,
    estimator: &mut Estimator<'_>,
) -> Option<Vec<IndexAccess>> {
    let condition = scan.filter.get(position)?;
    let Node::Or(operands) = &condition.node else { return None };
    if operands.len() > MOST_OPERANDS || condition.has_side_effects() || condition.has_subquery() {
        return None;
    }
    let mut trial = scan.clone();
    let mut parts: Vec<IndexAccess> = Vec::with_capacity(operands.len());
    for operand in operands {
        trial.filter = match &operand.node {
            Node::And(list) => list.clone(),
            _ => vec![operand.clone()],
        };
        let mut fewest: Option<(f64, IndexAccess)> = None;
        for (at, index) in scan.table.def.all_indexes().enumerate() {
            if !allowed(scan, index) {
                continue;
            }
            let Some(Candidate { access, .. }) = candidate(&trial, at, index, is_known) else { continue };
            let rows = estimator.rows_of_access(scan, &access, Some(facts));
            if fewest.as_ref().is_none_or(|(known, _)| rows < *known) {
                fewest = Some((rows, access));
            }
        }
        parts.push(fewest?.1);
    }
    let first = parts.first()?.index;
    if parts.iter().all(|part| part.index == first) { None } else { Some(parts) }
}

/// Intersections of the two and more parts with the fewest entries.
fn intersections(
    scan: &Scan,
    is_known: &dyn Fn(&BoundExpr) -> bool,
    facts: &Facts,
    estimator: &mut Estimator<'_>,
) -> Vec<IndexMerge> {
    let mut parts: Vec<(f64, IndexAccess)> = Vec::new();
    for (at, index) in scan.table.def.all_indexes().enumerate().skip(1) {
        if !allowed(scan, index) {
            continue;
        }
        let Some(Candidate { access, .. }) = candidate(scan, at, index, is_known) else { continue };
        if is_whole(scan, &access) {
            parts.push((estimator.rows_of_access(scan, &access, Some(facts)), access));
        }
    }
    parts.sort_by(|a, b| a.0.total_cmp(&b.0));
    let most = parts.len().min(MOST_PARTS);
    let of = |count: usize| parts.iter().take(count).map(|(_, part)| part.clone()).collect();
    (2..=most).map(|count| IndexMerge { intersects: true, parts: of(count) }).collect()
}

/// Whether an access is one value of a whole key, whose entries are in the order of the rows.
pub fn is_whole(scan: &Scan, access: &IndexAccess) -> bool {
    let single = |equal: &KeyEqual| match equal {
        KeyEqual::Values(values) => values.len() == 1,
        KeyEqual::Null => true,
    };
    let width = scan.table.def.all_indexes().nth(access.index).map(|index| index.columns.len());
    let whole = access.range.is_none() && Some(access.equals.len()) == width;
    access.index == 0 || whole && access.equals.iter().all(single)
}
