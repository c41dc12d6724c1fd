//! The buffer pool: fetching, pinning, evicting, writing back, reading ahead, with fewer frames than pages.

use std::collections::HashMap;
use std::sync::Arc;

use shuttle::thread;

use super::{PAGE, WatchedDisk};
use crate::buffer::{Clock, Pool, restore_torn_pages};
use crate::disk::{Caching, Disk, Fault, File, SimulatedDisk};
use crate::error::{Error, Result};
use crate::ids::{Lsn, PageNo, TreeId};
use crate::page::{self, HEAD, get_u64, put};
use crate::space::{DOUBLEWRITE, FIRST_FREE};
use crate::superblock;
use crate::sync::{Mutex, Ordering, in_all_orders};
use crate::wal::{Log, SegmentWriter};

const SCHEDULES: usize = 200;
/// Pages that count how often they were changed.
const PAGES: u64 = 4;
const TREE: TreeId = TreeId(20);

fn page_number(index: u64) -> PageNo {
    PageNo(FIRST_FREE.0 + index)
}

struct Bench {
    disk: SimulatedDisk,
    file: Arc<dyn File>,
    log: Arc<Log>,
    pool: Pool,
}

impl Bench {
    fn new(seed: u64, frames: usize) -> Bench {
        let disk = SimulatedDisk::new(seed);
        let watched = WatchedDisk::new(&disk);
        let file = watched.open(superblock::FILE, true, Caching::Direct).unwrap();
        for index in 0..PAGES {
            let mut bytes = page::Aligned::new(PAGE);
            page::format_overflow(&mut bytes, page_number(index), TREE, PageNo(0), &[0; 8]);
            page::seal(&mut bytes);
            file.write_at(&bytes, page_number(index).0 * PAGE as u64).unwrap();
        }
        file.sync_data().unwrap();
        let shared: Arc<dyn Disk> = Arc::new(watched.clone());
        let writer = SegmentWriter::create(shared, [1; 16], 1, 16 << 10, Lsn(4096), 0).unwrap();
        let log = Arc::new(Log::new(writer));
        watched.watch(log.clone(), FIRST_FREE);
        let pool = Pool::new(frames, PAGE, file.clone(), (DOUBLEWRITE, 0), Box::new(Clock::default()), 1);
        pool.attach(log.clone());
        Bench { disk, file, log, pool }
    }

    /// Adds one to a page's count, as a mini-transaction does it. Gives the record and the count.
    fn change(&self, index: u64) -> Result<(Lsn, u64)> {
        let not_before = self.log.end();
        let mut page = self.pool.write(page_number(index))?;
        let count = get_u64(&page, HEAD) + 1;
        let bytes = page.bytes_mut(not_before);
        put(bytes, HEAD, &count.to_le_bytes());
        let lsn = self.log.append(&index.to_le_bytes())?;
        page::set_lsn(bytes, lsn);
        Ok((lsn, count))
    }

    fn count(&self, index: u64) -> Result<u64> {
        self.pool.read(page_number(index)).map(|page| get_u64(&page, HEAD))
    }

    fn on_disk(&self, index: u64) -> (Lsn, u64) {
        let mut bytes = page::Aligned::new(PAGE);
        self.file.read_at(&mut bytes, page_number(index).0 * PAGE as u64).unwrap();
        page::verify(&bytes, page_number(index)).unwrap();
        (page::lsn(&bytes), get_u64(&bytes, HEAD))
    }

    /// Every frame can be had by one page at a time, all together.
    fn assert_no_frame_is_lost(&self) {
        let frames = self.pool.frame_count() as u64;
        let held: Vec<_> = (0..frames).map(|index| self.pool.read(page_number(index)).unwrap()).collect();
        assert_eq!(held.len() as u64, frames);
    }
}

#[test]
fn no_change_is_lost_while_pages_come_and_go() {
    in_all_orders(SCHEDULES, |seed| {
        let bench = Bench::new(seed, 3);
        let bench = &bench;
        thread::scope(|scope| {
            for worker in 0..2 {
                scope.spawn(move || {
                    for step in 0..4 {
                        bench.change((worker + step) % PAGES).unwrap();
                    }
                });
            }
            scope.spawn(move || {
                for index in 0..PAGES {
                    let _ = bench.pool.write_ahead().unwrap();
                    bench.pool.prefetch(page_number(index));
                    assert!(bench.pool.read_passing(page_number(index)).is_ok());
                    bench.pool.let_go(page_number(index));
                }
            });
        });
        assert_eq!((0..PAGES).map(|index| bench.count(index).unwrap()).sum::<u64>(), 8);
        bench.pool.flush_all().unwrap();
        assert_eq!((0..PAGES).map(|index| bench.on_disk(index).1).sum::<u64>(), 8);
        bench.assert_no_frame_is_lost();
    });
}

/// What a checkpoint says is on disk is there after a crash, whatever else was on its way.
#[test]
fn a_checkpoint_passes_no_change_that_is_only_in_memory() {
    in_all_orders(SCHEDULES, |seed| {
        let bench = Bench::new(seed, 3);
        let changes = Mutex::new(Vec::new());
        let passed = {
            let (bench, changes) = (&bench, &changes);
            thread::scope(|scope| {
                for worker in 0..2 {
                    scope.spawn(move || {
                        for step in 0..3 {
                            let index = (worker * 2 + step) % PAGES;
                            // The power may be off by now.
                            let Ok((lsn, count)) = bench.change(index) else { return };
                            changes.lock().push((index, lsn, count));
                        }
                    });
                }
                let checkpoint = scope.spawn(move || {
                    let begin = bench.log.end();
                    bench.pool.flush_all().unwrap();
                    let redo_from = bench.pool.oldest_change(begin);
                    bench.pool.sync().unwrap();
                    bench.disk.inject(Fault::PowerCut { after: 0 });
                    redo_from
                });
                checkpoint.join().unwrap()
            })
        };
        bench.disk.crash();
        restore_torn_pages(&*bench.file, DOUBLEWRITE, PAGE).unwrap();
        for &(index, lsn, count) in &*changes.lock() {
            if lsn < passed {
                let (page_lsn, found) = bench.on_disk(index);
                assert!(page_lsn >= lsn && found >= count, "the change at {lsn} is lost, {passed} is passed");
            }
        }
    });
}

/// A failed write or sync stops the log; no page goes back to what it was before.
#[test]
fn after_a_failed_sync_no_page_is_older_than_it_was() {
    in_all_orders(SCHEDULES, |seed| {
        let bench = Bench::new(seed, 3);
        let bench = &bench;
        bench.disk.inject(Fault::FailingSync { after: seed % 7 });
        let newest = Mutex::new(HashMap::new());
        thread::scope(|scope| {
            for worker in 0..2 {
                let newest = &newest;
                scope.spawn(move || {
                    for step in 0..4 {
                        let index = (worker + step) % PAGES;
                        let Ok((lsn, count)) = bench.change(index) else { return };
                        let mut newest = newest.lock();
                        let known = newest.entry(index).or_insert(0);
                        *known = count.max(*known);
                        drop(newest);
                        if bench.log.flush(Lsn(lsn.0 + 1)).is_err() {
                            assert!(matches!(bench.log.check(), Err(Error::Poisoned { .. })));
                            return;
                        }
                    }
                });
            }
            scope.spawn(move || {
                for _ in 0..2 {
                    let (written, failed) = (bench.pool.flush_all(), bench.log.check().is_err());
                    assert!(written.is_ok() || failed);
                }
            });
        });
        for (index, count) in &*newest.lock() {
            match bench.count(*index) {
                Ok(found) => assert!(found >= *count, "page {index} has {found}, had {count}"),
                // Its frame was wanted, and nothing can be written.
                Err(_) => assert!(bench.log.check().is_err()),
            }
        }
    });
}

/// Those who wait for a page that does not read well are told so, and its frame serves again.
#[test]
fn a_damaged_page_is_nobodys_and_costs_no_frame() {
    in_all_orders(SCHEDULES, |seed| {
        let bench = Bench::new(seed, 2);
        let bench = &bench;
        let at = page_number(2).0 * PAGE as u64;
        bench.disk.flip_bit(superblock::FILE, Some(at..at + PAGE as u64)).unwrap();
        thread::scope(|scope| {
            for worker in 0..2 {
                scope.spawn(move || {
                    let damaged = bench.pool.read(page_number(2)).map(drop);
                    assert!(matches!(damaged, Err(Error::CorruptPage { .. })), "{damaged:?}");
                    assert_eq!(bench.count(worker).unwrap(), 0);
                });
            }
            scope.spawn(move || {
                bench.pool.prefetch(page_number(2));
                bench.pool.let_go(page_number(2));
                assert_eq!(bench.count(3).unwrap(), 0);
            });
        });
        bench.assert_no_frame_is_lost();
        // Whoever gives it a new content has it.
        let mut page = bench.pool.create(page_number(2)).unwrap();
        let bytes = page.bytes_mut(bench.log.end());
        page::format_overflow(bytes, page_number(2), TREE, PageNo(0), &5u64.to_le_bytes());
        drop(page);
        assert_eq!(bench.count(2).unwrap(), 5);
        assert!(bench.pool.counters.reads.load(Ordering::Relaxed) >= 2);
    });
}

/// Who reads a page sees it whole, whoever else writes, evicts and reads it again meanwhile.
#[test]
fn a_latch_shows_a_page_before_a_change_or_behind_it() {
    in_all_orders(SCHEDULES, |seed| {
        let bench = Bench::new(seed, 2);
        let bench = &bench;
        thread::scope(|scope| {
            scope.spawn(move || {
                for _ in 0..3 {
                    bench.change(0).unwrap();
                }
            });
            scope.spawn(move || {
                for index in 1..PAGES {
                    assert_eq!(bench.count(index).unwrap(), 0);
                }
            });
            scope.spawn(move || {
                let mut before = (Lsn::ZERO, 0);
                for _ in 0..3 {
                    let page = bench.pool.read(page_number(0)).unwrap();
                    let now = (page::lsn(&page), get_u64(&page, HEAD));
                    assert!(now.1 >= before.1 && (now.0 > before.0) == (now.1 > before.1));
                    before = now;
                }
            });
        });
        assert_eq!(bench.count(0).unwrap(), 3);
    });
}
