//! User variables: what becomes of a value that is kept in one, and how it is described when it is read.

use rustydb_value::{Collation, Value, ValueRef};

use crate::expr::types::{Class, Coercibility, Kind, NOT_FIXED};
use crate::expr::{BoundExpr, ExprType, eval::value_type};

/// The characters that a string in a variable may have, as MySQL tells.
const LONGEST: u32 = 16_777_215;

/// The value of `@name`.
#[derive(Debug, Clone, PartialEq)]
pub struct UserVariable {
    /// A number, a text or bytes.
    pub value: Value,
    /// As it is read.
    pub ty: ExprType,
}

impl UserVariable {
    /// What is kept of a value: moments and documents are texts, FLOAT is DOUBLE, YEAR and BIT are numbers.
    pub fn of(cell: ValueRef<'_>, ty: &ExprType) -> UserVariable {
        let value = match cell {
            ValueRef::Date(_) | ValueRef::Time(_) | ValueRef::DateTime(_) | ValueRef::Json(_) => {
                Value::Text(String::from_utf8_lossy(&cell.to_text()).into_owned())
            }
            ValueRef::Float(number) => Value::Double(f64::from(number)),
            ValueRef::Year(year) => Value::UInt(u64::from(year)),
            ValueRef::Bit(bit) => Value::UInt(bit.value),
            cell => cell.to_owned(),
        };
        let ty = match (&value, string_collation(ty)) {
            (Value::Bytes(_), _) => string(Collation::BINARY),
            (Value::Text(_), collation) => string(collation.unwrap_or_default()),
            (Value::Null, Some(collation)) => string(collation),
            (Value::Null, None) if ty.is_integer() => ExprType { unsigned: ty.unsigned, ..ExprType::int(21) },
            (Value::Null, None) if ty.kind == Kind::Decimal => ty.clone(),
            (Value::Null, None) => ExprType::double(),
            (number, _) => value_type(number),
        };
        UserVariable {
            value,
            ty: ExprType { coercibility: Coercibility::Implicit, ..ty }.with_nullable(true),
        }
    }
}

/// The collation of what is a string in a variable; None for numbers.
fn string_collation(ty: &ExprType) -> Option<Collation> {
    match ty.kind {
        // MySQL takes the letters of moments for the simplest there are.
        Kind::Date | Kind::Time | Kind::DateTime | Kind::Timestamp => Some(Collation::LATIN1_SWEDISH_CI),
        Kind::Json => Some(Collation::UTF8MB4_BIN),
        Kind::Null => Some(Collation::BINARY),
        _ => ty.is_string().then_some(ty.collation),
    }
}

/// A string in a variable, of any length.
fn string(collation: Collation) -> ExprType {
    ExprType::text(LONGEST, collation, Coercibility::Implicit)
}

/// What `@name := value` gives: the value as it is kept, but that a string has the length of this one.
pub(crate) fn assigned(value: BoundExpr) -> BoundExpr {
    let ty = &value.ty;
    let kept = match string_collation(ty) {
        Some(_) if ty.kind == Kind::Null => return value,
        Some(collation) => {
            let length = match ty.kind {
                Kind::Json => u32::MAX / 4,
                // That of a stored one counts bytes.
                Kind::Blob if ty.decimals == 0 && collation != Collation::BINARY => {
                    ty.length / collation.charset().max_bytes_per_char()
                }
                _ => ty.length,
            };
            ExprType { decimals: NOT_FIXED, ..ExprType::text(length, collation, ty.coercibility) }
        }
        None if ty.class() == Class::Double => ExprType::double(),
        None if matches!(ty.kind, Kind::Bit | Kind::Year) => ExprType::uint(ty.length),
        None => return value,
    };
    let kept = kept.with_nullable(ty.nullable);
    let given = crate::expr::coerce::coerce(value, kept.clone());
    // Of the same class, but shown otherwise.
    BoundExpr { node: given.node, ty: ExprType { nullable: given.ty.nullable, ..kept } }
}
