//! What a plan costs: units with names, and the estimate of every operator.
//!
//! One unit is about a tenth of a microsecond of processor time. The constants were measured on TPC-H at scale 1
//! (6,001,215 rows of lineitem, all pages in memory), in nanoseconds of processor time:
//!
//! | what | measured |
//! |---|---|
//! | scan: a row of which few columns are read | 80 (partsupp) to 150 (lineitem) |
//! | scan of an index that holds all that is wanted: an entry | 97 |
//! | lookup of one row by a key, keys ascending | 300 |
//! | lookup of four neighbours by the beginning of a key, keys ascending | 1,100 |
//! | lookup of one row by a key, keys in any order, 1.5 and 6 million rows | 2,200 to 2,300 |
//! | a row put into a hash table of 6 million | 100 to 130 |
//! | a row looked up in one of 1.5 million | 100 |
//! | a row put into one of 200,000 groups | 106 |
//!
//! So a lookup costs little where its neighbour was just looked up, or where the whole table is small enough for the
//! processor's caches, and much where it misses them: [`descent`]. A page that has to come from the disk costs the same
//! whichever way it is come by, and so decides nothing here but through [`PAGE`].
//!
//! [`Plan::estimate`] tells rows and cost of an operator and all below it, from what
//! [`super::estimate::annotate`] left in the scans; the costs of two plans of one query can be compared, and with the
//! rows they are what EXPLAIN shows.

use super::statistics::Facts;
use super::{Access, IndexAccess, Join, JoinKind, KeyEqual, Plan, RowCount, Scan, SelectPlan};
use crate::expr::{BoundExpr, Comparison, Node};
use std::sync::Arc;

/// A row that a scan gives.
pub const ROW: f64 = 1.0;
/// A leaf that a scan comes to.
pub const PAGE: f64 = 4.0;
/// An entry of an index that holds all that is wanted.
pub const ENTRY: f64 = 0.7;
/// One descent to a key that is in the processor's caches.
pub const LOOKUP: f64 = 3.0;
/// What it costs more in a tree that is far larger than those.
pub const MISS: f64 = 18.0;
/// Leaves of a tree half of whose lookups miss.
const HALF_MISSES: f64 = 4_000.0;
/// Opening a scan for a row of the left side.
pub const OPEN: f64 = 2.0;
/// A row found by the primary key in an index entry, beside the descent.
pub const ROW_OF_ENTRY: f64 = 3.0;
/// One condition on one row.
pub const CONDITION: f64 = 0.15;
/// A row put into a hash table.
pub const HASH_BUILD: f64 = 1.2;
/// A row looked up in one.
pub const HASH_PROBE: f64 = 1.0;
/// A row that a join gives.
pub const PAIR: f64 = 0.5;
/// One comparison of a sort.
pub const COMPARE: f64 = 0.3;
/// A row that is grouped or checked for duplicates.
pub const GROUP: f64 = 1.2;

/// Rows of a table of which nothing is known.
pub const UNKNOWN_ROWS: f64 = 1000.0;
/// The share of rows for which an equality of which nothing is known is true.
pub const EQUAL: f64 = 0.1;
/// The same of a bound on one side.
pub const BOUND: f64 = 0.33;
/// The same of bounds on both sides, and of the beginning of a text.
pub const BETWEEN: f64 = 0.11;
/// The same of any other condition.
pub const OTHER: f64 = 0.5;

/// Rows and cost of an operator with all below it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Rows that it gives.
    pub rows: f64,
    /// Until it has given them all.
    pub cost: f64,
}

/// What a scan reads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScanEstimate {
    /// Rows of the table.
    pub table: f64,
    /// Rows that its part of the index leads to, each time it is opened.
    pub read: f64,
    /// Rows of those that its filter lets through.
    pub given: f64,
}

/// One descent into a tree of so many leaves, to a place that is not near the last one.
pub fn descent(leaves: f64) -> f64 {
    LOOKUP + MISS * leaves / (leaves + HALF_MISSES)
}

/// A row found through an entry of a secondary index, the entry included.
pub fn row_of_entry(facts: Option<&Facts>) -> f64 {
    ENTRY + ROW_OF_ENTRY + descent(facts.map_or(1.0, |facts| facts.leaves_of(0)))
}

/// The cost of reading `read` rows of a table through an access that is opened once.
pub fn access_cost(facts: Option<&Facts>, access: &IndexAccess, read: f64, conditions: usize) -> f64 {
    let table = facts.map_or(UNKNOWN_ROWS, |facts| facts.rows).max(1.0);
    let leaves = facts.map_or(table / 100.0, |facts| facts.leaves_of(access.index)).max(1.0);
    let pages = leaves * (read / table).min(1.0);
    let row = match (access.index, access.covering) {
        (0, _) => ROW,
        (_, true) => ENTRY,
        (_, false) => row_of_entry(facts),
    };
    let descents = |access: &IndexAccess| access.equals.iter().map(values_of).product::<f64>().max(1.0);
    let descents = descents(access) + access.others.iter().map(descents).sum::<f64>();
    descents * descent(leaves) + pages * PAGE + read * (row + conditions as f64 * CONDITION)
}

/// How many values a key column is equal to.
pub fn values_of(equal: &KeyEqual) -> f64 {
    match equal {
        KeyEqual::Values(values) => values.len().max(1) as f64,
        KeyEqual::Null => 1.0,
    }
}

/// The cost of sorting.
pub fn sort_cost(rows: f64) -> f64 {
    rows * ROW + rows * rows.max(2.0).log2() * COMPARE
}

/// What is thought of a condition of which nothing but its form is known.
pub fn by_form(condition: &BoundExpr) -> f64 {
    match &condition.node {
        Node::Compare { op: Comparison::Equal | Comparison::NullSafeEqual, .. } => EQUAL,
        Node::Compare { op: Comparison::NotEqual, .. } => 0.9,
        Node::Compare { .. } => BOUND,
        Node::In { list, negated, .. } => {
            let share = (list.len() as f64 * EQUAL).min(0.5);
            if *negated { 1.0 - share } else { share }
        }
        Node::And(list) => list.iter().map(by_form).product(),
        Node::Or(list) => 1.0 - list.iter().map(|part| 1.0 - by_form(part)).product::<f64>(),
        Node::Call { function, .. } => match function.name {
            "isnull" => EQUAL,
            "is not null" => 0.9,
            "like" => BETWEEN,
            _ => OTHER,
        },
        _ => OTHER,
    }
}

impl Scan {
    /// What it reads, as annotated or by definitions alone.
    pub fn estimated(&self) -> ScanEstimate {
        if let Some(estimate) = self.estimate {
            return estimate;
        }
        let facts = self.table.facts();
        let table = facts.as_ref().map_or(UNKNOWN_ROWS, |facts| facts.rows);
        let read = match &self.access {
            Access::Index(access) => rows_by_form(self, access, facts.as_deref()),
            Access::Virtual(_) => table,
        };
        let share: f64 = self.filter.iter().map(by_form).product();
        ScanEstimate { table, read, given: (read * share).max(read.min(1.0)) }
    }

    fn cost(&self, estimate: &ScanEstimate, facts: Option<&Arc<Facts>>) -> f64 {
        let conditions = self.filter.len();
        match &self.access {
            Access::Index(access) => {
                let limited = self.limit.as_ref().and_then(|limit| fixed(&limit.count));
                let read = match limited {
                    Some(count) if estimate.given > count => estimate.read * count / estimate.given,
                    _ => estimate.read,
                };
                if let (Some(facts), false) = (facts, access.is_plain()) {
                    return self.cost_of_parts(access, facts, read);
                }
                access_cost(facts.map(Arc::as_ref), access, read, conditions)
            }
            Access::Virtual(_) => estimate.read * (ROW + conditions as f64 * CONDITION),
        }
    }
}

impl Scan {
    /// The cost of an access that is not one part of an index.
    fn cost_of_parts(&self, access: &IndexAccess, facts: &Facts, read: f64) -> f64 {
        let conditions = self.filter.len();
        if let Some(merge) = &access.merge {
            let of_part = |part: &IndexAccess| MergedPart {
                index: part.index,
                rows: rows_by_form(self, part, Some(facts)),
                in_order: super::rules::index_merge::is_whole(self, part),
            };
            let parts: Vec<MergedPart> = merge.parts.iter().map(of_part).collect();
            return merge_cost(facts, &parts, read, conditions);
        }
        let columns = access.groups.map_or(access.skip, |groups| groups.columns);
        let values = facts.distinct_of(access.index, columns);
        steps_cost(facts, access.index, values, read, conditions)
    }
}

/// Rows that an access leads to, without looking at the values of its bounds.
pub fn rows_by_form(scan: &Scan, access: &IndexAccess, facts: Option<&Facts>) -> f64 {
    let table = facts.map_or(UNKNOWN_ROWS, |facts| facts.rows);
    if let Some(merge) = &access.merge {
        let parts = merge.parts.iter().map(|part| rows_by_form(scan, part, facts));
        return merged_rows(merge.intersects, parts, facts);
    }
    if let (Some(groups), Some(facts)) = (access.groups, facts) {
        let ends = 1.0 + f64::from(u8::from(groups.greatest));
        return (facts.distinct_of(access.index, groups.columns) * ends).min(table);
    }
    let Some(index) = scan.table.def.all_indexes().nth(access.index) else { return table };
    let width = access.equals.len();
    let values: f64 = access.equals.iter().map(values_of).product();
    if index.unique && width == index.columns.len() && width > 0 {
        return values.min(table.max(1.0));
    }
    let mut read = match (width, facts) {
        (0, _) => table,
        (_, Some(facts)) => values * table / facts.distinct_of(access.index, width),
        (_, None) => table * EQUAL.powi(width as i32) * values,
    };
    if let Some(range) = &access.range {
        read *= match range {
            super::KeyBounds::Range { low: Some(_), high: Some(_) } | super::KeyBounds::Prefix(_) => BETWEEN,
            super::KeyBounds::Range { low: None, high: None } => 1.0,
            super::KeyBounds::Range { .. } => BOUND,
        };
    }
    let others = access.others.iter().map(|other| rows_by_form(scan, other, facts));
    (read + others.sum::<f64>()).clamp(table.min(1.0), table.max(1.0))
}

/// Rows that several parts of indexes lead to, taken as independent of each other.
pub fn merged_rows(intersects: bool, parts: impl Iterator<Item = f64>, facts: Option<&Facts>) -> f64 {
    let table = facts.map_or(UNKNOWN_ROWS, |facts| facts.rows).max(1.0);
    let shares = parts.map(|rows| (rows / table).min(1.0));
    let share = match intersects {
        true => shares.product::<f64>(),
        false => 1.0 - shares.map(|share| 1.0 - share).product::<f64>(),
    };
    table * share
}

/// A part of an index merge.
#[derive(Debug, Clone, Copy)]
pub struct MergedPart {
    /// Its index.
    pub index: usize,
    /// Its entries.
    pub rows: f64,
    /// They come in the order of the rows.
    pub in_order: bool,
}

/// The cost of an index merge that leads to `read` rows.
pub fn merge_cost(facts: &Facts, parts: &[MergedPart], read: f64, conditions: usize) -> f64 {
    let gather = |part: &MergedPart| {
        let sorting = if part.in_order { 0.0 } else { sort_cost(part.rows) };
        descent(facts.leaves_of(part.index)) + part.rows * (ENTRY + PAIR) + sorting
    };
    let gathered: f64 = parts.iter().map(gather).sum();
    gathered + read * (descent(facts.leaves_of(0)) + ROW + conditions as f64 * CONDITION)
}

/// The cost of stepping through an index: a descent for each value, and the entries that are read.
pub fn steps_cost(facts: &Facts, index: usize, values: f64, entries: f64, conditions: usize) -> f64 {
    values * (OPEN + descent(facts.leaves_of(index))) + entries * (ENTRY + conditions as f64 * CONDITION)
}

/// A number of rows that does not depend on parameters.
pub fn fixed(count: &RowCount) -> Option<f64> {
    match count {
        RowCount::Fixed(count) => Some(*count as f64),
        RowCount::Parameter(_) => None,
    }
}

/// The share of all pairs for which an equality of two columns is true.
pub fn equality_share(left: Option<f64>, right: Option<f64>) -> f64 {
    match (left, right) {
        (Some(left), Some(right)) => 1.0 / left.max(right).max(1.0),
        (Some(known), None) | (None, Some(known)) => 1.0 / known.max(1.0),
        (None, None) => EQUAL,
    }
}

/// What a join of a kind gives of its left rows, each of which matches `matches` right ones.
pub fn joined_rows(kind: JoinKind, left: f64, matches: f64) -> f64 {
    match kind {
        JoinKind::Inner => left * matches,
        JoinKind::Left => left * matches.max(1.0),
        JoinKind::Semi => left * matches.min(1.0),
        JoinKind::Anti | JoinKind::NullAwareAnti => left * (1.0 - matches.min(1.0)).max(0.05),
    }
}

impl SelectPlan {
    /// Rows and cost of the whole.
    pub fn estimate(&self) -> Estimate {
        self.root.estimate()
    }
}

impl Plan {
    /// Rows and cost of this operator and all below it.
    pub fn estimate(&self) -> Estimate {
        match self {
            Plan::Dual => Estimate { rows: 1.0, cost: 0.0 },
            Plan::Values(rows) => Estimate { rows: rows.len() as f64, cost: rows.len() as f64 * ROW },
            Plan::Scan(scan) => {
                let estimate = scan.estimated();
                let cost = scan.cost(&estimate, scan.table.facts().as_ref());
                let limit = scan.limit.as_ref().and_then(|limit| fixed(&limit.count));
                Estimate { rows: limit.map_or(estimate.given, |limit| limit.min(estimate.given)), cost }
            }
            Plan::Derived(plan) => plan.estimate(),
            Plan::Shared(table) => {
                let once = table.plan.estimate();
                let members: f64 = table.members().map(|member| member.estimate().rows).sum();
                Estimate { rows: once.rows + members, cost: once.cost }
            }
            Plan::Work { .. } => Estimate { rows: 100.0, cost: 100.0 },
            Plan::Join(join) => join.estimate(),
            Plan::Filter { input, predicates } => {
                let below = input.estimate();
                let share: f64 = predicates.iter().map(by_form).product();
                Estimate {
                    rows: (below.rows * share).max(below.rows.min(1.0)),
                    cost: below.cost + below.rows * CONDITION * predicates.len() as f64,
                }
            }
            Plan::Aggregate(node) => {
                let below = node.input.estimate();
                let cost = below.cost + below.rows * GROUP;
                let groups = match node.keys.is_empty() {
                    true => 1.0,
                    false => {
                        let distinct = node.keys.iter().map(|key| distinct(&node.input, key));
                        distinct.map(|known| known.unwrap_or(below.rows.sqrt())).product::<f64>()
                    }
                };
                Estimate { rows: groups.min(below.rows.max(1.0)), cost }
            }
            Plan::Windows(node) => {
                let below = node.input.estimate();
                Estimate { rows: below.rows, cost: below.cost + sort_cost(below.rows) }
            }
            Plan::Project { input, exprs } => {
                let below = input.estimate();
                let computed = exprs.iter().filter(|e| !matches!(e.node, Node::Column(_))).count();
                Estimate { rows: below.rows, cost: below.cost + below.rows * CONDITION * computed as f64 }
            }
            Plan::Distinct { input, .. } => {
                let below = input.estimate();
                Estimate { rows: below.rows, cost: below.cost + below.rows * GROUP }
            }
            Plan::Sort { input, limit, .. } => {
                let below = input.estimate();
                let kept = limit.as_ref().and_then(|limit| fixed(&limit.count));
                let rows = kept.map_or(below.rows, |kept| kept.min(below.rows));
                Estimate { rows, cost: below.cost + sort_cost(below.rows) }
            }
            Plan::Limit { input, limit, .. } => {
                let below = input.estimate();
                let rows = fixed(&limit.count).map_or(below.rows, |count| count.min(below.rows));
                Estimate { rows, cost: below.cost }
            }
            Plan::Narrow { input, .. } | Plan::Counted { input, .. } => input.estimate(),
            Plan::SetOperation(node) => {
                let all = node.inputs.iter().map(|input| input.plan.estimate());
                all.fold(Estimate { rows: 0.0, cost: 0.0 }, |sum, one| Estimate {
                    rows: sum.rows + one.rows,
                    cost: sum.cost + one.cost + one.rows * GROUP,
                })
            }
        }
    }
}

impl Join {
    /// Rows that each left row finds.
    fn matches(&self, right: f64) -> f64 {
        let on: f64 = self.on.iter().map(by_form).product();
        if self.lookup {
            return right * on;
        }
        let keys =
            self.keys.iter().chain(&self.not_in).map(|key| {
                equality_share(distinct(&self.left, &key.left), distinct(&self.right, &key.right))
            });
        right * keys.product::<f64>() * on
    }

    fn estimate(&self) -> Estimate {
        let (left, right) = (self.left.estimate(), self.right.estimate());
        let rows = joined_rows(self.kind, left.rows, self.matches(right.rows));
        let cost = if self.lookup || self.lateral.is_some() {
            left.cost + left.rows * (OPEN + right.cost) + rows * PAIR
        } else if self.keys.is_empty() && self.not_in.is_empty() {
            left.cost + right.cost + left.rows * right.rows * (PAIR + CONDITION) + rows * PAIR
        } else {
            left.cost + right.cost + right.rows * HASH_BUILD + left.rows * HASH_PROBE + rows * PAIR
        };
        Estimate { rows, cost }
    }
}

/// Distinct values of an expression over a plan's columns, where it is a column of a table.
pub fn distinct(plan: &Plan, expr: &BoundExpr) -> Option<f64> {
    let mut inner = expr;
    while let Node::Coerce(next) = &inner.node {
        inner = next;
    }
    let Node::Column(column) = &inner.node else { return None };
    distinct_of(plan, column.index)
}

fn distinct_of(plan: &Plan, column: usize) -> Option<f64> {
    match plan {
        Plan::Scan(scan) => {
            let at = *scan.columns.get(column)?;
            Some(scan.table.facts()?.column(at).0)
        }
        Plan::Derived(plan) => distinct_of(&plan.root, column),
        Plan::Join(join) if column < join.left_width => distinct_of(&join.left, column),
        Plan::Join(join) => distinct_of(&join.right, column - join.left_width),
        Plan::Project { input, exprs } => distinct(input, exprs.get(column)?),
        Plan::Filter { input, .. }
        | Plan::Distinct { input, .. }
        | Plan::Sort { input, .. }
        | Plan::Limit { input, .. }
        | Plan::Narrow { input, .. }
        | Plan::Counted { input, .. } => distinct_of(input, column),
        Plan::Aggregate(node) => distinct(&node.input, node.keys.get(column)?),
        _ => None,
    }
}
