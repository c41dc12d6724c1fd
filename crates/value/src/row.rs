//! The stored form of a row: one column is read without decoding the others.
//!
//! # Layout (format 1, final)
//!
//! ```text
//! byte 0          high nibble: format, 1
//!                 bit 3: a null bitmap follows          bit 2: 0, reserved
//!                 bits 1..0: width of an end offset: 0 = 1 byte, 1 = 2 bytes, 2 = 4 bytes
//! varint          schema version (LEB128, at most 5 bytes)
//! varint          column count n (LEB128, at most 3 bytes, at most 4,096)
//! ceil(n/8)       null bitmap, column 0 lowest bit of byte 0; only if any column is NULL
//! n * width       end of each column's bytes, counted from the start of the data; little-endian
//! data            the columns' bytes, one after another, up to the end of the row
//! ```
//!
//! The last end is the length of the data; the ends never decrease; a NULL column has no bytes;
//! unused bitmap bits are zero. The narrowest width that holds the data length is used, so a row
//! has one encoding. A row that is shorter than its table has columns (after ADD COLUMN) says so
//! by its count and schema version; what the missing ones are is the catalog's to say.
//!
//! # Columns
//!
//! | type | bytes |
//! |---|---|
//! | integers, ENUM, SET, BIT | little-endian in the type's width (ENUM 2, SET and BIT the fewest for their members or bits); signed ones two's complement |
//! | YEAR | 1: 0, or the year less 1900 |
//! | FLOAT, DOUBLE | IEEE 754, little-endian |
//! | DECIMAL | the number at the column's scale without its point, two's complement, little-endian, as few bytes as hold the type's precision |
//! | DATE | 3: [`Date::packed`], little-endian |
//! | DATETIME | fsp 0: 5, seconds part of [`DateTime::packed`]; else 8, all of it; little-endian |
//! | TIMESTAMP | fsp 0: 4, seconds since 1970 UTC; else 8, microseconds; little-endian; 0 is the zero date |
//! | TIME | fsp 0: 3, seconds; else 6, microseconds; two's complement, little-endian |
//! | text | UTF-8 |
//! | BINARY, VARBINARY, BLOB, JSON, GEOMETRY | as they are |
//!
//! Integers decode by the length that is found, not by the type's, so a column may be widened
//! without touching its rows.

use std::borrow::Cow;

use crate::decimal::Decimal;
use crate::error::{Error, Result};
use crate::temporal::{Date, DateTime, MICROS_PER_SECOND, Time};
use crate::types::{ColumnType, TypeKind};
use crate::value::{Bit, ValueRef};

const FORMAT: u8 = 1 << 4;
const FORMAT_MASK: u8 = 0xf0;
const HAS_NULLS: u8 = 1 << 3;
const RESERVED: u8 = 1 << 2;
const WIDTH_MASK: u8 = 0b11;

/// The most columns of a row, as of a MySQL table.
pub const MAX_COLUMNS: usize = 4096;

/// The most bytes of columns in a row: 1 GiB less one.
pub const MAX_DATA: usize = (1 << 30) - 1;

/// Builds rows. One builder serves many rows: [`Self::clear`] keeps its buffers.
#[derive(Debug, Default)]
pub struct RowBuilder {
    data: Vec<u8>,
    ends: Vec<u32>,
    nulls: Vec<u8>,
    any_null: bool,
}

impl RowBuilder {
    /// A builder without columns.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the columns, keeps the memory.
    pub fn clear(&mut self) {
        self.data.clear();
        self.ends.clear();
        self.nulls.clear();
        self.any_null = false;
    }

    /// The columns so far.
    pub fn column_count(&self) -> usize {
        self.ends.len()
    }

    /// Appends a value as the next column. It must be of the type ([`Error::NotOfType`] otherwise);
    /// after an error the builder holds the columns before.
    pub fn push(&mut self, ty: &ColumnType, value: &ValueRef<'_>) -> Result<()> {
        if value.is_null() {
            return self.push_null();
        }
        let before = self.data.len();
        let done = encode_column(ty, value, &mut self.data).and_then(|()| self.end_column(false));
        if done.is_err() {
            self.data.truncate(before);
        }
        done
    }

    /// Appends NULL as the next column.
    pub fn push_null(&mut self) -> Result<()> {
        self.end_column(true)
    }

    /// Appends a column in its stored form, copied from another row: `None` is NULL.
    pub fn push_raw(&mut self, raw: Option<&[u8]>) -> Result<()> {
        let Some(raw) = raw else { return self.push_null() };
        let before = self.data.len();
        self.data.extend_from_slice(raw);
        let done = self.end_column(false);
        if done.is_err() {
            self.data.truncate(before);
        }
        done
    }

    fn end_column(&mut self, null: bool) -> Result<()> {
        let column = self.ends.len();
        if column >= MAX_COLUMNS || self.data.len() > MAX_DATA {
            return Err(Error::RowTooLarge);
        }
        if column.is_multiple_of(8) {
            self.nulls.push(0);
        }
        if null {
            self.nulls[column / 8] |= 1 << (column % 8);
            self.any_null = true;
        }
        self.ends.push(self.data.len() as u32);
        Ok(())
    }

    /// The row of the columns so far.
    pub fn finish(&self, schema_version: u32) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.data.len() + self.ends.len() * 2 + self.nulls.len() + 9);
        self.finish_into(schema_version, &mut out);
        out
    }

    /// Appends the row of the columns so far.
    pub fn finish_into(&self, schema_version: u32, out: &mut Vec<u8>) {
        let code = match self.data.len() {
            0..=0xff => 0u8,
            0x100..=0xffff => 1,
            _ => 2,
        };
        out.push(FORMAT | if self.any_null { HAS_NULLS } else { 0 } | code);
        write_varint(schema_version, out);
        write_varint(self.ends.len() as u32, out);
        if self.any_null {
            out.extend_from_slice(&self.nulls);
        }
        match code {
            0 => out.extend(self.ends.iter().map(|&end| end as u8)),
            1 => self.ends.iter().for_each(|&end| out.extend_from_slice(&(end as u16).to_le_bytes())),
            _ => self.ends.iter().for_each(|&end| out.extend_from_slice(&end.to_le_bytes())),
        }
        out.extend_from_slice(&self.data);
    }
}

fn write_varint(mut value: u32, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads a varint of at most 32 bits; its value and the place behind it.
#[inline]
fn read_varint(bytes: &[u8], mut at: usize) -> Result<(u32, usize)> {
    // Nearly all are one byte.
    if let Some(&byte) = bytes.get(at)
        && byte < 0x80
    {
        return Ok((u32::from(byte), at + 1));
    }
    let mut value = 0u64;
    for shift in (0..35).step_by(7) {
        let &byte = bytes.get(at).ok_or(Error::CorruptRow("head is cut"))?;
        at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            let value = u32::try_from(value).map_err(|_| Error::CorruptRow("number in head is too large"))?;
            return Ok((value, at));
        }
    }
    Err(Error::CorruptRow("number in head is too long"))
}

/// A view of a stored row. Making one reads the head only; it is `Copy`.
#[derive(Clone, Copy, Debug)]
pub struct RowRef<'a> {
    nulls: &'a [u8],
    ends: &'a [u8],
    data: &'a [u8],
    schema_version: u32,
    count: u32,
    width_code: u8,
}

impl<'a> RowRef<'a> {
    /// Reads the head of a row. [`Error::CorruptRow`] for bytes that are none; damage within the
    /// columns' ends is only found by [`Self::verify`] and never does more harm than wrong bytes.
    #[inline]
    pub fn new(row: &'a [u8]) -> Result<Self> {
        let &head = row.first().ok_or(Error::CorruptRow("row is empty"))?;
        let width_code = head & WIDTH_MASK;
        if head & FORMAT_MASK != FORMAT || head & RESERVED != 0 || width_code == 3 {
            return Err(Error::CorruptRow("unknown format"));
        }
        let (schema_version, at) = read_varint(row, 1)?;
        let (count, at) = read_varint(row, at)?;
        let columns = count as usize;
        if columns > MAX_COLUMNS {
            return Err(Error::CorruptRow("too many columns"));
        }
        let bitmap = if head & HAS_NULLS != 0 { columns.div_ceil(8) } else { 0 };
        let rest = &row[at..];
        let (nulls, rest) = rest.split_at_checked(bitmap).ok_or(Error::CorruptRow("null bitmap is cut"))?;
        let (ends, data) =
            rest.split_at_checked(columns << width_code).ok_or(Error::CorruptRow("end offsets are cut"))?;
        let view = Self { nulls, ends, data, schema_version, count, width_code };
        let last = if columns == 0 { Some(0) } else { view.end(columns - 1) };
        if last != Some(data.len()) {
            return Err(Error::CorruptRow("length does not match"));
        }
        Ok(view)
    }

    /// The version of the table's definition that the row was written under.
    #[inline]
    pub fn schema_version(&self) -> u32 {
        self.schema_version
    }

    /// The number of columns that the row has.
    #[inline]
    pub fn column_count(&self) -> usize {
        self.count as usize
    }

    #[inline]
    fn end(&self, column: usize) -> Option<usize> {
        Some(match self.width_code {
            0 => usize::from(*self.ends.get(column)?),
            1 => {
                let bytes = self.ends.get(column * 2..column * 2 + 2)?;
                usize::from(u16::from_le_bytes([bytes[0], bytes[1]]))
            }
            _ => {
                let bytes = self.ends.get(column * 4..column * 4 + 4)?;
                u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize
            }
        })
    }

    /// The stored bytes of a column; `None` for NULL, for a column that the row does not have
    /// (see [`Self::column_count`]), and where the ends are damaged.
    #[inline]
    pub fn column(&self, column: usize) -> Option<&'a [u8]> {
        if self.nulls.get(column / 8).is_some_and(|byte| byte >> (column % 8) & 1 != 0) {
            return None;
        }
        let end = self.end(column)?;
        let start = if column == 0 { 0 } else { self.end(column - 1)? };
        self.data.get(start..end)
    }

    /// The value of a column.
    #[inline]
    pub fn value(&self, column: usize, ty: &ColumnType) -> Result<ValueRef<'a>> {
        match self.column(column) {
            Some(raw) => decode_column(ty, raw),
            None => Ok(ValueRef::Null),
        }
    }

    /// Checks everything that [`Self::new`] leaves unread: ends in order, NULLs without bytes, no
    /// stray bits, the narrowest width.
    pub fn verify(&self) -> Result<()> {
        let mut start = 0;
        let mut any_null = false;
        for column in 0..self.column_count() {
            let end = self.end(column).ok_or(Error::CorruptRow("end offsets are cut"))?;
            if end < start || end > self.data.len() {
                return Err(Error::CorruptRow("column ends are out of order"));
            }
            let null = self.nulls.get(column / 8).is_some_and(|byte| byte >> (column % 8) & 1 != 0);
            if null && end != start {
                return Err(Error::CorruptRow("a NULL column has bytes"));
            }
            any_null |= null;
            start = end;
        }
        if !self.nulls.is_empty() && !any_null {
            return Err(Error::CorruptRow("a null bitmap without a NULL"));
        }
        let used = self.column_count() % 8;
        if used != 0 && self.nulls.last().is_some_and(|byte| byte >> used != 0) {
            return Err(Error::CorruptRow("stray bits in the null bitmap"));
        }
        let narrowest = match self.data.len() {
            0..=0xff => 0,
            0x100..=0xffff => 1,
            _ => 2,
        };
        if self.width_code != narrowest {
            return Err(Error::CorruptRow("end offsets are wider than needed"));
        }
        Ok(())
    }
}

/// Bytes of a SET's mask.
pub(crate) fn set_bytes(members: usize) -> usize {
    match members {
        0..=8 => 1,
        9..=16 => 2,
        17..=24 => 3,
        25..=32 => 4,
        _ => 8,
    }
}

/// Bytes of a signed number of `precision` decimal digits.
pub(crate) fn decimal_bytes(precision: u8) -> usize {
    // Bits of 10^precision - 1 plus a sign; 3.3219281 bits a digit, rounded up.
    let bits = (u32::from(precision.clamp(1, 65)) * 33_219_281).div_ceil(10_000_000) + 1;
    bits.div_ceil(8) as usize
}

fn not_of_type(ty: &ColumnType, value: &ValueRef<'_>) -> Error {
    Error::NotOfType { value: value.kind_name(), column: ty.kind.name() }
}

/// The integer that a value of an integer-like type is, as the bits of its two's complement.
#[inline]
pub(crate) fn integer_bits(ty: &ColumnType, value: &ValueRef<'_>) -> Result<u64> {
    let error = || not_of_type(ty, value);
    match (&ty.kind, *value) {
        (TypeKind::Year, ValueRef::Year(year)) => year_byte(year).map(u64::from).ok_or_else(error),
        (TypeKind::Year, ValueRef::UInt(year)) => {
            u16::try_from(year).ok().and_then(year_byte).map(u64::from).ok_or_else(error)
        }
        (TypeKind::Year, ValueRef::Int(year)) => {
            u16::try_from(year).ok().and_then(year_byte).map(u64::from).ok_or_else(error)
        }
        (TypeKind::Bit { width }, value) => {
            let bits = match value {
                ValueRef::Bit(bit) => bit.value,
                ValueRef::UInt(bits) => bits,
                ValueRef::Int(bits) => u64::try_from(bits).map_err(|_| error())?,
                _ => return Err(error()),
            };
            if *width < 64 && bits >> *width != 0 { Err(error()) } else { Ok(bits) }
        }
        (TypeKind::Enum { members }, value) => {
            let index = unsigned(value).ok_or_else(error)?;
            if index <= members.len() as u64 { Ok(index) } else { Err(error()) }
        }
        (TypeKind::Set { members }, value) => {
            let mask = unsigned(value).ok_or_else(error)?;
            if members.len() < 64 && mask >> members.len() != 0 { Err(error()) } else { Ok(mask) }
        }
        (kind, value) => {
            let (low, high) = kind.integer_range().ok_or_else(error)?;
            match value {
                ValueRef::Int(v) if v >= low && (v < 0 || v as u64 <= high) => Ok(v as u64),
                ValueRef::UInt(v) if v <= high => Ok(v),
                _ => Err(error()),
            }
        }
    }
}

fn unsigned(value: ValueRef<'_>) -> Option<u64> {
    match value {
        ValueRef::UInt(v) => Some(v),
        ValueRef::Int(v) => u64::try_from(v).ok(),
        _ => None,
    }
}

fn year_byte(year: u16) -> Option<u8> {
    match year {
        0 => Some(0),
        1901..=2155 => Some((year - 1900) as u8),
        _ => None,
    }
}

/// The stored width of an integer-like type.
#[inline]
pub(crate) fn integer_width(kind: &TypeKind) -> Option<usize> {
    Some(match kind {
        TypeKind::Bit { width } => usize::from(*width).div_ceil(8).clamp(1, 8),
        TypeKind::Year => 1,
        TypeKind::Enum { .. } => 2,
        TypeKind::Set { members } => set_bytes(members.len()),
        other => return other.integer_bytes(),
    })
}

/// The value of an integer-like type of its bits, already extended to 64.
#[inline]
pub(crate) fn integer_value(kind: &TypeKind, bits: u64) -> ValueRef<'static> {
    match kind {
        TypeKind::Year => ValueRef::Year(if bits == 0 { 0 } else { 1900 + (bits & 0xff) as u16 }),
        TypeKind::Bit { width } => ValueRef::Bit(Bit { value: bits, width: *width }),
        TypeKind::Enum { .. } | TypeKind::Set { .. } => ValueRef::UInt(bits),
        kind if kind.is_unsigned() => ValueRef::UInt(bits),
        _ => ValueRef::Int(bits as i64),
    }
}

/// The decimal of a DECIMAL column's value, at the column's scale.
pub(crate) fn decimal_of(ty: &ColumnType, value: &ValueRef<'_>) -> Result<Decimal> {
    let TypeKind::Decimal { precision, scale, .. } = ty.kind else { return Err(not_of_type(ty, value)) };
    let decimal = match *value {
        ValueRef::Decimal(v) => v,
        ValueRef::Int(v) => Decimal::from(v),
        ValueRef::UInt(v) => Decimal::from(v),
        _ => return Err(not_of_type(ty, value)),
    };
    if !decimal.fits(precision, scale) {
        return Err(not_of_type(ty, value));
    }
    decimal.round(scale)
}

/// A text without what its type does not keep: CHAR drops trailing spaces.
#[inline]
pub(crate) fn kept_text<'a>(kind: &TypeKind, text: &'a str) -> &'a str {
    if matches!(kind, TypeKind::Char { .. }) { text.trim_end_matches(' ') } else { text }
}

/// BINARY(n) is filled with zero bytes.
pub(crate) fn kept_bytes<'a>(kind: &TypeKind, bytes: &'a [u8]) -> Cow<'a, [u8]> {
    match kind {
        TypeKind::Binary { len } if bytes.len() < *len as usize => {
            let mut filled = bytes.to_vec();
            filled.resize(*len as usize, 0);
            Cow::Owned(filled)
        }
        _ => Cow::Borrowed(bytes),
    }
}

/// Appends the stored form of a value that is not NULL (which has none).
///
/// The value must be one that the type holds exactly, as
/// [`convert_for_store`](crate::convert::convert_for_store) returns it: [`Error::NotOfType`]
/// otherwise, with nothing appended. Lengths of strings are not checked here.
pub fn encode_column(ty: &ColumnType, value: &ValueRef<'_>, out: &mut Vec<u8>) -> Result<()> {
    let error = || not_of_type(ty, value);
    if let Some(width) = integer_width(&ty.kind) {
        let bits = integer_bits(ty, value)?;
        out.extend_from_slice(&bits.to_le_bytes()[..width]);
        return Ok(());
    }
    match (&ty.kind, *value) {
        (TypeKind::Decimal { precision, .. }, _) => {
            let bytes = decimal_of(ty, value)?.to_le_bytes();
            out.extend_from_slice(&bytes[..decimal_bytes(*precision)]);
        }
        (TypeKind::Float { .. }, ValueRef::Float(v)) => out.extend_from_slice(&v.to_le_bytes()),
        (TypeKind::Double { .. }, ValueRef::Double(v)) => out.extend_from_slice(&v.to_le_bytes()),
        (TypeKind::Double { .. }, ValueRef::Float(v)) => {
            out.extend_from_slice(&f64::from(v).to_le_bytes());
        }
        (TypeKind::Date, ValueRef::Date(v)) => out.extend_from_slice(&v.packed().to_le_bytes()[..3]),
        (TypeKind::DateTime { fsp }, ValueRef::DateTime(v)) => {
            if *fsp > 0 {
                out.extend_from_slice(&v.packed().to_le_bytes());
            } else if v.micro() == 0 {
                out.extend_from_slice(&(v.packed() >> 20).to_le_bytes()[..5]);
            } else {
                return Err(error());
            }
        }
        (TypeKind::Timestamp { fsp }, ValueRef::DateTime(v)) => {
            let micros = v.to_timestamp_micros().ok_or_else(error)?;
            if *fsp > 0 {
                out.extend_from_slice(&micros.to_le_bytes());
            } else if micros % MICROS_PER_SECOND == 0 {
                out.extend_from_slice(&(micros / MICROS_PER_SECOND).to_le_bytes()[..4]);
            } else {
                return Err(error());
            }
        }
        (TypeKind::Time { fsp }, ValueRef::Time(v)) => {
            if *fsp > 0 {
                out.extend_from_slice(&v.micros().to_le_bytes()[..6]);
            } else if v.micros() % MICROS_PER_SECOND == 0 {
                out.extend_from_slice(&(v.micros() / MICROS_PER_SECOND).to_le_bytes()[..3]);
            } else {
                return Err(error());
            }
        }
        (
            kind @ (TypeKind::Char { .. } | TypeKind::VarChar { .. } | TypeKind::Text { .. }),
            ValueRef::Text(v),
        ) => {
            out.extend_from_slice(kept_text(kind, v).as_bytes());
        }
        (
            kind @ (TypeKind::Binary { .. }
            | TypeKind::VarBinary { .. }
            | TypeKind::Blob { .. }
            | TypeKind::Geometry { .. }),
            ValueRef::Bytes(v),
        ) => out.extend_from_slice(&kept_bytes(kind, v)),
        (TypeKind::Json, ValueRef::Json(v)) => out.extend_from_slice(v),
        _ => return Err(error()),
    }
    Ok(())
}

/// Extends little-endian bytes (1 to 8 of them) to 64 bits, with the sign where there is one.
#[inline]
fn extend(raw: &[u8], signed: bool) -> Result<u64> {
    let value = match *raw {
        [a] => u64::from(a),
        [a, b] => u64::from(u16::from_le_bytes([a, b])),
        [a, b, c] => u64::from(u32::from_le_bytes([a, b, c, 0])),
        [a, b, c, d] => u64::from(u32::from_le_bytes([a, b, c, d])),
        [a, b, c, d, e, f, g, h] => u64::from_le_bytes([a, b, c, d, e, f, g, h]),
        [a, b, c, d, e, ref rest @ ..] if rest.len() < 3 => {
            let (f, g) = (rest.first().copied().unwrap_or(0), rest.get(1).copied().unwrap_or(0));
            u64::from_le_bytes([a, b, c, d, e, f, g, 0])
        }
        _ => return Err(Error::CorruptColumn("integer of an impossible length")),
    };
    let unused = 64 - 8 * raw.len() as u32;
    Ok(if signed { ((value << unused) as i64 >> unused) as u64 } else { value })
}

/// The value of a column's stored bytes. [`Error::CorruptColumn`] for bytes that are none.
#[inline]
pub fn decode_column<'a>(ty: &ColumnType, raw: &'a [u8]) -> Result<ValueRef<'a>> {
    Ok(match &ty.kind {
        TypeKind::Int { unsigned: false } | TypeKind::BigInt { unsigned: false } => {
            ValueRef::Int(extend(raw, true)? as i64)
        }
        TypeKind::Char { .. } | TypeKind::VarChar { .. } | TypeKind::Text { .. } => {
            ValueRef::Text(std::str::from_utf8(raw).map_err(|_| Error::CorruptColumn("text is not UTF-8"))?)
        }
        TypeKind::Binary { .. }
        | TypeKind::VarBinary { .. }
        | TypeKind::Blob { .. }
        | TypeKind::Geometry { .. } => ValueRef::Bytes(raw),
        TypeKind::Json => ValueRef::Json(raw),
        _ => return decode_rarer(ty, raw),
    })
}

fn decode_rarer(ty: &ColumnType, raw: &[u8]) -> Result<ValueRef<'static>> {
    const LENGTH: Error = Error::CorruptColumn("value of an impossible length");
    const CONTENT: Error = Error::CorruptColumn("value is out of its range");
    Ok(match ty.kind {
        TypeKind::Decimal { scale, .. } => {
            let sign = if raw.last().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 };
            let mut bytes = [sign; 32];
            if raw.is_empty() || raw.len() > 32 {
                return Err(LENGTH);
            }
            bytes[..raw.len()].copy_from_slice(raw);
            ValueRef::Decimal(Decimal::from_le_bytes(bytes, scale).map_err(|_| CONTENT)?)
        }
        TypeKind::Float { .. } => ValueRef::Float(f32::from_le_bytes(raw.try_into().map_err(|_| LENGTH)?)),
        TypeKind::Double { .. } => match raw.len() {
            4 => ValueRef::Double(f64::from(f32::from_le_bytes(raw.try_into().map_err(|_| LENGTH)?))),
            _ => ValueRef::Double(f64::from_le_bytes(raw.try_into().map_err(|_| LENGTH)?)),
        },
        TypeKind::Date => {
            let packed = if raw.len() == 3 { extend(raw, false)? } else { return Err(LENGTH) };
            ValueRef::Date(Date::from_packed(packed as i64).ok_or(CONTENT)?)
        }
        TypeKind::DateTime { fsp } => {
            let packed = match raw.len() {
                5 => extend(raw, false)? << 20,
                8 => extend(raw, false)?,
                _ => return Err(LENGTH),
            };
            ValueRef::DateTime(DateTime::from_packed(packed as i64, fsp.min(6)).ok_or(CONTENT)?)
        }
        TypeKind::Timestamp { fsp } => {
            let micros = match raw.len() {
                4 => extend(raw, false)? as i64 * MICROS_PER_SECOND,
                8 => extend(raw, true)? as i64,
                _ => return Err(LENGTH),
            };
            ValueRef::DateTime(DateTime::from_timestamp_micros(micros, fsp.min(6)).ok_or(CONTENT)?)
        }
        TypeKind::Time { fsp } => {
            let micros = match raw.len() {
                3 => extend(raw, true)? as i64 * MICROS_PER_SECOND,
                6 => extend(raw, true)? as i64,
                _ => return Err(LENGTH),
            };
            ValueRef::Time(Time::from_micros(micros, fsp.min(6)).ok_or(CONTENT)?)
        }
        ref kind => integer_value(kind, extend(raw, !kind.is_unsigned() && kind.is_integer())?),
    })
}
