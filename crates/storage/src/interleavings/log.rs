//! The log: records appended by many, groups flushed by one, waiters woken, segments rolled, released and followed.

use std::sync::Arc;

use shuttle::thread;

use super::WatchedDisk;
use crate::disk::{Disk, Fault, SimulatedDisk};
use crate::error::Error;
use crate::ids::Lsn;
use crate::sync::{Mutex, in_all_orders};
use crate::wal::{Log, SegmentWriter, read_from};

const SCHEDULES: usize = 600;
const DATABASE: [u8; 16] = [7; 16];
const FIRST: Lsn = Lsn(4096);
/// Two frames of one sector.
const NOMINAL: u64 = 1024;

fn log(disk: &SimulatedDisk) -> Arc<Log> {
    let watched: Arc<dyn Disk> = Arc::new(WatchedDisk::new(disk));
    Arc::new(Log::new(SegmentWriter::create(watched, DATABASE, 1, NOMINAL, FIRST, 0).unwrap()))
}

/// What is in the log after a crash: positions and records.
fn read_back(disk: &SimulatedDisk) -> Vec<(Lsn, Vec<u8>)> {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut found = Vec::new();
    read_from(&shared, DATABASE, NOMINAL, FIRST, &mut |lsn, record| {
        found.push((lsn, record.to_vec()));
        Ok(())
    })
    .unwrap();
    found
}

/// Three append and wait, a fault comes at some time: who was told that a record is durable finds it after a crash,
/// and no record is there without those before it. Nobody waits for ever.
fn acknowledged_is_there_after(fault: impl Fn(u64) -> Option<Fault> + Send + Sync + 'static) {
    in_all_orders(SCHEDULES, move |seed| {
        let disk = SimulatedDisk::new(seed);
        let log = log(&disk);
        if let Some(fault) = fault(seed) {
            disk.inject(fault);
        }
        let (appended, acknowledged) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        thread::scope(|scope| {
            for worker in 0..3u8 {
                let (log, appended, acknowledged) = (&log, &appended, &acknowledged);
                scope.spawn(move || {
                    for step in 0..2u8 {
                        let record = vec![worker, step];
                        let note = |lsn| appended.lock().push((lsn, record.clone()));
                        let Ok(lsn) = log.append_with(&record, note) else { return };
                        match log.flush(Lsn(lsn.0 + 1)) {
                            Ok(()) => {
                                assert!(log.durable() > lsn);
                                acknowledged.lock().push((lsn, record));
                            }
                            Err(error) => {
                                assert!(matches!(log.check(), Err(Error::Poisoned { .. })), "{error}");
                                return;
                            }
                        }
                    }
                });
            }
            scope.spawn(|| log.prepare_next());
        });
        disk.crash();
        let (found, appended) = (read_back(&disk), appended.lock());
        assert_eq!(found[..], appended[..found.len()]);
        for one in &*acknowledged.lock() {
            assert!(found.contains(one), "{one:?} was acknowledged");
        }
    });
}

#[test]
fn what_was_acknowledged_is_there_and_nobody_waits_for_ever() {
    acknowledged_is_there_after(|_| None);
}

#[test]
fn what_was_acknowledged_is_there_though_the_power_went() {
    acknowledged_is_there_after(|seed| Some(Fault::PowerCut { after: seed % 24 }));
}

#[test]
fn what_was_acknowledged_is_there_though_a_sync_failed() {
    acknowledged_is_there_after(|seed| Some(Fault::FailingSync { after: seed % 9 }));
}

/// Segments are released, made ready and used again while the log is written and read.
#[test]
fn a_follower_gets_every_record_or_is_told_that_it_is_late() {
    in_all_orders(SCHEDULES, |seed| {
        let disk = SimulatedDisk::new(seed);
        let log = log(&disk);
        let appended = Mutex::new(Vec::new());
        thread::scope(|scope| {
            let (log, appended, disk) = (&log, &appended, &disk);
            scope.spawn(move || {
                for number in 0..8u8 {
                    let record = vec![number; 300];
                    let lsn = log.append_with(&record, |lsn| appended.lock().push((lsn, record.clone())));
                    log.flush(Lsn(lsn.unwrap().0 + 1)).unwrap();
                }
            });
            scope.spawn(move || {
                for _ in 0..3 {
                    log.prepare_next().unwrap();
                    log.release_before(disk, Lsn(log.durable().0.saturating_sub(1024))).unwrap();
                }
            });
            scope.spawn(move || {
                let mut follower = log.follow(FIRST);
                let mut at = 0;
                for _ in 0..12 {
                    match follower.next_record() {
                        Ok(Some((lsn, record))) => {
                            assert_eq!(appended.lock().get(at), Some(&(lsn, record.to_vec())));
                            at += 1;
                        }
                        Ok(None) => thread::yield_now(),
                        Err(Error::LogReleased { oldest, .. }) => {
                            assert!(oldest > FIRST);
                            return;
                        }
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        });
        let kept = log.retained_from();
        let mut follower = log.follow(kept);
        for (lsn, record) in appended.lock().iter().filter(|(lsn, _)| *lsn >= kept) {
            assert_eq!(follower.next_record().unwrap(), Some((*lsn, record.as_slice())));
        }
    });
}

/// Who rings after the log has grown and who listens before it looks never miss each other.
#[test]
fn a_bell_is_heard_by_whoever_listened_before_looking() {
    use crate::sync::{AtomicU64, Ordering};
    use std::task::{Wake, Waker};

    struct Flag(AtomicU64);
    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(1, Ordering::SeqCst);
        }
    }
    in_all_orders(SCHEDULES, |seed| {
        let disk = SimulatedDisk::new(seed);
        let log = log(&disk);
        thread::scope(|scope| {
            scope.spawn(|| {
                let lsn = log.append(b"r").unwrap();
                log.flush(Lsn(lsn.0 + 1)).unwrap();
            });
            let flag = Arc::new(Flag(AtomicU64::new(0)));
            let _hearing = log.grown().hear(Waker::from(flag.clone()));
            if log.durable() == FIRST {
                while flag.0.load(Ordering::SeqCst) == 0 {
                    thread::yield_now();
                }
                assert!(log.durable() > FIRST);
            }
        });
    });
}
