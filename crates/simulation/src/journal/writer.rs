//! Writing a journal: redaction, then one line and one write for each exchange.
//!
//! Sessions of a client write at the same time: the file and its length are behind one lock, held for the
//! write alone. What cannot be written (a full disk, a full journal) is told to whoever appended it and
//! counted; the next exchange is tried again, because losing one is no reason to lose the rest. A write that
//! broke off in the middle of a line is ended first.

use super::{Header, Journal, Limits, key_check};
use crate::exchange::{Exchange, Incomplete};
use crate::redaction::Redaction;
use crate::value::hex;
use crate::{Error, Result};
use parking_lot::Mutex;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Appends exchanges to a journal.
#[derive(Debug)]
pub struct JournalWriter {
    path: PathBuf,
    redaction: Redaction,
    limits: Limits,
    key: Vec<u8>,
    file: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    length: u64,
    /// A line was begun and not ended
    broken: bool,
    written: u64,
    lost: u64,
}

impl JournalWriter {
    /// Creates a journal. A file that exists is left alone.
    ///
    /// # Errors
    /// When the file cannot be created or the system gives no random key.
    pub fn create(
        path: &Path,
        header: Header,
        redaction: Redaction,
        limits: Limits,
    ) -> Result<JournalWriter> {
        let key = match redaction.key() {
            Some(key) => key.to_vec(),
            None => random_key()?,
        };
        let apart = redaction.key().is_some();
        let header = Header {
            redaction: redaction.level().name().to_owned(),
            key: (!apart).then(|| hex(&key)),
            key_check: apart.then(|| key_check(&key)),
            ..header
        };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        let file = options_for_owner(&mut options).open(path).map_err(|source| Error::Io {
            attempt: "create",
            path: path.to_owned(),
            source,
        })?;
        let writer = JournalWriter::over(path, file, 0, redaction, limits, key);
        let mut line = serde_json::to_vec(&header).map_err(|error| Error::NotAJournal(error.to_string()))?;
        line.push(b'\n');
        writer.put(&line)?;
        Ok(writer)
    }

    /// Goes on with a journal that exists, as learning does. `journal` is what was read of it: its key (given
    /// by [`Journal::with_key`] where it was kept apart) is used on.
    ///
    /// # Errors
    /// When the file cannot be opened, or its key is missing.
    pub fn append_to(
        path: &Path,
        journal: &Journal,
        redaction: Redaction,
        limits: Limits,
    ) -> Result<JournalWriter> {
        if journal.lacks_key() {
            return Err(Error::OtherKey);
        }
        let failed = |source| Error::Io { attempt: "append to", path: path.to_owned(), source };
        let file = OpenOptions::new().append(true).open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let writer = JournalWriter::over(path, file, length, redaction, limits, journal.key().to_vec());
        // Ends a line that was cut; a blank one says nothing. Half a line in the middle would not be read.
        if journal.torn {
            writer.truncate_torn_line()?;
        } else {
            writer.file.lock().broken = true;
        }
        Ok(writer)
    }

    fn over(
        path: &Path,
        file: File,
        length: u64,
        redaction: Redaction,
        limits: Limits,
        key: Vec<u8>,
    ) -> JournalWriter {
        let open = Open { file, length, broken: false, written: 0, lost: 0 };
        JournalWriter { path: path.to_owned(), redaction, limits, key, file: Mutex::new(open) }
    }

    fn truncate_torn_line(&self) -> Result<()> {
        let failed = |source| Error::Io { attempt: "mend", path: self.path.clone(), source };
        let bytes = std::fs::read(&self.path).map_err(failed)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let mut open = self.file.lock();
        let length = u64::try_from(whole).unwrap_or(u64::MAX);
        OpenOptions::new()
            .write(true)
            .open(&self.path)
            .and_then(|file| file.set_len(length))
            .map_err(failed)?;
        open.length = length;
        Ok(())
    }

    /// Hides what has to be hidden and writes the exchange.
    ///
    /// # Errors
    /// When it could not be written; it is counted as lost.
    pub fn append(&self, mut exchange: Exchange) -> Result<()> {
        if exchange.size() > self.limits.exchange {
            exchange.results.clear();
            exchange.incomplete = Some(Incomplete::TooLarge);
        }
        self.redaction.apply(&mut exchange, &self.key);
        let mut line =
            serde_json::to_vec(&exchange).map_err(|error| Error::Line { line: 0, why: error.to_string() })?;
        line.push(b'\n');
        self.put(&line)
    }

    fn put(&self, line: &[u8]) -> Result<()> {
        let mut open = self.file.lock();
        let end = usize::from(open.broken);
        let length = open.length.saturating_add((line.len() + end) as u64);
        if length > self.limits.journal {
            open.lost += 1;
            return Err(Error::Full { limit: self.limits.journal });
        }
        let ended = match open.broken {
            true => open.file.write_all(b"\n"),
            false => Ok(()),
        };
        match ended.and_then(|()| open.file.write_all(line)) {
            Ok(()) => {
                (open.broken, open.length) = (false, length);
                open.written += 1;
                Ok(())
            }
            Err(source) => {
                open.broken = true;
                open.lost += 1;
                Err(Error::Io { attempt: "append to", path: self.path.clone(), source })
            }
        }
    }

    /// Waits until everything written is on the disk.
    ///
    /// # Errors
    /// What the system said.
    pub fn sync(&self) -> Result<()> {
        let failed = |source| Error::Io { attempt: "sync", path: self.path.clone(), source };
        self.file.lock().file.sync_data().map_err(failed)
    }

    /// Exchanges written and exchanges lost since it was opened. A new journal counts its header.
    pub fn counts(&self) -> (u64, u64) {
        let open = self.file.lock();
        (open.written, open.lost)
    }

    /// What an exchange may take: a recorder stops keeping rows there.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn random_key() -> Result<Vec<u8>> {
    let mut key = vec![0; 16];
    getrandom::fill(&mut key).map_err(|error| Error::Random(error.to_string()))?;
    Ok(key)
}

#[cfg(unix)]
fn options_for_owner(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600)
}

#[cfg(not(unix))]
fn options_for_owner(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Request, ResultSet};
    use crate::value::Value;

    fn create(path: &Path, redaction: Redaction) -> JournalWriter {
        JournalWriter::create(path, Header::new("mysql").from("MySQL").at(7), redaction, Limits::default())
            .unwrap()
    }

    fn exchange(text: &str) -> Exchange {
        Exchange::of(Request::new("query", text, &[]))
    }

    #[test]
    fn what_was_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        let writer = create(&path, Redaction::secrets());
        let mut told = exchange("SELECT 1");
        told.results.push(ResultSet::of(&["1"], vec![vec![Value::Int(1)]]));
        writer.append(told.clone()).unwrap();
        writer.sync().unwrap();
        assert_eq!(writer.counts(), (2, 0));
        let journal = Journal::open(&path).unwrap();
        told.fingerprint = Some(told.shape());
        assert_eq!(journal.exchanges, [told]);
        assert_eq!((journal.header.source.as_str(), journal.header.recorded), ("MySQL", 7));
        assert_eq!(journal.header.redaction, "secrets");
        let again = JournalWriter::create(&path, Header::new("x"), Redaction::values(), Limits::default());
        assert!(matches!(again, Err(Error::Io { attempt: "create", .. })), "no journal is overwritten");
    }

    #[cfg(unix)]
    #[test]
    fn a_journal_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        create(&path, Redaction::values());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_cut_journal_is_mended_before_it_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        create(&path, Redaction::values()).append(exchange("SELECT 1")).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend_from_slice(br#"{"operation":"que"#);
        std::fs::write(&path, &bytes).unwrap();
        for _ in 0..2 {
            let journal = Journal::open(&path).unwrap();
            let writer =
                JournalWriter::append_to(&path, &journal, Redaction::values(), Limits::default()).unwrap();
            writer.append(exchange("SELECT 2")).unwrap();
        }
        let journal = Journal::open(&path).unwrap();
        assert!(!journal.torn);
        assert_eq!(journal.exchanges.len(), 3);
    }

    #[test]
    fn a_key_kept_apart_is_needed_and_recognised() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        let writer = create(&path, Redaction::values().keyed_by(b"apart"));
        writer.append(exchange("SELECT 'x'")).unwrap();
        let journal = Journal::open(&path).unwrap();
        assert!(journal.lacks_key());
        assert!(!std::fs::read_to_string(&path).unwrap().contains(&hex(b"apart")));
        let on = JournalWriter::append_to(&path, &journal, Redaction::values(), Limits::default());
        assert!(matches!(on, Err(Error::OtherKey)));
        assert!(matches!(journal.clone().with_key(b"wrong"), Err(Error::OtherKey)));
        let journal = journal.with_key(b"apart").unwrap();
        let asked = Request::new("query", "SELECT 'x'", &[]);
        assert_eq!(journal.exchanges[0].identified(journal.key()), asked.identity(b"apart"));
    }

    #[test]
    fn bounds_hold_and_what_is_lost_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        let limits = Limits { exchange: 400, journal: 600, ..Limits::default() };
        let writer =
            JournalWriter::create(&path, Header::new("mysql"), Redaction::secrets(), limits).unwrap();
        let mut large = exchange("SELECT a FROM t");
        large.results.push(ResultSet::of(&["a"], vec![vec![Value::from("x".repeat(300))]]));
        writer.append(large).unwrap();
        let told = Journal::open(&path).unwrap().exchanges.remove(0);
        assert_eq!((told.incomplete, told.results.len()), (Some(Incomplete::TooLarge), 0));
        let full = (0..20).map(|_| writer.append(exchange("SELECT 1"))).find_map(Result::err);
        assert!(matches!(full, Some(Error::Full { limit: 600 })));
        assert!(writer.counts().1 > 0 && std::fs::metadata(&path).unwrap().len() <= 600);
        assert!(!Journal::open(&path).unwrap().torn);
    }
}
