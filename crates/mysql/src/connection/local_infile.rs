//! `LOAD DATA LOCAL`: files of this end, which a server asks for by name.
//!
//! A hostile server can answer any statement with a request for any file. So a file is given only where all of
//! this holds: a [`LocalInfile`] is configured, the statement under way is a `LOAD ... LOCAL INFILE`, and it
//! names the file that the server asks for. The handler then decides whether there is such a file.

use std::future::Future;
use std::io;
use std::pin::Pin;
use tokio::io::AsyncRead;

/// What a handler gives.
pub type LocalFile = Box<dyn AsyncRead + Send + Unpin>;

/// Gives files to `LOAD DATA LOCAL`.
pub trait LocalInfile: Send + Sync + 'static {
    /// Opens what the statement calls `name`. An error is told to the server as an empty file, and to the
    /// caller as itself.
    fn open<'a>(&'a self, name: &'a str) -> Pin<Box<dyn Future<Output = io::Result<LocalFile>> + Send + 'a>>;
}

/// Bytes in memory under one name each: the safest handler, which never looks at a disk.
#[derive(Default)]
pub struct InMemory {
    files: std::collections::HashMap<String, std::sync::Arc<[u8]>>,
}

impl InMemory {
    /// Nothing yet.
    pub fn new() -> InMemory {
        InMemory::default()
    }

    /// With these bytes under this name.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, bytes: impl Into<std::sync::Arc<[u8]>>) -> InMemory {
        self.files.insert(name.into(), bytes.into());
        self
    }
}

impl LocalInfile for InMemory {
    fn open<'a>(&'a self, name: &'a str) -> Pin<Box<dyn Future<Output = io::Result<LocalFile>> + Send + 'a>> {
        let file = match self.files.get(name) {
            Some(bytes) => Ok(Box::new(io::Cursor::new(bytes.clone())) as LocalFile),
            None => Err(io::ErrorKind::NotFound.into()),
        };
        Box::pin(std::future::ready(file))
    }
}

/// Whether this statement asks for the file itself.
pub(super) fn asks_for(sql: &str, file: &[u8]) -> bool {
    let bytes = sql.as_bytes();
    let has = |word: &[u8]| bytes.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
    // The statement may have to write a backslash of the name twice.
    let escaped: Vec<u8> =
        file.iter().flat_map(|&byte| std::iter::repeat_n(byte, if byte == b'\\' { 2 } else { 1 })).collect();
    let names = |name: &[u8]| bytes.windows(name.len()).any(|part| part == name);
    !file.is_empty() && has(b"LOAD") && has(b"LOCAL") && has(b"INFILE") && (names(file) || names(&escaped))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_the_statement_does_not_name_is_not_given() {
        let sql = "LOAD DATA LOCAL INFILE 'rows.csv' INTO TABLE t";
        assert!(asks_for(sql, b"rows.csv"));
        assert!(!asks_for(sql, b"/etc/passwd"));
        assert!(!asks_for("SELECT 'rows.csv'", b"rows.csv"));
        assert!(!asks_for(sql, b""));
        assert!(asks_for(r"load data local infile 'c:\\a' into table t", br"c:\a"));
    }
}
