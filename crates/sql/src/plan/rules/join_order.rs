//! The order of inner joins: a table that constants (or the row around a subquery) bound comes first.
//!
//! Joins are planned as they are written. That is wasteful when the first table is read from end to end
//! while a later one is found through an index by a known value: then that one leads, and the others follow
//! where an index finds them by what is there already. The columns are put back in their places above.
//!
//! It applies to trees of inner joins of stored tables only; STRAIGHT_JOIN keeps its order. Without
//! statistics nothing else is moved.

use super::access_path;
use crate::context::TableRows;
use crate::expr::BoundExpr;
use crate::plan::{Access, Join, JoinKind, Plan, Scan};

/// The most tables of a tree that is looked at.
const MOST_TABLES: usize = 16;

/// Orders the joins of a whole plan.
pub fn order_joins(plan: &mut Plan) {
    if let Plan::Join(_) = plan {
        let mut tree = Tree { leaves: Vec::new(), conditions: Vec::new() };
        if tree.take(plan, 0)
            && tree.leaves.len() <= MOST_TABLES
            && let Some(order) = tree.order()
        {
            *plan = tree.rebuilt(&order);
            return;
        }
    }
    plan.each_input_mut(&mut order_joins);
}

/// A tree of inner joins, taken apart.
struct Tree {
    /// The tables, each with the position of its first column.
    leaves: Vec<(Box<Scan>, usize)>,
    /// What ON says, over all columns.
    conditions: Vec<BoundExpr>,
}

impl Tree {
    /// Collects the parts of a plan whose columns begin at `base`; false if it holds anything else.
    fn take(&mut self, plan: &Plan, base: usize) -> bool {
        match plan {
            Plan::Scan(scan) if matches!(scan.table.rows, TableRows::Stored) => {
                self.leaves.push((scan.clone(), base));
                true
            }
            Plan::Join(join)
                if join.kind == JoinKind::Inner
                    && !join.straight
                    && join.lateral.is_none()
                    && !join.lookup =>
            {
                for condition in &join.on {
                    if condition.has_side_effects() {
                        return false;
                    }
                    let mut condition = condition.clone();
                    condition.remap(&|at| at + base);
                    self.conditions.push(condition);
                }
                self.take(&join.left, base) && self.take(&join.right, base + join.left_width)
            }
            _ => false,
        }
    }

    /// Whether an index finds rows of a table by constants and by the columns of the tables in `placed`.
    fn finds(&self, leaf: usize, placed: &[usize]) -> bool {
        let Some((scan, base)) = self.leaves.get(leaf) else { return false };
        let (base, width) = (*base, scan.columns.len());
        // Its own columns come first; all others are moved far behind them.
        let far = usize::MAX / 2;
        let mut trial = scan.as_ref().clone();
        for condition in &self.conditions {
            let mut condition = condition.clone();
            condition.remap(&|at| if (base..base + width).contains(&at) { at - base } else { at + far });
            trial.filter.push(condition);
        }
        let there = |at: usize| {
            placed.iter().any(|other| {
                self.leaves.get(*other).is_some_and(|(scan, base)| {
                    (*base..*base + scan.columns.len()).contains(&at.saturating_sub(far))
                })
            })
        };
        let known = |expr: &BoundExpr| {
            let mut columns = Vec::new();
            expr.columns(&mut columns);
            columns.iter().all(|at| *at >= far && there(*at)) && !expr.has_side_effects()
        };
        access_path::choose(&mut trial, &known)
            && matches!(&trial.access, Access::Index(access) if !access.equals.is_empty())
    }

    /// The order in which the tables are read, if it is better than the written one.
    fn order(&self) -> Option<Vec<usize>> {
        if self.finds(0, &[]) {
            return None;
        }
        if let Some((scan, _)) = self.leaves.first() {
            // A first table that is bounded by a range is left where it is.
            let mut trial = scan.as_ref().clone();
            if access_path::choose(&mut trial, &|e| e.is_row_free()) {
                return None;
            }
        }
        let first = (1..self.leaves.len()).find(|leaf| self.finds(*leaf, &[]))?;
        let mut placed = vec![first];
        while placed.len() < self.leaves.len() {
            let mut left = (0..self.leaves.len()).filter(|leaf| !placed.contains(leaf));
            let next = left.clone().find(|leaf| self.finds(*leaf, &placed)).or_else(|| left.next())?;
            placed.push(next);
        }
        Some(placed)
    }

    /// The joins in another order, with the columns in the places they had.
    fn rebuilt(self, order: &[usize]) -> Plan {
        let width: usize = self.leaves.iter().map(|(scan, _)| scan.columns.len()).sum();
        let mut places = vec![0; width];
        let mut next = 0;
        for leaf in order {
            let Some((scan, base)) = self.leaves.get(*leaf) else { continue };
            for column in 0..scan.columns.len() {
                if let Some(place) = places.get_mut(base + column) {
                    *place = next;
                }
                next += 1;
            }
        }
        let mut conditions = self.conditions;
        for condition in &mut conditions {
            condition.remap(&|at| places.get(at).copied().unwrap_or(at));
        }
        let mut exprs: Vec<BoundExpr> = Vec::with_capacity(width);
        for (scan, base) in &self.leaves {
            for (column, ty) in scan_types(scan).into_iter().enumerate() {
                let place = places.get(base + column).copied().unwrap_or(0);
                let name = scan.columns.get(column).and_then(|at| scan.table.def.columns.get(*at));
                let name = name.map_or("", |c| c.name.as_str());
                exprs.push(BoundExpr::column(place, format!("`{}`.`{name}`", scan.alias), ty));
            }
        }
        let mut out: Option<Plan> = None;
        for leaf in order {
            let Some((scan, _)) = self.leaves.get(*leaf) else { continue };
            let Some(left) = out.take() else {
                out = Some(Plan::Scan(scan.clone()));
                continue;
            };
            let left_width = left.width();
            let here = left_width + scan.columns.len();
            let (on, later) = conditions.into_iter().partition(|condition| {
                let mut columns = Vec::new();
                condition.columns(&mut columns);
                columns.iter().all(|at| *at < here)
            });
            conditions = later;
            out = Some(Plan::Join(Box::new(Join {
                left_width,
                left,
                right_types: scan_types(scan),
                right: Plan::Scan(scan.clone()),
                kind: JoinKind::Inner,
                on,
                keys: Vec::new(),
                not_in: Vec::new(),
                lookup: false,
                lateral: None,
                straight: false,
            })));
        }
        Plan::Project { input: Box::new(out.unwrap_or(Plan::Dual)), exprs }
    }
}

/// The types of the columns that a scan gives.
fn scan_types(scan: &Scan) -> Vec<crate::expr::ExprType> {
    scan.columns.iter().map(|at| crate::exec::scan::type_of(&scan.table.def, *at)).collect()
}
