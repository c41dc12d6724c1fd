//! The byte form of column types and of constants (defaults, values of absent columns).
//!
//! A constant is a kind byte and its data, little-endian: it says itself what it is, whatever the column's
//! type has become. The numbers in this file are on disk: they are never given another meaning.

use std::sync::Arc;

use rustydb_value::{
    Bit, Collation, ColumnType, Date, DateTime, Decimal, GeometryShape, LobSize, Time, TypeKind, Value,
};

use super::wire::{Payload, Reader, WireError, WireResult, Writer};

/// ENUM's limit, far above SET's 64.
const MAX_MEMBERS: usize = 65_535;

mod tag {
    pub(super) const KIND: u64 = 1;
    pub(super) const UNSIGNED: u64 = 2;
    /// Length, precision, width, fractional digits or size, as the kind has it.
    pub(super) const SIZE: u64 = 3;
    pub(super) const SCALE: u64 = 4;
    /// FLOAT(M,D): two numbers.
    pub(super) const DIGITS: u64 = 5;
    pub(super) const MEMBER: u64 = 6;
    pub(super) const COLLATION: u64 = 7;
    pub(super) const DISPLAY_WIDTH: u64 = 8;
    pub(super) const ZEROFILL: u64 = 9;
    pub(super) const SRID: u64 = 10;
}

pub(super) fn write_type(writer: &mut Writer, ty: &ColumnType) {
    let (kind, size, scale, digits) = match &ty.kind {
        TypeKind::TinyInt { .. } => (1, 0, 0, None),
        TypeKind::SmallInt { .. } => (2, 0, 0, None),
        TypeKind::MediumInt { .. } => (3, 0, 0, None),
        TypeKind::Int { .. } => (4, 0, 0, None),
        TypeKind::BigInt { .. } => (5, 0, 0, None),
        TypeKind::Decimal { precision, scale, .. } => (6, u64::from(*precision), u64::from(*scale), None),
        TypeKind::Float { digits, .. } => (7, 0, 0, *digits),
        TypeKind::Double { digits, .. } => (8, 0, 0, *digits),
        TypeKind::Bit { width } => (9, u64::from(*width), 0, None),
        TypeKind::Year => (10, 0, 0, None),
        TypeKind::Date => (11, 0, 0, None),
        TypeKind::Time { fsp } => (12, u64::from(*fsp), 0, None),
        TypeKind::DateTime { fsp } => (13, u64::from(*fsp), 0, None),
        TypeKind::Timestamp { fsp } => (14, u64::from(*fsp), 0, None),
        TypeKind::Char { len } => (15, u64::from(*len), 0, None),
        TypeKind::VarChar { len } => (16, u64::from(*len), 0, None),
        TypeKind::Binary { len } => (17, u64::from(*len), 0, None),
        TypeKind::VarBinary { len } => (18, u64::from(*len), 0, None),
        TypeKind::Text { size } => (19, size_code(*size), 0, None),
        TypeKind::Blob { size } => (20, size_code(*size), 0, None),
        TypeKind::Enum { .. } => (21, 0, 0, None),
        TypeKind::Set { .. } => (22, 0, 0, None),
        TypeKind::Json => (23, 0, 0, None),
        TypeKind::Geometry { shape, .. } => (24, shape.code(), 0, None),
    };
    writer.number(tag::KIND, kind);
    // BIT and YEAR count as unsigned and never say so.
    writer.flag(tag::UNSIGNED, ty.is_unsigned() && ty.is_numeric());
    writer.number_unless_zero(tag::SIZE, size);
    writer.number_unless_zero(tag::SCALE, scale);
    if let Some((m, d)) = digits {
        writer.numbers(tag::DIGITS, [u64::from(m), u64::from(d)].into_iter());
    }
    if let TypeKind::Enum { members } | TypeKind::Set { members } = &ty.kind {
        for member in members.iter() {
            writer.text(tag::MEMBER, member);
        }
    }
    writer.number(tag::COLLATION, u64::from(ty.collation.id()));
    writer.number_unless_zero(tag::DISPLAY_WIDTH, u64::from(ty.display_width));
    writer.flag(tag::ZEROFILL, ty.zerofill);
    if let TypeKind::Geometry { srid: Some(srid), .. } = ty.kind {
        writer.number(tag::SRID, u64::from(srid));
    }
}

fn size_code(size: LobSize) -> u64 {
    match size {
        LobSize::Tiny => 1,
        LobSize::Regular => 2,
        LobSize::Medium => 3,
        LobSize::Long => 4,
    }
}

pub(super) fn read_type(mut reader: Reader<'_>) -> WireResult<ColumnType> {
    let mut kind = 0;
    let (mut unsigned, mut zerofill, mut display_width) = (false, false, 0);
    let (mut size, mut scale) = (0, 0);
    let (mut digits, mut srid) = (None, None);
    let mut members = Vec::new();
    let mut collation = None;
    while let Some((tag, payload)) = reader.next()? {
        match tag {
            tag::KIND => kind = payload.number()?,
            tag::UNSIGNED => unsigned = payload.flag()?,
            tag::SIZE => size = payload.small::<u32>()?,
            tag::SCALE => scale = payload.small::<u8>()?,
            tag::DIGITS => digits = Some(read_digits(payload)?),
            tag::MEMBER => members.push(payload.text()?),
            tag::COLLATION => collation = Some(read_collation(payload)?),
            tag::DISPLAY_WIDTH => display_width = payload.small()?,
            tag::ZEROFILL => zerofill = payload.flag()?,
            tag::SRID => srid = Some(payload.small::<u32>()?),
            _ => return Err(WireError::Newer),
        }
    }
    let within = |low: u32, high: u32| -> WireResult<u8> {
        match u8::try_from(size) {
            Ok(small) if (low..=high).contains(&size) => Ok(small),
            _ => Err(WireError::Damaged("a type's parameter is out of its range")),
        }
    };
    // A length that no column can have would be filled with zeros by who pads to it.
    let up_to = |most: u32| if size <= most { Ok(size) } else { Err(WireError::Damaged("a type's length")) };
    let lob = || match size {
        1 => Ok(LobSize::Tiny),
        2 => Ok(LobSize::Regular),
        3 => Ok(LobSize::Medium),
        4 => Ok(LobSize::Long),
        _ => Err(WireError::Damaged("the size of a TEXT or BLOB")),
    };
    let listed = |members: Vec<String>, most: usize| -> WireResult<Arc<[String]>> {
        if members.is_empty() || members.len() > most {
            return Err(WireError::Damaged("the number of an ENUM's or SET's members"));
        }
        Ok(members.into())
    };
    let kind = match kind {
        0 => return Err(WireError::Damaged("no type")),
        1 => TypeKind::TinyInt { unsigned },
        2 => TypeKind::SmallInt { unsigned },
        3 => TypeKind::MediumInt { unsigned },
        4 => TypeKind::Int { unsigned },
        5 => TypeKind::BigInt { unsigned },
        6 => {
            let precision = within(1, 65)?;
            if scale > 30 || scale > precision {
                return Err(WireError::Damaged("a DECIMAL's scale"));
            }
            TypeKind::Decimal { precision, scale, unsigned }
        }
        7 => TypeKind::Float { unsigned, digits },
        8 => TypeKind::Double { unsigned, digits },
        9 => TypeKind::Bit { width: within(1, 64)? },
        10 => TypeKind::Year,
        11 => TypeKind::Date,
        12 => TypeKind::Time { fsp: within(0, 6)? },
        13 => TypeKind::DateTime { fsp: within(0, 6)? },
        14 => TypeKind::Timestamp { fsp: within(0, 6)? },
        15 => TypeKind::Char { len: up_to(255)? },
        16 => TypeKind::VarChar { len: up_to(65_535)? },
        17 => TypeKind::Binary { len: up_to(255)? },
        18 => TypeKind::VarBinary { len: up_to(65_535)? },
        19 => TypeKind::Text { size: lob()? },
        20 => TypeKind::Blob { size: lob()? },
        21 => TypeKind::Enum { members: listed(members, MAX_MEMBERS)? },
        22 => TypeKind::Set { members: listed(members, 64)? },
        23 => TypeKind::Json,
        24 => {
            let shape = GeometryShape::ALL.into_iter().find(|shape| shape.code() == u64::from(size));
            TypeKind::Geometry { shape: shape.ok_or(WireError::Newer)?, srid }
        }
        _ => return Err(WireError::Newer),
    };
    let collation = collation.ok_or(WireError::Damaged("a type without a collation"))?;
    let ty = ColumnType { kind, collation, display_width, zerofill };
    // Anything else would be filled up to its length, which may be gigabytes.
    if zerofill && !ty.is_numeric() && ty.kind != TypeKind::Year {
        return Err(WireError::Damaged("ZEROFILL of what is not a number"));
    }
    Ok(ty)
}

fn read_digits(payload: Payload<'_>) -> WireResult<(u8, u8)> {
    let numbers = payload.numbers()?;
    let [m, d] = numbers.as_slice() else { return Err(WireError::Damaged("the digits of a FLOAT")) };
    match (u8::try_from(*m), u8::try_from(*d)) {
        (Ok(m), Ok(d)) => Ok((m, d)),
        _ => Err(WireError::Damaged("the digits of a FLOAT")),
    }
}

/// A collation that this version does not know came with a later one.
pub(super) fn read_collation(payload: Payload<'_>) -> WireResult<Collation> {
    Collation::from_id(payload.small()?).ok_or(WireError::Newer)
}

/// A constant in its byte form.
pub(super) fn encode_value(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    match value {
        Value::Null => out.push(0),
        Value::Int(v) => put(&mut out, 1, &v.to_le_bytes()),
        Value::UInt(v) => put(&mut out, 2, &v.to_le_bytes()),
        Value::Float(v) => put(&mut out, 3, &v.to_le_bytes()),
        Value::Double(v) => put(&mut out, 4, &v.to_le_bytes()),
        Value::Decimal(v) => {
            put(&mut out, 5, &[v.scale()]);
            out.extend_from_slice(&v.to_le_bytes());
        }
        Value::Bytes(v) => put(&mut out, 6, v),
        Value::Text(v) => put(&mut out, 7, v.as_bytes()),
        Value::Date(v) => put(&mut out, 8, &v.packed().to_le_bytes()),
        Value::Time(v) => {
            put(&mut out, 9, &[v.fsp()]);
            out.extend_from_slice(&v.micros().to_le_bytes());
        }
        Value::DateTime(v) => {
            put(&mut out, 10, &[v.fsp()]);
            out.extend_from_slice(&v.packed().to_le_bytes());
        }
        Value::Year(v) => put(&mut out, 11, &v.to_le_bytes()),
        Value::Bit(v) => {
            put(&mut out, 12, &[v.width]);
            out.extend_from_slice(&v.value.to_le_bytes());
        }
        Value::Json(v) => put(&mut out, 13, v),
    }
    out
}

fn put(out: &mut Vec<u8>, kind: u8, data: &[u8]) {
    out.push(kind);
    out.extend_from_slice(data);
}

pub(super) fn decode_value(bytes: &[u8]) -> WireResult<Value> {
    let (&kind, data) = bytes.split_first().ok_or(WireError::Damaged("an empty constant"))?;
    let damaged = || WireError::Damaged("a constant");
    Ok(match kind {
        0 if data.is_empty() => Value::Null,
        0 => return Err(damaged()),
        1 => Value::Int(i64::from_le_bytes(exact(data)?)),
        2 => Value::UInt(u64::from_le_bytes(exact(data)?)),
        3 => Value::Float(f32::from_le_bytes(exact(data)?)),
        4 => Value::Double(f64::from_le_bytes(exact(data)?)),
        5 => {
            let (scale, data) = head(data)?;
            Value::Decimal(Decimal::from_le_bytes(exact(data)?, scale).map_err(|_| damaged())?)
        }
        6 => Value::Bytes(data.to_vec()),
        7 => Value::Text(Payload(data).text()?),
        8 => Value::Date(Date::from_packed(i64::from_le_bytes(exact(data)?)).ok_or_else(damaged)?),
        9 => {
            let (fsp, data) = fsp(data)?;
            Value::Time(Time::from_micros(i64::from_le_bytes(exact(data)?), fsp).ok_or_else(damaged)?)
        }
        10 => {
            let (fsp, data) = fsp(data)?;
            Value::DateTime(DateTime::from_packed(i64::from_le_bytes(exact(data)?), fsp).ok_or_else(damaged)?)
        }
        11 => Value::Year(u16::from_le_bytes(exact(data)?)),
        12 => {
            let (width, data) = head(data)?;
            if !(1..=64).contains(&width) {
                return Err(damaged());
            }
            Value::Bit(Bit { value: u64::from_le_bytes(exact(data)?), width })
        }
        13 => {
            rustydb_value::Json::decode(data).map_err(|_| damaged())?;
            Value::Json(data.to_vec())
        }
        _ => return Err(WireError::Newer),
    })
}

fn exact<const N: usize>(data: &[u8]) -> WireResult<[u8; N]> {
    data.try_into().map_err(|_| WireError::Damaged("a constant has another length"))
}

fn head(data: &[u8]) -> WireResult<(u8, &[u8])> {
    data.split_first().map(|(&first, rest)| (first, rest)).ok_or(WireError::Damaged("a constant is cut off"))
}

fn fsp(data: &[u8]) -> WireResult<(u8, &[u8])> {
    match head(data)? {
        (fsp, rest) if fsp <= 6 => Ok((fsp, rest)),
        _ => Err(WireError::Damaged("the fractional digits of a constant")),
    }
}
