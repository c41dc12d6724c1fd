//! Expressions.

use super::{AggregateCall, StringLiteral, WindowCall};
use super::{CastTarget, ColumnName, FunctionCall, Ident, Literal, Query, Span, SpecialCall};

/// An expression and the text it came from. Parentheses around it belong to the span, not to the tree.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stood.
    pub span: Span,
}

impl Expr {
    /// An expression that stands nowhere.
    pub fn new(kind: ExprKind) -> Expr {
        Expr { kind, span: Span::default() }
    }
}

/// The kinds of expression. Everything large or recursive is boxed; the enum stays within 40 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ExprKind {
    /// A constant.
    Literal(Literal),
    /// A `?` of a prepared statement, numbered from 0.
    Parameter(u32),
    /// A column (or a stored program's variable, or `new.x` in a trigger).
    Column(ColumnName),
    /// `@name`.
    UserVariable(Ident),
    /// `@@name`, `@@session.name`, `@@global.name`.
    SystemVariable(Box<SystemVariable>),
    /// `@name := value`.
    Assign {
        /// The user variable.
        variable: Ident,
        /// Its new value.
        value: Box<Expr>,
    },
    /// A prefix operator.
    Unary {
        /// The operator.
        op: UnaryOp,
        /// Its operand.
        expr: Box<Expr>,
    },
    /// An infix operator other than `AND` and `OR`.
    Binary {
        /// The operator.
        op: BinaryOp,
        /// Left operand.
        left: Box<Expr>,
        /// Right operand.
        right: Box<Expr>,
    },
    /// `a AND b AND ..`, two operands or more, flattened.
    And(Vec<Expr>),
    /// `a OR b OR ..`, two operands or more, flattened.
    Or(Vec<Expr>),
    /// `expr [NOT] BETWEEN low AND high`.
    Between(Box<Between>),
    /// `expr [NOT] IN (a, b, ..)`.
    InList {
        /// The tested value.
        expr: Box<Expr>,
        /// The list, never empty.
        list: Vec<Expr>,
        /// `NOT IN`.
        negated: bool,
    },
    /// `expr [NOT] IN (SELECT ..)`.
    InSubquery {
        /// The tested value.
        expr: Box<Expr>,
        /// The subquery.
        query: Box<Query>,
        /// `NOT IN`.
        negated: bool,
    },
    /// `expr [NOT] LIKE pattern [ESCAPE escape]`.
    Like(Box<Like>),
    /// `expr [NOT] REGEXP pattern` (also `RLIKE`).
    Regexp {
        /// The tested value.
        expr: Box<Expr>,
        /// The pattern.
        pattern: Box<Expr>,
        /// `NOT REGEXP`.
        negated: bool,
    },
    /// `value MEMBER OF (array)`.
    MemberOf {
        /// The value looked for.
        value: Box<Expr>,
        /// The JSON array.
        array: Box<Expr>,
    },
    /// `expr IS [NOT] NULL`.
    IsNull {
        /// The tested value.
        expr: Box<Expr>,
        /// `IS NOT NULL`.
        negated: bool,
    },
    /// `expr IS [NOT] TRUE | FALSE | UNKNOWN`.
    IsTruth {
        /// The tested value.
        expr: Box<Expr>,
        /// What it is compared with.
        truth: Truth,
        /// `IS NOT`.
        negated: bool,
    },
    /// `(a, b)` or `ROW(a, b)`: two elements or more (`ROW(a)` has one).
    Row(Vec<Expr>),
    /// `(SELECT ..)` as a value.
    Subquery(Box<Query>),
    /// `EXISTS (SELECT ..)`; `NOT EXISTS` is [`UnaryOp::Not`] over it.
    Exists(Box<Query>),
    /// `left op ANY | ALL (SELECT ..)` (`SOME` is `ANY`).
    Quantified(Box<Quantified>),
    /// `CASE .. END`.
    Case(Box<Case>),
    /// `CAST(expr AS type)`, `CONVERT(expr, type)`.
    Cast(Box<Cast>),
    /// `CONVERT(expr USING charset)`.
    ConvertUsing {
        /// The converted value.
        expr: Box<Expr>,
        /// The character set.
        charset: Ident,
    },
    /// `expr COLLATE name`.
    Collate {
        /// The string.
        expr: Box<Expr>,
        /// The collation.
        collation: Ident,
    },
    /// `date + INTERVAL n unit`, `date - INTERVAL n unit`, `DATE_ADD`, `ADDDATE`, `TIMESTAMPADD` and so on.
    DateArithmetic(Box<DateArithmetic>),
    /// `column -> 'path'`, `column ->> 'path'`.
    JsonPath(Box<JsonPath>),
    /// `DEFAULT(column)`; without a column the keyword `DEFAULT`, which stands only as a whole value in
    /// INSERT, REPLACE, UPDATE and LOAD DATA.
    Default(Option<Box<ColumnName>>),
    /// `VALUES(column)` of ON DUPLICATE KEY UPDATE.
    InsertValue(Box<ColumnName>),
    /// An aggregate function, possibly over a window.
    Aggregate(Box<AggregateCall>),
    /// A function that exists only over a window.
    Window(Box<WindowCall>),
    /// A function with the plain shape `name(a, b)`, native or stored.
    Function(Box<FunctionCall>),
    /// A function with a syntax of its own.
    Special(Box<SpecialCall>),
    /// `{d '2020-01-01'}` and other ODBC escapes whose keyword is not d, t or ts: the value is the expression.
    OdbcEscape {
        /// The word behind the brace.
        word: Ident,
        /// The expression.
        expr: Box<Expr>,
    },
}

/// Prefix operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    /// `-`.
    Minus,
    /// `+`.
    Plus,
    /// `NOT`, `!`.
    Not,
    /// `~`.
    BitNot,
    /// `BINARY`.
    Binary,
}

/// Infix operators with two plain operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `+`.
    Add,
    /// `-`.
    Subtract,
    /// `*`.
    Multiply,
    /// `/`.
    Divide,
    /// `DIV`.
    IntegerDivide,
    /// `%`, `MOD`.
    Modulo,
    /// `|`.
    BitOr,
    /// `&`.
    BitAnd,
    /// `^`.
    BitXor,
    /// `<<`.
    ShiftLeft,
    /// `>>`.
    ShiftRight,
    /// `=`.
    Equal,
    /// `<=>`.
    NullSafeEqual,
    /// `<>`, `!=`.
    NotEqual,
    /// `<`.
    Less,
    /// `<=`.
    LessOrEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterOrEqual,
    /// `XOR`.
    Xor,
    /// `SOUNDS LIKE`.
    SoundsLike,
}

impl BinaryOp {
    /// Whether it compares: `= <=> <> < <= > >=`.
    pub fn is_comparison(self) -> bool {
        use BinaryOp::*;
        matches!(self, Equal | NullSafeEqual | NotEqual | Less | LessOrEqual | Greater | GreaterOrEqual)
    }
}

/// The right side of `IS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Truth {
    /// `TRUE`.
    True,
    /// `FALSE`.
    False,
    /// `UNKNOWN`.
    Unknown,
}

/// `expr [NOT] BETWEEN low AND high`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Between {
    /// The tested value.
    pub expr: Expr,
    /// Lower bound, inclusive.
    pub low: Expr,
    /// Upper bound, inclusive.
    pub high: Expr,
    /// `NOT BETWEEN`.
    pub negated: bool,
}

/// `expr [NOT] LIKE pattern [ESCAPE escape]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Like {
    /// The tested value.
    pub expr: Expr,
    /// The pattern.
    pub pattern: Expr,
    /// The escape character, if written.
    pub escape: Option<Expr>,
    /// `NOT LIKE`.
    pub negated: bool,
}

/// `left op ANY | ALL (query)`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Quantified {
    /// Left operand.
    pub left: Expr,
    /// A comparison.
    pub op: BinaryOp,
    /// `ALL` rather than `ANY`.
    pub all: bool,
    /// The subquery.
    pub query: Query,
}

/// `CASE [operand] WHEN .. THEN .. [ELSE ..] END`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Case {
    /// The compared value of the simple form.
    pub operand: Option<Expr>,
    /// The branches, at least one.
    pub branches: Vec<WhenThen>,
    /// The `ELSE` value.
    pub otherwise: Option<Expr>,
}

/// One branch of `CASE`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WhenThen {
    /// The condition, or the compared value.
    pub when: Expr,
    /// The result.
    pub then: Expr,
}

/// `CAST(expr [AT TIME ZONE ..] AS type [ARRAY])`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cast {
    /// The converted value.
    pub expr: Expr,
    /// `AT TIME ZONE 'x'`.
    pub time_zone: Option<StringLiteral>,
    /// The target type.
    pub target: CastTarget,
    /// `ARRAY`, for multi-valued indexes.
    pub array: bool,
}

/// Addition or subtraction of an interval.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DateArithmetic {
    /// The date or time.
    pub date: Expr,
    /// Subtract rather than add.
    pub subtract: bool,
    /// What is added or subtracted.
    pub interval: Interval,
}

/// `INTERVAL value unit`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Interval {
    /// How much.
    pub value: Expr,
    /// Of what.
    pub unit: IntervalUnit,
}

/// The units of intervals and of `EXTRACT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are MySQL's
pub enum IntervalUnit {
    Microsecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    SecondMicrosecond,
    MinuteMicrosecond,
    MinuteSecond,
    HourMicrosecond,
    HourSecond,
    HourMinute,
    DayMicrosecond,
    DaySecond,
    DayMinute,
    DayHour,
    YearMonth,
}

/// `column -> path` or `column ->> path`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JsonPath {
    /// The JSON column.
    pub column: ColumnName,
    /// The path.
    pub path: StringLiteral,
    /// `->>`: unquote the result.
    pub unquote: bool,
}

/// `@@[scope.][component.]name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SystemVariable {
    /// `GLOBAL`, `SESSION`, ..; `None` is the session value if there is one, else the global one.
    pub scope: Option<VariableScope>,
    /// The part before the dot of a structured variable (`hot_cache.key_buffer_size`).
    pub component: Option<Ident>,
    /// The variable.
    pub name: Ident,
}

/// Where a system variable lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VariableScope {
    /// `GLOBAL`.
    Global,
    /// `SESSION`, `LOCAL`.
    Session,
    /// `PERSIST`: global and kept over a restart. Only in SET.
    Persist,
    /// `PERSIST_ONLY`: from the next restart on. Only in SET.
    PersistOnly,
}
