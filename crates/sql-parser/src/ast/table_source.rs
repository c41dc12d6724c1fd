//! What stands in FROM: tables, derived tables, joins, JSON_TABLE.

use super::{DataType, Expr, Ident, JsonFallback, ObjectName, Query, StringLiteral};

/// One table reference.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TableReference {
    /// A table or view.
    Table(Box<TableSource>),
    /// `[LATERAL] (query) alias [(columns)]`.
    Derived(Box<DerivedTable>),
    /// `JSON_TABLE(..) alias`.
    JsonTable(Box<JsonTable>),
    /// A join.
    Join(Box<Join>),
    /// `(a, b JOIN c)`: two or more references joined by commas inside parentheses. A single reference in
    /// parentheses is only that reference.
    List(Vec<TableReference>),
}

/// `name [PARTITION (..)] [AS alias] [TABLESAMPLE ..] [index hints]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TableSource {
    /// The table.
    pub name: ObjectName,
    /// `PARTITION (p0, p1)`.
    pub partitions: Vec<Ident>,
    /// The alias.
    pub alias: Option<Ident>,
    /// `USE INDEX ..`.
    pub index_hints: Vec<IndexHint>,
}

/// `USE | FORCE | IGNORE INDEX [FOR ..] (names)`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IndexHint {
    /// Use, force or ignore.
    pub kind: IndexHintKind,
    /// `FOR JOIN | ORDER BY | GROUP BY`.
    pub scope: Option<IndexHintScope>,
    /// The indexes (`PRIMARY` is a name here); `USE INDEX ()` has none.
    pub indexes: Vec<Ident>,
}

/// The kinds of index hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are MySQL's
pub enum IndexHintKind {
    Use,
    Force,
    Ignore,
}

/// What an index hint is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are MySQL's
pub enum IndexHintScope {
    Join,
    OrderBy,
    GroupBy,
}

/// A subquery in FROM.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DerivedTable {
    /// Its rows.
    pub query: Query,
    /// `LATERAL`.
    pub lateral: bool,
    /// Its name.
    pub alias: Ident,
    /// Its column names, if written.
    pub columns: Vec<Ident>,
}

/// A join of two references.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Join {
    /// Left operand.
    pub left: TableReference,
    /// The kind of join.
    pub kind: JoinKind,
    /// Right operand.
    pub right: TableReference,
    /// ON, USING, NATURAL or nothing.
    pub constraint: JoinConstraint,
}

/// The kinds of join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JoinKind {
    /// `JOIN`, `INNER JOIN`, `CROSS JOIN`: one thing in MySQL.
    Inner,
    /// `LEFT [OUTER] JOIN`.
    Left,
    /// `RIGHT [OUTER] JOIN`.
    Right,
    /// `STRAIGHT_JOIN`.
    Straight,
}

/// What connects the rows of a join.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum JoinConstraint {
    /// Nothing: every pair.
    None,
    /// `ON condition`.
    On(Expr),
    /// `USING (columns)`.
    Using(Vec<Ident>),
    /// `NATURAL`.
    Natural,
}

/// `JSON_TABLE(document, path COLUMNS (..)) alias`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JsonTable {
    /// The document.
    pub document: Expr,
    /// The path of the rows.
    pub path: StringLiteral,
    /// The columns.
    pub columns: Vec<JsonTableColumn>,
    /// Its name.
    pub alias: Ident,
}

/// A column of JSON_TABLE.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum JsonTableColumn {
    /// `name FOR ORDINALITY`.
    Ordinality(Ident),
    /// `name type [EXISTS] PATH path [.. ON EMPTY] [.. ON ERROR]`.
    Path {
        /// Its name.
        name: Ident,
        /// Its type.
        data_type: DataType,
        /// `EXISTS PATH`.
        exists: bool,
        /// The path within the row.
        path: StringLiteral,
        /// `ON EMPTY`.
        on_empty: Option<JsonFallback>,
        /// `ON ERROR`.
        on_error: Option<JsonFallback>,
    },
    /// `NESTED [PATH] path COLUMNS (..)`.
    Nested {
        /// The path within the row.
        path: StringLiteral,
        /// The columns.
        columns: Vec<JsonTableColumn>,
    },
}
