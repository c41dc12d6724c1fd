//! The parts of the canonical form with a syntax of their own: literals, CASE, CAST, aggregates, windows, and
//! functions whose arguments are no plain list.

use rustydb_sql_parser::ast::{
    AggregateCall, AggregateFunction, Case, Cast, CastTarget, DataType, FrameBound, FrameOffset, FrameUnit,
    JsonPath, Literal, MatchMode, OrderItem, Over, Quantified, SpecialCall, StringLiteral, SystemVariable,
    TemporalKind, TrimSide, VariableScope, WindowCall, WindowSpec,
};
use rustydb_value::temporal::{parse_datetime, parse_time};
use rustydb_value::{DateMode, ValueRef};

use super::function::unit_name;
use super::{Introducers, Printer, comparison_symbol, identifier};
use crate::error::SqlError;
use crate::expr::literal::written_fraction;
use crate::plan::window::function_name;

impl Printer<'_> {
    pub(super) fn literal(&mut self, literal: &Literal) {
        match literal {
            Literal::Null => self.push("NULL"),
            Literal::Boolean(value) => self.push(if *value { "true" } else { "false" }),
            Literal::Integer(value) => self.push(&value.to_string()),
            Literal::Decimal(text) => {
                let text = text.strip_suffix('.').unwrap_or(text);
                if text.starts_with('.') {
                    self.push("0");
                }
                self.push(text);
            }
            Literal::Float(text) => self.push(text),
            Literal::String(text) => self.string(text),
            Literal::Hex(bits) | Literal::Bit(bits) => match &bits.charset {
                Some(charset) => {
                    let text = StringLiteral { charset: Some(charset.clone()), value: bits.value.clone() };
                    self.string(&text);
                }
                None => {
                    self.push("0x");
                    for byte in &bits.value {
                        self.push(&format!("{byte:02X}"));
                    }
                }
            },
            Literal::Date(text) => self.moment("DATE", text, |text| {
                let parsed = parse_datetime(text.as_bytes(), 0, DateMode::default())?;
                Some(ValueRef::Date(parsed.value.date()))
            }),
            Literal::Time(text) => self.moment("TIME", text, |text| {
                Some(ValueRef::Time(parse_time(text.as_bytes(), written_fraction(text))?.value))
            }),
            Literal::Timestamp(text) => self.moment("TIMESTAMP", text, |text| {
                let parsed = parse_datetime(text.as_bytes(), written_fraction(text), DateMode::default())?;
                // One with an offset depends on the session's time zone: it stays as it was written.
                parsed.offset.is_none().then_some(ValueRef::DateTime(parsed.value))
            }),
        }
    }

    /// `DATE'2020-01-01'`
    fn moment(&mut self, word: &str, text: &str, parse: impl Fn(&str) -> Option<ValueRef<'_>>) {
        self.push(word);
        match parse(text) {
            Some(value) => {
                let text = value.to_text();
                self.quoted(&text);
            }
            None => self.quoted(text.as_bytes()),
        }
    }

    fn string(&mut self, text: &StringLiteral) {
        match (self.introducers, text.charset.as_deref()) {
            (Introducers::Always(default), None) => {
                self.push("_");
                self.push(default);
            }
            (Introducers::AsWritten, None | Some("utf8mb3" | "utf8")) => {}
            (_, Some(charset)) => {
                self.push("_");
                self.push(if charset == "utf8" { "utf8mb3" } else { charset });
            }
        }
        self.quoted(&text.value);
    }

    /// In single quotes; bytes that are no text one by one.
    fn quoted(&mut self, bytes: &[u8]) {
        let Ok(text) = std::str::from_utf8(bytes) else {
            self.push("x'");
            for byte in bytes {
                self.push(&format!("{byte:02X}"));
            }
            self.push("'");
            return;
        };
        self.push("'");
        for c in text.chars() {
            match c {
                '\'' => self.push("\\'"),
                '\\' => self.push("\\\\"),
                '\0' => self.push("\\0"),
                '\n' => self.push("\\n"),
                '\r' => self.push("\\r"),
                '\u{1a}' => self.push("\\Z"),
                c => self.out.push(c),
            }
        }
        self.push("'");
    }

    pub(super) fn system_variable(&mut self, variable: &SystemVariable) {
        self.push("@@");
        match variable.scope {
            Some(VariableScope::Global) => self.push("global."),
            Some(VariableScope::Session) => self.push("session."),
            Some(VariableScope::Persist) => self.push("persist."),
            Some(VariableScope::PersistOnly) => self.push("persist_only."),
            None => {}
        }
        if let Some(component) = &variable.component {
            self.push(component.as_str());
            self.push(".");
        }
        self.push(variable.name.as_str());
    }

    pub(super) fn case(&mut self, case: &Case) -> Result<(), SqlError> {
        self.push("(case");
        if let Some(operand) = &case.operand {
            self.push(" ");
            self.value(operand)?;
        }
        for branch in &case.branches {
            self.push(" when ");
            self.value(&branch.when)?;
            self.push(" then ");
            self.value(&branch.then)?;
        }
        if let Some(otherwise) = &case.otherwise {
            self.push(" else ");
            self.value(otherwise)?;
        }
        self.push(" end)");
        Ok(())
    }

    pub(super) fn cast(&mut self, cast: &Cast) -> Result<(), SqlError> {
        self.push("cast(");
        self.value(&cast.expr)?;
        if let Some(zone) = &cast.time_zone {
            self.push(" at time zone ");
            self.quoted(&zone.value);
        }
        self.push(" as ");
        self.cast_target(&cast.target);
        self.push(if cast.array { " array)" } else { ")" });
        Ok(())
    }

    fn cast_target(&mut self, target: &CastTarget) {
        let with_digits = |word: &str, fsp: &Option<u32>| match fsp {
            Some(fsp) if *fsp > 0 => format!("{word}({fsp})"),
            _ => word.to_owned(),
        };
        let text = match target {
            CastTarget::Signed => "signed".to_owned(),
            CastTarget::Unsigned => "unsigned".to_owned(),
            CastTarget::Type(ty) => match ty {
                DataType::Char { length, charset, national } => {
                    let mut text = "char".to_owned();
                    if let Some(length) = length {
                        text.push_str(&format!("({length})"));
                    }
                    let own = charset.charset.as_ref().map(|name| name.as_str().to_lowercase());
                    let set = match (own, national, self.introducers) {
                        (Some(own), ..) if own == "utf8" => "utf8mb3".to_owned(),
                        (Some(own), ..) => own,
                        (None, true, _) => "utf8mb3".to_owned(),
                        (None, false, Introducers::Always(default)) => default.to_owned(),
                        (None, false, Introducers::AsWritten) => "utf8mb4".to_owned(),
                    };
                    text.push_str(" charset ");
                    text.push_str(&set);
                    text
                }
                DataType::Binary { length: Some(length) } => format!("char({length}) charset binary"),
                DataType::Binary { length: None } => "char charset binary".to_owned(),
                DataType::Decimal { precision, scale, .. } => {
                    format!("decimal({},{})", precision.unwrap_or(10), scale.unwrap_or(0))
                }
                DataType::Float { precision: Some(p), .. } if *p > 24 => "double".to_owned(),
                DataType::Float { .. } => "float".to_owned(),
                DataType::Double { .. } | DataType::Real { .. } => "double".to_owned(),
                DataType::Date => "date".to_owned(),
                DataType::Time { fsp } => with_digits("time", fsp),
                DataType::DateTime { fsp } | DataType::Timestamp { fsp } => with_digits("datetime", fsp),
                DataType::Year { .. } => "year".to_owned(),
                DataType::Json => "json".to_owned(),
                other => other.to_string().to_lowercase(),
            },
        };
        self.push(&text);
    }

    pub(super) fn json_path(&mut self, path: &JsonPath) -> Result<(), SqlError> {
        self.push(if path.unquote { "json_unquote(json_extract(" } else { "json_extract(" });
        self.names.column(&path.column, self.out)?;
        self.push(",");
        self.string(&path.path);
        self.push(if path.unquote { "))" } else { ")" });
        Ok(())
    }

    pub(super) fn quantified(&mut self, quantified: &Quantified) -> Result<(), SqlError> {
        self.value(&quantified.left)?;
        self.push(" ");
        self.push(comparison_symbol(quantified.op));
        self.push(if quantified.all { " all (" } else { " any (" });
        self.names.query(&quantified.query, self.out)?;
        self.push(")");
        Ok(())
    }

    pub(super) fn aggregate(&mut self, call: &AggregateCall) -> Result<(), SqlError> {
        self.push(aggregate_name(call.function));
        self.push(if call.distinct { "(distinct " } else { "(" });
        if call.args.is_empty() {
            self.push("0");
        }
        self.list(&call.args, ",")?;
        if call.function == AggregateFunction::GroupConcat {
            if !call.order_by.is_empty() {
                self.push(" order by ");
                self.order(&call.order_by, " DESC", " ASC")?;
            }
            self.push(" separator ");
            match &call.separator {
                Some(separator) => self.quoted(&separator.value),
                None => self.push("','"),
            }
        }
        self.push(")");
        match &call.over {
            Some(over) => self.over(over),
            None => Ok(()),
        }
    }

    pub(super) fn window_call(&mut self, call: &WindowCall) -> Result<(), SqlError> {
        self.call(function_name(call.function), &call.args)?;
        self.over(&call.over)
    }

    fn over(&mut self, over: &Over) -> Result<(), SqlError> {
        self.push(" OVER ");
        match over {
            Over::Name(name) => {
                identifier(name.as_str(), self.out);
                Ok(())
            }
            Over::Window(spec) => {
                self.push("(");
                self.window(spec)?;
                self.push(") ");
                Ok(())
            }
        }
    }

    /// What stands between the parentheses of a window.
    fn window(&mut self, spec: &WindowSpec) -> Result<(), SqlError> {
        if let Some(base) = &spec.base {
            identifier(base.as_str(), self.out);
            self.push(" ");
        }
        if !spec.partition_by.is_empty() {
            self.push("PARTITION BY ");
            self.list(&spec.partition_by, ",")?;
            self.push(" ");
        }
        if !spec.order_by.is_empty() {
            self.push("ORDER BY ");
            self.order(&spec.order_by, " desc", "")?;
            self.push(" ");
        }
        let Some(frame) = &spec.frame else { return Ok(()) };
        self.push(match frame.unit {
            FrameUnit::Rows => "ROWS BETWEEN ",
            FrameUnit::Range => "RANGE BETWEEN ",
            FrameUnit::Groups => "GROUPS BETWEEN ",
        });
        self.bound(&frame.start)?;
        self.push(" AND ");
        self.bound(frame.end.as_ref().unwrap_or(&FrameBound::CurrentRow))
    }

    fn bound(&mut self, bound: &FrameBound) -> Result<(), SqlError> {
        match bound {
            FrameBound::UnboundedPreceding => self.push("UNBOUNDED PRECEDING"),
            FrameBound::UnboundedFollowing => self.push("UNBOUNDED FOLLOWING"),
            FrameBound::CurrentRow => self.push("CURRENT ROW"),
            FrameBound::Preceding(offset) => {
                self.offset(offset)?;
                self.push(" PRECEDING");
            }
            FrameBound::Following(offset) => {
                self.offset(offset)?;
                self.push(" FOLLOWING");
            }
        }
        Ok(())
    }

    fn offset(&mut self, offset: &FrameOffset) -> Result<(), SqlError> {
        match offset {
            FrameOffset::Value(value) => self.value(value),
            FrameOffset::Interval(interval) => {
                self.push("INTERVAL ");
                self.value(&interval.value)?;
                self.push(" ");
                self.push(unit_name(interval.unit));
                Ok(())
            }
        }
    }

    fn order(&mut self, items: &[OrderItem], descending: &str, ascending: &str) -> Result<(), SqlError> {
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.push(",");
            }
            self.value(&item.expr)?;
            self.push(if item.descending { descending } else { ascending });
        }
        Ok(())
    }

    pub(super) fn special(&mut self, call: &SpecialCall) -> Result<(), SqlError> {
        match call {
            SpecialCall::Extract { unit, expr } => {
                self.push("extract(");
                self.push(unit_name(*unit));
                self.push(" from ");
                self.value(expr)?;
            }
            SpecialCall::Trim { side, remove, expr } => {
                self.push(match side {
                    None => "trim(",
                    Some(TrimSide::Both) => "trim(both ",
                    Some(TrimSide::Leading) => "trim(leading ",
                    Some(TrimSide::Trailing) => "trim(trailing ",
                });
                if let Some(remove) = remove {
                    self.value(remove)?;
                    self.push(" from ");
                } else if side.is_some() {
                    self.push("from ");
                }
                self.value(expr)?;
            }
            SpecialCall::TimestampDiff { unit, from, to } => {
                self.push("timestampdiff(");
                self.push(&unit_name(*unit).to_uppercase());
                self.push(",");
                self.list([from, to], ",")?;
            }
            SpecialCall::GetFormat { kind, locale } => {
                self.push("get_format(");
                self.push(match kind {
                    TemporalKind::Date => "DATE",
                    TemporalKind::Time => "TIME",
                    TemporalKind::DateTime => "DATETIME",
                });
                self.push(", ");
                self.value(locale)?;
            }
            SpecialCall::Char { args, charset } => {
                self.push("char(");
                self.list(args, ",")?;
                if let Some(charset) = charset {
                    self.push(" using ");
                    self.push(&charset.as_str().to_lowercase());
                }
            }
            SpecialCall::WeightString { expr, cast } => {
                use rustydb_sql_parser::ast::WeightStringCast as W;
                self.push("weight_string(");
                self.value(expr)?;
                match cast {
                    Some(W::Char(length)) => self.push(&format!(" as char({length})")),
                    Some(W::Binary(length)) => self.push(&format!(" as binary({length})")),
                    None => {}
                }
            }
            SpecialCall::Match { columns, against, mode } => {
                self.push("(match ");
                for (at, column) in columns.iter().enumerate() {
                    if at > 0 {
                        self.push(",");
                    }
                    self.names.column(column, self.out)?;
                }
                self.push(" against (");
                self.value(against)?;
                self.push(match mode {
                    MatchMode::NaturalLanguage => ")",
                    MatchMode::QueryExpansion => " with query expansion)",
                    MatchMode::Boolean => " in boolean mode)",
                });
            }
            SpecialCall::JsonValue { document, path, returning, .. } => {
                self.push("json_value(");
                self.value(document)?;
                self.push(", ");
                self.string(path);
                self.push(" returning ");
                match returning {
                    Some(target) => self.cast_target(target),
                    None => self.push("char(512)"),
                }
            }
            SpecialCall::IntervalIndex(args) => {
                self.push("interval(");
                self.list(args, ",")?;
            }
        }
        self.push(")");
        Ok(())
    }
}

fn aggregate_name(function: AggregateFunction) -> &'static str {
    use AggregateFunction as A;
    match function {
        A::Count => "count",
        A::Sum => "sum",
        A::Avg => "avg",
        A::Min => "min",
        A::Max => "max",
        A::BitAnd => "bit_and",
        A::BitOr => "bit_or",
        A::BitXor => "bit_xor",
        A::StddevPop => "std",
        A::StddevSamp => "stddev_samp",
        A::VarPop => "variance",
        A::VarSamp => "var_samp",
        A::GroupConcat => "group_concat",
        A::JsonArrayAgg => "json_arrayagg",
        A::JsonObjectAgg => "json_objectagg",
        A::StCollect => "st_collect",
    }
}

/// For callers that print the windows of a query themselves: `` (PARTITION BY .. ) ``.
pub fn window_definition(
    spec: &WindowSpec,
    introducers: Introducers,
    names: &mut dyn super::Names,
) -> Result<String, SqlError> {
    let mut out = String::from("(");
    Printer { introducers, names, out: &mut out }.window(spec)?;
    out.push(')');
    Ok(out)
}

/// `expr` items of ORDER BY and GROUP BY as views print them.
pub fn order_items(
    items: &[OrderItem],
    introducers: Introducers,
    names: &mut dyn super::Names,
) -> Result<String, SqlError> {
    let mut out = String::new();
    Printer { introducers, names, out: &mut out }.order(items, " desc", "")?;
    Ok(out)
}
