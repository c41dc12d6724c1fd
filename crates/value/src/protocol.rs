//! The numbers by which the MySQL protocol names types and column properties.
//!
//! They are published in MySQL's protocol documentation ("Column Definition", "Protocol Type
//! Codes"). They live here, on the ground floor, because both the planner and the protocol ends
//! speak of them.

/// The type byte of a column definition or a statement parameter (`MYSQL_TYPE_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are the protocol's own")]
pub enum ProtocolType {
    Decimal = 0,
    Tiny = 1,
    Short = 2,
    Long = 3,
    Float = 4,
    Double = 5,
    Null = 6,
    Timestamp = 7,
    LongLong = 8,
    Int24 = 9,
    Date = 10,
    Time = 11,
    DateTime = 12,
    Year = 13,
    VarChar = 15,
    Bit = 16,
    Json = 245,
    NewDecimal = 246,
    Enum = 247,
    Set = 248,
    TinyBlob = 249,
    MediumBlob = 250,
    LongBlob = 251,
    Blob = 252,
    VarString = 253,
    String = 254,
    Geometry = 255,
}

impl ProtocolType {
    /// The type of a protocol byte, as a client may send it. Codes that only live inside a server
    /// (`NEWDATE` 14, `TIMESTAMP2` 17 and the like) are refused.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::Decimal,
            1 => Self::Tiny,
            2 => Self::Short,
            3 => Self::Long,
            4 => Self::Float,
            5 => Self::Double,
            6 => Self::Null,
            7 => Self::Timestamp,
            8 => Self::LongLong,
            9 => Self::Int24,
            10 => Self::Date,
            11 => Self::Time,
            12 => Self::DateTime,
            13 => Self::Year,
            15 => Self::VarChar,
            16 => Self::Bit,
            245 => Self::Json,
            246 => Self::NewDecimal,
            247 => Self::Enum,
            248 => Self::Set,
            249 => Self::TinyBlob,
            250 => Self::MediumBlob,
            251 => Self::LongBlob,
            252 => Self::Blob,
            253 => Self::VarString,
            254 => Self::String,
            255 => Self::Geometry,
            _ => return None,
        })
    }

    /// The protocol byte.
    pub const fn byte(self) -> u8 {
        self as u8
    }
}

/// Flags of a column definition packet.
#[allow(missing_docs, reason = "the names are the protocol's own")]
pub mod column_flags {
    pub const NOT_NULL: u16 = 1;
    pub const PRIMARY_KEY: u16 = 2;
    pub const UNIQUE_KEY: u16 = 4;
    pub const MULTIPLE_KEY: u16 = 8;
    pub const BLOB: u16 = 16;
    pub const UNSIGNED: u16 = 32;
    pub const ZEROFILL: u16 = 64;
    pub const BINARY: u16 = 128;
    pub const ENUM: u16 = 256;
    pub const AUTO_INCREMENT: u16 = 512;
    pub const TIMESTAMP: u16 = 1024;
    pub const SET: u16 = 2048;
    pub const NO_DEFAULT_VALUE: u16 = 4096;
    pub const ON_UPDATE_NOW: u16 = 8192;
    pub const PART_KEY: u16 = 16384;
    pub const NUM: u16 = 32768;
}

/// The `decimals` byte of a column definition that has no fixed number of decimals (floats, and
/// strings in expressions).
pub const NOT_FIXED_DECIMALS: u8 = 31;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_survives_its_byte() {
        let mut known = 0;
        for byte in 0..=255u8 {
            if let Some(ty) = ProtocolType::from_byte(byte) {
                assert_eq!(ty.byte(), byte);
                known += 1;
            }
        }
        assert_eq!(known, 27);
        assert_eq!(ProtocolType::from_byte(14), None);
    }
}
