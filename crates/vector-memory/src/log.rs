//! The file of changes: what is stored is what it says.
//!
//! ```text
//! "RDBVECM1" | dimensions u32 | generation u64 | crc32c u32 of the 20 bytes before | record ...
//! ```
//!
//! Opening reads record after record. The first one that is not whole ends the log if nothing whole stands right
//! behind it: the write was cut off, and nobody was told that it was done. With a whole one behind it the file
//! is damaged, and is refused rather than shortened.
//!
//! `generation` is new each time the log is written anew without its dead records; the saved graph names the
//! one that it belongs to.

use crate::error::MemoryError;
use crate::medium::Medium;
use crate::record::{Bytes, Change, PREFIX, Read};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"RDBVECM1";
const HEADER: usize = 24;

pub(crate) struct Log {
    medium: Box<dyn Medium>,
    path: PathBuf,
    dimensions: usize,
    generation: u64,
    length: u64,
    /// A write or sync failed: what is on disk is not known
    poisoned: bool,
}

fn header(dimensions: usize, generation: u64) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend((dimensions as u32).to_le_bytes());
    bytes.extend(generation.to_le_bytes());
    bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
    bytes
}

impl Log {
    /// Opens the log and gives `each` every change in order.
    pub(crate) fn open(
        medium: Box<dyn Medium>,
        path: &Path,
        dimensions: usize,
        mut each: impl FnMut(Change),
    ) -> Result<Log, MemoryError> {
        let mut log =
            Log { medium, path: path.to_owned(), dimensions, generation: 1, length: 0, poisoned: false };
        let io = |source| MemoryError::Io { path: path.to_owned(), source };
        let bytes = log.medium.read().map_err(io)?;
        // A header that was cut off is that of a log in which nothing was ever stored.
        if bytes.len() < HEADER && header(dimensions, 1).starts_with(&bytes) {
            log.medium.truncate(0).map_err(io)?;
            log.medium.append(&header(dimensions, 1)).and_then(|()| log.medium.sync()).map_err(io)?;
            log.length = HEADER as u64;
            return Ok(log);
        }
        log.generation = log.check_header(&bytes)?;
        let mut at = HEADER;
        loop {
            match Change::read(&bytes, at, dimensions) {
                Read::Change(change, next) => {
                    each(change);
                    at = next;
                }
                Read::End => break,
                Read::Broken if log.is_whole_behind(&bytes, at) => {
                    return Err(MemoryError::Damaged { path: path.to_owned(), at: at as u64 });
                }
                Read::Broken => {
                    log.medium.truncate(at as u64).map_err(io)?;
                    break;
                }
            }
        }
        log.length = at as u64;
        Ok(log)
    }

    fn check_header(&self, bytes: &[u8]) -> Result<u64, MemoryError> {
        let foreign = |why: String| MemoryError::Foreign { path: self.path.clone(), why };
        let mut rest = Bytes(bytes);
        let parts = (rest.take(8), rest.u32(), rest.u64(), rest.u32());
        let (Some(magic), Some(dimensions), Some(generation), Some(checksum)) = parts else {
            return Err(foreign("not a vector memory".to_owned()));
        };
        if magic != MAGIC {
            let is_newer = magic.starts_with(&MAGIC[..7]);
            let why = if is_newer { "written by another version" } else { "not a vector memory" };
            return Err(foreign(why.to_owned()));
        }
        if crc32c::crc32c(&bytes[..HEADER - 4]) != checksum {
            return Err(MemoryError::Damaged { path: self.path.clone(), at: 0 });
        }
        if dimensions as usize != self.dimensions {
            return Err(foreign(format!(
                "it has {dimensions} dimensions, {} were asked for",
                self.dimensions
            )));
        }
        Ok(generation)
    }

    /// Whether the record at `at` says a length behind which a whole record stands.
    fn is_whole_behind(&self, bytes: &[u8], at: usize) -> bool {
        let Some(length) = Bytes(&bytes[at..]).u32() else { return false };
        let next = at.saturating_add(PREFIX).saturating_add(length as usize);
        next < bytes.len() && matches!(Change::read(bytes, next, self.dimensions), Read::Change(..))
    }

    /// Adds a change. With `sync` it is on disk when this returns.
    pub(crate) fn append(&mut self, change: &Change, sync: bool) -> Result<(), MemoryError> {
        let bytes = change.encode();
        self.attempt(|medium| {
            medium.append(&bytes)?;
            if sync { medium.sync() } else { Ok(()) }
        })?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    pub(crate) fn sync(&mut self) -> Result<(), MemoryError> {
        self.attempt(|medium| medium.sync())
    }

    /// Writes the log anew with these changes only.
    pub(crate) fn rewrite(&mut self, changes: impl Iterator<Item = Change>) -> Result<(), MemoryError> {
        let generation = self.generation + 1;
        let mut bytes = header(self.dimensions, generation);
        changes.for_each(|change| bytes.extend(change.encode()));
        self.attempt(|medium| medium.replace(&bytes))?;
        (self.generation, self.length) = (generation, bytes.len() as u64);
        Ok(())
    }

    pub(crate) fn read_graph(&mut self) -> Option<Vec<u8>> {
        // What cannot be read is made anew.
        self.medium.read_side().ok().flatten()
    }

    pub(crate) fn write_graph(&mut self, bytes: &[u8]) -> Result<(), MemoryError> {
        self.attempt(|medium| medium.replace_side(bytes))
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    fn attempt(
        &mut self,
        write: impl FnOnce(&mut dyn Medium) -> std::io::Result<()>,
    ) -> Result<(), MemoryError> {
        if self.poisoned {
            return Err(MemoryError::Poisoned);
        }
        write(&mut *self.medium).map_err(|source| {
            self.poisoned = true;
            MemoryError::Io { path: self.path.clone(), source }
        })
    }
}
