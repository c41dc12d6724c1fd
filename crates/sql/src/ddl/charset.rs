//! Character sets and collations in definitions: names resolved, pairs checked, old names warned about.

use rustydb_sql_parser::ast::{CharsetAttribute, Ident};
use rustydb_value::{Charset, Collation};

use crate::error::SqlError;
use crate::session::SessionState;

/// The character set of this name, or error 1115; `utf8` and `utf8mb3` are warned about as MySQL does.
pub(crate) fn charset(name: &Ident, session: &mut SessionState) -> Result<Charset, SqlError> {
    let charset =
        Charset::from_name(name.as_str()).ok_or_else(|| SqlError::unknown_charset(name.as_str()))?;
    if charset == Charset::Utf8mb3 {
        session.warn(&if name.is("utf8") {
            SqlError::utf8_alias()
        } else {
            SqlError::deprecated_use("utf8mb3", "utf8mb4")
        });
    }
    Ok(charset)
}

/// The collation of this name, or error 1273.
pub(crate) fn collation(name: &Ident, session: &mut SessionState) -> Result<Collation, SqlError> {
    let found =
        Collation::from_name(name.as_str()).ok_or_else(|| SqlError::unknown_collation(name.as_str()))?;
    if found.charset() == Charset::Utf8mb3 {
        session.warn(&SqlError::utf8mb3_collation(found.name()));
    }
    Ok(found)
}

/// The collation that `CHARACTER SET a COLLATE b` stands for where either part may be missing, `default`
/// where both are. A collation of another character set is error 1253.
pub(crate) fn resolve(
    charset: Option<Charset>,
    collation: Option<Collation>,
    default: Collation,
) -> Result<Collation, SqlError> {
    match (charset, collation) {
        (Some(charset), Some(collation)) if collation.charset() != charset => {
            Err(SqlError::collation_mismatch(collation.name(), charset.name()))
        }
        (_, Some(collation)) => Ok(collation),
        (Some(charset), None) => Ok(charset.default_collation()),
        (None, None) => Ok(default),
    }
}

/// The collation of a column that is declared with these attributes in a table of this default.
pub(crate) fn column_collation(
    attribute: &CharsetAttribute,
    national: bool,
    collate: Option<&Ident>,
    default: Collation,
    session: &mut SessionState,
) -> Result<Collation, SqlError> {
    let mut set = match &attribute.charset {
        Some(name) => Some(charset(name, session)?),
        None => None,
    };
    if national {
        set = Some(Charset::Utf8mb3);
        session.warn(&SqlError::national_charset());
    }
    let collate = match attribute.collation.as_ref().or(collate) {
        Some(name) => Some(collation(name, session)?),
        None => None,
    };
    if attribute.binary && collate.is_none() {
        let base = set.unwrap_or(default.charset());
        return Ok(binary_collation(base));
    }
    let found = resolve(set, collate, default)?;
    if !found.is_built() {
        // It is known by name only; an index would have the wrong order.
        return Err(SqlError::unknown_collation(found.name()));
    }
    Ok(found)
}

/// The `_bin` collation of a character set.
fn binary_collation(charset: Charset) -> Collation {
    match charset {
        Charset::Binary => Collation::BINARY,
        Charset::Utf8mb4 => Collation::UTF8MB4_BIN,
        Charset::Utf8mb3 => Collation::UTF8MB3_BIN,
        Charset::Latin1 => Collation::LATIN1_BIN,
        Charset::Ascii => Collation::ASCII_BIN,
    }
}
