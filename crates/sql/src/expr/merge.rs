//! The one type of several values: what IF, CASE, COALESCE, GREATEST and UNION give.

use rustydb_value::Collation;

use super::coerce::text_type;
use super::collations::{combine_collations, mix_collations, without_numbers};
use super::types::{Class, ExprType, Kind, NOT_FIXED};
use crate::error::SqlError;
use crate::session::SessionState;

/// The narrowest type that holds values of all of these.
pub fn merge_types(
    types: &[&ExprType],
    operation: &str,
    session: &SessionState,
) -> Result<ExprType, SqlError> {
    let nullable = types.iter().any(|t| t.nullable || t.kind == Kind::Null);
    let typed: Vec<&ExprType> = types.iter().copied().filter(|t| t.kind != Kind::Null).collect();
    let Some(first) = typed.first() else { return Ok(ExprType::null()) };
    let all = |test: &dyn Fn(&ExprType) -> bool| typed.iter().all(|t| test(t));
    let merged = if all(&|t| t.is_integer()) {
        integers(&typed)
    } else if all(&|t| t.is_integer() || t.class() == Class::Decimal) {
        let (mut int, mut scale) = (0, 0);
        for ty in &typed {
            let (i, s) = ty.digits();
            int = int.max(i);
            scale = scale.max(s);
        }
        ExprType::decimal(int + u32::from(scale), scale, all(&|t| t.unsigned))
    } else if all(&|t| t.is_integer() || matches!(t.class(), Class::Decimal | Class::Double)) {
        let same = all(&|t| t.kind == Kind::Float);
        let decimals = typed.iter().map(|t| t.decimals).max().unwrap_or(NOT_FIXED);
        if same { (*first).clone() } else { ExprType { decimals, ..ExprType::double() } }
    } else if all(&|t| t.class().is_temporal()) {
        temporals(&typed)
    } else {
        match operation {
            "UNION" => strings(&typed, operation, session)?,
            // A NULL, which is binary, wins over what has no rank.
            _ => strings(types, operation, session)?,
        }
    };
    Ok(merged.with_nullable(nullable))
}

fn integers(types: &[&ExprType]) -> ExprType {
    let unsigned = types.iter().any(|t| t.unsigned);
    let signed = types.iter().any(|t| !t.unsigned);
    let digits = types.iter().map(|t| t.digits().0).max().unwrap_or(1);
    if unsigned && signed {
        // Both signs: only a DECIMAL holds the unsigned half and the negative numbers.
        let wide = types.iter().any(|t| t.unsigned && t.kind == Kind::LongLong);
        return if wide { ExprType::decimal(digits.max(20), 0, false) } else { ExprType::int(digits + 1) };
    }
    let rank = |k: &Kind| match k {
        Kind::Tiny => 0,
        Kind::Short => 1,
        Kind::Int24 => 2,
        Kind::Long => 3,
        _ => 4,
    };
    let kind = if types.iter().all(|t| t.kind == Kind::Year) {
        Kind::Year
    } else {
        types
            .iter()
            .map(|t| if matches!(t.kind, Kind::Year | Kind::Bit) { &Kind::LongLong } else { &t.kind })
            .max_by_key(|k| rank(k))
            .cloned()
            .unwrap_or(Kind::LongLong)
    };
    let length = types.iter().map(|t| t.length).max().unwrap_or(1);
    let base = if unsigned { ExprType::uint(length) } else { ExprType::int(length) };
    ExprType { kind, ..base }
}

fn temporals(types: &[&ExprType]) -> ExprType {
    let fsp = types.iter().map(|t| t.fsp()).max().unwrap_or(0);
    let all = |class: Class| types.iter().all(|t| t.class() == class);
    if all(Class::Date) {
        ExprType::date()
    } else if all(Class::Time) {
        ExprType::time(fsp)
    } else if types.iter().all(|t| t.kind == Kind::Timestamp) {
        ExprType { kind: Kind::Timestamp, ..ExprType::datetime(fsp) }
    } else {
        ExprType::datetime(fsp)
    }
}

fn strings(types: &[&ExprType], operation: &str, session: &SessionState) -> Result<ExprType, SqlError> {
    let connection = session.settings.collation_connection;
    let texts: Vec<ExprType> = types.iter().map(|t| text_type(t, connection)).collect();
    let borrowed = without_numbers(texts.iter().zip(types.iter().map(|ty| ty.coercibility)));
    let (collation, coercibility) = match (operation, borrowed.as_slice()) {
        // Rows of one result are compared with each other.
        ("UNION", [_, _, ..]) => combine_collations(&borrowed, operation, session)?,
        _ => mix_collations(&borrowed, operation, session)?,
    };
    let binary = collation == Collation::BINARY;
    let length = texts
        .iter()
        .map(|t| {
            let widest = if binary && t.collation != Collation::BINARY { 4 } else { 1 };
            t.length.saturating_mul(widest)
        })
        .max()
        .unwrap_or(0);
    let mut ty = ExprType::text(length, collation, coercibility);
    if texts.iter().any(|t| t.kind == Kind::Blob) {
        ty.kind = Kind::Blob;
    }
    ty.decimals = NOT_FIXED;
    Ok(ty)
}
