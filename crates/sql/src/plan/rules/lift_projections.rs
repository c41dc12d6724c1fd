//! Takes the seams out of merged views: expressions move up, so that what is below them is tables, joins and
//! conditions again.
//!
//! ```text
//! Filter(Project(x))       -> Project(Filter(x))      the condition over what the projection computed
//! Project(Project(x))      -> Project(x)
//! Join(Project(x), y)      -> Project(Join(x, y))     on the inner side of an outer join only plain columns,
//! Join(x, Project(y))      -> Project(Join(x, y))     which are NULL where the row is missing
//! Aggregate(Project(x))    -> Aggregate(x)
//! ```
//!
//! Only projections of expressions that may be evaluated in another place and number are lifted: none with side
//! effects, none that differ from call to call, none with a subquery.

use crate::expr::types::ExprType;
use crate::expr::{BoundExpr, Node};
use crate::plan::{JoinKind, Plan, Scan};

/// Lifts the projections of a plan as far up as they go.
pub fn lift(plan: &mut Plan) {
    plan.each_input_mut(&mut lift);
    match plan {
        Plan::Filter { input, predicates } => {
            if let Some((inner, exprs)) = taken(input, false) {
                predicates.iter_mut().for_each(|p| substitute(p, &exprs));
                let predicates = std::mem::take(predicates);
                let input = Box::new(Plan::Filter { input: Box::new(inner), predicates });
                *plan = Plan::Project { input, exprs };
            }
        }
        Plan::Project { input, exprs } => {
            if let Some((inner, below)) = taken(input, false) {
                exprs.iter_mut().for_each(|e| substitute(e, &below));
                **input = inner;
            }
        }
        Plan::Aggregate(node) => {
            if let Some((inner, below)) = taken(&mut node.input, false) {
                node.keys.iter_mut().for_each(|e| substitute(e, &below));
                node.calls.iter_mut().flat_map(|c| &mut c.args).for_each(|e| substitute(e, &below));
                node.input = inner;
            }
        }
        Plan::Join(_) => lift_through_join(plan),
        _ => {}
    }
}

fn lift_through_join(plan: &mut Plan) {
    let Plan::Join(join) = plan else { return };
    if join.lookup || !join.keys.is_empty() {
        return;
    }
    let right_types = join.right_types.clone();
    let known = |plan: &Plan| types(plan);
    let left_liftable = matches!(&join.left, Plan::Project { input, .. } if known(input).is_some());
    let right_liftable = matches!(&join.right, Plan::Project { input, .. } if known(input).is_some());
    let left = if left_liftable { taken(&mut join.left, false) } else { None };
    let outer = join.kind == JoinKind::Left;
    let right = if right_liftable { taken(&mut join.right, outer) } else { None };
    if left.is_none() && right.is_none() {
        return;
    }
    let old_left = join.left_width;
    // What the join's columns are above it, over its new columns.
    let mut above: Vec<BoundExpr> = Vec::with_capacity(old_left + right_types.len());
    let new_left = match left {
        Some((inner, exprs)) => {
            let width = inner.width();
            join.left = inner;
            above.extend(exprs);
            width
        }
        None => {
            let types = known(&join.left);
            for at in 0..old_left {
                let ty = types.as_ref().and_then(|t| t.get(at)).cloned();
                above.push(BoundExpr::column(at, "", ty.unwrap_or_else(ExprType::null)));
            }
            old_left
        }
    };
    match right {
        Some((inner, exprs)) => {
            join.right_types = known(&inner).unwrap_or_default();
            join.right = inner;
            above.extend(exprs.into_iter().map(|mut expr| {
                expr.remap(&|at| at + new_left);
                expr.ty.nullable |= outer;
                expr
            }));
        }
        None => {
            for (at, ty) in right_types.iter().enumerate() {
                let mut column = BoundExpr::column(new_left + at, "", ty.clone());
                column.ty.nullable |= outer;
                above.push(column);
            }
        }
    }
    join.left_width = new_left;
    join.on.iter_mut().for_each(|condition| substitute(condition, &above));
    join.lateral.iter_mut().flatten().for_each(|capture| substitute(capture, &above));
    for key in &mut join.not_in {
        substitute(&mut key.left, &above);
        key.right.remap(&|at| at + old_left);
        substitute(&mut key.right, &above);
        key.right.remap(&|at| at - new_left);
    }
    if !join.kind.gives_right() {
        above.truncate(old_left);
    }
    let input = Box::new(std::mem::replace(plan, Plan::Dual));
    *plan = Plan::Project { input, exprs: above };
}

/// The input and expressions of a projection that may be lifted; `plain` takes only columns.
fn taken(plan: &mut Plan, plain: bool) -> Option<(Plan, Vec<BoundExpr>)> {
    let Plan::Project { input, exprs } = plan else { return None };
    let movable = |expr: &BoundExpr| {
        if plain {
            return matches!(expr.node, Node::Column(_));
        }
        !expr.any(&mut |e| match &e.node {
            Node::Assign { .. } | Node::Subquery { .. } | Node::Aggregate(_) => true,
            Node::Call { function, .. } => function.volatile,
            _ => false,
        })
    };
    if !exprs.iter().all(movable) {
        return None;
    }
    let inner = std::mem::replace(input.as_mut(), Plan::Dual);
    Some((inner, std::mem::take(exprs)))
}

/// Puts the expressions below in place of the columns that they were.
pub(super) fn substitute(expr: &mut BoundExpr, below: &[BoundExpr]) {
    if let Node::Column(column) = &expr.node {
        if let Some(source) = below.get(column.index) {
            let (name, nullable) = (column.name.clone(), expr.ty.nullable);
            let mut replaced = source.clone();
            if let Node::Column(inner) = &mut replaced.node
                && inner.name.is_empty()
            {
                inner.name = name;
            }
            replaced.ty.nullable |= nullable;
            // What is wider above (an outer join) must not narrow what the class of the column is.
            if replaced.ty.class() == expr.ty.class() {
                *expr = replaced;
            } else {
                *expr = BoundExpr { node: replaced.node, ty: expr.ty.clone() };
            }
        }
        return;
    }
    expr.for_children_mut(&mut |child| substitute(child, below));
}

/// The types of a plan's columns, where they can be told.
pub(super) fn types(plan: &Plan) -> Option<Vec<ExprType>> {
    Some(match plan {
        Plan::Dual => Vec::new(),
        Plan::Scan(scan) => scan_types(scan),
        Plan::Derived(plan) => plan.types().to_vec(),
        Plan::Join(join) => {
            let mut all = types(&join.left)?;
            if !join.kind.gives_right() {
                return Some(all);
            }
            let right = join.right_types.iter().cloned();
            all.extend(right.map(|ty| {
                let nullable = ty.nullable || join.kind == JoinKind::Left;
                ty.with_nullable(nullable)
            }));
            all
        }
        Plan::Filter { input, .. } | Plan::Sort { input, .. } | Plan::Limit { input, .. } => types(input)?,
        Plan::Project { exprs, .. } => exprs.iter().map(|e| e.ty.clone()).collect(),
        Plan::Distinct { types, .. } => types.clone(),
        Plan::Narrow { input, width } => types(input)?.into_iter().take(*width).collect(),
        Plan::Aggregate(node) => {
            // A level stands between the keys and the aggregates, and keys that are rolled up are NULL.
            if node.rollup {
                return None;
            }
            let keys = node.keys.iter().map(|k| k.ty.clone());
            keys.chain(node.calls.iter().map(|c| c.ty.clone())).collect()
        }
        Plan::SetOperation(operation) => operation.types.clone(),
        Plan::Shared(table) => table.plan.types().to_vec(),
        Plan::Windows(node) => {
            let mut all = types(&node.input)?;
            all.extend(node.calls.iter().map(|call| call.ty.clone()));
            all
        }
        Plan::Values(rows) => {
            let mut all: Vec<ExprType> = rows.first()?.iter().map(|cell| cell.ty.clone()).collect();
            for row in rows {
                for (ty, cell) in all.iter_mut().zip(row) {
                    ty.nullable |= cell.ty.nullable;
                }
            }
            all
        }
        Plan::Counted { input, .. } => types(input)?,
        Plan::Work { .. } => return None,
    })
}

fn scan_types(scan: &Scan) -> Vec<ExprType> {
    scan.columns.iter().map(|at| crate::exec::scan::type_of(&scan.table.def, *at)).collect()
}
