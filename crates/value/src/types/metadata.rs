//! Names, lengths and flags: what SHOW CREATE TABLE, `information_schema.COLUMNS` and the column
//! definitions of a result set say about a type.

use super::{ColumnType, LobSize, TypeKind};
use crate::collation::{Charset, Collation};
use crate::protocol::{NOT_FIXED_DECIMALS, ProtocolType, column_flags};

impl TypeKind {
    /// The SQL name without parameters, as `information_schema.COLUMNS.DATA_TYPE` prints it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::TinyInt { .. } => "tinyint",
            Self::SmallInt { .. } => "smallint",
            Self::MediumInt { .. } => "mediumint",
            Self::Int { .. } => "int",
            Self::BigInt { .. } => "bigint",
            Self::Decimal { .. } => "decimal",
            Self::Float { .. } => "float",
            Self::Double { .. } => "double",
            Self::Bit { .. } => "bit",
            Self::Year => "year",
            Self::Date => "date",
            Self::Time { .. } => "time",
            Self::DateTime { .. } => "datetime",
            Self::Timestamp { .. } => "timestamp",
            Self::Char { .. } => "char",
            Self::VarChar { .. } => "varchar",
            Self::Binary { .. } => "binary",
            Self::VarBinary { .. } => "varbinary",
            Self::Text { size } => match size {
                LobSize::Tiny => "tinytext",
                LobSize::Regular => "text",
                LobSize::Medium => "mediumtext",
                LobSize::Long => "longtext",
            },
            Self::Blob { size } => match size {
                LobSize::Tiny => "tinyblob",
                LobSize::Regular => "blob",
                LobSize::Medium => "mediumblob",
                LobSize::Long => "longblob",
            },
            Self::Enum { .. } => "enum",
            Self::Set { .. } => "set",
            Self::Json => "json",
            Self::Geometry { shape, .. } => shape.name(),
        }
    }

    /// The type byte of the protocol. TEXT and BLOB of every size are `BLOB`, and so are ENUM and
    /// SET `STRING` (with a flag) in a result set: see [`ColumnType::result_type`].
    pub const fn protocol_type(&self) -> ProtocolType {
        match self {
            Self::TinyInt { .. } => ProtocolType::Tiny,
            Self::SmallInt { .. } => ProtocolType::Short,
            Self::MediumInt { .. } => ProtocolType::Int24,
            Self::Int { .. } => ProtocolType::Long,
            Self::BigInt { .. } => ProtocolType::LongLong,
            Self::Decimal { .. } => ProtocolType::NewDecimal,
            Self::Float { .. } => ProtocolType::Float,
            Self::Double { .. } => ProtocolType::Double,
            Self::Bit { .. } => ProtocolType::Bit,
            Self::Year => ProtocolType::Year,
            Self::Date => ProtocolType::Date,
            Self::Time { .. } => ProtocolType::Time,
            Self::DateTime { .. } => ProtocolType::DateTime,
            Self::Timestamp { .. } => ProtocolType::Timestamp,
            Self::Char { .. } | Self::Binary { .. } => ProtocolType::String,
            Self::VarChar { .. } | Self::VarBinary { .. } => ProtocolType::VarString,
            Self::Text { .. } | Self::Blob { .. } => ProtocolType::Blob,
            Self::Enum { .. } | Self::Set { .. } => ProtocolType::String,
            Self::Json => ProtocolType::Json,
            Self::Geometry { .. } => ProtocolType::Geometry,
        }
    }
}

impl ColumnType {
    /// The type byte of a column definition in a result set.
    pub const fn result_type(&self) -> ProtocolType {
        self.kind.protocol_type()
    }

    /// The collation number of a column definition before the connection's character set is
    /// applied: `binary` (63) for everything that is not text.
    pub const fn result_collation(&self) -> Collation {
        if self.kind.is_text() { self.collation } else { Collation::BINARY }
    }

    /// The flags that the type alone gives a column definition ([`column_flags`]): BLOB, UNSIGNED,
    /// ZEROFILL, BINARY, ENUM, SET, NUM.
    pub fn result_flags(&self) -> u16 {
        use column_flags as flag;
        let mut flags = 0;
        if self.is_numeric() && self.is_unsigned() {
            flags |= flag::UNSIGNED;
        }
        if self.zerofill {
            flags |= flag::ZEROFILL | flag::UNSIGNED;
        }
        flags |= match &self.kind {
            TypeKind::Text { .. } => flag::BLOB,
            TypeKind::Blob { .. } | TypeKind::Json | TypeKind::Geometry { .. } => flag::BLOB | flag::BINARY,
            TypeKind::Binary { .. } | TypeKind::VarBinary { .. } => flag::BINARY,
            TypeKind::Enum { .. } => flag::ENUM,
            TypeKind::Set { .. } => flag::SET,
            TypeKind::Year => flag::UNSIGNED | flag::ZEROFILL,
            TypeKind::Bit { .. } => flag::UNSIGNED,
            TypeKind::Date
            | TypeKind::Time { .. }
            | TypeKind::DateTime { .. }
            | TypeKind::Timestamp { .. } => flag::BINARY,
            _ => 0,
        };
        if self.kind.is_text() && self.collation.is_binary() {
            flags |= flag::BINARY;
        }
        flags
    }

    /// The `decimals` byte of a column definition.
    pub const fn result_decimals(&self) -> u8 {
        match self.kind {
            TypeKind::Decimal { scale, .. } => scale,
            TypeKind::Float { digits, .. } | TypeKind::Double { digits, .. } => match digits {
                Some((_, scale)) => scale,
                None => NOT_FIXED_DECIMALS,
            },
            _ => self.kind.fsp(),
        }
    }

    /// The `length` of a column definition: the most bytes of a value as the result's character set
    /// encodes it.
    pub fn result_length(&self, result: Charset) -> u32 {
        let characters = match self.kind {
            TypeKind::Text { size } => size.max_bytes(),
            _ => self.display_length(),
        };
        if self.kind.is_text() { characters.saturating_mul(result.max_bytes_per_char()) } else { characters }
    }

    /// The most characters that a value prints.
    pub fn display_length(&self) -> u32 {
        if self.display_width > 0 && self.kind.is_integer() {
            return u32::from(self.display_width);
        }
        match &self.kind {
            TypeKind::TinyInt { unsigned } => 4 - *unsigned as u32,
            TypeKind::SmallInt { unsigned } => 6 - *unsigned as u32,
            TypeKind::MediumInt { unsigned } => 9 - *unsigned as u32,
            TypeKind::Int { unsigned } => 11 - *unsigned as u32,
            TypeKind::BigInt { .. } => 20,
            TypeKind::Decimal { precision, scale, unsigned } => {
                u32::from(*precision) + u32::from(*scale > 0) + u32::from(!*unsigned)
            }
            TypeKind::Float { digits, .. } => digits.map_or(12, |(width, _)| u32::from(width)),
            TypeKind::Double { digits, .. } => digits.map_or(22, |(width, _)| u32::from(width)),
            TypeKind::Bit { width } => u32::from(*width),
            TypeKind::Year => 4,
            TypeKind::Date => 10,
            TypeKind::Time { fsp } => 10 + fraction_length(*fsp),
            TypeKind::DateTime { fsp } | TypeKind::Timestamp { fsp } => 19 + fraction_length(*fsp),
            TypeKind::Char { len }
            | TypeKind::VarChar { len }
            | TypeKind::Binary { len }
            | TypeKind::VarBinary { len } => *len,
            TypeKind::Text { size } => size.max_bytes() / self.charset().max_bytes_per_char(),
            TypeKind::Blob { size } => size.max_bytes(),
            TypeKind::Enum { members } => {
                members.iter().map(|member| member.chars().count()).max().unwrap_or(0) as u32
            }
            TypeKind::Set { members } => {
                let letters: usize = members.iter().map(|member| member.chars().count()).sum();
                (letters + members.len().saturating_sub(1)) as u32
            }
            TypeKind::Json | TypeKind::Geometry { .. } => u32::MAX,
        }
    }

    /// `information_schema.COLUMNS.CHARACTER_MAXIMUM_LENGTH`: characters of text, bytes of binary
    /// strings; `None` for other types.
    pub fn character_length(&self) -> Option<u64> {
        Some(match &self.kind {
            TypeKind::Text { size } => u64::from(size.max_bytes()),
            TypeKind::Blob { size } => u64::from(size.max_bytes()),
            kind if kind.is_text() || kind.is_binary_string() => u64::from(self.display_length()),
            _ => return None,
        })
    }

    /// `information_schema.COLUMNS.CHARACTER_OCTET_LENGTH`; `None` for types without characters.
    pub fn octet_length(&self) -> Option<u64> {
        let length = self.character_length()?;
        Some(match &self.kind {
            TypeKind::Text { .. } | TypeKind::Blob { .. } => length,
            kind if kind.is_text() => length * u64::from(self.charset().max_bytes_per_char()),
            _ => length,
        })
    }

    /// `information_schema.COLUMNS.NUMERIC_PRECISION`: digits, or bits of a BIT; `None` for types that
    /// are no numbers.
    pub const fn numeric_precision(&self) -> Option<u32> {
        Some(match self.kind {
            TypeKind::TinyInt { .. } => 3,
            TypeKind::SmallInt { .. } => 5,
            TypeKind::MediumInt { .. } => 7,
            TypeKind::Int { .. } => 10,
            TypeKind::BigInt { unsigned } => 19 + unsigned as u32,
            TypeKind::Decimal { precision, .. } => precision as u32,
            TypeKind::Float { digits: Some((width, _)), .. } => width as u32,
            TypeKind::Double { digits: Some((width, _)), .. } => width as u32,
            TypeKind::Float { .. } => 12,
            TypeKind::Double { .. } => 22,
            TypeKind::Bit { width } => width as u32,
            _ => return None,
        })
    }

    /// `information_schema.COLUMNS.NUMERIC_SCALE`; `None` where there is no fixed one.
    pub const fn numeric_scale(&self) -> Option<u32> {
        match self.kind {
            TypeKind::Decimal { scale, .. } => Some(scale as u32),
            TypeKind::Float { digits: Some((_, scale)), .. } => Some(scale as u32),
            TypeKind::Double { digits: Some((_, scale)), .. } => Some(scale as u32),
            _ if self.kind.is_integer() => Some(0),
            _ => None,
        }
    }

    /// `information_schema.COLUMNS.DATETIME_PRECISION`; `None` for other types, and DATE.
    pub const fn datetime_precision(&self) -> Option<u32> {
        match self.kind {
            TypeKind::Time { fsp } | TypeKind::DateTime { fsp } | TypeKind::Timestamp { fsp } => {
                Some(fsp as u32)
            }
            _ => None,
        }
    }

    /// The full name as `SHOW CREATE TABLE` prints it, without character set and collation:
    /// `varchar(255)`, `int unsigned`, `decimal(10,2)`, `enum('a','b')`.
    pub fn full_name(&self) -> String {
        let mut out = String::from(self.kind.name());
        let mut parameters = |text: std::fmt::Arguments<'_>| {
            use std::fmt::Write as _;
            // Writing to a String does not fail.
            let _ = out.write_fmt(text);
        };
        match &self.kind {
            kind if kind.is_integer() && self.display_width > 0 => {
                parameters(format_args!("({})", self.display_width));
            }
            TypeKind::Decimal { precision, scale, .. } => parameters(format_args!("({precision},{scale})")),
            TypeKind::Float { digits: Some((width, scale)), .. }
            | TypeKind::Double { digits: Some((width, scale)), .. } => {
                parameters(format_args!("({width},{scale})"));
            }
            TypeKind::Bit { width } => parameters(format_args!("({width})")),
            TypeKind::Time { fsp } | TypeKind::DateTime { fsp } | TypeKind::Timestamp { fsp } if *fsp > 0 => {
                parameters(format_args!("({fsp})"));
            }
            TypeKind::Char { len }
            | TypeKind::VarChar { len }
            | TypeKind::Binary { len }
            | TypeKind::VarBinary { len } => parameters(format_args!("({len})")),
            TypeKind::Enum { members } | TypeKind::Set { members } => {
                for (i, member) in members.iter().enumerate() {
                    let open = if i == 0 { "(" } else { "," };
                    parameters(format_args!("{open}'{}'", member.replace('\'', "''")));
                }
                parameters(format_args!(")"));
            }
            _ => {}
        }
        if self.is_numeric() && self.is_unsigned() {
            out.push_str(" unsigned");
        }
        if self.zerofill {
            out.push_str(" zerofill");
        }
        out
    }
}

const fn fraction_length(fsp: u8) -> u32 {
    if fsp == 0 { 0 } else { fsp as u32 + 1 }
}
