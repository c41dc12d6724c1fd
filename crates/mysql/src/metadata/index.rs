//! Indexes and their parts.

use crate::cells::{is_yes, number, text};
use crate::row::RowRef;

/// An index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexInfo {
    /// Its name; `PRIMARY` for the primary key
    pub name: String,
    /// Whether a key may be there once only
    pub is_unique: bool,
    /// Its kind: `BTREE`, `HASH`, `FULLTEXT`, `SPATIAL`
    pub kind: String,
    /// Whether the optimizer uses it (MySQL's INVISIBLE and MariaDB's IGNORED indexes it does not)
    pub is_used: bool,
    /// Its parts, in order
    pub columns: Vec<IndexColumn>,
    /// How many different keys there are, about
    pub cardinality: Option<u64>,
    /// What somebody wrote about it
    pub comment: String,
}

/// A part of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexColumn {
    /// The column; none for a part that is computed
    pub column: Option<String>,
    /// What the part is computed from, where it is
    pub expression: Option<String>,
    /// So many characters or bytes of it; none for all
    pub prefix: Option<u32>,
    /// Whether it is sorted from the largest down
    pub is_descending: bool,
}

impl IndexInfo {
    /// Whether it is the primary key.
    pub fn is_primary(&self) -> bool {
        self.name == "PRIMARY"
    }
}

/// Puts the rows of an index's parts together; they come by index, and in order within one. The primary key
/// comes first.
pub(super) fn indexes<'a>(rows: impl Iterator<Item = RowRef<'a>>) -> Vec<IndexInfo> {
    let mut indexes: Vec<IndexInfo> = Vec::new();
    for row in rows {
        let Some(name) = text(row, "INDEX_NAME") else { continue };
        let part = IndexColumn {
            column: text(row, "COLUMN_NAME"),
            expression: text(row, "EXPRESSION"),
            prefix: number(row, "SUB_PART"),
            is_descending: text(row, "COLLATION").as_deref() == Some("D"),
        };
        // Each part counts the keys of all parts up to it: the last one's are those of the whole.
        let cardinality = number(row, "CARDINALITY");
        match indexes.last_mut().filter(|index| index.name == name) {
            Some(index) => {
                index.columns.push(part);
                index.cardinality = cardinality;
            }
            None => indexes.push(IndexInfo {
                name,
                is_unique: number::<u64>(row, "NON_UNIQUE") == Some(0),
                kind: text(row, "INDEX_TYPE").unwrap_or_default(),
                is_used: text(row, "IS_VISIBLE").is_none_or(|visible| visible != "NO")
                    && !is_yes(row, "IGNORED"),
                columns: vec![part],
                cardinality,
                comment: text(row, "INDEX_COMMENT").unwrap_or_default(),
            }),
        }
    }
    indexes.sort_by_key(|index| !index.is_primary());
    indexes
}
