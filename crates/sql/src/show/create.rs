//! SHOW CREATE TABLE and SHOW CREATE DATABASE, byte for byte as MySQL 8.4 prints them.
//!
//! The text is SQL that makes the same table again; dumps and migration tools compare it as text, so
//! every space counts here.

use rustydb_catalog::{
    CheckDef, ColumnDef, ColumnDefault, DatabaseDef, ForeignKeyDef, IndexDef, RecordedKey, RecordedKind,
    RowFormat, TableDef,
};
use rustydb_value::{Charset, Collation, TypeKind, Value, ValueRef};

use super::quote::{identifier, string};
use crate::ddl::foreign_key::actions;

/// How names and literals are quoted in the text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    /// `sql_quote_show_create`
    pub(crate) quote: bool,
    /// ANSI_QUOTES: names in double quotes
    pub(crate) ansi: bool,
}

/// The statement that makes this table; `next` is the next AUTO_INCREMENT value.
pub(crate) fn create_table(table: &TableDef, next: Option<u64>, style: Style) -> String {
    let mut out = String::from("CREATE TABLE ");
    identifier(&table.name, style, &mut out);
    out.push_str(" (\n");
    for (i, column) in table.columns.iter().enumerate() {
        if i > 0 {
            out.push_str(",\n");
        }
        out.push_str("  ");
        column_text(table, column, style, &mut out);
    }
    if !table.has_hidden_key() {
        out.push_str(",\n  PRIMARY KEY ");
        index_parts(table, &table.primary, style, &mut out);
        index_suffix(&table.primary, &mut out);
    }
    for key in ordered_keys(table) {
        match key {
            Key::Index(index) => {
                out.push_str(if index.unique { ",\n  UNIQUE KEY " } else { ",\n  KEY " });
                identifier(&index.name, style, &mut out);
                out.push(' ');
                index_parts(table, index, style, &mut out);
                index_suffix(index, &mut out);
            }
            Key::Recorded(key) => recorded_key(table, key, style, &mut out),
        }
    }
    constraints(table, style, &mut out);
    out.push_str("\n)");
    table_options(table, next, &mut out);
    out
}

/// The secondary indexes as MySQL lists them: unique ones without NULLs, other unique ones, the rest.
pub(crate) fn ordered_indexes(table: &TableDef) -> Vec<&IndexDef> {
    let nullable = |index: &IndexDef| {
        index.columns.iter().any(|p| table.columns.get(p.column).is_some_and(|c| c.nullable))
    };
    let mut indexes: Vec<&IndexDef> = table.indexes.iter().collect();
    indexes.sort_by_key(|index| match (index.unique, nullable(index)) {
        (true, false) => 0,
        (true, true) => 1,
        (false, _) => 2,
    });
    indexes
}

/// A key as it is listed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Key<'a> {
    Index(&'a IndexDef),
    Recorded(&'a RecordedKey),
}

/// All keys but the primary as MySQL lists them: unique ones first, FULLTEXT last.
pub(crate) fn ordered_keys(table: &TableDef) -> Vec<Key<'_>> {
    let mut keys: Vec<Key<'_>> = ordered_indexes(table).into_iter().map(Key::Index).collect();
    keys.extend(table.recorded.iter().map(Key::Recorded));
    // Spatial keys stand among the plain ones by age.
    keys.sort_by_key(|key| match key {
        Key::Index(index) if index.unique => (0, 0),
        Key::Index(index) => (1, index.id),
        Key::Recorded(key) if key.kind == RecordedKind::Spatial => (1, key.id),
        Key::Recorded(key) => (2, key.id),
    });
    keys
}

fn recorded_key(table: &TableDef, key: &RecordedKey, style: Style, out: &mut String) {
    out.push_str(match key.kind {
        RecordedKind::FullText => ",\n  FULLTEXT KEY ",
        RecordedKind::Spatial => ",\n  SPATIAL KEY ",
    });
    identifier(&key.name, style, out);
    out.push_str(" (");
    names(table, &key.columns, ",", style, out);
    out.push(')');
    if !key.comment.is_empty() {
        out.push_str(" COMMENT ");
        string(&key.comment, out);
    }
    if !key.visible {
        out.push_str(" /*!80000 INVISIBLE */");
    }
    if !key.parser.is_empty() {
        out.push_str(" /*!50100 WITH PARSER ");
        identifier(&key.parser, style, out);
        out.push_str(" */ ");
    }
}

fn names(table: &TableDef, columns: &[usize], between: &str, style: Style, out: &mut String) {
    for (at, column) in columns.iter().filter_map(|at| table.columns.get(*at)).enumerate() {
        if at > 0 {
            out.push_str(between);
        }
        identifier(&column.name, style, out);
    }
}

/// Foreign keys and CHECK constraints, each by name.
fn constraints(table: &TableDef, style: Style, out: &mut String) {
    for key in ordered_foreign_keys(table) {
        out.push_str(",\n  CONSTRAINT ");
        identifier(&key.name, style, out);
        out.push_str(" FOREIGN KEY (");
        names(table, &key.columns, ", ", style, out);
        out.push_str(") REFERENCES ");
        if key.parent_database != table.database {
            identifier(&key.parent_database, style, out);
            out.push('.');
        }
        identifier(&key.parent_table, style, out);
        out.push_str(" (");
        for (at, column) in key.parent_columns.iter().enumerate() {
            if at > 0 {
                out.push_str(", ");
            }
            identifier(column, style, out);
        }
        out.push(')');
        out.push_str(&actions(key));
    }
    for check in ordered_checks(table) {
        out.push_str(",\n  CONSTRAINT ");
        identifier(&check.name, style, out);
        out.push_str(&format!(" CHECK ({})", check.expression));
        if !check.enforced {
            out.push_str(" /*!80016 NOT ENFORCED */");
        }
    }
}

/// The foreign keys by name.
pub(crate) fn ordered_foreign_keys(table: &TableDef) -> Vec<&ForeignKeyDef> {
    let mut keys: Vec<&ForeignKeyDef> = table.foreign_keys.iter().collect();
    keys.sort_by_key(|key| key.name.to_lowercase());
    keys
}

/// The CHECK constraints by name.
pub(crate) fn ordered_checks(table: &TableDef) -> Vec<&CheckDef> {
    let mut checks: Vec<&CheckDef> = table.checks.iter().collect();
    checks.sort_by_key(|check| check.name.to_lowercase());
    checks
}

/// One column of the text.
fn column_text(table: &TableDef, column: &ColumnDef, style: Style, out: &mut String) {
    identifier(&column.name, style, out);
    out.push(' ');
    out.push_str(&column.ty.full_name());
    if column.ty.kind.is_text() {
        // A column that differs from its table names both; one that agrees names only a collation that the
        // character set's name alone would not give.
        let collation = column.ty.collation;
        let says = collation != table.collation || column.explicit_collation;
        if says {
            out.push_str(" CHARACTER SET ");
            out.push_str(collation.charset().name());
        }
        if says || !collation.is_default() {
            out.push_str(" COLLATE ");
            out.push_str(collation.name());
        }
    }
    if let Some(generated) = &column.generated {
        let kind = if generated.stored { "STORED" } else { "VIRTUAL" };
        out.push_str(&format!(" GENERATED ALWAYS AS ({}) {kind}", generated.expression));
    }
    if !column.nullable {
        out.push_str(" NOT NULL");
    } else if matches!(column.ty.kind, TypeKind::Timestamp { .. }) {
        out.push_str(" NULL");
    }
    if let TypeKind::Geometry { srid: Some(srid), .. } = column.ty.kind {
        out.push_str(&format!(" /*!80003 SRID {srid} */"));
    }
    match &column.default {
        Some(ColumnDefault::Dropped) => {}
        Some(default) => {
            out.push_str(" DEFAULT ");
            default_text(column, default, out);
        }
        None if column.nullable && column.generated.is_none() && !is_text_or_blob(&column.ty.kind) => {
            out.push_str(" DEFAULT NULL")
        }
        None => {}
    }
    if let Some(fsp) = column.on_update_now {
        out.push_str(" ON UPDATE CURRENT_TIMESTAMP");
        digits(fsp, out);
    }
    if column.auto_increment {
        out.push_str(" AUTO_INCREMENT");
    }
    if !column.visible {
        out.push_str(" /*!80023 INVISIBLE */");
    }
    if !column.comment.is_empty() {
        out.push_str(" COMMENT ");
        string(&column.comment, out);
    }
}

fn is_text_or_blob(kind: &TypeKind) -> bool {
    matches!(kind, TypeKind::Text { .. } | TypeKind::Blob { .. })
}

fn digits(fsp: u8, out: &mut String) {
    if fsp > 0 {
        out.push('(');
        out.push_str(&fsp.to_string());
        out.push(')');
    }
}

/// A default as it stands in the text.
fn default_text(column: &ColumnDef, default: &ColumnDefault, out: &mut String) {
    match default {
        ColumnDefault::CurrentTimestamp { fsp } => {
            out.push_str("CURRENT_TIMESTAMP");
            digits(*fsp, out);
        }
        ColumnDefault::Expression(text) => out.push_str(&format!("({text})")),
        ColumnDefault::Dropped => {}
        ColumnDefault::Literal(Value::Bit(bit)) => {
            out.push_str(&format!("b'{:b}'", bit.value));
        }
        ColumnDefault::Literal(value) => match value.as_ref() {
            ValueRef::Null => out.push_str("NULL"),
            ValueRef::Bytes(bytes) if std::str::from_utf8(bytes).is_err() => {
                out.push_str("0x");
                for byte in bytes {
                    out.push_str(&format!("{byte:02X}"));
                }
            }
            _ => string(&plain_default(column, value), out),
        },
    }
}

/// The text of a literal default without quotes, as `information_schema.COLUMNS` shows it.
pub(crate) fn plain_default(column: &ColumnDef, value: &Value) -> String {
    let mut text = Vec::new();
    column.ty.write_text(&value.as_ref(), &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

fn index_parts(table: &TableDef, index: &IndexDef, style: Style, out: &mut String) {
    out.push('(');
    for (i, part) in index.columns.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        let name = table.columns.get(part.column).map_or("", |c| c.name.as_str());
        identifier(name, style, out);
        if let Some(prefix) = part.prefix {
            out.push_str(&format!("({prefix})"));
        }
        if part.descending {
            out.push_str(" DESC");
        }
    }
    out.push(')');
}

fn index_suffix(index: &IndexDef, out: &mut String) {
    if !index.comment.is_empty() {
        out.push_str(" COMMENT ");
        string(&index.comment, out);
    }
    if !index.visible {
        out.push_str(" /*!80000 INVISIBLE */");
    }
}

fn table_options(table: &TableDef, next: Option<u64>, out: &mut String) {
    out.push_str(" ENGINE=InnoDB");
    if let Some(next) = next.filter(|n| *n > 1) {
        out.push_str(&format!(" AUTO_INCREMENT={next}"));
    }
    charset_options(table.collation, out);
    for option in kept_options(table) {
        out.push(' ');
        out.push_str(&option);
    }
    if !table.comment.is_empty() {
        out.push_str(" COMMENT=");
        string(&table.comment, out);
    }
}

fn charset_options(collation: Collation, out: &mut String) {
    out.push_str(" DEFAULT CHARSET=");
    out.push_str(collation.charset().name());
    if !collation.is_default() || collation.charset() == Charset::Utf8mb4 {
        out.push_str(" COLLATE=");
        out.push_str(collation.name());
    }
}

/// The options that are kept to be read back, as `NAME=value` in MySQL's order.
pub(crate) fn kept_options(table: &TableDef) -> Vec<String> {
    let options = &table.options;
    let mut out = Vec::new();
    let mut number = |name: &str, value: u64| {
        if value > 0 {
            out.push(format!("{name}={value}"));
        }
    };
    number("MIN_ROWS", options.min_rows);
    number("MAX_ROWS", options.max_rows);
    number("AVG_ROW_LENGTH", options.avg_row_length);
    let mut flag = |name: &str, value: Option<bool>| {
        if let Some(on) = value {
            out.push(format!("{name}={}", u8::from(on)));
        }
    };
    flag("PACK_KEYS", options.pack_keys);
    flag("STATS_PERSISTENT", options.stats_persistent);
    flag("STATS_AUTO_RECALC", options.stats_auto_recalc);
    if let Some(pages) = options.stats_sample_pages {
        out.push(format!("STATS_SAMPLE_PAGES={pages}"));
    }
    if options.checksum == Some(true) {
        out.push("CHECKSUM=1".into());
    }
    if options.delay_key_write == Some(true) {
        out.push("DELAY_KEY_WRITE=1".into());
    }
    if let Some(format) = options.row_format.filter(|f| *f != RowFormat::Default) {
        out.push(format!("ROW_FORMAT={}", row_format_name(format)));
    }
    if options.key_block_size > 0 {
        out.push(format!("KEY_BLOCK_SIZE={}", options.key_block_size));
    }
    out
}

/// The word of a row format.
pub(crate) fn row_format_name(format: RowFormat) -> &'static str {
    match format {
        RowFormat::Default => "DEFAULT",
        RowFormat::Dynamic => "DYNAMIC",
        RowFormat::Compact => "COMPACT",
        RowFormat::Redundant => "REDUNDANT",
        RowFormat::Compressed => "COMPRESSED",
        RowFormat::Fixed => "FIXED",
    }
}

/// The statement that makes this database.
pub(crate) fn create_database(database: &DatabaseDef, if_not_exists: bool, style: Style) -> String {
    let mut out = String::from("CREATE DATABASE ");
    if if_not_exists {
        out.push_str("/*!32312 IF NOT EXISTS*/ ");
    }
    identifier(&database.name, style, &mut out);
    out.push_str(" /*!40100 DEFAULT CHARACTER SET ");
    out.push_str(database.collation.charset().name());
    if !database.collation.is_default() || database.collation.charset() == Charset::Utf8mb4 {
        out.push_str(" COLLATE ");
        out.push_str(database.collation.name());
    }
    out.push_str(" */ /*!80016 DEFAULT ENCRYPTION='N' */");
    out
}
