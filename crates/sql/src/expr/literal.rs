//! Constants as written: their value and the type that MySQL gives them.

use rustydb_sql_parser::ast::{BitString, Literal, StringLiteral};
use rustydb_value::collation::latin1_char;
use rustydb_value::temporal::{parse_datetime, parse_time};
use rustydb_value::{Charset, Collation, Date, DateTime, Decimal, Value};

use super::BoundExpr;
use super::coerce::date_mode;
use super::types::{Coercibility, ExprType, Kind, NOT_FIXED};
use crate::error::SqlError;
use crate::session::SessionState;

/// A constant.
pub fn bind_literal(literal: &Literal, session: &SessionState) -> Result<BoundExpr, SqlError> {
    Ok(match literal {
        Literal::Null => BoundExpr::null(),
        Literal::Boolean(value) => {
            BoundExpr::literal(&Value::Int(i64::from(*value)), ExprType::int(1).not_null())
        }
        Literal::Integer(value) => integer(*value),
        Literal::Decimal(text) => decimal(text, false),
        Literal::Float(text) => double(text, false)?,
        Literal::String(text) => string(text, session)?,
        Literal::Hex(bits) => binary(bits, session)?,
        Literal::Bit(bits) => binary(bits, session)?,
        Literal::Date(text) => {
            let parsed = parse_datetime(text.as_bytes(), 0, date_mode(session))
                .filter(|p| !p.truncated && !p.has_time)
                .ok_or_else(|| SqlError::wrong_value("DATE", text))?;
            BoundExpr::literal(&Value::Date(parsed.value.date()), ExprType::date().not_null())
        }
        Literal::Time(text) => {
            let fsp = written_fraction(text);
            let parsed = parse_time(text.as_bytes(), fsp)
                .filter(|p| !p.truncated)
                .ok_or_else(|| SqlError::wrong_value("TIME", text))?;
            BoundExpr::literal(&Value::Time(parsed.value), ExprType::time(fsp).not_null())
        }
        Literal::Timestamp(text) => {
            let fsp = written_fraction(text);
            let parsed = parse_datetime(text.as_bytes(), fsp, date_mode(session))
                .filter(|p| !p.truncated && p.has_time)
                .ok_or_else(|| SqlError::wrong_value("DATETIME", text))?;
            let value = match parsed.offset {
                Some(zone) => local(parsed.value, zone, session)
                    .ok_or_else(|| SqlError::wrong_value("DATETIME", text))?,
                None => parsed.value,
            };
            BoundExpr::literal(&Value::DateTime(value), ExprType::datetime(fsp).not_null())
        }
    })
}

fn local(value: DateTime, zone: rustydb_value::TimeZone, session: &SessionState) -> Option<DateTime> {
    value.to_utc(zone)?.to_local(session.settings.time_zone)
}

/// Digits after the point of a written time, at most six.
pub fn written_fraction(text: &str) -> u8 {
    text.rsplit_once('.')
        .map_or(0, |(_, fraction)| fraction.bytes().take_while(u8::is_ascii_digit).count().min(6) as u8)
}

fn digits(value: u64) -> u32 {
    value.checked_ilog10().unwrap_or(0) + 1
}

fn integer(value: u64) -> BoundExpr {
    match i64::try_from(value) {
        Ok(signed) => BoundExpr::literal(&Value::Int(signed), ExprType::int(digits(value) + 1).not_null()),
        Err(_) => BoundExpr::literal(&Value::UInt(value), ExprType::uint(digits(value)).not_null()),
    }
}

fn decimal(text: &str, negative: bool) -> BoundExpr {
    let parsed = Decimal::parse(text.as_bytes()).value;
    let value = if negative { parsed.neg() } else { parsed };
    // A leading zero counts as a digit, a missing one does not.
    let written = text.bytes().filter(u8::is_ascii_digit).count();
    let precision = u32::try_from(written).unwrap_or(65).max(u32::from(value.digits()));
    BoundExpr::literal(&Value::Decimal(value), ExprType::decimal(precision, value.scale(), false).not_null())
}

fn double(text: &str, negative: bool) -> Result<BoundExpr, SqlError> {
    let parsed: f64 = text.parse().unwrap_or(f64::INFINITY);
    if !parsed.is_finite() {
        return Err(SqlError::new(
            1367,
            b"22007",
            format!("Illegal double '{text}' value found during parsing"),
        ));
    }
    let length = u32::try_from(text.len()).unwrap_or(23) + u32::from(negative);
    let value = if negative { -parsed } else { parsed };
    Ok(BoundExpr::literal(&Value::Double(value), ExprType { length, ..ExprType::double() }.not_null()))
}

/// A number with a minus sign in front, as one constant. None for what is no number.
pub fn negative(literal: &Literal) -> Option<BoundExpr> {
    match literal {
        Literal::Integer(value) if *value <= 1 << 63 => {
            let signed = 0i64.checked_sub_unsigned(*value)?;
            Some(BoundExpr::literal(&Value::Int(signed), ExprType::int(digits(*value) + 1).not_null()))
        }
        Literal::Integer(value) => Some(decimal(&value.to_string(), true)),
        Literal::Decimal(text) => Some(decimal(text, true)),
        Literal::Float(text) => double(text, true).ok(),
        _ => None,
    }
}

fn text_literal(bytes: &[u8], collation: Collation) -> Result<BoundExpr, SqlError> {
    let Some(text) = decode(bytes, collation.charset()) else {
        let bad = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), |_| 0);
        let shown: String = bytes.iter().skip(bad).take(6).map(|b| format!("{b:02X}")).collect();
        return Err(SqlError::invalid_character_string(collation.charset().name(), shown));
    };
    let length = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    let ty = ExprType::text(length, collation, Coercibility::Coercible).not_null();
    Ok(BoundExpr::literal(&Value::Text(text.to_string()), ty))
}

/// The text of bytes in a character set; None for what is no text in it.
fn decode(bytes: &[u8], charset: Charset) -> Option<std::borrow::Cow<'_, str>> {
    Some(match charset {
        Charset::Latin1 => bytes.iter().map(|byte| latin1_char(*byte)).collect::<String>().into(),
        Charset::Ascii => {
            let shown = |byte: &u8| if byte.is_ascii() { char::from(*byte) } else { '?' };
            bytes.iter().map(shown).collect::<String>().into()
        }
        _ => std::str::from_utf8(bytes).ok()?.into(),
    })
}

fn bytes_literal(bytes: &[u8], unsigned: bool) -> BoundExpr {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let decimals = if unsigned { 0 } else { NOT_FIXED };
    let ty = ExprType { unsigned, decimals, kind: Kind::VarString, ..ExprType::binary(length) };
    BoundExpr::literal(&Value::Bytes(bytes.to_vec()), ty.not_null())
}

/// The collation that an introducer such as `_utf8mb4` names.
fn introduced(charset: &str) -> Result<Collation, SqlError> {
    Charset::from_name(charset)
        .map(Charset::default_collation)
        .ok_or_else(|| SqlError::unknown_charset(charset))
}

/// Statements are UTF-8 by the time that they are bound.
fn as_read(collation: Collation) -> Collation {
    if matches!(collation.charset(), Charset::Latin1 | Charset::Ascii) {
        return Collation::default();
    }
    collation
}

fn string(literal: &StringLiteral, session: &SessionState) -> Result<BoundExpr, SqlError> {
    let collation = match &literal.charset {
        Some(charset) => introduced(charset)?,
        None => session.settings.collation_connection,
    };
    if collation == Collation::BINARY {
        return Ok(bytes_literal(&literal.value, false));
    }
    if literal.charset.is_none() || session.settings.character_set_client == collation.charset() {
        // The statement was read in the client's character set already.
        return text_literal(&literal.value, as_read(collation)).map(|mut bound| {
            bound.ty.collation = collation;
            bound
        });
    }
    text_literal(&literal.value, collation)
}

fn binary(bits: &BitString, session: &SessionState) -> Result<BoundExpr, SqlError> {
    let _ = session;
    match &bits.charset {
        Some(charset) => {
            let collation = introduced(charset)?;
            if collation == Collation::BINARY {
                Ok(bytes_literal(&bits.value, false))
            } else {
                text_literal(&bits.value, collation)
            }
        }
        // Unsigned marks it: as a number it is its bytes, not its digits.
        None => Ok(bytes_literal(&bits.value, true)),
    }
}

/// The number that a hexadecimal or bit literal stands for; None for any other expression.
pub fn number_of_bits(expr: &BoundExpr) -> Option<BoundExpr> {
    let super::Node::Literal(vector) = &expr.node else { return None };
    if expr.ty.kind != Kind::VarString || !expr.ty.unsigned {
        return None;
    }
    let mut value = 0u64;
    for byte in vector.bytes(0) {
        value = value << 8 | u64::from(*byte);
    }
    Some(BoundExpr::literal(&Value::UInt(value), ExprType::uint(digits(value)).not_null()))
}

/// A date of a constant text, for callers that fold.
pub fn date_of(text: &str, session: &SessionState) -> Option<Date> {
    parse_datetime(text.as_bytes(), 0, date_mode(session)).map(|p| p.value.date())
}
