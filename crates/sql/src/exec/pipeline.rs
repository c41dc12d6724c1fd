//! Pipelines: a scan and what can be done with each of its rows alone, filters, projections, and the left sides of
//! joins. Several threads can run one, each over a part of its rows ([`super::morsel`]).
//!
//! A part is a range of the scan's index. Where the scan is small and lookups make the work, the beginning of the
//! pipeline is run first ([`spread`]), and a part is some of the rows that it gives.
//!
//! A pipeline can be run in parts only if all of its expressions are functions of the row (no subquery, no variable
//! that is assigned, nothing that asks the session) and no lock is taken.

use std::collections::VecDeque;
use std::sync::Arc;

use rustydb_transaction::KeyRange;

use super::batch::Batch;
use super::filter::{Filter, Project};
use super::hash_join::{HashJoin, RightSide, SharedTable, read_right};
use super::join_pairs::is_quiet_node;
use super::leaf_tests::Test;
use super::lookup_join::LookupJoin;
use super::morsel::open_wide;
use super::run::{Operator, Run, open};
use super::scan::TableScan;
use super::spill::rows::bytes_of;
use crate::context::TableRows;
use crate::database::memory::Reservation;
use crate::error::SqlError;
use crate::expr::{BoundExpr, Class, Node};
use crate::plan::{Access, JoinKind, Plan, Scan};

/// Functions that neither fail nor warn.
const SILENT: &[&str] = &["like", "not like", "not", "isnull", "is null", "is not null"];

/// Whether an expression is a function of the row alone.
fn is_shareable(expr: &BoundExpr) -> bool {
    !expr.any(&mut |e| match &e.node {
        Node::Subquery { .. } | Node::Assign { .. } | Node::Aggregate(_) | Node::Window(_) => true,
        Node::Call { function, .. } => function.volatile || function.session,
        _ => false,
    })
}

pub(super) fn are_shareable(exprs: &[BoundExpr]) -> bool {
    exprs.iter().all(is_shareable)
}

/// The scan that a pipeline begins with, if the pipeline can be run in parts.
pub(super) fn source(plan: &Plan) -> Option<&Scan> {
    match plan {
        Plan::Scan(scan) => is_divisible(scan).then_some(scan),
        Plan::Filter { input, predicates } if are_shareable(predicates) => source(input),
        Plan::Project { input, exprs } if are_shareable(exprs) => source(input),
        Plan::Join(join) if join.lateral.is_none() && are_shareable(&join.on) => {
            let keys = join.keys.iter().chain(&join.not_in);
            if !keys.into_iter().all(|key| is_shareable(&key.left)) {
                return None;
            }
            if join.lookup {
                let Plan::Scan(right) = &join.right else { return None };
                let mut shareable = matches!(right.access, Access::Index(_)) && right.lock.is_none();
                join.right.each_expr(&mut |expr| shareable &= is_shareable(expr));
                if !shareable || LookupJoin::over(join, right, || open(&Plan::Dual)).is_none() {
                    return None;
                }
            }
            source(&join.left)
        }
        _ => None,
    }
}

fn is_divisible(scan: &Scan) -> bool {
    // What equals some values is a small part of its index.
    matches!(&scan.access, Access::Index(access) if access.equals.is_empty() && access.is_plain())
        && matches!(scan.table.rows, TableRows::Stored)
        && scan.lock.is_none()
        && scan.limit.is_none()
        && !scan.one_by_one
        && !scan.reverse
        && are_shareable(&scan.filter)
}

/// Where the rows at the bottom of a pipeline come from.
pub(super) enum Base<'p> {
    /// One range of the scan's index.
    Range(KeyRange),
    /// Rows of the node so many steps below the top, which were made before.
    Rows(usize, Box<dyn Operator + 'p>),
}

/// Rows that are there already.
pub(super) struct Made(pub(super) VecDeque<Batch>);

impl Operator for Made {
    fn next(&mut self, _: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        Ok(self.0.pop_front())
    }
}

/// Opens a pipeline, or what of it is `depth` steps below the top, over one part of its rows; `tables` are those of
/// the hash joins from there on.
pub(super) fn open_part<'p>(
    plan: &'p Plan,
    depth: usize,
    base: Base<'p>,
    tests: &[Test],
    tables: &mut std::slice::Iter<'_, Arc<SharedTable>>,
) -> Result<Box<dyn Operator + 'p>, SqlError> {
    let missing = || SqlError::unknown("plan: a pipeline that cannot be divided");
    let base = match base {
        Base::Rows(at, rows) if at == depth => return Ok(rows),
        base => base,
    };
    let below = depth + 1;
    Ok(match (plan, base) {
        (Plan::Scan(scan), Base::Range(range)) => {
            let mut rows = TableScan::of_part(scan, range);
            tests.iter().for_each(|test| rows.add_test(test.clone()));
            Box::new(rows)
        }
        (Plan::Scan(scan), Base::Rows(..)) => Box::new(TableScan::new(scan)),
        (Plan::Filter { input, predicates }, base) => {
            Box::new(Filter::new(open_part(input, below, base, tests, tables)?, predicates))
        }
        (Plan::Project { input, exprs }, base) => {
            Box::new(Project::new(open_part(input, below, base, tests, tables)?, exprs))
        }
        (Plan::Join(join), base) if join.lookup => {
            let Plan::Scan(right) = &join.right else { return Err(missing()) };
            let left = open_part(&join.left, below, base, tests, tables)?;
            Box::new(LookupJoin::over(join, right, || left).ok_or_else(missing)?)
        }
        (Plan::Join(join), base) => {
            let table = Arc::clone(tables.next().ok_or_else(missing)?);
            Box::new(HashJoin::over(join, open_part(&join.left, below, base, tests, tables)?, table))
        }
        _ => return Err(missing()),
    })
}

/// The nodes of a pipeline, from above.
fn spine(plan: &Plan) -> Vec<&Plan> {
    let mut nodes = vec![plan];
    while let Some(last) = nodes.last() {
        match last {
            Plan::Filter { input, .. } | Plan::Project { input, .. } => nodes.push(input),
            Plan::Join(join) => nodes.push(&join.left),
            _ => break,
        }
    }
    nodes
}

/// Whether rows of a pipeline are looked up one by one.
pub(super) fn has_lookups(plan: &Plan) -> bool {
    spine(plan).into_iter().any(|node| matches!(node, Plan::Join(join) if join.lookup))
}

/// Whether a pipeline joins its rows to others.
pub(super) fn has_joins(plan: &Plan) -> bool {
    spine(plan).into_iter().any(|node| matches!(node, Plan::Join(_)))
}

/// What the beginning of a pipeline has given.
pub(super) enum Spread<'p> {
    /// The rows of the node so many steps below the top: enough of them to share out what is to be done for each. With
    /// the memory that they take.
    Rows(usize, Vec<Batch>, Reservation),
    /// Never enough, or too many: the rest of the pipeline.
    Rest(Box<dyn Operator + 'p>),
}

/// Runs the beginning of a pipeline whose scan is small: node after node, until there are rows enough and lookups for
/// each of them are still to come.
pub(super) fn spread<'p>(
    plan: &'p Plan,
    enough: usize,
    tables: &[Arc<SharedTable>],
    run: &mut Run<'_, '_>,
) -> Result<Spread<'p>, SqlError> {
    let nodes = spine(plan);
    let is_hash = |node: &&&Plan| matches!(node, Plan::Join(join) if !join.lookup);
    let is_lookup = |node: &&Plan| matches!(node, Plan::Join(join) if join.lookup);
    let reservation = run.context.memory.reserve();
    // As long as nothing was made, the scan itself is the base.
    let mut base = Base::Rows(usize::MAX, Box::new(Made(VecDeque::new())));
    for (depth, node) in nodes.iter().enumerate().rev() {
        if !matches!(node, Plan::Scan(_) | Plan::Join(_)) || !nodes.iter().take(depth).any(is_lookup) {
            continue;
        }
        let above = nodes.iter().take(depth).filter(is_hash).count();
        let mut own = tables.get(above..).unwrap_or_default().iter();
        let mut operator = open_part(node, depth, base, &[], &mut own)?;
        let (mut made, mut rows) = (VecDeque::new(), 0);
        while let Some(batch) = operator.next(run)? {
            run.check()?;
            rows += batch.rows;
            let fits = reservation.grow(bytes_of(&batch));
            made.push_back(batch);
            if !fits {
                let rest = Box::new(Chained { made: Made(made), rest: operator });
                let base = Base::Rows(depth, rest);
                return Ok(Spread::Rest(open_part(plan, 0, base, &[], &mut tables.iter())?));
            }
        }
        if rows >= enough {
            return Ok(Spread::Rows(depth, made.into(), reservation));
        }
        reservation.clear();
        base = Base::Rows(depth, Box::new(Made(made)));
    }
    Ok(Spread::Rest(open_part(plan, 0, base, &[], &mut tables.iter())?))
}

/// Rows that are there already, then others.
struct Chained<'p> {
    made: Made,
    rest: Box<dyn Operator + 'p>,
}

impl Operator for Chained<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        match self.made.next(run)? {
            Some(batch) => Ok(Some(batch)),
            None => self.rest.next(run),
        }
    }
}

/// Builds the tables of the hash joins of a pipeline, from above; false if there is no memory for one of them.
pub(super) fn build_tables(
    plan: &Plan,
    run: &mut Run<'_, '_>,
    tables: &mut Vec<Arc<SharedTable>>,
) -> Result<bool, SqlError> {
    match plan {
        Plan::Filter { input, .. } | Plan::Project { input, .. } => build_tables(input, run, tables),
        Plan::Join(join) => {
            if !join.lookup {
                match read_right(join, open_wide(&join.right), run)? {
                    RightSide::Table(table) => tables.push(table),
                    RightSide::TooLarge { .. } => return Ok(false),
                }
            }
            build_tables(&join.left, run, tables)
        }
        _ => Ok(true),
    }
}

/// What can be tested of the rows of a pipeline's scan because a join, whose table is there, will find nothing for the
/// others; `tables` are those of the hash joins, from above.
pub(super) fn key_tests(plan: &Plan, tables: &[Arc<SharedTable>]) -> Vec<Test> {
    let mut tests = Vec::new();
    let Some(scan) = source(plan) else { return tests };
    let (mut node, mut tables) = (plan, tables.iter());
    loop {
        match node {
            Plan::Filter { input, .. } | Plan::Project { input, .. } => node = input,
            Plan::Join(join) => {
                if !join.lookup
                    && let Some(table) = tables.next()
                    && matches!(join.kind, JoinKind::Inner | JoinKind::Semi)
                {
                    for (at, key) in join.keys.iter().enumerate() {
                        let Node::Column(column) = &key.left.node else { continue };
                        let classes = (key.left.ty.class(), key.right.ty.class());
                        if classes == (Class::Int, Class::Int)
                            && let Some(column) = scanned(&join.left, column.index)
                            && let Some(column) = scan.columns.get(column)
                            && let Some(keys) = table.key_set(at)
                        {
                            tests.extend(Test::of_keys(&scan.table.def, *column, keys));
                        }
                    }
                }
                node = &join.left;
            }
            _ => return tests,
        }
    }
}

/// The column of its scan that a column of a pipeline is; None too if leaving out rows that have no match further up
/// could keep something between from failing or warning.
fn scanned(plan: &Plan, column: usize) -> Option<usize> {
    match plan {
        Plan::Scan(scan) => scan.filter.iter().all(is_silent).then_some(column),
        Plan::Filter { input, predicates } => {
            predicates.iter().all(is_silent).then(|| scanned(input, column)).flatten()
        }
        Plan::Project { input, exprs } => {
            let Node::Column(inner) = &exprs.get(column)?.node else { return None };
            exprs.iter().all(is_silent).then(|| scanned(input, inner.index)).flatten()
        }
        Plan::Join(join) => {
            let silent = join.on.iter().all(is_silent) && join.keys.iter().all(|key| is_silent(&key.left));
            (silent && column < join.left_width).then(|| scanned(&join.left, column)).flatten()
        }
        _ => None,
    }
}

/// Whether evaluating an expression changes nothing but its result.
fn is_silent(expr: &BoundExpr) -> bool {
    !expr.any(&mut |e| {
        let like = matches!(&e.node, Node::Call { function, .. } if SILENT.contains(&function.name));
        !like && !is_quiet_node(e)
    })
}
