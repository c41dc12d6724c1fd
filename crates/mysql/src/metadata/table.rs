//! Tables, their columns and foreign keys.

use super::index::IndexInfo;
use crate::cells::{is_yes, number, text};
use crate::row::RowRef;

/// What stands under a table's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TableKind {
    /// A table with rows of its own
    Table,
    /// A view
    View,
    /// A view that the server itself makes
    SystemView,
    /// A sequence of MariaDB
    Sequence,
}

/// A table or a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableInfo {
    /// Its database
    pub database: String,
    /// Its name
    pub name: String,
    /// What it is
    pub kind: TableKind,
    /// Its storage engine; none for a view
    pub engine: Option<String>,
    /// Its collation; none for a view
    pub collation: Option<String>,
    /// What somebody wrote about it
    pub comment: String,
}

/// How large a table is, by the storage engine's estimate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableStats {
    /// Its database
    pub database: String,
    /// Its name
    pub table: String,
    /// Rows, about
    pub rows: Option<u64>,
    /// Bytes of a row on average
    pub average_row_bytes: Option<u64>,
    /// Bytes of data
    pub data_bytes: Option<u64>,
    /// Bytes of indexes beside the data
    pub index_bytes: Option<u64>,
    /// Bytes that were allocated and are not used
    pub free_bytes: Option<u64>,
    /// The next value that AUTO_INCREMENT gives out
    pub auto_increment: Option<u64>,
    /// When it was made, as the server writes it
    pub created: Option<String>,
    /// When it was last changed, where the server knows
    pub updated: Option<String>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnInfo {
    /// Its name
    pub name: String,
    /// Its place, from 1
    pub position: u32,
    /// The type's name: `varchar`
    pub data_type: String,
    /// The whole type: `varchar(40)`
    pub column_type: String,
    /// Whether it may be NULL
    pub is_nullable: bool,
    /// Its default as the server writes it; none where there is none
    pub default: Option<String>,
    /// Most characters, of texts
    pub length: Option<u64>,
    /// Digits, of exact numbers
    pub precision: Option<u32>,
    /// Digits behind the point, of exact numbers
    pub scale: Option<u32>,
    /// Its character set, of texts
    pub character_set: Option<String>,
    /// Its collation, of texts
    pub collation: Option<String>,
    /// Part of the primary key
    pub is_primary: bool,
    /// The server gives out its values
    pub is_auto_increment: bool,
    /// What it is computed from; none for a column that is stored as it was given
    pub generated_from: Option<String>,
    /// What else the server says of it: `on update CURRENT_TIMESTAMP`
    pub extra: String,
    /// What somebody wrote about it
    pub comment: String,
}

/// A foreign key: columns whose values have to be those of another table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// Its name
    pub name: String,
    /// Columns of this table, in order
    pub columns: Vec<String>,
    /// The other table's database
    pub referenced_database: String,
    /// The other table
    pub referenced_table: String,
    /// Its columns, in order
    pub referenced_columns: Vec<String>,
    /// What happens when the other row goes: `CASCADE`, `SET NULL`, `RESTRICT`, `NO ACTION`
    pub on_delete: String,
    /// What happens when the other row's key changes
    pub on_update: String,
}

/// A table with all it is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDescription {
    /// The table
    pub table: TableInfo,
    /// Its columns, in order
    pub columns: Vec<ColumnInfo>,
    /// Its indexes, the primary key first
    pub indexes: Vec<IndexInfo>,
    /// Its foreign keys, by name
    pub foreign_keys: Vec<ForeignKey>,
}

impl TableInfo {
    pub(super) fn read(row: RowRef<'_>) -> Option<TableInfo> {
        let kind = match text(row, "TABLE_TYPE")?.as_str() {
            "VIEW" => TableKind::View,
            "SYSTEM VIEW" => TableKind::SystemView,
            "SEQUENCE" => TableKind::Sequence,
            _ => TableKind::Table,
        };
        let comment = text(row, "TABLE_COMMENT").unwrap_or_default();
        Some(TableInfo {
            database: text(row, "TABLE_SCHEMA")?,
            name: text(row, "TABLE_NAME")?,
            kind,
            engine: text(row, "ENGINE"),
            collation: text(row, "TABLE_COLLATION"),
            // The server's own word for a view, not somebody's.
            comment: if kind == TableKind::View && comment == "VIEW" { String::new() } else { comment },
        })
    }
}

impl TableStats {
    pub(super) fn read(row: RowRef<'_>) -> Option<TableStats> {
        Some(TableStats {
            database: text(row, "TABLE_SCHEMA")?,
            table: text(row, "TABLE_NAME")?,
            rows: number(row, "TABLE_ROWS"),
            average_row_bytes: number(row, "AVG_ROW_LENGTH"),
            data_bytes: number(row, "DATA_LENGTH"),
            index_bytes: number(row, "INDEX_LENGTH"),
            free_bytes: number(row, "DATA_FREE"),
            auto_increment: number(row, "AUTO_INCREMENT"),
            created: text(row, "CREATE_TIME"),
            updated: text(row, "UPDATE_TIME"),
        })
    }
}

impl ColumnInfo {
    pub(super) fn read(row: RowRef<'_>) -> Option<ColumnInfo> {
        let extra = text(row, "EXTRA").unwrap_or_default();
        let lower = extra.to_ascii_lowercase();
        Some(ColumnInfo {
            name: text(row, "COLUMN_NAME")?,
            position: number(row, "ORDINAL_POSITION")?,
            data_type: text(row, "DATA_TYPE")?,
            column_type: text(row, "COLUMN_TYPE")?,
            is_nullable: is_yes(row, "IS_NULLABLE"),
            // MariaDB writes the default NULL as a word.
            default: text(row, "COLUMN_DEFAULT").filter(|default| default != "NULL"),
            length: number(row, "CHARACTER_MAXIMUM_LENGTH"),
            precision: number(row, "NUMERIC_PRECISION"),
            scale: number(row, "NUMERIC_SCALE"),
            character_set: text(row, "CHARACTER_SET_NAME"),
            collation: text(row, "COLLATION_NAME"),
            is_primary: text(row, "COLUMN_KEY").as_deref() == Some("PRI"),
            is_auto_increment: lower.contains("auto_increment"),
            generated_from: text(row, "GENERATION_EXPRESSION").filter(|expression| !expression.is_empty()),
            extra,
            comment: text(row, "COLUMN_COMMENT").unwrap_or_default(),
        })
    }
}

/// Puts the rows of a foreign key's columns together; they come by key, and in order within one.
pub(super) fn foreign_keys<'a>(rows: impl Iterator<Item = RowRef<'a>>) -> Vec<ForeignKey> {
    let mut keys: Vec<ForeignKey> = Vec::new();
    for row in rows {
        let (Some(name), Some(column), Some(referenced)) =
            (text(row, "CONSTRAINT_NAME"), text(row, "COLUMN_NAME"), text(row, "REFERENCED_COLUMN_NAME"))
        else {
            continue;
        };
        match keys.last_mut().filter(|key| key.name == name) {
            Some(key) => {
                key.columns.push(column);
                key.referenced_columns.push(referenced);
            }
            None => keys.push(ForeignKey {
                name,
                columns: vec![column],
                referenced_database: text(row, "REFERENCED_TABLE_SCHEMA").unwrap_or_default(),
                referenced_table: text(row, "REFERENCED_TABLE_NAME").unwrap_or_default(),
                referenced_columns: vec![referenced],
                on_delete: text(row, "DELETE_RULE").unwrap_or_default(),
                on_update: text(row, "UPDATE_RULE").unwrap_or_default(),
            }),
        }
    }
    keys
}
