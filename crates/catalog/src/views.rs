//! CREATE, DROP and RENAME of views.
//!
//! A view is a row of its own beside those of the tables, and no view has the name of a table: the caller holds the
//! metadata lock of the name exclusively, and both sides look at the other's row before they write theirs. What
//! its text means is for who reads it; here it is a text.

use std::sync::Arc;

use rustydb_transaction::Transaction;
use rustydb_transaction::locks::LockMode;

use crate::catalog::Catalog;
use crate::change::CatalogChange;
use crate::codec;
use crate::contents::Edit;
use crate::definitions::ViewDef;
use crate::error::{Error, Result};
use crate::names::check_name;
use crate::rows::{table_key, view_key};

impl Catalog {
    /// Creates a view, or gives the one of that name another definition; `id`, `version` and `created_micros` are
    /// filled in here.
    ///
    /// # Errors
    /// [`Error::TableExists`] when a table has the name; [`Error::UnknownDatabase`], [`Error::SystemDatabase`],
    /// [`Error::Name`], [`Error::Transaction`]
    pub fn put_view(&self, transaction: &mut Transaction, new: ViewDef) -> Result<CatalogChange> {
        check_name(&new.name)?;
        let database = self.own_database(transaction, &new.database, LockMode::Shared)?;
        if transaction
            .get_locked(&self.tree, &table_key(database.id, &new.name), LockMode::Exclusive)?
            .is_some()
        {
            return Err(Error::TableExists { database: new.database, name: new.name });
        }
        let key = view_key(database.id, &new.name);
        let decode = |value: &[u8]| codec::view::decode_view(&new.database, &new.name, value);
        let old = self.read(transaction, &key, LockMode::Exclusive, decode)?;
        let id = match &old {
            Some(old) => old.id,
            None => self.next_number()?,
        };
        let version = self.next_number()?;
        let def = ViewDef { id, version, created_micros: self.clock.wall_micros(), ..new };
        let bytes = codec::view::encode_view(&def);
        match old {
            Some(_) => transaction.update(&self.tree, &key, &bytes)?,
            None => self.insert(transaction, &key, &bytes, || Error::TableExists {
                database: def.database.clone(),
                name: def.name.clone(),
            })?,
        }
        Ok(CatalogChange { edits: vec![Edit::PutView(Arc::new(def))], ..CatalogChange::default() })
    }

    /// Drops a view.
    ///
    /// # Errors
    /// [`Error::UnknownTable`], [`Error::UnknownDatabase`], [`Error::SystemDatabase`], [`Error::Transaction`]
    pub fn drop_view(
        &self,
        transaction: &mut Transaction,
        database: &str,
        name: &str,
    ) -> Result<CatalogChange> {
        let (key, def) = self.own_view(transaction, database, name)?;
        transaction.delete(&self.tree, &key)?;
        let edit = Edit::DropView { id: def.id, database: def.database, name: def.name };
        Ok(CatalogChange { edits: vec![edit], ..CatalogChange::default() })
    }

    /// Renames a view within its database.
    ///
    /// # Errors
    /// As [`Catalog::drop_view`]; [`Error::TableExists`], [`Error::Name`]
    pub fn rename_view(
        &self,
        transaction: &mut Transaction,
        database: &str,
        from: &str,
        to: &str,
    ) -> Result<CatalogChange> {
        check_name(to)?;
        let (key, mut def) = self.own_view(transaction, database, from)?;
        let id = self.own_database(transaction, database, LockMode::Shared)?.id;
        let exists = || Error::TableExists { database: database.to_owned(), name: to.to_owned() };
        if transaction.get_locked(&self.tree, &table_key(id, to), LockMode::Exclusive)?.is_some() {
            return Err(exists());
        }
        transaction.delete(&self.tree, &key)?;
        let gone = Edit::DropView { id: def.id, database: database.to_owned(), name: from.to_owned() };
        def.name = to.to_owned();
        def.version = self.next_number()?;
        self.insert(transaction, &view_key(id, to), &codec::view::encode_view(&def), exists)?;
        Ok(CatalogChange { edits: vec![gone, Edit::PutView(Arc::new(def))], ..CatalogChange::default() })
    }

    fn own_view(
        &self,
        transaction: &mut Transaction,
        database: &str,
        name: &str,
    ) -> Result<(Vec<u8>, ViewDef)> {
        let id = self.own_database(transaction, database, LockMode::Shared)?.id;
        let key = view_key(id, name);
        let decode = |value: &[u8]| codec::view::decode_view(database, name, value);
        match self.read(transaction, &key, LockMode::Exclusive, decode)? {
            Some(def) => Ok((key, def)),
            None => Err(Error::UnknownTable { database: database.to_owned(), name: name.to_owned() }),
        }
    }
}
