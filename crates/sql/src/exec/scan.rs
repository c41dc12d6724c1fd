//! Reads a table through one of its indexes, in batches.
//!
//! Entries come in the order of the index from the snapshot (or, for FOR UPDATE and FOR SHARE, from locking
//! reads one by one). An index entry leads to its row by the primary key, unless the entry itself holds
//! every column that is wanted. Of a row only those columns are decoded, each into a vector of its class
//! ([`super::row_columns`]): first those that the filter reads, then the others of the rows that pass.
//!
//! A long scan of the rows themselves goes on leaf by leaf, without copying entries ([`super::leaf_rows`]).
//!
//! The first batch holds 16 rows (256 where all will be read), each next one four times as many up to 1,024, or 16 MB;
//! a limit that is known stops the scan at its last row. A locking scan below a limit that is not gives its rows one by one.

use std::sync::Arc;

use rustydb_transaction::{Direction, EntryBatch, KeyRange, Scan as TreeScan, Tree};
use rustydb_value::{TimeZone, TypeKind, Value, ValueRef};

use super::batch::{Batch, FIRST_ROWS, MAX_ROWS};
use super::entry_columns::EntryReader;
use super::index_merge::row_keys;
use super::index_steps::{GroupEnds, prefixes};
use super::key_range::{KeyValues, Ranges, key_ranges};
use super::leaf_rows::{Gathered, LeafRows};
use super::leaf_tests::{Test, divide};
use super::matching::LockedRows;
use super::row_columns::RowColumns;
use super::run::{Operator, Run};
use crate::error::SqlError;
use crate::expr::BoundExpr;
use crate::expr::eval::{Frame, filter};
use crate::expr::scope::row_key_type;
use crate::expr::types::ExprType;
use crate::expr::vector::{Builder, Vector};
use crate::plan::{Access, IndexAccess, Scan};
use crate::stored::{IndexEntry, RowReader, damaged, encode_index_key};

/// Rows in the first batch where all rows will be read.
const FIRST_OF_ALL: usize = 256;
/// Bytes of entries in a batch, about.
const LARGEST_BATCH: usize = 16 << 20;
/// Leaves between two looks at the cancel flag.
const LEAVES_UNCHECKED: usize = 16;

/// Where entries come from.
enum Source {
    /// Keys that are looked up one by one.
    Points { keys: Vec<Vec<u8>>, next: usize },
    /// Ranges, read one after the other.
    Ranges { ranges: Vec<KeyRange>, next: usize, scan: Option<TreeScan> },
    /// The ends of groups.
    Groups(Box<GroupEnds>),
    /// Locking reads.
    Locked(Box<LockedRows>),
    /// Nothing more.
    Done,
}

/// The scan of a stored table.
pub struct TableScan<'p> {
    plan: &'p Scan,
    rows: RowColumns,
    /// The columns that the filter reads, by their places among those of the scan.
    tested: Vec<usize>,
    entries: Option<EntryReader>,
    tree: Option<Arc<Tree>>,
    rows_tree: Option<Arc<Tree>>,
    source: Option<Source>,
    /// The only range to read, where others read the rest.
    part: Option<KeyRange>,
    /// Rows to give in the next batch, and in the largest one: fewer of long rows.
    size: usize,
    largest: usize,
    /// Rows that anybody will still read.
    wanted: u64,
    types: Vec<ExprType>,
    /// Tests beside those of the filter.
    tests: Vec<Test>,
    leaves: Leaves,
}

/// Reading leaf by leaf.
enum Leaves {
    /// Not yet: the first rows may be all that is wanted.
    Later,
    /// What is gathered, and the conditions that are no tests.
    Open(Box<LeafRows>, Vec<BoundExpr>),
    /// This scan does not.
    Never,
}

impl<'p> TableScan<'p> {
    /// Of this plan; opened by the first call of `next`, or by [`TableScan::open`].
    pub fn new(plan: &'p Scan) -> TableScan<'p> {
        let def = &plan.table.def;
        let types = plan.columns.iter().map(|at| type_of(def, *at)).collect();
        let entries = match &plan.access {
            Access::Index(IndexAccess { index, covering: true, .. }) => {
                EntryReader::new(def, *index, &plan.columns)
            }
            _ => None,
        };
        let mut tested = Vec::new();
        plan.filter.iter().for_each(|condition| condition.columns(&mut tested));
        TableScan {
            plan,
            rows: RowColumns::new(RowReader::new(def.clone()), &plan.columns),
            tested,
            entries,
            tree: None,
            rows_tree: None,
            source: None,
            size: if plan.one_by_one { 1 } else { FIRST_ROWS },
            part: None,
            largest: MAX_ROWS,
            wanted: u64::MAX,
            types,
            tests: Vec::new(),
            leaves: if plan.reverse || plan.one_by_one || plan.lock.is_some() || plan.limit.is_some() {
                Leaves::Never
            } else {
                Leaves::Later
            },
        }
    }

    /// All of its rows will be read: it need not begin with few.
    pub fn to_its_end(self) -> TableScan<'p> {
        let size = if self.plan.one_by_one { 1 } else { FIRST_OF_ALL };
        TableScan { size, ..self }
    }

    fn access(&self) -> Option<&'p IndexAccess> {
        match &self.plan.access {
            Access::Index(access) => Some(access),
            Access::Virtual(_) => None,
        }
    }

    /// The part of a scan that lies in one range of its index; for scans without locks and limits.
    pub fn of_part(plan: &'p Scan, range: KeyRange) -> TableScan<'p> {
        TableScan { part: Some(range), size: MAX_ROWS, ..TableScan::new(plan) }
    }

    /// Leaves out rows that fail a test, where that comes easily: whoever asks has to test the others all the same.
    pub fn add_test(&mut self, test: Test) {
        self.tests.push(test);
    }

    /// Its plan.
    pub fn plan(&self) -> &'p Scan {
        self.plan
    }

    /// Opens the trees that it reads; gives the one of its index.
    pub fn open_trees(&mut self, run: &Run<'_, '_>) -> Result<Arc<Tree>, SqlError> {
        if let Some(tree) = &self.tree {
            return Ok(Arc::clone(tree));
        }
        let Some(access) = self.access() else { return Err(SqlError::unknown("plan: no index")) };
        let def = &self.plan.table.def;
        let Some(index) = def.all_indexes().nth(access.index) else {
            return Err(SqlError::unknown("plan: an index is missing"));
        };
        if access.index != 0 && self.entries.is_none() {
            self.rows_tree = Some(run.context.engine().tree(def.primary.tree)?);
        }
        Ok(Arc::clone(self.tree.insert(run.context.engine().tree(index.tree)?)))
    }

    /// Begins (again), with the row that a lookup join looks up.
    pub fn open(&mut self, run: &mut Run<'_, '_>, outer: &Frame<'_>) -> Result<(), SqlError> {
        let plan = self.plan;
        let Some(access) = self.access() else { return Err(SqlError::unknown("plan: no index")) };
        self.open_trees(run)?;
        if let Leaves::Open(..) = self.leaves {
            // What the last opening left is not wanted.
            self.leaves = Leaves::Later;
        }
        self.wanted = match &plan.limit {
            Some(limit) => {
                let params = run.context.eval.params;
                limit.offset.resolve(params)?.saturating_add(limit.count.resolve(params)?)
            }
            None => u64::MAX,
        };
        if self.wanted == 0 {
            self.source = Some(Source::Done);
            return Ok(());
        }
        let def = &plan.table.def;
        let ranges = match (&access.merge, access.skip) {
            (Some(merge), _) => Ranges::Points(row_keys(def, merge, outer, run)?),
            (None, 0) => key_ranges(def, access, outer, &mut run.eval())?,
            (None, columns) => Ranges::Ranges(self.skipped(access, columns, outer, run)?),
        };
        // Entries of versions that this transaction has overtaken itself are ends of no group.
        if let Some(groups) = access.groups
            && !run.context.txn.has_overtaken()
        {
            let ends = GroupEnds::new(groups, access.index, ranges.into_ranges());
            self.source = Some(Source::Groups(Box::new(ends)));
            return Ok(());
        }
        if let Some(lock) = plan.lock {
            if lock.exclusive && run.context.txn.is_read_only() {
                return Err(SqlError::read_only_transaction());
            }
            let rows = LockedRows::open(
                self.rows.reader().clone(),
                access.index,
                ranges,
                plan.reverse,
                lock,
                plan.columns.clone(),
                run,
            )?;
            self.source = Some(Source::Locked(Box::new(rows)));
            return Ok(());
        }
        self.source = Some(match ranges {
            Ranges::Points(mut keys) => {
                if plan.reverse {
                    keys.reverse();
                }
                Source::Points { keys, next: 0 }
            }
            Ranges::Ranges(mut ranges) => {
                if plan.reverse {
                    ranges.reverse();
                }
                Source::Ranges { ranges, next: 0, scan: None }
            }
        });
        Ok(())
    }

    /// The ranges of a skip scan.
    fn skipped(
        &mut self,
        access: &IndexAccess,
        columns: usize,
        outer: &Frame<'_>,
        run: &mut Run<'_, '_>,
    ) -> Result<Vec<KeyRange>, SqlError> {
        let def = &self.plan.table.def;
        let values = KeyValues::evaluate(access, outer, &mut run.eval())?;
        let Some(index) = def.all_indexes().nth(access.index) else { return Ok(Vec::new()) };
        let tree = self.open_trees(run)?;
        values.ranges_under(def, &prefixes(def, index, &tree, columns, run)?)
    }

    /// Adds entries of the index to a batch; whether there may be more.
    fn fill(&mut self, run: &mut Run<'_, '_>, batch: &mut EntryBatch, most: usize) -> Result<bool, SqlError> {
        let Some(tree) = &self.tree else { return Ok(false) };
        let direction = if self.plan.reverse { Direction::Backward } else { Direction::Forward };
        match &mut self.source {
            Some(Source::Points { keys, next }) => {
                while batch.len() < most {
                    let Some(key) = keys.get(*next) else { return Ok(false) };
                    *next += 1;
                    run.context.txn.get(tree, key, |value| batch.push(key, value))?;
                }
                Ok(*next < keys.len())
            }
            Some(Source::Ranges { ranges, next, scan }) => {
                while batch.len() < most {
                    if scan.is_none() {
                        let Some(range) = ranges.get_mut(*next) else { return Ok(false) };
                        *next += 1;
                        let range = std::mem::replace(range, KeyRange::all());
                        *scan = Some(run.context.txn.scan(tree, range, direction)?);
                    }
                    if let Some(open) = scan {
                        let before = batch.len();
                        let more = open.next_batch(run.context.txn, batch, most - before)?;
                        if !more {
                            *scan = None;
                        } else if batch.len() == before {
                            // Only versions that this snapshot does not see: look at the cancel flag.
                            run.check()?;
                        }
                    }
                }
                Ok(true)
            }
            Some(Source::Groups(groups)) => groups.fill(&self.plan.table.def, tree, batch, most, run),
            _ => Ok(false),
        }
    }

    /// Goes on leaf by leaf, if this scan can, and all rows are wanted.
    fn open_leaves(&mut self, run: &mut Run<'_, '_>) -> Result<(), SqlError> {
        let whole_rows = self.access().is_some_and(|access| access.index == 0) && self.entries.is_none();
        if !matches!(self.leaves, Leaves::Later) || self.size < MAX_ROWS {
            return Ok(());
        }
        self.leaves = Leaves::Never;
        if !whole_rows || self.wanted != u64::MAX || !matches!(self.source, Some(Source::Ranges { .. })) {
            return Ok(());
        }
        let plan = self.plan;
        let frame = Frame::constant().with_subqueries(run.subqueries);
        let def = &plan.table.def;
        let (mut tests, rest) = divide(def, &plan.columns, &plan.filter, &frame, &mut run.eval());
        tests.append(&mut self.tests);
        let zone = run.context.eval.session.settings.time_zone;
        if let Some(rows) = LeafRows::new(self.rows.reader(), &plan.columns, tests, zone) {
            self.leaves = Leaves::Open(Box::new(rows), rest);
        }
        Ok(())
    }

    /// Reads leaves until there is something to give; false at the end.
    fn read_leaves(&mut self, run: &mut Run<'_, '_>) -> Result<bool, SqlError> {
        let (Leaves::Open(rows, _), Some(tree)) = (&mut self.leaves, &self.tree) else { return Ok(false) };
        let Some(Source::Ranges { ranges, next, scan }) = &mut self.source else { return Ok(false) };
        let mut spare = EntryBatch::new();
        for leaf in 0usize.. {
            if leaf % LEAVES_UNCHECKED == 0 {
                run.check()?;
            }
            if scan.is_none() {
                let Some(range) = ranges.get_mut(*next) else {
                    self.source = Some(Source::Done);
                    rows.flush();
                    return Ok(rows.is_ready());
                };
                *next += 1;
                let range = std::mem::replace(range, KeyRange::all());
                *scan = Some(run.context.txn.scan(tree, range, Direction::Forward)?);
            }
            if let Some(open) = scan
                && !open.next_leaf(run.context.txn, &mut spare, |values| rows.take(values))?
            {
                *scan = None;
            }
            if rows.is_ready() {
                break;
            }
        }
        Ok(true)
    }

    /// The next rows of a scan that goes leaf by leaf.
    fn next_of_leaves(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        loop {
            let Leaves::Open(rows, rest) = &mut self.leaves else { return Ok(None) };
            let batch = match rows.give()? {
                Some(Gathered::Rows(batch)) if rest.is_empty() => batch,
                Some(Gathered::Rows(batch)) => {
                    let frame = Frame::new(&batch.columns, batch.rows).with_subqueries(run.subqueries);
                    let kept = filter(rest, &frame, &mut run.eval())?;
                    batch.select(kept.as_ref())?
                }
                Some(Gathered::Entries(entries)) => self.rows_that_pass(run, entries)?.0,
                None => {
                    if !self.read_leaves(run)? {
                        return Ok(None);
                    }
                    continue;
                }
            };
            if batch.rows > 0 {
                return Ok(Some(batch));
            }
        }
    }

    /// Which entries their rows agree with; None for all. A transaction that changed a row on top of a version which
    /// its snapshot does not show sees two entries of that row: the snapshot's, whose deletion it does not see, and
    /// its own.
    fn agreed(&self, run: &mut Run<'_, '_>, entries: &EntryBatch) -> Result<Option<Vec<u32>>, SqlError> {
        let def = &self.plan.table.def;
        let index = self.access().and_then(|access| def.all_indexes().nth(access.index));
        let Some(index) = index.filter(|index| index.tree != def.primary.tree) else { return Ok(None) };
        if !run.context.txn.has_overtaken() {
            return Ok(None);
        }
        let rows = run.context.engine().tree(def.primary.tree)?;
        let mut kept = Vec::new();
        let mut own = Vec::new();
        for at in 0..entries.len() {
            let (key, value) = (entries.key(at), entries.value(at));
            let entry = IndexEntry::read(key, value).map_err(|e| damaged(def, e))?;
            let Some(row) = run.context.txn.get(&rows, entry.primary_key, <[u8]>::to_vec)? else { continue };
            let row = self.rows.reader().row(&row)?;
            own.clear();
            let mut column = |column: usize| row.value(column).unwrap_or(ValueRef::Null);
            encode_index_key(def, index, entry.primary_key, &mut column, &mut own)
                .map_err(|e| damaged(def, e))?;
            if own == key {
                kept.push(at as u32);
            }
        }
        Ok(Some(kept))
    }

    /// The rows that entries of a secondary index lead to, and which entries those are.
    fn rows_of(
        &self,
        run: &mut Run<'_, '_>,
        entries: &EntryBatch,
    ) -> Result<(EntryBatch, Vec<u32>), SqlError> {
        let (mut rows, mut from) = (EntryBatch::new(), Vec::with_capacity(entries.len()));
        let Some(tree) = &self.rows_tree else { return Ok((rows, from)) };
        for at in 0..entries.len() {
            let entry = IndexEntry::read(entries.key(at), entries.value(at))
                .map_err(|e| damaged(&self.plan.table.def, e))?;
            let found =
                run.context.txn.get(tree, entry.primary_key, |row| rows.push(entry.primary_key, row))?;
            if found.is_some() {
                from.push(at as u32);
            }
        }
        Ok((rows, from))
    }

    /// The rows of some entries that pass the filter, and which entries they are; None for all of them.
    pub fn rows_that_pass(
        &self,
        run: &mut Run<'_, '_>,
        mut entries: EntryBatch,
    ) -> Result<(Batch, Option<Vec<u32>>), SqlError> {
        let mut from = self.agreed(run, &entries)?;
        if let Some(agreed) = &from {
            let mut kept = EntryBatch::new();
            agreed.iter().for_each(|at| kept.push(entries.key(*at as usize), entries.value(*at as usize)));
            entries = kept;
        }
        let zone = run.context.eval.session.settings.time_zone;
        if let Some(reader) = &self.entries {
            let columns = self.decode_entries(reader, &entries, zone)?;
            let batch = Batch { columns, rows: entries.len() };
            if self.plan.filter.is_empty() || batch.rows == 0 {
                return Ok((batch, from));
            }
            let frame = Frame::new(&batch.columns, batch.rows).with_subqueries(run.subqueries);
            let kept = filter(&self.plan.filter, &frame, &mut run.eval())?;
            from = picked(from, kept.as_ref().map(|kept| kept.values().as_ref()));
            return Ok((batch.select(kept.as_ref())?, from));
        }
        if self.rows_tree.is_some() {
            let count = entries.len();
            let (rows, found) = self.rows_of(run, &entries)?;
            from = picked(from, (found.len() < count).then_some(found.as_slice()));
            entries = rows;
        }
        let (batch, kept) = self.decode(run, &entries, &self.plan.filter, zone)?;
        Ok((batch, picked(from, kept.as_deref())))
    }

    /// The columns of the rows that pass a filter: those that it reads first, the others of what is left. With the
    /// positions of these rows; None for all.
    fn decode(
        &self,
        run: &mut Run<'_, '_>,
        entries: &EntryBatch,
        conditions: &[BoundExpr],
        zone: TimeZone,
    ) -> Result<(Batch, Option<Vec<u32>>), SqlError> {
        let mut rows = self.rows.rows(entries)?;
        let mut columns = vec![Vector::null(rows.count()); self.types.len()];
        let mut kept = None;
        let tested = if conditions.is_empty() || rows.count() == 0 { &[] } else { self.tested.as_slice() };
        if !conditions.is_empty() && rows.count() > 0 {
            for at in tested {
                if let Some(slot) = columns.get_mut(*at) {
                    *slot = self.rows.read(*at, &rows, zone)?;
                }
            }
            let frame = Frame::new(&columns, rows.count()).with_subqueries(run.subqueries);
            if let Some(positions) = filter(conditions, &frame, &mut run.eval())? {
                rows.keep(positions.values());
                for at in tested {
                    if let Some(slot) = columns.get_mut(*at) {
                        *slot = slot.take(&positions)?;
                    }
                }
                kept = Some(positions.values().to_vec());
            }
        }
        for (at, slot) in columns.iter_mut().enumerate() {
            if !tested.contains(&at) {
                *slot = self.rows.read(at, &rows, zone)?;
            }
        }
        Ok((Batch { columns, rows: rows.count() }, kept))
    }

    /// The columns of index entries that hold them all.
    fn decode_entries(
        &self,
        reader: &EntryReader,
        entries: &EntryBatch,
        zone: TimeZone,
    ) -> Result<Vec<Vector>, SqlError> {
        let def = &self.plan.table.def;
        let at = self.access().map_or(0, |a| a.index);
        let mut builders: Vec<Builder> = self.types.iter().map(|ty| Builder::of(ty, entries.len())).collect();
        let mut values: Vec<Value> = Vec::new();
        for entry in 0..entries.len() {
            reader.read(def, at, entries.key(entry), entries.value(entry), &mut values)?;
            for ((builder, value), column) in builders.iter_mut().zip(&values).zip(&self.plan.columns) {
                let value = value.as_ref();
                builder.push(if is_timestamp(def, *column) { to_local(value, zone) } else { value });
            }
        }
        Ok(builders.into_iter().map(Builder::finish).collect())
    }
}

/// Of the places in `from` (all if None) those at some positions (all if None).
fn picked(from: Option<Vec<u32>>, positions: Option<&[u32]>) -> Option<Vec<u32>> {
    match (from, positions) {
        (from, None) => from,
        (None, Some(positions)) => Some(positions.to_vec()),
        (Some(from), Some(positions)) => {
            Some(positions.iter().filter_map(|at| from.get(*at as usize).copied()).collect())
        }
    }
}

/// The type of a column; the one behind the last is the key of the row.
pub fn type_of(def: &rustydb_catalog::TableDef, column: usize) -> ExprType {
    def.columns.get(column).map_or_else(row_key_type, |c| ExprType::of_column(&c.ty, c.nullable))
}

/// Whether a column is a TIMESTAMP, which is stored in UTC.
pub fn is_timestamp(def: &rustydb_catalog::TableDef, column: usize) -> bool {
    def.columns.get(column).is_some_and(|c| matches!(c.ty.kind, TypeKind::Timestamp { .. }))
}

/// A TIMESTAMP as the session sees it.
pub fn to_local(value: ValueRef<'_>, zone: TimeZone) -> ValueRef<'_> {
    match value {
        ValueRef::DateTime(utc) => utc.to_local(zone).map_or(ValueRef::Null, ValueRef::DateTime),
        other => other,
    }
}

impl Operator for TableScan<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        if let Some(range) = self.part.take() {
            self.open_trees(run)?;
            self.source = Some(Source::Ranges { ranges: vec![range], next: 0, scan: None });
        }
        if self.source.is_none() {
            let subqueries = run.subqueries;
            self.open(run, &Frame::constant().with_subqueries(subqueries))?;
        }
        let zone = run.context.eval.session.settings.time_zone;
        loop {
            self.open_leaves(run)?;
            if let Leaves::Open(..) = self.leaves {
                return self.next_of_leaves(run);
            }
            if self.wanted == 0 || matches!(self.source, Some(Source::Done)) {
                return Ok(None);
            }
            run.check()?;
            let mut most = self.size;
            if self.plan.filter.is_empty() {
                most = most.min(usize::try_from(self.wanted).unwrap_or(usize::MAX));
            }
            let mut entries = EntryBatch::new();
            let (more, mut batch) = if let Some(Source::Locked(locked)) = &mut self.source {
                let mut more = true;
                while entries.len() < most {
                    match locked.next(&self.plan.filter, run)? {
                        Some((key, row)) => entries.push(&key, &row),
                        None => {
                            more = false;
                            break;
                        }
                    }
                    if entries.len() as u64 >= self.wanted {
                        break;
                    }
                }
                (more, self.decode(run, &entries, &[], zone)?.0)
            } else {
                let more = self.fill(run, &mut entries, most)?;
                let rows = entries.len().max(1);
                self.largest = (LARGEST_BATCH / (entries.byte_len() / rows).max(1)).clamp(1, MAX_ROWS);
                (more, self.rows_that_pass(run, entries)?.0)
            };
            if !self.plan.one_by_one {
                self.size = (self.size * 4).min(self.largest);
            }
            if !more {
                self.source = Some(Source::Done);
            }
            if batch.rows == 0 {
                continue;
            }
            if batch.rows as u64 > self.wanted {
                batch = batch.slice(0, usize::try_from(self.wanted).unwrap_or(batch.rows));
            }
            self.wanted -= batch.rows as u64;
            return Ok(Some(batch));
        }
    }
}
