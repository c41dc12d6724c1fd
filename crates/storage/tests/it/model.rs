//! A tree behaves as a sorted map, whatever is put into it.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use rustydb_storage::check::check;
use rustydb_storage::disk::SimulatedDisk;
use rustydb_storage::{Error, Expect, State, Store, Tree};

use crate::random::{Random, horizon, open};

pub(crate) type Model = BTreeMap<Vec<u8>, Vec<u8>>;

pub(crate) fn contents(tree: &Tree) -> Model {
    let mut found = Model::new();
    let mut position = Some(Bound::Unbounded);
    while let Some(from) = position {
        position = tree
            .scan_leaf_forward::<Error>(&from, |key, entry, _| {
                if !entry.is_tombstone {
                    assert!(found.insert(key.to_vec(), entry.value.to_vec()).is_none());
                }
                Ok(ControlFlow::Continue(()))
            })
            .unwrap();
    }
    found
}

fn backward(tree: &Tree) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut position = Some(Bound::Unbounded);
    while let Some(from) = position {
        position = tree
            .scan_leaf_backward::<Error>(&from, |key, entry, _| {
                if !entry.is_tombstone {
                    found.push(key.to_vec());
                }
                Ok(ControlFlow::Continue(()))
            })
            .unwrap();
    }
    found
}

fn assert_sound(store: &Store) {
    let report = check(store).unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
}

fn step(tree: &Tree, model: &mut Model, random: &mut Random) {
    let key = random.key(3000);
    match random.below(10) {
        0..6 => {
            let value = random.value();
            tree.write(&key, State::Value(&value), Expect::Any, None, |_, _| ()).unwrap();
            model.insert(key, value);
        }
        6 => {
            tree.write(&key, State::Absent, Expect::Any, None, |_, _| ()).unwrap();
            model.remove(&key);
        }
        7 | 8 => {
            let deleted = tree.write(&key, State::Tombstone, Expect::Live, None, |_, _| ());
            assert_eq!(deleted.is_ok(), model.remove(&key).is_some());
            assert_eq!(tree.remove_tombstone(&key, || true).unwrap(), deleted.is_ok());
        }
        _ => {
            let found = tree.get(&key, |entry, _| entry.map(|entry| entry.value.to_vec())).unwrap();
            assert_eq!(found.as_ref(), model.get(&key));
            let inserted = tree.write(&key, State::Value(b"new"), Expect::NotLive, None, |_, _| ());
            assert_eq!(inserted.is_err(), found.is_some());
            model.entry(key).or_insert(b"new".to_vec());
        }
    }
}

#[test]
fn a_tree_is_a_sorted_map() {
    for seed in 0..6 {
        let disk = SimulatedDisk::new(seed);
        let (store, _) = open(&disk).unwrap();
        let tree = store.tree(store.create_tree().unwrap()).unwrap();
        let (mut model, mut random) = (Model::new(), Random(seed));
        for round in 0..4000 {
            step(&tree, &mut model, &mut random);
            if round % 1000 == 999 {
                assert_eq!(contents(&tree), model);
                let mut keys: Vec<Vec<u8>> = model.keys().cloned().collect();
                keys.reverse();
                assert_eq!(backward(&tree), keys);
                assert_sound(&store);
            }
        }
        store.checkpoint(horizon(&store)).unwrap();
        let pages = store.statistics().file_pages;
        for key in model.keys() {
            tree.write(key, State::Tombstone, Expect::Live, None, |_, _| ()).unwrap();
            tree.remove_tombstone(key, || true).unwrap();
        }
        assert!(contents(&tree).is_empty());
        assert_sound(&store);
        let id = tree.id();
        drop(tree);
        store.drop_tree(id).unwrap();
        assert_sound(&store);
        assert!(store.shrink(horizon(&store)).unwrap() > 0);
        assert!(store.statistics().file_pages < pages);
        assert_sound(&store);
    }
}

#[test]
fn ascending_keys_fill_their_pages() {
    let disk = SimulatedDisk::new(1);
    let (store, _) = open(&disk).unwrap();
    let tree = store.tree(store.create_tree().unwrap()).unwrap();
    for number in 0..5000u32 {
        tree.write(&number.to_be_bytes(), State::Value(&[7; 100]), Expect::NotLive, None, |_, _| ()).unwrap();
    }
    let report = check(&store).unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    // 5,000 entries of about 120 bytes: a good 150 full leaves of 4 KiB.
    assert!(report.pages < 170, "{} pages", report.pages);
}

#[test]
fn bounds_of_scans() {
    let disk = SimulatedDisk::new(2);
    let (store, _) = open(&disk).unwrap();
    let tree = store.tree(store.create_tree().unwrap()).unwrap();
    for number in (0..2000u32).step_by(2) {
        tree.write(&number.to_be_bytes(), State::Value(&[1; 40]), Expect::Any, None, |_, _| ()).unwrap();
    }
    let first = |from: Bound<u32>, forward: bool| -> Option<u32> {
        let mut position = Some(match from {
            Bound::Included(key) => Bound::Included(key.to_be_bytes().to_vec()),
            Bound::Excluded(key) => Bound::Excluded(key.to_be_bytes().to_vec()),
            Bound::Unbounded => Bound::Unbounded,
        });
        let mut found = None;
        while let (Some(from), None) = (position.take(), found) {
            let each = |key: &[u8], _: rustydb_storage::btree::Entry<'_>, _| {
                found = Some(u32::from_be_bytes(key.try_into().unwrap()));
                Ok(ControlFlow::Break(()))
            };
            position = if forward {
                tree.scan_leaf_forward::<Error>(&from, each).unwrap()
            } else {
                tree.scan_leaf_backward::<Error>(&from, each).unwrap()
            };
        }
        found
    };
    for number in 0..2000u32 {
        let even = number - number % 2;
        let above = |key: u32| (key < 2000).then_some(key);
        let (included, excluded) = (Bound::Included(number), Bound::Excluded(number));
        if number == even {
            assert_eq!(first(included, true), Some(number));
            assert_eq!(first(included, false), Some(number));
            assert_eq!(first(excluded, true), above(number + 2));
            assert_eq!(first(excluded, false), number.checked_sub(2));
        } else {
            assert_eq!(first(included, true), above(number + 1));
            assert_eq!(first(excluded, true), above(number + 1));
            assert_eq!(first(included, false), Some(even));
            assert_eq!(first(excluded, false), Some(even));
        }
    }
}
