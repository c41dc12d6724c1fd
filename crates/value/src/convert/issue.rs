//! What MySQL says when a value does not fit its column.

use crate::value::ValueRef;

/// Why a value could not be stored as it was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreIssue {
    /// A number beyond the column's range (1264).
    #[error("Out of range value")]
    OutOfRange,
    /// A string longer than the column (1406).
    #[error("Data too long")]
    TooLong,
    /// Part of the value was lost (1265).
    #[error("Data truncated")]
    Truncated,
    /// Digits, spaces or a clock were lost in a way that is never an error (1265, a note).
    #[error("Data truncated")]
    TruncatedNote,
    /// A text that is no number, or bytes that are no text (1366).
    #[error("Incorrect {kind} value: '{value}'")]
    Incorrect {
        /// `integer`, `decimal`, `FLOAT`, `DOUBLE` or `string`.
        kind: &'static str,
        /// The value as MySQL shows it.
        value: String,
    },
    /// A value that is no date or time (1292).
    #[error("Incorrect {kind} value: '{value}'")]
    IncorrectTemporal {
        /// `date`, `time` or `datetime`.
        kind: &'static str,
        /// The value as MySQL shows it.
        value: String,
    },
    /// The clock of a DATE, or the date of a TIME, was dropped from a text or number (1292, a note).
    #[error("Incorrect {kind} value: '{value}'")]
    TemporalNote {
        /// `date` or `time`.
        kind: &'static str,
        /// The value as MySQL shows it.
        value: String,
    },
    /// Rounding fractional seconds left year 9999 (1441).
    #[error("Datetime function: datetime field overflow")]
    DatetimeOverflow,
    /// A text that is no JSON document (3140).
    #[error("Invalid JSON text: \"{reason}\" at position {position} in value")]
    InvalidJson {
        /// What is wrong with it.
        reason: &'static str,
        /// The byte where it was seen.
        position: usize,
    },
    /// A JSON document of too many levels (3157).
    #[error("The JSON document exceeds the maximum depth.")]
    JsonTooDeep,
    /// Bytes for a JSON column (3144).
    #[error("Cannot create a JSON value from a string with CHARACTER SET 'binary'.")]
    JsonFromBytes,
    /// Bytes that are no geometry of the column's shape (1416).
    #[error("Cannot get geometry object from data you send to the GEOMETRY field")]
    NoGeometry,
    /// A geometry of another reference system than the column's (3643).
    #[error("The SRID of the geometry is {found}, but the SRID of the column is {wanted}.")]
    WrongSrid {
        /// That of the value.
        found: u32,
        /// That of the column.
        wanted: u32,
    },
    /// This version does not store the type.
    #[error("{0} columns are not supported by this version")]
    Unsupported(&'static str),
}

impl StoreIssue {
    /// MySQL's error number.
    pub const fn code(&self) -> u16 {
        match self {
            Self::OutOfRange => 1264,
            Self::TooLong => 1406,
            Self::Truncated | Self::TruncatedNote => 1265,
            Self::Incorrect { .. } => 1366,
            Self::IncorrectTemporal { .. } | Self::TemporalNote { .. } => 1292,
            Self::DatetimeOverflow => 1441,
            Self::InvalidJson { .. } => 3140,
            Self::JsonTooDeep => 3157,
            Self::JsonFromBytes => 3144,
            Self::NoGeometry => 1416,
            Self::WrongSrid { .. } => 3643,
            Self::Unsupported(_) => 1235,
        }
    }

    /// The SQLSTATE that belongs to the code.
    pub const fn sqlstate(&self) -> &'static str {
        match self {
            Self::OutOfRange => "22003",
            Self::TooLong => "22001",
            Self::Truncated | Self::TruncatedNote => "01000",
            Self::Incorrect { .. } => "HY000",
            Self::IncorrectTemporal { .. } | Self::TemporalNote { .. } => "22007",
            Self::DatetimeOverflow => "22008",
            Self::InvalidJson { .. } => "22032",
            Self::JsonTooDeep => "22032",
            Self::JsonFromBytes => "22032",
            Self::NoGeometry => "22003",
            Self::WrongSrid { .. } => "HY000",
            Self::Unsupported(_) => "42000",
        }
    }

    /// Whether it is only ever a note, in strict mode too.
    pub const fn is_note(&self) -> bool {
        matches!(self, Self::TruncatedNote | Self::TemporalNote { .. })
    }

    /// MySQL's message for a column and the number of a row in its statement, counted from 1.
    pub fn message(&self, column: &str, row: u64) -> String {
        match self {
            Self::Unsupported(_)
            | Self::DatetimeOverflow
            | Self::JsonTooDeep
            | Self::JsonFromBytes
            | Self::NoGeometry => self.to_string(),
            Self::InvalidJson { .. } => format!("{self} for column '{column}'."),
            Self::WrongSrid { .. } => format!(
                "The SRID of the geometry does not match the SRID of the column '{column}'. {self} Consider changing \
                 the SRID of the geometry or the SRID property of the column."
            ),
            _ => format!("{self} for column '{column}' at row {row}"),
        }
    }
}

/// The bytes of a value that a message shows.
const MOST_SHOWN: usize = 128;

/// A value as MySQL's messages show it: at most 128 bytes; characters beyond the Basic Multilingual
/// Plane as `?`, bytes that are no text in hexadecimal.
pub(super) fn shown(value: &ValueRef<'_>) -> String {
    let mut out = String::new();
    let text = value.to_text();
    let binary = matches!(value, ValueRef::Bytes(_));
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            let piece = match character {
                c if u32::from(c) > 0xffff => String::from("?"),
                c if binary && c.is_control() => format!("\\x{:02X}", u32::from(c)),
                c => String::from(c),
            };
            if out.len() + piece.len() > MOST_SHOWN {
                return out;
            }
            out.push_str(&piece);
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02X}"));
        }
    }
    out
}
