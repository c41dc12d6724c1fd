//! ANALYZE, CHECK and REPAIR TABLE: result sets of what was found.
//!
//! CHECK reads every row and every index entry of a table in one snapshot: rows must be whole, each index must have
//! the entry of each row, and no more entries than there are rows; of a view it plans the text. ANALYZE takes
//! the planner's statistics of a table anew. REPAIR answers as engines do
//! that cannot be repaired in place. OPTIMIZE and CHECKSUM are refused (1235).
//!
//! What is wrong with a table is a row of the answer and never an error of the statement.

use std::sync::Arc;

use rustydb_catalog::TableDef;
use rustydb_sql_parser::ast::{MaintainTables, TableMaintenance};
use rustydb_transaction::{Direction, EntryBatch, Isolation, KeyRange, Transaction, Tree};
use rustydb_value::{RowRef, ValueRef};

use super::Session;
use super::query::Left;
use crate::context::{TableLookup, TableRows, TableUse};
use crate::ddl::names;
use crate::error::SqlError;
use crate::information_schema::text;
use crate::show::{Cell, Listing};
use crate::stored::{RowReader, encode_index_key};

/// Entries read at a time.
const BATCH: usize = 512;

/// The columns of the answer.
pub(crate) const COLUMNS: [(&str, Cell); 4] = [
    ("Table", Cell::Text(128)),
    ("Op", Cell::Text(10)),
    ("Msg_type", Cell::Text(10)),
    ("Msg_text", Cell::Text(98_304)),
];

/// Msg_type and Msg_text.
type Message = (&'static str, String);

/// What a name turned out to be.
enum Found {
    Table(Arc<TableDef>),
    View,
    Neither(SqlError),
}

impl Session {
    /// Runs the statement; what was open is committed, as MySQL does.
    pub(super) fn maintain(&mut self, what: &MaintainTables) -> Result<Listing, SqlError> {
        let operation = match what.action {
            TableMaintenance::Analyze => "analyze",
            TableMaintenance::Check => "check",
            TableMaintenance::Repair => "repair",
            TableMaintenance::Checksum => return Err(SqlError::not_supported("CHECKSUM TABLE")),
            TableMaintenance::Optimize => return Err(SqlError::not_supported("OPTIMIZE TABLE")),
        };
        if let Some(change) = &what.histogram {
            return self.change_histograms(&what.tables, change);
        }
        self.commit_implicitly()?;
        let mut listing = Listing::new(&COLUMNS);
        for name in &what.tables {
            let (database, table) = {
                let (database, table) = names::resolve(name, &self.state)?;
                (database.to_owned(), table.to_owned())
            };
            let shown = format!("{database}.{table}");
            for (kind, message) in self.maintain_one(what.action, &database, &table)? {
                listing.push(vec![text(shown.as_str()), text(operation), text(kind), text(message)]);
            }
        }
        Ok(listing)
    }

    fn maintain_one(
        &mut self,
        action: TableMaintenance,
        database: &str,
        table: &str,
    ) -> Result<Vec<Message>, SqlError> {
        let ok = || vec![("status", "OK".to_owned())];
        let failed = |error: &SqlError| {
            vec![("Error", error.message.clone()), ("status", "Operation failed".to_owned())]
        };
        // The locks of the table last as long as the look at it.
        self.within(|scope| {
            let found = match scope.tables.view(database, table)? {
                Some(_) => Found::View,
                None => match scope.tables.table(database, table, TableUse::Read) {
                    Ok(found) if matches!(found.rows, TableRows::Stored) => Found::Table(found.def),
                    Ok(_) if action == TableMaintenance::Check => return Ok(Left::Untouched(ok())),
                    Ok(_) => Found::Neither(SqlError::no_such_table(database, table)),
                    Err(error) if matches!(error.code, 1146 | 1049) => Found::Neither(error),
                    Err(error) => return Err(error),
                },
            };
            let rows = match (found, action) {
                (Found::Neither(error), _) => failed(&error),
                (Found::Table(def), TableMaintenance::Check) => {
                    let problems = check_table(&def, scope.database.engine(), scope.cancel)?;
                    if problems.is_empty() {
                        ok()
                    } else {
                        let mut rows: Vec<Message> =
                            problems.into_iter().map(|problem| ("Warning", problem)).collect();
                        rows.push(("error", "Corrupt".to_owned()));
                        rows
                    }
                }
                (Found::View, TableMaintenance::Check) => {
                    let view = scope.tables.view(database, table)?;
                    let server = Arc::clone(scope.database);
                    let valid = view.map(|view| {
                        crate::view::columns::definition(&view, &server, &mut scope.tables, scope.state)
                    });
                    match valid {
                        Some(Err(error)) => {
                            vec![("Error", error.message), ("error", "Corrupt".to_owned())]
                        }
                        _ => ok(),
                    }
                }
                (Found::View, _) => failed(&SqlError::wrong_object(database, table, "BASE TABLE")),
                (Found::Table(_), TableMaintenance::Repair) => {
                    vec![("note", "The storage engine for the table doesn't support repair".to_owned())]
                }
                (Found::Table(def), _) => {
                    scope.database.statistics().analyze(&def);
                    ok()
                }
            };
            Ok(Left::Used(rows))
        })
    }
}

/// What does not hold in a table; the first of each kind.
fn check_table(
    def: &Arc<TableDef>,
    engine: &Arc<rustydb_transaction::Engine>,
    cancel: &rustydb_transaction::Cancel,
) -> Result<Vec<String>, SqlError> {
    let mut txn = engine.begin(Isolation::RepeatableRead, true);
    let reader = RowReader::new(Arc::clone(def));
    let primary = engine.tree(def.primary.tree)?;
    let trees = def.indexes.iter().map(|i| engine.tree(i.tree)).collect::<Result<Vec<_>, _>>()?;
    let mut problems: Vec<String> = Vec::new();
    let mut missing: Vec<u64> = vec![0; trees.len()];
    let mut rows = 0u64;
    each(&mut txn, &primary, cancel, &mut |txn, key, value| {
        rows += 1;
        let whole = RowRef::new(value).and_then(|row| row.verify()).is_ok();
        let row = reader.row(value).ok().filter(|_| whole);
        let Some(row) = row else {
            if problems.is_empty() {
                problems.push(format!("Row {rows} is damaged."));
            }
            return Ok(());
        };
        for (at, (index, tree)) in def.indexes.iter().zip(&trees).enumerate() {
            let mut own = Vec::new();
            let mut column = |c: usize| row.value(c).unwrap_or(ValueRef::Null);
            let encoded = encode_index_key(def, index, key, &mut column, &mut own).is_ok();
            let there = encoded && txn.get(tree, &own, |_| ())?.is_some();
            if let Some(count) = missing.get_mut(at).filter(|_| !there) {
                *count += 1;
            }
        }
        Ok(())
    })?;
    for (at, (index, tree)) in def.indexes.iter().zip(&trees).enumerate() {
        let mut entries = 0u64;
        each(&mut txn, tree, cancel, &mut |_, _, _| {
            entries += 1;
            Ok(())
        })?;
        if entries != rows || missing.get(at).is_some_and(|m| *m > 0) {
            problems.push(format!("Index {} has {entries} entries for {rows} rows.", index.name));
        }
    }
    txn.rollback()?;
    Ok(problems)
}

type See<'s> = dyn FnMut(&mut Transaction, &[u8], &[u8]) -> Result<(), SqlError> + 's;

/// Calls `see` with every entry of a tree.
fn each(
    txn: &mut Transaction,
    tree: &Arc<Tree>,
    cancel: &rustydb_transaction::Cancel,
    see: &mut See<'_>,
) -> Result<(), SqlError> {
    let mut scan = txn.scan(tree, KeyRange::all(), Direction::Forward)?;
    let mut batch = EntryBatch::default();
    loop {
        batch.clear();
        let more = scan.next_batch(txn, &mut batch, BATCH)?;
        for at in 0..batch.len() {
            see(txn, batch.key(at), batch.value(at))?;
        }
        if cancel.is_cancelled() {
            return Err(SqlError::query_interrupted());
        }
        if !more {
            return Ok(());
        }
    }
}
