//! The one type of several values: what IF, CASE, COALESCE, GREATEST and UNION give.

use rustydb_value::Collation;

use super::coerce::text_type;
use super::collations::{combine_collations, mix_collations, without_numbers};
use super::types::{ExprType, Kind, MAX_SCALE, NOT_FIXED};
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
    let kind = typed.iter().skip(1).fold(first.kind.clone(), |kind, ty| merged_kind(&kind, &ty.kind));
    let merged = match kind {
        Kind::Tiny | Kind::Short | Kind::Int24 | Kind::Long | Kind::LongLong | Kind::Year => {
            integers(&typed, kind)
        }
        Kind::Bit if operation == "UNION" => {
            let length = typed.iter().map(|t| t.length).max().unwrap_or(1);
            ExprType { length, ..(*first).clone() }
        }
        Kind::Bit => integers(&typed, Kind::LongLong),
        Kind::Decimal => decimals(&typed, types, operation),
        Kind::Float | Kind::Double => {
            let decimals = typed.iter().map(|t| t.decimals).max().unwrap_or(NOT_FIXED);
            let longest = typed.iter().map(|t| t.length).max().filter(|_| decimals != NOT_FIXED);
            let double = ExprType { kind: kind.clone(), decimals, ..ExprType::double() };
            let length = longest.filter(|_| kind == Kind::Float).unwrap_or(double.length);
            ExprType { length, ..double }
        }
        Kind::Date | Kind::Time | Kind::DateTime | Kind::Timestamp => temporals(&typed, kind),
        Kind::Json if !matches!(operation, "greatest" | "least") => ExprType::json(),
        Kind::Enum(_) | Kind::Set(_) if operation == "UNION" => (*first).clone(),
        // A NULL, which is binary, wins over what has no rank.
        _ => match operation {
            "UNION" => strings(&typed, &kind, operation, session)?,
            _ => strings(types, &kind, operation, session)?,
        },
    };
    Ok(merged.with_nullable(nullable))
}

/// The kind that holds the values of both.
fn merged_kind(a: &Kind, b: &Kind) -> Kind {
    use Kind as K;
    let is_member = |kind: &K| matches!(kind, K::Enum(_) | K::Set(_));
    let is_text = |kind: &K| is_member(kind) || matches!(kind, K::VarString | K::String);
    let is_temporal = |kind: &K| matches!(kind, K::Date | K::Time | K::DateTime | K::Timestamp);
    let rank = |kind: &K| match kind {
        K::Tiny => Some(0),
        K::Short | K::Year => Some(1),
        K::Int24 => Some(2),
        K::Long => Some(3),
        K::LongLong | K::Bit => Some(4),
        _ => None,
    };
    match (a, b) {
        _ if a == b && !is_member(a) => a.clone(),
        (K::Json | K::Blob, _) | (_, K::Json | K::Blob) => K::Blob,
        (K::String, other) | (other, K::String) if *other != K::VarString => K::String,
        _ if is_text(a) || is_text(b) => K::VarString,
        _ if is_temporal(a) && is_temporal(b) => K::DateTime,
        _ if is_temporal(a) || is_temporal(b) => K::VarString,
        (K::Float, other) | (other, K::Float) => match other {
            // What has more digits than a FLOAT, but for BIGINT.
            K::Double | K::Decimal | K::Long | K::Bit => K::Double,
            _ => K::Float,
        },
        (K::Double, _) | (_, K::Double) => K::Double,
        (K::Decimal, _) | (_, K::Decimal) => K::Decimal,
        _ => match rank(a).max(rank(b)) {
            Some(0) => K::Tiny,
            Some(1) => K::Short,
            Some(2) => K::Int24,
            Some(3) => K::Long,
            _ => K::LongLong,
        },
    }
}

fn decimals(typed: &[&ExprType], types: &[&ExprType], operation: &str) -> ExprType {
    let (mut int, mut scale) = (0, 0);
    for ty in typed {
        let (i, s) = ty.digits();
        int = int.max(i);
        scale = scale.max(s);
    }
    // Of a NULL that a derived table keeps, a column has as many digits as it can; other expressions do not show them.
    let kept = |t: &&ExprType| t.kind == Kind::Null && t.decimals == NOT_FIXED;
    if operation == "UNION" && types.iter().any(kept) {
        scale = MAX_SCALE;
    }
    ExprType::decimal(int + u32::from(scale), scale, false)
}

/// Integers of a kind, or of the next one that holds also what is unsigned of it beside what is signed.
fn integers(types: &[&ExprType], kind: Kind) -> ExprType {
    let unsigned = types.iter().all(|t| t.unsigned);
    let digits = types.iter().map(|t| t.digits().0).max().unwrap_or(1);
    let longest = types.iter().map(|t| t.length).max().unwrap_or(1);
    let is_full = |t: &&ExprType| t.unsigned && (t.kind == kind || t.kind == Kind::Bit);
    let kind = match kind {
        _ if unsigned || !types.iter().any(is_full) => kind,
        Kind::Tiny => Kind::Short,
        Kind::Short => Kind::Int24,
        Kind::Int24 => Kind::Long,
        Kind::Long => Kind::LongLong,
        _ => return ExprType::decimal(digits, 0, false),
    };
    // With room for a sign, which MySQL forgets.
    let base = if unsigned { ExprType::uint(longest) } else { ExprType::int(longest.max(digits + 1)) };
    ExprType { kind, ..base }
}

fn temporals(types: &[&ExprType], kind: Kind) -> ExprType {
    let fsp = types.iter().map(|t| t.fsp()).max().unwrap_or(0);
    match kind {
        Kind::Date => ExprType::date(),
        Kind::Time => ExprType::time(fsp),
        kind => ExprType { kind, ..ExprType::datetime(fsp) },
    }
}

fn strings(
    types: &[&ExprType],
    kind: &Kind,
    operation: &str,
    session: &SessionState,
) -> Result<ExprType, SqlError> {
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
    if matches!(kind, Kind::Blob | Kind::String) && ty.kind != Kind::Blob {
        ty.kind = kind.clone();
    }
    ty.decimals = NOT_FIXED;
    Ok(ty)
}
