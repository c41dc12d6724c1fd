//! Column and cast types, as written.

use super::{Ident, StringLiteral};

/// A data type with its own attributes. Synonyms are folded (`INTEGER` is INT, `NUMERIC` is DECIMAL,
/// `BOOLEAN` is `TINYINT(1)`, `CHARACTER VARYING` is VARCHAR, `SERIAL` is kept apart); everything that
/// changes the stored column or what SHOW CREATE TABLE prints is kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DataType {
    /// TINYINT to BIGINT.
    Integer {
        /// How wide.
        size: IntegerSize,
        /// `(n)`.
        display_width: Option<u32>,
        /// UNSIGNED, ZEROFILL.
        sign: NumericSign,
    },
    /// `DECIMAL(precision, scale)`.
    Decimal {
        /// Digits in all.
        precision: Option<u32>,
        /// Digits behind the point.
        scale: Option<u32>,
        /// UNSIGNED, ZEROFILL.
        sign: NumericSign,
    },
    /// `FLOAT`, `FLOAT(p)`, `FLOAT(m, d)`.
    Float {
        /// `(p)` or `(m, ..)`.
        precision: Option<u32>,
        /// `(.., d)`.
        scale: Option<u32>,
        /// UNSIGNED, ZEROFILL.
        sign: NumericSign,
    },
    /// `DOUBLE [PRECISION]`, `DOUBLE(m, d)`, `FLOAT8`.
    Double {
        /// `(m, ..)`.
        precision: Option<u32>,
        /// `(.., d)`.
        scale: Option<u32>,
        /// UNSIGNED, ZEROFILL.
        sign: NumericSign,
    },
    /// `REAL`: DOUBLE, or FLOAT under the REAL_AS_FLOAT mode.
    Real {
        /// `(m, ..)`.
        precision: Option<u32>,
        /// `(.., d)`.
        scale: Option<u32>,
        /// UNSIGNED, ZEROFILL.
        sign: NumericSign,
    },
    /// `BIT(n)`.
    Bit {
        /// `(n)`.
        width: Option<u32>,
    },
    /// `BOOL`, `BOOLEAN`: `TINYINT(1)`.
    Boolean,
    /// `SERIAL`: `BIGINT UNSIGNED NOT NULL AUTO_INCREMENT UNIQUE`.
    Serial,
    /// `DATE`.
    Date,
    /// `TIME(fsp)`.
    Time {
        /// Fractional digits.
        fsp: Option<u32>,
    },
    /// `DATETIME(fsp)`.
    DateTime {
        /// Fractional digits.
        fsp: Option<u32>,
    },
    /// `TIMESTAMP(fsp)`.
    Timestamp {
        /// Fractional digits.
        fsp: Option<u32>,
    },
    /// `YEAR[(4)]`.
    Year {
        /// `(4)`.
        display_width: Option<u32>,
        /// UNSIGNED, ZEROFILL: accepted and ignored.
        sign: NumericSign,
    },
    /// `CHAR(n)`.
    Char {
        /// Characters.
        length: Option<u64>,
        /// CHARACTER SET, COLLATE.
        charset: CharsetAttribute,
        /// `NATIONAL CHAR`, `NCHAR`: utf8mb3.
        national: bool,
    },
    /// `VARCHAR(n)`. Without a length it is `LONG VARCHAR`, a MEDIUMTEXT.
    VarChar {
        /// Characters.
        length: u64,
        /// CHARACTER SET, COLLATE.
        charset: CharsetAttribute,
        /// `NATIONAL VARCHAR`, `NVARCHAR`: utf8mb3.
        national: bool,
    },
    /// `BINARY(n)`.
    Binary {
        /// Bytes.
        length: Option<u64>,
    },
    /// `VARBINARY(n)`.
    VarBinary {
        /// Bytes.
        length: u64,
    },
    /// TINYTEXT to LONGTEXT.
    Text {
        /// How large.
        size: LobSize,
        /// `TEXT(n)`: the smallest size that holds n characters.
        length: Option<u64>,
        /// CHARACTER SET, COLLATE.
        charset: CharsetAttribute,
    },
    /// TINYBLOB to LONGBLOB.
    Blob {
        /// How large.
        size: LobSize,
        /// `BLOB(n)`: the smallest size that holds n bytes.
        length: Option<u64>,
    },
    /// `ENUM('a', 'b')`.
    Enum {
        /// The members.
        members: Vec<StringLiteral>,
        /// CHARACTER SET, COLLATE.
        charset: CharsetAttribute,
    },
    /// `SET('a', 'b')`.
    Set {
        /// The members.
        members: Vec<StringLiteral>,
        /// CHARACTER SET, COLLATE.
        charset: CharsetAttribute,
    },
    /// `JSON`.
    Json,
    /// A spatial type.
    Geometry(GeometryType),
    /// `VECTOR(n)` of MySQL 9.
    Vector {
        /// Dimensions.
        length: Option<u64>,
    },
}

/// The sizes of integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // 1, 2, 3, 4 and 8 bytes
pub enum IntegerSize {
    Tiny,
    Small,
    Medium,
    Int,
    Big,
}

/// The sizes of TEXT and BLOB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // lengths of 1, 2, 3 and 4 bytes
pub enum LobSize {
    Tiny,
    Regular,
    Medium,
    Long,
}

/// UNSIGNED and ZEROFILL (which implies unsigned).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct NumericSign {
    /// `UNSIGNED`, or implied by `ZEROFILL`.
    pub unsigned: bool,
    /// `ZEROFILL`.
    pub zerofill: bool,
}

/// The character set of a string type. `COLLATE` beside it is a column attribute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct CharsetAttribute {
    /// `CHARACTER SET name`; `ASCII` is `latin1`, `UNICODE` is `ucs2`, `BYTE` is `binary`.
    pub charset: Option<Ident>,
    /// `BINARY`: the `_bin` collation of the character set.
    pub binary: bool,
    /// `COLLATE name` where it belongs to the type: casts, JSON_TABLE and stored programs. In a column
    /// definition it is [`ColumnAttributes::collation`](super::ColumnAttributes::collation).
    pub collation: Option<Ident>,
}

/// The spatial types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are MySQL's
pub enum GeometryType {
    Geometry,
    Point,
    LineString,
    Polygon,
    MultiPoint,
    MultiLineString,
    MultiPolygon,
    GeometryCollection,
}
