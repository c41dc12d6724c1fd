//! What is said of a column holds for the columns that are equal to it: `a = b AND b > 5` adds `a > 5`.
//!
//! Equalities are collected over a filter and the inner joins below it. A condition is carried over to another column
//! only if it compares the bare column with values that the row does not change, and both columns are of one type and
//! one collation: `'1' = 1` equals no more than what a number makes of a text.

use crate::expr::types::Class;
use crate::expr::{BoundExpr, Comparison, ExprType, Node};
use crate::plan::{JoinKind, Plan};
use rustydb_value::Collation;

/// Adds conditions to the filters and joins of a block.
pub fn infer(plan: &mut Plan) {
    infer_inner(plan);
    attach(plan, &[]);
}

/// Carries what is known of the rows on the left of an outer, semi or anti join over to its right side: a row there
/// for which it does not hold matches none of them.
fn attach(plan: &mut Plan, known: &[(usize, BoundExpr)]) {
    match plan {
        Plan::Filter { input, predicates } => {
            let mut here = Known { equal: Vec::new(), single: known.to_vec() };
            predicates.iter().for_each(|p| here.learn(p, 0));
            attach(input, &here.single);
        }
        Plan::Join(join) if join.lateral.is_none() => {
            let width = join.left_width;
            let mut here = Known::default();
            here.single.extend(known.iter().filter(|(at, _)| *at < width).cloned());
            if join.kind == JoinKind::Inner {
                join.on.iter().for_each(|c| here.learn(c, 0));
                let of_right: Vec<(usize, BoundExpr)> = known
                    .iter()
                    .chain(&here.single)
                    .filter(|(at, _)| *at >= width)
                    .map(|(at, condition)| {
                        let mut condition = condition.clone();
                        condition.remap(&|at| at - width);
                        (at - width, condition)
                    })
                    .collect();
                here.single.retain(|(at, _)| *at < width);
                attach(&mut join.right, &of_right);
            } else {
                let mut all = Known { equal: Vec::new(), single: here.single.clone() };
                all.collect(&join.left, 0);
                let mut on = Known::default();
                join.on.iter().for_each(|c| on.learn(c, 0));
                all.equal.extend(on.equal);
                let added = all.inferred().into_iter().filter(|condition| {
                    let mut columns = Vec::new();
                    condition.columns(&mut columns);
                    columns.iter().all(|at| *at >= width)
                        && !join.on.iter().any(|known| known.same(condition))
                });
                let added: Vec<BoundExpr> = added.collect();
                join.on.extend(added);
                attach(&mut join.right, &[]);
            }
            attach(&mut join.left, &here.single);
        }
        other => other.each_input_mut(&mut |input| attach(input, &[])),
    }
}

fn infer_inner(plan: &mut Plan) {
    match plan {
        Plan::Filter { input, predicates } => {
            let mut known = Known::default();
            predicates.iter().for_each(|p| known.learn(p, 0));
            known.collect(input, 0);
            let added = known.inferred();
            predicates.extend(added);
            // What is below was looked at with it.
            below_joins(input);
        }
        Plan::Join(join) if join.kind == JoinKind::Inner && join.lateral.is_none() => {
            let mut known = Known::default();
            known.collect(plan, 0);
            let added = known.inferred();
            if let Plan::Join(join) = plan {
                join.on.extend(added);
            }
            below_joins(plan);
        }
        other => other.each_input_mut(&mut infer_inner),
    }
}

/// Goes on below the joins that were looked at.
fn below_joins(plan: &mut Plan) {
    match plan {
        Plan::Join(join) if join.kind == JoinKind::Inner && join.lateral.is_none() => {
            below_joins(&mut join.left);
            below_joins(&mut join.right);
        }
        Plan::Join(_) => plan.each_input_mut(&mut infer_inner),
        other => infer_inner(other),
    }
}

/// Two columns that are equal in every row.
struct Equal {
    columns: [(usize, ExprType); 2],
    collation: Collation,
}

#[derive(Default)]
struct Known {
    equal: Vec<Equal>,
    /// Conditions on one column.
    single: Vec<(usize, BoundExpr)>,
}

fn column(expr: &BoundExpr) -> Option<usize> {
    match &expr.node {
        Node::Column(column) => Some(column.index),
        _ => None,
    }
}

impl Known {
    fn learn(&mut self, condition: &BoundExpr, base: usize) {
        if !condition.is_movable() {
            return;
        }
        match &condition.node {
            Node::Compare { op, sides, collation } if *op != Comparison::NullSafeEqual => {
                let [a, b] = sides.as_ref();
                match (column(a), column(b)) {
                    (Some(x), Some(y)) if *op == Comparison::Equal && alike(&a.ty, &b.ty, *collation) => {
                        let columns = [(base + x, a.ty.clone()), (base + y, b.ty.clone())];
                        self.equal.push(Equal { columns, collation: *collation });
                    }
                    (Some(at), None) if b.is_row_free() => self.keep(base + at, condition, base),
                    (None, Some(at)) if a.is_row_free() => self.keep(base + at, condition, base),
                    _ => {}
                }
            }
            Node::In { needle, list, negated: false, .. } => {
                if let Some(at) = column(needle)
                    && list.iter().all(BoundExpr::is_row_free)
                {
                    self.keep(base + at, condition, base);
                }
            }
            _ => {}
        }
    }

    fn keep(&mut self, at: usize, condition: &BoundExpr, base: usize) {
        let mut condition = condition.clone();
        condition.remap(&|at| at + base);
        self.single.push((at, condition));
    }

    /// What the inner joins below say; of other joins only the left side is read for every row that is given.
    fn collect(&mut self, plan: &Plan, base: usize) {
        match plan {
            Plan::Filter { input, predicates } => {
                predicates.iter().for_each(|p| self.learn(p, base));
                self.collect(input, base);
            }
            Plan::Join(join) if join.lateral.is_none() => {
                if join.kind == JoinKind::Inner {
                    join.on.iter().for_each(|c| self.learn(c, base));
                    self.collect(&join.right, base + join.left_width);
                }
                self.collect(&join.left, base);
            }
            _ => {}
        }
    }

    fn inferred(mut self) -> Vec<BoundExpr> {
        let mut added: Vec<BoundExpr> = Vec::new();
        let mut next = 0;
        // Each new condition may be carried further.
        while let Some((at, condition)) = self.single.get(next).cloned() {
            next += 1;
            for equal in &self.equal {
                let [a, b] = &equal.columns;
                let (from, to) = match at {
                    _ if at == a.0 => (a, b),
                    _ if at == b.0 => (b, a),
                    _ => continue,
                };
                if from.1.class() == Class::Text && text_collation(&condition) != Some(equal.collation) {
                    continue;
                }
                let mut new = condition.clone();
                new.remap(&|column| if column == from.0 { to.0 } else { column });
                rename(&mut new);
                if self.single.iter().any(|(_, known)| known.same(&new)) {
                    continue;
                }
                self.single.push((to.0, new.clone()));
                added.push(new);
                break;
            }
        }
        added
    }
}

/// Its name would be that of the other column.
fn rename(expr: &mut BoundExpr) {
    if let Node::Column(column) = &mut expr.node {
        column.name = "".into();
    }
    expr.for_children_mut(&mut rename);
}

fn text_collation(condition: &BoundExpr) -> Option<Collation> {
    match &condition.node {
        Node::Compare { collation, .. } | Node::In { collation, .. } => Some(*collation),
        _ => None,
    }
}

/// Whether a comparison means the same for values of both types.
fn alike(a: &ExprType, b: &ExprType, collation: Collation) -> bool {
    a.class() == b.class()
        && std::mem::discriminant(&a.kind) == std::mem::discriminant(&b.kind)
        && a.decimals == b.decimals
        && !a.is_member()
        && !b.is_member()
        && (a.class() != Class::Text || a.collation == collation && b.collation == collation)
        && a.class() != Class::Double
}
