//! The power goes at any write: what was flushed is there, every record is whole, every tree sound.

use rustydb_storage::check::check;
use rustydb_storage::disk::{Fault, SimulatedDisk};
use rustydb_storage::{Expect, Result, State, Store, TreeId};

use crate::model::{Model, contents};
use crate::random::{Random, horizon, open};

/// Changes made and whether they were flushed, until the disk fails.
fn work(
    store: &Store,
    tree: TreeId,
    random: &mut Random,
    acknowledged: &mut Model,
    later: &mut Vec<Model>,
) -> Result<()> {
    let tree = store.tree(tree)?;
    let mut model = later.last().cloned().unwrap_or_else(|| acknowledged.clone());
    for _ in 0..3000 {
        let key = random.key(400);
        if random.below(3) == 0 {
            tree.write(&key, State::Absent, Expect::Any, None, |_, _| ())?;
            model.remove(&key);
        } else {
            let value = random.value();
            tree.write(&key, State::Value(&value), Expect::Any, None, |_, _| ())?;
            model.insert(key, value);
        }
        later.push(model.clone());
        if random.below(8) == 0 {
            store.log().flush(store.log().end())?;
            *acknowledged = model.clone();
            later.clear();
        }
        if random.below(60) == 0 {
            store.checkpoint(horizon(store))?;
            store.log().prepare_next()?;
            *acknowledged = model.clone();
            later.clear();
        }
    }
    Ok(())
}

/// One seed: work, cut the power, open, compare; several times over on the same disk.
fn crashes(seed: u64) {
    let disk = SimulatedDisk::new(seed);
    let mut random = Random(seed);
    let (mut acknowledged, mut later) = (Model::new(), Vec::new());
    let mut tree = None;
    for _ in 0..4 {
        disk.inject(Fault::PowerCut { after: random.below(300) });
        // The crash may also hit recovery itself.
        if let Ok((store, _)) = open(&disk) {
            let made = match tree {
                Some(tree) => Ok(tree),
                None => store.create_tree().and_then(|id| store.log().flush(store.log().end()).map(|()| id)),
            };
            if let Ok(id) = made {
                tree = Some(id);
                let stopped = work(&store, id, &mut random, &mut acknowledged, &mut later);
                assert!(stopped.is_err());
            }
        }
        // The machine goes down, or only the process: then what it wrote is there, but nothing more is sure.
        if random.below(3) == 0 {
            disk.heal()
        } else {
            disk.crash()
        }
        for _ in 0..random.below(3) {
            disk.inject(Fault::PowerCut { after: random.below(60) });
            drop(open(&disk));
            if random.below(3) == 0 { disk.heal() } else { disk.crash() }
        }
        let (store, _) = open(&disk).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let report = check(&store).unwrap();
        assert_eq!(report.problems, Vec::<String>::new(), "seed {seed}");
        if let Some(id) = tree {
            let found = contents(&store.tree(id).unwrap());
            let is_expected = found == acknowledged || later.contains(&found);
            assert!(is_expected, "seed {seed}: the tree is none of the states it may be in");
            acknowledged = found;
            later.clear();
        }
        drop(store);
    }
}

#[test]
fn the_power_goes_at_any_write() {
    for seed in 0..40 {
        crashes(seed);
    }
}

#[test]
fn a_failed_sync_stops_the_store() {
    for seed in 0..40 {
        let disk = SimulatedDisk::new(seed);
        let mut random = Random(seed);
        let (store, _) = open(&disk).unwrap();
        let id = store.create_tree().unwrap();
        store.log().flush(store.log().end()).unwrap();
        disk.inject(Fault::FailingSync { after: random.below(30) });
        let (mut acknowledged, mut later) = (Model::new(), Vec::new());
        let stopped = match work(&store, id, &mut random, &mut acknowledged, &mut later) {
            Err(stopped) => stopped,
            // It hit a segment that was only being made ready, which may fail.
            Ok(()) => continue,
        };
        assert!(stopped.to_string().contains("sync"), "{stopped}");
        let again = store.tree(id).unwrap().write(b"k", State::Value(b"v"), Expect::Any, None, |_, _| ());
        assert!(again.unwrap_err().to_string().contains("stopped after a failed write"));
        drop(store);
        disk.crash();
        let (store, _) = open(&disk).unwrap();
        assert_eq!(check(&store).unwrap().problems, Vec::<String>::new());
        let found = contents(&store.tree(id).unwrap());
        assert!(found == acknowledged || later.contains(&found), "seed {seed}");
    }
}
