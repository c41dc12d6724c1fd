//! Every index against its table: each row has exactly its entries, each entry leads to its row.
//!
//! Read in one snapshot of a store at rest. An entry is computed again from the row by the code that writes
//! entries and looked up by its key; since keys are unique, equal counts then mean that there is no entry
//! too many. Limits: damage within a table is listed up to [`MOST_PROBLEMS`], then only counted on.

use rustydb_catalog::{IndexDef, TableDef};
use rustydb_sql::stored::{IndexEntry, RowReader, StoredRow, encode_index_key, encode_primary_key, entry};
use rustydb_sql::{Database, SqlError};
use rustydb_transaction::{Direction, EntryBatch, Isolation, KeyRange, Transaction, Tree};
use rustydb_value::{RowRef, ValueRef};
use std::ops::Bound;
use std::sync::Arc;

/// Problems that are listed.
const MOST_PROBLEMS: usize = 100;
/// Entries read at a time.
const BATCH: usize = 512;

/// What was looked at, and what does not hold.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) tables: usize,
    pub(super) rows: u64,
    pub(super) entries: u64,
    pub(super) problems: Vec<String>,
}

/// Checks every table of every database.
pub(super) fn check(database: &Database) -> Result<Report, SqlError> {
    let mut check = Check {
        transaction: database.engine().begin(Isolation::RepeatableRead, true),
        database,
        report: Report::default(),
    };
    for schema in database.catalog().databases() {
        for table in database.catalog().tables(&schema.name) {
            check.table(&table)?;
        }
    }
    Ok(check.report)
}

struct Check<'a> {
    database: &'a Database,
    transaction: Transaction,
    report: Report,
}

impl Check<'_> {
    fn table(&mut self, table: &Arc<TableDef>) -> Result<(), SqlError> {
        self.report.tables += 1;
        let reader = RowReader::new(Arc::clone(table));
        let primary = self.database.engine().tree(table.primary.tree)?;
        let mut indexes = Vec::new();
        for index in &table.indexes {
            indexes.push((index, self.database.engine().tree(index.tree)?));
        }
        let mut rows = 0;
        self.each(&primary, |check, key, value| {
            rows += 1;
            if let Err(why) = check.row(&reader, key, value, &indexes) {
                check.problem(table, &format!("row {}: {why}", hex(key)));
            }
        })?;
        self.report.rows += rows;
        for (index, tree) in &indexes {
            let mut entries = 0u64;
            self.each(tree, |_, _, _| entries += 1)?;
            self.report.entries += entries;
            if entries != rows {
                self.problem(table, &format!("index {} has {entries} entries for {rows} rows", index.name));
            }
        }
        Ok(())
    }

    /// A row is whole, stands at its own key, and each index has its entry.
    fn row(
        &mut self,
        reader: &RowReader,
        key: &[u8],
        bytes: &[u8],
        indexes: &[(&IndexDef, Arc<Tree>)],
    ) -> Result<(), String> {
        let table = reader.table();
        RowRef::new(bytes).and_then(|row| row.verify()).map_err(|error| error.to_string())?;
        let row = reader.row(bytes).map_err(|error| error.message)?;
        let values = (0..table.columns.len())
            .map(|column| row.value(column).map_err(|error| error.message))
            .collect::<Result<Vec<ValueRef<'_>>, String>>()?;
        let mut column = |at: usize| values.get(at).copied().unwrap_or(ValueRef::Null);
        if !table.has_hidden_key() {
            let mut own = Vec::new();
            encode_primary_key(table, &mut column, &mut own).map_err(|error| error.to_string())?;
            if own != key {
                return Err(format!("its columns belong to key {}", hex(&own)));
            }
        }
        for (index, tree) in indexes {
            let mut own = Vec::new();
            encode_index_key(table, index, key, &mut column, &mut own).map_err(|error| error.to_string())?;
            let found = self.transaction.get(tree, &own, |value| agrees(index, &row, key, &own, value));
            match found.map_err(|error| error.to_string())? {
                Some(Ok(())) => {}
                Some(Err(why)) => return Err(format!("its entry in index {} {why}", index.name)),
                None => return Err(format!("index {} has no entry for it", index.name)),
            }
        }
        Ok(())
    }

    /// Calls `see` with every entry of a tree.
    fn each(
        &mut self,
        tree: &Arc<Tree>,
        mut see: impl FnMut(&mut Self, &[u8], &[u8]),
    ) -> Result<(), SqlError> {
        let all = KeyRange { low: Bound::Unbounded, high: Bound::Unbounded };
        let mut scan = self.transaction.scan(tree, all, Direction::Forward)?;
        let mut batch = EntryBatch::default();
        loop {
            batch.clear();
            let more = scan.next_batch(&mut self.transaction, &mut batch, BATCH)?;
            for at in 0..batch.len() {
                see(self, batch.key(at), batch.value(at));
            }
            if !more {
                return Ok(());
            }
        }
    }

    fn problem(&mut self, table: &TableDef, what: &str) {
        if self.report.problems.len() < MOST_PROBLEMS {
            self.report.problems.push(format!("table {}.{}: {what}", table.database, table.name));
        }
    }
}

/// Whether an entry leads to the row and repeats its texts.
fn agrees(
    index: &IndexDef,
    row: &StoredRow<'_>,
    primary_key: &[u8],
    key: &[u8],
    value: &[u8],
) -> Result<(), String> {
    let found = IndexEntry::read(key, value).map_err(|error| format!("cannot be read: {error}"))?;
    if found.primary_key != primary_key {
        return Err(format!("leads to {}", hex(found.primary_key)));
    }
    let kept = (0..index.columns.len()).filter(|at| entry::is_original(row.table(), index, *at));
    for (place, at) in kept.enumerate() {
        let original = found.originals.map(|originals| originals.column(place));
        if let (Some(part), Some(original)) = (index.columns.get(at), original)
            && row.raw(part.column).is_ok_and(|raw| raw != original)
        {
            return Err(format!("repeats another text in column {}", at + 1));
        }
    }
    Ok(())
}

/// The first bytes of a key, for a person to search by.
fn hex(key: &[u8]) -> String {
    key.iter().take(24).map(|byte| format!("{byte:02x}")).collect()
}
