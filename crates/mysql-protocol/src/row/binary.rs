//! Binary rows, and binary values as such: they are also what a client sends as parameters.
//!
//! A value's bytes depend on the type of its column (or parameter), not on the value: integers of 1, 2, 4
//! or 8 bytes, IEEE floats, dates and times in parts with trailing zero parts left out, everything else as
//! a length-encoded string. NULL is a bit in front of the values.

use crate::wire::{Put, Reader, put_lenenc_written};
use crate::{Error, Result};
use rustydb_value::{Date, DateTime, ProtocolType, Time, ValueRef};

/// Bits in front of the first column's NULL bit.
const ROW_OFFSET: usize = 2;

/// A binary row in the making: the packet's head and NULL bits stand, values follow column by column.
#[derive(Debug)]
pub struct RowStart {
    bitmap: usize,
}

/// Appends the head of a row of `columns` columns.
#[inline]
pub fn start_row(out: &mut Vec<u8>, columns: usize) -> RowStart {
    out.put_u8(0x00);
    let bitmap = out.len();
    out.resize(bitmap + (columns + ROW_OFFSET).div_ceil(8), 0);
    RowStart { bitmap }
}

impl RowStart {
    /// Appends the value of column `index`, counted from 0.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the value is of another kind than its column: nothing was appended.
    #[inline]
    pub fn put(
        &self,
        out: &mut Vec<u8>,
        index: usize,
        column_type: ProtocolType,
        value: &ValueRef<'_>,
    ) -> Result<()> {
        if value.is_null() {
            let bit = index + ROW_OFFSET;
            let byte = out.get_mut(self.bitmap + bit / 8).ok_or(Error::Malformed("column index"))?;
            *byte |= 1 << (bit % 8);
            return Ok(());
        }
        put_value(out, column_type, value)
    }
}

/// Appends a value that is not NULL in the form of `column_type`.
///
/// # Errors
/// [`Error::Malformed`] when the value is of another kind than the type: nothing was appended.
#[inline]
pub fn put_value(out: &mut Vec<u8>, column_type: ProtocolType, value: &ValueRef<'_>) -> Result<()> {
    use ProtocolType as T;
    match column_type {
        T::Tiny => out.put_u8(integer(value)? as u8),
        T::Short | T::Year => out.put_u16(integer(value)? as u16),
        T::Long | T::Int24 => out.put_u32(integer(value)? as u32),
        T::LongLong => out.put_u64(integer(value)?),
        T::Float => out.put_bytes(&(float(value)? as f32).to_le_bytes()),
        T::Double => out.put_bytes(&float(value)?.to_le_bytes()),
        T::Date | T::DateTime | T::Timestamp => match value {
            ValueRef::Date(date) => put_date_time(out, DateTime::from_date(*date)),
            ValueRef::DateTime(date_time) => put_date_time(out, *date_time),
            _ => return Err(MISMATCH),
        },
        T::Time => match value {
            ValueRef::Time(time) => put_time(out, *time),
            _ => return Err(MISMATCH),
        },
        _ => match value {
            ValueRef::Text(text) => out.put_lenenc_bytes(text.as_bytes()),
            ValueRef::Bytes(bytes) => out.put_lenenc_bytes(bytes),
            _ => put_lenenc_written(out, |out| value.write_text(out)),
        },
    }
    Ok(())
}

const MISMATCH: Error = Error::Malformed("value: of another kind than its column");

/// The integer's bits; a narrower column takes the low ones, which are the same signed or unsigned.
#[inline]
fn integer(value: &ValueRef<'_>) -> Result<u64> {
    match *value {
        ValueRef::Int(v) => Ok(v as u64),
        ValueRef::UInt(v) => Ok(v),
        ValueRef::Year(v) => Ok(u64::from(v)),
        ValueRef::Bit(v) => Ok(v.value),
        _ => Err(MISMATCH),
    }
}

#[inline]
fn float(value: &ValueRef<'_>) -> Result<f64> {
    match *value {
        ValueRef::Double(v) => Ok(v),
        ValueRef::Float(v) => Ok(f64::from(v)),
        _ => Err(MISMATCH),
    }
}

fn put_date_time(out: &mut Vec<u8>, value: DateTime) {
    let date = value.date();
    let (hour, minute, second, micro) = (value.hour(), value.minute(), value.second(), value.micro());
    let length = if micro != 0 {
        11
    } else if (hour, minute, second) != (0, 0, 0) {
        7
    } else if !date.is_zero() {
        4
    } else {
        0
    };
    out.put_u8(length);
    if length >= 4 {
        out.put_u16(date.year() as u16);
        out.put_bytes(&[date.month() as u8, date.day() as u8]);
    }
    if length >= 7 {
        out.put_bytes(&[hour as u8, minute as u8, second as u8]);
    }
    if length == 11 {
        out.put_u32(micro);
    }
}

fn put_time(out: &mut Vec<u8>, value: Time) {
    let micro = value.micro();
    if value.micros() == 0 {
        return out.put_u8(0);
    }
    out.put_u8(if micro == 0 { 8 } else { 12 });
    out.put_u8(u8::from(value.is_negative()));
    out.put_u32(value.hour() / 24);
    out.put_bytes(&[(value.hour() % 24) as u8, value.minute() as u8, value.second() as u8]);
    if micro != 0 {
        out.put_u32(micro);
    }
}

/// Reads a value that is not NULL in the form of `column_type`. Strings of every kind come as bytes: what
/// their characters are, only the session knows.
///
/// # Errors
/// [`Error::Malformed`] for dates and times whose parts no calendar or clock has. A TIME beyond MySQL's
/// range is moved to its end, as MySQL does.
#[inline]
pub fn read_value<'a>(
    reader: &mut Reader<'a>,
    column_type: ProtocolType,
    unsigned: bool,
) -> Result<ValueRef<'a>> {
    use ProtocolType as T;
    let whole = |signed: i64, bits: u64| if unsigned { ValueRef::UInt(bits) } else { ValueRef::Int(signed) };
    Ok(match column_type {
        T::Null => ValueRef::Null,
        T::Tiny => {
            let bits = reader.u8("TINYINT")?;
            whole(i64::from(bits as i8), u64::from(bits))
        }
        T::Short => {
            let bits = reader.u16("SMALLINT")?;
            whole(i64::from(bits as i16), u64::from(bits))
        }
        T::Year => ValueRef::UInt(u64::from(reader.u16("YEAR")?)),
        T::Long | T::Int24 => {
            let bits = reader.u32("INT")?;
            whole(i64::from(bits as i32), u64::from(bits))
        }
        T::LongLong => {
            let bits = reader.u64("BIGINT")?;
            whole(bits as i64, bits)
        }
        T::Float => ValueRef::Float(f32::from_le_bytes(reader.array("FLOAT")?)),
        T::Double => ValueRef::Double(f64::from_le_bytes(reader.array("DOUBLE")?)),
        T::Date => ValueRef::Date(read_date_time(reader)?.date()),
        T::DateTime | T::Timestamp => ValueRef::DateTime(read_date_time(reader)?),
        T::Time => ValueRef::Time(read_time(reader)?),
        _ => ValueRef::Bytes(reader.lenenc_bytes("string value")?),
    })
}

fn read_date_time(reader: &mut Reader<'_>) -> Result<DateTime> {
    const FIELD: &str = "date";
    let length = reader.u8(FIELD)?;
    let mut parts = Reader::new(reader.bytes(usize::from(length), FIELD)?);
    if length == 0 {
        return Ok(DateTime::ZERO);
    }
    let year = u32::from(parts.u16(FIELD)?);
    let [month, day] = parts.array(FIELD)?;
    let date = Date::new(year, u32::from(month), u32::from(day)).ok_or(Error::Malformed(FIELD))?;
    let [hour, minute, second] = if length > 4 { parts.array(FIELD)? } else { [0; 3] };
    let micro = if length > 7 { parts.u32(FIELD)? } else { 0 };
    let fsp = if micro == 0 { 0 } else { 6 };
    DateTime::new(date, u32::from(hour), u32::from(minute), u32::from(second), micro, fsp)
        .ok_or(Error::Malformed(FIELD))
}

fn read_time(reader: &mut Reader<'_>) -> Result<Time> {
    const FIELD: &str = "time";
    let length = reader.u8(FIELD)?;
    let mut parts = Reader::new(reader.bytes(usize::from(length), FIELD)?);
    if length == 0 {
        return Ok(Time::ZERO);
    }
    let negative = parts.u8(FIELD)? != 0;
    let days = i64::from(parts.u32(FIELD)?);
    let [hour, minute, second] = parts.array::<3>(FIELD)?.map(i64::from);
    let micro = if length > 8 { parts.u32(FIELD)? } else { 0 };
    if hour > 23 || minute > 59 || second > 59 || micro > 999_999 {
        return Err(Error::Malformed(FIELD));
    }
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    let micros = seconds.saturating_mul(1_000_000).saturating_add(i64::from(micro));
    Ok(Time::clamped(if negative { -micros } else { micros }, if micro == 0 { 0 } else { 6 }))
}

/// Reads a binary row into `cells`. `columns` gives the type of each column and whether it is unsigned.
pub fn read_row<'a>(
    packet: &'a [u8],
    columns: &[(ProtocolType, bool)],
    cells: &mut Vec<ValueRef<'a>>,
) -> Result<()> {
    let mut reader = Reader::new(packet);
    cells.clear();
    if reader.u8("row")? != 0 {
        return Err(Error::Malformed("binary row"));
    }
    let bitmap = reader.bytes((columns.len() + ROW_OFFSET).div_ceil(8), "NULL bits")?;
    for (index, &(column_type, unsigned)) in columns.iter().enumerate() {
        let bit = index + ROW_OFFSET;
        let null = bitmap[bit / 8] & 1 << (bit % 8) != 0;
        cells.push(if null { ValueRef::Null } else { read_value(&mut reader, column_type, unsigned)? });
    }
    if reader.is_empty() { Ok(()) } else { Err(Error::Malformed("binary row")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ProtocolType as T;
    use proptest::prelude::*;

    fn bytes(column_type: T, value: ValueRef<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        put_value(&mut out, column_type, &value).unwrap();
        out
    }

    fn date_time(hour: u32, second: u32, micro: u32) -> ValueRef<'static> {
        ValueRef::DateTime(DateTime::new(Date::new(2024, 2, 29).unwrap(), hour, 0, second, micro, 6).unwrap())
    }

    #[test]
    fn values_have_the_documented_bytes() {
        assert_eq!(bytes(T::Tiny, ValueRef::Int(-1)), [0xff]);
        assert_eq!(bytes(T::Short, ValueRef::UInt(0xfffe)), [0xfe, 0xff]);
        assert_eq!(bytes(T::Year, ValueRef::Year(2024)), [0xe8, 7]);
        assert_eq!(bytes(T::Int24, ValueRef::Int(-2)), [0xfe, 0xff, 0xff, 0xff]);
        assert_eq!(bytes(T::LongLong, ValueRef::UInt(1)), [1, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(
            bytes(T::Double, ValueRef::Double(10.2)),
            [0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x24, 0x40]
        );
        assert_eq!(bytes(T::Float, ValueRef::Float(10.2)), [0x33, 0x33, 0x23, 0x41]);
        assert_eq!(bytes(T::NewDecimal, ValueRef::Int(12)), [2, b'1', b'2']);
        assert_eq!(bytes(T::VarString, ValueRef::Text("foo")), [3, b'f', b'o', b'o']);
        assert_eq!(bytes(T::DateTime, date_time(1, 2, 3)), [11, 0xe8, 7, 2, 29, 1, 0, 2, 3, 0, 0, 0]);
        assert_eq!(bytes(T::DateTime, date_time(0, 1, 0)), [7, 0xe8, 7, 2, 29, 0, 0, 1]);
        assert_eq!(bytes(T::DateTime, date_time(0, 0, 0)), [4, 0xe8, 7, 2, 29]);
        assert_eq!(bytes(T::Date, ValueRef::Date(Date::ZERO)), [0]);
        let time = ValueRef::Time(Time::new(true, 120, 19, 27, 1, 6).unwrap());
        assert_eq!(bytes(T::Time, time), [12, 1, 5, 0, 0, 0, 0, 19, 27, 1, 0, 0, 0]);
        assert_eq!(bytes(T::Time, ValueRef::Time(Time::ZERO)), [0]);
    }

    #[test]
    fn a_value_of_another_kind_is_refused_and_leaves_nothing() {
        for (column_type, value) in [
            (T::LongLong, ValueRef::Text("1")),
            (T::Double, ValueRef::Int(1)),
            (T::Date, ValueRef::Int(1)),
            (T::Time, ValueRef::Date(Date::ZERO)),
        ] {
            let mut out = Vec::new();
            assert!(put_value(&mut out, column_type, &value).is_err());
            assert!(out.is_empty());
        }
    }

    #[test]
    fn impossible_dates_and_times_are_refused() {
        for bad in [
            &[4, 0xe8, 7, 13, 1][..],
            &[7, 0xe8, 7, 1, 1, 24, 0, 0],
            &[11, 0xe8, 7, 1, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
            &[5, 0, 0, 0, 0, 0],
            &[3, 1, 1, 1],
        ] {
            assert!(read_value(&mut Reader::new(bad), T::DateTime, false).is_err(), "{bad:?}");
        }
        assert!(read_value(&mut Reader::new(&[8, 0, 0, 0, 0, 0, 24, 0, 0]), T::Time, false).is_err());
        let far = [8, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 0];
        assert_eq!(
            read_value(&mut Reader::new(&far), T::Time, false),
            Ok(ValueRef::Time(Time::new(true, 838, 59, 59, 0, 0).unwrap()))
        );
    }

    #[test]
    fn null_bits_start_at_the_third() {
        let mut out = Vec::new();
        let columns = [T::Tiny; 8];
        let row = start_row(&mut out, columns.len());
        for (index, column_type) in columns.into_iter().enumerate() {
            let value = if matches!(index, 0 | 6) { ValueRef::Null } else { ValueRef::Int(index as i64) };
            row.put(&mut out, index, column_type, &value).unwrap();
        }
        assert_eq!(out, [0, 0b0000_0100, 0b0000_0001, 1, 2, 3, 4, 5, 7]);
        assert!(row.put(&mut out, 1000, T::Tiny, &ValueRef::Null).is_err());
    }

    fn value_of(column_type: T, unsigned: bool, seed: i64, text: &[u8]) -> ValueRef<'_> {
        let whole = |bits: u32| {
            if unsigned {
                ValueRef::UInt(seed as u64 & (u64::MAX >> (64 - bits)))
            } else {
                ValueRef::Int(seed << (64 - bits) >> (64 - bits))
            }
        };
        match column_type {
            T::Tiny => whole(8),
            T::Short => whole(16),
            T::Long | T::Int24 => whole(32),
            T::LongLong => whole(64),
            T::Year => ValueRef::UInt(seed as u64 & 0xffff),
            T::Float => ValueRef::Float(seed as f32),
            T::Double => ValueRef::Double(seed as f64),
            T::Time => ValueRef::Time(Time::clamped(seed >> 20, 6)),
            T::Date => ValueRef::Date(
                Date::new((seed & 0x1fff) as u32, (seed >> 13 & 7) as u32, (seed >> 16 & 31) as u32).unwrap(),
            ),
            T::DateTime | T::Timestamp => {
                date_time((seed & 15) as u32, (seed >> 4 & 31) as u32, (seed >> 9 & 0x7_ffff) as u32)
            }
            _ => ValueRef::Bytes(text),
        }
    }

    const TYPES: [T; 16] = [
        T::Tiny,
        T::Short,
        T::Long,
        T::Int24,
        T::LongLong,
        T::Year,
        T::Float,
        T::Double,
        T::Date,
        T::DateTime,
        T::Timestamp,
        T::Time,
        T::NewDecimal,
        T::VarString,
        T::Blob,
        T::Json,
    ];

    proptest! {
        #[test]
        fn rows_come_back(
            cells in proptest::collection::vec((0usize..TYPES.len(), any::<bool>(), any::<bool>(), any::<i64>(), proptest::collection::vec(any::<u8>(), 0..300)), 0..20)
        ) {
            let columns: Vec<_> = cells.iter().map(|cell| (TYPES[cell.0], cell.1)).collect();
            let values: Vec<_> = cells
                .iter()
                .map(|(ty, unsigned, null, seed, text)| if *null { ValueRef::Null } else { value_of(TYPES[*ty], *unsigned, *seed, text) })
                .collect();
            let mut out = Vec::new();
            let row = start_row(&mut out, columns.len());
            for (index, value) in values.iter().enumerate() {
                row.put(&mut out, index, columns[index].0, value).unwrap();
            }
            let mut read = Vec::new();
            read_row(&out, &columns, &mut read).unwrap();
            prop_assert_eq!(&read, &values);
            out.push(0);
            prop_assert!(read_row(&out, &columns, &mut Vec::new()).is_err());
        }

        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100), types in proptest::collection::vec((any::<u8>(), any::<bool>()), 0..20)) {
            let columns: Vec<_> = types.iter().filter_map(|&(byte, unsigned)| Some((T::from_byte(byte)?, unsigned))).collect();
            let _ = read_row(&bytes, &columns, &mut Vec::new());
        }
    }
}
