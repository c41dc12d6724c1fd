//! A disk over another: reads what is there, keeps every change to itself.
//!
//! What would opening, undoing and repairing do to a store? It is done on an overlay, looked at, and forgotten. The
//! disk below is opened and locked, never written.
//!
//! Memory: the blocks of 4 KiB that were changed, up to a limit; past it writes fail as on a full disk.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::{Caching, Disk, File, Locked};

const BLOCK: usize = 4096;

/// The overlay.
pub struct Overlay {
    below: Arc<dyn Disk>,
    names: Mutex<BTreeMap<String, Entry>>,
    room: Arc<AtomicU64>,
}

#[derive(Clone)]
enum Entry {
    /// As it is below, not opened yet.
    Below,
    Opened(Arc<OverlayFile>),
}

impl Overlay {
    /// An overlay over `below` that changes up to `bytes` of it.
    ///
    /// # Errors
    /// When the disk below cannot be listed.
    pub fn new(below: Arc<dyn Disk>, bytes: u64) -> io::Result<Overlay> {
        let names = below.list()?.into_iter().map(|name| (name, Entry::Below)).collect();
        Ok(Overlay { below, names: Mutex::new(names), room: Arc::new(AtomicU64::new(bytes)) })
    }

    fn opened(&self, name: &str, entry: &Entry, caching: Caching) -> io::Result<Arc<OverlayFile>> {
        match entry {
            Entry::Opened(file) => Ok(file.clone()),
            Entry::Below => {
                let below = self.below.open(name, false, caching)?;
                let length = below.len()?;
                Ok(Arc::new(OverlayFile::new(Some(below), length, self.room.clone())))
            }
        }
    }
}

impl Disk for Overlay {
    fn open(&self, name: &str, create: bool, caching: Caching) -> io::Result<Arc<dyn File>> {
        let mut names = self.names.lock();
        let file = match names.get(name) {
            Some(entry) => self.opened(name, entry, caching)?,
            None if create => Arc::new(OverlayFile::new(None, 0, self.room.clone())),
            None => return Err(io::ErrorKind::NotFound.into()),
        };
        names.insert(name.to_owned(), Entry::Opened(file.clone()));
        Ok(file)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.names.lock().keys().cloned().collect())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut names = self.names.lock();
        let entry = names.get(from).cloned().ok_or(io::ErrorKind::NotFound)?;
        // Opened now: below it keeps its name.
        let file = self.opened(from, &entry, Caching::Buffered)?;
        names.remove(from);
        names.insert(to.to_owned(), Entry::Opened(file));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.names.lock().remove(name).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, name: &str, about: &str) -> io::Result<Result<Box<dyn Locked>, String>> {
        self.below.lock(name, about)
    }
}

struct OverlayFile {
    below: Option<Arc<dyn File>>,
    changed: Mutex<Changed>,
    room: Arc<AtomicU64>,
}

struct Changed {
    length: u64,
    /// What of the file below still counts: less once it was cut.
    below_length: u64,
    blocks: HashMap<u64, Box<[u8]>>,
}

impl OverlayFile {
    fn new(below: Option<Arc<dyn File>>, length: u64, room: Arc<AtomicU64>) -> OverlayFile {
        OverlayFile {
            below,
            changed: Mutex::new(Changed { length, below_length: length, blocks: HashMap::new() }),
            room,
        }
    }

    /// A block as it is now.
    fn block(&self, changed: &Changed, number: u64) -> io::Result<Box<[u8]>> {
        if let Some(block) = changed.blocks.get(&number) {
            return Ok(block.clone());
        }
        let start = number * BLOCK as u64;
        let present = changed.below_length.saturating_sub(start).min(BLOCK as u64) as usize;
        let mut block = crate::page::Aligned::new(BLOCK);
        if let Some(below) = self.below.as_ref().filter(|_| present > 0) {
            below.read_at(&mut block, start)?;
            block[present..].fill(0);
        }
        Ok(block.to_vec().into_boxed_slice())
    }

    /// Calls `each` with the blocks of a range: number, the part of the block, the part of the range.
    fn parts(
        offset: u64,
        length: usize,
        mut each: impl FnMut(u64, std::ops::Range<usize>, std::ops::Range<usize>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut done = 0;
        while done < length {
            let at = offset + done as u64;
            let (number, start) = (at / BLOCK as u64, (at % BLOCK as u64) as usize);
            let part = (BLOCK - start).min(length - done);
            each(number, start..start + part, done..done + part)?;
            done += part;
        }
        Ok(())
    }

    fn change(&self, offset: u64, length: usize, data: Option<&[u8]>) -> io::Result<()> {
        let mut changed = self.changed.lock();
        OverlayFile::parts(offset, length, |number, block_part, part| {
            if !changed.blocks.contains_key(&number) {
                let taken = |room: u64| room.checked_sub(BLOCK as u64);
                if self.room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_err() {
                    return Err(io::Error::new(
                        io::ErrorKind::StorageFull,
                        "more would change than a trial may keep in memory",
                    ));
                }
            }
            let mut block = self.block(&changed, number)?;
            match data {
                Some(data) => block[block_part].copy_from_slice(&data[part]),
                None => block[block_part].fill(0),
            }
            changed.blocks.insert(number, block);
            Ok(())
        })?;
        changed.length = changed.length.max(offset + length as u64);
        Ok(())
    }
}

impl File for OverlayFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let changed = self.changed.lock();
        OverlayFile::parts(offset, buffer.len(), |number, block_part, part| {
            buffer[part].copy_from_slice(&self.block(&changed, number)?[block_part]);
            Ok(())
        })
    }

    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.change(offset, data.len(), Some(data))
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.changed.lock().length)
    }

    fn reserve(&self, length: u64) -> io::Result<()> {
        let mut changed = self.changed.lock();
        changed.length = changed.length.max(length);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut changed = self.changed.lock();
        changed.length = length;
        changed.below_length = changed.below_length.min(length);
        changed.blocks.retain(|number, _| number * (BLOCK as u64) < length);
        let end = (length % BLOCK as u64) as usize;
        if end > 0
            && let Some(block) = changed.blocks.get_mut(&(length / BLOCK as u64))
        {
            block[end..].fill(0);
        }
        Ok(())
    }

    fn discard(&self, offset: u64, length: u64) -> io::Result<()> {
        let present = self.changed.lock().length.saturating_sub(offset).min(length);
        self.change(offset, present as usize, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::SimulatedDisk;

    fn read(file: &dyn File, offset: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![9; length];
        file.read_at(&mut bytes, offset).unwrap();
        bytes
    }

    #[test]
    fn changes_are_seen_above_and_not_below() {
        let disk = SimulatedDisk::new(1);
        let below = disk.open("a", true, Caching::Buffered).unwrap();
        below.write_at(&[1; 10_000], 0).unwrap();
        let overlay = Overlay::new(Arc::new(disk.clone()), 1 << 20).unwrap();
        let above = overlay.open("a", false, Caching::Direct).unwrap();
        above.write_at(&[2; 5000], 4000).unwrap();
        assert_eq!(read(&*above, 3999, 5002), [&[1][..], &[2; 5000], &[1]].concat());
        above.set_len(4500).unwrap();
        above.reserve(12_000).unwrap();
        assert_eq!(read(&*above, 4498, 4), [2, 2, 0, 0]);
        assert_eq!((above.len().unwrap(), read(&*above, 9000, 3)), (12_000, vec![0; 3]));
        overlay.rename("a", "b").unwrap();
        assert_eq!(overlay.list().unwrap(), ["b"]);
        assert!(overlay.open("a", false, Caching::Buffered).is_err());
        assert_eq!(read(&*overlay.open("b", false, Caching::Buffered).unwrap(), 4001, 1), [2]);
        overlay.remove("b").unwrap();
        assert_eq!((disk.list().unwrap(), read(&*below, 0, 10_000)), (vec!["a".to_owned()], vec![1; 10_000]));
    }

    #[test]
    fn it_keeps_no_more_than_it_may() {
        let overlay = Overlay::new(Arc::new(SimulatedDisk::new(1)), 2 * BLOCK as u64).unwrap();
        let file = overlay.open("a", true, Caching::Buffered).unwrap();
        file.write_at(&[1; 2 * BLOCK], 0).unwrap();
        file.write_at(&[2; BLOCK], 5).unwrap();
        let error = file.write_at(&[1], 2 * BLOCK as u64).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
