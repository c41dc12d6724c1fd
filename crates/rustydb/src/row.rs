//! Rows of a result, read by name, by number or as a tuple.

use crate::{Error, FromValue, Result};
use rustydb_value::Value;
use std::sync::Arc;

/// The rows of a result, all in memory.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    pub(crate) columns: Arc<[String]>,
    pub(crate) rows: Vec<Row>,
}

impl Rows {
    /// The names of the columns, in order.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }
}

impl std::ops::Deref for Rows {
    type Target = [Row];

    fn deref(&self) -> &[Row] {
        &self.rows
    }
}

impl IntoIterator for Rows {
    type Item = Row;
    type IntoIter = std::vec::IntoIter<Row>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.into_iter()
    }
}

impl<'a> IntoIterator for &'a Rows {
    type Item = &'a Row;
    type IntoIter = std::slice::Iter<'a, Row>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.iter()
    }
}

/// One row.
#[derive(Debug, Clone)]
pub struct Row {
    pub(crate) columns: Arc<[String]>,
    pub(crate) values: Vec<Value>,
}

/// What finds a column: its name, or its number from 0. A name is matched as MySQL does, whatever its case;
/// the first of two equal ones is taken.
pub trait ColumnIndex {
    /// The column's place in `columns`.
    fn place(&self, columns: &[String]) -> Option<usize>;

    /// What was asked for, for an error.
    fn shown(&self) -> String;
}

impl ColumnIndex for usize {
    fn place(&self, columns: &[String]) -> Option<usize> {
        (*self < columns.len()).then_some(*self)
    }

    fn shown(&self) -> String {
        self.to_string()
    }
}

impl ColumnIndex for &str {
    fn place(&self, columns: &[String]) -> Option<usize> {
        columns.iter().position(|name| name.eq_ignore_ascii_case(self))
    }

    fn shown(&self) -> String {
        format!("'{self}'")
    }
}

impl Row {
    /// The value of a column, as a Rust type.
    ///
    /// # Errors
    /// [`Error::NoColumn`], and [`Error::Conversion`] when the value is not of the type or does not fit.
    pub fn get<T: FromValue>(&self, column: impl ColumnIndex) -> Result<T> {
        let place = column
            .place(&self.columns)
            .ok_or_else(|| Error::NoColumn { wanted: column.shown(), columns: self.columns.to_vec() })?;
        self.at(place)
    }

    /// All values, in order.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The values, owned.
    pub fn into_values(self) -> Vec<Value> {
        self.values
    }

    fn at<T: FromValue>(&self, place: usize) -> Result<T> {
        let value = self.values.get(place).cloned().unwrap_or(Value::Null);
        T::from_value(value).map_err(|value| Error::Conversion {
            column: self.columns.get(place).cloned().unwrap_or_default(),
            value: shortened(&value),
            wanted: T::WANTED,
        })
    }
}

/// A value as an error shows it: whole when it is short.
fn shortened(value: &Value) -> String {
    const MOST: usize = 40;
    let text = match value {
        Value::Null => "NULL".to_owned(),
        value => String::from_utf8_lossy(&value.as_ref().to_text()).into_owned(),
    };
    match text.char_indices().nth(MOST) {
        Some((cut, _)) => format!("'{}...'", &text[..cut]),
        None => format!("'{text}'"),
    }
}

/// A type that a whole row can be read as: tuples of up to eight columns, or a single value.
pub trait FromRow: Sized {
    /// The row as this type.
    ///
    /// # Errors
    /// As [`Row::get`].
    fn from_row(row: &Row) -> Result<Self>;
}

impl FromRow for Row {
    fn from_row(row: &Row) -> Result<Row> {
        Ok(row.clone())
    }
}

macro_rules! tuples {
    ($($name:ident $place:literal)*) => {
        impl<$($name: FromValue),*> FromRow for ($($name,)*) {
            fn from_row(row: &Row) -> Result<Self> {
                Ok(($(row.get::<$name>($place)?,)*))
            }
        }
    };
}

tuples!(A 0);
tuples!(A 0 B 1);
tuples!(A 0 B 1 C 2);
tuples!(A 0 B 1 C 2 D 3);
tuples!(A 0 B 1 C 2 D 3 E 4);
tuples!(A 0 B 1 C 2 D 3 E 4 F 5);
tuples!(A 0 B 1 C 2 D 3 E 4 F 5 G 6);
tuples!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7);

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        Row {
            columns: ["Id".to_owned(), "name".to_owned()].into(),
            values: vec![Value::Int(7), Value::Text("x".repeat(100))],
        }
    }

    #[test]
    fn columns_are_found_by_number_and_by_name_in_any_case() {
        assert_eq!(row().get::<u8>(0).unwrap(), 7);
        assert_eq!(row().get::<i64>("ID").unwrap(), 7);
        assert_eq!(<(u8, String)>::from_row(&row()).unwrap().0, 7);
    }

    #[test]
    fn a_missing_column_and_a_wrong_type_say_what_there_is() {
        let missing = row().get::<u8>("nmae").unwrap_err().to_string();
        assert_eq!(missing, "the result has no column 'nmae'; it has Id, name");
        let wrong = row().get::<u8>("name").unwrap_err().to_string();
        assert_eq!(wrong, format!("column name holds '{}...', which is no u8", "x".repeat(40)));
    }
}
