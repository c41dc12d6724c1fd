//! The log's files at a steady load, a varying one, and when it ends.

use rustydb_storage::disk::{Disk, SimulatedDisk};
use rustydb_storage::{Expect, State, Store};

use crate::model::contents;
use crate::random::{horizon, open};

/// Segments' worth of log, as a load writes it beside the thread that makes segments ready.
fn write(store: &Store, tree: &rustydb_storage::Tree, segments: u64) {
    let end = store.log().end().0 + segments * (64 << 10);
    let mut number = 0u32;
    while store.log().end().0 < end {
        number += 1;
        let key = (number % 50).to_be_bytes();
        tree.write(&key, State::Value(&[7; 700]), Expect::Any, None, |_, _| ()).unwrap();
        store.log().flush(store.log().end()).unwrap();
        store.log().prepare_next().unwrap();
    }
}

fn log_files(disk: &SimulatedDisk) -> usize {
    disk.list().unwrap().iter().filter(|name| name.starts_with("wal-")).count()
}

#[test]
fn a_steady_load_makes_no_new_files_once_it_is_warm() {
    // Segments between two checkpoints: fewer than are kept in any case, and more.
    for between in [1, 3, 9, 20] {
        let disk = SimulatedDisk::new(between);
        let (store, _) = open(&disk).unwrap();
        let tree = store.tree(store.create_tree().unwrap()).unwrap();
        let round = |by: u64| {
            write(&store, &tree, by);
            store.checkpoint(horizon(&store)).unwrap();
        };
        (0..3).for_each(|_| round(between + 1));
        let (made, mut most) = (disk.files_made(), 0);
        for number in 0..12 {
            // One less, as many, one more.
            round((between + number % 3).saturating_sub(1).max(1));
            most = most.max(log_files(&disk));
        }
        assert_eq!(disk.files_made(), made, "{between} segments between checkpoints");
        assert!(most as u64 <= between + 8, "{most} files for {between}");
        let id = tree.id();
        drop((tree, store));
        disk.crash();
        let (store, _) = open(&disk).unwrap();
        assert_eq!(contents(&store.tree(id).unwrap()).len(), 50);
    }
}

#[test]
fn what_a_burst_has_left_of_files_goes_again() {
    let disk = SimulatedDisk::new(1);
    let (store, _) = open(&disk).unwrap();
    let tree = store.tree(store.create_tree().unwrap()).unwrap();
    let round = |by: u64| {
        write(&store, &tree, by);
        store.checkpoint(horizon(&store)).unwrap();
        log_files(&disk)
    };
    // A transaction that kept much of the log has ended.
    assert!((60..=66).contains(&round(200)));
    let after: Vec<usize> = (0..150).map(|_| round(2)).collect();
    assert!(after.is_sorted_by(|a, b| a >= b), "{after:?}");
    assert!(after.last().is_some_and(|&left| left <= 9), "{after:?}");
}
