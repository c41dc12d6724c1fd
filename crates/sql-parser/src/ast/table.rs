//! CREATE TABLE: columns, keys, constraints, options, partitions.

use super::{DataType, Expr, Ident, ObjectName, Query, StringLiteral};

/// CREATE TABLE.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CreateTable {
    /// `TEMPORARY`.
    pub temporary: bool,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// The table.
    pub name: ObjectName,
    /// `LIKE other`, which excludes everything below.
    pub like: Option<ObjectName>,
    /// Columns, keys and constraints in their order.
    pub elements: Vec<TableElement>,
    /// Table options.
    pub options: Vec<TableOption>,
    /// `PARTITION BY ..`.
    pub partitioning: Option<Box<Partitioning>>,
    /// `[IGNORE | REPLACE] [AS] SELECT ..`.
    pub query: Option<Box<CreateTableQuery>>,
}

/// The query of CREATE TABLE .. AS.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CreateTableQuery {
    /// IGNORE or REPLACE rows with duplicate keys.
    pub duplicates: Option<super::LoadDuplicates>,
    /// The rows.
    pub query: Query,
}

/// One element between the parentheses.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TableElement {
    /// A column.
    Column(Box<ColumnDefinition>),
    /// PRIMARY KEY, UNIQUE, INDEX, FULLTEXT, SPATIAL.
    Index(Box<IndexDefinition>),
    /// FOREIGN KEY.
    ForeignKey(Box<ForeignKey>),
    /// CHECK.
    Check(Box<CheckConstraint>),
}

/// `name type attributes`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ColumnDefinition {
    /// Its name.
    pub name: Ident,
    /// Its type.
    pub data_type: DataType,
    /// Everything behind the type.
    pub attributes: ColumnAttributes,
}

/// The attributes of a column. Of an attribute written twice the last counts, as in MySQL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ColumnAttributes {
    /// `NULL` is true, `NOT NULL` is false, neither is `None`.
    pub nullable: Option<bool>,
    /// `DEFAULT ..`.
    pub default: Option<ColumnDefaultValue>,
    /// `ON UPDATE CURRENT_TIMESTAMP[(fsp)]`: its fractional digits.
    pub on_update: Option<u32>,
    /// `AUTO_INCREMENT`.
    pub auto_increment: bool,
    /// `[PRIMARY] KEY`, `UNIQUE [KEY]`.
    pub key: Option<ColumnKey>,
    /// `COMMENT '..'`.
    pub comment: Option<StringLiteral>,
    /// `COLLATE name`.
    pub collation: Option<Ident>,
    /// `COLUMN_FORMAT ..`.
    pub column_format: Option<ColumnFormat>,
    /// `STORAGE ..`.
    pub storage: Option<ColumnStorage>,
    /// `[GENERATED ALWAYS] AS (expr) ..`.
    pub generated: Option<Box<Generated>>,
    /// `VISIBLE` is true, `INVISIBLE` is false.
    pub visible: Option<bool>,
    /// `SRID n`.
    pub srid: Option<u32>,
    /// `NOT SECONDARY`.
    pub not_secondary: bool,
    /// `ENGINE_ATTRIBUTE '..'`.
    pub engine_attribute: Option<StringLiteral>,
    /// `SECONDARY_ENGINE_ATTRIBUTE '..'`.
    pub secondary_engine_attribute: Option<StringLiteral>,
    /// `[CONSTRAINT name] CHECK (..)`, written at the column.
    pub checks: Vec<CheckConstraint>,
    /// `REFERENCES ..` written at the column, which MySQL 8.4 parses and ignores.
    pub references: Option<Box<References>>,
}

/// The default of a column.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ColumnDefaultValue {
    /// A constant, possibly signed: the expression is a literal, or minus or plus before one.
    Literal(Expr),
    /// `CURRENT_TIMESTAMP[(fsp)]`, `NOW()`, `LOCALTIME`..: its fractional digits.
    CurrentTimestamp(u32),
    /// `(expr)`.
    Expression(Expr),
}

/// A key written at its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColumnKey {
    /// `PRIMARY KEY`, `KEY`.
    Primary,
    /// `UNIQUE [KEY]`.
    Unique,
}

/// `COLUMN_FORMAT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are MySQL's
pub enum ColumnFormat {
    Default,
    Fixed,
    Dynamic,
}

/// `STORAGE` of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are MySQL's
pub enum ColumnStorage {
    Default,
    Disk,
    Memory,
}

/// A generated column.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Generated {
    /// The expression.
    pub expr: Expr,
    /// `STORED` rather than `VIRTUAL`.
    pub stored: bool,
}

/// An index of CREATE TABLE, ALTER TABLE and CREATE INDEX.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IndexDefinition {
    /// What it is.
    pub kind: IndexKind,
    /// `CONSTRAINT [name]`: written, and possibly named. Only PRIMARY KEY and UNIQUE.
    pub constraint: Option<Option<Ident>>,
    /// The index's own name.
    pub name: Option<Ident>,
    /// Columns, prefixes and expressions.
    pub parts: Vec<IndexPart>,
    /// Index options.
    pub options: IndexOptions,
}

/// The kinds of index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IndexKind {
    /// `PRIMARY KEY`.
    Primary,
    /// `UNIQUE [KEY | INDEX]`.
    Unique,
    /// `KEY`, `INDEX`.
    Plain,
    /// `FULLTEXT`.
    FullText,
    /// `SPATIAL`.
    Spatial,
}

/// One part of an index.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IndexPart {
    /// What is indexed.
    pub key: IndexKey,
    /// `DESC` is true, `ASC` is false; `None` is ascending too.
    pub descending: Option<bool>,
}

/// What an index part indexes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum IndexKey {
    /// A column, or its first characters or bytes.
    Column {
        /// The column.
        name: Ident,
        /// `(n)`.
        prefix: Option<u64>,
    },
    /// `(expr)`.
    Expression(Expr),
}

/// The options of an index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct IndexOptions {
    /// `USING BTREE | HASH | RTREE`.
    pub algorithm: Option<IndexAlgorithm>,
    /// `KEY_BLOCK_SIZE`.
    pub key_block_size: Option<u64>,
    /// `COMMENT`.
    pub comment: Option<StringLiteral>,
    /// `VISIBLE` is true, `INVISIBLE` is false.
    pub visible: Option<bool>,
    /// `WITH PARSER name`.
    pub parser: Option<Ident>,
    /// `ENGINE_ATTRIBUTE`.
    pub engine_attribute: Option<StringLiteral>,
    /// `SECONDARY_ENGINE_ATTRIBUTE`.
    pub secondary_engine_attribute: Option<StringLiteral>,
}

/// How an index is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are MySQL's
pub enum IndexAlgorithm {
    BTree,
    Hash,
    RTree,
}

/// `FOREIGN KEY (columns) REFERENCES ..`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ForeignKey {
    /// `CONSTRAINT [name]`: written, and possibly named.
    pub constraint: Option<Option<Ident>>,
    /// The name behind FOREIGN KEY.
    pub index_name: Option<Ident>,
    /// The child's columns.
    pub columns: Vec<Ident>,
    /// The parent.
    pub references: References,
}

/// `REFERENCES table (columns) ..`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct References {
    /// The parent table.
    pub table: ObjectName,
    /// Its columns.
    pub columns: Vec<Ident>,
    /// `MATCH ..`, ignored by MySQL.
    pub match_kind: Option<ReferenceMatch>,
    /// `ON DELETE`.
    pub on_delete: Option<ReferenceAction>,
    /// `ON UPDATE`.
    pub on_update: Option<ReferenceAction>,
}

/// `MATCH` of REFERENCES.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are SQL's
pub enum ReferenceMatch {
    Full,
    Partial,
    Simple,
}

/// What happens to children.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are SQL's
pub enum ReferenceAction {
    Restrict,
    Cascade,
    SetNull,
    NoAction,
    SetDefault,
}

/// `[CONSTRAINT [name]] CHECK (expr) [[NOT] ENFORCED]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CheckConstraint {
    /// `CONSTRAINT [name]`: written, and possibly named.
    pub constraint: Option<Option<Ident>>,
    /// The condition.
    pub expr: Expr,
    /// False for `NOT ENFORCED`.
    pub enforced: bool,
}

/// A table option.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TableOption {
    /// `ENGINE = name`.
    Engine(Ident),
    /// `SECONDARY_ENGINE = name`; `None` is NULL.
    SecondaryEngine(Option<Ident>),
    /// `[DEFAULT] CHARACTER SET = name`.
    CharacterSet(Ident),
    /// `[DEFAULT] COLLATE = name`.
    Collate(Ident),
    /// `AUTO_INCREMENT = n`.
    AutoIncrement(u64),
    /// `COMMENT = '..'`.
    Comment(StringLiteral),
    /// `ROW_FORMAT = ..`, as written.
    RowFormat(Ident),
    /// `UNION = (tables)`.
    Union(Vec<ObjectName>),
    /// `START TRANSACTION`, which the binary log writes.
    StartTransaction,
    /// Every other option: `KEY_BLOCK_SIZE = 8`, `STATS_PERSISTENT = DEFAULT`, `CONNECTION = '..'`.
    Other {
        /// Its name in upper case (`DATA DIRECTORY` with one blank).
        name: &'static str,
        /// Its value.
        value: TableOptionValue,
    },
}

/// The value of a table option that needs no treatment of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TableOptionValue {
    /// A number.
    Number(u64),
    /// A string.
    String(StringLiteral),
    /// A name, or a keyword such as DEFAULT, FIRST, DISK.
    Word(Ident),
}

/// `PARTITION BY ..`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Partitioning {
    /// How rows find their partition.
    pub method: PartitionMethod,
    /// `PARTITIONS n`.
    pub count: Option<u64>,
    /// `SUBPARTITION BY ..`.
    pub subpartitioning: Option<Subpartitioning>,
    /// The partitions.
    pub partitions: Vec<PartitionDefinition>,
}

/// How rows find their partition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PartitionMethod {
    /// `[LINEAR] HASH (expr)`.
    Hash {
        /// `LINEAR`.
        linear: bool,
        /// The hashed expression.
        expr: Expr,
    },
    /// `[LINEAR] KEY [ALGORITHM = n] (columns)`.
    Key {
        /// `LINEAR`.
        linear: bool,
        /// `ALGORITHM`.
        algorithm: Option<u64>,
        /// The columns.
        columns: Vec<Ident>,
    },
    /// `RANGE (expr)`.
    Range(Expr),
    /// `RANGE COLUMNS (columns)`.
    RangeColumns(Vec<Ident>),
    /// `LIST (expr)`.
    List(Expr),
    /// `LIST COLUMNS (columns)`.
    ListColumns(Vec<Ident>),
}

/// `SUBPARTITION BY ..`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subpartitioning {
    /// HASH or KEY.
    pub method: PartitionMethod,
    /// `SUBPARTITIONS n`.
    pub count: Option<u64>,
}

/// `PARTITION name VALUES .. options (subpartitions)`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PartitionDefinition {
    /// Its name.
    pub name: Ident,
    /// Which rows it holds.
    pub values: PartitionValues,
    /// Its options.
    pub options: Vec<PartitionOption>,
    /// Its subpartitions.
    pub subpartitions: Vec<SubpartitionDefinition>,
}

/// `SUBPARTITION name options`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SubpartitionDefinition {
    /// Its name.
    pub name: Ident,
    /// Its options.
    pub options: Vec<PartitionOption>,
}

/// Which rows a partition holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PartitionValues {
    /// Not said: HASH and KEY.
    None,
    /// `VALUES LESS THAN MAXVALUE`.
    LessThanMaxValue,
    /// `VALUES LESS THAN (..)`.
    LessThan(Vec<PartitionValue>),
    /// `VALUES IN (..)`: one row of values each; a bare value is a row of one.
    In(Vec<Vec<PartitionValue>>),
}

/// A bound of a partition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::large_enum_variant)] // nearly every one is an expression
pub enum PartitionValue {
    /// `MAXVALUE`.
    MaxValue,
    /// An expression.
    Expr(Expr),
}

/// `ENGINE = InnoDB`, `MAX_ROWS = 10`, ..
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PartitionOption {
    /// Its name in upper case (`DATA DIRECTORY` with one blank).
    pub name: &'static str,
    /// Its value.
    pub value: TableOptionValue,
}

/// RENAME TABLE.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RenameTable {
    /// Old and new names.
    pub renames: Vec<(ObjectName, ObjectName)>,
}

/// DROP TABLE.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DropTable {
    /// `TEMPORARY`.
    pub temporary: bool,
    /// `IF EXISTS`.
    pub if_exists: bool,
    /// The tables.
    pub tables: Vec<ObjectName>,
}
