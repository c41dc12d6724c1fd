//! Column types as declared, checked as MySQL checks them and turned into stored types.
//!
//! Every limit here has its own error number; the texts quote the column. What MySQL deprecates it
//! still accepts with warning 1681, and so do we.

use std::sync::Arc;

use rustydb_sql_parser::ast::{self, DataType, Ident, IntegerSize, NumericSign, StringLiteral};
use rustydb_value::{Charset, Collation, ColumnType, GeometryShape, LobSize, TypeKind};

use super::charset::column_collation;
use crate::error::SqlError;
use crate::session::SessionState;
use crate::variables::SqlMode;

/// The most characters of CHAR.
const MAX_CHAR: u64 = 255;
/// The most bytes of a row without its BLOBs, and so of a VARCHAR.
pub(crate) const MAX_ROW_BYTES: u64 = 65_535;

/// The type of column `name`, with `collate` of its attributes and the table's default collation.
pub(crate) fn column_type(
    name: &str,
    declared: &DataType,
    collate: Option<&Ident>,
    default: Collation,
    session: &mut SessionState,
) -> Result<ColumnType, SqlError> {
    let plain = |kind| Ok(ColumnType::new(kind));
    match declared {
        DataType::Integer { size, display_width, sign } => {
            integer(name, *size, *display_width, *sign, session)
        }
        DataType::Boolean => {
            let mut ty = ColumnType::new(TypeKind::TinyInt { unsigned: false });
            ty.display_width = 1;
            Ok(ty)
        }
        DataType::Serial => plain(TypeKind::BigInt { unsigned: true }),
        DataType::Decimal { precision, scale, sign } => decimal(name, *precision, *scale, *sign, session),
        DataType::Float { precision, scale, sign } => {
            let digits = float_digits(name, *precision, *scale, session)?;
            match (precision, scale) {
                (Some(p), None) if *p > 53 => Err(SqlError::wrong_column_specifier(name)),
                (Some(p), None) if *p > 24 => Ok(float(true, None, *sign, session)),
                _ => Ok(float(false, digits, *sign, session)),
            }
        }
        DataType::Double { precision, scale, sign } => {
            let digits = float_digits(name, *precision, *scale, session)?;
            Ok(float(true, digits, *sign, session))
        }
        DataType::Real { precision, scale, sign } => {
            let digits = float_digits(name, *precision, *scale, session)?;
            let double = !session.settings.sql_mode.has(SqlMode::REAL_AS_FLOAT);
            Ok(float(double, digits, *sign, session))
        }
        DataType::Bit { width } => match width.unwrap_or(1) {
            0 => Err(SqlError::invalid_size(name)),
            width @ 1..=64 => plain(TypeKind::Bit { width: width as u8 }),
            _ => Err(SqlError::display_width(name, 64)),
        },
        DataType::Date => plain(TypeKind::Date),
        DataType::Time { fsp } => plain(TypeKind::Time { fsp: digits(name, *fsp)? }),
        DataType::DateTime { fsp } => plain(TypeKind::DateTime { fsp: digits(name, *fsp)? }),
        DataType::Timestamp { fsp } => plain(TypeKind::Timestamp { fsp: digits(name, *fsp)? }),
        DataType::Year { display_width, .. } => match display_width {
            None => plain(TypeKind::Year),
            Some(4) => {
                session.warn(&SqlError::deprecated_use("YEAR(4)", "YEAR"));
                plain(TypeKind::Year)
            }
            Some(_) => Err(SqlError::invalid_year_width()),
        },
        DataType::Char { length, charset, national } => {
            let length = length.unwrap_or(1);
            if length > MAX_CHAR {
                return Err(SqlError::column_too_long(name, MAX_CHAR));
            }
            let collation = column_collation(charset, *national, collate, default, session)?;
            let len = length as u32;
            Ok(match collation.charset() {
                Charset::Binary => ColumnType::new(TypeKind::Binary { len }),
                _ => ColumnType::with_collation(TypeKind::Char { len }, collation),
            })
        }
        DataType::VarChar { length, charset, national } => {
            let collation = column_collation(charset, *national, collate, default, session)?;
            let limit = MAX_ROW_BYTES / u64::from(collation.charset().max_bytes_per_char());
            if *length > limit {
                return Err(SqlError::column_too_long(name, limit));
            }
            let len = *length as u32;
            Ok(match collation.charset() {
                Charset::Binary => ColumnType::new(TypeKind::VarBinary { len }),
                _ => ColumnType::with_collation(TypeKind::VarChar { len }, collation),
            })
        }
        DataType::Binary { length } => match length.unwrap_or(1) {
            len @ ..=MAX_CHAR => plain(TypeKind::Binary { len: len as u32 }),
            _ => Err(SqlError::column_too_long(name, MAX_CHAR)),
        },
        DataType::VarBinary { length } => match *length {
            len @ ..=MAX_ROW_BYTES => plain(TypeKind::VarBinary { len: len as u32 }),
            _ => Err(SqlError::column_too_long(name, MAX_ROW_BYTES)),
        },
        DataType::Text { size, length, charset } => {
            let collation = column_collation(charset, false, collate, default, session)?;
            let bytes = length.map(|n| n.saturating_mul(u64::from(collation.charset().max_bytes_per_char())));
            let size = lob_size(*size, bytes);
            Ok(match collation.charset() {
                Charset::Binary => ColumnType::new(TypeKind::Blob { size }),
                _ => ColumnType::with_collation(TypeKind::Text { size }, collation),
            })
        }
        DataType::Blob { size, length } => plain(TypeKind::Blob { size: lob_size(*size, *length) }),
        DataType::Enum { members, charset } => {
            let collation = column_collation(charset, false, collate, default, session)?;
            let members = member_list(name, members, collation, "ENUM")?;
            if members.len() > 65_535 {
                return Err(SqlError::too_many_columns());
            }
            Ok(ColumnType::with_collation(TypeKind::Enum { members }, collation))
        }
        DataType::Set { members, charset } => {
            let collation = column_collation(charset, false, collate, default, session)?;
            let members = member_list(name, members, collation, "SET")?;
            if members.len() > 64 {
                return Err(SqlError::set_too_big(name));
            }
            if let Some(bad) = members.iter().find(|m| m.contains(',')) {
                return Err(SqlError::illegal_value_parsing("set", bad));
            }
            Ok(ColumnType::with_collation(TypeKind::Set { members }, collation))
        }
        DataType::Json => Ok(ColumnType::with_collation(TypeKind::Json, Collation::BINARY)),
        DataType::Geometry(shape) => plain(TypeKind::Geometry { shape: geometry_shape(*shape), srid: None }),
        DataType::Vector { .. } => Err(SqlError::not_supported("the VECTOR type")),
    }
}

fn geometry_shape(shape: ast::GeometryType) -> GeometryShape {
    use ast::GeometryType as G;
    match shape {
        G::Geometry => GeometryShape::Geometry,
        G::Point => GeometryShape::Point,
        G::LineString => GeometryShape::LineString,
        G::Polygon => GeometryShape::Polygon,
        G::MultiPoint => GeometryShape::MultiPoint,
        G::MultiLineString => GeometryShape::MultiLineString,
        G::MultiPolygon => GeometryShape::MultiPolygon,
        G::GeometryCollection => GeometryShape::Collection,
    }
}

fn integer(
    name: &str,
    size: IntegerSize,
    width: Option<u32>,
    sign: NumericSign,
    session: &mut SessionState,
) -> Result<ColumnType, SqlError> {
    let unsigned = sign.unsigned || sign.zerofill;
    let (kind, digits) = match size {
        IntegerSize::Tiny => (TypeKind::TinyInt { unsigned }, 3),
        IntegerSize::Small => (TypeKind::SmallInt { unsigned }, 5),
        IntegerSize::Medium => (TypeKind::MediumInt { unsigned }, 8),
        IntegerSize::Int => (TypeKind::Int { unsigned }, 10),
        IntegerSize::Big => (TypeKind::BigInt { unsigned }, 20),
    };
    if width.is_some_and(|w| w > 255) {
        return Err(SqlError::display_width(name, 255));
    }
    let boolean = size == IntegerSize::Tiny && width == Some(1) && !unsigned;
    if width.is_some() {
        session.warn(&SqlError::deprecated("Integer display width"));
    }
    if sign.zerofill {
        session.warn(&SqlError::zerofill_deprecated());
    }
    let mut ty = ColumnType::new(kind);
    ty.zerofill = sign.zerofill;
    if sign.zerofill {
        ty.display_width = width.filter(|w| *w > 0).unwrap_or(digits) as u8;
    } else if boolean {
        ty.display_width = 1;
    }
    Ok(ty)
}

fn decimal(
    name: &str,
    precision: Option<u32>,
    scale: Option<u32>,
    sign: NumericSign,
    session: &mut SessionState,
) -> Result<ColumnType, SqlError> {
    let scale = scale.unwrap_or(0);
    let precision = precision.filter(|p| *p > 0).unwrap_or(10.max(scale));
    if scale > 30 {
        return Err(SqlError::scale_too_big(scale, name, 30));
    }
    if precision > 65 {
        return Err(SqlError::precision_too_big(precision, name, 65));
    }
    if scale > precision {
        return Err(SqlError::scale_above_precision(name));
    }
    let unsigned = float_sign(sign, session);
    let kind = TypeKind::Decimal { precision: precision as u8, scale: scale as u8, unsigned };
    let mut ty = ColumnType::new(kind);
    ty.zerofill = sign.zerofill;
    Ok(ty)
}

fn float(
    double: bool,
    digits: Option<(u8, u8)>,
    sign: NumericSign,
    session: &mut SessionState,
) -> ColumnType {
    let unsigned = float_sign(sign, session);
    let kind =
        if double { TypeKind::Double { unsigned, digits } } else { TypeKind::Float { unsigned, digits } };
    let mut ty = ColumnType::new(kind);
    ty.zerofill = sign.zerofill;
    ty
}

/// Whether a number with a point is unsigned; warns that MySQL deprecates it.
fn float_sign(sign: NumericSign, session: &mut SessionState) -> bool {
    if sign.zerofill {
        session.warn(&SqlError::zerofill_deprecated());
    }
    if sign.unsigned || sign.zerofill {
        session.warn(&SqlError::unsigned_deprecated());
    }
    sign.unsigned || sign.zerofill
}

fn float_digits(
    name: &str,
    precision: Option<u32>,
    scale: Option<u32>,
    session: &mut SessionState,
) -> Result<Option<(u8, u8)>, SqlError> {
    let (Some(precision), Some(scale)) = (precision, scale) else { return Ok(None) };
    if scale > 30 {
        return Err(SqlError::scale_too_big(scale, name, 30));
    }
    if precision > 255 {
        return Err(SqlError::display_width(name, 255));
    }
    if scale > precision {
        return Err(SqlError::scale_above_precision(name));
    }
    session.warn(&SqlError::float_digits_deprecated());
    Ok(Some((precision as u8, scale as u8)))
}

/// The fractional digits of a time type, at most six.
fn digits(name: &str, fsp: Option<u32>) -> Result<u8, SqlError> {
    match fsp.unwrap_or(0) {
        fsp @ 0..=6 => Ok(fsp as u8),
        fsp => Err(SqlError::precision_too_big(fsp, name, 6)),
    }
}

/// `TEXT(n)` is the smallest size that holds n; without n it is the size of the word.
fn lob_size(size: ast::LobSize, bytes: Option<u64>) -> LobSize {
    match (bytes, size) {
        (Some(bytes), ast::LobSize::Regular) => match bytes {
            0..=0xff => LobSize::Tiny,
            0x100..=0xffff => LobSize::Regular,
            0x1_0000..=0xff_ffff => LobSize::Medium,
            _ => LobSize::Long,
        },
        (_, ast::LobSize::Tiny) => LobSize::Tiny,
        (_, ast::LobSize::Regular) => LobSize::Regular,
        (_, ast::LobSize::Medium) => LobSize::Medium,
        (_, ast::LobSize::Long) => LobSize::Long,
    }
}

/// The members of an ENUM or SET: UTF-8, without trailing spaces, no two alike.
fn member_list(
    column: &str,
    literals: &[StringLiteral],
    collation: Collation,
    kind: &str,
) -> Result<Arc<[String]>, SqlError> {
    let mut members: Vec<String> = Vec::with_capacity(literals.len());
    for literal in literals {
        let text = literal.as_str().ok_or_else(|| SqlError::invalid_character_string("utf8mb4", column))?;
        let text = text.trim_end_matches(' ');
        if text.chars().count() > 255 {
            return Err(SqlError::member_too_long(column));
        }
        if let Some(first) = members.iter().find(|m| collation.compare(m, text).is_eq()) {
            return Err(SqlError::duplicate_member(column, first, kind));
        }
        members.push(text.to_owned());
    }
    Ok(members.into())
}

/// The bytes of a column in the sum that MySQL limits to 65,535; a BLOB counts with its pointer.
pub(crate) fn row_bytes(ty: &ColumnType) -> u64 {
    let chars = u64::from(ty.collation.charset().max_bytes_per_char());
    match &ty.kind {
        TypeKind::Char { len } => u64::from(*len) * chars,
        TypeKind::VarChar { len } => with_length(u64::from(*len) * chars),
        TypeKind::Binary { len } => u64::from(*len),
        TypeKind::VarBinary { len } => with_length(u64::from(*len)),
        TypeKind::Text { size } | TypeKind::Blob { size } => match size {
            LobSize::Tiny => 9,
            LobSize::Regular => 10,
            LobSize::Medium => 11,
            LobSize::Long => 12,
        },
        TypeKind::Json | TypeKind::Geometry { .. } => 12,
        TypeKind::Decimal { precision, scale, .. } => {
            let digits = |n: u8| u64::from(n / 9 * 4) + [0, 1, 1, 2, 2, 3, 3, 4, 4][usize::from(n % 9)];
            digits(precision - scale) + digits(*scale)
        }
        TypeKind::Enum { members } => 1 + u64::from(members.len() > 255),
        TypeKind::Set { members } => match members.len() {
            0..=8 => 1,
            9..=16 => 2,
            17..=24 => 3,
            25..=32 => 4,
            _ => 8,
        },
        TypeKind::Bit { width } => u64::from(width.div_ceil(8)),
        TypeKind::Year => 1,
        TypeKind::Date => 3,
        TypeKind::Time { fsp } => 3 + u64::from(fsp.div_ceil(2)),
        TypeKind::DateTime { fsp } => 5 + u64::from(fsp.div_ceil(2)),
        TypeKind::Timestamp { fsp } => 4 + u64::from(fsp.div_ceil(2)),
        TypeKind::Float { .. } => 4,
        TypeKind::Double { .. } => 8,
        integer => integer.integer_bytes().unwrap_or(8) as u64,
    }
}

fn with_length(bytes: u64) -> u64 {
    bytes + if bytes > 255 { 2 } else { 1 }
}
