//! Room kept back on the disk, so that what was begun can be taken back when the disk is full.
//!
//! Taking a transaction back writes about as much log as it has written, and may grow pages that had shrunk. Small
//! ones fit into the segment that is ready in any case. For more, each change promises its share before it is made
//! ([`Ballast::promise`]); a file without content, [`NAME`], holds the space. If the disk does not give that space
//! the change is refused: nothing was begun that cannot be taken back. When the disk is full later, and the log or
//! the page file has to grow for what must be finished, the ballast is cut by as much ([`Ballast::spend`]). Until
//! it is whole again nothing new is begun.
//!
//! Invariants: `held` is the length of the file, changed under `file`. A promise is counted before it is covered, and
//! taken back where it cannot be.
//!
//! Limits: space that other programs take in the moment between the cut and the growth is gone; so is the promise
//! where the file system cannot set space aside (it says so, and the file is then only long). The file is removed
//! when the store is opened, which gives recovery the space.

use std::sync::Arc;

use crate::disk::{Caching, Disk, File};
use crate::error::{Error, Result};
use crate::sync::{AtomicU64, Mutex, Ordering};

/// The file.
pub(super) const NAME: &str = "wal-ballast";
/// Taking a change back costs at most so many times its record: as much log, and as much again where pages split.
const COST: u64 = 2;

pub(super) struct Ballast {
    disk: Arc<dyn Disk>,
    /// What can be promised without it.
    free: u64,
    /// It grows and shrinks in multiples of this.
    step: u64,
    promised: AtomicU64,
    held: AtomicU64,
    file: Mutex<Option<Arc<dyn File>>>,
}

impl Ballast {
    /// `nominal` is a segment's size: one is always ready.
    pub(super) fn new(disk: Arc<dyn Disk>, nominal: u64) -> Ballast {
        Ballast {
            disk,
            free: nominal / 2,
            step: nominal.max(1),
            promised: AtomicU64::new(0),
            held: AtomicU64::new(0),
            file: Mutex::default(),
        }
    }

    fn needed(&self, promised: u64) -> u64 {
        promised.saturating_mul(COST).saturating_sub(self.free).next_multiple_of(self.step)
    }

    /// Promises that records of so many bytes can be taken back.
    pub(super) fn promise(&self, bytes: u64) -> Result<()> {
        let promised = self.promised.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if self.needed(promised) <= self.held.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.cover().inspect_err(|_| self.redeem(bytes))
    }

    /// Lets a promise go.
    pub(super) fn redeem(&self, bytes: u64) {
        self.promised.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Whether more is promised than can be kept.
    pub(super) fn is_short(&self) -> bool {
        self.needed(self.promised.load(Ordering::Relaxed)) > self.held.load(Ordering::Relaxed)
    }

    /// Grows until all that is promised is covered.
    fn cover(&self) -> Result<()> {
        let failed = |error| Error::io("keeping room for rollbacks", error);
        let mut file = self.file.lock();
        let needed = self.needed(self.promised.load(Ordering::Relaxed));
        if needed <= self.held.load(Ordering::Relaxed) {
            return Ok(());
        }
        let opened = match &mut *file {
            Some(file) => file,
            none => none.insert(self.disk.open(NAME, true, Caching::Buffered).map_err(failed)?),
        };
        // Somewhat more, so that a large transaction does not ask the disk again and again.
        let ample = (needed + needed / 8).next_multiple_of(self.step);
        opened
            .reserve(ample)
            .map(|()| ample)
            .or_else(|_| opened.reserve(needed).map(|()| needed))
            .map(|held| self.held.store(held, Ordering::Relaxed))
            .map_err(failed)
    }

    /// Covers what is promised, and gives back what is not needed any more. For a background thread.
    pub(super) fn keep_even(&self) -> Result<()> {
        self.cover()?;
        let file = self.file.lock();
        let needed = self.needed(self.promised.load(Ordering::Relaxed));
        let kept = needed + needed / 4;
        if let Some(file) = &*file
            && self.held.load(Ordering::Relaxed) > kept.next_multiple_of(self.step)
        {
            file.set_len(needed).map_err(|error| Error::io("giving back room for rollbacks", error))?;
            self.held.store(needed, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Gives up so much, or what there is, for something that has to grow now; false when there is nothing left.
    pub(super) fn spend(&self, bytes: u64) -> bool {
        let file = self.file.lock();
        let held = self.held.load(Ordering::Relaxed);
        let Some(file) = file.as_ref().filter(|_| held > 0) else { return false };
        let left = held.saturating_sub(bytes.max(self.step));
        let is_cut = file.set_len(left).is_ok();
        if is_cut {
            self.held.store(left, Ordering::Relaxed);
        }
        is_cut
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use super::*;
    use crate::disk::{Fault, SimulatedDisk};

    #[test]
    fn what_is_promised_is_held_spent_and_given_back() {
        let disk = SimulatedDisk::new(1);
        let ballast = Ballast::new(Arc::new(disk.clone()), 1000);
        ballast.promise(250).unwrap();
        assert_eq!((disk.used(), ballast.spend(1)), (0, false));
        ballast.promise(5000).unwrap();
        let held = disk.used();
        assert!((10_000..14_000).contains(&held), "{held}");
        disk.inject(Fault::Full { capacity: held });
        assert!(matches!(ballast.promise(5000), Err(Error::DiskFull { .. })));
        assert!(!ballast.is_short());
        assert!(ballast.spend(2500));
        assert_eq!(disk.used(), held - 2500);
        assert!(ballast.is_short());
        // Somebody has what was given up.
        disk.inject(Fault::Full { capacity: held - 2500 });
        assert!(matches!(ballast.keep_even(), Err(Error::DiskFull { .. })));
        disk.heal();
        ballast.keep_even().unwrap();
        assert!(!ballast.is_short());
        ballast.redeem(5250);
        ballast.keep_even().unwrap();
        assert_eq!((disk.used(), ballast.spend(1)), (0, false));
    }
}
