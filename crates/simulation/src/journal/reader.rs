//! Reading a journal, whole and line by line.

use super::{Header, Limits, key_check};
use crate::exchange::Exchange;
use crate::{Error, Result};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// A journal in memory.
#[derive(Debug, Clone)]
pub struct Journal {
    /// Its first line
    pub header: Header,
    /// The exchanges in the order in which they ended
    pub exchanges: Vec<Exchange>,
    /// Whether the last line was cut, as by a program that was killed, and left out
    pub torn: bool,
    key: Vec<u8>,
}

impl Journal {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read or is no journal of a version that is known.
    pub fn open(path: &Path) -> Result<Journal> {
        let failed = |source| Error::Io { attempt: "read", path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        Journal::read_named(&mut BufReader::new(file), path, Limits::default())
    }

    /// Reads from anywhere.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn read(from: &mut impl BufRead, limits: Limits) -> Result<Journal> {
        Journal::read_named(from, &PathBuf::from("the journal"), limits)
    }

    fn read_named(from: &mut impl BufRead, path: &Path, limits: Limits) -> Result<Journal> {
        let mut lines = Lines { from, path, limits, number: 0 };
        let (first, _) = lines.next()?.ok_or_else(|| Error::NotAJournal("it is empty".to_owned()))?;
        let header = Header::read(&first)?;
        let mut journal = Journal {
            key: header.stored_key().unwrap_or_default(),
            header,
            exchanges: Vec::new(),
            torn: false,
        };
        while let Some((line, ended)) = lines.next()? {
            match serde_json::from_str(&line) {
                Ok(exchange) => journal.exchanges.push(exchange),
                Err(_) if !ended => journal.torn = true,
                Err(why) => return Err(Error::Line { line: lines.number, why: why.to_string() }),
            }
        }
        Ok(journal)
    }

    /// Gives the key that was kept out of the journal.
    ///
    /// # Errors
    /// [`Error::OtherKey`] when it is not the one.
    pub fn with_key(mut self, key: &[u8]) -> Result<Journal> {
        match self.header.key_check.as_ref().is_none_or(|check| *check == key_check(key)) {
            true => {
                self.key = key.to_vec();
                Ok(self)
            }
            false => Err(Error::OtherKey),
        }
    }

    /// The key of its identities; empty in journals that have none.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// Whether its key was kept apart and has not been given: requests whose values were hidden will not be
    /// recognised.
    pub fn lacks_key(&self) -> bool {
        self.header.key_check.is_some() && self.key.is_empty()
    }
}

struct Lines<'a, R> {
    from: &'a mut R,
    path: &'a Path,
    limits: Limits,
    number: u64,
}

impl<R: BufRead> Lines<'_, R> {
    /// The next line that is not blank, and whether it has an end.
    fn next(&mut self) -> Result<Option<(String, bool)>> {
        loop {
            let mut line = Vec::new();
            let most = self.limits.line as u64;
            let failed = |source| Error::Io { attempt: "read", path: self.path.to_owned(), source };
            let read = self.from.by_ref().take(most).read_until(b'\n', &mut line).map_err(failed)?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            let ended = line.last() == Some(&b'\n');
            if !ended && read as u64 == most {
                let why = format!("longer than {most} bytes");
                return Err(Error::Line { line: self.number, why });
            }
            match String::from_utf8(line) {
                Ok(line) if line.trim().is_empty() => {}
                Ok(line) => return Ok(Some((line, ended))),
                // A character may be cut, too.
                Err(cut) if !ended => {
                    return Ok(Some((String::from_utf8_lossy(cut.as_bytes()).into_owned(), false)));
                }
                Err(_) => return Err(Error::Line { line: self.number, why: "not in UTF-8".to_owned() }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = r#"{"journal":"rustydb-simulation","version":1,"subject":"mysql"}"#;

    fn read(text: &str) -> Result<Journal> {
        Journal::read(&mut text.as_bytes(), Limits { line: 300, ..Limits::default() })
    }

    #[test]
    fn a_journal_written_by_hand_is_read() {
        let journal =
            read(&format!("{HEADER}\n\n{}\n", r#"{"operation":"query","text":"SELECT 1","new":[1]}"#));
        let journal = journal.unwrap();
        assert_eq!(journal.exchanges[0].text, "SELECT 1");
        assert!(!journal.torn && !journal.lacks_key());
        assert!(journal.header.expect_subject("mysql").is_ok());
        assert!(matches!(journal.header.expect_subject("mongodb"), Err(Error::OtherSubject { .. })));
    }

    #[test]
    fn only_the_last_line_may_be_cut() {
        let cut = r#"{"operation":"query","te"#;
        let journal = read(&format!("{HEADER}\n{}\n{cut}", r#"{"operation":"ping"}"#)).unwrap();
        assert!(journal.torn && journal.exchanges.len() == 1);
        let between = read(&format!("{HEADER}\n{cut}\n{}\n", r#"{"operation":"ping"}"#));
        assert!(matches!(between, Err(Error::Line { line: 2, .. })), "{between:?}");
        let mut bytes = format!("{HEADER}\n\"é").into_bytes();
        bytes.pop();
        assert!(Journal::read(&mut bytes.as_slice(), Limits::default()).unwrap().torn);
    }

    #[test]
    fn what_is_no_journal_is_refused() {
        assert!(matches!(read(""), Err(Error::NotAJournal(_))));
        assert!(matches!(read("{\"operation\":\"ping\"}\n"), Err(Error::NotAJournal(_))));
        assert!(matches!(read(&HEADER.replace("rustydb-", "x-")), Err(Error::NotAJournal(_))));
        assert!(matches!(read(&HEADER.replace(":1", ":2")), Err(Error::NewerVersion { found: 2, known: 1 })));
        let long = format!("{HEADER}\n{}\n", "x".repeat(400));
        assert!(matches!(read(&long), Err(Error::Line { line: 2, .. })));
    }
}
