//! Estimates that look at values: ranges by descents, conditions by a sample of rows.
//!
//! A condition whose values are known is evaluated over the rows of the table's sample, all conditions of a scan
//! together, so that what depends on each other is not multiplied. A condition that no row of the sample satisfies is
//! taken as rarer than one row of it. What depends on parameters, on rows around or on the moment is estimated by its
//! form and by the distinct values of its column ([`super::cost`]).
//!
//! Evaluation goes through the evaluator of queries with a session of its own, whose warnings nobody sees; an error
//! counts as not knowing.

use std::sync::Arc;

use arrow_array::UInt32Array;
use rustydb_transaction::Cancel;

use super::cost::{self, ScanEstimate};
use super::rules::RuleSet;
use super::statistics::Facts;
use super::{Access, IndexAccess, Plan, Scan, SelectPlan};
use crate::api::SessionOptions;
use crate::context::EvalContext;
use crate::exec::key_range::{Ranges, key_ranges};
use crate::expr::eval::{Frame, evaluate, filter};
use crate::expr::{BoundExpr, Comparison, Node, Vector};
use crate::session::SessionState;
use crate::variables::OptimizerSwitch;

/// Ranges of one access that are looked at; what is beyond is taken to be like them.
const MOST_DIVES: usize = 32;

/// Estimates for one statement.
pub struct Estimator<'s> {
    session: &'s SessionState,
    /// Where conditions are evaluated, made when the first one is.
    scratch: Option<Box<SessionState>>,
    cancel: Cancel,
}

impl<'s> Estimator<'s> {
    /// With the settings of this session.
    pub fn new(session: &'s SessionState) -> Estimator<'s> {
        Estimator { session, scratch: None, cancel: Cancel::default() }
    }

    /// The session's flags.
    pub fn switch(&self) -> OptimizerSwitch {
        self.session.settings.optimizer_switch
    }

    /// The rules that the session wants applied.
    pub fn rules(&self) -> RuleSet {
        self.session.settings.rules
    }

    fn context(&mut self) -> EvalContext<'_> {
        let session = self.session;
        let scratch = self.scratch.get_or_insert_with(|| {
            let globals = Arc::clone(session.globals());
            let clock = Arc::clone(session.clock());
            let mut scratch = SessionState::new(&SessionOptions::root(0), globals, clock);
            scratch.settings = session.settings.clone();
            scratch.statement_micros = session.statement_micros;
            scratch.database.clone_from(&session.database);
            Box::new(scratch)
        });
        EvalContext { params: &[], session: scratch, cancel: &self.cancel, row: 0, store: None }
    }

    /// The value of an expression that reads no row; None if it fails or warns.
    pub fn constant(&mut self, expr: &BoundExpr) -> Option<Vector> {
        let context = &mut self.context();
        let value = evaluate(expr, &Frame::constant(), context);
        let warned = context.session.warnings.total() > 0;
        context.session.warnings.clear();
        value.ok().filter(|_| !warned).map(|value| value.repeat(1))
    }

    /// Rows that an access of a scan leads to.
    pub fn rows_of_access(&mut self, scan: &Scan, access: &IndexAccess, facts: Option<&Facts>) -> f64 {
        if let Some(merge) = &access.merge {
            let parts = merge.parts.iter().map(|part| self.rows_of_access(scan, part, facts));
            return cost::merged_rows(merge.intersects, parts, facts);
        }
        let by_form = cost::rows_by_form(scan, access, facts);
        if access.equals.is_empty() && access.range.is_none() || !access.is_plain() {
            return by_form;
        }
        let (Some(facts), Some(statistics)) = (facts, &scan.table.statistics) else { return by_form };
        if !is_known(access) {
            return by_form;
        }
        let def = &scan.table.def;
        let Some(tree) = def.all_indexes().nth(access.index).map(|index| index.tree) else { return by_form };
        let ranges = key_ranges(def, access, &Frame::constant(), &mut self.context());
        let rows = match ranges {
            Ok(Ranges::Points(keys)) => keys.len() as f64,
            Ok(Ranges::Ranges(ranges)) => {
                let dives = ranges.len().min(MOST_DIVES);
                let found = ranges.iter().take(dives).filter_map(|range| statistics.rows_in(tree, range));
                found.sum::<f64>() * (ranges.len() as f64 / dives.max(1) as f64)
            }
            Err(_) => return by_form,
        };
        rows.min(facts.rows.max(rows.min(1.0)))
    }

    /// The share of a table's rows for which all conditions over the columns of a scan are true.
    pub fn share<'e>(
        &mut self,
        scan: &Scan,
        conditions: impl IntoIterator<Item = &'e BoundExpr>,
        facts: Option<&Facts>,
    ) -> f64 {
        let (known, unknown): (Vec<&BoundExpr>, Vec<&BoundExpr>) =
            conditions.into_iter().partition(|c| is_closed(c));
        let mut share: f64 = unknown.iter().map(|c| by_column(scan, c, facts)).product();
        let Some(facts) = facts.filter(|facts| facts.sample_len() > 0) else {
            return share * known.iter().map(|c| by_column(scan, c, facts)).product::<f64>();
        };
        if known.is_empty() {
            return share;
        }
        let owned: Vec<BoundExpr> = known.iter().map(|c| (*c).clone()).collect();
        let sample = facts.sample_len() as f64;
        match self.matching(scan, &owned, facts) {
            Some(rows) if rows > 0 => share *= rows as f64 / sample,
            Some(_) => {
                // Rarer than the sample can tell.
                let mut rare = 1.0;
                for condition in &owned {
                    let alone = self.matching(scan, std::slice::from_ref(condition), facts);
                    rare *= match alone {
                        Some(rows) if rows > 0 => rows as f64 / sample,
                        _ => by_column(scan, condition, Some(facts)).min(1.0 / sample),
                    };
                }
                share *= rare.min(0.7 / sample);
            }
            None => share *= owned.iter().map(|c| by_column(scan, c, Some(facts))).product::<f64>(),
        }
        share
    }

    /// How many rows of the sample satisfy conditions.
    fn matching(&mut self, scan: &Scan, conditions: &[BoundExpr], facts: &Facts) -> Option<usize> {
        let kept = self.matching_rows(scan, conditions, facts)?;
        Some(kept.map_or(facts.sample_len(), |kept| kept.len()))
    }

    /// Which rows of the sample satisfy conditions, if not all do; None if that cannot be told.
    #[allow(clippy::option_option, reason = "not to be told, and all, are different")]
    fn matching_rows(
        &mut self,
        scan: &Scan,
        conditions: &[BoundExpr],
        facts: &Facts,
    ) -> Option<Option<Vec<u32>>> {
        let rows = facts.sample_len();
        let mut used = Vec::new();
        conditions.iter().for_each(|c| c.columns(&mut used));
        let mut columns = Vec::with_capacity(scan.columns.len());
        for (at, column) in scan.columns.iter().enumerate() {
            columns.push(if used.contains(&at) { facts.sample_column(*column)? } else { Vector::null(rows) });
        }
        let frame = Frame::new(&columns, rows);
        let kept = filter(conditions, &frame, &mut self.context()).ok()?;
        Some(kept.map(|kept| kept.values().to_vec()))
    }

    /// The share of the pairs of rows of some tables, each after its own conditions, for which a condition over them
    /// all is true; None if that cannot be tried. The columns of each table are numbered from a base.
    pub fn share_of_pairs(&mut self, scans: &[(usize, &Scan)], condition: &BoundExpr) -> Option<f64> {
        if !(2..=3).contains(&scans.len()) || !is_closed(condition) {
            return None;
        }
        let each = if scans.len() == 2 { 32 } else { 10 };
        let mut kept: Vec<(Arc<Facts>, Vec<u32>)> = Vec::with_capacity(scans.len());
        for (_, scan) in scans {
            let facts = scan.table.facts().filter(|facts| facts.sample_len() > 0)?;
            let own: Vec<BoundExpr> = scan.filter.iter().filter(|c| is_closed(c)).cloned().collect();
            let found = self.positions(scan, &own, &facts)?;
            // Spread over the whole sample.
            let step = found.len().div_ceil(each).max(1);
            let chosen: Vec<u32> = found.into_iter().step_by(step).collect();
            if chosen.is_empty() {
                return None;
            }
            kept.push((facts, chosen));
        }
        let total: usize = kept.iter().map(|(_, rows)| rows.len()).product();
        let mut used = Vec::new();
        condition.columns(&mut used);
        used.sort_unstable();
        used.dedup();
        let mut columns = Vec::with_capacity(used.len());
        for number in &used {
            let mut repeat = 1;
            let mut found = None;
            for ((base, scan), (facts, rows)) in scans.iter().zip(&kept) {
                if let Some(at) = number.checked_sub(*base).and_then(|at| scan.columns.get(at)) {
                    // Every row of this table beside every combination of those before it.
                    let places = (0..total).filter_map(|at| rows.get(at / repeat % rows.len()).copied());
                    let places = UInt32Array::from(places.collect::<Vec<u32>>());
                    found = Some(facts.sample_column(*at)?.take(&places).ok()?);
                    break;
                }
                repeat *= rows.len();
            }
            columns.push(found?);
        }
        let mut condition = condition.clone();
        condition.remap(&|number| used.binary_search(&number).unwrap_or(usize::MAX));
        let frame = Frame::new(&columns, total);
        let found = filter(std::slice::from_ref(&condition), &frame, &mut self.context()).ok()?;
        let found = found.map_or(total, |kept| kept.len());
        Some((found as f64).max(0.5) / total as f64)
    }

    /// The rows of the sample that satisfy conditions.
    fn positions(&mut self, scan: &Scan, conditions: &[BoundExpr], facts: &Facts) -> Option<Vec<u32>> {
        let all = 0..facts.sample_len() as u32;
        if conditions.is_empty() {
            return Some(all.collect());
        }
        let kept = self.matching_rows(scan, conditions, facts)?;
        Some(kept.unwrap_or_else(|| all.collect()))
    }

    /// What a scan reads and gives.
    pub fn scan(&mut self, scan: &Scan) -> ScanEstimate {
        let facts = scan.table.facts();
        let facts = facts.as_deref();
        let table = facts.map_or(cost::UNKNOWN_ROWS, |facts| facts.rows);
        let read = match &scan.access {
            Access::Index(access) => self.rows_of_access(scan, access, facts),
            Access::Virtual(_) => table,
        };
        let share = self.share(scan, &scan.filter, facts);
        ScanEstimate { table, read, given: (read * share).max(read.min(1.0)) }
    }
}

/// Whether a condition has one value for a row, whenever it is evaluated.
fn is_closed(condition: &BoundExpr) -> bool {
    !condition.any(&mut |e| match &e.node {
        Node::Outer(_)
        | Node::Parameter(_)
        | Node::Aggregate(_)
        | Node::Window(_)
        | Node::Assign { .. }
        | Node::Subquery { .. } => true,
        Node::Call { function, .. } => function.volatile || function.session,
        _ => false,
    })
}

/// Whether all values of an access are known.
pub fn is_known(access: &IndexAccess) -> bool {
    let mut known = true;
    access.each_expr(&mut |e| known &= e.is_constant());
    known
}

/// The share by the distinct values of the column that a condition compares, or by its form.
fn by_column(scan: &Scan, condition: &BoundExpr, facts: Option<&Facts>) -> f64 {
    let Some(facts) = facts else { return cost::by_form(condition) };
    let distinct = |expr: &BoundExpr| {
        let mut inner = expr;
        while let Node::Coerce(next) = &inner.node {
            inner = next;
        }
        match &inner.node {
            Node::Column(column) => scan.columns.get(column.index).map(|at| facts.column(*at).0),
            _ => None,
        }
    };
    match &condition.node {
        Node::Compare { op: Comparison::Equal, sides, .. } => {
            let known = sides.iter().find_map(distinct);
            known.map_or(cost::EQUAL, |known| 1.0 / known.max(1.0))
        }
        Node::In { needle, list, negated: false, .. } => distinct(needle)
            .map_or_else(|| cost::by_form(condition), |n| (list.len() as f64 / n.max(1.0)).min(1.0)),
        _ => cost::by_form(condition),
    }
}

/// Leaves an estimate in every scan of a plan, its derived tables and subqueries included: what EXPLAIN shows.
pub fn annotate(plan: &mut SelectPlan, session: &SessionState) {
    let mut estimator = Estimator::new(session);
    annotate_block(plan, &mut estimator);
}

fn annotate_block(plan: &mut SelectPlan, estimator: &mut Estimator<'_>) {
    annotate_plan(&mut plan.root, estimator);
    for subplan in &mut plan.subplans {
        annotate_block(Arc::make_mut(subplan), estimator);
    }
}

fn annotate_plan(plan: &mut Plan, estimator: &mut Estimator<'_>) {
    match plan {
        Plan::Scan(scan) => scan.estimate = Some(estimator.scan(scan)),
        Plan::Derived(derived) => annotate_block(derived, estimator),
        _ => plan.each_input_mut(&mut |input| annotate_plan(input, estimator)),
    }
}
/// The value of an expression that has the same one in every execution, None for others and for one that fails or warns.
pub fn constant_value(expr: &BoundExpr, session: &SessionState) -> Option<Vector> {
    match &expr.node {
        Node::Literal(value) => Some(value.clone()),
        _ if expr.is_constant() => Estimator::new(session).constant(expr),
        _ => None,
    }
}
