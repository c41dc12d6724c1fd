//! CREATE, ALTER and DROP DATABASE.

use std::sync::Arc;

use rustydb_storage::KeyRange;
use rustydb_transaction::locks::LockMode;
use rustydb_transaction::{Direction, Transaction};
use rustydb_value::Collation;

use crate::catalog::Catalog;
use crate::change::CatalogChange;
use crate::codec;
use crate::contents::Edit;
use crate::definitions::DatabaseDef;
use crate::error::{Error, Result};
use crate::load::refuse;
use crate::names::check_name;
use crate::rows::{self, RowKey, database_key, tables_prefix, views_prefix};

impl Catalog {
    /// Creates a database.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::DatabaseExists`], [`Error::Transaction`]
    pub fn create_database(
        &self,
        transaction: &mut Transaction,
        name: &str,
        collation: Collation,
    ) -> Result<CatalogChange> {
        check_name(name)?;
        let key = database_key(name);
        let id = self.next_number()?;
        let version = self.next_number()?;
        let def = DatabaseDef { id, name: name.to_owned(), collation, version, system: false };
        let exists = || Error::DatabaseExists { name: name.to_owned() };
        self.insert(transaction, &key, &codec::encode_database(&def), exists)?;
        Ok(CatalogChange { edits: vec![Edit::PutDatabase(Arc::new(def))], ..CatalogChange::default() })
    }

    /// Changes a database's default collation; tables that exist keep theirs.
    ///
    /// # Errors
    /// [`Error::UnknownDatabase`], [`Error::SystemDatabase`], [`Error::Transaction`]
    pub fn alter_database(
        &self,
        transaction: &mut Transaction,
        name: &str,
        collation: Collation,
    ) -> Result<CatalogChange> {
        let mut def = self.own_database(transaction, name, LockMode::Exclusive)?;
        def.collation = collation;
        def.version = self.next_number()?;
        transaction.update(&self.tree, &database_key(name), &codec::encode_database(&def))?;
        Ok(CatalogChange { edits: vec![Edit::PutDatabase(Arc::new(def))], ..CatalogChange::default() })
    }

    /// Drops a database with all its tables and views.
    ///
    /// # Errors
    /// [`Error::UnknownDatabase`], [`Error::SystemDatabase`], [`Error::Transaction`]
    pub fn drop_database(&self, transaction: &mut Transaction, name: &str) -> Result<CatalogChange> {
        // Exclusive: nobody is creating a table in it.
        let def = self.own_database(transaction, name, LockMode::Exclusive)?;
        let mut freed = Vec::new();
        let mut keys = Vec::new();
        let range = KeyRange::prefix(&tables_prefix(def.id));
        let mut scan = transaction.scan_locked(&self.tree, range, Direction::Forward, LockMode::Exclusive)?;
        while let Some((key, value)) = scan.next(transaction)? {
            let table = match rows::parse_key(&key) {
                Ok(RowKey::Table { name: table, .. }) => codec::decode_table(name, &table, &value),
                Ok(_) => Err(codec::WireError::Damaged("not the row of a table")),
                Err(error) => Err(error),
            };
            freed.extend(table.map_err(|error| refuse(&key, error))?.trees());
            keys.push(key);
        }
        let range = KeyRange::prefix(&views_prefix(def.id));
        let mut scan = transaction.scan_locked(&self.tree, range, Direction::Forward, LockMode::Exclusive)?;
        while let Some((key, _)) = scan.next(transaction)? {
            keys.push(key);
        }
        for key in keys {
            transaction.delete(&self.tree, &key)?;
        }
        transaction.delete(&self.tree, &database_key(name))?;
        let edit = Edit::DropDatabase { id: def.id, name: name.to_owned() };
        Ok(CatalogChange { edits: vec![edit], freed, ..CatalogChange::default() })
    }

    /// A database that is not the system's, under a lock.
    pub(crate) fn own_database(
        &self,
        transaction: &mut Transaction,
        name: &str,
        mode: LockMode,
    ) -> Result<DatabaseDef> {
        let key = database_key(name);
        let def = self.read(transaction, &key, mode, |value| codec::decode_database(name, value))?;
        match def {
            None => Err(Error::UnknownDatabase { name: name.to_owned() }),
            Some(def) if def.system => Err(Error::SystemDatabase { name: name.to_owned() }),
            Some(def) => Ok(def),
        }
    }
}
