//! The value of an index entry: where its row is, and what its key does not show.
//!
//! ```text
//! byte 0     high nibble: format, 1
//!            bit 0: the primary key is the end of the entry's key (else it follows here)
//!            bit 1: originals follow
//! varint     length n of the primary key's bytes (LEB128)
//! n bytes    the primary key, if bit 0 is clear
//! row        the originals, if bit 1 is set: one column for each text column of the index without a prefix
//!            length, in the index's order, as the row stores it (a key holds only sort keys of text, but of
//!            `utf8mb4_0900_bin` it holds the text itself, which is then not repeated here)
//! ```
//!
//! The format is final; a reader refuses another format number.

use rustydb_catalog::{IndexDef, TableDef};
use rustydb_value::{Error, Result, RowBuilder, RowRef, ValueRef};

const FORMAT: u8 = 1 << 4;
const KEY_IS_SUFFIX: u8 = 1;
const HAS_ORIGINALS: u8 = 2;

/// What an index entry says.
#[derive(Clone, Copy, Debug)]
pub struct IndexEntry<'a> {
    /// The key of the row in the primary tree
    pub primary_key: &'a [u8],
    /// Stored bytes of the text columns of the index (those without a prefix length), in order
    pub originals: Option<RowRef<'a>>,
}

impl<'a> IndexEntry<'a> {
    /// Reads an entry from its key and value.
    pub fn read(key: &'a [u8], value: &'a [u8]) -> Result<IndexEntry<'a>> {
        const CUT: Error = Error::CorruptRow("index entry is cut");
        let (&head, rest) = value.split_first().ok_or(CUT)?;
        if head & 0xf0 != FORMAT || head & 0x0c != 0 {
            return Err(Error::CorruptRow("unknown format of an index entry"));
        }
        let (length, rest) = read_length(rest).ok_or(CUT)?;
        let (primary_key, rest) = if head & KEY_IS_SUFFIX != 0 {
            let start = key.len().checked_sub(length).ok_or(CUT)?;
            (key.get(start..).ok_or(CUT)?, rest)
        } else {
            rest.split_at_checked(length).ok_or(CUT)?
        };
        let originals = if head & HAS_ORIGINALS != 0 { Some(RowRef::new(rest)?) } else { None };
        Ok(IndexEntry { primary_key, originals })
    }
}

/// Whether a column of an index is among the originals of its entries.
pub fn is_original(table: &TableDef, index: &IndexDef, position: usize) -> bool {
    index.columns.get(position).is_some_and(|part| {
        part.prefix.is_none() && table.columns.get(part.column).is_some_and(|c| keeps_original(&c.ty))
    })
}

fn keeps_original(ty: &rustydb_value::ColumnType) -> bool {
    use rustydb_value::TypeKind as K;
    matches!(ty.kind, K::Char { .. } | K::VarChar { .. } | K::Text { .. })
        && ty.collation != rustydb_value::Collation::UTF8MB4_0900_BIN
}

/// Appends the value of an entry. `suffix` says that the entry's key ends with `primary_key`.
pub fn write<'v>(
    table: &TableDef,
    index: &IndexDef,
    primary_key: &[u8],
    suffix: bool,
    column: &mut dyn FnMut(usize) -> ValueRef<'v>,
    out: &mut Vec<u8>,
) -> Result<()> {
    let any = (0..index.columns.len()).any(|i| is_original(table, index, i));
    let head = FORMAT | if suffix { KEY_IS_SUFFIX } else { 0 } | if any { HAS_ORIGINALS } else { 0 };
    out.push(head);
    write_length(primary_key.len(), out);
    if !suffix {
        out.extend_from_slice(primary_key);
    }
    if any {
        let mut originals = RowBuilder::new();
        for (i, part) in index.columns.iter().enumerate() {
            if is_original(table, index, i)
                && let Some(definition) = table.columns.get(part.column)
            {
                originals.push(&definition.ty, &column(part.column))?;
            }
        }
        originals.finish_into(table.schema_version, out);
    }
    Ok(())
}

fn write_length(mut n: usize, out: &mut Vec<u8>) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn read_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut n = 0usize;
    for (i, byte) in bytes.iter().enumerate().take(4) {
        n |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((n, bytes.get(i + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_finds_its_row_in_key_or_value() {
        let mut value = vec![FORMAT | KEY_IS_SUFFIX];
        write_length(3, &mut value);
        let entry = IndexEntry::read(b"abcxyz", &value).unwrap();
        assert_eq!(entry.primary_key, b"xyz");
        let mut value = vec![FORMAT];
        write_length(200, &mut value);
        value.extend_from_slice(&[7; 200]);
        let entry = IndexEntry::read(b"k", &value).unwrap();
        assert_eq!(entry.primary_key, &[7; 200][..]);
    }

    #[test]
    fn damaged_entries_are_refused() {
        assert!(IndexEntry::read(b"k", b"").is_err());
        assert!(IndexEntry::read(b"k", &[0x20, 0]).is_err());
        assert!(IndexEntry::read(b"k", &[FORMAT | KEY_IS_SUFFIX, 2]).is_err());
        assert!(IndexEntry::read(b"k", &[FORMAT, 5, 1, 2]).is_err());
        assert!(IndexEntry::read(b"k", &[FORMAT, 0xff, 0xff, 0xff, 0xff, 1]).is_err());
    }
}
