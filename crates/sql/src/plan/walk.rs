//! Ways through a plan for those that change it: the expressions of one query block, the blocks inside it.

use std::sync::Arc;

use super::{Access, IndexAccess, KeyBounds, KeyEqual, Plan, SelectPlan};
use crate::expr::{BoundExpr, Node};

impl Plan {
    /// Calls `f` with every expression of this operator and those below it, to change it. The operators of derived
    /// tables are of another block and are left out.
    pub fn each_own_expr_mut(&mut self, f: &mut dyn FnMut(&mut BoundExpr)) {
        match self {
            Plan::Values(rows) => rows.iter_mut().flatten().for_each(&mut *f),
            Plan::Scan(scan) => {
                scan.filter.iter_mut().for_each(&mut *f);
                match &mut scan.access {
                    Access::Index(access) => each_bound_mut(access, f),
                    Access::Virtual(access) => {
                        access.schema.iter_mut().chain(&mut access.table).for_each(&mut *f);
                    }
                }
            }
            Plan::Join(join) => {
                join.on.iter_mut().for_each(&mut *f);
                for key in join.keys.iter_mut().chain(&mut join.not_in) {
                    f(&mut key.left);
                    f(&mut key.right);
                }
                join.lateral.iter_mut().flatten().for_each(&mut *f);
            }
            Plan::Filter { predicates, .. } => predicates.iter_mut().for_each(&mut *f),
            Plan::Project { exprs, .. } => exprs.iter_mut().for_each(&mut *f),
            Plan::Aggregate(aggregate) => {
                aggregate.keys.iter_mut().for_each(&mut *f);
                aggregate.calls.iter_mut().flat_map(|call| &mut call.args).for_each(&mut *f);
            }
            Plan::Windows(windows) => {
                windows.calls.iter_mut().flat_map(|call| call.exprs_mut()).for_each(&mut *f);
            }
            Plan::Dual
            | Plan::Derived(_)
            | Plan::Shared(_)
            | Plan::Work { .. }
            | Plan::Distinct { .. }
            | Plan::Sort { .. }
            | Plan::Limit { .. }
            | Plan::Narrow { .. }
            | Plan::Counted { .. }
            | Plan::SetOperation(_) => {}
        }
        self.each_input_mut(&mut |input| input.each_own_expr_mut(f));
    }

    /// Calls `f` with every derived table of this block.
    pub fn each_derived_mut(&mut self, f: &mut dyn FnMut(&mut SelectPlan)) {
        match self {
            Plan::Derived(plan) => f(plan),
            other => other.each_input_mut(&mut |input| input.each_derived_mut(f)),
        }
    }

    /// Adds `by` to the numbers of the subqueries that its block's expressions run.
    pub fn shift_subqueries(&mut self, by: usize) {
        if by > 0 {
            self.each_own_expr_mut(&mut |expr| expr.shift_subqueries(by));
        }
    }

    /// Whether it reads the row of a query around it.
    pub fn has_outer(&self) -> bool {
        let mut any = false;
        self.each_expr(&mut |expr| any |= expr.has_outer());
        any
    }
}

fn each_bound_mut(access: &mut IndexAccess, f: &mut dyn FnMut(&mut BoundExpr)) {
    for equal in &mut access.equals {
        if let KeyEqual::Values(values) = equal {
            values.iter_mut().for_each(&mut *f);
        }
    }
    match &mut access.range {
        Some(KeyBounds::Range { low, high }) => low.iter_mut().chain(high).for_each(|(e, _)| f(e)),
        Some(KeyBounds::Prefix(pattern)) => f(pattern),
        None => {}
    }
}

impl BoundExpr {
    /// Adds `by` to the numbers of the subqueries it runs.
    pub fn shift_subqueries(&mut self, by: usize) {
        if let Node::Subquery { index, .. } = &mut self.node {
            *index += by;
        }
        self.for_children_mut(&mut |child| child.shift_subqueries(by));
    }

    /// Whether it may be evaluated in another place, and another number of times, than where it was written.
    pub fn is_movable(&self) -> bool {
        !self.any(&mut |e| match &e.node {
            Node::Assign { .. } | Node::Subquery { .. } | Node::Aggregate(_) | Node::Window(_) => true,
            Node::Call { function, .. } => function.volatile,
            _ => false,
        })
    }
}

impl SelectPlan {
    /// Whether running it again, or not at all, could be told from running it once: it calls RAND() and the like, or
    /// assigns variables.
    pub fn is_volatile(&self) -> bool {
        let mut volatile = false;
        self.each_expr(&mut |expr| {
            volatile |= expr.any(&mut |e| match &e.node {
                Node::Assign { .. } => true,
                Node::Call { function, .. } => function.volatile,
                _ => false,
            });
        });
        volatile
    }

    /// Drops subqueries that no expression runs any more, and numbers the others anew.
    pub fn drop_unused_subqueries(&mut self) {
        let mut used = vec![false; self.subplans.len()];
        self.root.each_own_expr_mut(&mut |expr| {
            expr.visit(&mut |e| {
                if let Node::Subquery { index, .. } = &e.node
                    && let Some(slot) = used.get_mut(*index)
                {
                    *slot = true;
                }
            });
        });
        if used.iter().all(|used| *used) {
            return;
        }
        let mut places = Vec::with_capacity(used.len());
        let mut kept: Vec<Arc<SelectPlan>> = Vec::new();
        for (subplan, used) in std::mem::take(&mut self.subplans).into_iter().zip(used) {
            places.push(kept.len());
            if used {
                kept.push(subplan);
            }
        }
        self.subplans = kept;
        fn renumber(expr: &mut BoundExpr, places: &[usize]) {
            if let Node::Subquery { index, .. } = &mut expr.node {
                *index = places.get(*index).copied().unwrap_or(*index);
            }
            expr.for_children_mut(&mut |child| renumber(child, places));
        }
        self.root.each_own_expr_mut(&mut |expr| renumber(expr, &places));
    }
}
