//! Which pages are in use: one bit a page, in bitmap pages at fixed places.
//!
//! ```text
//!   0, 1          superblocks
//!   2 ..          doublewrite area
//!   FIRST_BITMAP  bits of pages 0 .. group        (group = bits in a page's body)
//!   g * group     bits of pages g * group ..      (for g > 0; made when the first page there is used)
//! ```
//! Bits are set and cleared by the same log record that links or unlinks the page, so a page is
//! allocated exactly when something refers to it. One mini-transaction at a time changes bits: it
//! holds [`Space`] from its first allocation to its commit. Latches of tree pages are taken before
//! `Space`, latches of bitmap pages after.

use crate::buffer::DoublewriteLayout;
use crate::disk::File;
use crate::error::{Error, Result};
use crate::ids::PageNo;
use crate::page::HEAD;

/// The doublewrite area.
pub(crate) const DOUBLEWRITE: DoublewriteLayout = DoublewriteLayout { first: PageNo(2) };
/// The first group's bitmap.
pub(crate) const FIRST_BITMAP: PageNo = PageNo(2 + DoublewriteLayout::PAGES);
/// The root of the directory of trees.
pub(crate) const DIRECTORY_ROOT: PageNo = PageNo(FIRST_BITMAP.0 + 1);
/// The root of the tree of counters.
pub(crate) const COUNTERS_ROOT: PageNo = PageNo(FIRST_BITMAP.0 + 2);
/// The first page that is handed out.
pub(crate) const FIRST_FREE: PageNo = PageNo(FIRST_BITMAP.0 + 3);

/// The file grows by at least this many bytes.
const GROWTH: u64 = 1 << 20;
/// Behind the last page in use so many bytes stay free, or the eighth of a small file: on a full disk what was begun
/// is taken back there.
const MOST_KEPT: u64 = 4 << 20;
/// The file grows by a share of itself up to this many bytes.
const MOST_GROWTH: u64 = 64 << 20;

/// Where to look for free pages, and how far the file reaches.
pub(crate) struct Space {
    page_size: u64,
    hint: u64,
    /// The highest page taken since that was last forgotten.
    highest: u64,
    file_pages: u64,
}

impl Space {
    pub(crate) fn new(page_size: usize, file_length: u64) -> Space {
        let page_size = page_size as u64;
        Space { page_size, hint: FIRST_FREE.0, highest: 0, file_pages: file_length / page_size }
    }

    /// Pages that one bitmap page covers.
    pub(crate) fn group(page_size: usize) -> u64 {
        ((page_size - HEAD) * 8) as u64
    }

    /// The bitmap page that has the bit of `page`, and the bit.
    pub(crate) fn bit_of(page_size: usize, page: PageNo) -> (PageNo, u32) {
        let group = Space::group(page_size);
        (Space::bitmap_of(page_size, page.0 / group), (page.0 % group) as u32)
    }

    /// The bitmap page of a group.
    pub(crate) fn bitmap_of(page_size: usize, group: u64) -> PageNo {
        if group == 0 { FIRST_BITMAP } else { PageNo(group * Space::group(page_size)) }
    }

    /// Where to look first.
    pub(crate) fn hint(&self) -> PageNo {
        PageNo(self.hint)
    }

    /// A page was taken: look behind it next time.
    pub(crate) fn taken(&mut self, page: PageNo) {
        self.hint = page.0 + 1;
        self.highest = self.highest.max(page.0);
    }

    /// The highest page that was taken since [`Space::forget_highest`].
    pub(crate) fn highest(&self) -> PageNo {
        PageNo(self.highest)
    }

    /// From here on [`Space::highest`] counts anew.
    pub(crate) fn forget_highest(&mut self) {
        self.highest = 0;
    }

    /// A page was given back: look there next time.
    pub(crate) fn given_back(&mut self, page: PageNo) {
        self.hint = self.hint.min(page.0);
    }

    /// Makes sure that the file reaches over `page`, and over what is kept back behind it; that is for changes
    /// that are `urgent`.
    pub(crate) fn reach(&mut self, file: &dyn File, page: PageNo, urgent: bool) -> Result<()> {
        let share = self.file_pages * self.page_size / 8;
        let kept = if urgent { 0 } else { share.clamp(GROWTH, MOST_KEPT) / self.page_size };
        let needed = page.0 + 1 + kept;
        if needed <= self.file_pages {
            return Ok(());
        }
        let mut failure = None;
        for growth in [share.clamp(GROWTH, MOST_GROWTH), GROWTH, 0] {
            let wanted = needed + growth / self.page_size;
            match file.reserve(wanted * self.page_size) {
                Ok(()) => {
                    self.file_pages = wanted;
                    return Ok(());
                }
                Err(error) => failure = Some(Error::io("growing the page file", error)),
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// The file was cut.
    pub(crate) fn cut(&mut self, pages: u64) {
        self.file_pages = self.file_pages.min(pages);
    }

    /// How many pages the file has.
    pub(crate) fn file_pages(&self) -> u64 {
        self.file_pages
    }
}

/// The first clear bit at or after `from` in a bitmap page.
pub(crate) fn first_clear(bitmap: &[u8], from: u32) -> Option<u32> {
    let body = &bitmap[HEAD..];
    let mut bit = from as usize;
    while bit < body.len() * 8 {
        let byte = body[bit / 8];
        if byte == 0xFF {
            bit = (bit / 8 + 1) * 8;
        } else if byte & (1 << (bit % 8)) == 0 {
            return Some(bit as u32);
        } else {
            bit += 1;
        }
    }
    None
}

/// Whether a bit is set.
pub(crate) fn is_set(bitmap: &[u8], bit: u32) -> bool {
    bitmap[HEAD + bit as usize / 8] & (1 << (bit % 8)) != 0
}
