//! Temporary files of statements: how many bytes there may be, and what is counted of them.
//!
//! A [`TemporaryFile`] is a file without a name: it is made in the data directory and its name removed at once, so that
//! its space goes back when the last one who holds it lets go, however the statement ends, `kill -9` included. What a
//! crash leaves between the two steps is removed when the database is opened. Giving space back is for another thread
//! ([`super::reclaim`]); it counts as given back at once.
//!
//! Bytes of all statements together are bounded by `max_temporary_bytes`: whoever wants more gets error 1114, which
//! names the limit. A disk that is full, or fails, is error 3 (writing) or 2 (reading), with the name that the file
//! had. Files are written as records ([`crate::exec::spill`]), each under a checksum.
//!
//! A database in memory has its temporary files on its disk in memory: spilling is bounded there too, though it saves
//! nothing but what the compact form saves.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustydb_storage::disk::{Caching, Disk, remove_leftovers};
use rustydb_telemetry::{Counter, Registry};

use super::reclaim::{Held, Reclaimer};
use crate::error::SqlError;

const PREFIX: &str = "temporary-";
/// A file of fewer bytes is closed by who holds it last.
const FEW_BYTES: u64 = 4 << 20;

/// What all temporary files of statements share.
pub struct TemporaryFiles {
    disk: Arc<dyn Disk>,
    limit: AtomicU64,
    bytes: AtomicU64,
    next: AtomicU64,
    reclaimer: Reclaimer,
    pub(crate) written: Counter,
    pub(crate) files: Counter,
    pub(crate) merge_passes: Counter,
}

impl std::fmt::Debug for TemporaryFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TemporaryFiles").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl TemporaryFiles {
    /// Removes what an earlier run has left. Without `background` space is given back where it is let go.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        background: bool,
        registry: &Registry,
    ) -> Result<TemporaryFiles, SqlError> {
        remove_leftovers(&*disk, PREFIX).map_err(SqlError::storage)?;
        let counter = |name, help| registry.counter(name, help, &[]);
        Ok(TemporaryFiles {
            disk,
            limit: AtomicU64::new(u64::MAX),
            bytes: AtomicU64::new(0),
            next: AtomicU64::new(0),
            reclaimer: Reclaimer::new(background),
            written: counter("rustydb_temporary_bytes_written_total", "Bytes written to temporary files"),
            files: counter("rustydb_temporary_files_total", "Temporary files that statements made"),
            merge_passes: counter(
                "rustydb_sort_merge_passes_total",
                "Merges of sorted runs in temporary files",
            ),
        })
    }

    /// Bytes that all of them together may have.
    pub(crate) fn set_limit(&self, bytes: u64) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    /// Bytes that they have now.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Makes one.
    pub(crate) fn make(self: &Arc<Self>) -> Result<TemporaryFile, SqlError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{number}.tmp");
        let failed = |error: io::Error| SqlError::file_not_made(&name, number_of(&error), text_of(&error));
        let file = self.disk.open(&name, true, Caching::Buffered).map_err(failed)?;
        self.disk.remove(&name).map_err(failed)?;
        self.files.inc(1);
        Ok(TemporaryFile {
            owner: Arc::clone(self),
            name,
            held: Held::new(file),
            end: AtomicU64::new(0),
            kept: AtomicU64::new(0),
        })
    }

    fn reserve(&self, bytes: u64) -> Result<(), SqlError> {
        let limit = self.limit.load(Ordering::Relaxed);
        let fits = |now: u64| now.checked_add(bytes).filter(|then| *then <= limit);
        match self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits) {
            Ok(_) => Ok(()),
            Err(_) => Err(SqlError::temporary_files_full(limit)),
        }
    }
}

/// A file that goes when nobody holds it. It is written behind its end only.
pub(crate) struct TemporaryFile {
    owner: Arc<TemporaryFiles>,
    name: String,
    held: Arc<Held>,
    end: AtomicU64,
    /// Bytes that count for the limit.
    kept: AtomicU64,
}

impl TemporaryFile {
    /// Appends; gives the place.
    pub(crate) fn append(&self, bytes: &[u8]) -> Result<u64, SqlError> {
        let length = bytes.len() as u64;
        self.owner.reserve(length)?;
        self.kept.fetch_add(length, Ordering::Relaxed);
        let offset = self.end.fetch_add(length, Ordering::Relaxed);
        let mut written = self.held.file.write_at(bytes, offset);
        if let Err(error) = &written
            && number_of(error) == NO_SPACE
            && self.owner.reclaimer.settle()
        {
            // There may be room now that what was given back has been.
            written = self.held.file.write_at(bytes, offset);
        }
        written
            .map_err(|error| SqlError::file_not_written(&self.name, number_of(&error), text_of(&error)))?;
        self.owner.written.inc(length);
        Ok(offset)
    }

    /// Fills a buffer from a place.
    pub(crate) fn read(&self, buffer: &mut [u8], offset: u64) -> Result<(), SqlError> {
        self.held
            .file
            .read_at(buffer, offset)
            .map_err(|error| SqlError::file_not_read(&self.name, number_of(&error), text_of(&error)))
    }

    /// The error for a place that does not hold what was written there.
    pub(crate) fn damaged(&self, offset: u64) -> SqlError {
        let text = format!("a record at {offset} is not what was written");
        SqlError::file_not_read(&self.name, 0, text)
    }

    /// Gives the space of ranges back, which nobody will read any more: places and lengths.
    pub(crate) fn discard(&self, ranges: Vec<(u64, u64)>) {
        let length: u64 = ranges.iter().map(|(_, length)| length).sum();
        let length = length.min(self.kept.load(Ordering::Relaxed));
        self.kept.fetch_sub(length, Ordering::Relaxed);
        self.owner.bytes.fetch_sub(length, Ordering::Relaxed);
        self.owner.reclaimer.discard(&self.held, ranges);
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        self.owner.bytes.fetch_sub(*self.kept.get_mut(), Ordering::Relaxed);
        self.held.let_go();
        if *self.end.get_mut() > FEW_BYTES {
            self.owner.reclaimer.close(&self.held);
        }
    }
}

/// ENOSPC.
const NO_SPACE: i32 = 28;

/// The system's number for an error; that of a full disk where only the kind is known.
fn number_of(error: &io::Error) -> i32 {
    match (error.raw_os_error(), error.kind()) {
        (Some(number), _) => number,
        (None, io::ErrorKind::StorageFull) => NO_SPACE,
        (None, _) => 5,
    }
}

fn text_of(error: &io::Error) -> String {
    match number_of(error) {
        NO_SPACE => "No space left on device".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use rustydb_storage::disk::{Fault, SimulatedDisk};

    use super::super::test_file::TestFile;
    use super::*;

    #[test]
    fn a_full_disk_waits_for_the_space_that_is_on_its_way_back() {
        let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new(1));
        let owner = Arc::new(TemporaryFiles::open(disk, true, &Registry::new()).unwrap());
        let full = Arc::new(AtomicBool::new(true));
        let write = {
            let full = Arc::clone(&full);
            move || match full.load(Ordering::Relaxed) {
                true => Err(io::ErrorKind::StorageFull.into()),
                false => Ok(()),
            }
        };
        let discard = move |_, _| full.store(false, Ordering::Relaxed);
        let file = TemporaryFile {
            owner,
            name: "full".into(),
            held: Held::new(Arc::new(TestFile { write, discard })),
            end: AtomicU64::new(0),
            kept: AtomicU64::new(0),
        };
        assert_eq!(file.append(b"a").unwrap_err().code, 3);
        file.discard(vec![(0, 1)]);
        assert_eq!(file.append(b"a").unwrap(), 1);
    }

    fn open(disk: &SimulatedDisk) -> Arc<TemporaryFiles> {
        Arc::new(TemporaryFiles::open(Arc::new(disk.clone()), false, &Registry::new()).unwrap())
    }

    #[test]
    fn a_file_has_no_name_and_its_bytes_go_with_it() {
        let disk = SimulatedDisk::new(1);
        disk.open("temporary-7.tmp", true, Caching::Buffered).unwrap();
        let files = open(&disk);
        assert_eq!(disk.list().unwrap(), Vec::<String>::new());
        files.set_limit(10);
        let file = files.make().unwrap();
        assert_eq!((file.append(b"abcde").unwrap(), file.append(b"fgh").unwrap()), (0, 5));
        assert_eq!(disk.list().unwrap(), Vec::<String>::new());
        let refused = file.append(b"ijk").unwrap_err();
        assert_eq!((refused.code, files.bytes()), (1114, 8));
        let mut read = [0; 4];
        file.read(&mut read, 3).unwrap();
        assert_eq!(&read, b"defg");
        file.discard(vec![(0, 5)]);
        assert_eq!(files.bytes(), 3);
        file.append(b"0123456").unwrap();
        drop(file);
        assert_eq!(files.bytes(), 0);
    }

    #[test]
    fn a_disk_that_fails_is_a_named_error() {
        let disk = SimulatedDisk::new(1);
        let files = open(&disk);
        let file = files.make().unwrap();
        disk.inject(Fault::NoSpace { after: 0 });
        let error = file.append(b"a").unwrap_err();
        assert_eq!(error.code, 3);
        assert!(
            error.message.contains("temporary-0.tmp") && error.message.contains("28 - No space"),
            "{error}"
        );
        assert_eq!(files.make().map(|_| ()).map_err(|e| e.code), Err(1));
        drop(file);
        assert_eq!(files.bytes(), 0);
    }
}
