//! CREATE, ALTER and DROP DATABASE.

use rustydb_sql_parser::ast::{AlterDatabase, CreateDatabase, DatabaseOption, DropDatabase};
use rustydb_transaction::locks::{MdlKey, MdlMode};
use rustydb_value::Collation;

use super::{Definition, charset, names};
use crate::error::SqlError;

impl Definition<'_> {
    pub(super) fn create_database(&mut self, what: &CreateDatabase) -> Result<u64, SqlError> {
        let name = what.name.as_str();
        names::check_database(name)?;
        self.check_changeable(name)?;
        let collation = self.collation(&what.options, self.state.settings.collation_server)?;
        self.lock(vec![(MdlKey::database(name), MdlMode::Exclusive)])?;
        if self.database.catalog().database(name).is_some() {
            let exists = SqlError::database_exists(name);
            if !what.if_not_exists {
                return Err(exists);
            }
            self.state.note(&exists);
            return Ok(1);
        }
        self.change(|this, txn, change| {
            *change = this.database.catalog().create_database(txn, name, collation)?;
            Ok(())
        })?;
        Ok(1)
    }

    pub(super) fn alter_database(&mut self, what: &AlterDatabase) -> Result<u64, SqlError> {
        let name = match &what.name {
            Some(name) => name.as_str().to_owned(),
            None => self.state.database.clone().ok_or_else(SqlError::no_database)?,
        };
        self.check_changeable(&name)?;
        self.lock(vec![(MdlKey::database(&name), MdlMode::Exclusive)])?;
        let def = self.database.catalog().database(&name);
        let def = def.ok_or_else(|| SqlError::unknown_database(&name))?;
        let collation = self.collation(&what.options, def.collation)?;
        self.change(|this, txn, change| {
            *change = this.database.catalog().alter_database(txn, &name, collation)?;
            Ok(())
        })?;
        Ok(1)
    }

    pub(super) fn drop_database(&mut self, what: &DropDatabase) -> Result<u64, SqlError> {
        let name = what.name.as_str();
        self.check_changeable(name)?;
        self.lock(vec![(MdlKey::database(name), MdlMode::Exclusive)])?;
        if self.database.catalog().database(name).is_none() {
            let missing = SqlError::no_database_to_drop(name);
            if !what.if_exists {
                return Err(missing);
            }
            self.state.note(&missing);
            return Ok(0);
        }
        // No table can come any more: creating one takes a lock on the database.
        let tables = self.database.catalog().tables(name);
        let keys = tables.iter().map(|t| (MdlKey::table(name, &t.name), MdlMode::Exclusive)).collect();
        self.lock(keys)?;
        let views = self.database.catalog().views(name).len();
        let gone: Vec<(&str, &str)> = tables.iter().map(|t| (name, t.name.as_str())).collect();
        self.check_unreferenced(&gone)?;
        self.change(|this, txn, change| {
            *change = this.database.catalog().drop_database(txn, name)?;
            Ok(())
        })?;
        if self.state.database.as_deref() == Some(name) {
            self.dropped_default = true;
        }
        Ok((tables.len() + views) as u64)
    }

    fn collation(&mut self, options: &[DatabaseOption], default: Collation) -> Result<Collation, SqlError> {
        let mut set = None;
        let mut collation = None;
        for option in options {
            match option {
                DatabaseOption::CharacterSet(name) => set = Some(charset::charset(name, self.state)?),
                DatabaseOption::Collate(name) => collation = Some(charset::collation(name, self.state)?),
                DatabaseOption::Encryption(text)
                    if text.as_str().is_some_and(|t| t.eq_ignore_ascii_case("N")) => {}
                DatabaseOption::Encryption(_) => return Err(SqlError::not_supported("ENCRYPTION")),
                DatabaseOption::ReadOnly(Some(true)) => {
                    return Err(SqlError::not_supported("READ ONLY databases"));
                }
                DatabaseOption::ReadOnly(_) => {}
            }
        }
        charset::resolve(set, collation, default)
    }
}
