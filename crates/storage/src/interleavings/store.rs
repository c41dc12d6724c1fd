//! A whole store: trees that split and merge, checkpoints, the background writer, a power cut at any of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use shuttle::thread;

use super::{PAGE, WatchedDisk};
use crate::check::check;
use crate::disk::{Disk, Fault, SimulatedDisk};
use crate::error::Result;
use crate::sync::{Mutex, in_all_orders};
use crate::{Expect, KeyRange, Lsn, Options, State, Store, TransactionHorizon, Tree, TreeId, WriteBack};

const SCHEDULES: usize = 20;
fn open(disk: &SimulatedDisk) -> Result<Store> {
    let options = Options {
        page_size: PAGE,
        buffer_pool_bytes: 32 * PAGE,
        segment_bytes: 16 << 10,
        threads: false,
        ..Options::default()
    };
    let shared: Arc<dyn Disk> = Arc::new(WatchedDisk::new(disk));
    Store::open(shared, disk, options).map(|(store, _)| store)
}

fn horizon(store: &Store) -> TransactionHorizon {
    TransactionHorizon {
        oldest_active: Lsn::MAX,
        keep_log_from: store.log().end(),
        next_transaction: 1,
        csn: 0,
        time: 0,
        number: 0,
    }
}

fn key(worker: u8, number: u8) -> Vec<u8> {
    vec![number, worker]
}

fn put(store: &Store, tree: &Tree, worker: u8, number: u8) -> Result<()> {
    let value = [number; 700];
    tree.write(&key(worker, number), State::Value(&value), Expect::Any, None, |_, _| ())?;
    store.log().flush(store.log().end())
}

fn keys(tree: &Tree) -> BTreeMap<Vec<u8>, usize> {
    let mut found = BTreeMap::new();
    let mut position = Some(KeyRange::all().low);
    while let Some(from) = position {
        let each = |key: &[u8], entry: crate::btree::Entry<'_>, _| {
            found.insert(key.to_vec(), entry.value.len());
            Ok(std::ops::ControlFlow::Continue(()))
        };
        position = tree.scan_leaf_forward::<crate::Error>(&from, each).unwrap();
    }
    found
}

/// Two workers fill and empty the same leaves while pages are written and checkpoints taken.
fn work_until(disk: &SimulatedDisk, id: TreeId, fault: Option<Fault>) -> Vec<Vec<u8>> {
    let store = open(disk).unwrap();
    let acknowledged = Mutex::new(Vec::new());
    if let Some(fault) = fault {
        disk.inject(fault);
    }
    thread::scope(|scope| {
        let (store, acknowledged) = (&store, &acknowledged);
        for worker in 0..2u8 {
            scope.spawn(move || -> Result<()> {
                let tree = store.tree(id)?;
                for number in 0..7 {
                    put(store, &tree, worker, number)?;
                    acknowledged.lock().push(key(worker, number));
                }
                for number in (0..7).step_by(2) {
                    acknowledged.lock().retain(|other| *other != key(worker, number));
                    tree.write(&key(worker, number), State::Absent, Expect::Any, None, |_, _| ())?;
                }
                store.log().flush(store.log().end())
            });
        }
        scope.spawn(move || -> Result<()> {
            let mut write_back = WriteBack::default();
            for _ in 0..2 {
                write_back.step(store, 4096)?;
                store.note_checkpoint(|| horizon(store))?;
                store.log().prepare_next()?;
                store.checkpoint(|| horizon(store))?;
            }
            Ok(())
        });
    });
    acknowledged.into_inner()
}

fn made(seed: u64) -> (SimulatedDisk, TreeId) {
    let disk = SimulatedDisk::new(seed);
    let store = open(&disk).unwrap();
    let id = store.create_tree().unwrap();
    store.log().flush(store.log().end()).unwrap();
    (disk, id)
}

#[test]
fn writers_and_checkpoints_leave_a_sound_store() {
    in_all_orders(SCHEDULES, |seed| {
        let (disk, id) = made(seed);
        let acknowledged = work_until(&disk, id, None);
        disk.crash();
        let store = open(&disk).unwrap();
        assert_eq!(check(&store).unwrap().problems, Vec::<String>::new());
        let found = keys(&store.tree(id).unwrap());
        assert_eq!(found.len(), 6);
        assert!(acknowledged.iter().all(|key| found.get(key) == Some(&700)));
    });
}

#[test]
fn writers_and_checkpoints_leave_a_sound_store_when_the_power_goes() {
    in_all_orders(SCHEDULES, |seed| {
        let (disk, id) = made(seed);
        let acknowledged = work_until(&disk, id, Some(Fault::PowerCut { after: seed * 7 % 90 }));
        disk.crash();
        let store = open(&disk).unwrap();
        assert_eq!(check(&store).unwrap().problems, Vec::<String>::new());
        let found = keys(&store.tree(id).unwrap());
        assert!(acknowledged.iter().all(|key| found.get(key) == Some(&700)), "seed {seed}");
    });
}
