//! Stepping through the distinct values of the leading columns of an index, by a descent for each.
//!
//! ```text
//! index (a, b):  1,3  1,7  1,9 | 4,2  4,8 | 6,1
//! groups by a:   1,3 and 1,9     4,2  4,8   6,1     the first entry of each value, the last one too for MAX(b)
//! skip scan:     1: b > 5        4: b > 5   6: b > 5    the same range under each value
//! ```
//! Both are for indexes whose leading columns have few values: everything between is never read. What they give is a
//! part of the index's entries in its order, so that the operators above do what they would do with all of them.

use std::ops::Bound;
use std::sync::Arc;

use rustydb_catalog::{IndexDef, TableDef};
use rustydb_transaction::{Direction, EntryBatch, KeyRange, Tree};
use rustydb_value::key::{prefix_successor, skip_key_part};
use rustydb_value::{Value, encode_key_part};

use super::run::Run;
use crate::error::SqlError;
use crate::plan::IndexGroups;
use crate::stored::damaged;

/// The first entry of a range that this statement sees.
fn first_in(
    tree: &Arc<Tree>,
    range: KeyRange,
    direction: Direction,
    run: &mut Run<'_, '_>,
    entries: &mut EntryBatch,
) -> Result<bool, SqlError> {
    let before = entries.len();
    let mut scan = run.context.txn.scan(tree, range, direction)?;
    loop {
        let more = scan.next_batch(run.context.txn, entries, 1)?;
        if entries.len() > before {
            return Ok(true);
        }
        if !more {
            return Ok(false);
        }
        run.check()?;
    }
}

/// How many bytes of a key its first columns take.
fn prefix_of(def: &TableDef, index: &IndexDef, key: &[u8], columns: usize) -> Result<usize, SqlError> {
    let mut at = 0;
    for part in index.columns.iter().take(columns) {
        let Some(column) = def.columns.get(part.column) else { break };
        let rest = key.get(at..).unwrap_or_default();
        at += skip_key_part(&column.ty, rest, part.descending).map_err(|e| damaged(def, e))?;
    }
    Ok(at.min(key.len()))
}

/// The values of the first columns of an index, as beginnings of keys.
pub fn prefixes(
    def: &TableDef,
    index: &IndexDef,
    tree: &Arc<Tree>,
    columns: usize,
    run: &mut Run<'_, '_>,
) -> Result<Vec<Vec<u8>>, SqlError> {
    let mut out = Vec::new();
    let mut low = Bound::Unbounded;
    loop {
        run.check()?;
        let mut entries = EntryBatch::new();
        let range = KeyRange { low, high: Bound::Unbounded };
        if !first_in(tree, range, Direction::Forward, run, &mut entries)? {
            return Ok(out);
        }
        let key = entries.key(0);
        let prefix = key.get(..prefix_of(def, index, key, columns)?).unwrap_or_default().to_vec();
        let next = prefix_successor(&prefix);
        run.hold(prefix.len() + 32, "skip scan")?;
        out.push(prefix);
        match next {
            Some(next) => low = Bound::Included(next),
            None => return Ok(out),
        }
    }
}

/// Reads the ends of each group of an index.
pub struct GroupEnds {
    groups: IndexGroups,
    index: usize,
    ranges: std::vec::IntoIter<KeyRange>,
    /// What is left of the range that is read.
    current: Option<KeyRange>,
}

impl GroupEnds {
    /// Of an index (by its place), within ranges that are in its order.
    pub fn new(groups: IndexGroups, index: usize, ranges: Vec<KeyRange>) -> GroupEnds {
        GroupEnds { groups, index, ranges: ranges.into_iter(), current: None }
    }

    /// Adds entries to a batch; whether there may be more.
    pub fn fill(
        &mut self,
        def: &TableDef,
        tree: &Arc<Tree>,
        batch: &mut EntryBatch,
        most: usize,
        run: &mut Run<'_, '_>,
    ) -> Result<bool, SqlError> {
        let Some(index) = def.all_indexes().nth(self.index) else {
            return Err(SqlError::unknown("plan: an index is missing"));
        };
        while batch.len() < most {
            let range = match self.current.take() {
                Some(range) => range,
                None => match self.ranges.next() {
                    Some(range) => range,
                    None => return Ok(false),
                },
            };
            let high = range.high.clone();
            let at = batch.len();
            if !first_in(tree, range, Direction::Forward, run, batch)? {
                continue;
            }
            let key = batch.key(at).to_vec();
            let prefix = key.get(..prefix_of(def, index, &key, self.groups.columns)?).unwrap_or_default();
            self.read_ends(def, index, tree, prefix, &key, batch, run)?;
            if let Some(next) = prefix_successor(prefix) {
                self.current = Some(KeyRange { low: Bound::Included(next), high });
            }
        }
        Ok(true)
    }

    /// Adds what MIN and MAX of the next column want beside the first entry of a group.
    #[expect(clippy::too_many_arguments, reason = "a place in an index")]
    fn read_ends(
        &self,
        def: &TableDef,
        index: &IndexDef,
        tree: &Arc<Tree>,
        prefix: &[u8],
        first: &[u8],
        batch: &mut EntryBatch,
        run: &mut Run<'_, '_>,
    ) -> Result<(), SqlError> {
        let column = index.columns.get(self.groups.columns);
        let column = column.and_then(|part| Some((def.columns.get(part.column)?, part.descending)));
        if let (true, Some((column, descending))) = (self.groups.least, column) {
            // NULLs come first, and MIN passes them by.
            let mut null = prefix.to_vec();
            encode_key_part(&mut null, &column.ty, Value::Null.as_ref(), descending)
                .map_err(|e| damaged(def, e))?;
            if first.starts_with(&null)
                && let Some(low) = prefix_successor(&null)
            {
                let high = prefix_successor(prefix).map_or(Bound::Unbounded, Bound::Excluded);
                let range = KeyRange { low: Bound::Included(low), high };
                first_in(tree, range, Direction::Forward, run, batch)?;
            }
        }
        if self.groups.greatest {
            first_in(tree, KeyRange::prefix(prefix), Direction::Backward, run, batch)?;
        }
        Ok(())
    }
}
