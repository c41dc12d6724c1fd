//! Repairs: what is certain is mended and said, everything else is left alone.

use std::sync::Arc;

use rustydb_storage::check::check;
use rustydb_storage::disk::{Caching, Disk, Overlay, SimulatedDisk};
use rustydb_storage::page::{self, Aligned, HEAD};
use rustydb_storage::repair::{is_certain, repair};
use rustydb_storage::{Expect, State, Store, TreeId};

use crate::model::{Model, contents};
use crate::random::{Random, horizon, open, options};

const SIZE: usize = 4096;
/// The first page that is handed out: two superblocks, the doublewrite area, a bitmap and two roots are before it.
const BITMAP: u64 = 2 + 2 * 65;

fn filled(disk: &SimulatedDisk) -> (TreeId, Model) {
    let (store, _) = open(disk).unwrap();
    let tree = store.tree(store.create_tree().unwrap()).unwrap();
    let (mut random, mut model) = (Random(1), Model::new());
    for _ in 0..300 {
        let (key, value) = (random.key(1000), random.value());
        tree.write(&key, State::Value(&value), Expect::Any, None, |_, _| ()).unwrap();
        model.insert(key, value);
    }
    store.close(horizon(&store)).unwrap();
    (tree.id(), model)
}

/// Changes the bits of pages in the bitmap at rest, as a fault of a program would: the checksum holds.
fn flip(disk: &SimulatedDisk, pages: &[u64]) {
    let file = disk.open("pages", false, Caching::Direct).unwrap();
    let mut bitmap = Aligned::new(SIZE);
    file.read_at(&mut bitmap, BITMAP * SIZE as u64).unwrap();
    for page in pages {
        bitmap[HEAD + *page as usize / 8] ^= 1 << (page % 8);
    }
    page::seal(&mut bitmap);
    file.write_at(&bitmap, BITMAP * SIZE as u64).unwrap();
    file.sync_data().unwrap();
}

#[test]
fn the_map_of_free_pages_is_made_anew_from_the_trees() {
    let disk = SimulatedDisk::new(1);
    let (id, model) = filled(&disk);
    let used = BITMAP + 5;
    flip(&disk, &[used, used + 1, 3000, 3001, 3002]);
    let (store, _) = open(&disk).unwrap();
    let report = check(&store).unwrap();
    assert_eq!((report.unallocated.len(), report.orphans.len(), report.damages), (2, 3, 0));
    assert!(is_certain(&report));
    let done = repair(&store, &report).unwrap();
    assert_eq!(done.len(), 2, "{done:?}");
    assert_eq!(check(&store).unwrap().problems, Vec::<String>::new());
    drop(store);
    // Logged like any change: it survives what comes.
    disk.crash();
    let (store, _) = open(&disk).unwrap();
    assert_eq!(check(&store).unwrap().problems, Vec::<String>::new());
    assert_eq!(contents(&store.tree(id).unwrap()), model);
}

/// Flips a bit of a page, of which no copy is left in the doublewrite area.
fn damage(disk: &SimulatedDisk, page: u64) {
    let file = disk.open("pages", false, Caching::Direct).unwrap();
    file.write_at(&[0; 130 * SIZE], 2 * SIZE as u64).unwrap();
    file.sync_data().unwrap();
    let victim = page * SIZE as u64;
    disk.flip_bit("pages", Some(victim + 200..victim + 4000)).unwrap();
}

#[test]
fn a_damaged_map_of_free_pages_is_made_anew_from_the_trees() {
    for seed in 0..6 {
        let disk = SimulatedDisk::new(seed);
        let (id, mut model) = filled(&disk);
        if seed % 2 == 0 {
            damage(&disk, BITMAP);
        } else {
            // It reads well, and is another kind of page.
            damage(&disk, 3);
            let file = disk.open("pages", false, Caching::Direct).unwrap();
            let mut wrong = Aligned::new(SIZE);
            page::format(&mut wrong, page::Kind::Unused, 0, rustydb_storage::PageNo(BITMAP), id);
            page::seal(&mut wrong);
            file.write_at(&wrong, BITMAP * SIZE as u64).unwrap();
            file.sync_data().unwrap();
        }
        let (store, _) = open(&disk).unwrap();
        let report = check(&store).unwrap();
        assert_eq!((report.damaged_maps.len(), report.damages), (1, 0), "{:?}", report.problems);
        assert!(is_certain(&report));
        let done = repair(&store, &report).unwrap();
        assert!(done.len() == 1 && done[0].contains("made anew"), "{done:?}");
        assert_eq!(check(&store).unwrap().problems, Vec::<String>::new());
        // What is taken from the new map is nobody's.
        let tree = store.tree(id).unwrap();
        let mut random = Random(seed);
        for _ in 0..200 {
            let (key, value) = (random.key(1000), random.value());
            tree.write(&key, State::Value(&value), Expect::Any, None, |_, _| ()).unwrap();
            model.insert(key, value);
        }
        store.log().flush(store.log().end()).unwrap();
        drop((tree, store));
        disk.crash();
        let (store, _) = open(&disk).unwrap();
        assert_eq!(check(&store).unwrap().problems, Vec::<String>::new());
        assert_eq!(contents(&store.tree(id).unwrap()), model);
    }
}

#[test]
fn a_damaged_map_beside_a_damaged_tree_is_left_alone() {
    let disk = SimulatedDisk::new(7);
    filled(&disk);
    damage(&disk, BITMAP);
    damage(&disk, BITMAP + 3);
    let (store, _) = open(&disk).unwrap();
    let report = check(&store).unwrap();
    assert!(report.damaged_maps.len() == 1 && report.damages > 0 && !is_certain(&report));
    assert!(repair(&store, &report).is_err());
    assert_eq!(check(&store).unwrap().damaged_maps.len(), 1);
}

#[test]
fn with_a_damaged_page_nothing_is_guessed() {
    let disk = SimulatedDisk::new(2);
    filled(&disk);
    flip(&disk, &[3000]);
    // No copy of it is left in the doublewrite area.
    let file = disk.open("pages", false, Caching::Direct).unwrap();
    file.write_at(&[0; 130 * SIZE], 2 * SIZE as u64).unwrap();
    file.sync_data().unwrap();
    // The tree's root: the first page that was handed out.
    let victim = (BITMAP + 3) * SIZE as u64;
    disk.flip_bit("pages", Some(victim + 200..victim + 4000)).unwrap();
    let (store, _) = open(&disk).unwrap();
    let report = check(&store).unwrap();
    assert!(report.damages > 0 && !is_certain(&report));
    let refused = repair(&store, &report).unwrap_err().to_string();
    assert!(refused.contains("nothing was changed"), "{refused}");
    let again = check(&store).unwrap();
    assert_eq!((again.damages, again.orphans), (report.damages, report.orphans));
}

#[test]
fn a_trial_changes_nothing() {
    let disk = SimulatedDisk::new(3);
    filled(&disk);
    {
        // Something to replay, too.
        let (store, _) = open(&disk).unwrap();
        let tree = store.tree(TreeId::FIRST).unwrap();
        tree.write(b"new", State::Value(b"row"), Expect::Any, None, |_, _| ()).unwrap();
        store.log().flush(store.log().end()).unwrap();
    }
    disk.crash();
    flip(&disk, &[3000]);
    let before = disk.operations();
    let shared: Arc<dyn Disk> = Arc::new(Overlay::new(Arc::new(disk.clone()), 64 << 20).unwrap());
    let (store, _) = Store::open(shared, &disk, options()).unwrap();
    let report = check(&store).unwrap();
    repair(&store, &report).unwrap();
    assert_eq!(check(&store).unwrap().problems, Vec::<String>::new());
    store.close(horizon(&store)).unwrap();
    assert_eq!(disk.operations(), before, "the disk below was written");
    drop(store);
    let (store, _) = open(&disk).unwrap();
    assert_eq!(check(&store).unwrap().orphans.len(), 1);
}

#[test]
fn opening_says_what_it_put_back() {
    // A page whose place was torn by the last batch, whose copy is whole.
    let disk = SimulatedDisk::new(4);
    let (id, model) = filled(&disk);
    let file = disk.open("pages", false, Caching::Direct).unwrap();
    let mut copy = Aligned::new(SIZE);
    let mut torn = None;
    for slot in 0..2 * 65 {
        file.read_at(&mut copy, (2 + slot) * SIZE as u64).unwrap();
        let number = page::number(&copy);
        let mut place = Aligned::new(SIZE);
        file.read_at(&mut place, number.0 * SIZE as u64).unwrap();
        if number.0 > BITMAP && copy[..] == place[..] {
            torn = Some(number.0);
        }
    }
    let torn = torn.expect("a batch's copies are still in the area");
    file.write_at(&[0xEE; 512], torn * SIZE as u64 + 1024).unwrap();
    file.sync_data().unwrap();
    let (store, _) = open(&disk).unwrap();
    assert_eq!(store.opening().restored_pages, 1);
    assert_eq!(contents(&store.tree(id).unwrap()), model);
    drop(store);

    // A log that ends in the middle of a frame.
    let (store, _) = open(&disk).unwrap();
    assert_eq!(store.opening().torn_tail, None);
    let tree = store.tree(id).unwrap();
    tree.write(b"k", State::Value(&[1; 3000]), Expect::Any, None, |_, _| ()).unwrap();
    let end = store.log().durable();
    store.log().flush(store.log().end()).unwrap();
    drop((tree, store));
    let segment = disk.list().unwrap().into_iter().filter(|name| name.len() == 20).max().unwrap();
    let first = u64::from_str_radix(&segment[4..], 16).unwrap();
    let log = disk.open(&segment, false, Caching::Buffered).unwrap();
    log.write_at(&[0; 512], 4096 + end.0 - first + 1024).unwrap();
    log.sync_data().unwrap();
    let (store, _) = open(&disk).unwrap();
    assert_eq!(store.opening().torn_tail, Some(end));
    assert_eq!(contents(&store.tree(id).unwrap()), model);
}
