//! Chooses the index of a scan and the part of it that its conditions leave.
//!
//! For every index the leading columns are matched with equalities (`=`, IN, IS NULL) and the next one with
//! bounds (`<`, BETWEEN, LIKE with a fixed beginning). Without statistics the order of preference is: all
//! columns of a unique index equal; more equal columns; bounds on both sides; one bound; the primary index
//! before others. Conditions that the chosen part expresses exactly are dropped from the scan's filter.
//!
//! The values of bounds are only known when the plan runs; [`crate::exec::key_range`] turns them into keys.

use rustydb_catalog::IndexDef;
use rustydb_value::TypeKind;

use crate::context::TableRows;
use crate::expr::types::Class;
use crate::expr::{BoundExpr, Comparison, Node};
use crate::plan::{Access, IndexAccess, KeyBounds, KeyEqual, Plan, Scan, VirtualAccess};

/// Chooses for every scan of a plan.
pub fn choose_access_paths(plan: &mut Plan) {
    if let Plan::Scan(scan) = plan {
        choose(scan, &|e| e.is_row_free());
    }
    plan.each_input_mut(&mut choose_access_paths);
}

/// The most combinations of IN lists over the columns of an index that are looked up one by one.
const MAX_COMBINATIONS: usize = 16_384;

/// A way to use an index, and how good it is.
struct Candidate {
    access: IndexAccess,
    /// Positions in the scan's filter that the access expresses exactly.
    covered: Vec<usize>,
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
    if !current.equals.is_empty() || current.range.is_some() {
        return true;
    }
    let mut best: Option<Candidate> = None;
    for (at, index) in scan.table.def.all_indexes().enumerate() {
        if !allowed(scan, at, index) {
            continue;
        }
        if let Some(candidate) = candidate(scan, at, index, is_known)
            && best.as_ref().is_none_or(|b| candidate.score > b.score)
        {
            best = Some(candidate);
        }
    }
    let Some(best) = best else { return false };
    let mut at = 0;
    scan.filter.retain(|_| {
        at += 1;
        !best.covered.contains(&(at - 1))
    });
    scan.access = Access::Index(best.access);
    true
}

/// Whether hints and visibility let a scan use an index.
pub fn allowed(scan: &Scan, at: usize, index: &IndexDef) -> bool {
    if at == 0 {
        return !index.columns.is_empty();
    }
    index.visible
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
fn key_equal(
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

fn candidate(
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
