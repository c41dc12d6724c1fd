//! Where the bytes are: files, or memory for those that need not last and for tests that tear and fail.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A log that grows at its end and is replaced whole, and a side file that is only ever replaced.
pub(crate) trait Medium: Send {
    /// The whole log.
    fn read(&mut self) -> io::Result<Vec<u8>>;
    /// Adds to the log's end.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Returns when what was added is on disk.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts the log off.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
    /// Puts another log in its place: after a crash there is the old one or the new one.
    fn replace(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// The side file, if there is one.
    fn read_side(&mut self) -> io::Result<Option<Vec<u8>>>;
    /// Puts another side file in its place, or the first one there.
    fn replace_side(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// A log file, locked, and its side file (`.graph`).
pub(crate) struct Files {
    path: PathBuf,
    log: File,
    /// Held for as long as the memory is open; a file of its own, because the log is replaced
    _lock: File,
}

/// Why files could not be opened.
pub(crate) enum OpenError {
    Locked,
    Io(io::Error),
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> OpenError {
        OpenError::Io(error)
    }
}

impl Files {
    pub(crate) fn open(path: &Path) -> Result<Files, OpenError> {
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(with_end(path, "lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::Locked),
            Err(TryLockError::Error(error)) => return Err(OpenError::Io(error)),
        }
        let log = open_log(path)?;
        Ok(Files { path: path.to_owned(), log, _lock: lock })
    }
}

fn open_log(path: &Path) -> io::Result<File> {
    let mut log = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
    log.seek(SeekFrom::End(0))?;
    Ok(log)
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(end);
    path.with_file_name(name)
}

/// Writes `bytes` beside `path`, and then moves them there.
fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = with_end(path, "new");
    let mut file = File::create(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)?;
    // The move itself is on disk when the folder is.
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

impl Medium for Files {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.log.seek(SeekFrom::Start(0))?;
        self.log.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.log.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.log.sync_data()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.log.set_len(length)?;
        self.log.seek(SeekFrom::End(0))?;
        self.log.sync_all()
    }

    fn replace(&mut self, bytes: &[u8]) -> io::Result<()> {
        replace_file(&self.path, bytes)?;
        self.log = open_log(&self.path)?;
        Ok(())
    }

    fn read_side(&mut self) -> io::Result<Option<Vec<u8>>> {
        match std::fs::read(with_end(&self.path, "graph")) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn replace_side(&mut self, bytes: &[u8]) -> io::Result<()> {
        replace_file(&with_end(&self.path, "graph"), bytes)
    }
}

/// Nothing is kept: the embeddings live as long as the memory.
pub(crate) struct Nowhere;

impl Medium for Nowhere {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn append(&mut self, _bytes: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&mut self, _length: u64) -> io::Result<()> {
        Ok(())
    }

    fn replace(&mut self, _bytes: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn read_side(&mut self) -> io::Result<Option<Vec<u8>>> {
        Ok(None)
    }

    fn replace_side(&mut self, _bytes: &[u8]) -> io::Result<()> {
        Ok(())
    }
}
