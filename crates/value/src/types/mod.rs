//! Every MySQL column type: what it holds, how long it is, what it is called.
//!
//! A [`TypeKind`] with its parameters decides the stored form ([`crate::row`], [`crate::key`]);
//! the collation of [`ColumnType`] decides the order of text; display width and ZEROFILL only
//! change what clients are told. What a type is called, and what clients and `information_schema`
//! are told about it, is in `metadata`.

mod metadata;

use std::sync::Arc;

use crate::collation::{Charset, Collation};
use crate::value::ValueRef;

/// The four sizes of TEXT and BLOB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LobSize {
    /// Up to 255 bytes.
    Tiny,
    /// Up to 65,535 bytes.
    Regular,
    /// Up to 16 MiB.
    Medium,
    /// Up to 4 GiB.
    Long,
}

impl LobSize {
    /// The most bytes that a value may have.
    pub const fn max_bytes(self) -> u32 {
        match self {
            Self::Tiny => 0xff,
            Self::Regular => 0xffff,
            Self::Medium => 0xff_ffff,
            Self::Long => 0xffff_ffff,
        }
    }
}

/// The kind of a column with the parameters that decide what it can hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the fields are SQL's own words")]
pub enum TypeKind {
    /// One byte.
    TinyInt {
        unsigned: bool,
    },
    /// Two bytes.
    SmallInt {
        unsigned: bool,
    },
    /// Three bytes.
    MediumInt {
        unsigned: bool,
    },
    /// Four bytes.
    Int {
        unsigned: bool,
    },
    /// Eight bytes.
    BigInt {
        unsigned: bool,
    },
    /// `precision` 1 to 65 digits, `scale` of them (0 to 30) after the point.
    Decimal {
        precision: u8,
        scale: u8,
        unsigned: bool,
    },
    /// Single precision. `digits` is the deprecated `FLOAT(M,D)`.
    Float {
        unsigned: bool,
        digits: Option<(u8, u8)>,
    },
    /// Double precision. `digits` is the deprecated `DOUBLE(M,D)`.
    Double {
        unsigned: bool,
        digits: Option<(u8, u8)>,
    },
    /// 1 to 64 bits.
    Bit {
        width: u8,
    },
    /// 0000, or 1901 to 2155.
    Year,
    Date,
    /// `fsp` 0 to 6 digits of fractional seconds, here and in the next two.
    Time {
        fsp: u8,
    },
    DateTime {
        fsp: u8,
    },
    Timestamp {
        fsp: u8,
    },
    /// Up to 255 characters; trailing spaces are not kept.
    Char {
        len: u32,
    },
    /// Up to `len` characters.
    VarChar {
        len: u32,
    },
    /// Exactly `len` bytes, filled with zero bytes.
    Binary {
        len: u32,
    },
    /// Up to `len` bytes.
    VarBinary {
        len: u32,
    },
    Text {
        size: LobSize,
    },
    Blob {
        size: LobSize,
    },
    Enum {
        members: Arc<[String]>,
    },
    Set {
        members: Arc<[String]>,
    },
    Json,
    /// The SRID (4 bytes, little-endian) and well-known binary, as MySQL stores it.
    Geometry {
        shape: GeometryShape,
        /// The only one that values may have, if it was declared.
        srid: Option<u32>,
    },
}

/// What a spatial column may hold.
#[allow(missing_docs)] // the names are the field's
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GeometryShape {
    /// Any of the others.
    Geometry,
    Point,
    LineString,
    Polygon,
    MultiPoint,
    MultiLineString,
    MultiPolygon,
    Collection,
}

impl GeometryShape {
    /// All of them, by their codes.
    pub const ALL: [Self; 8] = [
        Self::Geometry,
        Self::Point,
        Self::LineString,
        Self::Polygon,
        Self::MultiPoint,
        Self::MultiLineString,
        Self::MultiPolygon,
        Self::Collection,
    ];

    /// The number that well-known binary has for it; 0 for any.
    pub const fn code(self) -> u64 {
        self as u64
    }

    /// The name of the column type.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Geometry => "geometry",
            Self::Point => "point",
            Self::LineString => "linestring",
            Self::Polygon => "polygon",
            Self::MultiPoint => "multipoint",
            Self::MultiLineString => "multilinestring",
            Self::MultiPolygon => "multipolygon",
            Self::Collection => "geomcollection",
        }
    }
}

/// The type of a column.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ColumnType {
    /// What the column holds.
    pub kind: TypeKind,
    /// The order of its text; [`Collation::BINARY`] where there is none.
    pub collation: Collation,
    /// The display width of an integer or YEAR as declared, 0 for none. MySQL keeps it only for
    /// `tinyint(1)` and for ZEROFILL columns.
    pub display_width: u8,
    /// Whether numbers are shown filled with zeros to their display width.
    pub zerofill: bool,
}

impl From<TypeKind> for ColumnType {
    fn from(kind: TypeKind) -> Self {
        Self::new(kind)
    }
}

impl ColumnType {
    /// A type with the default collation where it holds text.
    pub fn new(kind: TypeKind) -> Self {
        let collation = if kind.is_text() { Collation::default() } else { Collation::BINARY };
        Self { kind, collation, display_width: 0, zerofill: false }
    }

    /// A text type with the given collation.
    pub const fn with_collation(kind: TypeKind, collation: Collation) -> Self {
        Self { kind, collation, display_width: 0, zerofill: false }
    }

    /// Whether the values are numbers of any kind (not BIT, not YEAR).
    pub const fn is_numeric(&self) -> bool {
        self.kind.is_integer()
            || matches!(
                self.kind,
                TypeKind::Decimal { .. } | TypeKind::Float { .. } | TypeKind::Double { .. }
            )
    }

    /// Whether the column was declared UNSIGNED (BIT and YEAR count as unsigned).
    pub const fn is_unsigned(&self) -> bool {
        self.kind.is_unsigned()
    }

    /// The character set of text; `binary` for everything else.
    pub fn charset(&self) -> Charset {
        self.collation.charset()
    }

    /// Whether a row keeps the value as its own bytes: text and binary strings, which can be copied
    /// from a row to a client as they are.
    #[inline]
    pub const fn is_stored_raw(&self) -> bool {
        matches!(
            self.kind,
            TypeKind::Char { .. }
                | TypeKind::VarChar { .. }
                | TypeKind::Text { .. }
                | TypeKind::Binary { .. }
                | TypeKind::VarBinary { .. }
                | TypeKind::Blob { .. }
                | TypeKind::Json
                | TypeKind::Geometry { .. }
        )
    }
}

impl TypeKind {
    /// Whether it is one of the five integer types.
    pub const fn is_integer(&self) -> bool {
        matches!(
            self,
            Self::TinyInt { .. }
                | Self::SmallInt { .. }
                | Self::MediumInt { .. }
                | Self::Int { .. }
                | Self::BigInt { .. }
        )
    }

    /// Whether values are text with a collation (CHAR, VARCHAR, TEXT, ENUM, SET; not JSON).
    pub const fn is_text(&self) -> bool {
        matches!(
            self,
            Self::Char { .. }
                | Self::VarChar { .. }
                | Self::Text { .. }
                | Self::Enum { .. }
                | Self::Set { .. }
        )
    }

    /// Whether values are strings of bytes without characters.
    pub const fn is_binary_string(&self) -> bool {
        matches!(
            self,
            Self::Binary { .. } | Self::VarBinary { .. } | Self::Blob { .. } | Self::Geometry { .. }
        )
    }

    /// Whether values are dates or times (not YEAR).
    pub const fn is_temporal(&self) -> bool {
        matches!(self, Self::Date | Self::Time { .. } | Self::DateTime { .. } | Self::Timestamp { .. })
    }

    /// Whether the type was declared UNSIGNED (BIT and YEAR count as unsigned).
    pub const fn is_unsigned(&self) -> bool {
        match self {
            Self::TinyInt { unsigned }
            | Self::SmallInt { unsigned }
            | Self::MediumInt { unsigned }
            | Self::Int { unsigned }
            | Self::BigInt { unsigned }
            | Self::Decimal { unsigned, .. }
            | Self::Float { unsigned, .. }
            | Self::Double { unsigned, .. } => *unsigned,
            Self::Bit { .. } | Self::Year => true,
            _ => false,
        }
    }

    /// The bytes of an integer type.
    #[inline]
    pub const fn integer_bytes(&self) -> Option<usize> {
        Some(match self {
            Self::TinyInt { .. } => 1,
            Self::SmallInt { .. } => 2,
            Self::MediumInt { .. } => 3,
            Self::Int { .. } => 4,
            Self::BigInt { .. } => 8,
            _ => return None,
        })
    }

    /// The lowest and highest value of an integer type.
    #[inline]
    pub const fn integer_range(&self) -> Option<(i64, u64)> {
        let Some(bytes) = self.integer_bytes() else { return None };
        let bits = bytes as u32 * 8;
        Some(if self.is_unsigned() {
            (0, u64::MAX >> (64 - bits))
        } else {
            (i64::MIN >> (64 - bits), (i64::MAX as u64) >> (64 - bits))
        })
    }

    /// The digits of fractional seconds of a TIME, DATETIME or TIMESTAMP, 0 for all others.
    pub const fn fsp(&self) -> u8 {
        match self {
            Self::Time { fsp } | Self::DateTime { fsp } | Self::Timestamp { fsp } => *fsp,
            _ => 0,
        }
    }
}

impl ColumnType {
    /// The text of an ENUM's index: empty for 0 (the error value) and for what is no member.
    pub fn enum_text(&self, index: u64) -> &str {
        match &self.kind {
            TypeKind::Enum { members } => {
                let member = usize::try_from(index).ok().and_then(|i| members.get(i.checked_sub(1)?));
                member.map_or("", String::as_str)
            }
            _ => "",
        }
    }

    /// Appends the text of a SET's mask: its members in their order, with commas.
    pub fn write_set_text(&self, mask: u64, out: &mut Vec<u8>) {
        let TypeKind::Set { members } = &self.kind else { return };
        let mut first = true;
        for (i, member) in members.iter().enumerate().take(64) {
            if mask >> i & 1 == 0 {
                continue;
            }
            if !first {
                out.push(b',');
            }
            first = false;
            out.extend_from_slice(member.as_bytes());
        }
    }

    /// Appends a value of this column as the text protocol sends it: like
    /// [`ValueRef::write_text`], and ENUM and SET by name, ZEROFILL numbers filled.
    #[inline]
    pub fn write_text(&self, value: &ValueRef<'_>, out: &mut Vec<u8>) {
        match (&self.kind, *value) {
            (TypeKind::Enum { .. }, ValueRef::UInt(index)) => {
                out.extend_from_slice(self.enum_text(index).as_bytes());
            }
            (TypeKind::Set { .. }, ValueRef::UInt(mask)) => self.write_set_text(mask, out),
            (TypeKind::Float { digits: Some((_, scale)), .. }, ValueRef::Float(v)) => {
                write_fixed(f64::from(v), *scale, out);
            }
            (TypeKind::Double { digits: Some((_, scale)), .. }, ValueRef::Double(v)) => {
                write_fixed(v, *scale, out)
            }
            (_, value) if self.zerofill && !value.is_null() => {
                let start = out.len();
                value.write_text(out);
                let missing = (self.display_length() as usize).saturating_sub(out.len() - start);
                out.splice(start..start, std::iter::repeat_n(b'0', missing));
            }
            (_, value) => value.write_text(out),
        }
    }
}

/// A number with a fixed count of digits after the point.
fn write_fixed(value: f64, scale: u8, out: &mut Vec<u8>) {
    use std::io::Write as _;
    // Writing to a Vec does not fail.
    let _ = write!(out, "{:.*}", usize::from(scale), value);
}
