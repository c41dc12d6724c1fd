//! Function calls in canonical form: the preferred name of each function, and those that are printed as an operator.

use rustydb_sql_parser::ast::{Expr, FunctionCall, IntervalUnit};

use super::{Printer, identifier};
use crate::error::SqlError;

/// Synonyms and the names that they are printed under.
const SYNONYMS: &[(&str, &str)] = &[
    ("atan2", "atan"),
    ("ceil", "ceiling"),
    ("character_length", "char_length"),
    ("current_date", "curdate"),
    ("current_time", "curtime"),
    ("current_timestamp", "now"),
    ("day", "dayofmonth"),
    ("lcase", "lower"),
    ("localtime", "now"),
    ("localtimestamp", "now"),
    ("mid", "substr"),
    ("octet_length", "length"),
    ("position", "locate"),
    ("power", "pow"),
    ("schema", "database"),
    ("session_user", "user"),
    ("sha1", "sha"),
    ("substring", "substr"),
    ("system_user", "user"),
    ("ucase", "upper"),
];

/// Functions that are true, false or unknown.
const PREDICATES: &[&str] = &[
    "is_ipv4",
    "is_ipv4_compat",
    "is_ipv4_mapped",
    "is_ipv6",
    "is_uuid",
    "isnull",
    "json_contains",
    "json_contains_path",
    "json_overlaps",
    "json_schema_valid",
    "json_valid",
    "regexp_like",
    "st_contains",
    "st_crosses",
    "st_disjoint",
    "st_equals",
    "st_intersects",
    "st_isvalid",
    "st_overlaps",
    "st_touches",
    "st_within",
];

/// Whether a function of this name can only be true, false or unknown.
pub(super) fn is_predicate(name: &str) -> bool {
    PREDICATES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// The name that a native function is printed under.
pub fn canonical_name(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    match SYNONYMS.iter().find(|(synonym, _)| *synonym == lower) {
        Some((_, preferred)) => (*preferred).to_owned(),
        None => lower,
    }
}

/// The word of an interval's unit.
pub(super) fn unit_name(unit: IntervalUnit) -> &'static str {
    use IntervalUnit as U;
    match unit {
        U::Microsecond => "microsecond",
        U::Second => "second",
        U::Minute => "minute",
        U::Hour => "hour",
        U::Day => "day",
        U::Week => "week",
        U::Month => "month",
        U::Quarter => "quarter",
        U::Year => "year",
        U::SecondMicrosecond => "second_microsecond",
        U::MinuteMicrosecond => "minute_microsecond",
        U::MinuteSecond => "minute_second",
        U::HourMicrosecond => "hour_microsecond",
        U::HourSecond => "hour_second",
        U::HourMinute => "hour_minute",
        U::DayMicrosecond => "day_microsecond",
        U::DaySecond => "day_second",
        U::DayMinute => "day_minute",
        U::DayHour => "day_hour",
        U::YearMonth => "year_month",
    }
}

impl Printer<'_> {
    pub(super) fn function(&mut self, call: &FunctionCall) -> Result<(), SqlError> {
        if let Some(database) = &call.database {
            identifier(database.as_str(), self.out);
            self.push(".");
            identifier(call.name.as_str(), self.out);
            return self.call("", &call.args);
        }
        let name = canonical_name(call.name.as_str());
        match (name.as_str(), call.args.as_slice()) {
            ("mod", [a, b]) => self.infix(a, "%", b),
            ("isnull", [a]) => {
                self.push("(");
                self.value(a)?;
                self.push(" is null)");
                Ok(())
            }
            ("date", [a]) => self.cast_to(a, "date"),
            ("time", [a]) => self.cast_to(a, "time"),
            ("timestamp", [a]) => self.cast_to(a, "datetime"),
            ("datediff", [a, b]) => {
                self.push("(");
                self.call("to_days", [a])?;
                self.push(" - ");
                self.call("to_days", [b])?;
                self.push(")");
                Ok(())
            }
            ("oct", [a]) => self.call_with("conv", a, "10,8"),
            ("bin", [a]) => self.call_with("conv", a, "10,2"),
            ("round", [a]) => self.call_with("round", a, "0"),
            ("week", [a]) => self.call_with("week", a, "0"),
            ("yearweek", [a]) => self.call_with("yearweek", a, "0"),
            ("weekofyear", [a]) => self.call_with("week", a, "3"),
            ("instr", [text, part]) => self.call("locate", [part, text]),
            ("adddate", [date, days]) => self.date_arithmetic(date, " + ", days, IntervalUnit::Day),
            ("subdate", [date, days]) => self.date_arithmetic(date, " - ", days, IntervalUnit::Day),
            _ => self.call(&name, &call.args),
        }
    }

    /// `(date + interval 1 day)`
    pub(super) fn date_arithmetic(
        &mut self,
        date: &Expr,
        sign: &str,
        value: &Expr,
        unit: IntervalUnit,
    ) -> Result<(), SqlError> {
        self.push("(");
        self.value(date)?;
        self.push(sign);
        self.push("interval ");
        self.value(value)?;
        self.push(" ");
        self.push(unit_name(unit));
        self.push(")");
        Ok(())
    }

    fn cast_to(&mut self, value: &Expr, target: &str) -> Result<(), SqlError> {
        self.push("cast(");
        self.value(value)?;
        self.push(" as ");
        self.push(target);
        self.push(")");
        Ok(())
    }

    fn call_with(&mut self, name: &str, first: &Expr, rest: &str) -> Result<(), SqlError> {
        self.push(name);
        self.push("(");
        self.value(first)?;
        self.push(",");
        self.push(rest);
        self.push(")");
        Ok(())
    }
}
