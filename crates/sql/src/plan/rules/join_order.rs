//! The order of joins, and how each finds its matches.
//!
//! A tree of joins is taken apart ([`super::join_graph`]), what is known of its leaves is gathered, the cheapest way to
//! join them is searched ([`super::join_search`]), and the joins are built anew with their columns put back in their
//! places above.
//!
//! Small tables, and those of which nothing is known, are joined as they are written: their order matters little, and
//! what is written stays predictable. But a table that constants (or the row around a subquery) bound comes first where
//! the first is read from end to end, and the others follow where an index finds them by what is there already.

use std::cell::RefCell;

use smallvec::SmallVec;

use super::join_graph::{Attached, Graph, Leaf, Mask};
use super::join_search::{Joined, LeafFacts, LeafIndex, Search, Way, column_of};
use super::{access_path, join_keys};
use crate::context::TableRows;
use crate::exec::entry_columns::covers;
use crate::expr::BoundExpr;
use crate::plan::cost;
use crate::plan::estimate::Estimator;
use crate::plan::statistics::Facts;
use crate::plan::{Access, Join, JoinKey, JoinKind, KeyEqual, Plan, Scan};
use std::sync::Arc;

/// The most tables of a tree that is looked at without knowing how large they are.
const MOST_TABLES: usize = 16;
/// Columns of other leaves are moved so far behind a leaf's own.
const FAR: usize = usize::MAX / 2;

/// Orders the joins of a whole plan.
pub fn order_joins(plan: &mut Plan, estimator: &mut Estimator<'_>) {
    let is_join = match plan {
        Plan::Join(_) => true,
        Plan::Filter { input, .. } => matches!(**input, Plan::Join(_)),
        _ => false,
    };
    if !is_join {
        plan.each_input_mut(&mut |input| order_joins(input, estimator));
        return;
    }
    order_attached(plan, estimator);
    if let Some(graph) = Graph::of(plan)
        && let Some(ordered) = by_cost(graph, estimator)
    {
        *plan = ordered;
        return;
    }
    as_written(plan);
}

/// Orders what stays together in a tree of joins: the right sides of outer joins and the like, and what is no join.
fn order_attached(plan: &mut Plan, estimator: &mut Estimator<'_>) {
    match plan {
        Plan::Join(join) => {
            order_attached(&mut join.left, estimator);
            if join.kind == JoinKind::Inner && join.lateral.is_none() {
                order_attached(&mut join.right, estimator);
            } else {
                order_joins(&mut join.right, estimator);
            }
        }
        Plan::Filter { input, .. } if matches!(**input, Plan::Join(_)) => order_attached(input, estimator),
        other => order_joins(other, estimator),
    }
}

fn as_written(plan: &mut Plan) {
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
    plan.each_input_mut(&mut as_written);
}

/// The cheapest way to join; None where what is known is not enough to judge, or nothing is large.
fn by_cost(graph: Graph, estimator: &mut Estimator<'_>) -> Option<Plan> {
    let mut known: Vec<Option<Arc<Facts>>> = Vec::with_capacity(graph.leaves.len());
    let mut largest = 0.0f64;
    let mut hinted = false;
    for leaf in &graph.leaves {
        let facts = match &leaf.plan {
            Plan::Scan(scan) => {
                let hints = &scan.hints;
                hinted |= hints.no_hash || hints.hash || !hints.after.is_empty();
                Some(scan.table.facts()?)
            }
            _ => None,
        };
        largest = largest.max(facts.as_ref().map_or(0.0, |facts| facts.rows));
        known.push(facts);
    }
    if largest < access_path::SMALL_TABLE && !hinted {
        return None;
    }
    let mut leaves = Vec::with_capacity(graph.leaves.len());
    for (at, (leaf, facts)) in graph.leaves.iter().zip(&known).enumerate() {
        leaves.push(match (&leaf.plan, facts) {
            (Plan::Scan(scan), Some(facts)) => of_scan(&graph, at, scan, facts, estimator),
            (other, _) => {
                let estimate = other.estimate();
                LeafFacts {
                    rows: estimate.rows,
                    cost: estimate.cost,
                    table: estimate.rows,
                    ..LeafFacts::default()
                }
            }
        });
    }
    let distinct = |number: usize| {
        let leaf = graph.leaf_of(number)?;
        let Plan::Scan(scan) = &graph.leaves.get(leaf)?.plan else { return None };
        let column = *scan.columns.get(number - graph.leaves.get(leaf)?.base)?;
        Some(known.get(leaf)?.as_ref()?.column(column).0)
    };
    let pairs = RefCell::new(estimator);
    let share = |condition: &BoundExpr| {
        let of_pairs = pair_share(&graph, condition, *pairs.borrow_mut());
        of_pairs.unwrap_or_else(|| cost::by_form(condition))
    };
    let joined = Search::new(&graph, leaves, &distinct, &share).best()?;
    Some(Building { used: vec![false; graph.conditions.len()], graph }.whole(&joined))
}

/// The share of the pairs of rows of tables for which a condition over them is true, by their samples.
fn pair_share(graph: &Graph, condition: &BoundExpr, estimator: &mut Estimator<'_>) -> Option<f64> {
    let mask = graph.leaves_of(condition);
    let mut scans = Vec::new();
    for (_, leaf) in graph.leaves.iter().enumerate().filter(|(at, _)| mask & 1 << at != 0) {
        let Plan::Scan(scan) = &leaf.plan else { return None };
        scans.push((leaf.base, scan.as_ref()));
    }
    estimator.share_of_pairs(&scans, condition)
}

fn of_scan(graph: &Graph, at: usize, scan: &Scan, facts: &Facts, estimator: &mut Estimator<'_>) -> LeafFacts {
    let alone = access_path::alone(scan, facts, estimator);
    let mut indexes = Vec::new();
    if let Some(leaf) = graph.leaves.get(at) {
        let conditions = near_conditions(graph, leaf, at);
        for (place, index) in scan.table.def.all_indexes().enumerate() {
            if access_path::allowed(scan, index) {
                indexes.extend(leaf_index(graph, scan, facts, place, &conditions));
            }
        }
    }
    LeafFacts {
        rows: alone.rows,
        cost: alone.cost,
        table: facts.rows,
        indexes,
        locks: scan.lock.is_some(),
        no_hash: scan.hints.no_hash,
        only_hash: scan.hints.hash,
        order: graph.leaves.get(at).and_then(|leaf| order_of(leaf, scan, alone.index)),
    }
}

/// The number of the column that an index begins with.
fn order_of(leaf: &Leaf, scan: &Scan, index: usize) -> Option<usize> {
    let part = scan.table.def.all_indexes().nth(index)?.columns.first()?;
    let at = scan.columns.iter().position(|column| *column == part.column)?;
    if part.prefix.is_some() || part.descending { None } else { Some(leaf.base + at) }
}

/// The conditions by which a leaf is joined, over its own columns and, far behind, those of the others.
fn near_conditions(graph: &Graph, leaf: &Leaf, at: usize) -> Vec<BoundExpr> {
    let moved = |condition: &BoundExpr| {
        let mut condition = condition.clone();
        let own = leaf.base..leaf.base + leaf.width;
        condition.remap(&|column| if own.contains(&column) { column - own.start } else { column + FAR });
        condition
    };
    match &leaf.attached {
        Some(attached) => attached.on.iter().map(moved).collect(),
        None => {
            let near = graph.conditions.iter().filter(|c| c.leaves & 1 << at != 0);
            near.map(|c| moved(&c.expr)).collect()
        }
    }
}

/// How an index of a leaf is found by others, if it is.
fn leaf_index(
    graph: &Graph,
    scan: &Scan,
    facts: &Facts,
    place: usize,
    conditions: &[BoundExpr],
) -> Option<LeafIndex> {
    let index = scan.table.def.all_indexes().nth(place)?;
    let is_known = |e: &BoundExpr| {
        let mut columns = Vec::new();
        e.columns(&mut columns);
        columns.iter().all(|column| *column >= FAR) && !e.has_aggregate()
    };
    let mut parts: Vec<SmallVec<[(Mask, f64); 2]>> = Vec::new();
    let mut found = Vec::new();
    let mut leads: SmallVec<[usize; 2]> = SmallVec::new();
    for (position, part) in index.columns.iter().enumerate() {
        if part.prefix.is_some() {
            break;
        }
        let mut ways: SmallVec<[(Mask, f64); 2]> = SmallVec::new();
        for condition in conditions.iter().chain(&scan.filter) {
            let Some(equal) = access_path::key_equal(condition, scan, part.column, &is_known) else {
                continue;
            };
            let mut reads = 0;
            if let KeyEqual::Values(values) = &equal {
                for value in values {
                    let mut value = value.clone();
                    value.remap(&|column| column.saturating_sub(FAR));
                    reads |= graph.leaves_of(&value);
                    if position == 0 && values.len() == 1 {
                        leads.extend(column_of(&value));
                    }
                }
            }
            ways.push((reads, cost::values_of(&equal)));
        }
        if ways.is_empty() {
            break;
        }
        parts.push(ways);
        let whole = index.unique && position + 1 == index.columns.len();
        found.push(if whole { 1.0 } else { facts.rows / facts.distinct_of(place, position + 1) });
    }
    let joins = parts.iter().flatten().any(|(reads, _)| *reads != 0);
    if !joins {
        return None;
    }
    let covering = place != 0 && scan.lock.is_none() && covers(&scan.table.def, place, &scan.columns);
    let row = match (place, covering) {
        (0, _) => cost::ROW,
        (_, true) => cost::ENTRY,
        (_, false) => cost::row_of_entry(Some(facts)),
    };
    let descent = cost::descent(facts.leaves_of(place));
    Some(LeafIndex { at: place, parts, found, leads, descent, row })
}

/// Builds a plan from the way that was found.
struct Building {
    graph: Graph,
    /// Which conditions have their place.
    used: Vec<bool>,
}

/// A plan, the numbers of its columns, and the leaves in it.
type Built = (Plan, Vec<usize>, Mask);

impl Building {
    fn whole(mut self, joined: &Joined) -> Plan {
        let (mut plan, numbers, _) = self.build(joined);
        let places = self.places(&numbers);
        let rest: Vec<BoundExpr> = self.conditions(u32::MAX).iter().map(|c| at_places(c, &places)).collect();
        if !rest.is_empty() {
            plan = Plan::Filter { input: Box::new(plan), predicates: rest };
        }
        if numbers == self.graph.output {
            return plan;
        }
        let place = |number: &usize| places.get(*number).copied().unwrap_or(*number);
        let exprs =
            self.graph.output.iter().map(|number| self.graph.column(*number, place(number))).collect();
        Plan::Project { input: Box::new(plan), exprs }
    }

    fn build(&mut self, joined: &Joined) -> Built {
        match joined {
            Joined::Leaf(at) => match self.graph.leaves.get_mut(*at) {
                Some(leaf) => {
                    let plan = std::mem::replace(&mut leaf.plan, Plan::Dual);
                    (plan, (leaf.base..leaf.base + leaf.width).collect(), 1 << at)
                }
                None => (Plan::Dual, Vec::new(), 0),
            },
            Joined::Pair { left, right, way } => {
                let attached = match right.as_ref() {
                    Joined::Leaf(at) => self.graph.leaves.get(*at).and_then(|leaf| leaf.attached.clone()),
                    Joined::Pair { .. } => None,
                };
                let (left, right) = (self.build(left), self.build(right));
                self.pair(left, right, attached, *way)
            }
        }
    }

    fn pair(&mut self, left: Built, right: Built, attached: Option<Attached>, way: Way) -> Built {
        let mask = left.2 | right.2;
        let left_width = left.1.len();
        let mut numbers = left.1;
        numbers.extend(&right.1);
        let places = self.places(&numbers);
        let free: Vec<BoundExpr> = self.conditions(mask).iter().map(|c| at_places(c, &places)).collect();
        let right_types = super::lift_projections::types(&right.0).unwrap_or_default();
        let mut join = Join { left_width, ..Join::new(JoinKind::Inner, left.0, right.0, right_types) };
        let mut above = Vec::new();
        match attached {
            None => join.on = free,
            Some(attached) => {
                above = free;
                join.kind = attached.kind;
                join.on = attached.on.iter().map(|c| at_places(c, &places)).collect();
                let captures = attached.lateral.as_ref();
                join.lateral = captures.map(|list| list.iter().map(|c| at_places(c, &places)).collect());
                let pair = |pair: &JoinKey| {
                    let mut right = at_places(&pair.right, &places);
                    right.remap(&|at| at.saturating_sub(left_width));
                    JoinKey { left: at_places(&pair.left, &places), right, collation: pair.collation }
                };
                join.not_in = attached.not_in.iter().map(pair).collect();
            }
        }
        let looked_up = match way {
            Way::Lookup(index) => join_keys::use_index(&mut join, Some(index)),
            Way::Hash => false,
        };
        if !looked_up && join.lateral.is_none() {
            join_keys::hash_keys(&mut join);
        }
        if !join.kind.gives_right() {
            numbers.truncate(left_width);
        }
        let plan = Plan::Join(Box::new(join));
        if above.is_empty() {
            return (plan, numbers, mask);
        }
        (Plan::Filter { input: Box::new(plan), predicates: above }, numbers, mask)
    }

    /// The conditions that can be tested where these leaves are, each once.
    fn conditions(&mut self, there: Mask) -> Vec<BoundExpr> {
        let mut out = Vec::new();
        for (condition, used) in self.graph.conditions.iter().zip(&mut self.used) {
            // What reads nothing is tested at the end.
            let ready = condition.leaves & !there == 0 && (condition.leaves != 0 || there == u32::MAX);
            if ready && !*used {
                *used = true;
                out.push(condition.expr.clone());
            }
        }
        out
    }

    /// Where each number is in some rows.
    fn places(&self, numbers: &[usize]) -> Vec<usize> {
        let mut places = vec![usize::MAX; self.graph.types.len()];
        for (place, number) in numbers.iter().enumerate() {
            if let Some(slot) = places.get_mut(*number) {
                *slot = place;
            }
        }
        places
    }
}

fn at_places(expr: &BoundExpr, places: &[usize]) -> BoundExpr {
    let mut expr = expr.clone();
    expr.remap(&|number| places.get(number).copied().unwrap_or(number));
    expr
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
            let right = Plan::Scan(scan.clone());
            let join = Join { on, left_width, ..Join::new(JoinKind::Inner, left, right, scan_types(scan)) };
            out = Some(Plan::Join(Box::new(join)));
        }
        Plan::Project { input: Box::new(out.unwrap_or(Plan::Dual)), exprs }
    }
}

/// The types of the columns that a scan gives.
fn scan_types(scan: &Scan) -> Vec<crate::expr::ExprType> {
    scan.columns.iter().map(|at| crate::exec::scan::type_of(&scan.table.def, *at)).collect()
}
