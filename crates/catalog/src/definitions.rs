//! What the catalog says: immutable definitions of databases, tables, columns, indexes and users.
//!
//! A statement takes an `Arc<TableDef>` once and reads it without a lock for as long as it runs; a DDL
//! publishes a new definition with a new `version` and never edits the old one.
//!
//! Invariants:
//! - `primary` always exists. A table without a declared primary key has one with no columns: its rows are
//!   keyed by a hidden row id (eight bytes, big-endian, taken from the counter of the primary tree).
//! - Every index, the primary included, has a tree of its own; a tree belongs to one index for ever.
//! - Column ids are never used twice in a table. A stored row says which [`RowLayout`] it was written under,
//!   and a layout lists the ids of its stored columns in order: so a column can be added at once
//!   without touching rows. Rows written before the column existed hold its `absent` value.
//! - `indexes` are the secondary ones, in the order of their creation; their ids ascend.
//! - `recorded` keys (FULLTEXT, SPATIAL) are kept to be shown; they have no tree and serve no query.
//! - A foreign key names its parent by text, because the parent may come later or not at all; which tables
//!   refer to a table is asked of the catalog (`Catalog::children`).
//!
//! Limits: 4,096 columns, 64 secondary indexes and 16 columns in an index, as in MySQL; names up to 255 bytes
//! ([`crate::names`]).
//!
//! Left to others: what a type means and how it is stored (`rustydb-value`), what SQL text made it
//! (`rustydb-sql`), the bytes of these definitions on disk (the codec in this crate).

use crate::histogram::HistogramDef;
use rustydb_storage::TreeId;
use rustydb_value::{Collation, ColumnType, Value};

/// The most columns that a table may have.
pub const MAX_COLUMNS: usize = 4096;
/// The most secondary indexes that a table may have.
pub const MAX_INDEXES: usize = 64;
/// The most columns that one index may have.
pub const MAX_INDEX_COLUMNS: usize = 16;

/// A database (MySQL also says schema): a name space for tables with a default collation.
#[derive(Debug, Clone, PartialEq)]
pub struct DatabaseDef {
    /// Never used twice.
    pub id: u64,
    /// Case-sensitive.
    pub name: String,
    /// The default of its tables; names the character set as well.
    pub collation: Collation,
    /// Changes with every change of this definition.
    pub version: u64,
    /// Whether it exists from the start and can not be dropped (`mysql`, `information_schema`, ...).
    pub system: bool,
}

/// A table as one version of its definition says it is.
#[derive(Debug, Clone, PartialEq)]
pub struct TableDef {
    /// Never used twice; survives ALTER and RENAME, not DROP and CREATE.
    pub id: u64,
    /// Name of its database.
    pub database: String,
    /// Case-sensitive.
    pub name: String,
    /// Under which layout new rows are written: the version of the last of `layouts`.
    pub schema_version: u32,
    /// Changes with every DDL on this table; unique over all tables and times of a store.
    pub version: u64,
    /// In declared order.
    pub columns: Vec<ColumnDef>,
    /// Every layout that a stored row may still have, by ascending version; never empty.
    pub layouts: Vec<RowLayout>,
    /// The index whose leaves hold the rows. No columns: see [`TableDef::has_hidden_key`].
    pub primary: IndexDef,
    /// The secondary indexes.
    pub indexes: Vec<IndexDef>,
    /// Keys that are kept but not built; their ids are of the same numbering as those of `indexes`.
    pub recorded: Vec<RecordedKey>,
    /// Foreign keys of which this table is the child.
    pub foreign_keys: Vec<ForeignKeyDef>,
    /// CHECK constraints.
    pub checks: Vec<CheckDef>,
    /// Which column AUTO_INCREMENT fills; its counter is that of the primary tree.
    pub auto_increment: Option<usize>,
    /// Default of its columns; names the character set as well.
    pub collation: Collation,
    /// COMMENT of the table, empty if none.
    pub comment: String,
    /// What else CREATE TABLE said that SHOW CREATE TABLE repeats.
    pub options: TableOptions,
    /// When it was created, in microseconds since 1970 UTC.
    pub created_micros: u64,
    /// What ANALYZE TABLE .. UPDATE HISTOGRAM found, by column.
    pub histograms: Vec<HistogramDef>,
}

/// Table options that change nothing in how rows are stored, kept because clients read them back.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct TableOptions {
    /// `ROW_FORMAT`, if it was written.
    pub row_format: Option<RowFormat>,
    /// `KEY_BLOCK_SIZE`, zero if it was not written.
    pub key_block_size: u32,
    /// `STATS_PERSISTENT`, if it was written.
    pub stats_persistent: Option<bool>,
    /// `STATS_AUTO_RECALC`, if it was written.
    pub stats_auto_recalc: Option<bool>,
    /// `STATS_SAMPLE_PAGES`, if it was written.
    pub stats_sample_pages: Option<u32>,
    /// `AVG_ROW_LENGTH`, zero if it was not written.
    pub avg_row_length: u64,
    /// `MIN_ROWS`, zero if it was not written.
    pub min_rows: u64,
    /// `MAX_ROWS`, zero if it was not written.
    pub max_rows: u64,
    /// `CHECKSUM`, if it was written.
    pub checksum: Option<bool>,
    /// `DELAY_KEY_WRITE`, if it was written.
    pub delay_key_write: Option<bool>,
    /// `PACK_KEYS`, if it was written.
    pub pack_keys: Option<bool>,
}

/// `ROW_FORMAT` as CREATE TABLE names it. All are stored alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowFormat {
    /// `DEFAULT`
    Default,
    /// `DYNAMIC`
    Dynamic,
    /// `COMPACT`
    Compact,
    /// `REDUNDANT`
    Redundant,
    /// `COMPRESSED`
    Compressed,
    /// `FIXED`
    Fixed,
}

/// Which columns a stored row of one schema version holds, and in which order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowLayout {
    /// The schema version in the head of the row.
    pub schema_version: u32,
    /// The ids of the stored columns, in the order of the row.
    pub columns: Vec<u32>,
}

/// A column.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDef {
    /// Never used twice in its table.
    pub id: u32,
    /// As declared; compared without regard to case.
    pub name: String,
    /// Its type, with the collation of text.
    pub ty: ColumnType,
    /// Whether NULL may be stored.
    pub nullable: bool,
    /// The DEFAULT. None means that there is none: a nullable column then takes NULL without having said so,
    /// and a NOT NULL one is refused with error 1364 in strict mode.
    pub default: Option<ColumnDefault>,
    /// `ON UPDATE CURRENT_TIMESTAMP(fsp)`: set to the statement's time when another column changes.
    pub on_update_now: Option<u8>,
    /// Whether it is the AUTO_INCREMENT column.
    pub auto_increment: bool,
    /// Whether `SELECT *` shows it.
    pub visible: bool,
    /// COMMENT of the column, empty if none.
    pub comment: String,
    /// What computes it, if it is a generated column.
    pub generated: Option<GeneratedColumn>,
    /// Whether CHARACTER SET or COLLATE was written at the column: SHOW CREATE TABLE repeats them then.
    pub explicit_collation: bool,
    /// Whether it stands for an expression in an index: no statement can name it.
    pub functional: bool,
    /// What a row holds here that was written before the column existed.
    pub absent: Value,
}

/// What a column is given when an INSERT does not name it.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnDefault {
    /// A constant, already converted to the type of the column.
    Literal(Value),
    /// `CURRENT_TIMESTAMP(fsp)`
    CurrentTimestamp {
        /// Digits of fractional seconds, 0 to 6.
        fsp: u8,
    },
    /// `(expr)`, in canonical text without the parentheses.
    Expression(String),
    /// DROP DEFAULT was said: an INSERT has to name the column although it takes NULL.
    Dropped,
}

/// What computes a generated column.
///
/// Values of both kinds are kept in the row: reading needs no evaluation, and an index on either is an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedColumn {
    /// In canonical text.
    pub expression: String,
    /// `STORED` rather than `VIRTUAL`.
    pub stored: bool,
}

/// A key that is kept to be shown and has no tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedKey {
    /// Unique in the table, among those of the indexes too.
    pub id: u32,
    /// Compared without regard to case.
    pub name: String,
    /// What it would be.
    pub kind: RecordedKind,
    /// Positions of its columns.
    pub columns: Vec<usize>,
    /// `VISIBLE`
    pub visible: bool,
    /// COMMENT of the key, empty if none.
    pub comment: String,
    /// `WITH PARSER`, empty if none.
    pub parser: String,
}

/// The kinds of keys that are not built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordedKind {
    /// `FULLTEXT`
    FullText,
    /// `SPATIAL`
    Spatial,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKeyDef {
    /// Unique in its database, without regard to case.
    pub name: String,
    /// Positions of the child's columns.
    pub columns: Vec<usize>,
    /// Database of the parent.
    pub parent_database: String,
    /// The parent, which may be missing and may be this table itself.
    pub parent_table: String,
    /// Names of the parent's columns, as many as `columns`.
    pub parent_columns: Vec<String>,
    /// What happens to children of a row that is deleted.
    pub on_delete: ReferenceAction,
    /// What happens to children of a row whose key changes.
    pub on_update: ReferenceAction,
}

/// What happens to the children of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReferenceAction {
    /// `NO ACTION`: as RESTRICT, and what it is when nothing was said.
    #[default]
    NoAction,
    /// `RESTRICT`: the change is refused while there are children.
    Restrict,
    /// `CASCADE`: they follow.
    Cascade,
    /// `SET NULL`: they lose their parent.
    SetNull,
}

/// A CHECK constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckDef {
    /// Unique in its database, without regard to case.
    pub name: String,
    /// In canonical text.
    pub expression: String,
    /// False for `NOT ENFORCED`.
    pub enforced: bool,
}

/// An index and the tree that holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexDef {
    /// Unique in the table; the primary's is 0.
    pub id: u32,
    /// `PRIMARY` for the primary; compared without regard to case.
    pub name: String,
    /// Where its entries are.
    pub tree: TreeId,
    /// Whether two rows may not agree in all its columns (rows with a NULL never agree).
    pub unique: bool,
    /// Key columns in order; empty for a hidden primary key.
    pub columns: Vec<IndexColumn>,
    /// INVISIBLE keeps an index up to date while no plan uses it.
    pub visible: bool,
    /// COMMENT of the index, empty if none.
    pub comment: String,
    /// The version of each collation's weights that the keys were made with, by collation number: an index
    /// whose versions differ from the build's must be rebuilt before it is used.
    pub collation_versions: Vec<(u16, u32)>,
    /// Whether it was made for a foreign key and not asked for: it makes way for an index that can serve in its
    /// place.
    pub made_for_foreign_key: bool,
}

/// One column of an index key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexColumn {
    /// Position in [`TableDef::columns`].
    pub column: usize,
    /// Only this many characters (bytes, for binary strings) are in the key.
    pub prefix: Option<u32>,
    /// Whether the key runs from large to small.
    pub descending: bool,
}

/// A view: a query under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewDef {
    /// Never used twice; survives CREATE OR REPLACE, ALTER and RENAME.
    pub id: u64,
    /// Name of its database.
    pub database: String,
    /// Case-sensitive.
    pub name: String,
    /// Changes with every change of this view; unique over all tables, views and times of a store.
    pub version: u64,
    /// The names of its columns, if the definition gave them; else they are those of the query.
    pub columns: Vec<String>,
    /// The query in canonical form, every name with its database.
    pub query: String,
    /// `ALGORITHM`
    pub algorithm: ViewAlgorithm,
    /// `DEFINER`: user and host.
    pub definer: (String, String),
    /// `SQL SECURITY`
    pub security: SqlSecurity,
    /// `WITH CHECK OPTION`
    pub check: Option<ViewCheck>,
    /// Whether rows could be changed through it when it was made.
    pub updatable: bool,
    /// Of the session that made it; SHOW CREATE VIEW repeats it.
    pub character_set_client: String,
    /// Of the session that made it.
    pub collation_connection: String,
    /// When it was made, in microseconds since 1970 UTC.
    pub created_micros: u64,
}

/// How a view is executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ViewAlgorithm {
    /// The server chooses.
    Undefined,
    /// Its query is joined into the one around it.
    Merge,
    /// Its rows are made first.
    TempTable,
}

/// Whose privileges a view runs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlSecurity {
    /// Those of its definer.
    Definer,
    /// Those of who uses it.
    Invoker,
}

/// Which conditions rows that are written through a view must satisfy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ViewCheck {
    /// Its own, and those of views below it that ask for it.
    Local,
    /// Its own and those of all views below it.
    Cascaded,
}

/// An account.
#[derive(Clone, PartialEq, Eq)]
pub struct UserDef {
    /// Case-sensitive; empty is the anonymous account.
    pub name: String,
    /// A host, an address, a pattern with `%` and `_`, or `%`.
    pub host: String,
    /// Which authentication method the server proposes.
    pub plugin: AuthPlugin,
    /// What a password is checked against, one per method that this account may use. None: no password.
    pub verifiers: Vec<Verifier>,
    /// `ACCOUNT LOCK`
    pub locked: bool,
    /// `PASSWORD EXPIRE`
    pub password_expired: bool,
    /// `REQUIRE SSL`
    pub require_tls: bool,
    /// When the password was last set, in microseconds since 1970 UTC.
    pub password_changed_micros: u64,
    /// Changes with every change of this account.
    pub version: u64,
}

/// An authentication method of the MySQL protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AuthPlugin {
    /// `caching_sha2_password`
    CachingSha2Password,
    /// `mysql_native_password`
    MysqlNativePassword,
}

/// What the server keeps in place of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    /// The method that it serves.
    pub plugin: AuthPlugin,
    /// As MySQL's `authentication_string` has it: `$A$005$` + salt (20 bytes) + digest (43), or `*` + 40 hex.
    pub text: Vec<u8>,
}

impl AuthPlugin {
    /// The name that goes over the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::CachingSha2Password => "caching_sha2_password",
            Self::MysqlNativePassword => "mysql_native_password",
        }
    }

    /// The method of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "caching_sha2_password" => Some(Self::CachingSha2Password),
            "mysql_native_password" => Some(Self::MysqlNativePassword),
            _ => None,
        }
    }
}

impl UserDef {
    /// The verifier for one method. None: the account has no password, or none for this method
    /// (tell them apart by [`UserDef::has_password`]).
    pub fn verifier(&self, plugin: AuthPlugin) -> Option<&[u8]> {
        self.verifiers.iter().find(|v| v.plugin == plugin).map(|v| v.text.as_slice())
    }

    /// Whether a password is asked for at all.
    pub fn has_password(&self) -> bool {
        !self.verifiers.is_empty()
    }
}

// Written by hand so that a verifier never reaches a log.
impl std::fmt::Debug for UserDef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserDef")
            .field("name", &self.name)
            .field("host", &self.host)
            .field("plugin", &self.plugin)
            .field("has_password", &self.has_password())
            .field("locked", &self.locked)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").field("plugin", &self.plugin).finish_non_exhaustive()
    }
}

impl TableDef {
    /// Whether rows are keyed by a hidden row id, because no primary key was declared.
    pub fn has_hidden_key(&self) -> bool {
        self.primary.columns.is_empty()
    }

    /// Position of a column by its name, without regard to case.
    pub fn column_index(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| same_name(&c.name, name))
    }

    /// A column by its name, without regard to case.
    pub fn column(&self, name: &str) -> Option<&ColumnDef> {
        self.columns.iter().find(|c| same_name(&c.name, name))
    }

    /// An index by its name, without regard to case; `PRIMARY` is found if a primary key was declared.
    pub fn index(&self, name: &str) -> Option<&IndexDef> {
        self.all_indexes().find(|index| same_name(&index.name, name) && !index.columns.is_empty())
    }

    /// The primary first (the hidden one too), then the secondary ones.
    pub fn all_indexes(&self) -> impl Iterator<Item = &IndexDef> {
        std::iter::once(&self.primary).chain(&self.indexes)
    }

    /// The trees of all its indexes.
    pub fn trees(&self) -> impl Iterator<Item = TreeId> {
        self.all_indexes().map(|index| index.tree)
    }

    /// The layout that a stored row of this schema version has; None means a damaged row.
    pub fn layout(&self, schema_version: u32) -> Option<&RowLayout> {
        self.layouts
            .binary_search_by_key(&schema_version, |l| l.schema_version)
            .ok()
            .and_then(|at| self.layouts.get(at))
    }

    /// Whether rows of the current layout hold the columns in declared order, none left out: then column `i`
    /// of the table is column `i` of the row.
    pub fn stored_in_order(&self) -> bool {
        self.layout(self.schema_version).is_some_and(|layout| {
            layout.columns.len() == self.columns.len()
                && layout.columns.iter().zip(&self.columns).all(|(id, column)| *id == column.id)
        })
    }
}

/// Whether two names of columns or indexes are the same: without regard to case, accents distinguish.
pub fn same_name(a: &str, b: &str) -> bool {
    if a.eq_ignore_ascii_case(b) {
        return true;
    }
    if a.is_ascii() && b.is_ascii() {
        return false;
    }
    a.chars().flat_map(char::to_lowercase).eq(b.chars().flat_map(char::to_lowercase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_columns_ignore_case_but_not_accents() {
        assert!(same_name("UserId", "userid"));
        assert!(same_name("GRÖSSE", "grösse"));
        assert!(!same_name("grosse", "grösse"));
        assert!(!same_name("a", "b"));
    }

    #[test]
    fn a_verifier_never_shows_in_debug_text() {
        let user = UserDef {
            name: "root".into(),
            host: "localhost".into(),
            plugin: AuthPlugin::CachingSha2Password,
            verifiers: vec![Verifier {
                plugin: AuthPlugin::CachingSha2Password,
                text: b"$A$005$SECRETSECRET".to_vec(),
            }],
            locked: false,
            password_expired: false,
            require_tls: false,
            password_changed_micros: 0,
            version: 1,
        };
        let shown = format!("{user:?} {:?}", user.verifiers);
        assert!(!shown.contains("SECRET") && !shown.contains("83, 69"), "{shown}");
    }
}
