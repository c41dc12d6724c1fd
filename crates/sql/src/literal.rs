//! Constants straight from the syntax tree, without binding: what most INSERTs consist of.
//!
//! The evaluator gives the same values; it takes over whenever a literal is more than its text (dates
//! with a keyword, other character sets) or the expression more than a literal.

use rustydb_sql_parser::ast::{BitString, Expr, ExprKind, Literal, UnaryOp};
use rustydb_value::{ColumnType, Decimal, Value};

use crate::error::SqlError;

/// The value of a literal, of a sign before one, or of a parameter; None for anything else.
pub(crate) fn constant(expr: &Expr, params: &[Value]) -> Result<Option<Value>, SqlError> {
    Ok(match &expr.kind {
        ExprKind::Literal(literal) => value(literal),
        ExprKind::Parameter(n) => params.get(*n as usize).cloned(),
        ExprKind::Unary { op: UnaryOp::Minus, expr } => match &expr.kind {
            ExprKind::Literal(literal) => value(literal).and_then(negated),
            _ => None,
        },
        ExprKind::Unary { op: UnaryOp::Plus, expr } => match &expr.kind {
            ExprKind::Literal(literal) => value(literal),
            _ => None,
        },
        _ => None,
    })
}

/// The same for a value that goes into a column of this type: a hexadecimal or bit literal is a number where
/// a number is stored, and a string where a string is.
pub(crate) fn for_column(expr: &Expr, params: &[Value], ty: &ColumnType) -> Result<Option<Value>, SqlError> {
    if let ExprKind::Literal(Literal::Hex(bits) | Literal::Bit(bits)) = &expr.kind
        && bits.charset.is_none()
        && takes_number(ty)
    {
        return Ok(number(bits).map(Value::UInt));
    }
    constant(expr, params)
}

/// The text of a string literal whose value it is, where it lies.
pub(crate) fn plain_text(expr: &Expr) -> Option<&str> {
    match &expr.kind {
        ExprKind::Literal(Literal::String(text)) => match text.charset.as_deref() {
            None | Some("utf8mb4" | "utf8mb3" | "utf8") => text.as_str(),
            Some(_) => None,
        },
        _ => None,
    }
}

fn takes_number(ty: &ColumnType) -> bool {
    use rustydb_value::TypeKind as K;
    ty.is_numeric() || matches!(ty.kind, K::Bit { .. } | K::Year | K::Enum { .. } | K::Set { .. })
}

/// The number of a bit string of at most 64 bits.
fn number(bits: &BitString) -> Option<u64> {
    let zeros = bits.value.iter().take_while(|b| **b == 0).count();
    let significant = bits.value.get(zeros..)?;
    if significant.len() > 8 {
        return None;
    }
    Some(significant.iter().fold(0, |n, byte| n << 8 | u64::from(*byte)))
}

fn value(literal: &Literal) -> Option<Value> {
    Some(match literal {
        Literal::Null => Value::Null,
        Literal::Boolean(on) => Value::Int(i64::from(*on)),
        Literal::Integer(n) => match i64::try_from(*n) {
            Ok(n) => Value::Int(n),
            Err(_) => Value::UInt(*n),
        },
        Literal::Decimal(text) => {
            let number = rustydb_value::convert::number::parse_decimal(text.as_bytes());
            Value::Decimal(number.value)
        }
        Literal::Float(text) => Value::Double(text.parse().ok().filter(|x: &f64| x.is_finite())?),
        Literal::String(text) => match text.charset.as_deref() {
            None | Some("utf8mb4" | "utf8mb3" | "utf8") => Value::Text(text.as_str()?.to_owned()),
            Some("binary") => Value::Bytes(text.value.to_vec()),
            Some(_) => return None,
        },
        Literal::Hex(bits) | Literal::Bit(bits) if bits.charset.is_none() => {
            Value::Bytes(bits.value.to_vec())
        }
        Literal::Hex(_) | Literal::Bit(_) | Literal::Date(_) | Literal::Time(_) | Literal::Timestamp(_) => {
            return None;
        }
    })
}

fn negated(value: Value) -> Option<Value> {
    Some(match value {
        Value::Int(n) => Value::Int(n.checked_neg()?),
        Value::UInt(n) if n == 1 << 63 => Value::Int(i64::MIN),
        Value::UInt(n) => Value::Decimal(Decimal::from(n).neg()),
        Value::Decimal(d) => Value::Decimal(d.neg()),
        Value::Double(x) => Value::Double(-x),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(literal: Literal) -> Expr {
        Expr::new(ExprKind::Literal(literal))
    }

    #[test]
    fn signs_and_sizes() {
        let minus = |n| {
            Expr::new(ExprKind::Unary { op: UnaryOp::Minus, expr: Box::new(literal(Literal::Integer(n))) })
        };
        assert_eq!(constant(&minus(5), &[]), Ok(Some(Value::Int(-5))));
        assert_eq!(constant(&minus(1 << 63), &[]), Ok(Some(Value::Int(i64::MIN))));
        assert_eq!(constant(&literal(Literal::Integer(u64::MAX)), &[]), Ok(Some(Value::UInt(u64::MAX))));
        assert_eq!(constant(&Expr::new(ExprKind::Parameter(1)), &[]), Ok(None));
        let params = [Value::Int(1), Value::Text("x".into())];
        assert_eq!(constant(&Expr::new(ExprKind::Parameter(1)), &params), Ok(Some(Value::Text("x".into()))));
    }

    #[test]
    fn hexadecimal_is_a_number_where_numbers_are_stored() {
        use rustydb_value::TypeKind;
        let hex = literal(Literal::Hex(BitString { charset: None, value: Box::new([0, 0x41]) }));
        let int = ColumnType::new(TypeKind::Int { unsigned: false });
        let text = ColumnType::new(TypeKind::VarBinary { len: 10 });
        assert_eq!(for_column(&hex, &[], &int), Ok(Some(Value::UInt(0x41))));
        assert_eq!(for_column(&hex, &[], &text), Ok(Some(Value::Bytes(vec![0, 0x41]))));
    }
}
