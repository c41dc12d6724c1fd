//! The type of an expression: what its values are, and what a client is told about them.
//!
//! MySQL's expression types are wider than the types of columns: a length in characters, a number of
//! decimals, whether NULL can appear, and for text the collation with its *coercibility*, the rank by
//! which two collations that meet are reconciled. All of that ends in the column metadata of a result
//! set, so the rules that derive it (`12` digits for an INT plus one, `decimals` 31 for a string that is
//! no plain column) are part of the protocol and follow MySQL 8.4.
//!
//! [`Class`] is the physical side: which array holds the values ([`crate::expr::vector`]). Many kinds
//! share one class; kernels look at classes, metadata looks at kinds.

use std::sync::Arc;

use rustydb_value::{Charset, Collation, ColumnType, LobSize, TypeKind};

use crate::api::{ColumnMeta, FieldType, column_flags};

/// `decimals` of a value whose digits after the point are not fixed.
pub const NOT_FIXED: u8 = 31;
/// The most digits of a DECIMAL.
pub const MAX_PRECISION: u32 = 65;
/// The most digits after the point of a DECIMAL.
pub const MAX_SCALE: u8 = 30;
/// How many digits a division adds after the point (`div_precision_increment`).
pub const DIVISION_SCALE: u8 = 4;
/// The longest string, in bytes, that an expression promises (`max_allowed_packet` bounds the real one).
pub const MAX_TEXT: u32 = 67_108_864;

/// Where a text's collation comes from; the smaller wins when two meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Coercibility {
    /// A COLLATE clause.
    Explicit = 0,
    /// A column, a stored routine's parameter.
    Implicit = 2,
    /// `USER()`, `VERSION()`, a system variable.
    System = 3,
    /// A literal.
    Coercible = 4,
    /// A number or a date.
    Numeric = 5,
    /// NULL.
    Ignorable = 6,
    /// Two collations met and neither won: anything wins over what came of it.
    None = 7,
}

impl Coercibility {
    /// The word in `Illegal mix of collations`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Explicit => "EXPLICIT",
            Self::None => "NONE",
            Self::Implicit => "IMPLICIT",
            Self::System => "SYSCONST",
            Self::Coercible => "COERCIBLE",
            Self::Numeric => "NUMERIC",
            Self::Ignorable => "NULL",
        }
    }
}

/// The type as MySQL names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are MySQL's own")]
pub enum Kind {
    Null,
    Tiny,
    Short,
    Int24,
    Long,
    LongLong,
    Year,
    Bit,
    Float,
    Double,
    Decimal,
    Date,
    Time,
    DateTime,
    Timestamp,
    VarString,
    String,
    Blob,
    Enum(Arc<[String]>),
    Set(Arc<[String]>),
    Json,
}

/// Which array holds the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Only NULL.
    Null,
    /// `i64`
    Int,
    /// `u64`; also YEAR, BIT and the number of an ENUM or SET.
    UInt,
    /// `f64`; FLOAT too, widened.
    Double,
    /// Integers at the scale of the type.
    Decimal,
    /// UTF-8.
    Text,
    /// Bytes.
    Binary,
    /// Packed date.
    Date,
    /// Packed time.
    Time,
    /// Packed date and time.
    DateTime,
    /// JSON documents in their stored form.
    Json,
}

impl Class {
    /// A date, a time or both.
    pub fn is_temporal(self) -> bool {
        matches!(self, Self::Date | Self::Time | Self::DateTime)
    }
    /// Numbers and moments of 64 bits.
    pub fn is_fixed(self) -> bool {
        self.is_integer() || self.is_temporal() || self == Self::Double
    }
    /// Characters or bytes.
    pub fn is_string(self) -> bool {
        matches!(self, Self::Text | Self::Binary)
    }
    /// Signed or unsigned.
    pub fn is_integer(self) -> bool {
        matches!(self, Self::Int | Self::UInt)
    }
}

/// The type of an expression.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ExprType {
    /// What MySQL calls it.
    pub kind: Kind,
    /// Characters of the longest value (bytes if binary).
    pub length: u32,
    /// Digits after the point or of fractional seconds, or [`NOT_FIXED`].
    pub decimals: u8,
    /// Numbers without a sign.
    pub unsigned: bool,
    /// Whether NULL can appear.
    pub nullable: bool,
    /// Collation of text; `binary` for everything else.
    pub collation: Collation,
    /// Rank of the collation.
    pub coercibility: Coercibility,
}

impl ExprType {
    fn number(kind: Kind, length: u32, decimals: u8, unsigned: bool) -> ExprType {
        ExprType {
            kind,
            length,
            decimals,
            unsigned,
            nullable: true,
            collation: Collation::BINARY,
            coercibility: Coercibility::Numeric,
        }
    }

    /// Says of a YEAR under a name whether it is an expression that is merged into the query around it. Constants beside
    /// one are not taken for years, as they are beside a column.
    pub fn set_calculated(&mut self, calculated: bool) {
        self.decimals = if calculated { NOT_FIXED } else { 0 };
    }

    /// Whether it is the YEAR of a column, or of rows that are kept.
    pub fn is_stored_year(&self) -> bool {
        self.kind == Kind::Year && self.decimals != NOT_FIXED
    }

    /// The type of NULL.
    pub fn null() -> ExprType {
        ExprType { coercibility: Coercibility::Ignorable, ..ExprType::number(Kind::Null, 0, 0, false) }
    }
    /// A BIGINT of `length` characters.
    pub fn int(length: u32) -> ExprType {
        ExprType::number(Kind::LongLong, length, 0, false)
    }
    /// A BIGINT UNSIGNED of `length` characters.
    pub fn uint(length: u32) -> ExprType {
        ExprType::number(Kind::LongLong, length, 0, true)
    }
    /// The answer of a comparison.
    pub fn boolean() -> ExprType {
        ExprType::int(1)
    }
    /// A DOUBLE with any number of decimals.
    pub fn double() -> ExprType {
        ExprType::number(Kind::Double, 23, NOT_FIXED, false)
    }
    /// A DECIMAL, clamped to what one can hold.
    pub fn decimal(precision: u32, scale: u8, unsigned: bool) -> ExprType {
        let scale = scale.min(MAX_SCALE);
        let precision = precision.clamp(u32::from(scale).max(1), MAX_PRECISION);
        let length = precision + u32::from(scale > 0) + u32::from(!unsigned);
        ExprType::number(Kind::Decimal, length, scale, unsigned)
    }
    /// A text of at most `length` characters.
    pub fn text(length: u32, collation: Collation, coercibility: Coercibility) -> ExprType {
        let kind = if length > 65_535 { Kind::Blob } else { Kind::VarString };
        ExprType {
            kind,
            length,
            decimals: NOT_FIXED,
            unsigned: false,
            nullable: true,
            collation,
            coercibility,
        }
    }
    /// Bytes.
    pub fn binary(length: u32) -> ExprType {
        ExprType::text(length, Collation::BINARY, Coercibility::Coercible)
    }
    /// A DATE.
    pub fn date() -> ExprType {
        ExprType::number(Kind::Date, 10, 0, false)
    }
    /// A TIME.
    pub fn time(fsp: u8) -> ExprType {
        ExprType::number(Kind::Time, 10 + fraction_length(fsp), fsp, false)
    }
    /// A DATETIME.
    pub fn datetime(fsp: u8) -> ExprType {
        ExprType::number(Kind::DateTime, 19 + fraction_length(fsp), fsp, false)
    }
    /// A JSON document.
    pub fn json() -> ExprType {
        ExprType {
            kind: Kind::Json,
            length: u32::MAX / 4,
            decimals: NOT_FIXED,
            unsigned: false,
            nullable: true,
            collation: Collation::UTF8MB4_BIN,
            coercibility: Coercibility::Implicit,
        }
    }
    /// The same type without NULL.
    #[must_use]
    pub fn not_null(mut self) -> ExprType {
        self.nullable = false;
        self
    }
    /// The same type, NULL possible or not.
    #[must_use]
    pub fn with_nullable(mut self, nullable: bool) -> ExprType {
        self.nullable = nullable;
        self
    }

    /// The type of a stored column.
    pub fn of_column(ty: &ColumnType, nullable: bool) -> ExprType {
        let c = ty.collation;
        let num = |kind, signed: u32, unsigned: bool| {
            ExprType::number(kind, if unsigned { signed - 1 } else { signed }, 0, unsigned)
        };
        let text = |kind, length| ExprType {
            kind,
            length,
            decimals: 0,
            unsigned: false,
            nullable,
            collation: c,
            coercibility: Coercibility::Implicit,
        };
        let lob = |size: &LobSize| size.max_bytes();
        let mut out = match &ty.kind {
            TypeKind::TinyInt { unsigned } => num(Kind::Tiny, 4, *unsigned),
            TypeKind::SmallInt { unsigned } => num(Kind::Short, 6, *unsigned),
            TypeKind::MediumInt { unsigned } => num(Kind::Int24, 9, *unsigned),
            TypeKind::Int { unsigned } => num(Kind::Long, 11, *unsigned),
            TypeKind::BigInt { unsigned } => ExprType::number(Kind::LongLong, 20, 0, *unsigned),
            TypeKind::Decimal { precision, scale, unsigned } => {
                ExprType::decimal(u32::from(*precision), *scale, *unsigned)
            }
            TypeKind::Float { unsigned, digits } => {
                let (length, decimals) = digits.map_or((12, NOT_FIXED), |(m, d)| (u32::from(m), d));
                ExprType::number(Kind::Float, length, decimals, *unsigned)
            }
            TypeKind::Double { unsigned, digits } => {
                let (length, decimals) = digits.map_or((22, NOT_FIXED), |(m, d)| (u32::from(m), d));
                ExprType::number(Kind::Double, length, decimals, *unsigned)
            }
            TypeKind::Bit { width } => ExprType::number(Kind::Bit, u32::from(*width), 0, true),
            TypeKind::Year => ExprType::number(Kind::Year, 4, 0, true),
            TypeKind::Date => ExprType::date(),
            TypeKind::Time { fsp } => ExprType::time(*fsp),
            TypeKind::DateTime { fsp } => ExprType::datetime(*fsp),
            TypeKind::Timestamp { fsp } => ExprType { kind: Kind::Timestamp, ..ExprType::datetime(*fsp) },
            TypeKind::Char { len } | TypeKind::Binary { len } => text(Kind::String, *len),
            TypeKind::VarChar { len } | TypeKind::VarBinary { len } => text(Kind::VarString, *len),
            TypeKind::Text { size } | TypeKind::Blob { size } => text(Kind::Blob, lob(size)),
            TypeKind::Enum { members } => {
                let longest = members.iter().map(|m| m.chars().count()).max().unwrap_or(0);
                text(Kind::Enum(members.clone()), u32::try_from(longest).unwrap_or(u32::MAX))
            }
            TypeKind::Set { members } => {
                let all: usize = members.iter().map(|m| m.chars().count() + 1).sum();
                text(Kind::Set(members.clone()), u32::try_from(all.saturating_sub(1)).unwrap_or(u32::MAX))
            }
            TypeKind::Json => ExprType { decimals: 0, length: u32::MAX, ..ExprType::json() },
            // Cannot be created yet; if one is met, it is bytes.
            _ => text(Kind::Blob, u32::MAX),
        };
        out.nullable = nullable;
        out
    }

    /// The type of the column that MySQL keeps the values of such an expression in, where it makes a table of its own for
    /// rows: an INT or BIGINT for every integer and year, VARCHAR or TEXT for every text.
    #[must_use]
    pub fn kept(self) -> ExprType {
        /// Integers of fewer characters are an INT.
        const LONG_CHARACTERS: u32 = 10;
        match self.kind {
            _ if self.is_integer() && self.kind != Kind::Bit => {
                let kind = if self.length < LONG_CHARACTERS { Kind::Long } else { Kind::LongLong };
                ExprType { kind, decimals: 0, ..self }
            }
            Kind::String => ExprType { kind: Kind::VarString, ..self }.stored(),
            _ => self.stored(),
        }
    }

    /// The type of an expression that gives the value of a column as it is.
    #[must_use]
    pub fn computed(self) -> ExprType {
        match self.kind {
            Kind::VarString | Kind::String => ExprType { decimals: NOT_FIXED, ..self },
            Kind::Json => ExprType { decimals: NOT_FIXED, length: ExprType::json().length, ..self },
            _ => self,
        }
    }

    /// The type of a column of such a type in a table that MySQL makes for itself: a long text is a TEXT.
    #[must_use]
    pub fn stored(self) -> ExprType {
        /// Texts of more characters are a TEXT.
        const VARCHAR_CHARACTERS: u32 = 512;
        let long = match self.kind {
            Kind::VarString => self.length > VARCHAR_CHARACTERS,
            // That of a column counts bytes already.
            Kind::Blob => self.decimals == NOT_FIXED,
            _ => false,
        };
        match self.kind {
            _ if long => {
                let length = self.length.saturating_mul(self.widest());
                ExprType { kind: Kind::Blob, decimals: 0, length, ..self }
            }
            Kind::VarString | Kind::String | Kind::Blob => ExprType { decimals: 0, ..self },
            Kind::Json => ExprType { decimals: 0, length: u32::MAX, ..self },
            _ => self,
        }
    }

    /// Which array holds the values.
    pub fn class(&self) -> Class {
        match &self.kind {
            Kind::Null => Class::Null,
            Kind::Tiny | Kind::Short | Kind::Int24 | Kind::Long | Kind::LongLong => {
                if self.unsigned {
                    Class::UInt
                } else {
                    Class::Int
                }
            }
            Kind::Year | Kind::Bit | Kind::Enum(_) | Kind::Set(_) => Class::UInt,
            Kind::Float | Kind::Double => Class::Double,
            Kind::Decimal => Class::Decimal,
            Kind::Date => Class::Date,
            Kind::Time => Class::Time,
            Kind::DateTime | Kind::Timestamp => Class::DateTime,
            Kind::Json => Class::Json,
            Kind::VarString | Kind::String | Kind::Blob => {
                if self.collation == Collation::BINARY {
                    Class::Binary
                } else {
                    Class::Text
                }
            }
        }
    }

    /// Whether it counts as a string in an expression: text, bytes, ENUM and SET.
    pub fn is_string(&self) -> bool {
        matches!(self.kind, Kind::VarString | Kind::String | Kind::Blob | Kind::Enum(_) | Kind::Set(_))
    }

    /// Whether it counts as an integer in an expression.
    pub fn is_integer(&self) -> bool {
        matches!(
            self.kind,
            Kind::Tiny | Kind::Short | Kind::Int24 | Kind::Long | Kind::LongLong | Kind::Year | Kind::Bit
        )
    }

    /// Whether it is an ENUM or SET, which are numbers that show as text.
    pub fn is_member(&self) -> bool {
        matches!(self.kind, Kind::Enum(_) | Kind::Set(_))
    }

    /// Digits before and after the point that values take as DECIMAL.
    pub fn digits(&self) -> (u32, u8) {
        match &self.kind {
            Kind::Decimal => {
                let length = self.length.saturating_sub(u32::from(self.decimals > 0));
                let precision = length.saturating_sub(u32::from(!self.unsigned)).max(1);
                (precision.saturating_sub(u32::from(self.decimals)), self.decimals)
            }
            Kind::Null => (0, 0),
            Kind::Date => (8, 0),
            Kind::Time => (7, self.decimals),
            Kind::DateTime | Kind::Timestamp => (14, self.decimals),
            Kind::Float | Kind::Double => (MAX_PRECISION - 30, 0),
            Kind::Year => (4, 0),
            Kind::Bit => (self.length.min(20), 0),
            _ if self.is_integer() => {
                let sign = u32::from(!self.unsigned);
                (self.length.saturating_sub(sign).max(1), 0)
            }
            _ => (MAX_PRECISION - u32::from(MAX_SCALE), MAX_SCALE),
        }
    }

    /// The collation of what only NULLs went into: `binary` where nothing can come out of it, else its own (QUOTE).
    pub fn collation_of_null(&self) -> Collation {
        if self.kind == Kind::Null || self.length == 0 { Collation::BINARY } else { self.collation }
    }

    /// Digits of fractional seconds when read as a date or time.
    pub fn fsp(&self) -> u8 {
        match self.class() {
            Class::Time | Class::DateTime => self.decimals.min(6),
            Class::Text | Class::Binary | Class::Double => 6,
            Class::Decimal | Class::Null => self.decimals.min(6),
            _ => 0,
        }
    }

    /// How many characters the value takes as text.
    pub fn text_length(&self) -> u32 {
        match self.kind {
            Kind::Bit => self.length.div_ceil(8),
            Kind::Double => 22,
            Kind::Float => 12,
            _ => self.length,
        }
    }

    /// The most bytes that a character takes.
    fn widest(&self) -> u32 {
        match self.collation {
            Collation::BINARY => 1,
            _ => Charset::Utf8mb4.max_bytes_per_char(),
        }
    }

    /// The column definition of a stored column of this type: its numbers do not count as binary.
    pub fn stored_meta(&self, name: &str) -> ColumnMeta {
        let mut meta = self.meta(name);
        if !self.is_member()
            && (self.class().is_integer() || matches!(self.class(), Class::Double | Class::Decimal))
        {
            meta.flags &= !column_flags::BINARY;
        }
        if self.kind == Kind::Year {
            meta.flags |= column_flags::ZEROFILL;
        }
        // So is a NULL, as a string without characters.
        if self.kind == Kind::Null {
            meta.ty = FieldType::VarString;
            meta.decimals = 0;
        }
        meta
    }

    /// The column definition that a client sees for an expression of this type.
    pub fn meta(&self, name: &str) -> ColumnMeta {
        // The length of a stored TEXT is in bytes already.
        let widest = if self.kind == Kind::Blob && self.decimals == 0 { 1 } else { self.widest() };
        let (ty, mut flags) = match &self.kind {
            Kind::Null => (FieldType::Null, column_flags::BINARY | column_flags::NUM),
            Kind::Tiny => (FieldType::Tiny, column_flags::NUM),
            Kind::Short => (FieldType::Short, column_flags::NUM),
            Kind::Int24 => (FieldType::Int24, column_flags::NUM),
            Kind::Long => (FieldType::Long, column_flags::NUM),
            Kind::LongLong => (FieldType::LongLong, column_flags::NUM),
            Kind::Year => (FieldType::Year, column_flags::NUM),
            Kind::Bit => (FieldType::Bit, 0),
            Kind::Float => (FieldType::Float, column_flags::NUM),
            Kind::Double => (FieldType::Double, column_flags::NUM),
            Kind::Decimal => (FieldType::NewDecimal, column_flags::NUM),
            Kind::Date => (FieldType::Date, column_flags::BINARY),
            Kind::Time => (FieldType::Time, column_flags::BINARY),
            Kind::DateTime => (FieldType::DateTime, column_flags::BINARY),
            Kind::Timestamp => (FieldType::Timestamp, column_flags::BINARY),
            Kind::VarString => (FieldType::VarString, 0),
            Kind::String => (FieldType::String, 0),
            Kind::Blob if self.decimals == NOT_FIXED => (FieldType::VarString, 0),
            Kind::Blob => (FieldType::Blob, column_flags::BLOB),
            Kind::Enum(_) => (FieldType::String, column_flags::ENUM),
            Kind::Set(_) => (FieldType::String, column_flags::SET),
            // A stored column counts as bytes, a computed document as text.
            Kind::Json if self.decimals == 0 => (FieldType::Json, column_flags::BLOB),
            Kind::Json => (FieldType::Json, 0),
        };
        if !self.nullable {
            flags |= column_flags::NOT_NULL;
        }
        if self.unsigned {
            flags |= column_flags::UNSIGNED;
        }
        // Everything that is not text counts as binary, but for a stored number.
        if is_binary_order(self.collation) && self.kind != Kind::Bit {
            flags |= column_flags::BINARY;
        }
        let collation = match self.kind {
            Kind::Json if self.decimals == 0 => Collation::BINARY,
            _ => self.collation,
        };
        let length = self.length.saturating_mul(widest);
        let (ty, length) = match (ty, self.bytes()) {
            // A long string that is calculated has the type that its bytes take, which are then counted as characters.
            (FieldType::VarString, bytes) if self.decimals == NOT_FIXED && bytes > MAX_VARCHAR_BYTES => {
                let ty = if bytes > MAX_MEDIUM_BYTES { FieldType::LongBlob } else { FieldType::MediumBlob };
                (ty, bytes.saturating_mul(widest))
            }
            (ty, _) => (ty, length),
        };
        ColumnMeta {
            decimals: self.decimals,
            flags,
            ..ColumnMeta::expression(name, ty, collation.id(), length)
        }
    }

    /// The most bytes that a string takes in its own character set.
    pub fn bytes(&self) -> u32 {
        let counted = self.kind == Kind::Blob && self.decimals != NOT_FIXED;
        if counted || self.collation == Collation::BINARY {
            return self.length;
        }
        self.length.saturating_mul(self.collation.charset().max_bytes_per_char())
    }
}

/// The most bytes of a VARCHAR.
pub const MAX_VARCHAR_BYTES: u32 = 65_535;
/// The most bytes of a MEDIUMTEXT.
const MAX_MEDIUM_BYTES: u32 = 16_777_215;

/// Whether a collation orders by code point or byte, which sets the BINARY flag of a column.
pub fn is_binary_order(collation: Collation) -> bool {
    [
        Collation::BINARY,
        Collation::UTF8MB4_BIN,
        Collation::UTF8MB4_0900_BIN,
        Collation::UTF8MB3_BIN,
        Collation::LATIN1_BIN,
        Collation::ASCII_BIN,
    ]
    .contains(&collation)
}

fn fraction_length(fsp: u8) -> u32 {
    if fsp == 0 { 0 } else { u32::from(fsp) + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_numbers_are_mysqls() {
        assert_eq!(ExprType::decimal(10, 2, false).length, 12);
        assert_eq!(ExprType::decimal(10, 2, false).digits(), (8, 2));
        assert_eq!(ExprType::decimal(5, 0, true).length, 5);
        assert_eq!(ExprType::decimal(90, 40, false).digits(), (35, 30));
        assert_eq!(ExprType::int(11).digits(), (10, 0));
        assert_eq!(ExprType::datetime(6).length, 26);
    }

    #[test]
    fn a_column_of_text_counts_bytes_in_its_metadata() {
        let ty = ExprType::text(20, Collation::UTF8MB4_0900_AI_CI, Coercibility::Implicit);
        let meta = ty.meta("v");
        assert_eq!((meta.length, meta.collation, meta.decimals), (80, 255, NOT_FIXED));
    }
}
