//! Table options: those that act, those that are kept to be read back, and those that are refused.

use rustydb_catalog::{RowFormat, TableDef, TableOptions};
use rustydb_sql_parser::ast::{Ident, TableOption, TableOptionValue};
use rustydb_value::Collation;

use super::charset;
use super::table::comment_text;
use crate::error::SqlError;
use crate::session::SessionState;
use crate::variables::SqlMode;

/// The most characters of a table comment.
const MAX_COMMENT: usize = 2048;

/// What the options of a table say.
pub(crate) struct TableSettings {
    pub(crate) collation: Collation,
    pub(crate) comment: String,
    pub(crate) options: TableOptions,
    pub(crate) first_auto_increment: Option<u64>,
}

/// Reads the options of CREATE TABLE; `default` is the collation of the database.
pub(crate) fn read(
    list: &[TableOption],
    table: &str,
    default: Collation,
    session: &mut SessionState,
) -> Result<TableSettings, SqlError> {
    let mut settings = TableSettings {
        collation: default,
        comment: String::new(),
        options: TableOptions::default(),
        first_auto_increment: None,
    };
    let mut set = None;
    let mut collation = None;
    for option in list {
        match option {
            TableOption::Engine(name) => engine(name, table, session)?,
            TableOption::SecondaryEngine(None) => {}
            TableOption::SecondaryEngine(Some(_)) => {
                return Err(SqlError::not_supported("SECONDARY_ENGINE"));
            }
            TableOption::CharacterSet(name) => set = Some(charset::charset(name, session)?),
            TableOption::Collate(name) => collation = Some(charset::collation(name, session)?),
            TableOption::AutoIncrement(n) => settings.first_auto_increment = Some(*n),
            TableOption::Comment(text) => {
                settings.comment = comment_text(Some(text));
                if settings.comment.chars().count() > MAX_COMMENT {
                    return Err(SqlError::table_comment_too_long(table, MAX_COMMENT));
                }
            }
            TableOption::RowFormat(name) => settings.options.row_format = Some(row_format(name)?),
            TableOption::Union(tables) if tables.is_empty() => {}
            TableOption::Union(_) => return Err(SqlError::not_supported("UNION tables")),
            TableOption::StartTransaction => {
                return Err(SqlError::not_supported("START TRANSACTION of CREATE TABLE"));
            }
            TableOption::Other { name, value } => other(name, value, &mut settings.options)?,
        }
    }
    settings.collation = charset::resolve(set, collation, default)?;
    Ok(settings)
}

/// Reads the options of ALTER TABLE over those that the table has.
pub(crate) fn read_over(
    list: &[TableOption],
    old: &TableDef,
    session: &mut SessionState,
) -> Result<TableSettings, SqlError> {
    let mut settings = read(list, &old.name, old.collation, session)?;
    if !list.iter().any(|option| matches!(option, TableOption::Comment(_))) {
        settings.comment = old.comment.clone();
    }
    let mut options = old.options.clone();
    for option in list {
        match option {
            TableOption::RowFormat(name) => options.row_format = Some(row_format(name)?),
            TableOption::Other { name, value } => other(name, value, &mut options)?,
            _ => {}
        }
    }
    settings.options = options;
    Ok(settings)
}

/// Only InnoDB is here; any other engine is an error, or InnoDB with warnings when the session allows
/// substitution.
fn engine(name: &Ident, table: &str, session: &mut SessionState) -> Result<(), SqlError> {
    if name.is("InnoDB") {
        return Ok(());
    }
    // Other engines of MySQL that hold rows: their tables are InnoDB's here, and the client is told.
    if ["MyISAM", "MEMORY", "HEAP", "MRG_MYISAM", "MERGE", "ARCHIVE", "CSV"]
        .iter()
        .any(|known| name.is(known))
    {
        session.warn(&SqlError::engine_substituted("InnoDB", table));
        return Ok(());
    }
    let unknown = SqlError::unknown_engine(name.as_str());
    if session.settings.sql_mode.has(SqlMode::NO_ENGINE_SUBSTITUTION) {
        return Err(unknown);
    }
    session.warn(&unknown);
    session.warn(&SqlError::engine_substituted("InnoDB", table));
    Ok(())
}

fn row_format(name: &Ident) -> Result<RowFormat, SqlError> {
    const FORMATS: [(&str, RowFormat); 6] = [
        ("DEFAULT", RowFormat::Default),
        ("DYNAMIC", RowFormat::Dynamic),
        ("COMPACT", RowFormat::Compact),
        ("REDUNDANT", RowFormat::Redundant),
        ("COMPRESSED", RowFormat::Compressed),
        ("FIXED", RowFormat::Fixed),
    ];
    let found = FORMATS.iter().find(|(word, _)| name.is(word));
    found.map(|f| f.1).ok_or_else(|| SqlError::not_supported(format_args!("ROW_FORMAT={}", name.as_str())))
}

fn other(name: &str, value: &TableOptionValue, options: &mut TableOptions) -> Result<(), SqlError> {
    let number = match value {
        TableOptionValue::Number(n) => Some(*n),
        _ => None,
    };
    let default = matches!(value, TableOptionValue::Word(word) if word.is("DEFAULT"));
    let empty = matches!(value, TableOptionValue::String(text) if text.value.is_empty());
    let refused = || SqlError::not_supported(name);
    let flag = || if default { Ok(None) } else { number.map(|n| Some(n != 0)).ok_or_else(refused) };
    let count = || number.ok_or_else(refused);
    match name {
        "KEY_BLOCK_SIZE" => options.key_block_size = u32::try_from(count()?).map_err(|_| refused())?,
        "STATS_PERSISTENT" => options.stats_persistent = flag()?,
        "STATS_AUTO_RECALC" => options.stats_auto_recalc = flag()?,
        "STATS_SAMPLE_PAGES" if default => options.stats_sample_pages = None,
        "STATS_SAMPLE_PAGES" => {
            options.stats_sample_pages = Some(u32::try_from(count()?).map_err(|_| refused())?);
        }
        "AVG_ROW_LENGTH" => options.avg_row_length = count()?,
        "MIN_ROWS" => options.min_rows = count()?,
        "MAX_ROWS" => options.max_rows = count()?,
        "CHECKSUM" => options.checksum = flag()?,
        "DELAY_KEY_WRITE" => options.delay_key_write = flag()?,
        "PACK_KEYS" => options.pack_keys = flag()?,
        "ENCRYPTION" if is_text(value, "N") => {}
        "COMPRESSION" if empty || is_text(value, "NONE") => {}
        _ if empty => {}
        _ => return Err(refused()),
    }
    Ok(())
}

fn is_text(value: &TableOptionValue, word: &str) -> bool {
    match value {
        TableOptionValue::String(text) => text.as_str().is_some_and(|t| t.eq_ignore_ascii_case(word)),
        _ => false,
    }
}
