//! SELECT, VALUES, TABLE, set operations and common table expressions.

use super::{
    ColumnName, Expr, ExprKind, Ident, Literal, ObjectName, Span, StringLiteral, TableReference, UnaryOp,
    WindowSpec,
};

/// A query expression with everything that may stand around it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Query {
    /// `WITH ..`.
    pub with: Option<With>,
    /// What makes the rows.
    pub body: QueryBody,
    /// `ORDER BY`, of the whole body.
    pub order_by: Vec<OrderItem>,
    /// `LIMIT`, of the whole body.
    pub limit: Option<Limit>,
    /// `FOR UPDATE`, `FOR SHARE`, `LOCK IN SHARE MODE`.
    pub locking: Vec<Locking>,
    /// `INTO ..` of the statement, behind the select list or at the end.
    pub into: Option<Box<IntoTarget>>,
    /// Where it stood, without parentheses.
    pub span: Span,
}

/// The row source of a query.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum QueryBody {
    /// `SELECT ..`.
    Select(Box<Select>),
    /// `a UNION b EXCEPT c`.
    SetOperation(Box<SetOperation>),
    /// `(query)`, with clauses of its own.
    Nested(Box<Query>),
    /// `VALUES ROW(..), ROW(..)`.
    Values(Vec<Vec<Expr>>),
    /// `TABLE name`.
    Table(Box<ObjectName>),
}

/// A chain of set operations of one precedence, evaluated from left to right. `INTERSECT` binds
/// tighter than the others, so a chain holds either only `INTERSECT` or none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SetOperation {
    /// The first operand.
    pub first: QueryBody,
    /// Each further operand with the operator before it; at least one.
    pub rest: Vec<SetOperand>,
}

/// An operator of a set operation and its right operand.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SetOperand {
    /// The operator.
    pub op: SetOperator,
    /// `ALL` rather than `DISTINCT`.
    pub all: bool,
    /// The right operand.
    pub body: QueryBody,
}

/// The set operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are SQL's
pub enum SetOperator {
    Union,
    Except,
    Intersect,
}

/// One SELECT block.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Select {
    /// `/*+ .. */`.
    pub hints: Vec<Hint>,
    /// The words after SELECT.
    pub options: SelectOptions,
    /// The select list, never empty.
    pub items: Vec<SelectItem>,
    /// `INTO ..` where MySQL refuses it (3954): inside a subquery or a set operation. That of a statement is
    /// [`Query::into`], wherever it was written.
    pub into: Option<Box<IntoTarget>>,
    /// `FROM`, comma-separated; empty without FROM or with `FROM DUAL`.
    pub from: Vec<TableReference>,
    /// `WHERE`.
    pub filter: Option<Expr>,
    /// `GROUP BY`.
    pub group_by: Option<GroupBy>,
    /// `HAVING`.
    pub having: Option<Expr>,
    /// `WINDOW name AS (..)`.
    pub windows: Vec<NamedWindow>,
}

/// The words between SELECT and the select list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // each field is the word of its name
pub struct SelectOptions {
    pub distinct: bool,
    /// `ALL`, which is the default.
    pub all: bool,
    pub high_priority: bool,
    pub straight_join: bool,
    pub sql_small_result: bool,
    pub sql_big_result: bool,
    pub sql_buffer_result: bool,
    pub sql_no_cache: bool,
    pub sql_calc_found_rows: bool,
}

/// One element of the select list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SelectItem {
    /// `*` or `table.*` or `database.table.*`.
    Wildcard {
        /// The table, if written.
        table: Option<Box<ObjectName>>,
        /// Where it stood.
        span: Span,
    },
    /// `expr [AS alias]`.
    Expr {
        /// The expression.
        expr: Expr,
        /// The alias, if written.
        alias: Option<Ident>,
    },
}

impl SelectItem {
    /// The column heading that MySQL gives this item: its alias; else the bare name of a column; else the
    /// content of a string or the digits of a number, without parentheses and unary plus; else the text as
    /// written. Blanks in front are dropped. `*` has none. `sql` is the text this tree was parsed from.
    pub fn heading<'a>(&'a self, sql: &'a str) -> Option<&'a str> {
        let SelectItem::Expr { expr, alias } = self else { return None };
        if let Some(alias) = alias {
            return Some(alias.as_str());
        }
        let mut named = expr;
        while let ExprKind::Unary { op: UnaryOp::Plus, expr } = &named.kind {
            named = expr;
        }
        let text = match &named.kind {
            ExprKind::Column(column) => column.name.as_str(),
            ExprKind::Literal(Literal::Null) => "NULL",
            ExprKind::Literal(Literal::String(text)) => text.as_str()?,
            ExprKind::Literal(Literal::Integer(_) | Literal::Decimal(_) | Literal::Float(_)) => {
                named.span.text(sql).trim_matches(|c: char| matches!(c, '(' | ')') || c.is_ascii_whitespace())
            }
            _ => expr.span.text(sql),
        };
        Some(text.trim_start_matches(|c: char| c == ' ' || c.is_ascii_control()))
    }
}

/// `GROUP BY a, b [WITH ROLLUP]` (also `GROUP BY ROLLUP (a, b)`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GroupBy {
    /// The grouping expressions.
    pub items: Vec<Expr>,
    /// `WITH ROLLUP`.
    pub rollup: bool,
}

/// `expr [ASC | DESC]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OrderItem {
    /// What is sorted by.
    pub expr: Expr,
    /// `DESC`.
    pub descending: bool,
}

/// `name AS (spec)`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NamedWindow {
    /// The window's name.
    pub name: Ident,
    /// The window.
    pub spec: WindowSpec,
}

/// `LIMIT count [OFFSET offset]`, `LIMIT offset, count`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    /// How many rows.
    pub count: LimitValue,
    /// How many are skipped.
    pub offset: Option<LimitValue>,
}

/// What may stand in LIMIT.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LimitValue {
    /// A number.
    Number(u64),
    /// `?`.
    Parameter(u32),
    /// A stored program's variable.
    Variable(Ident),
}

/// `FOR UPDATE | SHARE [OF tables] [NOWAIT | SKIP LOCKED]`, `LOCK IN SHARE MODE`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Locking {
    /// `UPDATE` rather than `SHARE`.
    pub exclusive: bool,
    /// `OF ..`; empty is all tables.
    pub tables: Vec<ObjectName>,
    /// What to do about rows that others have locked.
    pub wait: LockWait,
}

/// What a locking read does about rows that others have locked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are MySQL's
pub enum LockWait {
    #[default]
    Wait,
    NoWait,
    SkipLocked,
}

/// `INTO ..` of a SELECT.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum IntoTarget {
    /// `INTO @a, b`.
    Variables(Vec<VariableTarget>),
    /// `INTO OUTFILE 'file' ..`.
    OutFile {
        /// The file.
        file: StringLiteral,
        /// `CHARACTER SET`.
        charset: Option<Ident>,
        /// `FIELDS ..`, `LINES ..`.
        format: FileFormat,
    },
    /// `INTO DUMPFILE 'file'`.
    DumpFile(StringLiteral),
}

/// A variable that takes a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum VariableTarget {
    /// `@name`.
    User(Ident),
    /// A stored program's variable or parameter.
    Local(Ident),
}

/// `FIELDS ..` and `LINES ..` of LOAD DATA and INTO OUTFILE.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FileFormat {
    /// `FIELDS TERMINATED BY`.
    pub fields_terminated_by: Option<StringLiteral>,
    /// `FIELDS [OPTIONALLY] ENCLOSED BY`.
    pub fields_enclosed_by: Option<StringLiteral>,
    /// `OPTIONALLY`.
    pub optionally: bool,
    /// `FIELDS ESCAPED BY`.
    pub fields_escaped_by: Option<StringLiteral>,
    /// `LINES TERMINATED BY`.
    pub lines_terminated_by: Option<StringLiteral>,
    /// `LINES STARTING BY`.
    pub lines_starting_by: Option<StringLiteral>,
}

/// `WITH [RECURSIVE] a AS (..), b AS (..)`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct With {
    /// `RECURSIVE`.
    pub recursive: bool,
    /// The named queries.
    pub tables: Vec<CommonTable>,
}

/// `name [(columns)] AS (query)`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CommonTable {
    /// Its name.
    pub name: Ident,
    /// Its column names, if written.
    pub columns: Vec<Ident>,
    /// Its rows.
    pub query: Query,
}

/// One optimizer hint of `/*+ .. */`. What MySQL's hint grammar does not know is left out, as MySQL only
/// warns about it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hint {
    /// `MAX_EXECUTION_TIME`, `INDEX`, `SET_VAR`, ..
    pub name: Ident,
    /// A leading `@query_block`.
    pub query_block: Option<Ident>,
    /// What stands in the parentheses.
    pub arguments: Vec<HintArgument>,
}

/// An argument of an optimizer hint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HintArgument {
    /// A table, index or strategy, with the query block it is in.
    Name {
        /// The name.
        name: Ident,
        /// `@query_block`.
        query_block: Option<Ident>,
    },
    /// A number.
    Number(u64),
    /// `name = value` of SET_VAR.
    Assignment {
        /// The variable.
        name: Ident,
        /// Its value.
        value: Literal,
    },
}

/// `column = value`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Assignment {
    /// The column.
    pub column: ColumnName,
    /// Its new value; the keyword DEFAULT is [`ExprKind::Default`].
    pub value: Expr,
}
