//! Current reads under locks: the rows of FOR UPDATE and FOR SHARE, and those that UPDATE and DELETE change.
//!
//! A row is locked as it is met, its newest version is tested against all conditions, and under READ
//! COMMITTED a row that does not match is let go at once. Through a secondary index first the entry is
//! locked, then the row it leads to. So what is found cannot change before the transaction ends.
//!
//! An UPDATE under READ COMMITTED that goes through the rows themselves waits for a locked one only if its conditions
//! are true for what was committed last, as in InnoDB; then it is locked and tested again.
//!
//! NOWAIT fails at the first lock that is not free; SKIP LOCKED goes on behind it, be it the entry's or the row's.

use std::sync::Arc;

use arrow_array::builder::BinaryBuilder;
use rustydb_catalog::TableDef;
use rustydb_sql_parser::ast;
use rustydb_transaction::{Direction, Error, Isolation, KeyRange, LockMode, LockedScan, Met, Tree};
use rustydb_value::{TypeKind, Value, ValueRef};

use super::batch::Batch;
use super::collected::gathered;
use super::key_range::{Ranges, key_ranges};
use super::run::Run;
use super::scan::{to_local, type_of};
use super::sort_key::append_sorted;
use super::spill::sort::{Sorted, Sorter};
use super::subquery::Surroundings;
use crate::context::{BindContext, ExecContext, TableRef, TableRows};
use crate::error::SqlError;
use crate::expr::bind::Binder;
use crate::expr::eval::{Frame, evaluate, filter};
use crate::expr::planning::Planning;
use crate::expr::types::ExprType;
use crate::expr::vector::{Builder, Vector};
use crate::expr::{BoundExpr, Scope};
use crate::plan::estimate::Estimator;
use crate::plan::rules::{access_path, index_order};
use crate::plan::statistics::Statistics;
use crate::plan::{Access, IndexAccess, IndexHints, Plan, RowLock, Scan, SelectPlan, SortKey};
use crate::stored::{IndexEntry, RowReader, damaged};

/// So many rows are given to a sort at once.
const SORTED_AT_ONCE: usize = 256;
/// Or so many bytes of them.
const SORTED_BYTES_AT_ONCE: usize = 64 << 10;

/// A key and its value: of an index entry, or of a row in the primary tree.
pub type KeyAndRow = (Vec<u8>, Vec<u8>);

/// Rows of a table, locked one by one.
pub struct LockedRows {
    reader: RowReader,
    tree: Arc<Tree>,
    /// The primary tree, if `tree` is another.
    rows_tree: Option<Arc<Tree>>,
    ranges: Ranges,
    next: usize,
    scan: Option<LockedScan>,
    direction: Direction,
    mode: LockMode,
    lock: RowLock,
    /// Columns that the conditions see, in their numbering.
    columns: Vec<usize>,
    types: Vec<ExprType>,
    /// A row that is locked and does not match is not waited for.
    passes_by: bool,
}

/// What the index has next.
enum Next {
    Locked(KeyAndRow),
    /// Somebody else has the row locked; this is how it was last committed.
    Taken(KeyAndRow),
}

impl LockedRows {
    /// Over these ranges of an index (0 is the primary one).
    pub fn open(
        reader: RowReader,
        index: usize,
        mut ranges: Ranges,
        reverse: bool,
        lock: RowLock,
        columns: Vec<usize>,
        run: &mut Run<'_, '_>,
    ) -> Result<LockedRows, SqlError> {
        let def = reader.table().clone();
        let Some(chosen) = def.all_indexes().nth(index) else {
            return Err(SqlError::unknown("plan: an index is missing"));
        };
        let tree = run.context.engine().tree(chosen.tree)?;
        let rows_tree = if index == 0 { None } else { Some(run.context.engine().tree(def.primary.tree)?) };
        if reverse {
            match &mut ranges {
                Ranges::Points(keys) => keys.reverse(),
                Ranges::Ranges(ranges) => ranges.reverse(),
            }
        }
        let types = columns.iter().map(|at| type_of(&def, *at)).collect();
        Ok(LockedRows {
            reader,
            tree,
            rows_tree,
            ranges,
            next: 0,
            scan: None,
            direction: if reverse { Direction::Backward } else { Direction::Forward },
            mode: if lock.exclusive { LockMode::Exclusive } else { LockMode::Shared },
            lock,
            columns,
            types,
            passes_by: false,
        })
    }

    /// The next entry of the index.
    fn next_entry(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Next>, SqlError> {
        loop {
            match &mut self.ranges {
                Ranges::Points(keys) => {
                    let Some(key) = keys.get(self.next) else { return Ok(None) };
                    self.next += 1;
                    let found = run.context.txn.get_locked(&self.tree, key, self.mode);
                    if let Some(value) = self.lock.unless_skipped(found)?.flatten() {
                        return Ok(Some(Next::Locked((key.clone(), value))));
                    }
                }
                Ranges::Ranges(ranges) => {
                    if self.scan.is_none() {
                        let Some(range) = ranges.get_mut(self.next) else { return Ok(None) };
                        self.next += 1;
                        let range = std::mem::replace(range, KeyRange::all());
                        let scan =
                            run.context.txn.scan_locked(&self.tree, range, self.direction, self.mode)?;
                        self.scan = Some(scan);
                    }
                    if let Some(scan) = &mut self.scan
                        && self.passes_by
                    {
                        match scan.next_without_waiting(run.context.txn)? {
                            Some(Met::Locked(key, row)) => return Ok(Some(Next::Locked((key, row)))),
                            Some(Met::Taken(key, row)) => return Ok(Some(Next::Taken((key, row)))),
                            None => self.scan = None,
                        }
                    } else if let Some(scan) = &mut self.scan {
                        match self.lock.unless_skipped(scan.next(run.context.txn))? {
                            Some(Some(entry)) => return Ok(Some(Next::Locked(entry))),
                            Some(None) => self.scan = None,
                            None => run.check()?,
                        }
                    }
                }
            }
        }
    }

    /// The next row for which all conditions are true: the key in the primary tree, and the row.
    pub fn next(
        &mut self,
        conditions: &[BoundExpr],
        run: &mut Run<'_, '_>,
    ) -> Result<Option<KeyAndRow>, SqlError> {
        // Other tables of the query may be locked otherwise.
        run.context.txn.set_waits(self.lock.wait == ast::LockWait::Wait);
        let found = self.next_matching(conditions, run);
        run.context.txn.set_waits(true);
        found
    }

    fn next_matching(
        &mut self,
        conditions: &[BoundExpr],
        run: &mut Run<'_, '_>,
    ) -> Result<Option<KeyAndRow>, SqlError> {
        loop {
            run.check()?;
            let (key, value) = match self.next_entry(run)? {
                None => return Ok(None),
                Some(Next::Locked(entry)) => entry,
                Some(Next::Taken((key, row))) => {
                    if !self.matches(&row, conditions, run)? {
                        continue;
                    }
                    match run.context.txn.get_locked(&self.tree, &key, self.mode)? {
                        Some(row) => (key, row),
                        None => continue,
                    }
                }
            };
            let (row_key, row) = match &self.rows_tree {
                None => (key.clone(), value),
                Some(rows_tree) => {
                    let entry =
                        IndexEntry::read(&key, &value).map_err(|e| damaged(self.reader.table(), e))?;
                    let row_key = entry.primary_key.to_vec();
                    let found = run.context.txn.get_locked(rows_tree, &row_key, self.mode);
                    match self.lock.unless_skipped(found)?.flatten() {
                        Some(row) => (row_key, row),
                        None => continue,
                    }
                }
            };
            if self.matches(&row, conditions, run)? {
                return Ok(Some((row_key, row)));
            }
            match &self.rows_tree {
                None => run.context.txn.release_unmatched(&self.tree, &row_key),
                Some(rows_tree) => run.context.txn.release_unmatched(rows_tree, &row_key),
            }
        }
    }

    fn matches(&self, row: &[u8], conditions: &[BoundExpr], run: &mut Run<'_, '_>) -> Result<bool, SqlError> {
        if conditions.is_empty() {
            return Ok(true);
        }
        let columns = row_vectors(&self.reader, row, &self.columns, &self.types, run)?;
        let frame = Frame::new(&columns, 1).with_subqueries(run.subqueries);
        Ok(filter(conditions, &frame, &mut run.eval())?.is_none())
    }
}

impl RowLock {
    /// What was found, or None if its lock was not free and such rows are skipped.
    fn unless_skipped<T>(&self, found: Result<T, Error>) -> Result<Option<T>, SqlError> {
        match found {
            Ok(found) => Ok(Some(found)),
            Err(Error::WouldBlock) if self.wait == ast::LockWait::SkipLocked => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// One stored row as vectors of length one.
fn row_vectors(
    reader: &RowReader,
    row: &[u8],
    columns: &[usize],
    types: &[ExprType],
    run: &Run<'_, '_>,
) -> Result<Vec<Vector>, SqlError> {
    let zone = run.context.eval.session.settings.time_zone;
    let stored = reader.row(row)?;
    let mut out = Vec::with_capacity(columns.len());
    for (column, ty) in columns.iter().zip(types) {
        // No condition reads the key of the row.
        let value =
            if *column < reader.table().columns.len() { stored.value(*column)? } else { ValueRef::Null };
        let timestamp = reader
            .table()
            .columns
            .get(*column)
            .is_some_and(|c| matches!(c.ty.kind, TypeKind::Timestamp { .. }));
        let mut builder = Builder::of(ty, 1);
        builder.push(if timestamp { to_local(value, zone) } else { value });
        out.push(builder.finish());
    }
    Ok(out)
}

/// Which rows an UPDATE or DELETE changes, in which order, and how many.
pub struct Matching {
    scan: Scan,
    order: Vec<(BoundExpr, bool)>,
    limit: Option<u64>,
    subplans: Vec<Arc<SelectPlan>>,
    is_update: bool,
}

impl Matching {
    /// Binds the WHERE, ORDER BY and LIMIT of a statement over one table.
    #[expect(clippy::too_many_arguments, reason = "the clauses of the statement")]
    pub fn bind(
        table: &Arc<TableDef>,
        scope: &Scope,
        condition: Option<&ast::Expr>,
        order_by: &[ast::OrderItem],
        limit: Option<u64>,
        sql: &str,
        given: Option<&[Value]>,
        statistics: &Arc<Statistics>,
        context: &mut BindContext<'_>,
    ) -> Result<Matching, SqlError> {
        let session = context.session;
        let mut planning = Planning::new(context, sql, given);
        let mut conditions = Vec::new();
        if let Some(condition) = condition {
            conditions = Binder::new(&mut planning, scope, "where clause").bind_condition(condition)?;
        }
        let mut order = Vec::with_capacity(order_by.len());
        for item in order_by {
            let mut binder = Binder::new(&mut planning, scope, "order clause");
            order.push((binder.bind_typed(&item.expr)?, item.descending));
        }
        let subplans = std::mem::take(&mut planning.subplans);
        let mut scan = Scan {
            table: TableRef {
                def: table.clone(),
                rows: TableRows::Stored,
                statistics: Some(Arc::clone(statistics)),
            },
            alias: table.name.as_str().into(),
            columns: (0..table.columns.len()).collect(),
            filter: conditions,
            access: Access::Index(IndexAccess::all(0)),
            reverse: false,
            limit: None,
            one_by_one: false,
            lock: Some(RowLock { exclusive: true, wait: ast::LockWait::Wait }),
            hints: IndexHints::default(),
            estimate: None,
        };
        access_path::choose_by_cost(&mut scan, &mut Estimator::new(session));
        let (scan, order) = ordered(scan, order, limit);
        Ok(Matching { scan: narrowed(scan, &order), order, limit, subplans, is_update: false })
    }

    /// For an UPDATE, which under READ COMMITTED passes by rows that are locked and do not match.
    pub fn of_update(self) -> Matching {
        Matching { is_update: true, ..self }
    }
}

/// Lets an index give the order if it can.
fn ordered(scan: Scan, order: Vec<(BoundExpr, bool)>, limit: Option<u64>) -> (Scan, Vec<(BoundExpr, bool)>) {
    let columns: Option<Vec<SortKey>> = order
        .iter()
        .map(|(expr, descending)| match &expr.node {
            crate::expr::Node::Column(column) => {
                Some(SortKey { column: column.index, ty: expr.ty.clone(), descending: *descending })
            }
            _ => None,
        })
        .collect();
    let Some(keys) = columns.filter(|keys| !keys.is_empty()) else { return (scan, order) };
    let mut plan = Plan::Sort {
        input: Box::new(Plan::Scan(Box::new(scan.clone()))),
        keys,
        limit: limit.map(index_order::fixed_limit),
    };
    index_order::use_index_order(&mut plan);
    match plan {
        Plan::Scan(scan) => (*scan, Vec::new()),
        _ => (scan, order),
    }
}

/// Only the columns that conditions and sort keys read; their numbering follows the table's.
fn narrowed(mut scan: Scan, order: &[(BoundExpr, bool)]) -> Scan {
    let mut used = Vec::new();
    for expr in scan.filter.iter().chain(order.iter().map(|(e, _)| e)) {
        expr.columns(&mut used);
    }
    // Positions must stay those of the table, so columns are only cut off at the end.
    let width = used.iter().max().map_or(0, |last| last + 1);
    scan.columns.truncate(width);
    scan.limit = None;
    scan
}

/// The rows that a statement changes.
pub struct MatchingRows {
    rows: LockedRows,
    conditions: Vec<BoundExpr>,
    subqueries: Surroundings,
    left: u64,
    /// All rows, when they had to be sorted first.
    sorted: Option<(Sorted, Option<(Batch, usize)>)>,
}

/// Begins to find and lock the rows of a statement.
pub fn matching_rows(
    matching: &mut Matching,
    context: &mut ExecContext<'_>,
) -> Result<MatchingRows, SqlError> {
    let subqueries = Surroundings::of_statement(&matching.subplans);
    let scan = &matching.scan;
    let Access::Index(access) = &scan.access else { return Err(SqlError::unknown("plan: no index")) };
    let frame = Frame::constant().with_subqueries(&subqueries);
    let ranges = key_ranges(&scan.table.def, access, &frame, &mut context.for_expressions(0))?;
    let lock = RowLock { exclusive: true, wait: ast::LockWait::Wait };
    let mut run = Run { context, subqueries: &subqueries, held: 0, cut_off: 0 };
    let reader = RowReader::new(scan.table.def.clone());
    let mut rows =
        LockedRows::open(reader, access.index, ranges, scan.reverse, lock, scan.columns.clone(), &mut run)?;
    rows.passes_by = matching.is_update
        && rows.rows_tree.is_none()
        && run.context.txn.isolation() == Isolation::ReadCommitted;
    let mut found = MatchingRows {
        rows,
        conditions: scan.filter.clone(),
        left: matching.limit.unwrap_or(u64::MAX),
        subqueries: Surroundings::of_statement(&[]),
        sorted: None,
    };
    if !matching.order.is_empty() {
        found.sort(&matching.order, &mut run)?;
    }
    found.subqueries = subqueries;
    Ok(found)
}

impl MatchingRows {
    fn sort(&mut self, order: &[(BoundExpr, bool)], run: &mut Run<'_, '_>) -> Result<(), SqlError> {
        let keep = usize::try_from(self.left).unwrap_or(usize::MAX);
        let keys = [SortKey { column: 0, ty: ExprType::binary(u32::MAX), descending: false }];
        let mut sorter = Sorter::new(&keys, keep, run);
        let mut building = [BinaryBuilder::new(), BinaryBuilder::new(), BinaryBuilder::new()];
        let (mut count, mut bytes) = (0, 0);
        while let Some((key, row)) = self.rows.next(&self.conditions, run)? {
            let columns = row_vectors(&self.rows.reader, &row, &self.rows.columns, &self.rows.types, run)?;
            let frame = Frame::new(&columns, 1).with_subqueries(run.subqueries);
            let mut sort_key = Vec::new();
            for (expr, descending) in order {
                let value = evaluate(expr, &frame, &mut run.eval())?;
                append_sorted(&mut sort_key, &value, 0, &expr.ty, *descending, false);
            }
            for (builder, value) in building.iter_mut().zip([&sort_key, &key, &row]) {
                builder.append_value(value);
                bytes += value.len();
            }
            count += 1;
            if count >= SORTED_AT_ONCE || bytes >= SORTED_BYTES_AT_ONCE {
                bytes = 0;
                if let Some(batch) = gathered(&mut building, std::mem::take(&mut count)) {
                    sorter.push(batch, run)?;
                }
            }
        }
        if let Some(batch) = gathered(&mut building, count) {
            sorter.push(batch, run)?;
        }
        self.sorted = Some((sorter.finish(run)?, None));
        Ok(())
    }

    /// The next row of the sorted ones.
    fn next_sorted(&mut self) -> Result<Option<KeyAndRow>, SqlError> {
        let Some((sorted, current)) = &mut self.sorted else { return Ok(None) };
        if current.as_ref().is_none_or(|(batch, at)| *at >= batch.rows) {
            *current = sorted.read()?.map(|batch| (batch, 0));
        }
        let Some((batch, at)) = current else { return Ok(None) };
        let [_, keys, rows] = batch.columns.as_slice() else { return Ok(None) };
        let found = (keys.bytes(*at).to_vec(), rows.bytes(*at).to_vec());
        *at += 1;
        Ok(Some(found))
    }

    /// The next row: its key in the primary tree, and its bytes. It is locked.
    pub fn next(&mut self, context: &mut ExecContext<'_>) -> Result<Option<KeyAndRow>, SqlError> {
        if self.left == 0 {
            return Ok(None);
        }
        let found = match &self.sorted {
            Some(_) => self.next_sorted()?,
            None => {
                let mut run = Run { context, subqueries: &self.subqueries, held: 0, cut_off: 0 };
                self.rows.next(&self.conditions, &mut run)?
            }
        };
        if found.is_some() {
            self.left -= 1;
        }
        Ok(found)
    }
}
