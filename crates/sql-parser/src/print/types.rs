//! Data types and cast targets.

use super::Printer;
use crate::ast::*;

impl Printer {
    fn length(&mut self, length: Option<impl Into<u64>>) {
        if let Some(length) = length {
            self.raw(&format!("({})", length.into()));
        }
    }

    fn precision(&mut self, precision: Option<u32>, scale: Option<u32>) {
        match (precision, scale) {
            (Some(precision), Some(scale)) => self.raw(&format!("({precision},{scale})")),
            (precision, _) => self.length(precision),
        }
    }

    fn sign(&mut self, sign: NumericSign) {
        self.word_if(sign.unsigned && !sign.zerofill, "UNSIGNED");
        self.word_if(sign.zerofill, "ZEROFILL");
    }

    fn charset(&mut self, charset: &CharsetAttribute) {
        self.optional("CHARACTER SET", &charset.charset, Self::ident_or_binary);
        self.word_if(charset.binary, "BINARY");
        self.optional("COLLATE", &charset.collation, Self::ident_or_binary);
    }

    /// A character set or collation: BINARY is a keyword and prints as the name it is.
    pub(super) fn ident_or_binary(&mut self, name: &Ident) {
        if name.is("binary") {
            self.word(&name.value);
        } else {
            self.ident(name);
        }
    }

    pub(super) fn data_type(&mut self, data_type: &DataType) {
        match data_type {
            DataType::Integer { size, display_width, sign } => {
                self.word(match size {
                    IntegerSize::Tiny => "TINYINT",
                    IntegerSize::Small => "SMALLINT",
                    IntegerSize::Medium => "MEDIUMINT",
                    IntegerSize::Int => "INT",
                    IntegerSize::Big => "BIGINT",
                });
                self.length(*display_width);
                self.sign(*sign);
            }
            DataType::Decimal { precision, scale, sign } => {
                self.numeric("DECIMAL", *precision, *scale, *sign)
            }
            DataType::Float { precision, scale, sign } => self.numeric("FLOAT", *precision, *scale, *sign),
            DataType::Double { precision, scale, sign } => self.numeric("DOUBLE", *precision, *scale, *sign),
            DataType::Real { precision, scale, sign } => self.numeric("REAL", *precision, *scale, *sign),
            DataType::Bit { width } => self.sized("BIT", *width),
            DataType::Boolean => self.word("BOOLEAN"),
            DataType::Serial => self.word("SERIAL"),
            DataType::Date => self.word("DATE"),
            DataType::Time { fsp } => self.sized("TIME", *fsp),
            DataType::DateTime { fsp } => self.sized("DATETIME", *fsp),
            DataType::Timestamp { fsp } => self.sized("TIMESTAMP", *fsp),
            DataType::Year { display_width, sign } => {
                self.sized("YEAR", *display_width);
                self.sign(*sign);
            }
            DataType::Char { length, charset, national } => {
                self.sized(if *national { "NCHAR" } else { "CHAR" }, *length);
                self.charset(charset);
            }
            DataType::VarChar { length, charset, national } => {
                self.sized(if *national { "NVARCHAR" } else { "VARCHAR" }, Some(*length));
                self.charset(charset);
            }
            DataType::Binary { length } => self.sized("BINARY", *length),
            DataType::VarBinary { length } => self.sized("VARBINARY", Some(*length)),
            DataType::Text { size, length, charset } => {
                self.sized(lob_name(*size, ["TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT"]), *length);
                self.charset(charset);
            }
            DataType::Blob { size, length } => {
                self.sized(lob_name(*size, ["TINYBLOB", "BLOB", "MEDIUMBLOB", "LONGBLOB"]), *length);
            }
            DataType::Enum { members, charset } => self.members("ENUM", members, charset),
            DataType::Set { members, charset } => self.members("SET", members, charset),
            DataType::Json => self.word("JSON"),
            DataType::Geometry(geometry) => self.word(match geometry {
                GeometryType::Geometry => "GEOMETRY",
                GeometryType::Point => "POINT",
                GeometryType::LineString => "LINESTRING",
                GeometryType::Polygon => "POLYGON",
                GeometryType::MultiPoint => "MULTIPOINT",
                GeometryType::MultiLineString => "MULTILINESTRING",
                GeometryType::MultiPolygon => "MULTIPOLYGON",
                GeometryType::GeometryCollection => "GEOMETRYCOLLECTION",
            }),
            DataType::Vector { length } => self.sized("VECTOR", *length),
        }
    }

    fn sized(&mut self, name: &str, length: Option<impl Into<u64>>) {
        self.word(name);
        self.length(length);
    }

    fn numeric(&mut self, name: &str, precision: Option<u32>, scale: Option<u32>, sign: NumericSign) {
        self.word(name);
        self.precision(precision, scale);
        self.sign(sign);
    }

    fn members(&mut self, name: &str, members: &[StringLiteral], charset: &CharsetAttribute) {
        self.call(name, |p| p.list(members, Self::string));
        self.charset(charset);
    }

    pub(super) fn cast_target(&mut self, target: &CastTarget) {
        match target {
            CastTarget::Signed => self.word("SIGNED"),
            CastTarget::Unsigned => self.word("UNSIGNED"),
            CastTarget::Type(data_type) => self.data_type(data_type),
        }
    }
}

fn lob_name(size: LobSize, names: [&'static str; 4]) -> &'static str {
    match size {
        LobSize::Tiny => names[0],
        LobSize::Regular => names[1],
        LobSize::Medium => names[2],
        LobSize::Long => names[3],
    }
}
