//! Ways through a plan: its inputs, scans and expressions, to look at or to change; the blocks inside it.

use std::sync::Arc;

use super::{Access, Plan, Scan, SelectPlan, window};
use crate::expr::{BoundExpr, Node};

impl Plan {
    /// Calls `f` with every scan.
    pub fn each_scan(&self, f: &mut dyn FnMut(&Scan)) {
        match self {
            Plan::Scan(scan) => f(scan),
            Plan::Derived(plan) => plan.each_scan(f),
            Plan::Shared(table) => {
                table.plan.each_scan(f);
                table.members().for_each(|member| member.each_scan(f));
            }
            _ => self.each_input(&mut |input| input.each_scan(f)),
        }
    }

    /// SELECT STRAIGHT_JOIN: all its joins stay in their order.
    pub fn keep_join_order(&mut self) {
        if let Plan::Join(join) = self {
            join.straight = true;
        }
        self.each_input_mut(&mut Plan::keep_join_order);
    }

    /// Calls `f` with the number of every work table that is read.
    pub fn each_work(&self, f: &mut dyn FnMut(usize)) {
        match self {
            Plan::Work { number, .. } => f(*number),
            Plan::Derived(plan) => {
                plan.root.each_work(f);
                plan.subplans.iter().for_each(|subplan| subplan.root.each_work(f));
            }
            Plan::Shared(table) => table.plan.root.each_work(f),
            _ => self.each_input(&mut |input| input.each_work(f)),
        }
    }

    /// Calls `f` with every direct input (a derived table's plan is not one).
    pub fn each_input<'a>(&'a self, f: &mut dyn FnMut(&'a Plan)) {
        match self {
            Plan::Dual
            | Plan::Values(_)
            | Plan::Scan(_)
            | Plan::Derived(_)
            | Plan::Shared(_)
            | Plan::Work { .. } => {}
            Plan::Join(join) => {
                f(&join.left);
                f(&join.right);
            }
            Plan::Filter { input, .. }
            | Plan::Project { input, .. }
            | Plan::Distinct { input, .. }
            | Plan::Sort { input, .. }
            | Plan::Limit { input, .. }
            | Plan::Narrow { input, .. }
            | Plan::Counted { input, .. } => f(input),
            Plan::Aggregate(aggregate) => f(&aggregate.input),
            Plan::Windows(windows) => f(&windows.input),
            Plan::SetOperation(operation) => operation.inputs.iter().for_each(|i| f(&i.plan)),
        }
    }

    /// Calls `f` with every direct input, to change it.
    pub fn each_input_mut(&mut self, f: &mut dyn FnMut(&mut Plan)) {
        match self {
            Plan::Dual
            | Plan::Values(_)
            | Plan::Scan(_)
            | Plan::Derived(_)
            | Plan::Shared(_)
            | Plan::Work { .. } => {}
            Plan::Join(join) => {
                f(&mut join.left);
                f(&mut join.right);
            }
            Plan::Filter { input, .. }
            | Plan::Project { input, .. }
            | Plan::Distinct { input, .. }
            | Plan::Sort { input, .. }
            | Plan::Limit { input, .. }
            | Plan::Narrow { input, .. }
            | Plan::Counted { input, .. } => f(input),
            Plan::Aggregate(aggregate) => f(&mut aggregate.input),
            Plan::Windows(windows) => f(&mut windows.input),
            Plan::SetOperation(operation) => operation.inputs.iter_mut().for_each(|i| f(&mut i.plan)),
        }
    }

    /// Calls `f` with every expression of this operator and those below it.
    pub fn each_expr(&self, f: &mut dyn FnMut(&BoundExpr)) {
        match self {
            Plan::Values(rows) => rows.iter().flatten().for_each(&mut *f),
            Plan::Scan(scan) => {
                scan.filter.iter().for_each(&mut *f);
                match &scan.access {
                    Access::Index(access) => access.each_expr(f),
                    Access::Virtual(access) => access.schema.iter().chain(&access.table).for_each(&mut *f),
                }
            }
            Plan::Derived(plan) => plan.each_expr(f),
            Plan::Shared(table) => {
                table.plan.each_expr(f);
                table.members().for_each(|member| member.each_expr(f));
            }
            Plan::Join(join) => {
                join.on.iter().for_each(&mut *f);
                for key in join.keys.iter().chain(&join.not_in) {
                    f(&key.left);
                    f(&key.right);
                }
                join.lateral.iter().flatten().for_each(&mut *f);
            }
            Plan::Filter { predicates, .. } => predicates.iter().for_each(&mut *f),
            Plan::Project { exprs, .. } => exprs.iter().for_each(&mut *f),
            Plan::Aggregate(aggregate) => {
                aggregate.keys.iter().for_each(&mut *f);
                for call in &aggregate.calls {
                    call.args.iter().for_each(&mut *f);
                }
            }
            Plan::Windows(windows) => {
                windows.calls.iter().flat_map(window::WindowCall::exprs).for_each(&mut *f);
            }
            Plan::Dual
            | Plan::Work { .. }
            | Plan::Distinct { .. }
            | Plan::Sort { .. }
            | Plan::Limit { .. }
            | Plan::Narrow { .. }
            | Plan::Counted { .. }
            | Plan::SetOperation(_) => {}
        }
        self.each_input(&mut |input| input.each_expr(f));
    }

    /// Calls `f` with every expression of this operator and those below it, to change it. The operators of derived
    /// tables are of another block and are left out.
    pub fn each_own_expr_mut(&mut self, f: &mut dyn FnMut(&mut BoundExpr)) {
        match self {
            Plan::Values(rows) => rows.iter_mut().flatten().for_each(&mut *f),
            Plan::Scan(scan) => {
                scan.filter.iter_mut().for_each(&mut *f);
                match &mut scan.access {
                    Access::Index(access) => access.each_expr_mut(f),
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
