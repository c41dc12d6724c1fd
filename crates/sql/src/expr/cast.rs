//! CAST, CONVERT, COLLATE, and bringing a value to a merged type.

use rustydb_sql_parser::ast::{CastTarget, DataType};
use rustydb_value::{Charset, Collation, Value};

use super::average::{self, precise};
use super::bind::collation_named;
use super::branches::{elt_by_position, number_by_branch, text_by_branch};
use super::build::{bind_call, literal_int};
use super::coerce::{coerce, text_type};
use super::types::{Class, Coercibility, ExprType, Kind, MAX_PRECISION, MAX_SCALE, NOT_FIXED};
use super::whole::whole;
use super::{BoundExpr, Node};
use crate::error::SqlError;
use crate::function;
use crate::session::SessionState;

/// The expression converted even if it already is of that class, so that its type is exactly `ty`.
pub fn force(expr: BoundExpr, ty: ExprType) -> BoundExpr {
    if matches!(expr.node, Node::Parameter(_)) && expr.ty.kind == Kind::Null {
        return coerce(expr, ty);
    }
    if !ty.class().is_string()
        && let Some(number) = super::literal::number_of_bits(&expr)
    {
        return force(number, ty);
    }
    let nullable = expr.ty.nullable || ty.class().is_temporal() || ty.class().is_string();
    BoundExpr { node: Node::Coerce(Box::new(expr)), ty: ty.with_nullable(nullable) }
}

/// The expression with the representation of a merged type: same class, and the same scale for decimals.
pub fn as_type(expr: BoundExpr, ty: &ExprType) -> BoundExpr {
    let coerced = coerce(expr, ty.clone());
    // ENUM and SET are numbers inside; a merge makes them text.
    if coerced.ty.is_member() && !ty.is_member() { force(coerced, ty.clone()) } else { coerced }
}

/// The same for what IF, CASE, NULLIF or ELT chooses. What a CAST converted stays so: a second conversion tells it from what is
/// converted for the merge only, and is asked again where the whole is a number or a text (`number_by_branch`,
/// `text_by_branch`).
pub fn chosen(expr: BoundExpr, ty: &ExprType) -> BoundExpr {
    let text = |ty: &ExprType| ty.is_string() && !ty.is_member();
    let asked_again = text(ty) || matches!(ty.class(), Class::Decimal | Class::Double);
    let cast = matches!(&expr.node, Node::Coerce(inner) if asked_again && !(text(&inner.ty) && text(ty)));
    let same = expr.ty.class() == ty.class()
        && expr.ty.is_member() == ty.is_member()
        && (ty.class() != Class::Decimal || expr.ty.decimals == ty.decimals);
    let out = as_type(expr, ty);
    if cast && same { force(out, ty.clone()) } else { out }
}

fn fraction(fsp: Option<u32>, what: &str) -> Result<u8, SqlError> {
    let fsp = fsp.unwrap_or(0);
    u8::try_from(fsp).ok().filter(|f| *f <= 6).ok_or_else(|| SqlError::precision_too_big(fsp, what, 6))
}

/// `CAST(arg AS target)`.
pub fn bind_cast(arg: BoundExpr, target: &CastTarget, session: &SessionState) -> Result<BoundExpr, SqlError> {
    let data_type = match target {
        CastTarget::Signed => {
            let ty = ExprType::int(21);
            let arg = if arg.ty.class().is_string() { arg } else { whole(arg, &ty) };
            return Ok(force(arg, ty));
        }
        CastTarget::Unsigned => return Ok(force(precise(arg), ExprType::uint(21))),
        CastTarget::Type(data_type) => data_type,
    };
    match data_type {
        DataType::Decimal { precision, scale, .. } => {
            let (precision, scale) = (precision.unwrap_or(10), scale.unwrap_or(0));
            if scale > u32::from(MAX_SCALE) {
                return Err(SqlError::scale_too_big(scale, "CAST", MAX_SCALE));
            }
            if precision > MAX_PRECISION {
                return Err(SqlError::precision_too_big(precision, "CAST", MAX_PRECISION));
            }
            if scale > precision {
                return Err(SqlError::scale_above_precision(""));
            }
            let precision = if precision == 0 { 10 } else { precision };
            let ty = ExprType::decimal(precision, scale as u8, false);
            Ok(force(number_by_branch(precise(arg), &ty), ty))
        }
        DataType::Double { .. } | DataType::Real { .. } => {
            let ty = ExprType::double();
            let arg = average::double(&arg, &ty).or_else(|| elt_by_position(&arg)).unwrap_or(arg);
            Ok(force(number_by_branch(arg, &ty), ty))
        }
        DataType::Float { precision, .. } => {
            let single = precision.is_none_or(|p| p <= 24);
            let kind = if single { Kind::Float } else { Kind::Double };
            Ok(force(arg, ExprType { kind, ..ExprType::double() }))
        }
        DataType::Date => Ok(force(arg, ExprType::date())),
        DataType::Time { fsp } => Ok(force(arg, ExprType::time(fraction(*fsp, "CAST")?))),
        DataType::DateTime { fsp } => Ok(force(arg, ExprType::datetime(fraction(*fsp, "CAST")?))),
        DataType::Year { .. } => {
            let year = bind_call(entry("cast as year")?, vec![arg], session)?;
            Ok(year)
        }
        DataType::Char { length, charset, .. } => {
            let collation = character_collation(charset, session)?;
            let text = text_type(&arg.ty, session.settings.collation_connection);
            let ty = if collation == Collation::BINARY {
                ExprType::binary(text.length)
            } else {
                ExprType::text(text.length, collation, Coercibility::Implicit)
            };
            let ty = ExprType { decimals: NOT_FIXED, ..ty };
            let converted = force(text_by_branch(arg, &ty), ty);
            match length {
                Some(length) => cut("cast as char", converted, *length, session),
                None => Ok(converted),
            }
        }
        DataType::Binary { length } => {
            let text = text_type(&arg.ty, session.settings.collation_connection);
            // Characters of numbers are one byte each.
            let widest = if arg.ty.class() == Class::Text { 4 } else { 1 };
            let ty = ExprType::binary(text.length.saturating_mul(widest));
            let converted = force(text_by_branch(arg, &ty), ty);
            match length {
                Some(length) => cut("cast as binary", converted, *length, session),
                None => Ok(converted),
            }
        }
        DataType::Json => bind_call(entry("cast as json")?, vec![arg], session),
        _ => Err(SqlError::not_supported("CAST to this type")),
    }
}

fn entry(name: &'static str) -> Result<&'static function::Function, SqlError> {
    function::find(name).ok_or_else(|| SqlError::no_such_function(name))
}

fn cut(
    name: &'static str,
    arg: BoundExpr,
    length: u64,
    session: &SessionState,
) -> Result<BoundExpr, SqlError> {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    bind_call(entry(name)?, vec![arg, literal_int(length)], session)
}

fn character_collation(
    attribute: &rustydb_sql_parser::ast::CharsetAttribute,
    session: &SessionState,
) -> Result<Collation, SqlError> {
    match &attribute.charset {
        Some(name) => Charset::from_name(name.as_str())
            .map(Charset::default_collation)
            .ok_or_else(|| SqlError::unknown_charset(name.as_str())),
        None if attribute.binary => Ok(Collation::UTF8MB4_BIN),
        None => Ok(session.settings.collation_connection),
    }
}

/// `CONVERT(arg USING charset)`.
pub fn bind_convert_using(
    arg: BoundExpr,
    charset: Option<&str>,
    session: &SessionState,
) -> Result<BoundExpr, SqlError> {
    let charset = match charset {
        Some(name) => Charset::from_name(name).ok_or_else(|| SqlError::unknown_charset(name))?,
        None => session.settings.character_set_connection,
    };
    let text = text_type(&arg.ty, session.settings.collation_connection);
    let ty = match charset {
        Charset::Binary => ExprType::binary(text.length.saturating_mul(4)),
        other => ExprType::text(text.length, other.default_collation(), Coercibility::Implicit),
    };
    Ok(force(text_by_branch(arg, &ty), ty))
}

/// `arg COLLATE collation`.
pub fn bind_collate(arg: BoundExpr, name: &str, session: &SessionState) -> Result<BoundExpr, SqlError> {
    let collation = collation_named(name)?;
    let text = text_type(&arg.ty, session.settings.collation_connection);
    if text.collation.charset() != collation.charset() && arg.ty.is_string() {
        return Err(SqlError::collation_mismatch(name, text.collation.charset().name()));
    }
    if collation != Collation::BINARY && !collation.is_built() {
        return Err(SqlError::unknown_collation(name));
    }
    let ty =
        ExprType { decimals: NOT_FIXED, ..ExprType::text(text.length, collation, Coercibility::Explicit) };
    if arg.ty.class() == ty.class() {
        // Only the meaning changes: same values.
        let nullable = true;
        return Ok(match arg.node {
            Node::Literal(_) | Node::Parameter(_) => {
                BoundExpr { node: arg.node, ty: ty.with_nullable(nullable) }
            }
            _ => BoundExpr { node: Node::Coerce(Box::new(arg)), ty: ty.with_nullable(nullable) },
        });
    }
    Ok(force(arg, ty))
}

/// A constant text.
pub fn text_constant(text: &str, collation: Collation) -> BoundExpr {
    let length = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    let ty = ExprType::text(length, collation, Coercibility::System).not_null();
    BoundExpr::literal(&Value::Text(text.to_string()), ty)
}
