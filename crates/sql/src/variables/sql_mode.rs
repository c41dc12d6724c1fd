//! `sql_mode`: which of MySQL's dialects and strictnesses a session asked for.
//!
//! The bits have MySQL's values, since `SET sql_mode = 1436549152` is legal and dumps contain it. The
//! modes that change something here are read through the named questions (`strict`, `ansi_quotes`).
//! A mode that would change behaviour but is not built is refused when it is set, with error 1231,
//! so that no session believes in a mode that does nothing.

use crate::error::SqlError;

/// A set of modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SqlMode(pub u64);

macro_rules! modes {
    ($($constant:ident $text:literal $bit:literal $built:literal;)*) => {
        impl SqlMode {
            $(#[doc = concat!("`", $text, "`")]
            pub const $constant: SqlMode = SqlMode(1 << $bit);)*
        }
        /// Name, bit and whether this server can do it, by ascending bit.
        const MODES: &[(&str, u64, bool)] = &[$(($text, 1 << $bit, $built)),*];
    };
}

modes! {
    REAL_AS_FLOAT "REAL_AS_FLOAT" 0 true;
    PIPES_AS_CONCAT "PIPES_AS_CONCAT" 1 true;
    ANSI_QUOTES "ANSI_QUOTES" 2 true;
    IGNORE_SPACE "IGNORE_SPACE" 3 true;
    ONLY_FULL_GROUP_BY "ONLY_FULL_GROUP_BY" 5 true;
    NO_UNSIGNED_SUBTRACTION "NO_UNSIGNED_SUBTRACTION" 6 true;
    NO_DIR_IN_CREATE "NO_DIR_IN_CREATE" 7 true;
    ANSI "ANSI" 18 true;
    NO_AUTO_VALUE_ON_ZERO "NO_AUTO_VALUE_ON_ZERO" 19 true;
    NO_BACKSLASH_ESCAPES "NO_BACKSLASH_ESCAPES" 20 true;
    STRICT_TRANS_TABLES "STRICT_TRANS_TABLES" 21 true;
    STRICT_ALL_TABLES "STRICT_ALL_TABLES" 22 true;
    NO_ZERO_IN_DATE "NO_ZERO_IN_DATE" 23 true;
    NO_ZERO_DATE "NO_ZERO_DATE" 24 true;
    ALLOW_INVALID_DATES "ALLOW_INVALID_DATES" 25 true;
    ERROR_FOR_DIVISION_BY_ZERO "ERROR_FOR_DIVISION_BY_ZERO" 26 true;
    TRADITIONAL "TRADITIONAL" 27 true;
    HIGH_NOT_PRECEDENCE "HIGH_NOT_PRECEDENCE" 29 true;
    NO_ENGINE_SUBSTITUTION "NO_ENGINE_SUBSTITUTION" 30 true;
    PAD_CHAR_TO_FULL_LENGTH "PAD_CHAR_TO_FULL_LENGTH" 31 false;
    TIME_TRUNCATE_FRACTIONAL "TIME_TRUNCATE_FRACTIONAL" 32 false;
}

impl Default for SqlMode {
    fn default() -> SqlMode {
        SqlMode::ONLY_FULL_GROUP_BY
            .with(SqlMode::STRICT_TRANS_TABLES)
            .with(SqlMode::NO_ZERO_IN_DATE)
            .with(SqlMode::NO_ZERO_DATE)
            .with(SqlMode::ERROR_FOR_DIVISION_BY_ZERO)
            .with(SqlMode::NO_ENGINE_SUBSTITUTION)
    }
}

impl SqlMode {
    /// Whether all of `mode` is on.
    pub fn has(self, mode: SqlMode) -> bool {
        self.0 & mode.0 == mode.0
    }

    /// This and `mode`.
    pub const fn with(self, mode: SqlMode) -> SqlMode {
        SqlMode(self.0 | mode.0)
    }

    /// Whether a value that does not fit is an error (rather than a warning and a nearby value).
    pub fn strict(self) -> bool {
        self.0 & (SqlMode::STRICT_TRANS_TABLES.0 | SqlMode::STRICT_ALL_TABLES.0) != 0
    }

    /// Whether `"x"` is a name.
    pub fn ansi_quotes(self) -> bool {
        self.has(SqlMode::ANSI_QUOTES)
    }

    /// Reads MySQL's comma-separated list; refuses unknown and unbuilt modes with 1231.
    pub fn parse(text: &str) -> Result<SqlMode, SqlError> {
        let mut mode = SqlMode(0);
        for part in text.split(',') {
            let name = part.trim_end();
            if name.is_empty() {
                continue;
            }
            let found = MODES.iter().find(|(known, _, _)| known.eq_ignore_ascii_case(name));
            match found {
                Some((_, bit, true)) => mode.0 |= bit,
                _ => return Err(SqlError::wrong_value_for_variable("sql_mode", name)),
            }
        }
        Ok(mode.expanded())
    }

    /// Reads the numeric form.
    pub fn from_bits(bits: u64) -> Result<SqlMode, SqlError> {
        let built = MODES.iter().filter(|m| m.2).fold(0, |all, m| all | m.1);
        if bits & !built != 0 {
            return Err(SqlError::wrong_value_for_variable("sql_mode", bits));
        }
        Ok(SqlMode(bits).expanded())
    }

    /// Adds what the combination modes stand for.
    fn expanded(self) -> SqlMode {
        let mut mode = self;
        if mode.has(SqlMode::ANSI) {
            mode = mode
                .with(SqlMode::REAL_AS_FLOAT)
                .with(SqlMode::PIPES_AS_CONCAT)
                .with(SqlMode::ANSI_QUOTES)
                .with(SqlMode::IGNORE_SPACE)
                .with(SqlMode::ONLY_FULL_GROUP_BY);
        }
        if mode.has(SqlMode::TRADITIONAL) {
            mode = mode
                .with(SqlMode::STRICT_TRANS_TABLES)
                .with(SqlMode::STRICT_ALL_TABLES)
                .with(SqlMode::NO_ZERO_IN_DATE)
                .with(SqlMode::NO_ZERO_DATE)
                .with(SqlMode::ERROR_FOR_DIVISION_BY_ZERO)
                .with(SqlMode::NO_ENGINE_SUBSTITUTION);
        }
        mode
    }

    /// The names, by ascending bit, separated by commas.
    pub fn text(self) -> String {
        let names: Vec<&str> = MODES.iter().filter(|m| self.0 & m.1 != 0).map(|m| m.0).collect();
        names.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_reads_as_mysqls() {
        assert_eq!(
            SqlMode::default().text(),
            "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,\
             ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
        );
        assert_eq!(SqlMode::parse(&SqlMode::default().text()), Ok(SqlMode::default()));
    }

    #[test]
    fn combinations_expand() {
        let mode = SqlMode::parse("ansi").unwrap();
        assert_eq!(
            mode.text(),
            "REAL_AS_FLOAT,PIPES_AS_CONCAT,ANSI_QUOTES,IGNORE_SPACE,ONLY_FULL_GROUP_BY,ANSI"
        );
        assert!(SqlMode::parse("traditional").unwrap().strict());
    }

    #[test]
    fn what_is_unknown_or_unbuilt_is_refused() {
        assert_eq!(SqlMode::parse("STRICT_TRANS_TABLES,FOO").unwrap_err().code, 1231);
        assert_eq!(SqlMode::parse("PAD_CHAR_TO_FULL_LENGTH").unwrap_err().code, 1231);
        assert_eq!(SqlMode::from_bits(1 << 40).unwrap_err().code, 1231);
        assert_eq!(SqlMode::parse("").unwrap(), SqlMode(0));
    }
}
