//! ALTER TABLE: a definition that takes the place of another, keeping of its columns and trees what it can.
//!
//! The caller says what the table is to be, column by column and index by index, and which of them are old ones.
//! What is kept keeps its id and its tree; what is new gets an empty tree, which the caller fills in the same
//! transaction. A table that is rebuilt gets new trees throughout.
//!
//! Without a rebuild the rows stay as they were written: when columns came, went or moved, a new layout says how
//! rows are written from now on, and the old ones say how those were that exist.

use std::sync::Arc;

use rustydb_transaction::Transaction;
use rustydb_transaction::locks::LockMode;
use rustydb_value::{Collation, Value};

use crate::catalog::{Catalog, NewTrees, impossible};
use crate::change::CatalogChange;
use crate::check;
use crate::codec;
use crate::contents::Edit;
use crate::creation::{NewColumn, NewIndex, NewRecordedKey};
use crate::definitions::{
    CheckDef, ColumnDef, ForeignKeyDef, IndexColumn, IndexDef, RecordedKey, RowLayout, TableDef, TableOptions,
};
use crate::error::Result;
use crate::names::check_name;
use crate::rows::table_key;
use crate::tables::{
    HIDDEN_PRIMARY, PRIMARY, check_index_name, collation_versions, column_def, index_def, next_index_id,
    recorded_key, table_exists,
};

/// What a table is to become.
#[derive(Debug, Clone, PartialEq)]
pub struct AlteredTable {
    /// Its database and name from now on.
    pub database: String,
    /// See `database`.
    pub name: String,
    /// In their new order.
    pub columns: Vec<AlteredColumn>,
    /// The columns of the primary key, by new positions.
    pub primary: Vec<IndexColumn>,
    /// Comment of the primary key.
    pub primary_comment: String,
    /// The secondary indexes.
    pub indexes: Vec<AlteredIndex>,
    /// FULLTEXT and SPATIAL keys: kept ones by the id they have, then new ones.
    pub recorded: Vec<(Option<u32>, NewRecordedKey)>,
    /// Foreign keys.
    pub foreign_keys: Vec<ForeignKeyDef>,
    /// CHECK constraints.
    pub checks: Vec<CheckDef>,
    /// Default of its columns.
    pub collation: Collation,
    /// COMMENT of the table.
    pub comment: String,
    /// Options to be read back.
    pub options: TableOptions,
    /// Whether all rows are written anew, into new trees.
    pub rebuild: bool,
}

/// A column of an altered table.
#[derive(Debug, Clone, PartialEq)]
pub struct AlteredColumn {
    /// What it is to be.
    pub column: NewColumn,
    /// The id of the column that it was; None for a new one.
    pub id: Option<u32>,
    /// What rows hold here that were written before the column existed (of a new column).
    pub absent: Value,
}

/// An index of an altered table.
#[derive(Debug, Clone, PartialEq)]
pub struct AlteredIndex {
    /// What it is to be.
    pub index: NewIndex,
    /// The id of the index whose tree it keeps; None for one that is to be filled.
    pub id: Option<u32>,
}

impl Catalog {
    /// Makes a table what `new` says. The change's last table is the new definition.
    ///
    /// # Errors
    /// Those of CREATE, DROP and RENAME TABLE.
    pub fn alter_table(
        &self,
        transaction: &mut Transaction,
        database: &str,
        name: &str,
        new: AlteredTable,
    ) -> Result<CatalogChange> {
        check_name(&new.name)?;
        let (key, old) = self.own_table(transaction, database, name)?;
        let mut trees = NewTrees::new(self);
        let columns = columns(&old, new.columns)?;
        let keeps = |id: Option<u32>| -> Option<&IndexDef> {
            old.all_indexes().find(|index| !new.rebuild && Some(index.id) == id)
        };
        let primary_tree = match keeps(Some(0)) {
            Some(kept) => kept.tree,
            None => trees.create()?,
        };
        let primary = IndexDef {
            id: 0,
            name: if new.primary.is_empty() { HIDDEN_PRIMARY } else { PRIMARY }.to_owned(),
            tree: primary_tree,
            unique: true,
            collation_versions: collation_versions(&columns, &new.primary),
            columns: new.primary,
            visible: true,
            comment: new.primary_comment,
            made_for_foreign_key: false,
        };
        let mut next_id = next_index_id(&old);
        let mut indexes = Vec::with_capacity(new.indexes.len());
        for AlteredIndex { index, id } in new.indexes {
            check_index_name(&index.name)?;
            let tree = match keeps(id) {
                Some(kept) => kept.tree,
                None => trees.create()?,
            };
            let id = id.unwrap_or_else(|| {
                next_id += 1;
                next_id - 1
            });
            indexes.push(index_def(id, index, &columns, tree));
        }
        let recorded: Vec<RecordedKey> = new
            .recorded
            .into_iter()
            .map(|(id, key)| {
                let id = id.unwrap_or_else(|| {
                    next_id += 1;
                    next_id - 1
                });
                recorded_key(id, key)
            })
            .collect();
        let (schema_version, layouts) = layouts(&old, &columns, new.rebuild)?;
        let same_type = |id: u32| {
            let of = |columns: &[ColumnDef]| columns.iter().find(|c| c.id == id).map(|c| c.ty.clone());
            of(&old.columns).is_some_and(|ty| of(&columns) == Some(ty))
        };
        let histograms = old.histograms.iter().filter(|h| same_type(h.column)).cloned().collect();
        let def = TableDef {
            histograms,
            id: old.id,
            database: new.database,
            name: new.name,
            schema_version,
            version: self.next_number()?,
            layouts,
            auto_increment: columns.iter().position(|column| column.auto_increment),
            columns,
            primary,
            indexes,
            recorded,
            foreign_keys: new.foreign_keys,
            checks: new.checks,
            collation: new.collation,
            comment: new.comment,
            options: new.options,
            created_micros: if new.rebuild { self.clock.wall_micros() } else { old.created_micros },
        };
        check::table(&def).map_err(impossible)?;
        let kept: Vec<_> = def.trees().collect();
        let freed = old.trees().filter(|tree| !kept.contains(tree)).collect();
        let mut edits = Vec::with_capacity(2);
        if (def.database.as_str(), def.name.as_str()) == (database, name) {
            transaction.update(&self.tree, &key, &codec::encode_table(&def))?;
        } else {
            let home = self.own_database(transaction, &def.database, LockMode::Shared)?;
            transaction.delete(&self.tree, &key)?;
            let new_key = table_key(home.id, &def.name);
            let exists = || table_exists(&def.database, &def.name);
            self.insert(transaction, &new_key, &codec::encode_table(&def), exists)?;
            edits.push(Edit::DropTable { id: old.id, database: old.database, name: old.name });
        }
        edits.push(Edit::PutTable(Arc::new(def)));
        Ok(CatalogChange { edits, created: trees.keep(), freed })
    }

    /// Gives a table other foreign keys and CHECK constraints: their names and parents follow when tables are
    /// renamed.
    ///
    /// # Errors
    /// As [`Catalog::drop_tables`].
    pub fn set_constraints(
        &self,
        transaction: &mut Transaction,
        database: &str,
        name: &str,
        foreign_keys: Vec<ForeignKeyDef>,
        checks: Vec<CheckDef>,
    ) -> Result<CatalogChange> {
        let (key, mut def) = self.own_table(transaction, database, name)?;
        def.foreign_keys = foreign_keys;
        def.checks = checks;
        let edit = self.put_table(transaction, &key, def)?;
        Ok(CatalogChange { edits: vec![edit], created: Vec::new(), freed: Vec::new() })
    }

    /// The tables that have a foreign key to this one, itself among them if it has, by database and name.
    pub fn children(&self, database: &str, name: &str) -> Vec<Arc<TableDef>> {
        self.read_contents(|contents| contents.children(database, name))
    }
}

fn columns(old: &TableDef, new: Vec<AlteredColumn>) -> Result<Vec<ColumnDef>> {
    let used = old.layouts.iter().flat_map(|layout| &layout.columns).chain(old.columns.iter().map(|c| &c.id));
    let mut next = used.max().map_or(1, |last| last.saturating_add(1));
    let mut columns = Vec::with_capacity(new.len());
    for AlteredColumn { column, id, absent } in new {
        check_name(&column.name)?;
        let kept = id.and_then(|id| old.columns.iter().find(|c| c.id == id));
        let (id, absent) = match kept {
            Some(kept) => (kept.id, kept.absent.clone()),
            None => (next, absent),
        };
        next = next.max(id.saturating_add(1));
        let mut def = column_def(id, column);
        def.absent = absent;
        columns.push(def);
    }
    Ok(columns)
}

/// The version that rows are written under from now on, and all that a row may have.
fn layouts(old: &TableDef, columns: &[ColumnDef], rebuild: bool) -> Result<(u32, Vec<RowLayout>)> {
    let ids: Vec<u32> = columns.iter().map(|c| c.id).collect();
    let same = old.layout(old.schema_version).is_some_and(|layout| layout.columns == ids);
    if same && !rebuild {
        return Ok((old.schema_version, old.layouts.clone()));
    }
    let schema_version = old.schema_version.checked_add(1);
    let schema_version = schema_version.ok_or(impossible("a table was altered too often"))?;
    let mut layouts = if rebuild { Vec::new() } else { old.layouts.clone() };
    layouts.push(RowLayout { schema_version, columns: ids });
    Ok((schema_version, layouts))
}
