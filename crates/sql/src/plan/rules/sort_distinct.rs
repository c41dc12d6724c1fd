//! DISTINCT whose rows are sorted by all of its columns anyway happens after the sort, where equal rows are neighbours.
//!
//! ```text
//! Sort(a, b, Distinct(x))  ->  Distinct in order(Sort(a, b, x))
//! ```
//!
//! The sort keeps the order in which equal rows came, so the first of them is the one that is given, as before. Not where
//! a limit lets the sort keep few rows: then few distinct ones are better than many.

use crate::plan::Plan;

/// Applies to a whole block.
pub fn swap(plan: &mut Plan) {
    plan.each_input_mut(&mut swap);
    let Plan::Sort { input, keys, limit: None } = plan else { return };
    let Plan::Distinct { input: rows, types, sorted: false } = input.as_mut() else { return };
    if !(0..types.len()).all(|column| keys.iter().any(|key| key.column == column)) {
        return;
    }
    let (rows, types) = (std::mem::replace(rows.as_mut(), Plan::Dual), std::mem::take(types));
    let sort = Plan::Sort { input: Box::new(rows), keys: std::mem::take(keys), limit: None };
    *plan = Plan::Distinct { input: Box::new(sort), types, sorted: true };
}
