//! Keys from constants: encoded straight from parameters, where comparing as stored is what SQL means.
//!
//! A parameter is *suited* when `column = parameter` holds exactly for the rows under the encoded key: a
//! number for an integer column, text for a text column. Everything else is for the general evaluator.

use rustydb_catalog::{IndexColumn, TableDef};
use rustydb_value::{ColumnType, TypeKind, Value, ValueRef, encode_key_part};

use crate::error::SqlError;
use crate::stored;

/// Where a constant comes from.
#[derive(Debug, Clone)]
pub(super) enum Constant {
    Value(Value),
    Parameter(usize),
}

impl Constant {
    /// The value, NULL for a parameter that is missing.
    pub(super) fn value<'a>(&'a self, params: &'a [Value]) -> ValueRef<'a> {
        match self {
            Constant::Value(value) => value.as_ref(),
            Constant::Parameter(n) => params.get(*n).map_or(ValueRef::Null, Value::as_ref),
        }
    }
}

/// One column of a key.
#[derive(Debug, Clone)]
struct Part {
    ty: ColumnType,
    descending: bool,
    constant: Constant,
}

/// All columns of a unique key, each equal to a constant.
#[derive(Debug, Clone)]
pub(super) struct Key {
    parts: Vec<Part>,
}

impl Key {
    /// A key over these index columns; `constants` are by the position in the index.
    pub(super) fn new(def: &TableDef, columns: &[IndexColumn], constants: Vec<Constant>) -> Option<Key> {
        let mut parts = Vec::with_capacity(columns.len());
        for (column, constant) in columns.iter().zip(constants) {
            if column.prefix.is_some() {
                return None;
            }
            let ty = def.columns.get(column.column)?.ty.clone();
            if !takes_points(&ty) {
                return None;
            }
            if let Constant::Value(value) = &constant
                && !is_suited(&ty, value)
            {
                return None;
            }
            parts.push(Part { ty, descending: column.descending, constant });
        }
        (!parts.is_empty()).then_some(Key { parts })
    }

    /// Whether all parameters of the key are suited.
    pub(super) fn accepts(&self, params: &[Value]) -> bool {
        self.parts.iter().all(|part| match &part.constant {
            Constant::Value(_) => true,
            Constant::Parameter(n) => params.get(*n).is_some_and(|value| is_suited(&part.ty, value)),
        })
    }

    /// Appends the key; false when no row can have it (NULL, a number outside the column's range).
    pub(super) fn encode(
        &self,
        def: &TableDef,
        params: &[Value],
        out: &mut Vec<u8>,
    ) -> Result<bool, SqlError> {
        for part in &self.parts {
            let value = match as_stored(&part.ty, part.constant.value(params)) {
                Some(value) => value,
                None => return Ok(false),
            };
            encode_key_part(out, &part.ty, value, part.descending).map_err(|e| stored::damaged(def, e))?;
        }
        Ok(true)
    }
}

/// The types whose keys are made here.
fn takes_points(ty: &ColumnType) -> bool {
    ty.kind.is_integer()
        || matches!(
            ty.kind,
            TypeKind::Char { .. }
                | TypeKind::VarChar { .. }
                | TypeKind::Binary { .. }
                | TypeKind::VarBinary { .. }
        )
}

/// Whether comparing a column of this type with the value is comparing stored values.
fn is_suited(ty: &ColumnType, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Int(_) | Value::UInt(_) => ty.kind.is_integer(),
        Value::Text(text) if ty.kind.is_integer() => exact_integer(text).is_some(),
        // A CHAR is stored without the spaces at its end, which may count in what it is compared with.
        Value::Text(text) if matches!(ty.kind, TypeKind::Char { .. }) => !text.ends_with(' '),
        Value::Text(_) => !ty.kind.is_integer(),
        Value::Bytes(_) => ty.kind.is_binary_string(),
        _ => false,
    }
}

/// The value in the form the key holds; None when no stored value equals it.
fn as_stored<'a>(ty: &ColumnType, value: ValueRef<'a>) -> Option<ValueRef<'a>> {
    match value {
        ValueRef::Null => None,
        ValueRef::Int(n) => in_range(ty, i128::from(n)),
        ValueRef::UInt(n) => in_range(ty, i128::from(n)),
        ValueRef::Text(text) if ty.kind.is_integer() => in_range(ty, i128::from(exact_integer(text)?)),
        ValueRef::Text(text) if ty.kind.is_binary_string() => as_stored(ty, ValueRef::Bytes(text.as_bytes())),
        ValueRef::Bytes(bytes) => match ty.kind {
            // A BINARY column holds all of its bytes, and comparing does not pad.
            TypeKind::Binary { len } if bytes.len() != len as usize => None,
            _ => Some(value),
        },
        other => Some(other),
    }
}

fn in_range(ty: &ColumnType, n: i128) -> Option<ValueRef<'static>> {
    let (low, high) = ty.kind.integer_range()?;
    if n < i128::from(low) || n > i128::from(high) {
        return None;
    }
    Some(if ty.kind.is_unsigned() { ValueRef::UInt(n as u64) } else { ValueRef::Int(n as i64) })
}

/// The integer that a text is, where comparing as numbers (MySQL: as doubles) is exact.
fn exact_integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || digits.len() > 15 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_comparisons_are_suited() {
        let int = ColumnType::new(TypeKind::Int { unsigned: false });
        let text = ColumnType::new(TypeKind::VarChar { len: 10 });
        assert!(is_suited(&int, &Value::Int(5)));
        assert!(is_suited(&int, &Value::Text("-17".into())));
        assert!(!is_suited(&int, &Value::Text("17abc".into())));
        assert!(!is_suited(&int, &Value::Text("1e3".into())));
        assert!(!is_suited(&int, &Value::Double(5.0)));
        assert!(is_suited(&text, &Value::Text("x".into())));
        assert!(!is_suited(&text, &Value::Int(5)));
        let padded = ColumnType::new(TypeKind::Char { len: 4 });
        assert!(is_suited(&padded, &Value::Text(" a".into())) && is_suited(&text, &Value::Text("a ".into())));
        assert!(!is_suited(&padded, &Value::Text("a ".into())));
    }

    #[test]
    fn values_that_no_row_can_have() {
        let tiny = ColumnType::new(TypeKind::TinyInt { unsigned: true });
        assert_eq!(as_stored(&tiny, ValueRef::Int(256)), None);
        assert_eq!(as_stored(&tiny, ValueRef::Int(-1)), None);
        assert_eq!(as_stored(&tiny, ValueRef::Int(255)), Some(ValueRef::UInt(255)));
        assert_eq!(as_stored(&tiny, ValueRef::Null), None);
        let binary = ColumnType::new(TypeKind::Binary { len: 2 });
        assert_eq!(as_stored(&binary, ValueRef::Bytes(b"a")), None);
        assert!(as_stored(&binary, ValueRef::Bytes(b"ab")).is_some());
    }
}
