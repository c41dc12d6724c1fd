//! Text rows: every cell as the text that a client would print, or NULL.
//!
//! A column's own formatting (ZEROFILL, a fixed number of decimals) is part of its text form, so the
//! encoder is told by a [`TextFormat`] per column.

use crate::wire::{NULL, Put, Reader, put_lenenc_written};
use crate::{Error, Result};
use rustydb_value::{ProtocolType, ValueRef, column_flags};
use std::io::Write;

/// `decimals` of a number without a fixed number of them.
const NOT_FIXED: u8 = 31;

/// How a column's values are written as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextFormat {
    /// As the value prints itself.
    Plain,
    /// With zeros in front to this many characters (ZEROFILL).
    ZeroFilled(u32),
    /// A float with this many digits after the point (`FLOAT(7,2)`).
    Fixed(u8),
    /// Both.
    FixedZeroFilled(u8, u32),
}

impl TextFormat {
    /// The format of a column by its definition.
    pub fn of(column_type: ProtocolType, flags: u16, length: u32, decimals: u8) -> TextFormat {
        let float = matches!(column_type, ProtocolType::Float | ProtocolType::Double) && decimals < NOT_FIXED;
        // No declared width is above 255; a longer one cannot come from ZEROFILL.
        let filled = flags & column_flags::ZEROFILL != 0 && length <= 255;
        match (float, filled) {
            (false, false) => TextFormat::Plain,
            (false, true) => TextFormat::ZeroFilled(length),
            (true, false) => TextFormat::Fixed(decimals),
            (true, true) => TextFormat::FixedZeroFilled(decimals, length),
        }
    }

    #[cold]
    fn write(self, value: &ValueRef<'_>, out: &mut Vec<u8>) {
        let start = out.len();
        let decimals = match self {
            TextFormat::Fixed(decimals) | TextFormat::FixedZeroFilled(decimals, _) => Some(decimals),
            _ => None,
        };
        // Writing into a Vec cannot fail.
        let _ = match (decimals, value) {
            (Some(decimals), ValueRef::Double(v)) => write!(out, "{v:.*}", usize::from(decimals)),
            (Some(decimals), ValueRef::Float(v)) => {
                write!(out, "{:.*}", usize::from(decimals), f64::from(*v))
            }
            _ => {
                value.write_text(out);
                Ok(())
            }
        };
        if let TextFormat::ZeroFilled(width) | TextFormat::FixedZeroFilled(_, width) = self {
            let missing = (width as usize).saturating_sub(out.len() - start);
            if missing > 0 && out.get(start) != Some(&b'-') {
                out.splice(start..start, std::iter::repeat_n(b'0', missing));
            }
        }
    }
}

/// Appends one cell of a text row.
#[inline]
pub fn put_cell(out: &mut Vec<u8>, value: &ValueRef<'_>, format: TextFormat) {
    match value {
        ValueRef::Null => out.put_u8(NULL),
        ValueRef::Text(text) => out.put_lenenc_bytes(text.as_bytes()),
        ValueRef::Bytes(bytes) => out.put_lenenc_bytes(bytes),
        _ if format == TextFormat::Plain => put_lenenc_written(out, |out| value.write_text(out)),
        _ => put_lenenc_written(out, |out| format.write(value, out)),
    }
}

/// Reads a text row of `columns` cells into `cells`; NULL is none.
pub fn read_row<'a>(packet: &'a [u8], columns: usize, cells: &mut Vec<Option<&'a [u8]>>) -> Result<()> {
    let mut reader = Reader::new(packet);
    cells.clear();
    for _ in 0..columns {
        cells.push(reader.lenenc_bytes_or_null("cell")?);
    }
    if reader.is_empty() { Ok(()) } else { Err(Error::Malformed("row")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cell(value: ValueRef<'_>, format: TextFormat) -> Vec<u8> {
        let mut out = Vec::new();
        put_cell(&mut out, &value, format);
        out
    }

    #[test]
    fn cells_are_length_encoded_text() {
        assert_eq!(cell(ValueRef::Null, TextFormat::Plain), [0xfb]);
        assert_eq!(cell(ValueRef::Int(-12), TextFormat::Plain), b"\x03-12");
        assert_eq!(cell(ValueRef::Text("é"), TextFormat::Plain), b"\x02\xc3\xa9");
        assert_eq!(cell(ValueRef::Bytes(&[0xfb]), TextFormat::Plain), b"\x01\xfb");
        assert_eq!(cell(ValueRef::Text(""), TextFormat::Plain), b"\x00");
    }

    #[test]
    fn declared_widths_and_decimals_show() {
        let of = |ty, flags, length, decimals| TextFormat::of(ty, flags, length, decimals);
        let zerofill = column_flags::ZEROFILL | column_flags::UNSIGNED;
        assert_eq!(cell(ValueRef::UInt(7), of(ProtocolType::Long, zerofill, 5, 0)), b"\x0500007");
        assert_eq!(cell(ValueRef::UInt(123456), of(ProtocolType::Long, zerofill, 5, 0)), b"\x06123456");
        assert_eq!(cell(ValueRef::Double(1.005), of(ProtocolType::Double, 0, 7, 2)), b"\x041.00");
        assert_eq!(cell(ValueRef::Float(2.5), of(ProtocolType::Float, zerofill, 7, 2)), b"\x070002.50");
        assert_eq!(cell(ValueRef::Double(2.5), of(ProtocolType::Double, 0, 22, 31)), b"\x032.5");
        assert_eq!(cell(ValueRef::Null, of(ProtocolType::Long, zerofill, 5, 0)), [0xfb]);
    }

    #[test]
    fn a_row_with_too_much_or_too_little_is_refused() {
        let mut cells = Vec::new();
        read_row(b"\x01a\xfb\x00", 3, &mut cells).unwrap();
        assert_eq!(cells, [Some(&b"a"[..]), None, Some(b"")]);
        assert!(read_row(b"\x01a\xfb\x00", 2, &mut cells).is_err());
        assert!(read_row(b"\x01a\xfb\x00", 4, &mut cells).is_err());
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100), columns in 0usize..50) {
            let mut cells = Vec::new();
            let _ = read_row(&bytes, columns, &mut cells);
            prop_assert!(cells.len() <= bytes.len());
        }
    }
}
