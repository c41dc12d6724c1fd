//! The stored form of keys: comparing bytes (memcmp) compares values.
//!
//! # Layout (format 1, final)
//!
//! A key is its parts, one after another. A part is a mark and a body:
//!
//! ```text
//! 00          NULL: sorts before every value, no body
//! 01 body     a value
//! ```
//!
//! A descending part is the same with every byte complemented (`ff`, or `fe body`), so NULL is last.
//! No part is the beginning of another part of the same column, so parts can be put together and
//! a key of the first columns is the beginning of all keys that agree in them.
//!
//! | type | body |
//! |---|---|
//! | integers, ENUM, SET, BIT, YEAR | big-endian in the row's width; for signed integers the sign bit is flipped |
//! | FLOAT, DOUBLE | IEEE 754 big-endian; negative: all bits flipped, else the sign bit; -0 as 0 |
//! | DECIMAL | the row's two's complement number, big-endian, sign bit flipped |
//! | DATE | 3 bytes, DATETIME 8 (packed), TIMESTAMP 8 (microseconds), big-endian, whatever the fsp |
//! | TIME | 6 bytes of microseconds, big-endian, sign bit flipped |
//! | BINARY, VARBINARY, BLOB, text of `utf8mb4_0900_bin` | the bytes, each `00` as `00 ff`, then `00 00` |
//! | text of `utf8mb4_0900_ai_ci` | 16-bit weights big-endian, none of them zero, then `00 00` |
//! | text of `PAD SPACE` collations | the sort key of [`crate::collation`], which ends itself |
//!
//! Text of case-folding and padding collations cannot be decoded: the row holds the original. All other
//! parts can ([`decode_key_part`]), and every part can be skipped ([`skip_key_part`]).

use crate::collation::Collation;
use crate::decimal::Decimal;
use crate::error::{Error, Result};
use crate::row::{
    decimal_bytes, decimal_of, integer_bits, integer_value, integer_width, kept_bytes, kept_text,
};
use crate::temporal::{Date, DateTime, Time};
use crate::types::{ColumnType, TypeKind};
use crate::value::{Value, ValueRef};

const NULL_MARK: u8 = 0;
const VALUE_MARK: u8 = 1;

/// Appends one part of a key.
///
/// The value must be NULL or one that the type holds exactly ([`Error::NotOfType`] otherwise, with
/// nothing appended).
#[inline]
pub fn encode_key_part(
    out: &mut Vec<u8>,
    ty: &ColumnType,
    value: ValueRef<'_>,
    descending: bool,
) -> Result<()> {
    // The commonest part by far: an integer key.
    if let (TypeKind::Int { unsigned: false } | TypeKind::BigInt { unsigned: false }, ValueRef::Int(v)) =
        (&ty.kind, value)
        && !descending
    {
        if matches!(ty.kind, TypeKind::BigInt { .. }) {
            let mut part = [VALUE_MARK; 9];
            part[1..].copy_from_slice(&(v ^ i64::MIN).to_be_bytes());
            out.extend_from_slice(&part);
            return Ok(());
        }
        if let Ok(v) = i32::try_from(v) {
            let mut part = [VALUE_MARK; 5];
            part[1..].copy_from_slice(&(v ^ i32::MIN).to_be_bytes());
            out.extend_from_slice(&part);
            return Ok(());
        }
    }
    let start = out.len();
    let done = if value.is_null() {
        out.push(NULL_MARK);
        Ok(())
    } else {
        out.push(VALUE_MARK);
        encode_body(out, ty, value)
    };
    if done.is_err() {
        out.truncate(start);
    } else if descending {
        out[start..].iter_mut().for_each(|byte| *byte = !*byte);
    }
    done
}

fn encode_body(out: &mut Vec<u8>, ty: &ColumnType, value: ValueRef<'_>) -> Result<()> {
    let error = || Error::NotOfType { value: value.kind_name(), column: ty.kind.name() };
    if let Some(width) = integer_width(&ty.kind) {
        let mut bits = integer_bits(ty, &value)?;
        if is_signed(&ty.kind) {
            bits ^= 1 << (width * 8 - 1);
        }
        out.extend_from_slice(&bits.to_be_bytes()[8 - width..]);
        return Ok(());
    }
    match (&ty.kind, value) {
        (TypeKind::Decimal { precision, .. }, _) => {
            let width = decimal_bytes(*precision);
            let start = out.len();
            out.extend(decimal_of(ty, &value)?.to_le_bytes()[..width].iter().rev());
            out[start] ^= 0x80;
        }
        (TypeKind::Float { .. }, ValueRef::Float(v)) => {
            let bits = (v + 0.0).to_bits();
            let ordered = if bits >> 31 != 0 { !bits } else { bits | 1 << 31 };
            out.extend_from_slice(&ordered.to_be_bytes());
        }
        (TypeKind::Double { .. }, ValueRef::Double(v)) => encode_double(v, out),
        (TypeKind::Double { .. }, ValueRef::Float(v)) => encode_double(f64::from(v), out),
        (TypeKind::Date, ValueRef::Date(v)) => out.extend_from_slice(&v.packed().to_be_bytes()[5..]),
        (TypeKind::DateTime { .. }, ValueRef::DateTime(v)) => {
            out.extend_from_slice(&v.packed().to_be_bytes());
        }
        (TypeKind::Timestamp { .. }, ValueRef::DateTime(v)) => {
            out.extend_from_slice(&v.to_timestamp_micros().ok_or_else(error)?.to_be_bytes());
        }
        (TypeKind::Time { .. }, ValueRef::Time(v)) => {
            out.extend_from_slice(&(v.micros() ^ 1 << 47).to_be_bytes()[2..]);
        }
        (
            kind @ (TypeKind::Char { .. } | TypeKind::VarChar { .. } | TypeKind::Text { .. }),
            ValueRef::Text(v),
        ) => {
            encode_text(out, ty.collation, kept_text(kind, v));
        }
        (
            kind @ (TypeKind::Binary { .. } | TypeKind::VarBinary { .. } | TypeKind::Blob { .. }),
            ValueRef::Bytes(v),
        ) => {
            encode_bytes(out, &kept_bytes(kind, v));
            out.extend_from_slice(&[0, 0]);
        }
        (TypeKind::Json | TypeKind::Geometry { .. }, _) => return Err(Error::NoKeyForm(ty.kind.name())),
        _ => return Err(error()),
    }
    Ok(())
}

fn is_signed(kind: &TypeKind) -> bool {
    kind.is_integer() && !kind.is_unsigned()
}

fn encode_double(v: f64, out: &mut Vec<u8>) {
    // Adding zero turns -0 into 0.
    let bits = (v + 0.0).to_bits();
    let ordered = if bits >> 63 != 0 { !bits } else { bits | 1 << 63 };
    out.extend_from_slice(&ordered.to_be_bytes());
}

fn encode_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut rest = bytes;
    while let Some(zero) = rest.iter().position(|&byte| byte == 0) {
        out.extend_from_slice(&rest[..=zero]);
        out.push(0xff);
        rest = &rest[zero + 1..];
    }
    out.extend_from_slice(rest);
}

fn encode_text(out: &mut Vec<u8>, collation: Collation, text: &str) {
    match body_form(collation) {
        TextForm::Escaped => {
            encode_bytes(out, text.as_bytes());
            out.extend_from_slice(&[0, 0]);
        }
        TextForm::Weights => {
            collation.sort_key(text, out);
            out.extend_from_slice(&[0, 0]);
        }
        TextForm::PaddedWide | TextForm::PaddedBytes => collation.sort_key(text, out),
    }
}

/// How the text of a collation stands in a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TextForm {
    /// Escaped bytes and `00 00`.
    Escaped,
    /// Weights of two bytes and `00 00`.
    Weights,
    /// A sort key of two-byte weights that ends itself.
    PaddedWide,
    /// A sort key of one-byte weights that ends itself.
    PaddedBytes,
}

fn body_form(collation: Collation) -> TextForm {
    match (collation.is_padded(), collation.weight_bytes()) {
        (true, 2) => TextForm::PaddedWide,
        (true, _) => TextForm::PaddedBytes,
        (false, 2) => TextForm::Weights,
        (false, _) => TextForm::Escaped,
    }
}

/// The length of the part at the head of `key`.
pub fn skip_key_part(ty: &ColumnType, key: &[u8], descending: bool) -> Result<usize> {
    let flip = if descending { 0xff } else { 0 };
    match key.first().map(|byte| byte ^ flip) {
        Some(NULL_MARK) => return Ok(1),
        Some(VALUE_MARK) => {}
        _ => return Err(Error::CorruptKey("a part has no mark")),
    }
    let body = &key[1..];
    let len = match &ty.kind {
        TypeKind::Decimal { precision, .. } => decimal_bytes(*precision),
        TypeKind::Float { .. } => 4,
        TypeKind::Double { .. } | TypeKind::DateTime { .. } | TypeKind::Timestamp { .. } => 8,
        TypeKind::Date => 3,
        TypeKind::Time { .. } => 6,
        TypeKind::Char { .. } | TypeKind::VarChar { .. } | TypeKind::Text { .. } => {
            text_len(body_form(ty.collation), body, flip)?
        }
        TypeKind::Binary { .. } | TypeKind::VarBinary { .. } | TypeKind::Blob { .. } => {
            text_len(TextForm::Escaped, body, flip)?
        }
        TypeKind::Json | TypeKind::Geometry { .. } => return Err(Error::NoKeyForm(ty.kind.name())),
        kind => integer_width(kind).ok_or(Error::CorruptKey("type without a width"))?,
    };
    if body.len() < len {
        return Err(Error::CorruptKey("a part is cut"));
    }
    Ok(1 + len)
}

/// The length of a text body with its end.
fn text_len(form: TextForm, body: &[u8], flip: u8) -> Result<usize> {
    const CUT: Error = Error::CorruptKey("text does not end");
    let byte = |at: usize| body.get(at).map(|byte| byte ^ flip).ok_or(CUT);
    let mut at = 0;
    match form {
        TextForm::Escaped => loop {
            if byte(at)? == 0 {
                match byte(at + 1)? {
                    0 => return Ok(at + 2),
                    0xff => at += 1,
                    _ => return Err(Error::CorruptKey("unknown escape")),
                }
            }
            at += 1;
        },
        TextForm::Weights => loop {
            let weight = (byte(at)?, byte(at + 1)?);
            at += 2;
            if weight == (0, 0) {
                return Ok(at);
            }
        },
        TextForm::PaddedWide | TextForm::PaddedBytes => loop {
            let space = if form == TextForm::PaddedWide {
                let weight = (byte(at)?, byte(at + 1)?);
                at += 2;
                weight == (0, b' ')
            } else {
                at += 1;
                byte(at - 1)? == b' '
            };
            if space {
                at += 1;
                if byte(at - 1)? == crate::collation::SPACE_THEN_END {
                    return Ok(at);
                }
            }
        },
    }
}

/// Whether [`decode_key_part`] can give back values of the type.
pub fn is_key_decodable(ty: &ColumnType) -> bool {
    match ty.kind {
        TypeKind::Json | TypeKind::Geometry { .. } => false,
        TypeKind::Char { .. } | TypeKind::VarChar { .. } | TypeKind::Text { .. } => {
            body_form(ty.collation) == TextForm::Escaped
        }
        _ => true,
    }
}

/// Reads the part at the head of `key`; its value and length.
///
/// [`Error::KeyNotDecodable`] for text of collations that fold or pad, [`Error::CorruptKey`] for
/// bytes that are no such part.
pub fn decode_key_part(ty: &ColumnType, key: &[u8], descending: bool) -> Result<(Value, usize)> {
    const CONTENT: Error = Error::CorruptKey("a value is out of its range");
    if !is_key_decodable(ty) {
        return Err(Error::KeyNotDecodable(ty.kind.name()));
    }
    let len = skip_key_part(ty, key, descending)?;
    let flip = if descending { 0xff } else { 0 };
    if len == 1 {
        return Ok((Value::Null, 1));
    }
    let body = &key[1..len];
    let bits = || body.iter().take(8).fold(0u64, |bits, byte| bits << 8 | u64::from(byte ^ flip));
    let value = match &ty.kind {
        TypeKind::Decimal { scale, .. } => {
            let negative = (body[0] ^ flip) & 0x80 == 0;
            let mut bytes = [if negative { 0xff } else { 0 }; 32];
            for (to, from) in bytes.iter_mut().zip(body.iter().rev()) {
                *to = from ^ flip;
            }
            bytes[body.len() - 1] ^= 0x80;
            Value::Decimal(Decimal::from_le_bytes(bytes, *scale).map_err(|_| CONTENT)?)
        }
        TypeKind::Float { .. } => {
            let bits = bits() as u32;
            Value::Float(f32::from_bits(if bits >> 31 != 0 { bits & !(1 << 31) } else { !bits }))
        }
        TypeKind::Double { .. } => {
            let bits = bits();
            Value::Double(f64::from_bits(if bits >> 63 != 0 { bits & !(1 << 63) } else { !bits }))
        }
        TypeKind::Date => Value::Date(Date::from_packed(bits() as i64).ok_or(CONTENT)?),
        TypeKind::DateTime { fsp } => {
            Value::DateTime(DateTime::from_packed(bits() as i64, (*fsp).min(6)).ok_or(CONTENT)?)
        }
        TypeKind::Timestamp { fsp } => {
            Value::DateTime(DateTime::from_timestamp_micros(bits() as i64, (*fsp).min(6)).ok_or(CONTENT)?)
        }
        TypeKind::Time { fsp } => {
            let micros = ((bits() ^ 1 << 47) << 16) as i64 >> 16;
            Value::Time(Time::from_micros(micros, (*fsp).min(6)).ok_or(CONTENT)?)
        }
        TypeKind::Char { .. } | TypeKind::VarChar { .. } | TypeKind::Text { .. } => {
            let text = String::from_utf8(unescape(body, flip));
            Value::Text(text.map_err(|_| Error::CorruptKey("text is not UTF-8"))?)
        }
        TypeKind::Binary { .. } | TypeKind::VarBinary { .. } | TypeKind::Blob { .. } => {
            Value::Bytes(unescape(body, flip))
        }
        kind => {
            let width = body.len() as u32;
            let mut bits = bits();
            if is_signed(kind) {
                let unused = 64 - width * 8;
                bits = (((bits ^ 1 << (width * 8 - 1)) << unused) as i64 >> unused) as u64;
            }
            integer_value(kind, bits).to_owned()
        }
    };
    Ok((value, len))
}

/// The bytes of an escaped body whose form [`skip_key_part`] has checked.
fn unescape(body: &[u8], flip: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut bytes = body[..body.len().saturating_sub(2)].iter().map(|byte| byte ^ flip);
    while let Some(byte) = bytes.next() {
        out.push(byte);
        if byte == 0 {
            bytes.next();
        }
    }
    out
}

/// Builds keys of several parts. One builder serves many keys: [`Self::clear`] keeps its buffer.
#[derive(Debug, Default)]
pub struct KeyBuilder {
    bytes: Vec<u8>,
}

impl KeyBuilder {
    /// An empty key.
    pub fn new() -> Self {
        Self::default()
    }

    /// Empties the key, keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Appends a part; see [`encode_key_part`].
    #[inline]
    pub fn push(&mut self, ty: &ColumnType, value: ValueRef<'_>, descending: bool) -> Result<()> {
        encode_key_part(&mut self.bytes, ty, value, descending)
    }

    /// Appends parts that are encoded already, such as a primary key behind a secondary one.
    pub fn push_encoded(&mut self, parts: &[u8]) {
        self.bytes.extend_from_slice(parts);
    }

    /// The key so far.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The key.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// The smallest key that is greater than every key that begins with `prefix`: the exclusive upper
/// bound of a prefix range. `None` where there is none (all bytes `ff`, or an empty prefix).
pub fn prefix_successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&byte| byte != 0xff)?;
    let mut out = prefix[..=last].to_vec();
    out[last] += 1;
    Some(out)
}

/// The smallest key that is greater than `key`.
pub fn key_successor(key: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(key.len() + 1);
    out.extend_from_slice(key);
    out.push(0);
    out
}

/// Appends the beginning that the parts of all texts starting with `prefix` share. Spaces at its
/// end are left out where the type or the collation does not keep them.
///
/// With [`prefix_successor`] it bounds the scan for `LIKE 'prefix%'`; the rows found must still be
/// tested, and a descending part has its bounds swapped.
pub fn encode_text_prefix(out: &mut Vec<u8>, ty: &ColumnType, prefix: &str, descending: bool) -> Result<()> {
    if !matches!(ty.kind, TypeKind::Char { .. } | TypeKind::VarChar { .. } | TypeKind::Text { .. }) {
        return Err(Error::NotOfType { value: "CHAR", column: ty.kind.name() });
    }
    let start = out.len();
    out.push(VALUE_MARK);
    match body_form(ty.collation) {
        TextForm::Escaped => {
            // CHAR drops trailing spaces.
            encode_bytes(out, kept_text(&ty.kind, prefix).as_bytes());
        }
        TextForm::Weights => {
            ty.collation.prefix_key(kept_text(&ty.kind, prefix), out);
        }
        form => {
            // The sort key without its end: a space and its mark.
            ty.collation.sort_key(prefix.trim_end_matches(' '), out);
            let end = if form == TextForm::PaddedWide { 3 } else { 2 };
            out.truncate(out.len() - end);
        }
    }
    if descending {
        out[start..].iter_mut().for_each(|byte| *byte = !*byte);
    }
    Ok(())
}
