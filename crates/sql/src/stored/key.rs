//! Keys of rows and index entries, and the text by which an error shows a key.

use std::borrow::Cow;

use rustydb_catalog::{IndexColumn, IndexDef, TableDef};
use rustydb_value::{Result, TypeKind, ValueRef, encode_key_part};

/// The key of a row whose table declares no primary key.
pub fn hidden_key(row_id: u64) -> [u8; 8] {
    row_id.to_be_bytes()
}

/// Appends the primary key of the row whose columns `column` gives.
pub fn encode_primary_key<'v>(
    table: &TableDef,
    column: &mut dyn FnMut(usize) -> ValueRef<'v>,
    out: &mut Vec<u8>,
) -> Result<()> {
    for part in &table.primary.columns {
        encode_part(table, part, column(part.column), out)?;
    }
    Ok(())
}

/// An encoded key of an index entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexKey {
    /// Two entries with this key would be duplicates: the index is unique and no column is NULL.
    pub unique: bool,
}

/// Appends the key of the entry of `index` for a row with this primary key.
pub fn encode_index_key<'v>(
    table: &TableDef,
    index: &IndexDef,
    primary_key: &[u8],
    column: &mut dyn FnMut(usize) -> ValueRef<'v>,
    out: &mut Vec<u8>,
) -> Result<IndexKey> {
    let mut any_null = false;
    for part in &index.columns {
        let value = column(part.column);
        any_null |= value.is_null();
        encode_part(table, part, value, out)?;
    }
    let unique = index.unique && !any_null;
    if !unique {
        out.extend_from_slice(primary_key);
    }
    Ok(IndexKey { unique })
}

fn encode_part(table: &TableDef, part: &IndexColumn, value: ValueRef<'_>, out: &mut Vec<u8>) -> Result<()> {
    let Some(definition) = table.columns.get(part.column) else {
        return Err(rustydb_value::Error::CorruptKey("index column is missing"));
    };
    encode_key_part(out, &definition.ty, key_value(part, value), part.descending)
}

/// The part of a value that an index column holds: all of it, or its prefix.
#[inline]
pub fn key_value<'v>(part: &IndexColumn, value: ValueRef<'v>) -> ValueRef<'v> {
    match part.prefix {
        None => value,
        Some(length) => prefix_of(value, length),
    }
}

/// The first `length` characters of a text, or bytes of a binary string.
pub fn prefix_of(value: ValueRef<'_>, length: u32) -> ValueRef<'_> {
    let length = length as usize;
    match value {
        ValueRef::Text(text) => match text.char_indices().nth(length) {
            Some((end, _)) => ValueRef::Text(text.get(..end).unwrap_or(text)),
            None => value,
        },
        ValueRef::Bytes(bytes) => ValueRef::Bytes(bytes.get(..length).unwrap_or(bytes)),
        other => other,
    }
}

/// The longest key text in a duplicate-key message, in bytes, before it ends in dots.
const ENTRY_LIMIT: usize = 400;

/// The values of a key as error 1062 shows them: `1-abc`.
pub fn entry_text<'v>(
    table: &TableDef,
    index: &IndexDef,
    column: &mut dyn FnMut(usize) -> ValueRef<'v>,
) -> String {
    let mut text = String::new();
    for (i, part) in index.columns.iter().enumerate() {
        if i > 0 {
            text.push('-');
        }
        let value = key_value(part, column(part.column));
        let kind = table.columns.get(part.column).map(|c| &c.ty.kind);
        text.push_str(&shown(kind, value));
    }
    if text.len() > ENTRY_LIMIT {
        let mut end = ENTRY_LIMIT - 3;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str("...");
    }
    text
}

fn shown<'v>(kind: Option<&TypeKind>, value: ValueRef<'v>) -> Cow<'v, str> {
    match (kind, value) {
        (_, ValueRef::Null) => Cow::Borrowed("NULL"),
        (_, ValueRef::Text(text)) => Cow::Borrowed(text),
        (Some(TypeKind::Enum { members }), ValueRef::UInt(index)) => {
            let member = usize::try_from(index).ok().and_then(|i| members.get(i.wrapping_sub(1)));
            Cow::Owned(member.cloned().unwrap_or_default())
        }
        (Some(TypeKind::Set { members }), ValueRef::UInt(mask)) => {
            let names: Vec<&str> = members
                .iter()
                .enumerate()
                .filter(|(i, _)| mask >> i & 1 != 0)
                .map(|(_, name)| name.as_str())
                .collect();
            Cow::Owned(names.join(","))
        }
        (Some(TypeKind::Binary { .. }), ValueRef::Bytes(bytes)) => {
            let end = bytes.iter().rposition(|&b| b != 0).map_or(0, |last| last + 1);
            Cow::Owned(printable(bytes.get(..end).unwrap_or(bytes)))
        }
        (_, ValueRef::Bytes(bytes)) => Cow::Owned(printable(bytes)),
        (_, ValueRef::Bit(bit)) => {
            let mut bytes = Vec::new();
            bit.write_bytes(&mut bytes);
            Cow::Owned(printable(&bytes))
        }
        (_, other) => Cow::Owned(String::from_utf8_lossy(&other.to_text()).into_owned()),
    }
}

/// Bytes as MySQL's messages show them: printable ASCII as it is, others as `\x00`.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if (0x20..0x7f).contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("\\x{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_count_characters_of_text_and_bytes_of_binary() {
        assert_eq!(prefix_of(ValueRef::Text("äöü"), 2), ValueRef::Text("äö"));
        assert_eq!(prefix_of(ValueRef::Text("ä"), 2), ValueRef::Text("ä"));
        assert_eq!(prefix_of(ValueRef::Bytes(b"abc"), 2), ValueRef::Bytes(b"ab"));
        assert_eq!(prefix_of(ValueRef::Int(5), 2), ValueRef::Int(5));
    }

    #[test]
    fn bytes_are_shown_printable() {
        assert_eq!(printable(b"ab\0\xff"), "ab\\x00\\xFF");
    }
}
