//! NULLIF: the first operand, or NULL where both are equal.
//!
//! The value is the operand as it was compared. So a constant beside a column of another type, also one that is
//! calculated, is what the column would hold: `NULLIF(1, year_column)` is 2001, `NULLIF(20240302, date_column)` a date, and
//! a constant text is in the collation that compared it. Everything else keeps its value and type.

use rustydb_value::temporal::{datetime_from_number, parse_time, time_from_number};
use rustydb_value::{Collation, Decimal, Time, Value, ValueRef};

use super::build::{compare, finish};
use super::cast::{chosen, force};
use super::coerce::{coerce, date_mode};
use super::collations::{collations_meet, mix_collations};
use super::compare::year_constant;
use super::number::decimal_from_i256;
use super::types::{Class, Coercibility, ExprType, Kind, NOT_FIXED};
use super::{BoundExpr, Comparison, Node};
use crate::error::SqlError;
use crate::plan::estimate::constant_value;
use crate::session::SessionState;

/// `NULLIF(a, b)`
pub(super) fn bind_nullif(a: BoundExpr, b: BoundExpr, session: &SessionState) -> Result<BoundExpr, SqlError> {
    let a = finish(a, session);
    collations_meet(&[&a.ty, &b.ty], "nullif", session)?;
    let (a, value) = match as_stored(&a, &b, session) {
        Some(stored) => (stored.clone(), stored),
        None => {
            let value = as_compared(&a, &b, session);
            (a, value)
        }
    };
    let equal = compare(Comparison::Equal, a, b, session)?;
    let mut ty = value.ty.clone().with_nullable(true);
    // A NULL under a name in FROM is a string, as it is where it is kept.
    if ty.kind == Kind::Null && matches!(value.node, Node::Column(_)) {
        ty = ExprType { coercibility: Coercibility::Ignorable, ..ExprType::binary(0) };
    }
    let value = chosen(value, &ty);
    if ty.is_string() {
        ty.decimals = NOT_FIXED;
    }
    let null = BoundExpr { node: BoundExpr::null().node, ty: ty.clone() };
    let node = Node::Case { branches: vec![(equal, null)], otherwise: Some(Box::new(value)) };
    Ok(BoundExpr { node, ty })
}

/// A constant, also one that is calculated, as the column beside it would hold it.
fn as_stored(a: &BoundExpr, b: &BoundExpr, session: &SessionState) -> Option<BoundExpr> {
    let takes = b.ty.is_stored_year() || b.ty.class().is_temporal();
    if !takes || !matches!(b.node, Node::Column(_) | Node::Outer(_)) {
        return None;
    }
    let value = constant_value(a, session);
    if value.as_ref().is_some_and(|value| value.is_null(0)) {
        return None;
    }
    if a.ty.class() == Class::Time && b.ty.class() == Class::Time {
        // A time that is calculated of constants, with warnings or without, has the digits of the column.
        let calculated = !matches!(a.node, Node::Literal(_)) && a.is_constant();
        return calculated.then(|| force(a.clone(), ExprType::time(b.ty.decimals)));
    }
    let value = value?;
    let constant = BoundExpr { node: Node::Literal(value), ty: a.ty.clone() };
    stored(&constant, &b.ty, session).map(|(value, ty)| BoundExpr::literal(&value, ty))
}

/// A constant text in the collation that compares it.
fn as_compared(a: &BoundExpr, b: &BoundExpr, session: &SessionState) -> BoundExpr {
    let Node::Literal(vector) = &a.node else { return a.clone() };
    if vector.is_null(0) || !a.ty.class().is_string() || !b.ty.is_string() {
        return a.clone();
    }
    let Ok((collation, _)) = mix_collations(&[&a.ty, &b.ty], "nullif", session) else { return a.clone() };
    let mut out = a.clone();
    if collation == Collation::BINARY {
        let length = out.ty.length.saturating_mul(out.ty.collation.charset().max_bytes_per_char());
        return coerce(out, ExprType::binary(length));
    }
    if out.ty.class() == Class::Text {
        out.ty.collation = collation;
    }
    out
}

/// What a column of a year, date or time makes of a constant.
fn stored(constant: &BoundExpr, column: &ExprType, session: &SessionState) -> Option<(Value, ExprType)> {
    if column.kind == Kind::Year {
        let year = u64::try_from(year_constant(constant)?).ok()?;
        return Some((Value::UInt(year), ExprType { kind: Kind::Year, ..ExprType::uint(4) }.not_null()));
    }
    let Node::Literal(vector) = &constant.node else { return None };
    let time = |time: Time| Some((Value::Time(time), ExprType::time(column.decimals).not_null()));
    let exact = match constant.ty.class() {
        Class::Date | Class::DateTime if column.class() == Class::Time => {
            return match vector.cell(0, &constant.ty) {
                ValueRef::DateTime(moment) => time(moment.time()),
                _ => time(Time::clamped(0, column.decimals)),
            };
        }
        Class::Text if column.class() == Class::Time => {
            let parsed = parse_time(vector.bytes(0), column.decimals).filter(|parsed| !parsed.truncated)?;
            return time(parsed.value);
        }
        Class::Int => Decimal::from(vector.as_ints().at(0)),
        Class::Decimal => decimal_from_i256(vector.as_decimals().at(0), constant.ty.decimals),
        Class::Double => Decimal::from_f64(vector.as_doubles().at(0)).ok()?,
        _ => return None,
    };
    if column.class() == Class::Time && exact.scale() > 0 {
        return time(parse_time(exact.to_string().as_bytes(), column.decimals)?.value);
    }
    let number = exact.to_i64().ok()?;
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
