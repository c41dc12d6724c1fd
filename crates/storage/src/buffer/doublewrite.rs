//! The doublewrite area: a page is written twice, so that a torn write can be undone.
//!
//! ```text
//!   page file: | super | super | region 0: list, copies | region 1: list, copies | ...
//! ```
//! A batch goes, checksummed, to one of two regions in turn (its list last), is synced, and only
//! then goes to its pages' places. Why this restores every torn page: a place can be torn only by
//! the batch that was last written to its place or, when the writer had already begun the next batch,
//! by the one before. The sync of batch n+1's copies also covers batch n's places, and batch n's copies
//! are overwritten only by batch n+2, which starts after that sync. So for every place that may be
//! torn a region holds its newest copy, durable before the place was touched. A copy is used only
//! when the place itself fails its checksum, and of two copies the one of the later batch.
//!
//! The places are written in their order, neighbours in one write, and by a few threads at once where there are
//! many: a disk that is asked for one page after another answers slowly.

use crate::disk::File;
use crate::error::{Error, Result};
use crate::ids::{PageNo, TreeId};
use crate::page::{self, Aligned, HEAD, Kind, get_u32, get_u64, put};

/// Bytes of the list before its entries, and of an entry: page number u64, checksum u32.
const LIST_HEAD: usize = HEAD + 12;
const LIST_ENTRY: usize = 12;

use super::BATCH;

/// Where the area is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DoublewriteLayout {
    pub(crate) first: PageNo,
}

impl DoublewriteLayout {
    /// Pages of both regions.
    pub(crate) const PAGES: u64 = 2 * Self::REGION;
    const REGION: u64 = BATCH as u64 + 1;

    fn region(self, batch: u64) -> PageNo {
        PageNo(self.first.0 + (batch % 2) * Self::REGION)
    }
}

/// Fewer places than this are not worth another thread.
const SHARE: usize = 8;

/// Collects and writes batches.
pub(super) struct Writer {
    layout: DoublewriteLayout,
    page_size: usize,
    batch: u64,
    /// Threads that write places.
    threads: usize,
    /// The list, then the copies.
    copies: Aligned,
    pages: Vec<(PageNo, u32)>,
}

impl Writer {
    pub(super) fn new(layout: DoublewriteLayout, page_size: usize, batch: u64, threads: usize) -> Writer {
        Writer { layout, page_size, batch, threads, copies: Aligned::new(0), pages: Vec::new() }
    }

    pub(super) fn add(&mut self, number: PageNo, bytes: &[u8]) {
        if self.copies.is_empty() {
            self.copies = Aligned::new((BATCH + 1) * self.page_size);
        }
        let at = (self.pages.len() + 1) * self.page_size;
        let copy = &mut self.copies[at..at + self.page_size];
        copy.copy_from_slice(bytes);
        page::seal(copy);
        self.pages.push((number, get_u32(copy, 0)));
    }

    pub(super) fn abandon(&mut self) {
        self.pages.clear();
    }

    /// Writes what was added, twice.
    pub(super) fn write(&mut self, file: &dyn File) -> Result<()> {
        let region = self.layout.region(self.batch);
        let offset = region.0 * self.page_size as u64;
        let bytes = (self.pages.len() + 1) * self.page_size;
        let list = &mut self.copies[..self.page_size];
        page::format(list, Kind::Doublewrite, 0, region, TreeId::default());
        put(list, HEAD, &self.batch.to_le_bytes());
        put(list, HEAD + 8, &(self.pages.len() as u32).to_le_bytes());
        for (index, (number, sum)) in self.pages.iter().enumerate() {
            let at = LIST_HEAD + index * LIST_ENTRY;
            put(list, at, &number.0.to_le_bytes());
            put(list, at + 8, &sum.to_le_bytes());
        }
        page::seal(list);
        let failed = |error| Error::io("writing pages", error);
        file.write_at(&self.copies[self.page_size..bytes], offset + self.page_size as u64).map_err(failed)?;
        file.write_at(&self.copies[..self.page_size], offset).map_err(failed)?;
        sync(file)?;
        self.write_places(file).map_err(failed)?;
        self.pages.clear();
        self.batch += 1;
        Ok(())
    }
}

impl Writer {
    fn write_places(&self, file: &dyn File) -> std::io::Result<()> {
        // Which copy belongs where, by place.
        let mut places: Vec<(u64, usize)> =
            self.pages.iter().enumerate().map(|(index, (number, _))| (number.0, index + 1)).collect();
        places.sort_unstable();
        let threads = self.threads.min(places.len().div_ceil(SHARE)).max(1);
        let mut shares = places.chunks(places.len().div_ceil(threads));
        let own = shares.next().unwrap_or_default();
        if threads == 1 {
            return self.write_share(file, own);
        }
        std::thread::scope(|scope| {
            let others: Vec<_> =
                shares.map(|share| scope.spawn(move || self.write_share(file, share))).collect();
            let mut written = self.write_share(file, own);
            for other in others {
                let ended =
                    other.join().unwrap_or_else(|_| Err(std::io::Error::other("a writer of pages died")));
                written = written.and(ended);
            }
            written
        })
    }

    /// Writes some copies to their places; neighbours whose copies are neighbours too go together.
    fn write_share(&self, file: &dyn File, places: &[(u64, usize)]) -> std::io::Result<()> {
        let follows = |a: &(u64, usize), b: &(u64, usize)| b.0 == a.0 + 1 && b.1 == a.1 + 1;
        for run in places.chunk_by(follows) {
            let Some(&(number, copy)) = run.first() else { continue };
            let at = copy * self.page_size;
            let bytes = &self.copies[at..at + run.len() * self.page_size];
            file.write_at(bytes, number * self.page_size as u64)?;
        }
        Ok(())
    }
}

pub(super) fn sync(file: &dyn File) -> Result<()> {
    file.sync_data().map_err(|error| Error::io("syncing pages", error))
}

/// Puts back the pages that the last batches left torn; done before anything else reads the file.
/// Gives how many, and the number of the next batch: numbers go on over restarts, or an older run's copy
/// would pass for the newer one.
pub(crate) fn restore_torn_pages(
    file: &dyn File,
    layout: DoublewriteLayout,
    page_size: usize,
) -> Result<(usize, u64)> {
    let mut next_batch = 0;
    let mut copies: Vec<(u64, Vec<u8>)> = Vec::new();
    let mut buffer = Aligned::new(page_size);
    let size = page_size as u64;
    let failed = |error| Error::io("reading the doublewrite area", error);
    for region in 0..2 {
        let first = layout.region(region);
        file.read_at(&mut buffer, first.0 * size).map_err(failed)?;
        // A list that is itself torn belongs to a batch that had not begun to touch its places.
        if page::verify(&buffer, first).is_err() || page::kind(&buffer) != Some(Kind::Doublewrite) {
            continue;
        }
        let list = buffer.to_vec();
        let (batch, count) = (get_u64(&list, HEAD), (get_u32(&list, HEAD + 8) as usize).min(BATCH));
        next_batch = next_batch.max(batch + 1);
        for index in 0..count {
            let at = LIST_HEAD + index * LIST_ENTRY;
            let (number, sum) = (PageNo(get_u64(&list, at)), get_u32(&list, at + 8));
            file.read_at(&mut buffer, (first.0 + 1 + index as u64) * size).map_err(failed)?;
            // The list may have reached the disk before a copy did, over an older batch's copy; then the
            // sums differ, and no place of this batch was touched yet.
            if get_u32(&buffer, 0) == sum && page::verify(&buffer, number).is_ok() {
                copies.push((batch, buffer.to_vec()));
            }
        }
    }
    copies.sort_by_key(|(batch, _)| std::cmp::Reverse(*batch));
    let mut restored = 0;
    for (_, copy) in &copies {
        let number = page::number(copy);
        file.read_at(&mut buffer, number.0 * size).map_err(failed)?;
        let is_zero = buffer.iter().all(|&byte| byte == 0);
        if is_zero || page::verify(&buffer, number).is_err() {
            buffer.copy_from_slice(copy);
            file.write_at(&buffer, number.0 * size)
                .map_err(|error| Error::io("restoring a torn page", error))?;
            restored += 1;
        }
    }
    // Also where nothing was torn: a process that died, on a machine that did not, may have written a batch's
    // copies and its predecessor's places without a sync, and the next batch here overwrites the
    // predecessor's copies.
    file.sync_data().map_err(|error| Error::io("restoring torn pages", error))?;
    Ok((restored, next_batch))
}
