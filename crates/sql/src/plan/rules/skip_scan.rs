//! Skip scan: a bound on a later column of an index, applied under each value of the columns before it.
//!
//! ```text
//! index (a, b), WHERE b > 5:   for each a: the entries with b > 5
//! ```
//! It is taken where the columns before have few values and the index holds everything that is read. The conditions
//! stay with the scan. The flag `skip_scan` and the hint NO_SKIP_SCAN forbid it, SKIP_SCAN asks for it.

use super::Rule;
use super::access_path::{allowed, candidate};
use crate::exec::entry_columns::covers;
use crate::expr::BoundExpr;
use crate::plan::estimate::Estimator;
use crate::plan::statistics::Facts;
use crate::plan::{IndexAccess, KeyBounds, KeyEqual, Scan, cost};
use crate::variables::OptimizerSwitch;

/// The most columns that are stepped through.
const MOST_COLUMNS: usize = 2;
/// The most values of theirs.
const MOST_VALUES: f64 = 100_000.0;

/// The cheapest skip scan for the conditions of a scan, and its cost.
pub fn best(
    scan: &Scan,
    is_known: &dyn Fn(&BoundExpr) -> bool,
    facts: &Facts,
    estimator: &mut Estimator<'_>,
) -> Option<(IndexAccess, f64)> {
    let hinted = scan.hints.skip_scan == Some(true);
    let wanted = hinted || estimator.switch().has(OptimizerSwitch::SKIP_SCAN);
    if scan.lock.is_some()
        || scan.hints.skip_scan == Some(false)
        || !wanted
        || !estimator.rules().has(Rule::SkipScan)
    {
        return None;
    }
    let mut best: Option<(IndexAccess, f64)> = None;
    for (at, index) in scan.table.def.all_indexes().enumerate().skip(1) {
        let whole = index.columns.iter().all(|part| part.prefix.is_none());
        if !whole
            || !allowed(scan, index)
            || scan.hints.no_range.contains(&index.id)
            || !covers(&scan.table.def, at, &scan.columns)
            || candidate(scan, at, index, is_known).is_some()
        {
            continue;
        }
        for skip in 1..index.columns.len().min(MOST_COLUMNS + 1) {
            let mut behind = index.clone();
            behind.columns.drain(..skip);
            let Some(found) = candidate(scan, at, &behind, is_known) else { continue };
            let Some(range) = bounds_of(&found.access) else { continue };
            let values = facts.distinct_of(at, skip);
            if values > MOST_VALUES {
                continue;
            }
            let bounded = scan.filter.iter().enumerate().filter(|(at, _)| found.covered.contains(at));
            let entries = facts.rows * estimator.share(scan, bounded.map(|(_, c)| c), Some(facts));
            let cost = cost::steps_cost(facts, at, 2.0 * values, entries, scan.filter.len());
            if best.as_ref().is_none_or(|(_, known)| cost < *known) {
                let access = IndexAccess { range: Some(range), covering: true, skip, ..IndexAccess::all(at) };
                best = Some((access, cost));
            }
            break;
        }
    }
    best
}

/// The bounds of the first column of an access.
fn bounds_of(access: &IndexAccess) -> Option<KeyBounds> {
    match access.equals.first() {
        None => match &access.range {
            Some(KeyBounds::Range { .. }) => access.range.clone(),
            _ => None,
        },
        Some(KeyEqual::Values(values)) => match values.as_slice() {
            [value] => {
                let bound = Some((value.clone(), true));
                Some(KeyBounds::Range { low: bound.clone(), high: bound })
            }
            _ => None,
        },
        Some(KeyEqual::Null) => None,
    }
}
