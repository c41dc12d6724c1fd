//! Mends what is certain, and nothing else.
//!
//! Opening a store has already done what the log and the doublewrite area allow: torn pages put back, changes
//! replayed, a torn tail of the log left behind ([`crate::store::Opening`] says so). What is left for here is the map
//! of free pages: where every tree was read to its last page and all of it holds, exactly the pages that the trees
//! refer to are in use. So a page that is marked in use and that nothing refers to is free, and one that something
//! refers to is in use; and a page of the map that does not read well is made anew. All of it is logged like any
//! other change.
//!
//! Refused: everything that would be a guess. A page that does not read well has no second copy, and what was on it
//! is not to be known; with one such page somewhere even the map cannot be trusted, since what lies behind that page
//! is out of sight.

use crate::check::{DamagedMap, Report};
use crate::error::{Error, Result};
use crate::ids::{PageNo, TreeId};
use crate::mini_transaction::MiniTransaction;
use crate::page::{self, HEAD, Kind};
use crate::store::Store;
use crate::wal::record::Operation;

/// Pages whose bits change in one record.
const TOGETHER: usize = 256;

/// Whether everything that a check found can be mended with certainty.
#[must_use]
pub fn is_certain(report: &Report) -> bool {
    report.damages == 0
}

/// Mends what a check of this store has found; the store must be at rest, and unchanged since. Gives what was
/// done, in sentences.
///
/// # Errors
/// [`Error::Invalid`] where something was found that cannot be mended with certainty: then nothing was done. The
/// store's own.
pub fn repair(store: &Store, report: &Report) -> Result<Vec<String>> {
    if !is_certain(report) {
        return Err(Error::Invalid(format!(
            "{} problems cannot be mended without a guess; nothing was changed",
            report.damages
        )));
    }
    let mut done = Vec::new();
    for map in &report.damaged_maps {
        make_anew(store, map)?;
        done.push(format!("page {}, a map of free pages, made anew from the trees", map.page));
    }
    for (pages, in_use) in [(&report.unallocated, true), (&report.orphans, false)] {
        for some in pages.chunks(TOGETHER) {
            let mut mini = MiniTransaction::new(store.core());
            some.iter().try_for_each(|&page| mini.mark(page, in_use))?;
            mini.commit()?;
        }
        if let (Some(first), Some(last)) = (pages.first(), pages.last()) {
            let what = if in_use {
                "marked as in use: the trees refer to them"
            } else {
                "freed: nothing refers to them"
            };
            done.push(format!("{} pages from {first} to {last} {what}", pages.len()));
        }
    }
    store.log().flush(store.log().end())?;
    Ok(done)
}

fn make_anew(store: &Store, map: &DamagedMap) -> Result<()> {
    let mut image = vec![0; store.page_size()];
    page::format(&mut image, Kind::Bitmap, 0, map.page, TreeId::default());
    for bit in &map.in_use {
        if let Some(byte) = image.get_mut(HEAD + *bit as usize / 8) {
            *byte |= 1 << (bit % 8);
        }
    }
    let mut mini = MiniTransaction::new(store.core());
    // What is there does not matter, and cannot be read.
    let held = mini.hold(store.core().pool.create(map.page)?);
    mini.apply(held, &Operation::Image { front: &image, back: &[] }, None)?;
    mini.commit().map(|_| ())
}

/// The pages of a list, as a person would write them.
#[must_use]
pub fn listed(pages: &[PageNo]) -> String {
    let shown: Vec<String> = pages.iter().take(10).map(PageNo::to_string).collect();
    let more = if pages.len() > 10 { format!(" and {} more", pages.len() - 10) } else { String::new() };
    shown.join(", ") + &more
}
