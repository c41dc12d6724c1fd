//! Images of older versions that memory has no room for, in temporary files.
//!
//! ```text
//!   file:   [ image | image | ... ]        appended to, up to FILE_BYTES, then the next file
//!   value:  file, offset, length, checksum     what a version keeps in memory in place of its image
//! ```
//! A file lives as long as one of its images is needed: each value holds its file, and the last one to go gives the
//! name to [`Spill::tidy`], which removes it. Nothing here survives a restart, as old versions need not (the log
//! has what a rollback needs then): what a crash leaves is removed when the store is opened.
//!
//! Limits: an image that cannot be written (a full disk) stays in memory. A file that has one image in use keeps
//! its space.
//!
//! Lock order: the files, then nothing.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use rustydb_storage::Error as StorageError;
use rustydb_storage::disk::{Caching, Disk, File, remove_leftovers};
use rustydb_storage::sync::{Mutex, Ordering};

use crate::error::{Error, Result};

/// From here on the next file is begun.
const FILE_BYTES: u64 = 64 << 20;
const PREFIX: &str = "versions-";

/// Where images go.
pub(crate) struct Spill {
    disk: Arc<dyn Disk>,
    files: Mutex<Files>,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Spill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spill").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Files {
    current: Option<Arc<SpillFile>>,
    /// Where the current one ends.
    end: u64,
    next: u64,
}

#[derive(Default)]
struct Shared {
    /// Bytes of images that are needed.
    bytes: AtomicU64,
    /// Files that nothing needs any more.
    ended: Mutex<Vec<String>>,
}

struct SpillFile {
    name: String,
    file: Arc<dyn File>,
    shared: Arc<Shared>,
}

impl Drop for SpillFile {
    fn drop(&mut self) {
        self.shared.ended.lock().push(std::mem::take(&mut self.name));
    }
}

/// An image in a file.
pub(crate) struct Spilled {
    file: Arc<SpillFile>,
    offset: u64,
    length: u32,
    checksum: u32,
}

impl std::fmt::Debug for Spilled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Spilled({} bytes at {} of {})", self.length, self.offset, self.file.name)
    }
}

impl Drop for Spilled {
    fn drop(&mut self) {
        self.file.shared.bytes.fetch_sub(u64::from(self.length), Ordering::Relaxed);
    }
}

impl Spilled {
    /// The image.
    ///
    /// # Errors
    /// When the file cannot be read, or does not have what was written.
    pub(crate) fn read(&self) -> Result<Vec<u8>> {
        let mut image = vec![0; self.length as usize];
        let failed = |error| StorageError::io("reading an older version", error);
        self.file.file.read_at(&mut image, self.offset).map_err(failed)?;
        if crc32c::crc32c(&image) != self.checksum {
            return Err(Error::Corrupt { detail: format!("an older version in {}", self.file.name) });
        }
        Ok(image)
    }
}

impl Spill {
    /// Removes what an earlier run has left.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) fn open(disk: Arc<dyn Disk>) -> Result<Spill> {
        let failed = |error| StorageError::io("removing files of older versions", error);
        remove_leftovers(&*disk, PREFIX).map_err(failed)?;
        Ok(Spill { disk, files: Mutex::default(), shared: Arc::default() })
    }

    /// Writes an image.
    pub(crate) fn write(&self, image: &[u8]) -> io::Result<Arc<Spilled>> {
        let length = u32::try_from(image.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let (file, offset) = self.reserve(u64::from(length))?;
        file.file.write_at(image, offset)?;
        self.shared.bytes.fetch_add(u64::from(length), Ordering::Relaxed);
        Ok(Arc::new(Spilled { file, offset, length, checksum: crc32c::crc32c(image) }))
    }

    fn reserve(&self, length: u64) -> io::Result<(Arc<SpillFile>, u64)> {
        let mut files = self.files.lock();
        let has_room = files.end + length <= FILE_BYTES;
        let file = match &files.current {
            Some(file) if has_room => file.clone(),
            _ => {
                let name = format!("{PREFIX}{}.tmp", files.next);
                let file = self.disk.open(&name, true, Caching::Buffered)?;
                files.next += 1;
                files.end = 0;
                let file = Arc::new(SpillFile { name, file, shared: self.shared.clone() });
                files.current = Some(file.clone());
                file
            }
        };
        let offset = files.end;
        files.end += length;
        Ok((file, offset))
    }

    /// Removes the files that nothing needs any more.
    pub(crate) fn tidy(&self) {
        if self.bytes() == 0 {
            let last = {
                let mut files = self.files.lock();
                files.current.take_if(|file| Arc::strong_count(file) == 1)
            };
            drop(last);
        }
        let ended = std::mem::take(&mut *self.shared.ended.lock());
        for name in ended {
            // What cannot be removed now goes when the store is opened the next time.
            let _ = self.disk.remove(&name);
        }
    }

    /// Bytes of the images that are needed.
    pub(crate) fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use rustydb_storage::disk::{Fault, SimulatedDisk};

    use super::*;

    fn files(disk: &SimulatedDisk) -> Vec<String> {
        disk.list().unwrap()
    }

    #[test]
    fn images_come_back_and_files_go_with_the_last() {
        let disk = SimulatedDisk::new(1);
        disk.open("versions-9.tmp", true, Caching::Buffered).unwrap();
        let spill = Spill::open(Arc::new(disk.clone())).unwrap();
        assert_eq!(files(&disk), Vec::<String>::new());
        let large = vec![7; 40 << 20];
        let (a, b, c) =
            (spill.write(b"a").unwrap(), spill.write(&large).unwrap(), spill.write(&large).unwrap());
        assert_eq!((a.read().unwrap(), b.read().unwrap().len()), (b"a".to_vec(), large.len()));
        assert_eq!((spill.bytes(), files(&disk).len()), (1 + 2 * large.len() as u64, 2));
        drop(b);
        spill.tidy();
        assert_eq!(files(&disk).len(), 2);
        drop(a);
        spill.tidy();
        assert_eq!(files(&disk), ["versions-1.tmp"]);
        drop(c);
        spill.tidy();
        assert_eq!((spill.bytes(), files(&disk)), (0, Vec::new()));
        let again = spill.write(b"again").unwrap();
        assert_eq!(again.read().unwrap(), b"again");
    }

    #[test]
    fn a_disk_that_fails_is_an_error_and_other_bytes_are_noticed() {
        let disk = SimulatedDisk::new(1);
        let spill = Spill::open(Arc::new(disk.clone())).unwrap();
        let kept = spill.write(b"kept").unwrap();
        disk.open("versions-0.tmp", false, Caching::Buffered).unwrap().write_at(b"K", 0).unwrap();
        assert!(matches!(kept.read(), Err(Error::Corrupt { .. })));
        disk.inject(Fault::PowerCut { after: 0 });
        assert!(spill.write(b"more").is_err());
    }
}
