//! Storing a value into a column of another type, with MySQL's rules.
//!
//! Every way to store (INSERT, UPDATE, defaults, ALTER) goes through [`convert_for_store`]. What does
//! not fit is a [`StoreIssue`], which knows MySQL's error code and text. With `strict` it is an
//! error; without, the nearest value is stored and the issue is a warning. Some issues are only
//! ever notes (digits after a DECIMAL's last, the clock of a DATE): [`StoreIssue::is_note`].
//!
//! [`number`] reads numbers at the head of texts, which expressions do too.
//!
//! NULL is stored as NULL: whether the column takes it is the caller's to know. A TIMESTAMP is
//! converted from the session's time zone to UTC here, and back by whoever reads it.

mod geometry;
mod issue;
mod json;
pub mod number;
mod numeric;
mod strings;
mod temporal;

pub use issue::StoreIssue;

use crate::temporal::{DateMode, TimeZone};
use crate::types::{ColumnType, TypeKind};
use crate::value::{Value, ValueRef};

/// The parts of a session that decide how values are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreMode {
    /// `STRICT_TRANS_TABLES` or `STRICT_ALL_TABLES`, and no IGNORE.
    pub strict: bool,
    /// Which unusual dates are taken.
    pub dates: DateMode,
    /// `TIME_TRUNCATE_FRACTIONAL`: cut fractional seconds instead of rounding.
    pub truncate_fraction: bool,
    /// The session's time zone, for TIMESTAMP.
    pub time_zone: TimeZone,
}

impl StoreMode {
    /// MySQL's default `sql_mode` in UTC.
    pub const STRICT: Self =
        Self { strict: true, dates: DateMode::STRICT, truncate_fraction: false, time_zone: TimeZone::UTC };
    /// An empty `sql_mode` in UTC.
    pub const LAX: Self = Self {
        strict: false,
        dates: DateMode { no_zero_date: false, no_zero_in_date: false, allow_invalid_dates: false },
        truncate_fraction: false,
        time_zone: TimeZone::UTC,
    };
}

/// A value that its column holds exactly, and what was lost on the way.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// The value for [`crate::row::encode_column`].
    pub value: Value,
    /// A warning, or a note.
    pub issue: Option<StoreIssue>,
}

pub(crate) use json::scalar_of as json_scalar;

/// What a conversion gives before the mode decides whether the issue is an error.
type Converted = (Value, Option<StoreIssue>);

/// Converts a value for a column.
///
/// # Errors
/// In strict mode the issue that MySQL refuses the statement with.
pub fn convert_for_store(
    value: ValueRef<'_>,
    ty: &ColumnType,
    mode: &StoreMode,
) -> Result<Stored, StoreIssue> {
    if fits_as_it_is(&value, ty) {
        return Ok(Stored { value: value.to_owned(), issue: None });
    }
    // Into a column of text goes the document's text; into others, what a scalar is.
    let scalar;
    let value = match value {
        ValueRef::Json(stored) if !ty.kind.is_text() && ty.kind != TypeKind::Json => {
            scalar = json::scalar_from(stored);
            scalar.as_ref()
        }
        other => other,
    };
    let (stored, issue) = match &ty.kind {
        TypeKind::Decimal { .. } => numeric::to_decimal(value, ty, mode.strict),
        TypeKind::Float { .. } | TypeKind::Double { .. } => numeric::to_float(value, ty, mode.strict),
        TypeKind::Year => numeric::to_year(value),
        TypeKind::Bit { width } => numeric::to_bit(value, *width),
        kind if kind.is_integer() => numeric::to_integer(value, ty),
        TypeKind::Enum { members } => strings::to_enum(value, ty, members),
        TypeKind::Set { members } => strings::to_set(value, ty, members),
        TypeKind::Date => temporal::to_date(value, mode),
        TypeKind::DateTime { .. } | TypeKind::Timestamp { .. } => temporal::to_datetime(value, ty, mode),
        TypeKind::Time { fsp } => temporal::to_time(value, *fsp, mode),
        TypeKind::Json => (json::to_json(value)?, None),
        TypeKind::Geometry { shape, srid } => {
            // Never lenient: bytes that are no geometry have no value to be cut to.
            return geometry::to_geometry(value, *shape, *srid).map(|value| Stored { value, issue: None });
        }
        _ => strings::to_string(value, ty),
    };
    match issue.map(|issue| worded(issue, &value, ty, mode.strict)) {
        Some(issue) if mode.strict && !issue.is_note() => Err(issue),
        issue => Ok(Stored { value: stored, issue }),
    }
}

/// The words that MySQL has for the same event in another mode or type.
fn worded(issue: StoreIssue, value: &ValueRef<'_>, ty: &ColumnType, strict: bool) -> StoreIssue {
    let temporal = match ty.kind {
        TypeKind::Date => "date",
        TypeKind::Time { .. } => "time",
        TypeKind::DateTime { .. } | TypeKind::Timestamp { .. } => "datetime",
        TypeKind::Bit { .. } if !strict && issue == StoreIssue::TooLong => return StoreIssue::OutOfRange,
        _ if !strict && issue == StoreIssue::TooLong => return StoreIssue::Truncated,
        _ => return issue,
    };
    match issue {
        StoreIssue::Truncated | StoreIssue::OutOfRange if strict => {
            StoreIssue::IncorrectTemporal { kind: temporal, value: issue::shown(value) }
        }
        StoreIssue::TruncatedNote if strict => {
            StoreIssue::TemporalNote { kind: temporal, value: issue::shown(value) }
        }
        StoreIssue::DatetimeOverflow if !strict => StoreIssue::OutOfRange,
        other => other,
    }
}

/// Whether the value can go into the column without any change or check that depends on the
/// session, so that it may be encoded as it is, without a copy. Most values of a prepared statement
/// are like that. False only means that [`convert_for_store`] must look.
#[inline]
pub fn fits_as_it_is(value: &ValueRef<'_>, ty: &ColumnType) -> bool {
    match (&ty.kind, *value) {
        (_, ValueRef::Null) => true,
        (kind, ValueRef::Int(v)) => {
            !kind.is_unsigned()
                && kind.integer_range().is_some_and(|(low, high)| v >= low && v <= high as i64)
        }
        (kind, ValueRef::UInt(v)) => {
            kind.is_unsigned() && kind.integer_range().is_some_and(|(_, high)| v <= high)
        }
        (TypeKind::VarChar { len } | TypeKind::Char { len }, ValueRef::Text(v)) => {
            // A character has at least one byte.
            v.len() <= *len as usize
                && strings::holds_every_character(ty)
                && (matches!(ty.kind, TypeKind::VarChar { .. }) || !v.ends_with(' '))
        }
        (TypeKind::Text { size }, ValueRef::Text(v)) => {
            v.len() as u64 <= u64::from(size.max_bytes()) && strings::holds_every_character(ty)
        }
        (TypeKind::VarBinary { len }, ValueRef::Bytes(v)) => v.len() <= *len as usize,
        (TypeKind::Blob { size }, ValueRef::Bytes(v)) => v.len() as u64 <= u64::from(size.max_bytes()),
        (TypeKind::Json, ValueRef::Json(_)) => true,
        (TypeKind::Double { unsigned: false, digits: None }, ValueRef::Double(v)) => v.is_finite(),
        _ => false,
    }
}
