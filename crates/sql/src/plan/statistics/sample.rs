//! Facts of one table from a sample of the leaves of its trees.
//!
//! Rows are what the leaves hold on average. The distinct values of an index's leading columns are counted where two
//! neighbouring entries differ: the share of such places in the sampled leaves, times the rows. That share is right on
//! average however skewed the values are, but sees nothing of few values that fill many leaves each; so the values that
//! are seen in the whole sample are the least that there can be. Of columns without an index, distinct values follow
//! from how many values of the sample came once (the estimator of Haas and Stokes).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hashbrown::HashMap;
use parking_lot::Mutex;
use rustydb_catalog::{IndexDef, TableDef};
use rustydb_transaction::{EntryBatch, Tree, TreeId};
use rustydb_value::key::skip_key_part;
use rustydb_value::{TypeKind, ValueRef};

use super::LEAST_SPLITS;
use crate::exec::scan::type_of;
use crate::expr::Vector;
use crate::expr::vector::Builder;
use crate::stored::RowReader;

/// Bytes of the rows that are kept of a table.
pub(super) const MOST_BYTES: usize = 128 << 10;
/// Rows that are kept of a leaf.
const ROWS_OF_A_LEAF: usize = 32;

/// What is known of one table.
pub struct Facts {
    /// Rows of the table.
    pub rows: f64,
    /// Leaves of the primary tree.
    pub leaves: f64,
    indexes: Vec<IndexFacts>,
    freshness: Arc<Freshness>,
    reader: RowReader,
    rows_kept: EntryBatch,
    columns: Mutex<HashMap<usize, Vector>>,
    distinct: Mutex<HashMap<usize, (f64, f64)>>,
}

/// Tells whether facts still hold; small, so that a plan that is kept can keep it.
pub struct Freshness {
    trees: Vec<Arc<Tree>>,
    /// Splits of their leaves when the facts were taken.
    splits: u64,
    /// How many more there may be.
    allowed: u64,
    /// Others were taken in their place.
    is_void: AtomicBool,
}

impl Freshness {
    /// Whether the table has not grown by a tenth since, and nobody asked for other facts.
    pub fn is_current(&self) -> bool {
        let grown = splits_of(&self.trees).saturating_sub(self.splits);
        grown <= self.allowed && !self.is_void.load(Ordering::Relaxed)
    }

    /// They are not to be used any more.
    pub(super) fn end(&self) {
        self.is_void.store(true, Ordering::Relaxed);
    }
}

/// What is known of one index.
struct IndexFacts {
    tree: TreeId,
    leaves: f64,
    /// Distinct values of its first column, its first two, and so on.
    distinct: Vec<f64>,
}

impl Facts {
    /// Takes a sample of every tree of a table; None if one cannot be read.
    pub(super) fn take(def: &Arc<TableDef>, trees: Vec<Arc<Tree>>, dives: usize) -> Option<Facts> {
        let splits = splits_of(&trees);
        let mut rows_kept = EntryBatch::new();
        let mut of_leaf = (usize::MAX, 0);
        let mut indexes = Vec::with_capacity(trees.len());
        let mut rows = 0.0;
        for ((at, index), tree) in def.all_indexes().enumerate().zip(&trees) {
            let mut counting = Counting::new(def, index);
            let size = tree.sample(dives, |leaf, key, value| {
                counting.see(leaf, key);
                if at != 0 {
                    return;
                }
                if of_leaf.0 != leaf {
                    of_leaf = (leaf, 0);
                }
                of_leaf.1 += 1;
                if of_leaf.1 <= ROWS_OF_A_LEAF && rows_kept.byte_len() + key.len() + value.len() <= MOST_BYTES
                {
                    rows_kept.push(key, value);
                }
            });
            let size = size.ok()?;
            if at == 0 {
                rows = size.entries;
            }
            let mut distinct = counting.distinct(rows);
            if index.unique
                && let Some(all) = distinct.last_mut()
            {
                *all = rows.max(1.0);
            }
            indexes.push(IndexFacts { tree: index.tree, leaves: size.leaves, distinct });
        }
        let leaves: f64 = indexes.iter().map(|index| index.leaves).sum();
        let allowed = LEAST_SPLITS.max((leaves / 10.0) as u64);
        let freshness = Freshness { trees, splits, allowed, is_void: AtomicBool::new(false) };
        Some(Facts {
            rows,
            leaves: indexes.first().map_or(0.0, |index| index.leaves),
            indexes,
            freshness: Arc::new(freshness),
            reader: RowReader::new(Arc::clone(def)),
            rows_kept,
            columns: Mutex::default(),
            distinct: Mutex::default(),
        })
    }

    /// How long they hold.
    pub fn freshness(&self) -> &Arc<Freshness> {
        &self.freshness
    }

    /// Whether they are of these indexes and columns.
    pub(super) fn covers(&self, def: &Arc<TableDef>) -> bool {
        let known = self.reader.table();
        Arc::ptr_eq(known, def)
            || (known.schema_version == def.schema_version
                && self.indexes.iter().map(|index| index.tree).eq(def.all_indexes().map(|index| index.tree)))
    }

    /// Leaves of an index, by its place (0 is the primary one).
    pub fn leaves_of(&self, index: usize) -> f64 {
        self.indexes.get(index).map_or(1.0, |index| index.leaves).max(1.0)
    }

    /// Distinct values of the first columns of an index, by its place.
    pub fn distinct_of(&self, index: usize, columns: usize) -> f64 {
        let Some(facts) = self.indexes.get(index) else { return 1.0 };
        let at = columns.checked_sub(1).and_then(|at| facts.distinct.get(at));
        at.copied().unwrap_or(1.0).clamp(1.0, self.rows.max(1.0))
    }

    /// Rows of the sample.
    pub fn sample_len(&self) -> usize {
        self.rows_kept.len()
    }

    /// A column of the sample; None where it cannot be read without a session.
    pub fn sample_column(&self, column: usize) -> Option<Vector> {
        if let Some(known) = self.columns.lock().get(&column) {
            return Some(known.clone());
        }
        let def = self.reader.table();
        let definition = def.columns.get(column)?;
        if matches!(definition.ty.kind, TypeKind::Timestamp { .. }) {
            return None;
        }
        let mut builder = Builder::of(&type_of(def, column), self.rows_kept.len());
        for at in 0..self.rows_kept.len() {
            builder.push(self.reader.row(self.rows_kept.value(at)).ok()?.value(column).ok()?);
        }
        let vector = builder.finish();
        self.columns.lock().insert(column, vector.clone());
        Some(vector)
    }

    /// Distinct values of a column, and the share of NULLs.
    pub fn column(&self, column: usize) -> (f64, f64) {
        if let Some(known) = self.distinct.lock().get(&column) {
            return *known;
        }
        let found = self.count_column(column);
        self.distinct.lock().insert(column, found);
        found
    }

    fn count_column(&self, column: usize) -> (f64, f64) {
        let def = self.reader.table();
        let rows = self.rows.max(1.0);
        let leading = def.all_indexes().enumerate().find(|(_, index)| {
            index.columns.first().is_some_and(|part| part.column == column && part.prefix.is_none())
        });
        let mut seen: HashMap<Vec<u8>, u32> = HashMap::new();
        let (mut nulls, mut values) = (0usize, 0usize);
        for at in 0..self.rows_kept.len() {
            let Ok(row) = self.reader.row(self.rows_kept.value(at)) else { continue };
            match row.raw(column) {
                Ok(Some(bytes)) => {
                    values += 1;
                    *seen.entry(bytes.to_vec()).or_default() += 1;
                }
                Err(ValueRef::Null) | Ok(None) => nulls += 1,
                Err(_) => values += 1,
            }
        }
        let null_share = nulls as f64 / (nulls + values).max(1) as f64;
        if let Some((at, _)) = leading {
            return (self.distinct_of(at, 1), null_share);
        }
        let once = seen.values().filter(|count| **count == 1).count() as f64;
        let (sample, distinct) = (values as f64, seen.len() as f64);
        if sample < 1.0 {
            return (1.0, null_share);
        }
        let there = rows * (1.0 - null_share);
        let estimate = sample * distinct / (sample - once + once * sample / there.max(sample));
        (between(estimate, distinct.max(1.0), there.max(1.0)), null_share)
    }
}

/// The number, at least `low` and, where that leaves a choice, at most `high`. The two are estimates themselves: rounding
/// may put `high` a little under `low`, for which `clamp` would panic.
fn between(number: f64, low: f64, high: f64) -> f64 {
    number.min(high).max(low)
}

fn splits_of(trees: &[Arc<Tree>]) -> u64 {
    trees.iter().map(|tree| tree.splits()).sum()
}

/// Counts where the leading columns of neighbouring entries differ.
struct Counting<'d> {
    def: &'d TableDef,
    index: &'d IndexDef,
    leaf: usize,
    before: Vec<u8>,
    /// Ends of the parts of the entry before.
    ends: Vec<usize>,
    pairs: f64,
    /// Pairs that differ in the first column, in the first two, and so on.
    changes: Vec<f64>,
    /// Values that are known to be there: changes within leaves, and from leaf to leaf.
    seen: Vec<f64>,
}

impl<'d> Counting<'d> {
    fn new(def: &'d TableDef, index: &'d IndexDef) -> Counting<'d> {
        let width = index.columns.len();
        Counting {
            def,
            index,
            leaf: usize::MAX,
            before: Vec::new(),
            ends: Vec::new(),
            pairs: 0.0,
            changes: vec![0.0; width],
            seen: vec![0.0; width],
        }
    }

    fn see(&mut self, leaf: usize, key: &[u8]) {
        let mut ends = Vec::with_capacity(self.index.columns.len());
        let mut at = 0;
        for part in &self.index.columns {
            let Some(column) = self.def.columns.get(part.column) else { break };
            let rest = key.get(at..).unwrap_or_default();
            let Ok(length) = skip_key_part(&column.ty, rest, part.descending) else { break };
            at += length;
            ends.push(at);
        }
        let is_first = self.leaf == usize::MAX;
        let is_neighbour = self.leaf == leaf;
        self.pairs += f64::from(u8::from(is_neighbour));
        for (position, end) in ends.iter().enumerate() {
            let before = self.ends.get(position).and_then(|end| self.before.get(..*end));
            let differs = is_first || before != key.get(..*end);
            if differs && let Some(seen) = self.seen.get_mut(position) {
                *seen += 1.0;
            }
            if differs
                && is_neighbour
                && let Some(changes) = self.changes.get_mut(position)
            {
                *changes += 1.0;
            }
        }
        self.leaf = leaf;
        self.before.clear();
        self.before.extend_from_slice(key);
        self.ends = ends;
    }

    fn distinct(&self, rows: f64) -> Vec<f64> {
        let estimates = self.changes.iter().zip(&self.seen).map(|(changes, seen)| {
            let share = if self.pairs > 0.0 { changes / self.pairs } else { 1.0 };
            (share * rows).max(*seen).clamp(1.0, rows.max(1.0))
        });
        estimates.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::between;

    #[test]
    fn bounds_that_rounding_put_past_each_other_are_no_panic() {
        assert_eq!(between(9.0, 7.0, 6.999_999_999_999_999), 7.0);
        assert_eq!(between(1.0, 2.0, 5.0), 2.0);
        assert_eq!(between(9.0, 2.0, 5.0), 5.0);
    }
}
