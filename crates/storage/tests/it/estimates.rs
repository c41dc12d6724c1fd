//! Estimates of trees beside what is in them.

use std::ops::Bound;
use std::sync::Arc;

use rustydb_storage::disk::{Disk, SimulatedDisk};
use rustydb_storage::{Expect, KeyRange, Options, State, Store, Tree};

fn filled(keys: u32) -> (Store, Arc<Tree>) {
    let disk = SimulatedDisk::new(u64::from(keys));
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let options = Options { page_size: 4096, buffer_pool_bytes: 4 << 20, ..Options::default() };
    let store = Store::open(shared, &disk, options).unwrap().0;
    let tree = store.tree(store.create_tree().unwrap()).unwrap();
    for number in 0..keys {
        // In an order that fills pages as unevenly as chance does.
        let key = number.wrapping_mul(2_654_435_761) % keys.max(1);
        let value = vec![0; 20 + (key % 50) as usize];
        tree.write(&key.to_be_bytes(), State::Value(&value), Expect::Any, None, |_, _| ()).unwrap();
    }
    (store, tree)
}

fn range(low: u32, high: u32) -> KeyRange {
    let key = |n: u32| n.to_be_bytes().to_vec();
    KeyRange { low: Bound::Included(key(low)), high: Bound::Excluded(key(high)) }
}

fn count(tree: &Tree, range: &KeyRange) -> f64 {
    let (mut count, mut from) = (0, range.low.clone());
    loop {
        let next = tree.scan_leaf_forward::<rustydb_storage::Error>(&from, |key, _, _| {
            count += u32::from(range.is_below_high(key));
            Ok(std::ops::ControlFlow::Continue(()))
        });
        match next.unwrap() {
            Some(next) => from = next,
            None => return f64::from(count),
        }
    }
}

#[test]
fn small_ranges_are_counted_and_large_ones_estimated() {
    let (_store, tree) = filled(20_000);
    for low in (0..19_990).step_by(611) {
        let small = range(low, low + 3);
        let (found, there) = (tree.estimate_range(&small).unwrap(), count(&tree, &small));
        assert!((found - there).abs() < 1.5, "{low}: {found} of {there}");
    }
    for (low, high) in [(7, 7), (9, 3)] {
        assert_eq!(tree.estimate_range(&range(low, high)).unwrap(), 0.0);
    }
    for (low, high) in [(0, 20_000), (100, 5_100), (19_000, 30_000), (3, 900)] {
        let (found, there) =
            (tree.estimate_range(&range(low, high)).unwrap(), count(&tree, &range(low, high)));
        assert!((found / there - 1.0).abs() < 0.35, "{low}..{high}: {found} of {there}");
    }
    let all = count(&tree, &KeyRange::all());
    let found = tree.estimate_range(&KeyRange::all()).unwrap();
    assert!((found / all - 1.0).abs() < 0.35, "{found} of {all}");
    let gone = KeyRange { low: Bound::Excluded(vec![0xff; 5]), high: Bound::Unbounded };
    assert_eq!(tree.estimate_range(&gone).unwrap(), 0.0);
}

#[test]
fn a_sample_tells_the_size() {
    let (_store, tree) = filled(20_000);
    let mut seen = 0;
    let size = tree.sample(16, |_, _, _| seen += 1).unwrap();
    let all = count(&tree, &KeyRange::all());
    assert!(seen > 16 && size.levels >= 2, "{seen} {size:?}");
    assert!((size.entries / all - 1.0).abs() < 0.35, "{size:?} of {all}");
    assert!(tree.splits() > 50);
    let (_store, tree) = filled(3);
    let size = tree.sample(16, |_, _, _| ()).unwrap();
    assert_eq!((size.entries, size.leaves, size.levels), (count(&tree, &KeyRange::all()), 1.0, 1));
    let (_store, tree) = filled(0);
    assert_eq!(tree.sample(4, |_, _, _| ()).unwrap().entries, 0.0);
    assert_eq!(tree.splits(), 0);
}
