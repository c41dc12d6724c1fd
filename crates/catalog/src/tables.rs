//! CREATE, DROP, TRUNCATE and RENAME TABLE, CREATE and DROP INDEX.
//!
//! Every change of a table takes a shared lock on its database's row and an exclusive one on its own, reads the
//! row as it is now, and gives the new definition a new version.

use std::collections::HashSet;
use std::sync::Arc;

use rustydb_storage::TreeId;
use rustydb_transaction::Transaction;
use rustydb_transaction::locks::LockMode;
use rustydb_value::Value;

use crate::catalog::{Catalog, NewTrees, impossible};
use crate::change::CatalogChange;
use crate::check;
use crate::codec;
use crate::contents::Edit;
use crate::creation::{NewColumn, NewIndex, NewRecordedKey, NewTable};
use crate::definitions::{
    ColumnDef, IndexColumn, IndexDef, MAX_INDEXES, RecordedKey, RowLayout, TableDef, same_name,
};
use crate::error::{Error, Result};
use crate::names::check_name;
use crate::rows::{table_key, view_key};

/// The name of a declared primary key.
pub const PRIMARY: &str = "PRIMARY";
/// The name of the index that rows are kept in when no primary key was declared, as InnoDB calls it.
pub const HIDDEN_PRIMARY: &str = "GEN_CLUST_INDEX";

/// One step of RENAME TABLE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rename<'a> {
    /// Database and name before.
    pub from: (&'a str, &'a str),
    /// Database and name after.
    pub to: (&'a str, &'a str),
}

impl Catalog {
    /// Creates a table, with a tree for each of its indexes.
    ///
    /// # Errors
    /// [`Error::UnknownDatabase`], [`Error::SystemDatabase`], [`Error::TableExists`], [`Error::Name`],
    /// [`Error::DuplicateColumn`], [`Error::DuplicateIndex`], [`Error::Definition`], [`Error::Transaction`]
    pub fn create_table(&self, transaction: &mut Transaction, new: NewTable) -> Result<CatalogChange> {
        check_new(&new)?;
        let database = self.own_database(transaction, &new.database, LockMode::Shared)?;
        let key = table_key(database.id, &new.name);
        if transaction
            .get_locked(&self.tree, &view_key(database.id, &new.name), LockMode::Exclusive)?
            .is_some()
        {
            return Err(table_exists(&new.database, &new.name));
        }
        // Here for most; the insert below decides.
        if transaction.get_locked(&self.tree, &key, LockMode::Exclusive)?.is_some() {
            return Err(table_exists(&new.database, &new.name));
        }

        let mut trees = NewTrees::new(self);
        let columns: Vec<ColumnDef> =
            (1..).zip(new.columns).map(|(id, column)| column_def(id, column)).collect();
        let primary = IndexDef {
            id: 0,
            name: if new.primary.is_empty() { HIDDEN_PRIMARY } else { PRIMARY }.to_owned(),
            tree: trees.create()?,
            unique: true,
            collation_versions: collation_versions(&columns, &new.primary),
            columns: new.primary,
            visible: true,
            comment: new.primary_comment,
            made_for_foreign_key: false,
        };
        let (mut indexes, mut recorded) = (Vec::with_capacity(new.indexes.len()), Vec::new());
        let mut ids = 1..;
        let mut id = || ids.next().unwrap_or(u32::MAX);
        let mut waiting = new.recorded.into_iter().peekable();
        for (at, index) in new.indexes.into_iter().enumerate() {
            while let Some(key) = waiting.next_if(|key| key.behind <= at) {
                recorded.push(recorded_key(id(), key));
            }
            indexes.push(index_def(id(), index, &columns, trees.create()?));
        }
        recorded.extend(waiting.map(|key| recorded_key(id(), key)));
        let def = TableDef {
            id: self.next_number()?,
            database: new.database,
            name: new.name,
            schema_version: 1,
            version: self.next_number()?,
            layouts: vec![RowLayout { schema_version: 1, columns: columns.iter().map(|c| c.id).collect() }],
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
            created_micros: self.clock.wall_micros(),
            histograms: Vec::new(),
        };
        check::table(&def).map_err(impossible)?;
        if let Some(first) = new.first_auto_increment {
            self.engine.counter_raise(def.primary.tree, first)?;
        }
        self.insert(transaction, &key, &codec::encode_table(&def), || {
            table_exists(&def.database, &def.name)
        })?;
        let edits = vec![Edit::PutTable(Arc::new(def))];
        Ok(CatalogChange { edits, created: trees.keep(), freed: Vec::new() })
    }

    /// Drops tables given by database and name; none of them if one does not exist.
    ///
    /// # Errors
    /// [`Error::UnknownTable`], [`Error::UnknownDatabase`], [`Error::SystemDatabase`], [`Error::Transaction`]
    pub fn drop_tables(
        &self,
        transaction: &mut Transaction,
        tables: &[(&str, &str)],
    ) -> Result<CatalogChange> {
        let mut found = Vec::with_capacity(tables.len());
        for (database, name) in tables {
            found.push(self.own_table(transaction, database, name)?);
        }
        let mut change = CatalogChange::default();
        for (key, def) in found {
            transaction.delete(&self.tree, &key)?;
            change.freed.extend(def.trees());
            change.edits.push(Edit::DropTable { id: def.id, database: def.database, name: def.name });
        }
        Ok(change)
    }

    /// Empties a table by giving it new trees; AUTO_INCREMENT begins anew.
    ///
    /// # Errors
    /// As [`Catalog::drop_tables`].
    pub fn truncate_table(
        &self,
        transaction: &mut Transaction,
        database: &str,
        name: &str,
    ) -> Result<CatalogChange> {
        let (key, mut def) = self.own_table(transaction, database, name)?;
        let freed = def.trees().collect();
        let mut trees = NewTrees::new(self);
        for index in std::iter::once(&mut def.primary).chain(&mut def.indexes) {
            index.tree = trees.create()?;
        }
        // No row of an older layout is left.
        def.layouts.drain(..def.layouts.len().saturating_sub(1));
        let edit = self.put_table(transaction, &key, def)?;
        Ok(CatalogChange { edits: vec![edit], created: trees.keep(), freed })
    }

    /// Renames tables, one step after the other; none if a step is not possible.
    ///
    /// # Errors
    /// As [`Catalog::drop_tables`]; [`Error::TableExists`], [`Error::Name`]. After an error the statement is to
    /// be rolled back.
    pub fn rename_tables(
        &self,
        transaction: &mut Transaction,
        steps: &[Rename<'_>],
    ) -> Result<CatalogChange> {
        let mut change = CatalogChange::default();
        for step in steps {
            let (to_database, to_name) = step.to;
            check_name(to_name)?;
            let (key, mut def) = self.own_table(transaction, step.from.0, step.from.1)?;
            let database = self.own_database(transaction, to_database, LockMode::Shared)?;
            let new_key = table_key(database.id, to_name);
            let view = view_key(database.id, to_name);
            if transaction.get_locked(&self.tree, &new_key, LockMode::Exclusive)?.is_some()
                || transaction.get_locked(&self.tree, &view, LockMode::Exclusive)?.is_some()
            {
                return Err(Error::TableExists {
                    database: to_database.to_owned(),
                    name: to_name.to_owned(),
                });
            }
            transaction.delete(&self.tree, &key)?;
            change.edits.push(Edit::DropTable { id: def.id, database: def.database, name: def.name });
            def.database = to_database.to_owned();
            def.name = to_name.to_owned();
            def.version = self.next_number()?;
            let exists = || table_exists(to_database, to_name);
            self.insert(transaction, &new_key, &codec::encode_table(&def), exists)?;
            change.edits.push(Edit::PutTable(Arc::new(def)));
        }
        Ok(change)
    }

    /// Adds an index to a table. Its tree is empty: the caller fills it in the same transaction, from the
    /// definition in the change, while nobody writes the table.
    ///
    /// # Errors
    /// As [`Catalog::drop_tables`]; [`Error::Name`], [`Error::DuplicateIndex`], [`Error::Definition`]
    pub fn create_index(
        &self,
        transaction: &mut Transaction,
        database: &str,
        table: &str,
        new: NewIndex,
    ) -> Result<CatalogChange> {
        let (key, mut def) = self.own_table(transaction, database, table)?;
        check_index_name(&new.name)?;
        if def.indexes.iter().any(|index| same_name(&index.name, &new.name)) {
            return Err(Error::DuplicateIndex { name: new.name });
        }
        let id = next_index_id(&def);
        let mut trees = NewTrees::new(self);
        let index = index_def(id, new, &def.columns, trees.create()?);
        def.indexes.push(index);
        let edit = self.put_table(transaction, &key, def)?;
        Ok(CatalogChange { edits: vec![edit], created: trees.keep(), freed: Vec::new() })
    }

    /// Drops a secondary index.
    ///
    /// # Errors
    /// As [`Catalog::drop_tables`]; [`Error::UnknownIndex`]
    pub fn drop_index(
        &self,
        transaction: &mut Transaction,
        database: &str,
        table: &str,
        index: &str,
    ) -> Result<CatalogChange> {
        let (key, mut def) = self.own_table(transaction, database, table)?;
        let Some(at) = def.indexes.iter().position(|candidate| same_name(&candidate.name, index)) else {
            return Err(Error::UnknownIndex { name: index.to_owned() });
        };
        let gone = def.indexes.remove(at);
        let edit = self.put_table(transaction, &key, def)?;
        Ok(CatalogChange { edits: vec![edit], created: Vec::new(), freed: vec![gone.tree] })
    }

    /// Writes a changed definition under its next version.
    pub(crate) fn put_table(
        &self,
        transaction: &mut Transaction,
        key: &[u8],
        mut def: TableDef,
    ) -> Result<Edit> {
        check::table(&def).map_err(impossible)?;
        def.version = self.next_number()?;
        transaction.update(&self.tree, key, &codec::encode_table(&def))?;
        Ok(Edit::PutTable(Arc::new(def)))
    }

    /// A table under an exclusive lock, with the key of its row.
    pub(crate) fn own_table(
        &self,
        transaction: &mut Transaction,
        database: &str,
        name: &str,
    ) -> Result<(Vec<u8>, TableDef)> {
        let id = self.own_database(transaction, database, LockMode::Shared)?.id;
        let key = table_key(id, name);
        let decode = |value: &[u8]| codec::decode_table(database, name, value);
        match self.read(transaction, &key, LockMode::Exclusive, decode)? {
            Some(def) => Ok((key, def)),
            None => Err(Error::UnknownTable { database: database.to_owned(), name: name.to_owned() }),
        }
    }
}

/// An index id above all that the table has.
pub(crate) fn next_index_id(def: &TableDef) -> u32 {
    let ids = def.indexes.iter().map(|index| index.id).chain(def.recorded.iter().map(|key| key.id));
    ids.max().unwrap_or(0) + 1
}

pub(crate) fn table_exists(database: &str, name: &str) -> Error {
    Error::TableExists { database: database.to_owned(), name: name.to_owned() }
}

/// The errors that have a name of their own; [`check::table`] finds the rest.
fn check_new(new: &NewTable) -> Result<()> {
    check_name(&new.name)?;
    let mut names = HashSet::new();
    for column in &new.columns {
        check_name(&column.name)?;
        if !names.insert(column.name.to_lowercase()) {
            return Err(Error::DuplicateColumn { name: column.name.clone() });
        }
    }
    if new.indexes.len() > MAX_INDEXES {
        return Err(impossible("a table has too many indexes"));
    }
    let mut names = HashSet::new();
    for index in &new.indexes {
        check_index_name(&index.name)?;
        if !names.insert(index.name.to_lowercase()) {
            return Err(Error::DuplicateIndex { name: index.name.clone() });
        }
    }
    Ok(())
}

pub(crate) fn check_index_name(name: &str) -> Result<()> {
    if same_name(name, PRIMARY) || same_name(name, HIDDEN_PRIMARY) {
        return Err(Error::Name { name: name.to_owned() });
    }
    check_name(name)
}

pub(crate) fn column_def(id: u32, new: NewColumn) -> ColumnDef {
    ColumnDef {
        id,
        name: new.name,
        ty: new.ty,
        nullable: new.nullable,
        default: new.default,
        on_update_now: new.on_update_now,
        auto_increment: new.auto_increment,
        visible: new.visible,
        comment: new.comment,
        generated: new.generated,
        explicit_collation: new.explicit_collation,
        functional: new.functional,
        absent: Value::Null,
    }
}

pub(crate) fn index_def(id: u32, new: NewIndex, columns: &[ColumnDef], tree: TreeId) -> IndexDef {
    let NewIndex { name, unique, columns: parts, visible, comment, made_for_foreign_key } = new;
    let collation_versions = collation_versions(columns, &parts);
    IndexDef {
        id,
        name,
        tree,
        unique,
        columns: parts,
        visible,
        comment,
        collation_versions,
        made_for_foreign_key,
    }
}

pub(crate) fn recorded_key(id: u32, new: NewRecordedKey) -> RecordedKey {
    let NewRecordedKey { name, kind, columns, visible, comment, parser, behind: _ } = new;
    RecordedKey { id, name, kind, columns, visible, comment, parser }
}

/// The collations that order the text of a key, each once.
pub(crate) fn collation_versions(columns: &[ColumnDef], parts: &[IndexColumn]) -> Vec<(u16, u32)> {
    let texts = parts.iter().filter_map(|part| columns.get(part.column)).filter(|c| c.ty.kind.is_text());
    let mut versions: Vec<_> = texts.map(|c| (c.ty.collation.id(), c.ty.collation.version())).collect();
    versions.sort_unstable();
    versions.dedup();
    versions
}
