//! Comparison: which class two values are compared in, and the kernels that compare.
//!
//! MySQL's rules, in order: a date or time with anything is compared as a date or time (a constant text
//! beside it must be one, error 1525); two strings by their collation; integers exactly, whatever their
//! signs; decimals with integers exactly; everything else as DOUBLE. A constant text beside an integer
//! column that is exactly an integer is taken as one, so that the column's index can be used.
//!
//! Text is compared only through its collation, never byte by byte.

use std::cmp::Ordering;

use rustydb_value::{Collation, DateTime, Json, Value};

use super::average::precise;
use super::coerce::{coerce, text_type};
use super::collations::combine_sides;
use super::decimals::Decimals;
use super::number::{decimal_from_i256, parse_decimal, parse_integer};
use super::types::{Class, Coercibility, ExprType, Kind};
use super::vector::{Slots, Vector, union_nulls};
use super::{BoundExpr, Comparison, Node};
use crate::error::SqlError;
use crate::exec::spill::held_keys::HeldKeys;
use crate::plan::estimate::constant_value;
use crate::session::SessionState;

/// Cancelling is looked at once for so many values.
pub const CHECKED_ROWS: usize = 16 << 10;

/// The class in which values of two types are compared.
pub fn comparison_class(a: &ExprType, b: &ExprType) -> Class {
    let of = |t: &ExprType| if t.is_member() { Class::Text } else { t.class() };
    let (x, y) = (of(a), of(b));
    match (x, y) {
        (Class::Null, other) | (other, Class::Null) => other,
        (p, q) if p == q => p,
        (Class::Json, _) | (_, Class::Json) => Class::Json,
        (p, q) if p.is_integer() && q.is_integer() => Class::Int,
        (p, q) if p.is_temporal() && q.is_temporal() => Class::DateTime,
        // A TIME with a number is compared as the number; a date with anything as a date.
        (Class::Time, Class::Text | Class::Binary) | (Class::Text | Class::Binary, Class::Time) => {
            Class::Time
        }
        (Class::Date | Class::DateTime, _) | (_, Class::Date | Class::DateTime) => Class::DateTime,
        (Class::Time, q) | (q, Class::Time) => {
            if q == Class::Double {
                Class::Double
            } else {
                Class::Decimal
            }
        }
        (p, q) if p.is_string() && q.is_string() => Class::Binary,
        (p, q) if p.is_string() || q.is_string() => Class::Double,
        (Class::Double, _) | (_, Class::Double) => Class::Double,
        _ => Class::Decimal,
    }
}

/// A constant text that is exactly an integer (or decimal), for a column of that kind.
fn exact_literal(column: &BoundExpr, constant: &BoundExpr) -> Option<BoundExpr> {
    let (Node::Column(_) | Node::Outer(_), Node::Literal(vector)) = (&column.node, &constant.node) else {
        return None;
    };
    if column.ty.is_stored_year() {
        return year_literal(constant);
    }
    if !constant.ty.class().is_string() || vector.is_null(0) {
        return None;
    }
    let text = vector.bytes(0);
    match column.ty.class() {
        Class::Int | Class::UInt if column.ty.is_integer() => {
            let parsed = parse_integer(text);
            if !parsed.whole || parsed.clipped {
                return None;
            }
            let length = u32::try_from(text.len()).unwrap_or(20);
            if let Ok(value) = i64::try_from(parsed.value) {
                return Some(BoundExpr::literal(&Value::Int(value), ExprType::int(length).not_null()));
            }
            let value = u64::try_from(parsed.value).ok()?;
            Some(BoundExpr::literal(&Value::UInt(value), ExprType::uint(length).not_null()))
        }
        Class::Decimal => {
            let parsed = parse_decimal(text);
            if !parsed.whole || parsed.clipped {
                return None;
            }
            let ty = ExprType::decimal(u32::from(parsed.value.digits()), parsed.value.scale(), false);
            Some(BoundExpr::literal(&Value::Decimal(parsed.value), ty.not_null()))
        }
        _ => None,
    }
}

fn year_literal(constant: &BoundExpr) -> Option<BoundExpr> {
    let year = Value::Int(year_constant(constant)?);
    Some(BoundExpr::literal(&year, ExprType::int(4).not_null()))
}

/// The same of a constant that is calculated: beside years it is read as a literal is.
fn calculated_year(column: &BoundExpr, constant: &BoundExpr, session: &SessionState) -> Option<BoundExpr> {
    if !column.ty.is_stored_year() || matches!(constant.node, Node::Literal(_)) {
        return None;
    }
    let node = Node::Literal(constant_value(constant, session)?);
    year_literal(&BoundExpr { node, ty: constant.ty.clone() })
}

/// A constant as the year that a column of years makes of it.
pub(super) fn year_beside(
    column: &BoundExpr,
    constant: &BoundExpr,
    session: &SessionState,
) -> Option<BoundExpr> {
    exact_literal(column, constant)
        .filter(|_| column.ty.is_stored_year())
        .or_else(|| calculated_year(column, constant, session))
}

/// The year that a column of years would hold of a constant; two digits are one of this time. None if it holds none.
pub(super) fn year_constant(constant: &BoundExpr) -> Option<i64> {
    let Node::Literal(vector) = &constant.node else { return None };
    if vector.is_null(0) {
        return None;
    }
    let (number, written) = match constant.ty.class() {
        Class::Int => (vector.as_ints().at(0), false),
        Class::UInt => (i64::try_from(vector.as_uints().at(0)).ok()?, false),
        Class::Double => (vector.as_doubles().at(0) as i64, false),
        Class::Decimal => {
            let value = decimal_from_i256(vector.as_decimals().at(0), constant.ty.decimals);
            (value.round(0).ok()?.to_i64().ok()?, false)
        }
        Class::Text => {
            let parsed = parse_decimal(vector.bytes(0));
            if !parsed.whole {
                return None;
            }
            (parsed.value.round(0).ok()?.to_i64().ok()?, true)
        }
        _ => return None,
    };
    match number {
        0 if written => Some(2000),
        0 | 1901..=2155 => Some(number),
        1..=69 => Some(number + 2000),
        70..=99 => Some(number + 1900),
        _ => None,
    }
}

/// Brings the operands of a comparison to one class and says which collation compares them.
pub fn unify(
    operands: &mut [BoundExpr],
    operation: &str,
    session: &SessionState,
) -> Result<Collation, SqlError> {
    // Constants beside a column take its type where nothing is lost.
    let column = operands.iter().position(|o| matches!(o.node, Node::Column(_)));
    if let Some(column) = column.or_else(|| operands.iter().position(|o| matches!(o.node, Node::Outer(_)))) {
        for at in 0..operands.len() {
            let better = match (operands.get(column), operands.get(at)) {
                // In a list and in CASE, MySQL takes two digits for the year that they are.
                (Some(c), Some(_)) if c.ty.kind == Kind::Year && matches!(operation, " IN " | "case") => None,
                // Bounds that are years do not make one of the value between them.
                (Some(c), Some(_)) if c.ty.kind == Kind::Year && operation == "between" && column > 0 => None,
                (Some(c), Some(o)) if at != column => {
                    exact_literal(c, o).or_else(|| calculated_year(c, o, session))
                }
                _ => None,
            };
            if let (Some(better), Some(slot)) = (better, operands.get_mut(at)) {
                *slot = better;
            }
        }
    }
    let mut class = Class::Null;
    let mut ty = ExprType::null();
    for operand in operands.iter() {
        class = if ty.kind == Kind::Null && class == Class::Null {
            if operand.ty.is_member() { Class::Text } else { operand.ty.class() }
        } else {
            comparison_class(&with_class(&ty, class), &operand.ty)
        };
        ty = if operand.ty.kind == Kind::Null { ty } else { operand.ty.clone() };
    }
    // A number that is no constant is not taken for a date: the date is taken for a number.
    if class == Class::DateTime {
        let of = |o: &BoundExpr| if o.ty.is_member() { Class::Text } else { o.ty.class() };
        let numeric = |c: Class| c.is_integer() || matches!(c, Class::Decimal | Class::Double);
        if operands.iter().any(|o| numeric(of(o)) && (!o.is_row_free() || o.has_outer())) {
            let double =
                operands.iter().any(|o| matches!(of(o), Class::Double | Class::Text | Class::Binary));
            class = if double { Class::Double } else { Class::Decimal };
        }
    }
    if class == Class::Time && !reads_texts_as_times(operands, operation) {
        class = Class::Text;
        for operand in operands.iter_mut().filter(|o| o.ty.is_string()) {
            operand.ty.nullable = true;
        }
    }
    match class {
        Class::Null => {
            // Only NULLs and untyped markers: text.
            let collation = session.settings.collation_connection;
            for operand in operands.iter_mut() {
                take(operand, |o| coerce(o, ExprType::text(0, collation, Coercibility::Coercible)));
            }
            Ok(collation)
        }
        Class::Text | Class::Binary => {
            for operand in operands.iter_mut() {
                if !operand.ty.class().is_string() {
                    let target = if operand.ty.kind == Kind::Null {
                        ExprType::text(0, session.settings.collation_connection, Coercibility::Ignorable)
                    } else {
                        text_type(&operand.ty, session.settings.collation_connection)
                    };
                    take(operand, |o| coerce(o, target));
                }
            }
            let types: Vec<&ExprType> = operands.iter().map(|o| &o.ty).collect();
            let (collation, _) = combine_sides(&types, operation, session)?;
            for operand in operands.iter_mut() {
                take(operand, |o| in_collation(o, collation));
            }
            Ok(collation)
        }
        Class::Int | Class::UInt => {
            for operand in operands.iter_mut() {
                if !operand.ty.class().is_integer() {
                    take(operand, |o| coerce(o, ExprType::int(21)));
                }
            }
            Ok(Collation::BINARY)
        }
        Class::Decimal => {
            let (mut int, mut scale) = (1, 0);
            for operand in operands.iter_mut() {
                take(operand, precise);
            }
            for operand in operands.iter().filter(|o| o.ty.kind != Kind::Null) {
                let (i, s) = operand.ty.digits();
                int = int.max(i);
                scale = scale.max(s);
            }
            let ty = ExprType::decimal(int + u32::from(scale), scale, false);
            for operand in operands.iter_mut() {
                take(operand, |o| coerce(o, ty.clone()));
            }
            Ok(Collation::BINARY)
        }
        Class::Double => {
            for operand in operands.iter_mut() {
                take(operand, |o| coerce(o, ExprType::double()));
            }
            Ok(Collation::BINARY)
        }
        Class::Json => {
            for operand in operands.iter_mut() {
                take(operand, |o| coerce(o, ExprType::json()));
            }
            Ok(Collation::BINARY)
        }
        Class::Date | Class::Time | Class::DateTime => {
            let all_dates = operands.iter().all(|o| matches!(o.ty.class(), Class::Date | Class::Null));
            let ty = match class {
                Class::Time => ExprType::time(6),
                _ if all_dates => ExprType::date(),
                _ => ExprType::datetime(6),
            };
            let dates = operands.iter().any(|o| o.ty.class() == Class::Date)
                && operands
                    .iter()
                    .all(|o| matches!(o.ty.class(), Class::Date | Class::Null) || o.ty.is_string());
            let mut moments = Vec::with_capacity(operands.len());
            let column_fsp = operands
                .iter()
                .filter(|o| o.ty.class() == Class::Time && matches!(o.node, Node::Column(_)))
                .map(|o| o.ty.decimals)
                .max();
            for operand in operands.iter_mut() {
                if class != Class::Time {
                    moments.push(constant_moment(operand, dates, session)?);
                    continue;
                }
                moments.push(None);
                // A constant text beside a TIME column is rounded to the digits of the column.
                if operation != " IN "
                    && let Some(fsp) = column_fsp
                    && let Some(time) = constant_time(operand, fsp)
                {
                    *operand = BoundExpr::literal(&Value::Time(time), ExprType::time(fsp).not_null());
                }
            }
            // Constant texts without a time of day are dates beside dates.
            let all_dates = all_dates
                || (dates
                    && operands
                        .iter()
                        .zip(&moments)
                        .all(|(o, m)| !o.ty.is_string() || m.is_some_and(|m| m.micros_of_day() == 0)));
            let ty = if all_dates { ExprType::date() } else { ty };
            for (operand, moment) in operands.iter_mut().zip(moments) {
                match moment {
                    Some(moment) if all_dates => {
                        *operand =
                            BoundExpr::literal(&Value::Date(moment.date()), ExprType::date().not_null());
                    }
                    Some(moment) => {
                        let ty = ExprType::datetime(6).not_null();
                        *operand = BoundExpr::literal(&Value::DateTime(moment), ty);
                    }
                    None => take(operand, |o| coerce(o, ty.clone())),
                }
            }
            Ok(Collation::BINARY)
        }
    }
}

/// Whether texts beside times are read as times. A list does; an operator does where constants stand beside a column of
/// times, whose type they take, and compares texts otherwise: `TIME'10:00:00' = '10:0:0'` is false.
fn reads_texts_as_times(operands: &[BoundExpr], operation: &str) -> bool {
    let between = operation == "between";
    if !operands.iter().any(|o| o.ty.is_string() || (between && o.ty.kind == Kind::Null)) {
        return true;
    }
    let column =
        |o: &BoundExpr| matches!(o.node, Node::Column(_) | Node::Outer(_)) && o.ty.class() == Class::Time;
    let fixed = |o: &BoundExpr| o.is_row_free() && !o.has_outer() && !o.has_subquery();
    match operands {
        _ if matches!(operation, " IN " | "case") => true,
        [value, rest @ ..] if between => {
            // Beside NULL, a time that is no constant, or is written as one, is compared as its text.
            let text = |o: &BoundExpr| {
                o.ty.class() == Class::Time && (!fixed(o) || matches!(o.node, Node::Literal(_)))
            };
            let beside_null = rest.iter().any(|o| o.ty.kind == Kind::Null) && rest.iter().any(text);
            let all_times = rest.iter().all(|o| fixed(o) || o.ty.class() == Class::Time);
            column(value) && all_times && !beside_null
        }
        [a, b] => (column(a) && fixed(b)) || (column(b) && fixed(a)),
        _ => true,
    }
}

/// A type of some class, standing for the operands seen so far.
fn with_class(ty: &ExprType, class: Class) -> ExprType {
    if ty.class() == class {
        return ty.clone();
    }
    match class {
        Class::Null => ExprType::null(),
        Class::Int => ExprType::int(21),
        Class::UInt => ExprType::uint(21),
        Class::Double => ExprType::double(),
        Class::Decimal => ExprType::decimal(65, 30, false),
        Class::Text => ExprType::text(1, Collation::default(), Coercibility::Coercible),
        Class::Binary => ExprType::binary(1),
        Class::Date => ExprType::date(),
        Class::Time => ExprType::time(6),
        Class::DateTime => ExprType::datetime(6),
        Class::Json => ExprType::json(),
    }
}

/// The time that a constant text is, in all of it.
fn constant_time(operand: &BoundExpr, fsp: u8) -> Option<rustydb_value::Time> {
    let Node::Literal(vector) = &operand.node else { return None };
    if !operand.ty.class().is_string() || vector.is_null(0) {
        return None;
    }
    let parsed = rustydb_value::temporal::parse_time(vector.bytes(0), fsp)?;
    if parsed.truncated { None } else { Some(parsed.value) }
}

/// The moment that a constant text is; error 1525 if it is none but is compared with one.
fn constant_moment(
    operand: &BoundExpr,
    dates: bool,
    session: &SessionState,
) -> Result<Option<DateTime>, SqlError> {
    let Node::Literal(vector) = &operand.node else { return Ok(None) };
    if !operand.ty.class().is_string() || vector.is_null(0) {
        return Ok(None);
    }
    let text = vector.bytes(0);
    let parsed = rustydb_value::temporal::parse_datetime(text, 6, super::coerce::date_mode(session));
    let moment = parsed.and_then(|parsed| match parsed.offset {
        Some(zone) => parsed.value.to_utc(zone)?.to_local(session.settings.time_zone),
        None => Some(parsed.value),
    });
    match moment {
        Some(moment) => Ok(Some(moment)),
        None => {
            let kind = if dates { "DATE" } else { "DATETIME" };
            Err(SqlError::wrong_value(kind, super::coerce::shorten(text)))
        }
    }
}

/// A string as bytes where that is what the collation orders, and as text where a NULL was `binary`.
pub fn in_collation(expr: BoundExpr, collation: Collation) -> BoundExpr {
    let length = expr.ty.length;
    match (collation == Collation::BINARY, expr.ty.class()) {
        (true, _) => coerce(expr, ExprType::binary(length)),
        (false, Class::Binary) if expr.ty.coercibility == Coercibility::Ignorable => {
            coerce(expr, ExprType::text(length, collation, Coercibility::Ignorable))
        }
        _ => expr,
    }
}

/// A text to be compared under this collation, whatever its own.
pub fn under(expr: BoundExpr, collation: Collation) -> BoundExpr {
    let mut expr = in_collation(expr, collation);
    expr.ty.collation = collation;
    expr.ty.coercibility = Coercibility::Explicit;
    expr
}

fn take(slot: &mut BoundExpr, f: impl FnOnce(BoundExpr) -> BoundExpr) {
    let taken = std::mem::replace(slot, BoundExpr::null());
    *slot = f(taken);
}

/// How two values of one class are ordered; neither is NULL.
#[inline]
pub fn order_at(
    a: &Vector,
    ra: usize,
    b: &Vector,
    rb: usize,
    classes: (Class, Class),
    collation: Collation,
) -> Ordering {
    match classes {
        (Class::Int, Class::UInt) => i128::from(a.as_ints().at(ra)).cmp(&i128::from(b.as_uints().at(rb))),
        (Class::UInt, Class::Int) => i128::from(a.as_uints().at(ra)).cmp(&i128::from(b.as_ints().at(rb))),
        (Class::UInt, _) => a.as_uints().at(ra).cmp(&b.as_uints().at(rb)),
        (Class::Double, _) => {
            a.as_doubles().at(ra).partial_cmp(&b.as_doubles().at(rb)).unwrap_or(Ordering::Equal)
        }
        (Class::Decimal, _) => a.as_decimals().at(ra).cmp(&b.as_decimals().at(rb)),
        (Class::Text, _) => collation.compare(a.text(ra), b.text(rb)),
        (Class::Binary, _) => a.bytes(ra).cmp(b.bytes(rb)),
        (Class::Json, _) => json_order(a.bytes(ra), b.bytes(rb)),
        _ => a.as_ints().at(ra).cmp(&b.as_ints().at(rb)),
    }
}

/// The order of two stored documents.
fn json_order(a: &[u8], b: &[u8]) -> Ordering {
    let document = |bytes| Json::decode(bytes).unwrap_or(Json::Null);
    if a == b { Ordering::Equal } else { document(a).compare(&document(b)) }
}

/// A comparison of plain values as 0 and 1: one loop for each operator, so that each can be vectorised.
fn truths<T: PartialOrd + Copy + Default>(
    op: Comparison,
    a: Slots<'_, T>,
    b: Slots<'_, T>,
    rows: usize,
) -> Vec<i64> {
    match op {
        Comparison::Equal | Comparison::NullSafeEqual => Slots::zip(a, b, rows, |x, y| i64::from(x == y)),
        Comparison::NotEqual => Slots::zip(a, b, rows, |x, y| i64::from((x < y) | (x > y))),
        Comparison::Less => Slots::zip(a, b, rows, |x, y| i64::from(x < y)),
        Comparison::LessEqual => Slots::zip(a, b, rows, |x, y| i64::from(x <= y)),
        Comparison::Greater => Slots::zip(a, b, rows, |x, y| i64::from(x > y)),
        Comparison::GreaterEqual => Slots::zip(a, b, rows, |x, y| i64::from(x >= y)),
    }
}

/// Compares two vectors row by row.
pub fn compare_vectors(
    op: Comparison,
    a: &Vector,
    b: &Vector,
    types: (&ExprType, &ExprType),
    class: Class,
    collation: Collation,
    rows: usize,
) -> Vector {
    let classes = match (types.0.class(), types.1.class()) {
        (Class::Null, other) => (other, other),
        (other, Class::Null) => (other, other),
        pair => pair,
    };
    if op == Comparison::NullSafeEqual {
        return Vector::booleans(rows, None, |row| match (a.is_null(row), b.is_null(row)) {
            (true, true) => true,
            (false, false) => order_at(a, row, b, row, classes, collation).is_eq(),
            _ => false,
        });
    }
    let nulls = union_nulls(rows, &[a, b]);
    if nulls.as_ref().is_some_and(|n| n.null_count() == rows) {
        return Vector::null(rows);
    }
    match classes {
        (Class::Int, Class::Int)
        | (Class::Date, Class::Date)
        | (Class::Time, Class::Time)
        | (Class::DateTime, Class::DateTime) => {
            Vector::ints(truths(op, a.as_ints(), b.as_ints(), rows), nulls)
        }
        (Class::UInt, Class::UInt) => Vector::ints(truths(op, a.as_uints(), b.as_uints(), rows), nulls),
        (Class::Double, Class::Double) => {
            Vector::ints(truths(op, a.as_doubles(), b.as_doubles(), rows), nulls)
        }
        (Class::Decimal, Class::Decimal)
            if let (Decimals::Short(x), Decimals::Short(y)) = (a.as_decimals(), b.as_decimals()) =>
        {
            Vector::ints(truths(op, x, y, rows), nulls)
        }
        _ if class.is_string() || class == Class::Json => {
            let valid = nulls.clone();
            Vector::booleans(rows, nulls, |row| {
                valid.as_ref().is_none_or(|n| n.is_valid(row))
                    && op.accepts(order_at(a, row, b, row, classes, collation))
            })
        }
        _ => Vector::booleans(rows, nulls, |row| op.accepts(order_at(a, row, b, row, classes, collation))),
    }
}

/// Whether the value of a row is among the items of that row; and whether a NULL leaves it unknown.
pub fn contains(
    value: &Vector,
    ty: &ExprType,
    items: &[(Vector, &ExprType)],
    collation: Collation,
    row: usize,
) -> (bool, bool) {
    if value.is_null(row) {
        return (false, true);
    }
    let mut unknown = false;
    for (item, item_ty) in items {
        if item.is_null(row) {
            unknown = true;
        } else if order_at(value, row, item, row, (ty.class(), item_ty.class()), collation).is_eq() {
            return (true, false);
        }
    }
    (false, unknown)
}

/// The constant texts of IN, by their sort keys: worth making for many rows.
pub struct TextSet {
    keys: hashbrown::HashSet<Vec<u8>>,
    has_null: bool,
    collation: Collation,
}

impl TextSet {
    /// Of the items of a list; None where comparing one by one is as well.
    pub fn of(
        ty: &ExprType,
        items: &[(Vector, &ExprType)],
        collation: Collation,
        rows: usize,
    ) -> Option<TextSet> {
        let are_texts = ty.class() == Class::Text
            && items.iter().all(|(item, ty)| ty.class() == Class::Text && item.is_constant());
        if rows < 4 * items.len() || items.len() < 3 || !are_texts {
            return None;
        }
        let mut set = TextSet { keys: hashbrown::HashSet::new(), has_null: false, collation };
        for (item, _) in items {
            if item.is_null(0) {
                set.has_null = true;
                continue;
            }
            let mut key = Vec::new();
            collation.sort_key(item.text(0), &mut key);
            set.keys.insert(key);
        }
        Some(set)
    }

    /// Whether a value is in it; and whether a NULL leaves it unknown. `key` is memory to be used again.
    pub fn contains(&self, value: &Vector, row: usize, key: &mut Vec<u8>) -> (bool, bool) {
        if value.is_null(row) {
            return (false, true);
        }
        key.clear();
        self.collation.sort_key(value.text(row), key);
        match self.keys.contains(key.as_slice()) {
            true => (true, false),
            false => (false, self.has_null),
        }
    }
}

/// The rows of a subquery, for IN.
pub struct ValueSet {
    keys: HeldKeys,
    has_null: bool,
    empty: bool,
}

impl ValueSet {
    /// Collects a vector's values; `ty` is the class of both sides. `check` is asked now and then whether to go on.
    pub fn build(
        values: &Vector,
        rows: usize,
        ty: &ExprType,
        collation: Collation,
        check: &dyn Fn() -> Result<(), SqlError>,
    ) -> Result<ValueSet, SqlError> {
        let mut set = ValueSet { keys: HeldKeys::default(), has_null: false, empty: rows == 0 };
        let mut key = Vec::new();
        for row in 0..rows {
            if row.is_multiple_of(CHECKED_ROWS) {
                check()?;
            }
            if values.is_null(row) {
                set.has_null = true;
            } else {
                key.clear();
                crate::exec::sort_key::append_value(&mut key, values, row, ty.class(), collation);
                set.keys.insert(set.keys.hash(&key), &key);
            }
        }
        Ok(set)
    }

    /// Bytes of memory that the set of such values takes at most.
    pub fn memory_for(values: &Vector, rows: usize) -> usize {
        // Texts may have sort keys that are longer than they are.
        2 * values.memory() + rows * (HeldKeys::OVERHEAD + 8)
    }

    /// Whether a value is in it; and whether a NULL leaves it unknown.
    pub fn contains(&self, value: &Vector, ty: &ExprType, collation: Collation, row: usize) -> (bool, bool) {
        if self.empty {
            return (false, false);
        }
        if value.is_null(row) {
            return (false, true);
        }
        let mut key = Vec::new();
        crate::exec::sort_key::append_value(&mut key, value, row, ty.class(), collation);
        (self.keys.contains(self.keys.hash(&key), &key), self.has_null)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::types::Coercibility;
    use rustydb_value::ValueRef;

    #[test]
    fn a_set_of_texts_says_what_comparing_one_by_one_says() {
        let texts =
            [Some("ab"), Some("AB "), Some("äb"), None, Some(""), Some("straße"), Some("STRASSE"), Some("x")];
        for collation in [
            Collation::UTF8MB4_GENERAL_CI,
            Collation::UTF8MB4_BIN,
            Collation::UTF8MB4_0900_AI_CI,
            Collation::UTF8MB4_0900_BIN,
        ] {
            let ty = ExprType::text(20, collation, Coercibility::Implicit);
            let vector = |text: &Option<&str>| {
                Vector::constant(text.map_or(ValueRef::Null, ValueRef::Text), &ty, 1000)
            };
            for skipped in 0..texts.len() {
                let list: Vec<(Vector, &ExprType)> = texts
                    .iter()
                    .enumerate()
                    .filter(|(at, _)| at % 2 != skipped % 2 && *at != skipped)
                    .map(|(_, text)| (vector(text), &ty))
                    .collect();
                let set = TextSet::of(&ty, &list, collation, 1000).unwrap();
                for text in &texts {
                    let value = vector(text);
                    let wanted = contains(&value, &ty, &list, collation, 0);
                    let given = set.contains(&value, 0, &mut Vec::new());
                    assert_eq!(given, wanted, "{text:?} under {collation:?} without {skipped}");
                }
            }
            assert!(TextSet::of(&ty, &[], collation, 1000).is_none());
        }
    }
}
