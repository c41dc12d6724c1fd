//! The keys of the catalog's tree: a kind byte and the name, in an order that keeps together what is read
//! together.
//!
//! ```text
//! 00                            the catalog's own row: its format
//! 01 database                   a database
//! 02 database-id(8, BE) table   a table of that database
//! 03 user 00 host               an account
//! 04 database-id(8, BE) view    a view of that database
//! ```
//!
//! Names are UTF-8 without NUL. A kind that is not known came with a later version.

use crate::codec::{WireError, WireResult};

/// What a row of the catalog is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RowKey {
    Catalog,
    Database { name: String },
    Table { database: u64, name: String },
    User { name: String, host: String },
    View { database: u64, name: String },
}

pub(crate) const CATALOG_KEY: &[u8] = &[0];

pub(crate) fn database_key(name: &str) -> Vec<u8> {
    [&[1], name.as_bytes()].concat()
}

pub(crate) fn table_key(database: u64, name: &str) -> Vec<u8> {
    [&tables_prefix(database), name.as_bytes()].concat()
}

/// All tables of a database have keys that begin so.
pub(crate) fn tables_prefix(database: u64) -> [u8; 9] {
    let mut prefix = [2; 9];
    prefix[1..].copy_from_slice(&database.to_be_bytes());
    prefix
}

pub(crate) fn view_key(database: u64, name: &str) -> Vec<u8> {
    [&views_prefix(database), name.as_bytes()].concat()
}

/// All views of a database have keys that begin so.
pub(crate) fn views_prefix(database: u64) -> [u8; 9] {
    let mut prefix = tables_prefix(database);
    prefix[0] = 4;
    prefix
}

pub(crate) fn user_key(name: &str, host: &str) -> Vec<u8> {
    [&[3], name.as_bytes(), &[0], host.as_bytes()].concat()
}

pub(crate) fn parse_key(key: &[u8]) -> WireResult<RowKey> {
    let text = |bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Ok(text.to_owned()),
        _ => Err(WireError::Damaged("a name in a key")),
    };
    match key.split_first() {
        Some((0, [])) => Ok(RowKey::Catalog),
        Some((1, name)) => Ok(RowKey::Database { name: text(name)? }),
        Some((2, rest)) => match rest.split_first_chunk() {
            Some((database, name)) => {
                Ok(RowKey::Table { database: u64::from_be_bytes(*database), name: text(name)? })
            }
            None => Err(WireError::Damaged("the key of a table")),
        },
        Some((3, rest)) => match rest.iter().position(|byte| *byte == 0) {
            Some(at) => {
                let (name, host) = rest.split_at(at);
                let host = host.get(1..).unwrap_or_default();
                Ok(RowKey::User { name: text(name)?, host: text(host)? })
            }
            None => Err(WireError::Damaged("the key of an account")),
        },
        Some((4, rest)) => match rest.split_first_chunk() {
            Some((database, name)) => {
                Ok(RowKey::View { database: u64::from_be_bytes(*database), name: text(name)? })
            }
            None => Err(WireError::Damaged("the key of a view")),
        },
        Some(_) => Err(WireError::Newer),
        None => Err(WireError::Damaged("an empty key")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_were_made() {
        let cases = [
            (CATALOG_KEY.to_vec(), RowKey::Catalog),
            (database_key("a.b"), RowKey::Database { name: "a.b".into() }),
            (table_key(7, "ü"), RowKey::Table { database: 7, name: "ü".into() }),
            (view_key(7, "v"), RowKey::View { database: 7, name: "v".into() }),
            (user_key("", "%"), RowKey::User { name: String::new(), host: "%".into() }),
            (user_key("root", "localhost"), RowKey::User { name: "root".into(), host: "localhost".into() }),
        ];
        for (key, expected) in cases {
            assert_eq!(parse_key(&key), Ok(expected));
        }
        assert!(table_key(7, "a").starts_with(&tables_prefix(7)));
        assert!(table_key(255, "z") < table_key(256, "a"));
    }

    #[test]
    fn other_keys_are_refused() {
        assert_eq!(parse_key(&[99, 1]), Err(WireError::Newer));
        for key in
            [&[][..], &[2, 0, 0], &[4, 0], &[3, b'a'], &[1, 0xff], &[1, b'a', 0], &[3, b'a', 0, b'%', 0]]
        {
            assert!(matches!(parse_key(key), Err(WireError::Damaged(_))), "{key:?}");
        }
        assert_eq!(parse_key(&[0, 1]), Err(WireError::Newer));
    }
}
