//! NULLIF: the first operand, or NULL where both are equal.
//!
//! The value is the operand as it was compared. So a constant beside a column of another type is what the column would
//! hold: `NULLIF(1, year_column)` is 2001, `NULLIF(20240302, date_column)` a date, and a constant text is in the collation
//! that compared it. Everything else keeps its value and type.

use rustydb_value::temporal::{datetime_from_number, parse_time, time_from_number};
use rustydb_value::{Collation, Time, Value, ValueRef};

use super::build::{compare, finish};
use super::cast::force;
use super::coerce::{coerce, date_mode};
use super::compare::{collations_meet, mix_collations, year_constant};
use super::number::decimal_from_i256;
use super::types::{Class, ExprType, Kind, NOT_FIXED};
use super::{BoundExpr, Comparison, Node};
use crate::error::SqlError;
use crate::session::SessionState;

/// `NULLIF(a, b)`
pub(super) fn bind_nullif(a: BoundExpr, b: BoundExpr, session: &SessionState) -> Result<BoundExpr, SqlError> {
    let a = finish(a, session);
    collations_meet(&[&a.ty, &b.ty], "nullif", session)?;
    let value = as_compared(&a, &b, session);
    let equal = compare(Comparison::Equal, a, b, session)?;
    let mut ty = value.ty.clone().with_nullable(true);
    if ty.is_string() {
        ty.decimals = NOT_FIXED;
    }
    let null = BoundExpr { node: BoundExpr::null().node, ty: ty.clone() };
    let node = Node::Case { branches: vec![(equal, null)], otherwise: Some(Box::new(value)) };
    Ok(BoundExpr { node, ty })
}

/// The first operand with the type that a comparison gives it if it is a constant.
fn as_compared(a: &BoundExpr, b: &BoundExpr, session: &SessionState) -> BoundExpr {
    let column = matches!(b.node, Node::Column(_) | Node::Outer(_));
    let Node::Literal(vector) = &a.node else {
        // A time that is calculated of constants has the digits of the column.
        let same = column && a.ty.class() == Class::Time && b.ty.class() == Class::Time && a.is_constant();
        return if same { force(a.clone(), ExprType::time(b.ty.decimals)) } else { a.clone() };
    };
    if vector.is_null(0) {
        return a.clone();
    }
    if a.ty.class().is_string() && b.ty.is_string() {
        let Ok((collation, _)) = mix_collations(&[&a.ty, &b.ty], "nullif", session) else { return a.clone() };
        let mut out = a.clone();
        if collation == Collation::BINARY {
            let length = out.ty.length.saturating_mul(out.ty.collation.charset().max_bytes_per_char());
            return coerce(out, ExprType::binary(length));
        }
        if out.ty.class() == Class::Text {
            out.ty.collation = collation;
        }
        return out;
    }
    if !column {
        return a.clone();
    }
    stored(a, &b.ty, session).map_or_else(|| a.clone(), |(value, ty)| BoundExpr::literal(&value, ty))
}

/// What a column of a year, date or time makes of a constant number.
fn stored(constant: &BoundExpr, column: &ExprType, session: &SessionState) -> Option<(Value, ExprType)> {
    if column.kind == Kind::Year {
        let year = u64::try_from(year_constant(constant)?).ok()?;
        return Some((Value::UInt(year), ExprType { kind: Kind::Year, ..ExprType::uint(4) }.not_null()));
    }
    let Node::Literal(vector) = &constant.node else { return None };
    let number = match constant.ty.class() {
        Class::Date | Class::DateTime if column.class() == Class::Time => {
            let time = match vector.cell(0, &constant.ty) {
                ValueRef::DateTime(moment) => moment.time(),
                _ => Time::clamped(0, column.decimals),
            };
            return Some((Value::Time(time), ExprType::time(column.decimals).not_null()));
        }
        Class::Int => vector.as_ints().at(0),
        Class::Decimal if column.class() == Class::Time => {
            let value = decimal_from_i256(vector.as_decimals().at(0), constant.ty.decimals);
            let parsed = parse_time(value.to_string().as_bytes(), column.decimals)?;
            return Some((Value::Time(parsed.value), ExprType::time(column.decimals).not_null()));
        }
        _ => return None,
    };
    match column.class() {
        Class::Time => {
            let (time, clamped) = time_from_number(number)?;
            let ty = ExprType::time(column.decimals).not_null();
            if clamped { None } else { Some((Value::Time(time), ty)) }
        }
        Class::Date => {
            let moment = datetime_from_number(number, date_mode(session))?;
            Some((Value::Date(moment.date()), ExprType::date().not_null()))
        }
        Class::DateTime => {
            let moment = datetime_from_number(number, date_mode(session))?;
            Some((Value::DateTime(moment), ExprType::datetime(column.decimals).not_null()))
        }
        _ => None,
    }
}
