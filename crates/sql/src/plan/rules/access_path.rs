//! Chooses the index of a scan and the part of it that its conditions leave.
//!
//! For every index the leading columns are matched with equalities (`=`, IN, IS NULL) and the next one with
//! bounds (`<`, BETWEEN, LIKE with a fixed beginning). Of a table that is not small the cheapest way is taken,
//! reading all of it among them, by what [`Estimator`] finds in the trees. Where nothing is known the order of preference
//! is: all columns of a unique index equal; more equal columns; bounds on both sides; one bound; the primary index
//! before others. Conditions that the chosen part expresses exactly are dropped from the scan's filter.
//!
//! The values of bounds are only known when the plan runs; [`crate::exec::key_range`] turns them into keys.

use rustydb_catalog::IndexDef;
use rustydb_value::TypeKind;

use crate::context::TableRows;
use crate::exec::entry_columns::covers;
use crate::expr::types::Class;
use crate::expr::{BoundExpr, Comparison, Node};
use crate::plan::cost;
use crate::plan::estimate::{self, Estimator};
use crate::plan::statistics::Facts;
use crate::plan::{Access, IndexAccess, KeyBounds, KeyEqual, Plan, Scan, VirtualAccess};

use super::{index_merge, skip_scan};

/// Chooses for every scan of a plan.
pub fn choose_access_paths(plan: &mut Plan, estimator: &mut Estimator<'_>) {
    if let Plan::Scan(scan) = plan {
        choose_by_cost(scan, estimator);
    }
    plan.each_input_mut(&mut |input| choose_access_paths(input, estimator));
}

/// Rows below which a table is read as the form of its conditions says.
pub const SMALL_TABLE: f64 = 500.0;
/// What an access costs whose values are not known, compared with one to average values.
const UNKNOWN_VALUES: f64 = 0.25;
/// The score of one row by a unique key, and of a few.
const WHOLE: u32 = 9_000;

/// The most combinations of IN lists over the columns of an index that are looked up one by one.
const MAX_COMBINATIONS: usize = 16_384;

/// A way to use an index, and how good it is.
pub(super) struct Candidate {
    /// The part of the index.
    pub(super) access: IndexAccess,
    /// Positions in the scan's filter that the access expresses exactly.
    pub(super) covered: Vec<usize>,
    score: u32,
}

/// Chooses for one scan; `is_known` says which expressions can be evaluated before the scan begins.
/// Whether a part of an index was found.
pub fn choose(scan: &mut Scan, is_known: &dyn Fn(&BoundExpr) -> bool) -> bool {
    if let TableRows::Virtual(table) = &scan.table.rows {
        let (schema, name) = table.filter_columns();
        let equal = |column: Option<usize>| {
            let column = column?;
            scan.filter.iter().find_map(|c| equality(c, scan, column, is_known))
        };
        scan.access = Access::Virtual(VirtualAccess { schema: equal(schema), table: equal(name) });
        return false;
    }
    let Access::Index(current) = &scan.access else { return false };
    if !current.is_all() {
        return true;
    }
    let Some(best) = by_score(candidates(scan, is_known)) else { return false };
    take(scan, best);
    true
}

/// The same among the ways through one index.
pub fn choose_index(scan: &mut Scan, index: usize, is_known: &dyn Fn(&BoundExpr) -> bool) -> bool {
    let found = scan
        .table
        .def
        .all_indexes()
        .nth(index)
        .and_then(|def| if allowed(scan, def) { candidate(scan, index, def, is_known) } else { None });
    let Some(found) = found else { return false };
    take(scan, found);
    true
}

/// The ways through all indexes that may be used.
fn candidates(scan: &Scan, is_known: &dyn Fn(&BoundExpr) -> bool) -> Vec<Candidate> {
    let indexes = scan.table.def.all_indexes().enumerate();
    let usable = indexes.filter(|(_, index)| allowed(scan, index));
    usable.filter_map(|(at, index)| candidate(scan, at, index, is_known)).collect()
}

/// The most operands of an OR that become parts of an index.
pub(super) const MOST_OPERANDS: usize = 500;

/// The ways through one index that an OR leaves: every operand, with the conditions beside the OR, bounds a part of it.
/// The OR itself stays as a condition.
fn united(scan: &Scan, is_known: &dyn Fn(&BoundExpr) -> bool) -> Vec<Candidate> {
    let mut out = Vec::new();
    for (position, condition) in scan.filter.iter().enumerate() {
        let Node::Or(operands) = &condition.node else { continue };
        if operands.len() > MOST_OPERANDS || condition.has_side_effects() || condition.has_subquery() {
            continue;
        }
        let mut trial = scan.clone();
        let mut beside = std::mem::take(&mut trial.filter);
        beside.remove(position);
        for (at, index) in scan.table.def.all_indexes().enumerate() {
            if !allowed(scan, index) {
                continue;
            }
            let mut whole: Option<IndexAccess> = None;
            let mut score = 0;
            let all = operands.iter().all(|operand| {
                trial.filter = match &operand.node {
                    Node::And(list) => list.clone(),
                    _ => vec![operand.clone()],
                };
                trial.filter.extend(beside.iter().cloned());
                let Some(found) = candidate(&trial, at, index, is_known) else { return false };
                match &mut whole {
                    None => (whole, score) = (Some(found.access), found.score),
                    Some(whole) => {
                        whole.others.push(found.access);
                        score = score.min(found.score);
                    }
                }
                true
            });
            if let Some(access) = whole.filter(|_| all) {
                let score = score.min(WHOLE - 1).saturating_sub(10);
                out.push(Candidate { access, covered: Vec::new(), score });
            }
        }
    }
    out
}

/// The best by form alone; the first of those that are as good.
fn by_score(candidates: Vec<Candidate>) -> Option<Candidate> {
    candidates.into_iter().reduce(|best, next| if next.score > best.score { next } else { best })
}

/// Reads a scan's rows by an access, and drops the conditions that it stands for.
fn take(scan: &mut Scan, candidate: Candidate) {
    let mut at = 0;
    scan.filter.retain(|_| {
        at += 1;
        !candidate.covered.contains(&(at - 1))
    });
    scan.access = Access::Index(candidate.access);
}

/// What reading a table alone costs, the cheapest way.
#[derive(Debug, Clone, Copy)]
pub struct Alone {
    /// Rows that its conditions leave.
    pub rows: f64,
    /// The cost.
    pub cost: f64,
    /// The index that is read.
    pub index: usize,
}

/// Estimates the cheapest way to a scan's rows by what is known beforehand.
pub fn alone(scan: &Scan, facts: &Facts, estimator: &mut Estimator<'_>) -> Alone {
    let whole = full_access(scan, facts);
    let share = estimator.share(scan, &scan.filter, Some(facts));
    let cost = cost::access_cost(Some(facts), &whole, facts.rows, scan.filter.len());
    let mut best = Alone { rows: facts.rows * share, cost, index: whole.index };
    let mut fewest = f64::INFINITY;
    let is_known = |e: &BoundExpr| e.is_row_free();
    for candidate in candidates(scan, &is_known).into_iter().chain(united(scan, &is_known)) {
        let (read, cost) = price(scan, &candidate, facts, estimator);
        if cost < best.cost {
            (best.cost, best.index) = (cost, candidate.access.index);
        }
        if read < fewest {
            fewest = read;
            let rest = scan.filter.iter().enumerate().filter(|(at, _)| !candidate.covered.contains(at));
            best.rows = read * estimator.share(scan, rest.map(|(_, c)| c), Some(facts));
        }
    }
    if let Some(merged) = index_merge::best(scan, &is_known, facts, estimator)
        && merged.cost < best.cost
    {
        (best.cost, best.index) = (merged.cost, 0);
    }
    best
}

/// Rows that a candidate leads to, and what reading them costs.
fn price(scan: &Scan, candidate: &Candidate, facts: &Facts, estimator: &mut Estimator<'_>) -> (f64, f64) {
    let mut access = candidate.access.clone();
    access.covering = scan.lock.is_none() && covers(&scan.table.def, access.index, &scan.columns);
    let read = estimator.rows_of_access(scan, &access, Some(facts));
    let rest = scan.filter.len().saturating_sub(candidate.covered.len());
    (read, cost::access_cost(Some(facts), &access, read, rest))
}

/// All of a table: through the index with the fewest leaves among those that hold every column.
fn full_access(scan: &Scan, facts: &Facts) -> IndexAccess {
    let mut best = IndexAccess::all(0);
    if scan.lock.is_some() {
        return best;
    }
    let mut leaves = facts.leaves_of(0);
    for (at, index) in scan.table.def.all_indexes().enumerate().skip(1) {
        // One that is hardly smaller is not worth another order of rows.
        if allowed(scan, index)
            && facts.leaves_of(at) < leaves * 0.8
            && covers(&scan.table.def, at, &scan.columns)
        {
            leaves = facts.leaves_of(at);
            best = IndexAccess { covering: true, ..IndexAccess::all(at) };
        }
    }
    best
}

/// Chooses by cost where that can matter, else by form: one row of a unique key, small tables, and part of the primary
/// tree are never worth a thought. Locking scans keep to an index, since what they read is locked.
pub fn choose_by_cost(scan: &mut Scan, estimator: &mut Estimator<'_>) {
    let is_known = |e: &BoundExpr| e.is_row_free();
    let decided = match &scan.access {
        Access::Index(current) => !current.is_all() || scan.table.statistics.is_none(),
        Access::Virtual(_) => true,
    };
    if decided {
        choose(scan, &is_known);
        return;
    }
    let mut found = candidates(scan, &is_known);
    let certain = found.iter().any(|c| c.score >= WHOLE)
        || matches!(found.as_slice(), [only] if only.access.index == 0);
    if certain {
        if let Some(best) = by_score(found) {
            take(scan, best);
        }
        return;
    }
    if scan.lock.is_none() {
        found.extend(united(scan, &is_known));
    }
    let full_is_fixed = found.is_empty() && !scan.table.def.indexes.iter().any(|_| scan.lock.is_none());
    let facts = if full_is_fixed { None } else { scan.table.facts() };
    let Some(facts) = facts.filter(|facts| facts.rows >= SMALL_TABLE) else {
        if let Some(best) = by_score(found) {
            take(scan, best);
        }
        return;
    };
    let whole = full_access(scan, &facts);
    let forced = scan.lock.is_some() || scan.hints.only.is_some();
    let mut least = match (found.is_empty(), forced) {
        (false, true) => f64::INFINITY,
        _ => cost::access_cost(Some(&facts), &whole, facts.rows, scan.filter.len()),
    };
    let mut best = None;
    for candidate in found {
        let (_, mut cost) = price(scan, &candidate, &facts, estimator);
        if !estimate::is_known(&candidate.access) {
            // The plan will be run with values that are rarer than the average: nobody asks for most rows by an index.
            cost *= UNKNOWN_VALUES;
        }
        let better = match &best {
            None => cost <= least,
            Some((score, _)) => cost < least || (cost <= least && candidate.score > *score),
        };
        if better {
            least = cost;
            best = Some((candidate.score, candidate));
        }
    }
    let unknown = |access: &IndexAccess, cost: f64| {
        if estimate::is_known(access) { cost } else { cost * UNKNOWN_VALUES }
    };
    if let Some(merged) = index_merge::best(scan, &is_known, &facts, estimator)
        && (scan.hints.merge == Some(true) || unknown(&merged.access, merged.cost) < least)
    {
        scan.access = Access::Index(merged.access);
        return;
    }
    if let Some((access, cost)) = skip_scan::best(scan, &is_known, &facts, estimator)
        && (scan.hints.skip_scan == Some(true) || unknown(&access, cost) < least)
    {
        scan.access = Access::Index(access);
        return;
    }
    match best {
        Some((_, candidate)) => take(scan, candidate),
        None => scan.access = Access::Index(whole),
    }
}

/// Whether hints and visibility let a scan use an index.
pub fn allowed(scan: &Scan, index: &IndexDef) -> bool {
    !index.columns.is_empty()
        && (index.visible || scan.hints.invisible)
        && !scan.hints.never.contains(&index.id)
        && scan.hints.only.as_ref().is_none_or(|only| only.contains(&index.id))
}

/// The column of the table that an expression is, if its values order as the index does.
fn key_column(expr: &BoundExpr, scan: &Scan) -> Option<usize> {
    let inner = match &expr.node {
        // A date compared as a date and time is still in its own order.
        Node::Coerce(inner) if expr.ty.class() == Class::DateTime && inner.ty.class() == Class::Date => inner,
        _ => expr,
    };
    let Node::Column(column) = &inner.node else { return None };
    let at = *scan.columns.get(column.index)?;
    let definition = scan.table.def.columns.get(at)?;
    match definition.ty.kind {
        TypeKind::Enum { .. }
        | TypeKind::Set { .. }
        | TypeKind::Bit { .. }
        | TypeKind::Float { .. }
        | TypeKind::Year
        | TypeKind::Json
        | TypeKind::Geometry { .. } => None,
        _ => Some(at),
    }
}

/// The value that a condition makes a column equal to.
fn equality(
    condition: &BoundExpr,
    scan: &Scan,
    column: usize,
    is_known: &dyn Fn(&BoundExpr) -> bool,
) -> Option<BoundExpr> {
    match comparison(condition, scan, column, is_known)? {
        (Comparison::Equal, value) => Some(value),
        _ => None,
    }
}

/// A condition as `column op value`.
fn comparison(
    condition: &BoundExpr,
    scan: &Scan,
    column: usize,
    is_known: &dyn Fn(&BoundExpr) -> bool,
) -> Option<(Comparison, BoundExpr)> {
    let Node::Compare { op, sides, collation } = &condition.node else { return None };
    let [a, b] = sides.as_ref();
    let (op, key, value) = if key_column(a, scan) == Some(column) && is_known(b) {
        (*op, a, b)
    } else if key_column(b, scan) == Some(column) && is_known(a) {
        (op.flipped(), b, a)
    } else {
        return None;
    };
    if key.ty.class() == Class::Text && key_collation(scan, column) != Some(*collation) {
        return None;
    }
    Some((op, value.clone()))
}

fn key_collation(scan: &Scan, column: usize) -> Option<rustydb_value::Collation> {
    scan.table.def.columns.get(column).map(|c| c.ty.collation)
}

/// What the leading part of an index is equal to by one condition.
pub fn key_equal(
    condition: &BoundExpr,
    scan: &Scan,
    column: usize,
    is_known: &dyn Fn(&BoundExpr) -> bool,
) -> Option<KeyEqual> {
    if let Some(value) = equality(condition, scan, column, is_known) {
        return Some(KeyEqual::Values(vec![value]));
    }
    match &condition.node {
        Node::In { needle, list, negated: false, collation } => {
            let fits = key_column(needle, scan) == Some(column)
                && list.iter().all(is_known)
                && (needle.ty.class() != Class::Text || key_collation(scan, column) == Some(*collation));
            if fits { Some(KeyEqual::Values(list.clone())) } else { None }
        }
        Node::Call { function, args } if function.name == "isnull" => {
            let arg = args.first()?;
            if key_column(arg, scan) == Some(column) { Some(KeyEqual::Null) } else { None }
        }
        _ => None,
    }
}

/// The pattern of a LIKE on a text column.
fn like_pattern(
    condition: &BoundExpr,
    scan: &Scan,
    column: usize,
    is_known: &dyn Fn(&BoundExpr) -> bool,
) -> Option<BoundExpr> {
    let Node::Call { function, args } = &condition.node else { return None };
    if function.name != "like" {
        return None;
    }
    let [text, pattern, escape, collation] = args.as_slice() else { return None };
    let Node::Literal(id) = &collation.node else { return None };
    let same = key_collation(scan, column).is_some_and(|c| i64::from(c.id()) == id.as_ints().at(0));
    // Another escape character than the usual one is left to the filter.
    let usual = matches!(&escape.node, Node::Literal(v) if v.bytes(0) == b"\\");
    // A pattern that is known to begin with a wildcard bounds nothing; an unknown one may.
    if let Node::Literal(v) = &pattern.node
        && (v.is_null(0) || matches!(v.bytes(0).first(), None | Some(b'%' | b'_')))
    {
        return None;
    }
    let plain = key_column(text, scan) == Some(column) && text.ty.class() == Class::Text;
    if plain && same && usual && is_known(pattern) && pattern.ty.class() == Class::Text {
        Some(pattern.clone())
    } else {
        None
    }
}

/// The way through one index that the conditions of a scan allow.
pub(super) fn candidate(
    scan: &Scan,
    at: usize,
    index: &IndexDef,
    is_known: &dyn Fn(&BoundExpr) -> bool,
) -> Option<Candidate> {
    let mut access = IndexAccess::all(at);
    let mut covered = Vec::new();
    let mut multiple = false;
    let mut combinations = 1usize;
    for part in &index.columns {
        // A key of the first characters only does not tell equal values.
        if part.prefix.is_some() {
            break;
        }
        let found = scan.filter.iter().enumerate().find_map(|(position, condition)| {
            key_equal(condition, scan, part.column, is_known).map(|equal| (position, equal))
        });
        let found = found.filter(|(_, equal)| {
            let several = matches!(equal, KeyEqual::Values(values) if values.len() > 1);
            !(several && scan.hints.no_range.contains(&index.id))
        });
        if let Some((position, equal)) = found {
            combinations = combinations.saturating_mul(match &equal {
                KeyEqual::Values(values) => values.len(),
                KeyEqual::Null => 1,
            });
            if combinations > MAX_COMBINATIONS {
                break;
            }
            multiple |= matches!(&equal, KeyEqual::Values(values) if values.len() > 1);
            access.equals.push(equal);
            covered.push(position);
            continue;
        }
        if scan.hints.no_range.contains(&index.id) {
            break;
        }
        let (mut low, mut high) = (None, None);
        for (position, condition) in scan.filter.iter().enumerate() {
            match comparison(condition, scan, part.column, is_known) {
                Some((op @ (Comparison::Greater | Comparison::GreaterEqual), value)) if low.is_none() => {
                    low = Some((value, op == Comparison::GreaterEqual));
                    covered.push(position);
                }
                Some((op @ (Comparison::Less | Comparison::LessEqual), value)) if high.is_none() => {
                    high = Some((value, op == Comparison::LessEqual));
                    covered.push(position);
                }
                _ => {}
            }
        }
        if low.is_some() || high.is_some() {
            access.range = Some(KeyBounds::Range { low, high });
        } else if !part.descending {
            // A pattern's beginning bounds the range but does not replace the condition.
            access.range = scan
                .filter
                .iter()
                .find_map(|condition| like_pattern(condition, scan, part.column, is_known))
                .map(KeyBounds::Prefix);
        }
        break;
    }
    if access.equals.is_empty() && access.range.is_none() {
        return None;
    }
    let whole = index.unique && access.equals.len() == index.columns.len();
    let mut score = if whole { 10_000 } else { 0 };
    score += 100 * access.equals.len() as u32;
    score += match &access.range {
        Some(KeyBounds::Range { low: Some(_), high: Some(_) }) => 50,
        Some(KeyBounds::Range { .. }) => 30,
        Some(KeyBounds::Prefix(_)) => 40,
        None => 0,
    };
    score += if at == 0 { 20 } else { 0 };
    score -= u32::from(multiple && score > 0);
    Some(Candidate { access, covered, score })
}
