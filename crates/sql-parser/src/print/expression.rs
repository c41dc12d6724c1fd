//! Expressions, with parentheses where an operand binds looser than its place allows.
//!
//! The levels are those of the parser's ladder ([`crate::parser`]'s `expression`).

use super::Printer;
use crate::ast::*;
use crate::parser::is_keyword_call;

/// How tight an expression binds; its place in the ladder.
type Level = u8;
const ANY: Level = 0;
const OR: Level = 1;
const XOR: Level = 2;
const AND: Level = 3;
const NOT: Level = 4;
const TRUTH: Level = 5;
const COMPARISON: Level = 6;
const PREDICATE: Level = 7;
/// Of `|`; `&`, shifts, sums, products and `^` follow.
const BIT_OR: Level = 8;
const SUM: Level = 11;
/// What LIKE takes as its pattern.
const SIMPLE: Level = 14;
const UNARY: Level = 15;
const COLLATE: Level = 16;
const PRIMARY: Level = 17;

fn level(kind: &ExprKind) -> Level {
    match kind {
        ExprKind::Assign { .. } => ANY,
        ExprKind::Or(_) => OR,
        ExprKind::And(_) => AND,
        ExprKind::Unary { op: UnaryOp::Not, .. } => NOT,
        ExprKind::Unary { .. } => UNARY,
        ExprKind::IsTruth { .. } => TRUTH,
        ExprKind::IsNull { .. } | ExprKind::Quantified(_) => COMPARISON,
        ExprKind::Between(_) | ExprKind::InList { .. } | ExprKind::InSubquery { .. } => PREDICATE,
        ExprKind::Like(_) | ExprKind::Regexp { .. } | ExprKind::MemberOf { .. } => PREDICATE,
        ExprKind::Binary { op, .. } => binary(*op).1,
        ExprKind::DateArithmetic(_) => SUM,
        ExprKind::Collate { .. } => COLLATE,
        _ => PRIMARY,
    }
}

fn binary(op: BinaryOp) -> (&'static str, Level) {
    match op {
        BinaryOp::Xor => ("XOR", XOR),
        BinaryOp::Equal => ("=", COMPARISON),
        BinaryOp::NullSafeEqual => ("<=>", COMPARISON),
        BinaryOp::NotEqual => ("<>", COMPARISON),
        BinaryOp::Less => ("<", COMPARISON),
        BinaryOp::LessOrEqual => ("<=", COMPARISON),
        BinaryOp::Greater => (">", COMPARISON),
        BinaryOp::GreaterOrEqual => (">=", COMPARISON),
        BinaryOp::SoundsLike => ("SOUNDS LIKE", PREDICATE),
        BinaryOp::BitOr => ("|", BIT_OR),
        BinaryOp::BitAnd => ("&", BIT_OR + 1),
        BinaryOp::ShiftLeft => ("<<", BIT_OR + 2),
        BinaryOp::ShiftRight => (">>", BIT_OR + 2),
        BinaryOp::Add => ("+", SUM),
        BinaryOp::Subtract => ("-", SUM),
        BinaryOp::Multiply => ("*", SUM + 1),
        BinaryOp::Divide => ("/", SUM + 1),
        BinaryOp::IntegerDivide => ("DIV", SUM + 1),
        BinaryOp::Modulo => ("%", SUM + 1),
        BinaryOp::BitXor => ("^", SUM + 2),
    }
}

impl Printer {
    pub(super) fn expr(&mut self, expr: &Expr) {
        self.kind(&expr.kind);
    }

    pub(super) fn exprs(&mut self, exprs: &[Expr]) {
        self.list(exprs, Self::expr);
    }

    /// An operand that must bind at least as tight as `floor`.
    fn operand(&mut self, expr: &Expr, floor: Level) {
        match &expr.kind {
            // `!` is NOT with the level of a sign.
            ExprKind::Unary { op: UnaryOp::Not, expr } if (TRUTH..=UNARY).contains(&floor) => {
                self.word("!");
                self.operand(expr, UNARY);
            }
            kind if level(kind) < floor => self.parens(|p| p.expr(expr)),
            _ => self.expr(expr),
        }
    }

    /// An operand of the kind that partitions take: no comparison and nothing looser.
    pub(super) fn bit_operand(&mut self, expr: &Expr) {
        self.operand(expr, BIT_OR);
    }

    fn operands(&mut self, operands: &[Expr], word: &str, floor: Level) {
        for (i, operand) in operands.iter().enumerate() {
            self.word_if(i > 0, word);
            self.operand(operand, floor);
        }
    }

    fn kind(&mut self, kind: &ExprKind) {
        match kind {
            ExprKind::Literal(literal) => self.literal(literal),
            ExprKind::Parameter(number) => self.parameter(*number),
            ExprKind::Column(column) => self.column(column),
            ExprKind::UserVariable(name) => self.user_variable(name),
            ExprKind::SystemVariable(variable) => self.system_variable(variable),
            ExprKind::Assign { variable, value } => {
                self.user_variable(variable);
                self.word(":=");
                self.expr(value);
            }
            ExprKind::Unary { op, expr } => {
                self.word(match op {
                    UnaryOp::Minus => "-",
                    UnaryOp::Plus => "+",
                    UnaryOp::Not => "NOT",
                    UnaryOp::BitNot => "~",
                    UnaryOp::Binary => "BINARY",
                });
                self.operand(expr, if *op == UnaryOp::Not { NOT } else { UNARY });
            }
            ExprKind::Binary { op, left, right } => {
                let (word, level) = binary(*op);
                // All are left-associative, except that SOUNDS LIKE does not repeat.
                let left_floor = if *op == BinaryOp::SoundsLike { BIT_OR } else { level };
                self.operand(left, left_floor);
                self.word(word);
                self.operand(right, level + 1);
            }
            ExprKind::And(operands) => self.operands(operands, "AND", NOT),
            ExprKind::Or(operands) => self.operands(operands, "OR", XOR),
            ExprKind::IsNull { expr, negated } => {
                self.operand(expr, COMPARISON);
                self.word(if *negated { "IS NOT NULL" } else { "IS NULL" });
            }
            ExprKind::IsTruth { expr, truth, negated } => {
                self.operand(expr, COMPARISON);
                self.word(if *negated { "IS NOT" } else { "IS" });
                self.word(match truth {
                    Truth::True => "TRUE",
                    Truth::False => "FALSE",
                    Truth::Unknown => "UNKNOWN",
                });
            }
            ExprKind::Between(_)
            | ExprKind::InList { .. }
            | ExprKind::InSubquery { .. }
            | ExprKind::Like(_)
            | ExprKind::Regexp { .. }
            | ExprKind::MemberOf { .. } => self.predicate(kind),
            ExprKind::Row(items) if items.len() == 1 => self.call("ROW", |p| p.exprs(items)),
            ExprKind::Row(items) => self.parens(|p| p.exprs(items)),
            ExprKind::Subquery(query) => self.parens(|p| p.query(query)),
            ExprKind::Exists(query) => {
                self.word("EXISTS");
                self.parens(|p| p.query(query));
            }
            ExprKind::Quantified(quantified) => {
                self.operand(&quantified.left, COMPARISON);
                self.word(binary(quantified.op).0);
                self.word(if quantified.all { "ALL" } else { "ANY" });
                self.parens(|p| p.query(&quantified.query));
            }
            ExprKind::Case(case) => self.case(case),
            ExprKind::Cast(cast) => self.call("CAST", |p| {
                p.expr(&cast.expr);
                p.optional("AT TIME ZONE", &cast.time_zone, Self::string);
                p.word("AS");
                p.cast_target(&cast.target);
                p.word_if(cast.array, "ARRAY");
            }),
            ExprKind::ConvertUsing { expr, charset } => self.call("CONVERT", |p| {
                p.expr(expr);
                p.word("USING");
                p.ident_or_binary(charset);
            }),
            ExprKind::Collate { expr, collation } => {
                self.operand(expr, COLLATE);
                self.word("COLLATE");
                self.ident(collation);
            }
            ExprKind::DateArithmetic(sum) => self.date_arithmetic(sum),
            ExprKind::JsonPath(path) => {
                self.column(&path.column);
                self.word(if path.unquote { "->>" } else { "->" });
                self.string(&path.path);
            }
            ExprKind::Default(None) => self.word("DEFAULT"),
            ExprKind::Default(Some(column)) => self.call("DEFAULT", |p| p.column(column)),
            ExprKind::InsertValue(column) => self.call("VALUES", |p| p.column(column)),
            ExprKind::Aggregate(call) => self.aggregate(call),
            ExprKind::Window(call) => self.window_call(call),
            ExprKind::Function(call) => self.function(call),
            ExprKind::Special(call) => self.special(call),
            ExprKind::OdbcEscape { word, expr } => {
                self.word("{");
                self.ident(word);
                self.expr(expr);
                self.raw("}");
            }
        }
    }

    fn predicate(&mut self, kind: &ExprKind) {
        match kind {
            ExprKind::Between(between) => {
                self.operand(&between.expr, BIT_OR);
                self.word(if between.negated { "NOT BETWEEN" } else { "BETWEEN" });
                self.operand(&between.low, BIT_OR);
                self.word("AND");
                self.operand(&between.high, PREDICATE);
            }
            ExprKind::InList { expr, list, negated } => {
                self.operand(expr, BIT_OR);
                self.word(if *negated { "NOT IN" } else { "IN" });
                self.parens(|p| p.exprs(list));
            }
            ExprKind::InSubquery { expr, query, negated } => {
                self.operand(expr, BIT_OR);
                self.word(if *negated { "NOT IN" } else { "IN" });
                self.parens(|p| p.query(query));
            }
            ExprKind::Like(like) => {
                self.operand(&like.expr, BIT_OR);
                self.word(if like.negated { "NOT LIKE" } else { "LIKE" });
                self.operand(&like.pattern, SIMPLE);
                self.optional("ESCAPE", &like.escape, |p, escape| p.operand(escape, SIMPLE));
            }
            ExprKind::Regexp { expr, pattern, negated } => {
                self.operand(expr, BIT_OR);
                self.word(if *negated { "NOT REGEXP" } else { "REGEXP" });
                self.operand(pattern, BIT_OR);
            }
            ExprKind::MemberOf { value, array } => {
                self.operand(value, BIT_OR);
                self.word("MEMBER OF");
                self.parens(|p| p.operand(array, SIMPLE));
            }
            _ => {}
        }
    }

    /// `date + INTERVAL n unit`; the other way round if its parameters were numbered that way.
    fn date_arithmetic(&mut self, sum: &DateArithmetic) {
        let (length, printed) = (self.out.len(), self.parameters.len());
        self.operand(&sum.date, SUM);
        self.word(if sum.subtract { "-" } else { "+" });
        self.interval(&sum.interval);
        if self.parameters[printed..].is_sorted() {
            return;
        }
        self.out.truncate(length);
        self.parameters.truncate(printed);
        self.parens(|p| {
            p.interval(&sum.interval);
            p.word("+");
            p.operand(&sum.date, UNARY);
        });
    }

    pub(super) fn literal(&mut self, literal: &Literal) {
        match literal {
            Literal::Null => self.word("NULL"),
            Literal::Boolean(true) => self.word("TRUE"),
            Literal::Boolean(false) => self.word("FALSE"),
            Literal::Integer(value) => self.number(*value),
            Literal::Decimal(text) | Literal::Float(text) => self.word(text),
            Literal::String(text) => self.string(text),
            Literal::Hex(bits) => {
                self.introducer(bits);
                self.hex(&bits.value);
            }
            Literal::Bit(bits) => {
                self.introducer(bits);
                let digits: String = bits.value.iter().map(|byte| format!("{byte:08b}")).collect();
                self.raw(&format!("b'{digits}'"));
            }
            Literal::Date(text) => self.temporal("DATE", text),
            Literal::Time(text) => self.temporal("TIME", text),
            Literal::Timestamp(text) => self.temporal("TIMESTAMP", text),
        }
    }

    fn introducer(&mut self, bits: &BitString) {
        if let Some(charset) = &bits.charset {
            self.word(&format!("_{charset}"));
        }
        self.space();
    }

    fn temporal(&mut self, word: &str, text: &str) {
        self.word(word);
        self.space();
        self.quoted(text);
    }

    pub(super) fn user_variable(&mut self, name: &Ident) {
        self.word("@");
        self.raw(&format!("`{}`", name.value.replace('`', "``")));
    }

    fn system_variable(&mut self, variable: &SystemVariable) {
        self.word("@@");
        self.joined = true;
        match variable.scope {
            Some(VariableScope::Global) => self.raw("GLOBAL."),
            Some(VariableScope::Session) => self.raw("SESSION."),
            Some(VariableScope::Persist) => self.raw("PERSIST."),
            Some(VariableScope::PersistOnly) => self.raw("PERSIST_ONLY."),
            None => {}
        }
        self.optional("", &variable.component, |p, component| {
            p.ident(component);
            p.dot();
        });
        self.ident(&variable.name);
    }

    fn case(&mut self, case: &Case) {
        self.word("CASE");
        self.optional("", &case.operand, Self::expr);
        for branch in &case.branches {
            self.word("WHEN");
            self.expr(&branch.when);
            self.word("THEN");
            self.expr(&branch.then);
        }
        self.optional("ELSE", &case.otherwise, Self::expr);
        self.word("END");
    }

    pub(super) fn interval(&mut self, interval: &Interval) {
        self.word("INTERVAL");
        self.interval_value(interval);
    }

    pub(super) fn interval_value(&mut self, interval: &Interval) {
        self.expr(&interval.value);
        self.word(unit_name(interval.unit));
    }

    fn function(&mut self, call: &FunctionCall) {
        let name = &*call.name.value;
        if call.database.is_none() && is_keyword_call(name, &call.args) {
            if name.eq_ignore_ascii_case("POSITION")
                && let [needle, text] = &*call.args
            {
                return self.call(name, |p| {
                    p.operand(needle, BIT_OR);
                    p.word("IN");
                    p.expr(text);
                });
            }
            return self.call(name, |p| p.exprs(&call.args));
        }
        self.optional("", &call.database, |p, database| {
            p.ident(database);
            p.dot();
        });
        self.ident(&call.name);
        self.raw("(");
        self.exprs(&call.args);
        self.raw(")");
    }

    fn aggregate(&mut self, call: &AggregateCall) {
        use AggregateFunction::*;
        let name = match call.function {
            Count => "COUNT",
            Sum => "SUM",
            Avg => "AVG",
            Min => "MIN",
            Max => "MAX",
            BitAnd => "BIT_AND",
            BitOr => "BIT_OR",
            BitXor => "BIT_XOR",
            StddevPop => "STDDEV_POP",
            StddevSamp => "STDDEV_SAMP",
            VarPop => "VAR_POP",
            VarSamp => "VAR_SAMP",
            GroupConcat => "GROUP_CONCAT",
            JsonArrayAgg => "JSON_ARRAYAGG",
            JsonObjectAgg => "JSON_OBJECTAGG",
            StCollect => "ST_COLLECT",
        };
        self.call(name, |p| {
            p.word_if(call.distinct, "DISTINCT");
            p.word_if(call.args.is_empty(), "*");
            p.exprs(&call.args);
            p.order_by(&call.order_by);
            p.optional("SEPARATOR", &call.separator, Self::string);
        });
        self.optional("OVER", &call.over, Self::over);
    }

    fn window_call(&mut self, call: &WindowCall) {
        use WindowFunction::*;
        let name = match call.function {
            RowNumber => "ROW_NUMBER",
            Rank => "RANK",
            DenseRank => "DENSE_RANK",
            CumeDist => "CUME_DIST",
            PercentRank => "PERCENT_RANK",
            Ntile => "NTILE",
            Lead => "LEAD",
            Lag => "LAG",
            FirstValue => "FIRST_VALUE",
            LastValue => "LAST_VALUE",
            NthValue => "NTH_VALUE",
        };
        self.call(name, |p| {
            p.list(&call.args, |p, arg| {
                let floor = if call.function == NthValue { SIMPLE } else { ANY };
                p.operand(arg, floor);
            });
        });
        self.word_if(call.from_last, "FROM LAST");
        self.word_if(call.ignore_nulls, "IGNORE NULLS");
        self.word("OVER");
        self.over(&call.over);
    }

    fn special(&mut self, call: &SpecialCall) {
        match call {
            SpecialCall::Extract { unit, expr } => self.call("EXTRACT", |p| {
                p.word(unit_name(*unit));
                p.word("FROM");
                p.expr(expr);
            }),
            SpecialCall::Trim { side, remove, expr } => self.call("TRIM", |p| {
                match side {
                    Some(TrimSide::Both) => p.word("BOTH"),
                    Some(TrimSide::Leading) => p.word("LEADING"),
                    Some(TrimSide::Trailing) => p.word("TRAILING"),
                    None => {}
                }
                p.optional("", remove, Self::expr);
                p.word_if(side.is_some() || remove.is_some(), "FROM");
                p.expr(expr);
            }),
            SpecialCall::TimestampDiff { unit, from, to } => self.call("TIMESTAMPDIFF", |p| {
                p.word(unit_name(*unit));
                p.raw(",");
                p.expr(from);
                p.raw(",");
                p.expr(to);
            }),
            SpecialCall::GetFormat { kind, locale } => self.call("GET_FORMAT", |p| {
                p.word(match kind {
                    TemporalKind::Date => "DATE,",
                    TemporalKind::Time => "TIME,",
                    TemporalKind::DateTime => "DATETIME,",
                });
                p.expr(locale);
            }),
            SpecialCall::Char { args, charset } => self.call("CHAR", |p| {
                p.exprs(args);
                p.optional("USING", charset, Self::ident_or_binary);
            }),
            SpecialCall::WeightString { expr, cast } => self.call("WEIGHT_STRING", |p| {
                p.expr(expr);
                match cast {
                    Some(WeightStringCast::Char(length)) => p.word(&format!("AS CHAR({length})")),
                    Some(WeightStringCast::Binary(length)) => p.word(&format!("AS BINARY({length})")),
                    None => {}
                }
            }),
            SpecialCall::Match { columns, against, mode } => {
                self.word("MATCH");
                self.parens(|p| p.list(columns, Self::column));
                self.word("AGAINST");
                self.parens(|p| {
                    p.operand(against, BIT_OR);
                    match mode {
                        MatchMode::NaturalLanguage => {}
                        MatchMode::QueryExpansion => p.word("WITH QUERY EXPANSION"),
                        MatchMode::Boolean => p.word("IN BOOLEAN MODE"),
                    }
                });
            }
            SpecialCall::JsonValue { document, path, returning, on_empty, on_error } => {
                self.call("JSON_VALUE", |p| {
                    p.operand(document, SIMPLE);
                    p.raw(",");
                    p.string(path);
                    p.optional("RETURNING", returning, Self::cast_target);
                    p.json_fallbacks(on_empty, on_error);
                });
            }
            SpecialCall::IntervalIndex(args) => self.call("INTERVAL", |p| p.exprs(args)),
        }
    }

    pub(super) fn json_fallbacks(
        &mut self,
        on_empty: &Option<JsonFallback>,
        on_error: &Option<JsonFallback>,
    ) {
        for (fallback, word) in [(on_empty, "ON EMPTY"), (on_error, "ON ERROR")] {
            match fallback {
                Some(JsonFallback::Null) => self.word("NULL"),
                Some(JsonFallback::Error) => self.word("ERROR"),
                Some(JsonFallback::Default(literal)) => {
                    self.word("DEFAULT");
                    self.literal(literal);
                }
                None => continue,
            }
            self.word(word);
        }
    }

    /// A character set, or DEFAULT.
    pub(super) fn charset_or_default(&mut self, charset: &Option<Ident>) {
        match charset {
            Some(name) => self.ident_or_binary(name),
            None => self.word("DEFAULT"),
        }
    }
}

/// MySQL's word for a unit.
pub(super) fn unit_name(unit: IntervalUnit) -> &'static str {
    match unit {
        IntervalUnit::Microsecond => "MICROSECOND",
        IntervalUnit::Second => "SECOND",
        IntervalUnit::Minute => "MINUTE",
        IntervalUnit::Hour => "HOUR",
        IntervalUnit::Day => "DAY",
        IntervalUnit::Week => "WEEK",
        IntervalUnit::Month => "MONTH",
        IntervalUnit::Quarter => "QUARTER",
        IntervalUnit::Year => "YEAR",
        IntervalUnit::SecondMicrosecond => "SECOND_MICROSECOND",
        IntervalUnit::MinuteMicrosecond => "MINUTE_MICROSECOND",
        IntervalUnit::MinuteSecond => "MINUTE_SECOND",
        IntervalUnit::HourMicrosecond => "HOUR_MICROSECOND",
        IntervalUnit::HourSecond => "HOUR_SECOND",
        IntervalUnit::HourMinute => "HOUR_MINUTE",
        IntervalUnit::DayMicrosecond => "DAY_MICROSECOND",
        IntervalUnit::DaySecond => "DAY_SECOND",
        IntervalUnit::DayMinute => "DAY_MINUTE",
        IntervalUnit::DayHour => "DAY_HOUR",
        IntervalUnit::YearMonth => "YEAR_MONTH",
    }
}
