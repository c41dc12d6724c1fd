//! The way to the rows of one table, in MySQL's words.

use rustydb_catalog::{IndexDef, TableDef};
use rustydb_value::TypeKind;

use crate::expr::{BoundExpr, Node};
use crate::plan::{Access, IndexAccess, IndexMerge, KeyBounds, KeyEqual, Scan};

/// What EXPLAIN tells of an access.
#[derive(Debug, Clone, Default)]
pub struct Way {
    /// `const`, `eq_ref`, `ref`, `range`, `index` or `ALL`.
    pub kind: &'static str,
    /// The index that is used.
    pub key: Option<String>,
    /// The columns of it that are.
    pub key_parts: Vec<String>,
    /// The bytes of those.
    pub key_length: usize,
    /// What they are equal to: `const`, a column, or `func`.
    pub references: Vec<String>,
    /// Everything comes from the index.
    pub covering: bool,
    /// Conditions on the index, in the words of FORMAT=TREE.
    pub ranges: Vec<String>,
    /// Equalities, likewise.
    pub lookups: Vec<String>,
    /// `index_merge`: how, and the parts.
    pub merged: Option<(&'static str, Vec<Way>)>,
    /// What the index is used for beside holding everything: `group-by` or `skip scan`.
    pub steps: Option<&'static str>,
}

/// The index that an access goes through.
pub fn index_of(scan: &Scan, at: usize) -> Option<&IndexDef> {
    scan.table.def.all_indexes().nth(at)
}

/// What is told of a scan; `lookup` says that it is opened for each row of another table.
pub fn way(scan: &Scan, lookup: bool, ids: &[usize]) -> Way {
    let Access::Index(access) = &scan.access else { return Way { kind: "ALL", ..Way::default() } };
    let Some(index) = index_of(scan, access.index) else { return Way { kind: "ALL", ..Way::default() } };
    if let Some(merge) = &access.merge {
        return merged(scan, merge, ids);
    }
    let mut way = Way { covering: access.covering, ..Way::default() };
    if access.is_all() {
        // The rows are in the primary index: reading all of that is reading the table.
        let whole = access.index == 0;
        way.kind = if whole && !ordered(scan) { "ALL" } else { "index" };
        if way.kind == "index" {
            way.key = Some(index.name.clone());
            let parts = index.columns.iter().filter_map(|part| scan.table.def.columns.get(part.column));
            way.key_length = parts.map(|column| length(column, None)).sum();
        }
        return way;
    }
    let def = &scan.table.def;
    way.key = Some(index.name.clone());
    let several = access.equals.iter().any(|e| matches!(e, KeyEqual::Values(values) if values.len() > 1));
    let whole = index.unique || access.index == 0;
    let single = whole && access.equals.len() == index.columns.len() && access.range.is_none() && !several;
    let nulls = access.equals.iter().any(|e| matches!(e, KeyEqual::Null));
    let stepped = access.groups.map_or(access.skip, |groups| {
        (groups.columns + usize::from(groups.least || groups.greatest)).saturating_sub(access.equals.len())
    });
    way.steps = match (access.groups, access.skip) {
        (Some(_), _) => Some("group-by"),
        (None, 0) => None,
        _ => Some("skip scan"),
    };
    let ranges = several || access.range.is_some() || !access.others.is_empty() || way.steps.is_some();
    way.kind = match (ranges, single && !nulls) {
        (true, _) => "range",
        (false, true) if lookup => "eq_ref",
        (false, true) => "const",
        (false, false) => "ref",
    };
    let bounded = usize::from(access.range.is_some());
    let used = match access.groups {
        Some(_) => access.equals.len() + stepped.max(bounded),
        None => access.equals.len() + stepped + bounded,
    };
    for part in index.columns.iter().take(used) {
        if let Some(column) = def.columns.get(part.column) {
            way.key_parts.push(column.name.clone());
            way.key_length += length(column, part.prefix.map(|chars| chars as usize));
        }
    }
    if !access.equals.is_empty() || access.range.is_some() {
        describe(&mut way, scan, access, index, ids);
    }
    access.others.iter().for_each(|other| describe(&mut way, scan, other, index, ids));
    if way.kind == "range" {
        way.references.clear();
    }
    way
}

/// What is told of an index merge.
fn merged(scan: &Scan, merge: &IndexMerge, ids: &[usize]) -> Way {
    let mut part = scan.clone();
    let ways: Vec<Way> = merge
        .parts
        .iter()
        .map(|access| {
            part.access = Access::Index(access.clone());
            way(&part, false, ids)
        })
        .collect();
    let in_order = merge.parts.iter().all(|access| crate::plan::rules::index_merge::is_whole(scan, access));
    let word = match (merge.intersects, in_order) {
        (true, _) => "intersect",
        (false, true) => "union",
        (false, false) => "sort_union",
    };
    let keys: Vec<&str> = ways.iter().filter_map(|way| way.key.as_deref()).collect();
    Way { kind: "index_merge", key: Some(keys.join(",")), merged: Some((word, ways)), ..Way::default() }
}

impl Way {
    /// The bytes of what is used of each index.
    pub fn key_lengths(&self) -> String {
        match &self.merged {
            Some((_, parts)) => parts.iter().map(Way::key_lengths).collect::<Vec<_>>().join(","),
            None if self.key_length > 0 => self.key_length.to_string(),
            None => String::new(),
        }
    }
}

/// Whether a table is read by its primary key for the order's sake: only then is that an index scan.
fn ordered(scan: &Scan) -> bool {
    scan.reverse
}

fn describe(way: &mut Way, scan: &Scan, access: &IndexAccess, index: &IndexDef, ids: &[usize]) {
    let def = &scan.table.def;
    let name = |at: usize| column_name(def, index, at);
    let text = |expr: &BoundExpr| super::text::short(&expr.to_string(), ids);
    let mut fixed = Vec::new();
    let mut alternatives: Vec<String> = Vec::new();
    for (at, equal) in access.equals.iter().enumerate() {
        match equal {
            KeyEqual::Null => {
                way.references.push("const".to_owned());
                way.lookups.push(format!("{} = NULL", name(at)));
                fixed.push(format!("{} = NULL", name(at)));
            }
            KeyEqual::Values(values) => {
                if let [value] = values.as_slice() {
                    way.references.push(reference(value));
                    way.lookups.push(format!("{} = {}", name(at), text(value)));
                    fixed.push(format!("{} = {}", name(at), text(value)));
                } else {
                    alternatives =
                        values.iter().map(|value| format!("{} = {}", name(at), text(value))).collect();
                }
            }
        }
    }
    let next = name(access.equals.len() + access.skip);
    let range = match &access.range {
        Some(KeyBounds::Range { low, high }) => {
            let low = low.as_ref().map(|(e, included)| format!("{} {} ", text(e), sign(*included)));
            let high = high.as_ref().map(|(e, included)| format!(" {} {}", sign(*included), text(e)));
            match (low, high) {
                (None, None) => Some(format!("NULL < {next}")),
                (low, high) => Some(format!("{}{next}{}", low.unwrap_or_default(), high.unwrap_or_default())),
            }
        }
        Some(KeyBounds::Prefix(pattern)) => Some(format!("{next} like {}", text(pattern))),
        None => None,
    };
    let tail: Vec<String> = fixed.iter().cloned().chain(range).collect();
    if access.skip > 0 {
        way.ranges.push(tail.join(" AND "));
    } else if alternatives.is_empty() {
        way.ranges.push(format!("({})", tail.join(" AND ")));
    }
    for alternative in alternatives {
        let all: Vec<String> = std::iter::once(alternative).chain(tail.iter().cloned()).collect();
        way.ranges.push(format!("({})", all.join(" AND ")));
    }
}

fn sign(included: bool) -> &'static str {
    if included { "<=" } else { "<" }
}

fn column_name(def: &TableDef, index: &IndexDef, at: usize) -> String {
    let column = index.columns.get(at).and_then(|part| def.columns.get(part.column));
    column.map_or_else(String::new, |column| column.name.clone())
}

/// What a key is compared with: a constant, a column of another table, or what is computed from some.
fn reference(value: &BoundExpr) -> String {
    let mut inner = value;
    while let Node::Coerce(next) = &inner.node {
        inner = next;
    }
    match &inner.node {
        Node::Column(column) | Node::Outer(column) => column.name.replace('`', ""),
        _ if value
            .any(&mut |e| matches!(e.node, Node::Column(_) | Node::Outer(_) | Node::Subquery { .. })) =>
        {
            "func".to_owned()
        }
        _ => "const".to_owned(),
    }
}

/// The bytes that MySQL keeps a column of a key in; one more for NULL, two for the length of a text.
fn length(column: &rustydb_catalog::ColumnDef, prefix: Option<usize>) -> usize {
    let null = usize::from(column.nullable);
    let widest = column.ty.collation.charset().max_bytes_per_char() as usize;
    let bytes = match &column.ty.kind {
        TypeKind::TinyInt { .. } | TypeKind::Year => 1,
        TypeKind::SmallInt { .. } => 2,
        TypeKind::MediumInt { .. } | TypeKind::Date => 3,
        TypeKind::Int { .. } | TypeKind::Float { .. } => 4,
        TypeKind::BigInt { .. } | TypeKind::Double { .. } => 8,
        TypeKind::Decimal { precision, scale, .. } => decimal_bytes(u32::from(*precision), u32::from(*scale)),
        TypeKind::DateTime { fsp } => 5 + usize::from(*fsp).div_ceil(2),
        TypeKind::Timestamp { fsp } => 4 + usize::from(*fsp).div_ceil(2),
        TypeKind::Time { fsp } => 3 + usize::from(*fsp).div_ceil(2),
        TypeKind::Bit { width } => usize::from(*width).div_ceil(8),
        TypeKind::Enum { members } => {
            if members.len() > 255 {
                2
            } else {
                1
            }
        }
        TypeKind::Set { members } => set_bytes(members.len()),
        TypeKind::Char { len } => prefix.unwrap_or(*len as usize) * widest,
        TypeKind::VarChar { len } => prefix.unwrap_or(*len as usize) * widest + 2,
        TypeKind::Binary { len } => prefix.unwrap_or(*len as usize),
        TypeKind::VarBinary { len } => prefix.unwrap_or(*len as usize) + 2,
        _ => prefix.unwrap_or(0) * widest + 2,
    };
    bytes + null
}

fn set_bytes(members: usize) -> usize {
    match members.div_ceil(8) {
        bytes @ 0..=4 => bytes.max(1),
        _ => 8,
    }
}

fn decimal_bytes(precision: u32, scale: u32) -> usize {
    const BYTES: [u32; 10] = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];
    let part = |digits: u32| digits / 9 * 4 + BYTES.get((digits % 9) as usize).copied().unwrap_or(4);
    (part(precision.saturating_sub(scale)) + part(scale)) as usize
}

/// The indexes whose first column a condition speaks of, in order.
pub fn possible_keys(scan: &Scan, others: &[usize]) -> Vec<String> {
    let def = &scan.table.def;
    let mut read: Vec<usize> = others.to_vec();
    for condition in &scan.filter {
        constrained(condition, scan, &mut read);
    }
    if let Access::Index(access) = &scan.access
        && let Some(index) = index_of(scan, access.index)
    {
        let used = access.equals.len() + usize::from(access.range.is_some());
        read.extend(index.columns.iter().take(used).map(|part| part.column));
        if access.skip > 0 || access.groups.is_some() {
            read.extend(index.columns.first().map(|part| part.column));
        }
        for part in access.merge.iter().flat_map(|merge| &merge.parts) {
            let index = index_of(scan, part.index);
            read.extend(index.and_then(|index| index.columns.first()).map(|part| part.column));
        }
    }
    let mut out = Vec::new();
    for index in def.all_indexes() {
        let allowed = crate::plan::rules::access_path::allowed(scan, index);
        if allowed && index.columns.first().is_some_and(|part| read.contains(&part.column)) {
            out.push(index.name.clone());
        }
    }
    out
}

/// The columns of the table that a condition compares with something.
fn constrained(condition: &BoundExpr, scan: &Scan, out: &mut Vec<usize>) {
    let mut take = |expr: &BoundExpr| {
        let mut inner = expr;
        while let Node::Coerce(next) = &inner.node {
            inner = next;
        }
        if let Node::Column(column) = &inner.node
            && let Some(at) = scan.columns.get(column.index)
        {
            out.push(*at);
        }
    };
    match &condition.node {
        Node::Compare { sides, .. } => sides.iter().for_each(take),
        Node::In { needle, negated: false, .. } => take(needle),
        Node::Call { function, args } if matches!(function.name, "isnull" | "like") => {
            args.iter().take(1).for_each(take);
        }
        Node::And(list) => list.iter().for_each(|part| constrained(part, scan, out)),
        _ => {}
    }
}

/// Rows that a scan reads each time it is opened, and how many of them it gives.
pub fn rows(scan: &Scan) -> Option<(f64, f64)> {
    if way(scan, false, &[]).kind == "const" {
        return Some((1.0, 1.0));
    }
    let estimate = scan.estimate?;
    let read = estimate.read.max(1.0).round();
    let share = if estimate.read > 0.0 { (estimate.given / estimate.read).min(1.0) } else { 1.0 };
    Some((read, read * share))
}

/// Rows and cost of a plan.
pub fn estimate(plan: &crate::plan::Plan) -> Option<(f64, f64)> {
    let mut annotated = false;
    plan.each_scan(&mut |scan| annotated |= scan.estimate.is_some());
    let estimate = plan.estimate();
    annotated.then(|| (estimate.rows.max(1.0).round(), estimate.cost))
}
