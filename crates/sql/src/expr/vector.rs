//! A column of values: an Arrow array, or one value that stands for all rows.
//!
//! The array's type is the [`Class`] of the expression; what the values mean beyond that (width, scale,
//! collation, ENUM members) is in the [`ExprType`] that travels with the plan, not with the data. So a
//! kernel matches on the class once and then runs over plain slices.
//!
//! Invariants: a constant vector holds an array of length one; `len` is the number of rows it stands
//! for. Values under a NULL are zero or empty and may be computed with freely. Dates and times are
//! the packed integers of `rustydb-value`, ordered as the times are. A decimal's array is scaled to
//! the scale of its type and has one of three widths ([`super::decimals`]).

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal64Type, Decimal128Type, Decimal256Type, Float64Type, Int64Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, BinaryArray, Decimal64Array, Decimal128Array, Decimal256Array, Float64Array, Int64Array,
    StringArray, UInt32Array, UInt64Array,
};
use arrow_buffer::{BooleanBuffer, NullBuffer, ScalarBuffer, i256};
use rustydb_value::{Bit, Date, DateTime, Time, Value, ValueRef};

use super::decimals::{Decimals, Scaled};
use super::number::{decimal_from_i256, i256_from_decimal};
use super::types::{Class, ExprType, Kind};
use crate::error::SqlError;

/// The values of a vector.
#[derive(Debug, Clone)]
pub enum Data {
    /// Only NULLs.
    Null,
    /// Signed integers, and packed dates and times.
    Int(Int64Array),
    /// Unsigned integers.
    UInt(UInt64Array),
    /// Floating point numbers.
    Double(Float64Array),
    /// Exact numbers at the scale of the type, in 64 bits.
    Short(Decimal64Array),
    /// Exact numbers in 128 bits.
    Long(Decimal128Array),
    /// Exact numbers in 256 bits.
    Wide(Decimal256Array),
    /// Characters.
    Text(StringArray),
    /// Bytes.
    Binary(BinaryArray),
}

/// A column of values for a number of rows.
#[derive(Debug, Clone)]
pub struct Vector {
    data: Data,
    constant: bool,
    len: usize,
}

/// The plain values of a vector; `at` works for arrays and constants alike.
#[derive(Clone, Copy)]
pub struct Slots<'a, T> {
    values: &'a [T],
    step: usize,
}

impl<'a, T: Copy + Default> Slots<'a, T> {
    /// The values of `rows` rows as a slice; None for a constant.
    #[inline]
    pub fn rows(&self, rows: usize) -> Option<&'a [T]> {
        if self.step == 0 { None } else { self.values.get(..rows) }
    }

    /// `f` of every row's value.
    #[inline]
    pub fn map<R>(self, rows: usize, mut f: impl FnMut(T) -> R) -> Vec<R> {
        match self.rows(rows) {
            Some(values) => values.iter().map(|value| f(*value)).collect(),
            None => (0..rows).map(|row| f(self.at(row))).collect(),
        }
    }

    /// `f` of every row's two values, by a loop that the compiler can see through.
    #[inline]
    pub fn zip<R>(a: Slots<'a, T>, b: Slots<'a, T>, rows: usize, mut f: impl FnMut(T, T) -> R) -> Vec<R> {
        match (a.rows(rows), b.rows(rows)) {
            (Some(a), Some(b)) => a.iter().zip(b).map(|(x, y)| f(*x, *y)).collect(),
            (Some(a), None) if b.step == 0 => {
                let y = b.at(0);
                a.iter().map(|x| f(*x, y)).collect()
            }
            (None, Some(b)) if a.step == 0 => {
                let x = a.at(0);
                b.iter().map(|y| f(x, *y)).collect()
            }
            _ => (0..rows).map(|row| f(a.at(row), b.at(row))).collect(),
        }
    }

    /// The value of a row; meaningless where the row is NULL.
    #[inline]
    pub fn at(&self, row: usize) -> T {
        self.values.get(row * self.step).copied().unwrap_or_default()
    }
}

impl Vector {
    /// `len` NULLs.
    pub fn null(len: usize) -> Vector {
        Vector { data: Data::Null, constant: true, len }
    }

    /// One value per row.
    pub fn array(data: Data, len: usize) -> Vector {
        let constant = matches!(data, Data::Null);
        Vector { data, constant, len }
    }

    /// Signed integers (or packed times).
    pub fn ints(values: Vec<i64>, nulls: Option<NullBuffer>) -> Vector {
        let len = values.len();
        Vector { data: Data::Int(Int64Array::new(ScalarBuffer::from(values), nulls)), constant: false, len }
    }

    /// Unsigned integers.
    pub fn uints(values: Vec<u64>, nulls: Option<NullBuffer>) -> Vector {
        let len = values.len();
        Vector { data: Data::UInt(UInt64Array::new(ScalarBuffer::from(values), nulls)), constant: false, len }
    }

    /// Floating point numbers.
    pub fn doubles(values: Vec<f64>, nulls: Option<NullBuffer>) -> Vector {
        let len = values.len();
        Vector {
            data: Data::Double(Float64Array::new(ScalarBuffer::from(values), nulls)),
            constant: false,
            len,
        }
    }

    /// Exact numbers, already at the scale of their type.
    pub fn decimals(values: Vec<i256>, nulls: Option<NullBuffer>) -> Vector {
        let mut narrow = Scaled::with_capacity(values.len());
        values.into_iter().for_each(|value| narrow.push(value));
        narrow.finish(nulls)
    }

    /// The same in 64 bits.
    pub fn short_decimals(values: Vec<i64>, nulls: Option<NullBuffer>) -> Vector {
        let len = values.len();
        let array = Decimal64Array::new(ScalarBuffer::from(values), nulls);
        Vector { data: Data::Short(array), constant: false, len }
    }

    /// The same in 128 bits.
    pub fn long_decimals(values: Vec<i128>, nulls: Option<NullBuffer>) -> Vector {
        let len = values.len();
        let array = Decimal128Array::new(ScalarBuffer::from(values), nulls);
        Vector { data: Data::Long(array), constant: false, len }
    }

    /// The same in 256 bits.
    pub fn wide_decimals(values: Vec<i256>, nulls: Option<NullBuffer>) -> Vector {
        let len = values.len();
        let array = Decimal256Array::new(ScalarBuffer::from(values), nulls);
        Vector { data: Data::Wide(array), constant: false, len }
    }

    /// Truth values as 0 and 1.
    pub fn booleans(rows: usize, nulls: Option<NullBuffer>, mut f: impl FnMut(usize) -> bool) -> Vector {
        Vector::ints((0..rows).map(|row| i64::from(f(row))).collect(), nulls)
    }

    /// A single value for all rows. Values must be of the type's class.
    pub fn constant(value: ValueRef<'_>, ty: &ExprType, len: usize) -> Vector {
        let mut builder = Builder::new(ty.class(), usize::from(ty.decimals.min(30)) as u8, 1);
        builder.push(value);
        builder.finish().repeat(len)
    }

    /// The first value, for `len` rows.
    #[must_use]
    pub fn repeat(self, len: usize) -> Vector {
        Vector { data: self.data, constant: true, len }
    }

    /// The same constant for another number of rows; an array must already have it.
    #[must_use]
    pub fn with_len(mut self, len: usize) -> Vector {
        if self.constant {
            self.len = len;
        }
        self
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.len
    }
    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
    /// Whether one value stands for all rows.
    pub fn is_constant(&self) -> bool {
        self.constant
    }
    /// The values.
    pub fn data(&self) -> &Data {
        &self.data
    }
    /// Whether it is a constant NULL.
    pub fn is_constant_null(&self) -> bool {
        self.constant && self.len > 0 && self.is_null(0)
    }

    fn step(&self) -> usize {
        usize::from(!self.constant)
    }

    fn null_buffer(&self) -> Option<&NullBuffer> {
        match &self.data {
            Data::Null => None,
            Data::Int(a) => a.nulls(),
            Data::UInt(a) => a.nulls(),
            Data::Double(a) => a.nulls(),
            Data::Short(a) => a.nulls(),
            Data::Long(a) => a.nulls(),
            Data::Wide(a) => a.nulls(),
            Data::Text(a) => a.nulls(),
            Data::Binary(a) => a.nulls(),
        }
    }

    /// Whether the value of a row is NULL.
    #[inline]
    pub fn is_null(&self, row: usize) -> bool {
        if matches!(self.data, Data::Null) {
            return true;
        }
        self.null_buffer().is_some_and(|n| n.is_null(row * self.step()))
    }

    /// Whether some value may be NULL.
    pub fn has_nulls(&self) -> bool {
        matches!(self.data, Data::Null) || self.null_buffer().is_some_and(|n| n.null_count() > 0)
    }

    /// Signed integers or packed times; an empty answer for other classes reads as zeros.
    pub fn as_ints(&self) -> Slots<'_, i64> {
        let values = if let Data::Int(a) = &self.data { a.values().as_ref() } else { &[] };
        Slots { values, step: self.step() }
    }
    /// Unsigned integers.
    pub fn as_uints(&self) -> Slots<'_, u64> {
        let values = if let Data::UInt(a) = &self.data { a.values().as_ref() } else { &[] };
        Slots { values, step: self.step() }
    }
    /// Floating point numbers.
    pub fn as_doubles(&self) -> Slots<'_, f64> {
        let values = if let Data::Double(a) = &self.data { a.values().as_ref() } else { &[] };
        Slots { values, step: self.step() }
    }
    /// Exact numbers as scaled integers.
    pub fn as_decimals(&self) -> Decimals<'_> {
        let step = self.step();
        match &self.data {
            Data::Short(a) => Decimals::Short(Slots { values: a.values().as_ref(), step }),
            Data::Long(a) => Decimals::Long(Slots { values: a.values().as_ref(), step }),
            Data::Wide(a) => Decimals::Wide(Slots { values: a.values().as_ref(), step }),
            _ => Decimals::Short(Slots { values: &[], step }),
        }
    }

    /// The text of a row; empty for other classes.
    #[inline]
    pub fn text(&self, row: usize) -> &str {
        match &self.data {
            Data::Text(a) => a.value(row * self.step()),
            _ => "",
        }
    }

    /// The bytes of a row of text or bytes; empty for other classes.
    #[inline]
    pub fn bytes(&self, row: usize) -> &[u8] {
        match &self.data {
            Data::Text(a) => a.value(row * self.step()).as_bytes(),
            Data::Binary(a) => a.value(row * self.step()),
            _ => &[],
        }
    }

    /// Whether the row is true: neither NULL nor zero. Only for boolean (integer) vectors.
    #[inline]
    pub fn is_true(&self, row: usize) -> bool {
        !self.is_null(row)
            && match &self.data {
                Data::Int(a) => a.value(row * self.step()) != 0,
                Data::UInt(a) => a.value(row * self.step()) != 0,
                Data::Double(a) => a.value(row * self.step()) != 0.0,
                Data::Short(_) | Data::Long(_) | Data::Wide(_) => self.as_decimals().at(row) != i256::ZERO,
                _ => false,
            }
    }

    /// The rows that are true, in order, of a vector of truth values.
    pub fn true_rows(&self, rows: usize) -> Vec<u32> {
        if let (Data::Int(a), false) = (&self.data, self.constant)
            && a.null_count() == 0
        {
            let values = a.values().iter().take(rows).enumerate();
            let mut out = vec![0; rows];
            let mut count = 0;
            // Without a branch: every row is written, and counted if it is true.
            for (row, value) in values {
                if let Some(slot) = out.get_mut(count) {
                    *slot = row as u32;
                }
                count += usize::from(*value != 0);
            }
            out.truncate(count);
            return out;
        }
        (0..rows as u32).filter(|row| self.is_true(*row as usize)).collect()
    }

    /// The value of a row as a client sees it.
    #[inline]
    pub fn cell<'a>(&'a self, row: usize, ty: &'a ExprType) -> ValueRef<'a> {
        if self.is_null(row) {
            return ValueRef::Null;
        }
        let at = row * self.step();
        match &self.data {
            Data::Null => ValueRef::Null,
            Data::Int(a) => {
                let v = a.value(at);
                match ty.kind {
                    Kind::Date => Date::from_packed(v).map_or(ValueRef::Null, ValueRef::Date),
                    Kind::Time => ValueRef::Time(Time::clamped(v, ty.decimals)),
                    Kind::DateTime | Kind::Timestamp => DateTime::from_packed(v, ty.decimals.min(6))
                        .map_or(ValueRef::Null, ValueRef::DateTime),
                    _ => ValueRef::Int(v),
                }
            }
            Data::UInt(a) => {
                let v = a.value(at);
                match &ty.kind {
                    Kind::Year => ValueRef::Year(v as u16),
                    Kind::Bit => ValueRef::Bit(Bit { value: v, width: ty.length.clamp(1, 64) as u8 }),
                    Kind::Enum(members) => ValueRef::Text(enum_text(members, v)),
                    _ => ValueRef::UInt(v),
                }
            }
            Data::Double(a) => match ty.kind {
                Kind::Float => ValueRef::Float(a.value(at) as f32),
                _ => ValueRef::Double(a.value(at)),
            },
            Data::Short(_) | Data::Long(_) | Data::Wide(_) => {
                ValueRef::Decimal(decimal_from_i256(self.as_decimals().at(row), ty.decimals))
            }
            Data::Text(a) => ValueRef::Text(a.value(at)),
            Data::Binary(a) if ty.kind == Kind::Json => ValueRef::Json(a.value(at)),
            Data::Binary(a) => ValueRef::Bytes(a.value(at)),
        }
    }

    /// The value of a row, owned.
    pub fn value(&self, row: usize, ty: &ExprType) -> Value {
        self.cell(row, ty).to_owned()
    }

    /// The rows at these positions, in their order; NULL for a position that is NULL.
    pub fn take(&self, rows: &UInt32Array) -> Result<Vector, SqlError> {
        let array = self.to_arrow();
        let taken = if !self.constant {
            arrow_select::take::take(array.as_ref(), rows, None).map_err(arrow)?
        } else if rows.null_count() == 0 || matches!(self.data, Data::Null) {
            return Ok(self.clone().with_len(rows.len()));
        } else {
            let only = UInt32Array::new(vec![0; rows.len()].into(), rows.nulls().cloned());
            arrow_select::take::take(array.as_ref(), &only, None).map_err(arrow)?
        };
        Ok(Vector::from_arrow(&taken))
    }

    /// The rows from `offset`, at most `len`.
    pub fn slice(&self, offset: usize, len: usize) -> Vector {
        let offset = offset.min(self.len);
        let len = len.min(self.len - offset);
        if self.constant {
            return self.clone().with_len(len);
        }
        let data = match &self.data {
            Data::Null => Data::Null,
            Data::Int(a) => Data::Int(a.slice(offset, len)),
            Data::UInt(a) => Data::UInt(a.slice(offset, len)),
            Data::Double(a) => Data::Double(a.slice(offset, len)),
            Data::Short(a) => Data::Short(a.slice(offset, len)),
            Data::Long(a) => Data::Long(a.slice(offset, len)),
            Data::Wide(a) => Data::Wide(a.slice(offset, len)),
            Data::Text(a) => Data::Text(a.slice(offset, len)),
            Data::Binary(a) => Data::Binary(a.slice(offset, len)),
        };
        Vector { data, constant: false, len }
    }

    /// One array with a value per row, whatever the form.
    pub fn flatten(&self) -> Result<Vector, SqlError> {
        if !self.constant || matches!(self.data, Data::Null) {
            return Ok(self.clone());
        }
        let array = self.to_arrow();
        let rows = UInt32Array::from(vec![0u32; self.len]);
        let taken = arrow_select::take::take(array.as_ref(), &rows, None).map_err(arrow)?;
        Ok(Vector::from_arrow(&taken))
    }

    /// The Arrow array inside (of length one for a constant).
    pub fn to_arrow(&self) -> ArrayRef {
        match &self.data {
            Data::Null => arrow_array::new_null_array(&arrow_schema::DataType::Null, 1),
            Data::Int(a) => Arc::new(a.clone()),
            Data::UInt(a) => Arc::new(a.clone()),
            Data::Double(a) => Arc::new(a.clone()),
            Data::Short(a) => Arc::new(a.clone()),
            Data::Long(a) => Arc::new(a.clone()),
            Data::Wide(a) => Arc::new(a.clone()),
            Data::Text(a) => Arc::new(a.clone()),
            Data::Binary(a) => Arc::new(a.clone()),
        }
    }

    fn from_arrow(array: &ArrayRef) -> Vector {
        use arrow_schema::DataType as D;
        let data = match array.data_type() {
            D::Int64 => Data::Int(array.as_primitive::<Int64Type>().clone()),
            D::UInt64 => Data::UInt(array.as_primitive::<UInt64Type>().clone()),
            D::Float64 => Data::Double(array.as_primitive::<Float64Type>().clone()),
            D::Decimal64(_, _) => Data::Short(array.as_primitive::<Decimal64Type>().clone()),
            D::Decimal128(_, _) => Data::Long(array.as_primitive::<Decimal128Type>().clone()),
            D::Decimal256(_, _) => Data::Wide(array.as_primitive::<Decimal256Type>().clone()),
            D::Utf8 => Data::Text(array.as_string::<i32>().clone()),
            D::Binary => Data::Binary(array.as_binary::<i32>().clone()),
            _ => return Vector::null(array.len()),
        };
        Vector::array(data, array.len())
    }

    /// All rows of several vectors of one class, one after the other.
    pub fn concat(parts: &[Vector]) -> Result<Vector, SqlError> {
        let rows = parts.iter().map(Vector::len).sum();
        if let [only] = parts {
            return only.flatten();
        }
        let parts = &of_one_width(parts);
        let Some(typed) = parts.iter().find(|p| !matches!(p.data, Data::Null)) else {
            return Ok(Vector::null(rows));
        };
        let data_type = typed.to_arrow().data_type().clone();
        let mut arrays = Vec::with_capacity(parts.len());
        for part in parts.iter() {
            arrays.push(match part.data {
                Data::Null => arrow_array::new_null_array(&data_type, part.len),
                _ => part.flatten()?.to_arrow(),
            });
        }
        let borrowed: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
        Ok(Vector::from_arrow(&arrow_select::concat::concat(&borrowed).map_err(arrow)?))
    }

    /// Picks, for every row, the value at `(part, row of that part)`.
    pub fn interleave(parts: &[Vector], picks: &[(usize, usize)]) -> Result<Vector, SqlError> {
        let parts = &of_one_width(parts);
        let Some(typed) = parts.iter().find(|p| !matches!(p.data, Data::Null)) else {
            return Ok(Vector::null(picks.len()));
        };
        let data_type = typed.to_arrow().data_type().clone();
        let arrays: Vec<ArrayRef> = parts
            .iter()
            .map(|p| match p.data {
                Data::Null => arrow_array::new_null_array(&data_type, 1),
                _ => p.to_arrow(),
            })
            .collect();
        let borrowed: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
        let mapped: Vec<(usize, usize)> = picks
            .iter()
            .map(|&(part, row)| (part, if parts.get(part).is_some_and(|p| p.constant) { 0 } else { row }))
            .collect();
        Ok(Vector::from_arrow(&arrow_select::interleave::interleave(&borrowed, &mapped).map_err(arrow)?))
    }

    /// Bytes of memory that the values take.
    pub fn memory(&self) -> usize {
        match &self.data {
            Data::Null => 0,
            Data::Int(_) | Data::UInt(_) | Data::Double(_) | Data::Short(_) => self.stored() * 8,
            Data::Long(_) => self.stored() * 16,
            Data::Wide(_) => self.stored() * 32,
            Data::Text(a) => span(a.value_offsets()) + self.stored() * 4,
            Data::Binary(a) => span(a.value_offsets()) + self.stored() * 4,
        }
    }

    /// Bytes that it takes once it is joined to others, where a constant is written out for each row.
    pub fn joined_memory(&self) -> usize {
        if self.constant { self.memory().saturating_mul(self.len) } else { self.memory() }
    }

    fn stored(&self) -> usize {
        if self.constant { 1 } else { self.len }
    }
}

/// The parts, where these are decimals all in the width of the widest.
pub(crate) fn of_one_width(parts: &[Vector]) -> Cow<'_, [Vector]> {
    let width = |part: &Vector| match part.data {
        Data::Short(_) => 1,
        Data::Long(_) => 2,
        Data::Wide(_) => 3,
        _ => 0,
    };
    let widest = parts.iter().map(width).max().unwrap_or(0);
    if parts.iter().all(|part| matches!(width(part), 0) || width(part) == widest) {
        return Cow::Borrowed(parts);
    }
    let widened = |part: &Vector| {
        if width(part) == 0 || width(part) == widest {
            return part.clone();
        }
        let (values, rows) = (part.as_decimals(), part.stored());
        let nulls = part.null_buffer().cloned();
        let mut vector = if widest == 2 {
            Vector::long_decimals((0..rows).map(|row| values.at(row).as_i128()).collect(), nulls)
        } else {
            Vector::wide_decimals((0..rows).map(|row| values.at(row)).collect(), nulls)
        };
        (vector.constant, vector.len) = (part.constant, part.len);
        vector
    };
    Cow::Owned(parts.iter().map(widened).collect())
}

/// The bytes of strings between the first and the last of their offsets.
fn span(offsets: &[i32]) -> usize {
    match (offsets.first(), offsets.last()) {
        (Some(first), Some(last)) => last.abs_diff(*first) as usize,
        _ => 0,
    }
}

/// The member of an ENUM by its number; 0 is the empty error value.
pub fn enum_text(members: &[String], index: u64) -> &str {
    usize::try_from(index)
        .ok()
        .and_then(|i| i.checked_sub(1))
        .and_then(|i| members.get(i))
        .map_or("", String::as_str)
}

/// The members of a SET by its bits.
pub fn set_text(members: &[String], mask: u64) -> String {
    let mut out = String::new();
    for (bit, member) in members.iter().enumerate().take(64) {
        if mask >> bit & 1 == 1 {
            if !out.is_empty() {
                out.push(',');
            }
            out.push_str(member);
        }
    }
    out
}

/// The rows where any of the inputs is NULL; None if there is none.
pub fn union_nulls(rows: usize, inputs: &[&Vector]) -> Option<NullBuffer> {
    let mut out: Option<NullBuffer> = None;
    for input in inputs {
        if input.constant || matches!(input.data, Data::Null) {
            if rows > 0 && input.is_null(0) {
                return Some(NullBuffer::new_null(rows));
            }
        } else {
            out = NullBuffer::union(out.as_ref(), input.null_buffer());
        }
    }
    out
}

/// A null mask from "is valid" flags; None if all are.
pub fn nulls_from(valid: Vec<bool>) -> Option<NullBuffer> {
    if valid.iter().all(|v| *v) { None } else { Some(NullBuffer::new(BooleanBuffer::from(valid))) }
}

/// An error of an Arrow kernel; cannot come from data, only from a mistake in a plan.
pub fn arrow(error: arrow_schema::ArrowError) -> SqlError {
    SqlError::unknown(format_args!("batch: {error}"))
}

/// Builds a vector of one class, value by value.
pub struct Builder {
    kind: Building,
    scale: u8,
}

enum Building {
    Null(usize),
    Int(Vec<i64>, Vec<bool>),
    UInt(Vec<u64>, Vec<bool>),
    Double(Vec<f64>, Vec<bool>),
    Decimal(Scaled, Vec<bool>),
    Text(StringBuilder),
    Binary(BinaryBuilder),
}

impl Builder {
    /// A builder for `rows` values of a class; `scale` is that of decimals.
    pub fn new(class: Class, scale: u8, rows: usize) -> Builder {
        let kind = match class {
            Class::Null => Building::Null(0),
            Class::Int | Class::Date | Class::Time | Class::DateTime => {
                Building::Int(Vec::with_capacity(rows), Vec::with_capacity(rows))
            }
            Class::UInt => Building::UInt(Vec::with_capacity(rows), Vec::with_capacity(rows)),
            Class::Double => Building::Double(Vec::with_capacity(rows), Vec::with_capacity(rows)),
            Class::Decimal => Building::Decimal(Scaled::with_capacity(rows), Vec::with_capacity(rows)),
            Class::Text => Building::Text(StringBuilder::with_capacity(rows, rows * 32)),
            Class::Binary | Class::Json => Building::Binary(BinaryBuilder::with_capacity(rows, rows * 32)),
        };
        Builder { kind, scale }
    }

    /// A builder for values of a type.
    pub fn of(ty: &ExprType, rows: usize) -> Builder {
        Builder::new(ty.class(), ty.decimals.min(30), rows)
    }

    /// Appends NULL.
    #[inline]
    pub fn push_null(&mut self) {
        match &mut self.kind {
            Building::Null(n) => *n += 1,
            Building::Int(v, m) => {
                v.push(0);
                m.push(false);
            }
            Building::UInt(v, m) => {
                v.push(0);
                m.push(false);
            }
            Building::Double(v, m) => {
                v.push(0.0);
                m.push(false);
            }
            Building::Decimal(v, m) => {
                v.push(i256::ZERO);
                m.push(false);
            }
            Building::Text(b) => b.append_null(),
            Building::Binary(b) => b.append_null(),
        }
    }

    /// Appends a value of the builder's class; one of another class becomes NULL, which the binder's
    /// coercions exclude.
    #[inline]
    pub fn push(&mut self, value: ValueRef<'_>) {
        match (&mut self.kind, value) {
            (Building::Int(v, m), ValueRef::Int(x)) => {
                v.push(x);
                m.push(true);
            }
            (Building::Int(v, m), ValueRef::Date(x)) => {
                v.push(x.packed());
                m.push(true);
            }
            (Building::Int(v, m), ValueRef::Time(x)) => {
                v.push(x.micros());
                m.push(true);
            }
            (Building::Int(v, m), ValueRef::DateTime(x)) => {
                v.push(x.packed());
                m.push(true);
            }
            (Building::UInt(v, m), ValueRef::UInt(x)) => {
                v.push(x);
                m.push(true);
            }
            (Building::UInt(v, m), ValueRef::Int(x)) => {
                v.push(x as u64);
                m.push(true);
            }
            (Building::Int(v, m), ValueRef::UInt(x)) => {
                v.push(x as i64);
                m.push(true);
            }
            (Building::UInt(v, m), ValueRef::Year(x)) => {
                v.push(u64::from(x));
                m.push(true);
            }
            (Building::UInt(v, m), ValueRef::Bit(x)) => {
                v.push(x.value);
                m.push(true);
            }
            (Building::Double(v, m), ValueRef::Double(x)) => {
                v.push(x);
                m.push(true);
            }
            (Building::Double(v, m), ValueRef::Float(x)) => {
                v.push(f64::from(x));
                m.push(true);
            }
            (Building::Decimal(v, m), ValueRef::Decimal(x)) => {
                v.push(i256_from_decimal(x, self.scale));
                m.push(true);
            }
            (Building::Text(b), ValueRef::Text(x)) => b.append_value(x),
            (Building::Binary(b), ValueRef::Bytes(x) | ValueRef::Json(x)) => b.append_value(x),
            (Building::Binary(b), ValueRef::Text(x)) => b.append_value(x.as_bytes()),
            (Building::Text(b), ValueRef::Bytes(x)) => match std::str::from_utf8(x) {
                Ok(text) => b.append_value(text),
                Err(_) => b.append_value(String::from_utf8_lossy(x)),
            },
            _ => self.push_null(),
        }
    }

    /// Appends bytes that are known to be text if the builder's class is text.
    #[inline]
    pub fn push_bytes(&mut self, bytes: &[u8]) {
        self.push(ValueRef::Bytes(bytes));
    }

    /// Appends a decimal as a scaled integer.
    #[inline]
    pub fn push_scaled(&mut self, value: i256) {
        if let Building::Decimal(v, m) = &mut self.kind {
            v.push(value);
            m.push(true);
        } else {
            self.push_null();
        }
    }

    /// The vector, with one value per row.
    pub fn finish(self) -> Vector {
        match self.kind {
            Building::Null(n) => Vector::null(n),
            Building::Int(v, m) => Vector::ints(v, nulls_from(m)),
            Building::UInt(v, m) => Vector::uints(v, nulls_from(m)),
            Building::Double(v, m) => Vector::doubles(v, nulls_from(m)),
            Building::Decimal(v, m) => v.finish(nulls_from(m)),
            Building::Text(mut b) => {
                let array = b.finish();
                let len = array.len();
                Vector::array(Data::Text(array), len)
            }
            Building::Binary(mut b) => {
                let array = b.finish();
                let len = array.len();
                Vector::array(Data::Binary(array), len)
            }
        }
    }
}
