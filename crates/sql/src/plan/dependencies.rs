//! Functional dependencies: which columns of a plan's rows are fixed by which others.
//!
//! ONLY_FULL_GROUP_BY allows a column that GROUP BY does not name if the names it does decide it: through a
//! primary or unique key of columns that are not NULL, through an equality in WHERE or ON, or because it is
//! constant. What a derived table computes carries the dependencies of what it reads.

use super::{Join, JoinKind, Plan, Scan};
use crate::context::TableRows;
use crate::expr::{BoundExpr, Comparison, Node};

/// Columns that fix other columns.
#[derive(Debug, Clone)]
pub struct Dependency {
    /// These, all together; none if the others are constant.
    pub from: Vec<usize>,
    /// What they fix.
    pub to: Vec<usize>,
}

impl Dependency {
    fn moved(&self, map: &dyn Fn(usize) -> Option<usize>) -> Option<Dependency> {
        let from: Option<Vec<usize>> = self.from.iter().map(|c| map(*c)).collect();
        let to: Vec<usize> = self.to.iter().filter_map(|c| map(*c)).collect();
        Some(Dependency { from: from?, to })
    }
}

/// Everything that some columns fix.
pub fn closure(start: &[usize], dependencies: &[Dependency]) -> Vec<usize> {
    let mut fixed = start.to_vec();
    loop {
        let before = fixed.len();
        for dependency in dependencies {
            if dependency.from.iter().all(|c| fixed.contains(c)) {
                for column in &dependency.to {
                    if !fixed.contains(column) {
                        fixed.push(*column);
                    }
                }
            }
        }
        if fixed.len() == before {
            return fixed;
        }
    }
}

/// The dependencies among the columns of a plan.
pub fn dependencies(plan: &Plan) -> Vec<Dependency> {
    match plan {
        Plan::Dual | Plan::Values(_) | Plan::SetOperation(_) | Plan::Work { .. } => Vec::new(),
        Plan::Scan(scan) => of_scan(scan),
        Plan::Derived(plan) => plan.dependencies.clone(),
        Plan::Shared(table) if table.recursion.is_some() => Vec::new(),
        Plan::Shared(table) => table.plan.dependencies.clone(),
        Plan::Join(join) => of_join(join),
        Plan::Filter { input, predicates } => {
            let mut out = dependencies(input);
            for predicate in predicates {
                out.extend(of_condition(predicate));
            }
            out
        }
        Plan::Windows(windows) => dependencies(&windows.input),
        Plan::Distinct { input, .. }
        | Plan::Sort { input, .. }
        | Plan::Limit { input, .. }
        | Plan::Counted { input, .. } => dependencies(input),
        Plan::Narrow { input, width } => {
            let kept = |c: usize| if c < *width { Some(c) } else { None };
            dependencies(input).iter().filter_map(|d| d.moved(&kept)).collect()
        }
        Plan::Aggregate(aggregate) => {
            if aggregate.rollup {
                return Vec::new();
            }
            vec![Dependency {
                from: (0..aggregate.keys.len()).collect(),
                to: (0..aggregate.width()).collect(),
            }]
        }
        Plan::Project { input, exprs } => of_project(&dependencies(input), exprs),
    }
}

fn of_scan(scan: &Scan) -> Vec<Dependency> {
    if !matches!(scan.table.rows, TableRows::Stored) {
        return Vec::new();
    }
    let def = &scan.table.def;
    let place = |column: usize| scan.columns.iter().position(|c| *c == column);
    let mut out = Vec::new();
    for (at, index) in def.all_indexes().enumerate() {
        let whole = index.columns.iter().all(|c| {
            let solid = at == 0 || def.columns.get(c.column).is_some_and(|d| !d.nullable);
            solid && c.prefix.is_none()
        });
        if !index.unique && at != 0 || !whole || index.columns.is_empty() {
            continue;
        }
        let from: Option<Vec<usize>> = index.columns.iter().map(|c| place(c.column)).collect();
        if let Some(from) = from {
            out.push(Dependency { from, to: (0..scan.columns.len()).collect() });
        }
    }
    for condition in &scan.filter {
        out.extend(of_condition(condition));
    }
    out
}

fn of_join(join: &Join) -> Vec<Dependency> {
    let width = join.left_width;
    let mut out = dependencies(&join.left);
    if !join.kind.gives_right() {
        return out;
    }
    let outer = join.kind == JoinKind::Left;
    let shifted = |c: usize| Some(c + width);
    out.extend(dependencies(&join.right).iter().filter_map(|d| {
        // What is constant in the rows of an outer join's right side is not so beside the NULLs.
        if outer && d.from.is_empty() { None } else { d.moved(&shifted) }
    }));
    if !outer {
        for condition in &join.on {
            out.extend(of_condition(condition));
        }
        return out;
    }
    // The columns of the left that ON reads decide whether there is a match, and so what it is equal to.
    let mut read = Vec::new();
    join.on.iter().for_each(|condition| condition.columns(&mut read));
    let from: Vec<usize> = read.into_iter().filter(|c| *c < width).collect();
    for condition in &join.on {
        for dependency in of_condition(condition) {
            let to: Vec<usize> = dependency.to.iter().copied().filter(|c| *c >= width).collect();
            if !to.is_empty() && dependency.from.iter().all(|c| *c < width) {
                out.push(Dependency { from: from.clone(), to });
            }
        }
    }
    out
}

fn of_project(input: &[Dependency], exprs: &[BoundExpr]) -> Vec<Dependency> {
    let place =
        |column: usize| exprs.iter().position(|e| matches!(&e.node, Node::Column(c) if c.index == column));
    let mut out = Vec::new();
    let mut reads = Vec::with_capacity(exprs.len());
    for expr in exprs {
        let mut columns = Vec::new();
        expr.columns(&mut columns);
        let steady = !expr.any(&mut |e| match &e.node {
            Node::Call { function, .. } => function.volatile,
            Node::Assign { .. } | Node::Subquery { .. } => true,
            _ => false,
        });
        reads.push((columns, steady));
    }
    for dependency in input {
        let from: Option<Vec<usize>> = dependency.from.iter().map(|c| place(*c)).collect();
        let Some(from) = from else { continue };
        let fixed = closure(&dependency.from, input);
        let to = reads
            .iter()
            .enumerate()
            .filter(|(_, (columns, steady))| *steady && columns.iter().all(|c| fixed.contains(c)))
            .map(|(at, _)| at)
            .collect();
        out.push(Dependency { from, to });
    }
    // Expressions over columns that are shown too.
    for (at, (columns, steady)) in reads.iter().enumerate() {
        let from: Option<Vec<usize>> = columns.iter().map(|c| place(*c)).collect();
        if let (Some(from), true) = (from, *steady) {
            out.push(Dependency { from, to: vec![at] });
        }
    }
    out
}

/// What an equality that holds for all rows fixes.
fn of_condition(condition: &BoundExpr) -> Vec<Dependency> {
    let Node::Compare { op: Comparison::Equal, sides, .. } = &condition.node else { return Vec::new() };
    let [a, b] = sides.as_ref();
    match (&a.node, &b.node) {
        (Node::Column(x), Node::Column(y)) => vec![
            Dependency { from: vec![x.index], to: vec![y.index] },
            Dependency { from: vec![y.index], to: vec![x.index] },
        ],
        (Node::Column(x), _) if b.is_row_free() => vec![Dependency { from: Vec::new(), to: vec![x.index] }],
        (_, Node::Column(y)) if a.is_row_free() => vec![Dependency { from: Vec::new(), to: vec![y.index] }],
        (Node::Column(x), _) => computed(b, x.index),
        (_, Node::Column(y)) => computed(a, y.index),
        _ => Vec::new(),
    }
}

fn computed(expr: &BoundExpr, column: usize) -> Vec<Dependency> {
    if expr.any(&mut |e| matches!(&e.node, Node::Call { function, .. } if function.volatile)) {
        return Vec::new();
    }
    let mut from = Vec::new();
    expr.columns(&mut from);
    vec![Dependency { from, to: vec![column] }]
}
