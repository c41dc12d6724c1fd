//! INSERT, REPLACE, UPDATE, DELETE, LOAD DATA, CALL, DO, HANDLER.

use super::{Assignment, ColumnName, Expr, FileFormat, Hint, Ident, Limit, LimitValue, ObjectName};
use super::{OrderItem, Query, StringLiteral, TableReference, TableSource, VariableTarget, With};

/// INSERT and REPLACE.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Insert {
    /// REPLACE rather than INSERT.
    pub replace: bool,
    /// `/*+ .. */`.
    pub hints: Vec<Hint>,
    /// LOW_PRIORITY, HIGH_PRIORITY, DELAYED.
    pub priority: Option<Priority>,
    /// `IGNORE`.
    pub ignore: bool,
    /// The table.
    pub table: ObjectName,
    /// `PARTITION (..)`.
    pub partitions: Vec<Ident>,
    /// The columns; empty when none are written, that is all of them (or none for `() VALUES ()`).
    pub columns: Vec<ColumnName>,
    /// The rows.
    pub source: InsertSource,
    /// `AS new [(a, b)]`.
    pub row_alias: Option<RowAlias>,
    /// `ON DUPLICATE KEY UPDATE ..`.
    pub on_duplicate: Vec<Assignment>,
}

/// How urgent a write is. MySQL's InnoDB ignores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are MySQL's
pub enum Priority {
    Low,
    High,
    Delayed,
}

/// Where the rows of an INSERT come from. `SET a = 1` is a single row of values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum InsertSource {
    /// `VALUES (..), (..)`; a row may be empty.
    Values(Vec<Vec<Expr>>),
    /// `SELECT ..`, `TABLE t`, `VALUES ROW(..)`.
    Query(Box<Query>),
}

/// The name of the new row in ON DUPLICATE KEY UPDATE.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RowAlias {
    /// The row's name.
    pub name: Ident,
    /// New names of its columns, if written.
    pub columns: Vec<Ident>,
}

/// UPDATE, of one table or several.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Update {
    /// `WITH ..`.
    pub with: Option<With>,
    /// `/*+ .. */`.
    pub hints: Vec<Hint>,
    /// `LOW_PRIORITY`.
    pub low_priority: bool,
    /// `IGNORE`.
    pub ignore: bool,
    /// The tables; the single-table form is one [`TableReference::Table`] or derived table.
    pub tables: Vec<TableReference>,
    /// `SET ..`.
    pub assignments: Vec<Assignment>,
    /// `WHERE`.
    pub filter: Option<Expr>,
    /// `ORDER BY`, of the single-table form.
    pub order_by: Vec<OrderItem>,
    /// `LIMIT n`, of the single-table form.
    pub limit: Option<LimitValue>,
}

/// DELETE, from one table or several.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Delete {
    /// `WITH ..`.
    pub with: Option<With>,
    /// `/*+ .. */`.
    pub hints: Vec<Hint>,
    /// `LOW_PRIORITY`.
    pub low_priority: bool,
    /// `QUICK`.
    pub quick: bool,
    /// `IGNORE`.
    pub ignore: bool,
    /// What is deleted from.
    pub target: DeleteTarget,
    /// `WHERE`.
    pub filter: Option<Expr>,
    /// `ORDER BY`, of the single-table form.
    pub order_by: Vec<OrderItem>,
    /// `LIMIT n`, of the single-table form.
    pub limit: Option<LimitValue>,
}

/// What DELETE deletes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DeleteTarget {
    /// `DELETE FROM t [AS a] ..`.
    Single(Box<TableSource>),
    /// `DELETE a, b FROM a JOIN b ..` or `DELETE FROM a, b USING a JOIN b ..`.
    Multiple {
        /// The tables or aliases whose rows go.
        targets: Vec<ObjectName>,
        /// The tables that are joined.
        from: Vec<TableReference>,
    },
}

/// LOAD DATA and LOAD XML.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LoadData {
    /// LOAD XML rather than LOAD DATA.
    pub xml: bool,
    /// LOW_PRIORITY or CONCURRENT.
    pub priority: Option<LoadPriority>,
    /// `LOCAL`: the file is the client's.
    pub local: bool,
    /// The file.
    pub file: StringLiteral,
    /// What to do about duplicate keys.
    pub duplicates: Option<LoadDuplicates>,
    /// The table.
    pub table: ObjectName,
    /// `PARTITION (..)`.
    pub partitions: Vec<Ident>,
    /// `CHARACTER SET`.
    pub charset: Option<Ident>,
    /// `ROWS IDENTIFIED BY '<tag>'` of LOAD XML.
    pub rows_identified_by: Option<StringLiteral>,
    /// `FIELDS`, `LINES`.
    pub format: FileFormat,
    /// `IGNORE n LINES`.
    pub ignore_lines: Option<u64>,
    /// The columns and variables that take the fields.
    pub targets: Vec<LoadTarget>,
    /// `SET column = expr`.
    pub assignments: Vec<Assignment>,
}

/// How urgent LOAD DATA is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are MySQL's
pub enum LoadPriority {
    Low,
    Concurrent,
}

/// What LOAD DATA does about duplicate keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are MySQL's
pub enum LoadDuplicates {
    Replace,
    Ignore,
}

/// What takes a field of the file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LoadTarget {
    /// A column.
    Column(ColumnName),
    /// `@name`.
    Variable(Ident),
}

/// `CALL name(args)`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Call {
    /// The procedure.
    pub name: ObjectName,
    /// The arguments.
    pub args: Vec<Expr>,
}

/// `HANDLER ..`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Handler {
    /// `HANDLER t OPEN [AS a]`.
    Open {
        /// The table.
        table: ObjectName,
        /// Its name as a handler.
        alias: Option<Ident>,
    },
    /// `HANDLER t READ ..`.
    Read {
        /// The handler.
        table: ObjectName,
        /// The index; none reads in storage order.
        index: Option<Ident>,
        /// Where to read.
        position: HandlerPosition,
        /// `WHERE`.
        filter: Option<Expr>,
        /// `LIMIT`.
        limit: Option<Limit>,
    },
    /// `HANDLER t CLOSE`.
    Close(ObjectName),
}

/// Where a HANDLER reads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are MySQL's
pub enum HandlerPosition {
    First,
    Next,
    Prev,
    Last,
    /// `index = (values)` and the other comparisons.
    Key {
        /// `=`, `<=`, `>=`, `<`, `>`.
        op: super::BinaryOp,
        /// The key values.
        values: Vec<Expr>,
    },
}

/// `GET [CURRENT | STACKED] DIAGNOSTICS ..`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GetDiagnostics {
    /// `STACKED` rather than `CURRENT`.
    pub stacked: bool,
    /// What is read.
    pub items: DiagnosticsItems,
}

/// What GET DIAGNOSTICS reads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DiagnosticsItems {
    /// `target = NUMBER | ROW_COUNT`.
    Statement(Vec<DiagnosticsItem>),
    /// `CONDITION n target = RETURNED_SQLSTATE ..`.
    Condition {
        /// Which condition.
        number: Expr,
        /// What is read of it.
        items: Vec<DiagnosticsItem>,
    },
}

/// `target = NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DiagnosticsItem {
    /// The variable.
    pub target: VariableTarget,
    /// The item, as written.
    pub name: Ident,
}
