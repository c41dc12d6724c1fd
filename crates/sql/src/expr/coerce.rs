//! Conversions between classes, as a node of the tree and as a kernel.
//!
//! The binder asks for a class with [`coerce`]; what the values already are costs nothing. At run time
//! [`convert`] does what MySQL does: it reads as much of a text as is a number and warns (1292), rounds
//! half away from zero, clips what does not fit, and gives NULL with a warning for what is no date.

use arrow_buffer::i256;
use rustydb_value::collation::{latin1_byte, latin1_char};
use rustydb_value::temporal::{datetime_from_number, parse_datetime, parse_time, time_from_number};
use rustydb_value::{Charset, Collation, Date, DateMode, DateTime, Decimal, Json, Time, ValueRef};

use super::average;
use super::branches::{elt_by_position, number_by_branch, text_by_branch};
use super::decimals::Decimals;
use super::number::{
    decimal_from_i256, double_to_i64, double_to_u64, parse_decimal, parse_double, parse_integer,
    power_of_ten, rescale,
};
use super::types::{Class, Coercibility, ExprType, Kind, MAX_SCALE, NOT_FIXED};
use super::vector::{Builder, Data, Vector, nulls_from, set_text, union_nulls};
use super::{BoundExpr, Node};
use crate::context::EvalContext;
use crate::error::SqlError;
use crate::session::SessionState;
use crate::variables::SqlMode;

/// The expression as the class of `ty` (for decimals and times also its scale).
pub fn coerce(mut expr: BoundExpr, mut ty: ExprType) -> BoundExpr {
    let same_scale = match ty.class() {
        Class::Decimal => expr.ty.decimals == ty.decimals,
        Class::Time | Class::DateTime => expr.ty.decimals <= ty.decimals,
        _ => true,
    };
    let becomes_text = expr.ty.is_member() && !ty.is_member();
    let same = expr.ty.class() == ty.class() && same_scale && !becomes_text;
    if same {
        return expr;
    }
    if let Node::Parameter(_) = expr.node
        && expr.ty.kind == Kind::Null
    {
        // A marker that nothing has given a type yet takes the one it is used as.
        expr.ty = ty.with_nullable(true);
        return expr;
    }
    // An aggregate stays, which makes the query one of groups, and so does what has effects or may fail.
    let stays = |e: &BoundExpr| {
        matches!(e.node, Node::Aggregate(_) | Node::Window(_) | Node::Assign { .. } | Node::Subquery { .. })
    };
    if expr.ty.kind == Kind::Null && !expr.any(&mut |e| stays(e)) {
        return BoundExpr { node: Node::Literal(Vector::null(1)), ty: ty.with_nullable(true) };
    }
    if !ty.class().is_string()
        && ty.class() != Class::Json
        && let Some(number) = super::literal::number_of_bits(&expr)
    {
        return coerce(number, ty);
    }
    if ty.class() == Class::Double
        && let Some(average) = average::double(&expr, &ty)
    {
        return average;
    }
    if ty.class() == Class::Decimal
        && ty.decimals > expr.ty.decimals
        && let Some(average) = average::uncovered(&expr)
    {
        return coerce(average, ty);
    }
    if ty.class() == Class::Double
        && let Some(branches) = elt_by_position(&expr)
    {
        return number_by_branch(branches, &ty);
    }
    let is_number = ty.class().is_integer() || matches!(ty.class(), Class::Double | Class::Decimal);
    if is_number && matches!(expr.node, Node::Case { .. }) && expr.ty.class().is_string() {
        return number_by_branch(expr, &ty);
    }
    if ty.class().is_string() {
        expr = text_by_branch(expr, &ty);
        if expr.ty.class() == ty.class() {
            return expr;
        }
        if shows_own_digits(&expr) {
            let own = ExprType { decimals: NOT_FIXED, ..expr.ty.clone() };
            expr = BoundExpr { node: Node::Coerce(Box::new(expr)), ty: own };
        }
    }
    // A text that is no date becomes NULL.
    let convertible = expr.ty.class().is_temporal() && !expr.ty.is_member();
    let may_fail = (ty.class().is_temporal() && !convertible)
        || (ty.class() == Class::Text && expr.ty.class() == Class::Binary);
    ty.nullable = expr.ty.nullable || may_fail;
    BoundExpr { node: Node::Coerce(Box::new(expr)), ty }
}

/// Whether it is a TIME that MySQL shows, inside an expression, with all six digits behind the point or none.
fn shows_own_digits(expr: &BoundExpr) -> bool {
    const FUNCTIONS: [&str; 7] =
        ["addtime", "subtime", "date_add", "date_sub", "adddate", "subdate", "str_to_date"];
    let Node::Call { function, .. } = &expr.node else { return false };
    expr.ty.class() == Class::Time && expr.ty.decimals > 0 && FUNCTIONS.contains(&function.name)
}

/// The expression as something that is true or not: numbers as they are, text as DOUBLE.
pub fn to_truth(expr: BoundExpr) -> BoundExpr {
    let untyped = matches!(expr.node, Node::Parameter(_)) && expr.ty.kind == Kind::Null;
    if expr.ty.class().is_string() || untyped { coerce(expr, ExprType::double()) } else { expr }
}

/// The type of a value as text in a collation.
pub fn text_type(from: &ExprType, collation: Collation) -> ExprType {
    let length = from.text_length();
    match from.kind {
        Kind::Enum(_) | Kind::Set(_) => {
            ExprType { decimals: NOT_FIXED, ..ExprType::text(length, from.collation, from.coercibility) }
        }
        Kind::Null => ExprType::text(0, collation, Coercibility::Ignorable),
        Kind::Bit => ExprType::text(length, Collation::BINARY, Coercibility::Implicit),
        _ if from.is_string() => from.clone(),
        _ => ExprType::text(length, collation, Coercibility::Coercible),
    }
    .with_nullable(from.nullable)
}

/// Which dates the session accepts.
pub fn date_mode(session: &SessionState) -> DateMode {
    let mode = session.settings.sql_mode;
    DateMode {
        no_zero_date: mode.has(SqlMode::NO_ZERO_DATE),
        no_zero_in_date: mode.has(SqlMode::NO_ZERO_IN_DATE),
        allow_invalid_dates: mode.has(SqlMode::ALLOW_INVALID_DATES),
    }
}

/// The number of a time: `hhmmss`.
fn time_number(time: Time) -> (i64, u32, bool) {
    (time.to_number(), time.micro(), time.is_negative())
}

/// A double of the digits and microseconds of a date or time.
fn temporal_double(number: i64, micros: u32, negative: bool) -> f64 {
    let fraction = f64::from(micros) / 1e6;
    number as f64 + if negative { -fraction } else { fraction }
}

/// A DECIMAL of the digits and microseconds of a date or time, scaled to six digits.
fn temporal_scaled(number: i64, micros: u32, negative: bool) -> i128 {
    let fraction = i128::from(micros);
    i128::from(number) * 1_000_000 + if negative { -fraction } else { fraction }
}

/// The number, microseconds and sign of a temporal value.
fn temporal_parts(class: Class, packed: i64) -> (i64, u32, bool) {
    match class {
        Class::Date => (Date::from_packed(packed).map_or(0, |d| d.to_number() as i64), 0, false),
        Class::Time => Time::from_micros(packed, 6).map_or((0, 0, false), time_number),
        _ => DateTime::from_packed(packed, 6)
            .map_or((0, 0, false), |d| (d.to_number() as i64, d.micro(), false)),
    }
}

/// Converts a vector of one type into the class of another.
pub fn convert(
    input: &Vector,
    from: &ExprType,
    to: &ExprType,
    rows: usize,
    context: &mut EvalContext<'_>,
) -> Result<Vector, SqlError> {
    if matches!(input.data(), Data::Null) {
        return Ok(Vector::null(rows));
    }
    if from.class() == Class::Json && !to.class().is_string() && to.class() != Class::Json {
        return from_json(input, to, rows, context);
    }
    match to.class() {
        Class::Null => Ok(Vector::null(rows)),
        Class::Json => Ok(to_json(input, from, rows)),
        Class::Int => Ok(to_int(input, from, rows, context)),
        Class::UInt => Ok(to_uint(input, from, rows, context)),
        Class::Double => Ok(to_double(input, from, to, rows, context)),
        Class::Decimal => Ok(to_decimal(input, from, to, rows, context)),
        Class::Text | Class::Binary => Ok(to_string(input, from, to, rows, context)),
        Class::Date | Class::DateTime | Class::Time => Ok(to_temporal(input, from, to, rows, context)),
    }
}

/// SQL values as JSON scalars: a text is a JSON string, and not read as a document.
fn to_json(input: &Vector, from: &ExprType, rows: usize) -> Vector {
    let mut out = Builder::new(Class::Json, 0, rows);
    let mut stored = Vec::new();
    for row in 0..rows {
        let cell = input.cell(row, from);
        if cell.is_null() {
            out.push_null();
            continue;
        }
        let scalar = match cell {
            ValueRef::UInt(set) if matches!(from.kind, Kind::Set(_)) => Json::String(member_text(from, set)),
            ValueRef::Bytes(bytes) => Json::Opaque(opaque_type(&from.kind), bytes.to_vec()),
            cell => Json::from_value(cell),
        };
        stored.clear();
        match scalar.encode(&mut stored) {
            Ok(()) => out.push_bytes(&stored),
            Err(_) => out.push_null(),
        }
    }
    out.finish()
}

/// The protocol's number of a binary string's type, which JSON keeps with its bytes.
fn opaque_type(kind: &Kind) -> u8 {
    match kind {
        Kind::String => 254,
        Kind::Blob => 252,
        _ => 15,
    }
}

/// What JSON scalars are, as values of another class.
fn from_json(
    input: &Vector,
    to: &ExprType,
    rows: usize,
    context: &mut EvalContext<'_>,
) -> Result<Vector, SqlError> {
    let mut out = Builder::of(to, rows);
    for row in 0..rows {
        if input.is_null(row) {
            out.push_null();
            continue;
        }
        let value = Json::decode(input.bytes(row)).unwrap_or(Json::Null).to_value();
        let ty = super::eval::value_type(&value);
        let one = Vector::constant(value.as_ref(), &ty, 1);
        let one = if ty.class() == to.class() && ty.decimals == to.decimals {
            one
        } else {
            convert(&one, &ty, to, 1, context)?
        };
        out.push(one.cell(0, to));
    }
    Ok(out.finish())
}

fn truncated(kind: &str, text: &[u8], context: &mut EvalContext<'_>) {
    let shown = shorten(text);
    super::eval::warn(context, &SqlError::truncated_wrong_value(kind, shown));
}

/// A text as warnings quote it.
pub fn shorten(text: &[u8]) -> String {
    let cut = text.get(..128).unwrap_or(text);
    String::from_utf8_lossy(cut).trim_end_matches('\u{fffd}').to_string()
}

/// The text of an ENUM or SET.
fn member_text(ty: &ExprType, value: u64) -> String {
    match &ty.kind {
        Kind::Set(members) => set_text(members, value),
        Kind::Enum(members) => super::vector::enum_text(members, value).to_string(),
        _ => String::new(),
    }
}

fn to_int(input: &Vector, from: &ExprType, rows: usize, context: &mut EvalContext<'_>) -> Vector {
    let nulls = union_nulls(rows, &[input]);
    let class = from.class();
    let out = (0..rows)
        .map(|row| {
            if input.is_null(row) {
                return 0;
            }
            match class {
                Class::Int => input.as_ints().at(row),
                Class::UInt => input.as_uints().at(row) as i64,
                Class::Double => {
                    let v = input.as_doubles().at(row);
                    double_to_i64(v).unwrap_or(if v < 0.0 { i64::MIN } else { i64::MAX })
                }
                Class::Decimal => {
                    let v = decimal_from_i256(input.as_decimals().at(row), from.decimals);
                    v.to_i64().unwrap_or_else(|_| {
                        truncated("DECIMAL", &ValueRef::Decimal(v).to_text(), context);
                        if v.is_negative() { i64::MIN } else { i64::MAX }
                    })
                }
                Class::Text | Class::Binary => {
                    let text = input.bytes(row);
                    let parsed = parse_integer(text);
                    let mut clipped = parsed.clipped;
                    let value = i64::try_from(parsed.value).unwrap_or_else(|_| {
                        if parsed.value < 0 {
                            clipped = true;
                            i64::MIN
                        } else {
                            parsed.value as u64 as i64
                        }
                    });
                    if !parsed.whole || clipped {
                        truncated("INTEGER", text, context);
                    }
                    value
                }
                Class::Date | Class::Time | Class::DateTime => {
                    let (number, micros, negative) = temporal_parts(class, input.as_ints().at(row));
                    let up = i64::from(micros >= 500_000);
                    number + if negative { -up } else { up }
                }
                Class::Null | Class::Json => 0,
            }
        })
        .collect();
    Vector::ints(out, nulls)
}

fn to_uint(input: &Vector, from: &ExprType, rows: usize, context: &mut EvalContext<'_>) -> Vector {
    let nulls = union_nulls(rows, &[input]);
    let class = from.class();
    let out = (0..rows)
        .map(|row| {
            if input.is_null(row) {
                return 0;
            }
            match class {
                Class::Int => input.as_ints().at(row) as u64,
                Class::UInt => input.as_uints().at(row),
                Class::Double => {
                    let v = input.as_doubles().at(row);
                    double_to_u64(v).unwrap_or_else(|| match double_to_i64(v) {
                        Some(signed) => signed as u64,
                        None => (if v < 0.0 { i64::MIN } else { i64::MAX }) as u64,
                    })
                }
                Class::Decimal => {
                    let v = decimal_from_i256(input.as_decimals().at(row), from.decimals);
                    v.to_u64().or_else(|_| v.to_i64().map(|signed| signed as u64)).unwrap_or_else(|_| {
                        truncated("DECIMAL", &ValueRef::Decimal(v).to_text(), context);
                        if v.is_negative() { i64::MIN as u64 } else { u64::MAX }
                    })
                }
                Class::Text | Class::Binary => {
                    let text = input.bytes(row);
                    let parsed = parse_integer(text);
                    if !parsed.whole || parsed.clipped {
                        truncated("INTEGER", text, context);
                    }
                    if parsed.value < 0 {
                        let text = "Cast to unsigned converted negative integer to its positive complement";
                        super::eval::warn(context, &SqlError::new(1105, b"HY000", text));
                        i64::try_from(parsed.value).unwrap_or(i64::MIN) as u64
                    } else {
                        parsed.value as u64
                    }
                }
                Class::Date | Class::Time | Class::DateTime => {
                    let (number, micros, negative) = temporal_parts(class, input.as_ints().at(row));
                    let up = i64::from(micros >= 500_000);
                    (number + if negative { -up } else { up }) as u64
                }
                Class::Null | Class::Json => 0,
            }
        })
        .collect();
    Vector::uints(out, nulls)
}

fn to_double(
    input: &Vector,
    from: &ExprType,
    to: &ExprType,
    rows: usize,
    context: &mut EvalContext<'_>,
) -> Vector {
    let nulls = union_nulls(rows, &[input]);
    let class = from.class();
    let single = to.kind == Kind::Float;
    let out = (0..rows)
        .map(|row| {
            if input.is_null(row) {
                return 0.0;
            }
            let value = match class {
                Class::Int => input.as_ints().at(row) as f64,
                Class::UInt if from.is_member() => input.as_uints().at(row) as f64,
                Class::UInt => input.as_uints().at(row) as f64,
                Class::Double => input.as_doubles().at(row),
                Class::Decimal => match (input.as_decimals(), exact_power(from.decimals)) {
                    // Both are exact, so the division rounds once.
                    (Decimals::Short(values), Some(power)) if values.at(row).unsigned_abs() <= 1 << 53 => {
                        values.at(row) as f64 / power
                    }
                    (values, _) => decimal_from_i256(values.at(row), from.decimals).to_f64(),
                },
                Class::Text | Class::Binary => {
                    let text = input.bytes(row);
                    let parsed = parse_double(text);
                    if (!parsed.whole && !text.is_empty()) || parsed.clipped {
                        truncated("DOUBLE", text, context);
                    }
                    parsed.value
                }
                Class::Date | Class::Time | Class::DateTime => {
                    let (number, micros, negative) = temporal_parts(class, input.as_ints().at(row));
                    temporal_double(number, micros, negative)
                }
                Class::Null | Class::Json => 0.0,
            };
            if single { f64::from(value as f32) } else { value }
        })
        .collect();
    Vector::doubles(out, nulls)
}

/// Ten to a power that a double holds exactly.
fn exact_power(exponent: u8) -> Option<f64> {
    10u64.checked_pow(u32::from(exponent)).filter(|_| exponent <= 15).map(|power| power as f64)
}

/// The largest scaled integer of a type's digits.
fn decimal_limit(to: &ExprType) -> i256 {
    let (int, scale) = to.digits();
    power_of_ten((int + u32::from(scale)).min(65) as u8)
}

fn to_decimal(
    input: &Vector,
    from: &ExprType,
    to: &ExprType,
    rows: usize,
    context: &mut EvalContext<'_>,
) -> Vector {
    let class = from.class();
    if let Some(done) = super::decimals::converted(input, from, to, rows, union_nulls(rows, &[input])) {
        return done;
    }
    let scale = to.decimals.min(MAX_SCALE);
    let limit = decimal_limit(to);
    let mut out = Builder::of(to, rows);
    for row in 0..rows {
        if input.is_null(row) {
            out.push_null();
            continue;
        }
        let scaled = match class {
            Class::Int => rescale(i256::from_i128(i128::from(input.as_ints().at(row))), 0, scale),
            Class::UInt => rescale(i256::from_i128(i128::from(input.as_uints().at(row))), 0, scale),
            Class::Decimal => rescale(input.as_decimals().at(row), from.decimals, scale),
            Class::Double => {
                let v = input.as_doubles().at(row);
                Decimal::from_f64(v)
                    .ok()
                    .and_then(|d| d.round(scale).ok())
                    .map(|d| i256::from_le_bytes(d.to_le_bytes()))
            }
            Class::Text | Class::Binary => {
                let text = input.bytes(row);
                let parsed = parse_decimal(text);
                if !parsed.whole || parsed.clipped {
                    truncated("DECIMAL", text, context);
                }
                parsed.value.round(scale).ok().map(|d| i256::from_le_bytes(d.to_le_bytes()))
            }
            Class::Date | Class::Time | Class::DateTime => {
                let (number, micros, negative) = temporal_parts(class, input.as_ints().at(row));
                rescale(i256::from_i128(temporal_scaled(number, micros, negative)), 6, scale)
            }
            Class::Null | Class::Json => None,
        };
        match scaled.filter(|v| v.wrapping_abs() < limit) {
            Some(v) if to.unsigned && v.is_negative() => {
                out_of_range(input, from, row, context);
                out.push_scaled(i256::ZERO);
            }
            Some(v) => out.push_scaled(v),
            None => {
                out_of_range(input, from, row, context);
                let most = limit.wrapping_sub(i256::ONE);
                let negative = match class {
                    Class::Double => input.as_doubles().at(row) < 0.0,
                    Class::Decimal => input.as_decimals().at(row).is_negative(),
                    Class::Int | Class::Time => input.as_ints().at(row) < 0,
                    Class::Text | Class::Binary => input.bytes(row).trim_ascii_start().first() == Some(&b'-'),
                    _ => false,
                };
                out.push_scaled(if negative { most.wrapping_neg() } else { most });
            }
        }
    }
    out.finish()
}

fn out_of_range(input: &Vector, from: &ExprType, row: usize, context: &mut EvalContext<'_>) {
    let text = input.cell(row, from).to_text();
    let warning =
        SqlError::new(1264, b"22003", format!("Out of range value for column '{}' at row 1", shorten(&text)));
    super::eval::warn(context, &warning);
}

fn to_string(
    input: &Vector,
    from: &ExprType,
    to: &ExprType,
    rows: usize,
    context: &mut EvalContext<'_>,
) -> Vector {
    let mut out = Builder::of(to, rows);
    let mut buffer = Vec::new();
    let text_wanted = to.class() == Class::Text;
    let wanted = to.collation.charset();
    let narrow = |charset| matches!(charset, Charset::Latin1 | Charset::Ascii);
    let encodes = from.class() == Class::Text && !text_wanted && narrow(from.collation.charset());
    let loses = from.class() == Class::Text
        && text_wanted
        && wanted != from.collation.charset()
        && wanted != Charset::Utf8mb4;
    let decodes = from.class() == Class::Binary && text_wanted && narrow(wanted);
    for row in 0..rows {
        if input.is_null(row) {
            out.push_null();
            continue;
        }
        match from.class() {
            Class::Text if encodes => {
                buffer.clear();
                buffer.extend(input.text(row).chars().map(|c| latin1_byte(c).unwrap_or(b'?')));
                out.push_bytes(&buffer);
            }
            Class::Text if loses => {
                let shown: String =
                    input.text(row).chars().map(|c| if wanted.holds(c) { c } else { '?' }).collect();
                out.push(ValueRef::Text(&shown));
            }
            Class::Binary if decodes => {
                let shown = |byte: &u8| match wanted {
                    Charset::Ascii if !byte.is_ascii() => '?',
                    _ => latin1_char(*byte),
                };
                let text: String = input.bytes(row).iter().map(shown).collect();
                out.push(ValueRef::Text(&text));
            }
            Class::Text => out.push_bytes(input.bytes(row)),
            Class::Binary if !text_wanted => out.push_bytes(input.bytes(row)),
            Class::Binary => {
                let bytes = input.bytes(row);
                match std::str::from_utf8(bytes) {
                    Ok(text) => out.push(ValueRef::Text(text)),
                    Err(error) => {
                        let bad = bytes.get(error.valid_up_to()..).unwrap_or(&[]);
                        let shown: String = bad.iter().take(6).map(|b| format!("{b:02X}")).collect();
                        super::eval::warn(context, &SqlError::invalid_character_string("utf8mb4", shown));
                        out.push_null();
                    }
                }
            }
            _ if from.is_member() => {
                out.push_bytes(member_text(from, input.as_uints().at(row)).as_bytes());
            }
            Class::Time if from.decimals == NOT_FIXED => {
                let micros = input.as_ints().at(row);
                let digits = if micros % 1_000_000 == 0 { 0 } else { 6 };
                buffer.clear();
                ValueRef::Time(Time::clamped(micros, digits)).write_text(&mut buffer);
                out.push_bytes(&buffer);
            }
            Class::Double if from.decimals < NOT_FIXED => {
                let shown = format!("{:.*}", usize::from(from.decimals), input.as_doubles().at(row));
                out.push_bytes(shown.as_bytes());
            }
            _ => {
                buffer.clear();
                input.cell(row, from).write_text(&mut buffer);
                out.push_bytes(&buffer);
            }
        }
    }
    out.finish()
}

/// A text as DATETIME in the session's zone; None with a warning if it is none.
pub fn read_datetime(text: &[u8], fsp: u8, what: &str, context: &mut EvalContext<'_>) -> Option<DateTime> {
    let mode = date_mode(context.session);
    match parse_datetime(text, fsp, mode) {
        Some(parsed) => {
            if parsed.truncated {
                truncated(if parsed.has_time { what } else { "date" }, text, context);
            }
            match parsed.offset {
                Some(zone) => parsed.value.to_utc(zone)?.to_local(context.session.settings.time_zone),
                None => Some(parsed.value),
            }
        }
        None => {
            if what == "date" {
                truncated(what, text, context);
            } else {
                incorrect(what, text, context);
            }
            None
        }
    }
}

fn incorrect(what: &str, text: &[u8], context: &mut EvalContext<'_>) {
    let warning = SqlError::new(1292, b"22007", format!("Incorrect {what} value: '{}'", shorten(text)));
    super::eval::warn(context, &warning);
}

/// Rounds a DATETIME to the digits of its type.
fn round_datetime(value: DateTime, fsp: u8) -> Option<DateTime> {
    if value.fsp() <= fsp && value.micro().is_multiple_of(10u32.pow(6 - u32::from(fsp.min(6)))) {
        return Some(value);
    }
    value.round(fsp)
}

fn to_temporal(
    input: &Vector,
    from: &ExprType,
    to: &ExprType,
    rows: usize,
    context: &mut EvalContext<'_>,
) -> Vector {
    let (class, target, fsp) = (from.class(), to.class(), to.decimals.min(6));
    let mut out = Vec::with_capacity(rows);
    let mut valid = Vec::with_capacity(rows);
    let today = context.session.now().date();
    for row in 0..rows {
        let value = if input.is_null(row) {
            None
        } else {
            match target {
                Class::Time => one_time(input, from, class, row, fsp, context)
                    .and_then(|t| t.round(fsp))
                    .map(Time::micros),
                _ => {
                    let what = if target == Class::Date { "date" } else { "datetime" };
                    let moment = match class {
                        Class::Date => Date::from_packed(input.as_ints().at(row)).map(DateTime::from_date),
                        Class::DateTime => DateTime::from_packed(input.as_ints().at(row), 6),
                        Class::Time => DateTime::from_date(today).add_micros(input.as_ints().at(row)),
                        Class::Text | Class::Binary => read_datetime(
                            input.bytes(row),
                            if target == Class::Date { 6 } else { fsp },
                            what,
                            context,
                        ),
                        _ if from.is_member() => {
                            let text = member_text(from, input.as_uints().at(row));
                            read_datetime(text.as_bytes(), fsp, what, context)
                        }
                        _ => {
                            let read = number_of(input, from, row).and_then(|(number, micros)| {
                                let read = datetime_from_number(number, date_mode(context.session))?;
                                let micros = if read.micro() == 0 { micros } else { 0 };
                                read.with_fsp(6).add_micros(if number < 0 { 0 } else { micros })
                            });
                            if read.is_none() {
                                incorrect("datetime", &input.cell(row, from).to_text(), context);
                            }
                            read
                        }
                    };
                    if target == Class::Date {
                        moment.map(|m| m.date().packed())
                    } else {
                        moment.and_then(|m| round_datetime(m, fsp)).map(DateTime::packed)
                    }
                }
            }
        };
        valid.push(value.is_some());
        out.push(value.unwrap_or(0));
    }
    Vector::ints(out, nulls_from(valid))
}

/// The whole part of a number, rounded toward zero, and its fraction in microseconds.
fn number_of(input: &Vector, from: &ExprType, row: usize) -> Option<(i64, i64)> {
    let exact = match from.class() {
        Class::Int => return Some((input.as_ints().at(row), 0)),
        Class::UInt => return i64::try_from(input.as_uints().at(row)).ok().map(|n| (n, 0)),
        Class::Double => Decimal::from_f64(input.as_doubles().at(row)).ok()?,
        Class::Decimal => decimal_from_i256(input.as_decimals().at(row), from.decimals),
        _ => return None,
    };
    let scaled = exact.round(6).ok()?;
    let scaled = rescale(i256::from_le_bytes(scaled.to_le_bytes()), scaled.scale(), 6)?.to_i128()?;
    let whole = i64::try_from(scaled / 1_000_000).ok()?;
    Some((whole, (scaled % 1_000_000) as i64))
}

fn one_time(
    input: &Vector,
    from: &ExprType,
    class: Class,
    row: usize,
    fsp: u8,
    context: &mut EvalContext<'_>,
) -> Option<Time> {
    match class {
        Class::Time => Time::from_micros(input.as_ints().at(row), 6),
        Class::DateTime => DateTime::from_packed(input.as_ints().at(row), 6).map(DateTime::time),
        Class::Date => Some(Time::ZERO),
        Class::Text | Class::Binary => {
            let text = input.bytes(row);
            match parse_time(text, fsp) {
                Some(parsed) => {
                    if parsed.truncated {
                        truncated("time", text, context);
                    }
                    Some(parsed.value)
                }
                None => {
                    truncated("time", text, context);
                    None
                }
            }
        }
        _ => {
            let read = number_of(input, from, row).and_then(|(number, micros)| {
                let (time, clamped) = time_from_number(number).filter(|(_, clamped)| !clamped)?;
                debug_assert!(!clamped);
                let micros = if number < 0 || (number == 0 && micros < 0) { -micros.abs() } else { micros };
                Some(Time::clamped(time.micros() + micros, 6))
            });
            if read.is_none() {
                truncated("time", &input.cell(row, from).to_text(), context);
            }
            read
        }
    }
}
