//! Function calls: the plain ones, aggregates, window functions, and those with a syntax of their own.

use super::{ColumnName, DataType, Expr, Ident, Interval, IntervalUnit, Literal, OrderItem, StringLiteral};

/// `name(a, b)` or `database.name(a, b)`: a native, loadable or stored function.
///
/// Functions whose keyword form takes plain arguments (`NOW(6)`, `SUBSTRING(a FROM 2)`, `POSITION(a IN b)`,
/// `LEFT(a, 1)`, `CURRENT_TIMESTAMP`) are here too, under the name as written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FunctionCall {
    /// The database of a stored function, if written.
    pub database: Option<Ident>,
    /// The name as written.
    pub name: Ident,
    /// The arguments.
    pub args: Vec<Expr>,
}

/// An aggregate function call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AggregateCall {
    /// Which one.
    pub function: AggregateFunction,
    /// `DISTINCT`.
    pub distinct: bool,
    /// The arguments; empty means `COUNT(*)`.
    pub args: Vec<Expr>,
    /// `GROUP_CONCAT(.. ORDER BY ..)`.
    pub order_by: Vec<OrderItem>,
    /// `GROUP_CONCAT(.. SEPARATOR '..')`.
    pub separator: Option<StringLiteral>,
    /// `OVER ..`.
    pub over: Option<Over>,
}

/// The aggregate functions that MySQL's grammar knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are MySQL's; STD and STDDEV are StddevPop, VARIANCE is VarPop
pub enum AggregateFunction {
    Count,
    Sum,
    Avg,
    Min,
    Max,
    BitAnd,
    BitOr,
    BitXor,
    StddevPop,
    StddevSamp,
    VarPop,
    VarSamp,
    GroupConcat,
    JsonArrayAgg,
    JsonObjectAgg,
    StCollect,
}

/// A call of a function that exists only over a window.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WindowCall {
    /// Which one.
    pub function: WindowFunction,
    /// The arguments.
    pub args: Vec<Expr>,
    /// `RESPECT NULLS` is false, `IGNORE NULLS` is true (MySQL refuses the latter when it runs).
    pub ignore_nulls: bool,
    /// `NTH_VALUE(..) FROM LAST` (MySQL refuses it when it runs).
    pub from_last: bool,
    /// The window.
    pub over: Over,
}

/// The functions that exist only over a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are MySQL's
pub enum WindowFunction {
    RowNumber,
    Rank,
    DenseRank,
    CumeDist,
    PercentRank,
    Ntile,
    Lead,
    Lag,
    FirstValue,
    LastValue,
    NthValue,
}

/// `OVER name` or `OVER (..)`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Over {
    /// A window of the WINDOW clause.
    Name(Ident),
    /// A window written in place.
    Window(WindowSpec),
}

/// `[name] [PARTITION BY ..] [ORDER BY ..] [frame]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct WindowSpec {
    /// The window this one builds on.
    pub base: Option<Ident>,
    /// `PARTITION BY`.
    pub partition_by: Vec<Expr>,
    /// `ORDER BY`.
    pub order_by: Vec<OrderItem>,
    /// The frame, if written.
    pub frame: Option<Frame>,
}

/// `ROWS | RANGE BETWEEN start AND end [EXCLUDE ..]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    /// Rows, range or groups.
    pub unit: FrameUnit,
    /// The first row.
    pub start: FrameBound,
    /// The last row; without `BETWEEN` it is the current row.
    pub end: Option<FrameBound>,
    /// `EXCLUDE ..` (MySQL refuses it when it runs).
    pub exclude: Option<FrameExclusion>,
}

/// What a frame counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are SQL's
pub enum FrameUnit {
    Rows,
    Range,
    Groups,
}

/// One end of a frame.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FrameBound {
    /// `UNBOUNDED PRECEDING`.
    UnboundedPreceding,
    /// `n PRECEDING`.
    Preceding(FrameOffset),
    /// `CURRENT ROW`.
    CurrentRow,
    /// `n FOLLOWING`.
    Following(FrameOffset),
    /// `UNBOUNDED FOLLOWING`.
    UnboundedFollowing,
}

/// The distance of a frame's end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FrameOffset {
    /// A number or parameter.
    Value(Box<Expr>),
    /// `INTERVAL n unit`.
    Interval(Box<Interval>),
}

/// `EXCLUDE ..`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are SQL's
pub enum FrameExclusion {
    CurrentRow,
    Group,
    Ties,
    NoOthers,
}

/// Functions whose arguments are not a plain list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SpecialCall {
    /// `EXTRACT(unit FROM expr)`.
    Extract {
        /// The part.
        unit: IntervalUnit,
        /// The date or time.
        expr: Expr,
    },
    /// `TRIM([LEADING | TRAILING | BOTH] [remove] FROM expr)`.
    Trim {
        /// Which ends; `None` is both.
        side: Option<TrimSide>,
        /// What is cut off; `None` is a space.
        remove: Option<Expr>,
        /// The string.
        expr: Expr,
    },
    /// `TIMESTAMPDIFF(unit, from, to)`.
    TimestampDiff {
        /// The unit of the result.
        unit: IntervalUnit,
        /// The earlier time.
        from: Expr,
        /// The later time.
        to: Expr,
    },
    /// `GET_FORMAT(DATE | TIME | DATETIME, locale)` (`TIMESTAMP` is `DATETIME`).
    GetFormat {
        /// The kind of value.
        kind: TemporalKind,
        /// The locale.
        locale: Expr,
    },
    /// `CHAR(a, b USING charset)`.
    Char {
        /// The code points.
        args: Vec<Expr>,
        /// The character set, if written.
        charset: Option<Ident>,
    },
    /// `WEIGHT_STRING(expr [AS CHAR(n) | BINARY(n)])`.
    WeightString {
        /// The string.
        expr: Expr,
        /// The cast, if written.
        cast: Option<WeightStringCast>,
    },
    /// `MATCH (columns) AGAINST (expr mode)`.
    Match {
        /// The indexed columns.
        columns: Vec<ColumnName>,
        /// The searched text.
        against: Expr,
        /// The search mode.
        mode: MatchMode,
    },
    /// `JSON_VALUE(doc, path [RETURNING type] [.. ON EMPTY] [.. ON ERROR])`.
    JsonValue {
        /// The document.
        document: Expr,
        /// The path.
        path: StringLiteral,
        /// `RETURNING`.
        returning: Option<CastTarget>,
        /// `ON EMPTY`.
        on_empty: Option<JsonFallback>,
        /// `ON ERROR`.
        on_error: Option<JsonFallback>,
    },
    /// `INTERVAL(n, a, b, ..)`: the index of the last argument that is not greater than `n`.
    IntervalIndex(Vec<Expr>),
}

/// Which ends `TRIM` cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are SQL's
pub enum TrimSide {
    Both,
    Leading,
    Trailing,
}

/// The kinds of `GET_FORMAT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are MySQL's
pub enum TemporalKind {
    Date,
    Time,
    DateTime,
}

/// The cast inside `WEIGHT_STRING`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // length in characters or bytes
pub enum WeightStringCast {
    Char(u64),
    Binary(u64),
}

/// The mode of a full-text search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatchMode {
    /// No mode, or `IN NATURAL LANGUAGE MODE`.
    NaturalLanguage,
    /// `IN NATURAL LANGUAGE MODE WITH QUERY EXPANSION`.
    QueryExpansion,
    /// `IN BOOLEAN MODE`.
    Boolean,
}

/// `NULL | ERROR | DEFAULT value` before `ON EMPTY` and `ON ERROR`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum JsonFallback {
    /// `NULL`.
    Null,
    /// `ERROR`.
    Error,
    /// `DEFAULT literal`.
    Default(Literal),
}

/// The target of `CAST`, `CONVERT` and `RETURNING`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CastTarget {
    /// `SIGNED [INTEGER]`.
    Signed,
    /// `UNSIGNED [INTEGER]`.
    Unsigned,
    /// `CHAR(n) ..`, `BINARY(n)`, `DATE`, `DATETIME(n)`, `TIME(n)`, `DECIMAL(p, s)`, `FLOAT(p)`, `DOUBLE`, `REAL`,
    /// `JSON`, `YEAR`, a spatial type.
    Type(DataType),
}
