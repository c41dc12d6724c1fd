//! Databases, indexes and views.

use super::{
    AccountName, AlterAlgorithm, AlterLock, Ident, IndexDefinition, ObjectName, Query, Span, StringLiteral,
};

/// CREATE DATABASE.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CreateDatabase {
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// The database.
    pub name: Ident,
    /// Its options.
    pub options: Vec<DatabaseOption>,
}

/// ALTER DATABASE.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AlterDatabase {
    /// The database; `None` is the current one.
    pub name: Option<Ident>,
    /// Its options.
    pub options: Vec<DatabaseOption>,
}

/// DROP DATABASE.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DropDatabase {
    /// `IF EXISTS`.
    pub if_exists: bool,
    /// The database.
    pub name: Ident,
}

/// An option of a database.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DatabaseOption {
    /// `[DEFAULT] CHARACTER SET = name`.
    CharacterSet(Ident),
    /// `[DEFAULT] COLLATE = name`.
    Collate(Ident),
    /// `[DEFAULT] ENCRYPTION = 'Y'`.
    Encryption(StringLiteral),
    /// `READ ONLY = 0 | 1`; `None` is `DEFAULT`.
    ReadOnly(Option<bool>),
}

/// CREATE INDEX.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CreateIndex {
    /// The table.
    pub table: ObjectName,
    /// The index; its name is always there.
    pub index: IndexDefinition,
    /// `ALGORITHM = ..`.
    pub algorithm: Option<AlterAlgorithm>,
    /// `LOCK = ..`.
    pub lock: Option<AlterLock>,
}

/// DROP INDEX.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DropIndex {
    /// The index.
    pub name: Ident,
    /// The table.
    pub table: ObjectName,
    /// `ALGORITHM = ..`.
    pub algorithm: Option<AlterAlgorithm>,
    /// `LOCK = ..`.
    pub lock: Option<AlterLock>,
}

/// CREATE VIEW and ALTER VIEW.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CreateView {
    /// ALTER VIEW rather than CREATE VIEW.
    pub alter: bool,
    /// `OR REPLACE`.
    pub or_replace: bool,
    /// `IF NOT EXISTS` (MySQL 9).
    pub if_not_exists: bool,
    /// `ALGORITHM = ..`.
    pub algorithm: Option<ViewAlgorithm>,
    /// `DEFINER = ..`.
    pub definer: Option<AccountName>,
    /// `SQL SECURITY ..`.
    pub security: Option<SqlSecurity>,
    /// The view.
    pub name: ObjectName,
    /// Its column names, if written.
    pub columns: Vec<Ident>,
    /// Its rows.
    pub query: Query,
    /// `WITH CHECK OPTION`.
    pub check_option: Option<CheckOption>,
    /// Where the query stood.
    pub query_span: Span,
}

/// How a view is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are MySQL's
pub enum ViewAlgorithm {
    Undefined,
    Merge,
    TempTable,
}

/// Whose rights a view or routine runs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are SQL's
pub enum SqlSecurity {
    Definer,
    Invoker,
}

/// `WITH [CASCADED | LOCAL] CHECK OPTION`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are SQL's
pub enum CheckOption {
    Cascaded,
    Local,
}

/// DROP VIEW.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DropView {
    /// `IF EXISTS`.
    pub if_exists: bool,
    /// The views.
    pub views: Vec<ObjectName>,
}
